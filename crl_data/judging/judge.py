"""The judge: problems and solutions in, judgements out. It holds warm sandboxes, one for each job.

It puts the parts together: the code out of a response (`responses`), what is run and what counts as right (`plan`), the
time limit (`limits`), the evidence (`evidence`), the verdict (`verdict`). What fails on our side is retried with another
runner, and at last called `judge_error`; it never becomes a verdict.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import hashlib
import os
import queue
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType

from crl_data import responses
from crl_data.errors import InputError, RunnerDied, TestsUnfit
from crl_data.judging import limits
from crl_data.judging.bench import Gathered, Worker, interface_of, run_all, run_once
from crl_data.judging.memory import EVERY_TEST, TEST_BYTES, WORDS, Evidence, Memory, Suite
from crl_data.judging.plan import Plan, leetcode_without, plan, ways
from crl_data.judging.policy import JUDGE_VERSION, LimitFrom, Policy, Way
from crl_data.judging.verdict import Decision, decide
from crl_data.sandbox import Limits, Observation, Sandbox, open_sandbox
from crl_data.types import JudgeInfo, Judgement, Outcome, Problem, Solution

_PLANS_KEPT = 64  # a plan holds all inputs of a problem
_CALIBRATIONS_KEPT = 1 << 16
_POLICIES_KEPT = 16
_PROBED = Limits(cpu_s=16.0)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A problem ready to be judged: its plan, the limits of a solution, and whether its own reference passes.

    reference_fault: why the reference does not pass every test; empty where it does, or where there is none.
    key: a hash of all of it that outcomes depend on. suite: the same, with its tests one by one.
    """

    plan: Plan
    limits: Limits
    limit_from: LimitFrom
    reference_fault: str
    key: str
    suite: Suite


# Before the interpreter waits for the threads of the judge, which `atexit` comes after: they could be judging for minutes.
_at_exit: Callable[..., object] = getattr(threading, "_register_atexit", atexit.register)


def _close(judge: weakref.ref[Judge], owner: int) -> None:
    """At the end of a program that did not close its judge; in a child that it forked, the judge is not the child's."""
    one = judge()
    if one is not None and os.getpid() == owner:
        one.close()


