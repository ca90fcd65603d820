"""One solution again, test by test: what each was given, what was expected, what came, and what that was worth."""

from __future__ import annotations

from dataclasses import dataclass

from crl_data.judging import calls
from crl_data.judging.judge import Judge
from crl_data.judging.limits import Calibration
from crl_data.judging.plan import Plan
from crl_data.literals import shown
from crl_data.sandbox import Observation
from crl_data.sandbox.runner import values
from crl_data.types import Judgement, Problem, Solution


@dataclass(frozen=True, kw_only=True)
class ExplainedTest:
    """One test: the texts of the problem, what the solution gave (None: nothing), and the outcome with its reason."""

    input: str
    expected: str
    got: str | None
    outcome: str
    detail: str
    cpu_s: float | None


@dataclass(frozen=True, kw_only=True)
class Explained:
    judgement: Judgement
    limit_s: float
    tests: tuple[ExplainedTest, ...]


def explain(judge: Judge, problem: Problem, solution: Solution, known: Calibration | None = None) -> Explained:
    """Judge a solution and show every test. Raises `InputError` where the problem's tests are no tests."""
    prepared, gathered, judgement = judge.gathered(problem, solution, known)
    results = gathered.results or (None,) * len(problem.tests)
    tests = tuple(
        ExplainedTest(
            input=test.input,
            expected=test.expected,
            got=_got(prepared.plan, result.seen) if result else None,
            outcome=judgement.outcomes[place],
            detail=result.detail if result else gathered.refused or gathered.fault,
            cpu_s=result.seen.cpu_s if result else None,
        )
        for place, (test, result) in enumerate(zip(problem.tests, results, strict=True))
    )
    return Explained(judgement=judgement, limit_s=prepared.limits.cpu_s, tests=tests)


def _got(plan: Plan, seen: Observation) -> str | None:
    """What came, as text; None where nothing did, or where what came says nothing: tests that run as source."""
    if plan.mode == "stdin":
        return seen.answer.decode("utf-8", "backslashreplace")
    if plan.mode in ("beside", "served") or not seen.answer:
        return None
    try:
        results = [
            shown(values.unpack(result["value"]), 10_000) for result in calls.results(seen.answer) if "value" in result
        ]
    except calls.HOSTILE:
        return None
    return "\n".join(results) or None
