"""Data sets of tests with texts and values: how each is read, in its published schema, and on the real rows beside."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.errors import RowError
from crl_data.importers import Tools, read_problems, read_solutions
from crl_data.importers.livecodebench import pickled_text
from crl_data.importers.pairs import decoded_calls, number_of
from crl_data.importers.tables import Which, open_tables
from crl_data.judging import Judge
from crl_data.types import Problem, TestKind
from tests.conftest import code
from tests.importers import published
from tests.importers.published import (
    APPS,
    CODECONTESTS,
    CODEFORCES,
    DEEPCODER,
    LIVECODEBENCH,
    METHOD,
    OPEN_R1,
    PRIME,
    PRINTS,
    RSTAR,
    SEED_SFT,
    SYNTHETIC,
    SYNTHETIC_RL,
    TACO,
)
from tests.importers.test_importers import Reading, only, problems, refuse, rows, solutions, unused

APPS_ID = "apps/11-307695dc"


def pairs(problem: Problem) -> list[tuple[str, str]]:
    return [(test.input, test.expected) for test in problem.tests]


def calls(inputs: Any, outputs: Any, **more: Any) -> str:
    return json.dumps({"fn_name": "twice", "inputs": inputs, "outputs": outputs, **more})


def read_tables(form: str, folder: Path, **which: Any) -> Reading:
    """The problems of a folder laid out as the repository of a data set."""
    reading = Reading()
    tables = open_tables(str(folder), Path(), Which(**which))
    for one in read_problems(form, tables, Path(), Tools(unused, reading.bad.append)):
        if isinstance(one, Problem):
            reading.found.append(one)
        else:
            reading.aside.append(one)
    return reading


# --- what the formats have in common --------------------------------------------------------------------------------------


def test_limits_are_numbers_with_their_unit_or_nothing() -> None:
    assert number_of("2.0 seconds", "second") == number_of(" 2 second", "second") == 2.0
    for other in (None, 3, "", "2", "2000 ms", "0 seconds", "two seconds", "1 seconds, 2 seconds"):
        assert number_of(other, "second") is None


def test_results_of_a_function_stand_in_a_list_of_one_and_those_of_a_method_do_not() -> None:
    boxed = decoded_calls("f", [([1], [[2]]), ([2], [None])])
    assert not isinstance(boxed, str) and [test.expected for test in boxed] == ["[2]", "null"]
    bare = decoded_calls("f", [([1], 2), ([2], [3, 4])])
    assert not isinstance(bare, str) and [test.expected for test in bare] == ["2", "[3, 4]"]
    method = decoded_calls("Solution.f", [([1], [2])])
    assert not isinstance(method, str) and [test.expected for test in method] == ["[2]"]
    for mixed in ([([1], [2]), ([2], 3)], [("1", [2])], [([1], [2]), ({"a": 1}, [2])]):
        assert isinstance(decoded_calls("f", mixed), str)


# --- APPS and TACO -------------------------------------------------------------------------------------------------------------


def test_apps_reads_the_first_solution_that_is_python_3(tmp_path: Path) -> None:
    problem = only(problems("apps", rows(tmp_path, APPS)))
    assert (problem.id, problem.test_kind, problem.reference) == (APPS_ID, TestKind.STDIN, PRINTS)
    assert pairs(problem) == [("2\n", "4\n"), ("0\n", "0\n")]
    assert problem.extra == {"difficulty": "interview", "problem_url": APPS["url"]}
    assert problem.starter_code is None and problem.public_tests is None


def test_apps_problems_of_one_number_are_told_apart_wherever_they_stand(tmp_path: Path) -> None:
    """Numbers start anew in each split, and stand for another problem in MapCoder's files too."""
    other = {**APPS, "question": "Read n and print 3 n."}
    (tmp_path / "data").mkdir()
    rows(tmp_path / "data", APPS, name="train.jsonl")
    rows(tmp_path / "data", other, name="test.jsonl")
    both = problems("apps", tmp_path / "data").found
    assert len({one.id for one in both}) == 2 and all(one.id.startswith("apps/11-") for one in both)
    folder = only(problems("apps", rows(tmp_path, {**APPS, "problem_id": "0011"}, name="folder.jsonl")))
    assert folder.id in {one.id for one in both}
    assert {one.problem_id for one in solutions("apps", tmp_path / "data").found} == {one.id for one in both}


def test_apps_lines_may_be_a_list(tmp_path: Path) -> None:
    row = {**APPS, "input_output": json.dumps({"inputs": [["1", "2"]], "outputs": [["3", ""]]})}
    assert pairs(only(problems("apps", rows(tmp_path, row)))) == [("1\n2", "3\n")]


