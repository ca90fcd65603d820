"""Codeforces as open-r1/codeforces has it on the Hub (CC-BY-4.0), with its generated checkers and generated tests.

Rows of id, contest_id, title, description, input_format, output_format, note, examples and official_tests (each
[{input, output}]), official_tests_complete, input_mode, interaction_format, generated_checker, time_limit, memory_limit,
rating, tags and more (the card of open-r1/codeforces). Tests stand in that order: examples, which are public; official
tests that are no example; generated ones. Those are files of the repository beside the configs,
`generated_tests/test_cases_0852.parquet` for contest 852 (rows of problem_id, input, output, test_i), and are read where
they lie in the source's folder; the Hub does not stream them. Of official tests that are not complete, the long ones are
cut and end in "...": those are left out, and counted in `tests_cut`.

Problems that read a file, or talk to a judge, are set aside. A checker is a Python script, see `checkers`. There are no
references.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.checkers import from_codeforces
from crl_data.importers.pairs import cases, optional_text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="open-r1/codeforces",
    revision="",
    license="cc-by-4.0",
    url="https://huggingface.co/datasets/open-r1/codeforces",
)
_GENERATED = "generated_tests"
_CUT = "..."


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    local = tables.has(_GENERATED)
    table = "data" if tables.which.config is None and tables.has("data") else None

    def of_row(row: Row) -> Problem | SetAside:
        return problem(row, _generated(row, tables, tools) if local else ())

    return tools.each(tables, of_row, table)


def problem(row: Row, generated: tuple[Test, ...] = ()) -> Problem | SetAside:
    name = f"codeforces/{text(row, 'id')}"
    mode = text(row, "input_mode")
    if mode != "stdio":
        return SetAside(id=name, reason=f"its input mode is {mode!r}")
    if row.cells.get("interaction_format"):
        return SetAside(id=name, reason="it is interactive")
    examples = _tests(row, "examples")
    complete = row.cells.get("official_tests_complete")
    if not isinstance(complete, bool):
        raise RowError(row.place, "official_tests_complete", "true or false", describe(complete))
    official = _tests(row, "official_tests")
    whole = [test for test in official if complete or not _is_cut(test)]
    tests = tuple(dict.fromkeys([*examples, *whole, *generated]))
    if not tests:
        return SetAside(id=name, reason="it has no tests that are whole")
    checker = optional_text(row, "generated_checker")
    return Problem(
        id=name,
        question=_question(row),
        test_kind=TestKind.STDIN,
        tests=tests,
        public_tests=len(dict.fromkeys(examples)),
        checker=_checker(row, checker) if checker else None,
        time_limit_s=_number(row, "time_limit"),
        memory_limit_mb=_number(row, "memory_limit"),
        source=SOURCE,
        extra={
            "rating": row.cells.get("rating"),
            "tests_cut": len(official) - len(whole),
            "tests_generated": len(generated),
        },
    )


def _tests(row: Row, name: str) -> list[Test]:
    tests = []
    for place, case in enumerate(cases(row, name, row.cells.get(name) or [])):
        for which in ("input", "output"):
            if not isinstance(case.get(which), str):
                raise RowError(row.place, f"{name}[{place}].{which}", "a text", describe(case.get(which)))
        tests.append(Test(input=case["input"], expected=case["output"]))
    return tests


def _is_cut(test: Test) -> bool:
    return test.input.rstrip().endswith(_CUT) or test.expected.rstrip().endswith(_CUT)


def _generated(row: Row, tables: Tables, tools: Tools) -> tuple[Test, ...]:
    """The generated tests of a problem, from the file of its contest."""
    name, contest = text(row, "id"), text(row, "contest_id")
    table = f"{_GENERATED}/test_cases_{contest:0>4}"
    if not tables.has(table):
        return ()
    found = tools.each(tables, lambda case: _case(case) if case.cells.get("problem_id") == name else None, table)
    return tuple(test for test in found if test is not None)


def _case(row: Row) -> Test:
    return Test(input=text(row, "input"), expected=text(row, "output"))


def _checker(row: Row, script: str) -> str:
    try:
        return from_codeforces(script)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise RowError(row.place, "generated_checker", "a Python script", f"{describe(script)} ({error})") from None


def _number(row: Row, name: str) -> float | None:
    told = row.cells.get(name)
    if told is not None and (isinstance(told, bool) or not isinstance(told, int | float)):
        raise RowError(row.place, name, "a number", describe(told))
    return float(told) if told else None


def _question(row: Row) -> str:
    """The statement as a contestant sees it, in the order of the site."""
    parts: list[Any] = [optional_text(row, "title"), text(row, "description")]
    for heading, column in (("Input", "input_format"), ("Output", "output_format")):
        told = optional_text(row, column)
        parts.append(f"{heading}\n\n{told.strip()}" if told else None)
    for example in row.cells.get("examples") or []:
        parts.append(f"Example\n\nInput:\n{example['input'].rstrip()}\n\nOutput:\n{example['output'].rstrip()}")
    note = optional_text(row, "note")
    parts.append(f"Note\n\n{note.strip()}" if note else None)
    return "\n\n".join(part.strip() for part in parts if part) + "\n"
