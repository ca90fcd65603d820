"""Problem rows as they are: contract 1 of the design, docs/data-format.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools
from crl_data.rows import problem_of
from crl_data.types import Problem


def read(files: Sequence[Path], tools: Tools) -> Iterator[Problem | SetAside]:
    for row in tools.rows(files):
        try:
            yield problem_of(row, tools.max_field_mb)
        except RowError as error:
            tools.bad_row(error)
