"""What a process of ours started and made, as the kernel tells it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crl_data.sandbox.runner import group


def children(pid: int) -> list[int]:
    """The processes that a process started, by all of its threads."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(n) for task in tasks for n in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []


def below(pid: int) -> Iterator[tuple[int, int]]:
    """All that a process started, with how deep it lies below: 1 the runner, 2 the supervisor, 3 the zygote, then cells."""
    waiting = [(one, 1) for one in children(pid)]
    while waiting:
        one, depth = waiting.pop()
        yield one, depth
        waiting += [(child, depth + 1) for child in children(one)]


def lives(pid: int) -> bool:
    """Whether a process still runs; one that is dead and that nobody has asked after yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def groups() -> set[str]:
    """The control groups of runners."""
    try:
        folder = group._parent("/proc/self/cgroup", "/sys/fs/cgroup")[0]
        return {name for name in os.listdir(folder) if name.startswith("crl-")}
    except OSError:
        return set()
