"""Who started a container, told so that any later process can see whether its owner still lives.

An owner is named by the boot of the machine, its process namespace, its process id and the time that process started: no
two processes ever have the same. Of an owner on another machine, in another namespace, or from before a restart of this
one, nothing can be known from here, and so it counts as alive.
"""

from __future__ import annotations

import os
from pathlib import Path

LABEL = "crl-data.owner"
_PROC = Path("/proc")


def identity() -> str:
    """This process, as a label of what it owns; "unknown" where there is no /proc."""
    try:
        return f"{_here()}/{os.getpid()}/{_start(os.getpid())}"
    except OSError:
        return "unknown"


def is_dead(owner: str) -> bool:
    """Whether it is certain that the process with this identity has ended."""
    place, _, process = owner.partition("/")
    pid, _, start = process.partition("/")
    try:
        if place != _here() or not pid.isdigit():
            return False
    except OSError:
        return False
    try:
        return _start(int(pid)) != start
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _here() -> str:
    """The boot and the process namespace in which a process id means something."""
    return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()}:{os.stat(_PROC / 'self/ns/pid').st_ino}"


def _start(pid: int) -> str:
    """When a process started, in ticks since the boot; "dead" where only its exit status is left."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    return "dead" if fields[0] in "ZX" else fields[19]
