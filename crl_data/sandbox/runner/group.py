"""A control group for all processes of a runner, so that many processes together cannot use more memory than one may.

Version 2 and version 1 of the kernel's interface, where this user may make a group; in a container, the group that the
engine made, whose limit is set from outside. It bounds the sum; what a single process may use is `walls.set_limits`'
work. It does not count CPU time.
"""

from __future__ import annotations

import os

_NO_SWAP = (("memory.swappiness", "0"), ("memory.swap.max", "0"))
OVERHEAD_BYTES = 320 << 20  # the runner's own processes, what they hold of outputs, and the scratch folder


class MemoryGroup:
    """A group that this process made; its files stay open, so that it works behind the walls too."""

    def __init__(self, folder: str, name: str, limit_file: str, events_file: str) -> None:
        self.name = name
        self.folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        path = os.path.join(folder, name)
        for file, nothing in _NO_SWAP:  # what is swapped out is not counted, and slow
            _write(os.path.join(path, file), nothing)
        self.limit_fd = os.open(os.path.join(path, limit_file), os.O_RDWR)
        self.events_fd = os.open(os.path.join(path, events_file), os.O_RDONLY)
        self._limit = 0

    def enter(self) -> None:
        """Put this process, and so all that it starts from now on, into the group."""
        fd = os.open(f"{self.name}/cgroup.procs", os.O_WRONLY, dir_fd=self.folder_fd)
        os.write(fd, b"0")
        os.close(fd)
        os.close(self.folder_fd)

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

    def remove(self) -> None:
        """Remove the group, which must be empty, and those that runners left behind which had no time to do so.

        How many there are must not be seen in the memory of what runs solutions: hence not when the group is made.
        """
        for name in os.listdir(self.folder_fd):
            owner = name.removeprefix("crl-")
            if name == self.name or (name.startswith("crl-") and owner.isdigit() and not _lives(int(owner))):
                try:
                    os.rmdir(name, dir_fd=self.folder_fd)
                except OSError:  # still in use, in another process namespace
                    pass


def make() -> MemoryGroup:
    """A new group beside or beneath the one we are in. Raises `OSError` with the reason where that cannot be."""
    folder, limit_file, events_file = _parent("/proc/self/cgroup", "/sys/fs/cgroup")
    name = f"crl-{os.getpid():010d}"
    os.mkdir(os.path.join(folder, name))
    try:
        return MemoryGroup(folder, name, limit_file, events_file)
    except OSError:
        os.rmdir(os.path.join(folder, name))
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


def _parent(groups: str, root: str) -> tuple[str, str, str]:
    """The folder in which a group can be made, and the names of its files: by version 1, or by version 2."""
    mine = {}
    with open(groups) as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            mine[controllers] = path
    for controllers, path in mine.items():
        if "memory" in controllers.split(","):
            return _existing(f"{root}/memory", path), "memory.limit_in_bytes", "memory.oom_control"
    own = _existing(root, mine.get("", "/"))
    beside = own if own == root else os.path.dirname(own)
    for folder in (own, beside):  # a group that holds processes hands nothing on to groups beneath it
        with open(os.path.join(folder, "cgroup.subtree_control")) as file:
            if "memory" in file.read().split():
                return folder, "memory.max", "memory.events"
    raise OSError(1, f"the memory controller is not delegated to {own}")


def _existing(root: str, path: str) -> str:
    folder = os.path.join(root, path.strip("/"))
    return folder if path.strip("/") and os.path.isdir(folder) else root


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:  # a file of the other version, or no swap is accounted for here
        pass


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
