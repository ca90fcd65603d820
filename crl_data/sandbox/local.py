"""Start runners on this machine: behind its own walls (`local`), or behind none where that was asked for by name.

It decides which walls are required for code to be judged at all; `runner.walls` raises them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import py_compile
import select
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crl_data.errors import InputError, LibraryMissing, RunnerDied, SandboxUnavailable
from crl_data.sandbox import box as boxes
from crl_data.sandbox import checks
from crl_data.sandbox.box import Box
from crl_data.sandbox.client import Runner
from crl_data.sandbox.runner import wire

REQUIRED_WALLS = ("files", "network", "processes", "user", "cell", "seccomp", "limits")
SCRATCH_MB = 64
BACKENDS = ("auto", "local", "docker", "none")
ALLOW_WEAK = "--sandbox local --allow-weak judges behind those that stand, and every judgement then says so"

_PATIENCE_S = 60.0
_RUNNER = Path(__file__).parent / "runner"
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "LD_BIND_NOW": "1",  # else every process binds each function of the C library anew, at its first call
}


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A way to start runners, found to work: which backend, which walls stand, which Python runs the solutions.

    `start(True)` gives a runner with the named libraries loaded, `start(False)` a lean one, which forks faster. `spare` are
    runners that were started to find this out, and that `start` gives out first; they end with the sandbox.
    missing: the walls that do not stand, and why. lacking: those of them that are required; empty unless it was allowed.
    """

    backend: str
    walls: tuple[str, ...]
    missing: dict[str, str]
    runtime: str
    libraries: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    start: Callable[[bool], Runner] = field(repr=False)
    spare: list[Runner] = field(repr=False, default_factory=list)

    @property
    def tamper_proof(self) -> bool:
        """Whether nothing within reach of a solution could change a verdict: no expectation can be read, nobody be asked
        or signalled. Of the walls that may be lacking, those without namespaces do the same, but for names."""
        return self.backend != "none" and (not self.lacking or {"landlock", "seccomp", "network"} <= set(self.walls))

    @property
    def note(self) -> str:
        """What every judgement says of walls that are not there; empty where none is lacking."""
        if self.backend == "none":
            return "judged without walls"
        return f"judged without the walls {', '.join(self.lacking)}" if self.lacking else ""


