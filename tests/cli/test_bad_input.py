"""Bad input, through the real command: one line that says what is wrong and where, the right status, and nothing half-made.

What a build does with a disk that fills up, with Ctrl-C and with single rows is in tests/corpus/test_build.py.
"""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import (
    SOLUTION_ROWS,
    assert_one_line,
    files_in,
    run,
    start,
)
from tests.conftest import PROBLEM_ROW, Command, read_rows, write_rows

JUDGE = ["judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl"]
BUILD = ["build", "recipe.yaml", "--out", "out"]
IMPORT = ["import", "problems", "problems.jsonl", "--out", "out.jsonl"]
COMMANDS = {"judge": JUDGE, "build": BUILD, "import": IMPORT}

GOOD = json.dumps(PROBLEM_ROW).encode()


def with_cell(text: str) -> bytes:
    """A problem row that is right, and one more cell as it stands in the file."""
    return GOOD[:-1] + b", " + text.encode() + b"}"


def in_use(folder: Path, name: str) -> None:
    """Let the right inputs lie in a folder under another name: the recipe and the commands follow."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("problems.jsonl", name))


def without_build_state(names: set[str]) -> set[str]:
    """What a user sees: not the folder in which a build keeps what it needs to go on."""
    return {name for name in names if name != "out" and not name.startswith("out/.crl")}


# --- rows of problems -------------------------------------------------------------------------------------------------------------

# What stands after a good row on line 1 and a blank line 2, and what the error has to tell beside the file and line 3.
BAD_ROWS: dict[str, tuple[bytes, list[str]]] = {
    "not JSON": (b"{not json", ["JSON", "{not json"]),
    "half a row": (GOOD[:100], ["JSON"]),
    "a list": (b'["sum"]', ["a JSON object", '["sum"]']),
    "a number": (b"17", ["a JSON object", "17"]),
    "null": (b"null", ["a JSON object", "null"]),
    "nested too deep": (b"[" * 200_000, ["JSON"]),
    "a cell nested too deep": (with_cell('"x": ' + "[" * 100_000 + "]" * 100_000), ["JSON"]),
    "a number of too many digits": (with_cell('"x": ' + "9" * 5000), ["JSON"]),
    "not UTF-8": (GOOD.replace(b"Read", b"R\xffad"), ["UTF-8", "0xff"]),
    "UTF-16": ("\ufeff{}".encode("utf-16-be"), []),
    "a duplicate id": (GOOD, ["id: ", "'sum' again"]),
    "no tests": (GOOD.replace(b'"tests": [', b'"id": "x", "tests": [], "was": ['), ["tests: ", "at least one test"]),
    "a lone surrogate": (with_cell(r'"id": "x", "starter_code": "ab\ud800"'), ["starter_code: ", "surrogate", "D800"]),
    "a lone surrogate in a test": (
        with_cell(r'"id": "x", "tests": [{"input": "", "expected": ""}, {"input": "\udfff", "expected": ""}]'),
        ["tests[1].input: ", "surrogate", "DFFF"],
    ),
    "a lone surrogate in a column that is not known": (
        with_cell(r'"id": "x", "note": "\ud800"'),
        ["note", "surrogate"],
    ),
    "a number for a string": (with_cell('"id": 3'), ["id: ", "a string", "3"]),
    "a string for a list": (with_cell('"id": "x", "tests": "1 2"'), ["tests: ", "a list", "'1 2'"]),
    "a string in a list of objects": (with_cell('"id": "x", "tests": ["1 2"]'), ["tests[0]: ", "an object", "'1 2'"]),
    "null in a list": (with_cell('"id": "x", "tests": [null]'), ["tests[0]: ", "null"]),
    "a test without input": (with_cell('"id": "x", "tests": [{"expected": "1"}]'), ["tests[0].input: ", "a string"]),
    "a list for an object": (with_cell('"id": "x", "source": []'), ["source: ", "an object"]),
    "true for a number": (with_cell('"id": "x", "public_tests": true'), ["public_tests: ", "a whole number"]),
    "a part for a whole number": (with_cell('"id": "x", "public_tests": 1.5'), ["public_tests: ", "1.5"]),
    "more public tests than tests": (with_cell('"id": "x", "public_tests": 7'), ["public_tests: ", "0 to 6", "7"]),
    "a whole number of more than 64 bits": (with_cell('"public_tests": ' + "9" * 30), ["public_tests: ", "64 bits"]),
    "NaN as a limit": (with_cell('"id": "x", "time_limit_s": NaN'), ["time_limit_s: ", "nan"]),
    "infinity as a limit": (with_cell('"id": "x", "memory_limit_mb": Infinity'), ["memory_limit_mb: ", "inf"]),
    "a limit of nothing": (with_cell('"id": "x", "time_limit_s": 0'), ["time_limit_s: ", "above 0"]),
    "an unknown kind": (with_cell('"id": "x", "test_kind": "stdio"'), ["test_kind: ", "stdin", "'stdio'"]),
    "a function without a name": (with_cell('"id": "x", "test_kind": "function"'), ["entry_point: "]),
    "arguments that are not JSON": (
        with_cell('"id": "x", "test_kind": "function", "entry_point": "f"'),
        ["tests[0].input: ", "JSON"],
    ),
    "an assert that is no Python": (with_cell('"id": "x", "test_kind": "assert"'), ["tests[0].input: ", "Python"]),
    "an unknown checker": (with_cell('"id": "x", "checker": "fuzzy"'), ["checker: ", "'fuzzy'"]),
    "a checker that is no Python": (with_cell(r'"id": "x", "checker": "def check(\n"'), ["checker: ", "Python"]),
    "no id": (GOOD.replace(b'"id"', b'"name"'), ["id: ", "nothing"]),
    "an empty id": (with_cell('"id": ""'), ["id: ", "empty"]),
    "null for a question": (with_cell('"id": "x", "question": null'), ["question: ", "null"]),
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_a_bad_row_ends_a_command_with_the_line_and_the_field(crl_data: Command, inputs: Path, fault: str) -> None:
    """In turn: the first command that reads the row says all of it. That the others say the same, the next test tries."""
    row, told = BAD_ROWS[fault]
    (inputs / "problems.jsonl").write_bytes(GOOD + b"\n\n" + row + b"\n" + GOOD.replace(b'"sum"', b'"last"') + b"\n")
    before = files_in(inputs)
    assert_one_line(crl_data(*JUDGE), 2, "problems.jsonl:3: ", *told)
    assert files_in(inputs) == before


@pytest.mark.parametrize("command", ["build", "import"])
@pytest.mark.parametrize(
    "fault", ["not JSON", "not UTF-8", "a duplicate id", "no tests", "a lone surrogate", "an unknown kind"]
)
def test_every_command_that_reads_the_row_says_the_same(
    crl_data: Command, inputs: Path, fault: str, command: str
) -> None:
    row, told = BAD_ROWS[fault]
    (inputs / "problems.jsonl").write_bytes(GOOD + b"\n\n" + row + b"\n")
    before = files_in(inputs)
    assert_one_line(crl_data(*COMMANDS[command]), 2, "problems.jsonl:3: ", *told)
    assert without_build_state(files_in(inputs)) == before


# --- rows of solutions ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["judge", "build"])
@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b'{"problem_id": "nowhere", "id": "x", "code": "1"}', ["problem_id: ", "'nowhere'"]),
        (b'{"problem_id": "sum", "id": "x"}', ["code: ", "a response"]),
        (b'{"problem_id": "sum", "id": "x", "code": null, "response": null}', ["code: ", "a response"]),
        (b'{"problem_id": "sum", "id": "x", "code": ["print(1)"]}', ["code: ", "a string"]),
        (b'{"problem_id": "sum", "code": "1"}', ["id: ", "nothing"]),
        (b'{"problem_id": "sum", "id": "x", "code": "1", "sampler": "gpt"}', ["sampler: ", "'gpt'"]),
        (b'{"problem_id": "sum", "id": "x", "code": "1", "tokens": "many"}', ["tokens: ", "'many'"]),
        (rb'{"problem_id": "sum", "id": "x", "code": "\udc80"}', ["code: ", "surrogate"]),
        (b"not JSON", ["JSON"]),
    ],
)
def test_a_bad_solution_ends_a_command_with_the_line_and_the_field(
    crl_data: Command, inputs: Path, command: str, row: bytes, told: list[str]
) -> None:
    with (inputs / "solutions.jsonl").open("ab") as file:
        file.write(row + b"\n")
    before = files_in(inputs)
    assert_one_line(crl_data(*COMMANDS[command]), 2, "solutions.jsonl:3: ", *told)
    assert without_build_state(files_in(inputs)) == before


# --- files ------------------------------------------------------------------------------------------------------------------------------


def parquet_of(path: Path, row: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{**dict.fromkeys(row), **PROBLEM_ROW, "id": "first"}, row]), path)


def parquet_not_utf8(path: Path) -> None:
    """A string column whose bytes are no text, as a careless writer leaves it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([PROBLEM_ROW])
    ends = pa.array([0, 2], pa.int32()).buffers()[1]
    question = pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(b"\xff\xfe")])
    pq.write_table(table.set_column(table.schema.get_field_index("question"), "question", question), path)


