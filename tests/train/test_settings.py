"""Where the value of a setting comes from."""

from __future__ import annotations

from typing import Any

import pytest

from crl_train.settings import PAPER, SCRIPTS, flat, sources_of


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
        ("warmup_steps", 10, "scripts"),
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
        ("weight_decay", 0.1, "ours"),
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
    assert SCRIPTS["completions_per_update"] == 64 * 8
