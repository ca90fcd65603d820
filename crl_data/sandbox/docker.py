"""Start runners in containers, through the docker SDK: the same runner, with one more wall around it.

A container has no network, no rights, a read-only root, and bounded memory and processes (`container`). Inside, the
runner raises its own walls as any user does.

The image must hold a Python (3.11 or newer, called python3) and the named libraries; `build_image` makes one.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import select
import sys
import time
from typing import Any

from crl_data.errors import EngineGone, RunnerDied, SandboxUnavailable, WorkError
from crl_data.sandbox import container
from crl_data.sandbox.client import Limits, Program, Runner, Session
from crl_data.sandbox.local import REQUIRED_WALLS, SCRATCH_MB, Sandbox, runtime_of, told, tried_walls
from crl_data.sandbox.runner import wire
from crl_data.sandbox.runner.group import OVERHEAD_BYTES

IMAGE = "crl-data-sandbox"
BUILD = "crl-data doctor --build-image"
_START_S = 60.0
_ENGINE_RETURNS_S = 10.0
_PING_S = 10
_ANSWER_S = 60
_BUILD_S = 3600


def image_name() -> str:
    """The image that runners are started in where none is named: that of CRL_DATA_IMAGE, or the one that we build."""
    return os.environ.get("CRL_DATA_IMAGE") or IMAGE


def base_image() -> str:
    """The official slim image of the Python that runs us."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def open_docker(
    libraries: tuple[str, ...], why: str = "", *, image: str | None = None, runtime: str | None = None
) -> Sandbox:
    """The sandbox of containers, found to work. `why`: why this machine's own walls do not do, if they were tried.

    image: the name or id of an image that the engine has; None: `image_name()`. runtime: the engine's name of an OCI
    runtime; None: that of CRL_DATA_RUNTIME, or the engine's own default.
    Raises `SandboxUnavailable` with one line where no engine answers, there is no image, or the walls do not stand.
    """
    from docker.errors import DockerException, ImageNotFound

    image = image or image_name()
    runtime = runtime or os.environ.get("CRL_DATA_RUNTIME") or None
    prefix = f"{why}; and " if why else ""
    client = _client(prefix)
    try:
        digest: str = client.images.get(image).id
        container.sweep(client.api)
    except ImageNotFound:
        raise SandboxUnavailable(
            f"{prefix}the Docker engine has no image {image!r}: {BUILD} builds one, "
            f"or name one that has Python and {', '.join(libraries) or 'nothing else'} in CRL_DATA_IMAGE"
        ) from None
    except (DockerException, OSError) as error:
        raise SandboxUnavailable(f"{prefix}the Docker engine fails: {_line(error)}") from None

    def start(config: dict[str, Any]) -> Runner:
        return _start(client, digest, image, runtime, config)

    runner = start({"libraries": list(libraries)})
    try:
        walls, missing = tried_walls(runner, contained=True)
    except RunnerDied as error:
        raise SandboxUnavailable(f"{prefix}a container of {image!r} does not let a sandbox be made: {error}") from None
    finally:
        runner.close()
    found = runner.ready["found"]
    lacking = tuple(name for name in REQUIRED_WALLS if name not in walls)
    if lacking:
        raise SandboxUnavailable(
            f"{prefix}a container of {image!r} does not offer the walls that code is judged behind ({told(lacking, missing)})"
        )
    return Sandbox(
        backend="docker",
        walls=("container", *walls),
        missing=missing,
        runtime=f"{runtime_of(runner.ready['runtime'])}; image {digest}" + (f" under {runtime}" if runtime else ""),
        libraries=libraries,
        start=lambda loaded: start({"found": found if loaded else {**found, "preload": []}}),
    )


def build_image(libraries: tuple[str, ...], *, base: str | None = None, name: str | None = None) -> str:
    """Build the image that solutions run in, of a base image and the named libraries; its name.

    base: an image with Python 3.11 or newer; None: `base_image()`, which the engine pulls where it has none. name: None:
    `image_name()`. The libraries are installed by the pip of the base image. Raises `WorkError` with one line.
    """
    from docker.errors import APIError, BuildError, DockerException

    base, name = base or base_image(), name or image_name()
    lines = [f"FROM {base}"]
    if libraries:
        pip = ["python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--", *libraries]
        lines.append(f"RUN {json.dumps(pip)}")
    client = _client("")
    try:
        client.images.build(
            fileobj=io.BytesIO("\n".join(lines).encode()), tag=name, rm=True, forcerm=True, timeout=_BUILD_S
        )
    except BuildError as error:
        said = re.sub(r"\x1b\[[0-9;]*m", "", "".join(part.get("stream", "") for part in error.build_log)).splitlines()
        reason = next(
            (line for line in reversed(said) if line.startswith("ERROR:")), error.msg
        )  # pip's own word for it
        raise WorkError(f"the image {name!r} cannot be built on {base!r}: {reason}") from None
    except (APIError, DockerException, OSError) as error:
        raise WorkError(f"the image {name!r} cannot be built on {base!r}: {_line(error)}") from None
    return name