def parquet_with_numbers(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([PROBLEM_ROW | {"id": 3}]), path)


def parquet_with_texts(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([PROBLEM_ROW | {"tests": "1 2"}]), path)


def whole_parquet() -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([PROBLEM_ROW]), sink)
    return sink.getvalue()


BAD_FILES: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    "a missing file": ("none.jsonl", lambda path: None, ["none.jsonl: ", "no such file"]),
    "a folder": ("folder.jsonl", lambda path: path.mkdir(), ["folder.jsonl: ", "folder"]),
    "no folder": ("file.txt/x.jsonl", lambda path: None, ["file.txt/x.jsonl"]),
    "a suffix that is not known": ("problems.csv", lambda path: path.write_bytes(GOOD), [".csv", ".jsonl", ".parquet"]),
    "no suffix": ("problems", lambda path: path.write_bytes(GOOD), ["problems: ", ".jsonl"]),
    "an empty file": ("empty.jsonl", lambda path: path.touch(), ["empty.jsonl: ", "at least one problem"]),
    "blank lines alone": ("b.jsonl", lambda path: path.write_bytes(b"\n \r\n"), ["b.jsonl: ", "at least one problem"]),
    "an empty gzip file": ("e.jsonl.gz", lambda path: path.touch(), ["e.jsonl.gz"]),
    "a truncated gzip": (
        "cut.jsonl.gz",
        lambda path: path.write_bytes(gzip.compress(with_cell('"x": "' + os.urandom(4000).hex() + '"') + b"\n")[:-900]),
        ["cut.jsonl.gz:1: ", "whole gzip"],
    ),
    "a gzip without its end": (
        "cut.jsonl.gz",
        lambda path: path.write_bytes(gzip.compress(GOOD + b"\n")[:-4]),
        ["cut.jsonl.gz", "whole gzip"],
    ),
    "a damaged gzip": (
        "damaged.jsonl.gz",
        lambda path: path.write_bytes(gzip.compress(GOOD)[:-8] + b"\0" * 8),
        ["damaged.jsonl.gz", "gzip"],
    ),
    "a gzip that is none": ("not.jsonl.gz", lambda path: path.write_bytes(GOOD), ["not.jsonl.gz:1: ", "gzip"]),
    "a Parquet file that is none": ("not.parquet", lambda path: path.write_bytes(GOOD), ["not.parquet: ", "Parquet"]),
    "a truncated Parquet file": (
        "cut.parquet",
        lambda path: path.write_bytes(whole_parquet()[:-100]),
        ["cut.parquet: ", "Parquet"],
    ),
    "an empty Parquet file": ("empty.parquet", lambda path: path.touch(), ["empty.parquet: ", "Parquet"]),
    "Parquet with a number for an id": ("n.parquet", parquet_with_numbers, ["n.parquet: row 1: id: ", "a string", "3"]),
    "Parquet with a text for tests": (
        "t.parquet",
        parquet_with_texts,
        ["t.parquet: row 1: tests: ", "a list", "'1 2'"],
    ),
    "Parquet with text that is not UTF-8": ("u.parquet", parquet_not_utf8, ["u.parquet", "UTF-8"]),
    "Parquet with no tests in its second row": (
        "r.parquet",
        lambda path: parquet_of(path, PROBLEM_ROW | {"tests": []}),
        ["r.parquet: row 2: tests: ", "at least one test"],
    ),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_file_ends_a_command_with_its_name_and_what_was_expected(
    crl_data: Command, inputs: Path, fault: str
) -> None:
    name, write, told = BAD_FILES[fault]
    (inputs / "file.txt").touch()
    write(inputs / name)
    before = files_in(inputs)
    assert_one_line(crl_data("judge", name, "solutions.jsonl", "--out", "out.jsonl"), 2, *told)
    assert files_in(inputs) == before


