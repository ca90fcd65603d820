"""Rows of a dataset executed again, ours or others': does the verdict that stands there come out?

What can be executed has a verdict, a solution and tests: critique records, in their own columns or in those of verl
(`importers.critique_verl`), and solutions that others labelled, in a format that has an importer. Rows are read once and
streamed, and of those that can be executed a sample is held. Each is judged as it says itself that it was judged: threshold,
time-outs, isolation, libraries, limits. What it does not say is the caller's to say.

The other verdict is a flip. No verdict is neither a flip nor agreement: a fault of ours, or a time-out that is no evidence.
Nothing here says which of two verdicts is right.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from crl_data.columns import RECORD, Fault, describe
from crl_data.corpus.gather import OF_SOURCE
from crl_data.corpus.manifest import read_manifest
from crl_data.corpus.outputs import file_hash
from crl_data.corpus.records import CRITIQUE, SOLVE, as_problem, calibration_of, make_record, policy_of
from crl_data.errors import InputError, RowError, RunnerDied, TestsUnfit
from crl_data.importers import PROBLEM_FORMATS, SOLUTION_FORMATS, SetAside, Tools, read_problems, read_solutions
from crl_data.importers.critique_verl import record_cells
from crl_data.importers.tables import HubTables, LocalTables, Tables, Which, open_tables
from crl_data.judging import JUDGE_VERSION, Judge, Policy
from crl_data.judging.limits import Calibration
from crl_data.metrics.estimates import wilson
from crl_data.problems import fault_of
from crl_data.responses import code_of
from crl_data.rows import SUFFIXES, Row, make_problem, read_rows, record_files, row_faults
from crl_data.sandbox import open_sandbox
from crl_data.types import JudgeInfo, Judgement, Outcome, Problem, Solution

RECORDS, VERL = "records", "critique-verl"
LABELLED = tuple(sorted(PROBLEM_FORMATS.keys() & SOLUTION_FORMATS.keys()))
FORMS = (RECORDS, VERL, *LABELLED)

MOST_S, MOST_MB = 64.0, 4096.0
"""What a row may ask for, a test and a solution: others wrote it, and it is this machine's time and memory."""

_PASS_RATE_OF_SOURCE = "pass_rate_at_source"
_AHEAD = 16
_MESSAGE = 200

Drawn = TypeVar("Drawn")
Thing = TypeVar("Thing")
Seen = Callable[[Iterable[Thing], str, int | None], Iterable[Thing]]


@dataclass(frozen=True, kw_only=True)
class Again:
    """A row that was executed again: what stood there, and what came (`verdict` None: none could be given).

    judge_error: that is so for a fault of ours.
    """

    id: str
    stored_verdict: bool
    verdict: bool | None
    stored_pass_rate: float | None
    pass_rate: float | None
    reason: str
    judge_error: bool = False


@dataclass
class Verified:
    """What came of it.

    form: one of `FORMS`. seed: what was drawn by. rows: how many were read. bad_rows: those that are none of the form, and
    the first of them. labelled: rows with a verdict; of these `not_executable`, by reason. drawn: the sample; of it
    `not_judged`, by reason. elsewhere: what the executed rows say of how they were judged that is not so here: (what, as they
    say) and how many. here: the same of this machine. says_nothing: how many do not say how they were judged. tamperable: how
    many were judged here where the solution could have changed the verdict. note: what is said of walls that are missing.
    """

    form: str = ""
    seed: int = 0
    revision: str | None = None
    rows: int = 0
    bad_rows: int = 0
    first_bad_row: str = ""
    labelled: int = 0
    not_executable: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    again: list[Again] = field(default_factory=list)
    elsewhere: Counter[tuple[str, str]] = field(default_factory=Counter)
    here: dict[str, str] = field(default_factory=dict)
    says_nothing: int = 0
    tamperable: int = 0
    note: str = ""

    @property
    def agreed(self) -> list[Again]:
        return [one for one in self.again if one.verdict is one.stored_verdict]

    @property
    def flips(self) -> list[Again]:
        return [one for one in self.again if one.verdict is not None and one.verdict is not one.stored_verdict]

    @property
    def undecided(self) -> list[Again]:
        return [one for one in self.again if one.verdict is None]

    @property
    def other_rates(self) -> list[Again]:
        """Those that agree, of which another share of the tests passed."""
        return [
            one
            for one in self.agreed
            if None not in (one.stored_pass_rate, one.pass_rate) and one.stored_pass_rate != one.pass_rate
        ]

    @property
    def agreement(self) -> tuple[float, float, float] | None:
        """The share of the decided rows that agree, and its 95 % interval (Wilson); None where none is decided."""
        n = len(self.agreed) + len(self.flips)
        share = len(self.agreed) / n if n else 0.0
        return (share, *wilson(share, n)) if n else None


