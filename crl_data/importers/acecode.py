"""AceCode-87K (TIGER-Lab, MIT): rows of id, source, question, test_cases (asserts), inferences. One test an assert.

The entry point is the one name that the asserts take from elsewhere, read off their syntax trees: the source's own rule (the
text between `assert ` and `(`) fails on `assert not f(1)` and on `assert abs(f(1)) < 2`. Where they take several, it cannot
be told, and all come from the solution. Modules that an assert uses and nobody imports (`math.isclose(...)`) come from us.

The source has no reference. Its `inferences` are recorded solutions: code, with the pass rate that its authors measured.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence

from crl_data.columns import describe
from crl_data.definitions import free_names
from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, items, text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.syntax import parse
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

SOURCE = Source(
    dataset="TIGER-Lab/AceCode-87K", license="mit", url="https://huggingface.co/datasets/TIGER-Lab/AceCode-87K"
)
_NUMPY = "np"


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem:
    tests = items(row, "test_cases")
    for place, test in enumerate(tests):
        if not isinstance(test, str):
            raise RowError(row.place, f"test_cases[{place}]", "Python source", describe(test))
    try:
        modules, entry = names_of(tests)
    except SyntaxError as error:
        raise RowError(row.place, "test_cases", "Python source", str(error)) from None
    return Problem(
        id=text(row, "id"),
        question=text(row, "question"),
        test_kind=TestKind.ASSERT,
        tests=tuple(Test(input=test) for test in tests),
        entry_point=entry,
        test_setup="".join(f"import {'numpy as np' if one == _NUMPY else one}\n" for one in modules) or None,
        source=SOURCE,
        extra={"seed_source": row.cells.get("source")},
    )


def names_of(tests: Sequence[str]) -> tuple[list[str], str | None]:
    """The modules that tests use without an import, and the entry point, or None. Raises `SyntaxError`."""
    joined = "\n".join(tests)
    nodes = list(ast.walk(parse(joined)))
    owners = {node.value.id for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}
    plain = [node.id for node in nodes if isinstance(node, ast.Name)]
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            plain.remove(node.value.id)
    free = free_names(joined)
    modules = sorted(free & owners & {*sys.stdlib_module_names, _NUMPY} - set(plain))
    free -= set(modules)
    if len(free) != 1:
        return modules, None
    name = free.pop()
    return modules, _method_of(name, nodes) or name


def _method_of(name: str, nodes: Sequence[ast.AST]) -> str | None:
    """`Class.method`, where the class is used in no other way than `Class().method(...)`."""
    uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    called = [
        node.func.attr
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(made := node.func.value, ast.Call)
        and isinstance(made.func, ast.Name)
        and made.func.id == name
        and not made.args
        and not made.keywords
    ]
    return f"{name}.{called[0]}" if len(called) == uses and len(set(called)) == 1 else None


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, _solutions):
        yield from made


def _solutions(row: Row) -> list[Solution]:
    name = text(row, "id")
    found = []
    for place, one in enumerate(items(row, "inferences")):
        told = one if isinstance(one, dict) else {}
        for field, kind, wanted in (
            ("completion", str, "code"),
            ("model_name", str, "a name"),
            ("completion_id", int, "a number"),
        ):
            if not isinstance(told.get(field), kind) or isinstance(told.get(field), bool):
                raise RowError(row.place, f"inferences[{place}].{field}", wanted, describe(told.get(field)))
        model = told["model_name"]
        found.append(
            Solution(
                problem_id=name,
                id=f"{model}/{name}/{told['completion_id']}",
                code=told["completion"],
                sampler=Sampler(name="recorded", model=model),
                extra={"pass_rate_at_source": told.get("pass_rate")},
            )
        )
    return found
