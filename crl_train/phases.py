"""How far a run is, which phase it is in, and when a phase or the run is over. Numbers alone; nothing of a trainer.

A phase or a run ends at the end of a generation batch, since what was generated in it was generated under its settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from crl_train.recipe import Budget, Phase


@dataclass
class Progress:
    """What a run has used, and where it stands; a checkpoint holds it.

    prompts: drawn, each counted as often as it was drawn. generated_tokens: of all completions, kept or not. gpu_seconds:
    wall-clock seconds of updates (generating and judging are part of them; measuring and saving between them are not), times the
    number of processes. teacher_tokens: of texts that a teacher wrote.
    phase_rewards: the mean reward after each update of the phase.
    """

    phase: int = 0
    updates: int = 0
    phase_updates: int = 0
    prompts: int = 0
    phase_prompts: int = 0
    generated_tokens: int = 0
    gpu_seconds: float = 0.0
    teacher_tokens: int = 0
    phase_rewards: list[float] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def load(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for name, value in state.items():
            setattr(self, name, value)

    def used(self) -> dict[str, float]:
        """Every unit of a budget, and how much of it was used."""
        return {
            "prompts": self.prompts,
            "generated_tokens": self.generated_tokens,
            "updates": self.updates,
            "gpu_seconds": round(self.gpu_seconds, 1),
            "teacher_tokens": self.teacher_tokens,
        }

    def begin_phase(self) -> None:
        self.phase += 1
        self.phase_updates = self.phase_prompts = 0
        self.phase_rewards = []


def is_over(phase: Phase, progress: Progress, n_prompts: int) -> bool:
    """Whether a phase is over. n_prompts: of one epoch. A phase that says nothing goes on."""
    until = phase.until
    if until is None:
        return False
    if until.steps is not None and progress.phase_updates >= until.steps:
        return True
    if until.epoch_share is not None and progress.phase_prompts >= share_of(until.epoch_share, n_prompts):
        return True
    return until.plateau is not None and on_plateau(progress.phase_rewards, until.plateau.window, until.plateau.gain)


def share_of(epochs: float, n_prompts: int) -> int:
    """The prompts that so many epochs are, the last one whole."""
    return math.ceil(epochs * n_prompts - 1e-9)


def on_plateau(rewards: Sequence[float], window: int, gain: float) -> bool:
    """Whether the mean of the last `window` rewards is not more than `gain` above the mean of the `window` before."""
    if len(rewards) < 2 * window:
        return False
    last, before = rewards[-window:], rewards[-2 * window : -window]
    return sum(last) / window - sum(before) / window <= gain


def is_spent(budget: Budget | None, progress: Progress) -> bool:
    """Whether a budget is used up."""
    if budget is None:
        return False
    unit, most = budget.chosen
    return float(getattr(progress, unit)) >= most


def most_updates(
    phases: Sequence[Phase], n_prompts: int, prompts_at_once: int, updates_at_once: int, epochs: float
) -> int:
    """The most updates that phases can take, were no group refilled; where one has no bound, the epochs are it.

    prompts_at_once, updates_at_once: of one generation batch.
    """
    total = 0
    for phase in phases or (Phase(),):
        until = phase.until
        bounds = []
        if until is not None and until.steps is not None:
            bounds.append(_whole(until.steps, updates_at_once))
        share = until.epoch_share if until is not None and until.epoch_share is not None else epochs
        if until is None or until.steps is None or until.epoch_share is not None:
            bounds.append(max(1, -(-share_of(share, n_prompts) // prompts_at_once)) * updates_at_once)
        total += min(bounds)
    return total


def _whole(updates: int, at_once: int) -> int:
    return -(-updates // at_once) * at_once
