"""rStar-Coder (microsoft/rStar-Coder, CC-BY-4.0): the problems of `seed_testcase`, or of `synthetic_rl_testcase`, by config.

Columns (the card at 3a7a0a0636ec96e3c1ec42ebe79ade467caa040d; all strings but the last two of seed_sft):
    seed_testcase            question_id, question, starter_code, inputs, outputs, is_synthesized, test_case_type,
                             func_name, class_name
    seed_sft                 question_id, question, starter_code, response, code, verified, is_passed
    synthetic_rl_testcase    question_id, question, inputs, outputs
    synthetic_rl             question_id, question, seed_question, seed_source
`inputs`, `outputs` and `is_synthesized` hold a JSON list each, an item a test; a row can have tens of MB. Where the source has
both tables of a kind they are joined by question_id: seed problems get as reference the first passed program of seed_sft,
synthetic ones the source of their seed. That side of the join lies in a file on disk, never in memory.

A problem with `func_name` is called. Its inputs are not written in one way, and the names of the parameters in the starter
code tell which: an object of exactly these names; a decoded list, or one line with a list, of as many arguments where there
are several; else one argument a line. Whatever is none of these (tests as asserts, assignments) is set aside, and so are
results that are no JSON.

As recorded solutions: the rows of seed_sft, with `is_passed` as the source's verdict.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, text
from crl_data.importers.pairs import (
    NO_TESTS,
    UNKNOWN_CALLS,
    Pairs,
    call,
    loaded,
    optional_text,
    paired,
    reference_of,
    stdin_tests,
)
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.starter import entry_point, signature
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

SOURCE = Source(
    dataset="microsoft/rStar-Coder",
    revision="",
    license="cc-by-4.0",
    url="https://huggingface.co/datasets/microsoft/rStar-Coder",
)
SEED, SYNTHETIC = "seed_testcase", "synthetic_rl_testcase"
SEED_SFT, SYNTHETIC_RL = "seed_sft", "synthetic_rl"


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    table = tables.which.config or next((name for name in (SEED, SYNTHETIC) if tables.has(name)), None)
    if table not in (SEED, SYNTHETIC):
        yield from tools.each(tables, problem)
        return
    with closing(_Beside()) as beside:
        if table == SEED and tables.has(SEED_SFT):
            beside.fill(tools.each(tables, _passed, SEED_SFT))
        if table == SYNTHETIC and tables.has(SYNTHETIC_RL):
            beside.fill(tools.each(tables, _seed, SYNTHETIC_RL))
        yield from tools.each(tables, lambda row: problem(row, table, beside), table)


class _Beside:
    """What another table says of a question: the first text of each, in a temporary file that goes when it is closed.

    Texts lie there as bytes: what is no text is a fault of the row that needs it, as everywhere.
    """

    def __init__(self) -> None:
        self.file = sqlite3.connect("", isolation_level=None)
        self.file.execute("CREATE TABLE told (question BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def fill(self, found: Iterator[tuple[str, str] | None]) -> None:
        self.file.execute("BEGIN")
        for told in found:
            if told is not None:
                self.file.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", tuple(map(_bytes, told)))
        self.file.execute("COMMIT")

    def __getitem__(self, question: str) -> str | None:
        found = self.file.execute("SELECT value FROM told WHERE question = ?", (_bytes(question),)).fetchone()
        return found[0].decode("utf-8", "surrogatepass") if found else None

    def close(self) -> None:
        self.file.close()


def _bytes(text_: str) -> bytes:
    return text_.encode("utf-8", "surrogatepass")


def _passed(row: Row) -> tuple[str, str] | None:
    """The question and the program of a row of seed_sft that passed and is Python 3."""
    reference = reference_of([text(row, "code")]) if _is_passed(row) else None
    return (text(row, "question_id"), reference) if reference else None


def _is_passed(row: Row) -> bool:
    passed = row.cells.get("is_passed")
    if not isinstance(passed, bool):
        raise RowError(row.place, "is_passed", "true or false", describe(passed))
    return passed


def _seed(row: Row) -> tuple[str, str]:
    return text(row, "question_id"), text(row, "seed_source")


def problem(row: Row, table: str | None = None, beside: _Beside | None = None) -> Problem | SetAside:
    name = text(row, "question_id")
    pairs = paired(row, "", loaded(row, "inputs"), loaded(row, "outputs"))
    if not pairs:
        return SetAside(id=f"rstar/{name}", reason=NO_TESTS)
    told = beside[name] if beside else None
    starter = optional_text(row, "starter_code")
    common: dict[str, Any] = {
        "id": f"rstar/{name}",
        "question": text(row, "question"),
        "starter_code": starter,
        "reference": told if table == SEED else None,
        "source": SOURCE,
        "extra": _extra(row, len(pairs)) | ({"seed_source": told} if table == SYNTHETIC else {}),
    }
    function, owner = optional_text(row, "func_name"), optional_text(row, "class_name")
    if not function:
        return Problem(test_kind=TestKind.STDIN, tests=stdin_tests(row, "", pairs), **common)
    known = signature(starter, entry_point(function, starter))
    calls = _calls(pairs, known.names if known else None)
    if isinstance(calls, str):
        return SetAside(id=f"rstar/{name}", reason=calls)
    entry = f"{owner}.{function}" if owner else function
    return Problem(test_kind=TestKind.FUNCTION, tests=calls, entry_point=entry, **common)


def _extra(row: Row, n: int) -> dict[str, Any]:
    """How many of the tests were made by a model, where the row says so."""
    if not row.cells.get("is_synthesized"):
        return {}
    made = loaded(row, "is_synthesized")
    if not isinstance(made, list) or len(made) != n:
        raise RowError(row.place, "is_synthesized", f"a list of {n}, as there are tests", describe(made))
    return {"tests_synthesized": sum(one is True for one in made)}


def _calls(pairs: Pairs, names: Sequence[str] | None) -> tuple[Test, ...] | str:
    if names is None:
        return f"{UNKNOWN_CALLS}: its starter code does not show the function"
    tests = []
    for place, (given, expected) in enumerate(pairs):
        try:
            arguments = _arguments(given, names)
            result = json.loads(expected) if isinstance(expected, str) else expected
        except (ValueError, RecursionError) as error:
            return f"{UNKNOWN_CALLS}: test {place + 1}: {error}"
        tests.append(call(arguments, result))
    return tuple(tests)


def _arguments(given: Any, names: Sequence[str]) -> list[Any]:
    """The arguments of a call. Raises `ValueError` for what is written in no known way."""
    if isinstance(given, str):
        lines = [json.loads(line) for line in given.rstrip("\n").split("\n")]
        given = lines[0] if len(lines) == 1 else lines
        if len(lines) == 1 and len(names) == 1 and not _names(given, names):
            return [given]
    if _names(given, names):
        return [given[name] for name in names]
    if isinstance(given, list) and len(given) == len(names):
        return given
    raise ValueError(f"{len(names)} arguments expected, got {describe(given)}")


def _names(given: Any, names: Sequence[str]) -> bool:
    return isinstance(given, dict) and given.keys() == set(names)


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    times: Counter[str] = Counter()

    def solution(row: Row) -> Solution:
        question = text(row, "question_id")
        made = Solution(
            problem_id=f"rstar/{question}",
            id=f"rstar/{question}/{times[question]}",
            code=optional_text(row, "code"),
            response=optional_text(row, "response"),
            sampler=Sampler(name="recorded", model="rStar-Coder"),
            extra={"solved_at_source": _is_passed(row)},
        )
        times[question] += 1
        return made

    return tools.each(tables, solution, SEED_SFT if tables.has(SEED_SFT) else None)
