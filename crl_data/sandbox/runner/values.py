"""Plain Python values as text, type-exact: the wire format between a solution's process and the judge.

`encode` runs beside the solution and is not trusted. `decode` runs on the judge's side and is the wall: it accepts a
closed list of tags, builds only exact standard types, bounds depth and size, and refuses all else. It is never pickle.

JSON carries None, bool, str, float, list and ints of up to 4,300 digits as they are; every other type is an object with
one key, its tag. Subclasses of plain types cross as the plain type. What is not listed here cannot cross, nor can what
is cheap to write and dear to use: ints of over a million bits, ranges of over a million numbers, fractions and decimals
of thousands of digits, sets and dictionaries whose members were made to share a hash.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

MAX_DEPTH = 150
MAX_NODES = 1_000_000
MAX_BYTES = 16 << 20
MAX_BITS = 1_000_000
MAX_DIGITS = 10_000  # of a decimal
MAX_SHARED = 256  # different values of one hash, in one set or dictionary

ATOMS = frozenset({type(None), bool, int, float, str})
DTYPE_KINDS = frozenset("biufcSU")  # of numpy's arrays and scalars: numbers, and text of a fixed width
NUMBERED = frozenset({list, tuple, dict, set, frozenset, bytearray, bytes})
NUMBERED_TAGS = frozenset({"tuple", "frozenset", "bytes", "ndarray"})  # that cannot be filled after they are made
_CONTAINERS: dict[type, str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}
PLAIN_BASES = (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)
BIG = 1 << 14000  # just under 4,300 digits


class CannotCross(Exception):
    """A value that has no plain form; the text names its type."""


class Malformed(Exception):
    """Bytes that `encode` never writes, or that are larger or deeper than allowed."""


# --- from a value to bytes: beside the solution -----------------------------------------------------------------------


def encode(value: object, *, iterate: bool = False, exact: bool = True) -> bytes:
    """The text of `value`. With `iterate`, what can be iterated and has no plain form is drawn out, and crosses as an
    iterator. Unless `exact`, a scalar of numpy's crosses as the number it is, and its arrays do not. Raises `CannotCross`.
    """
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(4300)  # the solution may have lifted it; the judge has not
    try:
        packed = pack(value, iterate=iterate, scan_ints=False, exact=exact)
        try:
            text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"))
        except ValueError:  # a list of plain ints with a very long one among them
            text = json.dumps(pack(value, iterate=iterate, exact=exact), ensure_ascii=False, separators=(",", ":"))
    finally:
        sys.set_int_max_str_digits(digits)
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        raise CannotCross(f"a value of {len(data):,} bytes (at most {MAX_BYTES:,})")
    return data


def pack(value: object, *, iterate: bool = False, scan_ints: bool = True, exact: bool = True) -> Any:
    """The JSON-ready form of `value`; without `scan_ints`, but for long ints in lists of atoms. Raises `CannotCross`."""
    return Packer(iterate, scan_ints, exact).pack(value, 0)


class Packer:
    def __init__(self, iterate: bool, scan_ints: bool, exact: bool) -> None:
        self.nodes = 0
        self.exact = exact
        self.iterate = iterate
        self.scan_ints = scan_ints

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in ATOMS:
            return self.integer(value) if kind is int and not -BIG < value < BIG else value
        if depth >= MAX_DEPTH:
            raise CannotCross(f"a value nested deeper than {MAX_DEPTH}")
        if kind is list:
            return self.items(value, depth)
        if kind is dict:
            return {
                "dict": [[self.pack(k, depth + 1), self.pack(v, depth + 1)] for k, v in self.counted(value.items())]
            }
        tag = _CONTAINERS.get(kind)
        if tag is not None:
            return {tag: self.items(list(value), depth)}
        if kind is bytes or kind is bytearray:
            return {kind.__name__: b64encode(value).decode()}
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind is range:
            if value[MAX_NODES:]:
                raise CannotCross(f"a range of more than {MAX_NODES:,} numbers")
            return {"range": [self.pack(n, depth) for n in (value.start, value.stop, value.step)]}
        if value is ...:
            return {"ellipsis": 0}
        return self.other(value, kind, depth)

    def integer(self, value: int) -> dict[str, str]:
        if value.bit_length() > MAX_BITS:
            raise CannotCross(f"a number of {value.bit_length():,} bits (at most {MAX_BITS:,})")
        return {"int": hex(value)}

    def items(self, value: list[Any], depth: int) -> list[Any]:
        self.nodes += len(value)
        if self.nodes > MAX_NODES:
            raise CannotCross(f"a value of more than {MAX_NODES:,} parts")
        if not self.scan_ints and ATOMS.issuperset(map(type, value)):
            return value
        return [self.pack(item, depth + 1) for item in value]

    def counted(self, items: Any) -> Iterator[Any]:
        for item in items:
            self.nodes += 2
            if self.nodes > MAX_NODES:
                raise CannotCross(f"a value of more than {MAX_NODES:,} parts")
            yield item

    def other(self, value: Any, kind: type, depth: int) -> Any:
        module, name = kind.__module__, kind.__name__
        if module == "decimal" and name == "Decimal":
            text = str(value)
            if len(text) > MAX_DIGITS:
                raise CannotCross(f"a decimal of more than {MAX_DIGITS:,} digits")
            return {"decimal": text}
        if module == "fractions" and name == "Fraction":
            if not (-BIG < value.numerator < BIG and value.denominator < BIG):
                raise CannotCross("a fraction of more than 4,200 digits")
            return {"fraction": [self.pack(value.numerator, depth), self.pack(value.denominator, depth)]}
        if module == "datetime":
            packed = _pack_datetime(value, name)
            if packed is not None:
                return packed
        if module == "numpy" and hasattr(value, "dtype"):
            packed = self.numpy(value, name, depth)
            if packed is not None:
                return packed
        for base in kind.__mro__:
            if base in PLAIN_BASES:
                return self.pack(_as_plain(value, base), depth + 1)
        if self.iterate and depth == 0 and hasattr(kind, "__iter__"):
            drawn: list[Any] = []
            for item in value:
                drawn.append(item)
                if len(drawn) > MAX_NODES:
                    raise CannotCross(f"more than {MAX_NODES:,} items of a {kind.__qualname__}")
            return {"iterator": self.items(drawn, depth)}
        raise CannotCross(f"a value of type {kind.__qualname__}")

    def numpy(self, value: Any, name: str, depth: int) -> Any:
        if not self.exact:
            return self.pack(value.item(), depth + 1) if value.shape == () else None
        if value.dtype.kind not in DTYPE_KINDS:
            return None
        self.nodes += value.size
        if self.nodes > MAX_NODES or value.nbytes > MAX_BYTES:
            raise CannotCross(f"a value of more than {MAX_NODES:,} parts")
        data = b64encode(value.tobytes()).decode()
        if name == "ndarray":
            return {"ndarray": [value.dtype.str, list(value.shape), data]}
        return {"scalar": [value.dtype.str, data]}


def _as_plain(value: Any, base: type) -> Any:
    """`value`, of a subclass of `base`, as `base` itself, by the methods of `base` and not by its own."""
    if base is int or base is float or base is complex:
        return base.__pos__(value)  # the sign of zero stays
    if base is str:
        return str.__str__(value)
    if base is bytes or base is bytearray:
        return base(memoryview(value))
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))  # type: ignore[attr-defined]


def _pack_datetime(value: Any, name: str) -> Any:
    if name == "timedelta":
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if name == "date":
        return {"date": [value.year, value.month, value.day]}
    if name not in ("datetime", "time"):
        return None
    offset = None
    if value.tzinfo is not None:
        if type(value.tzinfo).__name__ != "timezone":
            return None
        offset = value.tzinfo.utcoffset(None).total_seconds()
    clock = [value.hour, value.minute, value.second, value.microsecond, value.fold, offset]
    return {name: ([value.year, value.month, value.day] if name == "datetime" else []) + clock}


# --- from bytes to a value: on the judge's side, and for arguments on the way in --------------------------------------


def decode(data: bytes) -> Any:
    """The value that `encode` wrote. Raises `Malformed` for anything else."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"a value of {len(data):,} bytes (at most {MAX_BYTES:,})")
    try:
        return unpack(json.loads(data.decode("utf-8", "surrogatepass")))
    except (ValueError, TypeError, RecursionError, ArithmeticError, LookupError) as error:
        raise Malformed(f"not a value of the wire format: {type(error).__name__}: {error}"[:200]) from None


