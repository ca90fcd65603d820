"""The verdict from the interval of what could be true: design.md, "What a verdict means"."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.judging import LimitFrom, Policy, Timeouts
from crl_data.judging.verdict import decide, settled
from crl_data.types import Outcome

P, W, R, T, N, J = (
    Outcome.PASSED,
    Outcome.WRONG_ANSWER,
    Outcome.RUNTIME_ERROR,
    Outcome.TIMEOUT,
    Outcome.NOT_RUN,
    Outcome.JUDGE_ERROR,
)
REF, DEFAULT = LimitFrom.REFERENCE, LimitFrom.DEFAULT


@pytest.mark.parametrize(
    ("outcomes", "policy", "limit_from", "verdict", "pass_rate", "inconclusive"),
    [
        ([P] * 5, Policy(), DEFAULT, True, 1.0, 0),
        ([P] * 4 + [W], Policy(), DEFAULT, False, 0.8, 0),  # exactly the threshold is not over it
        ([P] * 5 + [W], Policy(), DEFAULT, True, 5 / 6, 0),
        ([P] * 5 + [W], Policy(threshold=1.0), DEFAULT, False, 5 / 6, 0),
        ([P] * 5, Policy(threshold=1.0), DEFAULT, True, 1.0, 0),
        ([R] * 5, Policy(), DEFAULT, False, 0.0, 0),
        ([P] * 4 + [T], Policy(), REF, False, 0.8, 0),
        ([P] * 4 + [T], Policy(), DEFAULT, None, None, 1),
        ([P] * 4 + [T], Policy(), LimitFrom.PROBLEM, None, None, 1),
        ([P] * 4 + [T], Policy(timeouts=Timeouts.FAIL), DEFAULT, False, 0.8, 0),
        ([P] * 4 + [T], Policy(timeouts=Timeouts.INCONCLUSIVE), REF, None, None, 1),
        ([P] * 9 + [T], Policy(), DEFAULT, True, None, 1),  # true whatever the last one is
        ([P] * 3 + [W, W, T], Policy(), DEFAULT, False, None, 1),  # false whatever the last one is
        (
            [P, T, T, N, N],
            Policy(),
            REF,
            False,
            0.2,
            0,
        ),  # what was not run after too many time-outs counts as time-outs
        ([P, T, T, N, N], Policy(), DEFAULT, None, None, 4),
        ([P] * 5 + [N], Policy(early_stop=True), REF, True, None, 1),
        ([W, W, N, N], Policy(early_stop=True), REF, False, None, 2),
        ([J] * 5, Policy(timeouts=Timeouts.FAIL), REF, None, None, 5),  # a fault of ours is never a verdict
        ([P] * 4 + [J], Policy(timeouts=Timeouts.FAIL), REF, None, None, 1),
        ([W] * 4 + [J], Policy(), REF, False, None, 1),
        ([P], Policy(), DEFAULT, True, 1.0, 0),
        ([W], Policy(), DEFAULT, False, 0.0, 0),
    ],
)
def test_the_verdict_is_drawn_from_the_interval(
    outcomes: list[Outcome],
    policy: Policy,
    limit_from: LimitFrom,
    verdict: bool | None,
    pass_rate: float | None,
    inconclusive: int,
) -> None:
    decision = decide(outcomes, policy, limit_from)
    assert (decision.verdict, decision.pass_rate, decision.n_inconclusive) == (verdict, pass_rate, inconclusive)


THRESHOLDS = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])


@given(st.integers(1, 60), st.data(), THRESHOLDS)
def test_a_verdict_is_what_every_completion_says(n: int, data: st.DataObject, threshold: float) -> None:
    """True exactly where it is True however the undecided tests would have come out; False likewise."""
    passed = data.draw(st.integers(0, n))
    undecided = data.draw(st.integers(0, n - passed))

    def fully_known(count: int) -> bool:
        return count == n if threshold == 1 else Fraction(count, n) > Fraction(str(threshold))

    completions = {fully_known(passed + more) for more in range(undecided + 1)}
    assert settled(passed, undecided, n, threshold) is (completions.pop() if len(completions) == 1 else None)


@given(
    st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=40),
    THRESHOLDS,
    st.sampled_from(list(Timeouts)),
    st.sampled_from(list(LimitFrom)),
)
def test_the_order_of_tests_does_not_matter(
    outcomes: list[Outcome], threshold: float, timeouts: Timeouts, limit_from: LimitFrom
) -> None:
    policy = Policy(threshold=threshold, timeouts=timeouts)
    assert decide(outcomes, policy, limit_from) == decide(outcomes[::-1], policy, limit_from)


def test_a_threshold_that_makes_no_sense_is_refused() -> None:
    for threshold in (0.0, -0.1, 1.01):
        with pytest.raises(ValueError, match="threshold"):
            Policy(threshold=threshold)
