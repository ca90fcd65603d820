"""`crl-data explain`: one record again, test by test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import assert_one_line, files_in, records_of
from tests.conftest import Command


def critiques(dataset: Path, **wanted: Any) -> list[dict[str, Any]]:
    """The critique records of the dataset with these cells."""
    return [
        row
        for row in records_of(dataset)
        if row["kind"] == "critique" and all(row[name] == value for name, value in wanted.items())
    ]


@pytest.mark.parametrize("kind", ["stdin", "function", "assert"])
def test_every_test_of_a_record_is_shown_with_input_expected_got_and_limit(
    crl_data: Command, dataset: Path, kind: str
) -> None:
    record = critiques(dataset, test_kind=kind, verdict=False)[0]
    done = crl_data("explain", dataset, record["id"])
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == record["id"] and "verdict False" in lines[1]
    assert "limit 0.25 s" in lines[2] and "reference" in lines[2]
    assert [line.split(":")[0] for line in lines if line.startswith("test ")] == [f"test {n}" for n in range(1, 7)]
    assert sum(line.startswith("    input ") for line in lines) == 6
    assert sum(line.startswith("    got ") for line in lines) == 6
    if kind != "assert":
        assert sum(line.startswith("    expected ") for line in lines) == 6


@pytest.mark.parametrize("kind", ["stdin", "function", "assert"])
def test_as_json_it_agrees_with_the_record(crl_data: Command, dataset: Path, kind: str) -> None:
    record = critiques(dataset, test_kind=kind, verdict=False)[0]
    done = crl_data("explain", dataset, record["id"], "--json")
    told = json.loads(done.stdout)
    assert told["id"] == record["id"] and told["verdict"] is told["stored_verdict"] is False
    assert told["limit_s"] == record["time_limit_s"] and told["limit_from"] == record["judge"]["limit_from"]
    assert [(test["input"], test["expected"]) for test in told["tests"]] == [
        (test["input"], test["expected"]) for test in record["tests"]
    ]
    passed = sum(test["outcome"] == "passed" for test in told["tests"])
    assert passed / len(told["tests"]) == pytest.approx(record["pass_rate"])


def test_what_came_is_shown_as_it_came(crl_data: Command, dataset: Path) -> None:
    record = critiques(dataset, solution_id="wrong", test_kind="stdin")[0]
    told = json.loads(crl_data("explain", dataset, record["id"], "--json").stdout)
    assert {test["got"] for test in told["tests"]} == {"0\n"}
    (first,) = [test for test in told["tests"] if test["input"] == "1 2\n"]
    assert first["expected"] == "3\n" and first["outcome"] == "wrong_answer" and "expected '3\\n'" in first["detail"]


def test_a_record_that_is_true_is_explained_too(crl_data: Command, dataset: Path) -> None:
    record = critiques(dataset, verdict=True)[0]
    told = json.loads(crl_data("explain", dataset, record["id"], "--json").stdout)
    assert told["verdict"] is True is told["stored_verdict"]


def test_without_walls_it_says_so(crl_data: Command, dataset: Path) -> None:
    record = critiques(dataset, verdict=False)[0]
    done = crl_data("explain", dataset, record["id"], "--sandbox", "none")
    assert done.returncode == 0 and "without walls" in done.stdout


def test_explaining_leaves_the_dataset_as_it_is(crl_data: Command, dataset: Path) -> None:
    before = {name: (dataset / name).stat().st_mtime_ns for name in files_in(dataset)}
    assert crl_data("explain", dataset, critiques(dataset)[0]["id"]).returncode == 0
    assert before == {name: (dataset / name).stat().st_mtime_ns for name in files_in(dataset)}


def test_a_record_that_is_not_there_is_one_line(crl_data: Command, dataset: Path) -> None:
    assert_one_line(crl_data("explain", dataset, "critique:nowhere:x"), 2, "critique:nowhere:x")


def test_a_solve_record_has_nothing_to_explain_and_says_so(crl_data: Command, dataset: Path) -> None:
    record = next(row for row in records_of(dataset) if row["kind"] == "solve")
    assert_one_line(crl_data("explain", dataset, record["id"]), 2, record["id"], "solve")


def test_a_folder_that_is_no_dataset_is_one_line(crl_data: Command, tmp_path: Path) -> None:
    assert_one_line(crl_data("explain", tmp_path, "x"), 2, str(tmp_path), "a built dataset")


def test_a_sandbox_that_there_is_not_is_a_wrong_call(crl_data: Command, dataset: Path) -> None:
    done = crl_data("explain", dataset, critiques(dataset)[0]["id"], "--sandbox", "chroot")
    assert_one_line(done, 2, "chroot", "docker")
