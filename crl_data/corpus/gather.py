"""The first two stages of a build: problems with their chosen tests, and candidates with the code taken out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from crl_data.cleaning.duplicates import fingerprint
from crl_data.corpus.clean import clean
from crl_data.corpus.recipe import Mutants, Recipe, Recorded
from crl_data.corpus.select import CountTokens, select_tests
from crl_data.corpus.stage import Duplicate, Stage
from crl_data.corpus.tally import Tally
from crl_data.errors import RowError
from crl_data.importers import References, SetAside, Tools, read_problems
from crl_data.responses import Extraction, code_of
from crl_data.samplers import mutants, recorded
from crl_data.types import Problem, Solution, TestKind

JUDGED_KINDS = frozenset({TestKind.STDIN, TestKind.FUNCTION, TestKind.ASSERT})
ITS_PROBLEM = "its problem was set aside"


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
    ) -> None:
        self.recipe = recipe
        self.base = base
        self.stage = stage
        self.tally = tally
        self.count = count
        self.limit = limit
        self.tools = Tools(references, self._bad_row, recipe.max_field_mb)
        self.fingerprints: dict[str, bytes] = {}
        self.partial = limit is not None or any(source.limit for source in recipe.problems)

    def _bad_row(self, error: RowError) -> None:
        """One bad row stops the build, unless the recipe says to skip and count them."""
        if self.recipe.on_bad_rows == "error":
            raise error
        self.tally.bad_row(str(error))

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
            for problem in read_problems(source.format, source.files, self.base, self.tools):
                yield problem
                taken += 1
                if taken == most:
                    break
            left = None if left is None else left - taken

    def _add(self, problem: Problem) -> None:
        if problem.test_kind not in JUDGED_KINDS:
            self.stage.add_problem(problem, f"tests of kind {problem.test_kind} cannot be judged by this version")
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

    def candidates(self, seen: Callable[[], object]) -> None:
        """Read or make all candidates, take the code out of them, and put them on the stage."""
        for solution, rule in self._all_candidates():
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
            self.tally.candidates["read"] += 1
            code, why_none = code_of(solution, rule)
            dropped = why_none or (ITS_PROBLEM if why_aside else None)
            taken = replace(
                solution, code=code, extra={**solution.extra, "extraction": rule if solution.code is None else None}
            )
            try:
                self.stage.add_candidate(taken, dropped or None)
            except Duplicate:
                self.tally.candidates["read"] -= 1
                self._bad_row(
                    RowError(
                        self.tools.place,
                        "id",
                        f"an id that no candidate of problem {solution.problem_id!r} before it has",
                        f"{solution.id!r} again",
                    )
                )

    def _all_candidates(self) -> Iterator[tuple[Solution, Extraction]]:
        for source in self.recipe.candidates:
            if isinstance(source, Recorded):
                for solution in recorded.sample(
                    source.format, source.path, self.base, self.tools, self.stage.by_entry_point
                ):
                    yield solution, source.extract
            elif isinstance(source, Mutants):
                self.tools.place = "mutants"
                for problem, _ in self.stage.problems():
                    for solution in mutants.sample(problem, source.per_problem, self.recipe.seed):
                        yield solution, Extraction.LAST_BLOCK
