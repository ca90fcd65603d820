"""Judging with nothing to set up: one judge for this process, started when it is first needed."""

from __future__ import annotations

import os
import threading

from crl_data.judging.judge import Judge
from crl_data.judging.policy import Policy
from crl_data.judging.recent import Recent
from crl_data.types import Judgement, Problem, Solution

_lock = threading.Lock()
_judges: dict[tuple[object, ...], Judge] = {}


def judge(problem: Problem, solution: Solution, *, sandbox: str = "auto", policy: Policy | None = None) -> Judgement:
    """Judge one solution. The judge stays warm for the next call; it ends with the process."""
    return shared_judge(sandbox, policy).judge(problem, solution)


def shared_judge(
    sandbox: str = "auto", policy: Policy | None = None, *, jobs: int | None = None, remember: int = 0
) -> Judge:
    """The judge of this process, under a policy; the runners are the same for all policies with the same libraries.

    remember: how many of its last findings it keeps, so that what was judged is not run again. A forked child gets a judge of
    its own. Raises `SandboxUnavailable`.
    """
    policy = policy or Policy()
    runners = (os.getpid(), sandbox, policy.libraries, jobs, remember)
    with _lock:
        if runners not in _judges:
            memory = Recent(remember) if remember else None
            _judges[runners] = Judge(sandbox=sandbox, policy=policy, jobs=jobs, memory=memory)
        return _judges[runners].under(policy)


def _forget() -> None:
    """In a forked child the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
