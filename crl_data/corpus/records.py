"""Records: the rows that are trained on, made of a problem, a candidate and a judgement; and read back.

A record alone suffices to judge again: what its tests need of the reference stands in `test_setup`, and where the time
limit came from in `judge`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.columns import JUDGE, JUDGED_BY, SOURCE, Fault, Struct, describe
from crl_data.errors import InputError
from crl_data.judging import Prepared
from crl_data.judging.interface import checked
from crl_data.judging.limits import NOT_CALIBRATED, Calibration, recorded
from crl_data.judging.policy import Isolation, Policy, Timeouts, Way
from crl_data.problems import fault_of
from crl_data.prompts import Template
from crl_data.rows import Row, cells_of, make_problem, make_sampler, read_rows
from crl_data.types import JudgeInfo, Problem, Record, Solution, Source, Test, TestKind

SOLVE, CRITIQUE = "solve", "critique"
EXECUTED, GIVEN = "executed", "given"
_OF_PROBLEM = ("question", "tests", "source", *JUDGED_BY)


def solve_cells(shared: dict[str, Any], problem: Problem, template: Template) -> dict[str, Any]:
    """A record that asks for a solution; its reward is what the judge finds out then.

    shared: what all records of the problem have in common (`shared_cells`).
    """
    return {
        **shared,
        "id": record_id(SOLVE, problem.id),
        "kind": SOLVE,
        "prompt": list(template.messages(problem)),
        "prompt_template": template.label,
        "solution": None,
        "solution_id": None,
        "verdict": None,
        "pass_rate": None,
        "label_source": EXECUTED,
        "sampler": None,
    }


def critique_cells(
    shared: dict[str, Any],
    problem: Problem,
    template: Template,
    candidate: Solution,
    verdict: bool,
    pass_rate: float | None,
    label_source: str,
) -> dict[str, Any]:
    """A record that shows a solution and asks whether it is correct; its reward is for saying the verdict.

    Where the verdict was given and not executed, nothing is said of a judge.
    """
    assert candidate.code is not None
    return {
        **shared,
        "id": record_id(CRITIQUE, problem.id, candidate.id),
        "kind": CRITIQUE,
        "prompt": list(template.messages(problem, candidate.code)),
        "prompt_template": template.label,
        "solution": candidate.code,
        "solution_id": candidate.id,
        "verdict": verdict,
        "pass_rate": pass_rate,
        "label_source": label_source,
        "sampler": cells_of(candidate.sampler) if candidate.sampler else None,
        "judge": shared["judge"] if label_source == EXECUTED else None,
    }


def record_id(*parts: str) -> str:
    """The id of a record: kind, problem and solution, with nothing that could be read two ways."""
    return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)


def shared_cells(prepared: Prepared, info: JudgeInfo) -> dict[str, Any]:
    """What all records of a problem have in common."""
    problem = prepared.plan.problem
    with_helpers = prepared.plan.way in (Way.TESTER, Way.HANDLES, Way.BESIDE) and problem.test_kind is TestKind.ASSERT
    return untested_cells(problem) | {
        "test_setup": prepared.plan.prelude if with_helpers else problem.test_setup,
        "time_limit_s": prepared.limits.cpu_s,
        "memory_limit_mb": prepared.limits.memory_mb,
        "judge": cells_of(info),
    }


def untested_cells(problem: Problem) -> dict[str, Any]:
    """The same of a problem that has no tests, of which no judge can say anything."""
    cells = cells_of(problem)
    return {"problem_id": problem.id, "judge": None, **{name: cells[name] for name in _OF_PROBLEM}}


def shared_of(record: dict[str, Any]) -> dict[str, Any]:
    """What all records of a problem have in common, out of one of them."""
    return {name: record[name] for name in ("problem_id", "judge", *_OF_PROBLEM)}


# --- reading ----------------------------------------------------------------------------------------------------------


def load_records(path: str | Path, split: str | None = None) -> Iterator[Record]:
    """The records of a built dataset, one after another; of one split, or of all.

    path: the build directory. Raises `InputError` where there are none.
    """
    files = sorted((Path(path) / "data").glob(f"{split or '*'}-*.parquet"))
    if not files:
        raise InputError(f"{path}: expected a built dataset, got no data/{split or '*'}-*.parquet")
    for file in files:
        for row in read_rows(file):
            assert isinstance(row, Row)
            yield make_record(row.cells)


def find_record(path: str | Path, name: str) -> Record:
    """The record of an id, in the data of a build or in its pool. Raises `InputError` where there is none."""
    for folder in ("data", "pool"):
        for file in sorted((Path(path) / folder).glob("*.parquet")):
            for row in read_rows(file):
                assert isinstance(row, Row)
                if row.cells["id"] == name:
                    return make_record(row.cells)
    if not (Path(path) / "manifest.json").is_file():
        raise InputError(f"{path}: expected a built dataset, got no manifest.json")
    raise InputError(
        f"{path}: no record is called {name!r}; ids look like {record_id(CRITIQUE, 'PROBLEM', 'SOLUTION')}"
    )


def make_record(cells: dict[str, Any]) -> Record:
    """A record of the cells of a row."""
    known: dict[str, Any] = {name: cells.get(name) for name in Record.__dataclass_fields__}
    known["prompt"] = tuple(cells["prompt"])
    known["test_kind"] = TestKind(cells["test_kind"])
    known["tests"] = tuple(Test(input=test["input"], expected=test.get("expected") or "") for test in cells["tests"])
    known["source"] = Source(**_named(SOURCE, cells.get("source") or {}))
    known["sampler"] = make_sampler(cells["sampler"]) if cells.get("sampler") else None
    judge = cells.get("judge")
    known["judge"] = JudgeInfo(**{**_named(JUDGE, judge), "walls": tuple(judge["walls"] or ())}) if judge else None
    return Record(**known)


def _named(columns: Struct, cell: dict[str, Any]) -> dict[str, Any]:
    """The parts of a cell that have a column, where they have a value; others' rows may have more."""
    return {name: cell[name] for name in columns.names() if cell.get(name) is not None}


