"""Judging completions for a reward: rows of columns to problems, completions to solutions, all within a bounded time.

What fails on our side (a runner that dies again and again, a service that does not answer, time that is over) makes a row
undecided: None, with a word in the log, and never a number. A row that is no problem is the data's fault and raises. The
judge is one for a process: it is started when it is first needed, and a forked process starts its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import json
import logging
import os
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import crl_data.sandbox.runner.libraries  # noqa: F401, what starting a judge imports; see `crl_data.rewards`
from crl_data import rows
from crl_data.columns import JUDGED_BY
from crl_data.errors import InputError, RowError, RunnerDied, SandboxUnavailable, TestsUnfit, WorkError
from crl_data.judging.limits import Calibration, recorded
from crl_data.judging.once import shared_judge
from crl_data.rewards.options import Options
from crl_data.rows import Row
from crl_data.types import Judgement, Problem, Solution

if TYPE_CHECKING:
    from crl_data.service.client import RemoteJudge

_log = logging.getLogger("crl_data.rewards")

Cells = Mapping[str, Any]


class Judging(Protocol):
    """What judges: a `Judge`, or a `RemoteJudge`."""

    def submit(
        self, problem: Problem, solution: Solution, *, known: Calibration | None = None
    ) -> Future[Judgement]: ...


def judgements(cells: Sequence[Cells], texts: Sequence[str], options: Options) -> list[Judgement | None]:
    """What became of each text as a solution of its row; None where nothing could be found out because of us.

    cells: columns of records (`tests`, `test_kind` and what else a record has), one for each text. Raises `InputError`
    where a row is no problem, and `SandboxUnavailable` where this machine has nothing to judge behind.
    """
    futures = _submitted(cells, texts, options)
    concurrent.futures.wait(futures, options.timeout_s)
    return [_found(future) for future in futures]


async def ajudgements(cells: Sequence[Cells], texts: Sequence[str], options: Options) -> list[Judgement | None]:
    """`judgements`, for use in an event loop."""
    futures = await asyncio.to_thread(_submitted, cells, texts, options)
    waiting = [asyncio.wrap_future(future) for future in futures]
    try:
        if waiting:
            await asyncio.wait(waiting, timeout=options.timeout_s)
    except asyncio.CancelledError:
        for future in futures:
            future.cancel()
        raise
    for one in waiting:
        if one.done() and not one.cancelled():
            one.exception()  # else the loop tells of each that nobody asked
    return [_found(future) for future in futures]


def _submitted(cells: Sequence[Cells], texts: Sequence[str], options: Options) -> list[Future[Judgement]]:
    problems: dict[tuple[object, ...], Problem] = {}
    pairs = []
    for place, (row, text) in enumerate(zip(cells, texts, strict=True)):
        key = (id(row.get("tests")), *(row.get(name) for name in ("problem_id", *JUDGED_BY)))
        problem = problems.get(key)  # a row stands there once for each of its completions
        if problem is None:
            problem = problems[key] = problem_of(row, place, options)
        pairs.append((problem, Solution(problem_id=problem.id, id=str(place), response=text), calibration_of(row)))
    if not pairs:
        return []
    futures: list[Future[Judgement]] = []
    same: dict[tuple[int, str | None], Future[Judgement]] = {}
    try:
        judge = judge_for(options)
        for problem, solution, calibration in pairs:
            key = (id(problem), solution.response)
            if key not in same or options.addresses or not options.remember:
                same[key] = judge.submit(problem, solution, known=calibration)
            futures.append(same[key])
    except RuntimeError as error:  # the interpreter is ending, and starts no thread any more
        none: Future[Judgement] = Future()
        none.set_exception(RunnerDied(str(error)))
        futures += [none] * (len(pairs) - len(futures))
    return futures


def _found(future: Future[Judgement]) -> Judgement | None:
    if not future.done():
        future.cancel()
        _log.warning("a completion was not judged in time, and is undecided")
        return None
    try:
        return future.result()
    except (SandboxUnavailable, InputError):
        raise
    except (RunnerDied, TestsUnfit, WorkError, concurrent.futures.CancelledError) as error:
        _log.warning("a completion could not be judged, and is undecided: %s", error)
        return None


# --- rows -------------------------------------------------------------------------------------------------------------


def problem_of(row: Cells, place: int, options: Options) -> Problem:
    """The problem of a row of columns, with as many tests as the options let run. Raises `InputError`."""
    tests = row.get("tests")
    named = f" ({row['problem_id']})" if row.get("problem_id") else ""
    stands = f"row {place + 1} of the batch{named}"
    if tests is not None and hasattr(tests, "tolist"):  # as a column of Parquet is given by some trainers
        tests = tests.tolist()
    if isinstance(tests, str):
        try:
            tests = json.loads(tests)
        except ValueError as error:
            raise RowError(stands, "tests", "a list, or one as JSON", f"text that is none ({error})") from None
    cells = {
        "id": str(row.get("problem_id") or "row"),
        "question": "",
        "tests": tests,
        **{name: row.get(name) for name in JUDGED_BY},
    }
    problem = rows.problem_of(Row(stands, cells))
    return _with_fewer_tests(problem, options.max_tests)


def _with_fewer_tests(problem: Problem, most: int | None) -> Problem:
    """So many of a problem's tests, drawn from what they are: the same ones every time."""
    if most is None or len(problem.tests) <= most:
        return problem
    digest = hashlib.sha256("\0".join(test.input for test in problem.tests).encode("utf-8", "surrogatepass")).digest()
    places = sorted(random.Random(digest).sample(range(len(problem.tests)), most))
    return replace(problem, tests=tuple(problem.tests[place] for place in places))


def calibration_of(row: Cells) -> Calibration | None:
    """What a record says of its reference, where it says anything."""
    judge = row.get("judge")
    return recorded(judge.get("limit_from"), judge.get("way"), judge.get("interface")) if judge else None


# --- the judge of this process ----------------------------------------------------------------------------------------

_remote: dict[tuple[object, ...], RemoteJudge] = {}
_lock = threading.Lock()


def judge_for(options: Options) -> Judging:
    """The judge that options name. Raises `SandboxUnavailable`."""
    if not options.addresses:
        return shared_judge(options.sandbox, options.policy, jobs=options.jobs, remember=options.remember)
    from crl_data.service.client import RemoteJudge

    key = (os.getpid(), options.addresses, options.token, options.policy, options.timeout_s)
    with _lock:
        if key not in _remote:
            _remote[key] = RemoteJudge(
                options.addresses,
                token=options.token,
                policy=options.policy,
                timeout_s=options.timeout_s or float("inf"),
            )
        return _remote[key]


def _forget() -> None:
    """In a forked child the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
