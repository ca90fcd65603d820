"""A control group for all processes of a runner, so that many processes together cannot use more memory than one may.

Version 2 and version 1 of the kernel's interface, where this user may make a group; in a container, the group that the
engine made, whose limit is set from outside. It bounds the sum; what a single process may use is `walls.set_limits`'
work. It does not count CPU time.
"""

from __future__ import annotations

import os

OVERHEAD_BYTES = 320 << 20  # the runner's own processes, what they hold of outputs, and the scratch folder


class MemoryGroup:
    """A group that this process made; its files stay open, so that it works behind the walls too."""

    def __init__(self, path: str, limit_file: str, events_file: str) -> None:
        self.path = path
        self.limit_fd = os.open(os.path.join(path, limit_file), os.O_RDWR)
        self.events_fd = os.open(os.path.join(path, events_file), os.O_RDONLY)
        self._limit = 0

    def enter(self) -> None:
        """Put this process, and so all that it starts from now on, into the group."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as file:
            file.write("0")

    def set_limit(self, memory_bytes: int) -> None:
        """Let solutions use `memory_bytes` together."""
        if memory_bytes != self._limit:
            os.pwrite(self.limit_fd, str(memory_bytes + OVERHEAD_BYTES).encode(), 0)
            self._limit = memory_bytes

    def kills(self) -> int:
        """How many processes of the group the kernel has ended for want of memory."""
        for line in os.pread(self.events_fd, 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0

    def close(self) -> None:
        """Let go of the files: what is forked from here on must not be able to write to them."""
        os.close(self.limit_fd)
        os.close(self.events_fd)

    def sweep(self) -> None:
        """Remove the groups that runners left behind whose process is dead.

        How many there are must not be seen in the memory of what runs solutions: hence not when the group is made.
        """
        folder = os.path.dirname(self.path)
        for name in os.listdir(folder):
            owner = name.removeprefix("crl-")
            if name.startswith("crl-") and owner.isdigit() and not os.path.isdir(f"/proc/{owner}"):
                try:
                    os.rmdir(os.path.join(folder, name))
                except OSError:  # still in use, in another process namespace
                    pass

    def remove(self) -> None:
        """Remove the group, which must be empty. Called outside the walls."""
        os.rmdir(self.path)


def make() -> MemoryGroup:
    """A new group beside or beneath the one we are in. Raises `OSError` with the reason where that cannot be."""
    folder, limit_file, events_file = _parent()
    path = os.path.join(folder, f"crl-{os.getpid()}")
    os.mkdir(path)
    try:
        return MemoryGroup(path, limit_file, events_file)
    except OSError:
        os.rmdir(path)
        raise


class ContainerGroup(MemoryGroup):
    """The group of the container we are in: it is read here, and its limit is set by whoever started the container."""

    def __init__(self, events_path: str) -> None:
        self.events_fd = os.open(events_path, os.O_RDONLY)

    def enter(self) -> None:
        pass

    def set_limit(self, memory_bytes: int) -> None:
        pass

    def close(self) -> None:
        os.close(self.events_fd)

    def sweep(self) -> None:
        pass

    def remove(self) -> None:
        pass


def of_container() -> ContainerGroup:
    """The group of the container we are in. Raises `OSError` where it is not in sight."""
    try:
        return ContainerGroup("/sys/fs/cgroup/memory/memory.oom_control")
    except FileNotFoundError:
        return ContainerGroup("/sys/fs/cgroup/memory.events")


def _parent() -> tuple[str, str, str]:
    mine = {}
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            mine[controllers] = path
    for controllers, path in mine.items():
        if "memory" in controllers.split(","):
            return _existing("/sys/fs/cgroup/memory", path), "memory.limit_in_bytes", "memory.oom_control"
    folder = _existing("/sys/fs/cgroup", mine.get("", "/"))
    with open(os.path.join(folder, "cgroup.subtree_control")) as file:
        if "memory" not in file.read().split():
            raise OSError(1, f"the memory controller is not delegated to {folder}")
    return folder, "memory.max", "memory.events"


def _existing(root: str, path: str) -> str:
    folder = os.path.join(root, path.lstrip("/"))
    return folder if os.path.isdir(folder) else root
