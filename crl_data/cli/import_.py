"""`crl-data import`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path

from tqdm import tqdm

from crl_data.columns import PROBLEM
from crl_data.corpus import imported
from crl_data.errors import InputError, RowError
from crl_data.importers import SetAside, Tools, critique_verl, read_problems
from crl_data.importers.tables import Which, open_tables
from crl_data.judging import Judge, Policy, Prepared
from crl_data.judging.reference import Reference
from crl_data.rows import SUFFIXES, RowWriter, cells_of
from crl_data.sandbox import open_sandbox
from crl_data.types import Problem

_AHEAD = 16
_RECORDS = "critique-verl"  # the one format that is of records, too


def run(
    format_: str, source: str, which: Which, out: Path, limit: int | None, verify: bool, libraries: str, as_json: bool
) -> None:
    """Write the problems of a source; with `verify`, run the references, which may import the named libraries."""
    if format_ == _RECORDS and not out.name.endswith(SUFFIXES):
        _import_records(source, which, out, verify or limit is not None, as_json)
        return
    counts: Counter[str] = Counter()
    notes: list[tuple[str, str]] = []

    def refuse(error: RowError) -> None:
        raise error

    with contextlib.ExitStack() as opened:
        named = tuple(name.strip() for name in libraries.split(",") if name.strip())
        known: list[Reference] = []

        def references() -> Reference:
            if not known:
                known.append(opened.enter_context(Reference(open_sandbox(libraries=named))))
            return known[0]

        judge = opened.enter_context(Judge(policy=Policy(libraries=named))) if verify else None
        check = _Check(judge, notes, counts) if judge else None
        writer = opened.enter_context(RowWriter(out, PROBLEM))
        ids: set[str] = set()
        tools = Tools(references, refuse)
        rows = read_problems(format_, open_tables(source, Path(), which), Path(), tools)
        for found in tqdm(rows, desc="importing", disable=None, unit="", leave=False):
            counts["read"] += 1
            if found.id in ids:
                raise RowError(tools.place, "id", "an id that no row before it has", f"{found.id!r} again")
            ids.add(found.id)
            if isinstance(found, SetAside):
                counts["set aside"] += 1
                notes.append((found.id, found.reason))
            else:
                counts["problems"] += 1
                writer.write(cells_of(found))
                if check:
                    check.add(found)
            if counts["read"] == limit:
                break
        if check:
            check.finish()
        if not counts["problems"]:
            raise InputError(f"{source}: expected at least one problem of the format {format_}, got none")
    _say(out, counts, notes, verify, as_json)


def _import_records(source: str, which: Which, out: Path, told_more: bool, as_json: bool) -> None:
    """Records, into a folder like that of a build."""
    if told_more:
        raise InputError("--verify, --limit: expected neither where records are imported, into a folder")
    tables = open_tables(source, Path(), which)

    def refuse(error: RowError) -> None:
        raise error

    def unused() -> Reference:
        raise AssertionError("no reference has to be run for records")

    counts = imported.write(
        _RECORDS, lambda: critique_verl.records(tables, Tools(unused, refuse)), tables.described(), out
    )
    if as_json:
        print(json.dumps(counts))
    else:
        told = ", ".join(f"{counts[kind]:,} {kind}" for kind in imported.COUNTED if counts[kind])
        print(f"{counts['critique'] + counts['solve']:,} records ({told}): {out}")


class _Check:
    """Runs the references of problems while more are read."""

    def __init__(self, judge: Judge, notes: list[tuple[str, str]], counts: Counter[str]) -> None:
        self.judge = judge
        self.notes = notes
        self.counts = counts
        self.waiting: deque[tuple[Problem, Future[Prepared]]] = deque()

    def add(self, problem: Problem) -> None:
        self.waiting.append((problem, self.judge.prepare(problem)))
        if len(self.waiting) >= _AHEAD * self.judge.jobs:
            self._take()

    def finish(self) -> None:
        while self.waiting:
            self._take()

    def _take(self) -> None:
        from crl_data.corpus.label import (
            REFERENCE_FAILS,
        )  # a build's rooms, which an import without --verify does not need

        problem, future = self.waiting.popleft()
        prepared = future.result()
        if problem.reference is None:
            self.counts["without a reference"] += 1
        elif prepared.reference_fault:
            self.counts["failing"] += 1
            self.notes.append((problem.id, f"{REFERENCE_FAILS}: {prepared.reference_fault}"))
        else:
            self.counts["holding"] += 1
        if prepared.plan.tamper_proof:
            self.counts["tamper-proof"] += 1


def _say(out: Path, counts: Counter[str], notes: list[tuple[str, str]], verify: bool, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {**counts, "notes": [{"id": name, "reason": reason} for name, reason in notes]}, ensure_ascii=False
            )
        )
        return
    for name, reason in notes:
        print(f"{name}: {reason}")
    print(f"{counts['problems']:,} problems of {counts['read']:,} rows, {counts['set aside']:,} set aside: {out}")
    if verify:
        print(
            f"{counts['holding']:,} hold, {counts['failing']:,} do not, {counts['without a reference']:,} have no reference; "
            f"{counts['tamper-proof']:,} are judged tamper-proof"
        )
    sys.stdout.flush()
