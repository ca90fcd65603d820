"""What a judge found lately is not run again, and changes no verdict."""

from __future__ import annotations

from typing import Any

import pytest

from crl_data import Judge, Solution
from crl_data.judging.recent import Recent
from crl_data.rewards import reward
from crl_data.types import Problem, Test, TestKind
from tests.conftest import PROBLEM_ROW, RIGHT_SUM


def problem(expected: str = "3\n") -> Problem:
    return Problem(id="sum", question="add", test_kind=TestKind.STDIN, tests=(Test(input="1 2\n", expected=expected),))


def solution(code: str, name: str = "s") -> Solution:
    return Solution(problem_id="sum", id=name, code=code)


def test_what_was_judged_is_not_run_again() -> None:
    memory = Recent(10)
    with Judge(jobs=1, memory=memory) as judge:
        first = judge.judge(problem(), solution(RIGHT_SUM))
        again = judge.judge(problem(), solution(RIGHT_SUM, "another"))
    assert (memory.found, memory.missed) == (1, 1)
    assert again.verdict is first.verdict is True and again.solution_id == "another"
    assert again.outcomes == first.outcomes and again.seconds == first.seconds


def test_what_differs_in_anything_is_run() -> None:
    memory = Recent(10)
    with Judge(jobs=1, memory=memory) as judge:
        assert judge.judge(problem(), solution(RIGHT_SUM)).verdict is True
        assert judge.judge(problem("4\n"), solution(RIGHT_SUM)).verdict is False
        assert judge.judge(problem(), solution(RIGHT_SUM + "\nprint(5)\n")).verdict is False
    assert memory.found == 0


def test_the_oldest_is_forgotten() -> None:
    memory = Recent(2)
    with Judge(jobs=1, memory=memory) as judge:
        for number in range(3):
            judge.judge(problem(), solution(f"{RIGHT_SUM}# {number}\n"))
        judge.judge(problem(), solution(f"{RIGHT_SUM}# 2\n"))
        judge.judge(problem(), solution(f"{RIGHT_SUM}# 0\n"))
    assert memory.found == 1


@pytest.mark.parametrize("remember", [0, 10])
def test_a_reward_is_the_same_whether_or_not_it_remembers(remember: int) -> None:
    rows: dict[str, Any] = {"tests": [PROBLEM_ROW["tests"]] * 6, "test_kind": ["stdin"] * 6}
    texts = [f"```python\n{code}```" for code in (RIGHT_SUM, "print(0)\n", RIGHT_SUM)] * 2
    assert reward("solve", remember=remember)(texts, **rows) == [1.0, pytest.approx(1 / 3), 1.0] * 2
