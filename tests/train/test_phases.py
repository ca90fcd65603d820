"""When a phase, a budget and a run are over: numbers alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_train.phases import Progress, is_over, is_spent, most_updates, on_plateau, share_of
from crl_train.recipe import Budget, Phase, Plateau, Until

steps = st.integers(1, 50)
shares = st.floats(0.05, 3.0)


def over(until: Until | None, n: int = 100, **so_far: object) -> bool:
    return is_over(Phase(until=until), replace(Progress(), **so_far), n)  # type: ignore[arg-type]


def test_a_phase_that_says_nothing_goes_on() -> None:
    assert not over(None, phase_updates=10**6, phase_prompts=10**6)


@pytest.mark.parametrize(("updates", "is_it"), [(4, False), (5, True), (6, True)])
def test_a_phase_ends_after_its_steps(updates: int, is_it: bool) -> None:
    assert over(Until(steps=5), phase_updates=updates, updates=10**6) is is_it
    assert not over(Until(steps=5), updates=5)  # of the run, and not of the phase


@pytest.mark.parametrize(("prompts", "is_it"), [(49, False), (50, True)])
def test_a_phase_ends_after_its_share_of_the_epoch(prompts: int, is_it: bool) -> None:
    assert over(Until(epoch_share=0.5), phase_prompts=prompts, prompts=10**6) is is_it


def test_a_plateau_is_two_windows_of_which_the_last_gains_little() -> None:
    rising = [0.0, 0.1, 0.2, 0.3]
    assert not on_plateau(rising, 2, 0.1)
    assert on_plateau([*rising, 0.3, 0.3], 2, 0.1)
    assert not on_plateau([0.3] * 3, 2, 0.1)  # too short to say
    assert on_plateau([0.9, 0.9, 0.1, 0.1], 2, 0.0)  # a fall is no gain
    assert over(Until(plateau=Plateau(window=1, gain=0.0)), phase_rewards=[0.5, 0.5])
    assert not over(Until(plateau=Plateau(window=1, gain=0.0)), phase_rewards=[0.5, 0.6])


def test_the_first_of_several_ends_counts() -> None:
    until = Until(steps=10, plateau=Plateau(window=2, gain=0.0))
    assert over(until, phase_updates=10, phase_rewards=[0.1 * one for one in range(10)])
    assert over(until, phase_updates=4, phase_rewards=[0.5] * 4)
    assert not over(until, phase_updates=4, phase_rewards=[0.1, 0.2, 0.3, 0.4])


@given(st.lists(st.floats(0, 1), min_size=2), st.floats(0, 1), st.integers(1, 5))
def test_a_smaller_gain_that_is_a_plateau_is_one_for_a_larger_too(
    rewards: list[float], gain: float, window: int
) -> None:
    if on_plateau(rewards, window, gain / 2):
        assert on_plateau(rewards, window, gain)


@pytest.mark.parametrize(
    ("unit", "field"), [("prompts", "prompts"), ("generated_tokens", "generated_tokens"), ("updates", "updates")]
)
def test_a_budget_is_spent_by_its_unit_alone(unit: str, field: str) -> None:
    budget = Budget.model_validate({unit: 7})
    everything_else = {name: 100 for name in ("prompts", "generated_tokens", "updates") if name != field}
    assert not is_spent(budget, replace(Progress(), **everything_else, **{field: 6}))  # type: ignore[arg-type]
    assert is_spent(budget, replace(Progress(), **{field: 7}))  # type: ignore[arg-type]


def test_seconds_are_a_budget_and_no_budget_is_never_spent() -> None:
    assert is_spent(Budget(gpu_seconds=1.5), Progress(gpu_seconds=1.5))
    assert not is_spent(Budget(gpu_seconds=1.5), Progress(gpu_seconds=1.4))
    assert not is_spent(None, Progress(prompts=10**9))


def test_a_new_phase_begins_at_nothing_and_the_run_keeps_its_sums() -> None:
    progress = Progress(updates=3, phase_updates=3, prompts=9, phase_prompts=9, phase_rewards=[0.1])
    progress.begin_phase()
    assert progress == Progress(phase=1, updates=3, prompts=9)
    assert Progress(**progress.state()) == progress


def test_every_unit_is_told() -> None:
    assert Progress(prompts=1, generated_tokens=2, updates=3, gpu_seconds=4.04, teacher_tokens=5).used() == {
        "prompts": 1,
        "generated_tokens": 2,
        "updates": 3,
        "gpu_seconds": 4.0,
        "teacher_tokens": 5,
    }


# --- the most updates, against a run that is played through -----------------------------------------------------------


def played(phases: list[Phase], n: int, prompts: int, updates: int, epochs: float) -> int:
    """How many updates a run takes whose rewards always rise, batch by batch."""
    progress, rising = Progress(), itertools.count()
    while True:
        progress.prompts += prompts
        progress.phase_prompts += prompts
        for _ in range(updates):
            progress.updates += 1
            progress.phase_updates += 1
            progress.phase_rewards.append(float(next(rising)))
        phase = phases[progress.phase]
        has_number = phase.until is not None and (phase.until.steps is not None or phase.until.epoch_share is not None)
        if is_over(phase, progress, n) or (not has_number and progress.phase_prompts >= epochs * n - 1e-9):
            if progress.phase + 1 == len(phases):
                return progress.updates
            progress.begin_phase()


untils = st.one_of(
    st.builds(Until, steps=steps),
    st.builds(Until, epoch_share=shares),
    st.builds(Until, steps=steps, epoch_share=shares),
    st.builds(Until, plateau=st.just(Plateau(window=2, gain=0.5))),
    st.builds(Until, steps=steps, plateau=st.just(Plateau(window=2, gain=0.5))),
)
phases = st.lists(st.builds(Phase, until=untils), min_size=1, max_size=3)


@given(
    phases, st.booleans(), st.integers(1, 80), st.integers(1, 9), st.integers(1, 3), st.sampled_from([0.5, 1.0, 2.0])
)
def test_the_most_updates_are_what_a_run_takes_that_never_rests(
    some: list[Phase], is_open: bool, n: int, prompts: int, updates: int, epochs: float
) -> None:
    if is_open:
        some = [*some, Phase()]
    assert most_updates(some, n, prompts, updates, epochs) == played(some, n, prompts, updates, epochs)


def test_a_share_of_an_epoch_is_whole_prompts() -> None:
    assert share_of(1.25, 1) == 2
    assert share_of(0.1, 30) == 3  # though 0.1 * 30 is a little more
    assert share_of(0.5, 5) == 3


def test_without_phases_the_epochs_are_the_bound() -> None:
    assert most_updates((), 10, 4, 2, 1.0) == 6
    assert most_updates((), 10, 4, 2, 2.0) == 10
