"""What each arm trains on, out of a real build."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.prompts import load_template
from crl_train.arms import NO_MODEL, changes_for, keeps, mix_for
from crl_train.data import Corpus, load_corpus
from crl_train.recipe import Arm, TrainRecipe

SHOWN = load_template("shown", "default", Path())


def corpus(demo: Path, arm: str, seed: int = 0, **more: Any) -> Corpus:
    mix = {"critique_share": 0.5, **more.pop("mix", {})}
    return load_corpus(TrainRecipe(dataset=str(demo), arm=arm, mix=mix, **more), Path(), seed)  # type: ignore[arg-type]


def ids(found: Corpus) -> list[str]:
    return [row["id"] for row in found.train.columns("id")]


def kinds(found: Corpus) -> Counter[str]:
    return Counter(row["kind"] for row in found.train.columns("kind"))


def test_solve_only_and_critique_only_have_nothing_else_and_as_many_prompts(demo: Path) -> None:
    solve, critique, hybrid = (corpus(demo, arm) for arm in ("solve-only", "critique-only", "hybrid"))
    assert kinds(solve).keys() == {SOLVE}
    assert kinds(critique).keys() == {CRITIQUE}
    assert len(solve.train) == len(hybrid.train) >= len(critique.train) > len(hybrid.train) / 2


def test_solve_80_is_the_hybrid_without_its_critique_records(demo: Path) -> None:
    hybrid, without = corpus(demo, "hybrid"), corpus(demo, "solve-80")
    kept = [row["id"] for row in hybrid.train.columns("id", "kind") if row["kind"] == SOLVE]
    assert ids(without) == kept
    assert without.dropped["not of the arm solve-80"] == len(hybrid.train) - len(kept) > 0


def test_shuffled_verdicts_are_those_of_the_hybrid_permuted(demo: Path) -> None:
    hybrid, shuffled = corpus(demo, "hybrid"), corpus(demo, "hybrid-shuffled")
    assert ids(shuffled) == ids(hybrid)
    was = [row["verdict"] for row in hybrid.train.columns("verdict")]
    now = [row["verdict"] for row in shuffled.train.columns("verdict")]
    assert Counter(was) == Counter(now)
    assert was != now
    assert [one is None for one in was] == [one is None for one in now]
    assert now == [row["verdict"] for row in shuffled.train]  # whole rows say the same
    assert now == [row["verdict"] for row in corpus(demo, "hybrid-shuffled").train.columns("verdict")]
    rows = [{"kind": CRITIQUE, "verdict": place % 2 == 0} for place in range(40)]
    first, second = (changes_for(Arm.HYBRID_SHUFFLED, rows, seed, SHOWN) for seed in (0, 1))
    assert first != second
    assert first.keys() == set(range(40))


def test_a_shown_solution_is_a_solve_task_with_the_candidate_in_its_prompt(demo: Path) -> None:
    hybrid, shown = corpus(demo, "hybrid"), corpus(demo, "solution-shown")
    assert ids(shown) == ids(hybrid)
    assert shown.counts == {SOLVE: len(hybrid.train)}
    for was, now in zip(hybrid.train, shown.train, strict=True):
        if was["kind"] == SOLVE:
            assert now == was
            continue
        assert was["solution"].strip("\n") in now["prompt"][0]["content"]
        assert was["question"].strip() in now["prompt"][0]["content"]
        assert "\\conclusion" not in now["prompt"][0]["content"]
        assert (now["kind"], now["verdict"], now["solution"], now["tests"]) == (SOLVE, None, None, was["tests"])
        assert now["prompt_template"] == SHOWN.label


def test_mutants_are_no_models_code_and_what_is_measured_on_stays_the_same(demo: Path) -> None:
    hybrid, mutants = corpus(demo, "hybrid"), corpus(demo, "hybrid-mutants")
    written = [(row["sampler"] or {}).get("name") for row in mutants.train if row["kind"] == CRITIQUE]
    assert written
    assert set(written) <= set(NO_MODEL)
    assert hybrid.test is not None and mutants.test is not None
    assert [row["id"] for row in hybrid.test] == [row["id"] for row in mutants.test]


def test_an_arms_own_share_is_over_the_recipes() -> None:
    assert mix_for(Arm.SOLVE_ONLY, {"critique_share": 0.5, "balance": 0.4}) == {"critique_share": 0.0, "balance": 0.4}
    assert mix_for(Arm.CRITIQUE_ONLY, {}) == {"critique_share": 1.0}
    assert mix_for(Arm.SOLVE_80, {"critique_share": 0.2}) == {"critique_share": 0.2}


@pytest.mark.parametrize("arm", list(Arm))
def test_every_arm_keeps_something(arm: Arm) -> None:
    assert keeps(arm, SOLVE) or keeps(arm, CRITIQUE)


def test_a_changed_row_can_be_written_as_json(demo: Path) -> None:
    json.dumps(corpus(demo, "solution-shown").train[0])
