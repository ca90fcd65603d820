"""EvalPlus as it lies on the Hub (evalplus/humanevalplus, evalplus/mbppplus): `test` is a whole script, one test an input.

The script ends in a loop over its inputs and their results, in a function `check` or at the top. Each round of the loop is
made a test of its own, with the input and the result as literals in it; what comes before the loop (its `assertion`, or a
second implementation that it compares with) is the set-up of every test. It compares as the script does, tolerances and all.
"""

from __future__ import annotations

import ast
import copy
from typing import Any

from crl_data.definitions import binds
from crl_data.importers import SetAside, text
from crl_data.importers.mbpp import sources
from crl_data.rows import Row
from crl_data.syntax import parse
from crl_data.types import Problem, Source, Test, TestKind

_LISTS = ("inputs", "results")


def problem(row: Row, humaneval_plus: Source, mbpp_plus: Source) -> Problem | SetAside:
    mbpp = "test_list" in row.cells
    name = f"Mbpp/{row.cells.get('task_id')}" if mbpp else text(row, "task_id")
    prompt = text(row, "prompt")
    reference = text(row, "code") if mbpp else prompt + text(row, "canonical_solution")
    script = parse("\n".join([*(sources(row, "test_imports") if mbpp else ()), text(row, "test")]))
    loop, setup = _apart(script.body)
    entry = _entry(loop, reference) if mbpp and loop else text(row, "entry_point") if not mbpp else None
    tests = _rounds(loop, setup, entry) if loop and entry else []
    if not tests:
        return SetAside(id=name, reason="its script does not end in a loop over lists of inputs and results")
    asserts = sources(row, "test_list") if mbpp else []
    return Problem(
        id=name,
        question=f"{prompt.strip()}\n\nYour code should satisfy this test:\n{asserts[0]}\n" if asserts else prompt,
        test_kind=TestKind.ASSERT,
        tests=tuple(Test(input=one) for one in tests),
        entry_point=entry,
        test_setup="\n".join(ast.unparse(one) for one in setup if not _is_list(one)) + "\n",
        starter_code=None if mbpp else prompt,
        reference=reference,
        source=mbpp_plus if mbpp else humaneval_plus,
    )


def _apart(body: list[ast.stmt]) -> tuple[ast.For | None, list[ast.stmt]]:
    """The loop that a script ends in, and what comes before it."""
    check = next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == "check"), None)
    setup = [one for one in body if one is not check] + (check.body if check else [])
    last = setup.pop() if setup else None
    return (last if isinstance(last, ast.For) else None), setup


def _is_list(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and not binds(statement).isdisjoint(_LISTS)


def _entry(loop: ast.For, reference: str) -> str | None:
    """The function of the reference that is called in the loop."""
    called = {node.func.id for node in ast.walk(loop) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    found = called & {one.name for one in parse(reference).body if isinstance(one, ast.FunctionDef)}
    return found.pop() if len(found) == 1 else None


def _rounds(loop: ast.For, setup: list[ast.stmt], entry: str) -> list[str]:
    """The rounds of `for i, (inp, exp) in enumerate(zip(inputs, results))`, or of `for i, inp in enumerate(inputs)`."""
    lists = {
        one.targets[0].id: one.value.elts
        for one in setup
        if _is_list(one)
        and isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and isinstance(one.value, ast.List)
    }
    head = ast.unparse(loop).partition(":\n")[0]
    if head == "for i, (inp, exp) in enumerate(zip(inputs, results))" and lists.keys() == set(_LISTS):
        if len(lists["inputs"]) != len(lists["results"]):
            return []
        values = [{"inp": one, "exp": two} for one, two in zip(lists["inputs"], lists["results"], strict=True)]
    elif head == "for i, inp in enumerate(inputs)" and lists.keys() == {"inputs"}:
        values = [{"inp": one} for one in lists["inputs"]]
    else:
        return []
    under_test: dict[str, ast.expr] = {"candidate": ast.Name(entry, ast.Load())}
    return [
        "\n".join(ast.unparse(_Put(under_test | one).visit(copy.deepcopy(step))) for step in loop.body)
        for one in values
    ]


class _Put(ast.NodeTransformer):
    """Puts expressions in the place of names; an unpacked list becomes arguments."""

    def __init__(self, values: dict[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> Any:
        return self.values.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        given: list[ast.expr] = []
        for one in node.args:
            whole = isinstance(one, ast.Starred) and isinstance(one.value, ast.List | ast.Tuple)
            given += one.value.elts if whole else [one]  # type: ignore[attr-defined]
        node.args = given
        return node