def verify(
    source: str,
    which: Which | None = None,
    sample: int = 100,
    *,
    seed: int = 0,
    form: str | None = None,
    otherwise: Policy | None = None,
    sandbox: str = "auto",
    allow_weak: bool = False,
    jobs: int | None = None,
    seen: Seen[Any] = lambda things, what, total: things,
) -> Verified:
    """Execute rows of a dataset again.

    source: a build directory, another folder or file of rows, or the id of a data set on the Hub. sample: how many rows, at
    most; seed: what they are drawn by. form: one of `FORMS`; None: what the first row looks like. otherwise: the policy of
    rows that do not name theirs. seen: passes things on, and shows how many of `total` have come.

    Raises `InputError` where no row can be executed, `SandboxUnavailable` before anything is judged where a library that the
    rows name is not here, and `WorkError` where the Hub fails.
    """
    otherwise = otherwise or Policy()
    if form is not None and form not in FORMS:
        raise InputError(f"--format: expected one of {', '.join(FORMS)}, got {form!r}")
    if form in LABELLED:
        done = Verified(form=form, seed=seed)
        tables = open_tables(source, Path(), which)
        done.revision = tables.revision if isinstance(tables, HubTables) else None
        cases = _of_solutions(tables, form, otherwise, sample, seed, done, seen)
    else:
        done, rows = _rows(source, which or Which(), form, seed)
        cases = _of_records(rows, otherwise, sample, seed, done, seen)
    if cases:
        for case, judgement in seen(_judged(cases, sandbox, allow_weak, jobs, done), "executing", len(cases)):
            _count(case, judgement, done)
    if not done.again:
        raise InputError(
            f"{source}: expected rows that can be executed, with a verdict, a solution and tests, got none: {_told(done)}"
        )
    return done


def _told(done: Verified) -> str:
    """Why there is nothing to execute, in words."""
    bad = f", {done.bad_rows:,} that are none ({done.first_bad_row})" if done.bad_rows else ""
    why = [f"{n:,} {reason}" for reason, n in (done.not_executable + done.not_judged).most_common()]
    return f"{done.rows:,} rows{bad}, {done.labelled:,} with a verdict" + (
        f", of which {', '.join(why)}" if why else ""
    )


class Reservoir(Generic[Drawn]):
    """A sample of a stream of unknown length, each as likely to be in it as any other (Vitter 1985, algorithm R).

    It holds no more than `most`. The same seed draws the same of the same stream.
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most = most
        self.offered = 0
        self._random = random.Random(seed)
        self._held: list[tuple[int, Drawn]] = []

    def offer(self, one: Drawn) -> None:
        self.offered += 1
        if len(self._held) < self.most:
            self._held.append((self.offered, one))
        else:
            place = int(self._random.random() * self.offered)  # `random` alone draws the same in every Python
            if place < self.most:
                self._held[place] = (self.offered, one)

    def drawn(self) -> list[Drawn]:
        """The sample, in the order of the stream."""
        return [one for _, one in sorted(self._held, key=lambda held: held[0])]


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A row that is ready to be executed, and what it says of itself."""

    id: str
    verdict: bool
    pass_rate: float | None
    problem: Problem
    solution: Solution
    policy: Policy
    known: Calibration | None = None
    judge: JudgeInfo | None = None


def _rows(source: str, which: Which, form: str | None, seed: int) -> tuple[Verified, Iterator[Row | RowError]]:
    """The rows of all splits that are meant, and of which form they are."""
    done = Verified(seed=seed)
    path = Path(source)
    if path.is_dir() and ((path / "manifest.json").is_file() or (path / ".crl").is_dir()):
        rows = _built(path, which)
    else:
        tables = open_tables(source, Path(), which)
        if isinstance(tables, HubTables):
            done.revision = tables.revision
            tables.which = replace(which, revision=tables.revision)
            splits: list[str | None] = [which.split] if which.split else [*sorted(tables.splits())]
            rows = (row for split in splits for row in tables.rows(None, split))
        else:
            _check_local(source, which)
            rows = tables.rows("data" if which.config is None and _has_data(tables) else None)
    before: list[Row | RowError] = []
    for row in rows:
        before.append(row)
        if not isinstance(row, RowError):
            done.form = form or _form_of(row)
            break
        if len(before) > _AHEAD:
            raise row
    if not done.form:
        raise next(
            (row for row in before if isinstance(row, RowError)), InputError(f"{source}: expected rows, got none")
        )
    return done, _chained(before, rows)


