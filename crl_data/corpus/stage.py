"""What a build is working on, on disk instead of in memory: problems and candidates by place and by id.

A SQLite file of its own that is made anew by every run and thrown away at its end; what must last is in the store.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.corpus.records import EXECUTED, GIVEN
from crl_data.errors import RowError, WorkError
from crl_data.rows import cells_of, make_problem, make_solution
from crl_data.types import Problem, Solution

_TABLES = """
create table problems (place integer primary key, id text unique, entry_point text, cells text, set_aside text,
    shared text);
create index by_entry_point on problems (entry_point);
create table candidates (
    place integer primary key, problem text, id text, cells text, dropped text, judgement text, verdict integer,
    pass_rate real, label_source text,
    unique (problem, id)
);
"""
_BOTH = "candidates c join problems p on p.id = c.problem"
_KEPT = "c.dropped is null and p.set_aside is null"
_TO_JUDGE = f"{_KEPT} and c.label_source = '{EXECUTED}'"


class Duplicate(Exception):
    """There is a row with this id already."""


class Stage:
    """A staging file; a context manager, for one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._of_source: Counter[int] = Counter()
        self._clear()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode = off")
            self._db.execute("pragma synchronous = off")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise WorkError(f"{path}: cannot be written: {error}") from None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._clear()

    def _clear(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _run(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(query, values)
        except sqlite3.IntegrityError:
            raise Duplicate from None
        except sqlite3.Error as error:
            raise WorkError(f"{self.path}: cannot be written: {error}") from None

    # --- problems -----------------------------------------------------------------------------------------------------

    def add_problem(self, problem: Problem, set_aside: str | None = None) -> None:
        """Raises `Duplicate` where the id is taken."""
        cells = json.dumps(cells_of(problem), ensure_ascii=False)
        self._run(
            "insert into problems (id, entry_point, cells, set_aside) values (?, ?, ?, ?)",
            (problem.id, problem.entry_point, cells, set_aside),
        )

    def add_absent(self, name: str, reason: str) -> None:
        """A row that makes no problem of ours; only its id is known."""
        self._run("insert into problems (id, set_aside) values (?, ?)", (name, reason))

    def set_aside(self, name: str, reason: str) -> None:
        self._run("update problems set set_aside = ? where id = ?", (reason, name))

    def problem(self, name: str) -> Problem | None:
        """The problem of an id, set aside or not; None where there is none, or only its id is known."""
        row = self._run("select cells from problems where id = ?", (name,)).fetchone()
        return make_problem(json.loads(row[0])) if row and row[0] else None

    def question(self, name: str) -> str:
        """The question of a problem that is there."""
        row = self._run("select json_extract(cells, '$.question') from problems where id = ?", (name,)).fetchone()
        return str(row[0])

    def questions(self) -> Iterator[tuple[str, str]]:
        """Id and question of the problems that are kept, in order."""
        query = "select id, json_extract(cells, '$.question') from problems where set_aside is null order by place"
        yield from self._run(query)

    def status(self, name: str) -> tuple[bool, str | None]:
        """Whether there is a row with this id, and why it was set aside (None: it was not)."""
        row = self._run("select set_aside from problems where id = ?", (name,)).fetchone()
        return (True, row[0]) if row else (False, None)

    def problems(self, kept_only: bool = True) -> Iterator[tuple[Problem, str | None]]:
        """Problems in order, and why each was set aside."""
        where = "where set_aside is null" if kept_only else "where cells is not null"
        for cells, reason in self._run(f"select cells, set_aside from problems {where} order by place"):
            yield make_problem(json.loads(cells)), reason

    def has_tests(self, name: str) -> bool:
        """Whether a problem has tests; true where it is not known."""
        query = "select json_array_length(cells, '$.tests') from problems where id = ?"
        row = self._run(query, (name,)).fetchone()
        return row is None or row[0] != 0

    def share(self, name: str, cells: dict[str, Any]) -> None:
        """Keep what all records of a problem have in common."""
        self._run("update problems set shared = ? where id = ?", (json.dumps(cells, ensure_ascii=False), name))

    def shared(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run("select shared from problems where id = ?", (name,)).fetchone()[0])
        return found

    def by_entry_point(self, name: str) -> list[Problem]:
        """The problems of an entry point, set aside or not."""
        query = "select cells from problems where entry_point = ? order by place"
        return [make_problem(json.loads(cells)) for (cells,) in self._run(query, (name,))]

    def set_aside_problems(self) -> Iterator[tuple[str, str]]:
        yield from self._run("select id, set_aside from problems where set_aside is not null order by place")

    # --- candidates ---------------------------------------------------------------------------------------------------

    def add_candidate(
        self, candidate: Solution, dropped: str | None, given: bool | None = None, source: int | None = None
    ) -> None:
        """Raises `Duplicate` where the problem has a candidate of this id.

        given: the verdict, where it is not drawn here. source: they stand in the order of their sources, whichever of them
        comes first; None: at the end.
        """
        place = None
        if source is not None:
            self._of_source[source] += 1
            place = (source << 32) + self._of_source[source]
        verdict, label_source = (None, EXECUTED) if given is None else (int(given), GIVEN)
        cells = json.dumps(cells_of(candidate), ensure_ascii=False)
        self._run(
            "insert into candidates (place, problem, id, cells, dropped, verdict, label_source) values (?, ?, ?, ?, ?, ?, ?)",
            (place, candidate.problem_id, candidate.id, cells, dropped, verdict, label_source),
        )

    def drop_candidates_of_set_aside(self, reason: str) -> None:
        aside = "select id from problems where set_aside is not null"
        query = f"update candidates set dropped = ? where dropped is null and problem in ({aside})"
        self._run(query, (reason,))

    def candidates(self, to_judge_only: bool = True) -> Iterator[tuple[int, Solution, str | None]]:
        """Candidates by problem, in the order of both: place, candidate, why it was dropped."""
        where = f"where {_TO_JUDGE}" if to_judge_only else ""
        query = f"select c.place, c.cells, c.dropped from {_BOTH} {where} order by p.place, c.place"
        for place, cells, dropped in self._run(query):
            yield place, make_solution(json.loads(cells)), dropped

    def count_candidates(self) -> int:
        """How many are to be judged."""
        query = f"select count(*) from {_BOTH} where {_TO_JUDGE}"
        return int(self._run(query).fetchone()[0])

    def count(self, table: str, condition: str) -> int:
        return int(self._run(f"select count(*) from {table} where {condition}").fetchone()[0])

    def place_of(self, problem: str, name: str) -> int:
        query = "select place from candidates where problem = ? and id = ?"
        return int(self._run(query, (problem, name)).fetchone()[0])

    def judged(self, place: int, judgement: dict[str, Any]) -> None:
        verdict = judgement["verdict"]
        values = (
            json.dumps(judgement, ensure_ascii=False),
            None if verdict is None else int(verdict),
            judgement["pass_rate"],
            place,
        )
        self._run("update candidates set judgement = ?, verdict = ?, pass_rate = ? where place = ?", values)

    def judgements(self) -> Iterator[dict[str, Any]]:
        query = f"select c.judgement from {_BOTH} where c.judgement is not null order by p.place, c.place"
        for (text,) in self._run(query):
            yield json.loads(text)

    def decided(self, problem: str | None = None) -> Iterator[tuple[int, str, str, bool, float | None]]:
        """Candidates with a verdict, drawn or given: place, problem, id, verdict, pass rate; by problem."""
        where = "and c.problem = ?" if problem is not None else ""
        query = (
            f"select c.place, c.problem, c.id, c.verdict, c.pass_rate from {_BOTH} "
            f"where c.verdict is not null and {_KEPT} {where} order by p.place, c.place"
        )
        for place, name, candidate, verdict, rate in self._run(query, (problem,) if problem is not None else ()):
            yield place, name, candidate, bool(verdict), rate

    def candidate(self, place: int) -> tuple[Solution, bool, float | None, str]:
        """A decided candidate: itself, its verdict, its pass rate, and where the verdict came from."""
        query = "select cells, verdict, pass_rate, label_source from candidates where place = ?"
        cells, verdict, rate, source = self._run(query, (place,)).fetchone()
        return make_solution(json.loads(cells)), bool(verdict), rate, source

    def counts(self, table: str, column: str) -> dict[str, int]:
        """How many rows have each reason to be set aside or dropped."""
        query = (
            f"select {column}, count(*) from {table} where {column} is not null "
            f"group by {column} order by count(*) desc, {column}"
        )
        return dict(self._run(query).fetchall())


def taken_id(place: str, candidate: Solution) -> RowError:
    """What is said where a problem has a candidate of this id already."""
    expected = f"an id that no candidate of problem {candidate.problem_id!r} before it has"
    return RowError(place, "id", expected, f"{candidate.id!r} again")
