"""What stands in the `extra_info` of verl's rows for rewards: the truth about a critique, and tests in the official form. Pure.

The form is that of Critique-Coder's reward manager (TIGER-AI-Lab/Critique-Coder 662e89f) and of verl's prime_code.
"""

from __future__ import annotations

import json
import math
from typing import Any

from crl_data.errors import InputError


def truth_of(value: Any, name: str) -> bool | None:
    """`correctness` as files give it: a bool of Python or numpy, 0 or 1; null also as NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool | int) and plain in (0, 1):
        return bool(plain)
    raise InputError(f"{name}: extra_info.correctness: expected true, false or null, got {said(value)}")


def text_of(value: Any, place: str) -> str:
    """A cell of JSON; as text also where a file holds it as an object."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, default=lambda array: array.tolist())
    except (TypeError, ValueError, AttributeError):
        raise InputError(f"{place}: expected JSON as text, got {said(value)}") from None


def json_object(source: str, place: str) -> dict[str, Any]:
    """The object that a text of JSON holds. Raises `InputError`."""
    try:
        value = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: expected JSON, got {said(source)} ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, got {said(source)}")
    return value


def official_tests(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Tests of the official form: the arguments of a function one JSON value a line, the lines of standard input perhaps
    as a list."""
    inputs, outputs = value.get("inputs"), value.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs) or not inputs:
        raise InputError(f"{name}: extra_info.inputs_outputs: expected as many inputs as outputs, and at least one")
    function = value.get("fn_name")
    tests = []
    for given, wanted in zip(inputs, outputs, strict=True):
        given, wanted = _joined(given, name), _joined(wanted, name)
        tests.append({"input": f"[{given.replace(chr(10), ',')}]" if function else given, "expected": wanted})
    return {"tests": tests, "fn_name": function}


def _joined(cell: Any, name: str) -> str:
    if isinstance(cell, list) and all(isinstance(line, str) for line in cell):
        return "\n".join(cell)
    if isinstance(cell, str):
        return cell
    raise InputError(f"{name}: extra_info.inputs_outputs: expected text, or lines of it, got {said(cell)}")


def said(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
