"""A reward is called from wherever a trainer likes: threads, event loops, forked and spawned processes, the end of all."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from crl_data.rewards import acritique_reward, ahybrid_reward, asolve_reward, hybrid_reward, reward, solve_reward
from tests.conftest import PROBLEM_ROW, RIGHT_SUM
from tests.processes import below

TESTS = PROBLEM_ROW["tests"]
RIGHT = f"```python\n{RIGHT_SUM}```"
HALF = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 0)\n```"
ENDLESS = "```python\nwhile True: pass\n```"
SAID = [RIGHT, HALF, "I cannot.", RIGHT]
WORTH = [1.0, pytest.approx(5 / 6), 0.0, 1.0]


def columns(n: int = 4) -> dict[str, Any]:
    return {"tests": [TESTS] * n, "test_kind": ["stdin"] * n}


def ask(_: int = 0) -> list[float | None]:
    return solve_reward(SAID, **columns())


def test_from_many_threads_at_once() -> None:
    with ThreadPoolExecutor(16) as threads:
        assert all(found == WORTH for found in threads.map(ask, range(48)))


def test_from_an_event_loop_beside_others() -> None:
    async def all_at_once() -> list[Any]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.002)
                ticks += 1

        ticking = asyncio.create_task(tick())
        run = reward("solve", asynchronous=True, remember=0)  # the same ones again and again
        found = await asyncio.gather(*(run(SAID * 8, **columns(32)) for _ in range(4)))
        ticking.cancel()
        assert ticks > 5  # the loop was free meanwhile
        return found

    assert asyncio.run(all_at_once()) == [WORTH * 8] * 4


def test_the_async_forms_say_the_same() -> None:
    rows: dict[str, Any] = {**columns(2), "solution": [None, "print(1)"], "verdict": [None, False]}
    said = [HALF, r"\conclusion{F}"]
    assert asyncio.run(ahybrid_reward(said, **rows)) == hybrid_reward(said, **rows) == [pytest.approx(5 / 6), 1.0]
    assert asyncio.run(acritique_reward(said, verdict=[None, False])) == [None, 1.0]
    made = reward("solve", asynchronous=True, score="all")
    assert asyncio.iscoroutinefunction(made) and asyncio.run(made(SAID, **columns())) == [1.0, 0.0, 0.0, 1.0]


def test_a_call_that_is_cancelled_leaves_the_judge_free() -> None:
    async def cancelled() -> None:
        waiting = asyncio.create_task(asolve_reward([ENDLESS] * 60, **columns(60), time_limit_s=[0.5] * 60))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    begun = time.monotonic()
    assert ask() == WORTH
    assert time.monotonic() - begun < 20  # two of sixty were running, each at most three times its limit


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_from_several_processes(method: str) -> None:
    """Also from one that is forked while another thread of its parent is in the middle of a call."""
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(lambda: [ask() for _ in range(10)])
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as processes:
            assert all(found == WORTH for found in processes.map(ask, range(4), timeout=120))
        assert running.result() == [WORTH] * 10


def run(program: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    given = f"RIGHT = {RIGHT!r}\nENDLESS = {ENDLESS!r}\nTESTS = {TESTS!r}\n"
    head = "from crl_data.rewards import solve_reward\ncolumns = lambda n: dict(tests=[TESTS] * n, test_kind=['stdin'] * n)\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", given + head + program], capture_output=True, text=True, timeout=timeout
    )


def test_the_process_that_trains_is_never_forked() -> None:
    """What holds a GPU must not be: a runner is another program, started as one."""
    done = run(
        "import os, _posixsubprocess\n"
        "def refuse(*a, **k): raise AssertionError('forked')\n"
        "os.register_at_fork(before=refuse)\nos.fork = os.forkpty = refuse\n"
        "real = _posixsubprocess.fork_exec\n"
        "def watched(*given):\n"
        "    assert given[-1] is True and given[-2] is None, 'neither vfork nor without code of ours in between'\n"
        "    return real(*given)\n"
        "import subprocess\nsubprocess._fork_exec = watched\n"
        "print(solve_reward([RIGHT], **columns(1)))\n"
    )
    assert done.stdout.strip() == "[1.0]", done.stderr


@pytest.mark.parametrize(
    ("when", "program"),
    [
        ("a thread goes on after the main one", "import threading, time\ndef late():\n    time.sleep(0.5)\n    print(solve_reward([RIGHT], **columns(1)))\nthreading.Thread(target=late).start()\n"),
        ("an exit function", "import atexit\natexit.register(lambda: print(solve_reward([RIGHT], **columns(1))))\nsolve_reward([RIGHT], **columns(1))\n"),
        ("an exit function that is the first to ask", "import atexit\natexit.register(lambda: print(solve_reward([RIGHT], **columns(1))))\n"),
        ("a daemon thread in the middle of a call", "import threading, time\nthreading.Thread(target=solve_reward, args=([ENDLESS] * 50,), kwargs=columns(50), daemon=True).start()\ntime.sleep(1)\nprint('end')\n"),
        ("sys.exit in the middle of a call", "import sys, threading, time\nthreading.Thread(target=lambda: solve_reward([ENDLESS] * 50, **columns(50)), daemon=True).start()\ntime.sleep(1)\nprint('end')\nsys.exit(3)\n"),
    ],
)  # fmt: skip
def test_at_the_end_of_the_interpreter_nothing_hangs_and_nothing_is_left(when: str, program: str) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    done = run(f"import os\nos.environ['MARK'] = {mark!r}\n" + program)
    assert done.stdout.strip() in ("[1.0]", "[None]", "end"), done.stderr
    assert done.returncode == (3 if "sys.exit" in when else 0), done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_an_interrupted_call_ends_and_leaves_no_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, threading\n"
        "threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "try:\n    solve_reward([ENDLESS] * 200, **columns(200))\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    done = run(program)
    assert done.stdout.strip() == "interrupted" and done.returncode == 0, done.stderr


@pytest.mark.slow
def test_nothing_grows_over_ten_thousand_calls() -> None:
    """Descriptors, threads, processes and memory, of rewards of all kinds."""
    rows: dict[str, Any] = {"tests": [TESTS[:2]] * 3, "test_kind": ["stdin"] * 3, "verdict": [None, True, None]}
    said = [RIGHT, r"\conclusion{T}", "nothing"]

    def measure() -> tuple[int, int, int, int]:
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(list(below(os.getpid()))), memory

    for _ in range(1000):
        assert hybrid_reward(said, **rows) == [1.0, 1.0, 0.0]
    before = measure()
    for _ in range(10_000):
        assert hybrid_reward(said, **rows) == [1.0, 1.0, 0.0]
    after = measure()
    assert after[:3] == before[:3]
    assert after[3] <= before[3] + 8, (before, after)
