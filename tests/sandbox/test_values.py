"""The wire format of values: type-exact there and back, and a wall against bytes that were made to get through."""

from __future__ import annotations

import contextlib
import enum
import json
import math
import sys
import time
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.compare import same_value
from crl_data.judging import calls
from crl_data.literals import shown
from crl_data.sandbox.runner.values import (
    MAX_BYTES,
    MAX_DEPTH,
    CannotCross,
    Malformed,
    decode,
    encode,
    pack,
    unpack,
)


def exact(value: object) -> object:
    """A form that is equal only for values of the same types at every depth, in the same order."""
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
    if isinstance(value, Decimal):
        return ("Decimal", value.as_tuple())
    if isinstance(value, datetime | clock):
        return (
            type(value).__name__,
            value.replace(tzinfo=None),
            value.fold,
            value.tzinfo and value.tzinfo.utcoffset(None),
        )
    return (type(value).__name__, hex(value) if isinstance(value, int) else value)


ZONES = st.none() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
BOUNDS, SIZES = st.integers(-(10**20), 10**20), st.integers(0, 1_000_000)
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=6)
    | st.complex_numbers()
    | st.binary(max_size=6)
    | st.builds(lambda start, step, n: range(start, start + n * step, step), BOUNDS, BOUNDS.filter(bool), SIZES)
    | st.just(...)
    | st.decimals()
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=ZONES)
    | st.times(timezones=ZONES)
    | st.timedeltas()
)
HASHABLE = st.recursive(
    ATOMS.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PLAIN = st.recursive(
    ATOMS | st.binary(max_size=4).map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_a_value_comes_back_exactly(value: object) -> None:
    assert exact(decode(encode(value))) == exact(value)
    assert exact(unpack(json.loads(json.dumps(pack(value))))) == exact(value)


ODD = {
    "the sign of zero": [0.0, -0.0, complex(-0.0, 0.0)],
    "what is not finite": [math.inf, -math.inf, math.nan, complex(math.nan, -math.inf)],
    "true and one": [True, 1, 1.0, False, 0, 0.0],
    "keys of other types": {1: "a", "1": "b", 2.5: "c", None: "d", (1, "1"): "e", frozenset(): "f", b"1": "g"},
    "the order of keys": {"b": 1, "a": 2},
    "what looks like a tag": [{"tuple": [1]}, {"int": "0x1"}, {"": 0}, {}, ["tuple", []]],
    "lone surrogates": ["\ud800", "a\udfff", "\ud83d\ude00", "\0"],
    "empty ones": [[], (), {}, set(), frozenset(), "", b"", bytearray(), range(0)],
    "numbers near the limit of digits": [10**4299, -(10**4299), 1 << 14000, (1 << 14000) - 1, 10**4300, 10**5000],
    "one long number": 10**5000,
    "long numbers in ranges and fractions": [Fraction(10**3000, 3), range(-(10**30), 10**30, 10**25)],
    "a decimal as it is written": [
        Decimal("1.50"),
        Decimal("-0"),
        Decimal("1E+5"),
        Decimal("NaN"),
        Decimal("-Infinity"),
    ],
    "moments": [datetime(2020, 1, 1, fold=1), clock(1, 2, tzinfo=UTC), timedelta(-1, 5, 7), date.max, timedelta.min],
    "zones": [
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        clock(0, tzinfo=timezone(-timedelta(seconds=1))),
    ],
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_comes_back_exactly(value: object) -> None:
    assert exact(decode(encode(value))) == exact(value)


def test_the_solution_may_have_lifted_the_limit_of_digits_and_the_judge_has_not() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        data = [encode(10**5000), encode([1, 10**5000]), encode((1, {"a": -(10**4400)}))]
        assert sys.get_int_max_str_digits() == 0
    finally:
        sys.set_int_max_str_digits(before)
    assert [
        decode(one) == value
        for one, value in zip(data, (10**5000, [1, 10**5000], (1, {"a": -(10**4400)})), strict=True)
    ] == [True] * 3


def test_the_form_is_json_of_one_line() -> None:
    for value in ODD.values():
        text = encode(value).decode("utf-8", "surrogatepass")
        assert "\n" not in text
        json.loads(text)


# --- subclasses of plain types cross as the plain type ------------------------------------------------------------------

Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 3


class Word(enum.StrEnum):
    YES = "yes"


class Loud(str):
    def __str__(self) -> str:
        return "other"

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Liar(list[int]):
    def __iter__(self) -> Iterator[int]:
        return iter([1, 2, 3])

    def __len__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        return True


class Map(dict[str, int]):
    def items(self) -> Any:
        return [("a", 1)]


class Number(int):
    def __add__(self, other: object) -> Any:
        return 5

    def __index__(self) -> int:
        return 5


class Real(float):
    def __add__(self, other: object) -> Any:
        return 5.0


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Point(1, (2,)), (1, (2,))),
        (Colour.RED, 3),
        (Word.YES, "yes"),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, {1: []}), {1: []}),
        (Loud("mine"), "mine"),
        (Liar([9]), [9]),
        (Map(z=9), {"z": 9}),
        (Number(9), 9),
        (Real(9.5), 9.5),
        (type("Bytes", (bytes,), {})(b"a"), b"a"),
        (type("Set", (set,), {})({1}), {1}),
        ([Number(1), [Real(-0.0)], {Loud("k"): Liar([])}], [1, [-0.0], {"k": []}]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_subclass_crosses_as_what_it_is_a_kind_of(value: object, plain: object) -> None:
    """By the methods of the plain type, and not by what the solution made of them."""
    assert exact(decode(encode(value))) == exact(plain)


def test_numbers_of_numpy_cross_as_numbers_where_json_is_compared_and_else_as_what_they_are() -> None:
    numpy = pytest.importorskip("numpy")
    value = [
        numpy.float64(1.5),
        numpy.int32(3),
        numpy.bool_(True),
        numpy.str_("a"),
        {numpy.int64(2): numpy.float32(0.5)},
    ]
    assert exact(decode(encode(value, exact=False))) == exact([1.5, 3, True, "a", {2: 0.5}])
    crossed = decode(encode(value))
    assert [type(one) for one in crossed] == [numpy.float64, numpy.int32, numpy.bool_, numpy.str_, dict]
    assert crossed == value


def test_arrays_of_numpy_cross_as_arrays_of_the_same_shape_and_element_type() -> None:
    numpy = pytest.importorskip("numpy")
    for array in (
        numpy.arange(6).reshape(2, 3).T,
        numpy.array([1.5, numpy.nan]),
        numpy.array(["a", "bcd"]),
        numpy.zeros((0, 3), "complex64"),
        numpy.array(True),
    ):
        crossed = decode(encode(array))
        assert type(crossed) is numpy.ndarray and crossed.dtype == array.dtype
        numpy.testing.assert_array_equal(crossed, array)
    with pytest.raises(CannotCross):
        encode(numpy.array([object()]))


@pytest.mark.parametrize(
    "packed",
    [
        {"ndarray": ["|O", [1], "AAAAAAAAAAA="]},
        {"ndarray": ["<i8", [2], "AAAAAAAAAAA="]},
        {"ndarray": ["<i8", [-1], ""]},
        {"ndarray": ["<i8", [1 << 62, 4], ""]},
        {"ndarray": ["<i8,<i8", [1], "AAAAAAAAAAA="]},
        {"scalar": ["<i8", ""]},
        {"scalar": "<i8"},
    ],
)
def test_an_array_that_is_none_is_refused(packed: object) -> None:
    with pytest.raises(Malformed):
        decode(json.dumps(packed).encode())


class Plain:
    pass


def generator() -> Iterator[int]:
    yield from (1, 2)


@pytest.mark.parametrize(
    "make",
    [
        object,
        Plain,
        lambda: [Plain()],
        lambda: {"a": (Plain,)},
        lambda: len,
        lambda: generator,
        lambda: generator(),
        lambda: iter([1]),
        lambda: deque([1]),
        lambda: {}.keys(),
        lambda: NotImplemented,
        lambda: sys,
        lambda: memoryview(b"a"),
        lambda: slice(1),
        lambda: ValueError("a"),
        lambda: datetime.now(tzinfo()),
    ],
)
def test_what_has_no_plain_form_cannot_cross_and_its_type_is_named(make: Callable[[], object]) -> None:
    with pytest.raises(CannotCross, match="a value of type "):
        encode(make())


def tzinfo() -> Any:
    class Zone(timezone.__base__):  # type: ignore[misc, name-defined]
        def utcoffset(self, moment: object) -> timedelta:
            return timedelta(0)

        def dst(self, moment: object) -> timedelta:
            return timedelta(0)

        def fromutc(self, moment: datetime) -> datetime:
            return moment

    return Zone()


def test_an_iterator_crosses_where_it_is_asked_for_and_only_at_the_top() -> None:
    drawn = decode(encode(generator(), iterate=True))
    assert next(drawn) == 1 and list(drawn) == [2]
    assert list(decode(encode(iter([(1,), {2}]), iterate=True))) == [(1,), {2}]
    assert decode(encode([1, 2], iterate=True)) == [1, 2]
    with pytest.raises(CannotCross):
        encode([generator()], iterate=True)


def test_whatever_can_be_iterated_is_drawn_out_where_it_has_no_plain_form() -> None:
    for value in (deque([1, 2]), {1: 0, 2: 0}.keys(), memoryview(b"\1\2"), map(int, "12")):
        assert list(decode(encode(value, iterate=True))) == [1, 2]
    numpy = pytest.importorskip("numpy")
    assert exact(list(decode(encode(numpy.array([1, 2]), iterate=True, exact=False)))) == exact([1, 2])
    with pytest.raises(CannotCross):
        encode(numpy.array([1, 2]), exact=False)


def test_an_iterator_without_end_cannot_cross() -> None:
    with pytest.raises(CannotCross, match="more than 1,000,000"):
        encode(iter(int, 1), iterate=True)


def test_what_contains_itself_cannot_cross() -> None:
    looped: list[object] = []
    looped.append((looped,))
    named: dict[str, object] = {}
    named["a"] = named
    for value in (looped, named):
        with pytest.raises(CannotCross, match="nested deeper"):
            encode(value)


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [lambda v: [v], lambda v: (v,), lambda v: {1: v}, lambda v: frozenset({v})],
    ids=["list", "tuple", "dict", "set"],
)
def test_a_value_is_nested_as_deep_as_is_allowed_and_no_deeper(wrap: Callable[[Any], Any]) -> None:
    deepest = next(depth for depth in range(MAX_DEPTH + 2, 0, -1) if crosses(nested(depth, wrap)))
    assert deepest >= MAX_DEPTH - 1
    assert decode(encode(nested(deepest, wrap))) == nested(deepest, wrap)
    for depth in (deepest + 1, 10 * MAX_DEPTH, 100_000):
        if type(wrap(1)) is list or depth < 10_000:  # building deeper ones costs the interpreter itself its stack
            assert not crosses(nested(depth, wrap))


