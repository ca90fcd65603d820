"""The kernel calls that walls are made of, which Python 3.11 does not offer: namespaces, mounts, Landlock, seccomp, caps.

Each function is one call (or one small rite of calls) and raises `OSError` when the kernel says no. What is walled off
from whom is decided in `walls` and `view`, not here. Numbers are for x86-64 and aarch64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_holding_gil = ctypes.PyDLL(None, use_errno=True)
for _name in ("syscall", "prctl"):  # looked up once: each process that is forked would do it anew
    getattr(_libc, _name), getattr(_holding_gil, _name)

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 32, 1024, 4096, 8192, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
_SIGCHLD = 17

MACHINE = platform.machine()
_SYSCALLS = {  # (x86-64, aarch64); None where the machine has no such call
    "clone": (56, 220),
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "clone3": (435, 435),
    "seccomp": (317, 277),
    "pivot_root": (155, 41),
    "capset": (126, 91),
    "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
_MORE_SYSCALLS = {  # what is forbidden only where no namespaces stand around a solution
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "truncate": (76, 45),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "inotify_add_watch": (254, 27),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(MACHINE)
_LAST_KNOWN_SYSCALL = 462


def number(name: str) -> int | None:
    """The number of a system call on this machine, or None where it has none."""
    return None if _COLUMN is None else (_SYSCALLS.get(name) or _MORE_SYSCALLS[name])[_COLUMN]


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _syscall(name: str, *args: object) -> int:
    nr = number(name)
    if nr is None:
        raise OSError(38, f"{name}: not known on {MACHINE}")
    return _check(_libc.syscall(ctypes.c_long(nr), *args), name)


# --- namespaces, mounts, privileges -----------------------------------------------------------------------------------


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def fork_into(flags: int) -> int:
    """`os.fork`, with the child in new namespaces (`flags`) of its own; the child is process 1 of a new pid namespace."""
    _holding_gil.PyOS_BeforeFork()
    pid: int = _holding_gil.syscall(
        ctypes.c_long(number("clone") or -1), ctypes.c_ulong(flags | _SIGCHLD), *[ctypes.c_long(0)] * 4
    )
    if pid == 0:
        _holding_gil.PyOS_AfterFork_Child()
        return 0
    code = ctypes.get_errno()
    _holding_gil.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, f"clone: {os.strerror(code)}")
    return pid


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    arguments = (
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode(),
    )
    _check(_libc.mount(*arguments), f"mount {target}")


def bind_read_only(source: str, target: str) -> None:
    """Show `source` (a file or a folder) at `target`, for reading only, without devices or set-user-id programs."""
    mount(source, target, None, MS_BIND | MS_REC)
    read_only(target)


def read_only_top(target: str) -> None:
    """Make the one file system mounted at `target` read only, and not what is mounted beneath it."""
    mount("", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def read_only(target: str) -> None:
    attributes = struct.pack(
        "<QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0
    )  # set, clear, propagation, user namespace
    try:
        _syscall(
            "mount_setattr", ctypes.c_int(-100), target.encode(), ctypes.c_uint(0x8000), attributes, ctypes.c_size_t(32)
        )
    except OSError:  # before Linux 5.12
        mount("", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | os.statvfs(target).f_flag)


def unmount(target: str) -> None:
    """Take away what is mounted at `target`, from sight at once."""
    _check(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make `new_root`, where something is mounted, the root of the file system, and let go of the old one."""
    os.chdir(new_root)
    try:
        _syscall("pivot_root", b".", b".")
        unmount(".")
    except PermissionError:  # a container with the right to mount, whose filter of calls does not know this one
        mount(".", "/", None, MS_MOVE)  # over the old root, which no path leads to from then on
        os.chroot(".")
    os.chdir("/")


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(ctypes.c_int(option), *[ctypes.c_ulong(n) for n in (value, 0, 0, 0)]), f"prctl {option}")


