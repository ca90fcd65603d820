"""MBPP (google-research, CC-BY-4.0): rows of text, code, task_id, test_setup_code, test_list. One test an assert.

The Hub's config `sanitized` is read too: there `text` is called `prompt`, and the set-up `test_imports`, a list.

The entry point is the one function of the reference that the asserts call; where they call several, all names come from
the solution.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, items, text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.syntax import parse
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="google-research/mbpp",
    revision="2f9fd85927c669dae3c0fbb2d607274023af243e",
    license="cc-by-4.0",
    url="https://github.com/google-research/google-research/tree/master/mbpp",
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem:
    is_sanitized = "test_imports" in row.cells
    tests = sources(row, "test_list")
    reference = text(row, "code").replace("\r\n", "\n")
    try:
        entry = entry_point(tests, reference)
    except SyntaxError as error:
        raise RowError(row.place, "test_list", "Python source", str(error)) from None
    setup = "\n".join(sources(row, "test_imports")) if is_sanitized else text(row, "test_setup_code")
    examples = "\n".join(tests[:1])
    return Problem(
        id=f"MBPP/{row.cells.get('task_id')}",
        question=f"{text(row, 'prompt' if is_sanitized else 'text').strip()}\n\n"
        f"Your code should satisfy this test:\n{examples}\n",
        test_kind=TestKind.ASSERT,
        tests=tuple(Test(input=test.replace("\r\n", "\n").strip()) for test in tests),
        public_tests=1,
        entry_point=entry,
        test_setup=setup.replace("\r\n", "\n") or None,
        reference=reference,
        source=SOURCE,
    )


def sources(row: Row, name: str) -> list[str]:
    """A list of Python sources."""
    found: list[Any] = items(row, name)
    for place, one in enumerate(found):
        if not isinstance(one, str):
            raise RowError(row.place, f"{name}[{place}]", "Python source", describe(one))
    return found


def entry_point(tests: Sequence[str], reference: str) -> str | None:
    """The one function of the reference that the tests call, or None. Raises `SyntaxError`."""
    called = {
        node.func.id
        for test in tests
        for node in ast.walk(parse(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    defined = {node.name for node in parse(reference).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = called & defined
    return found.pop() if len(found) == 1 else None