def crosses(value: object) -> bool:
    try:
        return bool(encode(value))
    except CannotCross:
        return False


@pytest.mark.parametrize(
    "value",
    [
        [0] * 1_000_001,
        "x" * (MAX_BYTES + 1),
        b"x" * MAX_BYTES,
        [["é" * 100_000] * 100],
        range(1_000_001),
        range(10**30),
        [1 << 1_000_000],
        Decimal("9" * 10_001),
        Fraction(1, 10**4300),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_too_large_cannot_cross(value: object) -> None:
    with pytest.raises(CannotCross):
        encode(value)


def test_what_is_large_comes_back() -> None:
    for value in ((1 << 1_000_000) - 1, range(1_000_000), {2**n for n in range(5000)}, [-1, -2] * 10_000, {-1, -2}):
        assert decode(encode(value)) == value
        assert unpack(json.loads(json.dumps(pack([value])))) == [value]
    for value in (list(range(1_000_000)), "é" * 8_000_000, {n: str(n) for n in range(100_000)}):
        assert decode(encode(value)) == value


# --- bytes that were made to get through ---------------------------------------------------------------------------------------

NUMBERS = ["int", "complex", "decimal", "fraction", "date", "time", "datetime", "timedelta", "range", "ellipsis"]
TAGS = ["tuple", "set", "frozenset", "dict", "iterator", "bytes", "bytearray", *NUMBERS]
BODY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3000)
    | st.sampled_from(
        [
            10**30,
            -(10**30),
            1e300,
            math.nan,
            math.inf,
            -1.5,
            0.0,
            "0x",
            "-0x1",
            "0xg",
            "--0x1",
            "AA==",
            "A",
            "é",
            "1e5",
            "sNaN",
        ]
    )
    | st.text(st.characters(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.dictionaries(st.sampled_from(TAGS) | st.text(max_size=3), inner, min_size=1, max_size=2)
    ),
    max_leaves=12,
)
MADE = st.builds(lambda tag, body: {tag: body}, st.sampled_from(TAGS), BODY) | BODY
TYPES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    list,
    tuple,
    dict,
    set,
    frozenset,
    range,
    type(...),
    Decimal,
    Fraction,
)
ALLOWED = {*TYPES, date, clock, datetime, timedelta, type(iter([]))}


def parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset | type(iter([]))):
        for item in value:
            yield from parts(item)


def attempt(data: bytes) -> None:
    try:
        value = decode(data)
    except Malformed as error:
        assert len(str(error)) < 400
    else:
        assert {type(part) for part in parts(value)} <= ALLOWED


@settings(max_examples=500, deadline=None)
@given(MADE)
def test_a_made_up_form_is_a_plain_value_or_malformed(form: object) -> None:
    attempt(json.dumps(form, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@settings(max_examples=200)
@given(st.binary(max_size=40))
def test_any_bytes_are_a_plain_value_or_malformed(data: bytes) -> None:
    attempt(data)


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.integers(0, 10**6), st.binary(max_size=2))
def test_a_changed_byte_gives_a_plain_value_or_malformed(value: object, place: int, other: bytes) -> None:
    data = encode(value)
    place %= len(data)
    attempt(data[:place] + other + data[place + 1 :])


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_with_too_few_or_too_many_parts_is_a_plain_value_or_malformed(tag: str, count: int) -> None:
    attempt(json.dumps({tag: [1] * count}).encode())
    attempt(json.dumps({tag: [1] * count + [None]}).encode())
    with contextlib.suppress(*calls.HOSTILE):
        unpack({tag: [1] * count})


@settings(max_examples=300, deadline=None)
@given(MADE)
def test_a_made_up_answer_raises_nothing_that_its_reader_does_not_expect(form: object) -> None:
    """The answer of a solution's process is unpacked by the judge, who takes `calls.HOSTILE` for a wrong answer."""
    answer = json.dumps([{"value": form}], ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        for result in calls.results(answer):
            unpack(result["value"])
    except calls.HOSTILE:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"\xff",
        b"1 2",
        b'{"tuple":[1],"set":[1]}',
        b"{}",
        b'{"object":[]}',
        b'{"Tuple":[1]}',
        b'{"tuple":1}',
        b'{"tuple":null}',
        b'{"tuple":"ab"}',
        b'{"tuple":{"range":[0,5,1]}}',
        b'{"iterator":"ab"}',
        b'{"dict":{"a":1}}',
        b'{"dict":[[1]]}',
        b'{"dict":[[1,2,3]]}',
        b'{"dict":["ab"]}',
        b'{"dict":[[[],1]]}',
        b'{"set":[[1]]}',
        b'{"set":[{"dict":[]}]}',
        b'{"int":5}',
        b'{"int":"5"}',
        b'{"int":"0x"}',
        b'{"int":"0xg"}',
        b'{"bytes":5}',
        b'{"bytes":"a"}',
        b'{"bytes":"_-=="}',
        b'{"bytearray":[1]}',
        b'{"complex":[1.0]}',
        b'{"complex":["1","2"]}',
        b'{"complex":"1j"}',
        b'{"range":[0,1]}',
        b'{"range":[0,1,0]}',
        b'{"range":[0,1000001,1]}',
        b'{"int":"0x' + b"f" * 250_001 + b'"}',
        b'{"range":[0.0,1,1]}',
        b'{"range":[true,1,1]}',
        b'{"decimal":1.5}',
        b'{"decimal":"x"}',
        b'{"fraction":[1,0]}',
        b'{"fraction":["1","2"]}',
        b'{"date":[2020,13,1]}',
        b'{"date":[1e3,1,1]}',
        b'{"timedelta":[1000000000,0,0]}',
        b'{"time":[25,0,0,0,0,null]}',
        b'{"time":[1,0,0,0,0,1e300]}',
        b'{"time":[1,0,0,0,0,NaN]}',
        b'{"time":[1,0,0,0,0,1]}',
        b'{"datetime":[0,1,1,0,0,0,0,0,null]}',
        b'{"iterator":[{"code":"x"}]}',
        b'{"__reduce__":["os.system","id"]}',
        b"[" * 100_000,
        b'{"tuple":[' * 10_000 + b"]}" * 10_000,
        b"1" * 5_000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_never_written_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"decimal":"1e999999999"}',
        b'{"int":"0x' + b"f" * 5_000_000 + b'"}',
        b'{"range":[0,1000000000000000000,1]}',
        b'{"fraction":[1,1000000000000000000]}',
        b'{"decimal":"' + b"9" * 10_000_000 + b'"}',
        b"[" + b"[]," * 2_000_000 + b"[]]",
        *(
            b'{"%s":[' % tag + b",".join(form % (n * (2**61 - 1)) for n in range(200_000)) + b"]}"
            for tag, form in ((b"set", b"%d"), (b"frozenset", b"%d"), (b"dict", b"[%d,0]"), (b"set", b'{"tuple":[%d]}'))
        ),
        b'{"fraction":[{"int":"0x' + b"7" * 6_000_000 + b'"},{"int":"0x' + b"3" * 6_000_000 + b'"}]}',
        b"[" + b",".join([b'{"fraction":[1,3]}'] * 500_000) + b"]",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_made_to_be_slow_is_read_or_refused_in_little_time(data: bytes) -> None:
    """Two million parts take two or three seconds where nothing is slow; what is guarded against takes many minutes."""
    start = time.process_time()
    with contextlib.suppress(Malformed):
        decode(data)
    assert time.process_time() - start < 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
ODD_NUMBERS = [Decimal("sNaN"), Decimal("NaN"), Decimal("1e999999999"), Fraction(1, 3), 10**400, 10**5000, math.nan, 1j]
ODD_KEYS: list[Any] = [{10**5000: 1}, {10**5000: 1, "a": 2}, {math.nan: 1}, {(): 1}, {True: 1, "1": 2}, range(10**6)]
CAME = st.sampled_from([*ODD_NUMBERS, *ODD_KEYS])


@settings(max_examples=400, deadline=None)
@given(JSON, PLAIN | CAME | CAME.map(lambda value: [value]) | CAME.map(lambda value: {"a": value}))
def test_what_came_across_can_be_compared_with_whatever_was_expected(expected: object, came: object) -> None:
    for wanted in (expected, [expected], {"a": expected}, 1, 1.5, [1.5], {"a": 1.5}):
        assert same_value(wanted, decode(encode(came))) in (True, False)
        assert len(shown(decode(encode(came)))) < 300
