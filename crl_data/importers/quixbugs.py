"""QuixBugs (jkoppel/QuixBugs, MIT): 40 classic programs with one defect each; rows of name, correct, buggy, json_testcases.

The JSON tests are [arguments, expected], where the arguments of a function of one parameter may stand alone. Where the
correct program is a generator, its items are what is compared, as the tester of the source does. The graph programs have
no JSON tests, but modules for pytest that need other files of the source: set aside.

As recorded solutions, each row gives its `correct` and its `buggy` program.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, items, text
from crl_data.literals import literal
from crl_data.rows import Row
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

SOURCE = Source(
    dataset="jkoppel/QuixBugs",
    revision="4257f44b0ff1181dedaedee6a447e133219fcebf",
    license="mit",
    url="https://github.com/jkoppel/QuixBugs",
)


def read(files: Sequence[Path], tools: Tools) -> Iterator[Problem | SetAside]:
    for row in tools.rows(files):
        try:
            yield problem(row)
        except RowError as error:
            tools.bad_row(error)


def problem(row: Row) -> Problem | SetAside:
    name, correct = text(row, "name"), text(row, "correct")
    if row.cells.get("json_testcases") is None:
        return SetAside(id=f"quixbugs/{name}", reason="its tests are a pytest module that needs other files of the source")
    cases = [_case(row, place, case) for place, case in enumerate(items(row, "json_testcases"))]
    question, is_generator = _question(name, correct)
    if is_generator:
        kind = TestKind.ASSERT
        tests = [Test(input=f"assert list({name}({', '.join(map(literal, arguments))})) == {literal(expected)}") for arguments, expected in cases]
    else:
        kind = TestKind.FUNCTION
        tests = [Test(input=json.dumps(arguments), expected=json.dumps(expected)) for arguments, expected in cases]
    return Problem(
        id=f"quixbugs/{name}",
        question=question,
        test_kind=kind,
        tests=tuple(tests),
        entry_point=name,
        reference=correct,
        source=SOURCE,
    )


def _case(row: Row, place: int, case: Any) -> tuple[list[Any], Any]:
    if not isinstance(case, list) or len(case) != 2:
        raise RowError(row.place, f"json_testcases[{place}]", "[arguments, expected]", repr(case)[:60])
    arguments, expected = case
    return (arguments if isinstance(arguments, list) else [arguments]), expected


def _question(name: str, correct: str) -> tuple[str, bool]:
    """The description that stands in the program's documentation, and whether the function is a generator."""
    tree = ast.parse(correct)
    description = next(
        (node.value.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)),
        "",
    )
    function = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
    arguments = ast.unparse(function.args) if function else "..."
    own = [node for node in ast.walk(function) if isinstance(node, ast.Yield | ast.YieldFrom)] if function else []
    return f"Write the function `{name}({arguments})`.\n\n{description.strip()}\n", bool(own)


def read_solutions(files: Sequence[Path], tools: Tools, problems: Mapping[str, str]) -> Iterator[Solution]:
    for row in tools.rows(files):
        for which in ("correct", "buggy"):
            yield Solution(
                problem_id=f"quixbugs/{text(row, 'name')}",
                id=f"quixbugs/{text(row, 'name')}/{which}",
                code=text(row, which),
                sampler=Sampler(name="recorded", model="quixbugs", detail=json.dumps({"known": which})),
            )
