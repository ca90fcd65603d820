"""Files of rows: what is written is read again, by us and by others; what is wrong is said with its place."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.columns import PROBLEM, SOLUTION
from crl_data.errors import CrlError, InputError, RowError, WorkError
from crl_data.rows import SUFFIXES, Row, RowWriter, cells_of, make_sampler, problem_of, read_rows, solution_of
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind
from tests.conftest import PROBLEM_ROW, write_rows

SOLUTION_ROW: dict[str, Any] = {"problem_id": "p", "id": "s", "code": "print(1)\n"}
suffixes = pytest.mark.parametrize("suffix", SUFFIXES)


def write(path: Path, rows: list[dict[str, Any]], columns: Any = PROBLEM) -> Path:
    with RowWriter(path, columns) as writer:
        for cells in rows:
            writer.write(dict(cells))
    return path


def read(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    assert all(isinstance(row, Row) for row in rows), rows
    return rows  # type: ignore[return-value]


# --- there and back ---------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)  # NUL and all, but no lone surrogates
MAYBE = st.none() | TEXT
NUMBER = st.none() | st.floats(allow_nan=False)
INT = st.none() | st.integers(-(2**63), 2**63 - 1)
PROBLEMS = st.builds(
    Problem,
    id=TEXT.filter(bool),
    question=TEXT,
    test_kind=st.just(TestKind.STDIN),
    tests=st.lists(st.builds(Test, input=TEXT, expected=TEXT), min_size=1, max_size=3).map(tuple),
    public_tests=st.none() | st.just(0),
    entry_point=MAYBE,
    test_setup=MAYBE,
    checker=st.sampled_from([None, "exact", "floats:0.5"]),
    starter_code=MAYBE,
    reference=MAYBE,
    time_limit_s=st.none() | st.floats(1e-9, 1e5),
    memory_limit_mb=st.none() | st.floats(1e-9, 1e5),
    source=st.builds(Source, dataset=TEXT, revision=TEXT, license=TEXT, url=TEXT),
    extra=st.fixed_dictionaries({"note": MAYBE, "rating": INT, "tags": st.lists(TEXT, max_size=2)}),
)
SAMPLERS = st.builds(
    Sampler,
    name=TEXT,
    model=MAYBE,
    temperature=NUMBER,
    top_p=NUMBER,
    top_k=INT,
    max_tokens=INT,
    seed=INT,
    edit=MAYBE,
    detail=MAYBE,
)
SOLUTIONS = st.builds(
    Solution,
    problem_id=TEXT,
    id=TEXT,
    code=TEXT,
    response=MAYBE,
    sampler=st.none() | SAMPLERS,
    finish_reason=MAYBE,
    tokens=INT,
)


@suffixes
@settings(max_examples=40, deadline=None)
@given(problems=st.lists(PROBLEMS, min_size=1, max_size=4))
def test_problems_come_back_as_they_were(suffix: str, problems: list[Problem]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a{suffix}", [cells_of(problem) for problem in problems])
        assert [problem_of(row) for row in read(path)] == problems


@suffixes
@settings(max_examples=40, deadline=None)
@given(solutions=st.lists(SOLUTIONS, min_size=1, max_size=4))
def test_solutions_come_back_as_they_were(suffix: str, solutions: list[Solution]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a{suffix}", [cells_of(solution) for solution in solutions], SOLUTION)
        assert [solution_of(row) for row in read(path)] == solutions


@suffixes
def test_a_file_without_rows_comes_back(suffix: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / f"a{suffix}", [])) == []


@suffixes
def test_the_same_rows_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    one, other = (write(tmp_path / f"{name}{suffix}", [PROBLEM_ROW] * 3) for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


@suffixes
def test_others_read_what_is_written(suffix: str, tmp_path: Path) -> None:
    import datasets
    import polars as pl

    rows = [
        {**PROBLEM_ROW, "id": f"p{n}", "public_tests": 1, "time_limit_s": 2, "rating": n, "note": "a\0é"}
        for n in range(3)
    ]
    path = write(tmp_path / f"a{suffix}", rows)
    kind = "parquet" if suffix == ".parquet" else "json"
    loaded = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"] == ["p0", "p1", "p2"]
    assert loaded[1]["tests"] == PROBLEM_ROW["tests"] and loaded[1]["rating"] == 1 and loaded[1]["note"] == "a\0é"
    frame = pl.read_parquet(path) if kind == "parquet" else pl.scan_ndjson(path).collect()
    assert frame["id"].to_list() == ["p0", "p1", "p2"]
    assert frame["tests"].to_list()[2] == PROBLEM_ROW["tests"] and frame["source"].to_list()[0] == PROBLEM_ROW["source"]


def test_a_parquet_file_has_all_columns_with_their_types_and_its_version(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{**PROBLEM_ROW, "rating": 3}])
    schema = pq.read_schema(path)
    assert schema.names == [*PROBLEM.names(), "rating"]
    assert schema.metadata[b"schema_version"] == b"1"
    assert schema.field("time_limit_s").type == pa.float64() and schema.field("checker").type == pa.string()


def test_a_file_of_lines_may_have_empty_ones_and_a_mark_of_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(SOLUTION_ROW).encode() + b"\r\n\n  \n" + json.dumps(SOLUTION_ROW).encode()
    )
    assert [row.place for row in read(path)] == [f"{path}:1", f"{path}:4"]


def test_a_line_is_one_line_whatever_stands_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**SOLUTION_ROW, "code": "a\u2028b\u0085c\x1cd\re\nf"}] * 2, SOLUTION)
    assert path.read_bytes().count(b"\n") == 2
    assert [solution_of(row).code for row in read(path)] == ["a\u2028b\u0085c\x1cd\re\nf"] * 2


# --- columns that are not known ---------------------------------------------------------------------------------------

EXTRAS: dict[str, list[Any]] = {
    "text": ["a", "", None, "é\0"],
    "whole numbers": [1, None, -(2**63)],
    "numbers": [1.5, -0.0, None],
    "truth": [True, None, False],
    "nothing": [None, None],
    "lists": [[1, 2], [], None],
    "lists of lists": [[["a"], []], []],
    "an object": [{"a": 1, "b": [True]}, {"a": 2, "b": []}],
    "objects in a list": [[{"a": 1}], [{"a": None}, {"a": 2}]],
    "empty lists": [[], []],
    "an empty object": [{}, {}],
    "empty objects in a list": [[{}], []],
    "an object that is empty inside": [{"a": {}}],
    "objects with other names": [{"a": 1}, {"b": 1}],
    "text and a number": ["a", 1],
    "truth and a number": [True, 1],
    "whole and other numbers": [1, 2.5],
    "a number and a list": [1, [1]],
    "a long number": [2**70, 1],
    "a long number and a fraction": [2**60 + 1, 2.5],
}


def carried(path: Path, values: list[Any]) -> list[Any]:
    write(path, [{**SOLUTION_ROW, "more": value} for value in values], SOLUTION)
    return [solution_of(row).extra["more"] for row in read(path)]


@pytest.mark.parametrize("values", EXTRAS.values(), ids=EXTRAS)
def test_lines_carry_any_other_column(values: list[Any], tmp_path: Path) -> None:
    assert carried(tmp_path / "a.jsonl", values) == values


@pytest.mark.parametrize("values", EXTRAS.values(), ids=EXTRAS)
def test_parquet_carries_any_other_column_as_it_is_or_as_json(values: list[Any], tmp_path: Path) -> None:
    """What one Arrow type cannot hold stands there as JSON text. Arrow adds names that another row's object has."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items() if item is not None}
        return [plain(item) for item in value] if isinstance(value, list) else value

    got = carried(tmp_path / "a.parquet", values)
    if any(isinstance(one, str) for one in got) and not all(isinstance(one, str) or one is None for one in values):
        got = [None if one is None else json.loads(one) for one in got]
    assert [plain(one) for one in got] == [plain(one) for one in values]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, min_size=1, max_size=4))
