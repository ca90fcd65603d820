"""`crl-data judge`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from crl_data.columns import JUDGEMENT
from crl_data.corpus.stage import Duplicate, Stage
from crl_data.errors import InputError, RowError
from crl_data.judging import Isolation, Judge, Policy, Timeouts
from crl_data.judging.repeat import merged
from crl_data.rows import RowWriter, cells_of, problem_of, read_rows, solution_of
from crl_data.types import Judgement, Problem, Solution

Choice = TypeVar("Choice", bound=StrEnum)


def run(
    problems: Path,
    solutions: Path,
    out: Path,
    threshold: float,
    timeouts: str,
    early_stop: bool,
    isolation: str,
    sandbox: str,
    allow_weak: bool,
    jobs: int | None,
    repeat: int,
    as_json: bool,
) -> None:
    policy = _policy(threshold, timeouts, early_stop, isolation)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="crl-judge-") as folder, Stage(Path(folder) / "problems.sqlite") as stage:
        _stage_problems(problems, stage)
        writer = RowWriter(out, JUDGEMENT)
        with (
            Judge(jobs=jobs, sandbox=sandbox, allow_weak=allow_weak, policy=policy) as judge,
            writer,
            tqdm(desc="judging", disable=None, unit="", leave=False) as bar,
        ):
            for solution, judgement in _judged(judge, _checked(solutions, stage), repeat):
                writer.write({**cells_of(judgement), **_others(solution)})
                counts[{True: "true", False: "false", None: "inconclusive"}[judgement.verdict]] += 1
                bar.update()
    if as_json:
        print(
            json.dumps(
                {"judged": sum(counts.values()), **dict.fromkeys(("true", "false", "inconclusive"), 0), **counts}
            )
        )
    else:
        print(
            f"{sum(counts.values()):,} judged: {counts['true']:,} True, {counts['false']:,} False, "
            f"{counts['inconclusive']:,} inconclusive; {out}",
            file=sys.stderr,
        )
        if judge.sandbox.note:
            tampered = "" if judge.sandbox.tamper_proof else ": the solutions could have tampered with these verdicts"
            print(judge.sandbox.note + tampered, file=sys.stderr)


def _others(solution: Solution) -> dict[str, object]:
    """The columns of a solution that are carried through: never one that says what the judge found out."""
    return {name: value for name, value in solution.extra.items() if name not in JUDGEMENT.names()}


def _policy(threshold: float, timeouts: str, early_stop: bool, isolation: str) -> Policy:
    """Raises `InputError` where a value is none of the policy's."""
    try:
        return Policy(
            threshold=threshold,
            timeouts=_one_of(Timeouts, "--timeouts", timeouts),
            early_stop=early_stop,
            isolation=_one_of(Isolation, "--isolation", isolation),
        )
    except ValueError as error:
        raise InputError(f"--{error}") from None


def _one_of(kind: type[Choice], option: str, value: str) -> Choice:
    if value not in list(kind):
        raise InputError(f"{option}: expected one of {', '.join(kind)}, got {value!r}")
    return kind(value)


def _stage_problems(path: Path, stage: Stage) -> None:
    for row in read_rows(path):
        if isinstance(row, RowError):
            raise row
        problem = problem_of(row)
        try:
            stage.add_problem(problem)
        except Duplicate:
            raise RowError(row.place, "id", "an id that no row before it has", f"{problem.id!r} again") from None
    if not stage.count("problems", "true"):
        raise InputError(f"{path}: expected at least one problem, got none")


def _checked(path: Path, stage: Stage) -> Iterator[tuple[Problem, Solution]]:
    problem: Problem | None = None
    for row in read_rows(path):
        if isinstance(row, RowError):
            raise row
        solution = solution_of(row)
        if problem is None or problem.id != solution.problem_id:
            problem = stage.problem(solution.problem_id)
        if problem is None:
            raise RowError(
                row.place, "problem_id", "the id of a problem", f"{solution.problem_id!r}, which no problem has"
            )
        yield problem, solution


def _judged(
    judge: Judge, pairs: Iterator[tuple[Problem, Solution]], repeat: int
) -> Iterator[tuple[Solution, Judgement]]:
    waiting: deque[tuple[Solution, list[Future[Judgement]]]] = deque()

    def first() -> tuple[Solution, Judgement]:
        solution, futures = waiting.popleft()
        return solution, merged([future.result() for future in futures])

    for problem, solution in pairs:
        waiting.append((solution, [judge.submit(problem, solution) for _ in range(repeat)]))
        if len(waiting) * repeat >= 16 * judge.jobs:
            yield first()
    while waiting:
        yield first()
