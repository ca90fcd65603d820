"""A worker's runners, and one solution run through all tests of a plan: from code to believed results.

A runner that dies is replaced and the solution is run from the start; what cannot be found out after that is a judge
error, and no word about the solution.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crl_data.errors import RunnerDied, SandboxUnavailable
from crl_data.judging import calls, interface
from crl_data.judging.checker import Checker
from crl_data.judging.evidence import Graded, gather
from crl_data.judging.plan import Plan
from crl_data.judging.policy import LimitFrom, Policy
from crl_data.judging.verdict import inconclusive, settled
from crl_data.problems import is_source
from crl_data.sandbox import Limits, Observation, Program, Runner, Sandbox, Session
from crl_data.sandbox.client import Input
from crl_data.sandbox.runner import values
from crl_data.types import Outcome

ATTEMPTS = 3
_KEPT_BYTES = 1 << 16
_SEED = 0  # of a program that is run for what it prints, and not as a test
_NOTHING = Observation(how="", note="", answer=b"", cpu_s=0.0, wall_s=0.0, peak_mb=0.0, signal=0, lives=False)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The believed result of every test (None: not run), or why there are none: the code, or something of ours."""

    results: tuple[Graded | None, ...] = ()
    refused: str = ""
    fault: str = ""


def run_all(worker: Worker, plan: Plan, code: str, limits: Limits, policy: Policy, limit_from: LimitFrom) -> Gathered:
    """Run all tests of a plan on some code. Raises `RunnerDied` only when the worker was told to end."""
    n = len(plan.inputs)

    def is_settled(outcomes: Sequence[Outcome]) -> bool:
        passed = sum(outcome is Outcome.PASSED for outcome in outcomes)
        return settled(passed, inconclusive(outcomes, policy, limit_from), n, policy.threshold) is not None

    why = ""
    for _ in range(ATTEMPTS):
        try:
            bench = _SolutionBench(worker, plan, code, limits)
            if bench.refused:
                return Gathered(refused=bench.refused)
            return Gathered(results=tuple(gather(bench, n, policy, _content_seed(plan, code), is_settled)))
        except RunnerDied as error:
            if worker.ended:
                raise
            why = str(error)
            worker.restart()
    return Gathered(fault=why)


def run_once(worker: Worker, code: str, stdin: bytes, limits: Limits) -> Observation:
    """Run code as a program on one input, and say what happened. Raises `RunnerDied` after `ATTEMPTS` runners."""
    seen, why = None, ""
    for _ in range(ATTEMPTS):
        try:
            session = worker.plain(code, limits)
            if isinstance(session, str):
                return replace(_NOTHING, how="refused", note=session or "the code does not compile", exit_status=1)
            (seen,) = session.run([Input(stdin, _SEED)], fresh=True)
            if seen.how != "fault":
                return seen
        except RunnerDied as error:
            if worker.ended:
                raise
            why = str(error)
            worker.restart()
    if seen is None:
        raise RunnerDied(why)
    return seen


class _SolutionBench:
    """A solution in its session; see `evidence.Bench`."""

    def __init__(self, worker: Worker, plan: Plan, code: str, limits: Limits) -> None:
        self.worker = worker
        self.plan = plan
        self.code = code
        self.limits = limits
        self.session: Session
        self.refused = ""
        self.open()

    def open(self) -> None:
        session = self.worker.open(self.plan, self.code, self.limits)
        if isinstance(session, str):
            self.refused = session or "the code does not compile"
        else:
            self.session = session

    def anew(self) -> None:
        self.worker.restart()
        self.open()
        if self.refused:
            raise RunnerDied(f"code that compiled before does not now: {self.refused}")

    def run(self, tests: Sequence[int], *, fresh: bool, new: bool) -> list[Graded]:
        seen = self.session.run([self.plan.inputs[test] for test in tests], fresh=fresh, new=new)
        checker = self.worker.checker(self.plan)
        return [_lighter(self.plan.grade(test, one, checker)) for test, one in zip(tests, seen, strict=False)]


def _lighter(graded: Graded) -> Graded:
    """Without the bulk of a large answer: once it is graded, only whether another is the same as it counts."""
    answer = graded.seen.answer
    if len(answer) <= _KEPT_BYTES:
        return graded
    short = answer[:_KEPT_BYTES] + b" ... SHA-256 " + hashlib.sha256(answer).hexdigest().encode()
    return replace(graded, seen=replace(graded.seen, answer=short))


