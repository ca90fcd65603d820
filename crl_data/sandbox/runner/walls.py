"""The walls: what stands between code under judgement and this machine, and which of them stand here.

Shared by all that a runner starts, raised once (`raise_shared`):
    files       a root file system of our own making (`view`)
    network     a network namespace with nothing in it
    ipc, host   no System V objects or host name of this machine
    processes   a process namespace; the runner's end is the end of all in it
    user        an unprivileged user, no capabilities, no way to gain any
    memory      a control group with a limit for all processes together, where one can be made

For each solution, raised in its cell (`raise_own`):
    cell        a process and a user namespace of its own
    landlock    files only in the view, writing only in the scratch folder; no TCP; signals stay inside
    seccomp     none of the calls that `kernel.seccomp_filter` lists
    limits      memory, processes, file size, descriptors, core files: `setrlimit`

It does not decide which walls are required; the judge's side does (`crl_data.sandbox.local`).
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from typing import NamedTuple

from . import kernel, view

NOBODY = 65534
SHARED = ("files", "network", "ipc", "host", "processes", "user", "memory")
OWN = ("cell", "landlock", "seccomp", "limits")


class Walls:
    """Which walls stand, why the others do not, and what the cells need to raise theirs."""

    def __init__(self, box: str, proc_fd: int, none: bool = False) -> None:
        self.box = box
        self.proc_fd = proc_fd  # a /proc in which the supervisor reads the kernel's accounts
        self.none = none  # nothing is walled: `--sandbox none`
        self.standing: list[str] = []
        self.missing: dict[str, str] = {}
        self.landlock_rules = -1
        self.seccomp_program: ctypes.Array[ctypes.c_char] | None = None


def enter_namespaces() -> None:
    """Leave this machine's namespaces. The next child is process 1 of the new process namespace.

    Root enters them as root and gives its rights up later; anyone else enters through a user namespace.
    Raises `OSError` where the kernel allows neither.
    """
    spaces = kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWPID
    if os.geteuid() == 0:
        try:
            kernel.unshare(spaces)
            return
        except PermissionError:  # root of a container, without the right to
            pass
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | spaces)
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    map_user(proc, user, group)
    os.close(proc)


def map_user(proc_fd: int, user: int, group: int) -> None:
    """In a new user namespace: be nobody inside, and outside who we are."""
    for path, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {user} 1"), ("gid_map", f"{NOBODY} {group} 1")):
        _write(proc_fd, path, text)


def raise_shared(libraries: list[str], for_tests: list[str], scratch_mb: int) -> Walls:
    """As process 1 of the new namespaces: make the view, become nobody. Raises `OSError` where a step is refused."""
    walls = Walls(view.BOX, view.build(libraries, for_tests, scratch_mb, NOBODY, NOBODY))
    socket.sethostname("sandbox")
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)  # after the change of user, which clears it
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # a cell must be able to write its own user map
    walls.standing += ["files", "network", "ipc", "host", "processes", "user"]
    prepare_own(walls)
    return walls


def raise_none(box: str) -> Walls:
    """No walls at all, because they were asked not to be: limits, and a scratch folder."""
    view.make_box(box, os.geteuid(), os.getegid())
    walls = Walls(box, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), none=True)
    walls.standing.append("limits")
    walls.missing.update({name: "--sandbox none" for name in (*SHARED, *OWN) if name != "limits"})
    return walls


def prepare_own(walls: Walls) -> None:
    """Make once what every cell will need, and find out which of its walls stand here."""
    try:
        walls.landlock_rules = _rules([walls.box + "/" + name for name in view.PARTS])
        walls.standing.append("landlock")
    except OSError as error:
        walls.missing["landlock"] = str(error)
    if kernel.number("seccomp") is not None:
        walls.seccomp_program = kernel.seccomp_filter()
        walls.standing.append("seccomp")
    else:
        walls.missing["seccomp"] = f"no table of system calls for {kernel.MACHINE}"
    walls.standing += ["cell", "limits"]


def _rules(writable: list[str]) -> int:
    proc = ["/proc"] if os.path.isdir("/proc/self") else []
    return kernel.landlock_ruleset(["/"], [*writable, "/dev/null", "/dev/full", "/dev/zero", *proc])


class Limits(NamedTuple):
    """What one solution may use. Sizes in bytes; `processes` counts threads too."""

    memory: int
    output: int
    processes: int = 64
    files: int = 256


def fork_cell(walls: Walls, more: int = 0) -> int:
    """Fork the process that a cell is made of; returns twice, as `os.fork` does. `more`: further namespaces of its own."""
    if walls.none:
        return os.fork()
    return kernel.fork_into(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | more)


def raise_own(walls: Walls, limits: Limits, user: int, group: int, tester: bool = False) -> None:
    """In a new cell: raise the walls that are the cell's own. Raises `OSError` where one does not stand.

    A tester's has a scratch folder of its own, in the place of the one that solutions see.
    """
    if not walls.none:
        map_user(walls.proc_fd, user, group)
        if tester:
            view.private_box(walls.box)
            if walls.landlock_rules >= 0:
                os.close(walls.landlock_rules)
                walls.landlock_rules = _rules([walls.box])
    try:
        _write(walls.proc_fd, "oom_score_adj", "1000")
    except OSError:
        pass
    set_limits(limits, _address_space(walls.proc_fd), count_processes=not walls.none)
    os.close(walls.proc_fd)
    if walls.none:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        return
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    if walls.landlock_rules >= 0:
        kernel.landlock_restrict(walls.landlock_rules)
    kernel.drop_capabilities()
    if walls.seccomp_program is not None:
        kernel.seccomp_install(walls.seccomp_program)


def set_limits(limits: Limits, base: int, count_processes: bool) -> None:
    """Set the limits of this process and its children; `base` is the memory that it has mapped already.

    That of open files a child sets for itself: it must first take descriptors that are numbered above it.
    """
    for kind, value in (
        (resource.RLIMIT_AS, base + limits.memory),
        (resource.RLIMIT_FSIZE, limits.output),
        (resource.RLIMIT_NPROC, limits.processes),  # counted in the cell's own user namespace
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        if kind == resource.RLIMIT_NPROC and not count_processes:
            continue
        resource.setrlimit(kind, at_most(kind, value))


def at_most(kind: int, value: int) -> tuple[int, int]:
    """A limit as it can be set: no higher than it is already."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return value, value


def _address_space(proc_fd: int) -> int:
    fd = os.open("self/statm", os.O_RDONLY, dir_fd=proc_fd)
    try:
        return int(os.read(fd, 100).split()[0]) * resource.getpagesize()
    finally:
        os.close(fd)


def _write(proc_fd: int, name: str, text: str) -> None:
    """Write to a file of our own in /proc, which need not be in sight."""
    fd = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc_fd)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
