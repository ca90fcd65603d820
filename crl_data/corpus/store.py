"""The store: what was found out by running code, or paid for, under a hash of exactly what it depends on, in one SQLite file.

Every finding, and every response of a model, is written as soon as it is known, so that a build that is killed loses at most
what was in flight. The store knows nothing of recipes, thresholds or datasets; several builds may share one (`--store`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crl_data.errors import WorkError
from crl_data.judging import Evidence
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Way
from crl_data.types import Outcome

_VERSION = 2
_TABLES = """
create table if not exists calibrations (
    key text primary key, reference_cpu_s real, fault text, way text, interface text) without rowid;
create table if not exists evidence (key text primary key, outcomes text, first text, seconds real) without rowid;
create table if not exists outputs (key text primary key, results text) without rowid;
create table if not exists questions (key text primary key, question text) without rowid;
create table if not exists responses (key text, first integer, response text, primary key (key, first));
"""
_LETTERS = {
    Outcome.PASSED: "P",
    Outcome.WRONG_ANSWER: "W",
    Outcome.RUNTIME_ERROR: "R",
    Outcome.TIMEOUT: "T",
    Outcome.MEMORY_LIMIT: "M",
    Outcome.OUTPUT_LIMIT: "O",
    Outcome.NOT_RUN: "N",
    Outcome.JUDGE_ERROR: "J",
}
_OUTCOMES = {letter: outcome for outcome, letter in _LETTERS.items()}


def _written(text: str) -> str:
    """A text as UTF-8 can hold it: a program, or a model, can say what it cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


class Store:
    """An open store; safe to use from many threads. See `crl_data.judging.Memory` for what it is to a judge."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.hits = 0
        self.kept = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")  # survives the end of this process at any instant
            version = self._db.execute("pragma user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise WorkError(
                    f"{path}: a store of version {version}, and this program reads version {_VERSION}: name another with --store"
                )
            self._db.execute(f"pragma user_version = {_VERSION}")
            self._db.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise WorkError(f"{path}: the store cannot be opened: {error}") from None

    def calibration(self, key: str) -> Calibration | None:
        row = self._one("select reference_cpu_s, fault, way, interface from calibrations where key = ?", key)
        return row and Calibration(
            reference_cpu_s=row[0], fault=row[1], way=Way(row[2]) if row[2] else None, interface=row[3]
        )

    def keep_calibration(self, key: str, calibration: Calibration) -> None:
        values = (key, calibration.reference_cpu_s, calibration.fault, calibration.way, calibration.interface)
        self._keep("insert or ignore into calibrations values (?, ?, ?, ?, ?)", values)

    def evidence(self, key: str) -> Evidence | None:
        found = self._evidence(key)
        self.hits += found is not None
        return found

    def keep_evidence(self, key: str, evidence: Evidence) -> Evidence:
        letters = "".join(_LETTERS[outcome] for outcome in evidence.outcomes)
        self.kept += 1
        values = (key, letters, _written(evidence.first), evidence.seconds)
        self._keep("insert or ignore into evidence values (?, ?, ?, ?)", values)
        return self._evidence(key) or evidence

    def _evidence(self, key: str) -> Evidence | None:
        row = self._one("select outcomes, first, seconds from evidence where key = ?", key)
        return row and Evidence(outcomes=tuple(_OUTCOMES[letter] for letter in row[0]), first=row[1], seconds=row[2])

    def outputs(self, key: str, find: Callable[[], list[Any]]) -> list[Any]:
        """What some calls of a reference gave, found by `find` where it is not known yet. JSON values."""
        row = self._one("select results from outputs where key = ?", key)
        if row is None:
            results = find()
            self._keep("insert or ignore into outputs values (?, ?)", (key, json.dumps(results)))
            return results
        known: list[Any] = json.loads(row[0])
        return known

    def responses(self, key: str) -> list[tuple[int, str]]:
        """The responses to a question; see `crl_data.samplers.kept.Kept`."""
        with self._lock:
            try:
                query = "select first, response from responses where key = ? order by first"
                return self._db.execute(query, (key,)).fetchall()
            except sqlite3.Error as error:
                raise WorkError(f"{self.path}: the store cannot be read: {error}") from None

    def keep_question(self, key: str, question: str) -> None:
        """Keep what was asked, as it was sent but for the number of answers."""
        self._keep("insert or ignore into questions values (?, ?)", (key, _written(question)))

    def keep_response(self, key: str, first: int, response: str) -> None:
        """Keep a response. One of the same number that is there stays as it is."""
        self._keep("insert or ignore into responses values (?, ?, ?)", (key, first, _written(response)))

    def _one(self, query: str, key: str) -> Any:
        with self._lock:
            try:
                return self._db.execute(query, (key,)).fetchone()
            except sqlite3.Error as error:
                raise WorkError(f"{self.path}: the store cannot be read: {error}") from None

    def _keep(self, query: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            try:
                self._db.execute(query, values)
            except sqlite3.Error as error:
                raise WorkError(f"{self.path}: the store cannot be written: {error}") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()
