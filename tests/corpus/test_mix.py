"""How critique and solve records are mixed: nested by seed, one total for every share, balanced without repeating."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.corpus.mix import Choice, Mixed, Mixing, mix
from crl_data.draws import draw

PICKS = ["random", "first", "near_miss", "one_true_one_false"]
Choices = Mapping[str, Sequence[Choice]]


def settings_of(
    share: float, *, balance: float | None = None, per_problem: int = 1, pick: str = "random", seed: int = 0
) -> Mixing:
    return Mixing(share=share, pick=pick, balance=balance, per_problem=per_problem, threshold=0.8, seed=seed)


def candidates(of_problems: Sequence[Sequence[bool]]) -> dict[str, list[Choice]]:
    """Problems p0, p1, ... with candidates of these verdicts."""
    made: dict[str, list[Choice]] = {}
    place = 0
    for number, verdicts in enumerate(of_problems):
        made[f"p{number}"] = []
        for verdict in verdicts:
            rate = 0.81 + place % 19 / 100 if verdict else place % 80 / 100
            made[f"p{number}"].append(Choice(place=place, id=f"s{place}", verdict=verdict, pass_rate=rate))
            place += 1
    return made


VERDICTS = st.lists(st.lists(st.booleans(), max_size=4), min_size=1, max_size=30)
SHARES = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.8, 1.0]) | st.floats(0, 1)
BALANCES = st.none() | st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])
both = pytest.mark.parametrize("pick", PICKS)


def taken(mixed: Mixed) -> list[int]:
    return [place for places in mixed.critiques.values() for place in places]


def verdicts_of(mixed: Mixed, choices: Choices) -> list[bool]:
    known = {one.place: one.verdict for many in choices.values() for one in many}
    return [known[place] for place in taken(mixed)]


@both
@settings(max_examples=150)
@given(VERDICTS, SHARES, BALANCES, st.integers(1, 3), st.integers(0, 3))
def test_what_is_chosen_is_a_problems_own_never_twice_and_what_is_missing_is_said(
    pick: str, of_problems: list[list[bool]], share: float, balance: float | None, per_problem: int, seed: int
) -> None:
    choices = candidates(of_problems)
    mixed = mix(
        list(choices), choices, settings_of(share, balance=balance, per_problem=per_problem, pick=pick, seed=seed)
    )
    places = taken(mixed)
    assert len(places) == len(set(places))
    for name, chosen in mixed.critiques.items():
        assert 1 <= len(chosen) <= per_problem and set(chosen) <= {one.place for one in choices[name]}
    assert all(count > 0 for count in mixed.shortfall.values())
    if per_problem == 1:
        assert len(places) + sum(mixed.shortfall.values()) == mixed.wanted == round(share * len(choices))


@both
@settings(max_examples=150)
@given(VERDICTS, SHARES, SHARES, BALANCES, st.integers(0, 3))
def test_the_problems_of_a_smaller_share_are_among_those_of_a_larger(
    pick: str, of_problems: list[list[bool]], one: float, other: float, balance: float | None, seed: int
) -> None:
    choices = candidates(of_problems)
    small, large = (
        mix(list(choices), choices, settings_of(share, balance=balance, pick=pick, seed=seed))
        for share in sorted((one, other))
    )
    if balance is None:
        assert small.critiques.items() <= large.critiques.items()
    else:
        assert len(taken(small)) <= len(taken(large)) or large.shortfall


def test_those_of_a_fifth_are_among_those_of_a_half_and_the_total_is_the_same() -> None:
    choices = candidates([[True, False]] * 100)
    fifth, half, all_ = (mix(list(choices), choices, settings_of(share)) for share in (0.2, 0.5, 1.0))
    assert [len(one.critiques) for one in (fifth, half, all_)] == [20, 50, 100]
    assert fifth.critiques.items() < half.critiques.items() < all_.critiques.items()
    assert not fifth.shortfall and not half.shortfall and not all_.shortfall


@both
@given(VERDICTS, SHARES, BALANCES, st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_in_which_problems_and_candidates_come_decides_nothing(
    pick: str,
    of_problems: list[list[bool]],
    share: float,
    balance: float | None,
    per_problem: int,
    order: random.Random,
) -> None:
    choices = candidates(of_problems)
    wanted = settings_of(share, balance=balance, per_problem=per_problem, pick=pick)
    names = list(choices)
    order.shuffle(names)
    shuffled = {name: order.sample(choices[name], len(choices[name])) for name in names}
    assert mix(names, shuffled, wanted) == mix(list(choices), choices, wanted)


def test_another_seed_chooses_other_problems() -> None:
    choices = candidates([[True, False]] * 50)
    assert (
        len({frozenset(mix(list(choices), choices, settings_of(0.2, seed=seed)).critiques) for seed in range(5)}) == 5
    )


def test_problems_without_a_decided_candidate_give_way_to_others_as_long_as_there_are_any() -> None:
    choices = candidates([[]] * 40 + [[True]] * 60)
    mixed = mix(list(choices), choices, settings_of(0.5))
    assert len(mixed.critiques) == 50 and not mixed.shortfall
    mixed = mix(list(choices), choices, settings_of(0.8))
    assert len(mixed.critiques) == 60 and mixed.wanted == 80 and sum(mixed.shortfall.values()) == 20
    assert mixed.passed_over == 40
    assert not mix(list(choices), {}, settings_of(1.0)).critiques


def test_those_that_were_drawn_in_vain_are_counted_up_to_the_last_that_is_chosen() -> None:
    choices = candidates([[]] * 40 + [[True]] * 60)
    mixed = mix(list(choices), choices, settings_of(0.5))
    order = sorted(choices, key=lambda name: draw(0, "mix", name))
    last = max(order.index(name) for name in mixed.critiques)
    assert mixed.passed_over == sum(not choices[name] for name in order[:last]) == last + 1 - 50


@pytest.mark.parametrize("balance", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_where_there_is_a_choice_the_balance_is_reached_by_choosing(balance: float) -> None:
    """Every problem has candidates of both verdicts: there is nothing for which a record would have to be left out."""
    lost = {}
    for problems in (5, 10, 25, 50, 99):
        choices = candidates([[True, False]] * problems)
        for share in (0.1, 0.2, 0.5, 1.0):
            mixed = mix(list(choices), choices, settings_of(share, balance=balance))
            verdicts = verdicts_of(mixed, choices)
            if mixed.shortfall or abs(sum(verdicts) - balance * len(verdicts)) > 0.5:
                lost[problems, share] = (mixed.wanted, len(verdicts), sum(verdicts))
    assert not lost, "wanted, chosen, chosen that are true"


@settings(max_examples=300)
@given(
    VERDICTS,
    SHARES,
    st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]),
    st.integers(1, 3),
    st.sampled_from(["random", "first", "near_miss"]),
)
def test_where_candidates_do_not_suffice_records_are_left_out_and_the_balance_holds(
    of_problems: list[list[bool]], share: float, balance: float, per_problem: int, pick: str
) -> None:
    choices = candidates(of_problems)
    mixed = mix(list(choices), choices, settings_of(share, balance=balance, per_problem=per_problem, pick=pick))
    verdicts = verdicts_of(mixed, choices)
    assert abs(sum(verdicts) - balance * len(verdicts)) <= 1


def test_a_verdict_that_is_rare_leaves_out_records_of_the_other_and_says_how_many() -> None:
    choices = candidates([[False]] * 90 + [[True]] * 10)
    mixed = mix(list(choices), choices, settings_of(0.5, balance=0.5))
    verdicts = verdicts_of(mixed, choices)
    assert len(verdicts) == 2 * sum(verdicts) and 0 < sum(verdicts) <= 10
    assert len(verdicts) + sum(mixed.shortfall.values()) == 50 == mixed.wanted


def test_the_balance_is_looked_for_in_all_problems_and_not_in_the_first_drawn_ones() -> None:
    choices = candidates([[False]] * 90 + [[True]] * 10)
    verdicts = verdicts_of(mix(list(choices), choices, settings_of(0.2, balance=0.5)), choices)
    assert sorted(verdicts) == [False] * 10 + [True] * 10


def test_picking_the_first_takes_the_first_in_file_order() -> None:
    choices = candidates([[False, True, True], [True, False]])
    mixed = mix(list(choices), choices, settings_of(1.0, pick="first"))
    assert mixed.critiques == {"p0": (0,), "p1": (3,)}


def test_a_near_miss_is_the_one_whose_pass_rate_is_nearest_to_the_threshold() -> None:
    rates = {"s0": (0.0, False), "s1": (0.75, False), "s2": (1.0, True), "s3": (0.5, False)}
    choices = {
        "p": [Choice(place=n, id=name, verdict=v, pass_rate=r) for n, (name, (r, v)) in enumerate(rates.items())]
    }
    assert mix(["p"], choices, settings_of(1.0, pick="near_miss")).critiques == {"p": (1,)}


def test_a_pair_is_one_of_each_verdict_or_nothing() -> None:
    choices = candidates([[True, True, False, False], [True, True], [False]])
    mixed = mix(list(choices), choices, settings_of(1.0, pick="one_true_one_false", per_problem=2))
    (pair,) = mixed.critiques.values()
    assert list(mixed.critiques) == ["p0"] and len(set(pair) & {0, 1}) == 1 == len(set(pair) & {2, 3})


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("per_problem", [2, 3])
def test_with_several_records_a_problem_the_share_is_that_of_records(share: float, per_problem: int) -> None:
    choices = candidates([[True, False, True, False]] * 200)
    mixed = mix(list(choices), choices, settings_of(share, per_problem=per_problem))
    critiques = len(taken(mixed))
    total = critiques + 200 - len(mixed.critiques)
    assert abs(critiques - share * total) <= per_problem


def test_a_share_of_none_and_of_all() -> None:
    choices = candidates([[True]] * 5)
    assert mix(list(choices), choices, settings_of(0.0)) == Mixed(critiques={}, wanted=0, shortfall={})
    assert len(mix(list(choices), choices, settings_of(1.0)).critiques) == 5
    assert mix([], {}, settings_of(1.0)) == Mixed(critiques={}, wanted=0, shortfall={})
