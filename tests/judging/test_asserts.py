"""Tests written as source, taken apart: what is decided outside is what Python's own `assert` decides inside."""

from __future__ import annotations

import copy
import math
import multiprocessing
import time
import warnings
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crl_data.judging import Judge, asserts
from crl_data.judging.asserts import AssertionFailed, Call, TooLong, Unsplittable, called_names, constant, split
from crl_data.literals import literal
from crl_data.types import Outcome
from tests.conftest import assert_problem, code, function_problem


def outside(source: str, entry: str, results: Sequence[Any], setup: str = "", times: int = 1) -> bool:
    """Whether the test passes where `f(n, ...)` gives the n-th result, decided from outside; the same every time."""
    test = split(source, entry, setup)
    said = set()
    for _ in range(times):
        try:
            test.check([copy.deepcopy(results[call.args[0]]) for call in test.calls])
        except TooLong:
            raise
        except Exception:
            said.add(False)
        else:
            said.add(True)
    assert len(said) == 1, f"not the same every time: {source}"
    return said.pop()


def inside(source: str, results: Sequence[Any]) -> bool:
    """Whether the test passes in Python."""
    own = copy.deepcopy(results)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(source, {"f": lambda n, *_, **__: own[n], "math": math})  # noqa: S102
        except Exception:
            return False
    return True


# --- the same as Python ---------------------------------------------------------------------------------------------------

NUMBERS = st.integers(-3, 12) | st.sampled_from([0.5, 2.0, -0.0, 1e-7, 3.0000001, 10**30, True, False])
WORDS = st.sampled_from(["", "a", "Ab", "b a", "12", "abc"])
FLAT = st.none() | NUMBERS | WORDS | st.sampled_from([b"", b"a", 1 + 2j])
VALUES = st.recursive(
    FLAT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(NUMBERS, max_size=3)
        | st.dictionaries(NUMBERS | WORDS, inner, max_size=2)
        | st.sets(NUMBERS | WORDS, max_size=3)
        | st.frozensets(NUMBERS, max_size=2)
    ),
    max_leaves=5,
)
LITERALS = VALUES.map(lambda value: f"({literal(value)})")
LEAVES = st.sampled_from(["f(0)", "f(1, 'x', k=[2])"]) | LITERALS
WRAPPERS = [
    "len({})",
    "abs({})",
    "sorted({})",
    "sum({})",
    "max({})",
    "min({})",
    "round({}, 1)",
    "str({})",
    "int({})",
    "float({})",
    "bool({})",
    "list({})",
    "tuple({})",
    "set({})",
    "frozenset({})",
    "repr({})",
    "all({})",
    "any({})",
    "type({})",
    "list(reversed({}))",
    "{}[0]",
    "{}[-1]",
    "{}[1:]",
    "{}[::-1]",
    "{}['a']",
    "{}[0][0]",
    "-{}",
    "not {}",
    "~{}",
    "{}.lower()",
    "{}.split()",
    "{}.get('a')",
    "list({}.items())",
    "{}.count(1)",
    "{}.index('a')",
    "isinstance({}, int)",
    "isinstance({}, (list, str))",
    "[x for x in {}]",
    "[x * 2 for x in {} if x]",
    "sum(x for x in {})",
    "{{x for x in {}}}",
    "sorted({}, reverse=True)",
    "[*{}, 1]",
    "({},)",
    "[{}]",
    "{{1: {}}}",
    "math.isclose({}, 2)",
    "math.floor({})",
    "set({}).issubset([1, 2])",
    "divmod({}, 2)",
    "max({}, default=0)",
    "{} is None",
]
JOINTS = [
    "{} == {}",
    "{} != {}",
    "{} < {}",
    "{} <= {}",
    "{} > {}",
    "{} in {}",
    "{} not in {}",
    "{} + {}",
    "{} - {}",
    "{} * {}",
    "{} / {}",
    "{} // {}",
    "{} and {}",
    "{} or {}",
    "{} | {}",
    "{} & {}",
    "{} ^ {}",
    "1 < {} < {}",
    "{} if {} else 2",
    "{} == {} == 1",
    "abs({} - {}) < 1e-6",
]
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda form, one: f"({form.format(one)})", st.sampled_from(WRAPPERS), inner)
        | st.builds(lambda form, one, other: f"({form.format(one, other)})", st.sampled_from(JOINTS), inner, inner)
    ),
    max_leaves=5,
)
TESTS = (
    EXPRESSIONS.map(lambda one: f"assert {one}")
    | st.builds(lambda one, value: f"assert {one} == {value}, 'a message'", EXPRESSIONS, LITERALS)
    | st.builds(lambda one, other: f"out = {one}\nassert out == {other}\nassert out", EXPRESSIONS, EXPRESSIONS)
    | st.builds(lambda one, other: f"assert {one}\nassert {other}", EXPRESSIONS, EXPRESSIONS)
)


