"""The time limit of a problem: calibrated on its reference where it has one.

A calibrated limit is max(floor, k x the largest CPU time of the reference on a test), rounded up to a fixed grid, so that
small differences between runs do not change it. It is measured once for a problem. Passing it is evidence against a
solution; passing a limit that somebody wrote down is not (see `policy.Timeouts`). Where a problem states a limit that is
longer than the calibrated one, the stated one is used, and passing it is evidence all the more.
"""

from __future__ import annotations

from dataclasses import dataclass

from crl_data.judging.policy import LimitFrom, Policy, Way
from crl_data.sandbox import Limits
from crl_data.types import Problem

GRID_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
FLOOR_S = 0.25  # the grid's first step: the heaviest modules of the standard library take a fifth of it to import
FACTOR = 10.0


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What running a problem's reference showed.

    reference_cpu_s: the largest CPU time of a test; None where there is no reference, or it does not pass every test.
    fault: why it does not; empty where it does, or where there is none.
    way: how tests written as source are run; None where they are not, or where it is not known yet.
    interface: what those tests may use of the code under test, read off the reference (`interface`), as JSON; or "".
    cpu_s: the CPU time of the reference on each test, in their order, where it was run and passes all.
    """

    reference_cpu_s: float | None
    fault: str
    way: Way | None = None
    interface: str = ""
    cpu_s: tuple[float, ...] = ()


def recorded(limit_from: str | None, way: str | None, interface: str | None) -> Calibration:
    """What a record says of its reference, which need not be run again: its time limit stands in the record too."""
    return Calibration(
        reference_cpu_s=0.0 if limit_from == LimitFrom.REFERENCE else None,
        fault="",
        way=Way(way) if way else None,
        interface=interface or "",
    )


NOT_CALIBRATED = Calibration(reference_cpu_s=None, fault="")


def choose(calibration: Calibration, problem: Problem, policy: Policy) -> tuple[float, LimitFrom]:
    """The CPU seconds of one test of this problem, and where the limit came from."""
    if calibration.reference_cpu_s is not None:
        return max(on_grid(FACTOR * calibration.reference_cpu_s), problem.time_limit_s or 0.0), LimitFrom.REFERENCE
    if problem.time_limit_s is not None:
        return problem.time_limit_s, LimitFrom.PROBLEM
    return policy.time_limit_s or Limits().cpu_s, LimitFrom.DEFAULT


def on_grid(seconds: float) -> float:
    """The smallest limit of the grid that is not below `seconds` and the floor; beyond the grid, twice and twice again."""
    limit = next((step for step in GRID_S if step >= max(seconds, FLOOR_S)), GRID_S[-1])
    while limit < seconds:
        limit *= 2
    return limit
