"""Recorded samples of CodeGen-16B for HumanEval's prompts, as CodeT published them (microsoft/CodeT, MIT).

Rows of prompt and samples: raw continuations of the prompt, so that a program is prompt + sample. The rows are not in
HumanEval's order; they are joined by the last function of the prompt, which is the entry point. Nothing is cut from a
sample: one that runs on into a half-written function is the program that the model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, Tools, items, text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Sampler, Solution

_SAMPLER = Sampler(name="recorded", model="codegen-16B", temperature=0.8, top_p=0.95, max_tokens=300)
_FUNCTION = re.compile(r"^def\s+(\w+)", re.MULTILINE)


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    for made in tools.each(tables, lambda row: _solutions(row, by_entry_point)):
        yield from made


def _solutions(row: Row, by_entry_point: ByEntryPoint) -> list[Solution]:
    prompt = text(row, "prompt")
    name = next(reversed(_FUNCTION.findall(prompt)), "")
    problem = _nearest(prompt, by_entry_point(name))
    if problem is None:
        wanted = "a prompt whose last function is the entry point of a problem"
        raise RowError(row.place, "prompt", wanted, name or "no function")
    return [
        Solution(problem_id=problem, id=f"codegen-16B/{problem}/{number}", code=prompt + str(sample), sampler=_SAMPLER)
        for number, sample in enumerate(items(row, "samples"))
    ]


def _nearest(prompt: str, problems: Sequence[Problem]) -> str | None:
    """The problem whose question is most like the prompt: two problems of HumanEval have the entry point `sort_array`."""
    if len(problems) < 2:
        return problems[0].id if problems else None
    return max(problems, key=lambda problem: SequenceMatcher(None, prompt, problem.question, autojunk=False).ratio()).id
