"""What a call of a reward tells the trainer besides its numbers, through TRL's `log_metric` and `log_extra`.

A metric is over the rows of its kind in one call, and is not told where there are none. What each means, docs/rewards.md
says.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from crl_data.types import Judgement, Outcome

LogMetric = Callable[[str, float], object]
LogExtra = Callable[[str, list[object]], object]


def of_critiques(concluded: Sequence[bool | None], truths: Sequence[bool]) -> dict[str, float]:
    """What critiques concluded, beside what is true."""
    n = len(truths)
    if not n:
        return {}
    return {
        "critique/missing_conclusions": concluded.count(None) / n,
        "critique/concluded_true": sum(one is True for one in concluded) / n,
        "critique/is_true": sum(truths) / n,
        "critique/accuracy": sum(one is truth for one, truth in zip(concluded, truths, strict=True)) / n,
    }


def of_judgements(judgements: Sequence[Judgement | None], undecided: int) -> dict[str, float]:
    """How solutions did on their tests, and how long judging one of them took."""
    n = len(judgements)
    if not n:
        return {}
    known = [one for one in judgements if one is not None]
    rates = [one.pass_rate for one in known if one.pass_rate is not None]
    tests = sum(one.n_tests for one in known)
    found = {
        "solve/inconclusive": undecided / n,
        "solve/passed_all": sum(one.n_passed == one.n_tests for one in known) / n,
    }
    if rates:
        found["solve/pass_rate"] = statistics.mean(rates)
    for outcome in Outcome if tests else ():
        found[f"solve/tests/{outcome}"] = sum(one.outcomes.count(outcome) for one in known) / tests
    if known:
        seconds = sorted(one.seconds for one in known)
        found["solve/judge_seconds_p50"] = _quantile(seconds, 0.5)
        found["solve/judge_seconds_p95"] = _quantile(seconds, 0.95)
    return found


def _quantile(values: Sequence[float], share: float) -> float:
    """The smallest of sorted values that is not below so large a share of them."""
    return values[max(0, -(-int(1000 * share) * len(values) // 1000) - 1)]
