"""`crl-data judge`: what its options change, what it writes and in which order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ALMOST_SUM, SOLUTION_ROWS, WRONG_SUM, assert_one_line, files_in
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, Command, read_rows, write_rows

CALL = ["judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl"]
LOOP = "while True: pass\n"


def judged(crl_data: Command, folder: Path, *options: str) -> list[dict[str, Any]]:
    done = crl_data(*CALL, *options)
    assert done.returncode == 0, done.stderr
    return read_rows(folder / "out.jsonl")


def solutions(folder: Path, *codes: str) -> None:
    write_rows(
        folder / "solutions.jsonl", [{"problem_id": "sum", "id": f"s{n}", "code": code} for n, code in enumerate(codes)]
    )


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


# --- results ---------------------------------------------------------------------------------------------------------------------


def test_the_judgements_come_in_the_order_of_the_solutions(crl_data: Command, inputs: Path) -> None:
    """Slow ones first, problems mixed, more than fit in what is judged at once."""
    rows = [{**PROBLEM_ROW, "id": f"p{n}"} for n in range(3)]
    write_rows(inputs / "problems.jsonl", rows)
    slow = "import time\ntime.sleep(0.1)\n" + RIGHT_SUM
    asked = [
        {"problem_id": f"p{n % 3}", "id": f"s{n}", "code": slow if n == 0 else f"# {n}\n{WRONG_SUM}"} for n in range(40)
    ]
    write_rows(inputs / "solutions.jsonl", asked)
    found = judged(crl_data, inputs, "--jobs", "2")
    assert [(row["problem_id"], row["solution_id"]) for row in found] == [
        (row["problem_id"], row["id"]) for row in asked
    ]


def test_columns_that_are_not_known_are_carried_through(crl_data: Command, inputs: Path) -> None:
    extra = {"note": {"a": [1, None, "é"]}, "model_score": 0.25}
    write_rows(inputs / "solutions.jsonl", [{**SOLUTION_ROWS[0], **extra}])
    (row,) = judged(crl_data, inputs)
    assert {name: row[name] for name in extra} == extra


def test_no_column_of_a_solution_takes_the_place_of_what_was_found_out(crl_data: Command, inputs: Path) -> None:
    """A row may say of itself that it is right: a judgement of somebody else's, judged again here."""
    claims = {"verdict": True, "pass_rate": 1.0, "n_passed": 6, "outcomes": ["passed"] * 6, "reason": "trust me"}
    write_rows(inputs / "solutions.jsonl", [{**SOLUTION_ROWS[1], **claims, "solution_id": "other", "seconds": -1.0}])
    (row,) = judged(crl_data, inputs)
    assert row["verdict"] is False and row["pass_rate"] < 1 and row["n_passed"] < 6 and row["outcomes"][0] != "passed"
    assert row["reason"] != "trust me" and row["solution_id"] == "wrong" and row["seconds"] >= 0


@pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz"])
def test_every_kind_of_file_holds_the_same_judgements(crl_data: Command, inputs: Path, suffix: str) -> None:
    import polars as pl

    write_rows(inputs / "solutions.jsonl", [{**row, "note": {"n": n}} for n, row in enumerate(SOLUTION_ROWS)])
    plain = judged(crl_data, inputs)
    assert crl_data(*CALL[:-1], f"out.{suffix}").returncode == 0
    path = inputs / f"out.{suffix}"
    read = pl.read_parquet(path) if suffix == "parquet" else pl.read_ndjson(path)
    assert without_times(read.to_dicts()) == without_times(plain)


def test_judgements_in_parquet_say_their_schema_version(crl_data: Command, inputs: Path) -> None:
    import pyarrow.parquet as pq

    assert crl_data(*CALL[:-1], "out.parquet").returncode == 0
    assert pq.read_schema(inputs / "out.parquet").metadata[b"schema_version"] == b"1"