@pytest.mark.parametrize("command", ["build", "import"])
@pytest.mark.parametrize("fault", ["a missing file", "a truncated gzip", "a Parquet file that is none"])
def test_every_command_that_reads_the_file_says_the_same(
    crl_data: Command, inputs: Path, fault: str, command: str
) -> None:
    name, write, told = BAD_FILES[fault]
    write(inputs / name)
    in_use(inputs, name)
    before = files_in(inputs)
    call = BUILD if command == "build" else ["import", "problems", name, "--out", "out.parquet"]
    assert_one_line(crl_data(*call), 2, *told)
    assert without_build_state(files_in(inputs)) == before


def test_a_missing_file_of_solutions_is_named(crl_data: Command, inputs: Path) -> None:
    before = files_in(inputs)
    assert_one_line(
        crl_data("judge", "problems.jsonl", "none.jsonl", "--out", "out.jsonl"), 2, "none.jsonl: no such file"
    )
    assert files_in(inputs) == before


def test_a_build_without_its_file_of_solutions_names_it(crl_data: Command, inputs: Path) -> None:
    (inputs / "solutions.jsonl").unlink()
    assert_one_line(crl_data(*BUILD), 2, "solutions.jsonl: no such file")
    assert not (inputs / "out" / "manifest.json").exists()


