"""Counting what came into every stage of a build, what left it, and why the rest did not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LISTED = 1000


@dataclass
class Tally:
    """The counts of a build; `as_dict` is what stands in the manifest."""

    problems: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)
    candidates: Counter[str] = field(default_factory=Counter)
    judgements: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    pool: Counter[str] = field(default_factory=Counter)
    records: dict[str, Counter[str]] = field(default_factory=dict)
    problems_set_aside: Counter[str] = field(default_factory=Counter)
    sampling: dict[str, dict[str, Any]] = field(default_factory=dict)
    candidates_dropped: Counter[str] = field(default_factory=Counter)
    set_aside: list[dict[str, str]] = field(default_factory=list)
    bad_rows: list[str] = field(default_factory=list)
    n_bad_rows: int = 0
    mix: dict[str, Any] = field(default_factory=dict)

    def bad_row(self, message: str) -> None:
        self.n_bad_rows += 1
        if len(self.bad_rows) < LISTED:
            self.bad_rows.append(message)

    def set_problem_aside(self, name: str, reason: str) -> None:
        """Count under the first words of the reason; list the problem with the whole of it."""
        self.problems_set_aside[reason.partition(":")[0]] += 1
        if len(self.set_aside) < LISTED:
            self.set_aside.append({"id": name, "reason": reason})

    def as_dict(self) -> dict[str, Any]:
        return {
            "problems": dict(self.problems) | {"set_aside": dict(sorted(self.problems_set_aside.items()))},
            "tests": dict(self.tests),
            "candidates": dict(self.candidates) | {"dropped": dict(sorted(self.candidates_dropped.items()))},
            "sampling": self.sampling,
            "judgements": dict(self.judgements) | {"outcomes": dict(sorted(self.outcomes.items()))},
            "pool": dict(self.pool),
            "mix": self.mix,
            "records": {split: dict(counts) for split, counts in self.records.items()},
            "bad_rows": self.n_bad_rows,
        }
