"""Batch, then confirm: how the outcomes of a solution's tests are gathered, fast and as true as one process for each.

Tests run one after another in one process of the solution. Six rules keep that honest (design.md, "The judge's shape");
five of them live here, the sixth (a fresh folder, the end of a program, spent processes) in `sandbox.runner`:

  1. A failure is believed only from the first test of a process; any other is run again as the first of a fresh one.
  2. A pass is believed only while every earlier test of that process passed: the first failure ends the process, and
     what came after it is thrown away.
  3. Where two runs of a test differ in outcome or output, everything so far is thrown away, every test is run once in
     a fresh process, and only that counts. There is never a best of two. A test that is run again tells a solution that
     its first answer was wrong; so that it cannot profit, those processes are in a new sandbox, which remembers nothing.
  4. The order is shuffled by a seed drawn from the content; before a solution is believed to pass, a pass or two drawn
     at random are run again in fresh processes.
  5. Nothing counts but the answer: whether it is right is decided here, outside.

The first time-out of a solution is run once more, alone. It does not know what a test is; it is given a way to run some
by number and a way to grade what came (`Bench`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from crl_data.judging.policy import Isolation, Policy
from crl_data.sandbox import Observation
from crl_data.types import Outcome

_FIRST_WINDOW, _GROWTH, _LARGEST_WINDOW, _FRESH_WINDOW = 2, 4, 64, 4
_WITHOUT_OUTPUT = frozenset({Outcome.TIMEOUT, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT, Outcome.JUDGE_ERROR})
_WHOLE_PROGRAM = frozenset({"load", "missing"})


@dataclass(frozen=True)
class Graded:
    """What one run of one test was worth, and what the program said."""

    outcome: Outcome
    detail: str
    seen: Observation

    def same_as(self, other: Graded) -> bool:
        """Whether two runs of a test agree. Where a limit cut the run off, when it did is no difference."""
        if self.outcome is not other.outcome:
            return False
        return self.outcome in _WITHOUT_OUTPUT or self.seen.answer == other.seen.answer


class Bench(Protocol):
    """A solution on the bench: runs tests by number, and grades what came."""

    def run(self, tests: Sequence[int], *, fresh: bool, new: bool) -> list[Graded]:
        """Run tests in order; see `sandbox.Session.run`. May answer for fewer than were asked for, never for none."""
        ...

    def anew(self) -> None:
        """Go on in a new sandbox, where nothing is left of the runs before."""
        ...


class _Differs(Exception):
    """Two runs of a test did not agree (rule 3)."""


def gather(
    bench: Bench, n: int, policy: Policy, seed: int, is_settled: Callable[[Sequence[Outcome]], bool]
) -> list[Graded | None]:
    """The believed result of every test, in test order; None where it was not run.

    `is_settled` says whether the outcomes so far (`NOT_RUN` where unknown) settle the verdict; it is asked only where
    the policy stops early.
    """
    draw = random.Random(seed)
    order = list(range(n))
    draw.shuffle(order)
    try:
        return _Gathering(bench, order, policy, draw, is_settled).batch()
    except _Differs:
        bench.anew()
        return _Gathering(bench, order, policy, draw, is_settled).strict()


class _Gathering:
    def __init__(
        self,
        bench: Bench,
        order: list[int],
        policy: Policy,
        draw: random.Random,
        is_settled: Callable[[Sequence[Outcome]], bool],
    ) -> None:
        self.bench = bench
        self.order = order
        self.policy = policy
        self.draw = draw
        self.is_settled = is_settled
        self.believed: list[Graded | None] = [None] * len(order)
        self.timeouts = 0
        self.unconfirmed: list[int] = []  # passes that were not the first of their process

    def batch(self) -> list[Graded | None]:
        """All tests under the six rules. Raises `_Differs`.

        Where a process fails its first test, the next tests are likely to fail as well, and each would end its process: so
        they get one each at once, until one of them passes.
        """
        waiting = list(self.order)
        window, position, new = _FIRST_WINDOW, 0, False
        per_test = fresh = self.policy.isolation is Isolation.PER_TEST
        while waiting and not self.enough():
            if fresh:
                window = 1 if self.timeouts else min(window, _FRESH_WINDOW)  # the next could take its whole limit too
            results = self.bench.run(waiting[:window], fresh=fresh, new=new)
            new, passes = False, False
            window = min(_GROWTH * window, _LARGEST_WINDOW)
            for graded in results:
                test = waiting.pop(0)
                if graded.outcome is Outcome.PASSED:
                    self.believed[test] = graded
                    if position:
                        self.unconfirmed.append(test)
                    position = position + 1 if graded.seen.lives and not fresh else 0
                    passes = True
                    continue
                first = position == 0
                self.fail(test, graded, first)
                whole = graded.seen.how in _WHOLE_PROGRAM
                if whole:
                    waiting = self.fail_all(waiting, graded)
                position = 0
                if whole or not fresh or self.enough():  # rule 2: what came after it is thrown away
                    fresh = fresh or first
                    new, window = True, _FRESH_WINDOW if fresh else 1
                    break
            else:
                fresh = per_test or (fresh and not passes)
        self.audit()
        return self.believed

    def strict(self) -> list[Graded | None]:
        """Every test once in a fresh process; only that counts."""
        waiting = list(self.order)
        while waiting and not self.enough():
            for graded in self.bench.run(waiting[:_FRESH_WINDOW], fresh=True, new=True):
                self.believe_failure(waiting.pop(0), graded)
                if self.enough():
                    break
        return self.believed

    def fail(self, test: int, graded: Graded, first: bool) -> None:
        """Rule 1, and the retry of the first time-out and of a fault of the machine."""
        again = graded
        if (
            not first
            or (graded.outcome is Outcome.TIMEOUT and not self.timeouts)
            or graded.outcome is Outcome.JUDGE_ERROR
        ):
            again = self.once_more(test)
            if (
                graded.outcome is not Outcome.JUDGE_ERROR
                and again.outcome is not Outcome.JUDGE_ERROR
                and not again.same_as(graded)
            ):
                raise _Differs
        self.believe_failure(test, again)

    def believe_failure(self, test: int, graded: Graded) -> None:
        self.believed[test] = graded
        self.timeouts += graded.outcome is Outcome.TIMEOUT

    def fail_all(self, waiting: list[int], graded: Graded) -> list[int]:
        """A module that cannot be executed fails every test, once a second fresh process agrees."""
        for test in waiting:
            again = self.once_more(test)
            if again.seen.how != graded.seen.how:
                raise _Differs
            self.believe_failure(test, again)
            break
        for test in waiting[1:]:
            self.believe_failure(test, graded)
        return []

    def once_more(self, test: int) -> Graded:
        return self.bench.run([test], fresh=True, new=True)[0]

    def enough(self) -> bool:
        """Whether no more tests are run: too many time-outs, or a settled verdict where the policy stops there."""
        if self.timeouts >= self.policy.max_timeouts:
            return True
        return self.policy.early_stop and self.is_settled(outcomes_of(self.believed))

    def audit(self) -> None:
        """Rule 4: a pass or two again, in fresh processes, before a solution is believed to pass."""
        passed = sum(graded is not None and graded.outcome is Outcome.PASSED for graded in self.believed)
        if passed <= self.policy.audited_from * len(self.order):
            return
        wanted = self.policy.audit * (1 if passed == len(self.order) else 2)  # nearly right is where hidden state pays
        drawn = self.draw.sample(self.unconfirmed, min(wanted, len(self.unconfirmed)))
        while drawn:
            for again in self.bench.run(drawn, fresh=True, new=True):
                before = self.believed[drawn.pop(0)]
                assert before is not None
                if not again.same_as(before):
                    raise _Differs


def outcomes_of(results: Sequence[Graded | None]) -> list[Outcome]:
    """The outcomes of results, `NOT_RUN` where there is none."""
    return [Outcome.NOT_RUN if graded is None else graded.outcome for graded in results]
