"""The store: what was found out by running code, or paid for, under a hash of exactly what it depends on, in one SQLite file.

Every finding, and every response of a model, is written as soon as it is known, so that a build that is killed loses at most
what was in flight. The store knows nothing of recipes, thresholds or datasets; several builds may share one (`--store`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from crl_data.errors import WorkError
from crl_data.judging import Evidence
from crl_data.judging.limits import Calibration
from crl_data.judging.memory import TEST_BYTES, Suite, calibration_of_fewer, of_fewer
from crl_data.judging.policy import Way
from crl_data.types import Outcome

_VERSION = 2
_TABLES = """
create table if not exists calibrations (
    key text primary key, reference_cpu_s real, fault text, way text, interface text) without rowid;
create table if not exists evidence (key text primary key, outcomes text, first text, seconds real) without rowid;
create table if not exists suites (id integer primary key, tests blob unique);
create table if not exists calibrated (the_group blob, suite integer, key text, cpu_s text, primary key (the_group, suite))
    without rowid;
create table if not exists found (the_group blob, suite integer, key text, primary key (the_group, suite)) without rowid;
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
        self._last_suite: tuple[tuple[bytes, ...] | None, int] = None, 0  # solutions come problem by problem
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
        row = self._one("select reference_cpu_s, fault, way, interface from calibrations where key = ?", (key,))
        return row and Calibration(
            reference_cpu_s=row[0], fault=row[1], way=Way(row[2]) if row[2] else None, interface=row[3]
        )

    def wider_calibration(self, suite: Suite) -> Calibration | None:
        """What a reference showed on more tests than these, as it is for these."""
        query = "select s.tests, c.key, c.cpu_s from calibrated c join suites s on s.id = c.suite where c.the_group = ?"
        for tests, key, cpu_s in self._all(query, (bytes.fromhex(suite.group),)):
            wider = self.calibration(key)
            if wider is not None:
                wider = replace(wider, cpu_s=tuple(json.loads(cpu_s)))
                found = calibration_of_fewer(wider, _apart(tests), suite.tests)
                if found is not None:
                    return found
        return None

    def keep_calibration(self, key: str, calibration: Calibration, suite: Suite | None = None) -> None:
        values = (key, calibration.reference_cpu_s, calibration.fault, calibration.way, calibration.interface)
        self._keep("insert or ignore into calibrations values (?, ?, ?, ?, ?)", values)
        if suite is not None and calibration.cpu_s:
            kept = (bytes.fromhex(suite.group), self._suite(suite), key, json.dumps(calibration.cpu_s))
            self._keep("insert or ignore into calibrated values (?, ?, ?, ?)", kept)

    def evidence(self, key: str, suite: Suite | None = None, max_timeouts: int = 1) -> Evidence | None:
        """What was found with exactly these tests, else what follows from what was found with more."""
        found = self._evidence(key)
        if found is None and suite is not None:
            found = self._evidence_of_more(suite, max_timeouts)
        self.hits += found is not None
        return found

    def _evidence_of_more(self, suite: Suite, max_timeouts: int) -> Evidence | None:
        query = "select s.tests, f.key from found f join suites s on s.id = f.suite where f.the_group = ?"
        for tests, key in self._all(query, (bytes.fromhex(suite.group),)):
            wider = self._evidence(key)
            found = wider and of_fewer(wider, _apart(tests), suite.tests, max_timeouts)
            if found is not None:
                return found
        return None

    def keep_evidence(self, key: str, evidence: Evidence, suite: Suite | None = None) -> Evidence:
        letters = "".join(_LETTERS[outcome] for outcome in evidence.outcomes)
        self.kept += 1
        values = (key, letters, _written(evidence.first), evidence.seconds)
        self._keep("insert or ignore into evidence values (?, ?, ?, ?)", values)
        if suite is not None:
            kept = (bytes.fromhex(suite.group), self._suite(suite), key)
            self._keep("insert or ignore into found values (?, ?, ?)", kept)
        return self._evidence(key) or evidence

    def _suite(self, suite: Suite) -> int:
        """The number of a list of tests, which many solutions share."""
        known, number = self._last_suite
        if known != suite.tests:
            tests = b"".join(suite.tests)
            self._keep("insert or ignore into suites (tests) values (?)", (tests,))
            number = int(self._one("select id from suites where tests = ?", (tests,))[0])
            self._last_suite = suite.tests, number
        return number

    def _evidence(self, key: str) -> Evidence | None:
        row = self._one("select outcomes, first, seconds from evidence where key = ?", (key,))
        return row and Evidence(outcomes=tuple(_OUTCOMES[letter] for letter in row[0]), first=row[1], seconds=row[2])

    def outputs(self, key: str, find: Callable[[], list[Any]]) -> list[Any]:
        """What some calls of a reference gave, found by `find` where it is not known yet. JSON values."""
        row = self._one("select results from outputs where key = ?", (key,))
        if row is None:
            results = find()
            self._keep("insert or ignore into outputs values (?, ?)", (key, json.dumps(results)))
            return results
        known: list[Any] = json.loads(row[0])
        return known

    def responses(self, key: str) -> list[tuple[int, str]]:
        """The responses to a question; see `crl_data.samplers.kept.Kept`."""
        return self._all("select first, response from responses where key = ? order by first", (key,))

    def keep_question(self, key: str, question: str) -> None:
        """Keep what was asked, as it was sent but for the number of answers."""
        self._keep("insert or ignore into questions values (?, ?)", (key, _written(question)))

    def keep_response(self, key: str, first: int, response: str) -> None:
        """Keep a response. One of the same number that is there stays as it is."""
        self._keep("insert or ignore into responses values (?, ?, ?)", (key, first, _written(response)))

    def _one(self, query: str, values: tuple[Any, ...]) -> Any:
        return next(iter(self._all(query, values)), None)

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
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


def _apart(tests: bytes) -> list[bytes]:
    """The hashes of tests, which are kept one behind the other."""
    return [tests[place : place + TEST_BYTES] for place in range(0, len(tests), TEST_BYTES)]