POOL: list[Any] = [
    0,
    1,
    2,
    -3,
    True,
    0.5,
    2.0,
    None,
    "",
    "a",
    "Ab b",
    "12",
    [],
    [1],
    [2, 1, 1],
    ["a"],
    (1,),
    (2, "a"),
    [[1], [2]],
]
POOL += [{"a": 1}, {1: 2}, {}, {1, 2}, {1}, frozenset({1}), set(), 1j, range(3)]


def value_in_python(expression: str, results: Sequence[Any]) -> Any:
    """The value, or the exception that came instead."""
    own = copy.deepcopy(results)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(expression, {"f": lambda n: own[n], "math": math})
        except Exception as error:
            return error


def has_its_value(form: str, *values: Any) -> bool:
    """Whether an expression over results has, decided from outside, the value and the type that it has in Python."""
    value = value_in_python(form.format("f(0)", "f(1)"), values)
    if len(values) > 1:  # by name: calls that Python may leave out do not come apart
        test = (
            f"a = f(0)\nb = f(1)\nout = {form.format('a', 'b')}\nr = f(2)\nassert [out] == [r] and type(out) is type(r)"
        )
    else:
        test = f"out = {form.format('f(0)')}\nassert [out] == [f(2)] and type(out) is type(f(2))"
    results = [values[0], values[-1], value]
    if isinstance(value, Exception):
        return not outside(test, "f", [values[0], values[-1], None])
    return outside(test, "f", results) and not outside(test, "f", [values[0], values[-1], "other"])


@pytest.mark.parametrize("form", WRAPPERS)
def test_every_expression_over_a_result_has_its_value_in_python(form: str) -> None:
    assert [one for one in POOL if not has_its_value(form, one)] == []


@pytest.mark.parametrize("form", JOINTS)
def test_every_expression_over_two_results_has_its_value_in_python(form: str) -> None:
    formats = form.startswith("{} % {}")  # how text is formatted has a test of its own
    pairs = [(one, other) for one in POOL for other in POOL if not (formats and isinstance(one, str))]
    assert [pair for pair in pairs if not has_its_value(form, *pair)] == []


@settings(max_examples=500, deadline=None)
@given(TESTS, VALUES, VALUES)
def test_an_assertion_holds_exactly_where_it_holds_in_python(source: str, first: Any, second: Any) -> None:
    try:
        said = outside(source, "f", (first, second), times=2)
    except (Unsplittable, TooLong):
        assume(False)
    assert said == inside(source, (first, second))


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES)
def test_equality_with_a_literal_is_python_equality(expected: Any, got: Any) -> None:
    assert outside(f"assert f(0) == {literal(expected)}", "f", (got,)) == (got == expected)
    assert outside(f"assert {literal(expected)} == f(0)", "f", (got,)) == (expected == got)
    assert outside(f"assert f(0) == {literal(expected)}", "f", (copy.deepcopy(expected),))


