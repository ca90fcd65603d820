"""Problem rows as they are: contract 1 of the design, docs/data-format.md."""

from __future__ import annotations

from collections.abc import Iterator

from crl_data.importers import SetAside, Tools
from crl_data.importers.tables import Tables
from crl_data.rows import problem_of
from crl_data.types import Problem


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, lambda row: problem_of(row, tools.max_field_mb, untested=tools.untested))
