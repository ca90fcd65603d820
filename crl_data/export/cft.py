"""Critique Fine-Tuning (arXiv 2501.17703): a model learns to write the teacher's critique of a question and its solution.

The paper's form is ([query; noisy response], critique), whatever the critique says, and at least a fifth of theirs is wrong by
their own count. Here the verdict was executed, so that only critiques are kept that conclude it. The rows are TRL's
conversational prompt-completion: the prompt is the record's, as a reward gives it to the model too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crl_data.columns import CFT
from crl_data.export.critiqued import Critiqued
from crl_data.export.files import LINES, PARQUET, Exported, Form, targets_in, write
from crl_data.export.tables import Shelf, said

FORM = Form(columns=CFT, suffixes=PARQUET + LINES, wanted="a critique that concludes the verdict")


def export(directory: Path, out: Path, split: str | None = None) -> Exported:
    """Write the kept critiques of a built dataset; `out` as in `files.targets_in`. Raises `InputError` where there are none."""
    done, targets = Exported(), targets_in(FORM, directory, out, split)
    with Shelf() as shelf:
        critiqued = Critiqued(directory, targets, shelf, unfit, done)

        def rows(name: str) -> Iterator[dict[str, Any]]:
            for critique, record in critiqued.of(name):
                done.kinds["critique"] += 1
                yield _row(critique, record)

        return write(FORM, directory, out, targets, rows, done)


def unfit(critique: Mapping[str, Any]) -> str | None:
    """Why a critique is not kept; None where it is."""
    agrees = critique.get("agrees")
    if agrees is None:
        return "critiques without a conclusion"
    return None if agrees else "critiques that conclude the other verdict"


def _row(critique: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": critique["id"],
        "problem_id": critique["problem_id"],
        "solution_id": critique["solution_id"],
        "prompt": record["prompt"],
        "completion": [said("assistant", critique["response"])],
        "prompt_template": record["prompt_template"],
        "verdict": record["verdict"],
        "sampler": critique.get("sampler"),
        "source": record.get("source"),
    }
