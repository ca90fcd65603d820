"""What fails on our side, at any instant and in any way, is never a verdict; and whatever way we end, nothing stays behind."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crl_data.errors import RunnerDied, SandboxUnavailable  # noqa: F401, for `judged_in_a_program`
from crl_data.judging import Judge, Policy
from crl_data.types import Outcome, Problem, Solution
from tests.conftest import ROOT, function_problem, stdin_problem
from tests.processes import below, children, groups, lives, wait_until

SQUARES = stdin_problem(*((f"{n}\n", f"{n * n}\n") for n in range(12)), id="squares")
FUNCTION = function_problem("square", *(([n], n * n) for n in range(12)), id="function")
PAIRS: list[tuple[Problem, str, bool]] = [
    (SQUARES, "print(int(input()) ** 2)", True),
    (SQUARES, "n = int(input())\nprint(n ** 2 if n % 2 else 1)", False),
    (SQUARES, "1/0", False),
    (SQUARES, "import time\ntime.sleep(0.01)\nprint(int(input()) ** 2)", True),
    (FUNCTION, "def square(n): return n * n", True),
    (FUNCTION, "def square(n): return n + n", False),
]


def solution(problem: Problem, text: str, number: int) -> Solution:
    return Solution(problem_id=problem.id, id=str(number), code=f"# {number}\n{text}\n")


# --- kills ------------------------------------------------------------------------------------------------------------------------


class Killer(threading.Thread):
    """Kills one process of the judge's, at a depth, every now and then; counts how many."""

    def __init__(self, depths: tuple[int, ...], pause_s: tuple[float, float]) -> None:
        super().__init__(daemon=True)
        self.depths, self.pause_s = depths, pause_s
        self.draw = random.Random(repr(depths))
        self.others = {pid for pid, _ in below(os.getpid())}  # runners of other tests
        self.stop = threading.Event()
        self.killed = 0

    def run(self) -> None:
        while not self.stop.wait(self.draw.uniform(*self.pause_s)):
            mine = [pid for pid, depth in below(os.getpid()) if depth in self.depths and pid not in self.others]
            if mine:
                try:
                    os.kill(self.draw.choice(mine), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "depths"),
    [
        ("the runner", (1,)),
        ("the supervisor", (2,)),
        ("the zygote", (3,)),
        ("the cell", (4,)),
        ("any of them", (1, 2, 3, 4)),
    ],
)
def test_whatever_of_ours_is_killed_at_any_instant_no_label_is_wrong(what: str, depths: tuple[int, ...]) -> None:
    """A solution's own process is its own: that it ends by a signal is data. All others are ours."""
    begun = time.monotonic()
    with Judge(jobs=2, sandbox="local", policy=Policy(libraries=())) as judge:
        judge.judge(SQUARES, solution(SQUARES, PAIRS[0][1], -1))
        start_s = (
            time.monotonic() - begun
        )  # a runner must have time to start between two kills, however slow the machine
        _judge_under_fire(judge, Killer(depths, (0.0, 6 * start_s)), what)


def _judge_under_fire(judge: Judge, killer: Killer, what: str) -> None:
    with killer:
        end = time.monotonic() + 6
        judged = wrong = errors = number = 0
        while (time.monotonic() < end or killer.killed < 5) and number < 3000:
            works = [(*PAIRS[n % len(PAIRS)], n) for n in range(number, number + 24)]
            number += 24
            futures = [judge.submit(problem, solution(problem, text, n)) for problem, text, _, n in works]
            for future, (_, _, wanted, _) in zip(futures, works, strict=True):
                judgement = future.result()
                judged += 1
                wrong += judgement.verdict is (not wanted)
                errors += judgement.verdict is None
                if judgement.verdict is None:
                    assert Outcome.JUDGE_ERROR in judgement.outcomes, judgement.reason
    print(f"{what}: {killer.killed:,} killed, {judged:,} judged, {wrong:,} wrong, {errors:,} without a verdict")
    assert killer.killed >= 5 and wrong == 0
    assert errors < judged / 2, (what, killer.killed, errors, judged)


