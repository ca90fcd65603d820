"""Tests written as Python source, taken apart: calls of the code under test on one side, the expectation on the other.

`split` reads a test and finds every call of the entry point in it. Where the arguments of all calls are plain constants
and the rest is an expression over their results, only the arguments go to the solution; what comes back is a plain value,
and the assertion is evaluated here, with Python's own operators on our own values. What does not split (loops, helpers of
the test, try/except, objects that a test builds) is `None`, and the caller runs it beside the solution.

No source is ever executed here: a small evaluator walks the syntax tree, knows a closed list of pure functions and
methods, and bounds what a test can make it compute.
"""

from __future__ import annotations

import ast
import builtins
import copy
import math
import operator
import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from crl_data.definitions import binds, stars
from crl_data.literals import shown
from crl_data.sandbox.runner.values import spread
from crl_data.syntax import parse

MAX_SECONDS = 10.0  # of processor time, for the assertions of one test
MAX_STEPS = 2_000_000
MAX_ITEMS = 1_000_000
MAX_BITS = 100_000
MAX_DIGITS = 10_000
MAX_FORMAT = 1000


class Unsplittable(Exception):
    """The test needs something that stays beside the solution; the text says what."""


class TooLong(Exception):
    """The assertion would take too long to evaluate here."""


class AssertionFailed(Exception):
    """The assertion did not hold; the text says what was compared."""


@dataclass(frozen=True)
class Call:
    """One call of the entry point: plain arguments, and whether the test does no more with the result than to iterate it."""

    args: tuple[Any, ...]
    named: Mapping[str, Any]
    iterate: bool


@dataclass(frozen=True)
class SplitTest:
    """A test taken apart: the calls in the order of their evaluation, and the statements that judge the results.

    `constants` are the values of expressions that no result goes into, computed once.
    """

    calls: tuple[Call, ...]
    statements: tuple[ast.stmt, ...]
    numbers: Mapping[ast.Call, int]
    constants: Mapping[ast.expr, Any]

    def check(self, results: Sequence[Any]) -> None:
        """Evaluate the assertions on the results of the calls.

        Raises `AssertionFailed`, `TooLong`, or what an operator raises on these results.
        """
        evaluator = _Evaluator(self.numbers, results, self.constants)
        for statement in self.statements:
            evaluator.execute(statement)


def split(source: str, entry: str | None, setup: str = "") -> SplitTest:
    """Take a test apart. `setup` may define a function of one argument that holds the assertions, as HumanEval's does.

    Raises `Unsplittable`, and `SyntaxError` where the test is not Python.
    """
    statements = _plain_statements(parse(source).body)
    finder = _Finder(entry)
    unfolded: list[ast.stmt] = []
    prepared = parse(setup).body
    checkers = {node.name: node for node in prepared if isinstance(node, ast.FunctionDef)}
    for statement in statements:
        checker = _called_checker(statement, checkers, entry)
        if checker is None:
            unfolded.append(statement)
        else:
            finder.candidates.add(checker.args.args[0].arg)
            unfolded += _plain_statements(checker.body)
    if not any(isinstance(statement, ast.Assert) for statement in unfolded):
        raise Unsplittable("it asserts nothing")
    _refuse_replaced(prepared, unfolded, finder.candidates)
    for statement in unfolded:
        finder.statement(statement)
    if not finder.calls:
        raise Unsplittable("it does not call the code under test")
    values = {node: constant(node) for statement in unfolded for node in _closed(statement, finder.numbers)}
    constants = {node: value for node, value in values.items() if not _makes_iterators(node)}
    return SplitTest(tuple(finder.calls), tuple(unfolded), finder.numbers, constants)