@pytest.mark.parametrize("starter", [published.STARTER, "def twice(n):\n\t"])
def test_apps_calls_are_right_by_their_reference(starter: str, tmp_path: Path, strict_judge: Judge) -> None:
    """LeetCode's results stand bare, Codewars' in a list of one: the reference tells that each is read as it is meant."""
    method = "class" in starter
    tests = calls([[2], [0]], [4, 0] if method else [[4], [0]])
    row = {
        **APPS,
        "starter_code": starter,
        "input_output": tests,
        "solutions": json.dumps([METHOD if method else published.FUNCTION]),
    }
    problem = only(problems("apps", rows(tmp_path, row)))
    assert problem.entry_point == ("Solution.twice" if method else "twice")
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True
    assert strict_judge.judge(problem, code(problem.reference.replace("2 *", "3 *"))).verdict is False


def test_apps_int_keys_that_json_made_strings_are_int_keys_again(tmp_path: Path, strict_judge: Judge) -> None:
    row = {**APPS, "starter_code": "def twice(n):", "input_output": calls([[2]], [[{"2": 4}]])}
    problem = only(problems("apps", rows(tmp_path, row)))
    assert strict_judge.judge(problem, code("def twice(n):\n    return {n: 2 * n}\n")).verdict is True


@pytest.mark.parametrize(
    "value", ["", None, json.dumps({"inputs": [], "outputs": []}), calls(["2"], [[4]]), calls([[2], [0]], [[4], 0])]
)
def test_apps_rows_without_tests_and_calls_in_another_encoding_are_set_aside(value: Any, tmp_path: Path) -> None:
    reading = problems("apps", rows(tmp_path, {**APPS, "input_output": value}))
    assert [one.id for one in reading.aside] == [APPS_ID] and not reading.found


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("{", "input_output"),
        ("[]", "input_output"),
        (json.dumps({"inputs": ["1"], "outputs": []}), "input_output.outputs"),
        (json.dumps({"inputs": ["1", 2], "outputs": ["1", "2"]}), r"input_output.inputs\[1\]"),
        (json.dumps({"inputs": "1", "outputs": []}), "input_output.inputs"),
        (json.dumps({"inputs": ["1"], "outputs": ["1"], "fn_name": 3}), "input_output.fn_name"),
    ],
)
def test_apps_tests_that_are_none_name_the_field(value: str, field: str, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=rf"a\.jsonl:1: {field}: "):
        problems("apps", rows(tmp_path, {**APPS, "input_output": value}))


def test_apps_solutions_are_recorded_answers_with_the_verdict_of_the_source(tmp_path: Path) -> None:
    made = [{"code": "print(4)\n", "result": True}, {"code": "x", "result": -2}]
    found = solutions("apps", rows(tmp_path, {**APPS, "gen_solutions": made})).found
    assert [(one.id, one.extra["solved_at_source"]) for one in found] == [
        (f"{APPS_ID}/people/0", True),
        (f"{APPS_ID}/people/1", True),
        (f"{APPS_ID}/codet5/0", True),
        (f"{APPS_ID}/codet5/1", False),
    ]


def test_real_apps_rows_are_problems_that_hold_and_their_answers_are_judged_as_the_source_says(
    shared_data: Path, judge: Judge
) -> None:
    path = shared_data / "apps_sample" / "apps_train_sample.jsonl.gz"
    found = {problem.id: problem for problem in problems("apps", path).found}
    assert Counter(problem.test_kind for problem in found.values()) == {TestKind.STDIN: 3, TestKind.FUNCTION: 2}
    assert {problem.entry_point for problem in found.values()} == {None, "Solution.findKthPositive", "is_prime"}
    for problem in found.values():  # 2404 takes List for granted, as LeetCode has it
        assert judge.prepare(problem).result().reference_fault == "", problem.id
    answers = solutions("apps", path).found
    assert {answer.problem_id for answer in answers} == found.keys()
    seen = Counter(
        (answer.extra["solved_at_source"], judge.judge(found[answer.problem_id], answer).verdict)
        for answer in answers
        if answer.problem_id.startswith(("apps/4184-", "apps/1-"))
    )
    assert seen[True, True] > 20 and seen[False, True] == 0, seen