SAME = [
    ("assert f(0)", [0], [[]], [None], ["a"], [1]),
    ("assert not f(0)", [0], [[]], [1]),
    ("assert (f(0) == 1, 'always true')", [2]),
    ("assert f(0) is True", [True], [1], [False]),
    ("assert f(0) is None", [None], [0]),
    ("assert f(0) == 1", [True], [1.0], ["1"], [Decimal(1)]),
    ("assert f(0) == (1, 2)", [(1, 2)], [[1, 2]]),
    ("assert type(f(0)) is int", [1], [True], [1.0]),
    ("assert f(0) == f(1)", [1, 1], [1, 2]),
    ("assert abs(f(0) - 0.3) < 1e-9", [0.1 + 0.2], [0.4], ["a"]),
    ("assert math.isclose(f(0), 1 / 3, rel_tol=1e-3)", [0.3333], [0.34], [None]),
    ("assert sorted(f(0)) == [1, 2]", [[2, 1]], [(1, 2)], [{1: 1, 2: 2}], [[2, "1"]], [3]),
    ("assert f(0)['a'][-1] == 2", [{"a": [1, 2]}], [{"a": []}], [{}], [[]]),
    ("assert len(f(0)) == 2 and f(0)[1] == 'b'", ["ab"], ["a"], [3]),
    ("assert f(0) in ([1], [2])", [[2]], [[3]]),
    ("assert 'a' in f(0)", ["cat"], [["a"]], [{"a": 1}], [{"b": "a"}], [5]),
    ("assert 0 < f(0) <= 5", [3], [0], [6], ["3"]),
    ("assert all(x % 2 == 0 for x in f(0))", [[2, 4]], [[1]], [[]], [["a"]]),
    ("assert [x for x in f(0) if x > 1] == [2]", [[1, 2]], [[2, 2]]),
    ("assert sum([x for row in f(0) for x in row]) == 3", [[[1], [2]]], [[[1]]]),
    ("out = f(0)\nassert len(out) == 1\nassert out[0] == 1", [[1]], [[1, 1]], [[2]]),
    ("a = f(0)\nb = f(1)\nassert a == 1 if b else a == 2", [1, True], [2, False], [2, True]),
    ("assert f(0) == f(1) == 1 and f(2)", [1, 1, 1], [1, 2, 1], [1, 1, 0], [2, 2, 1]),
    # names of comprehensions are their own
    ("r = f(0)\nassert all(r > 4 for r in [5]) and r == 3", [3], [5]),
    ("x = f(0)\nassert [x for x in [1, 2]] == [1, 2]\nassert x == 7", [7], [2]),
    # and, or, any and all stop where they are decided
    ("out = f(0)\nassert out == [] or out[0] == 1", [[]], [[1]], [[2]]),
    ("out = f(0)\nassert any(out[i] > 2 for i in range(5))", [[3]], [[1, 3]], [[1]]),
    ("assert all(1 / x > 0 for x in f(0))", [[1, -1, 0]], [[0]], [[1]]),
    # what a test says about iterators, twice as well as once
    ("assert f(0) == [x for x in reversed([1, 2])]", [[2, 1]], [[]], [[1, 2]]),
    ("assert f(0) in reversed([1, 2, 3])", [2], [4]),
    ("assert list(f(0).keys()) == ['a']", [{"a": 1}], [{"b": 1}], [[]]),
    ("assert f(0).keys() == {'a'}", [{"a": 1}], [{"b": 1}]),
    # methods of whatever comes, where Python has them
    ("assert f(0).upper() == b'AB'", [b"ab"], [b"b"], ["ab"]),
    ("assert f(0).startswith(b'a')", [b"ab"], [bytearray(b"ab")], ["ab"]),
    ("assert f(0).count(b'a') == 1", [b"ab"], [b"aa"], [["a"]]),
    ("assert f(0).index(2) == 1", [(1, 2)], [[1, 2]], [range(1, 3)], [[2]]),
    ("assert f(0).union({1}) == {1, 2}", [{2}], [frozenset({2})], [[2]]),
    ("assert f(0).keys().isdisjoint([2])", [{1: 1}], [{2: 1}]),
    ("assert f(0) % 2 == 1", [3], [2], ["3"], [None]),
    ("assert max(*f(0)) == 3", [[1, 3]], [[3]], [5], [[3, "a"]]),
    ("assert max(*f(0), 2) == 3", [[1, 3]], [[1]], [{}]),
    ("assert math.floor(f(0)) == 1", [1.5], [2], ["a"], [Decimal("1.9")]),
    ("assert '%d items' % f(0) == '2 items'", [2], [3], ["2"], [(2,)]),
    ("assert f(0) % (1, 2) == '1 2'", ["%s %s"], ["%d %d"], ["%s"], [5]),
    ("assert sum(f(0), []) == [1, 2]", [[[1], [2]]], [[(1,), [2]]], [[1]], [[]]),
    ("assert sum(f(0), ()) == (1, 2)", [[(1,), (2,)]], [[[1], (2,)]]),
    ("assert dict(f(0)) == {'a': 1}", [[("a", 1)]], [{"a": 1}], [["ab"]], [[1]], [["a"]]),
    ("assert f(0).keys() & [1, 2] == {1}", [{1: 1}], [{3: 1}], [[1]]),
    ("assert f(0).items() - [(1, 1)] == set()", [{1: 1}], [{3: 1}], [{1: []}]),
    ("assert round(f(0), 1) == 0.5 and int(f(0)) == 0", [0.51], [Decimal("0.5")], ["a"]),
    ("assert [*f(0)] == [1]", [[1]], [{1: 2}], [1]),
    ("assert any(x == 2 for x in f(0)) == (2 in f(0))", [[1, 2]], [[]], [3]),
    ("assert 'abc'.startswith(f(0))", ["a"], ["b"], [("x", "a")], [1]),
    ("a = f(0)\ng = (x + y for x in a for y in a if y)\nassert sum(g) == 6 and sum(g) == 0", [[1, 2]], [[1]]),
]


