"""Where the value of a setting comes from."""

from __future__ import annotations

from typing import Any

import pytest

from crl_train.settings import COMPLETIONS_AN_UPDATE, PAPER, SCRIPTS, defaults_of, flat, source_of, sources_of


def source(name: str, value: Any) -> str:
    nested: Any = value
    for part in reversed(name.split(".")):
        nested = [nested] if part == "0" else [{}, nested] if part == "1" else {part: nested}
    (found,) = [one for one in sources_of(nested) if one[0] == name]
    assert found[1] == value
    return found[2]


@pytest.mark.parametrize(
    ("name", "value", "from_"),
    [
        ("learning_rate", 1e-6, "paper, scripts"),
        ("learning_rate", 2e-6, "ours (paper: 1e-06; scripts: 1e-06)"),
        ("loss_type", "grpo", "paper"),
        ("loss_type", "dapo", "scripts"),
        ("loss_type", "bnpo", "ours (paper: grpo; scripts: dapo)"),
        ("warmup_steps", 20, "scripts"),
        ("warmup_steps", 10, "ours (scripts: 20)"),
        ("model_name_or_path", "Qwen/Qwen3-4B", "paper, scripts"),
        ("model_name_or_path", "Qwen/Qwen3-8B", "paper"),
        ("model_name_or_path", "m", "ours (paper: Qwen/Qwen3-4B or Qwen/Qwen3-8B; scripts: Qwen/Qwen3-4B)"),
        ("critique_weight_mode", "raw", "paper"),
        ("scale_rewards", "group", "paper, scripts"),
        ("beta", 0.0, "scripts"),
        ("beta", 0.1, "ours (paper: a KL term of unstated weight; scripts: 0.0)"),
        ("phases.0.until.plateau.window", 20, "ours (paper: once rewards have stabilized)"),
        ("gradient_accumulation_steps", 64, "ours (scripts: 512 completions an update)"),
        ("select", "reported-test", "paper"),
        ("select", "last", "ours (paper: reported-test)"),
        ("refill_limit", None, "scripts"),
        ("refill_limit", 8, "ours (scripts: None)"),
        ("phases.0.critique_weight", 0.8, "paper"),
        ("phases.0.critique_weight", 1.0, "scripts"),
        ("phases.1.max_completion_length", 32768, "paper, scripts"),
        ("mix.critique_share", 0.2, "paper"),
        ("chat_template_kwargs.enable_thinking", True, "paper"),
        ("chat_template_kwargs.enable_thinking", 1, "ours (paper: True)"),
        ("num_generations", 8.0, "paper, scripts"),
        ("weight_decay", 0.1, "ours (scripts: 0.01)"),
        ("adam_epsilon", 1e-8, "ours"),
    ],
)
def test_each_setting_says_whose_it_is(name: str, value: Any, from_: str) -> None:
    assert source(name, value) == from_


def test_what_names_files_is_no_setting() -> None:
    said = {"dataset": "d", "output_dir": "o", "run_name": "r", "report_to": "none", "test_dataset": "t", "seed": 1}
    assert [name for name, _, _ in sources_of(said)] == ["seed"]


def test_nested_settings_are_told_by_their_path() -> None:
    said = {"a": {"b": [{"c": 1}, {"c": 2}]}, "d": [1, 2], "e": {}, "f": []}
    assert list(flat(said)) == [("a.b.0.c", 1), ("a.b.1.c", 2), ("d", [1, 2]), ("e", {}), ("f", [])]


def test_what_is_known_of_both_is_told_of_both() -> None:
    assert PAPER["epsilon_high"] == SCRIPTS["epsilon_high"] == 0.3
    assert PAPER["generation_batch_size"] == 128 * 8
    assert COMPLETIONS_AN_UPDATE == 64 * 8


@pytest.mark.parametrize(
    ("processes", "rows", "passes", "from_"),
    [(8, 1, 64, "scripts"), (16, 1, 32, "scripts"), (8, 2, 64, "ours (scripts: 512 completions an update)")],
)
def test_an_update_is_told_by_the_three_keys_that_make_it(processes: int, rows: int, passes: int, from_: str) -> None:
    said = {"processes": processes, "per_device_train_batch_size": rows, "gradient_accumulation_steps": passes}
    assert source_of("gradient_accumulation_steps", passes, said) == from_


def test_what_is_left_to_a_default_and_matters_is_told() -> None:
    values = {
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "optim": "adamw",
        "mix.critique_share": None,
        "seed": 1,
        "beta": 0.1,
    }
    assert list(defaults_of({"beta": 0.1}, values)) == [
        ("mix.critique_share", None, "default (paper: 0.2)"),
        ("weight_decay", 0.0, "default (scripts: 0.01)"),
        ("max_grad_norm", 1.0, "default (scripts)"),
        ("optim", "adamw", "default"),
    ]
