"""The walls put to the test: each check has a sandbox run an attempt (`attempts`), and says whether it held.

`examine` tries everything, for `crl-data doctor`. `quick` tries in one short program what can be tried in a few
milliseconds, whenever a sandbox is opened: a wall that a kernel says stands, and does not, is none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.errors import RunnerDied
from crl_data.sandbox.client import Input, Limits, Observation, Program, Runner
from crl_data.sandbox.runner import kernel

_LIMITS = Limits(cpu_s=1.0, memory_mb=128.0, output_mb=8.0, processes=64, files=256)
_X86 = platform.machine() == "x86_64"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One attempt, and the wall that keeps it out.

    ends: how a test may end beside being refused (`Observation.how`).
    """

    name: str
    wall: str
    attempt: str
    ends: tuple[str, ...] = ()
    limits: Limits = _LIMITS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of a check: whether the wall held, and what the attempt said."""

    check: Check
    holds: bool
    detail: str


def _check(wall: str, name: str, attempt: str, **more: Any) -> Check:
    return Check(wall=wall, name=name, attempt=attempt, **more)


_SHORT = Limits(cpu_s=0.2, memory_mb=128.0, output_mb=8.0)
_LONG = Limits(cpu_s=5.0, memory_mb=128.0, output_mb=8.0)

CHECKS = (
    _check("network", "connect to this machine", "connect"),
    _check("network", "open a socket of any family", "sockets"),
    _check("network", "connect to a local socket by its path", "local_socket"),
    _check("network", "connect to an abstract socket", "abstract_socket"),
    _check("files", "read a file of this user", "read_file"),
    _check("files", "see that a file is there", "see_file"),
    _check("files", "list a folder of this user", "list_folder"),
    _check("files", "write to a file that is open to all", "write_file"),
    _check("files", "change the mode of a file", "change_file"),
    _check("files", "make files elsewhere", "write_elsewhere"),
    _check("files", "read the judge's environment", "environment"),
    _check("files", "read an installed package", "packages"),
    _check("processes", "see other processes", "see_processes"),
    _check("processes", "signal another process", "signal_other"),
    _check("processes", "end the process that runs it", "end_parent"),
    _check("processes", "trace another process", "trace"),
    _check("processes", "open another process's memory", "read_memory"),
    _check("processes", "read another process's memory", "read_memory_by_call"),
    _check("processes", "take another process's descriptor", "take_descriptor"),
    _check("processes", "look at another process's limits", "limit_other"),
    _check("ipc", "make shared memory (System V)", "shared_memory"),
    _check("ipc", "make a message queue (System V)", "message_queue"),
    _check("host", "see the name of this machine", "host_name"),
    _check("user", "become root", "become_root"),
    _check("user", "be the user that judges", "same_user"),
    _check("cell", "leave a process to the next solution", "leave_a_process"),
    _check("cell", "find what another solution left", "find_what_was_left"),
    _check("landlock", "write beside the scratch folders", "write_beside"),
    _check("seccomp", "make namespaces", "new_namespaces"),
    _check("seccomp", "make namespaces by clone", "namespaces_by_clone"),
    _check("seccomp", "mount a file system", "mount"),
    _check("seccomp", "change its root", "change_root"),
    _check("seccomp", "reach a keyring", "keyring"),
    _check("seccomp", "make an io_uring", "io_uring"),
    _check("seccomp", "have the kernel run or watch something", "kernel_programs"),
    *([_check("seccomp", "call by the table of x32", "other_table")] if _X86 else []),
    *([_check("seccomp", "call by the table of 32 bits", "old_table", ends=("killed",))] if _X86 else []),
    _check("limits", "take too much memory", "memory", ends=("memory",)),
    _check("limits", "take too much CPU time", "cpu_time", ends=("timeout",), limits=_SHORT),
    _check("limits", "wait for ever", "idleness", ends=("timeout",), limits=_SHORT),
    _check("limits", "make too many processes", "processes"),
    _check("limits", "open too many files", "open_files"),
    _check("limits", "write too much output", "output", ends=("output",)),
    _check("limits", "fill the disk", "disk", ends=("output",), limits=_LONG),
    _check("limits", "leave a core file", "core_file"),
    _check("memory", "take too much memory in many processes", "memory_of_many", ends=("memory", "killed", "timeout")),
)


def examine(runner: Runner, scratch_mb: int, names: frozenset[str] | None = None) -> Iterator[Finding]:
    """Try everything, or what is named, on a runner of a sandbox; each check as it is done.

    A wall that the runner does not say stands is tried too, but for what could do harm then. Ends early where the runner
    dies of an attempt.
    """
    source = Path(__file__).with_name("attempts.py").read_text(encoding="utf-8")
    with _surroundings() as (facts, victim):
        for check in CHECKS:
            if names is not None and check.name not in names:
                continue
            if check.wall == "memory" and "memory" not in runner.ready["walls"]:
                yield Finding(check=check, holds=False, detail="not tried: " + runner.ready["missing"]["memory"])
                continue
            asked = {
                **facts,
                "try": check.attempt,
                "memory": int(check.limits.memory_mb * (1 << 20)),
                "processes": check.limits.processes,
                "files": check.limits.files,
                "output": int(check.limits.output_mb * (1 << 20)),
                "scratch": scratch_mb << 20,
            }
            try:
                yield _judged(check, _run(runner, source, json.dumps(asked).encode(), check.limits), victim)
            except RunnerDied as error:
                yield Finding(check=check, holds=False, detail=f"the runner died of it: {error}")
                return


def _run(runner: Runner, source: str, data: bytes, limits: Limits) -> Observation:
    session = runner.open(Program(code=source, mode="stdin"), limits)
    if isinstance(session, str):
        raise RunnerDied(session)
    return session.run([Input(data, 0)], fresh=True)[0]


def _judged(check: Check, seen: Observation, victim: subprocess.Popen[bytes]) -> Finding:
    if victim.poll() is not None:
        return Finding(check=check, holds=False, detail="it ended another process")
    if seen.how != "ended":
        return Finding(check=check, holds=seen.how in check.ends, detail=seen.note)
    try:
        said = json.loads(seen.answer)
        done, refused = str(said.get("done", "")), str(said.get("refused", ""))
    except (ValueError, AttributeError):
        return Finding(check=check, holds=False, detail=f"the attempt said {seen.answer[:100]!r}")
    return Finding(check=check, holds=not done, detail=done or refused)


@contextlib.contextmanager
def _surroundings() -> Iterator[tuple[dict[str, Any], subprocess.Popen[bytes]]]:
    """What the attempts go for: a file, listening sockets and a process of ours, put there for them."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crl-checks-")))
        folder.chmod(0o777)
        secret = folder / "secret.txt"
        secret.write_text("a secret of this user\n")
        secret.chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = f"crl-checks-{os.getpid()}"
        for address in (str(folder / "socket"), "\0" + abstract):
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(address)
            listening.listen()
        (folder / "socket").chmod(0o777)
        victim = stack.enter_context(
            subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"], stdin=subprocess.DEVNULL)
        )
        stack.callback(victim.kill)
        pydantic = importlib.util.find_spec("pydantic")
        yield (
            {
                "file": str(secret),
                "folder": str(folder),
                "port": tcp.getsockname()[1],
                "socket": str(folder / "socket"),
                "abstract": abstract,
                "victim": victim.pid,
                "judge": os.getpid(),
                "user": os.getuid(),
                "host": socket.gethostname(),
                "package": (pydantic and pydantic.origin) or str(Path(__file__)),
                "environment": {name: value for name, value in os.environ.items() if name not in _GIVEN},
                "calls": {name: kernel.number(name) for name in _CALLS},
                "namespaces": {
                    "user": kernel.CLONE_NEWUSER,
                    "mount": kernel.CLONE_NEWNS,
                    "process": kernel.CLONE_NEWPID,
                    "network": kernel.CLONE_NEWNET,
                    "ipc": kernel.CLONE_NEWIPC,
                    "host": kernel.CLONE_NEWUTS,
                },
            },
            victim,
        )


