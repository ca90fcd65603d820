"""The zygote, which forks a clean process for each solution, and the cell, which that process becomes.

The zygote never sees code, inputs or outputs, so nothing of one solution is in the memory of the next. The cell is
process 1 of the solution's namespaces: it raises the solution's own walls, compiles the code once and never runs it,
forks the children that do, and tells the supervisor how each of them ended, as the kernel says it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enumerations, which are dear in a child
import array  # noqa: F401, `socket.recv_fds` imports it, and would do so in every cell
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import types
from typing import Any, NamedTuple

from . import child, group, kernel, walls

CODE_FD = 705
THREAD_STACK_BYTES = 8 << 20
_LOW_FDS = 64  # a cell has about ten, and new ones take the lowest numbers
END = struct.Struct(
    "<ciddQ"
)  # b"D" died or b"E" ended | wait status (-1: still running, never started) | user s | system s | KiB
FORK, FINISH, NEW_CELL, WAIT_CELL = b"F", b"E", b"C", b"W"
READY, REFUSED = b"R", b"X"


class Channels(NamedTuple):
    """The sockets that supervisor, zygote and cell share; each pair is (the supervisor's end, the other's).

    `child` is the socket at `child.CONTROL_FD`, in whose place every child puts one of its own.
    """

    zygote: tuple[socket.socket, socket.socket]
    cell: tuple[socket.socket, socket.socket]
    child: socket.socket


class Ends(NamedTuple):
    """The descriptors of one child: its socket, its input, its output, and /dev/null.

    Every child has its own, made by the supervisor, so that nothing that a solution does to them (modes, locks,
    filters, offsets) outlives its process.
    """

    control: int
    input: int
    output: int
    null: int


NUMBERS = Ends(child.CONTROL_FD, child.INPUT_FD, child.OUTPUT_FD, child.NULL_FD)


def make_channels() -> Channels:
    """Make the sockets of a runner, and put something at the numbers that children use, so that they stay free."""
    zygote, cell, unused = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3))
    high = fcntl.fcntl(unused[1].fileno(), fcntl.F_DUPFD_CLOEXEC, child.CONTROL_FD)
    for end in unused:
        end.close()
    for name, fd in (("input", child.INPUT_FD), ("output", child.OUTPUT_FD), ("code", CODE_FD)):
        made = os.memfd_create(name, os.MFD_CLOEXEC)
        os.dup2(made, fd, inheritable=False)
        os.close(made)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, child.NULL_FD, inheritable=False)
    os.close(null)
    return Channels(zygote, cell, socket.socket(fileno=high))


# --- the zygote -------------------------------------------------------------------------------------------------------


def run_zygote(
    channels: Channels,
    raised: walls.Walls,
    search_path: list[str],
    preload: list[str],
    memory: group.MemoryGroup | None,
) -> None:
    """Fork cells as the supervisor asks for them, until it is gone. Never returns."""
    for pair in (channels.zygote, channels.cell):
        pair[0].close()
    if memory is not None:
        memory.close()
    sys.path[:] = search_path
    for name in preload:
        __import__(name)
    child.add_site_names()
    kernel.set_thread_stack(THREAD_STACK_BYTES)
    for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
        del sys.modules[name]  # what is judged does not find us
    _dry_run(raised.box, search_path)
    for fd in (0, 1, 2):
        os.dup2(child.NULL_FD, fd)
    user, group_id = os.geteuid(), os.getegid()
    walls.enter_scope(raised)
    control = channels.zygote[1]
    control.send(READY)
    cell = 0
    while True:
        message = control.recv(16)
        if message == NEW_CELL:
            cell = walls.fork_cell(raised)
            if cell == 0:
                control.close()
                _run_cell(channels, raised, user, group_id, search_path)
            control.send(struct.pack("<i", cell))
        elif message == WAIT_CELL:
            control.send(struct.pack("<i", os.waitpid(cell, 0)[1]))
        else:
            walls.end_all(raised)
            os._exit(0)


_SAMPLE = '''
from __future__ import annotations
import sys
from collections import defaultdict, deque
class A:
    """doc"""
    x: int = 1
    def __init__(self, n: int = 3, *args, key=None, **kw) -> None:
        self.n = n
    @property
    def half(self): return self.n // 2
def solve(data, k=2):
    global seen
    seen = {i: str(i) for i in range(k) if i % 2 == 0}
    out = [x * y + z for x, y, z in zip(data, data[1:], data[2:])]
    best, text = float("inf"), ""
    for i, value in enumerate(sorted(out, key=lambda v: (-v, v))):
        if not value or value in seen and i > 0: continue
        elif value < best: best = min(best, value)
        else: break
    else: best = None
    while k > 0: k -= 1
    try:
        d = defaultdict(list); d[1].append(deque([1, 2])); text += f"{best!r:>4} {len(d):03d}" % ()
        assert k == 0, "no"
    except (ValueError, TypeError) as e: raise RuntimeError from e
    finally: del out
    with open(0) as f: rows = [tuple(map(int, line.split())) for line in f]
    x = [[0] * 3 for _ in range(3)]; x[1][2] ^= 5; x[0][1:2] = [7]; s = {1, 2} | {3}; b = b"ab"
    def gen():
        nonlocal text
        yield from (i ** 2 for i in range(3)); text = text.strip().upper()
    return sum(gen()) + (1 if s else 2), rows, b, x, (yield_ := A(4).half)
if __name__ == "__main__":
    print(*solve([1, 2, 3, 4, 5])); print("%d %s" % (1, "a"), end=""); sys.stdout.write("x\\n")
'''


def _dry_run(box: str, search_path: list[str]) -> None:
    """Do once everything that a child will do, so that its memory is already laid out when it is forked.

    This more than anything lowers the price of a fork (a quarter of a verdict's CPU time, measured).
    """
    import gc

    os.pwrite(child.INPUT_FD, b"1 2\n3 4\n", 0)
    for mode in ("stdin", "calls"):
        for _ in range(3):
            code = compile(_SAMPLE, os.path.join(box, child.SOLUTION_FILE), "exec", dont_inherit=True)
            program = child.Program(code, mode, "A", box, search_path)
            child.rehearse(program)
    os.ftruncate(child.INPUT_FD, 0)
    os.ftruncate(child.OUTPUT_FD, 0)
    gc.collect()
    gc.freeze()


# --- the cell ---------------------------------------------------------------------------------------------------------


def _run_cell(channels: Channels, raised: walls.Walls, user: int, group_id: int, search_path: list[str]) -> None:
    """Compile the solution and fork children that run it, as the supervisor asks for them. Never returns."""
    control = channels.cell[1]
    try:
        for number in (signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        order, code = _read_order()
        limits = walls.Limits(**order["limits"])
        walls.raise_own(raised, limits, user, group_id)
    except BaseException as error:
        control.send(b"!" + repr(error).encode()[:1000])  # ours, and not the solution's
        os._exit(1)
    try:
        program = _compile(order, code, raised.box, search_path)
    except BaseException as error:
        control.send(REFUSED + child.describe(error).encode("utf-8", "replace")[: child.NOTE_BYTES])
        os._exit(0)
    control.send(READY)
    _Cell(channels, program, limits, raised).serve()


def _read_order() -> tuple[dict[str, Any], bytes]:
    data = os.pread(CODE_FD, os.fstat(CODE_FD).st_size, 0)
    size = struct.unpack_from("<I", data)[0]
    return json.loads(data[4 : 4 + size]), data[4 + size :]


def _compile(order: dict[str, Any], code: bytes, box: str, search_path: list[str]) -> child.Program:
    try:
        source: str | bytes = code.removeprefix(
            b"\xef\xbb\xbf"
        ).decode()  # a text has no other encoding, whatever its first line says
    except UnicodeDecodeError:
        source = code
    compiled: types.CodeType = compile(source, os.path.join(box, child.SOLUTION_FILE), "exec", dont_inherit=True)
    program = child.Program(compiled, order["mode"], order["entry"], box, search_path, order["prelude"])
    if program.mode == "stdin":
        program.open_streams()
    return program


class _Cell:
    def __init__(self, channels: Channels, program: child.Program, limits: walls.Limits, raised: walls.Walls) -> None:
        self.channels = channels
        self.program = program
        self.open_files = walls.at_most(resource.RLIMIT_NOFILE, limits.files)
        self.raised = raised
        self.control = channels.cell[1]
        self.pid = 0
        self.pidfd = -1
        self.ends: list[int] = []  # of the child, kept open until the next: its end is told by its exit alone

    def serve(self) -> None:
        self.prepare()
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        while True:
            if self.pidfd in dict(poll.poll()):  # one event at a time: numbers of descriptors are used again
                self.control.send(END.pack(b"D", *self.reap(poll)))
                continue
            message, ends, _, _ = socket.recv_fds(self.control, 16, len(NUMBERS))
            if message in (FORK, FINISH):
                self.control.send(END.pack(b"E", *self.finish(poll)))
                if message == FORK:
                    for old in self.ends:
                        os.close(old)
                    self.ends = ends
                    self.fork(poll)
            else:  # the supervisor is gone
                self.finish(poll)
                os._exit(0)

    def prepare(self) -> None:
        """Do here once what every child would do: what it need not write to need not be copied."""
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))  # it is for the child, and must not end the cell
        self.program.expect(self.open_files)

    def fork(self, poll: select.poll) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                for made, number in zip(self.ends, NUMBERS, strict=True):
                    os.dup2(made, number, inheritable=False)
                walls.raise_child(self.raised)
                os.closerange(3, _LOW_FDS)  # nothing of ours is left but what `NUMBERS` says
                os.close(CODE_FD)
                resource.setrlimit(resource.RLIMIT_NOFILE, self.open_files)
                kernel.become_reaper()  # what a solution leaves behind comes to the child, and shows
                _signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
                if not self.raised.apart:
                    os.setsid()
                child.serve(self.program, self.channels.child)
            finally:
                os._exit(70)
        self.pid, self.pidfd = pid, os.pidfd_open(pid)
        poll.register(self.pidfd, select.POLLIN)

    def reap(self, poll: select.poll) -> tuple[int, float, float, int]:
        """Wait for the child, whose end is near or done."""
        if not self.pid:
            return -1, 0.0, 0.0, 0
        _, status, usage = os.wait4(self.pid, 0)
        poll.unregister(self.pidfd)
        os.close(self.pidfd)
        self.pid, self.pidfd = 0, -1
        return status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss

    def finish(self, poll: select.poll) -> tuple[int, float, float, int]:
        """End whatever is left of the solution: the child and all that it started."""
        if self.raised.ends_all:
            walls.end_all(self.raised)
        elif self.pid:
            os.kill(self.pid, signal.SIGKILL)
        ended = self.reap(poll)
        end_children(-1 if self.raised.ends_all else self.raised.children_fd)
        return ended


def end_children(children_fd: int) -> None:
    """End all that is left below this process, which is the reaper of it, and wait for it.

    children_fd: the file of /proc that lists our children, who are then signalled one by one, and so what comes to us
    when its parent is dead; -1: all have been signalled at once.
    """
    while True:
        if children_fd >= 0:
            for pid in map(int, os.pread(children_fd, 1 << 20, 0).split()):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