def fault_of_record(cells: dict[str, Any]) -> Fault | None:
    """The first thing about the cells of a record that cannot be right, or None."""
    kind, verdict, rate = cells["kind"], cells.get("verdict"), cells.get("pass_rate")
    if kind not in (SOLVE, CRITIQUE):
        return Fault("kind", f"{SOLVE} or {CRITIQUE}", describe(kind))
    given = cells["label_source"] == GIVEN
    for name in ("verdict", "solution", "solution_id"):
        if given and kind == CRITIQUE and name != "verdict":
            continue  # it may stand in the prompt alone
        if (cells.get(name) is None) is (kind == CRITIQUE):
            wanted = "a value, on a critique record" if kind == CRITIQUE else "null, on a solve record"
            return Fault(name, wanted, describe(cells.get(name)))
    if rate is not None and not 0 <= rate <= 1:
        return Fault("pass_rate", "a share from 0 to 1", describe(rate))
    if cells["label_source"] not in (EXECUTED, GIVEN):
        return Fault("label_source", f"{EXECUTED} or {GIVEN}", describe(cells["label_source"]))
    threshold = (cells.get("judge") or {}).get("threshold")
    if verdict is not None and rate is not None and threshold is not None and cells["label_source"] == EXECUTED:
        passes = rate > threshold if threshold < 1 else rate == 1
        if verdict is not passes:
            return Fault(
                "verdict", f"{passes}, as the pass rate {rate:g} says at the threshold {threshold:g}", str(verdict)
            )
    if given and not cells["tests"]:
        return None  # nothing was executed, and nothing can be
    return fault_of(make_problem(cells | {"id": cells["problem_id"]}), cells["test_kind"])


def as_problem(record: Record) -> Problem:
    """The problem that a record carries, ready to be judged again."""
    return make_problem(
        {"id": record.problem_id, **{name: getattr(record, name) for name in ("question", *JUDGED_BY)}}
        | {"tests": [vars(test) for test in record.tests], "source": vars(record.source)}
    )


def calibration_of(record: Record) -> Calibration:
    """What is known of the reference of a record's problem without running it: where its time limit came from.

    Raises `InputError` where the record says so in words that no judge has.
    """
    judge = record.judge
    if judge is None:
        return NOT_CALIBRATED
    try:
        if judge.interface and not checked(json.loads(judge.interface)):
            raise ValueError("interface: expected the names that tests may use, as JSON")
        return recorded(judge.limit_from, judge.way, judge.interface)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{record.id}: judge: {error}") from None


def policy_of(record: Record, otherwise: Policy | None = None) -> Policy:
    """The policy that the verdict of a record was drawn by; `otherwise`, or the default one, where it does not say.

    Raises `InputError` where it says so in words that no policy has.
    """
    judge = record.judge
    if judge is None:
        return otherwise or Policy()
    try:
        return Policy(
            threshold=judge.threshold,
            timeouts=Timeouts(judge.timeouts),
            max_timeouts=judge.max_timeouts,
            isolation=Isolation(judge.isolation),
            libraries=libraries_of(judge.runtime),
        )
    except ValueError as error:
        raise InputError(f"{record.id}: judge: {error}") from None


def libraries_of(runtime: str) -> tuple[str, ...]:
    """The libraries that solutions could import where a record says that it was judged. Raises `ValueError`."""
    named = [part.partition(" ")[0] for part in runtime.split("; ")[1:] if not part.startswith("image ")]
    if unknown := [name for name in named if not _LIBRARY.fullmatch(name)]:
        raise ValueError(f"runtime: expected names of libraries, got {unknown[0]!r}")
    return tuple(dict.fromkeys(named))


_LIBRARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
