"""pass@k, with the call and the result of `evaluate`'s code_eval, and our judge behind it.

A candidate is code, a reference is Python source that raises where the code is wrong. Differences from code_eval:

- Code runs behind the judge's walls, so nothing has to be allowed by an environment variable.
- `timeout` is of CPU time, so that a busy machine fails nobody. Over it a candidate has failed, as pass@k has it.
- What our side could not decide (a runner that died, a machine that gave no time) is neither passed nor failed: the
  candidate's `passed` is None and its `result` says why. It is left out of its task's candidates; a task that has fewer than k
  others is left out of pass@k. A warning tells how many there are.
- Where the tests ask for one function of the candidate, it is called by value, by tests that run elsewhere: it cannot
  reach them. Results then have to have a plain form (numbers, text, containers, numpy's arrays). Other tests run in the
  candidate's process, as code_eval's do, behind the same walls. `tamper_proof` of each result says which it was. With
  `solutions`, right ones for each reference, the way is the first that the solution passes.
"""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import datasets
import evaluate

from crl_data.definitions import free_names
from crl_data.errors import InputError, TestsUnfit
from crl_data.judging.judge import Judge, processors
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Policy, Timeouts, Way
from crl_data.metrics.estimates import pass_at_k as estimate
from crl_data.syntax import parse
from crl_data.types import Judgement, Outcome, Problem, Solution, Test, TestKind

_DESCRIPTION = """
pass@k of code candidates under tests (arXiv 2107.03374), judged behind walls. A drop-in for code_eval.
"""

_INPUTS = """
Args:
    predictions: for each task a list of candidates, Python source.
    references: for each task its test, Python source that raises where a candidate is wrong.
    k: pass@k for these; left out where a task has fewer than k candidates (Default: [1, 10, 100])
    num_workers: so many candidates at once, and no more than there are processors (Default: 4)
    timeout: CPU seconds of a candidate (Default: 3.0)
    solutions: for each task a right solution, or None; it settles how the test is run, and passes it or the call is wrong.
    libraries: what candidates may import beyond the standard library (Default: numpy)
    sandbox: "auto", "local" or "docker" (Default: "auto")
Returns:
    pass_at_k: dict of pass@k for each k
    results: for each task a list of (completion_id, {task_id, passed, result, completion_id, tamper_proof}); `passed` is None
        and `result` begins with "inconclusive" where the judge could not decide.
Examples:
    >>> metric = evaluate.load(str(crl_data.metrics.path("crl_code_eval")))
    >>> candidates = [["def add(a, b): return a * b", "def add(a, b): return a + b"]]
    >>> pass_at_k, results = metric.compute(references=["assert add(2, 3) == 5"], predictions=candidates, k=[1, 2])
    >>> pass_at_k
    {'pass@1': 0.5, 'pass@2': 1.0}
"""

_REACHES_OUT = frozenset({"globals", "locals", "vars", "dir", "eval", "exec", "__import__"})
_BESIDE = Calibration(reference_cpu_s=None, fault="", way=Way.BESIDE)

Results = dict[int, list[tuple[int, dict[str, Any]]]]