@pytest.mark.parametrize(("source", "results"), [(source, results) for source, *many in SAME for results in many])
def test_a_test_says_outside_what_it_says_in_python(source: str, results: list[Any]) -> None:
    assert outside(source, "f", results, times=2) == inside(source, results)


# --- what is taken apart, and into what ---------------------------------------------------------------------------------------


def test_calls_are_found_in_the_order_of_their_evaluation_with_plain_arguments() -> None:
    test = split("assert f(1, [2, (3,)], k={'a': {4}}) == f(-5)\nassert f() == 'f(6)'", "f")
    assert test.calls == (Call((1, [2, (3,)]), {"k": {"a": {4}}}, False), Call((-5,), {}, False), Call((), {}, False))


def test_computed_arguments_cross_as_their_values() -> None:
    source = "assert f(2 ** 10, 'ab' * 2, [0] * 3, 1 / 4, float('inf'), set(), list(range(3)), -math.pi, [x * x for x in [1, 2]])"
    (call,) = split(source, "f").calls
    assert call.args == (1024, "abab", [0, 0, 0], 0.25, math.inf, set(), [0, 1, 2], -math.pi, [1, 4])


@pytest.mark.parametrize(
    ("source", "drawn"),
    [
        ("assert list(f(1)) == [1]", True),
        ("assert sorted(f(1)) == [1]", True),
        ("assert sum(x for x in f(1)) == 1", True),
        ("assert f(1) == [1]", False),
        ("assert len(f(1)) == 1", False),
        ("assert list([f(1)]) == [1]", False),
    ],
)
def test_an_iterator_is_drawn_out_only_where_the_test_would_draw_it_out(source: str, drawn: bool) -> None:
    assert split(source, "f").calls[0].iterate is drawn


def test_a_method_of_a_class_is_called_on_a_new_object() -> None:
    test = split("assert Solution().twice(2) == 4", "Solution.twice")
    assert test.calls == (Call((2,), {}, False),)
    for source in (
        "assert Solution(1).twice(2) == 4",
        "s = Solution()\nassert s.twice(2) == 4",
        "assert twice(2) == 4",
    ):
        with pytest.raises(Unsplittable):
            split(source, "Solution.twice")


HUMANEVAL = """
METADATA = {'author': 'x'}

def check(candidate):
    "documentation"
    import math
    assert candidate(0) == 1, "first"
    assert math.isclose(candidate(1), 2.5)
"""


