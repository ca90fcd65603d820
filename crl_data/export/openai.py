"""Conversations that end in a right answer, a line each, as OpenAI's supervised fine-tuning reads them.

A line is `{"messages": [...]}` and nothing more. A solve record ends in an answer that was judged right, a critique record in
a critique of the teacher's that concludes the verdict; where there are several, one is drawn by the recipe's seed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crl_data.columns import CRITIQUE as CRITIQUE_COLUMNS
from crl_data.columns import FINE_TUNING, RECORD
from crl_data.draws import draw
from crl_data.export.files import LINES, Exported, Form, targets_in, write
from crl_data.export.tables import CANDIDATE, CRITIQUE, SOLVE, Shelf, judgements_of, said, seed_of, shelve_answers
from crl_data.rows import record_files, whole_rows

FORM = Form(columns=FINE_TUNING, suffixes=LINES, wanted="a record with a right answer")
ROLES = frozenset({"system", "user", "assistant"})
_RECORD = RECORD.only("kind", "problem_id", "solution_id", "prompt")
Key = tuple[str, ...]


def export(directory: Path, out: Path, split: str | None = None) -> Exported:
    """Write the records of a built dataset that have a right answer; `out` as in `files.targets_in`.

    Raises `InputError` where there is none, and where the dataset has no candidates.
    """
    done, targets = Exported(), targets_in(FORM, directory, out, split)
    judgements, seed = judgements_of(directory), seed_of(directory)
    asked = {
        _key(cells) for name in targets for cells in _records(directory, name, "kind", "problem_id", "solution_id")
    }
    right = (((one["problem_id"],), one["solution_id"]) for one in judgements if one.get("verdict") is True)
    solved = _drawn(seed, ((key, name) for key, name in right if (SOLVE, *key) in asked))
    with Shelf() as shelf:
        shelve_answers(directory, {(problem, name) for (problem,), name in solved.items()}, shelf)
        _shelve_critiques(directory / "critiques.parquet", seed, asked, shelf)

        def answer_to(cells: Mapping[str, Any]) -> str | None:
            if cells["kind"] == CRITIQUE:
                response: str | None = shelf.get(*_key(cells))
                return response
            problem = cells["problem_id"]
            return shelf.get(CANDIDATE, problem, solved[problem,])["answer"] if (problem,) in solved else None

        def rows(name: str) -> Iterator[dict[str, Any]]:
            for cells in _records(directory, name, *_RECORD.names()):
                response = answer_to(cells)
                if response is None:
                    done.left_out[_WITHOUT[cells["kind"]]] += 1
                elif any(message["role"] not in ROLES for message in cells["prompt"]):
                    done.left_out["records with a role that is not known there"] += 1
                else:
                    done.kinds[cells["kind"]] += 1
                    yield {"messages": [*cells["prompt"], said("assistant", response)]}

        return write(FORM, directory, out, targets, rows, done)


_WITHOUT = {SOLVE: "solve records without a right candidate", CRITIQUE: "critique records without a kept critique"}


def _records(directory: Path, split: str, *names: str) -> Iterator[dict[str, Any]]:
    return (row.cells for row in whole_rows(record_files(directory)[split], RECORD.only(*names), no_others=True))


def _key(record: Mapping[str, Any]) -> Key:
    """What asks for an answer: a problem, or a solution of it."""
    if record["kind"] == SOLVE:
        return SOLVE, record["problem_id"]
    return CRITIQUE, record["problem_id"], record.get("solution_id") or ""


def _drawn(seed: int, found: Iterable[tuple[Key, str]]) -> dict[Key, str]:
    """For each key, one of the ids that were found for it."""
    chosen: dict[Key, str] = {}
    for key, name in found:
        if key not in chosen or draw(seed, "openai", *key, name) < draw(seed, "openai", *key, chosen[key]):
            chosen[key] = name
    return chosen


def _shelve_critiques(path: Path, seed: int, asked: Collection[Key], shelf: Shelf) -> None:
    """Put a kept critique aside for every critique record that has one."""
    if not path.is_file():
        return
    ids = CRITIQUE_COLUMNS.only("problem_id", "solution_id", "id", "agrees")
    kept = (row.cells for row in whole_rows([path], ids, no_others=True) if row.cells.get("agrees"))
    keyed = (((CRITIQUE, one["problem_id"], one["solution_id"]), one["id"]) for one in kept)
    chosen = _drawn(seed, ((key, name) for key, name in keyed if key in asked))
    for row in whole_rows([path], CRITIQUE_COLUMNS):
        key = CRITIQUE, row.cells["problem_id"], row.cells["solution_id"]
        if chosen.get(key) == row.cells["id"]:
            shelf.put(*key, cells=row.cells["response"])
