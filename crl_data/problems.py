"""What makes a row a problem, beyond the types of its columns. Pure: nothing is run, nothing is read."""

from __future__ import annotations

import json
from typing import Any

from crl_data.columns import Fault, describe
from crl_data.compare import output_rule
from crl_data.nodes import Names
from crl_data.starter import fits, signature
from crl_data.syntax import parse
from crl_data.types import Problem, TestKind

_KINDS = frozenset(TestKind)


def fault_of(problem: Problem, kind: Any = None, *, untested: bool = False, ours: bool = False) -> Fault | None:
    """The first thing about a problem that cannot be right, or None.

    untested: it may have no tests, since the verdicts on its solutions are given and not drawn from any.
    ours: the JSON of its calls was written here, from values, and is not read again: rows have tens of MB of it.
    """
    if problem.test_kind not in _KINDS:
        return Fault("test_kind", "one of " + ", ".join(TestKind), describe(kind or problem.test_kind))
    if not problem.id:
        return Fault("id", "a name", "an empty string")
    if not problem.tests and not untested:
        return Fault("tests", "at least one test", "none")
    if problem.public_tests is not None and not 0 <= problem.public_tests <= len(problem.tests):
        return Fault("public_tests", f"a number from 0 to {len(problem.tests)}", str(problem.public_tests))
    for name in ("time_limit_s", "memory_limit_mb"):
        value = getattr(problem, name)
        if value is not None and not 0 < value < 1e6:
            return Fault(name, "a number above 0", str(value))
    if ours and problem.test_kind is TestKind.FUNCTION and not _takes_nodes(problem):
        return _entry_point(problem)
    return _FAULTS[problem.test_kind](problem)


def is_source(checker: str | None) -> bool:
    """Whether a checker is Python source, and not the name of a rule."""
    return checker is not None and "\n" in checker


def _stdin(problem: Problem) -> Fault | None:
    if is_source(problem.checker):
        return _python("checker", problem.checker or "")
    try:
        output_rule(problem.checker)
    except ValueError as error:
        return Fault("checker", str(error), describe(problem.checker))
    return None


def _entry_point(problem: Problem) -> Fault | None:
    if is_entry_point(problem.entry_point):
        return None
    return Fault("entry_point", "the function under test, `name` or `Class.method`", describe(problem.entry_point))


def _takes_nodes(problem: Problem) -> bool:
    shapes = signature(problem.starter_code, problem.entry_point)
    return shapes is not None and shapes.has_nodes


def _function(problem: Problem) -> Fault | None:
    if fault := _entry_point(problem):
        return fault
    if why := unsupported(problem):
        return Fault("starter_code", "nodes of ListNode and TreeNode, or plain values", why)
    shapes = signature(problem.starter_code, problem.entry_point)
    for place, test in enumerate(problem.tests):
        for name, text in (("input", test.input), ("expected", test.expected)):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                return Fault(f"tests[{place}].{name}", "JSON", f"{describe(text)} ({error})")
            if name == "input" and not isinstance(value, list):
                return Fault(f"tests[{place}].input", "a JSON array of arguments", describe(value))
            if shapes is None or not shapes.has_nodes:
                continue
            for shape, one in (
                zip(shapes.arguments, value, strict=False) if name == "input" else [(shapes.result, value)]
            ):
                if not fits(shape, one):
                    return Fault(f"tests[{place}].{name}", f"a list where a {shape} is meant", describe(one))
    return None


def unsupported(problem: Problem) -> str:
    """A class of LeetCode's that a function takes or gives and that is not known here; empty where there is none.

    Its values would come as plain ones, for which no right solution is written: there is no verdict on such a problem.
    """
    if problem.test_kind is not TestKind.FUNCTION:
        return ""
    told = signature(problem.starter_code, problem.entry_point)
    return told.unknown if told else ""


def is_entry_point(name: str | None) -> bool:
    """Whether a name is `name` or `Class.method`."""
    parts = (name or "").split(".")
    return 1 <= len(parts) <= 2 and all(part.isidentifier() for part in parts)


def _assert(problem: Problem) -> Fault | None:
    if problem.entry_point is not None and not is_entry_point(problem.entry_point):
        return Fault("entry_point", "`name`, `Class.method` or null", describe(problem.entry_point))
    fault = _python("test_setup", problem.test_setup or "")
    for place, test in enumerate(problem.tests):
        fault = fault or _python(f"tests[{place}].input", test.input)
    return fault


def _pytest(problem: Problem) -> Fault | None:
    if not (problem.test_setup or "").strip():
        return Fault("test_setup", "the source of a test module", "nothing")
    fault = _python("test_setup", problem.test_setup or "")
    if fault is not None:
        return fault
    names = Names(problem.test_setup or "")
    for place, test in enumerate(problem.tests):
        if names.lack(test.input):
            return Fault(f"tests[{place}].input", "the node id of a test in test_setup", describe(test.input))
    return None


def _python(field: str, source: str) -> Fault | None:
    try:
        parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Fault(field, "Python source", f"{describe(source)} ({type(error).__name__}: {error})")
    return None


_FAULTS = {TestKind.STDIN: _stdin, TestKind.FUNCTION: _function, TestKind.ASSERT: _assert, TestKind.PYTEST: _pytest}
