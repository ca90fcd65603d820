"""Solution rows as they are: contract 1 of the design, docs/data-format.md."""

from __future__ import annotations

from collections.abc import Iterator

from crl_data.importers import ByEntryPoint, Tools
from crl_data.importers.tables import Tables
from crl_data.rows import solution_of
from crl_data.types import Solution


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    return tools.each(tables, lambda row: solution_of(row, tools.max_field_mb))
