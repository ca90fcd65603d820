"""BigCodeBench (bigcode, Apache-2.0), Hard too: complete_prompt, code_prompt, canonical_solution, test, entry_point, libs.

One test a method of the class `TestCases`. The source appends `test` to the program; here it is a module of its own, which
imports the entry point from `solution`. What else it takes from the program (imports and constants of the prompt) comes from
the prompt, and so from our side.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crl_data.definitions import definitions, free_names, put_before
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.tables import Tables
from crl_data.nodes import tests_of
from crl_data.problems import is_entry_point
from crl_data.rows import Row
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="bigcode/bigcodebench", license="apache-2.0", url="https://huggingface.co/datasets/bigcode/bigcodebench"
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    name, prompt, test, entry = (text(row, one) for one in ("task_id", "complete_prompt", "test", "entry_point"))
    if not is_entry_point(entry):
        raise RowError(row.place, "entry_point", "the name of a function", repr(entry)[:60])
    tests = tests_of(test)
    if not tests:
        return SetAside(id=name, reason="its test module has no test")
    return Problem(
        id=name,
        question=text(row, "instruct_prompt"),
        test_kind=TestKind.PYTEST,
        tests=tuple(Test(input=node) for node in dict.fromkeys(tests)),
        test_setup=module(test, prompt, entry),
        starter_code=text(row, "code_prompt"),
        reference=prompt + text(row, "canonical_solution"),
        source=SOURCE,
        extra={"libs": libraries(row)},
    )


def module(test: str, prompt: str, entry: str) -> str:
    """The test module on its own. Raises `SyntaxError`."""
    taken = free_names(test) - {entry}
    return put_before(f"{definitions(prompt, taken, without=entry)}from solution import {entry}\n", test)


def libraries(row: Row) -> list[str]:
    """The column `libs`, which is Python source: a list of the modules that the program imports."""
    told = text(row, "libs")
    found = ast.literal_eval(told)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RowError(row.place, "libs", "a list of names as Python source", repr(told)[:60])
    return found
