"""The problems that are attacked: small ones, of every kind, each with a reference that is right."""

from __future__ import annotations

from dataclasses import replace

from crl_data.types import Problem, Test, TestKind
from tests.conftest import assert_problem, function_problem, stdin_problem

_PAIRS = ((1, 2), (30, 4), (10, 21), (0, 5), (7, 8), (-1, 12), (100, 1), (6, 60))
_ADD = "def add(a, b):\n    return a + b\n"
_MEAN = "def mean(xs):\n    return sum(xs) / len(xs)\n"

# --- stdin
SUM = stdin_problem(
    *((f"{a} {b}\n", f"{a + b}\n") for a, b in _PAIRS),
    id="sum",
    reference="a, b = map(int, input().split())\nprint(a + b)\n",
)
LINES = stdin_problem(
    ("3\n", "YES\nNO\nYES\n"),
    ("4\n", "YES\nNO\nYES\nNO\n"),
    ("5\n", "YES\nNO\nYES\nNO\nYES\n"),
    ("6\n", "YES\nNO\nYES\nNO\nYES\nNO\n"),
    ("7\n", "YES\nNO\nYES\nNO\nYES\nNO\nYES\n"),
    id="lines",
    reference="for n in range(int(input())):\n    print('NO' if n % 2 else 'YES')\n",
)
THOUSANDS = stdin_problem(
    *((f"{n}\n", f"{n * 1000}\n") for n in (1, 2, 12, 45, 789, 1000)),
    id="thousands",
    reference="print(int(input()) * 1000)\n",
)
HALVES = stdin_problem(
    *((f"{n}\n", f"{n / 2}\n") for n in (1, 2, 13, 45, 789, 1000)),
    id="halves",
    reference="print(int(input()) / 2)\n",
)
PARITY = stdin_problem(
    *((f"{n}\n", "even\n" if n % 2 == 0 else "odd\n") for n in (1, *range(2, 60, 3), *range(3, 60, 6))),
    id="parity",
    reference="print('odd' if int(input()) % 2 else 'even')\n",
)
ACCENTS = stdin_problem(
    *((f"{n}\n", "é" * n + "\n") for n in (1, 2, 3, 5, 8)),
    id="accents",
    reference="print('é' * int(input()))\n",
)

# --- function
ADD = function_problem("add", *(([a, b], a + b) for a, b in _PAIRS), id="add", reference=_ADD)
SORTED = function_problem(
    "ordered",
    *(([xs], sorted(xs)) for xs in ([3, 1, 2], [5, 4], [9, 7, 8, 1], [2, 2, 1], [0, -1])),
    id="ordered",
    reference="def ordered(xs):\n    return sorted(xs)\n",
)
SMILE = function_problem(
    "smile",
    *(([n], "😀" * n) for n in (1, 2, 3, 4, 5)),
    id="smile",
    reference="def smile(n):\n    return '😀' * n\n",
)
COUNTS = function_problem(
    "positive",
    *(([n], n > 0) for n in (1, 2, -3, 4, 5, -6)),
    id="positive",
    reference="def positive(n):\n    return n > 0\n",
)

# --- assertions that can be taken apart
ASSERTS = assert_problem("add", *(f"assert add({a}, {b}) == {a + b}" for a, b in _PAIRS), id="asserts", reference=_ADD)
NOT_NONE = assert_problem(
    "mean",
    *(f"assert mean([{a}, {b}]) != None and abs(mean([{a}, {b}]) - {(a + b) / 2}) < 1e-9" for a, b in _PAIRS),
    id="not none",
    reference=_MEAN,
)

