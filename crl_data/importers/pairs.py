"""What the formats with lists of inputs and outputs have in common: pairs of them, and how a call is written.

Nothing is tried on a row. Each format says which of the encodings below is its data set's, and a row that is written in
another way is set aside or bad:
    lines      LiveCodeBench's: an argument is one line of JSON, the result is one JSON value
    decoded    APPS' and TACO's: the arguments are a list that is decoded already. The result of a method of a class
               (LeetCode) stands as it is, that of a function (Codewars) in a list of one
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, text
from crl_data.responses import extract_code
from crl_data.rows import Row
from crl_data.starter import entry_point
from crl_data.syntax import parse
from crl_data.types import Test, TestKind

Made = TypeVar("Made")
Pairs = Sequence[tuple[Any, Any]]
Tests = tuple[TestKind, tuple[Test, ...], str | None]
"""The kind of a problem's tests, the tests, and the entry point where they call one."""

NO_TESTS = "it has no tests"
UNKNOWN_CALLS = "its calls are not written in the data set's encoding"


def loaded(row: Row, name: str) -> Any:
    """A field that holds JSON, as text or decoded already. Raises `RowError`."""
    return as_loaded(row, name, row.cells.get(name))


def as_loaded(row: Row, name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RowError(row.place, name, "JSON", f"{describe(value)} ({error})") from None


def paired(row: Row, name: str, inputs: Any, outputs: Any) -> Pairs:
    """Inputs with their outputs. Raises `RowError` where they are no lists, or lists of different lengths."""
    for which, value in (("inputs", inputs), ("outputs", outputs)):
        if not isinstance(value, list):
            raise RowError(row.place, f"{name}{which}", "a list", describe(value))
    if len(inputs) != len(outputs):
        raise RowError(row.place, f"{name}outputs", f"{len(inputs)} of them, as there are inputs", str(len(outputs)))
    return list(zip(inputs, outputs, strict=True))


def cases(row: Row, name: str, found: Any) -> list[dict[str, Any]]:
    """A list of objects. Raises `RowError`."""
    if not isinstance(found, list):
        raise RowError(row.place, name, "a list of tests", describe(found))
    for place, case in enumerate(found):
        if not isinstance(case, dict):
            raise RowError(row.place, f"{name}[{place}]", "a test with input and output", describe(case))
    return found


def stdin_tests(row: Row, name: str, pairs: Pairs) -> tuple[Test, ...]:
    """Tests of texts, where a text may be given as the list of its lines. Raises `RowError`."""
    return tuple(
        Test(
            input=_text(row, f"{name}inputs[{place}]", given),
            expected=_text(row, f"{name}outputs[{place}]", expected),
        )
        for place, (given, expected) in enumerate(pairs)
    )


def _text(row: Row, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    raise RowError(row.place, name, "a text, or its lines", describe(value))


def line_calls(row: Row, name: str, pairs: Pairs) -> tuple[Test, ...]:
    """Calls whose arguments are lines of JSON. Raises `RowError`."""
    tests = []
    for place, (given, expected) in enumerate(pairs):
        for which, value in (("inputs", given), ("outputs", expected)):
            if not isinstance(value, str):
                raise RowError(row.place, f"{name}{which}[{place}]", "JSON", describe(value))
        arguments = [as_loaded(row, f"{name}inputs[{place}]", line) for line in given.rstrip("\n").split("\n")]
        tests.append(call(arguments, as_loaded(row, f"{name}outputs[{place}]", expected)))
    return tuple(tests)


def decoded_calls(entry: str, pairs: Pairs) -> tuple[Test, ...] | str:
    """Calls whose arguments are decoded lists; or why they are none."""
    if not all(isinstance(given, list) for given, _ in pairs):
        return f"{UNKNOWN_CALLS}: arguments are no list"
    if "." in entry:
        return tuple(call(given, expected) for given, expected in pairs)
    boxed = {isinstance(expected, list) and len(expected) == 1 for _, expected in pairs}
    if len(boxed) > 1:
        return f"{UNKNOWN_CALLS}: only some of its results stand in a list of one"
    return tuple(call(given, expected[0] if True in boxed else expected) for given, expected in pairs)


def tests_of_pairs(row: Row, name: str, pairs: Pairs, function: Any, *sources: str | None) -> Tests | str:
    """Pairs of texts, or calls of a function in the encoding "decoded"; or why they are no tests. Raises `RowError`.

    sources: where it stands whether the function is a method, in this order.
    """
    if not pairs:
        return NO_TESTS
    if not function:
        return TestKind.STDIN, stdin_tests(row, name, pairs), None
    if not isinstance(function, str):
        raise RowError(row.place, f"{name}fn_name", "the name of a function", describe(function))
    entry = entry_point(function, *sources)
    calls = decoded_calls(entry, pairs)
    return calls if isinstance(calls, str) else (TestKind.FUNCTION, calls, entry)


def call(arguments: Sequence[Any], expected: Any) -> Test:
    return Test(input=json.dumps(arguments, ensure_ascii=False), expected=json.dumps(expected, ensure_ascii=False))


def optional_text(row: Row, name: str) -> str | None:
    """A string that may be missing, null or empty. Raises `RowError` for what is no string."""
    return text(row, name) or None if row.cells.get(name) is not None else None


def reference_of(solutions: Iterable[Any]) -> str | None:
    """The first solution that is Python 3; one in a fenced block is taken out of it."""
    for solution in solutions:
        code = extract_code(solution) if isinstance(solution, str) and "```" in solution else solution
        if isinstance(code, str) and code.strip():
            try:
                parse(code)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            return code
    return None


def number_of(value: Any, unit: str) -> float | None:
    """The number in "2.0 seconds", "256 megabytes"; None for what is written in another way, or is nothing."""
    found = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s+{unit}s?\s*", value) if isinstance(value, str) else None
    return float(found[1]) or None if found else None


def once(
    prefix: str, columns: Sequence[str], make: Callable[[Row, str], Made | SetAside]
) -> Callable[[Row], Made | SetAside]:
    """Give rows that have no id one of their content, so that a problem has the same wherever it stands.

    A row that was there before is set aside, with `#2`, `#3` behind the id.
    """
    times: dict[bytes, int] = {}

    def of_row(row: Row) -> Made | SetAside:
        told = json.dumps([row.cells.get(column) for column in columns], sort_keys=True)
        digest = hashlib.sha256(told.encode()).digest()[:8]
        name = f"{prefix}/{digest.hex()}"
        made = make(row, name)
        times[digest] = times.get(digest, 0) + 1  # only now: a bad row was not there
        if times[digest] > 1:
            return SetAside(
                id=f"{name}#{times[digest]}", reason="the same question with the same tests as in a row before"
            )
        return made

    return of_row