def test_no_other_column_makes_writing_parquet_fail(values: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert len(carried(Path(folder) / "a.parquet", values)) == len(values)


@suffixes
@pytest.mark.parametrize(
    "column",
    [
        pa.array([datetime.datetime(2020, 1, 2)]),
        pa.array([datetime.date(2020, 1, 2)]),
        pa.array([b"\xff\0"]),
        pa.array([{"a": [datetime.timedelta(days=1)]}]),
        pa.array([decimal.Decimal("1.50")]),
        pa.array(["a"], pa.large_string()),
        pa.array(["a"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_of_other_parquet_files_are_carried_on(suffix: str, column: pa.Array, tmp_path: Path) -> None:
    table = pa.table({name: [value] for name, value in SOLUTION_ROW.items()} | {"more": column})
    pq.write_table(table, tmp_path / "other.parquet")
    (solution,) = map(solution_of, read(tmp_path / "other.parquet"))
    assert solution.extra.keys() == {"more"}
    (again,) = map(solution_of, read(write(tmp_path / f"again{suffix}", [cells_of(solution)], SOLUTION)))
    assert again.code == solution.code and again.extra["more"] is not None


def test_what_a_sampler_has_no_column_for_goes_to_its_detail() -> None:
    sampler = make_sampler({"name": "x", "model": None, "min_p": 0.1, "stop": ["a"]})
    assert sampler == Sampler(name="x", detail='{"min_p": 0.1, "stop": ["a"]}')
    assert "kept" in (make_sampler({"name": "x", "detail": "kept", "min_p": 0.1}).detail or "")


# --- whole or not at all ----------------------------------------------------------------------------------------------


@suffixes
def test_a_file_appears_when_it_is_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with RowWriter(path, SOLUTION) as writer:
        writer.write(dict(SOLUTION_ROW))
        assert not path.exists()
    assert path.exists() and list(tmp_path.iterdir()) == [path]


@suffixes
def test_where_writing_fails_the_file_before_stays(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", [SOLUTION_ROW], SOLUTION)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), RowWriter(path, SOLUTION) as writer:
        writer.write({**SOLUTION_ROW, "id": "other"})
        raise KeyboardInterrupt
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@suffixes
def test_where_the_writer_is_killed_there_is_no_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    code = f"""
import os, pathlib
from crl_data.columns import SOLUTION
from crl_data.rows import RowWriter
with RowWriter(pathlib.Path({str(path)!r}), SOLUTION) as writer:
    for n in range(1000):
        writer.write({SOLUTION_ROW!r} | {{"id": str(n)}})
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert not path.exists()
    assert len(read(write(path, [SOLUTION_ROW], SOLUTION))) == 1


@suffixes
@pytest.mark.parametrize("missing", [4, 1000])
def test_a_disk_that_is_full_leaves_no_part_of_a_file(suffix: str, missing: int, tmp_path: Path) -> None:
    """A limit on the size of files does what a full disk does, here for the last bytes, which go out when it is closed."""
    path = tmp_path / f"a{suffix}"
    draw = random.Random(0)
    rows = [{**SOLUTION_ROW, "id": str(n), "code": f"{draw.getrandbits(400):x}"} for n in range(100)]
    room = write(tmp_path / f"whole{suffix}", rows, SOLUTION).stat().st_size - missing
    code = f"""
import pathlib, resource, signal
from crl_data.columns import SOLUTION
from crl_data.errors import WorkError
from crl_data.rows import RowWriter
import pyarrow.parquet
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with RowWriter(pathlib.Path({str(path)!r}), SOLUTION) as writer:
        for cells in {rows!r}:
            writer.write(cells)
except WorkError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{path}: cannot be written" in done.stdout
    assert not path.exists()


@suffixes
def test_where_nothing_can_be_written_it_is_said_in_one_line(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="cannot be written") as raised:
        write(tmp_path / "absent" / f"a{suffix}", [])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl.bz2", "a", "jsonl", "a.parquet.gz"])
def test_a_name_that_says_no_known_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"jsonl.*parquet"):
        RowWriter(tmp_path / name, SOLUTION)
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=r"jsonl.*parquet"):
        list(read_rows(tmp_path / name))


# --- what is wrong with a file ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl: no such file"):
        list(read_rows(tmp_path / "absent.jsonl"))
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(InputError, match=r"folder\.jsonl: expected a file, got a folder"):
        list(read_rows(tmp_path / "folder.jsonl"))


@pytest.mark.parametrize("cut", [1, 10, -1, -8, -9, -20])
def test_a_gzip_file_that_breaks_off_is_an_error_that_names_it(cut: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", [{**SOLUTION_ROW, "id": str(n)} for n in range(100)], SOLUTION)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz:\d+: expected a whole gzip file"):
        list(read_rows(path))


def test_a_gzip_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_text(json.dumps(SOLUTION_ROW))
    with pytest.raises(InputError, match=r"a\.jsonl\.gz:1: expected a whole gzip file"):
        list(read_rows(path))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize(
    ("line", "came"),
    [
        (b"{", "'{'"),
        (b'{"a": 1,}', "a JSON object"),
        (b"[1]", r"'\[1\]'"),
        (b"null", "'null'"),
        (b'"a"', "a"),
        (b"{} {}", "Extra data"),
        (b"{'a': 1}", "a JSON object"),
        (b'{"a": "\xff"}', "UTF-8 text, got the byte 0xff at 7"),
        (b'{"a": "' + b"x" * 500, r"x\.\.\."),
        (b'{"a": ' + b"[" * 100_000, "a JSON object"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a JSON object"),
        (b"\0\0", "a JSON object"),
    ],
)
def test_a_line_that_is_no_row_is_named_and_the_others_are_read(
    suffix: str, line: bytes, came: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    good = json.dumps(SOLUTION_ROW).encode()
    whole = b"\n".join([good, b"", line, good])
    path.write_bytes(gzip.compress(whole) if suffix.endswith("gz") else whole)
    first, error, last = read_rows(path)
    assert isinstance(first, Row) and isinstance(last, Row) and last.place == f"{path}:4"
    assert isinstance(error, RowError) and error.place == f"{path}:3"
    text = str(error)
    assert "\n" not in text and len(text) < 600 + len(str(path))
    with pytest.raises(RowError, match=came):
        raise error


BYTES = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"{", b"}", b'"a"', b":", b"\n", b"1", b"\xef\xbb\xbf", b"\0", b"\xff"])
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(BYTES)
def test_any_bytes_are_rows_or_an_error_of_ours(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix, written in (
            (".jsonl", data),
            (".jsonl.gz", data),
            (".jsonl.gz", gzip.compress(data)),
            (".parquet", data),
        ):
            path = Path(folder) / f"a{suffix}"
            path.write_bytes(written)
            try:
                rows = list(read_rows(path))
            except InputError as error:
                assert "\n" not in str(error)
            else:
                assert all(isinstance(row, Row | RowError) for row in rows)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from([".jsonl.gz", ".parquet"]))
def test_a_file_with_one_bad_byte_is_rows_or_an_error_of_ours(place: int, byte: int, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a{suffix}", [SOLUTION_ROW] * 3, SOLUTION)
        data = bytearray(path.read_bytes())
        data[place % len(data)] = byte
        path.write_bytes(data)
        try:
            list(read_rows(path))
        except InputError as error:
            assert "\n" not in str(error)


# --- what is wrong with a row -----------------------------------------------------------------------------------------

WRONG = [
    ("id", 1, "id: expected a string, got the number 1"),
    ("id", None, "id: expected a string, got null"),
    ("tests", {}, "tests: expected a list of"),
    ("tests", [None], r"tests\[0\]: expected an object with input, expected, got null"),
    ("tests", [{"input": "1", "expected": "2"}, "x"], r"tests\[1\]: expected an object"),
    ("tests", [{"expected": ""}], r"tests\[0\].input: expected a string, got nothing"),
    ("tests", [{"input": "a", "expected": 3}], r"tests\[0\].expected: expected a string, got the number 3"),
    ("tests", [], "tests: expected at least one test"),
    ("test_kind", "stdio", "test_kind: expected one of stdin, function, assert, pytest, got the string 'stdio'"),
    ("public_tests", True, "public_tests: expected a whole number, got the boolean True"),
    ("public_tests", 1.0, "public_tests: expected a whole number"),
    ("public_tests", 2**63, "public_tests: expected a whole number of 64 bits"),
    ("time_limit_s", "2", "time_limit_s: expected a number, got the string '2'"),
    ("time_limit_s", True, "time_limit_s: expected a number"),
    ("time_limit_s", float("nan"), "time_limit_s: expected a number above 0"),
    ("source", [], "source: expected an object with dataset, revision, license, url"),
    ("source", {"url": 1}, "source.url: expected a string"),
    ("question", "a\ud800b", r"question: expected text, got a lone surrogate \(U\+D800 at character 1\)"),
    ("reference", "\udfff", r"reference: expected text, got a lone surrogate"),
    ("tests", [{"input": "\udc00", "expected": ""}], r"tests\[0\].input: expected text, got a lone surrogate"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_a_wrong_cell_is_named_with_its_place(field: str, value: Any, message: str, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", [PROBLEM_ROW, {**PROBLEM_ROW, field: value}])
    good, bad = read(path)
    problem_of(good)
    with pytest.raises(RowError, match=message) as raised:
        problem_of(bad)
    assert str(raised.value).startswith(f"{path}:2: ")


@pytest.mark.parametrize("field", ["id", "question", "test_kind", "tests"])
def test_a_cell_that_is_missing_is_named(field: str) -> None:
    with pytest.raises(RowError, match=f"{field}: expected .*, got nothing"):
        problem_of(Row("x:1", {name: value for name, value in PROBLEM_ROW.items() if name != field}))


def test_a_surrogate_in_another_column_is_named_too(tmp_path: Path) -> None:
    """JSON can write one, and no file of ours can hold it: it is said before anything is written."""
    for suffix in SUFFIXES:
        path = write_rows(tmp_path / "a.jsonl", [{**PROBLEM_ROW, "note": "\ud800"}])
        with pytest.raises(CrlError, match="note"):
            write(tmp_path / f"b{suffix}", [cells_of(problem_of(row)) for row in read(path)])


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert (
        problem_of(Row("", {**PROBLEM_ROW, "question": json.loads(r'"\ud83d\ude00"')})).question == "\N{GRINNING FACE}"
    )


def test_a_solution_needs_code_or_a_response() -> None:
    with pytest.raises(RowError, match="code: expected code, or a response to take it from, got neither"):
        solution_of(Row("", {"problem_id": "p", "id": "s", "code": None}))
    assert solution_of(Row("", {"problem_id": "p", "id": "s", "code": ""})).code == ""
    assert solution_of(Row("", {"problem_id": "p", "id": "s", "response": "x"})).response == "x"


def test_a_field_that_is_too_large_is_named_with_the_setting_that_allows_it() -> None:
    row = Row("", {**SOLUTION_ROW, "code": "é" * (1 << 19)})
    assert solution_of(row, max_field_mb=1).code is not None
    row = Row("", {**SOLUTION_ROW, "code": "é" * (1 << 19) + "x"})
    with pytest.raises(RowError, match=r"code: expected at most 1 MB \(max_field_mb\)"):
        solution_of(row, max_field_mb=1)
    assert solution_of(row, max_field_mb=2).code is not None


def test_a_whole_number_is_a_number() -> None:
    assert problem_of(Row("", {**PROBLEM_ROW, "time_limit_s": 2})).time_limit_s == 2


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    """The first is there before the others are looked at: a bad end of a file takes nothing back."""
    for suffix in (".jsonl", ".jsonl.gz"):
        path = write(tmp_path / f"a{suffix}", [{**SOLUTION_ROW, "id": str(n)} for n in range(50_000)], SOLUTION)
        rows = read_rows(path)
        assert isinstance(next(rows), Row)
        os.truncate(path, path.stat().st_size // 2)
        with contextlib.suppress(InputError):
            assert 1_000 < sum(isinstance(row, Row) for row in rows) < 49_999


@pytest.mark.parametrize(("version", "read"), [(None, True), ("0", True), ("1", True), ("2", False), ("x", False)])
def test_a_file_of_a_newer_schema_is_refused_and_an_older_one_is_read(
    tmp_path: Path, version: str | None, read: bool
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    table = pa.table({"id": ["a"]}).replace_schema_metadata(version and {"schema_version": version})
    pq.write_table(table, path)
    if read:
        assert [row.cells for row in read_rows(path) if isinstance(row, Row)] == [{"id": "a"}]
    else:
        with pytest.raises(InputError, match="schema_version: expected at most 1, got"):
            list(read_rows(path))


def test_reading_parquet_holds_no_more_than_a_part_of_the_file(tmp_path: Path) -> None:
    groups, mb = 16, 2
    with pq.ParquetWriter(tmp_path / "many.parquet", pa.schema([("text", pa.string())])) as writer:
        for _ in range(groups):
            texts = [random.randbytes(mb << 10).hex()[: mb << 10] for _ in range(1024)]
            writer.write_table(pa.table({"text": texts}))
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in read_rows(tmp_path / "many.parquet")]
    assert len(held) == groups * 1024 and max(held) < groups * mb / 2 * (1 << 20)


def test_as_few_rows_of_parquet_are_held_at_once_as_they_are_large(tmp_path: Path) -> None:
    """64 small ones, one of some MB; by the file's own word of how large its rows are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from crl_data.rows import _rows_at_once

    for size, expected in ((10, 64), (5 << 20, 1)):
        path = tmp_path / f"{size}.parquet"
        texts = [random.Random(place).randbytes(size).hex()[:size] for place in range(3)]
        pq.write_table(pa.table({"text": texts}), path)
        assert _rows_at_once(pq.read_metadata(path)) == expected
        assert [row.cells["text"] for row in read_rows(path) if isinstance(row, Row)] == texts
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "none.parquet")
    assert list(read_rows(tmp_path / "none.parquet")) == []
