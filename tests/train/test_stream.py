"""The order of prompts: each once an epoch, and back to where it was."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_train.stream import PromptStream


@given(st.integers(1, 30), st.integers(0, 5), st.lists(st.integers(1, 40), max_size=8), st.booleans())
def test_each_row_comes_once_an_epoch_whatever_is_asked_at_once(
    n: int, seed: int, counts: list[int], shuffle: bool
) -> None:
    stream = PromptStream(n, seed, shuffle)
    drawn = [row for count in counts for row in stream.next(count)]
    assert len(drawn) == sum(counts)
    for start in range(0, len(drawn), n):
        epoch = drawn[start : start + n]
        assert max(Counter(epoch).values()) == 1
        if len(epoch) == n:
            assert set(epoch) == set(range(n))
    assert drawn == PromptStream(n, seed, shuffle).next(max(1, len(drawn)))[: len(drawn)]


@given(st.integers(1, 30), st.integers(0, 70), st.integers(1, 40))
def test_a_stream_that_is_put_back_goes_on_as_if_it_had_never_stopped(n: int, before: int, after: int) -> None:
    stream = PromptStream(n, 3)
    stream.next(before)
    state = json.loads(json.dumps(stream.state()))
    again = PromptStream(n, 3)
    again.next(5)
    again.load(state)
    assert again.next(after) == stream.next(after)
    assert again.state() == stream.state()


def test_epochs_are_ordered_anew_and_seeds_differ() -> None:
    stream = PromptStream(20, 0)
    first, second = stream.next(20), stream.next(20)
    assert first != second
    assert PromptStream(20, 1).next(20) != first
    assert PromptStream(5, 0, shuffle=False).next(10) == [*range(5), *range(5)]


def test_a_restart_begins_with_all_rows_in_a_new_order() -> None:
    stream = PromptStream(10, 0)
    first = stream.next(4)
    stream.restart()
    again = stream.next(10)
    assert sorted(again) == list(range(10))
    assert again[:4] != first


@pytest.mark.parametrize("other", [PromptStream(9, 0), PromptStream(10, 1)])
def test_a_state_of_other_rows_or_another_seed_is_refused(other: PromptStream) -> None:
    with pytest.raises(ValueError, match="10 prompts in the order of seed 0"):
        other.load(PromptStream(10, 0).state())