def test_the_function_of_the_set_up_that_holds_the_assertions_is_unfolded() -> None:
    assert outside("check(f)", "f", [1, 2.5], HUMANEVAL)
    assert not outside("check(f)", "f", [1, 2], HUMANEVAL)
    assert split("check(f)", "f", HUMANEVAL).calls == (Call((0,), {}, False), Call((1,), {}, False))


@pytest.mark.parametrize("entry", ["sum", "sorted", "len", "max", "abs", "list", "check"])
def test_an_entry_point_may_have_the_name_of_a_function_of_python(entry: str) -> None:
    source = f"assert {entry}(0) == 7"
    assert split(source, entry).calls == (Call((0,), {}, False),)
    assert outside(source, entry, [7]) and not outside(source, entry, [3])


@pytest.mark.parametrize(
    "setup", ["def abs(x):\n    return x\n", "from numpy import *\n", "abs = float\n", "import operator as abs\n"]
)
def test_a_function_of_python_that_the_set_up_replaces_is_not_taken_for_pythons(setup: str) -> None:
    with pytest.raises(Unsplittable):
        split("assert f(1) == abs(-3)", "f", setup)


UNSPLITTABLE = [
    "f(1)",
    "",
    "pass",
    "'only text'",
    "assert 1 == 1",
    "assert g(1) == 1",
    "x = f(1)",
    "for n in range(3):\n    assert f(n) == n",
    "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert False",
    "with open('a') as file:\n    assert f(file) == 1",
    "import os\nassert f(1) == 1",
    "import math as m\nassert f(1) == m.pi",
    "x = [1]\nassert f(x) == 1",
    "x = [1]\nf(x)\nassert x == []",
    "assert f(g(1)) == 1",
    "assert f(f(1)) == 1",
    "assert f(*[1]) == 1",
    "assert f(**{'a': 1}) == 1",
    "assert f(lambda x: x) == 1",
    "assert f(1)(2) == 3",
    "assert f(1).value == 3",
    "assert f(1).pop() == 3",
    "assert f(1).sort() is None",
    "assert f(1).__class__ == int",
    "assert f.x == 1",
    "assert callable(f)",
    "assert f is not None",
    "assert isinstance(f(1), Thing)",
    "assert eval('f(1)') == 1",
    "assert open('/etc/passwd').read() == f(1)",
    "assert __import__('os').system('id') == f(1)",
    "assert getattr(f(1), 'x') == 1",
    "assert sorted(f(1), key=len) == []",
    "assert [f(x) for x in [1, 2]] == [1, 2]",
    "assert all(f(x) == x for x in range(3))",
    "assert (y := f(1)) == 1",
    "assert f'{f(1)}' == '1'",
    "assert [a for a, b in f(1)] == [1]",
    "f = print\nassert f(1) is None",
    "len = f(1)\nassert len == 1",
    "a, b = f(1)\nassert a == b",
    "x = y = f(1)\nassert x == 1",
    "x = f(1)\nx += 1\nassert x == 2",
    "x: int = f(1)\nassert x == 1",
    "assert y == f(1)\ny = 1",
    "def g():\n    return 1\nassert f(1) == g()",
    "class A: pass\nassert f(1) == A",
    "assert f(1) == 10 ** 10 ** 10",
    "assert f(1) == [0] * 10 ** 10",
    "assert f(1) == 1 << 10 ** 10",
    "assert f(1) == 'a' % 10",
    "assert f(1) == 1 / 0",
    "assert f(1 / 0) == 1",
    "assert f(list(range(10 ** 10))) == 1",
    "assert f(1) == sum(range(10 ** 10))",
    "async def t():\n    assert f(1) == 1",
    "del f\nassert f(1)",
    "global f\nassert f(1)",
    "assert f(1) == 1 or f(2) == 2",
    "assert (f(1) and f(2)) == 2",
    "assert not (f(1) and f(2))",
    "assert (1 if f(1) else f(2)) == 1",
    "assert (f(1) == f(2) == f(3)) is True",
    "assert f([[0]] * 2) == 1",
    "assert f(([1],) * 2) == 1",
    "assert [sum for sum in f(1)] == [1]",
    "assert [abs(len) for len in [f(1)]] == [1]",
]


