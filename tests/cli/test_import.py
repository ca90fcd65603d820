"""`crl-data import`: known formats to Problem rows, by the real command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data.columns import PROBLEM
from tests.cli.conftest import assert_one_line, files_in
from tests.conftest import PROBLEM_ROW, Command, read_rows, write_rows

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def add(a, b):\n    """The sum of a and b."""\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(0, 0) == 0\n",
}
MBPP = {
    "task_id": 2,
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\r\n    return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(-1, 1) == 0"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
QUIXBUGS = {
    "name": "gcd",
    "correct": "def gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)\n",
    "buggy": "def gcd(a, b):\n    return a if b == 0 else gcd(a % b, b)\n",
    "json_testcases": [[[4, 6], 2], [[7, 3], 1], [[5, 0], 5]],
    "python_testcase": "def test_gcd(input_data, expected):\n    assert gcd(*input_data) == expected\n",
}
GRAPH = {"name": "topological", "correct": "x = 1\n", "buggy": "x = 2\n", "json_testcases": None, "python_testcase": ""}
MAPCODER = {
    "task_id": 7,
    "description": "Read two integers and print their sum.",
    "test_list": [{"input": "1 2\n", "output": ["3\n"]}, {"input": "0 0\n", "output": ["0\n"]}],
    "starter_code": "",
    "sample_io": [{"input": "1 2\n", "output": ["3\n"]}],
    "difficulty": "introductory",
    "responses": [],
}
ROWS: dict[str, dict[str, Any]] = {
    "problems": PROBLEM_ROW,
    "humaneval": HUMANEVAL,
    "mbpp": MBPP,
    "quixbugs": QUIXBUGS,
    "mapcoder": MAPCODER,
}
FOUND = {
    "problems": ("sum", "stdin", 6),
    "humaneval": ("HumanEval/0", "assert", 1),
    "mbpp": ("MBPP/2", "assert", 3),
    "quixbugs": ("quixbugs/gcd", "function", 3),
    "mapcoder": ("apps/7", "stdin", 2),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_a_known_format_becomes_a_problem_that_is_valid(crl_data: Command, tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / "in.jsonl", [ROWS[name]])
    done = crl_data("import", name, "in.jsonl", "--out", "out.jsonl")
    assert done.returncode == 0, done.stderr
    (row,) = read_rows(tmp_path / "out.jsonl")
    assert (row["id"], row["test_kind"], len(row["tests"])) == FOUND[name]
    assert row["source"]["dataset"] and row["source"]["license"] and set(PROBLEM.names()) <= row.keys()
    valid = crl_data("validate", "out.jsonl")
    assert valid.returncode == 0, valid.stdout


@pytest.mark.parametrize("name", [name for name in ROWS if name != "mapcoder"])
def test_verify_runs_every_reference(crl_data: Command, tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / "in.jsonl", [ROWS[name]])
    done = crl_data("import", name, "in.jsonl", "--out", "out.jsonl", "--verify", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["holding"] == 1 and not told.get("failing") and told["notes"] == []


def test_a_reference_that_fails_is_named_with_its_reason(crl_data: Command, tmp_path: Path) -> None:
    wrong = {**PROBLEM_ROW, "id": "wrong", "reference": "print(0)\n"}
    write_rows(tmp_path / "in.jsonl", [PROBLEM_ROW, wrong, {**PROBLEM_ROW, "id": "none", "reference": None}])
    done = crl_data("import", "problems", "in.jsonl", "--out", "out.jsonl", "--verify")
    assert done.returncode == 0 and len(read_rows(tmp_path / "out.jsonl")) == 3
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("wrong: ")]
    assert "its own reference fails: test 1: wrong answer" in line
    assert "1 hold, 1 do not, 1 have no reference" in done.stdout


def test_without_verify_nothing_is_run(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, "reference": "print(0)\n"}])
    done = crl_data("import", "problems", "in.jsonl", "--out", "out.jsonl", "--json")
    assert done.returncode == 0 and "holding" not in json.loads(done.stdout)


@pytest.mark.parametrize(("libraries", "holding"), [((), 1), (("--libraries", ""), 0)])
def test_references_may_import_the_libraries_that_are_named(
    libraries: tuple[str, ...], holding: int, crl_data: Command, tmp_path: Path
) -> None:
    reference = "import numpy\nprint(numpy.array([*map(int, input().split())]).sum())\n"
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, "reference": reference}])
    done = crl_data("import", "problems", "in.jsonl", "--out", "out.jsonl", "--verify", "--json", *libraries)
    assert json.loads(done.stdout).get("holding", 0) == holding, done.stdout


def test_a_library_that_is_not_installed_is_one_line(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [PROBLEM_ROW])
    done = crl_data("import", "problems", "in.jsonl", "--out", "out.jsonl", "--verify", "--libraries", "no_such")
    assert_one_line(done, 1, "no_such")


def test_rows_that_make_no_problem_are_set_aside_with_the_reason(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [GRAPH, QUIXBUGS])
    done = crl_data("import", "quixbugs", "in.jsonl", "--out", "out.jsonl", "--json")
    told = json.loads(done.stdout)
    assert (told["read"], told["problems"], told["set aside"]) == (2, 1, 1)
    assert told["notes"][0]["id"] == "quixbugs/topological" and "pytest" in told["notes"][0]["reason"]


def test_a_problem_to_be_called_with_lines_of_text_is_set_aside(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{**MAPCODER, "task_id": 8, "starter_code": "def solve(a):\n"}, MAPCODER])
    done = crl_data("import", "mapcoder", "in.jsonl", "--out", "out.jsonl")
    assert "apps/8: call-based" in done.stdout and len(read_rows(tmp_path / "out.jsonl")) == 1


def test_a_source_in_which_every_row_is_set_aside_is_an_error_and_no_file(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [GRAPH])
    before = files_in(tmp_path)
    assert_one_line(crl_data("import", "quixbugs", "in.jsonl", "--out", "out.jsonl"), 2, "in.jsonl: ", "quixbugs")
    assert files_in(tmp_path) == before


def test_limit_takes_the_first_rows_and_reads_no_further(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, "id": f"p{n}"} for n in range(5)])
    with (tmp_path / "in.jsonl").open("a") as file:
        file.write("not JSON\n")
    assert crl_data("import", "problems", "in.jsonl", "--out", "out.jsonl", "--limit", "3").returncode == 0
    assert [row["id"] for row in read_rows(tmp_path / "out.jsonl")] == ["p0", "p1", "p2"]


def test_a_pattern_names_several_files_in_the_order_of_their_names(crl_data: Command, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_rows(tmp_path / f"{name}.jsonl", [{**PROBLEM_ROW, "id": name}])
    assert crl_data("import", "problems", "*.jsonl", "--out", "out.parquet").returncode == 0
    assert crl_data("import", "problems", "out.parquet", "--out", "again.jsonl").returncode == 0
    assert [row["id"] for row in read_rows(tmp_path / "again.jsonl")] == ["a", "b", "c"]


def test_columns_that_are_not_known_survive_parquet_and_back(crl_data: Command, tmp_path: Path) -> None:
    extra = {"difficulty": "easy", "rank": 3, "tags": ["a", "b"], "author": {"name": "é", "age": None}, "ok": True}
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, **extra}])
    assert crl_data("import", "problems", "in.jsonl", "--out", "out.parquet").returncode == 0
    assert crl_data("import", "problems", "out.parquet", "--out", "again.jsonl").returncode == 0
    (row,) = read_rows(tmp_path / "again.jsonl")
    assert {name: row[name] for name in extra} == extra


def test_columns_that_change_their_type_from_row_to_row_lose_nothing(crl_data: Command, tmp_path: Path) -> None:
    values: list[Any] = [1, "one", [1], {"n": 1}, None, 1.5, True]
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, "id": f"p{n}", "x": value} for n, value in enumerate(values)])
    assert crl_data("import", "problems", "in.jsonl", "--out", "out.parquet").returncode == 0
    assert crl_data("import", "problems", "out.parquet", "--out", "again.jsonl").returncode == 0
    found = [row["x"] for row in read_rows(tmp_path / "again.jsonl")]
    assert [json.loads(text) if isinstance(text, str) else text for text in found] == values


def test_the_same_input_gives_the_same_bytes(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{**PROBLEM_ROW, "id": f"p{n}"} for n in range(50)])
    for suffix in ("jsonl.gz", "parquet"):
        for name in ("one", "two"):
            assert crl_data("import", "problems", "in.jsonl", "--out", f"{name}.{suffix}").returncode == 0
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("humaneva", "humaneval"), ("MBPP", "mbpp"), ("quixbug", "quixbugs"), ("problem", "problems")],
)
def test_an_unknown_format_is_one_line_that_names_the_known_ones(
    crl_data: Command, tmp_path: Path, asked: str, nearest: str
) -> None:
    write_rows(tmp_path / "in.jsonl", [PROBLEM_ROW])
    before = files_in(tmp_path)
    assert_one_line(crl_data("import", asked, "in.jsonl", "--out", "out.jsonl"), 2, repr(asked), nearest)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("humaneval", "prompt"),
        ("humaneval", "test"),
        ("mbpp", "test_list"),
        ("quixbugs", "correct"),
        ("mapcoder", "test_list"),
    ],
)
@pytest.mark.parametrize("value", [None, 3])
def test_a_foreign_row_that_is_not_as_its_format_says_names_the_line_and_the_column(
    crl_data: Command, tmp_path: Path, name: str, column: str, value: object
) -> None:
    key = {"humaneval": "task_id", "mbpp": "task_id", "mapcoder": "task_id", "quixbugs": "name"}[name]
    write_rows(tmp_path / "in.jsonl", [ROWS[name], {**ROWS[name], key: "other", column: value}])
    before = files_in(tmp_path)
    assert_one_line(
        crl_data("import", name, "in.jsonl", "--out", "out.jsonl"), 2, "in.jsonl:2: ", f"{column}: ", "expected "
    )
    assert files_in(tmp_path) == before


def test_a_foreign_row_whose_program_is_no_python_is_one_line(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{**MBPP, "code": "def (:"}])
    done = crl_data("import", "mbpp", "in.jsonl", "--out", "out.jsonl")
    assert_one_line(done, 2, "in.jsonl:1: ")


def test_two_rows_of_one_name_are_one_line(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [HUMANEVAL, HUMANEVAL])
    done = crl_data("import", "humaneval", "in.jsonl", "--out", "out.jsonl")
    assert_one_line(done, 2, "in.jsonl:2: id: ", "'HumanEval/0' again")


# --- real data ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "problems", "aside"),
    [
        ("humaneval", "humaneval/HumanEval.jsonl.gz", 164, 0),
        ("mbpp", "mbpp/mbpp.jsonl.gz", 974, 0),
        ("quixbugs", "quixbugs/quixbugs.jsonl.gz", None, None),
        ("mapcoder", "mapcoder_apps/*.jsonl.gz", 19, None),
    ],
)
def test_the_published_files_are_read_whole_and_what_comes_out_is_valid(
    crl_data: Command,
    tmp_path: Path,
    shared_data: Path,
    name: str,
    source: str,
    problems: int | None,
    aside: int | None,
) -> None:
    done = crl_data("import", name, shared_data / source, "--out", "out.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] + told.get("set aside", 0) == told["read"]
    assert problems is None or told["problems"] == problems
    assert aside is None or told.get("set aside", 0) == aside
    valid = crl_data("validate", "out.jsonl")
    assert valid.returncode == 0, valid.stdout