def unpack(packed: Any) -> Any:
    """The value of a JSON-ready form. Raises `Malformed`, or what a hostile form makes a constructor raise."""
    return Unpacker().unpack(packed, 0)


class Unpacker:
    def __init__(self) -> None:
        self.nodes = 0

    def unpack(self, packed: Any, depth: int) -> Any:
        kind = type(packed)
        if kind in ATOMS:
            return packed
        if depth > 2 * MAX_DEPTH:  # most are an object and a list a level
            raise Malformed("nested too deep")
        if kind is list:
            return self.items(packed, depth)
        self.nodes += 1
        if len(packed) != 1:
            raise Malformed("an object that is not one tag")
        tag, body = next(iter(packed.items()))
        if tag == "dict":
            return self.dictionary(body, depth)
        build = _BUILDERS.get(tag)
        if build is None:
            raise Malformed(f"unknown tag {tag[:40]!r}")
        if tag in _OF_VALUES:
            if type(body) is not list:
                raise Malformed(f"the body of {tag} is not a list")
            body = self.items(body, depth + 1)
        if tag == "fraction":
            self.nodes += _FRACTION_NODES
        return build(body)

    def items(self, packed: list[Any], depth: int) -> list[Any]:
        self.nodes += len(packed)
        if self.nodes > 4 * MAX_NODES:
            raise Malformed("too many parts")
        if ATOMS.issuperset(map(type, packed)):
            return packed
        return [self.unpack(item, depth + 1) for item in packed]

    def dictionary(self, pairs: Any, depth: int) -> dict[Any, Any]:
        if type(pairs) is not list or any(type(pair) is not list or len(pair) != 2 for pair in pairs):
            raise Malformed("a dictionary whose items are not pairs")
        self.nodes += 2 * len(pairs)
        items = [(self.unpack(key, depth + 2), self.unpack(value, depth + 2)) for key, value in pairs]
        spread([key for key, _ in items])
        return dict(items)


