"""From a fresh interpreter to a supervisor behind walls: the one place where the processes of a runner are made."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from . import group, kernel, view, walls, wire
from .bench import Bench
from .cell import READY, Channels, end_children, make_channels, run_tester_zygote, run_zygote
from .supervisor import Supervisor

# What nearly every program imports; anything more makes every fork dearer.
_PRELOAD = (
    "bisect",
    "collections",
    "copy",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "threading",
    "typing",
)
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/tmp", "PATH": "/nowhere", "TMPDIR": "/tmp"}
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


def launch() -> None:
    """Start everything, and serve. Returns when the judge has closed the stream."""
    try:
        config, _ = wire.read_frame(0)
        _launch(config)
    except wire.Closed:
        pass
    except OSError as error:
        wire.write_frame(
            1, {"fault": f"{error.strerror or error} ({error.filename})" if error.filename else str(error)}
        )


def _launch(config: dict[str, Any]) -> None:
    found = config.get("found")
    if found is None:
        found = _resolve(config["libraries"], config.get("site") or view.hidden(view.shown()))
    if "missing" in found:
        wire.write_frame(1, {"missing_library": found["missing"]})
        return
    paths = found["paths"]
    os.environ.clear()
    os.environ.update(_ENVIRONMENT | _ONE_THREAD)
    if config["sandbox"] == "local":
        memory, why = _memory_group(config.get("contained", False))
        walls.enter_namespaces(paths)
        _go_on_as_child(memory)
        raised = walls.raise_shared(paths, found["pytest"], config["scratch_mb"])
        site, for_tests = view.SITE, view.TESTER_SITE
    else:
        site = os.path.join(config["box"], "site")
        os.makedirs(site)
        for path in paths:
            os.symlink(path, os.path.join(site, os.path.basename(path)))
        os.environ.update(HOME=config["box"], TMPDIR=os.path.join(config["box"], "tmp"))
        for_tests = os.path.join(config["box"], "for-tests")
        os.makedirs(for_tests)
        for path in found["pytest"]:
            os.symlink(path, os.path.join(for_tests, os.path.basename(path)))
        if config["sandbox"] == "weak":
            memory, why = _memory_group(False)
            user = walls.own_user(config["box"], paths)
            kernel.become_reaper()
            _go_on_as_child(memory, user)
            raised = walls.raise_weak(config["box"], paths, [*found["pytest"], for_tests], config["scratch_mb"], user)
        else:
            memory, why = None, "--sandbox none"
            raised = walls.raise_none(config["box"])
    if memory is not None:
        raised.standing.append("memory")
    else:
        raised.missing["memory"] = why
    _serve(raised, memory, site, for_tests, found, [] if config.get("lean") else found["preload"])


def _preload() -> None:
    """Import what nearly every program will."""
    for name in _PRELOAD:
        importlib.import_module(name)


def _resolve(names: list[str], site: list[str]) -> dict[str, Any]:
    """What is installed of the named libraries and of pytest; found in a process of its own.

    What that imports would make every later fork dearer, and lay out the memory of this runner otherwise than that of one
    which is told.
    """
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            from . import libraries

            try:
                answer = libraries.find(names, site)
            except libraries.Missing as error:
                answer = {"missing": str(error)}
            wire.write_frame(send, answer)
        finally:
            os._exit(0)
    os.close(send)
    answer, _ = wire.read_frame(receive)
    os.close(receive)
    os.waitpid(pid, 0)
    return answer


def _memory_group(contained: bool) -> tuple[group.MemoryGroup | None, str]:
    try:
        return group.of_container() if contained else group.make(), ""
    except OSError as error:
        return None, f"no control group can be {'read' if contained else 'made'}: {error}"


def _go_on_as_child(memory: group.MemoryGroup | None, user: int = 0) -> None:
    """Fork the process that becomes the supervisor, in the control group; this one only waits for its end."""
    pid = os.fork()
    if pid:
        _wait(pid, memory, user)
    if memory is not None:
        memory.enter()


def _wait(pid: int, memory: group.MemoryGroup | None, user: int) -> None:
    """The first process: wait for the supervisor, tidy up, end as it did. Never returns."""
    supervisor = os.pidfd_open(pid)  # its end may come before the signal does, which must not stop the tidying up
    signal.signal(signal.SIGTERM, lambda *_: walls.end_process(supervisor))  # how we are asked to end at once
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)  # the judge's end is ours, whatever the supervisor does then
    os.close(0)
    os.close(1)
    _, status = os.waitpid(pid, 0)
    if user:
        walls.end_user(user)
    try:
        end_children(walls.open_children())  # where the supervisor was process 1 of a namespace there are none
    except OSError:
        pass
    if memory is not None:
        memory.remove()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _serve(
    raised: walls.Walls,
    memory: group.MemoryGroup | None,
    site: str,
    for_tests: str,
    found: dict[str, Any],
    preload: list[str],
) -> None:
    _preload()
    search_path = [os.path.join(raised.box, "work"), *(path for path in sys.path if os.path.isdir(path)), site]
    of_solutions, of_testers = make_channels()
    zygote = _forked(of_solutions, run_zygote, raised, search_path, preload, memory)
    tester = _forked(of_testers, run_tester_zygote, raised, [*search_path[1:], for_tests], preload, memory)
    supervisor = Supervisor(of_solutions, raised, zygote, memory, Bench(of_testers, tester))
    answer = supervisor.of_zygote()
    if answer != READY:
        raise OSError(f"the zygote did not start: {answer.decode('utf-8', 'replace')}")
    runtime = {
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "libraries": found["versions"],
        "pytest": bool(found["pytest"]),
    }
    wire.write_frame(
        1, {"ready": {"walls": raised.standing, "missing": raised.missing, "runtime": runtime, "found": found}}
    )
    supervisor.serve()


def _forked(channels: Channels, run: Callable[..., None], *arguments: Any) -> int:
    """A zygote; what it does is `run`, which never returns."""
    pid = os.fork()
    if pid == 0:
        try:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)  # without walls no namespace ends with the supervisor
            run(channels, *arguments)
        except BaseException as error:
            channels.zygote[1].send(b"!" + repr(error).encode()[:1000])
        finally:
            os._exit(70)
    return pid
