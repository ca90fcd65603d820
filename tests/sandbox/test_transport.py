"""Calls and their answers by value: types, identity and mutation survive, and nothing else gets through."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.sandbox.runner import transport
from crl_data.sandbox.runner.values import CannotCross, Malformed
from tests.sandbox.test_values import PLAIN, exact


def nothing(*_: object) -> Any:
    return None


def refuse(tag: str, body: Any) -> Any:
    raise Malformed(tag)


def packed(*values: Any) -> tuple[list[Any], Any]:
    objects: list[Any] = []
    packer = transport.Packer(objects, nothing)
    return objects, json.loads(json.dumps([packer.pack(value, 0) for value in values]))


def unpacked(parts: Any) -> tuple[list[Any], Any]:
    objects: list[Any] = []
    unpacker = transport.Unpacker(objects, refuse)
    return objects, [unpacker.unpack(part, 0) for part in parts]


@given(st.lists(PLAIN, max_size=3))
def test_values_cross_with_their_types_at_every_depth(values: list[Any]) -> None:
    there, parts = packed(*values)
    here, crossed = unpacked(parts)
    assert exact(crossed) == exact(values)
    assert len(here) == len(there), "both sides number the same containers"
    assert list(map(type, here)) == list(map(type, there))


def test_one_object_in_two_places_is_one_object_there() -> None:
    row = [0]
    _, crossed = unpacked(packed([row, row, (row,)], row)[1])
    rows, again = crossed
    assert rows[0] is rows[1] is rows[2][0] is again


def test_an_object_that_contains_itself_crosses() -> None:
    looped: list[Any] = [1]
    looped.append(looped)
    (crossed,) = unpacked(packed(looped)[1])[1]
    assert crossed[0] == 1 and crossed[1] is crossed


@given(
    st.lists(
        st.one_of(st.lists(st.integers()), st.dictionaries(st.text(), st.integers()), st.sets(st.integers())),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_changed_in_place_is_told(values: list[Any]) -> None:
    before = transport.snapshot(values)
    assert transport.changed(values, before) == []
    for value in values:
        value.clear()
    assert [values[place] for place in transport.changed(values, before)] == [
        value for value, old in zip(values, before, strict=True) if old
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["ref", "tuple", "dict", "set", "int", "ndarray", "obj", "own", "frozenset", "bytes", "x"]
                ),
                inner,
                max_size=2,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_a_solution_sends_is_a_value_or_refused(parts: Any) -> None:
    unpacker = transport.Unpacker([], refuse)
    with contextlib.suppress(Malformed, ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
        unpacker.unpack(parts, 0)


def test_references_cannot_make_a_small_message_an_endless_value() -> None:
    parts: Any = [0] * 10
    for place in range(40):  # each level holds the one before it ten times
        parts = [parts, *[{"ref": 40 - place}] * 9]
    with pytest.raises(Malformed, match="parts"):
        unpacked([parts])


def test_contents_of_another_kind_are_refused() -> None:
    for made, contents in (([], {"set": []}), ({}, []), (set(), {"dict": []}), (bytearray(), [1]), ((), [1])):
        with pytest.raises(Malformed):
            transport.Unpacker([made], refuse).fill(made, contents, 0)


def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    asked: list[int] = []

    def read(size: int) -> bytes:
        asked.append(size)
        return (1 << 31).to_bytes(4, "little")

    with pytest.raises(Malformed, match="a message of"):
        transport.receive(read)
    assert asked == [4]


def test_what_is_no_plain_value_cannot_cross() -> None:
    for value in (object(), [object()], lambda: 0, {1: object}):
        with pytest.raises(CannotCross):
            packed(value)