def test_taco_has_limits_and_where_a_problem_is_from(tmp_path: Path) -> None:
    problem = only(problems("taco", rows(tmp_path, TACO)))
    assert (problem.time_limit_s, problem.memory_limit_mb, problem.entry_point) == (2.0, 256.0, "twice")
    assert pairs(problem) == [("[2]", "4"), ("[0]", "0")]
    assert problem.extra["problem_source"] == "codewars" and problem.source.dataset == "BAAI/TACO"


def test_taco_names_a_problem_by_its_content_and_takes_it_once(tmp_path: Path) -> None:
    other = {**TACO, "question": "Another."}
    first = problems("taco", rows(tmp_path, TACO, other, TACO, TACO))
    again = problems("taco", rows(tmp_path, other, TACO, name="b.jsonl"))
    assert len(first.found) == 2 and {one.id for one in first.found} == {one.id for one in again.found}
    assert [one.id for one in first.aside] == [f"{first.found[0].id}#2", f"{first.found[0].id}#3"]
    answers = solutions("taco", rows(tmp_path, TACO, other, TACO)).found
    assert {one.problem_id for one in answers} == {one.id for one in first.found} and len(answers) == 2


# --- PRIME, DeepCoder, open-r1 ----------------------------------------------------------------------------------------------------


def test_prime_reads_the_rows_of_code_and_the_question_of_the_user(tmp_path: Path) -> None:
    maths = {**PRIME, "ability": "math", "reward_model": {"style": "rule", "ground_truth": "7"}}
    problem = only(problems("prime", rows(tmp_path, maths, PRIME, maths)))
    assert (problem.question, pairs(problem)) == (published.QUESTION, [("2\n", "4\n")])


def test_prime_calls_are_decoded_lists_whose_results_stand_in_a_list_of_one(
    tmp_path: Path, strict_judge: Judge
) -> None:
    """As in the published rows: {"fn_name": "minFlips", "inputs": [["01010101"], ...], "outputs": [[0], ...]}."""
    truth = {"style": "rule", "ground_truth": calls([["01"], ["11"]], [[0], [1]])}
    problem = only(problems("prime", rows(tmp_path, {**PRIME, "reward_model": truth})))
    right = "def twice(s):\n    return 0 if s == '01' else 1\n"
    assert strict_judge.judge(problem, code(right)).verdict is True
    lines = {"style": "rule", "ground_truth": calls(['"01"'], ["0"])}
    assert problems("prime", rows(tmp_path, {**PRIME, "reward_model": lines})).aside


def test_deepcoder_reads_each_of_its_shapes(tmp_path: Path, strict_judge: Judge) -> None:
    stdin = [{"input": "2\n", "output": "4\n"}]
    lcb = [{"input": "[2]\n3", "output": "4", "testtype": "functional", "metadata": {"func_name": "twice"}}]
    call = [{"type": "function_call", "fn_name": "twice", "input": [[2], 3], "output": [4]}]
    taco = {"fn_name": "twice", "inputs": [[[2], 3]], "outputs": [[4]]}
    for number, (tests, kind) in enumerate(
        [
            (stdin, TestKind.STDIN),
            ([{**stdin[0], "testtype": "stdin"}], TestKind.STDIN),
            ({"inputs": ["2\n"], "outputs": ["4\n"]}, TestKind.STDIN),
            (lcb, TestKind.FUNCTION),
            (call, TestKind.FUNCTION),
            (taco, TestKind.FUNCTION),
        ]
    ):
        right = PRINTS if kind is TestKind.STDIN else "def twice(a, b):\n    return sum(a) + b - 1\n"
        for told in (tests, json.dumps(tests)):
            row = {**DEEPCODER, "tests": told, "solutions": [right]}
            problem = only(problems("deepcoder", rows(tmp_path, row, name=f"{number}.jsonl")))
            assert problem.test_kind is kind and problem.reference == right
            assert strict_judge.judge(problem, code(right)).verdict is True
            assert strict_judge.judge(problem, code(right.replace("2", "3").replace("- 1", ""))).verdict is False


@pytest.mark.parametrize("names", [[None], ["", ""], ["f", "g"], ["f", None]])
def test_tests_that_call_name_one_function(names: list[str | None], tmp_path: Path) -> None:
    """A call of no function is not read as a program's input, and no test is run with another's function."""
    listed = [{"type": "function_call", "fn_name": name, "input": "[2]", "output": "[4]"} for name in names]
    deepcoder = {**DEEPCODER, "tests": json.dumps(listed)}
    open_r1 = {**OPEN_R1, "verification_info": {"language": "python", "test_cases": listed}}
    for form, row in (("deepcoder", deepcoder), ("open_r1", open_r1)):
        with pytest.raises(RowError, match="fn_name: expected one function"):
            problems(form, rows(tmp_path, row))