@pytest.mark.parametrize("source", UNSPLITTABLE)
def test_what_does_not_come_apart_is_left_whole(source: str) -> None:
    with pytest.raises(Unsplittable) as raised:
        split(source, "f")
    assert str(raised.value)


def test_a_test_that_is_no_python_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        split("assert f(1) = 2", "f")


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=30)
    | st.sampled_from(UNSPLITTABLE).flatmap(lambda one: st.integers(0, len(one)).map(lambda cut: one[:cut]))
)
def test_any_source_is_split_left_whole_or_no_python(source: str) -> None:
    try:
        split(source, "f")
    except (Unsplittable, SyntaxError):
        pass
    except ValueError as error:
        assert "null" in str(error)  # Python's own word for a source with NUL


@pytest.mark.parametrize(
    "source",
    ["x", "f(1)", "[x for x in y]", "open('a')", "().__class__", "lambda: 1", "'a'.join(['b'])", "1 / 0", "[1][5]"],
)
def test_what_is_no_constant_is_refused(source: str) -> None:
    import ast

    with pytest.raises(Unsplittable):
        constant(ast.parse(source, mode="eval").body)


def test_names_that_tests_call_are_found_without_their_own_and_pythons() -> None:
    tests = [
        "assert f(len([1])) == 2",
        "def g(): pass\ng()",
        "h = 1\nassert f(h(2)) == k.m(3)",
        "assert [z for z in f(1)]",
    ]
    assert called_names(tests) == {"f"}
    assert called_names(["assert f(g(1)) == 2"]) == {"f", "g"}


# --- reasons, and bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "result", "reason"),
    [
        ("assert f(0) == [1, 2]", [1], "expected [1, 2], got [1]"),
        ("assert [1, 2] == f(0)", [1], "expected [1, 2], got [1]"),
        ("assert f(0) < 3", 5, "expected less than 3, got 5"),
        ("assert 3 < f(0)", 3, "expected more than 3, got 3"),
        ("assert f(0) in (1, 2)", 5, "expected one in (1, 2), got 5"),
        ("assert 'a' in f(0)", "b", "expected a container that has 'a', got 'b'"),
        ("assert f(0)", 0, "f(0) does not hold"),
        ("out = f(0)\nassert out == 1 or out == 2", 3, "out == 1 or out == 2 does not hold"),
    ],
)
def test_a_failure_says_what_was_compared(source: str, result: Any, reason: str) -> None:
    with pytest.raises(AssertionFailed) as raised:
        split(source, "f").check([result])
    assert str(raised.value) == reason


