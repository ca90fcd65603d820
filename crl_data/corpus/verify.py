"""Rows of a dataset executed again, ours or others': do the verdicts that stand there come out?

Rows that have a verdict, a solution and tests can be executed: records (of a build, or as `import` leaves them), the rows of
verl that the paper's authors published and `export --to verl` writes, and labelled solutions of the formats that have an
importer. Which of them are drawn depends on a seed and their ids, and not on where they are read or in which order.

A row is judged under the policy and the limits that it names, behind the walls of this machine, and nothing is remembered.
A verdict that is the other one is a flip. One that cannot be given is neither a flip nor agreement: a fault of ours, or a
time-out where the limit is no evidence.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crl_data.columns import RECORD
from crl_data.corpus.gather import OF_SOURCE
from crl_data.corpus.records import CRITIQUE, as_problem, calibration_of, fault_of_record, make_record, policy_of
from crl_data.draws import draw
from crl_data.errors import InputError, RowError
from crl_data.importers import PROBLEM_FORMATS, SOLUTION_FORMATS, SetAside, Tools, read_problems, read_solutions
from crl_data.importers.critique_verl import record_cells
from crl_data.importers.tables import HubTables, Tables, Which, open_tables
from crl_data.judging import JUDGE_VERSION, Judge, Policy
from crl_data.judging.limits import Calibration
from crl_data.metrics.estimates import wilson
from crl_data.responses import code_of
from crl_data.rows import Row, row_faults
from crl_data.sandbox import open_sandbox
from crl_data.types import JudgeInfo, Problem, Record, Solution, TestKind

FORMATS = tuple(sorted(PROBLEM_FORMATS.keys() & SOLUTION_FORMATS.keys()))
"""Those of which problems and labelled solutions are read, by `form`."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A row that can be executed: the solution of a problem, and what is said of it."""

    id: str
    verdict: bool
    pass_rate: float | None
    problem: Problem
    solution: Solution
    policy: Policy
    known: Calibration | None
    judge: JudgeInfo | None


@dataclass(frozen=True, kw_only=True)
class Again:
    """A row that was executed again, and what came: `verdict` None where none could be given."""

    id: str
    stored: bool
    verdict: bool | None
    stored_pass_rate: float | None
    pass_rate: float | None
    reason: str


@dataclass
class Verified:
    """What came of it.

    rows: how many were read; labelled: of these, with a verdict; not_executable: of those, by reason; drawn: executed again.
    elsewhere: how the drawn rows say that they were judged, where it was not as here.
    """

    rows: int = 0
    labelled: int = 0
    not_executable: Counter[str] = field(default_factory=Counter)
    again: list[Again] = field(default_factory=list)
    elsewhere: Counter[str] = field(default_factory=Counter)
    here: str = ""

    @property
    def drawn(self) -> int:
        return len(self.again)

    @property
    def agreeing(self) -> int:
        return sum(one.verdict is one.stored for one in self.again)

    @property
    def flips(self) -> list[Again]:
        return [one for one in self.again if one.verdict is not None and one.verdict is not one.stored]

    @property
    def undecided(self) -> list[Again]:
        return [one for one in self.again if one.verdict is None]

    @property
    def other_rates(self) -> list[Again]:
        """Those that agree, and of which another share of the tests passed."""
        return [
            one
            for one in self.again
            if one.verdict is one.stored and None not in (one.stored_pass_rate, one.pass_rate)
            if one.stored_pass_rate != one.pass_rate
        ]

    @property
    def agreement(self) -> tuple[float, float, float] | None:
        """The share of decided rows that agree, and its 95 % interval (Wilson); None where none was decided."""
        n = self.agreeing + len(self.flips)
        return (self.agreeing / n, *wilson(self.agreeing / n, n)) if n else None