def open_sandbox(
    backend: str = "auto",
    libraries: tuple[str, ...] = ("numpy",),
    *,
    image: str | None = None,
    runtime: str | None = None,
    allow_weak: bool = False,
) -> Sandbox:
    """Find the sandbox to judge in, by starting one runner of each kind and looking at what stands.

    `auto` is `local` where every required wall stands, else `docker` where an engine answers, else an error. With
    `allow_weak` it is at last a `local` without some required walls; `Sandbox.lacking` says which.
    image, runtime: of `docker`; see `docker.open_docker`.
    Raises `SandboxUnavailable`, with one line that says what is missing and what to do.
    """
    if backend not in BACKENDS:
        raise InputError(f"--sandbox: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    if allow_weak and backend not in ("auto", "local"):
        raise InputError(f"--allow-weak: expected --sandbox local or auto beside it, got --sandbox {backend}")
    if backend == "docker":
        return _docker(libraries, "", image, runtime)
    if backend == "none":
        return _probed("none", libraries)
    try:
        return _probed("local", libraries)
    except LibraryMissing:
        raise
    except SandboxUnavailable as error:
        why = error
    if backend == "auto":
        try:
            return _docker(libraries, str(why), image, runtime)
        except SandboxUnavailable as error:
            why = error
    if not allow_weak:
        raise SandboxUnavailable(f"{why}; {ALLOW_WEAK}" if platform.system() == "Linux" else str(why)) from None
    return open_weak(libraries)


def open_weak(libraries: tuple[str, ...]) -> Sandbox:
    """The local sandbox as it stands without namespaces, whether or not this machine offers them."""
    return _probed("weak", libraries)


def _docker(libraries: tuple[str, ...], why: str, image: str | None, runtime: str | None) -> Sandbox:
    from crl_data.sandbox import docker

    return docker.open_docker(libraries, why, image=image, runtime=runtime)


def _probed(backend: str, libraries: tuple[str, ...]) -> Sandbox:
    if platform.system() != "Linux":
        raise SandboxUnavailable(
            f"--sandbox {backend} needs Linux, and this is {platform.system()}: start a Docker engine and use --sandbox docker"
        )
    _compile_runner()
    if backend != "local":
        boxes.sweep()
    runner = start_runner(backend, lambda: {"found": _find(libraries), "lean": True})
    found = runner.ready["found"]
    try:
        walls, missing = (
            tried_walls(runner) if backend != "none" else (tuple(runner.ready["walls"]), runner.ready["missing"])
        )
    except RunnerDied as error:
        runner.close()
        raise SandboxUnavailable(f"this machine does not let a sandbox be made: {error}") from None
    lacking = tuple(name for name in REQUIRED_WALLS if name not in walls)
    if backend == "local" and lacking:
        runner.close()
        raise SandboxUnavailable(
            f"this machine does not offer the walls that code is judged behind ({told(lacking, missing)})"
        )

    spare = [runner]  # the first lean runner that is asked for

    def start(with_libraries: bool) -> Runner:
        if not with_libraries:
            with contextlib.suppress(IndexError):
                return spare.pop()
        return start_runner(backend, lambda: {"found": found, "lean": not with_libraries})

    sandbox = Sandbox(
        backend="local" if backend == "weak" else backend,
        walls=walls,
        missing=missing,
        runtime=runtime_of(runner.ready["runtime"]),
        libraries=libraries,
        lacking=lacking if backend == "weak" else (),
        start=start,
        spare=spare,
    )
    weakref.finalize(sandbox, _close_all, spare)
    return sandbox


def _find(names: tuple[str, ...]) -> dict[str, Any]:
    """What is installed beside this Python of the named libraries. Raises `LibraryMissing`."""
    from crl_data.sandbox.runner import libraries  # `importlib.metadata` takes 30 ms to import

    try:
        return libraries.find(list(names), installed_packages())
    except libraries.Missing as error:
        raise _missing(str(error)) from None


def _compile_runner() -> None:
    """Have the runner's modules compiled once, where their folder may be written to: a runner itself writes nothing."""
    for path in _RUNNER.glob("*.py"):
        cached = Path(importlib.util.cache_from_source(str(path)))
        with contextlib.suppress(OSError):
            if not cached.exists() or cached.stat().st_mtime < path.stat().st_mtime:
                py_compile.compile(str(path), str(cached))


def _close_all(runners: list[Runner]) -> None:
    while runners:
        runners.pop().close()


def tried_walls(runner: Runner, *, contained: bool = False) -> tuple[tuple[str, ...], dict[str, str]]:
    """The walls of a runner that stand, and those that do not, each with its reason. One that is up and does not hold when
    it is tried does not stand. Raises `RunnerDied`."""
    fallen = {name: f"it is up, and a program {did}" for name, did in checks.quick(runner, contained=contained).items()}
    return tuple(name for name in runner.ready["walls"] if name not in fallen), {**runner.ready["missing"], **fallen}


def told(names: tuple[str, ...], missing: dict[str, str]) -> str:
    """Walls that do not stand, each with its reason, as part of a line."""
    return "; ".join(f"{name}: {missing.get(name, 'not raised')}" for name in names)


def installed_packages() -> list[str]:
    """The folders in which this Python's packages are."""
    return [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]


def runtime_of(told: dict[str, Any]) -> str:
    """The Python and the libraries of a runner, with their versions, as one line."""
    versions = [f"{name} {version}" for name, version in sorted(told["libraries"].items())]
    return "; ".join([f"{told['implementation']} {told['python']}", *versions])


def start_runner(backend: str, config: Callable[[], dict[str, Any]]) -> Runner:
    """Start one runner and wait until it serves. What it is told is found while it starts.

    Raises `SandboxUnavailable` where it cannot.
    """
    box = Box() if backend in ("none", "weak") else None
    process = _Process([getattr(sys, "_base_executable", sys.executable), "-S", "-s", "-P", str(_RUNNER)], box)
    try:
        order = {**config(), "sandbox": backend, "scratch_mb": SCRATCH_MB, "box": box and box.path}
    except BaseException:
        process.kill()
        process.end()
        raise
    with contextlib.suppress(wire.Closed):  # why it ended so soon, it says itself
        wire.write_frame(process.write_fd, order)
    waiting = select.poll()
    waiting.register(process.read_fd, select.POLLIN)
    if not waiting.poll(1000 * _PATIENCE_S):
        process.kill()
        process.end()
        raise SandboxUnavailable(
            f"the sandbox's runner did not start within {_PATIENCE_S:.0f} s: is this machine out of memory or processors?"
        )
    try:
        answer, _ = wire.read_frame(process.read_fd)
    except wire.Closed:
        raise SandboxUnavailable(f"the sandbox's runner did not start: {process.end() or 'no reason given'}") from None
    if "ready" not in answer:
        process.end()
        raise refusal(answer)
    return Runner(process.read_fd, process.write_fd, process, answer["ready"])


def refusal(answer: dict[str, Any]) -> SandboxUnavailable:
    """Why a runner does not start."""
    if "missing_library" in answer:
        return _missing(answer["missing_library"])
    return SandboxUnavailable(f"this machine does not let a sandbox be made: {answer.get('fault')}")


def _missing(name: str) -> LibraryMissing:
    return LibraryMissing(
        f"judge.libraries names {name!r}, a library that the Python which judges does not have: "
        f"pip install {name}, or leave it out"
    )


class _Process:
    """A runner as a child of ours."""

    def __init__(self, command: list[str], box: Box | None) -> None:
        self._box = box
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed by `end`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for us; we end it
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._streams = self._process.stdin, self._process.stdout
        self.write_fd, self.read_fd = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._ended = False

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()  # it ends all it started, and tidies up

    def end(self) -> str:
        if self._ended:
            return ""
        self._ended = True
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()
        for seconds, harder in ((2.0, self.kill), (_PATIENCE_S, self._process.kill)):
            try:
                self._process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                harder()
        self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip()
        self._log.close()
        if self._box is not None:
            self._box.remove()
        return said.splitlines()[-1] if said else ""
