"""Starter code in LeetCode's style: what its method takes and gives, as far as it is more than plain values. Pure.

A linked list is a list of its values. A tree is a list in level order, as LeetCode writes it: null where a node has no child,
none at the end. Which argument or result is one, the annotation says; `sandbox.runner.leetcode` makes the one of the other.
"""

from __future__ import annotations

import ast
import builtins
import collections
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crl_data.syntax import parse

LEETCODE_CLASS = "Solution"
Shape = str | list[Any] | None
"""What a value is: "list" or "tree" (a node), a list of one shape (a list of such), or None (plain)."""

_NODES = {"ListNode": "list", "TreeNode": "tree"}
_LISTS = frozenset({"List", "list", "Sequence", "Iterable"})
_KNOWN = frozenset({*typing.__all__, *collections.__all__, *dir(builtins), *_NODES})
_NOTED = re.compile(r"^[ \t]*#[ \t]*class[ \t]+(\w+)[ \t]*[(:]", re.MULTILINE)  # "# Definition for ...": LeetCode's own


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A function or method: names and shapes of its parameters, the shape of its result.

    unknown: a class that it takes or gives and of which nobody here knows what it is; empty where there is none.
    """

    names: tuple[str, ...]
    arguments: tuple[Shape, ...]
    result: Shape
    unknown: str

    @property
    def has_nodes(self) -> bool:
        return self.result is not None or any(one is not None for one in self.arguments)


def read(starter_code: str) -> ast.Module | None:
    """The tree of starter code, whose functions may lack a body; None for what is no Python even so."""
    try:
        return parse(_completed(starter_code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _completed(source: str) -> str:
    """Source with `pass` in the place of what stands behind each head of a function or class that has no body."""
    lines = source.expandtabs(4).splitlines()
    counted = [place for place, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    for place, following in zip(counted, [*counted[1:], None], strict=True):
        line = lines[place]
        deeper = following is not None and _indent(lines[following]) > _indent(line)
        if not deeper and (head := _HEAD.fullmatch(line)):
            lines[place] = head[1] + " pass"
    return "\n".join(lines) + "\n"


_HEAD = re.compile(r"(.*?:)\s*(?:#[^'\"]*)?")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def is_leetcode(tree: ast.Module) -> bool:
    """Whether starter code has LeetCode's form: a class `Solution`."""
    return any(isinstance(one, ast.ClassDef) and one.name == LEETCODE_CLASS for one in tree.body)


@lru_cache(maxsize=256)
def signature(starter_code: str | None, entry_point: str | None) -> Signature | None:
    """What the starter code says of the entry point; None where it says nothing, or is deeper than anyone reads."""
    if not starter_code or not entry_point or (tree := read(starter_code)) is None:
        return None
    try:
        return _signature(tree, starter_code, entry_point)
    except RecursionError:
        return None


def _signature(tree: ast.Module, starter_code: str, entry_point: str) -> Signature | None:
    owner, _, name = entry_point.rpartition(".")
    body = tree.body
    if owner:
        body = next((one.body for one in body if isinstance(one, ast.ClassDef) and one.name == owner), [])
    function = _function(body, name)
    if function is None:
        return None
    taken = [*function.args.posonlyargs, *function.args.args]
    if owner and not any(ast.unparse(one) == "staticmethod" for one in function.decorator_list):
        taken = taken[1:]
    annotations = [one.annotation for one in taken]
    return Signature(
        names=tuple(one.arg for one in taken),
        arguments=tuple(map(_shape, annotations)),
        result=_shape(function.returns),
        unknown=_unknown(tree, starter_code, [*annotations, function.returns]) if owner == LEETCODE_CLASS else "",
    )


def entry_point(name: str, *sources: str | None) -> str:
    """`Class.name` where the first of the sources that defines a function of this name does so in a class, else `name`."""
    for tree in (read(source) for source in sources if source):
        for one in tree.body if tree is not None else ():
            if isinstance(one, ast.ClassDef) and _function(one.body, name):
                return f"{one.name}.{name}"
            if _function([one], name):
                return name
    return name


def _function(body: Sequence[ast.stmt], name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    functions = (one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((one for one in functions if one.name == name), None)


def _shape(annotation: ast.expr | None) -> Shape:
    node = _meant(annotation)
    if isinstance(node, ast.Name):
        return _NODES.get(node.id)
    if isinstance(node, ast.BinOp):  # X | None
        return _shape(node.left) or _shape(node.right)
    if isinstance(node, ast.Subscript):
        name = ast.unparse(node.value).rpartition(".")[2]
        if name == "Optional":
            return _shape(node.slice)
        if name == "Union" and isinstance(node.slice, ast.Tuple):
            return next((shape for one in node.slice.elts if (shape := _shape(one)) is not None), None)
        if name in _LISTS:
            inner = _shape(node.slice)
            return None if inner is None else [inner]
    return None


def _meant(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation, also where it is written as a string."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            only = parse(annotation.value.strip()).body
        except (SyntaxError, ValueError, RecursionError):
            return None
        return only[0].value if len(only) == 1 and isinstance(only[0], ast.Expr) else None
    return annotation


def _unknown(tree: ast.Module, source: str, annotations: list[ast.expr | None]) -> str:
    bound = {one.name for one in tree.body if isinstance(one, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    named = set().union(*map(set, map(_names, annotations))) if annotations else set()
    for one in annotations:
        if one is not None and _shape(one) is None and not _NODES.keys().isdisjoint(_names(one)):
            return ast.unparse(one)  # nodes within something that is no list
    for name in sorted(named - _KNOWN - bound):
        if name[:1].isupper():
            return name
    return next((name for name in _NOTED.findall(source) if name not in named | bound), "")


def _names(annotation: ast.expr | None) -> Iterator[str]:
    node = _meant(annotation)
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield from _names(inner)


def fits(shape: Shape, value: Any) -> bool:
    """Whether a plain value can be made what a shape says."""
    if shape is None or value is None:
        return True
    if not isinstance(value, list):
        return False
    if isinstance(shape, list):
        return all(fits(shape[0], one) for one in value)
    return shape != "tree" or not value or value[0] is not None


def canonical(shape: Shape, value: Any) -> Any:
    """A plain value as it is made of a node: nothing is an empty list, and a tree does not end in nulls."""
    if shape is None:
        return value
    if isinstance(shape, list):
        return value if value is None else [canonical(shape[0], one) for one in value]
    value = list(value or [])
    while shape == "tree" and value and value[-1] is None:
        value.pop()
    return value
