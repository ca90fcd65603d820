"""Where the value of each setting comes from: stated in the paper, found only in the authors' released scripts, or ours.

The paper is arXiv 2509.22824, the scripts are TIGER-AI-Lab/Critique-Coder 662e89f. Where they differ, both stand here; a
recipe of ours follows the scripts where the paper is silent. TRL counts a batch in completions and the paper in prompts:
128 prompts of 8 samples are 1,024. TRL counts a step in updates and the scripts' trainer (verl) in batches of 128 prompts,
each for two updates: 10 steps there are 20 here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


class Words(str):
    """What a source says of a setting without a value; no value is the same as it."""


_UPDATES_A_STEP = 2
PAPER: dict[str, Any] = {
    "model_name_or_path": frozenset({"Qwen/Qwen3-4B", "Qwen/Qwen3-8B"}),
    "arm": "hybrid",
    "mix.critique_share": 0.2,
    "chat_template_kwargs.enable_thinking": True,
    "num_generations": 8,
    "generation_batch_size": 1024,
    "phases.0.max_completion_length": 16384,
    "phases.0.critique_weight": 0.8,
    "phases.0.until.plateau.window": Words("once rewards have stabilized"),
    "phases.0.until.plateau.gain": Words("once rewards have stabilized"),
    "phases.1.max_completion_length": 32768,
    "phases.1.critique_weight": 1.0,
    "critique_weight_mode": "raw",
    "learning_rate": 1e-6,
    "epsilon": 0.2,
    "epsilon_high": 0.3,
    "loss_type": "grpo",
    "scale_rewards": "group",
    "beta": Words("a KL term of unstated weight"),
    "num_train_epochs": 1,
    "select": "reported-test",
}
"""Stated in the paper. Its formula averages over responses (TRL's `grpo`)."""

SCRIPTS: dict[str, Any] = {
    "model_name_or_path": "Qwen/Qwen3-4B",
    "processes": 8,
    "num_generations": 8,
    "generation_batch_size": 1024,
    "max_prompt_length": 4096,
    "mask_truncated_completions": True,
    "zero_variance": "refill",
    "refill_limit": None,
    "phases.0.max_completion_length": 16384,
    "phases.0.critique_weight": 1.0,
    "phases.0.until.epoch_share": 1.0,
    "phases.1.max_completion_length": 32768,
    "phases.1.critique_weight": 1.0,
    "phases.1.until.epoch_share": 1.0,
    "phases.1.data": "restart",
    "learning_rate": 1e-6,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 10 * _UPDATES_A_STEP,
    "weight_decay": 0.01,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "max_grad_norm": 1.0,
    "epsilon": 0.2,
    "epsilon_high": 0.3,
    "loss_type": "dapo",
    "scale_rewards": "group",
    "beta": 0.0,
    "entropy_coef": 0.0,
    "num_iterations": 1,
    "num_train_epochs": 1,
    "temperature": 0.6,
    "top_p": 0.95,
    "top_k": 20,
    "use_vllm": True,
    "vllm_gpu_memory_utilization": 0.8,
    "vllm_importance_sampling_correction": False,
    "gradient_checkpointing": True,
    "save_steps": 10 * _UPDATES_A_STEP,
}
"""In the authors' released scripts, or what their trainer has where they say nothing (weight_decay, adam_*, max_grad_norm,
scale_rewards, num_iterations). No 0.8 in any version of their rewards; the masking of overlong responses stands in a path that
they probably do not take."""

COMPLETIONS_AN_UPDATE = 512
"""The scripts' mini-batches: 64 prompts of 8 samples. A recipe says it by three keys, the last of which is told by it."""
_UPDATE = ("processes", "per_device_train_batch_size", "gradient_accumulation_steps")

OURS = "ours"
DEFAULT = "default"
_DEFAULTS_TOLD = ("optim", "adam_epsilon", "importance_sampling_level", "multi_objective_aggregation")
"""Defaults of TRL's that change what is learned, and of which neither source says anything."""
_NOT_SETTINGS = frozenset(
    {
        "output_dir",
        "processes",
        "dataset",
        "dataset_revision",
        "test_dataset",
        "demonstrations",
        "report_to",
        "run_name",
    }
)


def sources_of(said: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What a recipe says, key by key (`phases.0.until.steps`), with the value and its source.

    "paper", "scripts", both, or "ours"; beside "ours" what either of them has instead.
    """
    for name, value in flat(said):
        if name.split(".")[0] not in _NOT_SETTINGS:
            yield name, value, source_of(name, value, said)


def source_of(name: str, value: Any, said: Mapping[str, Any]) -> str:
    """Whose a value is. said: the recipe that it stands in."""
    if name == _UPDATE[-1]:
        processes, *rest = (said.get(key, 1 if key != "processes" else None) for key in _UPDATE)
        same = processes is not None and processes * math.prod(rest) == COMPLETIONS_AN_UPDATE
        return "scripts" if same else f"{OURS} (scripts: {COMPLETIONS_AN_UPDATE} completions an update)"
    agree, others = _agreeing(name, value)
    return ", ".join(agree) if agree else OURS + others


def defaults_of(said: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Settings that a recipe leaves to their defaults: those of which the paper or the scripts say something, or that change
    what is learned.

    values: what is trained with, TRL's keys and ours; nested ones by their path.
    """
    told = {name for name, _ in flat(said)} | {str(name) for name in said}
    for name in dict.fromkeys((*PAPER, *SCRIPTS, *_DEFAULTS_TOLD)):
        if name in values and name not in told and name not in _NOT_SETTINGS:
            agree, others = _agreeing(name, values[name])
            yield name, values[name], DEFAULT + (f" ({', '.join(agree)})" if agree else others)


def _agreeing(name: str, value: Any) -> tuple[list[str], str]:
    """The sources that have this value; and where none has it, what they have instead."""
    known = [(source, has[name]) for source, has in (("paper", PAPER), ("scripts", SCRIPTS)) if name in has]
    others = "; ".join(f"{source}: {_told(has)}" for source, has in known)
    return [source for source, has in known if _same(has, value)], f" ({others})" if others else ""


def _told(value: Any) -> str:
    return " or ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def flat(said: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of nested settings, each with the path to it."""
    parts = said.items() if isinstance(said, Mapping) else enumerate(said)
    for name, value in parts:
        path = f"{above}{name}"
        nested = isinstance(value, Mapping) or (
            isinstance(value, list | tuple) and value and isinstance(value[0], Mapping)
        )
        if nested and value:
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Words):
        return False
    if isinstance(one, frozenset):
        return any(_same(either, other) for either in one)
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-12
    return bool(one == other)
