"""Any mix out of one build: the records that a build with other `mix` settings would have left, drawn from its pool.

The pool holds every eligible record of a build, so that nothing is run for another share: not here, and not in a trainer.
What is drawn is the same, record for record and in the same order, as what `crl-data build` leaves with those settings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from crl_data.columns import RECORD, arrow_schema
from crl_data.corpus.manifest import read_manifest
from crl_data.corpus.mix import Choice, mix, splits
from crl_data.corpus.recipe import Recipe
from crl_data.corpus.recipe_file import recorded_recipe
from crl_data.corpus.records import CRITIQUE, SOLVE, make_record
from crl_data.errors import InputError
from crl_data.types import Record

_INDEX = ["kind", "problem_id", "solution_id", "verdict", "pass_rate", "sampler"]


class Pool:
    """The pool of a built dataset. Rows are numbered from 0 in the order of its files, as `datasets` numbers them too."""

    def __init__(self, directory: str | Path, samplers: Collection[str] | None = None) -> None:
        """samplers: only critiques of solutions that one of these wrote. Raises `InputError` where there is no built dataset."""
        import pyarrow.dataset

        self.path = Path(directory)
        manifest = read_manifest(self.path)
        self.files = sorted((self.path / "pool").glob("*.parquet"))
        if not self.files:
            raise InputError(f"{self.path}: expected a built dataset, got no pool/*.parquet")
        self.recipe = recorded_recipe(manifest["recipe"], self.path / "manifest.json")
        self._data = pyarrow.dataset.dataset([str(file) for file in self.files], schema=arrow_schema(RECORD))
        self._solve: dict[str, int] = {}
        self._critiques: dict[str, list[Choice]] = {}
        for place, row in enumerate(self._data.to_table(columns=_INDEX).to_pylist()):
            of_problem = self._critiques.setdefault(row["problem_id"], [])
            if row["kind"] == CRITIQUE:
                if samplers is not None and (row["sampler"] or {}).get("name") not in samplers:
                    continue
                of_problem.append(
                    Choice(place=place, id=row["solution_id"], verdict=row["verdict"], pass_rate=row["pass_rate"])
                )
            else:
                self._solve[row["problem_id"]] = place

    def rows(self, **changes: Any) -> dict[str, list[int]]:
        """The rows of each split under other `mix` settings, in the order of their records.

        changes: keys of the recipe's `mix` (critique_share, pick, balance, per_problem), laid over the build's own; and
        `seed`, over the recipe's. Raises `InputError` for what a recipe would not take.
        """
        recipe = self._changed(changes)
        names = list(self._critiques)
        mixed = mix(names, self._critiques, recipe.mixing())

        def of_problem(name: str) -> Sequence[int]:
            places = mixed.critiques.get(name)
            return places if places is not None else [self._solve[name]] if name in self._solve else []

        members = splits(names, recipe.split.test_share, recipe.seed)
        return {split: [row for name in order for row in of_problem(name)] for split, order in members.items()}

    def eligible(self) -> dict[str, dict[str, list[int]]]:
        """Every row of the pool, by split and kind, in the order of the files: what any mix can be drawn from."""
        members = splits(list(self._critiques), self.recipe.split.test_share, self.recipe.seed)
        return {
            split: {
                SOLVE: sorted(self._solve[name] for name in names if name in self._solve),
                CRITIQUE: sorted(choice.place for name in names for choice in self._critiques[name]),
            }
            for split, names in members.items()
        }

    def records(self, rows: Sequence[int]) -> Iterator[Record]:
        """The records of some rows, in the order of the rows. They are all held at once."""
        for cells in self._data.take(rows).to_pylist():
            yield make_record(cells)

    def _changed(self, changes: dict[str, Any]) -> Recipe:
        raw = self.recipe.model_dump()
        seed = changes.pop("seed", raw["seed"])
        try:
            return Recipe.model_validate({**raw, "seed": seed, "mix": {**raw["mix"], **changes}})
        except ValueError as error:
            raise InputError(f"mix: {' '.join(str(error).split())[:300]}") from None


def load_mixed(path: str | Path, split: str | None = None, **changes: Any) -> Iterator[Record]:
    """The records of a built dataset under other `mix` settings, of one split or of all: `load_records` of another mix.

    path: the build directory. changes: as of `Pool.rows`; none: the records of `data/`, in their order.
    Raises `InputError` where there is no built dataset, or no such split.
    """
    pool = Pool(path)
    rows = pool.rows(**changes)
    if split is not None and split not in rows:
        raise InputError(f"{path}: expected a split, one of {', '.join(rows)}, got {split!r}")
    for name, numbers in rows.items():
        if split in (None, name):
            yield from pool.records(numbers)
