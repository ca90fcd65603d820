"""`crl-data export --to verl`: the records of a built dataset as verl's rows. The other forms are in tests/export."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import assert_one_line, built_in, files_in, records_of, start
from tests.conftest import Command


@pytest.fixture(scope="session")
def dataset(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset of the same problems in which tests as source stand on solve records too."""
    folder = tmp_path_factory.mktemp("export")
    for name in ("problems.jsonl", "solutions.jsonl"):
        shutil.copy(dataset.parent / name, folder)
    return built_in(folder, "{critique_share: 0.17}")


def export(crl_data: Command, dataset: Path, *more: object) -> Any:
    return crl_data("export", dataset, "--to", "verl", *more)


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["extra_info"]["id"] for row in rows]


def test_each_split_is_a_file_and_what_is_left_out_is_counted(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    records = records_of(dataset)
    left_out = [row for row in records if row["kind"] == "solve" and row["test_kind"] == "assert"]
    assert left_out
    done = export(crl_data, dataset, "--out", "rows")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and f"{len(left_out)} with tests as source (assert)" in done.stderr
    files = sorted((tmp_path / "rows").iterdir())
    assert [file.name for file in files] == ["test.parquet", "train.parquet"]
    rows = [row for file in files for row in rows_of(file)]
    assert sorted(ids(rows)) == sorted(row["id"] for row in records if row not in left_out)
    for file in files:
        assert {row["extra_info"]["split"] for row in rows_of(file)} == {file.stem}
        assert f"rows/{file.name}: {len(rows_of(file))} rows" in done.stdout.splitlines()


def test_for_ours_nothing_is_left_out(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    done = export(crl_data, dataset, "--out", "rows", "--reward", "ours", "--json")
    assert done.returncode == 0 and done.stderr == ""
    told, records = json.loads(done.stdout), records_of(dataset)
    assert told["left_out"] == {} and sum(told["files"].values()) == sum(told["rows"].values()) == len(records)
    assert ids([row for file in told["files"] for row in rows_of(tmp_path / file)]) == [row["id"] for row in records]


def test_as_json_the_counts_are_those_of_the_files(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    done = export(crl_data, dataset, "--out", "rows", "--json")
    told = json.loads(done.stdout)
    rows = [row for file in told["files"] for row in rows_of(tmp_path / file)]
    critiques = sum(row["extra_info"]["correctness"] is not None for row in rows)
    assert told["rows"] == {"critique": critiques, "solve": len(rows) - critiques}
    assert sum(told["left_out"].values()) == len(records_of(dataset)) - len(rows)


@pytest.mark.parametrize("out", ["one.parquet", "folder"])
def test_one_split_is_one_file(crl_data: Command, dataset: Path, tmp_path: Path, out: str) -> None:
    done = export(crl_data, dataset, "--out", out, "--split", "test", "--reward", "ours")
    assert done.returncode == 0, done.stderr
    file = tmp_path / (out if out.endswith(".parquet") else f"{out}/test.parquet")
    wanted = [row["id"] for path in sorted((dataset / "data").glob("test-*")) for row in rows_of(path)]
    assert ids(rows_of(file)) == wanted
    assert files_in(tmp_path) == {str(file.relative_to(tmp_path)), *(() if file.parent == tmp_path else (out,))}


def test_exporting_again_gives_the_same_bytes(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    before = {name: (dataset / name).stat().st_mtime_ns for name in files_in(dataset)}
    for name in ("one", "two"):
        assert export(crl_data, dataset, "--out", name).returncode == 0
    for name in ("train.parquet", "test.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert before == {name: (dataset / name).stat().st_mtime_ns for name in files_in(dataset)}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--to", "sft", "--out", "x"], ["--to", "verl", "'sft'"]),
        (["--to", "verl", "--out", "x", "--reward", "theirs"], ["--reward", "official, ours", "'theirs'"]),
        (["--to", "verl", "--out", "x", "--split", "dev"], ["test, train", "'dev'"]),
        (["--to", "verl", "--out", "x.parquet"], ["x.parquet", "test, train", "--split"]),
        (["--to", "verl", "--out", "a_file"], ["a_file", "a folder"]),
        (["--to", "verl"], ["--out"]),
        (["--out", "x"], ["--to"]),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_nothing(
    crl_data: Command, dataset: Path, tmp_path: Path, more: list[str], told: list[str]
) -> None:
    (tmp_path / "a_file").touch()
    assert_one_line(crl_data("export", dataset, *more), 2, *told)
    assert files_in(tmp_path) == {"a_file"}


def test_a_folder_that_is_no_dataset_is_one_line(crl_data: Command, tmp_path: Path) -> None:
    assert_one_line(export(crl_data, tmp_path, "--out", "x"), 2, str(tmp_path), "a built dataset")
    assert files_in(tmp_path) == set()


def test_a_dataset_of_which_nothing_can_be_scored_is_one_line(crl_data: Command, dataset: Path, tmp_path: Path) -> None:
    asserts = [row for row in records_of(dataset) if row["kind"] == "solve" and row["test_kind"] == "assert"]
    schema = pq.read_schema(next((dataset / "data").iterdir()))
    (tmp_path / "built" / "data").mkdir(parents=True)
    import pyarrow as pa

    table = pa.Table.from_pylist(asserts, schema=schema)
    pq.write_table(table, tmp_path / "built" / "data" / "train-00000-of-00001.parquet")
    assert_one_line(export(crl_data, tmp_path / "built", "--out", "x"), 2, "with tests as source (assert)")
    assert not (tmp_path / "x").exists()
    assert export(crl_data, tmp_path / "built", "--out", "x", "--reward", "ours").returncode == 0


def test_a_file_of_records_that_breaks_off_is_one_line_and_leaves_nothing(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(dataset, tmp_path / "built")
    broken = max((tmp_path / "built" / "data").iterdir())
    broken.write_bytes(broken.read_bytes()[:-100])
    assert_one_line(export(crl_data, tmp_path / "built", "--out", "x"), 2, broken.name)
    assert not (tmp_path / "x").exists()


def test_a_row_that_is_no_record_is_one_line_and_leaves_nothing(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    import pyarrow as pa

    shutil.copytree(dataset, tmp_path / "built")
    file = max((tmp_path / "built" / "data").iterdir())
    rows = rows_of(file)
    rows[-1]["tests"] = None
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(file)), file)
    assert_one_line(export(crl_data, tmp_path / "built", "--out", "x"), 2, f"{file.name}: row {len(rows)}", "tests")
    assert not (tmp_path / "x").exists()


def test_a_full_disk_is_one_line_and_keeps_what_was_there(crl_data: Command, dataset: Path, small_disk: Path) -> None:
    (small_disk / "train.parquet").write_text("old")
    (small_disk / "filler").write_bytes(b"x" * 12_000)
    assert_one_line(export(crl_data, dataset, "--out", small_disk), 1, "cannot be written")
    assert files_in(small_disk) == {"train.parquet", "filler"} and (small_disk / "train.parquet").read_text() == "old"


def test_a_folder_that_cannot_be_written_is_one_line(crl_data: Command, dataset: Path, closed_folder: Path) -> None:
    assert_one_line(export(crl_data, dataset, "--out", closed_folder), 1, "cannot be written")
    assert_one_line(export(crl_data, dataset, "--out", closed_folder / "x"), 1, "cannot be written")


def test_interrupted_it_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    """A dataset of many records, so that there is time to interrupt."""
    import pyarrow as pa

    source = next((dataset / "data").glob("train-*"))
    table = pq.read_table(source)
    (tmp_path / "built" / "data").mkdir(parents=True)
    many = pa.concat_tables([table] * 4000)
    pq.write_table(many, tmp_path / "built" / "data" / "train-00000-of-00001.parquet")
    running = start("export", "built", "--to", "verl", "--out", "x", cwd=tmp_path)
    while not list(tmp_path.glob("x/.*")):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "crl-data: interrupted\n")
    assert not (tmp_path / "x").exists()