def _refuse_replaced(setup: list[ast.stmt], test: list[ast.stmt], entries: set[str]) -> None:
    """Raise `Unsplittable` where the set-up binds a name anew that the evaluator would take for Python's own."""
    known = {node.id for statement in test for node in ast.walk(statement) if isinstance(node, ast.Name)}
    known &= {*_FUNCTIONS, "math"} - entries
    for statement in setup:
        if not stars(statement) <= _HARMLESS_STARS and known:
            raise Unsplittable("its set-up imports names that nobody can list")
        is_math = isinstance(statement, ast.Import) and any(
            one.name == "math" == (one.asname or "math") for one in statement.names
        )
        for name in sorted(binds(statement) & known - ({"math"} if is_math else set())):
            raise Unsplittable(f"its set-up binds {name!r} anew")


def _makes_iterators(node: ast.expr) -> bool:
    """Whether the value may hold an iterator, which is good for one use only."""
    return any(
        isinstance(inner, ast.GeneratorExp) or (isinstance(inner, ast.Name) and inner.id == "reversed")
        for inner in ast.walk(node)
    )


def _operands(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes beneath a node that are evaluated to a value: not the function of a call, and not a message."""
    if isinstance(node, ast.Assert):
        return [node.test]
    if isinstance(node, ast.Call):
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return [*owner, *node.args, *(keyword.value for keyword in node.keywords)]
    return ast.iter_child_nodes(node)


def _closed(node: ast.AST, calls: Mapping[ast.Call, int]) -> Iterator[ast.expr]:
    """The largest expressions beneath a node that no result and no name of the test goes into."""
    for child in _operands(node):
        if isinstance(child, ast.Call) and child in calls:
            continue
        if (
            isinstance(child, ast.expr)
            and not isinstance(child, ast.Constant | ast.Slice | ast.Starred | ast.Name)
            and _is_closed(child, calls)
        ):
            yield child
        else:
            yield from _closed(child, calls)


def _is_closed(node: ast.expr, calls: Mapping[ast.Call, int]) -> bool:
    return not any(
        (isinstance(inner, ast.Call) and inner in calls)
        or (isinstance(inner, ast.Name) and inner.id not in _FUNCTIONS and inner.id != "math")
        for inner in ast.walk(node)
    )


def called_names(tests: Iterable[str]) -> set[str]:
    """The free names that are called in tests: the candidates for an entry point where none is given."""
    found: set[str] = set()
    for source in tests:
        tree = parse(source)
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        bound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        found |= called - bound - set(dir(builtins))
    return found


def _plain_statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without documentation, `pass`, and imports of `math` (whose names the evaluator knows)."""
    kept = []
    for statement in body:
        if isinstance(statement, ast.Pass) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            continue
        if isinstance(statement, ast.Import) and all(
            name.name == "math" and name.asname is None for name in statement.names
        ):
            continue
        kept.append(statement)
    return kept


def _called_checker(
    statement: ast.stmt, checkers: Mapping[str, ast.FunctionDef], entry: str | None
) -> ast.FunctionDef | None:
    """The function of the set-up that `check(entry)` calls, if that is what the statement is."""
    if not (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
    ):
        return None
    call, checker = statement.value, checkers.get(statement.value.func.id)
    if (
        checker is None
        or call.keywords
        or len(call.args) != 1
        or not isinstance(call.args[0], ast.Name)
        or call.args[0].id != entry
    ):
        return None
    arguments = checker.args
    if (
        len(arguments.args) != 1
        or arguments.defaults
        or arguments.vararg
        or arguments.kwarg
        or arguments.kwonlyargs
        or checker.decorator_list
    ):
        return None
    return checker


# --- finding the calls, and refusing what the evaluator does not know -------------------------------------------------


class _Finder:
    """Walks a test in the order of evaluation; numbers the calls of the entry point; raises `Unsplittable`."""

    def __init__(self, entry: str | None) -> None:
        self.owner, _, self.name = (entry or "").rpartition(".")
        self.candidates = {self.name} if self.name and not self.owner else set()
        self.calls: list[Call] = []
        self.numbers: dict[ast.Call, int] = {}
        self.bound: set[str] = set()

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assert):
            self.claim(node.test)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self.expression(node.value)
            name = node.targets[0].id
            self.bind(name)
        else:
            raise Unsplittable(f"it has a statement of another kind than assert ({type(node).__name__.lower()})")

    def bind(self, name: str) -> None:
        if name in self.candidates or name == self.owner or name in _FUNCTIONS or name == "math":
            raise Unsplittable(f"it binds {name!r} anew")
        self.bound.add(name)

    def claim(self, node: ast.expr) -> None:
        """An expression that must be true: Python evaluates all of what `and` joins, or the test fails anyway."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            for part in node.values:
                self.claim(part)
        elif isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                self.expression(part)
        else:
            self.expression(node)

    def perhaps(self, nodes: Sequence[ast.expr]) -> None:
        """Expressions that Python may leave out: a call in them may never happen."""
        before = len(self.calls)
        for node in nodes:
            self.expression(node)
        if len(self.calls) != before:
            raise Unsplittable("it may or may not call the code under test")

    def expression(self, node: ast.expr, drawn: bool = False) -> None:
        if isinstance(node, ast.Call):
            self.call(node, drawn)
        elif isinstance(node, ast.Name):
            if node.id in self.candidates or (node.id not in self.bound and node.id not in _TYPES):
                raise Unsplittable(f"it uses the name {node.id!r}")
        elif isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "math" and node.attr in _MATH_CONSTANTS):
                raise Unsplittable(f"it reads the attribute {node.attr!r}")
        elif isinstance(node, ast.BoolOp):
            self.expression(node.values[0])
            self.perhaps(node.values[1:])
        elif isinstance(node, ast.Compare):
            self.expression(node.left)
            self.expression(node.comparators[0])
            self.perhaps(node.comparators[1:])
        elif isinstance(node, ast.IfExp):
            self.expression(node.test)
            self.perhaps([node.body, node.orelse])
        elif isinstance(node, ast.Starred):
            self.expression(node.value, drawn=True)
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Subscript | ast.Slice):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.expression(child)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            for item in node.elts:
                self.expression(item)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    raise Unsplittable("it unpacks a dictionary")
                self.expression(key)
                self.expression(value)
        elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            self.comprehension(node)
        elif not isinstance(node, ast.Constant):
            raise Unsplittable(f"it has an expression of another kind ({type(node).__name__})")

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp) -> None:
        before, inside = set(self.bound), len(self.calls)
        for position, part in enumerate(node.generators):
            if part.is_async or not isinstance(part.target, ast.Name):
                raise Unsplittable("it has a comprehension over more than a name")
            self.expression(part.iter, drawn=position == 0)
            inside = len(self.calls) if position == 0 else inside
            self.bind(part.target.id)
            for condition in part.ifs:
                self.expression(condition)
        self.expression(node.elt)
        self.bound = before
        if len(self.calls) != inside:
            raise Unsplittable("it calls the code under test in a comprehension")

    def call(self, node: ast.Call, drawn: bool) -> None:
        if self.is_entry(node.func):
            self.numbers[node] = len(self.calls)
            if any(isinstance(argument, ast.Starred) for argument in node.args) or any(
                keyword.arg is None for keyword in node.keywords
            ):
                raise Unsplittable("it unpacks arguments")
            args = tuple(self.argument(argument) for argument in node.args)
            named = {keyword.arg: self.argument(keyword.value) for keyword in node.keywords if keyword.arg is not None}
            self.calls.append(Call(args, named, drawn))
            return
        draws = False  # of `max(f(1))` the items are compared, of `max(f(1), f(2))` the results
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and node.func.id not in self.bound:
            draws = node.func.id in _DRAWING and (len(node.args) == 1 or node.func.id not in ("max", "min"))
        elif (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "math"
        ):
            if node.func.attr not in _MATH_FUNCTIONS:
                raise Unsplittable(f"it calls math.{node.func.attr}")
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            self.expression(node.func.value)
        else:
            raise Unsplittable(f"it calls {ast.unparse(node.func)[:60]}")
        for place, argument in enumerate(node.args):
            self.expression(argument, drawn=draws and place == 0)
        for keyword in node.keywords:
            if keyword.arg not in _KEYWORDS:
                raise Unsplittable(f"it passes the argument {keyword.arg!r}")
            self.expression(keyword.value)

    def argument(self, node: ast.expr) -> Any:
        """The value of an argument; what the solution could change in one place must not stand in another as well."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in (self.candidates or {self.owner}):
                raise Unsplittable("it calls the code under test for an argument")
        value = constant(node)
        if not isinstance(node, ast.Constant) and _has_aliases(value, set()):
            raise Unsplittable("it passes one object in two places")
        return value

    def is_entry(self, function: ast.expr) -> bool:
        if not self.owner:
            return isinstance(function, ast.Name) and function.id in self.candidates and function.id not in self.bound
        return (
            isinstance(function, ast.Attribute)
            and function.attr == self.name
            and isinstance(function.value, ast.Call)
            and isinstance(function.value.func, ast.Name)
            and function.value.func.id == self.owner
            and not function.value.args
            and not function.value.keywords
        )


