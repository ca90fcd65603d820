"""QuixBugs (jkoppel/QuixBugs, MIT): 40 classic programs with one defect each; rows of name, correct, buggy, json_testcases.

The JSON tests are [arguments, expected], where the argument of a function of one parameter may stand alone. How they are
compared is read from the source's own test module: a call, the items of a generator (`list(...)`), or `pytest.approx`;
cases that the module skips because the correct program takes too long are left out. The graph programs have no JSON
tests, but modules for pytest that need other files of the source: set aside.

As recorded solutions, each row gives its `correct` and its `buggy` program.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, items, text
from crl_data.importers.tables import Tables
from crl_data.literals import literal
from crl_data.rows import Row
from crl_data.syntax import parse
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

SOURCE = Source(
    dataset="jkoppel/QuixBugs",
    revision="4257f44b0ff1181dedaedee6a447e133219fcebf",
    license="mit",
    url="https://github.com/jkoppel/QuixBugs",
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    name, correct = text(row, "name"), text(row, "correct")
    if row.cells.get("json_testcases") is None:
        return SetAside(
            id=f"quixbugs/{name}", reason="its tests are a pytest module that needs other files of the source"
        )
    module = text(row, "python_testcase")
    skipped = _skipped(module)
    cases = [_case(row, place, case) for place, case in enumerate(items(row, "json_testcases"))]
    kept = [(arguments, expected) for arguments, expected in cases if arguments not in skipped]
    make = _as_items if f"list({name}(" in module else _as_near if "pytest.approx" in module else None
    if make is not None:
        kind, tests = TestKind.ASSERT, [Test(input=make(name, arguments, expected)) for arguments, expected in kept]
    else:
        kind, tests = (
            TestKind.FUNCTION,
            [Test(input=json.dumps(arguments), expected=json.dumps(expected)) for arguments, expected in kept],
        )
    return Problem(
        id=f"quixbugs/{name}",
        question=_question(name, correct),
        test_kind=kind,
        tests=tuple(tests),
        entry_point=name,
        reference=correct,
        source=SOURCE,
        extra={"cases_left_out": len(cases) - len(kept)},
    )


def _case(row: Row, place: int, case: Any) -> tuple[list[Any], Any]:
    if not isinstance(case, list) or len(case) != 2:
        raise RowError(row.place, f"json_testcases[{place}]", "[arguments, expected]", repr(case)[:60])
    arguments, expected = case
    return (arguments if isinstance(arguments, list) else [arguments]), expected


def _skipped(module: str) -> list[Any]:
    """The arguments for which the test module calls `pytest.skip`."""
    found = []
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.If) and any("pytest.skip" in ast.unparse(step) for step in node.body):
            found += [
                ast.literal_eval(compare.comparators[0])
                for compare in ast.walk(node.test)
                if isinstance(compare, ast.Compare)
                and isinstance(compare.left, ast.Name)
                and compare.left.id == "input_data"
            ]
    return found


def _as_items(name: str, arguments: list[Any], expected: Any) -> str:
    return f"assert list({name}({', '.join(map(literal, arguments))})) == {literal(expected)}"


def _as_near(name: str, arguments: list[Any], expected: Any) -> str:
    """`pytest.approx(expected, abs=input_data[-1])`, whose relative tolerance of 1e-6 counts too."""
    tolerance = max(arguments[-1], 1e-6 * abs(expected))
    return f"assert abs({name}({', '.join(map(literal, arguments))}) - {literal(expected)}) <= {literal(tolerance)}"


def _question(name: str, correct: str) -> str:
    """The head of the function and the description that stands in the program."""
    tree = parse(correct)
    texts = [
        node.value.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    description = next((one for one in texts if isinstance(one, str)), "")
    function = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
    arguments = ast.unparse(function.args) if function else "..."
    return f"Write the function `{name}({arguments})`.\n\n{description.strip()}\n"


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, _solutions):
        yield from made


def _solutions(row: Row) -> list[Solution]:
    name = text(row, "name")
    return [
        Solution(
            problem_id=f"quixbugs/{name}",
            id=f"quixbugs/{name}/{which}",
            code=text(row, which),
            sampler=Sampler(name="recorded", model="quixbugs", detail=json.dumps({"known": which})),
            extra={"solved_at_source": which == "correct"},
        )
        for which in ("correct", "buggy")
    ]
