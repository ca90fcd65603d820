"""Importers: other people's formats to Problem rows, each one small file. A new one is one file and one line below.

An importer is a module with `read(files, tools) -> Iterator[Problem | SetAside]`, which streams; one that knows recorded
answers too has `read_solutions(files, tools, by_entry_point) -> Iterator[Solution]`. Rows that are not as the format says
raise `RowError` (`Tools.each` sees to it); rows that are right but no problem of ours are `SetAside` with the reason. How
arguments are encoded is decided for a data set, never guessed for a row.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from crl_data.columns import describe
from crl_data.errors import InputError, RowError
from crl_data.problems import fault_of
from crl_data.rows import MAX_FIELD_MB, Row, read_rows
from crl_data.types import Problem, Solution

Made = TypeVar("Made")

PROBLEM_FORMATS = {
    "problems": "crl_data.importers.problems",
    "humaneval": "crl_data.importers.humaneval",
    "evalplus": "crl_data.importers.evalplus",
    "mbpp": "crl_data.importers.mbpp",
    "quixbugs": "crl_data.importers.quixbugs",
    "apps": "crl_data.importers.mapcoder",
}
SOLUTION_FORMATS = {
    "solutions": "crl_data.importers.solutions",
    "codet": "crl_data.importers.codet",
    "mapcoder": "crl_data.importers.mapcoder",
    "quixbugs": "crl_data.importers.quixbugs",
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


class Tools:
    """What an importer may use beside its files.

    references: gives the runner of references, which is started when it is first asked for.
    bad_row: called with each bad row; it raises, or counts and returns (`on_bad_rows: skip`).
    place: the file and line of the row that was read last.
    """

    def __init__(
        self,
        references: Callable[[], References],
        bad_row: Callable[[RowError], None],
        max_field_mb: int = MAX_FIELD_MB,
    ) -> None:
        self.references = references
        self.bad_row = bad_row
        self.max_field_mb = max_field_mb
        self.place = ""

    def each(self, files: Sequence[Path], make: Callable[[Row], Made]) -> Iterator[Made]:
        """What `make` makes of each row. Where it cannot, or what it makes is no problem, that goes to `bad_row`."""
        for row in self.rows(files):
            try:
                made = make(row)
                fault = fault_of(made) if isinstance(made, Problem) else None
            except RowError as error:
                self.bad_row(error)
            except (ValueError, TypeError, LookupError, AttributeError, SyntaxError, RecursionError) as error:
                self.bad_row(RowError(row.place, "", "a row of this format", f"{type(error).__name__}: {error}"[:300]))
            else:
                if fault is None:
                    yield made
                else:
                    self.bad_row(RowError(row.place, fault.field, fault.expected, fault.came))

    def rows(self, files: Sequence[Path]) -> Iterator[Row]:
        """The rows of all files that are JSON objects; the others go to `bad_row`."""
        for path in files:
            for row in read_rows(path, self.max_field_mb):
                if isinstance(row, RowError):
                    self.bad_row(row)
                else:
                    self.place = row.place
                    yield row


def read_problems(form: str, source: str, base: Path, tools: Tools) -> Iterator[Problem | SetAside]:
    """The problems of a source in a named format. Raises `InputError` for an unknown format or a missing source."""
    module = _module(form, PROBLEM_FORMATS, "problems")
    found: Iterator[Problem | SetAside] = module.read(find_files(source, base), tools)
    return found


def read_solutions(
    form: str, source: str, base: Path, tools: Tools, by_entry_point: ByEntryPoint
) -> Iterator[Solution]:
    """The recorded solutions of a source in a named format."""
    module = _module(form, SOLUTION_FORMATS, "solutions")
    found: Iterator[Solution] = module.read_solutions(find_files(source, base), tools, by_entry_point)
    return found


def _module(name: str, formats: Mapping[str, str], what: str) -> Any:
    if name not in formats:
        raise InputError(f"no format of {what} is called {name!r}: one of {', '.join(formats)}")
    return import_module(formats[name])


def find_files(source: str, base: Path) -> list[Path]:
    """The files that a source names: one file, or a pattern with `*`; relative to `base`. In order of their names."""
    path = base / source
    if "*" not in source:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    if not found:
        raise InputError(f"{path}: no file is called like that")
    return found


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