_GIVEN = {"LC_ALL", "TZ", "HOME", "PATH", "TMPDIR", "PWD", "LANG"}
_CALLS = ("ptrace", "process_vm_readv", "pidfd_getfd", "prlimit64", "shmget", "msgget", "unshare", "clone", "keyctl",
          "io_uring_setup", "bpf", "perf_event_open", "userfaultfd")  # fmt: skip

# One short program: what it got done, by wall. Nothing here needs more than the modules that a runner has loaded.
_QUICK = """
import _socket, json, os, resource
def network():
    for family in (2, 10, 16, 17):
        try:
            _socket.socket(family, 3 if family > 10 else 1)
        except OSError:
            continue
        return f"opened a socket of family {family}"
def files():
    return "read a file of this user: " + open(asked["file"]).read(9)
def landlock():
    os.mkdir(os.path.join(os.path.dirname(os.getcwd()), "x"))
    return "wrote outside the scratch folders"
def processes():
    if os.getppid() != 1:
        os.kill(os.getppid(), 0)
        return "reached the process that ran it"
    seen = [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []
    if seen and seen != [os.readlink("/proc/self")]:
        return "saw other processes"
def user():
    if os.getuid() == asked["user"]:
        return "ran as the user that judges"
    os.setuid(0)
    return "became root"
def seccomp():
    os.memfd_create("x")
    return "made a call that is forbidden"
def limits():
    wanted = asked["limits"]
    for kind, name in ((resource.RLIMIT_FSIZE, "output"), (resource.RLIMIT_NOFILE, "files")):
        if resource.getrlimit(kind)[1] > wanted[name]:
            return f"had no limit of {name}"
    try:
        bytearray(wanted["memory"] * 9 // 8)
        return "took too much memory"
    except MemoryError:
        pass
    with open("x", "wb") as file:
        os.ftruncate(file.fileno(), wanted["output"] + 1)
    return "made too large a file"
asked = json.loads(input())
done = {}
for name in asked["walls"]:
    try:
        done[name] = globals()[name]()
    except OSError:
        pass
print(json.dumps({name: text for name, text in done.items() if text}))
"""
_QUICK_WALLS = ("network", "files", "landlock", "processes", "user", "seccomp", "limits")


def quick(runner: Runner, *, contained: bool = False) -> dict[str, str]:
    """The walls that the runner says stand and that do not hold, each with what was got done. Raises `RunnerDied`.

    contained: the runner is in a container, whose users are not those of this machine, though their numbers may be the same.
    """
    asked = {
        "walls": [name for name in _QUICK_WALLS if name in runner.ready["walls"]],
        "file": str(Path(__file__)),
        "user": None if contained else os.getuid(),
        "limits": {
            "memory": int(_LIMITS.memory_mb * (1 << 20)),
            "output": int(_LIMITS.output_mb * (1 << 20)),
            "files": _LIMITS.files,
        },
    }
    seen = _run(runner, _QUICK, json.dumps(asked).encode(), _LIMITS)
    if seen.how != "ended":
        raise RunnerDied(f"the check of the walls came to nothing: {seen.note or seen.how}")
    found: dict[str, str] = json.loads(seen.answer)
    return found