def become_reaper() -> None:
    """Have this process be the parent of all that is orphaned below it."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_thread_stack(size: int) -> None:
    """Give new threads stacks of `size` bytes: the C library would take the limit of the main stack, which is large here."""
    attributes = ctypes.create_string_buffer(64)
    try:
        setters = _libc.pthread_attr_init, _libc.pthread_attr_setstacksize, _libc.pthread_setattr_default_np
    except AttributeError:  # a C library whose threads have small stacks anyway
        return
    setters[0](attributes)
    setters[1](attributes, ctypes.c_size_t(size))
    setters[2](attributes)


_CAPSET = (struct.pack("<II", 0x20080522, 0), bytes(24))


def drop_capabilities() -> None:
    """Give up every capability, for good once `PR_SET_NO_NEW_PRIVS` is set."""
    _syscall("capset", *_CAPSET)


# --- Landlock ---------------------------------------------------------------------------------------------------------

_READ, _WRITE = 0b1101, 0b1_1111_1111_0010  # execute, read file, read folder | write, remove, make
_LIST = 0b1000
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    try:
        return _syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0


def landlock_ruleset(readable: list[str], writable: list[str], listable: list[str]) -> int:
    """A descriptor of rules: nothing but these paths and what is beneath them; no TCP; signals stay within."""
    version = landlock_version()
    rights = _READ | _WRITE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = rights | (_IOCTL_DEV if version >= 5 else 0)
    attributes = struct.pack("<QQQ", handled, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _syscall("landlock_create_ruleset", attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    for paths, allowed in ((readable, _READ), (writable, rights), (listable, _LIST)):
        for path in paths:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                of_file = 0b110 | 1 | (rights & _TRUNCATE)  # the rights that a file, and not a folder, can have
                effective = allowed if os.path.isdir(path) else allowed & of_file
                _syscall(
                    "landlock_add_rule",
                    ctypes.c_int(ruleset),
                    ctypes.c_int(1),
                    struct.pack("<Qi", effective, fd),
                    ctypes.c_uint(0),
                )
            finally:
                os.close(fd)
    return ruleset


def landlock_scope() -> int:
    """A descriptor of rules that keep signals inside: a process under them reaches itself and what it starts, no more.

    Raises `OSError` before version 6 of Landlock.
    """
    return _syscall("landlock_create_ruleset", struct.pack("<QQQ", 0, 0, 0b10), ctypes.c_size_t(24), ctypes.c_uint(0))


def landlock_restrict(ruleset: int) -> None:
    _syscall("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(0))


# --- seccomp ----------------------------------------------------------------------------------------------------------

_ONLY_ITSELF = {  # place and value of arguments: the caller itself, and neither a group nor all of a user
    "prlimit64": ((0, 0),),
    "sched_setaffinity": ((0, 0),),
    "sched_setscheduler": ((0, 0),),
    "sched_setparam": ((0, 0),),
    "sched_setattr": ((0, 0),),
    "setpriority": ((0, 0), (1, 0)),
    "ioprio_set": ((0, 1), (1, 0)),
}
_ANSWER_NOT_THERE = {
    "clone3",
    "memfd_create",
    "memfd_secret",
    "io_uring_setup",
}  # what falls back must be told "no such call"
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOTTY, _ENOSYS, _EAFNOSUPPORT = 1, 25, 38, 97
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AF_UNIX = 1
_ONLY_NARROWER = {"seccomp", "landlock_restrict_self"}  # a child needs them, where it raises walls of its own
_OF_OWNED_FILES = ("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime",
                   "utimes", "futimesat", "utimensat", "truncate")  # fmt: skip
_HARMLESS_IOCTLS = (
    0x5401,  # TCGETS: isatty
    0x5413,  # TIOCGWINSZ
    0x540F,  # TIOCGPGRP
    0x541B,  # FIONREAD
    0x5421,  # FIONBIO
    0x5450,  # FIONCLEX
    0x5451,  # FIOCLEX
)
_SETS_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: the kernel would send signals for us
Line = tuple[int, int, int, int]
Filter = ctypes.Array[ctypes.c_char]


def seccomp_filter(*, apart: bool = True, own_user: bool = True) -> Filter:
    """The program that forbids, for a solution, what no solution needs: other processes, namespaces, mounts, keys, sockets.

    `clone3` answers "no such call", so that the C library makes threads by `clone`, whose flags a filter can read. Of
    sockets, local ones are left. Limits and priorities can be changed of the caller alone, and extended attributes not
    at all: they would stay for the next process to read. Calls that are newer than this list are "no such call" too.

    Where the solution is not `apart`, in namespaces of its own, there are no sockets but pairs of connected ones: those
    of others could be reached by their paths. Where it is not `own_user`, with no files but its own, the modes and
    owners of files cannot be changed either, since Landlock does not care for them.
    """
    code: list[Line] = []
    code += _when("clone", [_load_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _answer(_EPERM), _allow()])
    for name in ("socket", "socketpair"):
        local = apart or name == "socketpair"
        wanted = [_load_argument(0), (_EQUAL, 0, 1, _AF_UNIX), _allow()] if local else []
        code += _when(name, [*wanted, _answer(_EAFNOSUPPORT)])
    for name, arguments in _ONLY_ITSELF.items():
        code += _when(name, [*_unless_equal(arguments, _answer(_EPERM)), _allow()])
    forbidden = set(_SYSCALLS) - set(_ONLY_ITSELF) - {"clone", "socket", "socketpair"}
    if not apart:
        forbidden = forbidden - _ONLY_NARROWER | {"inotify_add_watch", "statmount", "listmount"}
    if not own_user:
        forbidden |= {*_OF_OWNED_FILES}
        allowed = [line for value in _HARMLESS_IOCTLS for line in ((_EQUAL, 0, 1, value), _allow())]
        code += _when("ioctl", [_load_argument(1), *allowed, _answer(_ENOTTY)])
    for name in sorted(forbidden):
        code += _when(name, [_answer(_ENOSYS if name in _ANSWER_NOT_THERE else _EPERM)])
    return _program(code)


def signal_filter(pid: int) -> Filter:
    """The program that lets process `pid`, and what it forks, send signals to `pid` and its group only.

    For where neither a process namespace nor Landlock keeps signals inside. What it forks cannot signal itself by
    number then; it can by its group.
    """
    code: list[Line] = []
    for name in ("kill", "rt_sigqueueinfo", "tgkill", "rt_tgsigqueueinfo"):
        group = [(_EQUAL, 0, 1, 0), _allow()] if name == "kill" else []
        code += _when(name, [_load_argument(0), *group, (_EQUAL, 0, 1, pid), _allow(), _answer(_EPERM)])
    for name in ("tkill", "pidfd_send_signal", *_ONLY_NARROWER):
        code += _when(name, [_answer(_EPERM)])
    owners = [line for value in _SETS_OWNER for line in ((_EQUAL, 0, 1, value), _answer(_EPERM))]
    code += _when("fcntl", [_load_argument(1), *owners, _allow()])
    return _program(code)


def _program(code: list[Line]) -> Filter:
    """The filter whose rules are `code`: for this machine's table of calls and no other; what has no rule is allowed."""
    arch = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[MACHINE]
    whole = [_load(4), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), _load(0)]
    whole += [(_GREATER_EQUAL, 0, 1, _LAST_KNOWN_SYSCALL + 1), _answer(_ENOSYS)]
    whole += [*code, _allow()]
    return ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in whole), 8 * len(whole))


def _when(name: str, then: list[Line]) -> list[Line]:
    """The rule of one call; `then` must end with an answer, since it may load something else than the call's number."""
    nr = number(name)
    return [] if nr is None else [(_EQUAL, 0, len(then), nr), *then]


def _unless_equal(arguments: tuple[tuple[int, int], ...], answer: Line) -> list[Line]:
    return [line for place, value in arguments for line in (_load_argument(place), (_EQUAL, 1, 0, value), answer)]


def _load(offset: int) -> Line:
    return (_LOAD, 0, 0, offset)


def _load_argument(place: int) -> Line:
    """The lower half of an argument, which is all of an int."""
    return _load(16 + 8 * place)


def _allow() -> Line:
    return (_RETURN, 0, 0, _ALLOW)


def _answer(errno: int) -> Line:
    return (_RETURN, 0, 0, _ERRNO | errno)


def seccomp_install(program: Filter) -> None:
    header = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(program))
    _syscall("seccomp", ctypes.c_uint(1), ctypes.c_uint(0), header)


# --- accounting -------------------------------------------------------------------------------------------------------


def cpu_clock(pid: int) -> int:
    """The id of the clock of a process's CPU time, all its threads together, for `time.clock_gettime`."""
    return (~pid << 3) | 2
