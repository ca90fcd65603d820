"""Fewer tests than were run before: what a store gives is what a fresh run finds, for every kind of test, or it is run again."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from crl_data.corpus.store import Store
from crl_data.judging import Judge, Policy
from crl_data.types import Judgement, Outcome, Problem, Solution, Test, TestKind

STDIN = Problem(
    id="stdin",
    question="",
    test_kind=TestKind.STDIN,
    tests=tuple(Test(input=f"{a} {b}\n", expected=f"{a + b}\n") for a, b in ((1, 2), (3, 4), (5, 6), (7, 8))),
    reference="a, b = map(int, input().split())\nprint(a + b)\n",
)
FUNCTION = Problem(
    id="function",
    question="",
    test_kind=TestKind.FUNCTION,
    entry_point="add",
    tests=tuple(Test(input=f"[{a}, {b}]", expected=f"{a + b}") for a, b in ((1, 2), (3, 4), (5, 6), (7, 8))),
    reference="def add(a, b):\n    return a + b\n",
)
SPLIT = replace(
    FUNCTION,
    id="split",
    test_kind=TestKind.ASSERT,
    tests=tuple(Test(input=f"assert add({a}, {b}) == {a + b}") for a, b in ((1, 2), (3, 4), (5, 6), (7, 8))),
)
MODULE = Problem(
    id="module",
    question="",
    test_kind=TestKind.PYTEST,
    test_setup="from solution import add\n\n"
    + "".join(f"def test_{n}():\n    assert add({n}, {n}) == {2 * n}\n\n" for n in range(4)),
    tests=tuple(Test(input=f"test_{n}") for n in range(4)),
    reference="def add(a, b):\n    return a + b\n",
)
PLUS = "def add(a, b):\n    return a + b\n"
CODES = {
    "stdin": [
        "a, b = map(int, input().split())\nprint(a + b)\n",
        "a, b = map(int, input().split())\nprint(a + b if a != 3 else 0)\n",
        "raise SystemExit(3)\n",
        "def (:\n",
    ],
    "function": [
        PLUS,
        "def add(a, b):\n    return a + b if a not in (0, 1, 3) else None\n",
        "def sub(a, b): pass\n",
        "x =",
    ],
}


def judged(store: Store | None, problem: Problem, codes: list[str], **policy: object) -> list[Judgement]:
    with Judge(jobs=1, policy=Policy(**policy), memory=store) as judge:  # type: ignore[arg-type]
        return [
            judge.judge(problem, Solution(problem_id=problem.id, id=str(n), code=code)) for n, code in enumerate(codes)
        ]


def found(judgements: list[Judgement]) -> list[object]:
    """All that must be the same: not the words for a failure, and not the time."""
    return [replace(one, reason=one.reason.partition(";")[0], seconds=0.0) for one in judgements]


@pytest.mark.parametrize("problem", [STDIN, FUNCTION, SPLIT, MODULE], ids=lambda one: one.id)
def test_any_part_of_the_tests_is_known_from_all_of_them(problem: Problem, tmp_path: Path) -> None:
    codes = CODES["stdin" if problem is STDIN else "function"]
    with contextlib.closing(Store(tmp_path / "store.sqlite")) as store:
        judged(store, problem, codes)
        kept = store.kept
        for places in ((0,), (1, 3), (2, 1, 0)):
            fewer = replace(problem, tests=tuple(problem.tests[place] for place in places))
            assert found(judged(store, fewer, codes)) == found(judged(None, fewer, codes))
        assert store.kept == kept  # nothing was run


def test_where_fewer_tests_are_run_in_another_way_they_are_run(tmp_path: Path) -> None:
    """One test that does not come apart takes all to the tester; without it the rest comes apart."""
    whole = Test(input="total = 0\nfor n in range(3):\n    total += add(n, n)\nassert total == 6")
    problem = replace(SPLIT, tests=(*SPLIT.tests, whole))
    codes = CODES["function"][:2]
    with contextlib.closing(Store(tmp_path / "store.sqlite")) as store:
        judged(store, problem, codes)
        kept = store.kept
        for fewer in (replace(problem, tests=problem.tests[:4]), replace(problem, tests=problem.tests[2:])):
            assert found(judged(store, fewer, codes)) == found(judged(None, fewer, codes))
        assert store.kept == kept + len(codes)  # the second still needs the tester, and is known


def test_what_was_not_run_and_what_timed_out_too_often_is_run(tmp_path: Path) -> None:
    slow = "a, b = map(int, input().split())\nwhile a in (3, 5):\n    pass\nprint(a + b)\n"
    with contextlib.closing(Store(tmp_path / "store.sqlite")) as store:
        first = judged(store, STDIN, [slow])[0]
        assert first.outcomes.count(Outcome.TIMEOUT) == 2
        both, one = (replace(STDIN, tests=STDIN.tests[a:b]) for a, b in ((1, 3), (0, 2)))
        kept = store.kept
        assert found(judged(store, both, [slow])) == found(judged(None, both, [slow]))
        assert store.kept == kept + 1  # two time-outs end a solution: which tests it had come to, nobody kept
        assert found(judged(store, one, [slow])) == found(judged(None, one, [slow]))


def test_what_an_early_end_left_out_is_never_taken_over(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path / "store.sqlite")) as store:
        judged(store, STDIN, CODES["stdin"], early_stop=True, threshold=0.5)
        kept = store.kept
        fewer = replace(STDIN, tests=STDIN.tests[:2])
        assert found(judged(store, fewer, CODES["stdin"])) == found(judged(None, fewer, CODES["stdin"]))
        assert store.kept > kept