def test_no_solutions_are_no_judgements_in_a_file_that_can_be_read(crl_data: Command, inputs: Path) -> None:
    import polars as pl

    (inputs / "solutions.jsonl").write_text("")
    assert crl_data(*CALL[:-1], "out.parquet").returncode == 0
    assert pl.read_parquet(inputs / "out.parquet").height == 0


def test_json_is_one_object_of_counts_on_standard_output(crl_data: Command, inputs: Path) -> None:
    done = crl_data(*CALL, "--json")
    told = json.loads(done.stdout)
    assert (told["judged"], told["true"], told["false"]) == (2, 1, 1) and done.stderr == ""


def test_without_json_the_counts_are_for_a_person(crl_data: Command, inputs: Path) -> None:
    done = crl_data(*CALL)
    assert "2 judged: 1 True, 1 False" in done.stdout + done.stderr


def test_nothing_is_left_beside_the_output(crl_data: Command, inputs: Path) -> None:
    scratch = inputs / "scratch"
    scratch.mkdir()
    before = files_in(inputs)
    assert crl_data(*CALL, env={**os.environ, "TMPDIR": str(scratch)}).returncode == 0
    assert files_in(inputs) == before | {"out.jsonl"}


# --- policy ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "verdict"), [("0.8", True), ("0.83", True), ("0.8334", False), ("1", False), ("1e-9", True)]
)
def test_the_threshold_is_to_be_exceeded(crl_data: Command, inputs: Path, threshold: str, verdict: bool) -> None:
    solutions(inputs, ALMOST_SUM)
    (row,) = judged(crl_data, inputs, "--threshold", threshold)
    assert row["n_passed"] == 5 and row["verdict"] is verdict


def test_exactly_the_threshold_is_not_over_it(crl_data: Command, inputs: Path) -> None:
    write_rows(inputs / "problems.jsonl", [{**PROBLEM_ROW, "tests": PROBLEM_ROW["tests"][:5]}])
    solutions(inputs, ALMOST_SUM)
    (row,) = judged(crl_data, inputs)
    assert row["pass_rate"] == 0.8 and row["verdict"] is False


@pytest.mark.parametrize(("timeouts", "verdict"), [("inconclusive", None), ("auto", False)])
def test_a_time_out_counts_as_the_option_says(
    crl_data: Command, inputs: Path, timeouts: str, verdict: bool | None
) -> None:
    solutions(inputs, LOOP)
    (row,) = judged(crl_data, inputs, "--timeouts", timeouts)
    assert row["verdict"] is verdict and row["limit_from"] == "reference"
    assert row["outcomes"].count("timeout") == 2 and row["outcomes"].count("not_run") == 4


def test_a_time_out_without_a_reference_is_inconclusive(crl_data: Command, inputs: Path) -> None:
    write_rows(inputs / "problems.jsonl", [{**PROBLEM_ROW, "reference": None, "time_limit_s": 0.25}])
    solutions(inputs, LOOP)
    (row,) = judged(crl_data, inputs)
    assert row["verdict"] is None and row["pass_rate"] is None and row["limit_from"] == "problem"


def test_early_stop_ends_once_the_verdict_is_settled_and_keeps_it(crl_data: Command, inputs: Path) -> None:
    solutions(inputs, RIGHT_SUM, WRONG_SUM, ALMOST_SUM, "1 / 0\n")
    whole = judged(crl_data, inputs)
    early = judged(crl_data, inputs, "--early-stop")
    assert [row["verdict"] for row in early] == [row["verdict"] for row in whole] == [True, False, True, False]
    assert "not_run" in early[1]["outcomes"] and "not_run" in early[3]["outcomes"]
    assert all("not_run" not in row["outcomes"] for row in whole)


