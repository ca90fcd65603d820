"""Batch, then confirm: each of its rules, on a bench that can be told how a program behaves.

The programs here are those that fooled a plain "batch, then confirm a failure" (they pass tests that a fresh process
fails), and those that a careless confirmation would fail. The truth is always what a fresh process does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.judging import Isolation, Policy
from crl_data.judging.evidence import Graded, gather, outcomes_of
from crl_data.sandbox import Observation
from crl_data.types import Outcome

Program = Callable[[int, list[int]], Outcome]
"""A program, seen from outside: the outcome of a test, and which tests its process ran before."""

P, W, R, T, J = Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR, Outcome.TIMEOUT, Outcome.JUDGE_ERROR


class ToldBench:
    """A bench whose program is a function; it counts processes and runs."""

    def __init__(self, program: Program, answers: Callable[[int, int], bytes] = lambda test, run: b"") -> None:
        self.program = program
        self.answers = answers
        self.history: list[int] | None = None
        self.processes = 0
        self.runs: list[tuple[int, bool]] = []
        self.sandboxes = 1

    def anew(self) -> None:
        self.history = None
        self.sandboxes += 1

    def run(self, tests: Sequence[int], *, fresh: bool, new: bool) -> list[Graded]:
        results = []
        if new:
            self.history = None
        for test in tests:
            if fresh or self.history is None:
                self.history = []
                self.processes += 1
            outcome = self.program(test, self.history)
            self.runs.append((test, not self.history))
            self.history.append(test)
            lives = outcome in (P, W)
            seen = Observation(
                how="ended",
                note="",
                answer=self.answers(test, len(self.runs)),
                cpu_s=0,
                wall_s=0,
                peak_mb=0,
                signal=0,
                lives=lives,
            )
            results.append(Graded(outcome, "", seen))
            if not lives:
                self.history = None
                if not fresh:
                    break
        return results


def believed(bench: ToldBench, n: int = 24, seed: int = 1, **policy: object) -> list[Outcome]:
    return outcomes_of(gather(bench, n, Policy(**policy), seed, lambda outcomes: False))  # type: ignore[arg-type]


def truth(program: Program, n: int = 24) -> list[Outcome]:
    return [program(test, []) for test in range(n)]


def right(test: int, before: list[int]) -> Outcome:
    return P


def wrong_on_some(test: int, before: list[int]) -> Outcome:
    return W if test % 5 == 0 else P


def needs_a_second_run(test: int, before: list[int]) -> Outcome:
    return P if before else R


def needs_an_import_of_another_test(test: int, before: list[int]) -> Outcome:
    return P if test % 4 == 0 or any(one % 4 == 0 for one in before) else R


def state_that_some_tests_set(test: int, before: list[int]) -> Outcome:
    return P if test < 6 or any(one < 6 for one in before) else W


def knows_the_answers_in_order(test: int, before: list[int]) -> Outcome:
    return P if len(before) == test else W


def leaks_state_and_fails_for_it(test: int, before: list[int]) -> Outcome:
    return W if len(before) >= 3 else P


HONEST = [right, wrong_on_some, leaks_state_and_fails_for_it]
HIDING = [needs_a_second_run, needs_an_import_of_another_test, state_that_some_tests_set, knows_the_answers_in_order]


@pytest.mark.parametrize("program", HONEST)
@pytest.mark.parametrize("seed", range(50))
def test_what_is_believed_of_a_program_that_hides_nothing_is_what_a_fresh_process_does(
    program: Program, seed: int
) -> None:
    assert believed(ToldBench(program), seed=seed) == truth(program)


@pytest.mark.parametrize(("program", "escapes"), list(zip(HIDING, (0, 0.02, 0.02, 0), strict=True)))
def test_a_program_whose_state_hides_its_failures_is_found_out(program: Program, escapes: float) -> None:
    """In nearly every order; the bound is what the audit of two passes leaves over (1,000 orders)."""
    taken = sum(believed(ToldBench(program), seed=seed).count(P) > 0.8 * 24 for seed in range(1000))
    assert taken <= 1000 * escapes


@pytest.mark.parametrize("program", HONEST + HIDING)
def test_per_test_isolation_believes_the_same(program: Program) -> None:
    bench = ToldBench(program)
    assert believed(bench, isolation=Isolation.PER_TEST) == truth(program)
    assert all(first for _, first in bench.runs)


def test_without_the_rules_these_programs_would_be_believed() -> None:
    """The plain way (one process, a failure confirmed alone) takes programs that fail alone: the rules are needed."""

    def plain(program: Program) -> list[Outcome]:
        bench, results = ToldBench(program), []
        for test in range(24):
            outcome = bench.run([test], fresh=False, new=False)[0].outcome
            results.append(outcome if outcome is P else bench.run([test], fresh=True, new=True)[0].outcome)
        return results

    fooled = [program for program in HONEST + HIDING if plain(program).count(P) > 0.8 * 24 >= truth(program).count(P)]
    assert fooled == [needs_an_import_of_another_test, state_that_some_tests_set, knows_the_answers_in_order]


def test_a_failure_that_was_not_first_is_run_again_as_first() -> None:
    bench = ToldBench(wrong_on_some)
    believed(bench)
    for test in range(0, 24, 5):
        assert (test, True) in bench.runs


def test_what_came_after_a_failure_is_thrown_away() -> None:
    """Every pass that is believed was the first of its process or came after passes only."""
    log: list[list[int]] = []

    def program(test: int, before: list[int]) -> Outcome:
        if not before:
            log.append([])
        log[-1].append(test)
        return wrong_on_some(test, before)

    outcomes = believed(ToldBench(program))
    clean = {test for run in log for place, test in enumerate(run) if all(one % 5 for one in run[:place])}
    assert {test for test, outcome in enumerate(outcomes) if outcome is P} <= clean


def test_two_runs_that_differ_throw_everything_away() -> None:
    """Once a test differs, every test is run once more in a fresh process, and only that counts: never a best of two."""
    bench = ToldBench(leaks_state_and_fails_for_it)
    believed(bench)
    assert [first for _, first in bench.runs[-24:]] == [True] * 24
    assert sorted(test for test, _ in bench.runs[-24:]) == list(range(24))


def test_another_output_with_the_same_outcome_differs_too() -> None:
    """A wrong answer that is another wrong answer the second time."""
    bench = ToldBench(wrong_on_some, answers=lambda test, run: b"%d" % run if test % 5 == 0 else b"")
    assert believed(bench) == truth(wrong_on_some)
    assert all(first for _, first in bench.runs[-24:])


def test_passes_are_audited_in_fresh_processes() -> None:
    bench = ToldBench(right)
    believed(bench, audit=2)
    assert sum(first for _, first in bench.runs) == 3 and bench.processes == 3
    bench = ToldBench(right)
    believed(bench, audit=0)
    assert bench.processes == 1


def test_an_audit_that_differs_throws_everything_away() -> None:
    """A program that passes only after another test passed: the order is such that nothing else would notice."""
    first: list[int] = []

    def program(test: int, before: list[int]) -> Outcome:
        if not first:
            first.append(test)
        return P if before or test == first[0] else W

    assert believed(ToldBench(program), audit=2).count(P) == 1


def test_the_first_time_out_is_run_again_alone() -> None:
    bench = ToldBench(lambda test, before: T if test == 3 else P)
    assert believed(bench, max_timeouts=5)[3] is T
    assert bench.runs.count((3, True)) >= 1 and len([run for run in bench.runs if run[0] == 3]) == 2


def test_a_time_out_that_was_only_the_load_is_thrown_away() -> None:
    seen: list[int] = []

    def program(test: int, before: list[int]) -> Outcome:
        seen.append(test)
        return T if test == 3 and seen.count(3) == 1 else P

    assert believed(ToldBench(program)) == [P] * 24


def test_after_enough_believed_time_outs_nothing_more_is_run() -> None:
    bench = ToldBench(lambda test, before: T)
    outcomes = believed(bench, max_timeouts=2)
    assert outcomes.count(T) == 2 and outcomes.count(Outcome.NOT_RUN) == 22
    assert len(bench.runs) == 3


def test_early_stop_ends_where_the_verdict_is_settled() -> None:
    bench = ToldBench(lambda test, before: W)
    outcomes = outcomes_of(gather(bench, 24, Policy(early_stop=True), 1, lambda so_far: so_far.count(W) >= 5))
    assert outcomes.count(W) == 5 and outcomes.count(Outcome.NOT_RUN) == 19


def test_a_fault_of_the_machine_is_tried_again_and_is_no_difference() -> None:
    runs: list[int] = []

    def program(test: int, before: list[int]) -> Outcome:
        runs.append(test)
        return J if test == 7 and runs.count(7) == 1 else P

    bench = ToldBench(program)
    assert believed(bench) == [P] * 24


def test_the_order_is_drawn_by_the_seed_and_is_the_same_every_time() -> None:
    orders = []
    for seed in (1, 1, 2):
        bench = ToldBench(right)
        believed(bench, seed=seed, audit=0)
        orders.append([test for test, _ in bench.runs])
    assert orders[0] == orders[1] != orders[2] != list(range(24))


@settings(max_examples=200)
@given(st.integers(1, 30), st.integers(), st.data())
def test_any_program_without_memory_is_believed_as_it_is(n: int, seed: int, data: st.DataObject) -> None:
    outcomes = data.draw(
        st.lists(st.sampled_from([P, W, R, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT]), min_size=n, max_size=n)
    )
    assert believed(ToldBench(lambda test, before: outcomes[test]), n=n, seed=seed) == outcomes


def test_what_a_program_learns_from_being_asked_again_is_lost_before_it_counts() -> None:
    """A memory that outlives its processes, and knows that an input seen again was answered wrongly before.

    Once it has seen every test it answers one otherwise than before, so that all is run anew (rule 3), and then it
    would know every answer: hence the new sandbox.
    """
    n = 24
    secret = [test % 3 == 0 for test in range(n)]  # what it cannot know
    memory: dict[int, bool] = {}
    asked: dict[int, int] = {}
    sandbox = 0

    def learns(test: int, before: list[int]) -> Outcome:
        nonlocal sandbox
        if bench.sandboxes != sandbox:
            sandbox = bench.sandboxes
            memory.clear()
            asked.clear()
        asked[test] = asked.get(test, 0) + 1
        if asked[test] > 1 and test not in memory:
            memory[test] = True
            if len(asked) < n:
                return W  # as before: no difference is seen
        return P if memory.get(test, False) == secret[test] or len(memory) > n // 2 else W

    bench = ToldBench(learns)
    assert believed(bench, n).count(P) <= secret.count(False)
