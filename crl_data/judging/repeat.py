"""Judging a solution several times: what a program makes random by itself (time, ids, addresses) shows, and ends undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crl_data.types import Judgement


def merged(judgements: Sequence[Judgement]) -> Judgement:
    """One judgement of several of the same solution: the first, or an undecided one where the outcomes of a test differ."""
    first = judgements[0]
    differing = [
        place
        for place, outcomes in enumerate(zip(*(one.outcomes for one in judgements), strict=True))
        if len(set(outcomes)) > 1
    ]
    if not differing:
        return first
    place = differing[0]
    seen = ", ".join(dict.fromkeys(str(one.outcomes[place]) for one in judgements))
    return replace(
        first,
        verdict=None,
        pass_rate=None,
        n_inconclusive=first.n_inconclusive + len(differing),
        n_passed=sum(all(one.outcomes[place] == "passed" for one in judgements) for place in range(first.n_tests)),
        reason=f"not the same every time: test {place + 1} was {seen} in {len(judgements)} runs"
        + (f", and {len(differing) - 1} others differ" if len(differing) > 1 else ""),
    )
