"""The policy's own judged solutions, kept to come back as critique prompts while they are young.

A solution is asked about once. Every process of a run holds the same ones, so that all draw the same prompts. What is kept
here was judged as a reward is judged: with the tests of its record, and without its problem's reference.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crl_data.corpus.records import CRITIQUE
from crl_data.prompts import Template
from crl_train.recipe import OnPolicy

SAMPLER = "policy"


@dataclass(frozen=True, kw_only=True)
class Own:
    """A solution of the policy's: the solve row it answered, its code, what the judge said, and the update it was written in."""

    row: Mapping[str, Any]
    id: str
    code: str
    verdict: bool
    pass_rate: float
    update: int


class OwnSolutions:
    """What the policy wrote lately, and which of it is asked about next."""

    def __init__(
        self,
        settings: OnPolicy,
        template: Template,
        seed: int,
        fits: Callable[[list[dict[str, str]]], bool] = lambda _: True,
    ) -> None:
        """fits: whether a prompt is short enough to be asked."""
        self._settings = settings
        self._fits = fits
        self._template = template
        self._random = random.Random(f"{seed}:onpolicy")
        self._kept: list[Own] = []
        self.asked = self.too_old = self.too_long = 0
        self._asked_true = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, solutions: list[Own]) -> None:
        """Keep solutions; of the same code about the same problem one."""
        known = {(one.row["problem_id"], one.code) for one in self._kept}
        for one in solutions:
            key = (one.row["problem_id"], one.code)
            if key not in known:
                known.add(key)
                self._kept.append(one)

    def in_place_of(self, row: dict[str, Any], update: int) -> dict[str, Any]:
        """A critique row that was drawn; or, for the settings' share of them, one about a solution of the policy's."""
        young = [one for one in self._kept if update - one.update <= self._settings.max_age]
        self.too_old += len(self._kept) - len(young)
        self._kept = young
        if self._random.random() >= self._settings.share or not young:
            return row
        wanted = self._wanted()
        fitting = [one for one in young if wanted is None or one.verdict is wanted]
        while fitting:
            chosen = fitting.pop(self._random.randrange(len(fitting)))
            self._kept.remove(chosen)
            asked = self._asked_about(chosen)
            if self._fits(asked["prompt"]):
                self.asked += 1
                self._asked_true += chosen.verdict
                return asked
            self.too_long += 1
        return row

    def _wanted(self) -> bool | None:
        balance = self._settings.balance
        return None if balance is None else self._asked_true < balance * (self.asked + 1)

    def _asked_about(self, own: Own) -> dict[str, Any]:
        row = own.row
        return {
            **row,
            "id": f"{own.id}/critique",
            "kind": CRITIQUE,
            "prompt": list(self._template.messages_about(row, own.code)),
            "prompt_template": self._template.label,
            "solution": own.code,
            "solution_id": own.id,
            "verdict": own.verdict,
            "pass_rate": own.pass_rate,
            "label_source": "executed",
            "sampler": {"name": SAMPLER, "detail": f'{{"update": {own.update}}}'},
        }

    # --- a checkpoint -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "rows": {one.row["problem_id"]: dict(one.row) for one in self._kept},  # one for all solutions of a problem
            "kept": [{**vars(one), "row": one.row["problem_id"]} for one in self._kept],
            "random": self._random.getstate(),
            "asked": self.asked,
            "asked_true": self._asked_true,
            "too_old": self.too_old,
            "too_long": self.too_long,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._kept = [Own(**{**one, "row": state["rows"][one["row"]]}) for one in state["kept"]]
        version, inner, gauss = state["random"]
        self._random.setstate((version, tuple(inner), gauss))
        self.asked, self._asked_true = state["asked"], state["asked_true"]
        self.too_old, self.too_long = state["too_old"], state["too_long"]
