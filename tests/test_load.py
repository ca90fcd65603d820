"""Verdicts, outcomes and limits are the same on a machine that is crowded: `benchmarks.load_flips`, made small."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks.load_flips import _ENDLESS, _WAYS, both, flips, workload
from crl_data.judging import Policy
from tests.conftest import ROOT
from tests.processes import below, lives, wait_until

CROWDED = """
import time
from benchmarks.load_flips import crowd
with crowd(2, 1):
    print("ready", flush=True)
    time.sleep(1000)
"""


def test_four_workers_beside_two_busy_loops_judge_as_one_worker_does() -> None:
    works = workload(60)
    ways = Counter(work.way for work in works)
    assert len(ways) >= 10 and set(ways) & set(_ENDLESS) and set(ways) <= {*_WAYS, *_ENDLESS}
    idle, busy = both(works, Policy(), workers=4, loops=2, processors=2)
    assert Counter(one.verdict for one in idle.judgements.values()).keys() >= {True, False}
    assert flips(works, idle, busy) == {"verdicts": [], "outcomes": [], "limits": []}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_busy_loops_end_with_the_benchmark(number: signal.Signals) -> None:
    command = [sys.executable, "-c", CROWDED]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    benchmark = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    loops: list[int] = []
    try:
        assert benchmark.stdout is not None and benchmark.stdout.readline() == "ready\n"
        loops = [pid for pid, _ in below(benchmark.pid)]
        assert len(loops) == 2 and all(map(lives, loops))
        benchmark.send_signal(number)
        benchmark.wait(30)
        assert wait_until(lambda: not any(map(lives, loops))), loops
    finally:
        for pid in (benchmark.pid, *loops):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        benchmark.communicate()
