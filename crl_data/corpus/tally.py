"""Counting what came into every stage of a build, what left it, and why the rest did not."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crl_data.types import Outcome, Problem

LISTED = 1000


@dataclass
class Sizes:
    """How large problems are: how many have how many tests, and how long the inputs of the tests are."""

    of_tests: Counter[int] = field(default_factory=Counter)
    input_chars: int = 0

    def count(self, problem: Problem) -> None:
        self.of_tests[len(problem.tests)] += 1
        self.input_chars += sum(len(test.input) for test in problem.tests)

    def as_dict(self) -> dict[str, float | None]:
        """What Table 1 of the paper shows of a filter's two sides (arXiv 2509.22824), with the median."""
        problems, tests = self.of_tests.total(), sum(n * count for n, count in self.of_tests.items())
        return {
            "questions": problems,
            "mean tests": round(tests / problems, 2) if problems else None,
            "median tests": statistics.median(self.of_tests.elements()) if problems else None,
            "mean characters of a test input": round(self.input_chars / tests, 1) if tests else None,
        }


@dataclass
class Tally:
    """The counts of a build; `as_dict` is what stands in the manifest."""

    problems: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)
    candidates: Counter[str] = field(default_factory=Counter)
    judgements: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    limits: Counter[str] = field(default_factory=Counter)
    pool: Counter[str] = field(default_factory=Counter)
    records: dict[str, Counter[str]] = field(default_factory=dict)
    problems_set_aside: Counter[str] = field(default_factory=Counter)
    sampling: dict[str, dict[str, Any]] = field(default_factory=dict)
    candidates_dropped: Counter[str] = field(default_factory=Counter)
    set_aside: list[dict[str, str]] = field(default_factory=list)
    bad_rows: list[str] = field(default_factory=list)
    n_bad_rows: int = 0
    before: Sizes = field(default_factory=Sizes)
    after: Sizes = field(default_factory=Sizes)
    mix: dict[str, Any] = field(default_factory=dict)
    cleaning: dict[str, Any] = field(default_factory=dict)  # beside the counts in the manifest

    def bad_row(self, message: str) -> None:
        self.n_bad_rows += 1
        if len(self.bad_rows) < LISTED:
            self.bad_rows.append(message)

    def judged(self, verdict: bool | None, outcomes: Iterable[Outcome], limit_from: str, tamper_proof: bool) -> None:
        self.judgements[{True: "true", False: "false", None: "inconclusive"}[verdict]] += 1
        self.judgements["judged"] += 1
        self.judgements["tamper-proof"] += tamper_proof
        self.outcomes.update(str(outcome) for outcome in outcomes)
        self.limits[str(limit_from)] += 1

    def set_problem_aside(self, name: str, reason: str) -> None:
        """Count under the first words of the reason; list the problem with the whole of it."""
        self.problems_set_aside[reason.partition(":")[0]] += 1
        if len(self.set_aside) < LISTED:
            self.set_aside.append({"id": name, "reason": reason})

    def as_dict(self) -> dict[str, Any]:
        return {
            "problems": dict(self.problems) | {"set_aside": dict(sorted(self.problems_set_aside.items()))},
            "tests": dict(self.tests),
            "filter": {"before": self.before.as_dict(), "after": self.after.as_dict()},
            "candidates": dict(self.candidates) | {"dropped": dict(sorted(self.candidates_dropped.items()))},
            "sampling": self.sampling,
            "judgements": dict(self.judgements)
            | {"outcomes": dict(sorted(self.outcomes.items())), "limit from": dict(sorted(self.limits.items()))},
            "pool": dict(self.pool),
            "mix": self.mix,
            "records": {split: dict(counts) for split, counts in self.records.items()},
            "bad_rows": self.n_bad_rows,
        }
