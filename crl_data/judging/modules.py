"""Test modules as source (pytest or unittest): which tests they have, what they import from the code under test.

Nothing is run here; `sandbox.runner.modules` runs them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from crl_data.nodes import is_test_case, tests_of
from crl_data.syntax import parse

SOLUTION = "solution"
"""The name under which a test module imports the code under test."""


@dataclass(frozen=True)
class TestModule:
    """A module of tests, as it reads.

    tests: node ids of the functions that look like tests, without parameters, in order of definition.
    names: what it imports from the solution by name.
    needs_pytest: why the small runner does not do; empty where it does.
    imports_pytest: whether the module itself imports pytest.
    """

    __test__ = False

    tests: tuple[str, ...]
    names: tuple[str, ...]
    needs_pytest: str
    imports_pytest: bool


def read(source: str) -> TestModule:
    """What a module says of itself. Raises `SyntaxError`."""
    tree = parse(source)
    names: dict[str, None] = {}
    imports_pytest = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == SOLUTION:
            names.update({alias.name: None for alias in node.names if alias.name != "*"})
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pytest":
            imports_pytest = True
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "pytest" for alias in node.names):
            imports_pytest = True
    return TestModule(tuple(tests_of(source)), tuple(names), _needs_pytest(tree), imports_pytest)


def _needs_pytest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith(("pytest.", "fixture", "mark.", "parametrize")):
                    return f"the decorator @{text[:60]}"
        if (
            isinstance(node, ast.Name)
            and node.id in ("pytestmark", "pytest_plugins")
            and isinstance(node.ctx, ast.Store)
        ):
            return node.id
    for node, in_class in _functions(tree):
        needed = len(node.args.args) + len(node.args.posonlyargs) - len(node.args.defaults) - in_class
        if node.name.startswith("test") and (needed > 0 or node.args.kwonlyargs):
            return f"the fixtures of {node.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            isinstance(inner, ast.ClassDef) and (inner.name.startswith("Test") or is_test_case(inner))
            for inner in node.body
        ):
            return f"the classes in {node.name}"
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and _yields(node):
            return f"the generator {node.name}, of which pytest makes an error"
    return ""


def _yields(function: ast.FunctionDef) -> bool:
    """Whether a function is a generator."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, bool]]:
    waiting: list[tuple[ast.stmt, bool]] = [(node, False) for node in tree.body]
    while waiting:
        node, in_class = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            static = any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)
            patched = sum("patch" in ast.unparse(one) for one in node.decorator_list)
            if not patched:
                yield node, in_class and not static
        elif isinstance(node, ast.ClassDef):
            waiting += [(inner, True) for inner in node.body]
