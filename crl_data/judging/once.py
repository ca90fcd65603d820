"""Judging with nothing to set up: one judge for this process, started when it is first needed."""

from __future__ import annotations

import atexit
import os
import threading

from crl_data.judging.judge import Judge
from crl_data.judging.policy import Policy
from crl_data.types import Judgement, Problem, Solution

_lock = threading.Lock()
_judges: dict[tuple[int, str, Policy], Judge] = {}


def judge(problem: Problem, solution: Solution, *, sandbox: str = "auto", policy: Policy | None = None) -> Judgement:
    """Judge one solution. The judge stays warm for the next call; it ends with the process."""
    return shared_judge(sandbox, policy).judge(problem, solution)


def shared_judge(sandbox: str = "auto", policy: Policy | None = None) -> Judge:
    """The judge of this process for these settings. A forked child gets one of its own."""
    key = (os.getpid(), sandbox, policy or Policy())
    with _lock:
        if key not in _judges:
            _judges[key] = Judge(sandbox=sandbox, policy=key[2])
            atexit.register(_judges[key].close)
        return _judges[key]
