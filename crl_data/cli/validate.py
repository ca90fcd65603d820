"""`crl-data validate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crl_data.columns import CRITIQUE, DIFFICULTY, JUDGEMENT, PROBLEM, RECORD, SOLUTION, Fault, Struct
from crl_data.corpus.critiques import fault_of_critique
from crl_data.corpus.difficulty import fault_of_difficulty
from crl_data.corpus.manifest import read_manifest
from crl_data.corpus.outputs import file_hash
from crl_data.corpus.records import GIVEN, fault_of_record
from crl_data.errors import InputError, RowError
from crl_data.problems import fault_of
from crl_data.rows import make_problem, read_rows, row_faults

_SHOWN = 1000


def run(path: Path, as_json: bool) -> None:
    found = list(_of_directory(path) if path.is_dir() else _of_file(path))
    if as_json:
        print(json.dumps({"faults": found}, ensure_ascii=False))
    else:
        for line in found[:_SHOWN]:
            print(line)
        if len(found) > _SHOWN:
            print(f"... and {len(found) - _SHOWN:,} more")
    if found:
        raise InputError(f"{path}: {len(found):,} fault{'s' * (len(found) > 1)}")
    if not as_json:
        print(f"{path}: no fault")


def _of_file(path: Path, untested: bool = False, empty: bool = False) -> Iterator[str]:
    """Every fault of a file of problems or solutions; which of them it is, its first row says.

    untested: problems may have no tests. empty: there may be no row.
    """
    columns: Struct | None = None
    seen: set[tuple[str, ...]] = set()
    number = 0
    for row in read_rows(path):
        number += 1
        if isinstance(row, RowError):
            yield str(row)
            continue
        if columns is None:
            columns = _kind_of(row.cells)
        found = row_faults(row, columns)
        yield from map(str, found)
        if found:
            continue
        name = tuple(str(row.cells.get(key)) for key in _KEYS[columns])
        if name in seen:
            yield str(RowError(row.place, "id", "an id that no row before it has", f"{name[-1]!r} again"))
        seen.add(name)
        if columns is PROBLEM:
            fault = fault_of(make_problem(row.cells), row.cells.get("test_kind"), untested=untested)
            if fault is not None:
                yield str(RowError(row.place, fault.field, fault.expected, fault.came))
        elif columns in _MEANING:
            fault = _MEANING[columns](row.cells)
            if fault is not None:
                yield str(RowError(row.place, fault.field, fault.expected, fault.came))
        elif columns is SOLUTION and row.cells.get("code") is None and row.cells.get("response") is None:
            yield str(RowError(row.place, "code", "code, or a response to take it from", "neither"))
    if not number and not empty:
        yield f"{path}: expected at least one row, got none"


_KEYS = {
    PROBLEM: ("id",),
    SOLUTION: ("problem_id", "id"),
    JUDGEMENT: ("problem_id", "solution_id"),
    RECORD: ("id",),
    CRITIQUE: ("problem_id", "solution_id", "id"),
    DIFFICULTY: ("problem_id",),
}
_MEANING: dict[Struct, Callable[[dict[str, Any]], Fault | None]] = {
    RECORD: fault_of_record,
    CRITIQUE: fault_of_critique,
    DIFFICULTY: fault_of_difficulty,
}


def _kind_of(cells: dict[str, object]) -> Struct:
    if "prompt" in cells and "kind" in cells:
        return RECORD
    if "outcomes" in cells:
        return JUDGEMENT
    if "agrees" in cells:
        return CRITIQUE
    if "pass_at_1" in cells:
        return DIFFICULTY
    return SOLUTION if "problem_id" in cells else PROBLEM


def _of_directory(path: Path) -> Iterator[str]:
    """Every fault of a built dataset: files that are missing or changed, rows that are not as their columns say."""
    manifest = read_manifest(path, ("files",))
    files = manifest["files"]
    untested = any(source.get("labels") == GIVEN for source in manifest.get("recipe", {}).get("candidates", ()))
    for folder in ("data", "pool"):
        for file in sorted((path / folder).glob("*")):
            if str(file.relative_to(path)) not in files:
                yield f"{file}: expected no file that the manifest does not tell of: a reader takes it for a part"
    for name, told in files.items():
        file = path / name
        if not file.is_file():
            yield f"{file}: expected a file, got none"
        elif not isinstance(told, dict) or file_hash(file) != told.get("sha256"):
            yield f"{file}: expected the content that the manifest tells, got another"
        elif name.startswith(("data/", "pool/", "problems", "difficulty")):
            yield from _of_file(file, untested)
        elif name == "critiques.parquet":
            yield from _of_file(file, empty=True)
    problems: dict[str, str] = {}
    for name in files:
        if name.startswith("data/") and (path / name).is_file():
            split = Path(name).name.partition("-")[0]
            for row in read_rows(path / name):
                if not isinstance(row, RowError) and problems.setdefault(row.cells["problem_id"], split) != split:
                    other = problems[row.cells["problem_id"]]
                    yield f"{row.place}: problem_id: expected a problem of the split {split}, got one of {other} too"