def test_isolation_by_test_gives_the_same_outcomes_and_says_so(crl_data: Command, inputs: Path) -> None:
    state = "import math\nk = getattr(math, 'k', 0)\nmath.k = k + 1\nprint(k)\n"
    solutions(inputs, RIGHT_SUM, WRONG_SUM, ALMOST_SUM, state, "import sys\nsys.exit(1)\n", "def (\n")
    batch = judged(crl_data, inputs)
    alone = judged(crl_data, inputs, "--isolation", "per-test")
    assert {row["isolation"] for row in batch} == {"batch"} and {row["isolation"] for row in alone} == {"per-test"}
    for one, other in zip(batch, alone, strict=True):
        assert (one["verdict"], one["outcomes"], one["reason"]) == (
            other["verdict"],
            other["outcomes"],
            other["reason"],
        )


@pytest.mark.parametrize("jobs", ["1", "5"])
def test_the_number_of_jobs_changes_nothing(crl_data: Command, inputs: Path, jobs: str) -> None:
    solutions(inputs, RIGHT_SUM, WRONG_SUM, ALMOST_SUM, "1 / 0\n")
    assert without_times(judged(crl_data, inputs, "--jobs", jobs)) == without_times(judged(crl_data, inputs))


# --- judging several times -------------------------------------------------------------------------------------------------------------


def test_what_is_the_same_every_time_is_judged_as_once(crl_data: Command, inputs: Path) -> None:
    once = judged(crl_data, inputs)
    assert without_times(judged(crl_data, inputs, "--repeat", "3")) == without_times(once)


def test_what_differs_from_time_to_time_ends_undecided(crl_data: Command, inputs: Path) -> None:
    """Right in about half of all runs, by the clock, which no seed sets."""
    tests = PROBLEM_ROW["tests"][:1]
    write_rows(inputs / "problems.jsonl", [{**PROBLEM_ROW, "tests": tests}])
    chance = "import time\na, b = map(int, input().split())\nprint(a + b + time.perf_counter_ns() // 64 % 2)\n"
    solutions(inputs, chance, RIGHT_SUM)
    moody, steady = judged(crl_data, inputs, "--repeat", "20")
    assert steady["verdict"] is True
    assert moody["verdict"] is None and moody["pass_rate"] is None and moody["n_inconclusive"] == 1
    assert "not the same every time" in moody["reason"] and "\n" not in moody["reason"]


def test_the_counts_of_an_undecided_judgement_agree(crl_data: Command, inputs: Path) -> None:
    chance = "import time\na, b = map(int, input().split())\nprint(a + b + time.perf_counter_ns() // 64 % 2)\n"
    solutions(inputs, chance)
    (row,) = judged(crl_data, inputs, "--repeat", "20")
    assert row["n_passed"] + row["n_inconclusive"] <= row["n_tests"] == len(row["outcomes"])
    assert row["outcomes"].count("passed") == row["n_passed"]


# --- walls ---------------------------------------------------------------------------------------------------------------------------------


def test_without_walls_every_judgement_says_so_and_so_does_the_command(crl_data: Command, inputs: Path) -> None:
    done = crl_data(*CALL, "--sandbox", "none")
    assert done.returncode == 0
    rows = read_rows(inputs / "out.jsonl")
    assert [row["verdict"] for row in rows] == [True, False]
    assert all(row["sandbox"] == "none" and "without walls" in row["reason"] for row in rows)
    assert "without walls" in done.stderr


def test_behind_walls_no_judgement_says_otherwise(crl_data: Command, inputs: Path) -> None:
    for row in judged(crl_data, inputs):
        assert row["sandbox"] == "local" and "without walls" not in row["reason"]


def test_without_any_backend_it_is_one_line_and_nothing_is_judged(crl_data: Command, inputs: Path) -> None:
    before = files_in(inputs)
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{inputs}/no.sock"}
    done = crl_data(*CALL, "--sandbox", "docker", env=nowhere)
    assert_one_line(done, 1, "Docker", "--sandbox none")
    assert files_in(inputs) == before
