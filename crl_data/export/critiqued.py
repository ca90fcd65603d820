"""Critiques with the records they are about, by split: what `cft` and `cgd` are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from crl_data.columns import CRITIQUE as COLUMNS
from crl_data.export.files import Exported
from crl_data.export.tables import CRITIQUE, Shelf, records, split_of, table
from crl_data.rows import whole_rows

Cells = Mapping[str, Any]
_OF_RECORD = (
    *("prompt", "prompt_template", "question", "solution", "verdict", "test_kind", "entry_point"),
    *("starter_code", "source"),
)


class Critiqued:
    """The critiques of a built dataset that are fit for something, each with its record.

    unfit: why a critique is left out, or None. What is left out is counted in `done`. Raises `InputError` where the
    dataset has no critiques.
    """

    def __init__(
        self,
        directory: Path,
        splits: Collection[str],
        shelf: Shelf,
        unfit: Callable[[Cells], str | None],
        done: Exported,
    ) -> None:
        self._path = table(directory, "critiques", "the recipe's key critiques makes it")
        self._shelf = shelf
        self._unfit = unfit
        self._done = done
        self._split_of = split_of(directory)
        wanted = set()
        for cells in self._critiques():
            split = self._split_of.get(cells["problem_id"])
            if split is None:
                done.left_out["critiques of problems in no split"] += 1
            elif split in splits:
                reason = unfit(cells)
                if reason is None:
                    wanted.add(_key(cells))
                else:
                    done.left_out[reason] += 1
        if wanted:
            self._shelve(directory, wanted)

    def _critiques(self) -> Iterator[dict[str, Any]]:
        return (row.cells for row in whole_rows([self._path], COLUMNS))

    def _shelve(self, directory: Path, wanted: set[tuple[str, str]]) -> None:
        """Put the records aside that critiques are about; each once, so that `pool/` is read only for what `data/` lacks."""
        for record in records(directory, CRITIQUE, *_OF_RECORD):
            key = _key(record)
            if key in wanted:
                self._shelf.put(*key, cells=record)
                wanted.remove(key)
                if not wanted:
                    return

    def of(self, split: str) -> Iterator[tuple[Cells, Cells]]:
        """The critiques of the problems of a split, in their order, and the records they are about."""
        for cells in self._critiques():
            if self._split_of.get(cells["problem_id"]) == split and self._unfit(cells) is None:
                record = self._shelf.get(*_key(cells))
                if record is None:
                    self._done.left_out["critiques of records that are not there"] += 1
                else:
                    yield cells, record


def _key(cells: Cells) -> tuple[str, str]:
    return cells["problem_id"], cells["solution_id"]