# --- input that is unusual, and right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a byte order mark", b"\xef\xbb\xbf" + GOOD + b"\n"),
        ("CRLF and blank lines", b"\r\n" + GOOD + b"\r\n \t\r\n\n"),
        ("no line end at the end", GOOD),
        ("two members of gzip", gzip.compress(GOOD + b"\n") + gzip.compress(GOOD.replace(b'"sum"', b'"more"') + b"\n")),
        ("a column nested deep", with_cell('"x": ' + "[" * 200 + "]" * 200)),
        ("a long number in a column that is not known", with_cell('"x": ' + "9" * 30)),
        ("escaped surrogates in pairs", with_cell(r'"starter_code": "\ud83d\ude00"')),
        ("line separators inside a text", with_cell('"starter_code": "a\u2028b\u0085c"')),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_that_is_only_unusual_is_read(
    crl_data: Command, tmp_path: Path, name: str, content: bytes, suffix: str
) -> None:
    source = "problems.jsonl.gz" if "gzip" in name else "problems.jsonl"
    (tmp_path / source).write_bytes(content)
    done = crl_data("import", "problems", source, "--out", f"out.{suffix}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["problems"] == (2 if "gzip" in name else 1)


@pytest.mark.parametrize(
    "value",
    [datetime.datetime(2025, 1, 2, 3), datetime.date(2025, 1, 2), b"\xff\0", decimal.Decimal("1.5")],
    ids=lambda value: type(value).__name__,
)
def test_a_column_of_parquet_that_is_no_json_is_no_fault(crl_data: Command, tmp_path: Path, value: object) -> None:
    """Columns that are not known are carried through, whatever they hold."""
    import pyarrow.parquet as pq

    parquet_of(tmp_path / "in.parquet", {**PROBLEM_ROW, "when": value})
    done = crl_data("import", "problems", "in.parquet", "--out", "out.parquet")
    assert done.returncode == 0, done.stderr
    assert "when" in pq.read_schema(tmp_path / "out.parquet").names


NUL_ROWS: list[dict[str, Any]] = [
    {"problem_id": "nul", "id": "right", "code": "a, b = input().split('\\0')\nprint(b + '\\0' + a)\n"},
    {"problem_id": "nul", "id": "without", "code": "a, b = input().split('\\0')\nprint(b + a)\n"},
]


def test_nul_in_inputs_and_outputs_is_judged_like_any_other_character(crl_data: Command, tmp_path: Path) -> None:
    tests = [{"input": f"{n}\0b\n", "expected": f"b\0{n}\n"} for n in range(6)]
    write_rows(tmp_path / "problems.jsonl", [{**PROBLEM_ROW, "id": "nul", "tests": tests, "reference": None}])
    write_rows(tmp_path / "solutions.jsonl", NUL_ROWS)
    assert crl_data(*JUDGE).returncode == 0
    judged = read_rows(tmp_path / "out.jsonl")
    assert [row["verdict"] for row in judged] == [True, False]
    assert set(judged[1]["outcomes"]) == {"wrong_answer"}


def test_output_that_is_not_utf8_is_a_wrong_answer(crl_data: Command, inputs: Path) -> None:
    text = "import os\nos.write(1, b'\\xff\\xfe')\n"
    write_rows(inputs / "solutions.jsonl", [{"problem_id": "sum", "id": "bytes", "code": text}])
    done = crl_data(*JUDGE)
    assert done.returncode == 0, done.stderr
    (row,) = read_rows(inputs / "out.jsonl")
    assert row["verdict"] is False and set(row["outcomes"]) == {"wrong_answer"} and "\n" not in row["reason"]


# --- large fields ----------------------------------------------------------------------------------------------------------------------------


def peak_mb(*args: object, cwd: Path) -> tuple[int, float]:
    """The exit status of a command, and the most memory that it, and not its children, held."""
    program = (
        "import sys\nfrom crl_data.cli import main\nsys.argv[0] = 'crl-data'\n"
        "try:\n    main()\nfinally:\n    sys.stderr.write('status ' + open('/proc/self/status').read())"
    )
    command = [sys.executable, "-c", program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)
    kib = next(line.split()[1] for line in done.stderr.splitlines() if line.startswith("VmHWM:"))
    return done.returncode, int(kib) / 1024


@pytest.mark.parametrize(("suffix", "field_mb", "few", "many"), [("jsonl", 60, 2, 4), ("parquet", 30, 6, 12)])
def test_fields_below_the_limit_work_in_flat_memory(
    tmp_path: Path, suffix: str, field_mb: int, few: int, many: int
) -> None:
    """Some times the size of the field, or of the group of rows that a Parquet file is written in; no more for more rows."""
    peaks = {}
    for count, size in ((1, 1), (few, field_mb << 20), (many, field_mb << 20)):
        with (tmp_path / "in.jsonl").open("w") as file:
            for n in range(count):
                file.write(json.dumps({**PROBLEM_ROW, "id": f"p{n}", "question": "q" * size}) + "\n")
        status, peaks[count, size] = peak_mb("import", "problems", "in.jsonl", "--out", f"out.{suffix}", cwd=tmp_path)
        assert status == 0
    small, one, more = peaks.values()
    group_mb = field_mb if suffix == "jsonl" else 64 + field_mb
    assert one < small + 12 * group_mb
    assert more < one + group_mb


def test_an_input_below_the_limit_is_judged(tmp_path: Path) -> None:
    test = {"input": "x" * (60 << 20), "expected": str(60 << 20)}
    write_rows(tmp_path / "problems.jsonl", [{**PROBLEM_ROW, "tests": [test], "reference": None, "time_limit_s": 16}])
    write_rows(
        tmp_path / "solutions.jsonl",
        [{"problem_id": "sum", "id": "count", "code": "import sys\nprint(len(sys.stdin.read()))\n"}],
    )
    status, peak = peak_mb(*JUDGE, cwd=tmp_path)
    assert status == 0 and read_rows(tmp_path / "out.jsonl")[0]["verdict"] is True
    assert peak < 1200


@pytest.mark.parametrize("command", ["judge", "import"])
def test_a_field_over_the_limit_is_named(crl_data: Command, inputs: Path, command: str) -> None:
    tests = [*PROBLEM_ROW["tests"], {"input": "x" * ((64 << 20) + 1), "expected": ""}]
    write_rows(inputs / "problems.jsonl", [PROBLEM_ROW | {"id": "first"}, {**PROBLEM_ROW, "tests": tests}])
    before = files_in(inputs)
    assert_one_line(crl_data(*COMMANDS[command]), 2, "problems.jsonl:2: tests[6].input: ", "64 MB", "max_field_mb")
    assert files_in(inputs) == before


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 0), ((1 << 20) + 1, 2)])
def test_a_recipe_sets_how_large_a_field_may_be(crl_data: Command, inputs: Path, size: int, status: int) -> None:
    write_rows(inputs / "problems.jsonl", [{**PROBLEM_ROW, "starter_code": "#" * size}])
    done = crl_data(*BUILD, "--set", "max_field_mb=1")
    if status:
        assert_one_line(done, 2, "problems.jsonl:1: starter_code: ", "at most 1 MB", "max_field_mb")
    else:
        assert done.returncode == 0, done.stderr


