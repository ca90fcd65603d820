"""The main job: problems -> candidates -> judgements -> records -> dataset, one stage after another.

Everything that code was run for is in the store before it is used; everything else is made anew by every run, from the
inputs and the recipe alone, so that a build that is killed and run again ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from crl_data.columns import DIFFICULTY
from crl_data.corpus import finish, manifest
from crl_data.corpus.assemble import Assembly
from crl_data.corpus.critiques import Critiquing
from crl_data.corpus.difficulty import Measure
from crl_data.corpus.forecast import Forecast, forecast
from crl_data.corpus.gather import Asking, Gathering
from crl_data.corpus.label import check_references, judge_candidates
from crl_data.corpus.outputs import Directory
from crl_data.corpus.recipe import Recipe, Written
from crl_data.corpus.recipe_file import load_recipe
from crl_data.corpus.sampling import Asker, asked_as, forecast_of
from crl_data.corpus.select import token_counter
from crl_data.corpus.stage import Stage
from crl_data.corpus.store import Store
from crl_data.corpus.tally import Tally
from crl_data.errors import InputError, WorkError
from crl_data.judging import Judge
from crl_data.judging.canaries import Watch
from crl_data.judging.reference import Reference
from crl_data.prompts import load_template
from crl_data.rows import RowWriter
from crl_data.sandbox import Sandbox

_NO_RECORDS = "no problem is left to make a record of"


@dataclass(frozen=True, kw_only=True)
class Built:
    """A dataset that was built: where it is, its manifest, and how many judgements were run for it or remembered."""

    directory: Path
    manifest: dict[str, Any]
    judged: int
    remembered: int


def build(
    recipe: str | Path,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    settings: Sequence[str] = (),
    limit: int | None = None,
    quiet: bool | None = None,
) -> Built:
    """Build a dataset from a recipe.

    out: the directory that it is left in; None: `build/<name of the recipe>`.
    store: where findings are kept; None: in the directory. settings: `key=value` laid over the recipe.
    limit: only the first so many problems. quiet: no progress; None: none where standard error is no terminal.
    Running it again does no work twice. Raises `InputError` for a fault of the recipe or an input, `WorkError` otherwise.
    """
    path = Path(recipe)
    loaded = load_recipe(path, settings)
    target = Path(out) if out is not None else default_directory(path)
    run = _Run(loaded, path, limit, quiet)
    with Directory(target) as directory, _catching(target):
        return run.build(directory, Path(store) if store else directory.store)


def default_directory(recipe: Path) -> Path:
    """Where a dataset is left when nobody says where."""
    return Path("build") / recipe.stem


def dry_run(
    recipe: str | Path,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    settings: Sequence[str] = (),
    limit: int | None = None,
    quiet: bool | None = None,
) -> Forecast:
    """What a build would do: its counts after the filters, and a forecast of what asking models and judging costs.

    Makes no directory. The store that the build would use is opened where it is there: what it holds costs nothing, and what
    importers run references for, or find in batch files, is kept in it.
    """
    path = Path(recipe)
    loaded = load_recipe(path, settings)
    of_build = Directory(Path(out) if out is not None else default_directory(path)).store
    known = Path(store) if store else of_build
    with tempfile.TemporaryDirectory(prefix="crl-dry-run-") as folder, _catching(Path(folder)):
        run = _Run(loaded, path, limit, quiet)
        return run.forecast(Path(folder), known if known.is_file() else Path(folder) / "store.sqlite")


@contextlib.contextmanager
def _catching(target: Path) -> Iterator[None]:
    """A full disk and the like, in one line."""
    try:
        yield
    except OSError as error:
        raise WorkError(f"{error.filename or target}: {error.strerror or error}") from None


class _Run:
    """One run of a recipe."""

    def __init__(self, recipe: Recipe, path: Path, limit: int | None, quiet: bool | None) -> None:
        self.recipe = recipe
        self.path = path
        self.limit = limit
        self.quiet = quiet
        self.tally = Tally()
        self.inputs: list[dict[str, Any]] = []
        self.count, self.tokenizer = token_counter(recipe.select.tokenizer, path.parent)
        self.solve = load_template("solve", recipe.prompts.solve, path.parent)
        self.critique = load_template("critique", recipe.prompts.critique, path.parent)
        self.stages: dict[str, Any] = {"difficulty": None, "critiques": None}

    def build(self, directory: Directory, store_path: Path) -> Built:
        sandbox = self.recipe.judge.open_sandbox()
        with contextlib.closing(Store(store_path)) as store, Stage(directory.private / "stage.sqlite") as stage:
            measure, critiquing = self.measure(stage), self.critiquing(stage, directory.new)
            with (
                Judge(
                    jobs=self.recipe.judge.jobs, sandbox=sandbox, policy=self.recipe.judge.policy(), memory=store
                ) as judge,
                self.gathering(stage, store, sandbox, dry=False) as gathering,
            ):
                watch = Watch(judge)
                self.gather(gathering)
                self.check(stage, judge, watch)
                self.ask(gathering)  # no money is spent on problems whose own reference fails
                asker = Asker(store, self.count, self.path.parent, self.tell, gathering.tools, gathering.inputs)
                self.label(stage, judge, watch, measure, asker)
                made = self.finish(stage, judge, directory, measure, critiquing, asker)
            return Built(directory=directory.path, manifest=made, judged=store.kept, remembered=store.hits)

    def forecast(self, folder: Path, store_path: Path) -> Forecast:
        sandbox = self.recipe.judge.open_sandbox()
        with contextlib.closing(Store(store_path)) as store, Stage(folder / "stage.sqlite") as stage:
            with self.gathering(stage, store, sandbox, dry=True) as gathering:
                self.gather(gathering)
                self.ask(gathering)
            with Judge(jobs=self.recipe.judge.jobs, sandbox=sandbox, policy=self.recipe.judge.policy()) as judge:
                sampling = {**gathering.sampling(), **self.stages_to_come(stage, store, gathering.to_come)}
                return forecast(stage, judge, self.tally, gathering.to_come, sampling)

    # --- stages -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def gathering(self, stage: Stage, store: Store, sandbox: Sandbox, dry: bool) -> Iterator[Gathering]:
        with contextlib.ExitStack() as opened:
            known: list[Reference] = []

            def references() -> Reference:
                if not known:
                    known.append(opened.enter_context(Reference(sandbox, store.outputs)))
                return known[0]

            asking = Asking(kept=store, tell=self.tell, dry=dry)
            yield Gathering(
                self.recipe, self.path.parent, stage, self.tally, references, self.count, self.limit, asking
            )

    def gather(self, gathering: Gathering) -> None:
        """Problems, and all candidates that nobody has to be asked for."""
        with self.progress("problems") as seen:
            gathering.problems(seen)
        gathering.clean()
        with self.progress("candidates") as seen:
            gathering.candidates(seen, asked=False)
        self.inputs = gathering.inputs

    def ask(self, gathering: Gathering) -> None:
        with self.progress("answers") as seen:
            gathering.candidates(seen, asked=True)

    def stages_to_come(self, stage: Stage, store: Store, to_come: Counter[str]) -> dict[str, dict[str, Any]]:
        """What the stages would ask models for; the answers that difficulty is measured by are added to `to_come`."""
        found = {}
        base, kept = self.path.parent, stage.count("problems", "set_aside is null")
        measure, critiquing = self.measure(stage), self.critiquing(stage, base)
        candidates = stage.count_candidates() + sum(to_come.values())
        if measure is not None:
            answers = {request.id: request.n for request in measure.requests()}
            to_come.update(answers)
            candidates += sum(answers.values()) if measure.settings.candidates else 0
            if not isinstance(measure.settings, Written):
                asked = asked_as(measure.settings, store, self.count, base)
                found[f"difficulty ({asked.chat.model})"] = forecast_of(asked, asked.look(measure.requests()))
        if critiquing is not None and not isinstance(critiquing.settings, Written):
            mix = self.recipe.mix
            of_data = round(mix.critique_share * kept) * mix.per_problem
            records = of_data if critiquing.settings.of == "data" else candidates
            asked = asked_as(critiquing.settings, store, self.count, base)
            look = critiquing.outlook(asked, records, self.critique)
            found[f"critiques ({asked.chat.model})"] = forecast_of(asked, look)
        return found

    def measure(self, stage: Stage) -> Measure | None:
        settings = self.recipe.difficulty
        if settings is None:
            return None
        template = load_template("solve", settings.prompt or self.recipe.prompts.solve, self.path.parent)
        return Measure(settings, stage, template)

    def critiquing(self, stage: Stage, new: Path) -> Critiquing | None:
        settings = self.recipe.critiques
        if settings is None:
            return None
        named = settings.prompt and load_template("critique", settings.prompt, self.path.parent)
        refine = load_template("refine", settings.refine_prompt, self.path.parent)
        return Critiquing(settings, new, stage, named or None, refine)

    def check(self, stage: Stage, judge: Judge, watch: Watch) -> None:
        watch.look()
        with self.progress("references", stage.count("problems", "set_aside is null")) as seen:
            check_references(stage, judge, watch, seen)

    def label(self, stage: Stage, judge: Judge, watch: Watch, measure: Measure | None, asker: Asker) -> None:
        if measure is not None and measure.settings.candidates:
            with self.progress("difficulty: answers") as seen:
                measure.add_candidates(asker, self.tally, seen)
        with self.progress("judging", stage.count_candidates()) as seen:
            judge_candidates(stage, judge, watch, self.tally, seen)

    def finish(
        self,
        stage: Stage,
        judge: Judge,
        directory: Directory,
        measure: Measure | None,
        critiquing: Critiquing | None,
        asker: Asker,
    ) -> dict[str, Any]:
        self.finish_counts(stage)
        if not self.tally.problems["kept"]:
            reasons = ", ".join(f"{n} x {reason}" for reason, n in self.tally.problems_set_aside.items())
            raise InputError(f"{self.path}: {_NO_RECORDS} ({reasons or 'none was read'})")
        new = directory.new
        if measure is not None:
            with (
                self.progress("difficulty", self.tally.problems["kept"]) as seen,
                RowWriter(new / "difficulty.parquet", DIFFICULTY) as writer,
            ):
                self.stages["difficulty"] = measure.run(judge, asker, writer.write, seen)
        templates = (self.solve, self.critique)
        finish.write_rows(directory, Assembly(self.recipe, stage, self.tally, *templates))
        if critiquing is not None:
            with self.progress("critiques") as seen:
                self.stages["critiques"] = critiquing.write(judge, asker, new / "critiques.parquet", seen)
        made = manifest.make(
            self.recipe,
            self.path,
            self.limit,
            self.tally,
            self.tokenizer,
            judge.sandbox,
            templates,
            stage,
            self.inputs,
            self.stages,
            new,
        )
        finish.publish(directory, made)
        return made

    def finish_counts(self, stage: Stage) -> None:
        for name, reason in stage.set_aside_problems():
            self.tally.set_problem_aside(name, reason)
        for problem, _ in stage.problems():
            self.tally.after.count(problem)
        self.tally.problems["kept"] = stage.count("problems", "set_aside is null")
        self.tally.candidates["kept"] = stage.count_candidates()
        self.tally.candidates_dropped.update(stage.counts("candidates", "dropped"))

    def tell(self, text: str) -> None:
        """Say on standard error what a person should know before money is spent, whether or not progress is shown."""
        if not self.quiet:
            tqdm.write(text, file=sys.stderr)

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[], object]]:
        disable = True if self.quiet else None  # None: where standard error is no terminal
        with tqdm(desc=what, total=total, disable=disable, unit="", leave=False) as bar:
            yield bar.update
