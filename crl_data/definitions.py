"""Names in Python source: which are read and not bound in it, and the statements that define some. Pure; nothing is run."""

from __future__ import annotations

import ast
import builtins

from crl_data.syntax import parse


def free_names(source: str) -> set[str]:
    """The names that are read in a source and neither bound in it nor built in. Raises as `parse` does."""
    return free_in(parse(source))


def free_in(tree: ast.AST) -> set[str]:
    """The same of a tree."""
    read: set[str] = set()
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return read - bound


def definitions(source: str, wanted: set[str], without: str) -> str:
    """The top-level statements of `source` that define `wanted` names, and what those need in turn. May be empty.

    So it is where they are too deep to be written.
    """
    try:
        tree = parse(source)
    except SyntaxError:  # starter code is often a bare head
        return ""
    by_name: dict[str, list[int]] = {}
    for place, statement in enumerate(tree.body):
        for name in binds(statement):
            by_name.setdefault(name, []).append(place)
    kept: set[int] = set()
    waiting = [name for name in wanted if name in by_name]
    if not waiting:
        return ""
    while waiting:
        name = waiting.pop()
        if name == without:
            continue
        for place in by_name.get(name, ()):
            if place not in kept:
                kept.add(place)
                waiting += free_in(tree.body[place])
    kept |= {place for place, statement in enumerate(tree.body) if stars(statement)}
    try:
        return "\n".join(ast.unparse(tree.body[place]) for place in sorted(kept)) + "\n"
    except RecursionError:
        return ""


def put_before(more: str, source: str) -> str:
    """A source after more of it, with what it imports from `__future__` still first. Raises `SyntaxError`."""
    futures = [one for one in parse(source).body if isinstance(one, ast.ImportFrom) and one.module == "__future__"]
    lines = source.split("\n")
    end = futures[-1].end_lineno or 0 if futures else 0
    return "\n".join([*lines[:end], more + "\n".join(lines[end:])])


def binds(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds, in its branches too, but not within functions and classes."""
    found: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        else:
            waiting += ast.iter_child_nodes(node)
    return found - {"*"}


def stars(statement: ast.stmt) -> set[str]:
    """The modules of which a top-level statement imports every name."""
    return {
        node.module or "."
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    }