def test_deepcoder_rows_of_the_config_lcbv5_name_the_function_beside_the_tests(tmp_path: Path) -> None:
    tests = [{"input": "2", "output": "4", "testtype": "functional", "metadata": {}}]
    row = {
        **DEEPCODER,
        "tests": json.dumps(tests),
        "metadata": {"func_name": "twice"},
        "starter_code": published.STARTER,
    }
    assert only(problems("deepcoder", rows(tmp_path, row))).entry_point == "Solution.twice"


def test_deepcoder_lists_of_different_lengths_are_a_bad_row_and_never_filled_up(tmp_path: Path) -> None:
    for tests in ({"inputs": ["1", "2"], "outputs": ["1"]}, {"inputs": ["1"], "outputs": ["1", "2"]}):
        with pytest.raises(RowError, match=r"tests\.outputs: expected"):
            problems("deepcoder", rows(tmp_path, {**DEEPCODER, "tests": json.dumps(tests)}))


@pytest.mark.parametrize(
    ("name", "found", "aside"),
    [
        ("test_code_contests", 165, 0),
        ("test_codeforces", 408, 0),
        ("test_leetcode", 0, 97),
        ("train_leetcode", 0, 1771),
    ],
)
def test_every_real_row_of_deepcoder_is_a_problem_or_set_aside(
    name: str, found: int, aside: int, shared_data: Path
) -> None:
    reading = problems("deepcoder", shared_data / "rllm_code" / f"{name}.jsonl.gz", strict=False)
    assert (len(reading.found), len(reading.aside), reading.bad) == (found, aside, [])


def test_open_r1_verification_info_is_a_struct_or_json(tmp_path: Path) -> None:
    for told in (OPEN_R1["verification_info"], json.dumps(OPEN_R1["verification_info"])):
        problem = only(problems("open_r1", rows(tmp_path, {**OPEN_R1, "verification_info": told})))
        assert pairs(problem) == [("2\n", "4\n")] and problem.reference == PRINTS
        assert (problem.time_limit_s, problem.memory_limit_mb, problem.id) == (1.5, 256.0, "open-r1/vcp_1")


def test_open_r1_calls_are_json_of_decoded_calls_or_set_aside(tmp_path: Path, strict_judge: Judge) -> None:
    case = {"fn_name": "twice", "input": "[2]", "output": "[4]", "type": "function_call"}
    row = {**OPEN_R1, "gold_standard_solution": published.FUNCTION}
    problem = only(
        problems("open_r1", rows(tmp_path, {**row, "verification_info": {"language": "python", "test_cases": [case]}}))
    )
    assert strict_judge.judge(problem, code(problem.reference)).verdict is True
    for other in ("2", "(2,)", "n = 2"):
        info = {"language": "python", "test_cases": [{**case, "input": other}]}
        assert problems("open_r1", rows(tmp_path, {**row, "verification_info": info})).aside
    number = {
        "language": "python",
        "test_cases": [{"fn_name": None, "input": 2, "output": "4", "type": "stdin_stdout"}],
    }
    with pytest.raises(RowError, match=r"verification_info\.test_cases\.inputs\[0\]: expected a text"):
        problems("open_r1", rows(tmp_path, {**row, "verification_info": number}))
    info = {"language": "javascript", "test_cases": [case]}
    assert (
        problems("open_r1", rows(tmp_path, {**row, "verification_info": info})).aside[0].reason.endswith("javascript")
    )


# --- LiveCodeBench ------------------------------------------------------------------------------------------------------------------


def test_livecodebench_calls_are_lines_and_private_tests_may_be_packed(tmp_path: Path, strict_judge: Judge) -> None:
    plain = {
        **LIVECODEBENCH,
        "private_test_cases": json.dumps([{"input": "0", "output": "0", "testtype": "functional"}]),
    }
    for row in (LIVECODEBENCH, plain):
        problem = only(problems("livecodebench", rows(tmp_path, row)))
        assert pairs(problem) == [("[2]", "4"), ("[0]", "0")]
        assert (problem.entry_point, problem.public_tests) == ("Solution.twice", 1)
        assert strict_judge.judge(problem, code(METHOD)).verdict is True
    assert problem.extra["contest_date"] == "2023-08-21T00:00:00" and problem.extra["question_id"] == "2727"


