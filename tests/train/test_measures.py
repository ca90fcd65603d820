"""What a step tells, against numbers that were worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_train.measures import Completion, held_out, of_groups, of_update

NAN = math.nan


def solve(reward: float, tokens: int = 4, **more: Any) -> Completion:
    known = {"pass_rate": None if math.isnan(reward) else reward, "right": reward == 1, **more}
    return Completion(kind=SOLVE, reward=reward, tokens=tokens, **known)


def critique(truth: bool, concluded: str, tokens: int = 4, **more: Any) -> Completion:
    right = concluded == ("T" if truth else "F")
    return Completion(
        kind=CRITIQUE, reward=float(right), tokens=tokens, right=right, truth=truth, concluded=concluded, **more
    )


STEP = [
    *(solve(0.5), solve(1.0, tokens=10, cut=True)),  # differ
    *(solve(1.0), solve(1.0)),  # all right
    *(solve(0.5), solve(0.5)),  # all the same, and not right
    *(solve(NAN), solve(0.0)),  # nothing to compare
    *(critique(True, "T", 2), critique(True, "missing", 6)),
    *(critique(False, "F", own=True), critique(False, "F", own=True)),
]


def test_groups_are_counted_by_what_they_tell() -> None:
    found = of_groups(STEP, 2)
    assert {name.split("/")[1]: value for name, value in found.items() if "solve/groups" in name} == {
        "groups_undecided": 1,
        "groups_all_right": 1,
        "groups_all_wrong": 1,
        "groups_that_differ": 1,
    }
    assert (found["critique/groups_that_differ"], found["critique/groups_all_right"]) == (1, 1)
    assert (found["solve/prompts"], found["critique/prompts"]) == (4, 2)


def test_rewards_have_a_mean_and_a_variance_within_and_between_groups() -> None:
    found = of_groups(STEP, 2)
    assert found["solve/reward_mean"] == pytest.approx((0.5 + 1 + 1 + 1 + 0.5 + 0.5 + 0) / 7)
    assert found["solve/reward_variance_within"] == pytest.approx((0.0625 + 0 + 0 + 0) / 4)
    means = [0.75, 1.0, 0.5, 0.0]
    mean = sum(means) / 4
    assert found["solve/reward_variance_between"] == pytest.approx(sum((one - mean) ** 2 for one in means) / 4)


def test_lengths_are_told_of_right_and_of_wrong_answers() -> None:
    found = of_groups(STEP, 2)
    assert found["solve/tokens_of_right"] == pytest.approx((10 + 4 + 4) / 3)
    assert found["solve/tokens_of_wrong"] == 4
    assert found["critique/tokens_of_right"] == pytest.approx((2 + 4 + 4) / 3)
    assert found["critique/tokens_of_wrong"] == 6
    assert found["solve/cut"] == 1 / 8


def test_critiques_are_told_by_truth_and_by_whose_solution_they_are_about() -> None:
    found = of_groups(STEP, 2)
    assert found["critique/accuracy_on_true"] == 0.5
    assert found["critique/accuracy_on_false"] == 1.0
    assert found["critique/accuracy_on_own"] == 1.0
    assert found["critique/accuracy_on_foreign"] == 0.5


def test_a_kind_that_is_not_there_is_not_told() -> None:
    assert not any(name.startswith("critique") for name in of_groups([solve(1.0), solve(0.0)], 2))
    undecided = of_groups([solve(NAN), solve(NAN)], 2)
    assert undecided["solve/groups_undecided"] == 1
    assert "solve/reward_mean" not in undecided


def test_the_share_of_an_update_is_of_groups_of_tokens_and_of_advantage() -> None:
    kinds = [True, True, False, False, False, False, False, False]
    found = of_update(kinds, [2, 0, 10, 10, 8, 0, 0, 0], [0.5, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 2)
    assert found == {
        "solve/groups_kept": 2,
        "critique/groups_kept": 1,
        "critique_share/groups": 1 / 3,
        "critique_share/tokens": 2 / 30,
        "critique_share/advantage": 0.5 / 2.5,
    }
    nothing = {"solve/groups_kept": 0, "critique/groups_kept": 0}
    assert of_update([True, True, False, False], [0] * 4, [0.0] * 4, 2) == nothing
    assert "critique/groups_kept" not in of_update([False, False], [1, 1], [0.0, 0.0], 2)


def test_held_out_answers_are_shares_over_rows_and_undecided_ones_are_in_none() -> None:
    answers = [critique(True, "T"), critique(True, "F"), critique(False, "F"), critique(False, "missing")]
    found = held_out([*answers, solve(1.0), solve(0.5), solve(NAN), solve(0.0)], samples=1)
    assert {name: one["value"] for name, one in found.items()} == {
        "verdict_accuracy": 0.5,
        "verdict_accuracy_on_true": 0.5,
        "verdict_accuracy_on_false": 0.5,
        "conclusions_missing": 0.25,
        "pass_rate": 0.5,
        "solved": pytest.approx(1 / 3),
        "undecided": 1 / 8,
    }
    assert found["pass_rate"]["n"] == 3
    assert found["verdict_accuracy"]["low"] < 0.5 < found["verdict_accuracy"]["high"]


def test_more_answers_a_row_make_no_more_rows() -> None:
    answers = [critique(True, "T")] * 6 + [critique(True, "F")] * 2
    once, twice = held_out(answers, samples=1), held_out(answers, samples=2)
    assert (once["verdict_accuracy"]["n"], twice["verdict_accuracy"]["n"]) == (8, 4)
    assert once["verdict_accuracy"]["value"] == twice["verdict_accuracy"]["value"] == 0.75
    assert twice["verdict_accuracy"]["low"] < once["verdict_accuracy"]["low"]
