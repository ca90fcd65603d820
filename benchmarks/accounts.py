"""CPU seconds of a process and of all below it, dead or alive, by the kernel's accounts."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """What a tree of processes has used: to the nanosecond of those that live, in ticks of those that were waited for.

    What ended and was not waited for yet is not in it, nor what kernel threads do to take a namespace apart.
    """
    total, level = 0.0, [root]
    while level:
        below: list[int] = []
        for pid in level:
            below += _children(pid)
            waited_for = _text(f"/proc/{pid}/stat").rpartition(") ")[2].split()[13:15]
            total += sum(map(int, waited_for)) / _TICKS + _own(pid)
        level = below
    return total


def by_depth(root: int) -> list[float]:
    """CPU seconds of the living processes alone: of the root, of its children together, of theirs, and so on."""
    found, level = [], [root]
    while level:
        found.append(sum(map(_own, level)))
        level = [child for pid in level for child in _children(pid)]
    return found


def _children(pid: int) -> list[int]:
    tasks = _listed(f"/proc/{pid}/task")
    return [int(word) for task in tasks for word in _text(f"/proc/{pid}/task/{task}/children").split()]


def _own(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
