"""What code under judgement sees of the file system: Python, the named libraries, a few devices, one scratch folder.

    the Python that judges, its standard library, the system's shared libraries    read only
    the packages in which someone could have installed things                      hidden
    the named libraries (and what they require) under /site                        read only
    /dev: null, zero, full, random, urandom, stdin, stdout, stderr                 nothing else
    /proc: its own processes                                                       nothing else
    /box: one small file system in memory: work (the working folder), tmp, shm     writable, wiped after every test

It makes this view in the mount namespace of the runner. It does not decide who may touch what; `walls` does.
"""

from __future__ import annotations

import os
import sys

from . import kernel

BOX = "/box"
PARTS = ("work", "tmp", "shm")
SITE = "/site"
TESTER_SITE = "/tests"  # pytest and what it needs, where it is installed: on the search path of testers alone
_STAGE = "/sys"  # covered in our own mount namespace while the new root is put together
_LIBRARY_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_SYSTEM = ("/usr/lib/locale/C.utf8", "/usr/share/zoneinfo", "/etc/ld.so.cache")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "shm": "/box/shm",
}
_FILES = {
    "/etc/passwd": "nobody:x:65534:65534:nobody:/tmp:/usr/sbin/nologin\n",
    "/etc/group": "nogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_INSTALLED = ("site-packages", "dist-packages")


def shown() -> list[str]:
    """The paths of this machine that are shown, read only, each where it is."""
    paths = {*_links_to(sys.executable), os.path.dirname(os.path.realpath(os.__file__)), *sys.path, *_SYSTEM}
    for prefix in {sys.base_prefix, sys.base_exec_prefix} - {"/usr", "/usr/local"}:
        paths |= {os.path.join(prefix, name) for name in ("lib", "lib64")}
    for folder in _LIBRARY_FOLDERS:
        paths |= set(_shared_objects(folder))
    kept: list[str] = []
    for path in sorted(path for path in paths if os.path.lexists(path)):
        if not any(path.startswith(above + "/") for above in kept if not os.path.islink(above)):
            kept.append(path)
    return kept


def _links_to(path: str) -> list[str]:
    """A path, and what it leads to: a program that starts Python anew takes the name that it is told."""
    found = [path]
    while os.path.islink(found[-1]) and len(found) < 40:
        found.append(os.path.normpath(os.path.join(os.path.dirname(found[-1]), os.readlink(found[-1]))))
    return [*found, os.path.realpath(path)]


def _shared_objects(folder: str) -> list[str]:
    """A link as it is; else the shared objects in a folder, and its subfolder for this kind of machine (Debian's way).

    Where there is no such subfolder, there can be thousands of them: then the whole folder.
    """
    if os.path.islink(folder) or not os.path.isdir(folder):
        return [folder]
    of_this_machine = os.path.join(folder, getattr(sys.implementation, "_multiarch", f"{kernel.MACHINE}-linux-gnu"))
    found = [os.path.join(folder, name) for name in os.listdir(folder) if ".so" in name]
    if os.path.isdir(of_this_machine):
        return [*found, of_this_machine]
    return found if len(found) < 64 else [folder]


def hidden(paths: list[str]) -> list[str]:
    """The folders beneath the shown paths in which packages are installed: they are covered by emptiness."""
    found = []
    for path in paths:
        for above in (path, *_python_folders(path)):
            found += [os.path.join(above, name) for name in _INSTALLED if os.path.isdir(os.path.join(above, name))]
    return sorted(set(found))


def readable(libraries: list[str]) -> tuple[list[str], list[str]]:
    """What may be read where no view can be made: the same paths, without the folders that `build` covers.

    Also the folders above what is left out, which have to be listed for anything to be imported from them.
    """
    paths = shown()
    covered = hidden(paths)
    kept = [f"/dev/{name}" for name in _DEVICES]
    above: list[str] = []
    for path in paths:
        if not (os.path.islink(path) and os.path.isdir(path)):  # what such a link leads to is a path of its own
            kept += _without(os.path.realpath(path), covered, above)
    return [*kept, *map(os.path.realpath, libraries)], above


def _without(path: str, covered: list[str], above: list[str]) -> list[str]:
    """A path, or where folders beneath it are covered, all else that is in it."""
    if path in covered:
        return []
    if not any(one.startswith(path + "/") for one in covered):
        return [path]
    above.append(path)
    return [part for name in os.listdir(path) for part in _without(os.path.join(path, name), covered, above)]


def _python_folders(path: str) -> list[str]:
    if os.path.islink(path) or not os.path.isdir(path):
        return []
    names = (name for name in os.listdir(path) if name.startswith(("python", "pypy")))
    return [os.path.join(path, name) for name in names if os.path.isdir(os.path.join(path, name))]


def build(libraries: list[str], for_tests: list[str], scratch_mb: int, owner: int, group: int) -> int:
    """Make the view the root of this process's file system. Needs a mount namespace of our own and the rights over it.

    Returns a descriptor of a /proc that shows all processes of the runner, which no path leads to: for accounting.
    """
    kernel.mount("", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    paths = shown()
    covered = hidden(paths)
    devices = [(name, os.open(f"/dev/{name}", os.O_PATH)) for name in _DEVICES]  # /dev could be beneath what is covered
    kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for path in paths:
        _show(path, _STAGE + path)
    for path in covered:
        kernel.mount(
            "tmpfs", _STAGE + path, "tmpfs", kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV, "size=0,mode=755"
        )
    for path in libraries:
        _show(path, f"{_STAGE}{SITE}/{os.path.basename(path)}")
    for path in for_tests:
        _show(path, f"{_STAGE}{TESTER_SITE}/{os.path.basename(path)}")
    os.makedirs(_STAGE + SITE, exist_ok=True)
    os.makedirs(_STAGE + "/dev")
    for name, fd in devices:
        _touch(f"{_STAGE}/dev/{name}")
        kernel.mount(f"/proc/self/fd/{fd}", f"{_STAGE}/dev/{name}", None, kernel.MS_BIND)
        os.close(fd)
    for name, target in _LINKS.items():
        os.symlink(target, f"{_STAGE}/dev/{name}")
    for path, text in _FILES.items():
        _touch(_STAGE + path, text)
    os.makedirs(_STAGE + BOX)
    os.symlink(BOX + "/tmp", _STAGE + "/tmp")
    kernel.mount(
        "tmpfs",
        _STAGE + BOX,
        "tmpfs",
        kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOATIME,
        f"size={scratch_mb}m,nr_inodes=16384,mode=755",
    )
    make_box(_STAGE + BOX, owner, group)
    os.makedirs(_STAGE + "/proc")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    accounts = "/proc"
    try:
        kernel.mount("proc", _STAGE + "/proc", "proc", flags)
        accounts = _STAGE + "/proc"
        proc = os.open(accounts, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        kernel.unmount(_STAGE + "/proc")
        kernel.mount("proc", _STAGE + "/proc", "proc", flags, "subset=pid,hidepid=2")
    except OSError:  # where /proc is masked (a container) it cannot be mounted anew: the program does without
        proc = os.open(accounts, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.read_only_top(_STAGE)
    kernel.pivot_root(_STAGE)
    return proc


def make_box(box: str, owner: int, group: int) -> None:
    """The scratch folder with its three parts, which belong to `owner`."""
    for name in PARTS:
        os.makedirs(os.path.join(box, name), exist_ok=True)
        if os.geteuid() == 0:
            os.chown(os.path.join(box, name), owner, group)
    if os.geteuid() == 0:
        os.chown(box, owner, group)


def private_box(box: str) -> None:
    """A scratch folder that nobody else sees, in a mount namespace of our own."""
    kernel.mount("tmpfs", box, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64m,nr_inodes=16384,mode=755")
    make_box(box, os.geteuid(), os.getegid())


def _show(path: str, target: str) -> None:
    if os.path.islink(path):  # /lib -> usr/lib, libm.so -> libm.so.6
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        _touch(target)
    kernel.bind_read_only(path, target)


def _touch(path: str, text: str = "") -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