def test_livecodebench_arguments_are_a_line_each(tmp_path: Path) -> None:
    case = [{"input": '[1, 2]\n"a\\nb"', "output": "true", "testtype": "functional"}]
    row = {**LIVECODEBENCH, "public_test_cases": json.dumps(case), "private_test_cases": "[]"}
    assert pairs(only(problems("livecodebench", rows(tmp_path, row)))) == [('[[1, 2], "a\\nb"]', "true")]


def test_livecodebench_reads_standard_input(tmp_path: Path) -> None:
    case = [{"input": "2\n", "output": "4\n", "testtype": "stdin"}]
    row = {
        **LIVECODEBENCH,
        "public_test_cases": json.dumps(case),
        "private_test_cases": published.packed(case),
        "metadata": "{}",
        "starter_code": "",
    }
    problem = only(problems("livecodebench", rows(tmp_path, row)))
    assert (problem.test_kind, problem.entry_point, pairs(problem)) == (TestKind.STDIN, None, [("2\n", "4\n")] * 2)


class _Runs:
    """Pickles as a call that leaves a file behind where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "made", [lambda path: _Runs(path), lambda path: {"a": [1]}, lambda path: b"[]", lambda path: None]
)
def test_of_a_pickle_nothing_is_taken_but_a_string(made: Callable[[Path], Any], tmp_path: Path) -> None:
    evil = base64.b64encode(zlib.compress(pickle.dumps(made(tmp_path / "ran")))).decode()
    with pytest.raises(RowError, match="private_test_cases: expected"):
        problems("livecodebench", rows(tmp_path, {**LIVECODEBENCH, "private_test_cases": evil}))
    assert not (tmp_path / "ran").exists()


def test_what_a_packed_test_unpacks_to_is_bounded(tmp_path: Path) -> None:
    bomb = base64.b64encode(zlib.compress(pickle.dumps("[" + " " * (17 << 20) + "]"))).decode()
    path = rows(tmp_path, {**LIVECODEBENCH, "private_test_cases": bomb})
    tools = Tools(unused, refuse, max_field_mb=1)
    with pytest.raises(RowError, match=r"private_test_cases: .*more than 16 MB when unpacked"):
        list(read_problems("livecodebench", str(path), Path(), tools))
    assert problems("livecodebench", path).found


@given(st.text(max_size=300), st.integers(0, 400), st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_a_pickled_string_is_that_string(text: str, times: int, protocol: int) -> None:
    assert pickled_text(pickle.dumps(text * times, protocol)) == text * times


@given(st.binary(max_size=60))
def test_no_bytes_are_taken_for_a_string_that_pickle_would_not_read_so(data: bytes) -> None:
    """Reading by hand is as strict: what gives a text here gives the same there."""
    for tried in (data, b"\x80\x04" + data, pickle.dumps("ab")[:-1] + data):
        try:
            found = pickled_text(tried)
        except ValueError:
            continue
        assert pickle.loads(tried) == found


def test_a_pickle_that_asks_for_memory_is_refused() -> None:
    """BYTEARRAY8 with a length of 64 GB: `pickle` reserves it before it looks at what follows."""
    with pytest.raises(ValueError, match="no pickle of one string"):
        pickled_text(b"\x80\x05\x96" + (64 << 30).to_bytes(8, "little") + b".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_test_cases", json.dumps([{"input": "2", "output": "4", "testtype": "stdin"}])),
        ("public_test_cases", json.dumps([{"input": "2", "output": "4"}])),
        ("public_test_cases", json.dumps([{"input": "two", "output": "4", "testtype": "functional"}])),
        ("public_test_cases", json.dumps([{"input": "2", "output": "four", "testtype": "functional"}])),
        ("metadata", "{}"),
        ("private_test_cases", "[1]"),
        ("private_test_cases", "é"),
        ("private_test_cases", base64.b64encode(zlib.compress(pickle.dumps("{}"))[:-4]).decode()),
    ],
)
def test_livecodebench_tests_that_are_none_are_bad_rows(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"a\.jsonl:1: "):
        problems("livecodebench", rows(tmp_path, {**LIVECODEBENCH, name: value}))


# --- CodeContests -------------------------------------------------------------------------------------------------------------------


def test_codecontests_tests_stand_in_order_and_the_limits_are_its_own(tmp_path: Path, strict_judge: Judge) -> None:
    problem = only(problems("codecontests", rows(tmp_path, CODECONTESTS)))
    assert pairs(problem) == [("2\n", "4\n"), ("0\n", "0\n"), ("7\n", "14\n"), ("9\n", "18\n")]
    assert (problem.public_tests, problem.time_limit_s, problem.reference) == (1, 2.5, PRINTS)
    assert problem.memory_limit_mb == pytest.approx(244.14, abs=0.01) and problem.extra["tests_generated"] == 2
    assert problem.extra["problem_source"] == 2 and problem.id == "codecontests/1_A. Twice"
    unlimited = {**CODECONTESTS, "time_limit": None, "memory_limit_bytes": 0}
    problem = only(problems("codecontests", rows(tmp_path, unlimited)))
    assert problem.time_limit_s is None and problem.memory_limit_mb is None


def test_codecontests_sets_aside_what_works_on_files_and_what_has_no_tests(tmp_path: Path) -> None:
    none: dict[str, Any] = {"input": [], "output": []}
    for change in (
        {"input_file": "in.txt"},
        {"output_file": "out.txt"},
        dict.fromkeys(("public_tests", "private_tests", "generated_tests"), none),
    ):
        reading = problems("codecontests", rows(tmp_path, {**CODECONTESTS, **change}))
        assert len(reading.aside) == 1 and not reading.found


def test_codecontests_submissions_in_python_3_are_labelled_candidates(tmp_path: Path) -> None:
    found = solutions("codecontests", rows(tmp_path, CODECONTESTS)).found
    assert [(one.id.rpartition("Twice/")[2], one.code, one.extra["solved_at_source"]) for one in found] == [
        ("solutions/2", "def (", True),
        ("solutions/3", PRINTS, True),
        ("incorrect_solutions/1", "print(input())\n", False),
    ]


def test_codecontests_is_read_from_parquet_with_structs_of_lists(tmp_path: Path) -> None:
    texts = pa.list_(pa.string())
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("description", pa.string()),
            *(
                (name, pa.struct([("input", texts), ("output", texts)]))
                for name in ("public_tests", "private_tests", "generated_tests")
            ),
            *(
                (name, pa.struct([("language", pa.list_(pa.int64())), ("solution", texts)]))
                for name in ("solutions", "incorrect_solutions")
            ),
            ("time_limit", pa.struct([("seconds", pa.int64()), ("nanos", pa.int64())])),
            ("memory_limit_bytes", pa.int64()),
            ("input_file", pa.string()),
            ("output_file", pa.string()),
        ]
    )
    pq.write_table(pa.Table.from_pylist([CODECONTESTS], schema=schema), tmp_path / "train-00000-of-00001.parquet")
    from_lines = only(problems("codecontests", rows(tmp_path, CODECONTESTS)))
    from_parquet = only(problems("codecontests", tmp_path / "train-00000-of-00001.parquet"))
    assert from_parquet.tests == from_lines.tests and from_parquet.time_limit_s == 2.5
    assert from_parquet.reference == PRINTS


# --- Codeforces ---------------------------------------------------------------------------------------------------------------------


def test_codeforces_examples_are_public_and_cut_tests_are_left_out_and_counted(tmp_path: Path) -> None:
    problem = only(problems("codeforces", rows(tmp_path, CODEFORCES)))
    assert pairs(problem) == [("2\n", "4\n"), ("0\n", "0\n")] and problem.public_tests == 1
    assert problem.extra == {"rating": 800, "tests_cut": 1, "tests_generated": 0}
    assert (problem.time_limit_s, problem.memory_limit_mb) == (2.0, 256.0)
    for part in ("Twice", "You are given n.", "One number n.", "2 n.", "Mind the zero.", "Input:\n2\n"):
        assert part in problem.question
    whole = only(problems("codeforces", rows(tmp_path, {**CODEFORCES, "official_tests_complete": True})))
    assert len(whole.tests) == 3 and whole.extra["tests_cut"] == 0


def test_codeforces_checkers_decide(tmp_path: Path, strict_judge: Judge) -> None:
    near = "import sys\na, b = (float(open(sys.argv[n]).read()) for n in (2, 3))\nprint(int(abs(a - b) <= 1))\n"
    problem = only(problems("codeforces", rows(tmp_path, {**CODEFORCES, "generated_checker": near})))
    assert strict_judge.judge(problem, code("print(2 * int(input()) + 1)\n")).verdict is True
    assert strict_judge.judge(problem, code("print(2 * int(input()) + 2)\n")).verdict is False
    plain = only(problems("codeforces", rows(tmp_path, {**CODEFORCES, "generated_checker": None})))
    assert plain.checker is None and strict_judge.judge(plain, code(PRINTS)).verdict is True
    with pytest.raises(RowError, match="generated_checker: expected a Python script"):
        problems("codeforces", rows(tmp_path, {**CODEFORCES, "generated_checker": "int main() {"}))


def test_codeforces_sets_aside_files_talks_and_problems_of_cut_tests_only(tmp_path: Path) -> None:
    for change in (
        {"input_mode": "file"},
        {"interaction_format": "Ask."},
        {"examples": [], "official_tests": [{"input": "1...", "output": "2"}]},
    ):
        reading = problems("codeforces", rows(tmp_path, {**CODEFORCES, **change}))
        assert len(reading.aside) == 1 and not reading.found


def test_codeforces_generated_tests_are_joined_where_they_lie_beside(tmp_path: Path) -> None:
    for name in ("data", "generated_tests", "verifiable"):
        (tmp_path / name).mkdir()
    other = {**CODEFORCES, "id": "10/A", "contest_id": "10"}
    rows(tmp_path / "data", CODEFORCES, other, name="train-00000-of-00001.jsonl")
    rows(tmp_path / "verifiable", other, name="train-00000-of-00001.jsonl")
    made = [
        {"problem_id": "852/A", "input": "8\n", "output": "16\n", "test_i": 1},
        {"problem_id": "852/B", "input": "", "output": "", "test_i": 1},
    ]
    pq.write_table(pa.Table.from_pylist(made), tmp_path / "generated_tests" / "test_cases_0852.parquet")
    reading = read_tables("codeforces", tmp_path)
    assert not reading.bad and [len(problem.tests) for problem in reading.found] == [3, 2]
    assert pairs(reading.found[0])[-1] == ("8\n", "16\n") and reading.found[0].extra["tests_generated"] == 1
    assert [problem.id for problem in read_tables("codeforces", tmp_path, config="verifiable").found] == [
        "codeforces/10/A"
    ]


# --- rStar-Coder --------------------------------------------------------------------------------------------------------------------


def rstar(folder: Path, seeds: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> Path:
    """A copy of the data set's repository: a folder a config, Parquet files with large strings."""
    for name, found in {"seed_testcase": seeds, **tables}.items():
        (folder / name).mkdir()
        kinds = {
            column: pa.large_string() if isinstance(value, str) else pa.bool_() for column, value in found[0].items()
        }
        pq.write_table(
            pa.Table.from_pylist(found, schema=pa.schema(kinds)), folder / name / "data-00000-of-00001.parquet"
        )
    return folder


