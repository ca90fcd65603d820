"""What makes a row a problem: every fault by the name of its field, and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.columns import PROBLEM
from crl_data.problems import fault_of, is_entry_point, is_source
from crl_data.types import Problem, Test, TestKind
from tests.conftest import assert_problem, function_problem, stdin_problem

STDIN = stdin_problem(("1\n", "2\n"), ("2\n", "3\n"))
FUNCTION = function_problem("f", ([1], 2), ([[], {"a": None}], [True, 1.5]))
ASSERT = assert_problem("f", "assert f(1) == 2", "for n in range(3):\n    assert f(n) == n + 1")
PYTEST = Problem(
    id="p",
    question="?",
    test_kind=TestKind.PYTEST,
    tests=(Test(input="test_f"), Test(input="TestCases::test_f"), Test(input="test_f[3]")),
    test_setup="from solution import f\n\ndef test_f():\n    assert f(1) == 2\n\nclass TestCases:\n    test_f = test_f\n",
)
CHECKER = "def check(input, expected, output):\n    return True\n"
FINE = [
    STDIN,
    FUNCTION,
    ASSERT,
    PYTEST,
    replace(STDIN, checker="exact"),
    replace(STDIN, checker="default"),
    replace(STDIN, checker="tokens"),
    replace(STDIN, checker="nocase"),
    replace(STDIN, checker="floats:1e-9"),
    replace(STDIN, checker=CHECKER),
    replace(STDIN, public_tests=0),
    replace(STDIN, public_tests=2),
    replace(STDIN, question="", tests=(Test(input="", expected=""),)),
    replace(STDIN, time_limit_s=0.1, memory_limit_mb=16.0),
    replace(STDIN, reference="def (", starter_code="def f(a, b):"),  # a head alone is no program
    replace(STDIN, id="a/b: c\0é"),
    replace(FUNCTION, entry_point="Solution.f"),
    replace(FUNCTION, entry_point="größe"),
    replace(FUNCTION, tests=(Test(input="[NaN, Infinity]", expected="-Infinity"),)),
    replace(FUNCTION, tests=(Test(input=" []\n", expected="null"),)),
    replace(ASSERT, entry_point=None),
    replace(ASSERT, test_setup=None),
    replace(ASSERT, test_setup="import math\n"),
    replace(ASSERT, tests=(Test(input=""),)),
]
FAULTS: list[tuple[Problem, str, str]] = [
    (replace(STDIN, id=""), "id", "an empty string"),
    (replace(STDIN, tests=()), "tests", "none"),
    (replace(STDIN, public_tests=-1), "public_tests", "-1"),
    (replace(STDIN, public_tests=3), "public_tests", "3"),
    (replace(STDIN, test_kind="Stdin"), "test_kind", "the string 'Stdin'"),  # type: ignore[arg-type]
    (replace(STDIN, time_limit_s=0.0), "time_limit_s", "0.0"),
    (replace(STDIN, time_limit_s=-1.0), "time_limit_s", "-1.0"),
    (replace(STDIN, time_limit_s=float("inf")), "time_limit_s", "inf"),
    (replace(STDIN, time_limit_s=float("nan")), "time_limit_s", "nan"),
    (replace(STDIN, memory_limit_mb=0.0), "memory_limit_mb", "0.0"),
    (replace(STDIN, memory_limit_mb=float("nan")), "memory_limit_mb", "nan"),
    (replace(STDIN, checker="Exact"), "checker", "Exact"),
    (replace(STDIN, checker=""), "checker", "''"),
    (
        replace(STDIN, checker="def check(input, expected, output): return True"),
        "checker",
        "def check",
    ),  # no line break
    (replace(STDIN, checker="floats:-1"), "checker", "floats:-1"),
    (replace(STDIN, checker="def check(\n"), "checker", "SyntaxError"),
    (replace(STDIN, checker="x = '\0'\n"), "checker", "x = "),
    (replace(FUNCTION, entry_point=None), "entry_point", "null"),
    (replace(FUNCTION, entry_point=""), "entry_point", "''"),
    (replace(FUNCTION, entry_point="a.b.c"), "entry_point", "a.b.c"),
    (replace(FUNCTION, entry_point="f()"), "entry_point", "f()"),
    (replace(FUNCTION, entry_point=".f"), "entry_point", ".f"),
    (replace(FUNCTION, entry_point="A."), "entry_point", "A."),
    (replace(FUNCTION, tests=(Test(input="1", expected="1"),)), "tests[0].input", "the number 1"),
    (replace(FUNCTION, tests=(Test(input='{"a": 1}', expected="1"),)), "tests[0].input", "the object"),
    (replace(FUNCTION, tests=(FUNCTION.tests[0], Test(input="[1", expected="1"))), "tests[1].input", "'[1'"),
    (replace(FUNCTION, tests=(Test(input="[(1,)]", expected="1"),)), "tests[0].input", "[(1,)]"),
    (replace(FUNCTION, tests=(Test(input="[1]", expected=""),)), "tests[0].expected", "''"),
    (replace(FUNCTION, tests=(Test(input="[1]", expected="None"),)), "tests[0].expected", "None"),
    (replace(FUNCTION, tests=(Test(input="[" * 100_000, expected="1"),)), "tests[0].input", "[[["),
    (replace(FUNCTION, tests=(Test(input="[1]", expected="1" * 5000),)), "tests[0].expected", "111"),
    (replace(ASSERT, entry_point="f g"), "entry_point", "f g"),
    (replace(ASSERT, test_setup="def ("), "test_setup", "SyntaxError"),
    (replace(ASSERT, tests=(ASSERT.tests[0], Test(input="assert f(1) = 2"))), "tests[1].input", "SyntaxError"),
    (replace(ASSERT, tests=(Test(input="assert f('\0')"),)), "tests[0].input", "assert"),
    (replace(ASSERT, tests=(Test(input="(" * 10_000),)), "tests[0].input", "((("),
    (replace(PYTEST, test_setup=None), "test_setup", "nothing"),
    (replace(PYTEST, test_setup=" \n"), "test_setup", "nothing"),
    (replace(PYTEST, test_setup="def test_f(:\n"), "test_setup", "SyntaxError"),
    (replace(PYTEST, tests=(Test(input="test_f"), Test(input="test_g"))), "tests[1].input", "test_g"),
]


@pytest.mark.parametrize("problem", FINE, ids=repr)
def test_a_problem_is_one(problem: Problem) -> None:
    assert fault_of(problem) is None


@pytest.mark.parametrize(("problem", "field", "came"), FAULTS, ids=lambda value: repr(value)[:40])
def test_a_fault_names_its_field_and_what_came(problem: Problem, field: str, came: str) -> None:
    fault = fault_of(problem)
    assert fault is not None and fault.field == field and came in fault.came
    assert fault.expected and "\n" not in fault.expected + fault.came and len(fault.came) < 400


def test_a_kind_that_is_none_is_shown_as_it_stood_in_the_file() -> None:
    fault = fault_of(replace(STDIN, test_kind="io"), ["io"])  # type: ignore[arg-type]
    assert (
        fault is not None
        and fault.expected == "one of stdin, function, assert, pytest"
        and fault.came == "the list ['io']"
    )


def test_fields_of_other_kinds_are_not_looked_at() -> None:
    assert fault_of(replace(STDIN, entry_point="not a name", test_setup="def (")) is None
    assert fault_of(replace(FUNCTION, checker="nonsense", test_setup="def (")) is None


def test_a_checker_is_source_where_it_has_a_line_break() -> None:
    assert is_source(CHECKER) and is_source("\n")
    assert not is_source(None) and not is_source("") and not is_source("exact")


@given(st.text(max_size=12) | st.sampled_from(["a", "A.b", "a.b.c", "a..b", ".", "a.", "é.ß", "1a", "a b", "if"]))
def test_an_entry_point_is_a_name_or_a_method_of_a_class(name: str) -> None:
    owner, dot, method = name.partition(".")
    assert is_entry_point(name) is (owner.isidentifier() and (not dot or method.isidentifier()))


TEXT = st.text(st.characters(), max_size=15) | st.sampled_from(
    ["[", "[1]", "1", "f", "assert f(1)", "def (", "\n", "floats:1", "x\n"]
)


@given(
    st.sampled_from([*TestKind, "other", ""]),
    st.lists(st.builds(Test, input=TEXT, expected=TEXT), max_size=3).map(tuple),
    st.fixed_dictionaries({name: st.none() | TEXT for name in ("entry_point", "test_setup", "checker")}),
    st.none() | st.integers(),
    st.none() | st.floats(),
)
def test_any_problem_is_one_or_has_a_fault_of_a_column(
    kind: Any, tests: tuple[Test, ...], texts: dict[str, Any], public: int | None, limit: float | None
) -> None:
    problem = Problem(
        id="p", question="?", test_kind=kind, tests=tests, public_tests=public, time_limit_s=limit, **texts
    )
    fault = fault_of(problem)
    if fault is not None:
        assert fault.field.partition("[")[0] in PROBLEM.names() and "\n" not in str(fault.came)
    elif kind == TestKind.FUNCTION:
        assert all(isinstance(json.loads(test.input), list) for test in tests)
