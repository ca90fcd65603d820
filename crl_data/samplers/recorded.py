"""What was written before, by people or by models: solutions read from files, and a model that answers with such texts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.importers import ByEntryPoint, Tools, read_solutions
from crl_data.importers.tables import Tables
from crl_data.rows import cells_of, make_sampler
from crl_data.samplers.model import Answer, Request
from crl_data.types import Sampler, Solution


def sample(format: str, tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:  # noqa: A002
    """The solutions of a file in a named format; those that do not say where they come from are named `recorded`."""
    for solution in read_solutions(format, tables, Path(), tools, by_entry_point):
        if solution.sampler is None:
            yield Solution(**{**vars(solution), "sampler": Sampler(name="recorded")})
        else:
            yield solution


@dataclass(frozen=True, kw_only=True)
class WrittenAnswer(Answer):
    """An answer that says itself who wrote it."""

    sampler: Sampler | None = None


class RecordedModel:
    """A model that gives the answers that were written before, by the ids of requests; see `Model`, and a context manager.

    written: (id of a request, answer), in any order. A request has the first `n` of its id, or as many as there are: nobody
    can be asked for more. They lie in a file without a name meanwhile, so that memory does not grow with their number.
    """

    def __init__(self, written: Iterable[tuple[str, WrittenAnswer]]) -> None:
        self.sampler = Sampler(name="recorded")
        self._db = sqlite3.connect("")
        self._db.execute("create table answers (id text, place integer primary key, cells text)")
        for name, answer in written:
            cells = json.dumps(cells_of(answer))
            self._db.execute("insert into answers (id, cells) values (?, ?)", (name, cells))
        self._db.execute("create index by_id on answers (id, place)")

    def __enter__(self) -> RecordedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[WrittenAnswer, ...]]]:
        for request in requests:
            query = "select cells from answers where id = ? order by place limit ?"
            rows = self._db.execute(query, (request.id, request.n)).fetchall()
            yield request, tuple(_answer(json.loads(cells)) for (cells,) in rows)


def _answer(cells: dict[str, Any]) -> WrittenAnswer:
    sampler = cells.pop("sampler")
    return WrittenAnswer(**cells, sampler=sampler and make_sampler(sampler))
