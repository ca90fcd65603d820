"""The first two stages of a build: problems with their chosen tests, and candidates with the code taken out of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crl_data.cleaning.duplicates import fingerprint
from crl_data.columns import describe
from crl_data.corpus.clean import clean
from crl_data.corpus.recipe import Mutants, OpenAI, ProblemSource, Recipe, Recorded, Vllm
from crl_data.corpus.records import GIVEN
from crl_data.corpus.sampling import answers_of, asked_as, candidates_of, chat_of, forecast_of, labels_of, requests_of
from crl_data.corpus.select import CountTokens, select_tests
from crl_data.corpus.stage import Duplicate, Stage, taken_id
from crl_data.corpus.tally import Tally
from crl_data.draws import draw
from crl_data.errors import BatchWaits, RowError
from crl_data.importers import References, SetAside, Tools, read_problems
from crl_data.importers.tables import Tables
from crl_data.licenses import UNKNOWN
from crl_data.prompts import load_template
from crl_data.responses import Extraction, code_of
from crl_data.samplers import mutants, recorded
from crl_data.samplers.batch import Batch
from crl_data.samplers.kept import Kept, Outlook
from crl_data.samplers.model import Answer, Request
from crl_data.types import Problem, Solution

OF_SOURCE = "solved_at_source"  # what importers of labelled submissions call the verdict of their source
ITS_PROBLEM = "its problem was set aside"
NOT_ALLOWED = "its licence is not allowed"


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How models are asked while candidates are gathered.

    kept: where requests and responses are. tell: called with what a person should know before money is spent.
    dry: nothing is asked; `Gathering.outlooks` and `Gathering.to_come` say what would be.
    """

    kept: Kept
    tell: Callable[[str], object]
    dry: bool = False


@dataclass(frozen=True)
class _Found:
    """A candidate of a source of the recipe, by its number: the rule for its code, its verdict where that is given, and why
    it is dropped where it is already."""

    source: int
    solution: Solution
    rule: Extraction
    given: bool | None = None
    dropped: str | None = None


