"""Are two outputs the same? Each named rule, at its edges."""

from __future__ import annotations

import json
import math
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.compare import output_rule, same_value

SAME = [
    (None, "1 2\n", "1 2\n"),
    (None, "1 2\n", "1 2"),
    (None, "1 2\n", "1 2  \t\r\n\n\n"),
    (None, "1 2\n3\n", "1 2\r\n3\r\n"),
    (None, "a  b\n", "a b\n"),
    (None, "", "\n\n"),
    (None, "0.5", "0.5000000001"),
    (None, "0.5", ".5"),
    (None, "1.0", "1"),
    (None, "1e3", "1000"),
    (None, "1000000.0", "1000000.9"),  # relative
    (None, "0.0", "0.0000009"),  # absolute
    (None, "-0.0", "0"),
    (None, "YES 1.5\nNO", "YES 1.5000001\nNO"),
    (None, "x\0y", "x\0y"),
    ("exact", "a\n", "a\n"),
    ("tokens", "1 2\n3", "1\n2\n\n3"),
    ("nocase", "Yes\nno", "YES\nNO"),
    ("nocase", "Äpfel", "ÄPFEL"),
    ("floats:1e-2", "1", "1.005"),
    ("floats:0.5", "10", "12"),
    ("floats:1e-4", "abc 1.00001", "abc 1.00002"),
]
DIFFERENT = [
    (None, "1 2\n", "12\n"),
    (None, "1 2\n", "1\n2\n"),
    (None, "1\n2\n", "1\n\n2\n"),
    (None, "1\n2", "1"),  # a prefix is not the whole (open-r1 takes it)
    (None, "1", "1\n2"),
    (None, "\n1", "1"),
    (None, "YES", "yes"),
    (None, "1", "1.0"),  # tolerance only where the expected one is written as a float
    (None, "10", "10.0000001"),
    (None, "0.5", "0.50001"),
    (None, "1.5", "nan"),
    (None, "nan", "NaN"),
    (None, "1.5", "inf"),
    (None, "1e999", "2e999"),
    (None, "1.5", "1_5e-1"),
    (None, "1.0", "１.0"),  # full-width digits
    (None, "1.0", "0x1"),
    (None, "a b a", "b a a"),  # never as sets (hendrycks/apps#27)
    (None, "NO YES YES", "YES NO YES"),
    (None, "x", ""),
    (None, "", "x"),
    ("exact", "a\n", "a"),
    ("exact", "0.50", "0.5"),
    ("tokens", "1.0", "1"),
    ("nocase", "a\nb", "A B"),
    ("floats:1e-2", "1", "1.02"),
    ("floats:1e-2", "a", "b"),
    ("floats:1e-2", "1 2", "1"),
]


@pytest.mark.parametrize(("checker", "expected", "got"), SAME)
def test_the_same_output(checker: str | None, expected: str, got: str) -> None:
    assert output_rule(checker)(expected.encode(), got.encode())


@pytest.mark.parametrize(("checker", "expected", "got"), DIFFERENT)
def test_another_output(checker: str | None, expected: str, got: str) -> None:
    assert not output_rule(checker)(expected.encode(), got.encode())


def test_output_that_is_not_utf8_is_another() -> None:
    for checker in (None, "tokens", "nocase", "floats:1"):
        assert not output_rule(checker)("ÿ".encode(), b"\xff")
        assert not output_rule(checker)(b"1.5", b"1.5 \xff")


@pytest.mark.parametrize(
    "name", ["", "floats:", "floats:x", "floats:-1", "floats:inf", "floats:nan", "floats", "EXACT", "lines"]
)
def test_a_name_that_is_no_rule_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"one of|floats:EPS"):
        output_rule(name)