def test_rstar_seeds_get_the_first_passed_program_that_is_python_3(tmp_path: Path, strict_judge: Judge) -> None:
    answers = [
        {**SEED_SFT, "is_passed": False, "code": "def wrong(): pass"},
        {**SEED_SFT, "code": published.PYTHON2},
        SEED_SFT,
        {**SEED_SFT, "code": "def later(): pass"},
    ]
    lonely = {**RSTAR, "question_id": "seed_2"}
    folder = rstar(tmp_path, [RSTAR, lonely], seed_sft=answers)
    reading = read_tables("rstar", folder, config="seed_testcase")
    first, second = reading.found
    assert (first.id, first.reference, first.entry_point) == ("rstar/seed_1", METHOD, "Solution.twice")
    assert second.reference is None and first.extra == {"tests_synthesized": 1}
    assert strict_judge.judge(first, code(first.reference)).verdict is True
    assert read_tables("rstar", folder).found == reading.found


def test_rstar_synthetic_problems_are_joined_with_the_source_of_their_seed(tmp_path: Path) -> None:
    folder = rstar(
        tmp_path, [RSTAR], synthetic_rl_testcase=[SYNTHETIC], synthetic_rl=[SYNTHETIC_RL], seed_sft=[SEED_SFT]
    )
    (problem,) = read_tables("rstar", folder, config="synthetic_rl_testcase").found
    assert (problem.id, problem.test_kind, problem.reference) == ("rstar/synthetic_1", TestKind.STDIN, None)
    assert problem.extra == {"seed_source": "codeforces"} and pairs(problem) == [("2\n", "4\n"), ("0\n", "0\n")]