def verify(
    source: str,
    which: Which | None = None,
    sample: int = 100,
    *,
    form: str | None = None,
    seed: int = 0,
    threshold: float = 0.8,
    jobs: int | None = None,
    sandbox: str = "auto",
    allow_weak: bool = False,
    seen: Callable[[Iterable[Any], str, int | None], Iterable[Any]] = lambda things, what, total: things,
) -> Verified:
    """Execute rows of a dataset again.

    source: a build directory, other local files, or the id of a data set on the Hub. sample: how many rows, at most. form: one
    of `FORMATS`, where the rows are not records. threshold: of rows that name none. seen: passes things on and shows how many
    of `total` have come. Raises `InputError` where there is no row that can be executed, and `SandboxUnavailable` where a
    library that the rows name is not there.
    """
    done = Verified()
    tables = _tables(source, which or Which())
    default = Policy(threshold=threshold)
    found = _of_format(tables, form, default, done) if form else _of_records(tables, default, done)
    drawn = sample_of(seen(found, "reading", None), sample, seed)
    if form:
        drawn = _with_problems(tables, form, drawn)
    if not drawn:
        told = ", ".join(f"{n:,} {reason}" for reason, n in done.not_executable.most_common())
        raise InputError(
            f"{source}: expected rows with a verdict, a solution and tests, got {done.rows:,} rows, {done.labelled:,} with a "
            f"verdict{f' ({told})' if told else ''}"
        )
    by_libraries: dict[tuple[str, ...], list[Labelled]] = {}
    for one in drawn:
        by_libraries.setdefault(one.policy.libraries, []).append(one)
    boxes = {libraries: open_sandbox(sandbox, libraries, allow_weak=allow_weak) for libraries in by_libraries}
    judged = (pair for libraries, rows in by_libraries.items() for pair in _judged(rows, boxes[libraries], jobs, done))
    for row, again in seen(judged, "executing", len(drawn)):
        done.again.append(again)
        told = _elsewhere(row.judge, done.here)
        if told:
            done.elsewhere[told] += 1
    order = {one.id: place for place, one in enumerate(drawn)}
    done.again.sort(key=lambda one: order[one.id])
    return done


def sample_of(rows: Iterable[Labelled], most: int, seed: int) -> list[Labelled]:
    """So many of the rows, each as likely as any other, in the order that the seed draws; no more than these are held."""
    held: list[tuple[bytes, int, Labelled]] = []
    for number, row in enumerate(rows):
        place = bytes(255 - byte for byte in draw(seed, "verify", row.id))  # the heap's first is the one to go
        entry = (place, -number, row)
        if len(held) < most:
            heapq.heappush(held, entry)
        elif entry[:2] > held[0][:2]:
            heapq.heapreplace(held, entry)
    return [row for *_, row in sorted(held, key=lambda entry: entry[:2], reverse=True)]


def _judged(rows: list[Labelled], box: Any, jobs: int | None, done: Verified) -> Iterator[tuple[Labelled, Again]]:
    with Judge(jobs=jobs, sandbox=box, policy=rows[0].policy) as judge:
        done.here = _here(judge)
        waiting = [
            (row, judge.under(row.policy).submit(row.problem, row.solution, known=row.known, remember=False))
            for row in rows
        ]
        for row, future in waiting:
            judgement = future.result()
            yield (
                row,
                Again(
                    id=row.id,
                    stored=row.verdict,
                    verdict=judgement.verdict,
                    stored_pass_rate=row.pass_rate,
                    pass_rate=judgement.pass_rate,
                    reason=judgement.reason,
                ),
            )


def _here(judge: Judge) -> str:
    return f"judge {JUDGE_VERSION}, {judge.sandbox.backend}, {judge.sandbox.runtime}"


def _elsewhere(info: JudgeInfo | None, here: str) -> str:
    """How a row was judged, where that was not as here; "" where it was, or where the row does not say."""
    told = f"judge {info.version}, {info.backend}, {info.runtime}" if info else here
    return told if told != here else ""


# --- rows -------------------------------------------------------------------------------------------------------------


def _tables(source: str, which: Which) -> list[Tables]:
    """The tables of a source: of a build its records, of a data set on the Hub each split."""
    path = Path(source)
    if (path / "manifest.json").is_file() and (path / "data").is_dir():
        return [open_tables(str(path / "data"), Path(), which)]
    tables = open_tables(source, Path(), which)
    if isinstance(tables, HubTables) and which.split is None:
        pinned = replace(which, revision=tables.revision)
        return [HubTables(tables.name, replace(pinned, split=split)) for split in tables.splits()]
    return [tables]


