"""Start runners in containers, through the docker SDK: the same runner, with one more wall around it.

A container has no network, no rights, a read-only root, and bounded memory and processes; it lives as long as its stream.
Inside, the runner raises its own walls as any user does, for which the container's own filter of system calls and its
masks on /proc have to be out of the way: what a solution may call is decided by the runner's filter, which is narrower.

The image must hold a Python (3.11 or newer, called python3) and the named libraries. Its name is that of the environment
variable CRL_DATA_IMAGE, or `crl-data-sandbox`.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import select
import struct
import threading
import zipfile
from pathlib import Path
from typing import Any

from crl_data.errors import SandboxUnavailable
from crl_data.sandbox.client import Runner
from crl_data.sandbox.local import REQUIRED_WALLS, SCRATCH_MB, Sandbox, refusal, runtime_of
from crl_data.sandbox.runner import wire

IMAGE = "crl-data-sandbox"
MEMORY_MB = 8192
_PATIENCE_S = 60.0
_FOLDER = "/run/crl"
_STDOUT, _STDERR = 1, 2
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

# Takes the runner's files from standard input, where its frames will follow, and becomes the runner.
_BOOTSTRAP = """
import io, os, sys, zipfile
def take(n):
    data = b""
    while len(data) < n:
        part = os.read(0, n - len(data))
        if not part:
            sys.exit("the stream ended early")
        data += part
    return data
files = zipfile.ZipFile(io.BytesIO(take(int.from_bytes(take(8), "little"))))
files.extractall(sys.argv[1])
os.execv(sys.executable, [sys.executable, "-S", "-s", "-P", sys.argv[1] + "/runner"])
"""


def open_docker(libraries: tuple[str, ...], why: str) -> Sandbox:
    """The sandbox of containers, found to work. `why`: why this machine's own walls do not do, if they were tried.

    Raises `SandboxUnavailable` with one line where no engine answers, there is no image, or the walls do not stand.
    """
    import docker
    from docker.errors import DockerException

    image = os.environ.get("CRL_DATA_IMAGE", IMAGE)
    prefix = f"{why}; and " if why else ""
    try:
        client = docker.from_env(timeout=30)
        client.ping()
    except (DockerException, OSError) as error:
        raise SandboxUnavailable(
            f"{prefix}no Docker engine answers ({_first_line(error)}): start one"
            + (", or judge without walls by --sandbox none" if platform.system() == "Linux" else "")
        ) from None
    try:
        digest = client.images.get(image).id
    except DockerException:
        raise SandboxUnavailable(
            f"{prefix}the Docker engine has no image {image!r}: "
            f"name one that has Python and {', '.join(libraries) or 'nothing else'} in CRL_DATA_IMAGE"
        ) from None

    def start(config: dict[str, Any]) -> Runner:
        return _start(client, image, config)

    runner = start({"libraries": list(libraries)})
    runner.close()
    walls, missing, found = tuple(runner.ready["walls"]), dict(runner.ready["missing"]), runner.ready["found"]
    gone = [name for name in REQUIRED_WALLS if name not in walls]
    if gone:
        raise SandboxUnavailable(
            f"{prefix}the Docker engine does not let the runner raise its walls ({', '.join(gone)})"
        )
    return Sandbox(
        backend="docker",
        walls=("container", *walls),
        missing=missing,
        runtime=f"{runtime_of(runner.ready['runtime'])}; image {digest}",
        libraries=libraries,
        start=lambda loaded: start({"found": found if loaded else {**found, "preload": []}}),
    )


def _start(client: Any, image: str, config: dict[str, Any]) -> Runner:
    from docker.errors import DockerException

    config = {**config, "sandbox": "local", "scratch_mb": SCRATCH_MB, "box": None}
    try:
        process = _Container(client, _create(client, image))
        wire.write_frame(process.write_fd, config)
    except (DockerException, wire.Closed) as error:
        raise SandboxUnavailable(
            f"the Docker engine does not start a container of {image!r}: {_first_line(error)}"
        ) from None
    waiting = select.poll()
    waiting.register(process.read_fd, select.POLLIN)
    if not waiting.poll(1000 * _PATIENCE_S):
        process.end()
        raise SandboxUnavailable(f"the runner in a container of {image!r} did not start within {_PATIENCE_S:.0f} s")
    try:
        answer, _ = wire.read_frame(process.read_fd)
    except wire.Closed:
        raise SandboxUnavailable(
            f"the runner in a container of {image!r} did not start: {process.end() or 'no reason given'}"
        ) from None
    if "ready" not in answer:
        process.end()
        raise refusal(answer)
    return Runner(process.read_fd, process.write_fd, process, answer["ready"])


def _create(client: Any, image: str) -> str:
    """Create a container that is nothing but the runner; its id."""
    host = client.api.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", "seccomp=unconfined", "apparmor=unconfined"],
        pids_limit=1024,
        mem_limit=f"{MEMORY_MB}m",
        memswap_limit=f"{MEMORY_MB}m",
        tmpfs={_FOLDER: "size=4m,mode=1777,exec"},
        auto_remove=True,
    )
    host |= {"MaskedPaths": [], "ReadonlyPaths": []}  # so that the runner can mount a /proc of its own
    made = client.api.create_container(
        image,
        command=["python3", "-S", "-s", "-P", "-c", _BOOTSTRAP, _FOLDER],
        user="65534:65534",
        environment=_ENVIRONMENT,
        stdin_open=True,
        labels={"crl-data": str(os.getpid())},
        host_config=host,
        working_dir="/",
    )
    identity: str = made["Id"]
    return identity


def _program() -> bytes:
    """The runner's files, as the bootstrap takes them: eight bytes of length, and a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        for path in sorted((Path(__file__).parent / "runner").glob("*.py")):
            files.write(path, f"runner/{path.name}")
    data = packed.getvalue()
    return struct.pack("<Q", len(data)) + data


class _Container:
    """A runner in a container: its attached stream, taken apart into a pipe by a thread of ours."""

    def __init__(self, client: Any, identity: str) -> None:
        self._client = client
        self._identity = identity
        self._said = b""
        self._ended = False
        attached = client.api.attach_socket(identity, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        self._socket = getattr(attached, "_sock", attached)
        self._socket.settimeout(None)
        self.read_fd, self._pipe = os.pipe()
        self.write_fd: int = self._socket.fileno()
        threading.Thread(target=self._pump, name="docker-stream", daemon=True).start()
        client.api.start(identity)
        self._socket.sendall(_program())

    def _pump(self) -> None:
        """Standard output to the pipe, standard error to memory: the engine sends both in frames of its own."""
        try:
            while True:
                stream, size = struct.unpack(">BxxxL", self._take(8))
                while size:
                    part = self._take(min(size, 1 << 16))
                    size -= len(part)
                    if stream == _STDOUT:
                        view = memoryview(part)
                        while view:
                            view = view[os.write(self._pipe, view) :]
                    else:
                        self._said = (self._said + part)[-4096:]
        except (OSError, EOFError, ValueError):
            pass
        finally:
            os.close(self._pipe)

    def _take(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(size)
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def kill(self) -> None:
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            self._client.api.kill(self._identity)

    def end(self) -> str:
        if self._ended:
            return ""
        self._ended = True
        self.kill()
        with contextlib.suppress(OSError):
            self._socket.close()
        os.close(self.read_fd)
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
