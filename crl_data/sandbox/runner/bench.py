"""The tester as the supervisor handles it: a zygote of its own, a cell for each problem, a process beside each solution's.

The supervisor asks the tester, and not the solution, how a test went; see `tester` for what is in that process.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

from . import child
from .cell import END, FINISH, FORK, NEW_CELL, READY, REFUSED, TESTS_FD, WAIT_CELL, Channels, Ends, drain, write_all
from .walls import end_process

CPU_S = 20.0  # that a test itself may use, beside what the solution uses; far above what any honest test needs
_PREPARED_S = 60.0
_UCRED = struct.Struct("3i")
_ANCILLARY = socket.CMSG_SPACE(_UCRED.size)


class TesterFault(Exception):
    """The tester's side failed: never a word about the solution."""


class Bench:
    """The tester's processes. `control` is the channel to the one that runs tests now, if there is one."""

    def __init__(self, channels: Channels, zygote: int) -> None:
        self.channels = channels
        self.zygote = zygote
        self.zygote_fd = os.pidfd_open(zygote)
        self.cell_pid = 0
        self.cell_fd = -1
        self.control: socket.socket | None = None
        self.flag_fd = -1
        self.pid = 0
        self.cpu = 0.0  # what it had used when its last test ended

    def open(self, told: bytes) -> str:
        """Make the cell of a problem's tests; why they cannot be prepared, or nothing."""
        self.close()
        os.ftruncate(TESTS_FD, 0)
        write_all(TESTS_FD, told)
        self.channels.zygote[0].send(NEW_CELL)
        self.cell_pid = struct.unpack("<i", self.hear(self.channels.zygote[0], self.zygote_fd, _PREPARED_S))[0]
        self.cell_fd = os.pidfd_open(self.cell_pid)
        message = self.hear(self.channels.cell[0], self.cell_fd, _PREPARED_S)
        if message[:1] == READY:
            return ""
        self.close()
        if message[:1] == REFUSED:
            return message[1:].decode("utf-8", "replace")
        raise TesterFault(f"the tester's cell could not be made: {message[1:].decode('utf-8', 'replace')}")

    def fork(self, peer: int, null: int) -> socket.socket:
        """Have a process forked that talks to a solution over `peer`; the channel to it."""
        self.release()
        control, its_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.control, self.flag_fd = control, os.memfd_create("flag", os.MFD_CLOEXEC)
        socket.send_fds(self.channels.cell[0], [FORK], Ends(its_control.fileno(), peer, self.flag_fd, null))
        its_control.close()
        self.ended()
        self.pid, self.cpu = self.hello(control, self.cell_fd, self.channels.cell[0]), 0.0
        return control

    def hello(self, control: socket.socket, cell_fd: int, ends: socket.socket) -> int:
        """The id of a new process, by the kernel's word. `ends`: where its cell would tell that it ended."""
        waiting = select.poll()
        waiting.register(control, select.POLLIN)
        waiting.register(cell_fd, select.POLLIN)
        waiting.register(ends, select.POLLIN)
        if any(fd == control.fileno() for fd, _ in waiting.poll(1000 * _PREPARED_S)):
            message, ancillary, _, _ = control.recvmsg(16, _ANCILLARY)
            if message == b"H":
                return int(_UCRED.unpack(ancillary[0][2][: _UCRED.size])[0])
        raise TesterFault("a process did not start")

    def finish(self) -> None:
        """End the process that runs tests."""
        if self.control is not None:
            self.release()
            self.channels.cell[0].send(FINISH)
            self.ended()

    def release(self) -> None:
        if self.control is not None:
            self.control.close()
            os.close(self.flag_fd)
            self.control, self.pid = None, 0

    def ended(self) -> None:
        while END.unpack(self.hear(self.channels.cell[0], self.cell_fd, _PREPARED_S))[0] != b"E":
            pass

    def asks(self) -> bool:
        """Whether the test waits for the solution's answer."""
        return os.pread(self.flag_fd, 1, 0) == b"\1"

    def is_gone(self) -> bool:
        """Whether all that held our channel has ended, as it does with the cell: before the channel to the solution does."""
        assert self.control is not None
        waiting = select.poll()
        waiting.register(self.control, 0)
        return any(event & select.POLLHUP for _, event in waiting.poll(0))

    def close(self) -> None:
        """End the cell and all in it."""
        if not self.cell_pid:
            return
        self.release()
        end_process(self.cell_fd)
        self.channels.zygote[0].send(WAIT_CELL)
        self.hear(self.channels.zygote[0], self.zygote_fd, _PREPARED_S)
        os.close(self.cell_fd)
        self.cell_pid, self.cell_fd = 0, -1
        drain(self.channels.cell[:1])

    def hear(self, channel: socket.socket, pidfd: int, patience_s: float) -> bytes:
        waiting = select.poll()
        waiting.register(channel, select.POLLIN)
        waiting.register(pidfd, select.POLLIN)
        waiting.register(0, 0)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            ready = dict(waiting.poll(1000 * patience_s))
            if 0 in ready:
                os._exit(0)
            if channel.fileno() in ready:
                return channel.recv(2 * child.NOTE_BYTES)
            if pidfd in ready:
                raise TesterFault("the tester ended")
        raise TesterFault("the tester said nothing")
