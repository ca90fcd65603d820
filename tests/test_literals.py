"""Plain values as Python source, as JSON, and as text for a person."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.literals import json_pieces, literal, one_line, shown, survives_json

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=8)
)
HASHABLE = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner) | st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
PLAIN = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


def exact(value: object) -> object:
    """A form that is equal only for values of the same types at every depth, with NaN and the sign of zero told apart."""
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, complex):
        return ("complex", value.real.hex(), value.imag.hex())
    if isinstance(value, list | tuple):
        return (type(value).__name__, tuple(map(exact, value)))
    if isinstance(value, set | frozenset):
        return (type(value).__name__, tuple(sorted(map(repr, map(exact, value)))))
    if isinstance(value, dict):
        return ("dict", tuple((exact(key), exact(item)) for key, item in value.items()))
    return (type(value).__name__, hex(value) if isinstance(value, int) else value)


@given(PLAIN)
def test_a_literal_has_exactly_the_value_it_was_made_of(value: object) -> None:
    assert exact(eval(literal(value))) == exact(value)


@pytest.mark.parametrize(
    "value",
    [
        2**13000,
        -(2**20000),
        [2**20000],
        {2**20000: 1},
        {2**20000, 1},
        frozenset({-(2**20000)}),
        {frozenset()},
        ((),),
        (1,),
        set(),
        frozenset(),
        {True: 1, 2: False},
        complex(math.nan, -math.inf),
        complex(-0.0, -0.0),
        "\ud800\0\n'\"",
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_literal_of_an_odd_value_has_that_value(value: object) -> None:
    assert exact(eval(literal(value))) == exact(value)


@pytest.mark.parametrize(
    "value", [object(), [object()], {1: object()}, {"a": [...]}, range(3), bytearray(b"a"), len, int]
)
def test_what_is_no_plain_value_has_no_literal(value: object) -> None:
    with pytest.raises(ValueError, match="has no literal"):
        literal(value)


def in_process(seed: int, code: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": str(seed)}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "value",
    [
        "{'a', 'b', 'c', 'd', 'e', 'f'}",
        "[frozenset('abcdef')]",
        "{'k': {('a', 1), ('b', 2), ('c', 3), ('d', 4)}}",
        "{frozenset('az'), frozenset('by'), frozenset('cx'), frozenset('dw')}",
        "{(frozenset('az'), 1), (frozenset('by'), 1), (frozenset('cx'), 1)}",
    ],
)
def test_a_set_is_written_in_one_order_in_every_process(value: str) -> None:
    """Strings hash otherwise in every process, and a literal becomes part of a test, and so of a key."""
    code = f"from crl_data.literals import literal, shown; v = {value}; print(literal(v)); print(shown(v))"
    assert len({in_process(seed, code) for seed in range(1, 6)}) == 1


# --- for a person -----------------------------------------------------------------------------------------------------


def test_what_is_short_is_shown_as_it_is_written() -> None:
    for value in (1, "a", [1, (2,)], {"a": {1}}, None, -0.0, {3, 1, 2}, frozenset({2, 1})):
        assert eval(shown(value)) == value
    assert shown({3, 1, 2}) == "{1, 2, 3}"


@given(PLAIN, st.integers(40, 200))
def test_what_is_shown_is_one_line_and_never_long(value: object, most: int) -> None:
    text = shown(value, most)
    assert len(text) <= most and len(text.splitlines()) == 1


@given(st.text(st.characters()), st.integers(10, 100))
def test_text_from_elsewhere_is_made_one_line_that_can_be_printed(text: str, most: int) -> None:
    line = one_line(text, most)
    assert line.isprintable() and len(line) <= most
    assert len(line.encode().decode().splitlines()) <= 1


def test_text_that_is_one_line_stays_as_it_is() -> None:
    for text in ("", "a b", "ValueError: 'é' (line 3)", "漢字"):
        assert one_line(text) == text
    assert one_line("\x1b[31mevil\n<script>\ud800\0") == "\\x1b[31mevil <script>\\ud800\\x00"
    assert one_line("x" * 10_000_000, 20) == "x" * 16 + " ..."


def test_the_ends_of_what_is_cut_are_shown() -> None:
    text = shown(list(range(1000)))
    assert text.startswith("[0, 1, 2,") and text.endswith("998, 999]") and " ... " in text


def test_a_value_that_cannot_be_written_is_shown_by_its_type() -> None:
    looped: list[object] = [{}]
    looped.append({"a": looped})
    deep: object = {}
    for _ in range(100_000):
        deep = [deep]
    for value, word in (
        (2**20000, "int"),
        ([2**20000], "list"),
        (looped, "list"),
        (deep, "list"),
        ({"a": object()}, "dict"),
    ):
        assert word in shown(value)


# --- JSON -------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_json_gives_back_survives_it(value: object) -> None:
    assert survives_json(value)


@given(PLAIN)
def test_what_survives_json_comes_back_exactly(value: object) -> None:
    if survives_json(value):
        assert exact(json.loads(json.dumps(value))) == exact(value)


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        [(1,)],
        {1: 2},
        {"a": {1: 2}},
        {None: 1},
        {True: 1},
        math.nan,
        [math.inf],
        {1},
        b"a",
        1j,
        object(),
        2**20000,
        [[...]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_changes_or_refuses_does_not_survive_it(value: object) -> None:
    assert not survives_json(value)


def test_a_subclass_does_not_survive_json() -> None:
    class Number(int):
        pass

    assert not survives_json([Number(3)]) and survives_json([3])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["\n", '"', "\\", "\t", "\0", "\x7f", "é"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([1, 1001])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_in_pieces_is_the_json_that_json_writes(value: object) -> None:
    """Long texts are quoted by hand: a thousand of every letter that has to be escaped, and of those that need not."""
    assert b"".join(json_pieces(value)).decode() == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_long_texts_come_as_pieces_of_their_own() -> None:
    long = "x" * 5000
    pieces = list(json_pieces({"id": "a", "tests": [{"input": long, "expected": "1"}, {"input": long}]}))
    assert [len(piece) for piece in pieces].count(5000) == 2