class Gathering:
    """Reads the sources of a recipe into a stage."""

    def __init__(
        self,
        recipe: Recipe,
        base: Path,
        stage: Stage,
        tally: Tally,
        references: Callable[[], References],
        count: CountTokens,
        limit: int | None,
        asking: Asking,
    ) -> None:
        self.recipe = recipe
        self.base = base
        self.stage = stage
        self.tally = tally
        self.count = count
        self.limit = limit
        self.asking = asking
        self.outlooks: dict[str, Outlook] = {}
        self.to_come: Counter[str] = Counter()  # by problem, the answers that a dry run does not ask for
        self.tools = Tools(references, self._bad_row, recipe.max_field_mb, recipe.labels_are_given)
        self.inputs: list[dict[str, Any]] = []
        self._shares = _intervals(recipe)
        named = {number: source for number, source in enumerate(recipe.candidates) if isinstance(source, OpenAI | Vllm)}
        self._labels = dict(zip(named, labels_of(source.model for source in named.values()), strict=True))
        self._prompts = {
            number: load_template("solve", source.prompt or recipe.prompts.solve, base)
            for number, source in named.items()
        }
        self.fingerprints: dict[str, bytes] = {}
        self.partial = limit is not None or any(source.limit for source in recipe.problems)

    def _bad_row(self, error: RowError) -> None:
        """One bad row stops the build, unless the recipe says to skip and count them."""
        if self.recipe.on_bad_rows == "error":
            raise error
        here = f"{self.base}/"
        lies = error.place.startswith(("/", "./", "../", here))  # where a file lies is no part of the manifest
        place = Path(error.place).name if lies else error.place
        self.tally.bad_row(str(RowError(place, error.field, error.expected, error.came)))

    # --- problems -----------------------------------------------------------------------------------------------------

    def problems(self, seen: Callable[[], object]) -> None:
        """Read all problems, choose their tests, and put them on the stage. `seen` is called for each."""
        for problem in self._all_problems():
            seen()
            self.tally.problems["read"] += 1
            try:
                if isinstance(problem, SetAside):
                    self.stage.add_absent(problem.id, problem.reason)
                else:
                    self._add(problem)
            except Duplicate:
                self.tally.problems["read"] -= 1
                self._bad_row(
                    RowError(self.tools.place, "id", "an id that no problem before it has", f"{problem.id!r} again")
                )

    def clean(self) -> None:
        """Set aside what stands twice, and what is a question of a benchmark."""
        self.tally.cleaning = clean(self.recipe.clean, self.base, self.stage, self.fingerprints)

    def _all_problems(self) -> Iterator[Problem | SetAside]:
        left = self.limit
        for source in self.recipe.problems:
            most = min((n for n in (source.limit, left) if n is not None), default=None)
            if most == 0:
                return
            taken = 0
            for problem in read_problems(source.format, self._open(source.format, source), self.base, self.tools):
                yield problem
                taken += 1
                if taken == most:
                    break
            left = None if left is None else left - taken

    def _open(self, form: str, source: ProblemSource | Recorded) -> Tables:
        tables = source.tables(self.base, self.recipe.max_field_mb)
        self.inputs += [{"format": form, **told} for told in tables.described()]
        return tables

    def _add(self, problem: Problem) -> None:
        self.tally.before.count(problem)
        license_ = problem.source.license or UNKNOWN
        if self.recipe.allow_licenses is not None and license_ not in self.recipe.allow_licenses:
            self.stage.add_absent(problem.id, f"{NOT_ALLOWED}: {license_}")  # nothing of it may go on
            return
        if not problem.tests:
            self.stage.add_problem(problem)
            self.fingerprints[problem.id] = fingerprint(problem)
            return
        settings = self.recipe.select
        selected = select_tests(problem, settings.max_test_tokens, settings.max_tests, self.recipe.seed, self.count)
        kept = selected.problem
        if kept is None:
            self.stage.add_problem(problem, "no test is short enough")
        else:
            self.stage.add_problem(kept)
            self.fingerprints[problem.id] = fingerprint(problem)
        self.tally.tests["read"] += len(problem.tests)
        self.tally.tests["too long"] += selected.too_long
        self.tally.tests["not drawn"] += selected.too_many
        self.tally.tests["kept"] += len(kept.tests) if kept else 0

    # --- candidates ---------------------------------------------------------------------------------------------------

    def candidates(self, seen: Callable[[], object], asked: bool) -> None:
        """Read, make or ask for candidates, take the code out of them, and put them on the stage.

        asked: those of models that are asked, or all others. On the stage they stand in the order of the recipe.
        """
        for found in self._all_candidates(asked):
            solution = found.solution
            seen()
            known, why_aside = self.stage.status(solution.problem_id)
            if not known:
                if not self.partial:
                    self._bad_row(
                        RowError(
                            self.tools.place,
                            "problem_id",
                            "the id of a problem",
                            f"{solution.problem_id!r}, which no problem has",
                        )
                    )
                continue
            if why_aside and why_aside.startswith(NOT_ALLOWED):
                continue
            self.tally.candidates["read"] += 1
            code, why_none = code_of(solution, found.rule)
            dropped = found.dropped or why_none or (ITS_PROBLEM if why_aside else None)
            untested = self.recipe.labels_are_given and not self.stage.has_tests(solution.problem_id)
            if not dropped and found.given is None and untested:
                dropped = "its problem has no tests, and its verdict is not given"
            thought = solution.extra.get("reasoning_tokens")
            own: dict[str, str | int | None] = {
                "reasoning_tokens": thought if type(thought) is int else None,
                "extraction": found.rule if solution.code is None else None,
            }
            if found.given is not None:
                own["label_source"] = GIVEN
            taken = replace(solution, code=code, extra={**solution.extra, **own})
            try:
                self.stage.add_candidate(taken, dropped or None, found.given, found.source)
            except Duplicate:
                self.tally.candidates["read"] -= 1
                self._bad_row(taken_id(self.tools.place, solution))

    def _all_candidates(self, asked: bool) -> Iterator[_Found]:
        """Candidates of the sources, one source after another. Batches that wait end it, after all else."""
        waits: list[str] = []
        for number, source in enumerate(self.recipe.candidates):
            if isinstance(source, OpenAI | Vllm) is not asked:
                continue
            if isinstance(source, Recorded):
                tables = self._open(source.format, source)
                for solution in recorded.sample(source.format, tables, self.tools, self.stage.by_entry_point):
                    if self._answers(number, solution.problem_id):
                        try:
                            given = self._given(solution) if source.labels == GIVEN else None
                        except RowError as error:
                            self._bad_row(error)
                            continue
                        yield _Found(number, solution, source.extract, given=given)
            elif isinstance(source, Mutants):
                self.tools.place = "mutants"
                for problem in self._problems_of(number):
                    for solution in mutants.sample(problem, source.per_problem, self.recipe.seed):
                        yield _Found(number, solution, Extraction.LAST_BLOCK)
            else:
                self.tools.place = self._labels[number]
                try:
                    for solution, dropped in self._sampled(number, source):
                        yield _Found(number, solution, source.extract, dropped=dropped)
                except BatchWaits as error:
                    waits.append(str(error))
        if waits:
            raise BatchWaits("; ".join(waits))

    def _given(self, solution: Solution) -> bool:
        """The verdict that a row of recorded solutions gives. Raises `RowError` where it gives none."""
        verdict = solution.extra.get("verdict")
        if verdict is None:
            verdict = solution.extra.get(OF_SOURCE)
        if not isinstance(verdict, bool):
            raise RowError(self.tools.place, "verdict", "true or false, since the labels are given", describe(verdict))
        return verdict

    def _sampled(self, number: int, source: OpenAI | Vllm) -> Iterator[tuple[Solution, str | None]]:
        """The answers of a model as candidates, and what they cost in the tally."""
        label = self._labels[number]
        sampler = chat_of(source, self.base).sampler(source.sampler)
        spent: Counter[str] = Counter()
        told: Counter[str] = Counter()
        for request, answers in self._asked(number, source, spent):
            for solution, dropped in candidates_of(source, label, sampler, request, answers):
                told["answers"] += 1
                told[f"finish_reason {solution.finish_reason}"] += 1
                yield solution, dropped
        self.tally.sampling[label] = {
            "sampler": source.sampler,
            **dict(sorted(told.items())),
            **dict(sorted(spent.items())),
        }
        if source.price is not None:
            usd = spent["prompt_tokens"] * source.price.input + spent["output_tokens"] * source.price.output
            self.tally.sampling[label]["usd"] = round(usd / 1e6, 6)

    def _asked(
        self, number: int, source: OpenAI | Vllm, spent: Counter[str]
    ) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        def requests() -> Iterator[Request]:
            return requests_of(self._problems_of(number), self._prompts[number], source.n)

        if not self.asking.dry:
            yield from answers_of(source, requests, self.asking.kept, self.count, self.base, spent, self.asking.tell)
            return
        asked = asked_as(source, self.asking.kept, self.count, self.base)
        if source.batch is not None:
            Batch(asked, self.base / source.batch).read(self.asking.tell)
        self.outlooks[self._labels[number]] = asked.look(requests())
        for request in requests():
            answers = asked.answers(request)
            if answers is None:
                self.to_come[request.id] += source.n
            else:
                spent.update(asked.used(request))
                yield request, answers

    def sampling(self) -> dict[str, dict[str, Any]]:
        """By sampler, what a dry run found that it would ask for, at most."""
        found = {}
        for number, label in self._labels.items():
            look, source = self.outlooks[label], self.recipe.candidates[number]
            assert isinstance(source, OpenAI | Vllm)
            found[label] = forecast_of(asked_as(source, self.asking.kept, self.count, self.base), look)
        return found

    def _problems_of(self, number: int) -> Iterator[Problem]:
        """The kept problems that a sampler, by its place in the recipe, answers."""
        return (problem for problem, _ in self.stage.problems() if self._answers(number, problem.id))

    def _answers(self, number: int, problem: str) -> bool:
        """Whether a problem is in the share of a sampler."""
        interval = self._shares[number]
        if interval is None:
            return True
        place = int.from_bytes(draw(self.recipe.seed, "sampler", problem)[:8]) / 2**64
        return interval[0] <= place < interval[1]


def _intervals(recipe: Recipe) -> list[tuple[float, float] | None]:
    """Which part of the problems each sampler answers: those that state a share have parts that do not overlap."""
    found: list[tuple[float, float] | None] = []
    begun = 0.0
    for source in recipe.candidates:
        if source.share is None:
            found.append(None)
        else:
            end = begun + source.share
            found.append((begun, 1.0 if end > 1 - 1e-9 else end))
            begun = end
    return found
