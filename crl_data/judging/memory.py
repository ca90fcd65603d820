"""What was found out about a solution, and where a judge looks before it runs anything: what a build's store is to it.

What was found with some tests of a problem is known for any fewer of them too: an outcome belongs to a test, and not to the
company that it was run in. `of_fewer` says what can be taken over; where a fresh run could have ended otherwise, nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from crl_data.judging.limits import Calibration
from crl_data.types import Outcome

EVERY_TEST = "every test"
TEST_BYTES = 16  # of the hash of a test
WORDS = {
    Outcome.WRONG_ANSWER: "wrong answer",
    Outcome.RUNTIME_ERROR: "runtime error",
    Outcome.TIMEOUT: "time-out",
    Outcome.MEMORY_LIMIT: "out of memory",
    Outcome.OUTPUT_LIMIT: "too much output",
    Outcome.JUDGE_ERROR: "judge error",
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found out about a solution, before any threshold: enough to draw other verdicts from.

    first: what happened on the first test that did not pass, in words; empty where all passed.
    seconds: wall-clock time that finding it out took.
    """

    outcomes: tuple[Outcome, ...]
    first: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Suite:
    """The tests that something was found out with. group: a hash of all else that it depends on. tests: one of each test."""

    group: str
    tests: tuple[bytes, ...]


class Memory(Protocol):
    """Where a judge looks before it runs, and keeps what it found. `suite` is None where only the very same counts."""

    def calibration(self, key: str) -> Calibration | None: ...
    def wider_calibration(self, suite: Suite) -> Calibration | None: ...
    def keep_calibration(self, key: str, calibration: Calibration, suite: Suite | None = None) -> None: ...
    def evidence(self, key: str, suite: Suite | None = None, max_timeouts: int = 1) -> Evidence | None: ...
    def keep_evidence(
        self, key: str, evidence: Evidence, suite: Suite | None = None
    ) -> Evidence: ...  # what is kept: another's, if that came first


def of_fewer(evidence: Evidence, known: Sequence[bytes], wanted: Sequence[bytes], max_timeouts: int) -> Evidence | None:
    """The evidence on the wanted tests, of what was found with the known ones; None where it must be found anew.

    That is where a test is not among the known ones or has no outcome, and where so many of the wanted ones timed out that
    a run of them alone would have ended before the last: which ones it would have come to, nobody knows.
    """
    found = dict(zip(known, evidence.outcomes, strict=True))
    if any(found.get(test, Outcome.NOT_RUN) in (Outcome.NOT_RUN, Outcome.JUDGE_ERROR) for test in wanted):
        return None
    outcomes = tuple(found[test] for test in wanted)
    if outcomes.count(Outcome.TIMEOUT) >= max_timeouts:
        return None
    return replace(evidence, outcomes=outcomes, first=_first(evidence, known, wanted, outcomes))


def _first(evidence: Evidence, known: Sequence[bytes], wanted: Sequence[bytes], outcomes: Sequence[Outcome]) -> str:
    """What is said of the first test that did not pass. Of those tests, words were kept for the first alone."""
    place = next((number for number, one in enumerate(outcomes) if one is not Outcome.PASSED), None)
    if place is None:
        return ""
    if evidence.first.startswith(EVERY_TEST):
        return evidence.first
    first = next(number for number, one in enumerate(evidence.outcomes) if one is not Outcome.PASSED)
    told = evidence.first.partition(": ")[2] if known[first] == wanted[place] else WORDS[outcomes[place]]
    return f"test {place + 1}: {told}"


def calibration_of_fewer(
    calibration: Calibration, known: Sequence[bytes], wanted: Sequence[bytes]
) -> Calibration | None:
    """What running a reference on the known tests shows about the wanted ones; None where it must be run."""
    if len(calibration.cpu_s) != len(known):  # it failed, or there is none
        return None
    found = dict(zip(known, calibration.cpu_s, strict=True))
    if any(test not in found for test in wanted):
        return None
    cpu_s = tuple(found[test] for test in wanted)
    return replace(calibration, reference_cpu_s=max(cpu_s, default=0.0), cpu_s=cpu_s)
