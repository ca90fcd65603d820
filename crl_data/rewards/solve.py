"""Judging completions for a reward: rows of columns to problems, completions to solutions, judgements to pass rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from crl_data.judging.limits import Calibration
from crl_data.judging.once import shared_judge
from crl_data.judging.policy import Way
from crl_data.rows import make_problem
from crl_data.types import Judgement, Problem, Solution

_COLUMNS = ("entry_point", "test_setup", "checker", "starter_code", "time_limit_s", "memory_limit_mb")


def pass_rates(texts: Sequence[str], columns: Mapping[str, Any]) -> list[float | None]:
    """The pass rate of each row's completion; None for rows that show a solution, and for undecided tests."""
    judge = shared_judge()
    waiting: list[Future[Judgement] | None] = []
    for place, text in enumerate(texts):
        row = {name: values[place] for name, values in columns.items() if _is_column(values, len(texts))}
        if row.get("solution") is not None or row.get("verdict") is not None:
            waiting.append(None)
        else:
            solution = Solution(problem_id="row", id=str(place), response=text)
            waiting.append(judge.submit(_problem(row), solution, known=_calibration(row.get("judge"))))
    return [None if future is None else future.result().pass_rate for future in waiting]


def _is_column(values: Any, rows: int) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and len(values) == rows


def _problem(row: Mapping[str, Any]) -> Problem:
    known = {name: row.get(name) for name in _COLUMNS}
    return make_problem(
        {
            "id": str(row.get("problem_id") or "row"),
            "question": "",
            "test_kind": row["test_kind"],
            "tests": list(row["tests"]),
            **known,
        }
    )


def _calibration(judge: Mapping[str, Any] | None) -> Calibration | None:
    """What a record says of its reference, where it says anything."""
    if not judge:
        return None
    from_reference = judge.get("limit_from") == "reference"
    way = judge.get("way")
    return Calibration(
        reference_cpu_s=0.0 if from_reference else None,
        fault="",
        way=Way(way) if way else None,
        interface=judge.get("interface") or "",
    )
