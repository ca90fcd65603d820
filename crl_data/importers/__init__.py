"""Importers: other people's formats to Problem rows, each one small file. A new one is one file and one line below.

An importer is a module with `read(tables, tools) -> Iterator[Problem | SetAside]`, which streams; one that knows recorded
answers too has `read_solutions(tables, tools, by_entry_point) -> Iterator[Solution]`. Rows that are not as the format says
raise `RowError` (`Tools.each` sees to it); rows that are right but no problem of ours are `SetAside` with the reason. How
arguments are encoded is decided for a data set, never guessed for a row. Where rows come from, `tables` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from crl_data.columns import Fault, check_text, check_unknown, describe
from crl_data.errors import InputError, RowError
from crl_data.importers.tables import Tables, open_tables
from crl_data.problems import fault_of, unsupported
from crl_data.rows import MAX_FIELD_MB, Row
from crl_data.types import Problem, Solution

Made = TypeVar("Made")

PROBLEM_FORMATS = {
    "problems": "crl_data.importers.problems",
    "humaneval": "crl_data.importers.humaneval",
    "evalplus": "crl_data.importers.evalplus",
    "mbpp": "crl_data.importers.mbpp",
    "quixbugs": "crl_data.importers.quixbugs",
    "acecode": "crl_data.importers.acecode",
    "apps": "crl_data.importers.apps",
    "bigcodebench": "crl_data.importers.bigcodebench",
    "codecontests": "crl_data.importers.codecontests",
    "codeforces": "crl_data.importers.codeforces",
    "critique-verl": "crl_data.importers.critique_verl",
    "deepcoder": "crl_data.importers.deepcoder",
    "kodcode": "crl_data.importers.kodcode",
    "leetcode": "crl_data.importers.leetcode",
    "livecodebench": "crl_data.importers.livecodebench",
    "mapcoder": "crl_data.importers.mapcoder",
    "open_r1": "crl_data.importers.open_r1",
    "prime": "crl_data.importers.prime",
    "rstar": "crl_data.importers.rstar",
    "taco": "crl_data.importers.taco",
}
SOLUTION_FORMATS = {
    "solutions": "crl_data.importers.solutions",
    "codet": "crl_data.importers.codet",
    "quixbugs": "crl_data.importers.quixbugs",
    "acecode": "crl_data.importers.acecode",
    "apps": "crl_data.importers.apps",
    "codecontests": "crl_data.importers.codecontests",
    "mapcoder": "crl_data.importers.mapcoder",
    "rstar": "crl_data.importers.rstar",
    "taco": "crl_data.importers.taco",
}


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A row that is right but makes no problem: which, and why."""

    id: str
    reason: str


ByEntryPoint = Callable[[str], Sequence[Problem]]
"""The problems of an entry point: how recorded answers that name no problem are joined to theirs."""


class References(Protocol):
    """What runs references for importers that need expected outputs: `judging.reference.Reference`."""

    def results(
        self, code: str, entry: str, arguments: Sequence[Sequence[Any]], *, iterate: bool = False
    ) -> list[tuple[Any, str]]: ...


_OF_ROWS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    RecursionError,
    MemoryError,  # the parser's word for source that is too deep
)