def _chained(before: list[Row | RowError], rows: Iterator[Row | RowError]) -> Iterator[Row | RowError]:
    while before:
        yield before.pop(0)  # what was given is not held
    yield from rows


def _form_of(row: Row) -> str:
    if {"kind", "prompt", "verdict", "tests"} <= row.cells.keys():
        return RECORDS
    if {"prompt", "extra_info"} <= row.cells.keys():
        return VERL
    raise RowError(
        row.place,
        "",
        "the columns of records (kind, prompt, verdict, solution, tests), those of verl (prompt, extra_info), or a "
        f"--format ({', '.join(LABELLED)})",
        f"the columns {', '.join(sorted(row.cells))[:_MESSAGE]}" if row.cells else "none",
    )


def _check_local(source: str, which: Which) -> None:
    if which.revision is not None:
        raise InputError(f"--revision: expected the id of a data set on the Hub beside it, got {source}, which is here")


def _has_data(tables: Tables) -> bool:
    """Whether a folder is like a data set's repository: its rows are in `data`, and what else lies there is none of them."""
    folder = tables.path / "data" if isinstance(tables, LocalTables) else None
    return folder is not None and folder.is_dir() and any(file.name.endswith(SUFFIXES) for file in folder.rglob("*"))


def _built(directory: Path, which: Which) -> Iterator[Row | RowError]:
    """The rows of a built dataset, of one split or of all. Raises `InputError` where it is not whole."""
    _check_local(str(directory), which)
    if which.config is not None:
        raise InputError(f"--config: expected none, since a built dataset has none, got {which.config!r}")
    if not (directory / "manifest.json").is_file():
        raise InputError(f"{directory}: expected a whole dataset, got one without manifest.json: run its build again")
    told = read_manifest(directory, ("files",))["files"]
    splits = record_files(directory)
    if which.split is not None and which.split not in splits:
        raise InputError(f"{directory}: expected one of its splits ({', '.join(splits)}), got {which.split!r}")
    files = [file for split in splits if which.split in (None, split) for file in splits[split]]
    for name in told:
        if name.startswith("data/") and not (directory / name).is_file():
            raise InputError(f"{directory / name}: expected a file, since manifest.json tells of it, got none")
    for file in files:
        entry = told.get(str(file.relative_to(directory)))
        if not isinstance(entry, dict) or file_hash(file) != entry.get("sha256"):
            raise InputError(
                f"{file}: expected the content that manifest.json tells, got another (to take it as it is: {file.parent})"
            )
    return (row for file in files for row in read_rows(file))


# --- records ----------------------------------------------------------------------------------------------------------


def _of_records(
    rows: Iterator[Row | RowError], otherwise: Policy, sample: int, seed: int, done: Verified, seen: Seen[Any]
) -> list[_Case]:
    """The sample of records, ready to be executed."""
    cells_of_row = _record_cells if done.form == RECORDS else _verl_cells
    held: Reservoir[Row] = Reservoir(sample, seed)
    for row in seen(rows, "reading", None):
        done.rows += 1
        try:
            if isinstance(row, RowError):
                raise row
            cells = cells_of_row(row)
        except RowError as error:
            _bad_row(error, done)
            continue
        if cells is None:
            continue
        done.labelled += 1
        lacks = [name for name in ("solution", "tests") if not cells.get(name)]
        if lacks:
            done.not_executable[f"carry no {' and no '.join(lacks)}"] += 1
        else:
            held.offer(Row(row.place, cells))
    drawn = held.drawn()
    done.drawn = len(drawn)
    cases = []
    for row in drawn:
        try:
            cases.append(_case(row, otherwise))
        except RowError as error:
            done.not_judged[f"are wrong: {error.field}: expected {error.expected}, got {error.came}"[:_MESSAGE]] += 1
    return cases


def _bad_row(error: RowError, done: Verified) -> None:
    done.bad_rows += 1
    done.first_bad_row = done.first_bad_row or str(error)