# --- assertions that cannot: their tests run in the tester, which calls the solution by proxy
LOOP = assert_problem(
    "add",
    *(
        f"for a, b, c in [({a}, {b}, {a + b}), ({b}, {b}, {2 * b})]:\n    assert add(a, b) == c, 'no'"
        for a, b in _PAIRS
    ),
    id="loop",
    reference=_ADD,
)
CLOSE = assert_problem(
    "mean",
    *(
        f"import math\nfor extra in (0, 1):\n    assert math.isclose(mean([{a} + extra, {b}]), {(a + b) / 2} + extra / 2)"
        for a, b in _PAIRS
    ),
    id="close",
    reference=_MEAN,
)
CHECK = assert_problem(
    "add",
    "check(add)",
    test_setup="def check(candidate):\n    total = 0\n    for a in range(4):\n        total += candidate(a, 1)\n        assert candidate(a, a) == 2 * a\n    assert total == 10\n",
    id="check",
    reference=_ADD,
)
RAISES = assert_problem(
    "add",
    *(
        f"try:\n    got = add({a}, {b})\nexcept ValueError:\n    got = None\nassert got == {a + b}\n"
        f"try:\n    add({a}, None)\nexcept TypeError:\n    pass\nelse:\n    assert False"
        for a, b in _PAIRS
    ),
    id="raises",
    reference=_ADD,
)
HELPER = assert_problem(
    "decode",
    *(
        f"for text in ('{text}', '{text}z'):\n    assert decode(encode(text)) == text"
        for text in ("ab", "abc", "q", "zz", "hello")
    ),
    test_setup="def encode(text):\n    return ''.join(chr((ord(c) - 97 + 5) % 26 + 97) for c in text)\n",
    id="helper",
    reference="def decode(text):\n    return ''.join(chr((ord(c) - 97 - 5) % 26 + 97) for c in text)\n",
)
OPAQUE = assert_problem(
    "make",
    *(
        f"for _ in range(2):\n    box = make({n})\n    assert box is not None\n    assert box != 0\n    assert list(box) == [{n}, {n + 1}]"
        for n in range(1, 6)
    ),
    id="opaque",
    reference="def make(n):\n    return [n, n + 1]\n",
)
IN_PLACE = assert_problem(
    "double",
    *(
        f"xs = [{n}, {n + 1}]\nfor _ in range(2):\n    double(xs)\nassert xs == [{4 * n}, {4 * n + 4}]"
        for n in range(1, 6)
    ),
    id="in place",
    reference="def double(xs):\n    for i in range(len(xs)):\n        xs[i] *= 2\n",
)
MAPPED = assert_problem(
    "add",
    *(
        f"for got, wanted in zip(map(add, [{a}, 2], [{b}, 2]), [{a + b}, 4]):\n    assert got == wanted"
        for a, b in _PAIRS
    ),
    id="mapped",
    reference=_ADD,
)
ARRAYS = assert_problem(
    "double",
    *(
        f"import numpy as np\nfor scale in (1, 2):\n    assert np.allclose(double([{n} * scale, 1.5]), np.array([{2 * n} * scale, 3.0]))"
        for n in range(1, 6)
    ),
    id="arrays",
    reference="def double(xs):\n    return [2 * x for x in xs]\n",
)

# --- pytest
_MODULE = """
import pytest
from solution import add

class TestAdd:
    @pytest.mark.parametrize("a, b, c", [(1, 2, 3), (30, 4, 34), (0, 5, 5)])
    def test_pairs(self, a, b, c):
        assert add(a, b) == c

def test_loop():
    for n in range(5):
        assert add(n, n) == 2 * n

def test_error():
    with pytest.raises(TypeError):
        add(1, None)
"""
_NODES = (
    "TestAdd::test_pairs[1-2-3]",
    "TestAdd::test_pairs[30-4-34]",
    "TestAdd::test_pairs[0-5-5]",
    "test_loop",
    "test_error",
)
PYTEST = Problem(
    id="pytest",
    question="?",
    test_kind=TestKind.PYTEST,
    tests=tuple(Test(input=node) for node in _NODES),
    entry_point="add",
    test_setup=_MODULE,
    reference=_ADD,
)


def shortened(problem: Problem, tests: int | None) -> Problem:
    """The problem with its first tests only."""
    return problem if tests is None else replace(problem, tests=problem.tests[:tests])
