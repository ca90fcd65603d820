"""Reaching what is outside: each program is right only where it was let through."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import SUM
from tests.attacks.resources import _only_if

_CALL = "import ctypes, platform\nl = ctypes.CDLL(None, use_errno=True)\nx86 = platform.machine() == 'x86_64'\n"


def _call(x86: int, arm: int, arguments: str = "0, 0, 0, 0, 0", wanted: str = "r >= 0") -> str:
    return _only_if(
        f"{_CALL}r = l.syscall({x86} if x86 else {arm}, {arguments})\nif not ({wanted}): raise OSError(ctypes.get_errno())"
    )


_CALLS = {
    "be traced": _call(101, 117),
    "a session keyring": _call(250, 219, "0, -3, 1, 0, 0"),
    "a key": _call(248, 217, "b'user', b'word', b'x', 1, -2"),
    "a user namespace": _only_if(_CALL + "if l.unshare(0x10000000): raise OSError"),
    "a memory file": _call(319, 279, "b'x', 0"),
    "another personality": _call(135, 92, "0xffffffff"),
    "System V shared memory": _call(29, 194, "0, 4096, 0o1600"),
    "System V semaphores": _call(64, 190, "0, 1, 0o1600"),
    "System V messages": _call(68, 186, "0, 0o1600"),
    "memory read from outside": _only_if(
        _CALL + "import os\nsource = ctypes.create_string_buffer(b'word')\ntarget = ctypes.create_string_buffer(5)\n"
        "class V(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]\n"
        "v = [V(ctypes.addressof(x), 4) for x in (target, source)]\n"
        "r = l.syscall(310 if x86 else 270, os.getpid(), ctypes.byref(v[0]), 1, ctypes.byref(v[1]), 1, 0)\n"
        "if target.value != b'word': raise OSError"
    ),
    "an internet socket": _only_if("import socket\nsocket.socket(socket.AF_INET).close()"),
    "an internet socket of version 6": _only_if("import socket\nsocket.socket(socket.AF_INET6).close()"),
    "a netlink socket": _only_if("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()"),
    "the interfaces of the network": _only_if("import socket\nif not socket.if_nameindex(): raise OSError"),
    "two processes compared": _call(312, 272, "os.getpid(), os.getpid(), 1, 0, 0"),
    "memory faults of its own": _call(323, 282, "1"),
    "the priority of process 1": _only_if("os.getpriority(os.PRIO_PROCESS, 1)\nos.setpriority(os.PRIO_PROCESS, 1, 19)"),
    "an extended attribute": _only_if("os.setxattr('/box/work', 'user.word', b'x')"),
    "a secret memory file or a keyring search": _call(
        249, 218, "b'user', b'word', 0, -2, 0", "ctypes.get_errno() in (0, 126)"
    ),
}

ATTACKS: list[Attack] = [
    *attacks(Group.ESCAPE, SUM, "ours without seccomp", _CALLS),
    *attacks(
        Group.ESCAPE,
        SUM,
        "ours without landlock",
        {
            "a device written to": _only_if("with open('/dev/urandom', 'wb', 0) as file: file.write(b'x')"),
            "its own file replaced": _only_if(
                "text = open('/box/solution.py').read()\nos.unlink('/box/solution.py')\nwith open('/box/solution.py', 'w') as file: file.write(text)"
            ),
        },
    ),
    *attacks(
        Group.ESCAPE,
        SUM,
        "ours with another folder in sight",
        {
            "a folder of this machine": _only_if("if not os.listdir('/var'): raise OSError"),
            "a folder of this machine, by a way around": _only_if(
                "if not os.listdir('/proc/self/root/var'): raise OSError"
            ),
            "a folder of this machine, from above": _only_if(
                "for _ in range(9): os.chdir('..')\nif 'var' not in os.listdir('.'): raise OSError"
            ),
        },
    ),
    *attacks(
        Group.ESCAPE,
        SUM,
        "ours without a network of its own",
        {
            "a network that is up": _only_if(
                "import fcntl, socket, struct\nwith socket.socket(socket.AF_UNIX) as s:\n    flags = struct.unpack('16sH', fcntl.ioctl(s, 0x8913, struct.pack('16sH22x', b'lo', 0))[:18])[1]\nif not flags & 1: raise OSError"
            ),
        },
    ),
    # What no judge should be shown to let through: the outcome here, and that the next solution is judged as before.
    *attacks(
        Group.ESCAPE,
        SUM,
        (),
        {
            "process 1 killed": _only_if("os.kill(1, 9)\nos.kill(1, 0)\nraise OSError"),
            "all processes stopped": _only_if("import signal\nos.kill(-1, signal.SIGSTOP)\nraise OSError"),
            "root taken": _only_if("os.setuid(0)"),
            "a group taken": _only_if("os.setgroups([0])"),
            "a file system mounted": _only_if(
                "import ctypes\nif ctypes.CDLL(None).mount(b'none', b'/box/tmp', b'tmpfs', 0, None): raise OSError"
            ),
            "the root changed": _only_if("os.chroot('/box')"),
            "a device made": _only_if("os.mknod('/tmp/d', 0o600 | 0o060000, os.makedev(8, 0))"),
            "memory of process 1": _only_if("open('/proc/1/mem', 'rb').read(1)"),
            "root of process 1": _only_if("os.listdir('/proc/1/root/')"),
            "descriptors of process 1": _only_if("os.listdir('/proc/1/fd')"),
            "files of the kernel": _only_if(
                "open('/proc/kallsyms').read()\nopen('/proc/sys/kernel/core_pattern', 'w')"
            ),
            "the host's name changed": _only_if("import socket\nsocket.sethostname('x')"),
            "the clock set": _only_if("import time\ntime.clock_settime(0, 0)"),
            "a file by its handle": _only_if(
                "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nif l.open_by_handle_at(-100, ctypes.create_string_buffer(64), 0) < 0: raise OSError"
            ),
            "a higher limit": _only_if("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (4096, 4096))"),
            "a larger share of the machine": _only_if("os.nice(-10)"),
            "time of its own choosing": _only_if("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))"),
            "a page of the machine's memory": _only_if("open('/dev/mem', 'rb').read(1)"),
            "rings of the kernel": _call(425, 425, "8, (ctypes.c_char * 256)()"),
            "a program for the kernel": _call(321, 280, "5, (ctypes.c_char * 128)(), 128"),
            "events of the processor": _call(298, 241, "(ctypes.c_char * 128)(), 0, -1, -1, 0"),
            "a namespace of process 1": _only_if("fd = os.open('/proc/1/ns/net', os.O_RDONLY)"),
        },
    ),
]
