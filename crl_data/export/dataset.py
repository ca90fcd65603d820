"""What the forms read of a built dataset: its records by split, what belongs to a problem, and the texts about solutions.

Texts (critiques, the responses that solutions came from) are looked up and may be many: they lie in a file without a name
meanwhile, so that memory does not grow with their number.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from crl_data.columns import CANDIDATE, CRITIQUE, RECORD
from crl_data.corpus import records
from crl_data.corpus.manifest import read_manifest
from crl_data.errors import InputError
from crl_data.rows import record_files, whole_rows
from crl_data.samplers.recorded import fenced

Cells = dict[str, Any]
_TABLES = """
create table critiques (problem text, solution text, place integer primary key, cells text);
create table responses (problem text, solution text, response text, primary key (problem, solution)) without rowid;
"""


@dataclass
class OfProblem:
    """The eligible records of a problem: the one that asks for a solution (None: it has no tests), and the critiques'."""

    id: str
    solve: Cells | None = None
    critiques: list[Cells] = field(default_factory=list)


class Dataset:
    """A built dataset, or other people's records as `import` leaves them; a context manager, for one thread.

    Raises `InputError` where there are no records.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = record_files(path)
        self.splits: tuple[str, ...] = tuple(self._files)

    def __enter__(self) -> Dataset:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_TABLES)
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @cached_property
    def seed(self) -> int:
        """What the build drew by; 0 where nothing is known of it."""
        recipe = read_manifest(self.path, ()).get("recipe") or {}
        return int(recipe.get("seed") or 0)

    def records(self, split: str) -> Iterator[Cells]:
        """The records of a split, in their order."""
        return (row.cells for row in whole_rows(self._files[split], RECORD))

    def problems(self, split: str) -> Iterator[OfProblem]:
        """All eligible records, by problem, of the problems that stand in a split."""
        pool = sorted((self.path / "pool").glob("*.parquet"))
        rows = (row.cells for row in whole_rows(pool, RECORD)) if pool else self.records(split)
        for name, group in groupby(rows, key=lambda cells: str(cells["problem_id"])):
            if self._split_of.get(name) != split:
                continue
            found = OfProblem(name)
            for cells in group:
                if cells["kind"] == records.CRITIQUE:
                    found.critiques.append(cells)
                else:
                    found.solve = cells
            yield found

    @cached_property
    def _split_of(self) -> dict[str, str]:
        """In which split a problem stands."""
        import pyarrow.parquet as pq

        return {
            name: split
            for split, files in self._files.items()
            for file in files
            for name in pq.read_table(file, columns=["problem_id"])["problem_id"].to_pylist()
        }

    # --- texts --------------------------------------------------------------------------------------------------------

    def require_critiques(self, key: str = "critiques") -> None:
        """Read the texts of the teacher. Raises `InputError` where there are none; key: the recipe's that makes them."""
        if not self._has_critiques:
            raise InputError(f"{self.path}: expected critiques.parquet, got none; the recipe's key `{key}` makes it")

    @cached_property
    def _has_critiques(self) -> bool:
        path = self.path / "critiques.parquet"
        if not path.is_file():
            return False
        for row in whole_rows([path], CRITIQUE):
            values = (row.cells["problem_id"], row.cells["solution_id"], json.dumps(row.cells))
            self._db.execute("insert into critiques (problem, solution, cells) values (?, ?, ?)", values)
        self._db.execute("create index by_solution on critiques (problem, solution, place)")
        return True

    def critiques(self, record: Cells) -> Sequence[Cells]:
        """What the teacher wrote about the solution of a record, in the order of the file."""
        if not self._has_critiques:
            return ()
        query = "select cells from critiques where problem = ? and solution = ? order by place"
        found = self._db.execute(query, (record["problem_id"], record["solution_id"])).fetchall()
        return [json.loads(cells) for (cells,) in found]

    @cached_property
    def _has_responses(self) -> bool:
        path = self.path / "candidates.parquet"
        if not path.is_file():
            return False
        for row in whole_rows([path], CANDIDATE):
            if row.cells.get("response") is not None:
                values = (row.cells["problem_id"], row.cells["id"], row.cells["response"])
                self._db.execute("insert or ignore into responses values (?, ?, ?)", values)
        return True

    def answer(self, record: Cells) -> str:
        """The answer that the solution of a critique record was taken from, as it was; else the solution, as an answer."""
        query = "select response from responses where problem = ? and solution = ?"
        found = (
            self._db.execute(query, (record["problem_id"], record["solution_id"])).fetchone()
            if self._has_responses
            else None
        )
        return str(found[0]) if found else fenced(record["solution"])
