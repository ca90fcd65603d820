"""Plain values as Python source, as JSON, and as text for a person."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any


def literal(value: Any) -> str:
    """Python source whose value is `value`. Raises `ValueError` for what is no plain value."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 13000:
        return hex(value)  # longer than Python reads in decimal
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(literal, value))) + "}" if value else "set()"
    if isinstance(value, frozenset):
        return "frozenset({" + ", ".join(sorted(map(literal, value))) + "})" if value else "frozenset()"
    raise ValueError(f"a value of type {type(value).__name__} has no literal")


def shown(value: Any, most: int = 160) -> str:
    """A value for a person: its literal, in the same order every time, cut where it is long."""
    try:
        text = repr(value)
        if ("{" in text or "frozenset" in text) and len(text) < 100_000:
            text = literal(value)  # the order of a set is not the same in every process
    except (ValueError, RecursionError):  # an int with more digits than Python prints
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most // 2] + " ... " + text[-most // 4 :]


def one_line(text: str, most: int = 500) -> str:
    """Text from elsewhere, fit for a message: one line, no control characters or lone surrogates, never long."""
    words = " ".join(text[: 4 * most].split())
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in words[: most + 1]
    )
    return plain if len(plain) <= most else plain[: most - 4] + " ..."


def survives_json(value: Any) -> bool:
    """Whether JSON gives back exactly this value, with the same types at every depth."""
    try:
        return _same(value, json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        return False


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LONG = 1_000
_NO_CONTROLS = bytes(range(32, 256)) + b"\n"


def json_pieces(value: Any) -> Iterator[bytes]:
    """The bytes of a value's JSON, one after another: the same as those of `json`, which takes three times as long for
    long texts and holds them all at once.
    """
    if isinstance(value, str) and len(value) > _LONG:
        yield from _quoted(value)
    elif isinstance(value, dict) and _is_long(value):
        for place, (name, item) in enumerate(value.items()):
            yield (b"," if place else b"{") + _ENCODER.encode(name).encode() + b":"
            yield from json_pieces(item)
        yield b"}"
    elif isinstance(value, list) and _is_long(value):
        for place, item in enumerate(value):
            yield b"," if place else b"["
            yield from json_pieces(item)
        yield b"]"
    else:
        yield _ENCODER.encode(value).encode()


def _is_long(value: Any) -> bool:
    """Whether there is a long text in it, below names that are texts."""
    if isinstance(value, str):
        return len(value) > _LONG
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and any(map(_is_long, value.values()))
    return isinstance(value, list) and any(map(_is_long, value))


def _quoted(text: str) -> Iterator[bytes]:
    data = text.encode()
    if data.translate(None, _NO_CONTROLS):
        yield _ENCODER.encode(text).encode()
        return
    yield b'"'
    yield data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    yield b'"'
