"""`crl-data verify`: what is printed, and with which status it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data.importers import PROBLEM_FORMATS, SOLUTION_FORMATS
from tests.cli.conftest import assert_one_line, records_of
from tests.conftest import Command, write_rows


def rows_of(dataset: Path, **first: Any) -> list[dict[str, Any]]:
    """The critique records of the dataset, the first one changed."""
    rows = [row for row in records_of(dataset) if row["kind"] == "critique"]
    rows[0] |= first
    return rows


def test_counts_and_every_flip_are_printed_and_the_status_is_0(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    rows = rows_of(dataset)
    up, down = (next(row for row in rows if row["verdict"] is verdict) for verdict in (True, False))
    up["verdict"], down["verdict"] = False, True
    write_rows(tmp_path / "rows.jsonl", rows)
    done = crl_data("verify", "rows.jsonl")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    n = len(rows)
    assert [" ".join(line.split()) for line in lines[:7]] == [
        f"rows {n} records; {n} with a verdict",
        f"drawn {n} of {n}, by seed 0",
        f"executed {n}",
        next(" ".join(line.split()) for line in lines if line.startswith("agreed")),
        "flips 2 1 True to False, 1 False to True",
        "undecided 0",
        "pass rates 0 differ where the verdict does not",
    ]
    assert lines[3].split()[:4] == ["agreed", str(n - 2), "of", f"{n}:"]
    flips = {line.split()[1].rstrip(":"): line for line in lines[7:]}
    assert all(line.startswith("flip ") for line in lines[7:]) and flips.keys() == {up["id"], down["id"]}
    assert (
        "True (0) -> False (0); passed 0 of 6" in " ".join(flips[down["id"]].split()) or "True (" in flips[down["id"]]
    )
    told = json.loads(crl_data("verify", "rows.jsonl", "--json").stdout)
    assert (told["true_to_false"], told["false_to_true"], told["agreed"], told["executed"]) == (1, 1, n - 2, n)
    assert {one["id"]: one["stored_verdict"] for one in told["flips"]} == {up["id"]: False, down["id"]: True}


def test_a_share_that_is_asked_for_decides_the_status(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    assert crl_data("verify", dataset, "--fail-under", 1).returncode == 0
    rows = rows_of(dataset)
    rows[0]["verdict"] = not rows[0]["verdict"]
    write_rows(tmp_path / "rows.jsonl", rows)
    failed = crl_data("verify", "rows.jsonl", "--fail-under", 1)
    share = f"{(len(rows) - 1) / len(rows):.6g}"
    assert failed.returncode == 1 and failed.stdout.startswith("rows ")
    assert failed.stderr == (
        f"crl-data: rows.jsonl: expected a share of at least 1 to agree (--fail-under), got {share}\n"
    )
    assert crl_data("verify", "rows.jsonl", "--fail-under", 0.5).returncode == 0
    slow = rows_of(dataset, solution="while True: pass", time_limit_s=0.25)[:1]
    slow[0] |= {"test_kind": "stdin", "tests": [{"input": "", "expected": "1"}], "entry_point": None, "judge": None}
    write_rows(tmp_path / "slow.jsonl", slow)
    undecided = crl_data("verify", "slow.jsonl", "--fail-under", 0)
    assert undecided.returncode == 1 and "got none, since no verdict could be given" in undecided.stderr
    assert crl_data("verify", "slow.jsonl").returncode == 0


def test_where_the_judge_itself_fails_on_every_row_the_work_failed(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    row = next(row for row in rows_of(dataset) if row["test_kind"] == "stdin")
    row["checker"] = "def check(input, expected, output):\n    raise ValueError('no rule')\n"
    write_rows(tmp_path / "rows.jsonl", [row])
    done = crl_data("verify", "rows.jsonl")
    assert done.returncode == 1 and "no row could be judged here" in done.stderr and "1 for a fault" in done.stdout


def test_a_hostile_name_does_not_reach_the_terminal(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    row = rows_of(dataset)[0]
    row |= {"id": "a\x1b[2J\nflip  b: True -> False", "verdict": not row["verdict"]}
    write_rows(tmp_path / "rows.jsonl", [row])
    done = crl_data("verify", "rows.jsonl")
    assert "\x1b" not in done.stdout and done.stdout.count("\nflip ") == 1
    assert "a\\x1b[2J\\nflip  b" in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--sample 0", "--sample"),
        ("--sample -1", "--sample"),
        ("--sample many", "many"),
        ("--threshold 2", "--threshold: expected more than 0 and at most 1, got 2.0"),
        ("--fail-under 1.5", "--fail-under"),
        ("--format apss", "--format: expected one of records, critique-verl, acecode"),
        ("--sandbox jail", "--sandbox: expected one of"),
        ("--split dev", "expected one of its splits"),
        ("--revision main", "--revision"),
        ("--seed x", "--seed"),
    ],
)
def test_a_wrong_call_is_one_line(crl_data: Command, dataset: Path, options: str, told: str) -> None:
    assert_one_line(crl_data("verify", dataset, *options.split()), 2, told)


def test_where_nothing_can_be_executed_the_status_is_2(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    rows = [row | {"tests": []} for row in rows_of(dataset)]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert_one_line(crl_data("verify", "rows.jsonl"), 2, f"of which {len(rows)} carry no tests")
    assert_one_line(crl_data("verify", "nowhere"), 2, "no such file")


def test_a_missing_library_is_one_line(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    row = rows_of(dataset)[0]
    row["judge"]["runtime"] += "; nolibrary 1.0"
    write_rows(tmp_path / "rows.jsonl", [row])
    assert_one_line(crl_data("verify", "rows.jsonl"), 1, "nolibrary")


def test_a_record_that_names_no_policy_of_ours_cannot_be_explained(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from crl_data.columns import RECORD, arrow_schema

    row = rows_of(dataset)[0]
    row["judge"]["timeouts"] = "sometimes"
    (tmp_path / "copy" / "data").mkdir(parents=True)
    table = pa.Table.from_pylist([row], schema=arrow_schema(RECORD))
    pq.write_table(table, tmp_path / "copy" / "data" / "train-00000-of-00001.parquet")
    assert_one_line(crl_data("explain", "copy", row["id"]), 2, "'sometimes' is not a valid Timeouts")


def test_the_help_names_every_format_of_labelled_solutions(crl_data: Command) -> None:
    text = crl_data("verify", "--help").stdout
    assert [name for name in PROBLEM_FORMATS.keys() & SOLUTION_FORMATS.keys() if name not in text] == []