def test_rstar_tables_alone_are_read_without_their_partner(tmp_path: Path) -> None:
    assert only(problems("rstar", rows(tmp_path, RSTAR))).reference is None
    assert only(problems("rstar", rows(tmp_path, SYNTHETIC))).extra == {}


@pytest.mark.parametrize(
    ("starter", "inputs"),
    [
        ("def f(a, b):", ['{"b": 2, "a": [1]}', "[[1], 2]", "[1]\n2", "[1]\n2\n", [[1], 2], {"a": [1], "b": 2}]),
        ("def f(a):", ["[[1], 2]", '{"a": [[1], 2]}', [[[1], 2]]]),
    ],
)
def test_rstar_arguments_are_told_by_the_parameters_of_the_starter_code(
    starter: str, inputs: list[Any], tmp_path: Path
) -> None:
    row = {**RSTAR, "starter_code": starter, "func_name": "f", "class_name": "", "is_synthesized": ""}
    row |= {"inputs": json.dumps(inputs), "outputs": json.dumps(["3"] * len(inputs))}
    problem = only(problems("rstar", rows(tmp_path, row)))
    expected = "[[1], 2]" if "b" in starter else "[[[1], 2]]"
    assert pairs(problem) == [(expected, "3")] * len(inputs) and problem.entry_point == "f"


