"""Groups of completions as tensors: which tell nothing, some of them, several batches in one."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra [train] is not installed: no tensors")

from crl_train.groups import join, out_of_the_loss, rows_of, take, without_variance  # noqa: E402

NAN = math.nan


def batch(*rows: tuple[list[int], list[int]], first: float = 0.0) -> dict[str, Any]:
    """Prompts padded on the left with 0, completions on the right; a token's old logp is a hundredth of it."""
    prompt, completion = (max(len(row[which]) for row in rows) for which in (0, 1))
    left = [[0] * (prompt - len(one)) + one for one, _ in rows]
    right = [one + [0] * (completion - len(one)) for _, one in rows]
    return {
        "prompt_ids": torch.tensor(left),
        "prompt_mask": torch.tensor([[int(token > 0) for token in row] for row in left]),
        "completion_ids": torch.tensor(right),
        "completion_mask": torch.tensor([[int(token > 0) for token in row] for row in right]),
        "old_per_token_logps": torch.tensor(right) / 100,
        "importance_sampling_ratio": torch.ones(len(rows), 1) * 0.5,
        "advantages": torch.arange(len(rows)) + 1.0 + first,
        "flat": torch.tensor([False] * len(rows)),
        "num_items_in_batch": torch.tensor(sum(len(one) for _, one in rows)),
    }


@pytest.mark.parametrize(
    ("rewards", "flat"),
    [
        ([1, 1, 0, 1], [True, False]),
        ([0.3, 0.3, 0.5, 0.5 + 1e-6], [True, False]),
        ([NAN, 1, NAN, NAN], [True, True]),
        ([NAN, 1, 0, 1], [True, False]),
    ],
)
def test_a_group_tells_nothing_where_all_that_is_known_is_the_same(rewards: list[float], flat: list[bool]) -> None:
    assert without_variance(rewards, 2) == flat


def test_a_group_with_two_known_rewards_that_differ_tells_something() -> None:
    assert without_variance([NAN, 1, 0, 1, 1, NAN], 3) == [False, True]


def test_some_rows_are_taken_without_padding_that_none_of_them_needs() -> None:
    whole = batch(([1, 2, 3, 4], [5]), ([6], [7, 8, 9]), ([6, 7], [7, 8]))
    taken = take(whole, [2, 0])
    assert taken["prompt_ids"].tolist() == [[0, 0, 6, 7], [1, 2, 3, 4]]
    assert taken["completion_ids"].tolist() == [[7, 8], [5, 0]]
    assert taken["old_per_token_logps"].tolist() == [pytest.approx([0.07, 0.08]), pytest.approx([0.05, 0])]
    assert taken["advantages"].tolist() == [3.0, 1.0]
    assert taken["importance_sampling_ratio"].shape == (2, 1)
    assert "num_items_in_batch" not in taken
    assert take(whole, [2])["prompt_ids"].tolist() == [[6, 7]]


def test_a_row_whose_tokens_are_masked_keeps_them() -> None:
    whole = {**batch(([1], [5, 6]), ([1], [7])), "completion_length": torch.tensor([2, 1])}
    whole["completion_mask"] = whole["completion_mask"] * torch.tensor([[0], [1]])  # mask_truncated_completions
    assert take(whole, [0])["completion_ids"].tolist() == [[5, 6]]


def test_batches_of_different_widths_are_joined() -> None:
    joined = join([take(batch(([1], [2, 3])), [0]), take(batch(([4, 5], [6]), first=1.0), [0])], 9)
    assert joined["prompt_ids"].tolist() == [[9, 1], [4, 5]]
    assert joined["prompt_mask"].tolist() == [[0, 1], [1, 1]]
    assert joined["completion_ids"].tolist() == [[2, 3], [6, 9]]
    assert joined["completion_mask"].tolist() == [[1, 1], [1, 0]]
    assert joined["advantages"].tolist() == [1.0, 2.0]


def test_taking_all_and_joining_the_parts_is_the_whole() -> None:
    whole = batch(([1, 2], [3, 4, 5]), ([6], [7]), ([8], [9, 9]))
    again = join([take(whole, [0]), take(whole, []), take(whole, [1, 2])], 0)
    assert again.keys() == whole.keys() - {"num_items_in_batch"}
    for name in again:
        assert torch.equal(again[name], whole[name]), name


def test_nothing_joined_with_nothing_is_nothing() -> None:
    nothing = take(batch(([1], [2])), [])
    joined = join([nothing, nothing], 0)
    assert len(joined["completion_ids"]) == 0
    assert join([joined, take(batch(([1], [2])), [0])], 0)["completion_ids"].tolist() == [[2]]


def test_rows_out_of_the_loss_have_no_token_and_no_advantage_in_it() -> None:
    whole = batch(([1], [2, 3]), ([1], [4]))
    out_of_the_loss(whole, torch.tensor([True, False]))
    assert whole["completion_mask"].tolist() == [[0, 0], [1, 0]]
    assert whole["advantages"].tolist() == [0.0, 2.0]


def test_groups_are_rows() -> None:
    assert rows_of([2, 0], 3) == [6, 7, 8, 0, 1, 2]
