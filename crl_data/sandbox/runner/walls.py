"""The walls: what stands between code under judgement and this machine, and which of them stand here.

Shared by all that a runner starts, raised once (`raise_shared`):
    files       a root file system of our own making (`view`)
    network     a network namespace with nothing in it
    ipc, host   no System V objects or host name of this machine
    processes   a process namespace; the runner's end is the end of all in it
    user        an unprivileged user, no capabilities, no way to gain any
    memory      a control group with a limit for all processes together, where one can be made

For each solution, raised in its cell (`raise_own`) and in each of its children (`raise_child`):
    cell        a process and a user namespace of its own
    landlock    files only in the view, writing only in the scratch folder; no TCP; signals stay inside
    seccomp     none of the calls that `kernel.seccomp_filter` lists
    limits      memory, processes, file size, descriptors, core files: `setrlimit`

Where this machine lets no namespaces be made (in most containers), `raise_weak` raises what stands without them: the
files that Landlock does not show cannot be opened, there are no sockets, signals stay inside, limits hold. It is never
raised unless the judge's side asks for it by name.

It does not decide which walls are required; the judge's side does (`crl_data.sandbox.local`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from typing import NamedTuple

from . import kernel, view

NOBODY = 65534
SHARED_MEMORY = "/dev/shm"  # where the C library has semaphores: `multiprocessing` needs them
SHARED = ("files", "network", "ipc", "host", "processes", "user", "memory")
OWN = ("cell", "landlock", "seccomp", "limits")


class Walls:
    """Which walls stand, why the others do not, and what the cells need to raise theirs."""

    def __init__(self, box: str, proc_fd: int, *, apart: bool = True, none: bool = False) -> None:
        self.box = box
        self.proc_fd = proc_fd  # a /proc in which the supervisor reads the kernel's accounts
        self.apart = apart  # in namespaces of its own: a file system in memory, a cell that is process 1
        self.none = none  # nothing is walled: `--sandbox none`
        self.standing: list[str] = []
        self.missing: dict[str, str] = {}
        self.landlock_rules = -1
        self.seccomp_program: kernel.Filter | None = None
        self.scope = -1  # rules of Landlock that keep signals inside, where nothing else does
        self.other_tasks: int | None = 0  # which the kernel counts as the solution's; None: it does not count at all
        self.scratch_bytes = 0  # how much may be written to the scratch folder, where the kernel does not see to it
        self.shared = ""  # a folder of this machine in which the solution's user may leave files
        self.children_fd = -1  # in a cell that is not apart: the list of its children
        self.readable: list[str] = []  # what the rules of Landlock let a solution read, and list
        self.listable: list[str] = []
        self.for_tests: list[str] = []  # what a tester may read besides
        self.ends_all = False  # in a cell: signalling all processes reaches those of the solution, and no other


def enter_namespaces(libraries: list[str]) -> None:
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
            _become(own_user("/", libraries))  # the kernel does not limit how many processes root has, not even there
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # a change of user clears it; our own user map is to be written
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
        _become(NOBODY)
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
    walls = Walls(box, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), apart=False, none=True)
    walls.other_tasks = None
    walls.standing.append("limits")
    walls.missing.update({name: "--sandbox none" for name in (*SHARED, *OWN) if name != "limits"})
    return walls


def raise_weak(box: str, libraries: list[str], for_tests: list[str], scratch_mb: int, user: int) -> Walls:
    """The walls that stand without namespaces. Root becomes `user`, which nobody else is; 0: it is not root.

    Raises `OSError` where a step is refused.
    """
    why = "this machine lets no namespaces be made"
    view.make_box(box, user, user)
    if user:
        _become(user)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # closes the memory of the runner to others of this user
    walls = Walls(box, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), apart=False)
    walls.missing |= {
        "files": f"{why}: names, sizes and times of files can be seen",
        "host": f"{why}: its name can be seen",
        "processes": f"{why}: that a process is there can be seen",
        "cell": f"{why}",
    }
    walls.scratch_bytes = scratch_mb << 20
    if user:
        walls.standing.append("user")
        walls.other_tasks = 4  # of the runner: supervisor, tester's zygote, cell and process; a cell counts itself
        walls.shared = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else ""
    else:
        walls.missing["user"] = (
            "a solution runs as the user that judges, and cannot use the locks, queues and pools of multiprocessing"
        )
        walls.missing["limits"] = f"the limit of processes is {_HEADROOM} higher: the user's others count too"
        walls.other_tasks = _tasks_of(os.getuid()) + _HEADROOM
    if kernel.number("seccomp") is not None:
        walls.standing += ["network", "ipc", "seccomp"]
        walls.seccomp_program = kernel.seccomp_filter(apart=False, own_user=bool(user))
    else:
        walls.missing |= dict.fromkeys(("network", "ipc", "seccomp"), _no_table())
    readable, listable = view.readable(libraries)
    _prepare_landlock(walls, [*readable, box], listable)
    walls.for_tests = list(map(os.path.realpath, for_tests))
    try:
        walls.scope = kernel.landlock_scope()
    except OSError:
        pass  # then a filter of system calls keeps signals inside
    if user:
        walls.standing.append("limits")
    return walls


def _become(user: int) -> None:
    """As root: become another user, for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def own_user(box: str, libraries: list[str]) -> int:
    """The number of a user that nobody is, for root to become; 0 for anyone else.

    As root a solution would own too much, and the kernel does not limit how many processes root has. Raises `OSError`
    where such a user could not read Python, the libraries or the scratch folder.
    """
    if os.geteuid() != 0:
        return 0
    with open("/proc/self/uid_map") as file:
        first, _, count = max((tuple(map(int, line.split())) for line in file), key=lambda span: span[2])
    low, high = (1 << 30, 1 << 31) if count > 1 << 31 else (first + count // 2, first + count)
    taken = {owner for _, owner in _processes()}
    while (user := low + int.from_bytes(os.urandom(4), "little") % (high - low)) in taken:
        pass
    os.seteuid(user)
    try:
        for path in (os.__file__, sys.executable, os.path.dirname(box), *libraries):
            os.close(os.open(path, os.O_RDONLY))
    except PermissionError as error:
        raise OSError(
            13, "a folder above it lets only root in, and as root nothing is judged", error.filename
        ) from None
    finally:
        os.seteuid(0)
    return user


_HEADROOM = 1024  # for other processes of this user, which come and go: never so tight that they fail a solution


def _processes() -> Iterator[tuple[str, int]]:
    """The number of every process that is in sight, and its user."""
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                yield name, os.stat(f"/proc/{name}").st_uid
        except OSError:  # it ended meanwhile
            continue


def _tasks_of(user: int) -> int:
    """How many processes and threads of a user there are."""
    found = 0
    for name, owner in _processes():
        with contextlib.suppress(OSError):
            found += len(os.listdir(f"/proc/{name}/task")) if owner == user else 0
    return found


def prepare_own(walls: Walls) -> None:
    """Make once what every cell will need, and find out which of its walls stand here."""
    _prepare_landlock(walls, ["/"], [])
    if kernel.number("seccomp") is not None:
        walls.seccomp_program = kernel.seccomp_filter()
        walls.standing.append("seccomp")
    else:
        walls.missing["seccomp"] = _no_table()
    walls.standing += ["cell", "limits"]


def _prepare_landlock(walls: Walls, readable: list[str], listable: list[str]) -> None:
    walls.readable, walls.listable = readable, listable
    try:
        walls.landlock_rules = _rules(walls, _parts(walls), readable, listable)
        walls.standing.append("landlock")
    except OSError as error:
        walls.missing["landlock"] = str(error)


def _parts(walls: Walls) -> list[str]:
    return [os.path.join(walls.box, name) for name in view.PARTS]


def _rules(walls: Walls, parts: list[str], readable: list[str], listable: list[str]) -> int:
    """The rules of Landlock: what may be read, what may be listed, and beside a few devices `parts` to be written to."""
    proc = ["/proc"] if walls.apart and os.path.isdir("/proc/self") else []
    shared = [walls.shared] if walls.shared else []
    writable = [*parts, "/dev/null", "/dev/full", "/dev/zero", *proc, *shared]
    return kernel.landlock_ruleset(readable, writable, listable)


def _no_table() -> str:
    return f"no table of system calls for {kernel.MACHINE}"


class Limits(NamedTuple):
    """What one solution may use. Sizes in bytes; `processes` counts threads too."""

    memory: int
    output: int
    processes: int = 64
    files: int = 256


def fork_cell(walls: Walls, more: int = 0) -> int:
    """Fork the process that a cell is made of; returns twice, as `os.fork` does. `more`: further namespaces of its own."""
    if not walls.apart:
        return os.fork()
    return kernel.fork_into(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | more)


def raise_own(walls: Walls, limits: Limits, user: int, group: int, tester: bool = False) -> None:
    """In a new cell: raise the walls that are the cell's own. Raises `OSError` where one does not stand.

    A tester's has a scratch folder of its own, in the place of the one that solutions see; without namespaces it has not.
    """
    if walls.apart:
        map_user(walls.proc_fd, user, group)
        if tester:
            view.private_box(walls.box)
            if walls.landlock_rules >= 0:
                os.close(walls.landlock_rules)
                walls.landlock_rules = _rules(walls, [walls.box], ["/"], [])
    else:
        if tester and walls.landlock_rules >= 0:
            os.close(walls.landlock_rules)
            walls.landlock_rules = _rules(walls, _parts(walls), [*walls.readable, *walls.for_tests], walls.listable)
        kernel.become_reaper()
        walls.children_fd = open_children()
        if not walls.none:
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # for the next line
    try:
        _write(walls.proc_fd, "oom_score_adj", "1000")
    except OSError:
        pass
    set_limits(limits, _address_space(walls.proc_fd), walls.other_tasks)
    os.close(walls.proc_fd)
    if walls.none:
        return
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    if walls.landlock_rules >= 0:
        kernel.landlock_restrict(walls.landlock_rules)
    kernel.drop_capabilities()
    if walls.seccomp_program is not None:
        kernel.seccomp_install(walls.seccomp_program)
    walls.ends_all = walls.apart or (walls.landlock_rules >= 0 and walls.scope >= 0 and not _reaches(os.getppid()))


def enter_scope(walls: Walls) -> None:
    """In the zygote, where no process namespace ends all that it forks: keep its signals to that.

    `ends_all` then says that it can end all of it at once, however much there is and whoever its parent is by then.
    """
    if walls.scope >= 0:
        kernel.landlock_restrict(walls.scope)
        walls.ends_all = not _reaches(os.getppid())


def end_all(walls: Walls) -> None:
    """End whatever is left of the solution but ourselves, where that is known to reach nothing else."""
    if walls.ends_all:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_process(pidfd: int) -> None:
    """End a process, which may have ended by itself."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_user(user: int) -> None:
    """As root: end all processes of a user that is a runner's own."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(user, user, user)  # gives up the right to signal anyone else
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def raise_child(walls: Walls) -> None:
    """In a child of the cell, which will run the solution: keep its signals from the cell, where nothing does yet."""
    if walls.none or walls.apart:
        return
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    if walls.scope >= 0:
        kernel.landlock_restrict(walls.scope)
    elif walls.seccomp_program is not None:
        kernel.seccomp_install(kernel.signal_filter(os.getpid()))


def open_children() -> int:
    """A descriptor of the list of this thread's children, to be read from its start."""
    return os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)


def _reaches(pid: int) -> bool:
    """Whether a signal to a process would be let through."""
    try:
        os.kill(pid, 0)
        return True
    except PermissionError:
        return False


def set_limits(limits: Limits, base: int, other_tasks: int | None) -> None:
    """Set the limits of this process and its children; `base` is the memory that it has mapped already.

    other_tasks: how many processes the kernel counts beside the solution's; None: no limit of processes is set. In a cell
    that is apart it counts those of the cell's own user namespace.

    That of open files a child sets for itself: it must first take descriptors that are numbered above it.
    """
    for kind, value in (
        (resource.RLIMIT_AS, base + limits.memory),
        (resource.RLIMIT_FSIZE, limits.output),
        (resource.RLIMIT_NPROC, limits.processes + (other_tasks or 0)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        if kind == resource.RLIMIT_NPROC and other_tasks is None:
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
