"""A program that is run, and not judged: what it did, and no verdict."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from crl_data.errors import RunnerDied
from crl_data.judging import Judge, Policy
from crl_data.sandbox import Limits


def test_what_a_program_did_is_seen(judge: Judge) -> None:
    seen = judge.run("print(input()[::-1])", b"abc\n").result()
    assert (seen.how, seen.answer, seen.exit_status, seen.note) == ("ended", b"cba\n", 0, "")
    seen = judge.run("print(1)\nimport sys\nsys.exit(3)").result()
    assert (seen.how, seen.answer, seen.exit_status) == ("raised", b"1\n", 3)
    seen = judge.run("def f(:").result()
    assert (seen.how, seen.answer, seen.exit_status) == ("refused", b"", 1) and "SyntaxError" in seen.note
    assert judge.run("while True: pass", limits=Limits(cpu_s=0.5)).result().how == "timeout"


def test_a_program_is_the_same_every_time(judge: Judge) -> None:
    code = "import random\nprint(random.random(), hash('x'))"
    assert len({judge.run(code).result().answer for _ in range(4)}) == 1


def test_a_runner_that_dies_is_replaced_and_one_that_always_dies_is_an_error() -> None:
    with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as judge:
        assert judge.run("print(1)").result().answer == b"1\n"
        future = judge.run("import time\ntime.sleep(1)\nprint(input())", b"7\n")
        time.sleep(0.5)
        for pid in _runners(judge):
            os.kill(pid, signal.SIGKILL)
        assert future.result().answer == b"7\n"
        future = judge.run("import time\ntime.sleep(100)", limits=Limits(cpu_s=200.0))
        while not future.done():
            time.sleep(0.5)
            for pid in _runners(judge):
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(RunnerDied, match="runner"):
            future.result()


def _runners(judge: Judge) -> set[int]:
    """The processes of the runners of a judge."""
    return {
        runner._process._process.pid  # type: ignore[attr-defined]
        for worker in judge._workers
        for runner in list(worker._runners.values())
        if runner._process._process.poll() is None  # type: ignore[attr-defined]
    }


def test_what_is_run_when_the_judge_is_closed_is_an_error() -> None:
    judge = Judge(jobs=1, sandbox="local", policy=Policy(libraries=()))
    future = judge.run("import time\ntime.sleep(100)", limits=Limits(cpu_s=200.0))
    time.sleep(1)
    threading.Timer(0.0, judge.close).start()
    with pytest.raises(RunnerDied):
        future.result(20)