SHARING = [n * (2**61 - 1) for n in range(100_000)]  # the hash of all is 0
SLOW = [
    ("assert f(0) ** 10000000 == 1", 3),
    ("assert 2 ** f(0) == 1", 10**12),
    ("assert 1 << f(0) == 1", 10**12),
    ("assert [0] * f(0) == 1", 10**12),
    ("assert list(f(0)) == [1]", range(10**15)),
    ("assert sum(f(0)) == 1", range(10**15)),
    ("assert [x + 1 for x in f(0)] == [1]", range(10**15)),
    ("assert [*f(0)] == [1]", range(10**15)),
    ("assert 1.5 in f(0)", range(10**15)),
    ("assert round(f(0)) == 1", Decimal("1e999999999")),
    ("assert math.floor(f(0)) == 1", Decimal("1e999999999")),
    ("assert '%d' % f(0) == '1'", Decimal("1e999999999")),
    ("assert f(0) % 1 == 'a'", "%999999999d"),
    ("assert f(0) % (999999999, 1) == 'a'", "%*d"),
    ("assert f(0) % {'a': 'b' * 1000} == 'a'", "%(a)s" * 3_000_000),
    ("assert round(f(0), -10000000000) == 1", 5),
    ("assert round(1, f(0)) == 1", -(10**10)),
    ("assert bytes(f(0)) == b''", 10**12),
    ("assert f(0) ** 10000000 == 1", Fraction(1, 3)),
    ("assert 2 ** f(0) == 1", Fraction(10**12, 1)),
    ("assert sum(f(0)) == 1", [Fraction(1, (1 << 13000) + n) for n in range(4000)]),
    ("assert sum(f(0), []) == [1]", [[n] for n in range(200_000)]),
    ("assert sum(f(0), ()) == ()", [(n,) for n in range(200_000)]),
    ("assert set(f(0)) == {1}", SHARING),
    ("assert {*f(0)} == {1}", SHARING),
    ("assert {x for x in f(0)} == {1}", SHARING),
    ("assert frozenset(x for x in f(0)) == {1}", SHARING),
    ("assert {1}.union(f(0)) == {1}", SHARING),
    ("assert {1}.issubset(f(0))", SHARING),
    ("assert {1: 1}.keys() & f(0) == {1}", SHARING),
    ("assert dict(f(0)) == {1: 1}", [(one, 1) for one in SHARING]),
    ("assert f(0).count(2.5) == 1", range(10**15)),
    ("assert f(0) in range(10 ** 15)", 1.5),
]


def check(source: str, result: Any) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (int(asserts.MAX_SECONDS),) * 2)
    try:
        split(source, "f").check([result])
    except Exception:
        return
    raise SystemExit(3)


@pytest.mark.parametrize(("source", "result"), SLOW, ids=[source for source, _ in SLOW])
def test_what_a_solution_returns_cannot_make_its_judge_compute_for_long(source: str, result: Any) -> None:
    """In a process that the kernel ends after some seconds of computing; what is too long is said to be, or fails."""
    process = multiprocessing.get_context("fork").Process(target=check, args=(source, result), daemon=True)
    process.start()
    process.join(120)
    process.kill()
    process.join()
    assert process.exitcode == 0


def test_an_assertion_has_a_budget_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asserts, "MAX_SECONDS", 0.3)
    test = split("a = f(0)\nb = f(1)\nassert all(x in b for x in a)", "f")
    start = time.monotonic()
    with pytest.raises(TooLong):
        test.check([[0] * 100_000, [1.5] * 100_000 + [0]])
    assert time.monotonic() - start < 5
    test.check([[0] * 100, [1.5] * 100 + [0]])


# --- with a real judge ------------------------------------------------------------------------------------------------------------

WHOLE = [
    (
        "a call that is never reached",
        "assert f(1) == 1 or f(2) == 2",
        "def f(n):\n    assert n == 1\n    return 1\n",
        True,
    ),
    (
        "a branch that is not taken",
        "assert (f(1) if True else f(2)) == 1",
        "def f(n):\n    assert n == 1\n    return 1\n",
        True,
    ),
    ("a chain that ends early", "assert not f(1) < 0 < f(2)", "def f(n):\n    assert n == 1\n    return 1\n", True),
    ("one list in two places", "assert f([[0]] * 2) == [[1], [1]]", "def f(x):\n    x[0][0] = 1\n    return x\n", True),
    ("two lists", "assert f([[0], [0]]) == [[1], [0]]", "def f(x):\n    x[0][0] = 1\n    return x\n", True),
    ("text where a number was asked for", "assert f(1) % 2 == 0", "def f(n):\n    return 'abc'\n", False),
    ("an iterator where a list was asked for", "assert f(1) == [1]", "def f(n):\n    return iter([1])\n", False),
    ("a generator that is drawn out", "assert list(f(2)) == [0, 1]", "def f(n):\n    yield from range(n)\n", True),
    (
        "an object that is equal to all",
        "assert f(1) == 5",
        "class A:\n    def __eq__(self, o): return True\ndef f(n):\n    return A()\n",
        False,
    ),
    (
        "a number that is equal to all",
        "assert f(1) == 5",
        "class A(int):\n    def __eq__(self, o): return True\ndef f(n):\n    return A()\n",
        False,
    ),
]


