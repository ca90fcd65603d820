"""The judge's settings and their defaults: the threshold, what a time-out counts as, how much evidence is asked for.

Limits of the sandbox (memory, output, processes) have theirs in `crl_data.sandbox.Limits`; nowhere else are there any.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

JUDGE_VERSION = "3"
"""Changes whenever a verdict could: it stands in every record and in the key of every stored judgement."""


class Timeouts(StrEnum):
    """What a time-out counts as.

    `AUTO`: a failure where the limit was calibrated on the reference, inconclusive where it was not.
    `FAIL`: always a failure (the paper's rule). `INCONCLUSIVE`: never.
    """

    AUTO = "auto"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Isolation(StrEnum):
    """`BATCH`: tests one after another in one process, then confirmed. `PER_TEST`: a fresh process for every test."""

    BATCH = "batch"
    PER_TEST = "per-test"


class LimitFrom(StrEnum):
    """Where a problem's time limit came from; the first is evidence, the others are not."""

    REFERENCE = "reference"
    PROBLEM = "problem"
    DEFAULT = "default"


class Way(StrEnum):
    """How tests written as source are run; of those that a problem's reference passes, the first.

    `SPLIT`: taken apart, and judged outside. `TESTER`: in a process of ours, the solution called by value. Both are
    tamper-proof. `HANDLES`: the same, but objects that the solution makes, and its own comparisons, count. `BESIDE`: in the
    solution's process.
    """

    SPLIT = "split"
    TESTER = "tester"
    HANDLES = "handles"
    BESIDE = "beside"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How verdicts are drawn.

    threshold: in (0, 1]; more than this share of tests must pass for True, and all of them at exactly 1. The paper's 0.8.
    timeouts: what a time-out counts as.
    max_timeouts: after so many believed time-outs of a solution the rest is not run, and counts as time-outs.
    early_stop: end once the verdict is settled; the rest is not run, and counts as inconclusive.
    isolation: batch, then confirm; or every test in a process of its own.
    libraries: what a solution may import beyond the standard library.
    time_limit_s: CPU seconds for a test where the problem has neither a limit nor a reference; None: the sandbox's default.
    memory_limit_mb: for a solution where the problem has no limit.
    audit: so many passes, drawn at random, are run again in fresh processes before a True is believed; twice as many
        where not every test passed.
    """

    threshold: float = 0.8
    timeouts: Timeouts = Timeouts.AUTO
    max_timeouts: int = 2
    early_stop: bool = False
    isolation: Isolation = Isolation.BATCH
    libraries: tuple[str, ...] = ("numpy",)
    time_limit_s: float | None = None
    memory_limit_mb: float = 1024.0
    audit: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold: expected more than 0 and at most 1, got {self.threshold}")
        if self.max_timeouts < 1:
            raise ValueError(f"max_timeouts: expected 1 or more, got {self.max_timeouts}")

    @property
    def audited_from(self) -> float:
        """The pass rate above which passes are audited: low enough that stored outcomes serve other thresholds too."""
        return min(0.5, self.threshold)
