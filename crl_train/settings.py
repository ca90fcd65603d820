"""Where the value of each setting comes from: stated in the paper, found only in the authors' released scripts, or ours.

The paper is arXiv 2509.22824. Where it and the scripts differ, both stand here; a recipe of ours follows the scripts where the
paper is silent. TRL counts a batch in completions and the paper in prompts: 128 prompts of 8 samples are 1,024.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PAPER: dict[str, Any] = {
    "generation_batch_size": 1024,
    "num_generations": 8,
    "learning_rate": 1e-6,
    "epsilon": 0.2,
    "epsilon_high": 0.3,
    "phases.0.max_completion_length": 16384,
    "phases.1.max_completion_length": 32768,
    "phases.0.critique_weight": 0.8,
    "phases.1.critique_weight": 1.0,
    "num_train_epochs": 1,
    "mix.critique_share": 0.2,
    "chat_template_kwargs.enable_thinking": True,
    "loss_type": "grpo",
    "select": "reported-test",
    "arm": "hybrid",
}
"""Stated in the paper. Its formula averages over responses (TRL's `grpo`) and has a KL term whose weight it does not state."""

SCRIPTS: dict[str, Any] = {
    "generation_batch_size": 1024,
    "num_generations": 8,
    "learning_rate": 1e-6,
    "epsilon": 0.2,
    "epsilon_high": 0.3,
    "completions_per_update": 512,
    "warmup_steps": 10,
    "lr_scheduler_type": "constant_with_warmup",
    "beta": 0.0,
    "entropy_coef": 0.0,
    "loss_type": "dapo",
    "temperature": 0.6,
    "top_p": 0.95,
    "top_k": 20,
    "max_prompt_length": 4096,
    "zero_variance": "refill",
    "refill_limit": None,
    "mask_truncated_completions": True,
    "save_steps": 10,
    "phases.0.max_completion_length": 16384,
    "phases.1.max_completion_length": 32768,
    "phases.0.critique_weight": 1.0,
    "phases.1.critique_weight": 1.0,
    "phases.0.until.epoch_share": 1.0,
    "phases.1.until.epoch_share": 1.0,
    "phases.1.data": "restart",
}
"""In the authors' released scripts: mini-batches of 64 prompts (512 completions); no 0.8 in any version of their rewards; the
masking of overlong responses stands in a path that they probably do not take."""

OURS = "ours"
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
        if name.split(".")[0] in _NOT_SETTINGS:
            continue
        agree = [
            source
            for source, known in (("paper", PAPER), ("scripts", SCRIPTS))
            if name in known and _same(known[name], value)
        ]
        if agree:
            yield name, value, ", ".join(agree)
            continue
        others = [
            f"{source}: {known[name]}" for source, known in (("paper", PAPER), ("scripts", SCRIPTS)) if name in known
        ]
        yield name, value, f"{OURS} ({'; '.join(others)})" if others else OURS


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
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-12
    return bool(one == other)
