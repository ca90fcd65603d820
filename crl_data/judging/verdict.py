"""The verdict: what the outcomes of all tests of a problem say about a solution. Nothing is run here.

The verdict is drawn from an interval. Of n tests, some passed and some are inconclusive (nobody can say what they would
have been); the share that passes lies in [passed, passed + inconclusive] / n. Lower end over the threshold: True. Upper
end not over it: False. Else null. Compared in whole numbers: `>` below a threshold of 1, "every test" at exactly 1.
The rule of the threshold is the paper's (arXiv 2509.22824: True where the pass rate is over 0.8); the interval is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from crl_data.judging.policy import LimitFrom, Policy, Timeouts
from crl_data.types import Outcome


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict and the counts that it was drawn from. `pass_rate` is None where any test is inconclusive."""

    verdict: bool | None
    n_passed: int
    n_inconclusive: int
    pass_rate: float | None


def decide(outcomes: Sequence[Outcome], policy: Policy, limit_from: LimitFrom) -> Decision:
    """The verdict on these outcomes, one for each test of the problem, in any order."""
    n = len(outcomes)
    passed = sum(outcome is Outcome.PASSED for outcome in outcomes)
    undecided = inconclusive(outcomes, policy, limit_from)
    return Decision(
        verdict=settled(passed, undecided, n, policy.threshold),
        n_passed=passed,
        n_inconclusive=undecided,
        pass_rate=None if undecided or not n else passed / n,
    )


def inconclusive(outcomes: Sequence[Outcome], policy: Policy, limit_from: LimitFrom) -> int:
    """How many tests could be a pass or a failure for all we know.

    Judge errors always; time-outs where the limit is not evidence; what was not run because the verdict was settled. What
    was not run because `max_timeouts` were believed counts as time-outs.
    """
    timeouts = sum(outcome is Outcome.TIMEOUT for outcome in outcomes)
    not_run = sum(outcome is Outcome.NOT_RUN for outcome in outcomes)
    errors = sum(outcome is Outcome.JUDGE_ERROR for outcome in outcomes)
    if timeouts >= policy.max_timeouts:
        timeouts, not_run = timeouts + not_run, 0
    return errors + not_run + (0 if timeouts_fail(policy, limit_from) else timeouts)


def timeouts_fail(policy: Policy, limit_from: LimitFrom) -> bool:
    """Whether a time-out is a failure: see `Timeouts`."""
    if policy.timeouts is Timeouts.AUTO:
        return limit_from is LimitFrom.REFERENCE
    return policy.timeouts is Timeouts.FAIL


def settled(passed: int, undecided: int, n: int, threshold: float) -> bool | None:
    """The verdict where `passed` of `n` tests passed and `undecided` could still be either; None while it is open."""
    if _over(passed, n, threshold):
        return True
    return None if _over(passed + undecided, n, threshold) else False


def _over(passed: int, n: int, threshold: float) -> bool:
    if threshold == 1:
        return passed == n
    share = _fraction(threshold)
    return passed * share.denominator > share.numerator * n


@cache
def _fraction(threshold: float) -> Fraction:
    """The threshold as it was written down: 0.8 is four fifths."""
    return Fraction(repr(threshold))