@pytest.mark.parametrize(("source", "text", "verdict"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_the_verdict_is_that_of_the_test_as_it_was_written(
    source: str, text: str, verdict: bool, strict_judge: Judge
) -> None:
    judgement = strict_judge.judge(assert_problem("f", source), code(text))
    assert judgement.verdict is verdict, judgement.reason


FORGER = """
import sys
def f(n):
    frame = sys._getframe()
    while frame is not None:
        for one in list(frame.f_globals.values()):
            if hasattr(one, "CannotCross"):
                one.pack = lambda *_, **__: FORM
        frame = frame.f_back
    return n
"""


@pytest.mark.parametrize(
    "form",
    [
        "{'time': [1, 2, 3, 4, 0]}",
        "{'datetime': [1]}",
        "{'set': [[]]}",
        "{'no': 1}",
        "{}",
        "{'range': [0, 1, 0]}",
        "{'decimal': 'x'}",
        "{'range': [0, 10**18, 1]}",
        "{'set': [n * (2**61 - 1) for n in range(100000)]}",
        "{'fraction': [{'int': '0x' + '7' * 6000000}, {'int': '0x' + '3' * 6000000}]}",
    ],
)
def test_a_forged_answer_is_a_wrong_one_and_the_judge_goes_on(form: str, judge: Judge) -> None:
    """What writes the answer lies beside the solution, which may write what it likes."""
    problem = assert_problem("f", "assert f(1) == 1")
    assert judge.judge(problem, code(FORGER.replace("FORM", form))).outcomes == (Outcome.RUNTIME_ERROR,)
    assert judge.judge(problem, code("def f(n):\n    return n\n")).verdict is True


TOO_LONG = "def f(n):\n    return 10 ** 30000\n"


def test_what_is_too_long_to_evaluate_is_wrong_where_a_reference_was_not(judge: Judge) -> None:
    for reference, outcome in ((None, Outcome.JUDGE_ERROR), ("def f(n):\n    return n\n", Outcome.WRONG_ANSWER)):
        problem = assert_problem("f", "assert f(7) ** 2 == 49", reference=reference)
        judgement = judge.judge(problem, code(TOO_LONG))
        assert judgement.tamper_proof and judgement.outcomes == (outcome,), judgement.reason


@pytest.mark.parametrize(
    "text",
    [
        "class E(Exception): pass\nE.__name__ = '\\x1b[31mevil\\n<script>'\ndef f(n):\n    raise E('a\\ud800b\\0')\n",
        "def f(n):\n    raise ValueError('\\ud800\\u2028\\x1b[0m' * 1000)\n",
        "def f(n):\n    return type('A\\x1b\\ud800', (), {})()\n",
        "def f(n):\n    return '\\ud800\\x1b\\n'\n",
    ],
)
def test_a_reason_is_one_line_that_can_be_printed_whatever_a_solution_says(text: str, judge: Judge) -> None:
    for problem in (assert_problem("f", "assert f(1) == 1"), function_problem("f", ([1], {"a": 1}))):
        judgement = judge.judge(problem, code(text))
        assert judgement.verdict is False and judgement.reason.isprintable() and len(judgement.reason) < 700
        assert judgement.reason.encode()


def test_a_value_that_cannot_be_compared_is_another(judge: Judge) -> None:
    problem = function_problem("f", ([1], {"1": 2}))
    assert judge.judge(problem, code("def f(n):\n    return {10**5000: 2}\n")).outcomes == (Outcome.WRONG_ANSWER,)


def test_what_can_be_iterated_is_drawn_out_where_the_test_does_that(judge: Judge) -> None:
    problem = assert_problem("f", "assert list(f(3)) == [0, 1, 2]")
    for value in ("deque(range(n))", "dict.fromkeys(range(n)).keys()", "(x for x in range(n))", "numpy.arange(n)"):
        text = f"from collections import deque\nimport numpy\ndef f(n):\n    return {value}\n"
        assert judge.judge(problem, code(text)).verdict is True, value
