"""Calls and their answers between a tester and a solution: by value, type-exact, with identity kept inside one call.

`values` is the format of plain values; here every container of a call is numbered besides, in the order in which it is
met, so that the answer can say "the list that you gave me": two arguments that are one object are one object there, what
the solution changed in place is changed here, and `f(a) is a` holds where it does.

    {"ref": n}              the container number n of this call
    {"obj": n}              an object of the solution's, which stays there; the tester numbered it when it made it
    {"own": [n, class]}     the same, but the solution made it: allowed only where the reference needed it
    {"name": text}          a function or class of the solution's module; {"builtin": text}: one of Python's
    {"back": n}             a function of the test's, to be called back: allowed only where the reference needed it

`Packer` runs on both sides; the `Unpacker` of the tester is the wall. It bounds what references expand to: a value of a
few bytes can otherwise be larger than any memory.
"""

from __future__ import annotations

import builtins
import json
import operator
from collections.abc import Callable
from typing import Any

from . import values
from .values import CannotCross, Malformed

MAX_NODES = 4 * values.MAX_NODES  # a tester has limits of its own, so it may be given more than the judge's process
MAX_TEXT = 1 << 20  # characters that a solution may print in one call and have carried over
_ATOMS = values.ATOMS
_SHORT = _ATOMS - {int}
BUILTINS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    or name in ("abs", "all", "any", "len", "max", "min", "ord", "chr", "repr", "round", "sum")
)
Frame = tuple[Any, ...]


class Packer(values.Packer):
    """Packs the values of one call; it numbers containers, and goes on with the numbers of the call when it answers.

    special: what to make of an object that is no plain value; None: it cannot cross.
    """

    def __init__(self, objects: list[Any], special: Callable[[Any], Any | None]) -> None:
        super().__init__(iterate=False, scan_ints=True, exact=True)
        self.objects = objects
        self.memo = {id(one): place for place, one in enumerate(objects)}
        self.special = special

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return self.integer(value) if kind is int and not -values.BIG < value < values.BIG else value
        known = self.memo.get(id(value))
        if known is not None:
            return {"ref": known}
        if kind in values.NUMBERED or (kind.__name__ == "ndarray" and kind.__module__ == "numpy"):
            self.memo[id(value)] = len(self.objects)
            self.objects.append(value)
        elif kind is not complex and kind is not range:
            packed = self.special(value)
            if packed is not None:
                return packed
        return super().pack(value, depth)

    def integer(self, value: int) -> dict[str, str]:
        return {"int": hex(value)}  # bounded by the size of a frame

    def items(self, value: list[Any], depth: int) -> list[Any]:
        kinds = set(map(type, value))
        if kinds <= _SHORT or (kinds == {int} and min(value) > -values.BIG and max(value) < values.BIG):
            self.count(len(value))
            return value
        self.count(len(value))
        return [self.pack(item, depth + 1) for item in value]

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise CannotCross(f"a value of more than {MAX_NODES:,} parts")

    def contents(self, value: Any) -> Any:
        """A container that was numbered before, in full."""
        return super().pack(value, 0)


