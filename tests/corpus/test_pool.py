"""Any mix out of one build: the same records, in the same order, as a build with those settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crl_data import build, load_mixed, load_records
from crl_data.corpus.pool import Pool
from crl_data.errors import InputError
from tests.corpus.test_relabel import with_partly_right

MIXES: list[dict[str, Any]] = [
    {},
    {"critique_share": 0.0},
    {"critique_share": 1.0},
    {"critique_share": 0.25, "seed": 7},
    {"critique_share": 0.5, "balance": 0.5, "pick": "near_miss"},
    {"critique_share": 0.7, "pick": "one_true_one_false", "per_problem": 2},
    {"critique_share": 0.4, "pick": "first", "per_problem": 3},
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    # no mutants: those of another seed are others, and then so are the candidates
    recipe = with_partly_right(
        tmp_path_factory.mktemp("pool"),
        candidates=[{"sampler": "recorded", "path": "solutions.jsonl"}],
        select={"max_tests": None},
    )
    return recipe, build(recipe, recipe.parent / "out", quiet=True).directory


@pytest.mark.parametrize("changes", MIXES, ids=str)
def test_a_mix_from_the_pool_is_the_mix_of_a_build(
    built: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe, directory = built
    settings = [f"{'seed' if key == 'seed' else f'mix.{key}'}={value}" for key, value in changes.items()]
    store = directory / ".crl" / "store.sqlite"
    fresh = build(recipe, tmp_path / "out", store=store, settings=settings, quiet=True)
    for split in ("train", "test"):
        assert list(load_mixed(directory, split, **changes)) == list(load_records(fresh.directory, split))
    if not changes:
        assert sorted(r.id for r in load_mixed(directory)) == sorted(r.id for r in load_records(directory))


def test_the_rows_are_those_of_the_pool_as_datasets_numbers_them(built: tuple[Path, Path]) -> None:
    import datasets

    _, directory = built
    pool = Pool(directory)
    rows = pool.rows(critique_share=0.5)["train"]
    loaded = datasets.load_dataset("parquet", data_files=[str(file) for file in pool.files], split="train")
    assert loaded.select(rows)["id"] == [record.id for record in pool.records(rows)]


def test_what_a_recipe_would_not_take_is_refused(built: tuple[Path, Path], tmp_path: Path) -> None:
    _, directory = built
    for changes in (
        {"critique_share": 1.5},
        {"pick": "best"},
        {"critique_shares": 0.5},
        {"pick": "one_true_one_false"},
    ):
        with pytest.raises(InputError, match="mix"):
            Pool(directory).rows(**changes)
    with pytest.raises(InputError, match="split"):
        list(load_mixed(directory, "validation"))
    with pytest.raises(InputError, match="built dataset"):
        Pool(tmp_path)
