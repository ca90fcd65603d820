"""Verdicts that are given and not executed: they pass through like any other, and every record says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crl_data import build, load_mixed, load_records
from crl_data.corpus.records import find_record
from crl_data.corpus.relabel import relabel
from crl_data.errors import RowError
from crl_data.rewards import critique_reward
from tests.conftest import write_rows
from tests.corpus.test_build import data_of, records_of, sources

MATH = {"id": "sum", "question": "What is 2 + 2?", "test_kind": "stdin", "tests": []}


def recipe_of(folder: Path, given: list[dict[str, Any]], **more: Any) -> Path:
    """Executed solutions of tested problems beside given verdicts on problems without a test."""
    path = sources(folder, problems=4)
    write_rows(folder / "math.jsonl", [{**MATH, "id": f"m{n}", "question": f"What is 2 + {n}?"} for n in range(4)])
    write_rows(folder / "given.jsonl", given)
    recipe = json.loads(path.read_text())
    recipe["problems"].append({"path": "math.jsonl"})
    recipe["candidates"].append({"sampler": "recorded", "path": "given.jsonl", "labels": "given"})
    path.write_text(json.dumps({**recipe, **more}))
    return path


GIVEN = [
    {"problem_id": f"m{n}", "id": f"m{n}-{verdict}", "code": "4" if verdict else "5", "verdict": verdict}
    for n in range(3)
    for verdict in (True, False)
] + [{"problem_id": "p0", "id": "person", "code": "print('wrong, but somebody called it right')", "verdict": True}]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    return build(recipe_of(folder, GIVEN, mix={"critique_share": 1.0}), folder / "out", quiet=True).directory


def test_given_verdicts_stand_as_they_were_given_and_say_nothing_of_a_judge(built: Path) -> None:
    given = [row for row in records_of(built) if row["label_source"] == "given"]
    assert given and all(
        row["kind"] == "critique" and row["judge"] is None and row["pass_rate"] is None for row in given
    )
    assert all(row["verdict"] is row["solution_id"].endswith("True") for row in given if row["problem_id"] != "p0")
    pool = {record.id: record for record in load_mixed(built, critique_share=1.0, per_problem=9)}
    person = pool["critique:p0:person"]
    assert person.verdict is True and person.label_source == "given" and person.tests  # though it would fail them
    executed = [record for record in pool.values() if record.label_source == "executed"]
    assert executed and all(record.judge is not None for record in executed if record.kind == "critique")


def test_a_problem_without_tests_never_asks_for_a_solution(built: Path) -> None:
    rows = [record for share in (0.0, 0.5, 1.0) for record in load_mixed(built, critique_share=share)]
    kinds = Counter((record.problem_id[0], record.kind) for record in rows)
    assert kinds["m", "solve"] == 0 and kinds["m", "critique"] and kinds["p", "solve"]


def test_the_counts_the_card_and_the_readers_know_them(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    n = sum(split.get("critique given", 0) for split in manifest["counts"]["records"].values())
    assert n == sum(record.label_source == "given" for record in load_records(built)) > 0
    assert f"{n} critique records have a verdict that was given" in (built / "README.md").read_text()
    ran = subprocess.run([sys.executable, "-m", "crl_data", "validate", str(built)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    record = next(record for record in load_records(built) if record.problem_id == "m0")
    explained = subprocess.run(
        [sys.executable, "-m", "crl_data", "explain", str(built), record.id], capture_output=True, text=True
    )
    assert explained.returncode == 2 and "got a record with a given verdict alone" in explained.stderr
    assert "Traceback" not in explained.stderr


def test_they_are_rewarded_like_any_other(built: Path) -> None:
    records = [find_record(built, f"critique:m0:m0-{verdict}") for verdict in (True, False)]
    rewards = critique_reward(
        completions=[r"\conclusion{T}"] * 2, verdict=[r.verdict for r in records], kind=[r.kind for r in records]
    )
    assert rewards == [1.0, 0.0]


def test_they_survive_another_threshold(built: Path, tmp_path: Path) -> None:
    done = relabel(built, 0.8, tmp_path / "same")
    assert data_of(done.directory) == data_of(built)
    strict = relabel(built, 1.0, tmp_path / "strict").directory
    assert find_record(strict, "critique:p0:person").verdict is True


def test_labels_of_a_source_of_submissions_are_such_verdicts(tmp_path: Path) -> None:
    rows = [{**row, "solved_at_source": row["verdict"], "verdict": None} for row in GIVEN]
    del rows[0]["verdict"]  # left out is the same as null
    done = build(recipe_of(tmp_path, rows, mix={"critique_share": 1.0}), tmp_path / "out", quiet=True)
    given = [row for row in records_of(done.directory) if row["label_source"] == "given" and row["problem_id"] != "p0"]
    assert given and all(row["verdict"] is row["solution_id"].endswith("True") for row in given)
    assert data_of(relabel(done.directory, 0.8, tmp_path / "same").directory) == data_of(done.directory)


def test_a_row_without_a_verdict_is_a_bad_row_and_an_executed_candidate_needs_tests(tmp_path: Path) -> None:
    bad = recipe_of(tmp_path, [*GIVEN, {"problem_id": "m0", "id": "none", "code": "4"}])
    with pytest.raises(RowError, match=r"given.jsonl:8: verdict: expected true or false"):
        build(bad, tmp_path / "bad", quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "solutions.jsonl").read_text().splitlines()]
    write_rows(tmp_path / "solutions.jsonl", [*rows, {"problem_id": "m0", "id": "ours", "code": "print(4)"}])
    write_rows(tmp_path / "given.jsonl", GIVEN)
    done = build(bad, tmp_path / "good", quiet=True)
    assert done.manifest["counts"]["candidates"]["dropped"] == {
        "its problem has no tests, and its verdict is not given": 1
    }
