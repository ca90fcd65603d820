"""DeepCoder's data, as agentica-org/DeepCoder-Preview-Dataset has it on the Hub (MIT) and as files of rllm's repository.

Rows of problem, tests and, by config, solutions, starter_code, metadata; `tests` is JSON as text, or decoded. Its shape says
which source a problem is from, and with it how calls are written (`pairs`):
    lcbv5              a list of {input, output, testtype, metadata}      LiveCodeBench: "lines"
    primeintellect     a list of {type, input, output, fn_name}           as TACO: "decoded"
    taco               {inputs, outputs, fn_name}                         "decoded"
    codeforces         a list of {input, output}                          standard input
Read from rllm's own readers (rllm/rewards/code_reward.py). Its `taco_to_lcb_format` fills up the shorter of two lists with
that list's first item; here lists of different lengths are a bad row. LeetCode's {functional: ...} is another format.
There is no id: it is drawn from the problem and the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.livecodebench import tests_of
from crl_data.importers.pairs import (
    NO_TESTS,
    Tests,
    as_loaded,
    cases,
    loaded,
    once,
    optional_text,
    paired,
    reference_of,
    tests_of_pairs,
)
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Source

SOURCE = Source(
    dataset="agentica-org/DeepCoder-Preview-Dataset",
    revision="",
    license="mit",
    url="https://huggingface.co/datasets/agentica-org/DeepCoder-Preview-Dataset",
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, once("deepcoder", ("problem", "tests"), problem))


def problem(row: Row, name: str) -> Problem | SetAside:
    question, found = text(row, "problem"), loaded(row, "tests")
    if isinstance(found, dict) and "functional" in found:
        return SetAside(id=name, reason="its tests are a check function: the format leetcode reads those")
    if not found:
        return SetAside(id=name, reason=NO_TESTS)
    starter = optional_text(row, "starter_code")
    solutions = row.cells.get("solutions") or []
    reference = reference_of(solutions if isinstance(solutions, list) else [solutions])
    made = _tests(row, found, starter, reference)
    if isinstance(made, str):
        return SetAside(id=name, reason=made)
    kind, tests, entry = made
    return Problem(
        id=name,
        question=question,
        test_kind=kind,
        tests=tests,
        entry_point=entry,
        starter_code=starter,
        reference=reference,
        source=SOURCE,
    )


def _tests(row: Row, found: Any, starter: str | None, reference: str | None) -> Tests | str:
    if isinstance(found, dict):
        pairs = paired(row, "tests.", found.get("inputs"), found.get("outputs"))
        return tests_of_pairs(row, "tests.", pairs, found.get("fn_name"), starter, reference)
    listed = cases(row, "tests", found)
    if "testtype" in listed[0]:
        told = listed[0].get("metadata") or row.cells.get("metadata")
        return tests_of(row, listed, as_loaded(row, "metadata", told), starter)
    if "type" in listed[0]:
        return of_types(row, "tests", listed, starter, reference)
    return tests_of_pairs(row, "tests.", [(case.get("input"), case.get("output")) for case in listed], None)


def of_types(
    row: Row, name: str, listed: list[dict[str, Any]], starter: str | None, reference: str | None
) -> Tests | str:
    """The tests of PrimeIntellect's list of {type, input, output, fn_name}; or why they are none."""
    kinds = {str(case.get("type")) for case in listed}
    if len(kinds) != 1 or not kinds <= {"stdin_stdout", "function_call"}:
        came = ", ".join(sorted(kinds))
        raise RowError(row.place, f"{name}.type", "stdin_stdout or function_call, for all tests the same", came)
    pairs = [(case.get("input"), case.get("output")) for case in listed]
    if kinds == {"stdin_stdout"}:
        return tests_of_pairs(row, f"{name}.", pairs, None)
    function = listed[0].get("fn_name")
    if not function or any(case.get("fn_name") != function for case in listed):
        raise RowError(row.place, f"{name}.fn_name", "one function, which all tests call", describe(function))
    return tests_of_pairs(row, f"{name}.", pairs, function, starter, reference)