def _of_records(tables: list[Tables], default: Policy, done: Verified) -> Iterator[Labelled]:
    """The labelled rows of records, in their own columns or in those of verl."""
    for row in (row for table in tables for row in table.rows()):
        done.rows += 1
        if isinstance(row, RowError):
            raise row
        record = _record(row)
        if record.kind != CRITIQUE or record.verdict is None:
            continue
        done.labelled += 1
        why = "carry no solution" if record.solution is None else "" if record.tests else "carry no tests"
        if why:
            done.not_executable[why] += 1
            continue
        yield Labelled(
            id=record.id,
            verdict=record.verdict,
            pass_rate=record.pass_rate,
            problem=as_problem(record),
            solution=Solution(problem_id=record.problem_id, id=record.solution_id or record.id, code=record.solution),
            policy=policy_of(record) if record.judge else default,
            known=calibration_of(record) if record.judge else None,
            judge=record.judge,
        )


def _record(row: Row) -> Record:
    """The record of a row. Raises `RowError` where it is neither ours nor of verl's form."""
    if "extra_info" in row.cells and "prompt" in row.cells:
        return make_record(record_cells(row))
    if not {"kind", "tests", "verdict", "solution"} <= row.cells.keys():
        raise RowError(
            row.place,
            "",
            f"the columns of records or of verl's rows, or else one of --format {', '.join(FORMATS)}",
            ", ".join(sorted(row.cells))[:200] or "none",
        )
    for error in row_faults(row, RECORD):
        raise error
    fault = fault_of_record(row.cells)
    if fault is not None and fault.field != "verdict":  # a verdict that its own pass rate denies is what is looked for
        raise RowError(row.place, fault.field, fault.expected, fault.came)
    return make_record(row.cells)


# --- labelled solutions of other formats --------------------------------------------------------------------------------


def _of_format(tables: list[Tables], form: str, default: Policy, done: Verified) -> Iterator[Labelled]:
    """The labelled solutions of a format, without their problems: those are read again for the ones that are drawn."""
    if form not in FORMATS:
        raise InputError(f"--format: expected one of {', '.join(FORMATS)}, got {form!r}")
    aside = {one.id: one.reason if isinstance(one, SetAside) else "" for one in _problems(tables, form)}
    tools = _tools(done)
    for table in tables:
        for solution in read_solutions(form, table, Path(), tools, lambda name: ()):
            done.rows += 1
            verdict = solution.extra.get("verdict", solution.extra.get(OF_SOURCE))
            if not isinstance(verdict, bool):
                continue
            done.labelled += 1
            code, why_none = code_of(solution)
            why_aside = aside.get(solution.problem_id, "no problem of that id is there")
            why = f"are of problems that are set aside: {why_aside}" if why_aside else why_none
            if code is None or why:
                done.not_executable[why] += 1
                continue
            yield Labelled(
                id=f"{solution.problem_id}:{solution.id}",
                verdict=verdict,
                pass_rate=None,
                problem=_UNREAD,
                solution=replace(solution, code=code),
                policy=default,
                known=None,
                judge=None,
            )


def _with_problems(tables: list[Tables], form: str, drawn: list[Labelled]) -> list[Labelled]:
    wanted = {one.solution.problem_id for one in drawn}
    found = {one.id: one for one in _problems(tables, form) if one.id in wanted and isinstance(one, Problem)}
    return [replace(one, problem=found[one.solution.problem_id]) for one in drawn]


def _problems(tables: list[Tables], form: str) -> Iterator[Problem | SetAside]:
    tools = _tools(Verified())
    return (one for table in tables for one in read_problems(form, table, Path(), tools))


def _tools(done: Verified) -> Tools:
    """Rows that are bad are counted; no format of labelled solutions has references run."""

    def refuse(error: RowError) -> None:
        done.not_executable["are bad rows"] += 1

    def unused() -> Any:
        raise InputError("--format: expected one whose problems need no reference to be run")

    return Tools(unused, refuse)


_UNREAD = Problem(id="", question="", test_kind=TestKind.STDIN, tests=())
