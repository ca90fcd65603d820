"""The policy's own solutions as critique prompts: share, age, balance, each once, and back from a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.prompts import load_template
from crl_train.onpolicy import Own, OwnSolutions
from crl_train.recipe import OnPolicy

TEMPLATE = load_template("critique", "default", Path())
FOREIGN = {"kind": CRITIQUE, "id": "foreign"}


def solved(place: int, verdict: bool = True, update: int = 0, code: str | None = None) -> Own:
    row = {
        "kind": SOLVE,
        "id": f"p{place}/solve",
        "problem_id": f"p{place}",
        "question": f"question {place}",
        "test_kind": "stdin",
        "tests": [{"input": "1", "expected": "1"}],
        "verdict": None,
        "solution": None,
    }
    return Own(
        row=row,
        id=f"p{place}/policy-{update}",
        code=code or f"print({place})",
        verdict=verdict,
        pass_rate=1.0 if verdict else 0.25,
        update=update,
    )


def own(seed: int = 0, **settings: Any) -> OwnSolutions:
    return OwnSolutions(OnPolicy(**{"share": 1.0, "max_age": 2, **settings}), TEMPLATE, seed)


def test_a_solution_comes_back_as_a_critique_prompt_with_its_verdict() -> None:
    ours = own(balance=None)
    ours.add([solved(1, verdict=False, update=3)])
    row = ours.in_place_of(FOREIGN, 4)
    assert (row["kind"], row["verdict"], row["pass_rate"]) == (CRITIQUE, False, 0.25)
    assert (row["solution"], row["solution_id"], row["problem_id"]) == ("print(1)", "p1/policy-3", "p1")
    assert "print(1)" in row["prompt"][0]["content"] and "question 1" in row["prompt"][0]["content"]
    assert row["prompt_template"] == TEMPLATE.label
    assert row["sampler"]["name"] == "policy"
    assert row["tests"] == [{"input": "1", "expected": "1"}]


def test_each_is_asked_about_once_and_of_the_same_code_one_is_kept() -> None:
    ours = own(balance=None)
    ours.add([solved(1), solved(1), solved(2, code="x")])
    ours.add([solved(1)])
    assert len(ours) == 2
    asked = [ours.in_place_of(FOREIGN, 0)["id"] for _ in range(3)]
    assert sorted(asked) == ["foreign", "p1/policy-0/critique", "p2/policy-0/critique"]
    assert ours.asked == 2


@pytest.mark.parametrize(("update", "is_young"), [(3, True), (5, True), (6, False)])
def test_a_solution_that_is_too_old_is_let_go(update: int, is_young: bool) -> None:
    ours = own(balance=None, max_age=2)
    ours.add([solved(1, update=3)])
    assert (ours.in_place_of(FOREIGN, update) is not FOREIGN) is is_young
    assert ours.too_old == (0 if is_young else 1)
    assert len(ours) == 0


def test_a_prompt_that_would_be_too_long_is_not_asked() -> None:
    ours = OwnSolutions(
        OnPolicy(share=1.0, balance=None), TEMPLATE, 0, lambda prompt: "x" * 99 not in prompt[0]["content"]
    )
    ours.add([solved(1, code="x" * 99), solved(2), solved(3, code="x" * 100)])
    assert [ours.in_place_of(FOREIGN, 0)["id"] for _ in range(2)] == ["p2/policy-0/critique", "foreign"]
    assert (ours.asked, ours.too_long, len(ours)) == (1, 2, 0)
    assert ours.state()["too_long"] == 2


def test_the_share_is_of_critique_prompts() -> None:
    ours = own(share=0.3, balance=None)
    ours.add([solved(place) for place in range(1000)])
    taken = sum(ours.in_place_of(FOREIGN, 0) is not FOREIGN for _ in range(1000))
    assert 250 < taken < 350


@pytest.mark.parametrize("balance", [0.5, 0.25])
def test_the_balance_is_kept_whatever_the_policy_writes(balance: float) -> None:
    ours = own(balance=balance)
    ours.add([solved(place, verdict=place % 10 == 0) for place in range(2000)])
    verdicts = [row["verdict"] for _ in range(200) if (row := ours.in_place_of(FOREIGN, 0)) is not FOREIGN]
    assert sum(verdicts) / len(verdicts) == pytest.approx(balance, abs=0.01)


def test_where_no_solution_has_the_wanted_verdict_a_foreign_one_is_asked_about() -> None:
    ours = own(balance=0.5)
    ours.add([solved(place, verdict=False) for place in range(5)])
    assert ours.in_place_of(FOREIGN, 0) is FOREIGN  # a right one is wanted first
    assert ours.asked == 0


def test_what_is_kept_comes_back_from_a_checkpoint() -> None:
    ours = own(share=0.5)
    ours.add([solved(place, verdict=place % 2 == 0, update=place % 3) for place in range(50)])
    for _ in range(10):
        ours.in_place_of(FOREIGN, 2)
    again = own(seed=9, share=0.5)
    again.load(json.loads(json.dumps(ours.state())))
    assert len(again) == len(ours)
    assert [again.in_place_of(FOREIGN, 2) for _ in range(20)] == [ours.in_place_of(FOREIGN, 2) for _ in range(20)]
    assert again.state() == ours.state()


def test_a_checkpoint_holds_a_problem_once_however_many_solutions_it_has() -> None:
    ours = own()
    ours.add([solved(1, code=f"print({place})") for place in range(100)])
    assert json.dumps(ours.state()).count("question 1") == 1
