"""The third stage of a build: references, then candidates, through the judge, with canaries among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from crl_data.corpus.gather import ITS_PROBLEM
from crl_data.corpus.records import shared_cells, untested_cells
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import Tally
from crl_data.errors import InputError
from crl_data.judging import Judge, Prepared
from crl_data.judging.canaries import Watch
from crl_data.rows import cells_of
from crl_data.types import Judgement, Problem

REFERENCE_FAILS = "its own reference fails"
_AHEAD = 16


def check_references(stage: Stage, judge: Judge, watch: Watch, seen: Callable[[], object]) -> None:
    """Prepare every problem; set those aside whose own reference does not pass all of their tests.

    Problems without tests have nothing to prepare: the verdicts on their solutions are given.
    """

    def take(problem: Problem, future: Future[Prepared]) -> None:
        try:
            prepared = future.result()
            fault = prepared.reference_fault
        except InputError as error:  # its tests are no tests
            fault = str(error)
        if fault:
            stage.set_aside(problem.id, f"{REFERENCE_FAILS}: {fault}")
        else:
            stage.share(problem.id, shared_cells(prepared, judge.info(prepared)))
        watch.look()
        seen()

    waiting: deque[tuple[Problem, Future[Prepared]]] = deque()
    for problem, _ in stage.problems():
        if not problem.tests:
            stage.share(problem.id, untested_cells(problem))
            seen()
            continue
        waiting.append((problem, judge.prepare(problem)))
        if len(waiting) >= _AHEAD * judge.jobs:
            take(*waiting.popleft())
    while waiting:
        take(*waiting.popleft())
    stage.drop_candidates_of_set_aside(ITS_PROBLEM)


def judge_candidates(stage: Stage, judge: Judge, watch: Watch, tally: Tally, seen: Callable[[], object]) -> None:
    """Judge every candidate that was not dropped, and put its judgement on the stage."""
    for place, judgement in _judged(stage, judge):
        stage.judged(place, cells_of(judgement))
        tally.judged(judgement.verdict, judgement.outcomes, judgement.limit_from, judgement.tamper_proof)
        watch.look()
        seen()


def _judged(stage: Stage, judge: Judge) -> Iterator[tuple[int, Judgement]]:
    waiting: deque[tuple[int, Future[Judgement]]] = deque()
    problem: Problem | None = None
    for place, candidate, _ in stage.candidates():
        if problem is None or problem.id != candidate.problem_id:
            problem = stage.problem(candidate.problem_id)
        assert problem is not None
        waiting.append((place, judge.submit(problem, candidate)))
        if len(waiting) >= _AHEAD * judge.jobs:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()