# --- ends -------------------------------------------------------------------------------------------------------------------------

USING = """
import sys, threading, time
from crl_data import Judge, Policy, Problem, Solution, Test, TestKind
problem = Problem(id="p", question="?", test_kind=TestKind.STDIN, tests=(Test(input="1", expected="1"),) * 4)
sleeper = Solution(problem_id="p", id="s", code="import os, time\\nos.fork()\\ntime.sleep(1000)")
right = Solution(problem_id="p", id="r", code="print(input())")
judge = Judge(jobs=2, sandbox=SANDBOX, policy=Policy(libraries=()))
assert judge.judge(problem, right).verdict is True
futures = [judge.submit(problem, sleeper) for _ in range(2)]
time.sleep(1)
print("ready", flush=True)
"""
ENDS = {
    "is killed": ("time.sleep(1000)", signal.SIGKILL),
    "is asked to end": ("time.sleep(1000)", signal.SIGTERM),
    "is interrupted": ("time.sleep(1000)", signal.SIGINT),
    "is interrupted while it waits for a judgement": ("futures[0].result()", signal.SIGINT),
    "ends without closing": ("import os\nos._exit(0)", None),
    "raises": ("1/0", None),
    "closes while it is judging": ("judge.close()", None),
}


@pytest.mark.parametrize("sandbox", ["local", "none"])
@pytest.mark.parametrize("end", ENDS)
def test_however_a_program_that_judges_ends_nothing_of_it_stays(tmp_path: Path, sandbox: str, end: str) -> None:
    """No process, no control group, and no folder, but where it had no time for that (`none` alone makes any)."""
    last, number = ENDS[end]
    program = USING.replace("SANDBOX", repr(sandbox)) + last
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert owner.stdout is not None and owner.stdout.readline() == "ready\n"
    started = [pid for pid, _ in below(owner.pid)]
    if number is not None:
        assert len(started) >= 4
        owner.send_signal(number)
    owner.wait(60)
    assert wait_until(lambda: not any(map(lives, started))), list(filter(lives, started))
    names = {f"crl-{pid:010d}" for pid in started}
    assert wait_until(lambda: not names & groups())
    if number is not signal.SIGKILL and number is not signal.SIGTERM and "_exit" not in last:
        assert list(tmp_path.iterdir()) == []


def test_a_judge_is_of_no_use_after_its_end_and_says_so() -> None:
    judge = Judge(jobs=1, sandbox="local", policy=Policy(libraries=()))
    futures = [judge.submit(SQUARES, solution(SQUARES, "import time\ntime.sleep(100)", n)) for n in range(3)]
    time.sleep(0.5)
    judge.close()
    for future in futures:
        assert future.cancelled() or isinstance(future.exception(), RunnerDied)
    with pytest.raises(RuntimeError):
        judge.judge(SQUARES, solution(SQUARES, "1", 1))
    judge.close()


def test_a_judge_can_be_made_and_used_in_a_forked_child() -> None:
    """The one that was there before the fork is its parent's; the parent goes on with it, also once the child is gone."""
    with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as judge:
        assert judge.judge(SQUARES, solution(SQUARES, PAIRS[0][1], 0)).verdict is True
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as own:
                    status = 0 if own.judge(SQUARES, solution(SQUARES, PAIRS[0][1], 1)).verdict is True else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert judge.judge(SQUARES, solution(SQUARES, PAIRS[1][1], 2)).verdict is False


