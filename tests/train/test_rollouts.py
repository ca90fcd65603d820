"""Rollouts: read by whatever reads records; none lost, none twice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from crl_data.columns import RECORD
from crl_data.corpus.records import CRITIQUE, make_record
from crl_train.data import load_corpus
from crl_train.measures import Completion
from crl_train.own_dataset import OWN, leave
from crl_train.recipe import TrainRecipe
from crl_train.rollouts import FOLDER, ROLLOUT, Rollouts


@pytest.fixture(scope="module")
def rows(demo: Path) -> list[dict[str, Any]]:
    return list(load_corpus(TrainRecipe(dataset=str(demo)), Path(), 0).train)


def write(to: Rollouts, update: int, rows: list[dict[str, Any]], size: int = 2) -> None:
    repeated = [row for row in rows for _ in range(size)]
    made = [
        Completion(
            kind=row["kind"],
            reward=math.nan if place == 0 else 0.5,
            tokens=place,
            right=False,
            pass_rate=None if row["kind"] == CRITIQUE else 0.5,
            verdict=None if row["kind"] == CRITIQUE else False,
            concluded="F" if row["kind"] == CRITIQUE else None,
            cut=place == 1,
        )
        for place, row in enumerate(repeated)
    ]
    texts = [f"```python\nprint({update}, {place})\n```" for place in range(len(repeated))]
    to.write(update, repeated, texts, made, [0.25] * len(repeated))


def read(run: Path) -> list[dict[str, Any]]:
    import polars

    return polars.read_parquet(run / FOLDER / "*.parquet").to_dicts()


def test_they_are_read_by_polars_and_by_datasets_and_are_records(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    import datasets

    write(Rollouts(tmp_path, 1.0, 0), 3, rows[:4])
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / FOLDER / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == list(ROLLOUT.names())
    found = read(tmp_path)
    assert [row["id"] for row in found] == [row["id"] for row in rows[:4] for _ in range(2)]
    for row in found:
        make_record({name: row[name] for name in RECORD.names()})
    assert found[0]["reward"] is None
    assert found[1]["reward"] == 0.5
    assert [row["cut"] for row in found[:3]] == [False, True, False]
    assert {row["update"] for row in found} == {3}
    for row, was in zip(found, [one for one in rows[:4] for _ in range(2)], strict=True):
        assert row["prompt"] == was["prompt"]
        assert (row["concluded"] is None) is (was["kind"] != CRITIQUE)
        assert (row["completion_pass_rate"] is None) is (was["kind"] == CRITIQUE)
    assert loaded[0]["completion"].startswith("```python")


def test_a_share_is_of_prompts_and_keeps_all_completions_of_each(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    to = Rollouts(tmp_path, 0.5, 0)
    for update in range(12):
        write(to, update, rows[:8])
    found = read(tmp_path)
    by_prompt: dict[tuple[int, str], int] = {}
    for row in found:
        by_prompt[row["update"], row["id"]] = by_prompt.get((row["update"], row["id"]), 0) + 1
    assert set(by_prompt.values()) == {2}
    assert 0.3 < len(by_prompt) / (12 * 8) < 0.7


def test_several_draws_before_one_update_are_all_kept(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    to = Rollouts(tmp_path, 1.0, 0)
    write(to, 0, rows[:2])
    write(to, 0, rows[2:4])
    write(to, 1, rows[4:6])
    assert {row["id"] for row in read(tmp_path)} == {row["id"] for row in rows[:6]}


def test_what_is_written_again_after_a_resume_is_taken_away_of_every_process(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for process in (0, 1):
        to = Rollouts(tmp_path, 1.0, process)
        for update in range(4):
            write(to, update, rows[:1])
            write(to, update, rows[1:2])
    (tmp_path / FOLDER / ".update-000001-0.parquet.tmp").write_bytes(b"half")
    Rollouts(tmp_path, 1.0, 0).forget_after(2)
    assert sorted({row["update"] for row in read(tmp_path)}) == [0, 1]
    assert len(list((tmp_path / FOLDER).iterdir())) == 2 * 2 * 2
    Rollouts(tmp_path / "nothing", 1.0, 0).forget_after(0)


def test_own_solutions_are_left_as_problems_and_solutions(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    assert leave(tmp_path) == 0
    assert not (tmp_path / OWN).exists()
    write(Rollouts(tmp_path, 1.0, 0), 3, rows)
    solves = [row for row in rows if row["kind"] != CRITIQUE]
    assert leave(tmp_path) == 2 * len(solves)  # each completion has code of its own
    assert {one.name for one in (tmp_path / OWN).iterdir()} == {
        *("problems.jsonl.gz", "solutions.jsonl.gz", "recipe.yaml")
    }