def _content_seed(plan: Plan, code: str) -> int:
    """The seed of the order of tests: drawn from the code and the tests, so that it is the same every time."""
    digest = hashlib.blake2b(code.encode("utf-8", "surrogatepass"), digest_size=8)
    for one in plan.inputs:
        digest.update(one.seed.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


def interface_of(worker: Worker, reference: str, limits: Limits, leetcode: tuple[str, ...] | None) -> str:
    """What a reference offers to tests (`interface`), read off its module in the sandbox; "" where it cannot be loaded."""
    probe = Input(calls.order([calls.pack(())]), 0)
    for _ in range(ATTEMPTS):
        try:
            session = worker.probe(reference, limits, leetcode)
            seen = None if isinstance(session, str) else session.run([probe], fresh=True)[0]
            if seen is None or seen.how != "ended":
                return ""
            return interface.checked(values.unpack(calls.results(seen.answer)[0].get("value")))
        except RunnerDied as error:
            if worker.ended:
                raise
            why = str(error)
            worker.restart()
        except calls.HOSTILE:
            return ""
    raise RunnerDied(why)


class Worker:
    """The runners of one job: a lean one, one with the named libraries loaded, one for checkers; each when first needed.

    index, of: which of how many jobs it is.
    """

    def __init__(self, sandbox: Sandbox, index: int = 0, of: int = 1) -> None:
        self._sandbox = sandbox
        self._place = index, of
        self._names_library = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sandbox.libraries) or r"(?!)")
        self._runners: dict[str, Runner] = {}
        self._lock = threading.Lock()
        self._checker: tuple[str, Checker] | None = None
        self.ended = False

    def open(self, plan: Plan, code: str, limits: Limits) -> Session | str:
        """A session for some code, or why it does not compile. Raises `RunnerDied`."""
        return self._runner_for(code, plan.prelude).open(plan.program(code), limits)

    def plain(self, code: str, limits: Limits) -> Session | str:
        """A session for some code as a program that reads and prints, or why it does not compile. Raises `RunnerDied`."""
        return self._runner_for(code).open(Program(code=code, mode="stdin"), limits)

    def probe(self, reference: str, limits: Limits, leetcode: tuple[str, ...] | None) -> Session | str:
        """A session for a reference and the probe that looks at it."""
        program = Program(code=reference + interface.PROBE, mode="calls", entry=interface.ENTRY, leetcode=leetcode)
        return self._runner_for(reference).open(program, limits)

    def checker(self, plan: Plan) -> Checker | None:
        """The checker of a problem, where it brings one."""
        source = plan.problem.checker
        if source is None or not is_source(source):
            return None
        if self._checker is None or self._checker[0] != source:
            self._checker = (source, Checker(source, lambda: self._runner("checker")))
        return self._checker[1]

    def take_spare(self) -> None:
        """Make the runner that the sandbox was found with one's own, to use it and to end it."""
        self._runner("lean")

    def _runner_for(self, *sources: str) -> Runner:
        """The runner of code: with the libraries loaded where it names one."""
        return self._runner("loaded" if any(map(self._names_library.search, sources)) else "lean")

    def _runner(self, which: str) -> Runner:
        with self._lock:
            if self.ended:
                raise RunnerDied("the judge was closed")
            if which not in self._runners:
                try:
                    runner = self._sandbox.start(which != "lean")
                except SandboxUnavailable as error:  # others of its kind have started: this one died at it
                    raise RunnerDied(str(error)) from None
                self._runners[which] = runner  # so that it is ended, if not here
                runner.place(*self._place)
            return self._runners[which]

    def restart(self) -> None:
        """Let go of all runners; new ones are started when they are needed."""
        with self._lock:
            for runner in self._runners.values():
                runner.close()
            self._runners.clear()
            self._checker = None

    def kill(self) -> None:
        """End all runners at once and for good; may be called from any thread. What they do comes to `RunnerDied`."""
        self.ended = True
        with self._lock:
            for runner in self._runners.values():
                runner.kill()

    def close(self) -> None:
        """End all runners in good order and for good."""
        self.ended = True
        self.restart()
