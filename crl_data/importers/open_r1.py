"""open-r1/verifiable-coding-problems-python and its decontaminated forms: the Python problems of PrimeIntellect's.

Rows of source, task_type, in_source_id, problem_statement, gold_standard_solution, problem_id, metadata {difficulty,
memory_limit, memory_limit_bytes, problem_url, time_limit} and verification_info {language, test_cases: [{fn_name, input,
output, type}]}, which is a struct or JSON as text (the card of open-r1/verifiable-coding-problems-python; it names no
licence). Inputs and outputs are strings: of calls, JSON of what DeepCoder's "primeintellect" has decoded. Calls written in
another way are set aside.

Problems of GeeksforGeeks ask for a function while their tests are texts of the statement's examples, so that no program
passes: their references do not hold, which `--verify` tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, text
from crl_data.importers.deepcoder import of_types
from crl_data.importers.pairs import NO_TESTS, cases, loaded, number_of, reference_of
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Source

SOURCE = Source(
    dataset="open-r1/verifiable-coding-problems-python",
    revision="",
    license="",
    url="https://huggingface.co/datasets/open-r1/verifiable-coding-problems-python",
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    name = f"open-r1/{text(row, 'problem_id')}"
    info = loaded(row, "verification_info")
    if not isinstance(info, dict):
        raise RowError(row.place, "verification_info", "an object with language and test_cases", describe(info))
    if info.get("language") != "python":
        return SetAside(id=name, reason=f"its language is {info.get('language')}")
    listed = cases(row, "verification_info.test_cases", info.get("test_cases"))
    if not listed:
        return SetAside(id=name, reason=NO_TESTS)
    reference = reference_of([row.cells.get("gold_standard_solution")])
    calls = [_decoded(case) if case.get("type") == "function_call" else case for case in listed]
    made = of_types(row, "verification_info.test_cases", calls, None, reference)
    if isinstance(made, str):
        return SetAside(id=name, reason=made)
    kind, tests, entry = made
    told = loaded(row, "metadata")
    metadata = told if isinstance(told, dict) else {}
    return Problem(
        id=name,
        question=text(row, "problem_statement"),
        test_kind=kind,
        tests=tests,
        entry_point=entry,
        reference=reference,
        time_limit_s=number_of(metadata.get("time_limit"), "second"),
        memory_limit_mb=number_of(metadata.get("memory_limit"), "megabyte"),
        source=SOURCE,
        extra={
            "difficulty": metadata.get("difficulty"),
            "problem_source": row.cells.get("source"),
            "problem_url": metadata.get("problem_url"),
        },
    )


def _decoded(case: dict[str, Any]) -> dict[str, Any]:
    """A call with its JSON decoded; as it is where it is none."""
    try:
        return {**case, "input": json.loads(case["input"]), "output": json.loads(case["output"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        return case
