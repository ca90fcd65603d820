"""The tester's processes: none is left behind, and the end of one, whenever it comes, is never a word about a solution."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from crl_data.judging import Judge, Policy
from crl_data.types import Outcome, Solution
from tests.conftest import assert_problem
from tests.processes import below, children

PROBLEM = replace(
    assert_problem("f", *(f"for n in range({m}):\n    assert f(n) == n * n" for m in (2, 3, 4, 5))),
    reference="def f(n):\n    return n * n\n",
)
RIGHT, WRONG = "def f(n):\n    return n * n\n", "def f(n):\n    return n\n"


def solution(text: str, number: int) -> Solution:
    return Solution(problem_id=PROBLEM.id, id=str(number), code=f"# {number}\n{text}")


def runners(others: set[int]) -> list[int]:
    return [pid for pid in children(os.getpid()) if pid not in others]


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_after_a_hundred_judgements_there_are_no_more_files_and_processes_than_before() -> None:
    others = set(children(os.getpid()))
    with Judge(jobs=1, policy=Policy(libraries=())) as judge:
        texts = (RIGHT, WRONG, "import os\ndef f(n):\n    os._exit(0)\n", "def f(n):\n    raise ValueError\n")
        counts = []
        for round_ in range(4):
            for number in range(3 if round_ == 0 else 40):
                problem = replace(PROBLEM, test_setup=f"# {number % 2}\n")  # the tests change too
                judge.judge(problem, solution(texts[number % 4], 100 * round_ + number))
            mine = [one for runner in runners(others) for one in (runner, *(pid for pid, _ in below(runner)))]
            mine = [pid for pid in mine if Path(f"/proc/{pid}").exists()]
            counts.append((len(mine), sorted(open_files(pid) for pid in mine)))
        assert len({processes for processes, _ in counts[1:]}) == 1, counts
        assert max(map(sum, (files for _, files in counts[1:]))) <= sum(counts[1][1]), counts


def of_tester(what: str, others: set[int]) -> list[int]:
    """The tester's zygote (the second that a supervisor started), its cell, or the process in it that runs tests."""
    found = []
    for runner in runners(others):
        for supervisor in children(runner):
            for zygote in sorted(children(supervisor))[1:2]:
                depths = {1: "the zygote", 2: "the cell", 3: "the process"}
                found += [zygote] if what == "the zygote" else []
                found += [pid for pid, depth in below(zygote) if depths.get(depth + 1) == what]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("what", ["the zygote", "the cell", "the process"])
def test_whatever_of_the_tester_is_killed_at_any_instant_no_label_is_wrong(what: str) -> None:
    others, stop, draw = set(children(os.getpid())), threading.Event(), random.Random(what)
    killed: list[int] = []

    def kill() -> None:
        while not stop.wait(draw.uniform(0, 0.3 if what == "the process" else 1.0)):
            try:
                found = of_tester(what, others)
                if found:
                    os.kill(draw.choice(found), signal.SIGKILL)
                    killed.append(1)
            except ProcessLookupError:
                pass

    with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as judge:
        known = judge.judge(PROBLEM, solution(RIGHT, -1))
        assert known.verdict is True
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        end, number, errors = time.monotonic() + 12, 0, 0
        while time.monotonic() < end:
            text, wanted = ((RIGHT, True), (WRONG, False))[number % 2]
            judgement = judge.judge(PROBLEM, solution(text, number))
            number += 1
            errors += judgement.verdict is None
            assert judgement.verdict is not (not wanted), judgement.reason
            if judgement.verdict is None:
                assert Outcome.JUDGE_ERROR in judgement.outcomes
        stop.set()
        killer.join()
    assert len(killed) >= 5 and errors < number / 2
