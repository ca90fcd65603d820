"""LiveCodeBench (livecodebench/code_generation and code_generation_lite): a benchmark; for tests and decontamination.

Rows of question_title, question_content, platform, question_id, contest_id, contest_date, starter_code, difficulty,
public_test_cases, private_test_cases, metadata; all strings (the card of code_generation_lite). Both lists of tests are
JSON; the private ones may be packed: base64 of zlib of a pickle of the JSON. Of a pickle nothing is taken but a string,
and no more than 16 times `max_field_mb` is unpacked. A test is "stdin" or "functional", and then `metadata` names the
function, and arguments are lines of JSON ("lines" in `pairs`).

There are no references. Where the rows stand in several files (test.jsonl to test6.jsonl), a pattern reads them all.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.pairs import Tests, as_loaded, cases, line_calls, loaded, optional_text, stdin_tests
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.starter import entry_point
from crl_data.types import Problem, Source, TestKind

SOURCE = Source(
    dataset="livecodebench/code_generation_lite",
    revision="",
    license="cc",
    url="https://huggingface.co/datasets/livecodebench/code_generation_lite",
)
_KEPT = ("question_title", "platform", "question_id", "contest_id", "contest_date", "difficulty")
_UNPACKED_FIELDS = 16


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, lambda row: problem(row, _UNPACKED_FIELDS * tools.max_field_mb << 20))


def problem(row: Row, most: int) -> Problem | SetAside:
    public = cases(row, "public_test_cases", loaded(row, "public_test_cases"))
    private = cases(row, "private_test_cases", _private(row, most))
    name = f"livecodebench/{text(row, 'question_id')}"
    metadata = loaded(row, "metadata")
    kind, tests, entry = tests_of(row, [*public, *private], metadata, optional_text(row, "starter_code"))
    return Problem(
        id=name,
        question=text(row, "question_content"),
        test_kind=kind,
        tests=tests,
        public_tests=len(public),
        entry_point=entry,
        starter_code=optional_text(row, "starter_code"),
        source=SOURCE,
        extra={column: row.cells.get(column) for column in _KEPT},
    )


def tests_of(row: Row, found: list[dict[str, Any]], metadata: Any, starter: str | None) -> Tests:
    """The tests of a list of {input, output, testtype}, and the entry point where they call one. Raises `RowError`."""
    kinds = {str(case.get("testtype")) for case in found}
    if len(kinds) != 1 or not kinds <= {"stdin", "functional"}:
        raise RowError(row.place, "testtype", "stdin or functional, for all tests the same", ", ".join(sorted(kinds)))
    pairs = [(case.get("input"), case.get("output")) for case in found]
    if kinds == {"stdin"}:
        return TestKind.STDIN, stdin_tests(row, "", pairs), None
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(function, str):
        raise RowError(row.place, "metadata", "func_name, the function that the tests call", describe(metadata))
    return TestKind.FUNCTION, line_calls(row, "", pairs), entry_point(function, starter)


def _private(row: Row, most: int) -> Any:
    told = text(row, "private_test_cases")
    if told.lstrip().startswith("["):
        return as_loaded(row, "private_test_cases", told)
    try:
        unpacked = pickled_text(_inflated(base64.b64decode(told, validate=True), most))
    except (binascii.Error, zlib.error, ValueError) as error:
        came = f"{describe(told)} ({error})"
        raise RowError(row.place, "private_test_cases", "JSON, or base64 of zlib of a pickled string", came) from None
    return as_loaded(row, "private_test_cases", unpacked)


def _inflated(packed: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    data = inflater.decompress(packed, most)
    if inflater.unconsumed_tail:
        raise ValueError(f"more than {most >> 20} MB when unpacked")
    if not inflater.eof:
        raise ValueError("it breaks off")
    return data


def pickled_text(data: bytes) -> str:
    """The string of a pickle that holds one and nothing else. Raises `ValueError` for any other.

    `pickle` itself is not asked: a pickle can also tell it to reserve any amount of memory. Of its operations these make up
    a pickled string, in the protocols 2 to 5: the protocol, frames, a string by its length, and notes to keep it.
    """
    found: str | None = None
    place = 0
    while place < len(data):
        operation = data[place]
        place += 1
        if operation in _LENGTHS:
            start = place + _LENGTHS[operation]
            end = start + int.from_bytes(data[place:start], "little")
            if end > len(data) or found is not None:
                raise ValueError("no pickle of one string: it breaks off, or there are two")
            found = str(data[start:end], "utf-8")
            place = end
        elif operation in _SKIPPED:
            place += _SKIPPED[operation]
        elif operation == ord(".") and found is not None:
            return found
        else:
            raise ValueError(f"no pickle of one string: the operation {bytes([operation])!r}")
    raise ValueError("no pickle of one string: it breaks off")


_LENGTHS = {0x8C: 1, ord("X"): 4, 0x8D: 8}  # SHORT_BINUNICODE, BINUNICODE, BINUNICODE8: the bytes of the length
_SKIPPED = {0x80: 1, 0x95: 8, 0x94: 0, ord("q"): 1, ord("r"): 4}  # PROTO, FRAME, MEMOIZE, BINPUT, LONG_BINPUT