class Unpacker(values.Unpacker):
    """Rebuilds the values of one call, numbering containers as `Packer` does. Raises `Malformed` for all else.

    special: builds what the tags "obj", "own", "name", "builtin" and "back" stand for; it refuses what may not be.
    """

    def __init__(self, objects: list[Any], special: Callable[[str, Any], Any]) -> None:
        super().__init__()
        self.objects = objects
        self.sizes = [1] * len(objects)
        self.special = special

    def unpack(self, packed: Any, depth: int) -> Any:
        kind = type(packed)
        if kind in _ATOMS:
            return packed
        if depth > 2 * values.MAX_DEPTH:
            raise Malformed("nested too deep")
        if kind is list:
            return self.into_list([], packed, depth)
        if kind is not dict or len(packed) != 1:
            raise Malformed("an object that is not one tag")
        tag, body = next(iter(packed.items()))
        if tag == "ref":
            return self.known(body)
        if tag in _SPECIAL:
            self.count(1)
            return self.special(tag, body)
        if tag in _MUTABLE:
            place = self.number(made := _MUTABLE[tag]())
            before = self.nodes
            self.fill(made, packed, depth)
            self.sizes[place] = self.nodes - before
            return made
        if tag in values.NUMBERED_TAGS:
            place = self.number(_UNFINISHED)
            before = self.nodes
            built = super().unpack(packed, depth)
            self.objects[place], self.sizes[place] = built, self.nodes - before
            return built
        self.count(1)
        if tag == "int" and type(body) is str and body.lstrip("-").startswith("0x"):
            return int(body, 16)
        return super().unpack(packed, depth)

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise Malformed(f"a value of more than {MAX_NODES:,} parts")

    def number(self, made: Any) -> int:
        self.objects.append(made)
        self.sizes.append(1)
        return len(self.objects) - 1

    def known(self, place: Any) -> Any:
        if type(place) is not int or not 0 <= place < len(self.objects) or self.objects[place] is _UNFINISHED:
            raise Malformed("a reference to nothing")
        self.count(self.sizes[place])
        return self.objects[place]

    def into_list(self, made: list[Any], packed: list[Any], depth: int) -> list[Any]:
        place = self.number(made)
        before = self.nodes
        self.refill_list(made, packed, depth)
        self.sizes[place] = self.nodes - before
        return made

    def refill_list(self, made: list[Any], packed: list[Any], depth: int) -> None:
        made[:] = self.items(packed, depth)

    def items(self, packed: list[Any], depth: int) -> list[Any]:
        self.count(len(packed) + 1)
        return packed if _ATOMS.issuperset(map(type, packed)) else [self.unpack(item, depth + 1) for item in packed]

    def fill(self, made: Any, packed: Any, depth: int) -> None:
        """Give a container the contents that were packed. Raises `Malformed` where they are another kind's."""
        kind = type(made)
        if kind is list and type(packed) is list:
            self.refill_list(made, packed, depth)
            return
        tag = _TAGS.get(kind)
        if tag is None or type(packed) is not dict or list(packed) != [tag]:
            raise Malformed("contents of another kind")
        if kind is dict:
            built = self.dictionary(packed[tag], depth)
            made.clear()
            made.update(built)
        elif kind is set:
            if type(packed[tag]) is not list:
                raise Malformed("the body of a set is not a list")
            members = self.items(packed[tag], depth)
            values.spread(members)
            made.clear()
            made.update(members)
        elif kind is bytearray:
            made[:] = super().unpack(packed, depth)
        else:
            built = super().unpack(packed, depth)
            if built.shape != made.shape or built.dtype != made.dtype:
                raise Malformed("an array of another shape")
            made[...] = built


class _Unfinished:
    pass


_UNFINISHED = _Unfinished()
_SPECIAL = frozenset({"obj", "own", "name", "builtin", "back"})
_MUTABLE: dict[str, Callable[[], Any]] = {"dict": dict, "set": set, "bytearray": bytearray}


class _Tags(dict[type, str]):
    def get(self, kind: type, default: Any = None) -> Any:
        found = super().get(kind)
        return found or ("ndarray" if kind.__module__ == "numpy" and kind.__name__ == "ndarray" else default)


_TAGS = _Tags({dict: "dict", set: "set", bytearray: "bytearray"})


def snapshot(objects: list[Any]) -> list[Any]:
    """What the containers of a call hold, to find out afterwards which were changed."""
    return [_COPIES[type(one)](one) if type(one) in _COPIES else _array(one) for one in objects]


def changed(objects: list[Any], before: list[Any]) -> list[int]:
    """The numbers of the containers whose contents are others than before: other objects, not merely equal ones."""
    found = []
    for place, old in enumerate(before):
        if old is None:
            continue
        one = objects[place]
        kind = type(one)
        if kind is bytearray:
            same = bytes(one) == old
        elif kind not in _COPIES:
            same = one.tobytes() == old
        else:
            now = _COPIES[kind](one)
            same = len(now) == len(old) and all(map(operator.is_, now, old))
        if not same:
            found.append(place)
    return found


def _flat(one: dict[Any, Any]) -> list[Any]:
    return [*one.keys(), *one.values()]


_COPIES: dict[type, Callable[[Any], Any]] = {list: list, dict: _flat, set: list, bytearray: bytes}


def _array(one: Any) -> bytes | None:
    """The bytes of an array; of what cannot be changed in place, nothing."""
    return one.tobytes() if type(one).__name__ == "ndarray" else None


# --- frames -----------------------------------------------------------------------------------------------------------


def encode(frame: Frame) -> bytes:
    """A frame with its length in front. Raises `CannotCross` where it is longer than may be."""
    data = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(data) > values.MAX_BYTES:
        raise CannotCross(f"a value of {len(data):,} bytes (at most {values.MAX_BYTES:,})")
    return len(data).to_bytes(4, "little") + data


def receive(read: Callable[[int], bytes]) -> bytes | None:
    """The body of the next frame; None at the end of the stream. `read` gives at most so many bytes, and none at the end.

    Raises `Malformed` for one that is longer than may be.
    """
    head = _exactly(read, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "little")
    if size > values.MAX_BYTES:
        raise Malformed(f"a message of {size:,} bytes (at most {values.MAX_BYTES:,})")
    return _exactly(read, size)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes | None:
    data = read(size)
    if len(data) == size:
        return data
    parts = [data]
    left = size - len(data)
    while left and parts[-1]:
        parts.append(read(min(left, 1 << 20)))
        left -= len(parts[-1])
    return None if left else b"".join(parts)


def decode(data: bytes) -> Any:
    """The frame of a body. Raises `Malformed`."""
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not a frame: {type(error).__name__}") from None
