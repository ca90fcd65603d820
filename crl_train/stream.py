"""Which prompts come next: a seeded order of rows that goes on from epoch to epoch, and can be put back where it was.

The trainer's own loader gives rows in an order that cannot be drawn from beyond a batch; here a step may draw as many as it
needs. Every process of a run draws the same rows in the same order.
"""

from __future__ import annotations

import random
from typing import Any


class PromptStream:
    """Row numbers 0 to n - 1, each once an epoch; every epoch in an order of its own, or always in theirs."""

    def __init__(self, n: int, seed: int, shuffle: bool = True) -> None:
        self.n = n
        self._seed = seed
        self._shuffle = shuffle
        self.epoch = 0
        self.position = 0
        self._order = self._order_of(0)

    def next(self, count: int) -> list[int]:
        """The next `count` rows."""
        drawn: list[int] = []
        while len(drawn) < count:
            if self.position == self.n:
                self.restart()
            rest = self._order[self.position : self.position + count - len(drawn)]
            drawn += rest
            self.position += len(rest)
        return drawn

    def restart(self) -> None:
        """Begin the next epoch."""
        self.epoch += 1
        self.position = 0
        self._order = self._order_of(self.epoch)

    def state(self) -> dict[str, Any]:
        return {"n": self.n, "seed": self._seed, "epoch": self.epoch, "position": self.position}

    def load(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken. Raises `ValueError` where it was of other rows or another seed."""
        if (state["n"], state["seed"]) != (self.n, self._seed):
            raise ValueError(
                f"the checkpoint is of {state['n']} prompts in the order of seed {state['seed']}, and here are {self.n} and "
                f"seed {self._seed}"
            )
        self.epoch, self.position = state["epoch"], state["position"]
        self._order = self._order_of(self.epoch)

    def _order_of(self, epoch: int) -> list[int]:
        rows = list(range(self.n))
        if self._shuffle:
            random.Random(f"{self._seed}:{epoch}").shuffle(rows)
        return rows
