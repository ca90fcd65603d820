"""Are two outputs the same? One rule for a problem, chosen before anything runs, never a cascade.

    default       (stdin) line by line, token by token, case and all; trailing blanks and blank lines at the end do not
                  count; a token within 1e-6 (absolute or relative) counts only where the expected one is written with
                  a decimal point or an exponent
    exact         (stdin) the same bytes
    tokens        (stdin) the same tokens, however they are spread over lines
    nocase        (stdin) as default, upper and lower case alike
    floats:EPS    (stdin) as default, and any two numbers within EPS (absolute or relative)
    value         (function) `==`, with tuple as list and int keys as strings at every depth; bool and int told apart;
                  floats within 1e-6; NaN equal only to an expected NaN

Checkers of a problem's own, in Python, are not here: they are run in the sandbox (`judging.checker`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

TOLERANCE = 1e-6
NAMED = ("default", "exact", "tokens", "nocase")

OutputRule = Callable[[bytes, bytes], bool]
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_LONGEST_NUMBER = 1000  # bytes; what is longer is no number
_WRITTEN_AS_FLOAT = re.compile(rb"[.eE]")


def output_rule(checker: str | None) -> OutputRule:
    """The rule of a stdin problem by the name in its `checker` column: f(expected, got) -> same.

    Raises `ValueError` for a name that is none.
    """
    name = "default" if checker is None else checker
    if name == "default":
        return lambda expected, got: _same_lines(expected, got, _same_token)
    if name == "exact":
        return lambda expected, got: expected == got
    if name == "tokens":
        return _same_all_tokens
    if name == "nocase":
        return lambda expected, got: _same_lines(_lower(expected), _lower(got), _same_token)
    if name.startswith("floats:"):
        epsilon = _epsilon(name.removeprefix("floats:"))
        return lambda expected, got: _same_lines(expected, got, lambda a, b: a == b or _within(a, b, epsilon))
    raise ValueError(
        f"one of {', '.join(NAMED)}, floats:EPS, or Python source of more than one line "
        "that defines check(input, expected, output)"
    )


def _epsilon(text: str) -> float:
    try:
        epsilon = float(text)
    except ValueError:
        epsilon = math.nan
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"floats:EPS with a number from 0 on as EPS, not {text!r}")
    return epsilon


def _lower(text: bytes) -> bytes:
    return text.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def _same_lines(expected: bytes, got: bytes, same: Callable[[bytes, bytes], bool]) -> bool:
    if expected == got:
        return True
    wanted = _lines(expected)
    came = _lines(got, len(wanted))
    return len(wanted) == len(came) and all(_same_tokens(a.split(), b, same) for a, b in zip(wanted, came, strict=True))


def _lines(text: bytes, most: int = -1) -> list[bytes]:
    """The lines of a text, without blanks at their ends and without blank lines at the end; what is over `most` in one."""
    return text.rstrip().split(b"\n", most)


def _same_tokens(wanted: Sequence[bytes], line: bytes, same: Callable[[bytes, bytes], bool]) -> bool:
    came = line.split(None, len(wanted))  # a flood of tokens is not worth a list of them
    return wanted == came or (len(wanted) == len(came) and all(map(same, wanted, came)))


def _same_all_tokens(expected: bytes, got: bytes) -> bool:
    wanted = expected.split()
    return wanted == got.split(None, len(wanted))


def _same_token(expected: bytes, got: bytes) -> bool:
    return expected == got or (_WRITTEN_AS_FLOAT.search(expected) is not None and _within(expected, got, TOLERANCE))


def _within(expected: bytes, got: bytes, epsilon: float) -> bool:
    if max(len(expected), len(got)) > _LONGEST_NUMBER or not (_NUMBER.match(expected) and _NUMBER.match(got)):
        return False
    return _close(float(expected), float(got), epsilon)


def _close(expected: float, got: float, epsilon: float) -> bool:
    """Within `epsilon`, absolute or relative to the expected one. Written so that NaN is never close to anything."""
    difference = abs(expected - got)
    return difference <= epsilon or difference <= epsilon * abs(expected) < math.inf


# --- values -----------------------------------------------------------------------------------------------------------


def same_value(expected: Any, got: Any) -> bool:
    """The rule of function problems. `expected` comes from JSON; `got` is a plain value rebuilt on our side."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, float):
        return isinstance(got, int | float) and _same_float(expected, got)
    if isinstance(expected, int):
        return isinstance(got, int | float) and expected == got
    if isinstance(expected, str):
        return isinstance(got, str) and expected == got
    if expected is None:
        return got is None
    if isinstance(expected, list):
        return isinstance(got, list | tuple) and len(expected) == len(got) and all(map(same_value, expected, got))
    if isinstance(expected, dict):
        return isinstance(got, dict) and _same_dict(expected, got)
    return False


def _same_float(expected: float, got: float) -> bool:
    if math.isnan(expected):
        return isinstance(got, float) and math.isnan(got)
    if expected == got:
        return True
    try:
        return _close(expected, float(got), TOLERANCE)
    except OverflowError:  # an int beyond all floats
        return False


def _same_dict(expected: dict[str, Any], got: dict[Any, Any]) -> bool:
    try:
        named = {str(key) if type(key) is int else key: value for key, value in got.items()}
    except ValueError:  # a key with more digits than Python prints: no JSON has it
        return False
    return (
        len(named) == len(got)
        and named.keys() == expected.keys()
        and all(same_value(value, named[key]) for key, value in expected.items())
    )
