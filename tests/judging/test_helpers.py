"""Which definitions come from our side, so that a solution cannot put its own in their place."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from crl_data.definitions import definitions, free_names
from crl_data.judging import Judge
from crl_data.judging.helpers import helpers_of
from tests.conftest import assert_problem, code

REFERENCE = """
import math
from os import path as where
LIMIT = 3
TABLE = [LIMIT * n for n in range(3)]

def shift(s):
    return s + str(TABLE[0])

def unused():
    return math.pi

class Node:
    def __init__(self, value):
        self.value = value

def entry(s):
    return shift(s)
"""


def names(source: str) -> set[str]:
    """What a source defines at its top, by running it."""
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102
    return set(space) - {"__builtins__"}


@pytest.mark.parametrize(
    ("tests", "defined"),
    [
        (["assert entry(shift('a')) == 'a'"], {"LIMIT", "TABLE", "shift"}),
        (["assert entry('a') == 'a'"], set()),
        (["assert entry('a') == shift"], {"LIMIT", "TABLE", "shift"}),
        (["assert entry(Node(1))", "assert entry(math.pi)"], {"Node", "math"}),
        (["assert entry(where.sep)"], {"where"}),
        (["assert entry(TABLE)"], {"TABLE", "LIMIT"}),
        (["shift = str\nassert entry(shift('a'))"], set()),  # its own
        (["assert [shift for shift in entry('a')]"], set()),
        (["def shift(s):\n    return s\nassert entry(shift('a'))"], set()),
        (["assert entry(len([]), print, Exception)"], set()),
        (["assert entry(nowhere)"], set()),
    ],
)
def test_what_a_test_uses_and_does_not_define_comes_with_what_that_needs(tests: list[str], defined: set[str]) -> None:
    assert names(helpers_of(tests, "", "entry", [REFERENCE])) == defined


def test_what_the_set_up_defines_is_the_set_ups_and_what_it_uses_comes_along() -> None:
    setup = "def check(candidate):\n    assert candidate('a') == shift('a')\n"
    assert names(helpers_of(["check(entry)"], setup, "entry", [REFERENCE])) == {"LIMIT", "TABLE", "shift"}
    assert helpers_of(["check(entry)"], "def shift(s): ...\n" + setup, "entry", [REFERENCE]) == ""


def test_the_entry_point_is_never_among_them() -> None:
    source = "def helper(n):\n    return entry(n)\n\ndef entry(n):\n    return n\n"
    assert names(helpers_of(["assert helper(entry(1))"], "", "entry", [source])) == {"helper"}
    source = "class Solution:\n    def f(self): ...\n\ndef helper():\n    return Solution()\n"
    assert names(helpers_of(["assert Solution().f() == helper()"], "", "Solution.f", [source])) == {"helper"}


def test_without_an_entry_point_everything_is_the_solutions() -> None:
    assert helpers_of(["assert shift('a')"], "", None, [REFERENCE]) == ""


def test_the_first_source_that_has_any_gives_them() -> None:
    starter, reference = "def shift(s):\n    return 1\n", "def shift(s):\n    return 2\n"
    tests = ["assert entry(shift('a'))"]
    assert "return 2" in helpers_of(tests, "", "entry", [reference, starter])
    assert "return 1" in helpers_of(tests, "", "entry", [None, starter, reference])
    assert "return 1" in helpers_of(tests, "", "entry", ["", "x = 1", "def broken(:", starter])


@pytest.mark.parametrize(
    "source",
    [
        "def helper(): ...",
        "async def helper(): ...",
        "class helper: ...",
        "helper = 1",
        "helper, other = 1, 2",
        "helper: int = 1",
        "helper = 0\nhelper += 1",
        "import math as helper",
        "from math import pi as helper",
        "for helper in [1, 2]: pass",
        "if True:\n    helper = 1\nelse:\n    helper = 2",
        "if True:\n    def helper(): ...",
        "try:\n    from math import pi as helper\nexcept ImportError:\n    def helper(): ...",
        "try:\n    import math as helper\nexcept ImportError:\n    helper = None",
        "def helper(): ...\nhelper = staticmethod(helper)",
        "from math import *\nhelper = pi",
        "import functools\n@functools.cache\ndef helper(): ...",
        "class Base: ...\nclass helper(Base): ...",
        "def default(): ...\ndef helper(n=default()): ...",
    ],
)
def test_a_name_is_found_however_it_is_defined(source: str) -> None:
    assert "helper" in names(helpers_of(["assert entry(helper)"], "", "entry", [source]))


def test_they_stand_in_the_order_of_their_source() -> None:
    text = definitions("b = 1\na = b + 1\nb = a + b\ndef f():\n    return a, b\n", {"f"}, without="entry")
    space: dict[str, Any] = {}
    exec(text, space)  # noqa: S102
    assert space["f"]() == (2, 3)


def test_what_is_no_python_defines_nothing() -> None:
    assert definitions("def f(n):", {"f"}, without="entry") == ""


@pytest.mark.parametrize(
    ("source", "free"),
    [
        ("x + y", {"x", "y"}),
        ("x = 1\nx + y", {"y"}),
        ("def f(a, *b, c=d, **e):\n    return a, b, c, e, g", {"d", "g"}),
        ("lambda a: a + b", {"b"}),
        ("import a.b, c as d\na, d, c", {"c"}),
        ("try:\n    pass\nexcept E as e:\n    e", {"E"}),
        ("with a as b:\n    b", {"a"}),
        ("[i for i in range(n) if p(i)]", {"n", "p"}),
        ("print(len(x))", {"x"}),
        ("a.b.c", {"a"}),
    ],
)
def test_free_names_are_those_that_are_read_and_not_bound(source: str, free: set[str]) -> None:
    assert free_names(source) == free
    ast.parse(source)


def test_a_solution_that_defines_a_helper_anew_is_judged_with_ours(judge: Judge) -> None:
    """HumanEval/32, 38 and 50: what encodes is given, and what decodes is asked for."""
    given = "def encode(s):\n    return s[::-1]\n\ndef decode(s):\n    return s[::-1]\n"
    problem = assert_problem(
        "decode", "for s in ('abc', 'xy', 'aab'):\n    assert decode(encode(s)) == s", reference=given, id="helped"
    )
    assert judge.judge(problem, code(given)).verdict is True
    cheat = "def encode(s):\n    return s\n\ndef decode(s):\n    return s\n"
    assert judge.judge(problem, code(cheat)).verdict is False
    assert judge.judge(problem, code("def decode(s):\n    return s[::-1]\n")).verdict is True