def test_the_size_of_a_field_is_counted_in_bytes_of_utf8(crl_data: Command, inputs: Path) -> None:
    write_rows(inputs / "problems.jsonl", [{**PROBLEM_ROW, "starter_code": "é" * (600 << 10)}])
    assert_one_line(crl_data(*BUILD, "--set", "max_field_mb=1"), 2, "starter_code: ", "1.2 MB")


# --- bad rows that are skipped -----------------------------------------------------------------------------------------------------------------


def test_bad_rows_that_are_skipped_are_counted_and_listed_with_their_line_and_field(
    crl_data: Command, inputs: Path
) -> None:
    faults = {name: BAD_ROWS[name][0] for name in BAD_ROWS if name not in ("a duplicate id",)}
    (inputs / "problems.jsonl").write_bytes(b"\n".join([*faults.values(), GOOD, GOOD]) + b"\n")
    with (inputs / "solutions.jsonl").open("ab") as file:
        file.write(b'not JSON\n{"problem_id": "nowhere", "id": "x", "code": "1"}\n')
    done = crl_data(*BUILD, "--set", "on_bad_rows=skip")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((inputs / "out" / "manifest.json").read_text())
    assert manifest["counts"]["bad_rows"] == len(faults) + 3 == len(manifest["bad_rows"])
    assert manifest["counts"]["problems"]["kept"] == 1 and manifest["counts"]["candidates"]["kept"] == 2
    for line, (name, listed) in enumerate(zip(faults, manifest["bad_rows"], strict=False), 1):
        assert f"problems.jsonl:{line}: " in listed, name
        assert [one for one in BAD_ROWS[name][1] if one not in listed] == [], (name, listed)
    assert f"problems.jsonl:{len(faults) + 2}: id: " in manifest["bad_rows"][len(faults)]
    assert "solutions.jsonl:3: " in manifest["bad_rows"][-2] and "solutions.jsonl:4: " in manifest["bad_rows"][-1]
    assert f"{len(faults) + 3}" in done.stdout and "bad rows" in done.stdout


def test_skipping_bad_rows_does_not_skip_a_file_that_breaks_off(crl_data: Command, inputs: Path) -> None:
    """Half a file is no bad row: nobody knows what is missing."""
    (inputs / "cut.jsonl.gz").write_bytes(gzip.compress(GOOD + b"\n" + os.urandom(400).hex().encode())[:-20])
    in_use(inputs, "cut.jsonl.gz")
    assert_one_line(crl_data(*BUILD, "--set", "on_bad_rows=skip"), 2, "cut.jsonl.gz")


# --- recipes -------------------------------------------------------------------------------------------------------------------------------------