@pytest.mark.parametrize("got", [b"1" * 200_000 + b"x", b"1" * 10_000_000, b"." * 1_000_000, b"1." + b"0" * 1_000_000])
def test_what_looks_like_a_number_for_long_is_read_in_little_time(got: bytes) -> None:
    start = time.process_time()
    assert not output_rule(None)(b"1.5", got)
    assert time.process_time() - start < 2


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXT, st.sampled_from([None, "exact", "tokens", "nocase", "floats:1e-3"]))
def test_every_output_is_the_same_as_itself(text: str, checker: str | None) -> None:
    assert output_rule(checker)(text.encode(), text.encode())


@given(TEXT, TEXT)
def test_without_numbers_the_default_rule_is_symmetric(one: str, other: str) -> None:
    rule = output_rule(None)
    if not any(character.isdigit() for character in one + other):
        assert rule(one.encode(), other.encode()) == rule(other.encode(), one.encode())


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_the_same_within_their_tolerance_and_not_beyond(expected: float, got: float) -> None:
    same = output_rule(None)(repr(expected).encode(), repr(got).encode())
    near = abs(expected - got) <= max(1e-6, 1e-6 * abs(expected))
    assert same == (near or repr(expected) == repr(got))


# --- values -----------------------------------------------------------------------------------------------------------------------

SAME_VALUES = [
    (1, 1),
    (1, 1.0),
    (1.0, 1),
    (0.3, 0.1 + 0.2),
    (None, None),
    (True, True),
    ("a", "a"),
    ([1, [2]], (1, (2,))),
    ({"1": 2}, {1: 2}),
    ({"a": [1, {"2": None}]}, {"a": (1, {2: None})}),
    (math.nan, math.nan),
    (math.inf, math.inf),
    ([], ()),
    (10**30, 10**30),
]
DIFFERENT_VALUES = [
    (1, True),
    (True, 1),
    (0, False),
    (1.0, True),
    (1, "1"),
    ("1", 1),
    (1, 1.0000001),  # an integer is expected exactly
    (1.0, 1.0001),
    (1.0, math.nan),
    (math.nan, 1.0),
    (1.0, math.inf),
    (math.inf, -math.inf),
    ([1, 2], [1]),
    ([1], {1}),
    ("ab", ["a", "b"]),
    ({"1": 2}, {"1": 3}),
    ({"1": 2}, {1: 2, "1": 2}),
    ({"True": 1}, {True: 1}),
    ({}, []),
    (None, 0),
    (None, False),
    ([None], []),
    (1.0, 10**400),
    ({"1": 2}, {10**5000: 2}),
]


@pytest.mark.parametrize(("expected", "got"), SAME_VALUES)
def test_the_same_value(expected: object, got: object) -> None:
    assert same_value(expected, got)


@pytest.mark.parametrize(("expected", "got"), DIFFERENT_VALUES)
def test_another_value(expected: object, got: object) -> None:
    assert not same_value(expected, got)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_every_json_value_is_the_same_as_itself(value: object) -> None:
    assert same_value(json.loads(json.dumps(value)), value)


@pytest.mark.parametrize("rule", ["default", "tokens", "nocase", "floats:0.1"])
@pytest.mark.parametrize("flood", [b"1 " * 2_000_000, b"\n" * 4_000_000 + b"1", b"1\n" * 2_000_000])
def test_a_flood_of_tokens_or_lines_takes_little_more_memory_than_itself(rule: str, flood: bytes) -> None:
    same = output_rule(rule)
    tracemalloc.start()
    try:
        assert not same(b"1 2", flood)
        assert tracemalloc.get_traced_memory()[1] < 6 * len(flood)
    finally:
        tracemalloc.stop()


def test_tokens_and_lines_over_the_expected_number_still_count() -> None:
    for rule in ("default", "tokens", "nocase", "floats:0.1"):
        same = output_rule(rule)
        assert same(b"1 2\n", b"1  2 \n\n") and same(b"", b" \n") and same(b"1\n2\n", b"1\n2")
        assert not same(b"1 2\n", b"1 2 3\n") and not same(b"", b"x") and not same(b"1 2\n", b"1 2\n3\n")
