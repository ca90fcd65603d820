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
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crl_data.literals import shown

MAX_STEPS = 2_000_000
MAX_ITEMS = 1_000_000
MAX_BITS = 100_000


class Unsplittable(Exception):
    """The test needs something that stays beside the solution; the text says what."""


class TooLong(Exception):
    """The assertion would take too long to evaluate here. Ours, and no word about the solution."""


class AssertionFailed(Exception):
    """The assertion did not hold; the text says what was compared."""


@dataclass(frozen=True)
class Call:
    """One call of the entry point: plain arguments, and whether an iterator that it returns is to be drawn out."""

    args: tuple[Any, ...]
    named: Mapping[str, Any]
    iterate: bool


@dataclass(frozen=True)
class SplitTest:
    """A test taken apart: the calls in the order of their evaluation, and the statements that judge the results.

    `constants` are the values of all expressions that no result goes into, computed once.
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
    statements = _plain_statements(ast.parse(source).body)
    finder = _Finder(entry)
    unfolded: list[ast.stmt] = []
    checkers = {node.name: node for node in ast.parse(setup).body if isinstance(node, ast.FunctionDef)}
    for statement in statements:
        checker = _called_checker(statement, checkers, entry)
        if checker is None:
            unfolded.append(statement)
        else:
            finder.candidates.add(checker.args.args[0].arg)
            unfolded += _plain_statements(checker.body)
    if not any(isinstance(statement, ast.Assert) for statement in unfolded):
        raise Unsplittable("it asserts nothing")
    for statement in unfolded:
        finder.statement(statement)
    if not finder.calls:
        raise Unsplittable("it does not call the code under test")
    constants = {node: constant(node) for statement in unfolded for node in _closed(statement, finder.numbers)}
    return SplitTest(tuple(finder.calls), tuple(unfolded), finder.numbers, constants)


def _closed(node: ast.AST, calls: Mapping[ast.Call, int]) -> Iterator[ast.expr]:
    """The largest expressions beneath a node that no result and no name of the test goes into."""
    for child in ast.iter_child_nodes(node):
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
        tree = ast.parse(source)
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
            self.expression(node.test)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self.expression(node.value)
            name = node.targets[0].id
            if name in self.candidates or name == self.owner or name in _FUNCTIONS or name == "math":
                raise Unsplittable(f"it binds {name!r} anew")
            self.bound.add(name)
        else:
            raise Unsplittable(f"it has a statement of another kind than assert ({type(node).__name__.lower()})")

    def expression(self, node: ast.expr, drawn: bool = False) -> None:
        if isinstance(node, ast.Call):
            self.call(node, drawn)
        elif isinstance(node, ast.Name):
            if node.id not in self.bound and node.id not in _TYPES:
                raise Unsplittable(f"it uses the name {node.id!r}")
        elif isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "math" and node.attr in _MATH_CONSTANTS):
                raise Unsplittable(f"it reads the attribute {node.attr!r}")
        elif isinstance(
            node,
            ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Subscript | ast.Slice | ast.Starred,
        ):
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
            self.bound.add(part.target.id)
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
            args = tuple(constant(argument) for argument in node.args)
            named = {keyword.arg: constant(keyword.value) for keyword in node.keywords if keyword.arg is not None}
            self.calls.append(Call(args, named, drawn))
            return
        draws = False
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and node.func.id not in self.bound:
            draws = node.func.id in _DRAWING
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
        for argument in node.args:
            self.expression(argument, drawn=draws)
        for keyword in node.keywords:
            if keyword.arg not in _KEYWORDS:
                raise Unsplittable(f"it passes the argument {keyword.arg!r}")
            self.expression(keyword.value)

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


class _Evaluator:
    def __init__(
        self, numbers: Mapping[ast.Call, int], results: Sequence[Any], constants: Mapping[ast.expr, Any]
    ) -> None:
        self.numbers = numbers
        self.results = results
        self.constants = constants
        self.names: dict[str, Any] = dict(_TYPES)
        self.steps = 0

    def execute(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assert):
            if not self.value(statement.test):
                raise AssertionFailed(self.explain(statement.test))
        else:
            assert isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            self.names[statement.targets[0].id] = self.value(statement.value)

    def explain(self, test: ast.expr) -> str:
        """What was compared with what, for the reason of a failure."""
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            try:
                left, right = self.value(test.left), self.value(test.comparators[0])
            except Exception:
                return ast.unparse(test)[:200]
            if any(node in self.numbers for node in ast.walk(test.comparators[0]) if isinstance(node, ast.Call)):
                left, right = right, left
            word = (
                ""
                if isinstance(test.ops[0], ast.Eq)
                else {v: k for k, v in _OPERATOR_WORDS.items()}.get(type(test.ops[0]), "") + " "
            )
            return f"expected {word}{shown(right)}, got {shown(left)}"
        return f"{ast.unparse(test)[:200]} does not hold"

    def value(self, node: ast.expr) -> Any:
        if node in self.constants:
            return self.constants[node]
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLong(f"its evaluation takes more than {MAX_STEPS:,} steps")
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
        return set(self.elements(node.elts))

    def elements(self, nodes: list[ast.expr]) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.value(node.value)
            else:
                yield self.value(node)

    def dict_(self, node: ast.Dict) -> Any:
        return {
            self.value(key): self.value(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }

    def compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        outcome: Any = True
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            outcome = _COMPARE[type(kind)](left, right)
            if not outcome:
                return outcome
            left = right
        return outcome

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
        if isinstance(node.func, ast.Name):
            function = _FUNCTIONS[node.func.id]
        elif (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "math"
        ):
            function = getattr(math, node.func.attr)
        else:
            assert isinstance(node.func, ast.Attribute)
            owner = self.value(node.func.value)
            if type(owner) not in _METHODS[node.func.attr]:
                raise AttributeError(f"{type(owner).__name__!r} object has no attribute {node.func.attr!r}")
            function = getattr(owner, node.func.attr)
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg is not None}
        return function(*(self.bounded(argument) for argument in node.args), **named)

    def bounded(self, node: ast.expr) -> Any:
        value = self.value(node)
        if isinstance(value, range) and len(value) > MAX_ITEMS:
            raise TooLong("it walks over too many items")
        return value

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp) -> Any:
        items = list(self.generated(node.elt, node.generators))
        return (
            iter(items)
            if isinstance(node, ast.GeneratorExp)
            else items
            if isinstance(node, ast.ListComp)
            else set(items)
        )

    def generated(self, element: ast.expr, parts: list[ast.comprehension]) -> Iterator[Any]:
        if not parts:
            yield self.value(element)
            return
        target = parts[0].target
        assert isinstance(target, ast.Name)
        for item in self.value(parts[0].iter):
            self.names[target.id] = item
            if all(self.value(condition) for condition in parts[0].ifs):
                yield from self.generated(element, parts[1:])


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
_OPERATOR_WORDS: dict[str, type[ast.cmpop]] = {
    "other than": ast.NotEq,
    "less than": ast.Lt,
    "at most": ast.LtE,
    "more than": ast.Gt,
    "at least": ast.GtE,
    "a container that has": ast.In,
    "a container without": ast.NotIn,
    "the object": ast.Is,
    "another object than": ast.IsNot,
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
    if (
        kind is ast.Pow
        and isinstance(left, int)
        and isinstance(right, int)
        and left.bit_length() * abs(right) > MAX_BITS
    ):
        raise TooLong("it raises to too high a power")
    if kind is ast.LShift and isinstance(right, int) and right > MAX_BITS:
        raise TooLong("it shifts too far")
    if kind is ast.Mod and isinstance(left, str | bytes):
        raise TooLong("it formats text")
    if kind is ast.Mult:
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | bytes | list | tuple) and isinstance(other, int) and len(one) * other > MAX_ITEMS:
                raise TooLong("it repeats a sequence too often")


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
            round,
            sorted,
            sum,
            type,
        )
    },
}
_DRAWING = frozenset({"list", "tuple", "set", "frozenset", "sorted", "sum", "max", "min", "all", "any", "dict"})
_KEYWORDS = frozenset({"rel_tol", "abs_tol", "reverse", "key", "default", "start", "ndigits"}) - {"key"}
_MATH_CONSTANTS = frozenset({"pi", "e", "tau", "inf", "nan"})
_MATH_FUNCTIONS = frozenset(
    {
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
    }
)
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
        (str,),
    ),
    **dict.fromkeys(("count", "index"), (str, list, tuple, range)),
    **dict.fromkeys(("keys", "values", "items", "get"), (dict,)),
    **dict.fromkeys(("issubset", "issuperset", "isdisjoint", "union", "intersection"), (set, frozenset)),
}
