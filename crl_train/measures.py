"""What a step tells, by kind: numbers from the completions of a generation batch. docs/training.md says what each means.

`critique_share/*` is how much of the update critiques are, which is not their share of the prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.metrics.estimates import wilson

KINDS = (SOLVE, CRITIQUE)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One completion and what came of it.

    reward: before any weight; NaN where nothing could be decided. truth: the verdict of its row (None for solve rows). right: a
    critique concluded the truth, or a solution is True. own: about, or by, the policy's own solution. cut: it ran into the limit.
    """

    kind: str
    reward: float
    tokens: int
    right: bool
    truth: bool | None = None
    concluded: str | None = None
    pass_rate: float | None = None
    verdict: bool | None = None
    own: bool = False
    cut: bool = False


def of_groups(completions: Sequence[Completion], size: int) -> dict[str, float]:
    """What groups of `size` completions of one prompt tell, each kind for itself."""
    groups = [completions[start : start + size] for start in range(0, len(completions), size)]
    found: dict[str, float] = {}
    for kind in KINDS:
        own = [group for group in groups if group[0].kind == kind]
        if own:
            found |= {f"{kind}/{name}": value for name, value in _of_kind(own).items()}
    critiques = [one for one in completions if one.kind == CRITIQUE]
    for name, some in (
        ("accuracy_on_true", [one for one in critiques if one.truth]),
        ("accuracy_on_false", [one for one in critiques if one.truth is False]),
        ("accuracy_on_own", [one for one in critiques if one.own]),
        ("accuracy_on_foreign", [one for one in critiques if not one.own]),
    ):
        if some:
            found[f"{CRITIQUE}/{name}"] = fmean(one.right for one in some)
    return found


def _of_kind(groups: Sequence[Sequence[Completion]]) -> dict[str, float]:
    everything = [one for group in groups for one in group]
    known = [[one.reward for one in group if not math.isnan(one.reward)] for group in groups]
    means = [fmean(rewards) for rewards in known if rewards]
    flat = [rewards for rewards in known if len(rewards) >= 2 and max(rewards) - min(rewards) < 1e-9]
    all_right = sum(rewards[0] >= 1 - 1e-9 for rewards in flat)
    told = {
        "prompts": float(len(groups)),
        "groups_undecided": float(sum(len(rewards) < 2 for rewards in known)),
        "groups_all_right": float(all_right),
        "groups_all_wrong": float(len(flat) - all_right),
        "groups_that_differ": float(sum(len(rewards) >= 2 for rewards in known) - len(flat)),
        "cut": fmean(one.cut for one in everything),
    }
    if means:
        told["reward_mean"] = fmean(reward for rewards in known for reward in rewards)
        told["reward_variance_within"] = fmean(_variance(rewards) for rewards in known if rewards)
        told["reward_variance_between"] = _variance(means)
    for name, is_right in (("tokens_of_right", True), ("tokens_of_wrong", False)):
        lengths = [one.tokens for one in everything if one.right is is_right]
        if lengths:
            told[name] = fmean(lengths)
    return told


def _variance(values: Sequence[float]) -> float:
    mean = fmean(values)
    return fmean((value - mean) ** 2 for value in values)


def of_update(
    is_critique: Sequence[bool], tokens: Sequence[float], advantages: Sequence[float], size: int
) -> dict[str, float]:
    """The groups of `size` rows that count in an update, by kind, and how much of it critiques are: of these groups, of the
    tokens of the loss, of the sum of |advantage|.

    tokens: of the loss, for each row; 0 where a row was left out of it, and a group counts where a row of it does.
    """
    kept = [float(max(tokens[start : start + size]) > 0) for start in range(0, len(tokens), size)]
    of_critiques = list(is_critique[::size])
    found = {
        f"{kind}/groups_kept": math.fsum(one for one, other in zip(kept, of_critiques, strict=True) if other is is_kind)
        for kind, is_kind in ((SOLVE, False), (CRITIQUE, True))
        if is_kind in of_critiques
    }
    for name, values, of in (
        ("groups", kept, of_critiques),
        ("tokens", list(tokens), list(is_critique)),
        ("advantage", [abs(one) for one in advantages], list(is_critique)),
    ):
        if math.fsum(values) > 0:
            found[f"critique_share/{name}"] = _share(values, of)
    return found


def _share(values: Sequence[float], of: Iterable[bool]) -> float:
    return math.fsum(value for value, one in zip(values, of, strict=True) if one) / math.fsum(values)


def held_out(completions: Sequence[Completion], samples: int = 1) -> dict[str, Any]:
    """What answers on held-out rows come to: the share of right ones of each kind, over n rows of `samples` answers each, with
    its 95 % interval (Wilson, over rows). Undecided answers are in no share.
    """
    critiques = [one for one in completions if one.kind == CRITIQUE]
    solves = [one for one in completions if one.kind == SOLVE and one.pass_rate is not None]
    found: dict[str, Any] = {}
    for name, values in (
        ("verdict_accuracy", [float(one.right) for one in critiques]),
        ("verdict_accuracy_on_true", [float(one.right) for one in critiques if one.truth]),
        ("verdict_accuracy_on_false", [float(one.right) for one in critiques if one.truth is False]),
        ("conclusions_missing", [float(one.concluded == "missing") for one in critiques]),
        ("pass_rate", [float(one.pass_rate or 0.0) for one in solves]),
        ("solved", [float(one.right) for one in solves]),
        ("undecided", [float(one.kind == SOLVE and one.pass_rate is None) for one in completions]),
    ):
        if values:
            value, n = fmean(values), max(1, round(len(values) / samples))
            low, high = wilson(value, n)
            found[name] = {"value": value, "low": low, "high": high, "n": n}
    return found
