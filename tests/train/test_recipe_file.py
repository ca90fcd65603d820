"""A training recipe as a file: our keys and TRL's in one mapping, read by TRL's own parser, every fault one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no keys of TRL's")

from crl_data.errors import InputError  # noqa: E402
from crl_train.recipe_file import OURS, Job, known_keys, load_job  # noqa: E402
from tests.train.conftest import write  # noqa: E402

SAID: dict[str, Any] = {
    "dataset": "data",
    "model_name_or_path": "model",
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "num_generations": 4,
    "per_device_train_batch_size": 8,
}


def job(folder: Path, settings: Sequence[str] = (), options: Sequence[str] = (), **said: Any) -> Job:
    whole = {key: value for key, value in {**SAID, **said}.items() if value is not None}
    return load_job(write(folder / "recipe.yaml", whole), settings, options)


def fault(folder: Path, settings: Sequence[str] = (), options: Sequence[str] = (), **said: Any) -> str:
    with pytest.raises(InputError) as caught:
        job(folder, settings, options, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_our_keys_and_trls_are_told_apart(tmp_path: Path) -> None:
    read = job(tmp_path, learning_rate=1e-5, arm="critique-only", attn_implementation="eager")
    assert (read.ours.arm, read.trl.learning_rate, read.model.attn_implementation) == ("critique-only", 1e-5, "eager")
    assert isinstance(read.trl, trl.GRPOConfig)
    assert read.measuring is read.trl
    assert read.said["learning_rate"] == 1e-5
    assert read.folder == tmp_path
    assert read.other_arms == ()


def test_no_key_is_both_ours_and_trls() -> None:
    known = known_keys()
    theirs = known["GRPOConfig"] | known["SFTConfig"] | known["ModelConfig"]
    assert not OURS & theirs


def test_a_number_with_an_exponent_is_a_number(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", SAID)
    path.write_text(path.read_text() + "learning_rate: 2e-6\nadam_beta2: 99e-2\n")
    read = load_job(path)
    assert (read.trl.learning_rate, read.trl.adam_beta2) == (2e-6, 0.99)


# --- over the recipe --------------------------------------------------------------------------------------------------


def test_settings_are_laid_over_nested_keys_and_trls(tmp_path: Path) -> None:
    settings = (
        "phases.0.critique_weight=0.5",
        "budget={updates: 3}",
        "mix.balance=0.4",
        "learning_rate=3e-4",
        "chat_template_kwargs.enable_thinking=true",
        "evaluate.rows=7",
    )
    read = job(tmp_path, settings, phases=[{"until": {"steps": 1}}, {}], mix={"critique_share": 0.3})
    assert [phase.critique_weight for phase in read.ours.phases] == [0.5, 1.0]
    assert read.ours.budget is not None and read.ours.budget.chosen == ("updates", 3)
    assert read.ours.mix.changes() == {"critique_share": 0.3, "balance": 0.4}
    assert read.trl.learning_rate == 3e-4
    assert read.trl.chat_template_kwargs == {"enable_thinking": True}
    assert read.ours.evaluate.rows == 7
    assert read.said["mix"] == {"critique_share": 0.3, "balance": 0.4}


def test_options_in_trls_form_are_over_all_of_it(tmp_path: Path) -> None:
    options = ("--learning_rate", "5e-5", "--loss_type=bnpo", "--use_peft", "--max-completion-length", "99")
    read = job(tmp_path, ("learning_rate=1e-5",), options, loss_type="dapo")
    assert (read.trl.learning_rate, read.trl.loss_type, read.model.use_peft) == (5e-5, "bnpo", True)
    assert read.trl.max_completion_length == 99
    assert read.said["learning_rate"] == 5e-5
    assert read.said["loss_type"] == "bnpo"
    assert read.said["max_completion_length"] == 99


def test_variables_of_the_environment_may_stand_in_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRL_TEST_OF_A_RECIPE", "before")
    job(tmp_path, env={"CRL_TEST_OF_A_RECIPE": 7})
    assert os.environ["CRL_TEST_OF_A_RECIPE"] == "7"
    assert "env: expected variables and their values" in fault(tmp_path, env=[1])


# --- an arm is one switch ---------------------------------------------------------------------------------------------


def test_keys_of_the_other_arms_are_left_out_and_told(tmp_path: Path) -> None:
    read = job(tmp_path, arm="cft", temperature=0.7, max_length=128, supervised={"per_device_train_batch_size": 64})
    assert isinstance(read.trl, trl.SFTConfig)
    assert (read.trl.max_length, read.trl.per_device_train_batch_size) == (128, 64)
    assert {"temperature", "num_generations"} <= set(read.other_arms)
    assert isinstance(read.measuring, trl.GRPOConfig)
    assert read.measuring.temperature == 0.7
    read = job(tmp_path, arm="hybrid", temperature=0.7, max_length=128, supervised={"per_device_train_batch_size": 64})
    assert read.other_arms == ("max_length",)
    assert read.trl.per_device_train_batch_size == 8


def test_a_supervised_arm_is_read_whatever_the_batches_of_the_others_are(tmp_path: Path) -> None:
    read = job(
        tmp_path, arm="cft", generation_batch_size=64, eval_strategy="no", max_steps=5, gradient_accumulation_steps=3
    )
    assert (read.trl.max_steps, read.trl.gradient_accumulation_steps) == (5, 3)


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("lerning_rate", "learning_rate"),
        ("num_generation", "num_generations"),
        ("critique_weight_mod", "critique_weight_mode"),
        ("vllm_gpu_memory_utilisation", "vllm_gpu_memory_utilization"),
    ],
)
def test_a_key_that_is_not_known_names_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    told = fault(tmp_path, **{key: 1})
    assert f"recipe.yaml: {key}: no such key, ours or of TRL {trl.__version__}; did you mean {near!r}?" in told
    assert fault(tmp_path, (f"{key}=1",)).startswith(f"--set {key}: no such key")


def test_a_key_that_trl_renamed_is_told_with_where_to_look(tmp_path: Path) -> None:
    told = fault(tmp_path, kl_coef=0.1)
    assert "kl_coef: no such key" in told
    assert "a key that TRL renamed is in its changelog" in told


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"mix": {"critique_shares": 0.1}}, "mix.critique_shares: no such key; did you mean 'critique_share'?"),
        ({"phases": [{"until": {"step": 1}}, {}]}, "did you mean 'steps'?"),
        ({"budget": {"prompts": 1, "updates": 2}}, "one of prompts, generated_tokens, updates or gpu_seconds"),
        ({"phases": [{}, {}]}, "until in every phase but the last"),
        ({"select": "best"}, "select"),
        ({"arm": "both"}, "arm"),
        ({"dataset": None}, "dataset: expected a value, got nothing"),
        ({"supervised": {"temperature": 1.0}}, None),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"num_generations": "two"}, "num_generations"),
        ({"lr_scheduler_type": "wobbly"}, "wobbly"),
        ({"save_strategy": "sometimes"}, "sometimes"),
        ({"per_device_train_batch_size": 6}, "generation_batch_size (6) must be divisible by num_generations (4)"),
        ({"generation_batch_size": 12}, "must be divisible by"),
        ({"generation_batch_size": 16, "steps_per_generation": 2}, "can not be both configured"),
        ({"model_name_or_path": None}, "model_name_or_path: expected a model, got nothing"),
        ({"arm": "cft", "supervised": {"epochs": 1}}, "supervised.epochs: no such key of TRL's SFTConfig"),
        ({"auto_find_batch_size": True}, "auto_find_batch_size"),
        ({"learning_rate": [1, 2]}, None),
        ({"num_generations": {"a": 1}}, None),
    ],
)
def test_what_is_refused_is_one_line(tmp_path: Path, said: dict[str, Any], match: str | None) -> None:
    if match is None:
        try:
            job(tmp_path, **said)
        except InputError as error:
            assert "\n" not in str(error)
        return
    assert match in fault(tmp_path, **said)


def test_a_fault_in_a_setting_names_the_setting_and_one_in_the_file_its_line(tmp_path: Path) -> None:
    assert fault(tmp_path, ("mix.balance=2",)).startswith("--set mix.balance: mix.balance: expected")
    path = tmp_path / "lines.yaml"
    path.write_text("dataset: d\nmodel_name_or_path: m\nmix:\n  balance: 7\n")
    with pytest.raises(InputError, match=r"lines\.yaml:4: mix\.balance: expected"):
        load_job(path)


def test_an_option_that_is_none_names_the_nearest(tmp_path: Path) -> None:
    assert "--lerning_rate: no such option; did you mean 'learning_rate'?" in fault(
        tmp_path, options=("--lerning_rate", "1")
    )
    assert "learning_rate" in fault(tmp_path, options=("--learning_rate", "fast"))


def test_what_is_no_recipe_is_told(tmp_path: Path) -> None:
    for name, text in (("list.yaml", "[1, 2]"), ("broken.yaml", "a: [1"), ("twice.yaml", "dataset: a\ndataset: b")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            load_job(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        load_job(tmp_path / "nowhere.yaml")


def test_a_loss_is_the_policys_and_a_supervised_arm_has_its_own(tmp_path: Path) -> None:
    read = job(tmp_path, arm="cft", loss_type="dapo")
    assert read.trl.loss_type == "nll"
    assert "loss_type" in read.other_arms
    read = job(tmp_path, arm="cft", loss_type="dapo", supervised={"loss_type": "dft"})
    assert read.trl.loss_type == "dft"
    assert read.measuring.loss_type == "dapo"