def _has_aliases(value: Any, seen: set[int]) -> bool:
    """Whether a value holds a list, set or dictionary twice."""
    if isinstance(value, list | dict | set | bytearray):
        if id(value) in seen:
            return True
        seen.add(id(value))
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    return any(_has_aliases(item, seen) for item in value)


def constant(node: ast.expr) -> Any:
    """The value of an expression without names or calls of anything but pure functions. Raises `Unsplittable`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        pass
    _Finder(None).expression(node)
    try:
        return _Evaluator({}, (), {}).value(node)
    except Unsplittable:
        raise
    except Exception as error:
        raise Unsplittable(f"an expression that cannot be computed ({type(error).__name__})") from None


# --- evaluating -------------------------------------------------------------------------------------------------------


class _Budget:
    """What the evaluation of one test may still take."""

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.until = time.thread_time() + MAX_SECONDS

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TooLong(f"its evaluation takes more than {MAX_STEPS:,} steps")

    def look(self) -> None:
        if time.thread_time() > self.until:
            raise TooLong(f"its evaluation takes more than {MAX_SECONDS:.0f} s")


class _Evaluator:
    def __init__(
        self, numbers: Mapping[ast.Call, int], results: Sequence[Any], constants: Mapping[ast.expr, Any]
    ) -> None:
        self.numbers = numbers
        self.results = results
        self.constants = constants
        self.names: ChainMap[str, Any] = ChainMap({}, _TYPES)
        self.budget = _Budget()

    def execute(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assert):
            self.claim(statement.test)
        else:
            assert isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            self.names[statement.targets[0].id] = self.value(statement.value)

    def claim(self, test: ast.expr) -> None:
        """Raise `AssertionFailed` where the test of an assertion does not hold."""
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            if not self.value(test):
                raise AssertionFailed(f"{ast.unparse(test)[:200]} does not hold")
            return
        left, right = self.value(test.left), self.value(test.comparators[0])
        if self.holds(test.ops[0], left, right):
            return
        swapped = any(node in self.numbers for node in ast.walk(test.comparators[0]) if isinstance(node, ast.Call))
        word = _WORDS[type(test.ops[0])][swapped]
        expected, got = (left, right) if swapped else (right, left)
        raise AssertionFailed(f"expected {word}{shown(expected)}, got {shown(got)}")

    def value(self, node: ast.expr) -> Any:
        if node in self.constants:
            return self.constants[node]
        self.budget.step()
        return _EVALUATE[type(node)](self, node)

    def constant(self, node: ast.Constant) -> Any:
        return node.value

    def name(self, node: ast.Name) -> Any:
        return self.names[node.id]

    def attribute(self, node: ast.Attribute) -> Any:
        return getattr(math, node.attr)

    def list_(self, node: ast.List) -> Any:
        return list(self.elements(node.elts))

    def tuple_(self, node: ast.Tuple) -> Any:
        return tuple(self.elements(node.elts))

    def set_(self, node: ast.Set) -> Any:
        return _set_of(set)(self.elements(node.elts))

    def elements(self, nodes: list[ast.expr], bounded: bool = False) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.bounded(node.value)
            else:
                yield self.bounded(node) if bounded else self.value(node)

    def dict_(self, node: ast.Dict) -> Any:
        return _dict(
            (self.value(key), self.value(value))
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        )

    def compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        outcome: Any = True
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            outcome = self.holds(kind, left, right)
            if not outcome:
                return outcome
            left = right
        return outcome

    def holds(self, kind: ast.cmpop, left: Any, right: Any) -> Any:
        self.budget.look()
        if isinstance(kind, ast.In | ast.NotIn) and type(left) not in (int, bool):
            _refuse_long(right)
        return _COMPARE[type(kind)](left, right)

    def bool_op(self, node: ast.BoolOp) -> Any:
        stop = isinstance(node.op, ast.Or)
        outcome: Any = not stop
        for part in node.values:
            outcome = self.value(part)
            if bool(outcome) is stop:
                return outcome
        return outcome

    def bin_op(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        _bound(type(node.op), left, right)
        if isinstance(left, _VIEWS) or isinstance(right, _VIEWS):
            left, right = _members(left), _members(right)
        return _BINARY[type(node.op)](left, right)

    def unary_op(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self.value(node.operand))

    def if_exp(self, node: ast.IfExp) -> Any:
        return self.value(node.body) if self.value(node.test) else self.value(node.orelse)

    def subscript(self, node: ast.Subscript) -> Any:
        return self.value(node.value)[self.value(node.slice)]

    def slice(self, node: ast.Slice) -> Any:
        return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))

    def call(self, node: ast.Call) -> Any:
        number = self.numbers.get(node)
        if number is not None:
            return self.results[number]
        self.budget.look()
        owner: Any = None
        if isinstance(node.func, ast.Name):
            function = _FUNCTIONS[node.func.id]
        elif (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "math"
        ):
            function = _MATH_FUNCTIONS[node.func.attr]
        else:
            assert isinstance(node.func, ast.Attribute)
            owner = self.bounded(node.func.value)
            if type(owner) not in _METHODS[node.func.attr]:
                raise AttributeError(f"{type(owner).__name__!r} object has no attribute {node.func.attr!r}")
            function = getattr(owner, node.func.attr)
        args = list(self.elements(node.args, bounded=True))
        if isinstance(owner, (set, frozenset, *_VIEWS)):
            args = [_members(argument) for argument in args]
        return function(
            *args, **{keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg is not None}
        )

    def bounded(self, node: ast.expr) -> Any:
        """A value that may be walked over from end to end."""
        value = self.value(node)
        _refuse_long(value)
        return value

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp) -> Any:
        inner = copy.copy(self)
        inner.names = self.names.new_child()
        items = inner.generated(node.elt, node.generators, iter(self.value(node.generators[0].iter)))
        if isinstance(node, ast.GeneratorExp):
            return items
        return list(items) if isinstance(node, ast.ListComp) else _set_of(set)(items)

    def generated(self, element: ast.expr, parts: list[ast.comprehension], items: Iterator[Any]) -> Iterator[Any]:
        target = parts[0].target
        assert isinstance(target, ast.Name)
        for item in items:
            self.budget.step()
            self.budget.look()
            self.names[target.id] = item
            if not all(self.value(condition) for condition in parts[0].ifs):
                continue
            if len(parts) == 1:
                yield self.value(element)
            else:
                yield from self.generated(element, parts[1:], iter(self.value(parts[1].iter)))


_EVALUATE: dict[type[ast.expr], Callable[[_Evaluator, Any], Any]] = {
    ast.Constant: _Evaluator.constant,
    ast.Name: _Evaluator.name,
    ast.Attribute: _Evaluator.attribute,
    ast.List: _Evaluator.list_,
    ast.Tuple: _Evaluator.tuple_,
    ast.Set: _Evaluator.set_,
    ast.Dict: _Evaluator.dict_,
    ast.Compare: _Evaluator.compare,
    ast.BoolOp: _Evaluator.bool_op,
    ast.BinOp: _Evaluator.bin_op,
    ast.UnaryOp: _Evaluator.unary_op,
    ast.IfExp: _Evaluator.if_exp,
    ast.Subscript: _Evaluator.subscript,
    ast.Slice: _Evaluator.slice,
    ast.Call: _Evaluator.call,
    ast.GeneratorExp: _Evaluator.comprehension,
    ast.ListComp: _Evaluator.comprehension,
    ast.SetComp: _Evaluator.comprehension,
}
_WORDS: dict[type[ast.cmpop], tuple[str, str]] = {  # where the result stands on the left, and on the right
    ast.Eq: ("", ""),
    ast.NotEq: ("other than ", "other than "),
    ast.Lt: ("less than ", "more than "),
    ast.LtE: ("at most ", "at least "),
    ast.Gt: ("more than ", "less than "),
    ast.GtE: ("at least ", "at most "),
    ast.In: ("one in ", "a container that has "),
    ast.NotIn: ("none in ", "a container without "),
    ast.Is: ("the object ", "the object "),
    ast.IsNot: ("another object than ", "another object than "),
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}


def _bound(kind: type[ast.operator], left: Any, right: Any) -> None:
    """Refuse arithmetic whose result would not fit: a test must not make its judge compute for hours."""
    if kind is ast.Pow and isinstance(left, int | Fraction) and isinstance(right, int | Fraction):
        bits = _bits(left)
        if bits > 1 and (right > 0 or isinstance(left, Fraction)) and bits * abs(right.numerator) > MAX_BITS:
            raise TooLong("it raises to too high a power")
    if kind is ast.LShift and isinstance(right, int) and right > MAX_BITS:
        raise TooLong("it shifts too far")
    if kind is ast.Mod and isinstance(left, str | bytes | bytearray):
        _bound_format(left, right)
    if kind is ast.Mult:
        for one, other in ((left, right), (right, left)):
            if (
                isinstance(one, str | bytes | bytearray | list | tuple)
                and isinstance(other, int)
                and other > 1
                and len(one) * other > MAX_ITEMS
            ):
                raise TooLong("it repeats a sequence too often")


def _bits(number: int | Fraction) -> int:
    if isinstance(number, Fraction):
        return number.numerator.bit_length() + number.denominator.bit_length()
    return number.bit_length()


def _bound_format(form: str | bytes | bytearray, inserted: Any) -> None:
    """Refuse text that is formatted to more than it shows: wide fields, and values that could go in often."""
    text = form if isinstance(form, str) else form.decode("latin-1")
    if "%" not in text:
        return
    digits = "".join(letter if letter in "0123456789" else " " for letter in text[:MAX_FORMAT]).split()
    if len(text) >= MAX_FORMAT or "*" in text or isinstance(inserted, dict) or any(len(run) > 4 for run in digits):
        raise TooLong("it formats text")
    for item in inserted if isinstance(inserted, tuple) else (inserted,):
        _refuse_huge(item)


def _refuse_long(value: Any) -> None:
    if isinstance(value, range) and value[MAX_ITEMS:]:
        raise TooLong("it walks over too many items")


def _refuse_huge(value: Any) -> None:
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MAX_DIGITS:
        raise TooLong("it makes a whole number of too many digits")


# --- functions that could compute for too long, as their careful selves -----------------------------------------------


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """`int`, `math.floor` and the like: a short decimal may be a long whole number."""

    def careful(*args: Any) -> Any:
        if args:
            _refuse_huge(args[0])
        return function(*args)

    return careful


def _round(*args: Any, **named: Any) -> Any:
    digits = [*args[1:], *named.values()]
    if args and not isinstance(args[0], float):
        _refuse_huge(args[0])
        if digits and isinstance(digits[0], int) and abs(digits[0]) > MAX_DIGITS:
            raise TooLong("it rounds to too many digits")
    return round(*args, **named)


def _bytes(*args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], int) and args[0] > MAX_ITEMS:
        raise TooLong("it makes too many bytes")
    return bytes(*args)


def _sum(*args: Any, **named: Any) -> Any:
    """`sum`, with lists joined in one go, as many additions would copy the same items over and over."""
    start = args[1] if len(args) == 2 else named.get("start", 0)
    if len(args) not in (1, 2) or type(start) not in (int, list, tuple):
        return sum(*args, **named)
    items = list(args[0])
    if type(start) is int:
        if sum(_bits(item) for item in items if isinstance(item, Fraction)) > MAX_BITS:
            raise TooLong("it adds too many fractions")
        return sum(items, *args[1:], **named)
    joined = list(start)
    for item in items:
        if type(item) is not type(start):
            raise TypeError(f"can only concatenate {type(start).__name__} (not {type(item).__name__!r})")
        joined += item
    return type(start)(joined)


def _set_of(kind: type) -> Callable[..., Any]:
    def careful(*args: Any) -> Any:
        return kind(*map(_members, args))

    return careful


def _members(items: Any) -> Any:
    """Items that become members of a set, or are looked up in one. Raises `Malformed` where they share their hashes."""
    if isinstance(items, set | frozenset | dict):
        return items
    members = list(items)
    spread(members)
    return items if isinstance(items, _VIEWS) else members


def _dict(*args: Any, **named: Any) -> Any:
    if len(args) == 1 and not isinstance(args[0], dict):
        pairs = [tuple(pair) for pair in args[0]]
        spread([pair[0] for pair in pairs if pair])
        return dict(pairs, **named)
    return dict(*args, **named)


_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.items()))
_HARMLESS_STARS = frozenset(
    {"math", "typing", "collections", "itertools", "functools", "heapq", "bisect", "string", "random", "re", "datetime"}
    | {"decimal", "fractions", "copy", "statistics", "json", "sys", "time"}
)
_TYPES: dict[str, Any] = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_TYPES,
    **{
        function.__name__: function
        for function in (
            abs,
            all,
            any,
            divmod,
            isinstance,
            len,
            max,
            min,
            range,
            repr,
            reversed,
            sorted,
            type,
        )
    },
    "bytes": _bytes,
    "dict": _dict,
    "frozenset": _set_of(frozenset),
    "int": _whole(int),
    "round": _round,
    "set": _set_of(set),
    "sum": _sum,
}
_DRAWING = frozenset({"list", "tuple", "set", "frozenset", "sorted", "sum", "max", "min", "all", "any", "dict"})
_KEYWORDS = frozenset({"rel_tol", "abs_tol", "reverse", "key", "default", "start", "ndigits"}) - {"key"}
_MATH_CONSTANTS = frozenset({"pi", "e", "tau", "inf", "nan"})
_MATH_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: _whole(getattr(math, name)) if name in ("floor", "ceil", "trunc") else getattr(math, name)
    for name in (
        "isclose",
        "isnan",
        "isinf",
        "isfinite",
        "sqrt",
        "floor",
        "ceil",
        "fabs",
        "trunc",
        "log",
        "log2",
        "log10",
        "exp",
        "sin",
        "cos",
        "tan",
        "gcd",
        "hypot",
    )
}
_TEXTS = (str, bytes, bytearray)
_METHODS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        (
            "lower",
            "upper",
            "strip",
            "lstrip",
            "rstrip",
            "startswith",
            "endswith",
            "split",
            "splitlines",
            "isdigit",
            "isalpha",
            "title",
        ),
        _TEXTS,
    ),
    **dict.fromkeys(("count", "index"), (*_TEXTS, list, tuple, range)),
    **dict.fromkeys(("keys", "values", "items", "get"), (dict,)),
    **dict.fromkeys(("issubset", "issuperset", "union", "intersection"), (set, frozenset)),
    "isdisjoint": (set, frozenset, *_VIEWS),
}