class Judge:
    """Judges solutions; a context manager, safe to use from many threads.

    jobs: how many solutions are judged at once; None: one for each processor this process may use.
    sandbox: "auto", "local", "docker", "none" (no walls at all; every judgement says so), or one that was opened before.
    allow_weak: go on in a local sandbox where required walls are missing; every judgement then names them.
    policy: threshold, time-outs, isolation, libraries; the defaults are `Policy()`.
    memory: where to look for what was found before (a build's store); None: nothing is kept.
    Raises `SandboxUnavailable` where there is nothing to judge behind, or a named library is missing.
    """

    def __init__(
        self,
        *,
        jobs: int | None = None,
        sandbox: str | Sandbox = "auto",
        allow_weak: bool = False,
        policy: Policy | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.jobs = jobs or processors()
        mine: Sandbox | None = None
        if isinstance(sandbox, str):
            mine = sandbox = open_sandbox(sandbox, self.policy.libraries, allow_weak=allow_weak)
        self.sandbox = sandbox
        self._memory = memory
        self._workers = [Worker(self.sandbox, index, self.jobs) for index in range(self.jobs)]
        if mine is not None and mine.spare:
            self._workers[0].take_spare()
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self.jobs, thread_name_prefix="judge")
        self._prepared: OrderedDict[str, Future[Prepared]] = OrderedDict()
        self._keys: OrderedDict[int, tuple[Problem, limits.Calibration | None, tuple[str, Suite]]] = OrderedDict()
        self._calibrations: dict[str, limits.Calibration] = {}
        self._others: OrderedDict[Policy, Judge] = OrderedDict()
        self._lock = threading.Lock()
        try:
            _at_exit(_close, weakref.ref(self), os.getpid())
        except RuntimeError:  # the interpreter is ending
            self.close()
            raise

    # --- the public face ----------------------------------------------------------------------------------------------

    def judge(self, problem: Problem, solution: Solution) -> Judgement:
        """Judge one solution and wait for it. Raises `InputError` where the problem's tests are no tests."""
        return self.submit(problem, solution).result()

    async def ajudge(self, problem: Problem, solution: Solution) -> Judgement:
        """`judge`, for use in an event loop."""
        return await asyncio.wrap_future(self.submit(problem, solution))

    def map(self, pairs: Iterable[tuple[Problem, Solution]]) -> Iterator[Judgement]:
        """Judge many, in input order, holding only a window of them in memory."""
        waiting: deque[Future[Judgement]] = deque()
        for problem, solution in pairs:
            waiting.append(self.submit(problem, solution))
            if len(waiting) >= 16 * self.jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def submit(
        self, problem: Problem, solution: Solution, *, known: limits.Calibration | None = None, remember: bool = True
    ) -> Future[Judgement]:
        """Judge one in the background.

        known: what the reference showed when it was run before (a record says so), so that it need not be run.
        remember: False: run everything, whatever the judge's memory holds.
        """
        return self._threads.submit(self._judge, problem, solution, known, remember)

    def prepare(self, problem: Problem, known: limits.Calibration | None = None) -> Future[Prepared]:
        """Get a problem ready in the background: make its plan and run its reference, if that was not done before."""
        return self._threads.submit(self._prepare_here, problem, known)

    def gathered(
        self, problem: Problem, solution: Solution, known: limits.Calibration | None = None
    ) -> tuple[Prepared, Gathered, Judgement]:
        """Judge one solution, whatever is remembered, and give what was seen on every test with it."""
        return self._threads.submit(self._gathered, problem, solution, known).result()

    def run(self, code: str, stdin: bytes = b"", limits: Limits | None = None) -> Future[Observation]:
        """Run code as a program on one input in the background, and say what happened: no test, no verdict.

        A runner that dies is replaced, and the code is run again. The future raises `RunnerDied` where that did not help.
        """
        return self._threads.submit(self._run, code, stdin, limits or Limits(memory_mb=self.policy.memory_limit_mb))

    def under(self, policy: Policy) -> Judge:
        """The same judge, with the same runners, under another policy. It ends when this one does.

        It is kept for whoever asks again, since it knows problems that it has prepared. Raises `InputError` where the
        policy wants other libraries than the runners have.
        """
        if policy == self.policy:
            return self
        if set(policy.libraries) != set(self.policy.libraries):
            raise InputError(f"libraries: expected {list(self.policy.libraries)}, got {list(policy.libraries)}")
        with self._lock:
            other = self._others.get(policy)
            if other is None:
                other = self._others[policy] = copy.copy(self)
                other.policy = policy
                other._prepared, other._keys = OrderedDict(), OrderedDict()  # limits depend on the policy
                if len(self._others) > _POLICIES_KEPT:
                    self._others.popitem(last=False)
            self._others.move_to_end(policy)
            return other

    def info(self, prepared: Prepared) -> JudgeInfo:
        """How verdicts on this problem come about: what a record says of its judge."""
        return JudgeInfo(
            version=JUDGE_VERSION,
            threshold=self.policy.threshold,
            timeouts=self.policy.timeouts,
            max_timeouts=self.policy.max_timeouts,
            isolation=self.policy.isolation,
            backend=self.sandbox.backend,
            walls=self.sandbox.walls,
            runtime=self.sandbox.runtime,
            limit_from=prepared.limit_from,
            tamper_proof=prepared.plan.tamper_proof,
            way=prepared.plan.way,
            interface=prepared.plan.interface or None,
        )

    def close(self) -> None:
        """End all runners. What is being judged comes to nothing."""
        idle = set(self._idle.queue)
        for worker in self._workers:
            (worker.close if worker in idle else worker.kill)()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- one solution -------------------------------------------------------------------------------------------------

    def _judge(
        self, problem: Problem, solution: Solution, known: limits.Calibration | None, remember: bool
    ) -> Judgement:
        worker = self._idle.get()
        try:
            prepared = self._prepare(problem, worker, known)
            evidence = self._evidence(prepared, solution, worker, self._memory if remember else None)
        finally:
            self._idle.put(worker)
        return self.judgement(prepared, solution, evidence)

    def _run(self, code: str, stdin: bytes, limits: Limits) -> Observation:
        worker = self._idle.get()
        try:
            return run_once(worker, code, stdin, limits)
        finally:
            self._idle.put(worker)

    def _gathered(
        self, problem: Problem, solution: Solution, known: limits.Calibration | None
    ) -> tuple[Prepared, Gathered, Judgement]:
        worker = self._idle.get()
        try:
            prepared = self._prepare(problem, worker, known)
            begun = time.monotonic()
            code, why_none = responses.code_of(solution)
            if code is None:
                gathered = Gathered(refused=why_none)
            else:
                gathered = run_all(worker, prepared.plan, code, prepared.limits, self.policy, prepared.limit_from)
        finally:
            self._idle.put(worker)
        evidence = _evidence(gathered, len(prepared.plan.inputs), prepared.limit_from, time.monotonic() - begun)
        return prepared, gathered, self.judgement(prepared, solution, evidence)

    def judgement(self, prepared: Prepared, solution: Solution, evidence: Evidence) -> Judgement:
        """The judgement that the policy draws from evidence."""
        decision = decide(evidence.outcomes, self.policy, prepared.limit_from)
        return Judgement(
            problem_id=prepared.plan.problem.id,
            solution_id=solution.id,
            verdict=decision.verdict,
            pass_rate=decision.pass_rate,
            n_tests=len(evidence.outcomes),
            n_passed=decision.n_passed,
            n_inconclusive=decision.n_inconclusive,
            outcomes=evidence.outcomes,
            limit_from=prepared.limit_from,
            tamper_proof=prepared.plan.tamper_proof and self.sandbox.tamper_proof,
            isolation=self.policy.isolation,
            reason=_reason(decision, evidence, self.sandbox.note),
            seconds=evidence.seconds,
            sandbox=self.sandbox.backend,
        )

    def _evidence(self, prepared: Prepared, solution: Solution, worker: Worker, memory: Memory | None) -> Evidence:
        code, why_none = responses.code_of(solution)
        n = len(prepared.plan.inputs)
        if code is None:
            return _same_for_all(Outcome.RUNTIME_ERROR, why_none, n)
        key = self.evidence_key(prepared, code)
        suite = self._suite(prepared, code)
        remembered = memory.evidence(key, suite, self.policy.max_timeouts) if memory else None
        if remembered is not None:
            return remembered
        begun = time.monotonic()
        gathered = run_all(worker, prepared.plan, code, prepared.limits, self.policy, prepared.limit_from)
        found = _evidence(gathered, n, prepared.limit_from, time.monotonic() - begun)
        return (
            memory.keep_evidence(key, found, suite) if memory and Outcome.JUDGE_ERROR not in found.outcomes else found
        )

    def evidence_key(self, prepared: Prepared, code: str) -> str:
        """A hash of all that the outcomes of a solution depend on; what only the verdict depends on is left out."""
        policy = self.policy
        parts = [prepared.key, *self._beside_the_problem(prepared, code)]
        if policy.early_stop:
            parts += [policy.threshold, policy.timeouts, prepared.limit_from]
        return _digest(parts)

    def _suite(self, prepared: Prepared, code: str) -> Suite | None:
        """What `evidence_key` hashes, with the tests one by one; None where not every test is run."""
        if self.policy.early_stop:
            return None
        group = _digest([prepared.suite.group, *self._beside_the_problem(prepared, code)])
        return replace(prepared.suite, group=group)

    def _beside_the_problem(self, prepared: Prepared, code: str) -> list[object]:
        policy = self.policy
        return [code, prepared.limits, policy.max_timeouts, policy.isolation, policy.audit, policy.audited_from]

    # --- problems -----------------------------------------------------------------------------------------------------

    def _prepare_here(self, problem: Problem, known: limits.Calibration | None) -> Prepared:
        worker = self._idle.get()
        try:
            return self._prepare(problem, worker, known)
        finally:
            self._idle.put(worker)

    def _prepare(self, problem: Problem, worker: Worker, known: limits.Calibration | None) -> Prepared:
        """The prepared problem; whoever asks first prepares it, and the others wait."""
        key, suite = self._key_of(problem, known)
        with self._lock:
            future = self._prepared.get(key)
            mine = future is None
            if future is None:
                future = self._prepared[key] = Future()
                if len(self._prepared) > _PLANS_KEPT:
                    self._prepared.popitem(last=False)
            self._prepared.move_to_end(key)
        if mine:
            try:
                future.set_result(self._prepare_new(problem, key, suite, worker, known))
            except BaseException as error:
                with self._lock:
                    self._prepared.pop(key, None)
                future.set_exception(error)
        prepared = future.result()
        return prepared if prepared.plan.problem.id == problem.id else _renamed(prepared, problem)

    def _prepare_new(
        self, problem: Problem, key: str, suite: Suite, worker: Worker, known: limits.Calibration | None
    ) -> Prepared:
        calibration = known or self._calibrations.get(key) or (self._memory.calibration(key) if self._memory else None)
        if calibration is None:
            calibration = self._calibrated_with_more(problem, suite) or self._calibrate(problem, worker)
            if self._memory:
                self._memory.keep_calibration(key, calibration, suite)  # before the first solution is judged
        with self._lock:
            self._calibrations[key] = calibration
            if len(self._calibrations) > _CALIBRATIONS_KEPT:  # in a service that runs for weeks
                del self._calibrations[next(iter(self._calibrations))]
        the_plan = plan(problem, calibration.way, calibration.interface)
        cpu_s, limit_from = limits.choose(calibration, problem, self.policy)
        return Prepared(
            plan=the_plan,
            limits=Limits(cpu_s=cpu_s, memory_mb=self._memory_mb(problem)),
            limit_from=limit_from,
            reference_fault=calibration.fault,
            key=_digest([key, the_plan.way, the_plan.interface]),
            suite=replace(suite, group=_digest([suite.group, *_of_all_tests(the_plan)])),
        )

    def _calibrated_with_more(self, problem: Problem, suite: Suite) -> limits.Calibration | None:
        """What the reference showed on more tests than these; None where running it on these could show another way."""
        found = self._memory.wider_calibration(suite) if self._memory and problem.reference is not None else None
        return found if found and found.way == next(iter(ways(problem)), None) else None

    def _calibrate(self, problem: Problem, worker: Worker) -> limits.Calibration:
        """Run the reference: does it pass every test, how long does it take, in which way must its tests be run?"""
        if problem.reference is None:
            made = plan(problem)
            return replace(limits.NOT_CALIBRATED, way=made.way, interface=made.interface)
        first_fault, shape = "", ""
        for way in (*ways(problem),) or (None,):
            if way in (Way.TESTER, Way.HANDLES) and not shape:
                bounds = replace(_PROBED, memory_mb=self._memory_mb(problem))
                shape = interface_of(worker, problem.reference, bounds, leetcode_without(problem))
            try:
                the_plan = plan(problem, way, shape)
            except InputError:
                if way not in (Way.SPLIT, Way.BESIDE):
                    raise
                continue
            cpu_s, fault = self._run_reference(the_plan, worker)
            if not fault:
                return limits.Calibration(
                    reference_cpu_s=max(cpu_s, default=0.0),
                    fault="",
                    way=the_plan.way,
                    interface=the_plan.interface,
                    cpu_s=cpu_s,
                )
            first_fault = first_fault or fault
        return limits.Calibration(reference_cpu_s=None, fault=first_fault, way=None, interface="")

    def _run_reference(self, the_plan: Plan, worker: Worker) -> tuple[tuple[float, ...], str]:
        """The CPU time of each test, and why the reference does not pass every one (empty: it does)."""
        problem = the_plan.problem
        assert problem.reference is not None
        bounds = Limits(cpu_s=max(limits.GRID_S[-1], problem.time_limit_s or 0), memory_mb=self._memory_mb(problem))
        policy = replace(self.policy, threshold=1.0, max_timeouts=1, early_stop=False)
        try:
            gathered = run_all(worker, the_plan, problem.reference, bounds, policy, LimitFrom.DEFAULT)
        except TestsUnfit as error:
            return (), f"{EVERY_TEST}: {error}"
        evidence = _evidence(gathered, len(the_plan.inputs), LimitFrom.DEFAULT, 0.0)
        if gathered.fault or any(result is not None and result.seen.how == "fault" for result in gathered.results):
            raise RunnerDied(f"the reference of problem {problem.id} could not be judged: {evidence.first}")
        return tuple(result.seen.cpu_s if result else 0.0 for result in gathered.results), evidence.first

    def _memory_mb(self, problem: Problem) -> float:
        return problem.memory_limit_mb or self.policy.memory_limit_mb

    def _key_of(self, problem: Problem, known: limits.Calibration | None) -> tuple[str, Suite]:
        """`problem_key`, which reads all tests, once for an object that is judged on again and again."""
        with self._lock:
            kept = self._keys.get(id(problem))
        if kept is not None and kept[0] is problem and kept[1] == known:
            return kept[2]
        found = self.problem_key(problem, known)
        with self._lock:
            self._keys[id(problem)] = problem, known, found
            if len(self._keys) > _PLANS_KEPT:
                self._keys.popitem(last=False)
        return found

    def problem_key(self, problem: Problem, known: limits.Calibration | None = None) -> tuple[str, Suite]:
        """A hash of all of a problem, the judge and the runtime that outcomes depend on; and the same with its tests apart."""
        texts: list[object] = [
            JUDGE_VERSION,
            self.sandbox.backend,
            self.sandbox.lacking,
            self.sandbox.runtime,
            problem.test_kind,
            problem.entry_point,
            problem.test_setup,
            problem.checker,
            problem.starter_code,
            problem.reference,
            problem.time_limit_s,
            problem.memory_limit_mb,
            self._memory_mb(problem),
            self.policy.isolation,
            known,
        ]
        tests = [text for test in problem.tests for text in (test.input, test.expected)]
        each = tuple(bytes.fromhex(_digest([test.input, test.expected])[: 2 * TEST_BYTES]) for test in problem.tests)
        return _digest([*texts, *tests]), Suite(_digest(texts), each)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _evidence(gathered: Gathered, n: int, limit_from: LimitFrom, seconds: float) -> Evidence:
    seconds = round(seconds, 4)
    if gathered.refused:
        return _same_for_all(Outcome.RUNTIME_ERROR, gathered.refused, n, seconds)
    if gathered.fault:
        return _same_for_all(Outcome.JUDGE_ERROR, gathered.fault, n, seconds)
    outcomes = tuple(Outcome.NOT_RUN if result is None else result.outcome for result in gathered.results)
    first = ""
    for place, result in enumerate(gathered.results):
        if result is not None and result.outcome is not Outcome.PASSED:
            source = f" (the limit is the {limit_from}'s)" if result.outcome is Outcome.TIMEOUT else ""
            first = f"test {place + 1}: {WORDS[result.outcome]}: {result.detail}{source}"
            break
    return Evidence(outcomes=outcomes, first=first, seconds=seconds)


def _same_for_all(outcome: Outcome, why: str, n: int, seconds: float = 0.0) -> Evidence:
    return Evidence(outcomes=(outcome,) * n, first=f"{EVERY_TEST}: {WORDS[outcome]}: {why}", seconds=seconds)


def _reason(decision: Decision, evidence: Evidence, note: str) -> str:
    """One line for a person: how many tests passed, and what happened on the first that did not."""
    n = len(evidence.outcomes)
    if decision.n_passed == n:
        text = f"passed all {n} tests"
    else:
        text = f"passed {decision.n_passed} of {n} tests"
        if decision.n_inconclusive:
            text += f", {decision.n_inconclusive} undecided"
        text += f"; {evidence.first}" if evidence.first else ""
    return text + (f" [{note}]" if note else "")


def _digest(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = repr(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _of_all_tests(the_plan: Plan) -> list[object]:
    """What a plan draws from all tests of a problem together, so that it can be another with fewer of them."""
    return [the_plan.way, the_plan.interface, the_plan.mode, the_plan.entry, the_plan.leetcode]


def _renamed(prepared: Prepared, problem: Problem) -> Prepared:
    """The preparation of a problem that is the same but for its name."""
    return replace(prepared, plan=replace(prepared.plan, problem=problem))
