"""Our keys of a training recipe: what each may hold, and what does not fit together."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from crl_train.recipe import Arm, Budget, Command, Phase, Plateau, TrainRecipe, Until

FULL: dict[str, Any] = {
    "dataset": "data",
    "dataset_revision": "main",
    "test_dataset": "test",
    "demonstrations": "rows.jsonl",
    "arm": "hybrid-onpolicy",
    "mix": {"critique_share": 0.2, "pick": "near_miss", "balance": 0.5, "per_problem": 2, "seed": 3},
    "max_prompt_length": 100,
    "phases": [
        {
            "max_completion_length": 16,
            "critique_weight": 0.8,
            "until": {"steps": 3, "epoch_share": 0.5, "plateau": {"window": 2, "gain": 0.0}},
            "data": "restart",
        },
        {},
    ],
    "critique_weight_mode": "advantage",
    "zero_variance": "refill",
    "refill_limit": None,
    "budget": {"gpu_seconds": 1.5},
    "evaluate": {"validation": 5, "every": 2, "rows": 7, "samples": 2, "greedy": False},
    "select": {"command": "score {checkpoint}", "timeout_s": 5},
    "onpolicy": {"share": 1.0, "max_age": 1, "balance": None},
    "prompts": {"shown": "a.jinja", "cgd": "b.jinja"},
    "reward": {"max_tests": 3},
    "rollouts": {"share": 0.0},
    "gradient_norm_every": 10,
    "supervised": {"learning_rate": 1.0},
}


def refused(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        TrainRecipe.model_validate({"dataset": "d", **changes})
    return str(caught.value)


def test_every_key_is_read() -> None:
    read = TrainRecipe.model_validate(FULL)
    assert FULL.keys() >= TrainRecipe.model_fields.keys() - {"processes"}
    assert read.arm is Arm.HYBRID_ONPOLICY
    assert read.phases[0].until == Until(steps=3, epoch_share=0.5, plateau=Plateau(window=2, gain=0.0))
    assert read.phases[1] == Phase()
    assert read.select == Command(command="score {checkpoint}", timeout_s=5)
    assert read.budget is not None and read.budget.chosen == ("gpu_seconds", 1.5)
    assert read.mix.changes() == FULL["mix"]
    assert read.weights == (0.8, 1.0)


def test_a_recipe_that_says_little_keeps_the_datas_mix_and_weighs_nothing() -> None:
    read = TrainRecipe(dataset="d")
    assert (read.mix.changes(), read.weights, read.budget, read.select) == ({}, (1.0,), None, "last")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mix.critique_share", 1.1),
        ("mix.critique_share", -0.1),
        ("mix.pick", "best"),
        ("mix.balance", 0),
        ("mix.per_problem", 0),
        ("max_prompt_length", 0),
        ("phases.0.critique_weight", -1),
        ("phases.0.critique_weight", math.inf),
        ("phases.0.critique_weight", math.nan),
        ("phases.0.max_completion_length", 0),
        ("phases.0.data", "again"),
        ("phases.0.until.steps", 0),
        ("phases.0.until.epoch_share", 0),
        ("phases.0.until.plateau.window", 0),
        ("phases.0.until.plateau.gain", -1),
        ("critique_weight_mode", "loss"),
        ("zero_variance", "skip"),
        ("refill_limit", 0),
        ("budget.prompts", 0),
        ("evaluate.validation", -1),
        ("evaluate.every", 0),
        ("evaluate.rows", 0),
        ("evaluate.samples", 0),
        ("select", "best"),
        ("onpolicy.share", 0),
        ("onpolicy.max_age", 0),
        ("onpolicy.balance", 1),
        ("rollouts.share", 1.5),
        ("gradient_norm_every", 0),
        ("dataset", ""),
        ("arm", "both"),
    ],
)
def test_a_value_out_of_range_is_refused(path: str, value: object) -> None:
    nested: Any = value
    for part in reversed(path.split(".")):
        nested = [nested] if part == "0" else {part: nested}
    assert path.split(".")[0] in refused(**nested)


@pytest.mark.parametrize("name", ["mix", "phases", "budget", "evaluate", "onpolicy", "prompts", "rollouts"])
def test_a_key_that_is_not_known_is_refused_at_every_depth(name: str) -> None:
    inner: Any = {"typo": 1}
    assert "Extra inputs" in refused(**{name: [inner] if name == "phases" else inner})


@pytest.mark.parametrize(
    "budget", [{}, {"prompts": 1, "updates": 1}, {"prompts": None}, {"prompts": None, "updates": None}]
)
def test_a_budget_is_of_one_unit(budget: dict[str, Any]) -> None:
    assert "one of prompts, generated_tokens, updates or gpu_seconds" in refused(budget=budget)


def test_a_unit_that_is_null_is_none() -> None:
    assert Budget(prompts=3, updates=None).chosen == ("prompts", 3.0)


def test_every_phase_but_the_last_says_when_it_is_over() -> None:
    assert "until in every phase but the last" in refused(phases=[{}, {}])
    assert "one of steps, epoch_share or plateau" in refused(phases=[{"until": {}}, {}])
    TrainRecipe.model_validate({"dataset": "d", "phases": [{"until": {"steps": 1}}, {}]})


def test_sft_needs_demonstrations() -> None:
    assert "demonstrations beside arm: sft" in refused(arm="sft")


@pytest.mark.parametrize("select", ["verdict_accuracy", "pass_rate"])
def test_a_choice_by_validation_needs_validation(select: str) -> None:
    assert "evaluate.validation beside select" in refused(select=select)
    for validation in (5, "other/dataset"):
        TrainRecipe.model_validate({"dataset": "d", "select": select, "evaluate": {"validation": validation}})


def test_only_three_arms_are_supervised() -> None:
    assert {arm.value for arm in Arm if arm.is_supervised} == {"cft", "cgd", "sft"}