class Tools:
    """What an importer may use beside its files.

    references: gives the runner of references, which is started when it is first asked for.
    bad_row: called with each bad row; it raises, or counts and returns (`on_bad_rows: skip`).
    untested: problems may have no tests (`problems.fault_of`).
    place: the file and line of the row that was read last.
    """

    def __init__(
        self,
        references: Callable[[], References],
        bad_row: Callable[[RowError], None],
        max_field_mb: int = MAX_FIELD_MB,
        untested: bool = False,
    ) -> None:
        self.references = references
        self.bad_row = bad_row
        self.max_field_mb = max_field_mb
        self.untested = untested
        self.place = ""

    def each(
        self, tables: Tables, make: Callable[[Row], Made], table: str | None = None, split: str | None = None
    ) -> Iterator[Made]:
        """What `make` makes of each row. Where it cannot, or what it makes is no problem, that goes to `bad_row`."""
        for row in self.rows(tables, table, split):
            try:
                made = make(row)
                if isinstance(made, Problem) and (name := unsupported(made)):
                    made = cast(
                        Made, SetAside(id=made.id, reason=f"it takes or gives a class that is not known: {name}")
                    )
                fault = _fault(made, self.max_field_mb << 20, self.untested) if isinstance(made, Problem) else None
                if isinstance(made, SetAside):
                    fault = _fault_of_texts({"id": made.id, "the reason to set it aside": made.reason}, 1 << 20)
            except RowError as error:
                self.bad_row(error)
            except _OF_ROWS as error:
                self.bad_row(RowError(row.place, "", "a row of this format", f"{type(error).__name__}: {error}"[:300]))
            else:
                if fault is None:
                    yield made
                else:
                    self.bad_row(RowError(row.place, fault.field, fault.expected, fault.came))

    def rows(self, tables: Tables, table: str | None = None, split: str | None = None) -> Iterator[Row]:
        """The rows of a table that are JSON objects; the others go to `bad_row`."""
        for row in tables.rows(table, split):
            if isinstance(row, RowError):
                self.bad_row(row)
            else:
                self.place = row.place
                yield row


def read_problems(form: str, source: str | Tables, base: Path, tools: Tools) -> Iterator[Problem | SetAside]:
    """The problems of a source in a named format. Raises `InputError` for an unknown format or a missing source."""
    module = _module(form, PROBLEM_FORMATS, "problems")
    tables = _tables(source, base, tools)
    for found in module.read(tables, tools):
        yield replace(found, source=tables.origin(found.source)) if isinstance(found, Problem) else found


def read_solutions(
    form: str, source: str | Tables, base: Path, tools: Tools, by_entry_point: ByEntryPoint
) -> Iterator[Solution]:
    """The recorded solutions of a source in a named format. One that cannot be written, or is none, is a bad row."""
    module = _module(form, SOLUTION_FORMATS, "solutions")
    for found in module.read_solutions(_tables(source, base, tools), tools, by_entry_point):
        texts = {name: getattr(found, name) for name in ("problem_id", "id", "code", "response")}
        fault = _fault_of_texts(texts, tools.max_field_mb << 20)
        if fault is None and found.code is None and found.response is None:
            fault = Fault("code", "code, or a response to take it from", "neither")
        if fault is None:
            yield found
        else:
            tools.bad_row(RowError(tools.place, fault.field, fault.expected, fault.came))


def _tables(source: str | Tables, base: Path, tools: Tools) -> Tables:
    return open_tables(source, base, max_field_mb=tools.max_field_mb) if isinstance(source, str) else source


def _module(name: str, formats: Mapping[str, str], what: str) -> Any:
    if name not in formats:
        raise InputError(f"no format of {what} is called {name!r}: one of {', '.join(formats)}")
    return import_module(formats[name])


def _fault(problem: Problem, most: int, untested: bool) -> Fault | None:
    """The first thing about a problem that cannot be right, or cannot be written."""
    if fault := _fault_of_texts({name: getattr(problem, name) for name in _TEXTS}, most):
        return fault
    found: list[Fault] = []
    for place, test in enumerate(problem.tests):
        for name, value in (("input", test.input), ("expected", test.expected)):
            if not value.isascii() or len(value) > most:
                check_text(value, f"tests[{place}].{name}", most, found)
    check_unknown(problem.extra, "", found)
    return found[0] if found else fault_of(problem, untested=untested, ours=True)  # `problems` checks what others wrote


def _fault_of_texts(texts: Mapping[str, str | None], most: int) -> Fault | None:
    found: list[Fault] = []
    for name, text_ in texts.items():
        if text_ is not None:
            check_text(text_, name, most, found)
    return found[0] if found else None


_TEXTS = ("id", "question", "entry_point", "test_setup", "checker", "starter_code", "reference")


def text(row: Row, name: str) -> str:
    """A string of a foreign row. Raises `RowError` where it is none."""
    value = row.cells.get(name)
    if not isinstance(value, str):
        raise RowError(row.place, name, "a string", describe(value))
    return value


def items(row: Row, name: str) -> list[Any]:
    """A list of a foreign row. Raises `RowError` where it is none."""
    value = row.cells.get(name)
    if not isinstance(value, list):
        raise RowError(row.place, name, "a list", describe(value))
    return value
