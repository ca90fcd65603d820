"""What a build would cost: what is left after the filters, and how long judging that would take on this machine now.

The seconds are measured on programs that do next to nothing, so they are what judging itself costs; a solution's own
running time comes on top.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import Tally
from crl_data.judging import Judge
from crl_data.types import Problem, Solution, Test, TestKind

_ROUNDS = 7
_FEW, _MANY = 2, 26


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Counts after the filters, and what judging them costs at least."""

    counts: dict[str, Any]
    solutions: int
    tests: int
    seconds_per_solution: float
    seconds_per_test: float
    jobs: int
    requests: int
    sampling: dict[str, dict[str, Any]]

    @property
    def judge_seconds(self) -> float:
        return (self.solutions * self.seconds_per_solution + self.tests * self.seconds_per_test) / self.jobs


def forecast(
    stage: Stage, judge: Judge, tally: Tally, to_come: Mapping[str, int], sampling: dict[str, dict[str, Any]]
) -> Forecast:
    """The forecast for what is on the stage; references are judged too, and count as solutions.

    to_come: by problem, the answers that models are still to be asked for, each of which is a solution at most.
    sampling: by sampler, what asking for them takes.
    """
    tests = solutions = references = 0
    sizes: dict[str, int] = {}
    for problem, _ in stage.problems():
        sizes[problem.id] = len(problem.tests)
        tally.after.count(problem)
        if problem.reference is not None:
            references += 1
            tests += len(problem.tests)
    for _, candidate, _ in stage.candidates():
        solutions += 1
        tests += sizes[candidate.problem_id]
    for name, answers in to_come.items():
        solutions += answers
        tests += answers * sizes[name]
    for name, reason in stage.set_aside_problems():
        tally.set_problem_aside(name, reason)
    tally.problems["kept"] = len(sizes)
    tally.candidates["kept"] = solutions - sum(to_come.values())
    tally.candidates_dropped.update(stage.counts("candidates", "dropped"))
    few, many = (_measure(judge, n) for n in (_FEW, _MANY))
    per_test = max(0.0, (many - few) / (_MANY - _FEW))
    return Forecast(
        counts=tally.as_dict(),
        solutions=solutions + references,
        tests=tests,
        seconds_per_solution=max(0.0, few - _FEW * per_test),
        seconds_per_test=per_test,
        jobs=judge.jobs,
        requests=sum(one["requests"] for one in sampling.values()),
        sampling=sampling,
    )


def _measure(judge: Judge, n: int) -> float:
    """The median seconds that a right program of n tests takes to be judged."""
    problem = Problem(
        id=f"forecast/{n}",
        question="Print what you read.",
        test_kind=TestKind.STDIN,
        tests=tuple(Test(input=f"{number}\n", expected=f"{number}\n") for number in range(n)),
    )
    seconds = []
    for number in range(_ROUNDS):
        solution = Solution(problem_id=problem.id, id=str(number), code=f"print(input())  # {number}\n")
        begun = time.monotonic()
        judge.submit(problem, solution, remember=False).result()
        seconds.append(time.monotonic() - begun)
    return statistics.median(seconds)
