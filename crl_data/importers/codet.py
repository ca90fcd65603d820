"""Recorded samples of CodeGen-16B for HumanEval's prompts, as CodeT published them (microsoft/CodeT, MIT).

Rows of prompt and samples: raw continuations of the prompt, so that a program is prompt + sample. The rows are not in
HumanEval's order; they are joined by the last function of the prompt, which is the entry point. Nothing is cut from a
sample: one that runs on into a half-written function is the program that the model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crl_data.errors import RowError
from crl_data.importers import Tools, items, text
from crl_data.types import Sampler, Solution

_SAMPLER = Sampler(name="recorded", model="codegen-16B", temperature=0.8, top_p=0.95, max_tokens=300)
_FUNCTION = re.compile(r"^def\s+(\w+)", re.MULTILINE)


def read_solutions(files: Sequence[Path], tools: Tools, problems: Mapping[str, str]) -> Iterator[Solution]:
    for row in tools.rows(files):
        prompt = text(row, "prompt")
        names = _FUNCTION.findall(prompt)
        if not names or names[-1] not in problems:
            tools.bad_row(RowError(row.place, "prompt", "a prompt whose last function is the entry point of a problem", names[-1] if names else "none"))
            continue
        problem = problems[names[-1]]
        for number, sample in enumerate(items(row, "samples")):
            yield Solution(problem_id=problem, id=f"codegen-16B/{problem}/{number}", code=prompt + str(sample), sampler=_SAMPLER)
