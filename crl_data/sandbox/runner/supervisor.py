"""The supervisor: takes orders from the judge, feeds inputs to a solution one at a time, and says what happened.

Orders and answers are frames (`wire`):

    {"op": "open", "mode", "entry", "prelude", "leetcode", "limits": {...}, "code": bytes}  + code
        -> {"ready": true} | {"refused": note} (the code does not compile)
    {"op": "run", "fresh": bool, "new": bool, "tests": [[size, seed], ...]}     + inputs
        -> {"seen": [observation, ...]}                                         + answers
    {"op": "tests"}                                                             + what `tester.Program` is told
        -> {"unfit": why the tests cannot be prepared, or ""}; they stay until there are others
    {"op": "place", "index", "of"} -> {}        where there are so many runners beside this one, of which this is one
    {"op": "close"} -> {}

With `fresh` every test gets a process of its own. Without, they run one after another in the process of the last order,
if it lives and `new` is not asked for, else in a new one; the answer stops short where that process must not or cannot
run another test. An observation is {"how": one of `HOW`, "note", "code", "signal", "cpu", "wall", "peak_kib", "size": of
the answer, "whole": whether the answer is, "lives": whether the process can run another test}.

A fault of ours is answered by {"fault": text}; the supervisor then ends, and the judge starts another. An input is handed
over only when the answer to the one before was taken. Limits are enforced here, from outside the solution, by the
kernel's accounts.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import child, group, kernel, scratch, tester, wire
from .bench import CPU_S, Bench, TesterFault
from .cell import CODE_FD, END, FINISH, FORK, NEW_CELL, READY, REFUSED, WAIT_CELL, Channels, Ends, drain, write_all
from .view import PARTS
from .walls import Walls, end_process

HOW = (
    *("ended", "raised", "killed", "load", "missing", "timeout", "memory", "output", "protocol", "fault"),
    *("failed", "cannot"),  # said by a tester: an assertion of the test, or a value that cannot cross
)
_UCRED = struct.Struct("3i")
_ANCILLARY = socket.CMSG_SPACE(_UCRED.size)
_SHORTEST_WAIT_S = 0.01
_DYING_S = 5.0  # from the end of a process's channels to the word of its end, on a crowded machine
_MOST_ENTRIES = 16384


class Fault(Exception):
    """Something of ours failed: never a word about the solution."""


class TimeLimits(NamedTuple):
    """CPU seconds of one test, and how long it may do nothing at all."""

    cpu_s: float
    idle_s: float
    wall_s: float


class Seen:
    """What happened on one test."""

    def __init__(self, how: str, note: str, cpu: float, wall: float, answer: bytes, whole: bool) -> None:
        self.how = how
        self.note = note
        self.cpu = max(cpu, 0.0)
        self.wall = wall
        self.answer = answer
        self.whole = whole  # False: more output than may be, and none of it here
        self.code = 0
        self.signal = 0
        self.peak_kib = 0
        self.lives = False
        if not whole:
            self.how = "output"

    def header(self) -> dict[str, Any]:
        fields = {name: value for name, value in vars(self).items() if name != "answer"}
        return {**fields, "cpu": round(self.cpu, 6), "wall": round(self.wall, 6), "size": len(self.answer)}


class _Child:
    """The process that runs tests now."""

    def __init__(self, control: socket.socket, before: int) -> None:
        self.control = control
        self.before = before  # the last process id that was given out before its own
        self.pid = 0  # known where it serves a tester
        self.cpu = 0.0  # what it and all it started had used when its last test ended
        self.sequence = struct.unpack("<I", os.urandom(4))[0]


class Supervisor:
    def __init__(
        self, channels: Channels, walls: Walls, zygote: int, memory: group.MemoryGroup | None, bench: Bench
    ) -> None:
        self.channels = channels
        self.bench = bench
        self.served = False  # the solution is called by a test in the tester's process
        self.walls = walls
        self.zygotes = zygote, bench.zygote
        self.zygote_fd = os.pidfd_open(zygote)
        self.memory = memory
        self.cell_pid = 0
        self.cell_fd = -1
        self.child: _Child | None = None
        self.time = TimeLimits(1, 1, 1)
        self.output_bytes = 0
        self.memory_bytes = 0
        self.kills = 0
        self.as_files = True  # a program that reads and prints: its input and its answer are files
        self.tells_waiting = self.has("self/schedstat")
        self.loadavg_fd = -1
        if self.has("loadavg"):
            self.loadavg_fd = os.open("loadavg", os.O_RDONLY | os.O_CLOEXEC, dir_fd=walls.proc_fd)
        self.parts = {
            path: os.stat(path).st_size if walls.apart else -1
            for path in (os.path.join(walls.box, name) for name in PARTS)
        }
        self.box_size = os.stat(walls.box).st_size + 20  # a tmpfs counts 20 for an entry: the solution's file
        self.control: socket.socket | None = None  # to the process that runs tests
        self.input_fd = self.output_fd = -1
        self.poll = select.poll()
        self.poll.register(0, 0)  # only its end counts: the judge is gone
        self.poll.register(channels.cell[0], select.POLLIN)

    # --- orders -------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Carry out orders until there are no more."""
        while True:
            try:
                order, blob = wire.read_frame(0)
            except wire.Closed:
                return
            try:
                answer, out = self.carry_out(order, blob)
            except (Fault, TesterFault, OSError, MemoryError) as error:
                wire.write_frame(1, {"fault": f"{type(error).__name__}: {error}"})
                return
            wire.write_frame(1, answer, out)

    def carry_out(self, order: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], bytes]:
        if order["op"] == "open":
            self.close()
            return self.open(order, blob), b""
        if order["op"] == "run":
            if order["new"]:
                self.finish()
            seen = self.run(order["tests"], blob, order["fresh"])
            return {"seen": [one.header() for one in seen]}, b"".join(one.answer for one in seen)
        if order["op"] == "tests":
            self.close()
            return {"unfit": self.bench.open(blob)}, b""
        if order["op"] == "place":
            self.place(order["index"], order["of"])
            return {}, b""
        if order["op"] == "close":
            self.close()
            return {}, b""
        raise Fault(f"unknown order {order['op']!r}")

    def place(self, index: int, of: int) -> None:
        """Stay on one processor, where there are as many runners as processors or more.

        What a runner does, one process of it at a time does: left to itself the kernel moves them from one processor to
        another, puts two runners on one while another has nothing to do, and finds their memory in no cache.
        """
        allowed = sorted(os.sched_getaffinity(0))
        if 1 < len(allowed) <= of:
            for pid in (0, *self.zygotes):
                os.sched_setaffinity(pid, {allowed[index % len(allowed)]})

    # --- cells --------------------------------------------------------------------------------------------------------

    def open(self, order: dict[str, Any], code: bytes) -> dict[str, Any]:
        """Make the cell of a solution; it compiles the code."""
        limits = order["limits"]
        self.time = TimeLimits(limits["cpu_s"], limits["idle_s"], limits["wall_s"])
        self.output_bytes, self.memory_bytes = limits["output"], limits["memory"]
        self.as_files = order["mode"] == "stdin"
        self.served = order["mode"] == "served"
        if self.memory is not None:
            self.memory.set_limit(limits["memory"])
            self.kills = self.memory.kills()
        own = {name: limits[name] for name in ("memory", "output", "processes", "files")}
        head = marshal.dumps(
            {**{name: order[name] for name in ("mode", "entry", "prelude", "leetcode")}, "limits": own}
        )
        os.ftruncate(CODE_FD, 0)
        write_all(CODE_FD, struct.pack("<I", len(head)) + head + code)
        self.wipe()
        path = os.path.join(self.walls.box, child.SOLUTION_FILE)
        if os.path.lexists(path):  # whatever mode a solution gave to it
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(code)
        drain(self.channels.cell)
        self.channels.zygote[0].send(NEW_CELL)
        self.cell_pid = struct.unpack("<i", self.of_zygote())[0]
        self.cell_fd = os.pidfd_open(self.cell_pid)
        self.poll.register(self.cell_fd, select.POLLIN)
        return self.compiled()

    def compiled(self) -> dict[str, Any]:
        """Wait for the cell to have compiled the code, within the solution's own limits."""
        begun = time.monotonic()
        while True:
            for fd, event in self.poll.poll(self.next_look(begun, 0.0)):
                if fd == self.channels.cell[0].fileno():
                    message = self.channels.cell[0].recv(2 * child.NOTE_BYTES)
                    if message[:1] == READY:
                        return {"ready": True}
                    if message[:1] == REFUSED:
                        self.close()
                        return {"refused": message[1:].decode("utf-8", "replace")}
                    raise Fault(f"the cell could not be made: {message[1:].decode('utf-8', 'replace')}")
                if fd == self.cell_fd:
                    status = self.close()
                    if self.killed_for_memory():
                        return {"refused": "the code needs more memory to compile than a solution may use"}
                    if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
                        return {"refused": f"the compiler ended by signal {os.WTERMSIG(status)} on this code"}
                    raise Fault(f"the cell ended while compiling (wait status {status})")
                self.gone(fd, event)
            if self.over_time(begun, 0.0):
                self.close()
                return {"refused": "the code took longer to compile than a test may run"}

    def close(self) -> int:
        """End the cell and all in it; its wait status."""
        if not self.cell_pid:
            return 0
        if not self.walls.apart:  # no namespace whose end would be the end of all in it
            self.finish()
        self.child = None
        self.release()
        end_process(self.cell_fd)
        self.channels.zygote[0].send(WAIT_CELL)
        status: int = struct.unpack("<i", self.of_zygote())[0]
        self.poll.unregister(self.cell_fd)
        os.close(self.cell_fd)
        self.cell_pid, self.cell_fd = 0, -1
        return status

    def of_zygote(self) -> bytes:
        """What the zygote answers. Raises `Fault` where it is dead."""
        waiting = select.poll()
        waiting.register(self.channels.zygote[0], select.POLLIN)
        waiting.register(self.zygote_fd, select.POLLIN)
        if any(fd == self.channels.zygote[0].fileno() for fd, _ in waiting.poll()):
            return self.channels.zygote[0].recv(1024)
        raise Fault("the zygote is dead")

    # --- tests --------------------------------------------------------------------------------------------------------

    def run(self, tests: list[list[int]], blob: bytes, fresh: bool) -> list[Seen]:
        if not self.cell_pid:
            raise Fault("there is no cell to run in")
        seen: list[Seen] = []
        view = memoryview(blob)
        total = 0
        for size, seed in tests:
            seen.append(self.test(view[:size], seed, fresh))
            view = view[size:]
            total += len(seen[-1].answer)
            if (not fresh and not seen[-1].lives) or total > 4 * self.output_bytes:
                break
        if fresh:
            self.finish()
        return seen

    def test(self, argument: memoryview, seed: int, fresh: bool) -> Seen:
        """Hand one input over and wait for the answer, the end of the process, or a limit."""
        if self.served:
            return self.tested(argument, seed, fresh)
        running = self.start() if fresh or self.child is None else self.child
        running.sequence = (running.sequence + 1) & 0xFFFFFFFF
        try:
            self.wipe()
        except OSError:  # something of the solution is still at work there
            running = self.start()
            self.wipe()
        self.give(argument, seed, running.sequence, fresh)
        begun = time.monotonic()
        base = running.cpu
        while True:
            ready = dict(self.poll.poll(self.next_look(begun, base)))
            if self.cell_fd in ready:
                raise Fault(f"the cell is gone (wait status {self.close()})")
            for fd, event in ready.items():
                if fd == running.control.fileno():
                    return self.taken(running, begun, base, fresh)
                if fd == self.channels.cell[0].fileno():
                    return self.died(begun, base)
                self.gone(fd, event)
            if os.fstat(self.output_fd).st_size >= self.output_bytes:
                return self.stopped("output", f"more than {self.output_bytes:,} bytes of output", begun, base)
            if self.walls.scratch_bytes and _holds_more(self.parts, self.walls.scratch_bytes):
                return self.stopped("output", f"more than {self.walls.scratch_bytes:,} bytes of files", begun, base)
            over = self.over_time(begun, base)
            if over:
                return self.stopped("fault" if over.startswith("the machine") else "timeout", over, begun, base)

    def tested(self, argument: memoryview, seed: int, fresh: bool) -> Seen:
        """Have the tester run one test, and watch over both: the tester says how it went, the kernel how the solution is."""
        bench = self.bench
        running = self.start() if fresh or self.child is None or bench.control is None else self.child
        try:
            self.wipe()
        except OSError:  # something of the solution is still at work there
            running = self.start()
            self.wipe()
        assert bench.control is not None
        running.sequence = (running.sequence + 1) & 0xFFFFFFFF
        bench.control.send(child.GO.pack(running.sequence, seed, fresh, 0, len(argument)) + bytes(argument))
        begun, base, of_tester = time.monotonic(), running.cpu, bench.cpu
        while True:
            ready = dict(self.poll.poll(min(self.next_look(begun, base), 1000 * CPU_S)))
            if self.cell_fd in ready:
                raise Fault(f"the cell is gone (wait status {self.close()})")
            if bench.is_gone():  # then the solution's process ends too, and not by its own doing
                return self.stopped("fault", "the tester's process ended", begun, base)
            if self.channels.cell[0].fileno() in ready:
                return self.died(begun, base)
            for fd, event in ready.items():
                if fd == bench.control.fileno():
                    return self.told(running, begun, base, fresh)
                if fd == bench.channels.cell[0].fileno():
                    return self.stopped("fault", "the tester's process ended", begun, base)
                if fd == running.control.fileno():
                    return self.stopped("protocol", "a message on a channel that is none of its own", begun, base)
                self.gone(fd, event)
            why = self.over_tested(begun, base, of_tester)
            if why is not None:
                return self.stopped(*why, begun, base)

    def told(self, running: _Child, begun: float, base: float, fresh: bool) -> Seen:
        """Take the tester's word on a test, unless the solution's process ended meanwhile."""
        bench = self.bench
        assert bench.control is not None
        message = bench.control.recv(1 << 16)
        wall = time.monotonic() - begun
        if not message:
            return self.stopped("fault", "the tester's process ended", begun, base)
        sequence, status, spent, _, _, _, note_size = child.DONE.unpack_from(message)
        if sequence != running.sequence:
            raise Fault("the tester spoke of another test")
        how = tester.HOW[status]
        cpu = _cpu(running.pid, base)
        if self.last_pid() - running.before != 1:
            cpu = max(cpu, self.cpu_now())
        running.cpu, bench.cpu = cpu, _cpu(bench.pid, bench.cpu)
        if self.is_dead(_DYING_S if how == "dead" else 0):
            if bench.is_gone():
                return self.stopped("fault", "the tester's process ended", begun, base)
            return self.died(begun, base)
        if how == "dead":
            return self.stopped("protocol", "it closed the channel over which it is called", begun, base)
        if cpu - base > self.time.cpu_s:
            return self.stopped("timeout", self.too_long(), begun, base)
        note = message[child.DONE.size : child.DONE.size + note_size].decode("utf-8", "replace")
        seen = Seen(how, note, cpu - base, wall, message[child.DONE.size + note_size :], True)
        if how == "raised" and note.startswith("MemoryError"):
            seen.how = "memory"
        seen.lives = how == "ended" and not spent and seen.cpu <= self.time.cpu_s / 2
        if not seen.lives and not fresh:
            self.finish()
        return seen

    def is_dead(self, patience_s: float) -> bool:
        """Whether the solution's process has ended by now, or does so before long."""
        waiting = select.poll()
        waiting.register(self.channels.cell[0], select.POLLIN)
        return bool(waiting.poll(1000 * patience_s))

    def over_tested(self, begun: float, base: float, of_tester: float) -> tuple[str, str] | None:
        """Why a test must end now: the solution's time, or the tester's own, which says nothing of the solution."""
        passed = time.monotonic() - begun
        if passed < min(self.time.cpu_s, CPU_S):
            return None
        used, tested = self.cpu_now() - base, _cpu(self.bench.pid, 0.0) - of_tester
        if used >= self.time.cpu_s:
            return "timeout", self.too_long()
        if tested >= CPU_S:
            return "fault", f"the test itself used more than {CPU_S:g} s of CPU time"
        if passed - used - tested - self.waited()[0] > 5 * self.time.idle_s:
            if self.bench.asks():
                return "timeout", f"waited for {passed - used - tested:.1f} s without doing anything"
            return "fault", "the test itself waited without doing anything"
        if passed > self.time.wall_s + CPU_S:
            return "fault", f"the machine gave the test {used + tested:.2f} s of CPU time in {passed:.0f} s"
        return None

    def start(self) -> _Child:
        """Have a new process forked, once the cell has ended what is left of the one before.

        Not before that is the old one's channel closed: it would end by itself, and the cell would see that at some times
        and not at others, and lay out its memory accordingly.
        """
        self.mute()
        old = self.control, self.input_fd, self.output_fd
        control, its_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.control = control
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.input_fd = self.peer(null) if self.served else os.memfd_create("input", os.MFD_CLOEXEC)
        self.output_fd = os.memfd_create("output", os.MFD_CLOEXEC)
        ends = Ends(its_control.fileno(), self.input_fd, self.output_fd, null)
        before = self.last_pid()
        socket.send_fds(self.channels.cell[0], [FORK], ends)
        its_control.close()
        os.close(null)
        self.ended()
        _let_go(*old)
        self.poll.register(control, select.POLLIN)
        self.child = _Child(control, before)
        if self.served:
            self.child.pid = self.bench.hello(control, self.cell_fd, self.channels.cell[0])
            os.close(self.input_fd)  # an end of the pair that the two talk over is the solution's alone
            self.input_fd = -1
        return self.child

    def peer(self, null: int) -> int:
        """Have a tester's process forked; the solution's end of what the two will talk over."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with its:
            self.poll.register(self.bench.fork(its.fileno(), null), select.POLLIN)
        self.poll.register(self.bench.channels.cell[0], select.POLLIN)
        return ours.detach()

    def release(self) -> None:
        """Let go of what the last process wrote to and was told by."""
        if self.control is not None:
            self.mute()
            _let_go(self.control, self.input_fd, self.output_fd)
            self.control = None

    def mute(self) -> None:
        """Listen to the process that runs tests no longer."""
        bench = self.bench
        for channel in (self.control, bench.control, bench.channels.cell[0] if self.served else None):
            if channel is not None:
                try:
                    self.poll.unregister(channel)
                except KeyError:  # muted before
                    pass

    def give(self, argument: memoryview, seed: int, sequence: int, last: bool) -> None:
        os.ftruncate(self.output_fd, 0)
        in_file = len(argument) > child.INLINE_BYTES or self.as_files
        if in_file:
            os.ftruncate(self.input_fd, 0)
            write_all(self.input_fd, argument)
        head = child.GO.pack(sequence, seed, last, in_file, len(argument))
        assert self.control is not None
        try:
            self.control.send(head if in_file else head + bytes(argument), socket.MSG_DONTWAIT)
        except OSError:  # the solution shut its end, or filled it: it will not answer, and that is seen
            pass

    def taken(self, running: _Child, begun: float, base: float, fresh: bool) -> Seen:
        """Take what the child says: a hint of how it went, and the answer."""
        message, ancillary, _, _ = running.control.recvmsg(1 << 16, _ANCILLARY)
        wall = time.monotonic() - begun
        pid = _UCRED.unpack(ancillary[0][2][: _UCRED.size])[0] if ancillary else 0
        if len(message) < child.DONE.size:
            return self.stopped("protocol", "a message on the answer channel that is none", begun, base)
        sequence, status, spent, inline, code, peak, note_size = child.DONE.unpack_from(message)
        if sequence != running.sequence:
            return self.stopped("protocol", "an answer to another test", begun, base)
        cpu = _cpu(pid, base)
        if self.last_pid() - running.before != 1:  # it started others, which used time too, if only threads
            cpu = max(cpu, self.cpu_now())
        running.cpu = cpu
        if cpu - base > self.time.cpu_s:
            return self.stopped("timeout", self.too_long(), begun, base)
        note = message[child.DONE.size : child.DONE.size + note_size].decode("utf-8", "replace")
        how = ("ended", "raised", "load", "missing")[status & 3]
        answer, whole = (
            (message[child.DONE.size + note_size :], True) if inline and not self.as_files else self.read_output()
        )
        seen = Seen(how, note, cpu - base, wall, answer, whole)
        seen.code, seen.peak_kib = code, peak
        if seen.how == "raised" and note.startswith("MemoryError"):
            seen.how = "memory"
        used_half = seen.cpu > self.time.cpu_s / 2 or peak * 1024 > self.memory_bytes / 2
        seen.lives = seen.how == "ended" and not spent and not used_half
        if not seen.lives and not fresh:
            self.finish()
        return seen

    def died(self, begun: float, base: float) -> Seen:
        """The process ended by itself (or the kernel ended it) before it answered: the kernel says how."""
        _, status, _, _, peak = END.unpack(self.channels.cell[0].recv(64))
        wall = time.monotonic() - begun
        used = self.finish()
        answer, whole = self.read_output()
        seen = Seen("ended", "", used - base, wall, answer if self.as_files else b"", whole)
        seen.peak_kib = peak
        if not whole:
            return seen
        if seen.cpu > self.time.cpu_s:
            seen.how, seen.note = "timeout", self.too_long()
            return seen
        if os.WIFSIGNALED(status):
            seen.how, seen.signal = "killed", os.WTERMSIG(status)
            seen.note = f"ended by signal {seen.signal} ({_signal_name(seen.signal)})"
            if seen.signal == signal.SIGKILL and self.killed_for_memory():
                seen.how, seen.note = "memory", "all memory that a solution may use was taken"
        elif os.WEXITSTATUS(status) or not self.as_files:
            seen.how, seen.code, seen.note = (
                "raised",
                os.WEXITSTATUS(status),
                f"the process ended with exit status {os.WEXITSTATUS(status)}",
            )
        return seen

    def stopped(self, how: str, note: str, begun: float, base: float) -> Seen:
        """End the process at a limit."""
        wall = time.monotonic() - begun
        cpu = self.cpu_now()
        used = self.finish()
        answer, whole = self.read_output() if self.as_files else (b"", True)
        return Seen(how, note, max(cpu, used) - base, wall, answer, whole)

    def finish(self) -> float:
        """End the process that runs tests and all it started; the CPU seconds they used."""
        if self.child is None:
            return 0.0
        self.child = None
        self.mute()
        self.channels.cell[0].send(FINISH)
        used = self.ended()
        if self.served:
            self.bench.finish()
        return used

    def ended(self) -> float:
        """Wait until the cell has ended all processes of the solution; the CPU seconds that they used."""
        while True:
            for fd, event in self.poll.poll():
                if fd == self.channels.cell[0].fileno():
                    kind, _, user, system, _ = END.unpack(self.channels.cell[0].recv(64))
                    if kind == b"E":
                        return float(user + system)
                elif fd == self.cell_fd:
                    raise Fault(f"the cell is gone (wait status {self.close()})")
                else:
                    self.gone(fd, event)

    # --- limits -------------------------------------------------------------------------------------------------------

    def next_look(self, begun: float, base: float) -> float:
        """Milliseconds until a limit could be reached at the earliest."""
        passed = time.monotonic() - begun
        if self.walls.scratch_bytes:
            return 1000 * _SHORTEST_WAIT_S
        if passed < self.time.cpu_s:
            return 1000 * max(self.time.cpu_s - passed, _SHORTEST_WAIT_S)
        return 1000 * max(self.time.cpu_s - (self.cpu_now() - base), _SHORTEST_WAIT_S, passed / 50)

    def over_time(self, begun: float, base: float) -> str:
        """Why the test must end now, or nothing."""
        passed = time.monotonic() - begun
        if passed < self.time.cpu_s:
            return ""
        used = self.cpu_now() - base
        if used >= self.time.cpu_s:
            return self.too_long()
        waited, all_of_it = self.waited()
        if passed - used - waited > self.time.idle_s * (1 if all_of_it else 5):
            return f"waited for {passed - used - waited:.1f} s without doing anything"
        if passed > self.time.wall_s:
            return f"the machine gave the test {used:.2f} s of CPU time in {passed:.0f} s"
        return ""

    def too_long(self) -> str:
        return f"more than {self.time.cpu_s:g} s of CPU time"

    def last_pid(self) -> int:
        """The number that the last new process or thread of this runner got.

        It tells at no price whether a solution started any, and so whether there is more than one clock to read; where
        the kernel does not tell it, all are read.
        """
        if self.loadavg_fd < 0:
            return 0
        return int(os.pread(self.loadavg_fd, 128, 0).rpartition(b" ")[2])

    def cpu_now(self) -> float:
        """CPU seconds of the child and all it started (of the cell, while it compiles), by the kernel's accounts."""
        used = 0.0
        for pid in self.processes():
            try:
                user, system, *of_dead = map(int, self.proc(f"{pid}/stat").rpartition(b") ")[2].split()[11:15])
            except OSError:  # it ended meanwhile
                continue
            used += _cpu(int(pid), (user + system) / _TICKS)
            if self.child:
                used += sum(of_dead) / _TICKS  # of children that were waited for
        return used

    def waited(self) -> tuple[float, bool]:
        """The longest time that a thread of the solution was ready to run and had no processor, in seconds.

        And whether that is all there is to know: the kernel tells it, and no thread has ended, whose time is lost.
        """
        if not self.tells_waiting:
            return 0.0, False
        longest, alive = 0.0, 0
        for pid in self.processes():
            try:
                for task in self.tasks(pid):
                    longest = max(longest, int(self.proc(f"{pid}/task/{task}/schedstat").split()[1]) / 1e9)
                    alive += 1
            except OSError:  # it ended meanwhile
                continue
        return longest, self.child is None or alive == self.last_pid() - self.child.before

    def processes(self) -> list[str]:
        """The ids of all processes of the solution: the children of the cell, and all below them."""
        depth = 1 if self.child else 0
        level = [str(self.cell_pid)]
        found: list[str] = []
        while level:
            if depth <= 0:
                found += level
            below = []
            for pid in level:
                try:
                    for task in self.tasks(pid):
                        below += self.proc(f"{pid}/task/{task}/children").decode().split()
                except OSError:  # it ended meanwhile
                    continue
            level, depth = below, depth - 1
        return found

    def tasks(self, pid: str) -> list[str]:
        """The threads of a process, each of which can have children."""
        fd = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.walls.proc_fd)
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def has(self, path: str) -> bool:
        try:
            return bool(self.proc(path))
        except OSError:
            return False

    def proc(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.walls.proc_fd)
        try:
            return os.read(fd, 1 << 16)
        finally:
            os.close(fd)

    def killed_for_memory(self) -> bool:
        if self.memory is None:
            return False
        before, self.kills = self.kills, self.memory.kills()
        return self.kills > before

    # --- housekeeping -------------------------------------------------------------------------------------------------

    def gone(self, fd: int, event: int) -> None:
        if fd == 0:
            os._exit(0)  # process 1 of the namespace: everything in it ends with it
        raise Fault(f"descriptor {fd}: event {event}")

    def wipe(self) -> None:
        """Empty the scratch folder, if anything was written there. Its parts stay: the walls' rules are on them.

        Modes and times are put back too, so that a solution finds no word there from a process before it.
        """
        box = os.stat(self.walls.box)
        scratch.put_back(self.walls.box, box)
        if box.st_size > self.box_size and self.walls.apart:  # only where no Landlock stands
            raise Fault("something was left in the box")
        for path, empty in self.parts.items():
            try:
                found = os.stat(path)
                if found.st_size != empty:  # in a tmpfs an entry makes a folder larger
                    os.chmod(path, 0o755)
                    scratch.remove_all(path)
                    found = os.stat(path)
                scratch.put_back(path, found)
            except FileNotFoundError:  # without walls a program can take the folder itself away
                os.makedirs(path)
        if self.walls.shared:
            _remove_own(self.walls.shared)

    def read_output(self) -> tuple[bytes, bool]:
        """What was written, and whether it is all of it: more than may be is not read."""
        size = os.fstat(self.output_fd).st_size
        if size >= self.output_bytes:
            return b"", False
        parts = []
        at = 0
        while at < size:
            part = os.pread(self.output_fd, size - at, at)
            if not part:
                break
            parts.append(part)
            at += len(part)
        return b"".join(parts), True


_TICKS = os.sysconf("SC_CLK_TCK")


def _cpu(pid: int, default: float) -> float:
    try:
        return time.clock_gettime(kernel.cpu_clock(pid))
    except OSError:
        return default


def _let_go(control: socket.socket | None, input_fd: int, output_fd: int) -> None:
    if control is not None:
        control.close()
        os.close(output_fd)
        if input_fd >= 0:
            os.close(input_fd)


def _holds_more(folders: Iterable[str], limit: int) -> bool:
    """Whether the files in folders, and all beneath them, take more than so many bytes, or are very many."""
    size, entries, waiting = 0, 0, list(folders)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:  # it is gone meanwhile, or closed to all
            continue
        if size > limit or entries > _MOST_ENTRIES:
            return True
    return False


def _remove_own(folder: str) -> None:
    """Remove the files of our user in a folder that others use too."""
    for entry in os.scandir(folder):
        try:
            if entry.stat(follow_symlinks=False).st_uid != os.getuid():
                continue
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                scratch.remove_all(entry.path)
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
        except FileNotFoundError:
            continue


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "?"