def _record_cells(row: Row) -> dict[str, Any] | None:
    """The cells of a record that has a verdict; None of one that has none. Raises `RowError`."""
    kind, verdict = row.cells.get("kind"), row.cells.get("verdict")
    if kind == SOLVE or (kind == CRITIQUE and verdict is None):
        return None
    if kind != CRITIQUE:
        raise RowError(row.place, "kind", f"{SOLVE} or {CRITIQUE}", describe(kind))
    if not isinstance(verdict, bool):
        raise RowError(row.place, "verdict", "true or false", describe(verdict))
    return row.cells


def _verl_cells(row: Row) -> dict[str, Any] | None:
    told = row.cells.get("extra_info")
    if isinstance(told, dict) and told.get("correctness") is None:
        return None
    cells = record_cells(row)
    return None if cells["verdict"] is None else cells


def _case(row: Row, otherwise: Policy) -> _Case:
    """A record as it was judged. Raises `RowError` where it is none, or asks for too much."""
    for error in row_faults(row, RECORD):
        raise error
    cells = row.cells
    read = make_problem(cells | {"id": cells["problem_id"]})
    fault = fault_of(read, cells["test_kind"]) or _greedy(read)
    if fault is not None:
        raise RowError(row.place, fault.field, fault.expected, fault.came)
    record = make_record(cells)
    if record.pass_rate is not None and not 0 <= record.pass_rate <= 1:
        raise RowError(row.place, "pass_rate", "a share from 0 to 1", describe(record.pass_rate))
    try:
        policy, known = policy_of(record, otherwise), calibration_of(record)
    except InputError as error:
        raise RowError(row.place, "judge", "how a judge of ours judges", str(error).partition("judge: ")[2]) from None
    return _Case(
        id=record.id,
        verdict=bool(record.verdict),
        pass_rate=record.pass_rate,
        problem=as_problem(record),
        solution=Solution(problem_id=record.problem_id, id=record.solution_id or "", code=record.solution),
        policy=policy,
        known=known,
        judge=record.judge,
    )


def _greedy(problem: Problem) -> Fault | None:
    """Where a problem asks for more than it may."""
    for name, most, unit in (("time_limit_s", MOST_S, "s"), ("memory_limit_mb", MOST_MB, "MB")):
        value = getattr(problem, name)
        if value is not None and value > most:
            return Fault(name, f"at most {most:g} {unit}", f"{value:g}")
    return None


# --- solutions that others labelled -----------------------------------------------------------------------------------


def _of_solutions(
    tables: Tables, form: str, otherwise: Policy, sample: int, seed: int, done: Verified, seen: Seen[Any]
) -> list[_Case]:
    """A sample of labelled solutions, with their problems.

    Three turns through the source, so that neither its solutions nor its problems are held: which problems are none, the
    solutions of the others, and the problems of those that were drawn.
    """

    def unused() -> Any:
        raise AssertionError("no format of labelled solutions needs a reference to be run")

    def ignored(
        error: RowError,
    ) -> None:  # each turn reads all rows; they are counted where it is solutions that are read
        done.first_bad_row = done.first_bad_row or str(error)

    def problems(what: str) -> Iterator[Problem | SetAside]:
        yield from seen(read_problems(form, tables, Path(), Tools(unused, ignored)), what, None)

    aside: dict[str, str] = {}
    for problem in problems("reading problems"):
        if isinstance(problem, SetAside):
            aside[problem.id] = f"are of a problem that is set aside: {problem.reason}"[:_MESSAGE]
        elif greedy := _greedy(problem):
            aside[problem.id] = f"are of a problem that asks for too much: {greedy.field}: {greedy.came}"[:_MESSAGE]
    held: Reservoir[tuple[Solution, bool]] = Reservoir(sample, seed)
    tools = Tools(unused, lambda error: _bad_row(error, done))
    for solution in seen(read_solutions(form, tables, Path(), tools, lambda name: ()), "reading", None):
        done.rows += 1
        verdict = _label(solution, otherwise.threshold)
        if verdict is None:
            continue
        done.labelled += 1
        code, _ = code_of(solution)
        if code is None:  # none that our rule finds, which is no word about what was labelled
            done.not_executable["carry no code that is found in the response"] += 1
        elif solution.problem_id in aside:
            done.not_executable[aside[solution.problem_id]] += 1
        else:
            held.offer((replace(solution, code=code), verdict))
    drawn = held.drawn()
    done.drawn = len(drawn)
    wanted = {solution.problem_id for solution, _ in drawn}
    found: dict[str, Problem] = {}
    for problem in problems("reading problems of the sample") if wanted else ():
        if isinstance(problem, Problem) and problem.id in wanted:
            found[problem.id] = problem
            if len(found) == len(wanted):
                break
    cases = []
    for solution, verdict in drawn:
        if solution.problem_id not in found:
            done.not_judged["are of a problem that no row gives"] += 1
            continue
        case = _Case(
            id=f"{solution.problem_id}:{solution.id}",
            verdict=verdict,
            pass_rate=_rate_of_source(solution),
            problem=found[solution.problem_id],
            solution=solution,
            policy=otherwise,
        )
        cases.append(case)
    return cases