def test_many_threads_can_share_a_judge() -> None:
    """Also threads that end while their runner, which was started for them, is needed by others."""
    seen: list[tuple[bool | None, bool]] = []
    with Judge(jobs=2, sandbox="local", policy=Policy(libraries=())) as judge:

        def work(number: int) -> None:
            problem, text, wanted = PAIRS[number % len(PAIRS)]
            seen.append((judge.judge(problem, solution(problem, text, number)).verdict, wanted))

        for first in range(0, 60, 20):
            threads = [threading.Thread(target=work, args=(number,)) for number in range(first, first + 20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(seen) == 60 and all(verdict is wanted for verdict, wanted in seen)


# --- a machine that has no more -----------------------------------------------------------------------------------------------------


def judged_in_a_program(before: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        f"import os, resource\nfrom tests.judging.test_faults import *\n{before}\n"
        "try:\n"
        "    with Judge(jobs=1, sandbox='local', policy=Policy(libraries=())) as judge:\n"
        "        for n, (problem, text, wanted) in enumerate(PAIRS):\n"
        "            verdict = judge.judge(problem, solution(problem, text, n)).verdict\n"
        "            assert verdict in (wanted, None), (text, verdict)\n"
        "        print('judged')\n"
        "except (OSError, MemoryError, SandboxUnavailable, RuntimeError) as error:\n"
        "    print(f'refused: {type(error).__name__}: {error}')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


WANT = {
    "no room for a temporary file": "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
    "few descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))",
    "hardly any descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))",
    "little memory": "resource.setrlimit(resource.RLIMIT_AS, (int(open('/proc/self/statm').read().split()[0]) * 4096 + (24 << 20),) * 2)",
    "no memory": "resource.setrlimit(resource.RLIMIT_AS, (int(open('/proc/self/statm').read().split()[0]) * 4096 + (2 << 20),) * 2)",
}


@pytest.mark.parametrize("want", WANT)
def test_on_a_machine_that_has_no_more_there_is_no_verdict_or_the_right_one(want: str) -> None:
    done = judged_in_a_program(WANT[want])
    said = done.stdout.strip()
    assert said == "judged" or said.startswith("refused: "), (said, done.stderr[-2000:])


# --- many in a row ----------------------------------------------------------------------------------------------------------------


def held(judge: Judge) -> dict[str, int]:
    """What this process and its runners hold now; memory in KiB, of all of them together.

    Whatever else this process has started (an engine for other tests) is not counted, and what other tests have let go of is
    collected first.
    """
    gc.collect()
    mine = [pid for pid in children(os.getpid()) if b"sandbox/runner" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    runners = mine + [pid for one in mine for pid, _ in below(one)]
    kib = 0
    for pid in (os.getpid(), *runners):
        with contextlib.suppress(OSError):
            kib += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() >> 10
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    return {
        "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), *runners)),
        "processes": len(runners),
        "files": sum(path.name.startswith(("crl-", "tmp")) for path in folder.iterdir()),
        "KiB": kib,
    }


@pytest.mark.parametrize(
    "count", [pytest.param(600, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.slow)]
)
def test_many_solutions_in_a_row_leave_nothing_behind(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ends = ["print(1)", "1/0", "import os\nos._exit(3)", "def (", "import os\nos.fork()", "open('x', 'w').write('x')"]

    def judge_some(judge: Judge, first: int, number: int) -> None:
        pairs = [
            (SQUARES, solution(SQUARES, ends[n % len(ends)] if n % 2 else PAIRS[n % 4][1], n))
            for n in range(first, first + number)
        ]
        for _ in judge.map(pairs):
            pass

    with Judge(jobs=2, sandbox="local", policy=Policy(libraries=())) as judge:
        judge_some(judge, 0, 200)
        before = held(judge)
        judge_some(judge, 200, count)
        after = held(judge)
    print(f"{count:,} solutions: " + ", ".join(f"{name} {before[name]:,} -> {after[name]:,}" for name in before))
    for name in ("descriptors", "processes", "files"):
        assert after[name] <= before[name], (
            before,
            after,
        )  # fewer: other tests of this process had some, and let them go
    assert after["KiB"] < before["KiB"] + 8192 + count / 4, (before, after)