_FRACTION_NODES = 100  # they are computed with in Python, and slow to compare


def spread(members: Collection[Any]) -> None:
    """Refuse members of a set or dictionary that were made to share a hash: each would be compared with all others.

    Raises `Malformed`, and `TypeError` where a member has no hash.
    """
    if len(members) <= MAX_SHARED:
        return
    crowded = {shared for shared, count in Counter(map(hash, members)).items() if count > MAX_SHARED}
    different: dict[int, set[Any]] = {shared: set() for shared in crowded}
    for member in members if crowded else ():
        same = different.get(hash(member))
        if same is not None:
            same.add(member)
            if len(same) > MAX_SHARED:
                raise Malformed(f"more than {MAX_SHARED} different values of one hash")


def _build_int(text: Any) -> int:
    if type(text) is not str or len(text) > MAX_BITS // 4 + 3 or not text.lstrip("-").startswith("0x"):
        raise Malformed("not a hexadecimal integer")
    value = int(text, 16)
    if value.bit_length() > MAX_BITS:
        raise Malformed("an integer of too many bits")
    return value


def _build_set(members: list[Any]) -> set[Any]:
    spread(members)
    return set(members)


def _build_range(parts: list[Any]) -> range:
    built = range(*_ints(parts, 3))
    if built[MAX_NODES:]:
        raise Malformed("a range of too many numbers")
    return built


def _build_bytes(text: Any) -> bytes:
    if type(text) is not str:
        raise Malformed("bytes that are not text")
    return b64decode(text, validate=True)