def _label(solution: Solution, threshold: float) -> bool | None:
    """What the source says of a solution; of one that it gives a pass rate, what that is at the threshold."""
    told, rate = solution.extra.get(OF_SOURCE), _rate_of_source(solution)
    if isinstance(told, bool):
        return told
    if rate is None:
        return None
    return rate > threshold if threshold < 1 else rate == 1


def _rate_of_source(solution: Solution) -> float | None:
    rate = solution.extra.get(_PASS_RATE_OF_SOURCE)
    return rate if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate <= 1 else None


# --- executing --------------------------------------------------------------------------------------------------------


def _judged(
    cases: list[_Case], sandbox: str, allow_weak: bool, jobs: int | None, done: Verified
) -> Iterator[tuple[_Case, Judgement | str]]:
    """Each case and its judgement, or why its tests are none. All sandboxes are opened before anything is judged."""
    groups: dict[tuple[str, ...], list[_Case]] = {}
    for case in cases:
        groups.setdefault(tuple(sorted(case.policy.libraries)), []).append(case)
    opened = {names: open_sandbox(sandbox, names, allow_weak=allow_weak) for names in groups}
    for names, group in groups.items():
        box = opened[names]
        done.note = done.note or box.note
        done.here = {
            "judge version": JUDGE_VERSION,
            "backend": box.backend,
            "walls": ", ".join(sorted(box.walls)),
            "runtime": box.runtime,
        }
        waiting: deque[tuple[_Case, Future[Judgement]]] = deque()
        with Judge(jobs=jobs, sandbox=box, policy=replace(group[0].policy, libraries=names)) as judge:
            for case in group:
                under = judge.under(replace(case.policy, libraries=names))
                waiting.append((case, under.submit(case.problem, case.solution, known=case.known, remember=False)))
                if len(waiting) >= _AHEAD * judge.jobs:
                    yield _taken(*waiting.popleft())
            while waiting:
                yield _taken(*waiting.popleft())


def _taken(case: _Case, future: Future[Judgement]) -> tuple[_Case, Judgement | str]:
    try:
        return case, future.result()
    except (InputError, TestsUnfit) as error:  # its tests are no tests
        return case, str(error)
    except RunnerDied as error:
        n = len(case.problem.tests)
        return case, Judgement(
            problem_id=case.problem.id,
            solution_id=case.solution.id,
            verdict=None,
            pass_rate=None,
            n_tests=n,
            n_passed=0,
            n_inconclusive=n,
            outcomes=(Outcome.JUDGE_ERROR,) * n,
            limit_from="",
            tamper_proof=True,
            isolation=case.policy.isolation,
            reason=str(error),
            seconds=0.0,
        )


def _count(case: _Case, judgement: Judgement | str, done: Verified) -> None:
    if isinstance(judgement, str):
        done.not_judged[f"have tests that are none: {judgement}"[:_MESSAGE]] += 1
        return
    done.again.append(
        Again(
            id=case.id,
            stored_verdict=case.verdict,
            verdict=judgement.verdict,
            stored_pass_rate=case.pass_rate,
            pass_rate=judgement.pass_rate,
            reason=judgement.reason,
            judge_error=judgement.verdict is None and Outcome.JUDGE_ERROR in judgement.outcomes,
        )
    )
    done.tamperable += not judgement.tamper_proof
    if case.judge is None:
        done.says_nothing += 1
        return
    said = {
        "judge version": case.judge.version,
        "backend": case.judge.backend,
        "walls": ", ".join(sorted(case.judge.walls)),
        "runtime": case.judge.runtime,
    }
    done.elsewhere.update((what, told) for what, told in said.items() if told != done.here[what])
