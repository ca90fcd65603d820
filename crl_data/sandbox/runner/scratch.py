"""The scratch folder of a runner: how it is emptied, so that nothing is left in it for the next test."""

from __future__ import annotations

import os


def put_back(path: str, found: os.stat_result) -> None:
    """Give a folder the mode and the times that it had at the start."""
    if found.st_mode & 0o7777 != 0o755:
        os.chmod(path, 0o755)
    if found.st_mtime_ns or found.st_atime_ns:
        os.utime(path, ns=(0, 0))


def remove_all(path: str) -> None:
    """Remove all that is in a folder, whatever modes the solution gave to it, and however deep it lies.

    A folder is brought up to the top before it is emptied, so that neither depth nor the length of a path counts.
    """
    name_of = f".{os.urandom(8).hex()}-{{}}".format
    brought = 0
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while names := os.listdir(top):
            for name in names:
                if _unlinked(name, top):
                    continue
                folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
                try:
                    for below in os.listdir(folder):
                        if not _unlinked(below, folder):
                            os.rename(below, name_of(brought), src_dir_fd=folder, dst_dir_fd=top)
                            brought += 1
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _unlinked(name: str, folder: int) -> bool:
    """Remove an entry that is no folder; a folder is opened up instead, and False is said."""
    try:
        os.unlink(name, dir_fd=folder)
        return True
    except (IsADirectoryError, PermissionError):
        os.chmod(name, 0o700, dir_fd=folder)
        return False
