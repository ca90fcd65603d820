"""The zygote, which forks a clean process for each solution, and the cell, which that process becomes.

The zygote never sees code, inputs or outputs, so nothing of one solution is in the memory of the next. The cell is
process 1 of the solution's namespaces: it raises the solution's own walls, compiles the code once and never runs it,
forks the children that do, and tells the supervisor how each of them ended, as the kernel says it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enumerations, which are dear in a child
import array  # noqa: F401, `socket.recv_fds` imports it, and would do so in every cell
import fcntl
import gc
import json
import marshal
import os
import resource
import select
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from . import child, group, kernel, served, tester, walls

CODE_FD, TESTS_FD = 705, 706
THREAD_STACK_BYTES = 8 << 20
_LOW_FDS = 64  # a cell has about ten, and new ones take the lowest numbers
END = struct.Struct(
    "<ciddQ"
)  # b"D" died or b"E" ended | wait status (-1: still running, never started) | user s | system s | KiB
# The time is that of the process that died, and of all that the solution started once they are ended.
FORK, FINISH, NEW_CELL, WAIT_CELL = b"F", b"E", b"C", b"W"
READY, REFUSED = b"R", b"X"


class Channels(NamedTuple):
    """The sockets that supervisor, zygote and cell share; each pair is (the supervisor's end, the other's).

    `child` is the socket at `child.CONTROL_FD`, in whose place every child puts one of its own.
    """

    zygote: tuple[socket.socket, socket.socket]
    cell: tuple[socket.socket, socket.socket]
    child: socket.socket


Program = child.Program | tester.Program


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


def make_channels() -> tuple[Channels, Channels]:
    """Make the sockets of a runner, for solutions and for testers, and put something at the numbers that children use, so
    that they stay free.
    """
    *pairs, unused = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(5))
    high = fcntl.fcntl(unused[1].fileno(), fcntl.F_DUPFD_CLOEXEC, child.CONTROL_FD)
    for end in unused:
        end.close()
    numbers = {"input": child.INPUT_FD, "output": child.OUTPUT_FD, "code": CODE_FD, "tests": TESTS_FD}
    for name, fd in numbers.items():
        made = os.memfd_create(name, os.MFD_CLOEXEC)
        os.dup2(made, fd, inheritable=False)
        os.close(made)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, child.NULL_FD, inheritable=False)
    os.close(null)
    control = socket.socket(fileno=high)
    return Channels(pairs[0], pairs[1], control), Channels(pairs[2], pairs[3], control)


def write_all(fd: int, data: bytes | memoryview) -> None:
    view, at = memoryview(data), 0
    while at < len(view):
        at += os.pwrite(fd, view[at:], at)


def drain(ends: tuple[socket.socket, ...]) -> None:
    """Throw away what was said on a channel by processes that are dead."""
    for end in ends:
        try:
            while end.recv(1 << 16, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass


# --- the zygote -------------------------------------------------------------------------------------------------------


def run_zygote(
    channels: Channels,
    raised: walls.Walls,
    search_path: list[str],
    preload: list[str],
    memory: group.MemoryGroup | None,
) -> None:
    """Fork cells as the supervisor asks for them, until it is gone. Never returns."""
    _let_go(channels, memory, TESTS_FD)
    _load(search_path, preload)
    kernel.set_thread_stack(THREAD_STACK_BYTES)
    for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
        del sys.modules[name]  # what is judged does not find us
    _dry_run(raised.box, search_path)
    for fd in (0, 1, 2):
        os.dup2(child.NULL_FD, fd)
    program = child.Program(raised.box, search_path)
    program.open_streams()
    gc.collect()
    _FILLING.extend(_fill_holes())
    gc.freeze()
    user, group_id = os.geteuid(), os.getegid()
    walls.enter_scope(raised)
    control = channels.zygote[1]
    cell = walls.fork_cell(raised)  # once for nothing, so that the memory of the first cell is that of all others
    if cell == 0:
        os._exit(0)
    struct.pack("<i", os.waitpid(cell, 0)[1])
    control.send(READY)
    while True:
        cell = _forked(control, raised, cell)
        if cell == 0:
            _run_cell(channels, raised, user, group_id, program)


def run_tester_zygote(
    channels: Channels,
    raised: walls.Walls,
    search_path: list[str],
    preload: list[str],
    memory: group.MemoryGroup | None,
) -> None:
    """Fork the cells of testers as the supervisor asks for them; it sleeps until the first. Never returns."""
    _let_go(channels, memory, CODE_FD)
    user, group_id = os.geteuid(), os.getegid()
    walls.enter_scope(raised)
    control = channels.zygote[1]
    control.recv(16, socket.MSG_PEEK)  # until the first order
    _load(search_path, [*preload, *_FOR_TESTS])
    for fd in (0, 1, 2):
        os.dup2(child.NULL_FD, fd)
    _dry_run(raised.box, search_path)
    gc.collect()
    gc.freeze()
    cell = 0
    while True:
        cell = _forked(control, raised, cell, kernel.CLONE_NEWNS)
        if cell == 0:
            _run_tester_cell(channels, raised, user, group_id, search_path)


def _let_go(channels: Channels, memory: group.MemoryGroup | None, told_fd: int) -> None:
    """Close what a zygote has of the supervisor, and what cells of the other kind are told."""
    for pair in (channels.zygote, channels.cell):
        pair[0].close()
    if memory is not None:
        memory.close()
    os.close(told_fd)


def _load(search_path: list[str], names: list[str]) -> None:
    """Load what the processes of a zygote will import."""
    sys.path[:] = search_path
    for name in names:
        __import__(name)
    if "numpy" in sys.modules:
        __import__("numpy.random")  # numpy loads it when it is first used, and then it would have a seed of its own
    child.add_site_names()


def _forked(control: socket.socket, raised: walls.Walls, cell: int, more: int = 0) -> int:
    """Do what the supervisor asks for next: the id of the cell there is then, and 0 in a new one."""
    message = control.recv(16)
    if message == NEW_CELL:
        cell = walls.fork_cell(raised, more)
        if cell == 0:
            control.close()
        else:
            control.send(struct.pack("<i", cell))
    elif message == WAIT_CELL:
        control.send(struct.pack("<i", os.waitpid(cell, 0)[1]))
    else:
        walls.end_all(raised)
        os._exit(0)
    return cell


_FOR_TESTS = ("unittest", "inspect", "mmap", "hashlib")


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


_REHEARSALS = 8  # the interpreter writes to code that runs for the first times


def _dry_run(box: str, search_path: list[str]) -> None:
    """Do once everything that a child will do, so that its memory is already laid out when it is forked.

    This more than anything lowers the price of a fork (a quarter of a verdict's CPU time, measured).
    """
    os.pwrite(child.INPUT_FD, b"1 2\n3 4\n", 0)
    for mode in ("stdin", "calls"):
        for _ in range(3):
            code = compile(_SAMPLE, os.path.join(box, child.SOLUTION_FILE), "exec", dont_inherit=True)
            program = child.Program(box, search_path)
            program.load(code, mode, "A")
            for _ in range(_REHEARSALS):
                child.rehearse(program)
    os.ftruncate(child.INPUT_FD, 0)
    os.ftruncate(child.OUTPUT_FD, 0)


_FILLING: list[object] = []


def _fill_holes() -> list[object]:
    """Take every free place in memory that has been used before, so that what is made from now on lies side by side.

    A process that is forked writes to the pages of what it makes: in holes all over memory each would be a page to copy.
    """
    kept: list[object] = []
    for size in range(16, 513, 16):  # the size classes of Python's allocator
        for _ in range(_MOST_FILLING // 32 // size):
            made: object = object() if size == 16 else complex(1, 1) if size == 32 else bytes(size - _BYTES_HEAD)
            kept.append(made)
            if (id(made) - _POOL_HEAD) % _POOL_BYTES == 0:  # the first of a new pool
                break
    # The C library's, in sizes that it does not map each by itself.
    size, highest, room = (1 << 17) - 64, 0, _MOST_FILLING
    while size > 512 and room > 0:
        made = bytes(size - _BYTES_HEAD)
        kept.append(made)
        room -= size
        if id(made) > highest:
            highest, size = id(made), size * 15 // 16
    return kept


_POOL_BYTES, _POOL_HEAD, _BYTES_HEAD = 16 << 10, 48, 33
# Bytes of either allocator; 2 MB are usual, and what takes more lays memory out otherwise than is believed here.
_MOST_FILLING = 64 << 20


# --- the cell ---------------------------------------------------------------------------------------------------------


def _run_cell(channels: Channels, raised: walls.Walls, user: int, group_id: int, program: child.Program) -> None:
    """Compile the solution and fork children that run it, as the supervisor asks for them. Never returns."""
    control = channels.cell[1]
    try:
        for number in (_signal.SIGINT, _signal.SIGPIPE):
            _signal.signal(number, _signal.SIG_DFL)
        order, code = _read_order()
        limits = walls.Limits(**order["limits"])
        walls.raise_own(raised, limits, user, group_id)
    except BaseException as error:
        control.send(b"!" + repr(error).encode()[:1000])  # ours, and not the solution's
        os._exit(1)
    try:
        _compile(program, order, code)
    except BaseException as error:
        control.send(REFUSED + child.describe(error).encode("utf-8", "replace")[: child.NOTE_BYTES])
        os._exit(0)
    control.send(READY)
    serve = served.serve if order["mode"] == "served" else child.serve
    _Cell(channels, program, limits, raised, serve, CODE_FD).serve()


_TESTER_LIMITS = walls.Limits(memory=2 << 30, output=64 << 20)


def _run_tester_cell(channels: Channels, raised: walls.Walls, user: int, group_id: int, search_path: list[str]) -> None:
    """Prepare the tests of a problem and fork testers, as the supervisor asks for them. Never returns."""
    control = channels.cell[1]
    try:
        for number in (_signal.SIGINT, _signal.SIGPIPE):
            _signal.signal(number, _signal.SIG_DFL)
        told = json.loads(os.pread(TESTS_FD, os.fstat(TESTS_FD).st_size, 0))
        walls.raise_own(raised, _TESTER_LIMITS, user, group_id, tester=True)
    except BaseException as error:
        control.send(b"!" + repr(error).encode()[:1000])
        os._exit(1)
    try:
        program = tester.Program(told, raised.box, search_path)
    except BaseException as error:
        control.send(REFUSED + child.describe(error).encode("utf-8", "replace")[: child.NOTE_BYTES])
        os._exit(0)
    control.send(READY)
    _Cell(channels, program, _TESTER_LIMITS, raised, tester.serve, TESTS_FD).serve()


def _read_order() -> tuple[dict[str, Any], bytes]:
    data = os.pread(CODE_FD, os.fstat(CODE_FD).st_size, 0)
    size = struct.unpack_from("<I", data)[0]
    return marshal.loads(data[4 : 4 + size]), data[4 + size :]


def _compile(program: child.Program, order: dict[str, Any], code: bytes) -> None:
    try:
        source: str | bytes = code.removeprefix(
            b"\xef\xbb\xbf"
        ).decode()  # a text has no other encoding, whatever its first line says
    except UnicodeDecodeError:
        source = code
    compiled: types.CodeType = compile(source, program.file, "exec", dont_inherit=True)
    program.load(compiled, order["mode"], order["entry"], order["prelude"], order["leetcode"])


class _Cell:
    def __init__(
        self,
        channels: Channels,
        program: Program,
        limits: walls.Limits,
        raised: walls.Walls,
        serve: Callable[[Any, socket.socket], None],
        told_fd: int,
    ) -> None:
        self.channels = channels
        self.program = program
        self.open_files = walls.at_most(resource.RLIMIT_NOFILE, limits.files)
        self.raised = raised
        self.control = channels.cell[1]
        self.pid = 0
        self.pidfd = -1
        self.before = resource.getrusage(resource.RUSAGE_CHILDREN)  # what was used before the child was forked
        self.ends: list[int] = []  # of the child, kept open until the next: its end is told by its exit alone
        self.enter = self.entrance(serve, told_fd)

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
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT,))  # it is for the child, and must not end the cell
        self.program.expect(self.open_files)

    def entrance(self, serve: Callable[[Any, socket.socket], None], told_fd: int) -> Callable[[list[int]], None]:
        """What a child does, all names looked up before it is forked: in a child a look-up is a page of memory to copy."""
        dup2, close_range, close, set_limit, set_mask = (
            os.dup2,
            os.closerange,
            os.close,
            resource.setrlimit,
            _signal.pthread_sigmask,
        )
        become_reaper, set_session = kernel.become_reaper, None if self.raised.apart else os.setsid
        raise_child, raised = walls.raise_child, self.raised
        numbers, open_files, program, control = tuple(NUMBERS), self.open_files, self.program, self.channels.child
        kind, how, signals = resource.RLIMIT_NOFILE, _signal.SIG_UNBLOCK, (_signal.SIGINT,)

        def enter(ends: list[int]) -> None:
            for made, number in zip(ends, numbers):  # noqa: B905, as many as `Ends` has
                dup2(made, number, False)
            raise_child(raised)
            close_range(3, _LOW_FDS)  # nothing of ours is left but what `NUMBERS` says
            close(told_fd)
            set_limit(kind, open_files)
            become_reaper()  # what a solution leaves behind comes to the child, and shows
            set_mask(how, signals)
            if set_session is not None:
                set_session()
            serve(program, control)

        return enter

    def fork(self, poll: select.poll) -> None:
        self.before = resource.getrusage(resource.RUSAGE_CHILDREN)
        pid = os.fork()
        if pid == 0:
            try:
                self.enter(self.ends)
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
        status, _, _, peak = self.reap(poll)
        end_children(-1 if self.raised.ends_all else self.raised.children_fd)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return status, used.ru_utime - self.before.ru_utime, used.ru_stime - self.before.ru_stime, peak


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