class CrlCodeEval(evaluate.Metric):  # type: ignore[misc]
    """The metric; its `compute` takes and gives what code_eval's does."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self,
        predictions: Sequence[Sequence[str]],
        references: Sequence[str],
        k: Sequence[int] = (1, 10, 100),
        num_workers: int = 4,
        timeout: float = 3.0,
        solutions: Sequence[str | None] | None = None,
        libraries: Sequence[str] = ("numpy",),
        sandbox: str = "auto",
    ) -> tuple[dict[str, float], Results]:
        known = solutions or [None] * len(references)
        problems = [
            problem_of(place, *of_task, timeout) for place, of_task in enumerate(zip(references, known, strict=True))
        ]
        policy = Policy(threshold=1.0, timeouts=Timeouts.FAIL, libraries=tuple(libraries))
        jobs = max(1, min(num_workers, processors()))
        with Judge(jobs=jobs, sandbox=sandbox, policy=policy) as judge:
            results = _judged(judge, problems, predictions)
        n_undecided = sum(one["passed"] is None for of_task in results.values() for _, one in of_task)
        if n_undecided:
            n = sum(map(len, results.values()))
            warnings.warn(
                f"{n_undecided} of {n} candidates are inconclusive and in no pass@k; `result` says why",
                RuntimeWarning,
                stacklevel=2,
            )
        return pass_at_k(results, k), results


def problem_of(place: int, reference: str, solution: str | None, timeout: float) -> Problem:
    """The problem that a task is: its test behind what the test itself defines, and the one name that it asks for."""
    name = f"references[{place}]"
    try:
        tree = parse(reference)
        setup, test = _parts(reference, tree)
        entry = _only_function(reference, tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{name}: expected Python source, got {reference!r:.60} ({error})") from None
    return Problem(
        id=name,
        question="",
        test_kind=TestKind.ASSERT,
        tests=(Test(input=test if entry else reference),),
        test_setup=setup if entry else None,
        entry_point=entry,
        reference=solution,
        time_limit_s=timeout,
    )


def _parts(reference: str, tree: ast.Module) -> tuple[str, str]:
    """The definitions that a test begins with, and the rest."""
    body = tree.body
    first = next((place for place, one in enumerate(body) if not _defines(one)), None)
    if not first or body[first].lineno == body[first - 1].end_lineno:
        return "", reference
    lines = reference.splitlines(keepends=True)
    begin = body[first].lineno - 1
    return "".join(lines[:begin]), "".join(lines[begin:])


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        return not any(isinstance(node, ast.Call | ast.Name) for node in ast.walk(statement.value))
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def _only_function(reference: str, tree: ast.Module) -> str | None:
    """The name that a test takes from the candidate, where it is one and looks like a function's; else None."""
    names = free_names(reference)
    nodes = list(ast.walk(tree))
    if len(names) != 1 or any(isinstance(node, ast.Name) and node.id in _REACHES_OUT for node in nodes):
        return None
    name = names.pop()
    owns = any(
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name for node in nodes
    )
    return None if owns or name[:1].isupper() else name


def _judged(judge: Judge, problems: Sequence[Problem], predictions: Sequence[Sequence[str]]) -> Results:
    waiting = []
    for task_id, (problem, candidates) in enumerate(zip(problems, predictions, strict=True)):
        known = None
        if problem.reference is not None:
            fault = judge.prepare(problem).result().reference_fault
            if fault:
                raise InputError(f"solutions[{task_id}]: expected one that passes references[{task_id}], got {fault}")
        elif problem.entry_point is None:
            known = _BESIDE
        for completion_id, candidate in enumerate(candidates):
            solution = Solution(problem_id=problem.id, id=str(completion_id), code=candidate)
            waiting.append((task_id, completion_id, judge.submit(problem, solution, known=known)))
    results: Results = defaultdict(list)
    for task_id, completion_id, future in waiting:
        try:
            found = _found(future.result())
        except TestsUnfit as error:
            found = {"passed": None, "result": f"inconclusive: {error}", "tamper_proof": False}
        told = {
            "task_id": task_id,
            "passed": found["passed"],
            "result": found["result"],
            "completion_id": completion_id,
        }
        results[task_id].append((completion_id, {**told, "tamper_proof": found["tamper_proof"]}))
    return results


def _found(judgement: Judgement) -> dict[str, Any]:
    why = judgement.reason.partition("; ")[2] or judgement.reason
    why = why.removeprefix("test 1: ").removeprefix("every test: ")
    if judgement.verdict is None:
        result = f"inconclusive: {why}"
    elif judgement.verdict:
        result = "passed"
    else:
        result = "timed out" if judgement.outcomes[0] is Outcome.TIMEOUT else f"failed: {why}"
    return {"passed": judgement.verdict, "result": result, "tamper_proof": judgement.tamper_proof}


def pass_at_k(results: Results, k: Sequence[int]) -> dict[str, float]:
    """The mean of every task's pass@k. Of a task count the candidates that were decided, if they are k or more."""
    found = {}
    for size in k:
        if any(len(of_task) < size for of_task in results.values()):
            continue
        decided = [[one["passed"] for _, one in of_task if one["passed"] is not None] for of_task in results.values()]
        estimates = [estimate(len(passed), sum(passed), size) for passed in decided if len(passed) >= size]
        if estimates:
            found[f"pass@{size}"] = fmean(estimates)
    return found
