"""HumanEval (openai/human-eval, MIT): rows of task_id, prompt, entry_point, canonical_solution, test.

One test a problem, the official unit: `check(entry_point)`, where `check` is the row's own test function. Functions of
the prompt that a test calls (HumanEval/32, 38, 50) come from our side and not from the solution.
"""

from __future__ import annotations

from collections.abc import Iterator

from crl_data.importers import SetAside, Tools, text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Source, Test, TestKind

SOURCE = Source(
    dataset="openai/human-eval",
    revision="6d43fb980f9fee3c892a914eda09951f772ad10d",
    license="mit",
    url="https://github.com/openai/human-eval",
)


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(tables, problem)


def problem(row: Row) -> Problem:
    prompt, entry = text(row, "prompt"), text(row, "entry_point")
    return Problem(
        id=text(row, "task_id"),
        question=prompt,
        test_kind=TestKind.ASSERT,
        tests=(Test(input=f"check({entry})"),),
        entry_point=entry,
        test_setup=text(row, "test"),
        starter_code=prompt,
        reference=prompt + text(row, "canonical_solution"),
        source=SOURCE,
    )
