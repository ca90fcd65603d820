"""Node ids: which tests a module has, and whether it can hold one, as far as that shows without running it. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crl_data.syntax import parse

_MAKERS = frozenset(["globals", "locals", "vars", "setattr", "exec", "eval", "__dict__", "__setattr__"])
_DECORATORS = frozenset(
    ["pytest", "unittest", "functools", "staticmethod", "classmethod", "property", "mock", "patch", "wraps", "skip"]
)
_BASES = frozenset(["object", "TestCase", "unittest.TestCase", "unittest.IsolatedAsyncioTestCase"])


def tests_of(source: str) -> list[str]:
    """Node ids, without parameters, of what looks like a test in a module, in order of definition. Raises `SyntaxError`."""
    return list(_tests(parse(source).body, ""))


def _tests(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Node ids of what looks like a test and is defined here: a name that is imported is none, whatever it looks like."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or is_test_case(node)):
            yield from _tests(node.body, f"{prefix}{node.name}::")


def is_test_case(node: ast.ClassDef) -> bool:
    """Whether a class says of itself that it is one of unittest's."""
    return any(ast.unparse(base) in ("unittest.TestCase", "TestCase") for base in node.bases)


class Names:
    """The names that a module gives to anything, at any depth. Raises `SyntaxError`.

    certain: whether there can be no others: none is made from a text, by a decorator from elsewhere, or by inheritance.
    """

    def __init__(self, source: str) -> None:
        nodes = list(ast.walk(parse(source)))
        self.bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        defined = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        own = {node.name for node in defined}
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        self.bound |= own | {alias.asname or alias.name for node in imports for alias in node.names}
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        decorators = {_root(one) for node in defined for one in node.decorator_list}
        classes = [node for node in defined if isinstance(node, ast.ClassDef)]
        bases = {ast.unparse(base) for node in classes for base in node.bases}
        self.certain = (
            "*" not in self.bound
            and not used & _MAKERS
            and decorators <= own | _DECORATORS
            and bases <= own | _BASES
            and not any(node.keywords for node in classes)
            and not any(isinstance(node, ast.Call) and _root(node) == "type" and len(node.args) == 3 for node in nodes)
        )

    def lack(self, node: str) -> bool:
        """Whether it is certain that no test has this node id."""
        parts = node.partition("[")[0].split("::")
        return not all(parts) or (self.certain and not self.bound.issuperset(parts))


def _root(node: ast.expr) -> str:
    """The name that an expression of calls and attributes begins with."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