def _client(prefix: str) -> Any:
    """A client of an engine that answers."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_PING_S, max_pool_size=256)
        client.ping()
        client.api.timeout = _ANSWER_S
    except (DockerException, OSError) as error:
        raise SandboxUnavailable(
            f"{prefix}no Docker engine answers ({_line(error)}): start one"
            + (", or judge without walls by --sandbox none" if platform.system() == "Linux" else "")
        ) from None
    return client


class _ContainedRunner(Runner):
    """A runner whose container is given the memory that a solution may use: the wall `memory`, from outside."""

    def __init__(self, contained: container.Container, ready: dict[str, Any]) -> None:
        super().__init__(contained.fd, contained.fd, contained, ready, contained.read)
        self._contained = contained

    def open(self, program: Program, limits: Limits) -> Session | str:
        from docker.errors import DockerException

        if "memory" in self.ready["walls"]:
            try:
                self._contained.allow(limits.memory_mb + OVERHEAD_BYTES / (1 << 20))
            except (DockerException, OSError) as error:
                self.close()
                raise RunnerDied(f"the container's memory could not be limited: {_line(error)}") from None
        return super().open(program, limits)


def _start(client: Any, digest: str, image: str, runtime: str | None, config: dict[str, Any]) -> Runner:
    """A runner in a new container. Raises `SandboxUnavailable`, or `EngineGone` where no engine is there any more."""
    from docker.errors import APIError, DockerException

    config = {**config, "sandbox": "local", "scratch_mb": SCRATCH_MB, "box": None, "contained": True}
    deadline = time.monotonic() + _ENGINE_RETURNS_S
    while True:
        try:
            contained = container.Container(client.api, digest, runtime)
            break
        except (DockerException, OSError) as error:
            _engine_answers(client, error)
            if not isinstance(error, APIError) and time.monotonic() < deadline:  # it was away, and did not say no
                time.sleep(0.2)
                continue
            raise SandboxUnavailable(
                f"the Docker engine does not start a container of {image!r}"
                + (f" under the runtime {runtime!r}" if runtime else "")
                + f": {_line(error)}"
            ) from None
    try:
        wire.write_frame(contained.fd, config)
        waiting = select.poll()
        waiting.register(contained.fd, select.POLLIN)
        if not waiting.poll(1000 * _START_S):
            contained.end()
            raise SandboxUnavailable(f"the runner in a container of {image!r} did not start within {_START_S:.0f} s")
        answer, _ = wire.read_frame(contained.fd, contained.read)
    except (wire.Closed, OSError) as error:
        said = contained.end()
        _engine_answers(client, error)
        raise SandboxUnavailable(
            f"the runner in a container of {image!r} did not start: {said or 'no reason given'}"
        ) from None
    if "ready" in answer:
        return _ContainedRunner(contained, answer["ready"])
    contained.end()
    if "missing_library" in answer:
        raise SandboxUnavailable(
            f"judge.libraries names {answer['missing_library']!r}, a library that the image {image!r} does not have: "
            f"{BUILD} builds one that has it, or leave it out"
        )
    raise SandboxUnavailable(
        f"a container of {image!r}{f' under {runtime!r}' if runtime else ''} does not let the runner raise its walls: "
        f"{answer.get('fault')}"
    )


def _engine_answers(client: Any, error: BaseException) -> None:
    """Return where the engine answers, if need be after a restart of its own; else raise `EngineGone`."""
    from docker.errors import DockerException

    deadline = time.monotonic() + _ENGINE_RETURNS_S
    while True:
        try:
            client.ping()
            return
        except (DockerException, OSError):
            if time.monotonic() > deadline:
                raise EngineGone(f"the Docker engine does not answer any more ({_line(error)})") from None
            time.sleep(0.2)


def _line(error: BaseException) -> str:
    """What an error says, as one line."""
    text = str(getattr(error, "explanation", None) or error).strip()
    return (text.splitlines() or [type(error).__name__])[0][:300]
