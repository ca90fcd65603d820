"""CodeContests (google-deepmind, CC-BY-4.0) as deepmind/code_contests has it on the Hub.

Rows of name, description, public_tests, private_tests, generated_tests (each {input: [...], output: [...]}), solutions,
incorrect_solutions (each {language: [...], solution: [...]}), time_limit {seconds, nanos}, memory_limit_bytes, input_file,
output_file, source, difficulty, cf_* and more (card at b5002381b03628ec021360c41893a5efd28cbc32). Tests stand in that order:
public, private, generated; the outputs of the generated ones come from correct solutions. Problems that read or write a
named file are set aside.

The reference is the first correct solution in Python 3 that parses. As recorded solutions: all in Python 3, correct and
incorrect, with the source's verdict. Some problems take several answers and nobody says which: two correct solutions of
which one is judged wrong mark such a problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, text
from crl_data.importers.pairs import NO_TESTS, Pairs, paired, reference_of, stdin_tests
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Sampler, Solution, Source, TestKind

SOURCE = Source(
    dataset="deepmind/code_contests",
    revision="",
    license="cc-by-4.0",
    url="https://huggingface.co/datasets/deepmind/code_contests",
)
_PYTHON3 = 3
_KEPT = ("source", "difficulty", "cf_contest_id", "cf_index", "cf_rating")


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem | SetAside:
    name = f"codecontests/{text(row, 'name')}"
    if row.cells.get("input_file") or row.cells.get("output_file"):
        return SetAside(id=name, reason="it reads or writes a file and not the standard streams")
    public, *others = (_tests(row, which) for which in ("public_tests", "private_tests", "generated_tests"))
    tests = stdin_tests(row, "tests.", [*public, *(pair for found in others for pair in found)])
    if not tests:
        return SetAside(id=name, reason=NO_TESTS)
    return Problem(
        id=name,
        question=text(row, "description"),
        test_kind=TestKind.STDIN,
        tests=tests,
        public_tests=len(public),
        reference=reference_of(code for _, code in _python3(row, "solutions")),
        time_limit_s=_seconds(row),
        memory_limit_mb=_megabytes(row),
        source=SOURCE,
        extra={f"problem_{column}": row.cells.get(column) for column in _KEPT} | {"tests_generated": len(others[1])},
    )


def _tests(row: Row, name: str) -> Pairs:
    told = row.cells.get(name)
    if not isinstance(told, dict):
        raise RowError(row.place, name, "an object with input and output", describe(told))
    return paired(row, f"{name}.", told.get("input"), told.get("output"))


def _python3(row: Row, name: str) -> list[tuple[int, str]]:
    """The programs in Python 3, each with its place in the list."""
    told = row.cells.get(name)
    if not isinstance(told, dict):
        raise RowError(row.place, name, "an object with language and solution", describe(told))
    languages, programs = told.get("language"), told.get("solution")
    pairs = paired(row, f"{name}.", languages, programs)
    for place, (_, program) in enumerate(pairs):
        if not isinstance(program, str):
            raise RowError(row.place, f"{name}.solution[{place}]", "a program", describe(program))
    return [(place, program) for place, (language, program) in enumerate(pairs) if language == _PYTHON3]


def _seconds(row: Row) -> float | None:
    told = row.cells.get("time_limit")
    if told is None:
        return None
    seconds, nanos = (told.get(name) or 0 for name in ("seconds", "nanos")) if isinstance(told, dict) else ("?", "?")
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        raise RowError(row.place, "time_limit", "an object with seconds and nanos", describe(told))
    return (seconds + nanos / 1e9) or None


def _megabytes(row: Row) -> float | None:
    told = row.cells.get("memory_limit_bytes") or None
    if told is not None and (isinstance(told, bool) or not isinstance(told, int)):
        raise RowError(row.place, "memory_limit_bytes", "a number of bytes", describe(told))
    return told / (1 << 20) if told else None


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, _solutions):
        yield from made


def _solutions(row: Row) -> list[Solution]:
    name = f"codecontests/{text(row, 'name')}"
    return [_solution(name, which, place, code) for which in _VERDICTS for place, code in _python3(row, which)]


def _solution(name: str, which: str, place: int, code: str) -> Solution:
    extra: dict[str, Any] = {"solved_at_source": _VERDICTS[which]}
    return Solution(
        problem_id=name,
        id=f"{name}/{which}/{place}",
        code=code,
        sampler=Sampler(name="recorded", model="people"),
        extra=extra,
    )


_VERDICTS = {"solutions": True, "incorrect_solutions": False}
