"""Judging a solution several times: what differs ends undecided, what does not stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.judging import Judge, LimitFrom, Policy, Timeouts
from crl_data.judging.repeat import merged
from crl_data.judging.verdict import decide
from crl_data.types import Judgement, Outcome
from tests.conftest import SUM, code

POLICY = Policy(timeouts=Timeouts.INCONCLUSIVE)


def judgement(*outcomes: Outcome, policy: Policy = POLICY) -> Judgement:
    """What a judge would say of these outcomes."""
    decision = decide(outcomes, policy, LimitFrom.DEFAULT)
    return Judgement(
        problem_id="p",
        solution_id="s",
        verdict=decision.verdict,
        pass_rate=decision.pass_rate,
        n_tests=len(outcomes),
        n_passed=sum(outcome is Outcome.PASSED for outcome in outcomes),
        n_inconclusive=decision.n_inconclusive,
        outcomes=outcomes,
        limit_from="default",
        tamper_proof=True,
        isolation="batch",
        reason="first",
        seconds=1.0,
    )


P, W, T = Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.TIMEOUT
RUNS = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.lists(st.sampled_from(list(Outcome)), min_size=n, max_size=n), min_size=1, max_size=4)
)


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=8), st.integers(1, 4))
def test_runs_that_agree_are_one(outcomes: list[Outcome], times: int) -> None:
    one = judgement(*outcomes)
    assert merged([one] * times) == one


@given(RUNS)
def test_counts_are_those_of_the_tests_whatever_differs(runs: list[list[Outcome]]) -> None:
    whole = merged([judgement(*outcomes) for outcomes in runs])
    differing = [len(set(outcomes)) > 1 for outcomes in zip(*runs, strict=True)]
    always = sum(set(outcomes) == {P} for outcomes in zip(*runs, strict=True))
    assert whole.n_tests == len(runs[0]) and whole.n_passed == always
    assert sum(differing) <= whole.n_inconclusive
    assert whole.n_passed + whole.n_inconclusive <= whole.n_tests
    assert [outcome is Outcome.NOT_RUN for outcome in whole.outcomes] == [
        differs or outcome is Outcome.NOT_RUN for differs, outcome in zip(differing, runs[0], strict=True)
    ]
    if any(differing):
        assert whole.verdict is None and whole.pass_rate is None


@given(RUNS)
def test_the_order_of_runs_after_the_first_decides_nothing(runs: list[list[Outcome]]) -> None:
    first, *others = [judgement(*outcomes) for outcomes in runs]
    one, other = merged([first, *others]), merged([first, *reversed(others)])
    assert (one.verdict, one.pass_rate, one.n_passed, one.n_inconclusive) == (
        other.verdict,
        other.pass_rate,
        other.n_passed,
        other.n_inconclusive,
    )


def test_the_reason_names_the_first_test_that_differs_and_how_often_it_was_run() -> None:
    whole = merged([judgement(P, P, W), judgement(P, W, P), judgement(P, T, W)])
    assert (
        whole.reason
        == "not the same every time: 3 runs of test 2 differ: passed, wrong answer, timeout; so do those of 1 other test"
    )
    assert "other test" not in merged([judgement(P, W), judgement(P, P)]).reason


def test_a_test_that_differs_and_was_undecided_is_counted_once() -> None:
    assert merged([judgement(T), judgement(P)]).n_inconclusive == 1
    assert merged([judgement(T, T), judgement(P, T)]).n_inconclusive == 2


def test_runs_of_other_lengths_are_no_runs_of_one_solution() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        merged([judgement(P), judgement(P, P)])


def test_a_program_that_is_random_by_itself_is_undecided_and_another_is_not(judge: Judge) -> None:
    """A coin is thrown by the clock: every run of the judge sees other sides of it."""
    coin = "import os\na, b = map(int, input().split())\nprint(a + b + os.urandom(1)[0] // 128 * (a == 10))\n"
    seen = [judge.judge(SUM, code(f"# {n}\n{coin}")) for n in range(1, 13)]
    assert merged(seen).verdict is None and "not the same every time" in merged(seen).reason
    steady = code("import random\na, b = map(int, input().split())\nrandom.random()\nprint(a + b)\n")
    assert merged([judge.judge(SUM, steady) for _ in range(3)]).verdict is True