PROBLEMS = "problems: [{path: problems.jsonl}]\n"


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ("", ["recipe.yaml: ", "problems"]),
        ("# nothing but a comment\n", ["recipe.yaml: ", "problems"]),
        ("- path: problems.jsonl\n", ["recipe.yaml: ", "mapping", "list"]),
        ("just a text\n", ["recipe.yaml: ", "mapping"]),
        ("problems: [\n", ["recipe.yaml: ", "YAML"]),
        ("\tproblems: 1\n", ["recipe.yaml: ", "YAML"]),
        ("problems: !!python/object/apply:os.system ['false']\n", ["recipe.yaml: ", "YAML"]),
        ("seed: 1\n", ["recipe.yaml", "problems: "]),
        ("problems: []\n", ["recipe.yaml:1: problems: ", "at least 1"]),
        ("problems: problems.jsonl\n", ["recipe.yaml:1: problems: ", "'problems.jsonl'"]),
        (PROBLEMS + PROBLEMS, ["recipe.yaml: ", "'problems'", "twice"]),
        (PROBLEMS + "mixx: {}\n", ["recipe.yaml:2: mixx: ", "'mix'"]),
        (PROBLEMS + "mix: {critique_shar: 1}\n", ["recipe.yaml:2: mix.critique_shar: ", "'critique_share'"]),
        (PROBLEMS + "judge:\n  treshold: 1\n", ["recipe.yaml:3: judge.treshold: ", "'threshold'"]),
        ("problems: [{pth: problems.jsonl}]\n", ["recipe.yaml:1: problems.0.pth: ", "'path'"]),
        (
            PROBLEMS + "candidates: [{sampler: recorded, pth: s.jsonl}]\n",
            ["recipe.yaml:2: candidates.0.pth: ", "'path'"],
        ),
        (
            PROBLEMS + "candidates: [{sampler: mutants, per_problm: 3}]\n",
            ["recipe.yaml:2: candidates.0.per_problm: ", "'per_problem'"],
        ),
        (
            PROBLEMS + "candidates: [{sampler: mutant}]\n",
            ["recipe.yaml:2: candidates.0", "'mutant'", "recorded", "mutants"],
        ),
        (PROBLEMS + "candidates: [{path: s.jsonl}]\n", ["recipe.yaml:2: candidates.0", "sampler"]),
        (PROBLEMS + "judge: {threshold: 0}\n", ["recipe.yaml:2: judge.threshold: ", "greater than 0", "0"]),
        (PROBLEMS + "judge: {threshold: high}\n", ["recipe.yaml:2: judge.threshold: ", "number", "'high'"]),
        (PROBLEMS + "judge: {threshold: .nan}\n", ["recipe.yaml:2: judge.threshold: ", "nan"]),
        (PROBLEMS + "judge: {timeouts: never}\n", ["recipe.yaml:2: judge.timeouts: ", "'inconclusive'", "'never'"]),
        (PROBLEMS + "judge: {sandbox: chroot}\n", ["recipe.yaml:2: judge.sandbox: ", "'docker'", "'chroot'"]),
        (PROBLEMS + "judge: {jobs: 0}\n", ["recipe.yaml:2: judge.jobs: ", "1", "0"]),
        (PROBLEMS + "mix: {critique_share: 1.2}\n", ["recipe.yaml:2: mix.critique_share: ", "1.2"]),
        (PROBLEMS + "on_bad_rows: ignore\n", ["recipe.yaml:2: on_bad_rows: ", "'skip'", "'ignore'"]),
        (PROBLEMS + "seed: 1.5\n", ["recipe.yaml:2: seed: ", "1.5"]),
        (
            "problems: [{format: humaneva, source: x}]\n",
            ["recipe.yaml:1: problems.0.format: ", "humaneval", "'humaneva'"],
        ),
        (PROBLEMS + "prompts: {solve: none.jinja}\n", ["prompts.solve", "none.jinja"]),
    ],
)
def test_a_faulty_recipe_is_one_line_that_names_the_line_and_the_key(
    crl_data: Command, inputs: Path, recipe: str, told: list[str]
) -> None:
    (inputs / "recipe.yaml").write_text(recipe)
    before = files_in(inputs)
    assert_one_line(crl_data(*BUILD), 2, *told)
    assert files_in(inputs) == before


def test_a_recipe_that_is_no_text_is_one_line(crl_data: Command, inputs: Path) -> None:
    (inputs / "recipe.yaml").write_bytes(b"\xff\xfe\0")
    assert_one_line(crl_data(*BUILD), 2, "recipe.yaml: ")


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_recipe_that_is_no_file_is_one_line(crl_data: Command, inputs: Path, name: str) -> None:
    assert_one_line(crl_data("build", name), 2, f"{name}: cannot be read")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("seed", "key=value"),
        ("=3", "key=value"),
        ("mix=[", "YAML"),
        ("problems.7.path=x", "'7'"),
        ("seed.x.y=1", "'y'"),
        ("judge.treshold=1", "'threshold'"),
        ("judge.threshold=2", "judge.threshold: "),
    ],
)
def test_a_faulty_setting_is_one_line(crl_data: Command, inputs: Path, setting: str, told: str) -> None:
    assert_one_line(crl_data(*BUILD, "--set", setting), 2, told)
    assert not (inputs / "out").exists()


# --- values of options ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--threshold", "0", ["threshold", "more than 0"]),
        ("--threshold", "1.1", ["threshold", "1.1"]),
        ("--threshold", "nan", ["threshold", "nan"]),
        ("--threshold", "high", ["threshold", "high"]),
        ("--timeouts", "never", ["timeouts", "auto", "fail", "inconclusive", "never"]),
        ("--isolation", "thread", ["isolation", "batch", "per-test", "thread"]),
        ("--sandbox", "chroot", ["sandbox", "auto", "local", "docker", "none", "chroot"]),
        ("--jobs", "0", ["jobs", "1"]),
        ("--jobs", "-1", ["jobs", "1"]),
        ("--jobs", "many", ["jobs", "many"]),
        ("--repeat", "0", ["repeat", "1"]),
    ],
)
def test_a_value_that_makes_no_sense_is_one_line_that_says_what_would(
    crl_data: Command, inputs: Path, option: str, value: str, told: list[str]
) -> None:
    before = files_in(inputs)
    assert_one_line(crl_data(*JUDGE, option, value), 2, *told)
    assert files_in(inputs) == before


