"""Recorded solutions: what was written before, by people or by models, read from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crl_data.importers import ByEntryPoint, Tools, read_solutions
from crl_data.importers.tables import Tables
from crl_data.types import Sampler, Solution


def sample(format: str, tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:  # noqa: A002
    """The solutions of a file in a named format; those that do not say where they come from are named `recorded`."""
    for solution in read_solutions(format, tables, Path(), tools, by_entry_point):
        if solution.sampler is None:
            yield Solution(**{**vars(solution), "sampler": Sampler(name="recorded")})
        else:
            yield solution
