"""Which checkpoint of a run is its model: the last one, or the best by something that is apart from the reported test.

The paper chose the best checkpoint on the benchmark that it reports. That way is offered by its name, `reported-test`, and the
model's card says so: of several checkpoints that are equally good, the best on a test looks better there than it is.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.errors import InputError, WorkError
from crl_train.data import TEST, VALIDATION, Rows
from crl_train.lines import EVALUATIONS, read_lines, write_whole
from crl_train.recipe import Command, Select

STATE = "crl_state.json"
"""In a checkpoint: what of a run is ours. It is written last, so that a checkpoint that has it is whole."""


def whole_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run that are whole, oldest first."""
    return sorted((one.parent for one in folder.glob(f"checkpoint-*/{STATE}")), key=update_of)


def seal(checkpoint: Path, state: dict[str, Any], most: int | None, best: int | None = None) -> None:
    """Write what of a run is ours into a checkpoint, which is whole then; the newest `most` are kept, None: all.

    best: the update of one that is kept whatever its age.
    """
    write_whole(checkpoint / STATE, json.dumps(state, default=str))
    for older in whole_checkpoints(checkpoint.parent)[:-most] if most else ():
        if update_of(older) != best:
            shutil.rmtree(older, ignore_errors=True)


def best_so_far(select: Select, run: Path) -> int | None:
    """The update of the best checkpoint of a run that is under way; None where that is not known before its end."""
    if select == "last" or isinstance(select, Command):
        return None
    _, scores = _scores(select, whole_checkpoints(run), read_lines(run / EVALUATIONS))
    return _first_best(scores) if scores else None


def check_rows(checkpoint: Path, state: Mapping[str, Any], rows: str) -> None:
    """Raises `InputError` where a checkpoint is of other rows than these. state: what `seal` wrote; rows: their fingerprint."""
    if state.get("rows") != rows:
        raise InputError(
            f"{checkpoint}: the checkpoint is of other rows than the recipe gives now; resume with the recipe and the data that "
            "the run began with"
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A chosen checkpoint. by: the rule in words; split: what it looked at; scores: of each checkpoint, by update."""

    update: int
    by: str
    split: str
    scores: dict[int, float]


def split_of(select: Select, has_validation: bool) -> str | None:
    """The split that is measured on while training."""
    if select == "reported-test":
        return TEST
    return VALIDATION if has_validation else None


def _looked_at(select: Select | str) -> str:
    """The split that a choice by a measure looks at."""
    return TEST if select == "reported-test" else VALIDATION


def check(select: Select, splits: Mapping[str, Rows | None]) -> None:
    """Raises `InputError` where a choice looks at rows that are not there. splits: held-out rows by name."""
    if select == "last" or isinstance(select, Command):
        return
    split = _looked_at(select)
    kinds = {"pass_rate": (SOLVE,), "verdict_accuracy": (CRITIQUE,)}.get(select, (SOLVE, CRITIQUE))
    rows = splits.get(split)
    if rows is None or all(row["kind"] not in kinds for row in rows.columns("kind")):
        raise InputError(
            f"select: {select}: expected {' or '.join(kinds)} rows in the {split} split to choose a checkpoint on, got none"
        )


def choose(select: Select, checkpoints: Sequence[Path], evaluations: Sequence[dict[str, Any]]) -> Choice:
    """Choose among checkpoints. evaluations: what was measured at each. Of equal ones the earliest. Raises `WorkError`."""
    updates = [update_of(path) for path in checkpoints]
    if select == "last" or not updates:
        return Choice(update=max(updates, default=0), by="being the last", split="no split", scores={})
    if isinstance(select, Command):
        scores = {update_of(path): _number_of(select, path) for path in checkpoints}
        return _best(scores, f"the largest number of `{select.command}`", "what that command measures")
    measure, scores = _scores(select, checkpoints, evaluations)
    split = _looked_at(select)
    if not scores:
        raise WorkError(
            f"select: {select}: no checkpoint was measured by {measure} on the {split} split, which has no such rows"
        )
    by = f"the best {measure.replace('_', ' ')} (sampled)"
    return _best(scores, by if select != "reported-test" else by + ", on the test that is reported", split)


def _scores(
    select: str, checkpoints: Sequence[Path], evaluations: Sequence[dict[str, Any]]
) -> tuple[str, dict[int, float]]:
    """What checkpoints are chosen by, and each one's value by its update. On the reported test: solving, as in the paper."""
    updates, split = {update_of(path) for path in checkpoints}, _looked_at(select)
    seen = [
        one for one in evaluations if one["update"] in updates and one["split"] == split and one["how"] == "sampled"
    ]
    measure = select
    if select == "reported-test":
        measure = "pass_rate" if any("pass_rate" in one for one in seen) else "verdict_accuracy"
    return measure, {one["update"]: one[measure]["value"] for one in seen if measure in one}


def _best(scores: dict[int, float], by: str, split: str) -> Choice:
    return Choice(update=_first_best(scores), by=by, split=split, scores=scores)


def _first_best(scores: Mapping[int, float]) -> int:
    """The update of the largest score, of equal ones the earliest."""
    best = max(scores.values())
    return min(update for update, score in scores.items() if score == best)


def update_of(checkpoint: Path) -> int:
    """The update after which a checkpoint was taken."""
    return int(checkpoint.name.rpartition("-")[2])


def _number_of(select: Command, checkpoint: Path) -> float:
    command = select.command.replace("{checkpoint}", str(checkpoint))
    with subprocess.Popen(  # noqa: S602, a program of the user's own, named in the user's own recipe
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as done:
        try:
            output, complaints = done.communicate(timeout=select.timeout_s)
        except subprocess.TimeoutExpired:
            raise WorkError(f"select: `{command}` took longer than {select.timeout_s:g} s (timeout_s)") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(done.pid, signal.SIGKILL)  # and what it started
    said = output.strip().splitlines()[-1:] or [""]
    try:
        number = json.loads(said[0])
        if (
            done.returncode
            or isinstance(number, bool)
            or not isinstance(number, int | float)
            or not math.isfinite(number)
        ):
            raise ValueError
    except ValueError:
        told = (complaints.strip().splitlines() or said)[-1][:200]
        raise WorkError(
            f"select: `{command}`: expected a number as JSON on the last line, got {said[0][:100]!r} "
            f"(exit {done.returncode}; {told})"
        ) from None
    return float(number)
