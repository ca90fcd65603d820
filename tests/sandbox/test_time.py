"""CPU time is all of the solution's and nothing but the solution's: its threads, its processes, dead or alive; not the load."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from crl_data.sandbox import Limits, Runner, open_sandbox
from tests.conftest import Bench

BURN = "import os, threading, time\ndef burn(s):\n    end = time.thread_time() + s\n    while time.thread_time() < end: pass\n"
CHILDREN = BURN + "for _ in range({n}):\n    if os.fork() == 0:\n        burn({s})\n        os._exit(0)\n"
FINISH = "for _ in range({n}):\n    os.wait()\nprint('done')\n"

# Each uses 1.2 s, in at most half of that time where two processors are free for it.
PARALLEL = {
    "children that it waited for": (CHILDREN + FINISH).format(n=4, s=0.3),
    "children that are dead and that it did not wait for": BURN
    + "r, w = os.pipe()\nfor _ in range(4):\n    if os.fork() == 0:\n        burn(0.3)\n        os._exit(0)\n"
    "os.close(w)\nos.read(r, 1)\ntime.sleep(0.05)\nprint('done')\n",  # nothing to read: all that could write are dead
    "children of children": BURN + "if os.fork() == 0:\n    kids = os.fork() and os.fork()\n    burn(0.4)\n"
    "    if kids:\n        os.wait(); os.wait()\n    os._exit(0)\nos.wait()\nprint('done')\n",
    "children, and an end by os._exit": (
        CHILDREN + "burn(0.3)\nprint('done', flush=True)\nfor _ in range({n}): os.wait()\nos._exit(0)\n"
    ).format(n=3, s=0.3),
    "threads beside the lock of the interpreter": "import hashlib, threading, time\ndata = bytes(8 << 20)\n"
    "def work():\n    while time.process_time() < 1.2: hashlib.sha256(data).digest()\n"
    "threads = [threading.Thread(target=work) for _ in range(4)]\nfor t in threads: t.start()\nfor t in threads: t.join()\nprint('done')\n",
}


@pytest.mark.parametrize("way", PARALLEL)
@pytest.mark.parametrize("fresh", [False, True])
def test_time_of_all_that_ran_at_once_counts_however_soon_it_was_over(bench: Bench, way: str, fresh: bool) -> None:
    (seen,) = bench(PARALLEL[way], fresh=fresh, limits=Limits(cpu_s=0.9))
    assert (seen.how, seen.note) == ("timeout", "more than 0.9 s of CPU time")
    (seen,) = bench(PARALLEL[way], fresh=fresh, limits=Limits(cpu_s=8.0))
    assert (seen.how, seen.answer) == ("ended", b"done\n") and 1.1 < seen.cpu_s < 1.6


def test_a_program_that_ends_itself_late_is_late(bench: Bench) -> None:
    """Where the supervisor gets no processor to look at the clock, the end of the program is what it sees first."""
    (seen,) = bench(BURN + "burn(0.5)\nprint(1, flush=True)\nos._exit(0)\n", limits=Limits(cpu_s=0.5))
    assert seen.how == "timeout"


def test_time_of_one_test_is_not_counted_for_the_next(bench: Bench) -> None:
    """Also where it was used by processes that are dead, as differences within one batch."""
    program = (CHILDREN + FINISH).format(n=2, s=0.1)
    seen = bench(program, "", "", "", "", limits=Limits(cpu_s=0.7))
    assert [one.how for one in seen] == ["ended"] * 4
    assert all(0.15 < one.cpu_s < 0.35 for one in seen) and all(one.lives for one in seen)


@pytest.mark.slow
def test_threads_and_processes_of_a_program_that_rests_do_not_keep_it_alive(bench: Bench) -> None:
    """It ends at five times the limit at the latest, where some of what its threads waited for cannot be known."""
    program = "import threading, time\nthreading.Thread(target=print).start()\ntime.sleep(1000)"
    (seen,) = bench(program, limits=Limits(cpu_s=0.1))
    assert seen.how == "timeout" and "without doing anything" in seen.note and seen.wall_s < 15


# --- a busy machine ---------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def crowded(loops: int) -> Iterator[Runner]:
    """A runner whose one processor it has to share with so many endless loops."""
    processor = max(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        runner = open_sandbox("local", ()).start(False)
        others = [
            subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], start_new_session=True)
            for _ in range(loops)
        ]
    finally:
        os.sched_setaffinity(0, before)
    try:  # (in sessions of their own, because to each session the kernel may give the same share)
        yield runner
    finally:
        for other in others:
            other.kill()
            other.wait()
        runner.close()


STARVED = {
    "in the program itself": BURN + "burn(0.2)\nprint('done')\n",
    "in a thread": BURN + "t = threading.Thread(target=burn, args=(0.2,))\nt.start()\nt.join()\nprint('done')\n",
    "in a child": BURN + "if os.fork() == 0:\n    burn(0.2)\n    os._exit(0)\nos.wait()\nprint('done')\n",
    "in one child after another": BURN
    + "for _ in range(10):\n    if os.fork() == 0:\n        burn(0.02)\n        os._exit(0)\n    os.wait()\nprint('done')\n",
}


def test_waiting_for_a_processor_is_not_resting_wherever_the_work_is_done() -> None:
    """On a machine that gives a program a small part of a processor it still has all of its time."""
    with crowded(loops=14) as runner:
        for place, program in STARVED.items():
            (seen,) = Bench(runner)(program, limits=Limits(cpu_s=0.3))
            assert (seen.how, seen.answer) == ("ended", b"done\n"), (place, seen.note)
            assert seen.wall_s > Limits(cpu_s=0.3).idle_s, (place, "the machine was not busy enough to show anything")


def test_as_many_runners_as_processors_take_one_each() -> None:
    """And fewer are left to the kernel, which may move them."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        pytest.skip("this machine has one processor")
    sandbox = open_sandbox("local", ())
    program = "import os\nprint(sorted(os.sched_getaffinity(0)))\n"
    for of in (len(allowed) - 1, len(allowed), len(allowed) + 3):
        runners = [sandbox.start(False) for _ in range(of)]
        for index, runner in enumerate(runners):
            runner.place(index, of)
        seen = [Bench(runner).out(program).strip() for runner in runners]
        for runner in runners:
            runner.close()
        one_each = [str([allowed[index % len(allowed)]]) for index in range(of)]
        assert seen == (one_each if of >= len(allowed) else [str(allowed)] * of)
