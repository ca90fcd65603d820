"""One runner, seen from the judge: a stream of frames, and a session for each solution.

It starts no process itself: whoever opens the stream (`local`, `docker`) does.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from crl_data.errors import RunnerDied, TestsUnfit
from crl_data.sandbox.runner import wire


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a solution may use. Time is for one test; memory, output and the rest for all its processes together.

    `cpu_s` is CPU time of the solution, by the kernel's accounts. `idle_s` is how long a test may neither run nor wait
    for a processor; `wall_s` how long it may last on a machine that gives it no time, after which the machine, and not
    the solution, is at fault.
    """

    cpu_s: float = 8.0
    memory_mb: float = 1024.0
    output_mb: float = 16.0
    processes: int = 64
    files: int = 256

    @property
    def idle_s(self) -> float:
        return self.cpu_s + 2.0

    @property
    def wall_s(self) -> float:
        return 20.0 * self.cpu_s + 60.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """Code and how its tests run it: `stdin`, `calls` of an entry point, test source run `beside` it, or `served` to a tester.

    tests: for `served`, what the tester is told (`runner.tester.Program`), as JSON.
    leetcode: with the names that LeetCode has ready (`runner.leetcode`), but for these, which tests take from the code
        itself; None: without any.
    """

    code: str
    mode: str
    entry: str | None = None
    prelude: str = ""
    tests: bytes = b""
    leetcode: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one test of a program did.

    how: "ended" (normally), "raised" (an exception or an exit status), "killed" (by a signal), "load" (the module could
        not be executed), "missing" (no such entry point), "refused" (the code does not compile), "timeout", "memory",
        "output" (more than allowed), "protocol" (it meddled with the answer channel), "fault" (the machine or the test, not
        the program); said by a tester: "failed" (the test's own assertion), "cannot" (a value that cannot cross).
    answer: standard output (`stdin`), the results of the calls as JSON (`calls`), the token (`beside`), or a digest of all
        that the solution answered (`served`).
    cpu_s, wall_s: CPU and wall seconds of this test. peak_mb: the process's largest memory so far.
    lives: whether the process can run another test. exit_status: what it ended with, or would have; 0 where a signal ended it.
    """

    how: str
    note: str
    answer: bytes
    cpu_s: float
    wall_s: float
    peak_mb: float
    signal: int
    lives: bool
    exit_status: int = 0


@dataclass(frozen=True)
class Input:
    """What a test is given, and the seed that is set before it."""

    data: bytes
    seed: int


_PREPARING_S = 60.0  # for the tester to have its tests ready
_GRACE_S = 60.0  # beyond what an order may take by its own limits


class Session:
    """A solution in its cell: tests are run in it until it is closed. Made by `Runner.open`."""

    def __init__(self, runner: Runner, limits: Limits, number: int) -> None:
        self._runner = runner
        self._limits = limits
        self._number = number

    def run(self, inputs: Sequence[Input], *, fresh: bool, new: bool = False) -> list[Observation]:
        """Run tests in order. With `fresh`, each in a process of its own; else one after another in one process.

        That process is the one of the last call, or another where it does not live or `new` is asked for. Without
        `fresh` the answer stops after the test whose process did not live on, and may stop earlier where the outputs
        are large: the rest has to be asked for again. Raises `RunnerDied`.
        """
        if self._number != self._runner.sessions:
            raise RuntimeError("the runner has another session by now")
        order = {"op": "run", "fresh": fresh, "new": new, "tests": [[len(one.data), one.seed] for one in inputs]}
        answer, blob = self._runner.ask(order, b"".join(one.data for one in inputs), len(inputs) * self._limits.wall_s)
        seen, at = [], 0
        for head in answer["seen"]:
            if (
                head["how"] == "killed"
                and head["signal"] == signal.SIGKILL
                and self._runner.machine_ran_out_of_memory()
            ):
                head |= {"how": "fault", "note": "the machine ran out of memory and ended a process"}
            seen.append(_observation(head, blob[at : at + head["size"]]))
            at += head["size"]
        return seen


def _observation(head: dict[str, Any], answer: bytes) -> Observation:
    return Observation(
        how=head["how"],
        note=head["note"],
        answer=answer,
        cpu_s=head["cpu"],
        wall_s=head["wall"],
        peak_mb=head["peak_kib"] / 1024,
        signal=head["signal"],
        lives=head["lives"],
        exit_status=head["code"],
    )


def _machine_kills() -> int:
    """How many processes this machine has ended because it had no memory left."""
    try:
        with Path("/proc/vmstat").open() as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


class Process(Protocol):
    """What stands behind a runner's stream."""

    def kill(self) -> None:
        """End it at once, from any thread; its stream then ends. May be called again."""
        ...

    def end(self) -> str:
        """End it and let go of all it holds; what it left to say, if anything. May be called again."""
        ...


class Runner:
    """A warm runner behind a stream of frames; for one thread at a time.

    `ready` is what the runner said of itself when it started: walls that stand, those that do not, its Python. `read`
    takes bytes from its stream, as `os.read` does.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        process: Process,
        ready: dict[str, Any],
        read: Callable[[int, int], bytes] = os.read,
    ) -> None:
        self._read = read
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._process = process
        self._machine_kills = _machine_kills()
        self.ready = ready
        self.sessions = 0
        self._told = b""  # the tests that the tester has now

    def place(self, index: int, of: int) -> None:
        """Say that this is one of so many runners that work at once. Raises `RunnerDied`."""
        self.ask({"op": "place", "index": index, "of": of}, b"", 0.0)

    def open(self, program: Program, limits: Limits) -> Session | str:
        """A session for a program, or the reason why its code does not compile.

        Raises `RunnerDied`, and `TestsUnfit` where the tester cannot prepare the tests.
        """
        if program.tests and program.tests != self._told:
            self._told = b""
            answer, _ = self.ask({"op": "tests"}, program.tests, _PREPARING_S)
            if answer["unfit"]:
                raise TestsUnfit(answer["unfit"])
            self._told = program.tests
        order = {
            "op": "open",
            "mode": program.mode,
            "entry": program.entry,
            "prelude": program.prelude,
            "leetcode": program.leetcode,
            "limits": {
                "cpu_s": limits.cpu_s,
                "idle_s": limits.idle_s,
                "wall_s": limits.wall_s,
                "memory": int(limits.memory_mb * (1 << 20)),
                "output": int(limits.output_mb * (1 << 20)),
                "processes": limits.processes,
                "files": limits.files,
            },
        }
        self.sessions += 1
        answer, _ = self.ask(order, program.code.encode("utf-8", "surrogatepass"), limits.wall_s)
        refused: str | None = answer.get("refused")
        return refused if refused is not None else Session(self, limits, self.sessions)

    def ask(self, order: dict[str, Any], blob: bytes, patience_s: float) -> tuple[dict[str, Any], bytes]:
        """Send an order and wait for its answer. Raises `RunnerDied` when the runner ends, fails or stays silent."""
        try:
            wire.write_frame(self._write_fd, order, blob)
            waiting = select.poll()
            waiting.register(self._read_fd, select.POLLIN)
            deadline = time.monotonic() + patience_s + _GRACE_S
            while not waiting.poll(1000 * max(0.0, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    self.kill()
                    raise RunnerDied(f"the sandbox's runner said nothing for {patience_s + _GRACE_S:.0f} s")
            answer, data = wire.read_frame(self._read_fd, self._read)
        except (wire.Closed, OSError, ValueError) as error:
            raise RunnerDied(f"the sandbox's runner ended: {self.close() or error}") from None
        if "fault" in answer:
            raise RunnerDied(f"the sandbox's runner gave up: {answer['fault']} {self.close()}".strip())
        return answer, data

    def machine_ran_out_of_memory(self) -> bool:
        """Whether this machine has ended processes for want of memory since this was last asked."""
        before, self._machine_kills = self._machine_kills, _machine_kills()
        return self._machine_kills > before

    def kill(self) -> None:
        """End the runner at once; may be called from any thread."""
        self._process.kill()

    def close(self) -> str:
        """End the runner and all in it; what it left to say, if anything. May be called again."""
        return self._process.end()
