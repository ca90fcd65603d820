"""Formats whose tests are Python source: what becomes of their rows, and that a judge agrees with what the rows say."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import RowError
from crl_data.importers.acecode import names_of
from crl_data.judging import Judge
from crl_data.problems import fault_of
from crl_data.types import TestKind
from tests.conftest import code
from tests.importers.python_rows import (
    ACECODE,
    BIGCODEBENCH,
    HUMANEVAL_PLUS,
    KODCODE,
    MBPP_PLUS,
    SANITIZED_MBPP,
)
from tests.importers.test_importers import changed, only, problems, rows, solutions


@pytest.mark.parametrize(
    ("tests", "modules", "entry"),
    [
        (["assert f(1) == 2"], [], "f"),
        (["assert not f(1)", "assert abs(f(2) - 1) < 2", "assert set(f(x) for x in [1]) == {2}"], [], "f"),
        (["assert math.isclose(f(1), 2)", "assert np.array(f(1)).sum() == 2"], ["math", "np"], "f"),
        (["import math\nassert math.pi < f(1)"], [], "f"),
        (["assert Solution().add(1, 2) == 3", "assert Solution().add(0, 0) == 0"], [], "Solution.add"),
        (["assert Solution().add(1, 2) == 3", "assert Solution().sub(0, 0) == 0"], [], "Solution"),
        (["s = Stack()\ns.push(1)\nassert s.pop() == 1"], [], "Stack"),
        (["assert f(g(1)) == 2"], [], None),
        (["assert f(1) == 2", "assert g(1) == 2"], [], None),
        (["assert string(1) == '1'"], [], "string"),
        (["assert 1 == 1"], [], None),
    ],
)
def test_acecode_tells_the_entry_point_by_the_tree_of_the_asserts(
    tests: list[str], modules: list[str], entry: str | None
) -> None:
    assert names_of(tests) == (modules, entry)


def test_acecode_answers_pass_as_often_as_their_authors_say(tmp_path: Path, judge: Judge) -> None:
    path = rows(tmp_path, ACECODE)
    problem = only(problems("acecode", path))
    assert (problem.test_kind, problem.entry_point, problem.reference) == (TestKind.ASSERT, "twice", None)
    found = solutions("acecode", path).found
    assert [one.id for one in found] == ["m/evol_7/0", "m/evol_7/1"] and found[0].sampler.model == "m"
    for one in found:
        assert judge.judge(problem, one).pass_rate == pytest.approx(one.extra["pass_rate_at_source"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("completion", None), ("model_name", 3), ("completion_id", "0"), ("completion_id", True), ("completion_id", None)],
)
def test_an_inference_of_acecode_that_is_none_is_a_bad_row(field: str, value: Any, tmp_path: Path) -> None:
    row = {**ACECODE, "inferences": [ACECODE["inferences"][0], {**ACECODE["inferences"][1], field: value}]}
    with pytest.raises(RowError, match=rf"a\.jsonl:1: inferences\[1\]\.{field}"):
        solutions("acecode", rows(tmp_path, row))


def test_kodcode_is_a_test_a_function_of_its_module(tmp_path: Path) -> None:
    problem = only(problems("kodcode", rows(tmp_path, KODCODE)))
    assert (problem.id, problem.test_kind, problem.test_setup) == ("Prefill_7_I", TestKind.PYTEST, KODCODE["test"])
    assert [test.input for test in problem.tests] == ["test_two", "test_none"]
    assert problem.extra["gpt_difficulty"] == "medium" and problem.source.license == "cc-by-nc-4.0"


@pytest.mark.parametrize(
    "module",
    [
        '{"stdin": ["2"], "stdout": ["4"]}',
        "from solution import twice\nassert twice(2) == 4\n",
        "import pytest\nfrom solution import twice\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n):\n    twice(n)\n",
        "import pytest\n@pytest.fixture(params=[1, 2])\ndef n(request):\n    return 1\ndef test_it(n):\n    pass\n",
    ],
)
def test_kodcode_sets_aside_what_is_no_list_of_tests(module: str, tmp_path: Path) -> None:
    reading = problems("kodcode", rows(tmp_path, {**KODCODE, "test": module}))
    assert [one.id for one in reading.aside] == ["Prefill_7_I"] and not reading.found


def test_bigcodebench_is_a_module_that_takes_from_the_solution_nothing_but_the_entry_point(
    tmp_path: Path, strict_judge: Judge
) -> None:
    problem = only(problems("bigcodebench", rows(tmp_path, BIGCODEBENCH)))
    assert [test.input for test in problem.tests] == ["TestCases::test_case_1", "TestCases::test_case_2"]
    assert problem.extra == {"libs": ["json", "os"]}
    head = problem.test_setup.partition("import unittest")[0]
    assert head == "import json\nLIMIT = 3\nfrom solution import task_func\n"
    cheat = "class json:\n    loads = lambda text: 6\nLIMIT = 0\ndef task_func(n):\n    return '0'\n"
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True
    assert strict_judge.judge(problem, code(cheat)).pass_rate == 0.5


def test_a_module_of_bigcodebench_may_import_from_the_future(tmp_path: Path, strict_judge: Judge) -> None:
    test = f"from __future__ import annotations\n{BIGCODEBENCH['test']}"
    problem = only(problems("bigcodebench", rows(tmp_path, {**BIGCODEBENCH, "test": test})))
    assert problem.test_setup.startswith("from __future__ import annotations\nimport json\nLIMIT = 3\nfrom solution")
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True


def test_sanitized_mbpp_has_its_own_names_for_the_same(tmp_path: Path, strict_judge: Judge) -> None:
    problem = only(problems("mbpp", rows(tmp_path, SANITIZED_MBPP)))
    assert (problem.id, problem.entry_point, problem.test_setup) == ("MBPP/7", "twice", "import math")
    assert problem.question.startswith("Write a function to double a number.\n")
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True


@pytest.mark.parametrize(
    ("row", "name"), [(HUMANEVAL_PLUS, "HumanEval/7"), (MBPP_PLUS, "Mbpp/7")], ids=["humaneval", "mbpp"]
)
def test_evalplus_scripts_are_a_test_an_input_and_compare_as_the_script_does(
    row: dict[str, Any], name: str, tmp_path: Path, strict_judge: Judge
) -> None:
    problem = only(problems("evalplus", rows(tmp_path, row)))
    assert (problem.id, problem.entry_point) == (name, "twice")
    assert [test.input for test in problem.tests] == [
        "assertion(twice(2), 4, 0)",
        "assertion(twice(0.25), 0.5, 0)",
        "assertion(twice((1, 2)), (1, 2, 1, 2), 0)",
    ]
    assert "inputs" not in problem.test_setup and "def assertion" in problem.test_setup
    for text, passed in (
        (problem.reference, 3),
        ("def twice(n):\n    return 2 * n + 1e-8 if isinstance(n, float) else n * 2\n", 3),
        ("def twice(n):\n    return 2 * n + 1e-5 if isinstance(n, float) else n * 2\n", 2),
        ("def twice(n):\n    return list(n * 2) if isinstance(n, tuple) else n * 2\n", 2),
        ("def assertion(*_):\n    pass\ndef twice(n):\n    return None\n", 0),
    ):
        assert strict_judge.judge(problem, code(text)).n_passed == passed, text


def test_evalplus_scripts_may_compare_with_a_second_implementation(tmp_path: Path, strict_judge: Judge) -> None:
    script = (
        "def assertion(out, exp, atol):\n    assert out == exp\n\ndef ref_func(n):\n    return n + n\n\n"
        "def check(candidate):\n    inputs = [[2], [3]]\n    for i, inp in enumerate(inputs):\n"
        "        assertion(candidate(*inp), ref_func(*inp), 0)\n"
    )
    problem = only(problems("evalplus", rows(tmp_path, {**HUMANEVAL_PLUS, "test": script})))
    assert problem.tests[1].input == "assertion(twice(3), ref_func(3), 0)"
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True
    assert (
        strict_judge.judge(problem, code("def ref_func(n):\n    return 1\ndef twice(n):\n    return 1\n")).n_passed == 0
    )


@pytest.mark.parametrize(
    "script",
    [
        "assert True\n",
        "def check(candidate):\n    pass\n",
        "inputs = [[1], [2]]\nresults = [1]\nfor i, (inp, exp) in enumerate(zip(inputs, results)):\n    twice(*inp)\n",
        "",
    ],
)
def test_evalplus_scripts_of_another_shape_are_set_aside(script: str, tmp_path: Path) -> None:
    for row in (HUMANEVAL_PLUS, MBPP_PLUS):
        reading = problems("evalplus", rows(tmp_path, {**row, "test": script}))
        assert len(reading.aside) == 1 and not reading.found


OTHER_FORMS = {"mbpp": [SANITIZED_MBPP], "evalplus": [HUMANEVAL_PLUS, MBPP_PLUS]}
ODD: list[Any] = [None, 3, True, "", "x", "def (", "\0", [], [None], [3], ["x"], ["def ("], {}, [{"input": 1}]]


@pytest.mark.parametrize(
    ("form", "row", "name"),
    [(form, row, name) for form, known in OTHER_FORMS.items() for row in known for name in row],
)
def test_a_row_of_another_form_with_one_odd_field_is_never_a_crash(
    form: str, row: dict[str, Any], name: str, tmp_path: Path
) -> None:
    for value in ODD:
        reading = problems(form, rows(tmp_path, changed(row, name, value), row), strict=False)
        assert len(reading.found) + len(reading.aside) + len(reading.bad) == 2
        assert not [fault for fault in map(fault_of, reading.found) if fault is not None]


@pytest.mark.parametrize(
    ("form", "file", "found"),
    [
        ("bigcodebench", "bigcodebench/bigcodebench_hard.jsonl.gz", 148),
        ("evalplus", "evalplus/HumanEvalPlus-OriginFmt.jsonl.gz", 30),
        ("evalplus", "evalplus/MbppPlus-OriginFmt.jsonl.gz", 60),
    ],
)
def test_real_rows_are_all_problems(form: str, file: str, found: int, tmp_path: Path, shared_data: Path) -> None:
    with gzip.open(shared_data / file, "rt") as lines:
        (tmp_path / "few.jsonl").write_text("".join(line for line, _ in zip(lines, range(found), strict=False)))
    reading = problems(form, tmp_path / "few.jsonl")
    assert len(reading.found) == found and all(fault_of(problem) is None for problem in reading.found)
    assert len({problem.id for problem in reading.found}) == found