@pytest.mark.parametrize("call", [[*BUILD, "--limit", "0"], [*IMPORT, "--limit", "0"], [*BUILD, "--limit", "few"]])
def test_a_limit_is_a_number_above_0(crl_data: Command, inputs: Path, call: list[str]) -> None:
    assert_one_line(crl_data(*call), 2, "--limit")


@pytest.mark.parametrize("name", ["out.csv", "out", "out.jsonl.zst"])
@pytest.mark.parametrize("command", ["judge", "import"])
def test_an_output_of_an_unknown_suffix_is_refused_before_the_work(
    crl_data: Command, inputs: Path, command: str, name: str
) -> None:
    before = files_in(inputs)
    assert_one_line(crl_data(*COMMANDS[command][:-1], name), 2, f"{name}: ", ".jsonl", ".parquet")
    assert files_in(inputs) == before


# --- where the output goes ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "suffix"), [("judge", "jsonl"), ("import", "jsonl.gz"), ("import", "parquet")])
def test_an_output_in_a_missing_folder_is_one_line(crl_data: Command, inputs: Path, command: str, suffix: str) -> None:
    before = files_in(inputs)
    done = crl_data(*COMMANDS[command][:-1], f"missing/out.{suffix}")
    assert_one_line(done, done.returncode, f"missing/out.{suffix}: cannot be written: ")
    assert done.returncode in (1, 2) and files_in(inputs) == before


@pytest.mark.parametrize("command", ["judge", "import"])
def test_an_output_that_is_a_folder_is_one_line_and_leaves_it_alone(
    crl_data: Command, inputs: Path, command: str
) -> None:
    (inputs / "out.jsonl").mkdir()
    before = files_in(inputs)
    done = crl_data(*COMMANDS[command])
    assert_one_line(done, done.returncode, "out.jsonl: ")
    assert done.returncode in (1, 2) and files_in(inputs) == before


def test_a_build_directory_that_is_a_file_is_one_line_and_leaves_it_alone(crl_data: Command, inputs: Path) -> None:
    (inputs / "out").write_text("mine")
    done = crl_data(*BUILD)
    assert_one_line(done, done.returncode, "out: ")
    assert done.returncode in (1, 2) and (inputs / "out").read_text() == "mine"


@pytest.mark.parametrize("fault", ["not JSON", "a duplicate id"])
def test_work_that_fails_leaves_the_output_of_before_as_it_was(crl_data: Command, inputs: Path, fault: str) -> None:
    (inputs / "out.jsonl").write_text("from before\n")
    with (inputs / "problems.jsonl").open("ab") as file:
        file.write(BAD_ROWS[fault][0] + b"\n")
    before = files_in(inputs)
    for command in (IMPORT, JUDGE):
        assert crl_data(*command).returncode == 2
        assert (inputs / "out.jsonl").read_text() == "from before\n" and files_in(inputs) == before


def many_problems(folder: Path) -> None:
    """More than fits on the small disk, however it is compressed."""
    rows = [{**PROBLEM_ROW, "id": f"p{n}", "question": os.urandom(600).hex()} for n in range(60)]
    write_rows(folder / "problems.jsonl", rows)
    write_rows(
        folder / "solutions.jsonl",
        [{"problem_id": f"p{n}", "id": "none", "code": "1 / 0", "note": os.urandom(600).hex()} for n in range(60)],
    )


@pytest.mark.parametrize(("command", "suffix"), [("judge", "jsonl.gz"), ("import", "jsonl"), ("import", "parquet")])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    crl_data: Command, inputs: Path, small_disk: Path, command: str, suffix: str
) -> None:
    many_problems(inputs)
    done = crl_data(*COMMANDS[command][:-1], small_disk / f"out.{suffix}")
    assert_one_line(done, 1, f"out.{suffix}: ", "No space left on device")
    assert files_in(small_disk) == set()


def test_a_full_disk_for_temporary_files_is_one_line(crl_data: Command, inputs: Path, small_disk: Path) -> None:
    many_problems(inputs)
    done = crl_data(*JUDGE, env={**os.environ, "TMPDIR": str(small_disk)})
    assert_one_line(done, 1, "full")
    assert files_in(small_disk) == set() and not (inputs / "out.jsonl").exists()


@pytest.mark.parametrize(
    "call",
    [["validate", "problems.jsonl"], [*IMPORT, "--json"], [*JUDGE, "--json"]],
    ids=lambda call: call[0],
)
def test_a_full_disk_under_the_results_is_one_line(inputs: Path, call: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "crl_data", *call]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=inputs, timeout=60)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "a fault of crl-data itself" not in done.stderr


