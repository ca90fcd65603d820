"""Rows that verl trains on for critiques, as the paper's authors published theirs (TIGER-Lab/rStar-Critique-Data).

A row has `prompt` (messages) and `extra_info`; which kind it is, its routing columns there say, as for the official reward
manager (`crl.py` of TIGER-AI-Lab/Critique-Coder 662e89f): `correctness` true or false is a critique row, and `inputs_outputs`
has the tests of a code row, as JSON. As problems (`read`), rows without tests are set aside, and a problem of several rows is
taken once. As records (`records`) none is: what a row does not tell stays empty, and its label is one that was given.

Rows of our own export say all of their record in `extra_info.crl`, and give the same record again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from crl_data.columns import PROBLEM, RECORD, describe, faults
from crl_data.errors import InputError, RowError
from crl_data.importers import SetAside, Tools, items
from crl_data.importers.tables import Tables
from crl_data.problems import fault_of
from crl_data.responses import extract_code
from crl_data.rows import Row, make_problem
from crl_data.types import Problem, Source
from crl_data.verl_rows import json_object, official_tests, said, text_of, truth_of

SOURCE = Source(
    dataset="TIGER-Lab/rStar-Critique-Data", url="https://huggingface.co/datasets/TIGER-Lab/rStar-Critique-Data"
)
GIVEN = "given"


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    seen: set[str] = set()

    def once(row: Row) -> Problem | SetAside | None:
        cells = record_cells(row)
        if cells["problem_id"] in seen:
            return None
        seen.add(cells["problem_id"])
        if not cells["tests"]:
            return SetAside(id=cells["problem_id"], reason="the row carries no tests")
        return _problem(cells)

    return (made for made in tools.each(tables, once) if made is not None)


def _problem(cells: dict[str, Any]) -> Problem:
    return make_problem({name: cells.get(name) for name in PROBLEM.names()} | {"id": cells["problem_id"]})


def records(tables: Tables, tools: Tools) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's split and the cells of its record."""
    return tools.each(tables, lambda row: (_split(row), record_cells(row)))


def _split(row: Row) -> str:
    told = row.cells.get("extra_info")
    split = told.get("split") if isinstance(told, dict) else None
    return split if isinstance(split, str) and split.isidentifier() else "train"


def record_cells(row: Row) -> dict[str, Any]:
    """The cells of the record of a row. Raises `RowError`."""
    extra = row.cells.get("extra_info")
    if not isinstance(extra, dict):
        raise RowError(row.place, "extra_info", "an object", describe(extra))
    prompt = _messages(row)
    asked = next((one["content"] for one in reversed(prompt) if one["role"] == "user"), "")
    try:
        cells = _told(extra, asked, row.place)
    except InputError as error:
        raise RowError(row.place, "extra_info", "the routing columns of a row", str(error).partition(": ")[2]) from None
    name = hashlib.sha256(json.dumps(prompt).encode()).hexdigest()[:16]
    cells = {
        "id": extra["id"] if isinstance(extra.get("id"), str) else f"{cells['kind']}:{name}",
        "prompt": prompt,
        "prompt_template": "",
        "question": asked,
        "label_source": GIVEN,
        "problem_id": name,
        "source": vars(SOURCE),
    } | cells
    if cells["kind"] == "critique" and "solution" not in cells:
        cells["solution"] = extract_code(asked)
        cells["solution_id"] = None if cells["solution"] is None else f"{name}:given"
    for fault in faults(cells, RECORD, 1 << 62):
        raise RowError(row.place, f"extra_info.crl: {fault.field}", fault.expected, fault.came)
    wrong = fault_of(_problem(cells)) if cells["tests"] else None
    if wrong:
        raise RowError(row.place, f"extra_info: {wrong.field}", wrong.expected, wrong.came)
    return {one: cells.get(one) for one in RECORD.names()}


def _messages(row: Row) -> list[dict[str, str]]:
    found = []
    for place, one in enumerate(items(row, "prompt")):
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("role", "content")):
            raise RowError(row.place, f"prompt[{place}]", "a message with role and content", describe(one))
        found.append({"role": one["role"], "content": one["content"]})
    if not found:
        raise RowError(row.place, "prompt", "at least one message", "none")
    return found


def _told(extra: dict[str, Any], asked: str, place: str) -> dict[str, Any]:
    """What the routing columns say. Raises `InputError`."""
    truth = truth_of(extra.get("correctness"), place)
    crl, official = (text_of(extra.get(name), f"{place}: extra_info.{name}") for name in ("crl", "inputs_outputs"))
    kind = "solve" if truth is None else "critique"
    cells: dict[str, Any] = {"kind": kind, "test_kind": "stdin", "tests": []}
    if official:
        tests = official_tests(json_object(official, f"{place}: extra_info.inputs_outputs"), place)
        cells["tests"] = tests["tests"]
        if tests["fn_name"]:
            owner = "Solution." if "class Solution" in asked else ""
            cells |= {"test_kind": "function", "entry_point": f"{owner}{tests['fn_name']}"}
    if crl:
        cells |= json_object(crl, f"{place}: extra_info.crl")
    if cells["kind"] != kind:
        raise InputError(f"{place}: crl: expected the kind {kind}, as correctness says, got {said(cells['kind'])}")
    return cells | {"verdict": truth}
