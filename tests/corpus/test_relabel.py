"""Other verdicts from stored outcomes: what a build with that threshold would have left, and nothing is run for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from crl_data.corpus.relabel import relabel
from crl_data.errors import InputError
from crl_data.rows import read_rows
from tests.conftest import write_rows
from tests.corpus.test_build import data_of, manifest_of, records_of, sources

PARTLY = "a, b = map(int, input().split())\nprint(0 if b == 1000 or a + b == 7 else a + b)\n"
THRESHOLDS = [0.2, 0.6, 1.0]


def with_partly_right(folder: Path, **more: Any) -> Path:
    """A recipe whose candidates pass all, some and none of the tests, with a template of its own."""
    (folder / "mine.jinja").write_text("{{ question }}\n{{ solution }}\nEnd with \\conclusion{T} or \\conclusion{F}.")
    recipe = sources(folder, prompts={"critique": "mine.jinja"}, **more)
    rows = [json.loads(line) for line in (folder / "solutions.jsonl").read_text().splitlines()]
    halves = [{"problem_id": f"p{n}", "id": f"p{n}-half", "code": PARTLY} for n in range(12)]
    write_rows(folder / "solutions.jsonl", [*rows, *halves])
    return recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = with_partly_right(tmp_path_factory.mktemp("relabel"))
    build(path, path.parent / "out", quiet=True)
    return path


def others(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / "pool").iterdir())} | {
        name: (directory / name).read_bytes() for name in ("README.md", "problems.parquet", "candidates.parquet")
    }


def judgements_of(directory: Path) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.cells.items() if name != "seconds"}  # type: ignore[union-attr]
        for row in read_rows(directory / "judgements.parquet")
    ]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_it_leaves_what_a_build_with_that_threshold_leaves(recipe: Path, tmp_path: Path, threshold: float) -> None:
    done = relabel(recipe.parent / "out", threshold, tmp_path / "relabelled")
    fresh = build(recipe, tmp_path / "fresh", settings=[f"judge.threshold={threshold}"], quiet=True).directory
    assert data_of(done.directory) == data_of(fresh)
    assert others(done.directory) == others(fresh)
    assert judgements_of(done.directory) == judgements_of(fresh)
    assert manifest_of(done.directory) == manifest_of(fresh)
    assert (done.directory / "report" / "index.html").is_file()
    assert done.flips == ({(False, True): 12} if threshold < 0.67 else {})


def test_in_its_place_there_and_back_again_nothing_has_changed(recipe: Path, tmp_path: Path) -> None:
    first = relabel(recipe.parent / "out", 0.8, tmp_path / "here")
    assert first.flips == {}
    before = data_of(first.directory), others(first.directory), manifest_of(first.directory)
    relabel(first.directory, 0.2)
    assert (data_of(first.directory), others(first.directory), manifest_of(first.directory)) != before
    relabel(first.directory, 0.8)
    assert (data_of(first.directory), others(first.directory), manifest_of(first.directory)) == before


def test_it_runs_nothing_and_needs_neither_store_nor_inputs(tmp_path: Path) -> None:
    path = with_partly_right(tmp_path)
    out = build(path, tmp_path / "out", quiet=True).directory
    for name in ("problems.jsonl", "solutions.jsonl", "mine.jinja", "recipe.yaml", "out/.crl/store.sqlite"):
        (tmp_path / name).unlink()
    command = [sys.executable, "-m", "crl_data", "relabel", str(out), "--threshold", "0.2", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "/nowhere"})
    told = json.loads(ran.stdout)
    assert told["flips"] == [{"before": False, "after": True, "solutions": 12}]
    halves = [row for row in records_of(out) if row["solution_id"] and row["solution_id"].endswith("-half")]
    assert all(row["verdict"] is True and row["judge"]["threshold"] == 0.2 for row in halves)
    assert subprocess.run([*command[:3], "validate", str(out)], capture_output=True, check=False).returncode == 0


def test_what_cannot_be_relabelled_is_one_line(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a built dataset"):
        relabel(tmp_path, 0.5)
    for threshold in (0.0, 1.5, -1.0):
        with pytest.raises(InputError, match="above 0 and at most 1"):
            relabel(recipe.parent / "out", threshold)
    early = with_partly_right(tmp_path, judge={"early_stop": True})
    built = build(early, tmp_path / "out", quiet=True).directory
    with pytest.raises(InputError, match="early_stop"):
        relabel(built, 0.5)