def _build_complex(parts: list[Any]) -> complex:
    if len(parts) != 2 or any(type(part) is not float for part in parts):
        raise Malformed("complex of other than two floats")
    return complex(*parts)


def _ints(parts: list[Any], count: int) -> list[int]:
    if len(parts) != count or any(type(part) is not int for part in parts):
        raise Malformed(f"other than {count} whole numbers")
    return parts


def _build_decimal(text: Any) -> Any:
    from decimal import Decimal

    if type(text) is not str or len(text) > MAX_DIGITS:
        raise Malformed("not a decimal")
    return Decimal(text)


def _build_fraction(parts: list[Any]) -> Any:
    from fractions import Fraction

    if any(not -BIG < part < BIG for part in _ints(parts, 2)):
        raise Malformed("a fraction of too many digits")
    return Fraction(*parts)


def _build_date(parts: list[Any]) -> Any:
    from datetime import date

    return date(*_ints(parts, 3))


def _build_timedelta(parts: list[Any]) -> Any:
    from datetime import timedelta

    return timedelta(*_ints(parts, 3))


def _zone(offset: Any) -> Any:
    from datetime import timedelta, timezone

    if offset is not None and type(offset) is not float:
        raise Malformed("not a time zone")
    return None if offset is None else timezone(timedelta(seconds=offset))


def _build_time(parts: list[Any]) -> Any:
    from datetime import time

    hour, minute, second, micro, fold = _ints(parts[:5], 5)
    if len(parts) != 6:
        raise Malformed("a time of other than 6 parts")
    return time(hour, minute, second, micro, tzinfo=_zone(parts[5]), fold=fold)


def _build_datetime(parts: list[Any]) -> Any:
    from datetime import datetime

    year, month, day, hour, minute, second, micro, fold = _ints(parts[:8], 8)
    if len(parts) != 9:
        raise Malformed("a moment of other than 9 parts")
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=_zone(parts[8]), fold=fold)


def _numpy_dtype(text: Any) -> tuple[Any, Any]:
    import numpy

    if type(text) is not str or not re.fullmatch(r"[<>|=][biufcSU]\d{1,4}", text):
        raise Malformed("not an element type of plain values")
    return numpy, numpy.dtype(text)


def _build_ndarray(parts: list[Any]) -> Any:
    if type(parts) is not list or len(parts) != 3:
        raise Malformed("an array of other than 3 parts")
    numpy, dtype = _numpy_dtype(parts[0])
    shape = parts[1]
    if type(shape) is not list or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
        raise Malformed("not the shape of an array")
    size = 1
    for n in shape:
        size *= n
    data = _build_bytes(parts[2])
    if len(data) != size * dtype.itemsize or size > MAX_NODES:
        raise Malformed("an array of another size")
    return numpy.frombuffer(data, dtype).reshape(shape).copy()


def _build_scalar(parts: list[Any]) -> Any:
    if type(parts) is not list or len(parts) != 2:
        raise Malformed("a scalar of other than 2 parts")
    numpy, dtype = _numpy_dtype(parts[0])
    data = _build_bytes(parts[1])
    if len(data) != dtype.itemsize:
        raise Malformed("a scalar of another size")
    return numpy.frombuffer(data, dtype)[0]


_BUILDERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": _build_set,
    "frozenset": lambda members: frozenset(_build_set(members)),
    "iterator": iter,
    "int": _build_int,
    "bytes": _build_bytes,
    "bytearray": lambda text: bytearray(_build_bytes(text)),
    "complex": _build_complex,
    "range": _build_range,
    "ellipsis": lambda _: ...,
    "decimal": _build_decimal,
    "fraction": _build_fraction,
    "date": _build_date,
    "time": _build_time,
    "datetime": _build_datetime,
    "timedelta": _build_timedelta,
    "ndarray": _build_ndarray,
    "scalar": _build_scalar,
}
_OF_VALUES = frozenset({"tuple", "set", "frozenset", "iterator", "range", "fraction"})
