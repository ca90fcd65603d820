"""What `--dry-run` says of supervised arms, of budgets that are measured, and of a weight that bites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip(
    "trl", minversion="1.16", reason="the extra [train] is not installed: no configuration to read"
)
pytestmark = pytest.mark.filterwarnings("ignore")

from crl_train.forecast import forecast, text_of  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.run import load_tokenizer, prepared  # noqa: E402
from crl_train.supervised import shown_of  # noqa: E402

Recipe = Callable[..., Path]


@pytest.fixture
def told(recipe: Recipe, tiny: Path) -> Callable[..., tuple[dict[str, Any], str]]:
    def told(**changes: Any) -> tuple[dict[str, Any], str]:
        said = {"model_name_or_path": str(tiny / "model"), **changes}
        found = forecast(load_job(recipe("forecast", **said), on_processor=True))
        return found, text_of(found)

    return told


@pytest.fixture(scope="session")
def warm(tiny: Path) -> Path:
    """A recipe needs a model's name alone here."""
    return tiny / "model"


@pytest.mark.parametrize("arm", ["cft", "cgd", "sft"])
def test_a_supervised_arm_has_its_rows_updates_tokens_and_memory(
    arm: str, told: Any, recipe: Recipe, tiny: Path
) -> None:
    said = {"arm": arm, "demonstrations": str(tiny / "demonstrations.jsonl"), "num_train_epochs": 3}
    found, text = told(**said)
    job = load_job(recipe("shown", **said), on_processor=True)
    tokenizer = load_tokenizer(job)
    shown = shown_of(job, tokenizer, prepared(job, tokenizer).kept_back)
    steps, n = found["steps"], len(shown.rows)
    assert found["rows"]["train"] == {arm: n} and steps["rows"] == n
    assert steps["updates_an_epoch"] == -(-n // 16) and steps["updates"] == 3 * steps["updates_an_epoch"]
    assert steps["teacher_tokens"] == shown.teacher_tokens and (shown.teacher_tokens > 0) is (arm != "sft")
    row = shown.rows[0]
    assert 0 < len(tokenizer(row["completion"][-1]["content"])["input_ids"]) < steps["longest_row"] <= 64
    assert steps["tokens"] == pytest.approx(steps["updates"] * 16 * steps["tokens_a_row"], rel=0.01)
    assert found["memory"]["known"] and found["memory"]["ways"][0]["zero_stage"] == 0
    assert f"{n:,} texts to imitate" in text and "memory a device, by arithmetic, nothing spread" in text


@pytest.mark.parametrize(
    ("budget", "updates"), [({"updates": 7}, 7), ({"prompts": 33}, 3), ({"gpu_seconds": 9}, None)], ids=str
)
def test_the_budget_of_a_supervised_arm_is_its_bound(budget: Any, updates: int | None, told: Any) -> None:
    found, text = told(arm="cft", budget=budget)
    assert found["steps"]["updates"] == updates
    assert ("until the budget of 9 gpu seconds is used" in text) is (updates is None)


@pytest.mark.parametrize("unit", ["gpu_seconds", "generated_tokens"])
def test_a_budget_that_is_measured_makes_no_number_of_updates(unit: str, told: Any) -> None:
    found, text = told(budget={unit: 5000})
    assert found["steps"]["updates"] is None and found["steps"]["open_budget"] == {unit: 5000}
    assert f"until the budget of 5,000 {unit.replace('_', ' ')} is used; no number of updates is the bound" in text
    assert "10,000,000" not in text
    assert ("5,000 tokens are generated" in text) is (unit == "generated_tokens")


def test_phases_bound_a_budget_that_is_measured(told: Any) -> None:
    phases = [{"until": {"steps": 3}}, {"until": {"steps": 4, "plateau": {}}, "max_completion_length": 6}]
    found, text = told(budget={"gpu_seconds": 5000}, phases=phases)
    assert found["steps"]["updates"] == 7 and [one["updates"] for one in found["steps"]["phases"]] == [3, 4]
    assert found["steps"]["most_generated_tokens"] == 3 * 16 * 12 + 4 * 16 * 6
    assert "7 updates at most" in text


@pytest.mark.parametrize(
    ("said", "bites"),
    [
        ({}, False),
        ({"multi_objective_aggregation": "normalize_then_sum"}, True),
        ({"scale_rewards": "none"}, True),
        ({"scale_rewards": "batch"}, True),
        ({"critique_weight_mode": "advantage"}, True),
        ({"critique_weight_mode": "batch"}, True),
    ],
    ids=str,
)
def test_whether_a_weight_changes_an_update_is_told(said: dict[str, Any], bites: bool, told: Any) -> None:
    found, text = told(phases=[{"critique_weight": 0.5}], **said)
    assert found["steps"]["critique_weight_bites"] is bites
    assert ("critique_weight changes nothing here" in text) is not bites


def test_defaults_on_which_the_scripts_say_something_are_told(told: Any) -> None:
    found, _ = told()
    sources = {one["name"]: one["source"] for one in found["settings"]}
    assert sources["weight_decay"] == "default (scripts: 0.01)"
    assert sources["max_grad_norm"] == "default (scripts)"
    assert sources["refill_limit"] == "default (scripts: None)"
    assert sources["chat_template_kwargs.enable_thinking"] == "default (paper: True)"