def test_a_reader_of_the_results_that_goes_away_is_no_fault(inputs: Path) -> None:
    """As in `crl-data validate FILE | head -1`: quiet, and no traceback at the end."""
    row = json.dumps({**PROBLEM_ROW, "tests": []})
    (inputs / "bad.jsonl").write_text((row + "\n") * 5000)
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "crl_data", "validate", "bad.jsonl"]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=inputs) as process:
        os.close(writer)
        os.read(reader, 10)
        os.close(reader)
        _, told = process.communicate(timeout=60)
    assert "Traceback" not in told and "Exception ignored" not in told and "fault of crl-data" not in told


@pytest.mark.parametrize("command", ["judge", "import"])
def test_a_read_only_folder_is_one_line(crl_data: Command, inputs: Path, closed_folder: Path, command: str) -> None:
    done = crl_data(*COMMANDS[command][:-1], closed_folder / "out.jsonl")
    assert_one_line(done, 1, "closed/out.jsonl: cannot be written: ")
    assert files_in(closed_folder) == set()


def test_a_dry_run_needs_no_folder_to_write_in(crl_data: Command, inputs: Path, closed_folder: Path) -> None:
    done = crl_data("build", "recipe.yaml", "--out", closed_folder / "out", "--dry-run", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["solutions"] == 3, done.stderr


# --- tracebacks ------------------------------------------------------------------------------------------------------------------------------------------

DEBUGGED = [
    ["judge", "none.jsonl", "solutions.jsonl", "--out", "out.jsonl"],
    ["build", "none.yaml"],
    ["import", "problems", "none.jsonl", "--out", "out.jsonl"],
    ["validate", "none.jsonl"],
    ["explain", "none", "x"],
    ["report", "none"],
]


@pytest.mark.parametrize("call", DEBUGGED, ids=lambda call: call[0])
def test_debug_shows_the_traceback_and_keeps_the_status(crl_data: Command, inputs: Path, call: list[str]) -> None:
    assert_one_line(crl_data(*call), 2, "none")
    done = crl_data(*call, "--debug")
    assert "Traceback (most recent call last)" in done.stderr and "none" in done.stderr.splitlines()[-1]
    assert done.returncode == 2


# --- Ctrl-C ------------------------------------------------------------------------------------------------------------------------------------------------


def slow_inputs(folder: Path, solutions: int = 400) -> None:
    text = "a, b = map(int, input().split())\nx = sum(range(2_000_000))\nprint(a + b)\n"
    write_rows(folder / "problems.jsonl", [{**PROBLEM_ROW, "reference": text}])
    rows = [{"problem_id": "sum", "id": f"s{n}", "code": f"# {n}\n{text}"} for n in range(solutions)]
    write_rows(folder / "solutions.jsonl", rows)


def wait_for(seen: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not begin"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_judging_ends_with_130_and_leaves_nothing(inputs: Path, number: signal.Signals) -> None:
    slow_inputs(inputs)
    before = files_in(inputs)
    process = start(*JUDGE, cwd=inputs)
    wait_for(lambda: files_in(inputs) - before)
    time.sleep(0.5)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == "crl-data: interrupted\n" and out == ""
    assert files_in(inputs) == before
    write_rows(inputs / "solutions.jsonl", SOLUTION_ROWS)
    again = run(*JUDGE, cwd=inputs)
    assert again.returncode == 0 and len(read_rows(inputs / "out.jsonl")) == 2


def test_ctrl_c_while_references_are_verified_leaves_nothing(inputs: Path) -> None:
    text = "a, b = map(int, input().split())\nx = sum(range(2_000_000))\nprint(a + b)\n"
    rows = [{**PROBLEM_ROW, "id": f"p{n}", "reference": f"# {n}\n{text}"} for n in range(300)]
    write_rows(inputs / "problems.jsonl", rows)
    before = files_in(inputs)
    process = start(*IMPORT, "--verify", cwd=inputs)
    wait_for(lambda: files_in(inputs) - before)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == "crl-data: interrupted\n" and out == ""
    assert files_in(inputs) == before


def test_an_impatient_ctrl_c_is_no_traceback_either(inputs: Path) -> None:
    slow_inputs(inputs)
    before = files_in(inputs)
    process = start(*JUDGE, cwd=inputs)
    wait_for(lambda: files_in(inputs) - before)
    time.sleep(0.5)
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.03)
        if process.poll() is not None:
            break
    _, err = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT) and "Traceback" not in err and "Exception ignored" not in err
    assert files_in(inputs) == before


@pytest.mark.parametrize("module", ["crl_data.errors", "crl_data.columns", "pyarrow"])
def test_ctrl_c_while_it_is_still_starting_is_no_traceback(inputs: Path, module: str) -> None:
    """The signal comes when a library was just loaded; `-X importtime` says when that is."""
    command = [sys.executable, "-X", "importtime", "-m", "crl_data", *BUILD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=inputs)
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == module:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert process.returncode == 130 and told == ["crl-data: interrupted"]
