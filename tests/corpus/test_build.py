"""The build: what it leaves behind, and that it can be killed at any instant."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crl_data import build, load_records
from crl_data.columns import RECORD
from crl_data.corpus.build import Built, dry_run
from crl_data.errors import Busy, CanaryFlip, InputError, WorkError
from crl_data.judging import Judge
from crl_data.rows import read_rows
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows

WRONG = "print(1)\n"
HALF = "a, b = map(int, input().split())\nprint(a + b if a > 0 else 0)\n"


def sources(folder: Path, problems: int = 12, **more: Any) -> Path:
    """A recipe with problems that differ in one test, and a right and a wrong solution for each."""
    rows = [
        {
            **PROBLEM_ROW,
            "id": f"p{n}",
            "tests": [*PROBLEM_ROW["tests"][1:], {"input": f"{n + 2} 1000\n", "expected": f"{n + 1002}\n"}],
        }
        for n in range(problems)
    ]
    solutions = [
        {"problem_id": row["id"], "id": f"{row['id']}-{name}", "code": f"# {name}\n{text}"}
        for row in rows
        for name, text in (("right", RIGHT_SUM), ("wrong", WRONG))
    ]
    write_rows(folder / "problems.jsonl", rows)
    write_rows(folder / "solutions.jsonl", solutions)
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}, {"sampler": "mutants", "per_problem": 3}],
        "mix": {"critique_share": 0.5},
        "split": {"test_share": 0.25},
        "seed": 3,
        **more,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))  # JSON is YAML
    return path


def data_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / "data").iterdir())}


def manifest_of(directory: Path) -> dict[str, Any]:
    """All that two builds of the same recipe have in common: judgements tell how long each took."""
    manifest: dict[str, Any] = json.loads((directory / "manifest.json").read_text())
    del manifest["files"]["judgements.parquet"]
    return manifest


def records_of(directory: Path) -> list[dict[str, Any]]:
    return [row.cells for path in sorted((directory / "data").glob("*.parquet")) for row in read_rows(path)]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Built]]:
    folder = tmp_path_factory.mktemp("built")
    recipe = sources(folder)
    yield recipe, build(recipe, folder / "out", quiet=True)


def test_a_build_leaves_everything_that_the_contract_names(built: tuple[Path, Built]) -> None:
    _, done = built
    assert {path.name for path in done.directory.iterdir()} == {
        "problems.parquet",
        "candidates.parquet",
        "judgements.parquet",
        "pool",
        "data",
        "README.md",
        "manifest.json",
        "report",
        ".crl",
    }
    assert json.loads((done.directory / "manifest.json").read_text()) == done.manifest
    assert {path.name for path in (done.directory / ".crl").iterdir()} <= {
        "store.sqlite",
        "store.sqlite-wal",
        "store.sqlite-shm",
        "lock",
    }


def test_every_reader_reads_it_as_it_lies(built: tuple[Path, Built]) -> None:
    import datasets
    import polars as pl
    import pyarrow.parquet as pq

    _, done = built
    loaded = datasets.load_dataset(str(done.directory))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 9, "test": 3}
    assert loaded["train"].column_names == list(RECORD.names())
    assert str(loaded["train"].features["question"]) == "Value('string')"
    assert pl.read_parquet(done.directory / "data" / "*.parquet").height == 12
    file = pq.ParquetFile(next((done.directory / "data").glob("train-*.parquet")))
    assert file.schema_arrow.metadata[b"schema_version"] == b"1"
    streamed = datasets.load_dataset(str(done.directory), split="train", streaming=True)
    assert next(iter(streamed))["id"] == loaded["train"][0]["id"]


def test_records_are_what_the_contract_says(built: tuple[Path, Built]) -> None:
    _, done = built
    records = records_of(done.directory)
    assert len(records) == 12 and sum(row["kind"] == "critique" for row in records) == 6
    for row in records:
        critique = row["kind"] == "critique"
        assert (
            critique
            == (row["verdict"] is not None)
            == bool(row["solution"])
            == bool(row["solution_id"])
            == bool(row["sampler"])
        )
        assert ("\\conclusion{" in row["prompt"][-1]["content"]) == critique
        assert (
            row["label_source"] == "executed"
            and row["judge"]["limit_from"] == "reference"
            and row["time_limit_s"] == 0.25
        )
        assert row["source"]["license"] == "cc0-1.0" and len(row["tests"]) == 6
        if critique:
            assert (
                row["verdict"] == (row["pass_rate"] > 0.8) and row["solution"].strip() in row["prompt"][-1]["content"]
            )
    assert len({row["id"] for row in records}) == 12


def test_no_problem_is_in_two_splits(built: tuple[Path, Built]) -> None:
    _, done = built
    train = {record.problem_id for record in load_records(done.directory, "train")}
    test = {record.problem_id for record in load_records(done.directory, "test")}
    assert len(train) == 9 and len(test) == 3 and not train & test


def test_a_record_alone_suffices_to_judge_again(built: tuple[Path, Built], judge: Judge) -> None:
    from crl_data.corpus.records import as_problem, calibration_of
    from crl_data.types import Solution

    _, done = built
    for record in load_records(done.directory):
        if record.kind == "critique":
            solution = Solution(problem_id=record.problem_id, id="again", code=record.solution)
            again = judge.submit(as_problem(record), solution, known=calibration_of(record)).result()
            assert (again.verdict, again.pass_rate, again.limit_from) == (record.verdict, record.pass_rate, "reference")


def test_the_counts_of_the_manifest_add_up(built: tuple[Path, Built]) -> None:
    _, done = built
    counts = done.manifest["counts"]
    assert counts["problems"] == {"read": 12, "kept": 12, "set_aside": {}}
    assert counts["candidates"] == {"read": 60, "kept": 60, "dropped": {}}
    judged = counts["judgements"]
    assert judged["judged"] == 60 == judged["true"] + judged["false"] + judged.get("inconclusive", 0)
    assert judged["true"] >= 12 and sum(judged["outcomes"].values()) == 360
    assert counts["pool"]["solve"] == 12 and counts["pool"]["critique"] == judged["true"] + judged["false"]
    assert sum(split["records"] for split in counts["records"].values()) == 12
    for name, told in done.manifest["files"].items():
        assert (done.directory / name).stat().st_size == told["bytes"]


def test_nothing_of_this_machine_is_in_what_is_left_behind(built: tuple[Path, Built], tmp_path: Path) -> None:
    recipe, done = built
    secrets = [str(recipe.parent), os.uname().nodename, str(Path.home()), os.environ.get("HOSTNAME", "no host name")]
    for path in done.directory.rglob("*"):
        if path.is_file() and ".crl" not in path.parts:
            content = path.read_bytes()
            assert [secret for secret in secrets if secret.encode() in content] == [], path


def test_running_it_again_runs_nothing_and_changes_nothing(built: tuple[Path, Built]) -> None:
    recipe, done = built
    before = (
        data_of(done.directory),
        (done.directory / "manifest.json").read_bytes(),
        (done.directory / "README.md").read_bytes(),
    )
    again = build(recipe, done.directory, quiet=True)
    assert (again.judged, again.remembered) == (0, 60)
    assert before == (
        data_of(done.directory),
        (done.directory / "manifest.json").read_bytes(),
        (done.directory / "README.md").read_bytes(),
    )


def test_another_mix_or_threshold_runs_nothing_and_shares_a_store(built: tuple[Path, Built], tmp_path: Path) -> None:
    recipe, done = built
    store = done.directory / ".crl" / "store.sqlite"
    before: set[str] = set()
    for share in (0.25, 0.5, 1.0):
        other = build(recipe, tmp_path / str(share), store=store, settings=[f"mix.critique_share={share}"], quiet=True)
        rows = records_of(other.directory)
        critiques = {row["problem_id"] for row in rows if row["kind"] == "critique"}
        assert other.judged == 0 and len(rows) == 12 and len(critiques) == round(share * 12) and before <= critiques
        before = critiques
    strict = build(recipe, tmp_path / "strict", store=store, settings=["judge.threshold=1.0"], quiet=True)
    assert strict.judged == 0 and strict.manifest["recipe"]["judge"]["threshold"] == 1.0


def test_a_narrower_selection_runs_nothing_and_leaves_what_a_fresh_build_of_it_leaves(
    built: tuple[Path, Built], tmp_path: Path
) -> None:
    """Fewer tests, drawn by this seed or another: all of it is known from the wider build."""
    recipe, done = built
    store = done.directory / ".crl" / "store.sqlite"
    for number, settings in enumerate(
        (["select.max_tests=2"], ["select.max_tests=1"], ["select.max_tests=2", "seed=8"])
    ):
        known = build(recipe, tmp_path / f"known{number}", store=store, settings=settings, quiet=True)
        fresh = build(recipe, tmp_path / f"fresh{number}", settings=settings, quiet=True)
        assert known.judged < fresh.judged
        assert data_of(known.directory) == data_of(fresh.directory)
        if "seed=8" not in settings:  # whose mutants are others
            assert known.judged == 0 and known.remembered == known.manifest["counts"]["judgements"]["judged"]


# --- killed, interrupted, crowded ----------------------------------------------------------------------------------------------


def start(recipe: Path, out: Path, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "crl_data", "build", str(recipe), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def stored(out: Path) -> int:
    """How many judgements the store of a build holds."""
    path = out / ".crl" / "store.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(path) as db:
            return int(db.execute("select count(*) from evidence").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0


def test_killed_at_any_instant_and_run_again_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=20)
    whole = build(recipe, tmp_path / "whole", quiet=True)
    out = tmp_path / "killed"
    draw = random.Random(5)
    kills = 0
    for _ in range(12):
        process = start(recipe, out)
        time.sleep(draw.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        process.communicate()
        kills += killed
        if not (out / "manifest.json").exists():
            assert not (out / "README.md").exists() or (out / "data").exists()
    before = stored(out)
    done = build(recipe, out, quiet=True)
    assert kills >= 4
    assert (done.judged, done.remembered) == (100 - before, before)
    assert data_of(out) == data_of(whole.directory)
    assert manifest_of(out) == manifest_of(whole.directory)


def test_no_more_than_what_was_in_flight_is_lost_to_a_kill(tmp_path: Path) -> None:
    """What was in the store at the kill is not run again, and what was not is."""
    recipe = sources(tmp_path, problems=30, judge={"jobs": 2})
    process = start(recipe, tmp_path / "out")
    deadline = time.monotonic() + 60
    while stored(tmp_path / "out") < 40 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    before = stored(tmp_path / "out")
    assert 40 <= before < 150
    done = build(recipe, tmp_path / "out", quiet=True)
    assert done.remembered == before and done.judged == 150 - before


def test_ctrl_c_ends_with_130_and_the_build_goes_on_from_there(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=30)
    process = start(recipe, tmp_path / "out")
    deadline = time.monotonic() + 60
    while stored(tmp_path / "out") < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err.strip().endswith("crl-data: interrupted") and "Traceback" not in err
    assert not (tmp_path / "out" / "manifest.json").exists()
    done = build(recipe, tmp_path / "out", quiet=True)
    assert done.remembered >= 20 and done.judged + done.remembered == 150


def test_two_builds_in_one_directory(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=30)
    first = start(recipe, tmp_path / "out")
    deadline = time.monotonic() + 60
    while stored(tmp_path / "out") < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(Busy, match="another build is writing here"):
        build(recipe, tmp_path / "out", quiet=True)
    second = start(recipe, tmp_path / "out")
    _, err = second.communicate(timeout=30)
    assert second.returncode == 1 and "another build is writing here" in err and err.count("\n") == 1
    assert first.wait(120) == 0


def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        recipe = sources(tmp_path, problems=12)
        process = start(recipe, small / "out")
        _, err = process.communicate(timeout=120)
        assert (
            process.returncode == 1 and err.count("\n") == 1 and err.startswith("crl-data: ") and "Traceback" not in err
        )
        assert "full" in err or "No space" in err
        assert not (small / "out" / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        done = build(recipe, small / "out", quiet=True)
        assert done.judged + done.remembered == 60
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_directory_is_one_line(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(closed)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a read-only file system cannot be mounted here")
    try:
        process = start(sources(tmp_path), closed / "out")
        _, err = process.communicate(timeout=60)
        assert (
            process.returncode == 1 and err == f"crl-data: {closed / 'out'}: cannot be written: Read-only file system\n"
        )
    finally:
        subprocess.run(["umount", str(closed)], check=True)


# --- problems and candidates that are no good ---------------------------------------------------------------------------------


def test_problems_whose_own_reference_fails_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=4)
    rows = [json.loads(line) for line in (tmp_path / "problems.jsonl").read_text().splitlines()]
    rows[1]["reference"] = WRONG
    write_rows(tmp_path / "problems.jsonl", rows)
    done = build(recipe, tmp_path / "out", quiet=True)
    assert done.manifest["counts"]["problems"] == {"read": 4, "kept": 3, "set_aside": {"its own reference fails": 1}}
    assert done.manifest["set_aside"] == [
        {"id": "p1", "reason": "its own reference fails: test 1: wrong answer: expected '7\\n', got '1\\n'"}
    ]
    assert done.manifest["counts"]["candidates"]["dropped"] == {"its problem was set aside": 5}
    assert {row["problem_id"] for row in records_of(done.directory)} == {"p0", "p2", "p3"}


def test_responses_without_code_are_dropped_and_counted(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=2)
    rows = [
        {"problem_id": "p0", "id": "a", "response": "I cannot."},
        {"problem_id": "p0", "id": "b", "response": "<think>```python\nprint(1)\n```"},
        {"problem_id": "p0", "id": "c", "code": "  \n"},
        {
            "problem_id": "p1",
            "id": "d",
            "response": f"Here.\n```python\n{RIGHT_SUM}```\n",
            "finish_reason": "stop",
            "extra": {"n": 1},
        },
    ]
    write_rows(tmp_path / "solutions.jsonl", rows)
    done = build(
        recipe, tmp_path / "out", settings=["candidates=[{sampler: recorded, path: solutions.jsonl}]"], quiet=True
    )
    assert done.manifest["counts"]["candidates"]["dropped"] == {
        "the code is empty": 1,
        "the response breaks off inside its reasoning": 1,
        "there is no code in the response": 1,
    }
    kept = [row.cells for row in read_rows(done.directory / "candidates.parquet") if row.cells["dropped"] is None]  # type: ignore[union-attr]
    assert kept[0]["code"] == RIGHT_SUM and kept[0]["extraction"] == "last_block" and kept[0]["extra"] == {"n": 1}


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        (
            "problems.jsonl",
            {**PROBLEM_ROW, "id": "p0"},
            "id: expected an id that no problem before it has, got 'p0' again",
        ),
        ("problems.jsonl", {**PROBLEM_ROW, "id": "x", "tests": []}, "tests: expected at least one test, got none"),
        ("problems.jsonl", {**PROBLEM_ROW, "id": "x", "question": 3}, "question: expected a string, got the number 3"),
        (
            "solutions.jsonl",
            {"problem_id": "nowhere", "id": "x", "code": "1"},
            "problem_id: expected the id of a problem, got 'nowhere', which no problem has",
        ),
        ("solutions.jsonl", {"problem_id": "p0", "id": "p0-right", "code": "1"}, "got 'p0-right' again"),
        (
            "solutions.jsonl",
            {"problem_id": "p0", "id": "x"},
            "code: expected code, or a response to take it from, got neither",
        ),
    ],
)
def test_one_bad_row_stops_a_build_unless_the_recipe_says_to_skip_it(
    tmp_path: Path, name: str, row: dict[str, Any], message: str
) -> None:
    recipe = sources(tmp_path, problems=2)
    with (tmp_path / name).open("a") as file:
        file.write(json.dumps(row) + "\n")
    line = len((tmp_path / name).read_text().splitlines())
    with pytest.raises(InputError) as error:
        build(recipe, tmp_path / "out", quiet=True)
    assert str(error.value).startswith(f"{tmp_path / name}:{line}: ") and message in str(error.value)
    done = build(recipe, tmp_path / "out", settings=["on_bad_rows=skip"], quiet=True)
    assert done.manifest["counts"]["bad_rows"] == 1 and message in done.manifest["bad_rows"][0]
    assert done.manifest["counts"]["problems"]["read"] == 2 and done.manifest["counts"]["candidates"]["read"] == 10


def test_the_tests_of_a_problem_are_chosen_as_in_the_paper(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=1)
    row = {
        **PROBLEM_ROW,
        "id": "p0",
        "tests": [{"input": f"{n} {n}\n", "expected": f"{2 * n}\n"} for n in range(50)]
        + [{"input": "1" * 1000, "expected": "1"}],
    }
    write_rows(tmp_path / "problems.jsonl", [row])
    done = build(recipe, tmp_path / "out", settings=["split.test_share=0"], quiet=True)
    assert done.manifest["counts"]["tests"] == {"read": 51, "too long": 1, "not drawn": 20, "kept": 30}
    assert done.manifest["test_length"] == "characters / 4"
    (record, *_) = records_of(done.directory)
    assert len(record["tests"]) == 30


def test_nul_is_legal_in_inputs_and_outputs(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=1)
    row = {
        **PROBLEM_ROW,
        "id": "p0",
        "tests": [{"input": "a\0b\n", "expected": "b\0a\n"}],
        "reference": "a, b = input().split('\\0')\nprint(b + '\\0' + a)\n",
    }
    write_rows(tmp_path / "problems.jsonl", [row])
    write_rows(
        tmp_path / "solutions.jsonl",
        [
            {"problem_id": "p0", "id": "s", "code": row["reference"]},
            {"problem_id": "p0", "id": "t", "code": "print('b')"},
        ],
    )
    done = build(recipe, tmp_path / "out", settings=["split.test_share=0", "mix.critique_share=1"], quiet=True)
    assert records_of(done.directory)[0]["tests"][0] == {"input": "a\0b\n", "expected": "b\0a\n"}


def test_a_build_with_nothing_left_says_why(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=1)
    write_rows(tmp_path / "problems.jsonl", [{**PROBLEM_ROW, "id": "p0", "reference": WRONG}])
    with pytest.raises(InputError, match=r"no problem is left .*1 x its own reference fails"):
        build(recipe, tmp_path / "out", quiet=True)


def test_problems_whose_tests_are_a_module_for_pytest_are_built_like_any_other(tmp_path: Path) -> None:
    recipe = sources(tmp_path, problems=2)
    module = "from solution import add\n\ndef test_ints():\n    assert add(1, 2) == 3\n\nclass TestAdd:\n    def test_text(self):\n        assert add('a', 'b') == 'ab'\n"
    row = {
        **PROBLEM_ROW,
        "id": "q",
        "test_kind": "pytest",
        "tests": [{"input": name, "expected": ""} for name in ("test_ints", "TestAdd::test_text")],
        "test_setup": module,
        "reference": "def add(a, b):\n    return a + b\n",
    }
    with (tmp_path / "problems.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    write_rows(
        tmp_path / "more.jsonl",
        [{"problem_id": "q", "id": "wrong", "code": "def add(a, b):\n    return 3\n"}],
    )
    candidates = [{"sampler": "recorded", "path": "more.jsonl"}]
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | {"candidates": candidates}))
    done = build(recipe, tmp_path / "out", settings=["mix.critique_share=1", "split.test_share=0"], quiet=True)
    (record,) = (one for one in records_of(done.directory) if one["problem_id"] == "q")
    assert (record["kind"], record["verdict"], record["pass_rate"]) == ("critique", False, 0.5)
    assert record["test_setup"] == module and record["judge"]["tamper_proof"] is True
    (again,) = (one for one in load_records(done.directory) if one.problem_id == "q")
    assert [test.input for test in again.tests] == ["test_ints", "TestAdd::test_text"]


def test_a_canary_flip_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crl_data.judging import canaries

    problem, text, verdict = canaries.KNOWN[0]
    monkeypatch.setattr(canaries, "KNOWN", ((problem, text, not verdict),))
    with pytest.raises(CanaryFlip):
        build(sources(tmp_path), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "manifest.json").exists() and stored(tmp_path / "out") == 0


def test_limit_takes_the_first_problems_and_forgives_solutions_of_the_others(tmp_path: Path) -> None:
    done = build(sources(tmp_path), tmp_path / "out", limit=5, quiet=True)
    assert {row["problem_id"] for row in records_of(done.directory)} == {f"p{n}" for n in range(5)}
    assert done.manifest["limit"] == 5


def test_a_dry_run_counts_and_leaves_nothing(tmp_path: Path) -> None:
    found = dry_run(sources(tmp_path), quiet=True)
    assert found.counts["problems"]["kept"] == 12 and found.counts["candidates"]["kept"] == 60
    assert (found.solutions, found.tests, found.requests) == (72, 432, 0) and 0 < found.judge_seconds < 600
    assert not (tmp_path / "build").exists() and {path.name for path in tmp_path.iterdir()} == {
        "recipe.yaml",
        "problems.jsonl",
        "solutions.jsonl",
    }


def test_a_store_that_cannot_be_opened_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("this is no database, and it is long enough to be looked at as one" * 20)
    with pytest.raises(WorkError, match="the store cannot be opened"):
        build(sources(tmp_path), tmp_path / "out", store=tmp_path / "store", quiet=True)
