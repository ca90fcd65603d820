"""Groups of completions as the tensors of a generation batch: which of them tell nothing, taking some, joining several.

A batch is what `GRPOTrainer._generate_and_score_completions` gives: prompts padded on the left, what belongs to completions on
the right, a number per row, and `num_items_in_batch` for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

Batch = dict[str, Any]

PER_BATCH = "num_items_in_batch"
_OF_PROMPTS = ("prompt_ids", "prompt_mask")
_RATIO = "importance_sampling_ratio"  # one a completion, or one a token


def without_variance(rewards: Sequence[float], size: int) -> list[bool]:
    """For each group of `size` rewards whether they tell nothing: all the same, or fewer than two that are numbers."""
    found = []
    for start in range(0, len(rewards), size):
        known = [one for one in rewards[start : start + size] if not math.isnan(one)]
        found.append(len(known) < 2 or max(known) - min(known) < 1e-9)
    return found


def rows_of(groups: Sequence[int], size: int) -> list[int]:
    """The rows of some groups."""
    return [group * size + place for group in groups for place in range(size)]


def take(batch: Batch, rows: Sequence[int]) -> Batch:
    """Some rows of a batch, without padding that none of them needs."""
    places = torch.tensor(list(rows), dtype=torch.long)
    taken = {
        name: value[places.to(value.device)]
        for name, value in batch.items()
        if isinstance(value, torch.Tensor) and value.ndim
    }
    prompt = int(taken["prompt_mask"].sum(1).max()) if len(rows) else 0
    held = taken["completion_length"] if "completion_length" in taken else taken["completion_mask"].sum(1)
    completion = max(1, int(held.max())) if len(rows) else 1
    width = batch["completion_ids"].shape[1]
    for name, value in taken.items():
        if name in _OF_PROMPTS:
            taken[name] = value[:, value.shape[1] - prompt :]
        elif value.ndim == 2 and value.shape[1] == width and not (name == _RATIO and width == 1):
            taken[name] = value[:, :completion]
    return taken


def join(batches: Sequence[Batch], pad_token_id: int) -> Batch:
    """The rows of several batches in one."""
    kept = [batch for batch in batches if len(batch["completion_ids"])]
    if len(kept) < 2:
        return dict((kept or batches)[0])
    joined: Batch = {}
    for name in kept[0]:
        parts = [batch[name] for batch in kept]
        if parts[0].ndim == 2:
            width = max(part.shape[1] for part in parts)
            fill = pad_token_id if name.endswith("_ids") else 0
            parts = [_padded(part, width, fill, left=name in _OF_PROMPTS) for part in parts]
        joined[name] = torch.cat(parts)
    return joined


def _padded(part: torch.Tensor, width: int, fill: float, left: bool) -> torch.Tensor:
    missing = width - part.shape[1]
    return torch.nn.functional.pad(part, (missing, 0) if left else (0, missing), value=fill) if missing else part


def out_of_the_loss(batch: Batch, rows: torch.Tensor) -> None:
    """Take rows out of a batch's loss: none of their tokens counts, and they have no advantage. rows: a bool each."""
    keep = ~rows
    batch["completion_mask"] = batch["completion_mask"] * keep.unsqueeze(1).to(batch["completion_mask"].dtype)
    batch["advantages"] = batch["advantages"] * keep.to(batch["advantages"].dtype)
