"""Calls of code under test, as the runner takes them, and their results, as nobody may trust them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crl_data.sandbox.runner import values
from crl_data.starter import Signature

HOSTILE = (values.Malformed, ValueError, TypeError, LookupError, RecursionError, ArithmeticError)
"""What reading an answer can raise, where the answer is none."""


def pack(
    args: Sequence[Any],
    named: Mapping[str, Any] | None = None,
    iterate: bool = False,
    exact: bool = False,
    shapes: Signature | None = None,
) -> dict[str, Any]:
    """One call. With `iterate`, a returned value without a plain form is drawn out. With `exact`, values of numpy's stay
    what they are. With `shapes`, some are linked lists and trees on the other side. Raises `values.CannotCross`.
    """
    call: dict[str, Any] = {"args": [values.pack(argument) for argument in args]}
    if named:
        call["named"] = {name: values.pack(argument) for name, argument in named.items()}
    if iterate:
        call["iterate"] = True
    if exact:
        call["exact"] = True
    if shapes is not None and shapes.has_nodes:
        more = [None] * (len(args) - len(shapes.arguments))
        call["nodes"] = {"arguments": [*shapes.arguments[: len(args)], *more], "result": shapes.result}
    return call


def order(packed: Sequence[dict[str, Any]]) -> bytes:
    """The input of one test: calls that are made one after another."""
    return json.dumps(list(packed), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def results(answer: bytes) -> list[dict[str, Any]]:
    """What came of each call: {"value": packed}, {"raised": class name, "note": text} or {"cannot": text}.

    Raises one of `HOSTILE` for anything that is not such a list.
    """
    found = json.loads(answer.decode("utf-8", "surrogatepass"))
    if not isinstance(found, list) or not all(isinstance(result, dict) for result in found):
        raise ValueError("not a list of results")
    return found
