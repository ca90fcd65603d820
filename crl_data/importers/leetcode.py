"""LeetCode's problems as rllm has them for DeepCoder (agentica-project/rllm, MIT): rows of problem, solutions, tests.

`tests` holds Python source: a function `check(candidate)` of asserts, and its call with a method of `Solution()`. Each assert
is a test of its own. Where asserts make linked lists or trees (`list_node`, `tree_node`), tests are calls compared as values
(`function`): there the judge makes nodes of lists, by the starter code. Rows have no id; theirs is the name of the method and
a hash of the problem.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.tables import Tables
from crl_data.literals import survives_json
from crl_data.rows import Row
from crl_data.starter import Signature, signature
from crl_data.syntax import parse
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="agentica-project/rllm leetcode",
    revision="874daa4acb7f451dc2a4b2b6e8ce28f5aa88d1f5",
    license="mit",
    url="https://github.com/agentica-project/rllm",
)
_HEAD = "Please solve the programming task below using a self-contained code snippet in a markdown code block."
_TAIL = re.compile(r"(?:Please complete the following python code precisely:\s*)?```python\n(.*?)```\s*\Z", re.DOTALL)
_MAKERS = {"list_node": "list", "tree_node": "tree"}
_COMPARERS = frozenset({"is_same_list", "is_same_tree"})


class _Other(Exception):
    """Tests of another shape; the text says which."""


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    seen: set[str] = set()

    def once(row: Row) -> Problem | SetAside | None:
        made = problem(row)
        if made.id in seen:
            return None
        seen.add(made.id)
        return made

    return (made for made in tools.each(tables, once) if made is not None)


def problem(row: Row) -> Problem | SetAside:
    whole = text(row, "problem")
    told = row.cells.get("tests")
    source = told.get("functional") if isinstance(told, dict) else None
    if not isinstance(source, str):
        raise RowError(row.place, "tests.functional", "Python source", describe(source))
    reference = text(row, "solutions")
    number = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    block = _TAIL.search(whole)
    starter = block[1].rstrip() + "\n" if block else None
    try:
        checks, entry = _apart(source)
    except _Other as error:
        return SetAside(id=f"leetcode/{number}", reason=str(error))
    name = f"leetcode/{entry.rpartition('.')[2]}-{number}"
    kind = TestKind.FUNCTION if _makes_nodes(checks) else TestKind.ASSERT
    try:
        tests = _calls(checks, signature(starter, entry)) if kind is TestKind.FUNCTION else _asserts(checks, entry)
    except _Other as error:
        return SetAside(id=name, reason=str(error))
    return Problem(
        id=name,
        question=(whole[: block.start()] if block else whole).removeprefix(_HEAD).strip() + "\n",
        test_kind=kind,
        tests=tests,
        entry_point=entry,
        starter_code=starter,
        reference=reference,
        source=SOURCE,
    )


def _apart(source: str) -> tuple[list[ast.Assert], str]:
    """The asserts, and the method that is called `candidate` in them. Raises `_Other` and `SyntaxError`."""
    body = parse(source).body
    if len(body) != 2 or not isinstance(body[0], ast.FunctionDef) or not isinstance(body[1], ast.Expr):
        raise _Other("its tests are not a function `check` and its call")
    call = ast.unparse(body[1])
    method = re.fullmatch(rf"{body[0].name}\(Solution\(\)\.(\w+)\)", call)
    checks = [one for one in body[0].body if isinstance(one, ast.Assert)]
    if method is None or len(checks) != len(body[0].body) or [one.arg for one in body[0].args.args] != ["candidate"]:
        raise _Other("its tests are not asserts about one method of Solution()")
    return checks, f"Solution.{method[1]}"


def _makes_nodes(checks: list[ast.Assert]) -> bool:
    return any(
        isinstance(node, ast.Name) and (node.id in _MAKERS or node.id in _COMPARERS)
        for check in checks
        for node in ast.walk(check)
    )


def _asserts(checks: list[ast.Assert], entry: str) -> tuple[Test, ...]:
    owner, _, method = entry.partition(".")

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id != "candidate":
                return node
            return ast.Attribute(ast.Call(ast.Name(owner, ast.Load()), [], []), method, ast.Load())

    return tuple(Test(input=ast.unparse(Put().visit(check))) for check in checks)


# --- calls with nodes -------------------------------------------------------------------------------------------------


def _calls(checks: list[ast.Assert], known: Signature | None) -> tuple[Test, ...]:
    if known is None:
        raise _Other("its tests make nodes, and its starter code does not say of what")
    return tuple(_call(*_compared(check.test), known) for check in checks)


def _compared(test: ast.expr) -> tuple[ast.expr, ast.expr]:
    """The two sides of `is_same_list(call, expected)` or of `call == expected`."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id in _COMPARERS:
        if len(test.args) == 2:
            return test.args[0], test.args[1]
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        return test.left, test.comparators[0]
    raise _Other("a test of it is no plain comparison of a call with a value")


def _call(call: ast.expr, expected: ast.expr, known: Signature) -> Test:
    if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "candidate"):
        raise _Other("a test of it is no plain comparison of a call with a value")
    named = {one.arg: one.value for one in call.keywords}
    given = dict(zip(known.names, call.args, strict=False)) | named
    if len(given) != len(call.args) + len(named) or set(given) != set(known.names[: len(given)]):
        raise _Other("its tests pass other arguments than its starter code has")
    arguments = [
        _plain(given[name], shape) for name, shape in zip(known.names[: len(given)], known.arguments, strict=False)
    ]
    result = _plain(expected, known.result)
    if not survives_json([arguments, result]):
        raise _Other("its tests have values that JSON does not have")
    return Test(input=json.dumps(arguments), expected=json.dumps(result))


def _plain(node: ast.expr, shape: Any) -> Any:
    """The value of an expression, of which nodes are what the starter code calls so. Raises `_Other`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
        if _MAKERS[node.func.id] != shape or len(node.args) != 1 or node.keywords:
            raise _Other("its tests make nodes where its starter code has none")
        return ast.literal_eval(node.args[0])
    if isinstance(node, ast.List) and isinstance(shape, list):
        return [_plain(one, shape[0]) for one in node.elts]
    value = ast.literal_eval(node)
    if shape is not None and value is not None:
        raise _Other("its tests have a plain value where its starter code has a node")
    return value
