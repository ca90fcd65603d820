"""How difficult the problems are for a named model: n answers to each, judged like candidates, and pass@k.

An answer without a verdict is in no pass@k, and counted. An answer without code has failed, as one that was cut before its code
has. The intervals of the means over problems are Wilson's, a problem as one trial: at least as wide as they must be.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from crl_data.columns import Fault, describe
from crl_data.corpus.recipe import OpenAIDifficulty, RecordedDifficulty, VllmDifficulty
from crl_data.corpus.sampling import CUT, Asker, answer_as_solution, requests_of
from crl_data.corpus.stage import Duplicate, Stage, taken_id
from crl_data.corpus.tally import Tally
from crl_data.judging import Judge
from crl_data.judging.canaries import Watch
from crl_data.metrics.estimates import pass_at_k, wilson
from crl_data.prompts import Template
from crl_data.responses import code_of, fenced
from crl_data.rows import Row, cells_of, solution_of
from crl_data.samplers.chat import label_of
from crl_data.samplers.model import Answer, Request
from crl_data.samplers.recorded import WrittenAnswer
from crl_data.types import Difficulty, Judgement, Problem, Sampler, Solution

KS = (1, 2, 4)
INTERVAL = "95 %, Wilson's score, each problem as one trial"
_AHEAD = 16


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """The answers to a problem, as solutions with the code taken out of them; what they cost, where it is known."""

    problem: Problem
    solutions: tuple[Solution, ...]
    cost: Counter[str]


class Measure:
    """The stage `difficulty` of a recipe."""

    def __init__(
        self,
        settings: OpenAIDifficulty | VllmDifficulty | RecordedDifficulty,
        stage: Stage,
        template: Template,
    ) -> None:
        self.settings = settings
        self.stage = stage
        self.template = template

    def add_candidates(self, asker: Asker, tally: Tally, seen: Callable[[], object]) -> None:
        """Put the answers on the stage as candidates."""
        for answered in self._answered(asker, Counter()):
            for solution in answered.solutions:
                seen()
                tally.candidates["read"] += 1
                _, why_none = code_of(replace(solution, code=None), self.settings.extract)
                dropped = CUT if solution.finish_reason == "length" else why_none
                try:
                    self.stage.add_candidate(solution, dropped or None)
                except Duplicate:
                    raise taken_id("difficulty", solution) from None

    def run(
        self, judge: Judge, asker: Asker, write: Callable[[dict[str, Any]], None], seen: Callable[[], object]
    ) -> dict[str, Any]:
        """Judge the answers, write a row for each problem, and give the summary for the manifest."""
        watch = Watch(judge)
        counts: Counter[str] = Counter()
        cost: Counter[str] = Counter()
        sums = dict.fromkeys(KS, 0.0)
        problems: Counter[int] = Counter()
        models: Counter[str] = Counter()

        def take(answered: _Answered, futures: list[Future[Judgement] | None]) -> None:
            verdicts = [False if future is None else future.result().verdict for future in futures]
            row = _row(answered, verdicts)
            counts.update(problems=1, answers=len(verdicts), true=row.n_true, false=row.n - row.n_true)
            counts.update({"inconclusive": row.n_inconclusive, "without code": futures.count(None)})
            counts[CUT] += sum(solution.finish_reason == "length" for solution in answered.solutions)
            models.update({row.model: 1} if row.model else {})
            for k in KS:
                if row.n >= k:
                    sums[k] += pass_at_k(row.n, row.n_true, k)
                    problems[k] += 1
            write(cells_of(row))
            watch.look()
            seen()

        waiting: deque[tuple[_Answered, list[Future[Judgement] | None]]] = deque()
        for answered in self._answered(asker, cost):
            waiting.append((answered, [_submit(judge, answered.problem, one) for one in answered.solutions]))
            if sum(len(futures) for _, futures in waiting) >= _AHEAD * judge.jobs:
                take(*waiting.popleft())
        while waiting:
            take(*waiting.popleft())
        return {
            "sampler": self.settings.sampler,
            "models": sorted(models),
            "n": self.settings.n,
            "prompt": self.template.label,
            **{name: counts[name] for name in _COUNTED},
            "pass_at": {str(k): _mean(sums[k], problems[k]) for k in KS if problems[k]},
            "interval": INTERVAL,
            "mean_tokens": _share(cost["output_tokens"], counts["answers"]),
            "mean_reasoning_tokens": _share(cost["reasoning_tokens"], counts["answers"]),
            "prompt_tokens": cost["prompt_tokens"],
            "output_tokens": cost["output_tokens"],
        }

    def requests(self) -> Iterator[Request]:
        """What is asked: the solve prompt of every kept problem that has tests."""
        problems = (problem for problem, _ in self.stage.problems() if problem.tests)
        return requests_of(problems, self.template, self.settings.n)

    def _answered(self, asker: Asker, cost: Counter[str]) -> Iterator[_Answered]:
        before: Counter[str] = Counter()
        for request, answers in asker.answers(self.settings, self.requests, cost, _written):
            problem = self.stage.problem(request.id)
            assert problem is not None
            solutions = tuple(
                self._solution(problem, number, answer, asker.sampler(self.settings, answer))
                for number, answer in enumerate(answers)
            )
            yield _Answered(problem=problem, solutions=solutions, cost=cost - before)
            before = Counter(cost)

    def _solution(self, problem: Problem, number: int, answer: Answer, sampler: Sampler) -> Solution:
        name = f"difficulty/{label_of(sampler.model or sampler.name)}/{problem.id}/{number}"
        solution = answer_as_solution(problem.id, name, sampler, answer)
        code, _ = code_of(solution, self.settings.extract)
        return replace(solution, code=code, extra={**solution.extra, "extraction": self.settings.extract})


_COUNTED = ("problems", "answers", "true", "false", "inconclusive", "without code", CUT)


def _submit(judge: Judge, problem: Problem, solution: Solution) -> Future[Judgement] | None:
    return None if solution.code is None else judge.submit(problem, solution)


def _row(answered: _Answered, verdicts: Iterable[bool | None]) -> Difficulty:
    decided = [verdict for verdict in verdicts if verdict is not None]
    n, n_true = len(decided), sum(decided)
    samplers = [solution.sampler for solution in answered.solutions if solution.sampler is not None]
    return Difficulty(
        problem_id=answered.problem.id,
        n=n,
        n_true=n_true,
        n_inconclusive=len(answered.solutions) - n,
        mean_tokens=_mean_tokens(answered, "output_tokens", [one.tokens for one in answered.solutions]),
        mean_reasoning_tokens=_mean_tokens(
            answered, "reasoning_tokens", [one.extra["reasoning_tokens"] for one in answered.solutions]
        ),
        model=next((label_of(sampler.model) for sampler in samplers if sampler.model), None),
        **{f"pass_at_{k}": pass_at_k(n, n_true, k) if n >= k else None for k in KS},
    )


def _mean_tokens(answered: _Answered, name: str, each: list[int | None]) -> float | None:
    """Of the answers to a problem: as each says, or as the server counted all of them together."""
    if each and None not in each:
        return fmean(count for count in each if count is not None)
    return answered.cost[name] / len(each) if each and answered.cost[name] else None


def _mean(total: float, problems: int) -> dict[str, Any]:
    mean = min(1.0, max(0.0, total / problems))
    low, high = wilson(mean, problems)
    return {"mean": round(mean, 6), "low": round(low, 6), "high": round(high, 6), "problems": problems}


def _share(total: int, whole: int) -> float | None:
    return round(total / whole, 3) if whole and total else None


def _written(row: Row) -> list[tuple[str, WrittenAnswer]]:
    """A recorded answer: a Solution row."""
    solution = solution_of(row)
    thought = solution.extra.get("reasoning_tokens")
    answer = WrittenAnswer(
        text=solution.response if solution.response is not None else fenced(solution.code or ""),
        finish_reason=solution.finish_reason,
        tokens=solution.tokens,
        reasoning_tokens=thought if type(thought) is int else None,
        sampler=solution.sampler,
    )
    return [(solution.problem_id, answer)]


def fault_of_difficulty(cells: dict[str, Any]) -> Fault | None:
    """The first thing about the cells of a row of difficulty that cannot be right, or None."""
    n, n_true = cells["n"], cells["n_true"]
    if not 0 <= n_true <= n:
        return Fault("n_true", f"a count from 0 to {n}", describe(n_true))
    for k in KS:
        wanted, came = pass_at_k(n, n_true, k) if n >= k else None, cells.get(f"pass_at_{k}")
        if (wanted is None) is not (came is None) or (came is not None and abs(came - (wanted or 0.0)) > 1e-9):
            return Fault(f"pass_at_{k}", f"{describe(wanted)}, of {n_true} in {n}", describe(came))
    return None
