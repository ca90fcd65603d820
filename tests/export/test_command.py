"""`crl-data export` to the forms beside verl: files by suffix, all or none, the same bytes, and calls that are wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crl_data.export import Format
from tests.cli.conftest import assert_one_line, files_in, small_disk, start
from tests.conftest import Command
from tests.export.conftest import loaded

__all__ = ["small_disk"]  # a fixture

TABLES = ["cft", "cgd", "pairs"]
FORMS = [*TABLES, "openai"]


def export(crl_data: Command, directory: Path, to: str, *more: object) -> subprocess.CompletedProcess[str]:
    return crl_data("export", directory, "--to", to, *more)


@pytest.mark.parametrize("to", FORMS)
def test_each_split_is_a_file_and_what_is_left_out_is_told(
    crl_data: Command, built: Path, tmp_path: Path, to: str
) -> None:
    done = export(crl_data, built, to, "--out", "rows")
    suffix = ".jsonl" if to == "openai" else ".parquet"
    assert done.returncode == 0, done.stderr
    assert files_in(tmp_path) == {"rows", f"rows/train{suffix}", f"rows/test{suffix}"}
    for name in ("train", "test"):
        count = len(loaded(tmp_path / "rows" / f"{name}{suffix}"))
        assert f"rows/{name}{suffix}: {count} rows" in done.stdout.splitlines()
    assert done.stderr.startswith("left out: ") and done.stderr.count("\n") == 1
    again = json.loads(export(crl_data, built, to, "--out", "rows", "--json").stdout)
    assert sum(again["files"].values()) == sum(again["rows"].values())
    for reason, count in again["left_out"].items():
        assert f"{count:,} {reason}" in done.stderr


@pytest.mark.parametrize("to", FORMS)
def test_exporting_again_gives_the_same_bytes_and_touches_nothing(
    crl_data: Command, built: Path, tmp_path: Path, to: str
) -> None:
    before = {name: (built / name).stat().st_mtime_ns for name in files_in(built)}
    for name in ("one", "two"):
        assert export(crl_data, built, to, "--out", name).returncode == 0
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two] and len(one) == 2
    assert before == {name: (built / name).stat().st_mtime_ns for name in files_in(built)}


@pytest.mark.parametrize("to", TABLES)
def test_a_suffix_chooses_the_form_of_the_file_and_not_the_rows(
    crl_data: Command, built: Path, tmp_path: Path, to: str
) -> None:
    for suffix in (".parquet", ".jsonl", ".jsonl.gz"):
        done = export(crl_data, built, to, "--split", "test", "--out", f"a{suffix}")
        assert done.returncode == 0, done.stderr
    rows = polars.read_parquet(tmp_path / "a.parquet").to_dicts()
    assert rows and loaded(tmp_path / "a.jsonl") == loaded(tmp_path / "a.jsonl.gz") == rows
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == rows


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("--to sft --out x", ["--to", "verl, cft, cgd, pairs, openai", "'sft'"]),
        ("--to cft --out x --reward ours", ["--reward", "--to verl alone", "ours with cft"]),
        ("--to openai --out x --margin 0.5", ["--margin", "--to pairs alone", "0.5 with openai"]),
        ("--to verl --out x --per-problem 2", ["--per-problem", "--to pairs alone", "2 with verl"]),
        ("--to pairs --out x --margin 1.5", ["--margin", "1.5"]),
        ("--to pairs --out x --margin half", ["--margin", "half"]),
        ("--to pairs --out x --per-problem 0", ["--per-problem", "0"]),
        ("--to openai --out x.parquet --split test", ["x.parquet", ".jsonl or .jsonl.gz", "another suffix"]),
        ("--to verl --out x.jsonl --split test", ["x.jsonl", "ends in .parquet", "another suffix"]),
        ("--to cft --out x.jsonl", ["x.jsonl", "test, train", "--split"]),
        ("--to cgd --out x --split dev", ["test, train", "'dev'"]),
        ("--to pairs --out a_file", ["a_file", "a folder", "another file"]),
        ("--to openai --out gone/x.jsonl --split test", ["gone/x.jsonl: cannot be written"]),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_nothing(
    crl_data: Command, built: Path, tmp_path: Path, more: str, told: list[str]
) -> None:
    (tmp_path / "a_file").touch()
    assert_one_line(crl_data("export", built, *more.split()), 1 if "gone" in more else 2, *told)
    assert files_in(tmp_path) == {"a_file"}


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("cft", "expected critiques.parquet, got none; the recipe's key critiques makes it"),
        ("cgd", "expected critiques.parquet, got none; the recipe's key critiques makes it"),
        ("pairs", "expected judgements.parquet, got none; `crl-data build` leaves it"),
        ("openai", "expected judgements.parquet, got none; `crl-data build` leaves it"),
    ],
)
def test_records_that_were_imported_are_one_line(
    crl_data: Command, built: Path, tmp_path: Path, to: str, told: str
) -> None:
    """`critique-verl` leaves `data/` and a manifest, and neither pool nor candidates."""
    assert export(crl_data, built, "verl", "--out", "verl", "--reward", "ours").returncode == 0
    done = crl_data("import", "critique-verl", "verl", "--out", "imported")
    assert done.returncode == 0, done.stderr
    assert_one_line(export(crl_data, tmp_path / "imported", to, "--out", "x"), 2, "imported: ", told)
    assert_one_line(export(crl_data, tmp_path / "verl", to, "--out", "x"), 2, "verl: expected a built dataset")
    assert not (tmp_path / "x").exists()


def test_a_full_disk_is_one_line_and_keeps_what_was_there(crl_data: Command, built: Path, small_disk: Path) -> None:
    (small_disk / "train.jsonl").write_text("old")
    assert_one_line(export(crl_data, built, "openai", "--out", small_disk), 1, ".jsonl: cannot be written")
    assert files_in(small_disk) == {"train.jsonl"} and (small_disk / "train.jsonl").read_text() == "old"


def many(built: Path, folder: Path, to: str) -> None:
    """A dataset in which there is so much of what is written that there is time to end the command in between."""
    shutil.copytree(built, folder / "built", ignore=shutil.ignore_patterns(".crl"))
    name = "data/train-00000-of-00001" if to == "openai" else "critiques"
    path = folder / "built" / f"{name}.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(path)] * 400), path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("to", ["cft", "openai"])
def test_ended_in_the_middle_no_file_is_there(built: Path, tmp_path: Path, to: str, how: signal.Signals) -> None:
    many(built, tmp_path, to)
    running = start("export", "built", "--to", to, "--out", "x", cwd=tmp_path)
    while not list(tmp_path.glob("x/.*.train.*")):
        assert running.poll() is None
    running.send_signal(how)
    out, err = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert (running.returncode, out, err) == (130, "", "crl-data: interrupted\n")
        assert not (tmp_path / "x").exists()
    else:
        assert running.returncode == -signal.SIGKILL and not list(tmp_path.glob("x/[!.]*"))


def test_help_names_every_form_and_its_options(crl_data: Command) -> None:
    words = crl_data("export", "--help", env={**os.environ, "COLUMNS": "200"}).stdout
    told: list[Any] = ["|".join(Format), "official|ours", "--margin SHARE", "--per-problem N", "--split NAME"]
    assert [one for one in told if one not in words] == []
