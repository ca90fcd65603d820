"""KodCode-V1 (KodCode, CC-BY-NC-4.0): rows of question_id, question, solution, test, test_info. A test a function of `test`.

`test` is a module for pytest that imports the code under test from `solution`, as ours do. Its tests are found in its text;
one that has parameters, of which the text does not tell how many, stands for no test of ours: such rows are set aside, as
are those whose `test` is no module of tests (the style `online_judge`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crl_data.importers import SetAside, Tools, text
from crl_data.importers.tables import Tables
from crl_data.nodes import tests_of
from crl_data.rows import Row
from crl_data.syntax import parse
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="KodCode/KodCode-V1", license="cc-by-nc-4.0", url="https://huggingface.co/datasets/KodCode/KodCode-V1"
)
_CARRIED = ("style", "subset", "gpt_pass_sequence", "gpt_pass_trial_num", "gpt_difficulty", "gpt_pass_percentage")


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    name, module = text(row, "question_id"), text(row, "test")
    tests = tests_of(module)
    if not tests:
        return SetAside(id=name, reason=f"its tests are no module of tests (style {row.cells.get('style')})")
    if has_parameters(module):
        return SetAside(id=name, reason="its tests have parameters, and their number does not show in the text")
    return Problem(
        id=name,
        question=text(row, "question"),
        test_kind=TestKind.PYTEST,
        tests=tuple(Test(input=node) for node in dict.fromkeys(tests)),
        test_setup=module,
        reference=text(row, "solution"),
        source=SOURCE,
        extra={name: row.cells.get(name) for name in _CARRIED},
    )


def has_parameters(module: str) -> bool:
    """Whether a test, or a fixture, of a module is run once for each of its parameters. Raises `SyntaxError`."""
    nodes = list(ast.walk(parse(module)))
    decorators = [
        one
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for one in node.decorator_list
    ]
    named = {node.attr for one in decorators for node in ast.walk(one) if isinstance(node, ast.Attribute)}
    fixtures = {keyword.arg for one in decorators if isinstance(one, ast.Call) for keyword in one.keywords}
    return "parametrize" in named or "params" in fixtures
