"""Mutants: small semantic edits of a problem's reference, so that hard negatives can be made with no model at all.

One edit a mutant, through Python's `ast`: another comparison, another operator of arithmetic, a boundary moved by one,
another constant, and/or/not turned, a statement dropped, the bounds of a range, an early return. Seeded; mutants of the
same normalised syntax tree (or that of the reference) are the same. A mutant can still be right: only running it tells.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from crl_data.syntax import parse
from crl_data.types import Problem, Sampler, Solution


@dataclass(frozen=True)
class Mutant:
    """An edited program, and the edit in words."""

    code: str
    edit: str


def sample(problem: Problem, count: int, seed: int) -> Iterator[Solution]:
    """Up to `count` mutants of the problem's reference; none where there is no reference or it does not parse."""
    for number, mutant in enumerate(mutants(problem.reference or "", count, f"{seed}:{problem.id}")):
        sampler = Sampler(name="mutants", seed=seed, edit=mutant.edit)
        yield Solution(problem_id=problem.id, id=f"{problem.id}/mutant-{number}", code=mutant.code, sampler=sampler)


def mutants(source: str, count: int, seed: str) -> Iterator[Mutant]:
    """Up to `count` different mutants of a program, in an order that the seed gives."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    places = [(number, edit) for number, node in enumerate(ast.walk(tree)) for edit in _edits(node)]
    random.Random(hashlib.sha256(seed.encode()).digest()).shuffle(places)
    seen = {normalised(tree)}
    for number, edit in places:
        if count <= 0:
            return
        edited = copy.deepcopy(tree)
        node = next(node for place, node in enumerate(ast.walk(edited)) if place == number)
        said = edit.said or _words(node)
        edit.change(node)
        try:
            code = ast.unparse(ast.fix_missing_locations(edited))
            compile(code, "<unknown>", "exec", dont_inherit=True)  # what parses need not compile: a lost `nonlocal`
            form = normalised(parse(code))
        except (SyntaxError, ValueError, RecursionError):
            continue
        if form not in seen:
            seen.add(form)
            count -= 1
            into = "" if edit.said else f" -> {_words(node)}"
            yield Mutant(code + "\n", f"{edit.kind}: {said}{into} (line {edit.line or getattr(node, 'lineno', 0)})")


def normalised(tree: ast.AST) -> str:
    """The syntax tree as text, without what says nothing: positions, documentation, annotations' form."""
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body[0].value.value = ""
    return ast.dump(tree)


# --- edits ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Edit:
    kind: str
    change: Callable[[Any], object]
    said: str = ""  # what is edited, where before and after of the whole node would say too much
    line: int = 0


def _words(node: ast.AST) -> str:
    try:
        text = " ".join(ast.unparse(node).split())
    except (ValueError, AttributeError, RecursionError):
        text = type(node).__name__
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitOr,),
}


def _edits(node: ast.AST) -> Iterator[_Edit]:
    """The edits that can be made at a node."""
    if isinstance(node, ast.Compare):
        for place, old in enumerate(node.ops):
            for new in _COMPARISONS.get(type(old), ()):
                yield _Edit("comparison", _setting(lambda n, place, new: n.ops.__setitem__(place, new()), place, new))
        for place in range(len(node.comparators)):
            for step in (1, -1):
                yield _Edit(
                    "boundary",
                    _setting(
                        lambda n, place, step: n.comparators.__setitem__(place, _moved(n.comparators[place], step)),
                        place,
                        step,
                    ),
                )
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        for kind in _ARITHMETIC.get(type(node.op), ()):
            yield _Edit("arithmetic", _setting(lambda n, _, kind: setattr(n, "op", kind()), 0, kind))
    elif isinstance(node, ast.BoolOp):
        turned: type[ast.boolop] = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield _Edit("boolean", _setting(lambda n, _, turned: setattr(n, "op", turned()), 0, turned))
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
        last = min(len(node.args), 2) - 1
        for step in (1, -1):
            yield _Edit(
                "range bounds",
                _setting(lambda n, place, step: n.args.__setitem__(place, _moved(n.args[place], step)), last, step),
            )
        if len(node.args) == 1:
            yield _Edit("range bounds", lambda n: n.args.insert(0, ast.Constant(1)))
    elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
        yield _Edit("boundary", _setting(lambda n, _, step: setattr(n, "slice", _moved(n.slice, step)), 0, -1))
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _Edit("boolean", lambda n: setattr(n, "test", _negated(n.test)))
    yield from _statements(node)


def _setting(change: Callable[[Any, Any, Any], object], place: int, new: Any) -> Callable[[Any], object]:
    return lambda node: change(node, place, new)


def _moved(node: ast.expr, step: int) -> ast.expr:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ast.Constant(node.value + step)
    return ast.BinOp(node, ast.Add() if step > 0 else ast.Sub(), ast.Constant(1))


def _negated(test: ast.expr) -> ast.expr:
    return (
        test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else ast.UnaryOp(ast.Not(), test)
    )


def _constants(node: ast.Constant) -> Iterator[_Edit]:
    value = node.value
    others: list[Any] = []
    if isinstance(value, bool):
        others = [not value]
    elif type(value) is int:
        others = [value + 1, value - 1] + ([0] if abs(value) > 1 else [])
    elif type(value) is float:
        others = [value * 2, -value]
    elif type(value) is str and 0 < len(value) <= 20:
        others = [""]
    for other in others:
        yield _Edit("constant", _setting(lambda n, _, other: setattr(n, "value", other), 0, other))


def _statements(node: ast.AST) -> Iterator[_Edit]:
    """Statements dropped from the bodies of a node, and loops or functions left early."""
    for name in ("body", "orelse"):
        body = getattr(node, name, None)
        if not isinstance(body, list):
            continue
        for place, statement in enumerate(body):
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Continue | ast.Break) or _is_call(statement):
                yield _Edit("dropped statement", _dropping(name, place), _words(statement), statement.lineno)
    if (
        isinstance(node, ast.FunctionDef)
        and len(node.body) > 1
        and isinstance(node.body[-1], ast.Return)
        and node.body[-1].value is not None
    ):
        for place, statement in enumerate(node.body[:-1]):
            if isinstance(statement, ast.For | ast.While):
                yield _Edit("early return", _returning(place), "at the end of a loop's first turn", statement.lineno)
    elif isinstance(node, ast.For | ast.While):
        yield _Edit("early return", lambda n: n.body.append(ast.Break()), "out of the loop after its first turn")


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _dropping(name: str, place: int) -> Callable[[ast.AST], None]:
    def apply(node: ast.AST) -> None:
        body = getattr(node, name)
        del body[place]
        if not body and name == "body":
            body.append(ast.Pass())

    return apply


def _returning(place: int) -> Callable[[ast.AST], None]:
    def apply(node: ast.AST) -> None:
        assert isinstance(node, ast.FunctionDef)
        loop, last = node.body[place], node.body[-1]
        assert isinstance(loop, ast.For | ast.While)
        loop.body.append(copy.deepcopy(last))

    return apply
