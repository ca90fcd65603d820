"""Critique-Guided Distillation (arXiv 2505.11628): a model learns the corrected answer from a wrong one and its critique.

The authors train on (prompt, the student's answer, the teacher's critique) to the teacher's refined answer: one instruction, then
the three in this order, as one input (CapitalOne-Research/Critique-Guided-Distillation, `03_refined_dataset.json`). Their
words speak of science; ours, the template `cgd/default`, of code. As with them the critique is read and never written: it stands
in the user's message. Other than theirs, every refined answer was executed, and is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crl_data.columns import CGD
from crl_data.export.critiqued import Critiqued
from crl_data.export.files import LINES, PARQUET, Exported, Form, targets_in, write
from crl_data.export.tables import Shelf, said
from crl_data.prompts import Template, load_template
from crl_data.responses import answer_of, fenced

FORM = Form(
    columns=CGD,
    suffixes=PARQUET + LINES,
    wanted="a corrected solution that is right (the recipe's key critiques.refine asks for them)",
)


def export(directory: Path, out: Path, split: str | None = None, template: Template | None = None) -> Exported:
    """Write the right corrected solutions of a built dataset; `out` as in `files.targets_in`.

    template: of the prompts, `cgd/default` where none is given. Raises `InputError` where there are none.
    """
    done, targets = Exported(), targets_in(FORM, directory, out, split)
    chosen = template or load_template("cgd", "default", Path())
    with Shelf() as shelf:
        critiqued = Critiqued(directory, targets, shelf, unfit, done)

        def rows(name: str) -> Iterator[dict[str, Any]]:
            for critique, record in critiqued.of(name):
                done.kinds["corrected solution"] += 1
                yield _row(critique, record, chosen)

        return write(FORM, directory, out, targets, rows, done)


def unfit(critique: Mapping[str, Any]) -> str | None:
    """Why a critique is left out; None where a right solution followed on it."""
    if critique.get("refined_code") is None:
        return "critiques without a corrected solution"
    verdict = critique.get("refined_verdict")
    if verdict is None:
        return "corrected solutions without a verdict"
    return None if verdict else "corrected solutions that are wrong"


def _row(critique: Mapping[str, Any], record: Mapping[str, Any], template: Template) -> dict[str, Any]:
    return {
        "id": critique["id"],
        "problem_id": critique["problem_id"],
        "solution_id": critique["solution_id"],
        "prompt": list(template.messages_about(record, record["solution"], answer_of(critique["response"]))),
        "completion": [said("assistant", fenced(critique["refined_code"]))],
        "prompt_template": template.label,
        "question": record["question"],
        "solution": record["solution"],
        "critique": critique["response"],
        "refined_code": critique["refined_code"],
        "refined_pass_rate": critique.get("refined_pass_rate"),
        "sampler": critique.get("sampler"),
        "source": record.get("source"),
    }
