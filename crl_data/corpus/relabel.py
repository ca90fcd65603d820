"""Other verdicts from the outcomes of a built dataset. Nothing is run: what stands in its files is all that is needed.

A threshold decides which candidates are True and False, and with that which critique records there are and how they are
mixed; everything else stays. What comes out is what a build with that threshold would have left, but for the store, and for
the files of the stages `difficulty` and `critiques`: they count verdicts of which no outcomes are there, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.columns import CANDIDATE, JUDGEMENT, PROBLEM, RECORD
from crl_data.corpus.assemble import Assembly
from crl_data.corpus.finish import publish, write_rows
from crl_data.corpus.gather import OF_SOURCE
from crl_data.corpus.manifest import content_of, read_manifest
from crl_data.corpus.outputs import Directory
from crl_data.corpus.recipe_file import recorded_recipe
from crl_data.corpus.records import GIVEN, shared_of, untested_cells
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import Tally
from crl_data.errors import InputError
from crl_data.judging.policy import LimitFrom, Policy
from crl_data.judging.verdict import decide
from crl_data.prompts import Template
from crl_data.rows import make_problem, make_solution, whole_rows
from crl_data.types import Outcome

_OF_OTHER_VERDICTS = ("difficulty", "critiques")


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What became of a dataset: where it is, its manifest, and how many verdicts changed, by (before, after).

    left_out: the stages whose files do not go with other verdicts, and are not there any more.
    """

    directory: Path
    manifest: dict[str, Any]
    flips: dict[tuple[bool | None, bool | None], int]
    left_out: tuple[str, ...]


def relabel(directory: str | Path, threshold: float, out: str | Path | None = None) -> Relabelled:
    """Draw the verdicts of a built dataset anew.

    out: where the dataset with the other verdicts is left; None: in its place. Raises `InputError` where there is no
    built dataset, or its outcomes do not suffice.
    """
    source = Path(directory)
    old = read_manifest(source)
    if not 0 < threshold <= 1:
        raise InputError(f"--threshold: expected a number above 0 and at most 1, got {threshold:g}")
    recipe = recorded_recipe(old["recipe"], source / "manifest.json")
    if recipe.judge.early_stop:
        raise InputError(
            f"{source}: expected every outcome, got a build with judge.early_stop, which ends where its own verdict is settled"
        )
    recipe = recipe.model_copy(update={"judge": recipe.judge.model_copy(update={"threshold": threshold})})
    tally = Tally()
    flips: dict[tuple[bool | None, bool | None], int] = {}
    target = Path(out) if out is not None else source
    with Directory(target) as held, Stage(held.private / "stage.sqlite") as stage:
        _stage_problems(stage, source, threshold)
        _stage_candidates(stage, source)
        _stage_judgements(stage, source, recipe.judge.policy(), tally, flips)
        solve, critique = (Template(kind, *_template(old, kind)) for kind in ("solve", "critique"))
        write_rows(held, Assembly(recipe, stage, tally, solve, critique))
        counts = tally.as_dict()
        made = {
            **old,
            "recipe": {**old["recipe"], "judge": {**old["recipe"]["judge"], "threshold": threshold}},
            "counts": {**old["counts"], **{name: counts[name] for name in ("judgements", "pool", "mix", "records")}},
            **dict.fromkeys(_OF_OTHER_VERDICTS),
            "files": content_of(held.new),
        }
        publish(held, made)
    left_out = tuple(name for name in _OF_OTHER_VERDICTS if old.get(name))
    return Relabelled(directory=target, manifest=made, flips=flips, left_out=left_out)


def _template(manifest: dict[str, Any], kind: str) -> tuple[str, str]:
    """The name and the text of a prompt template, as the manifest has them."""
    label: str = manifest["prompts"][kind]
    return label.partition("/")[2].rpartition("@")[0], manifest["templates"][kind]


def _stage_problems(stage: Stage, source: Path, threshold: float) -> None:
    for row in whole_rows([source / "problems.parquet"], PROBLEM):
        reason = row.cells.pop("set_aside")
        problem = make_problem(row.cells)
        stage.add_problem(problem, reason)
        if not problem.tests:
            stage.share(problem.id, untested_cells(problem))  # the pool need not have a record of it
    last = None
    for row in whole_rows(sorted((source / "pool").glob("*.parquet")), RECORD):
        if row.cells["problem_id"] != last:
            last = row.cells["problem_id"]
            stage.share(last, _under(shared_of(row.cells), threshold))


def _under(shared: dict[str, Any], threshold: float) -> dict[str, Any]:
    judge = shared["judge"]
    return {**shared, "judge": {**judge, "threshold": threshold} if judge else None}


def _stage_candidates(stage: Stage, source: Path) -> None:
    for row in whole_rows([source / "candidates.parquet"], CANDIDATE):
        dropped = row.cells.pop("dropped")
        given = _given(row.cells)
        stage.add_candidate(make_solution(row.cells), dropped, given)


def _given(cells: dict[str, Any]) -> bool | None:
    """The verdict that a candidate was given, or None where it was drawn."""
    if cells.get("label_source") != GIVEN:
        return None
    verdict = cells.get("verdict")
    return bool(cells[OF_SOURCE] if verdict is None else verdict)


def _stage_judgements(
    stage: Stage, source: Path, policy: Policy, tally: Tally, flips: dict[tuple[bool | None, bool | None], int]
) -> None:
    for row in whole_rows([source / "judgements.parquet"], JUDGEMENT):
        cells = row.cells
        outcomes = [Outcome(name) for name in cells["outcomes"]]
        decision = decide(outcomes, policy, LimitFrom(cells["limit_from"]))
        before = cells["verdict"]
        if decision.verdict is not before:
            flips[before, decision.verdict] = flips.get((before, decision.verdict), 0) + 1
        cells["verdict"] = decision.verdict
        stage.judged(stage.place_of(cells["problem_id"], cells["solution_id"]), cells)
        tally.judged(decision.verdict, outcomes, cells["limit_from"], cells["tamper_proof"])
