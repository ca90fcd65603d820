"""A checker of the problem's own that comes to no answer: whose fault that is."""

from __future__ import annotations

import pytest

from crl_data.judging import Judge, checker
from crl_data.sandbox import Limits
from crl_data.types import Outcome
from tests.conftest import code, stdin_problem

NUMBERS = "def check(input, expected, output):\n    return int(output) == int(expected)\n"
TRUE_OR_NOTHING = (
    "def check(input, expected, output):\n    if output.strip() == expected.strip():\n        return True\n"
)
WAITS = "def check(input, expected, output):\n    while output != expected: pass\n    return True\n"


@pytest.mark.parametrize("source", [NUMBERS, TRUE_OR_NOTHING])
def test_output_that_a_checker_cannot_take_is_wrong_where_it_takes_the_expected_one(judge: Judge, source: str) -> None:
    problem = stdin_problem(("1\n", "1\n"), checker=source)
    for text in ("print('abc')", "print()", "print('1 1')"):
        assert judge.judge(problem, code(text)).outcomes == (Outcome.WRONG_ANSWER,)
    assert judge.judge(problem, code("print(1)")).verdict is True


@pytest.mark.parametrize(
    "source",
    [
        "def check(input, expected, output):\n    return output / 2\n",
        "def check(input, expected, output):\n    return int(expected) == int(output) or None\n",
        "def check(input, expected):\n    return True\n",
    ],
)
def test_a_checker_that_cannot_take_the_expected_output_either_is_our_fault(judge: Judge, source: str) -> None:
    judgement = judge.judge(stdin_problem(("1\n", "one\n"), checker=source), code("print('abc')"))
    assert judgement.outcomes == (Outcome.JUDGE_ERROR,) and "the checker failed" in judgement.reason


def test_a_checker_that_does_not_end_says_nothing(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "LIMITS", Limits(cpu_s=0.3))
    judgement = judge.judge(stdin_problem(("1\n", "1\n"), checker=WAITS), code("print('abc')"))
    assert judgement.outcomes == (Outcome.JUDGE_ERROR,) and "timeout" in judgement.reason
