"""How critique and solve records are mixed: which problems give which, and which candidates are shown. Pure.

`critique_share` of the problems give a critique record, the others a solve record, so that the total is the same at every
share; the problems are drawn by seed in one order for all shares, so that those of 0.2 are among those of 0.5. A problem
none of whose candidates was decided can only give a solve record: it is passed over and counted, and the next one drawn
takes its place; where there are too few others, the share falls short, and the shortfall is counted.

`balance` is the wanted share of True among critique records. It is reached by choosing candidates, and where they do not
suffice by making fewer critique records; nothing is ever taken twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crl_data.draws import draw

TRAIN, TEST = "train", "test"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A decided candidate, as far as mixing looks at it. `place` is its place among all candidates."""

    place: int
    id: str
    verdict: bool
    pass_rate: float | None


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """What was chosen: for each critique problem its candidates (their places); all other problems give solve records.

    wanted: critique records asked for. shortfall: how many are missing, and why. passed_over: problems that were drawn for
    a critique record and have no candidate to show: they give solve records, and the next ones took their place.
    """

    critiques: dict[str, tuple[int, ...]]
    wanted: int
    passed_over: int = 0
    shortfall: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """The settings of the recipe's `mix`, and what they need to know."""

    share: float
    pick: str
    balance: float | None
    per_problem: int
    threshold: float
    seed: int


def mix(problems: Sequence[str], choices: Mapping[str, Sequence[Choice]], settings: Mixing) -> Mixed:
    """Choose the critique records among the decided candidates of problems (by id, in any order)."""
    order = sorted(problems, key=lambda name: draw(settings.seed, "mix", name))
    wanted = round(settings.share * len(order))
    quota = _Quota(settings.balance, wanted if settings.per_problem == 1 else None)
    chosen: dict[str, list[Choice]] = {}
    passed_over = 0
    for name in order:
        records = quota.true + quota.false
        if settings.per_problem > 1:
            wanted = round(settings.share * (len(order) - len(chosen) + records))
        if records >= wanted:
            break
        picked = _pick(name, choices.get(name, ()), quota.wants(), settings)
        if picked:
            chosen[name] = picked
            quota.count(picked, 1)
        else:
            passed_over += 1
    dropped = quota.drop_surplus(chosen)
    missing = wanted - quota.true - quota.false - dropped
    shortfall = {"no candidate of a wanted verdict is left": missing} if missing > 0 else {}
    if dropped:
        shortfall["left out for the balance"] = dropped
    critiques = {name: tuple(one.place for one in picked) for name, picked in chosen.items()}
    return Mixed(critiques=critiques, wanted=wanted, passed_over=passed_over, shortfall=shortfall)


def splits(problems: Sequence[str], test_share: float, seed: int) -> dict[str, list[str]]:
    """The problems of each split, in the order that their records stand in: both drawn by seed."""
    drawn = sorted(problems, key=lambda name: draw(seed, "split", name))
    of_test = set(drawn[: round(test_share * len(drawn))])
    order = sorted(problems, key=lambda name: draw(seed, "order", name))
    return {
        TRAIN: [name for name in order if name not in of_test],
        TEST: [name for name in order if name in of_test],
    }


def _pick(problem: str, choices: Sequence[Choice], wants: tuple[bool, ...], settings: Mixing) -> list[Choice]:
    """Which of a problem's decided candidates are shown: of the wanted verdicts only, the first one preferred."""
    if settings.pick == "first":
        ordered = sorted(choices, key=lambda one: one.place)
    elif settings.pick == "near_miss":
        ordered = sorted(
            choices, key=lambda one: (abs((one.pass_rate or 0.0) - settings.threshold), one.verdict, one.place)
        )
    else:
        ordered = sorted(choices, key=lambda one: draw(settings.seed, "pick", problem, one.id))
    if settings.pick == "one_true_one_false":
        pair = [next((one for one in ordered if one.verdict is verdict), None) for verdict in (True, False)]
        ordered = [one for one in pair if one is not None] if None not in pair else []
    ordered = [one for one in ordered if one.verdict in wants]
    if settings.balance is not None:
        ordered.sort(key=lambda one: wants.index(one.verdict))
    return ordered[: settings.per_problem]


class _Quota:
    """How many critique records of either verdict there are, and may be, where a share of True is wanted."""

    def __init__(self, balance: float | None, wanted: int | None) -> None:
        self.balance = balance
        self.true = self.false = 0
        self.most_true = self.most_false = wanted
        if balance is not None and wanted is not None:
            self.most_true = round(balance * wanted)
            self.most_false = wanted - self.most_true

    def wants(self) -> tuple[bool, ...]:
        """The verdicts that may come next, the one that is behind first."""
        if self.balance is None:
            return (True, False)
        ahead = self.true * (1 - self.balance) > self.false * self.balance
        full = {
            True: self.most_true is not None and self.true >= self.most_true,
            False: self.most_false is not None and self.false >= self.most_false,
        }
        return tuple(verdict for verdict in ((False, True) if ahead else (True, False)) if not full[verdict])

    def count(self, picked: Sequence[Choice], step: int) -> None:
        self.true += step * sum(one.verdict for one in picked)
        self.false += step * sum(not one.verdict for one in picked)

    def drop_surplus(self, chosen: dict[str, list[Choice]]) -> int:
        """Take critique records of the verdict that there is too much of away again, the last drawn first.

        As many stay as can be balanced, to the nearest whole record.
        """
        if self.balance is None or (self.true, self.false) == (self.most_true, self.most_false):
            return 0
        total = self.true + self.false
        while not self.fits(total, self.balance):
            total -= 1
        true = round(self.balance * total)
        surplus = {True: self.true - true, False: self.false - (total - true)}
        dropped = sum(surplus.values())
        for name in reversed(list(chosen)):
            for one in list(chosen[name]):
                if surplus[one.verdict]:
                    surplus[one.verdict] -= 1
                    chosen[name].remove(one)
                    self.count([one], -1)
            if not chosen[name]:
                del chosen[name]
        return dropped

    def fits(self, total: int, balance: float) -> bool:
        """Whether so many of the records there are can be balanced, with less than half a record to spare."""
        true = round(balance * total)
        return true <= self.true and total - true <= self.false and abs(true - balance * total) < 0.5
