"""The scratch folder of a runner that has no file system of its own (backends `none` and `weak`), and its removal.

A folder is locked for as long as its owner lives, and the kernel lets go of a lock with the process that holds it: what is
not locked was left by an owner that was killed, whatever its process id, its container and its user.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "crl-box-"


class Box:
    """A new scratch folder, locked by this process."""

    def __init__(self) -> None:
        while True:
            self.path = tempfile.mkdtemp(prefix=_PREFIX)
            fd = _locked(self.path)
            if fd is not None:
                self._fd: int | None = fd
                return
            # another process swept it away before it was locked

    def remove(self) -> None:
        """Remove the folder; a second time does nothing."""
        if self._fd is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._fd)
            self._fd = None


def sweep() -> None:
    """Remove the folders that dead owners left, as far as this user may."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        fd = _locked(str(path))
        if fd is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(fd)


def _locked(path: str) -> int | None:
    """A descriptor that holds the lock of a folder; None where there is no such folder (any more), or it is taken."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.lstat(path)):
            return fd
    except OSError:
        pass
    os.close(fd)
    return None
