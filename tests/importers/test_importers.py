"""Other people's formats: small files of each, every field of them wrong once, and the real ones where they lie beside."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError, RowError
from crl_data.importers import (
    PROBLEM_FORMATS,
    SOLUTION_FORMATS,
    References,
    SetAside,
    Tools,
    read_problems,
    read_solutions,
)
from crl_data.importers.tables import open_tables
from crl_data.judging import Judge
from crl_data.judging.reference import Reference
from crl_data.problems import fault_of
from crl_data.sandbox import open_sandbox
from crl_data.types import Problem, Solution, TestKind
from tests.conftest import PROBLEM_ROW, code, write_rows
from tests.importers import published
from tests.importers.python_rows import ACECODE, BIGCODEBENCH, KODCODE, LEETCODE, OFFICIAL_SOLVE

HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/0",
    "prompt": "def twice(n):\n    '''Twice n.'''\n",
    "entry_point": "twice",
    "canonical_solution": "    return 2 * n\n",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n    assert candidate(0) == 0\n",
}
MBPP: dict[str, Any] = {
    "task_id": 7,
    "text": " Write a function to double a number. ",
    "code": "def helper(n):\r\n    return n\r\ndef twice(n):\r\n    return 2 * helper(n)\r\n",
    "test_setup_code": "",
    "test_list": ["assert twice(2) == 4\r\n", "assert twice(0) == 0"],
    "challenge_test_list": [],
}
QUIXBUGS: dict[str, Any] = {
    "name": "twice",
    "correct": "def twice(n):\n    return 2 * n\n\n'''\nDouble a number.\n'''\n",
    "buggy": "def twice(n):\n    return 2 + n\n",
    "json_testcases": [[[2], 4], [3, 6], [[0], 0]],
    "python_testcase": "import pytest\n\ndef test_twice(input_data, expected):\n    assert twice(*input_data) == expected\n",
}
MAPCODER: dict[str, Any] = {
    "task_id": 11,
    "name": "x",
    "description": "Read n, print 2 n.",
    "difficulty": "interview",
    "sample_io": [{"input": "2\n", "output": ["4"]}],
    "test_list": [{"input": "2\n", "output": ["4"]}, {"input": "0\n", "output": ["0"]}],
    "starter_code": "",
    "responses": ["```python\nprint(2 * int(input()))\n```", "no idea"],
    "is_solved": True,
}
EVALPLUS: dict[str, Any] = {
    "task_id": "HumanEval/0",
    "prompt": "def twice(n):\n    '''Twice n.'''\n",
    "entry_point": "twice",
    "canonical_solution": "    return 2 * n\n",
    "base_input": [[2], [0]],
    "plus_input": [["ab"], [-1]],
    "atol": 0,
}
CODET: dict[str, Any] = {"prompt": HUMANEVAL["prompt"], "samples": ["    return 2 * n\n", "    return n\n"]}
SOLUTION: dict[str, Any] = {"problem_id": "sum", "id": "s", "code": "print(1)\n"}

PROBLEM_ROWS = {
    "problems": PROBLEM_ROW,
    "humaneval": HUMANEVAL,
    "evalplus": EVALPLUS,
    "mbpp": MBPP,
    "quixbugs": QUIXBUGS,
    "acecode": ACECODE,
    "kodcode": KODCODE,
    "bigcodebench": BIGCODEBENCH,
    "leetcode": LEETCODE,
    "critique-verl": OFFICIAL_SOLVE,
    "mapcoder": MAPCODER,
    **published.PROBLEMS,
}
SOLUTION_ROWS = {
    "solutions": SOLUTION,
    "codet": CODET,
    "mapcoder": MAPCODER,
    "quixbugs": QUIXBUGS,
    "acecode": ACECODE,
    **published.SOLUTIONS,
}


@pytest.fixture(scope="module")
def references() -> Iterator[Reference]:
    """References are run behind the walls, as an import does."""
    with Reference(open_sandbox()) as reference:
        yield reference


def refuse(error: RowError) -> None:
    raise error


def unused() -> References:
    raise AssertionError("no reference has to be run for this format")


@dataclass
class Reading:
    """What reading a file gave: problems or solutions, rows set aside, bad rows."""

    found: list[Any] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    bad: list[RowError] = field(default_factory=list)


def problems(form: str, path: Path, references: Reference | None = None, strict: bool = True) -> Reading:
    reading = Reading()
    tools = Tools(lambda: references or unused(), refuse if strict else reading.bad.append)
    for one in read_problems(form, path.name, path.parent, tools):
        if isinstance(one, SetAside):
            reading.aside.append(one)
        else:
            reading.found.append(one)
    return reading


def solutions(form: str, path: Path, of: Sequence[Problem] = (), strict: bool = True) -> Reading:
    reading = Reading()
    tools = Tools(unused, refuse if strict else reading.bad.append)
    by_entry = lambda name: [problem for problem in of if problem.entry_point == name]  # noqa: E731
    reading.found = list(read_solutions(form, path.name, path.parent, tools, by_entry))
    return reading


def only(reading: Reading) -> Any:
    assert len(reading.found) == 1 and not reading.aside and not reading.bad, reading
    return reading.found[0]


def rows(folder: Path, *cells: dict[str, Any], name: str = "a.jsonl") -> Path:
    return write_rows(folder / name, list(cells))


# --- each format -----------------------------------------------------------------------------------------------------


def test_there_is_a_small_input_for_every_format() -> None:
    assert PROBLEM_ROWS.keys() == PROBLEM_FORMATS.keys() and SOLUTION_ROWS.keys() == SOLUTION_FORMATS.keys()


@pytest.mark.parametrize("form", PROBLEM_FORMATS)
def test_the_small_input_is_a_problem_whose_reference_is_right(
    form: str, tmp_path: Path, references: Reference, strict_judge: Judge
) -> None:
    problem = only(problems(form, rows(tmp_path, PROBLEM_ROWS[form]), references))
    assert fault_of(problem) is None and problem.source.dataset
    assert problem.source.license or form in ("critique-verl", "open_r1")  # their cards name none
    if problem.reference:
        assert strict_judge.judge(problem, code(problem.reference)).verdict is True
        if problem.entry_point:
            wrong = f"def {problem.entry_point}(n):\n    return 1\n"
            assert strict_judge.judge(problem, code(wrong)).verdict is False


def test_humaneval_is_one_test_and_its_own_check(tmp_path: Path) -> None:
    problem = only(problems("humaneval", rows(tmp_path, HUMANEVAL)))
    assert (problem.id, problem.entry_point, problem.test_kind) == ("HumanEval/0", "twice", TestKind.ASSERT)
    assert [test.input for test in problem.tests] == ["check(twice)"]
    assert problem.reference == HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"]
    assert problem.question == problem.starter_code == HUMANEVAL["prompt"] and problem.test_setup == HUMANEVAL["test"]


def test_mbpp_is_a_test_an_assert_without_line_ends_of_windows(tmp_path: Path) -> None:
    problem = only(problems("mbpp", rows(tmp_path, MBPP)))
    assert (problem.id, problem.entry_point, problem.public_tests) == ("MBPP/7", "twice", 1)
    assert [test.input for test in problem.tests] == ["assert twice(2) == 4", "assert twice(0) == 0"]
    assert "\r" not in problem.reference and "assert twice(2) == 4" in problem.question
    assert "twice(0)" not in problem.question


def test_mbpp_names_no_entry_point_where_the_tests_call_several(tmp_path: Path) -> None:
    row = {**MBPP, "test_list": ["assert twice(helper(2)) == 4"]}
    assert only(problems("mbpp", rows(tmp_path, row))).entry_point is None


def test_quixbugs_cases_are_calls_and_a_single_argument_may_stand_alone(tmp_path: Path) -> None:
    problem = only(problems("quixbugs", rows(tmp_path, QUIXBUGS)))
    assert (problem.id, problem.test_kind, problem.entry_point) == ("quixbugs/twice", TestKind.FUNCTION, "twice")
    assert [(test.input, test.expected) for test in problem.tests] == [("[2]", "4"), ("[3]", "6"), ("[0]", "0")]
    assert "twice(n)" in problem.question and "Double a number." in problem.question


def test_quixbugs_compares_as_its_own_module_does(tmp_path: Path, strict_judge: Judge) -> None:
    items = {
        **QUIXBUGS,
        "name": "upto",
        "correct": "def upto(n):\n    yield from range(n)\n",
        "json_testcases": [[[2], [0, 1]]],
        "python_testcase": "def test_upto(input_data, expected):\n    assert list(upto(*input_data)) == expected\n",
    }
    near = {
        **QUIXBUGS,
        "name": "root",
        "correct": "def root(x, epsilon):\n    return x ** 0.5 + epsilon / 2\n",
        "json_testcases": [[[4, 0.01], 2.0]],
        "python_testcase": "def test_root(input_data, expected):\n    assert root(*input_data) == pytest.approx(expected, abs=input_data[-1])\n",
    }
    first, second = problems("quixbugs", rows(tmp_path, items, near)).found
    assert first.test_kind is second.test_kind is TestKind.ASSERT
    assert strict_judge.judge(first, code(items["correct"])).verdict is True
    assert strict_judge.judge(first, code("def upto(n):\n    yield 0\n")).verdict is False
    assert strict_judge.judge(second, code(near["correct"])).verdict is True
    assert strict_judge.judge(second, code("def root(x, epsilon):\n    return 2.02\n")).verdict is False


def test_quixbugs_leaves_out_what_its_module_skips_and_sets_aside_what_has_no_cases(tmp_path: Path) -> None:
    module = "def test_twice(input_data, expected):\n    if input_data == [2]:\n        pytest.skip('slow')\n    assert twice(*input_data)\n"
    graph = {**QUIXBUGS, "name": "graph", "json_testcases": None}
    reading = problems("quixbugs", rows(tmp_path, {**QUIXBUGS, "python_testcase": module}, graph))
    assert [test.input for test in reading.found[0].tests] == ["[3]", "[0]"]
    assert reading.found[0].extra == {"cases_left_out": 1}
    assert [one.id for one in reading.aside] == ["quixbugs/graph"]


def test_quixbugs_gives_both_programs(tmp_path: Path) -> None:
    both = solutions("quixbugs", rows(tmp_path, QUIXBUGS)).found
    assert [(one.problem_id, one.id, one.code) for one in both] == [
        ("quixbugs/twice", f"quixbugs/twice/{which}", QUIXBUGS[which]) for which in ("correct", "buggy")
    ]


def test_mapcoder_reads_standard_input(tmp_path: Path) -> None:
    problem = only(problems("mapcoder", rows(tmp_path, MAPCODER)))
    assert (problem.id, problem.test_kind, problem.public_tests, problem.reference) == (
        "apps/11",
        TestKind.STDIN,
        1,
        None,
    )
    assert [(test.input, test.expected) for test in problem.tests] == [("2\n", "4"), ("0\n", "0")]


def test_mapcoder_sets_aside_what_is_called_and_what_takes_several_answers(tmp_path: Path) -> None:
    called = {**MAPCODER, "task_id": 1, "starter_code": "def f(n):"}
    several = {**MAPCODER, "task_id": 3, "test_list": [{"input": "", "output": ["1", "2"]}]}
    reading = problems("mapcoder", rows(tmp_path, called, several))
    assert [one.id for one in reading.aside] == ["apps/1", "apps/3"] and not reading.found


def test_mapcoder_takes_a_problem_of_several_files_once_and_no_other_of_its_name(tmp_path: Path) -> None:
    for name in ("A-Direct-APPS-Python3-0-1.jsonl", "B-CoT-APPS-Python3-0-1.jsonl"):
        rows(tmp_path, {**MAPCODER, "responses": [name]}, MAPCODER, name=name)
    only(problems("mapcoder", tmp_path / "*.jsonl"))
    rows(tmp_path, {**MAPCODER, "description": "another"}, name="C.jsonl")
    with pytest.raises(RowError, match=r"C\.jsonl:1: task_id"):
        problems("mapcoder", tmp_path / "*.jsonl")


def test_mapcoder_answers_are_named_by_model_way_and_number(tmp_path: Path) -> None:
    path = rows(tmp_path, MAPCODER, MAPCODER, name="GPT4-Turbo-CoT-APPS-Python3-0-1.jsonl")
    found = solutions("mapcoder", path).found
    assert [one.id for one in found] == [f"GPT4-Turbo-CoT/11/{n}" for n in range(4)]
    assert {one.problem_id for one in found} == {"apps/11"} and found[0].response == MAPCODER["responses"][0]
    assert found[0].sampler.model == "GPT4-Turbo" and json.loads(found[0].sampler.detail) == {"asked": "CoT"}


def test_codet_samples_go_on_from_their_prompt(tmp_path: Path) -> None:
    problem = only(problems("humaneval", rows(tmp_path, HUMANEVAL)))
    found = solutions("codet", rows(tmp_path, CODET), [problem]).found
    assert [(one.problem_id, one.id, one.code) for one in found] == [
        ("HumanEval/0", f"codegen-16B/HumanEval/0/{n}", HUMANEVAL["prompt"] + sample)
        for n, sample in enumerate(CODET["samples"])
    ]


def test_codet_finds_the_problem_that_is_most_like_the_prompt(tmp_path: Path) -> None:
    other = {
        **HUMANEVAL,
        "task_id": "HumanEval/1",
        "prompt": "def twice(words):\n    '''Every word of a text, said two times.'''\n",
    }
    known = problems("humaneval", rows(tmp_path, HUMANEVAL, other)).found
    helped = {**CODET, "prompt": "def helper():\n    pass\n\n" + other["prompt"]}
    found = solutions("codet", rows(tmp_path, CODET, helped), known).found
    assert [one.problem_id for one in found] == ["HumanEval/0"] * 2 + ["HumanEval/1"] * 2


def test_codet_rows_of_no_known_problem_are_bad_rows(tmp_path: Path) -> None:
    path = rows(tmp_path, {**CODET, "prompt": "def other():\n"}, {**CODET, "prompt": "no function"}, CODET)
    problem = only(problems("humaneval", rows(tmp_path, HUMANEVAL, name="h.jsonl")))
    reading = solutions("codet", path, [problem], strict=False)
    assert len(reading.found) == 2 and [error.field for error in reading.bad] == ["prompt", "prompt"]


def test_evalplus_expects_what_the_canonical_solution_gives(tmp_path: Path, references: Reference) -> None:
    problem = only(problems("evalplus", rows(tmp_path, EVALPLUS), references))
    assert problem.test_kind is TestKind.FUNCTION
    assert [(test.input, test.expected) for test in problem.tests] == [
        ("[2]", "4"),
        ("[0]", "0"),
        ('["ab"]', '"abab"'),
        ("[-1]", "-2"),
    ]


def evalplus(entry: str, body: str, *inputs: list[Any], **more: Any) -> dict[str, Any]:
    head = f"def {entry}({', '.join('ab'[: len(inputs[0])])}):\n"
    return {
        **EVALPLUS,
        "prompt": head,
        "entry_point": entry,
        "canonical_solution": body,
        "base_input": list(inputs),
        "plus_input": {},
        **more,
    }


def test_evalplus_tests_are_asserts_where_json_would_change_a_value(tmp_path: Path, references: Reference) -> None:
    """A tuple is no list, a set has no order, and a key need not be a string."""
    for number, (body, expected) in enumerate(
        [
            ("    return a, a", "(1, 1)"),
            ("    return {a}", "{1}"),
            ("    return {a: a}", "{1: 1}"),
            ("    return float('inf')", "inf"),
        ]
    ):
        row = evalplus("f", body, [1], task_id=f"HumanEval/{number}")
        problem = only(problems("evalplus", rows(tmp_path, row), references))
        assert problem.test_kind is TestKind.ASSERT and expected in problem.tests[0].input


def test_evalplus_floats_are_near_within_the_tolerance_of_the_task(
    tmp_path: Path, references: Reference, strict_judge: Judge
) -> None:
    row = evalplus("f", "    return a / 3", [1], [2], atol=1e-2)
    problem = only(problems("evalplus", rows(tmp_path, row), references))
    for shift, verdict in ((0, True), (0.009, True), (-0.009, True), (0.011, False)):
        judgement = strict_judge.judge(problem, code(f"def f(a):\n    return a / 3 + {shift}\n"))
        assert judgement.verdict is verdict, judgement.reason


def test_evalplus_mbpp_inputs_become_what_they_were(tmp_path: Path, references: Reference) -> None:
    row = evalplus("f", "def f(a, b):\n    return a + b", [[1], [2]], task_id="Mbpp/2", prompt='"""Join."""\n')
    problem = only(problems("evalplus", rows(tmp_path, row), references))
    assert problem.tests[0].input == "assert f((1,), (2,)) == (1, 2)" and problem.question == "Join.\n"


def test_evalplus_inputs_for_which_the_canonical_solution_fails_are_left_out(
    tmp_path: Path, references: Reference
) -> None:
    problem = only(problems("evalplus", rows(tmp_path, evalplus("f", "    return 1 // a", [1], [0], [2])), references))
    assert [test.input for test in problem.tests] == ["[1]", "[2]"] and problem.extra == {"inputs_left_out": 1}
    reading = problems("evalplus", rows(tmp_path, evalplus("f", "    return 1 // 0", [1])), references)
    assert not reading.found and len(reading.aside) == 1 and "ZeroDivisionError" in reading.aside[0].reason
    assert problems("evalplus", rows(tmp_path, evalplus("are_equivalent", "    return 1", [1])), references).aside


# --- rows that are not as the format says ----------------------------------------------------------------------------------

ODD: list[Any] = [
    None,
    3,
    True,
    "",
    "x",
    "def (",
    "\0",
    [],
    [None],
    [3],
    ["x"],
    [[]],
    [[1, 2, 3]],
    {},
    {"input": 1},
    [{"input": "1"}],
    [{"output": ["1"]}],
]
ABSENT = object()
HUGE = 10**400
TOO_DEEP = "-" * 100_000 + "1"


def changed(row: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {key: value if key == name else cell for key, cell in row.items() if key != name or value is not ABSENT}


FIELDS = [(form, name) for form, row in PROBLEM_ROWS.items() for name in row]


@pytest.mark.parametrize(("form", "name"), FIELDS, ids=[f"{form}-{name}" for form, name in FIELDS])
def test_a_row_with_one_odd_field_is_a_problem_set_aside_or_a_bad_row(
    form: str, name: str, tmp_path: Path, references: Reference
) -> None:
    """Never a crash, and never a problem that could not be judged; and the row after it is read."""
    good = {**PROBLEM_ROWS[form]}
    for key, other in (
        ("task_id", 99 if form in ("mbpp", "mapcoder") else "HumanEval/99"),
        ("id", "other"),
        ("problem_id", "other"),
        ("question_id", "other"),
        ("name", "twice"),
    ):
        if key in good and form != "quixbugs":
            good[key] = other
    if form == "leetcode":
        good["problem"] = "Another. " + good["problem"]
    if form == "critique-verl":
        good["prompt"] = [{"role": "user", "content": "Another."}]
    faults = []
    for value in [*ODD, HUGE, TOO_DEEP, ABSENT]:
        path = rows(tmp_path, changed(PROBLEM_ROWS[form], name, value), good)
        try:
            reading = problems(form, path, references, strict=False)
        except Exception as error:
            faults.append((value, repr(error)[:150]))
            continue
        other = (form, name) == ("prime", "ability") and isinstance(value, str)  # rows of other domains are not read
        if len(reading.found) + len(reading.aside) + len(reading.bad) != 2 - other:
            faults.append((value, "a row is lost"))
        faults += [(value, str(fault)) for fault in map(fault_of, reading.found) if fault is not None]
    assert not faults


SOLUTION_FIELDS = [
    ("solutions", "id"),
    ("solutions", "code"),
    ("codet", "prompt"),
    ("codet", "samples"),
    ("mapcoder", "responses"),
    ("acecode", "inferences"),
    ("apps", "solutions"),
    ("codecontests", "solutions"),
    ("codecontests", "incorrect_solutions"),
    ("rstar", "question_id"),
    ("rstar", "code"),
    ("rstar", "is_passed"),
    ("taco", "solutions"),
] + [("quixbugs", name) for name in ("name", "correct", "buggy")]


@pytest.mark.parametrize("form", sorted({form for form, _ in SOLUTION_FIELDS}))
def test_an_answer_that_cannot_be_written_is_a_bad_row(form: str, tmp_path: Path) -> None:
    """A lone surrogate is legal JSON and no text: in an id, in code, in a response."""
    problem = only(problems("humaneval", rows(tmp_path, HUMANEVAL, name="h.jsonl")))
    bad = json.loads(json.dumps(SOLUTION_ROWS[form]).replace("print", "pr\\ud800").replace("return", "\\ud800"))
    assert bad != SOLUTION_ROWS[form]
    (tmp_path / "a.jsonl").write_text(json.dumps(bad) + "\n")
    reading = solutions(form, tmp_path / "a.jsonl", [problem], strict=False)
    assert reading.bad and "lone surrogate" in str(reading.bad[0])
    for one in reading.found:
        f"{one.id}{one.code}{one.response}".encode()


def test_a_row_of_answers_without_an_answer_is_a_bad_row(tmp_path: Path) -> None:
    row = {**SOLUTION_ROWS["rstar"], "code": None, "response": None}
    assert [error.came for error in solutions("rstar", rows(tmp_path, row), strict=False).bad] == ["neither"]


@pytest.mark.parametrize(("form", "name"), SOLUTION_FIELDS, ids=[f"{form}-{name}" for form, name in SOLUTION_FIELDS])
def test_a_bad_row_of_solutions_is_counted_and_the_next_is_read(form: str, name: str, tmp_path: Path) -> None:
    """`on_bad_rows: skip` goes on; every bad row goes through it."""
    problem = only(problems("humaneval", rows(tmp_path, HUMANEVAL, name="h.jsonl")))
    good = len(solutions(form, rows(tmp_path, SOLUTION_ROWS[form]), [problem]).found)
    reading = solutions(
        form, rows(tmp_path, changed(SOLUTION_ROWS[form], name, 3), SOLUTION_ROWS[form]), [problem], strict=False
    )
    assert len(reading.bad) == 1 and len(reading.found) == good
    assert f"{tmp_path / 'a.jsonl'}:1" in str(reading.bad[0]) and name in reading.bad[0].field


@pytest.mark.parametrize("form", PROBLEM_FORMATS)
def test_a_bad_line_is_named_with_its_place(form: str, tmp_path: Path, references: Reference) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n[]\n{\n" + json.dumps(PROBLEM_ROWS[form]) + "\n")
    reading = problems(form, path, references, strict=False)
    assert [error.place for error in reading.bad] == [f"{path}:{n}" for n in (1, 2, 3)] or form == "mapcoder"
    assert len(reading.found) == 1
    with pytest.raises(RowError, match=r"a\.jsonl:1: "):
        problems(form, path, references)


def test_a_format_and_a_file_that_are_not_known_are_named(tmp_path: Path) -> None:
    rows(tmp_path, PROBLEM_ROW)
    with pytest.raises(InputError, match="no format of problems is called 'hf': one of problems, humaneval"):
        problems("hf", tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="no format of solutions is called 'humaneval'"):
        solutions("humaneval", tmp_path / "a.jsonl")
    for name in ("b.jsonl", "*.parquet"):
        with pytest.raises(InputError, match="no "):
            problems("problems", tmp_path / name)


def test_a_pattern_names_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "d.txt"):
        (tmp_path / name).write_text("")

    def names(source: str) -> list[str]:
        return [one["file"].name for one in open_tables(source, tmp_path).described()]

    assert names("*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert names("**/*.jsonl") == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert open_tables(str(tmp_path / "d.txt"), Path("/nowhere")).described() == [{"file": tmp_path / "d.txt"}]


# --- the real files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "files", "found", "aside"),
    [
        ("humaneval", "humaneval/HumanEval.jsonl.gz", 164, 0),
        ("humaneval", "codet/HumanEval_for_code_generation.jsonl.gz", 164, 0),
        ("mbpp", "mbpp/mbpp.jsonl.gz", 974, 0),
        ("quixbugs", "quixbugs/quixbugs.jsonl.gz", 31, 10),
        ("mapcoder", "mapcoder_apps/*.jsonl.gz", None, None),
    ],
)
def test_every_row_of_the_real_files_is_a_problem_or_set_aside(
    form: str, files: str, found: int | None, aside: int | None, shared_data: Path
) -> None:
    reading = problems(form, shared_data / files)
    if found is not None:
        assert (len(reading.found), len(reading.aside)) == (found, aside)
    assert reading.found and all(fault_of(problem) is None for problem in reading.found)
    names = Counter(one.id for one in [*reading.found, *reading.aside])
    assert max(names.values()) == 1


def test_real_answers_are_all_of_a_problem(shared_data: Path) -> None:
    known = problems("humaneval", shared_data / "humaneval" / "HumanEval.jsonl.gz").found
    found: list[Solution] = solutions(
        "codet", shared_data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz", known
    ).found
    assert len(found) == 164 * 20 == len({one.id for one in found})
    assert Counter(one.problem_id for one in found) == {problem.id: 20 for problem in known}
    found = solutions("mapcoder", shared_data / "mapcoder_apps" / "*.jsonl.gz").found
    reading = problems("mapcoder", shared_data / "mapcoder_apps" / "*.jsonl.gz")
    assert {one.problem_id for one in found} == {one.id for one in [*reading.found, *reading.aside]}
    assert len({(one.problem_id, one.id) for one in found}) == len(found) >= 300


@pytest.mark.parametrize("name", ["HumanEvalPlus", "MbppPlus"])
def test_the_first_of_evalplus_are_problems(
    name: str, shared_data: Path, tmp_path: Path, references: Reference
) -> None:
    with gzip.open(shared_data / "evalplus" / f"{name}.jsonl.gz", "rt") as file:
        (tmp_path / "few.jsonl").write_text("".join(next(file) for _ in range(6)))
    reading = problems("evalplus", tmp_path / "few.jsonl", references)
    assert len(reading.found) == 6 and all(fault_of(problem) is None for problem in reading.found)
