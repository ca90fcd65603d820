"""What each arm trains on: which records of a dataset, and what is changed about them.

An arm changes one thing, so that two of them tell where a gain comes from:

    solve-only        no critique records
    critique-only     nothing else
    hybrid            the share that the recipe says
    hybrid-onpolicy   hybrid, and of its critique prompts some are about the policy's own solutions (`onpolicy`)
    solve-80          hybrid without its critique records: is it enough to leave a fifth out?
    hybrid-shuffled   hybrid with the verdicts permuted among the critique records: does the truth of a verdict matter?
    solution-shown    hybrid whose critique records ask for a solution, the candidate shown: does reading candidates alone help?
    hybrid-mutants    hybrid with critiques of mutants, and of references, only: does another model's code matter?

`cft`, `cgd` and `sft` are supervised, and their rows are those of `crl-data export` or of a file.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crl_data.corpus.pool import Pool
from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.prompts import Template
from crl_train.recipe import Arm

Cells = Mapping[str, Any]
Changes = dict[str, Any]

SHARES = {Arm.SOLVE_ONLY: 0.0, Arm.CRITIQUE_ONLY: 1.0}
"""The critique share of arms that have one of their own."""

NO_MODEL = ("mutants", "reference")
"""Samplers that are no model."""


def pool_for(arm: Arm, directory: Path) -> Pool:
    """The pool an arm draws from. Raises `InputError`."""
    return Pool(directory, samplers=NO_MODEL if arm is Arm.HYBRID_MUTANTS else None)


def mix_for(arm: Arm, mix: Mapping[str, Any]) -> dict[str, Any]:
    """The mix of an arm, over the one that the recipe says."""
    return {**mix, "critique_share": SHARES[arm]} if arm in SHARES else dict(mix)


def keeps(arm: Arm, kind: str) -> bool:
    """Whether an arm trains on the mixed records of a kind."""
    return {Arm.SOLVE_80: kind == SOLVE, Arm.SOLVE_ONLY: kind == SOLVE, Arm.CRITIQUE_ONLY: kind == CRITIQUE}.get(
        arm, True
    )


def changes_for(arm: Arm, rows: Sequence[Cells], seed: int, template: Template) -> dict[int, Changes]:
    """What an arm changes about its rows, by their places.

    rows: kind and verdict at least; for solution-shown, whole. template: of its prompts.
    """
    critiques = [place for place, row in enumerate(rows) if row["kind"] == CRITIQUE]
    if arm is Arm.HYBRID_SHUFFLED:
        verdicts = [rows[place]["verdict"] for place in critiques]
        random.Random(f"{seed}:shuffled").shuffle(verdicts)
        return {place: {"verdict": verdict} for place, verdict in zip(critiques, verdicts, strict=True)}
    if arm is Arm.SOLUTION_SHOWN:
        return {place: _shown(rows[place], template) for place in critiques}
    return {}


def _shown(row: Cells, template: Template) -> Changes:
    """A critique record as a solve record whose prompt shows the candidate."""
    return {
        "kind": SOLVE,
        "prompt": list(template.messages_about(row, row["solution"])),
        "prompt_template": template.label,
        "solution": None,
        "solution_id": None,
        "verdict": None,
        "pass_rate": None,
    }
