"""What a build keeps apart, brought together: the file of a stage, the split of a problem, texts by key.

Of everything an id is held in memory. Texts lie in a file without a name meanwhile, so that memory does not grow with them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from crl_data import columns
from crl_data.columns import JUDGEMENT, RECORD
from crl_data.errors import InputError, WorkError
from crl_data.responses import fenced
from crl_data.rows import record_files, whole_rows

SOLVE, CRITIQUE = "solve", "critique"
CANDIDATE = "candidate"
_BUILT = "`crl-data build` leaves it, an import of records does not"


class Shelf:
    """Cells by key, at most one row a key: the first. A context manager, for one thread."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.execute("create table shelf (key text primary key, cells text) without rowid")

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def put(self, *key: str, cells: Any) -> None:
        try:
            values = (json.dumps(key), json.dumps(cells, ensure_ascii=False))
            self._db.execute("insert or ignore into shelf values (?, ?)", values)
        except sqlite3.Error as error:
            raise WorkError(f"the folder of temporary files: cannot be written: {error}") from None

    def get(self, *key: str) -> Any:
        """The cells of a key, or None."""
        row = self._db.execute("select cells from shelf where key = ?", (json.dumps(key),)).fetchone()
        return row and json.loads(row[0])


def table(directory: Path, name: str, why: str) -> Path:
    """The file of rows that a stage leaves. Raises `InputError` where there is none; `why` says what makes it."""
    path = directory / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"{directory}: expected {path.name}, got none; {why}")
    return path


def seed_of(directory: Path) -> int:
    """The seed of the recipe that a dataset was built from. Raises `InputError` where none is recorded."""
    path = directory / "manifest.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["recipe"]["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: recipe.seed: expected the manifest of a built dataset, with its seed, got none"
        ) from None


def split_of(directory: Path) -> dict[str, str]:
    """The split of every problem that has records in `data/`, in the order of the records."""
    found: dict[str, str] = {}
    for split, files in record_files(directory).items():
        for row in whole_rows(files, RECORD.only("problem_id"), no_others=True):
            found.setdefault(row.cells["problem_id"], split)
    return found


def records(directory: Path, kind: str, *names: str) -> Iterator[dict[str, Any]]:
    """The records of a kind, with their ids and some of their columns: those in `data/` first, then those in `pool/`."""
    wanted = RECORD.only("kind", "id", "problem_id", "solution_id", *names)
    files = [file for of_split in record_files(directory).values() for file in of_split]
    files += sorted((directory / "pool").glob("*.parquet"))
    return (row.cells for row in whole_rows(files, wanted, no_others=True) if row.cells["kind"] == kind)


def judgements_of(directory: Path) -> Iterator[dict[str, Any]]:
    """What the judge found of every candidate that it judged. Raises `InputError` where the dataset was not built."""
    path = table(directory, "judgements", _BUILT)
    names = ("problem_id", "solution_id", "verdict", "pass_rate", "n_passed", "n_tests")
    return (row.cells for row in whole_rows([path], JUDGEMENT.only(*names), no_others=True))


def candidate_ids(directory: Path) -> Iterator[tuple[str, str]]:
    """The problem and the id of every candidate, judged or not."""
    path = table(directory, "candidates", _BUILT)
    for row in whole_rows([path], columns.CANDIDATE.only("problem_id", "id"), no_others=True):
        yield row.cells["problem_id"], row.cells["id"]


def shelve_answers(directory: Path, wanted: Collection[tuple[str, str]], shelf: Shelf) -> None:
    """Put aside what some candidates answered, and who did, under `CANDIDATE`, problem and id.

    Raises `InputError` where one is not there.
    """
    path = table(directory, "candidates", _BUILT)
    missing = set(wanted)
    for row in whole_rows([path], columns.CANDIDATE):
        key = row.cells["problem_id"], row.cells["id"]
        if key in missing:
            missing.remove(key)
            shelf.put(CANDIDATE, *key, cells={"answer": answer(row.cells), "sampler": row.cells.get("sampler")})
    for problem, name in sorted(missing):
        raise InputError(
            f"{path}: expected the candidate {name!r} of the problem {problem!r}, which was judged, got none"
        )


def shelve_solve_records(directory: Path, problems: Collection[str], shelf: Shelf) -> None:
    """Put the solve records of some problems aside, where they have one, under `SOLVE` and the problem."""
    missing = set(problems)
    if not missing:
        return
    for record in records(directory, SOLVE, "prompt", "source"):
        if record["problem_id"] in missing:
            missing.remove(record["problem_id"])
            shelf.put(SOLVE, record["problem_id"], cells=record)
            if not missing:
                return


def answer(candidate: Mapping[str, Any]) -> str:
    """The answer that a candidate is: its response, where its code was taken from that, else its code in a block."""
    response: str | None = candidate.get("response")
    if response is not None and candidate.get("extraction") is not None:
        return response
    return fenced(candidate["code"])


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
