"""Judging a solution several times: what a program makes random by itself (time, ids, addresses) shows, and ends undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crl_data.types import Judgement, Outcome


def merged(judgements: Sequence[Judgement]) -> Judgement:
    """One judgement of several of the same solution: the first, or an undecided one where the outcomes of a test differ.

    A test whose outcome differs is `not_run` in it: nobody can say what its outcome is.
    """
    first = judgements[0]
    differing = [
        place
        for place, outcomes in enumerate(zip(*(one.outcomes for one in judgements), strict=True))
        if len(set(outcomes)) > 1
    ]
    if not differing:
        return first
    outcomes = list(first.outcomes)
    for place in differing:
        outcomes[place] = Outcome.NOT_RUN
    undecided = _undecided_in(first)
    place = differing[0]
    seen = ", ".join(dict.fromkeys(one.outcomes[place].replace("_", " ") for one in judgements))
    others = len(differing) - 1
    return replace(
        first,
        verdict=None,
        pass_rate=None,
        n_passed=outcomes.count(Outcome.PASSED),
        n_inconclusive=len(differing)
        + sum(outcome in undecided for test, outcome in enumerate(outcomes) if test not in differing),
        outcomes=tuple(outcomes),
        reason=f"not the same every time: {len(judgements)} runs of test {place + 1} differ: {seen}"
        + (f"; so do those of {others} other test{'s' * (others > 1)}" if others else ""),
    )


def _undecided_in(judgement: Judgement) -> set[Outcome]:
    """The outcomes that were inconclusive for this judgement's policy: judge errors always, the others by its count."""
    for kinds in (
        {Outcome.JUDGE_ERROR, Outcome.NOT_RUN, Outcome.TIMEOUT},
        {Outcome.JUDGE_ERROR, Outcome.NOT_RUN},
    ):
        if sum(outcome in kinds for outcome in judgement.outcomes) == judgement.n_inconclusive:
            return kinds
    return {Outcome.JUDGE_ERROR}
