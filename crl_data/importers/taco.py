"""TACO (FlagOpen/TACO, Apache-2.0) as BAAI/TACO has it on the Hub: the format of APPS, with more said of each problem.

Rows of question, solutions, starter_code, input_output, difficulty, raw_tags, name, source, tags, skill_types, url,
Expected Auxiliary Space, time_limit, date, picture_num, memory_limit, Expected Time Complexity; all strings, of which some
hold JSON (the card of BAAI/TACO). The limits are written "2.0 seconds" and "256.0 megabytes"; written in another way, they
are none. There is no id: it is drawn from the question and the tests.

Where a problem is from (`source`, `url`) stands in the extra columns: the licence is that of TACO's own work, and the
problems belong to the sites they are from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crl_data.importers import ByEntryPoint, SetAside, Tools
from crl_data.importers.apps import of_inputs_outputs, people, solutions
from crl_data.importers.pairs import number_of, once
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Solution, Source

SOURCE = Source(dataset="BAAI/TACO", revision="", license="apache-2.0", url="https://huggingface.co/datasets/BAAI/TACO")


_CONTENT = ("question", "input_output")


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, once("taco", _CONTENT, problem))


def problem(row: Row, name: str) -> Problem | SetAside:
    made = of_inputs_outputs(row, name, SOURCE)
    if isinstance(made, SetAside):
        return made
    return replace(
        made,
        time_limit_s=number_of(row.cells.get("time_limit"), "second"),
        memory_limit_mb=number_of(row.cells.get("memory_limit"), "megabyte"),
        extra={
            "difficulty": row.cells.get("difficulty"),
            "problem_source": row.cells.get("source"),
            "problem_url": row.cells.get("url"),
        },
    )


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, once("taco", _CONTENT, lambda row, name: people(name, solutions(row)))):
        if not isinstance(made, SetAside):
            yield from made
