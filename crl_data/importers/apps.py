"""APPS (hendrycks/apps, MIT) as codeparrot/apps has it on the Hub, or as rows of its folders; and TACO's common part.

Rows of problem_id (or id), question, solutions, input_output, difficulty, url, starter_code. `input_output` and `solutions`
are JSON as text (read from the dataset script and card at 21e74ddf8de1a21436da12e3e653065c5213e9d1); the files of the folders
hold the same decoded, and the difficulty and URL in `metadata`. A problem with `fn_name` is called, all others read
standard input; how calls are written, `pairs` says under "decoded".

The reference is the first solution that parses as Python 3: some are Python 2, and some are wrong, which `--verify` tells.
As recorded solutions: the people's `solutions`, believed right, and in rows that have them the `gen_solutions` that CodeRL
published beside (code, result: true, false, -1 for an error when it ran, -2 when it did not compile).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, text
from crl_data.importers.pairs import NO_TESTS, loaded, optional_text, paired, reference_of, tests_of_pairs
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Sampler, Solution, Source

SOURCE = Source(
    dataset="codeparrot/apps", revision="", license="mit", url="https://huggingface.co/datasets/codeparrot/apps"
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    made = of_inputs_outputs(row, name_of(row), SOURCE)
    if isinstance(made, SetAside):
        return made
    told = row.cells.get("metadata") or row.cells
    return replace(made, extra={"difficulty": told.get("difficulty"), "problem_url": told.get("url")})


def name_of(row: Row) -> str:
    """The number of a problem and a hash of its question: numbers start anew in each split."""
    number = row.cells.get("problem_id", row.cells.get("id"))
    if isinstance(number, bool) or not isinstance(number, int | str) or number == "":
        raise RowError(row.place, "problem_id", "a number or a name", describe(number))
    plain = str(number).lstrip("0") or "0"  # a folder is called 0011
    digest = hashlib.sha256(text(row, "question").encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"apps/{plain}-{digest}"


def of_inputs_outputs(row: Row, name: str, source: Source) -> Problem | SetAside:
    """The problem of a row of question, input_output, solutions and starter_code."""
    if "input_output" in row.cells and row.cells["input_output"] in ("", None):
        return SetAside(id=name, reason=NO_TESTS)
    tests = loaded(row, "input_output")
    if not isinstance(tests, dict):
        raise RowError(row.place, "input_output", "an object with inputs and outputs", describe(tests))
    pairs = paired(row, "input_output.", tests.get("inputs"), tests.get("outputs"))
    starter = optional_text(row, "starter_code")
    reference = reference_of(solutions(row))
    made = tests_of_pairs(row, "input_output.", pairs, tests.get("fn_name"), starter, reference)
    if isinstance(made, str):
        return SetAside(id=name, reason=made)
    kind, listed, entry = made
    return Problem(
        id=name,
        question=text(row, "question"),
        test_kind=kind,
        tests=listed,
        entry_point=entry,
        starter_code=starter,
        reference=reference,
        source=source,
    )


def solutions(row: Row) -> list[Any]:
    found = loaded(row, "solutions") if row.cells.get("solutions") else []
    if not isinstance(found, list):
        raise RowError(row.place, "solutions", "a list of programs", describe(found))
    return found


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, _solutions):
        yield from made


def _solutions(row: Row) -> list[Solution]:
    name = name_of(row)
    made = people(name, solutions(row))
    generated = row.cells.get("gen_solutions") or []
    for place, told in enumerate(generated):
        if not isinstance(told, dict) or not isinstance(told.get("code"), str):
            raise RowError(row.place, f"gen_solutions[{place}]", "an object with code and result", describe(told))
        made.append(
            Solution(
                problem_id=name,
                id=f"{name}/codet5/{place}",
                code=told["code"],
                sampler=Sampler(name="recorded", model="CodeRL-CodeT5"),
                extra={"solved_at_source": told.get("result") is True},
            )
        )
    return made


def people(name: str, programs: list[Any]) -> list[Solution]:
    """What people wrote and the source believes to be right."""
    return [
        Solution(
            problem_id=name,
            id=f"{name}/people/{place}",
            code=program if isinstance(program, str) else "",
            sampler=Sampler(name="recorded", model="people"),
            extra={"solved_at_source": True},
        )
        for place, program in enumerate(programs)
    ]