@pytest.mark.parametrize(
    ("given_", "expected", "starter"),
    [
        ("assert f(1) == 2", "2", "def f(a):"),
        ("a = 1", "2", "def f(a):"),
        ("[1, 2, 3]", "2", "def f(a, b):"),
        ("1", "2", "def f(a, b):"),
        ('{"c": 1, "b": 2}', "2", "def f(a, b):"),
        ([1, 2], "2", "def f(a):"),
        ("1", "two", "def f(a):"),
        ("1", "2", "def g(a):"),
        ("1", "2", ""),
    ],
)
def test_rstar_calls_that_are_written_in_no_known_way_are_set_aside(
    given_: Any, expected: str, starter: str, tmp_path: Path
) -> None:
    row = {**RSTAR, "starter_code": starter, "func_name": "f", "class_name": ""}
    row |= {"inputs": json.dumps([given_]), "outputs": json.dumps([expected]), "is_synthesized": "[false]"}
    reading = problems("rstar", rows(tmp_path, row))
    assert len(reading.aside) == 1 and not reading.found and "encoding" in reading.aside[0].reason


@pytest.mark.parametrize(
    ("name", "value"), [("inputs", "["), ("inputs", "{}"), ("outputs", '["1"]'), ("is_synthesized", "[true]")]
)
def test_rstar_lists_that_are_none_or_do_not_fit_are_bad_rows(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=rf"a\.jsonl:1: {name}: expected"):
        problems("rstar", rows(tmp_path, {**RSTAR, name: value}))


def test_rstar_answers_are_the_rows_of_seed_sft_with_the_source_s_verdict(tmp_path: Path) -> None:
    folder = rstar(tmp_path, [RSTAR], seed_sft=[SEED_SFT, {**SEED_SFT, "is_passed": False}])
    tables = open_tables(str(folder), Path(), Which())
    found = list(read_solutions("rstar", tables, Path(), Tools(unused, refuse), lambda name: []))
    assert [(one.problem_id, one.id, one.code, one.extra["solved_at_source"]) for one in found] == [
        ("rstar/seed_1", "rstar/seed_1/0", METHOD, True),
        ("rstar/seed_1", "rstar/seed_1/1", METHOD, False),
    ]


def test_a_bad_row_of_the_other_table_goes_where_bad_rows_go(tmp_path: Path) -> None:
    (tmp_path / "seed_testcase").mkdir()
    (tmp_path / "seed_sft").mkdir()
    rows(tmp_path / "seed_testcase", RSTAR)
    rows(tmp_path / "seed_sft", {**SEED_SFT, "is_passed": "yes"}, SEED_SFT)
    reading = read_tables("rstar", tmp_path)
    assert [error.field for error in reading.bad] == ["is_passed"] and reading.found[0].reference == METHOD


def test_text_of_the_other_table_that_cannot_be_written_is_a_fault_of_the_problem(tmp_path: Path) -> None:
    for name, row in (
        ("synthetic_rl_testcase", SYNTHETIC),
        ("synthetic_rl", {**SYNTHETIC_RL, "seed_source": "\ud800"}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(json.dumps(row) + "\n")
    assert [error.field for error in read_tables("rstar", tmp_path).bad] == ["seed_source"]


# --- all of them --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", published.PROBLEMS)
def test_text_that_cannot_be_written_is_a_bad_row(form: str, tmp_path: Path) -> None:
    """A lone surrogate is legal JSON and no text."""
    name = next(
        name
        for name in ("question", "problem", "question_content", "description", "problem_statement", "prompt")
        if name in published.PROBLEMS[form]
    )
    value = [{"role": "user", "content": "\ud800"}] if name == "prompt" else "\ud800"
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**published.PROBLEMS[form], name: value}) + "\n")
    with pytest.raises(RowError, match=r"a\.jsonl:1: question: expected text, got a lone surrogate"):
        problems(form, path)
