"""A Docker engine for the tests: one that answers already, or one of our own with folders and a socket of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from crl_data.sandbox.docker import IMAGE
from tests.sandbox.image import make_root_file_system

SECOND_RUNTIME = "second"
_PATIENCE_S = 60.0


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """An engine that answers at DOCKER_HOST and has the image. Skips the test where there is none and none can be started."""
    if answers():
        import_image(folder)
        yield os.environ.get("DOCKER_HOST", "")
        return
    before = os.environ.get("DOCKER_HOST")
    with own_engine(folder) as own:
        os.environ["DOCKER_HOST"] = own.host
        try:
            import_image(folder)
            yield own.host
        finally:
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before


class Engine:
    """An engine of our own: where it listens, and its process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._command = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", self.host]
        self._command += [
            "--pidfile",
            f"{folder}/pid",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            *options,
        ]
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it answers."""
        (self.folder / "pid").unlink(missing_ok=True)  # of one that was killed
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _PATIENCE_S
        while not answers(self.host):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                pytest.skip(f"a Docker engine does not start here: {(self.folder / 'log').read_text()[-300:]}")
            time.sleep(0.1)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


@contextlib.contextmanager
def own_engine(folder: Path, *options: str) -> Iterator[Engine]:
    """An engine that nothing else uses, so that a test may do to it what it likes."""
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no Docker engine can be started here (it takes dockerd, and root)")
    runtimes = [f"--add-runtime={SECOND_RUNTIME}={path}"] if (path := shutil.which("runc")) else []
    own = Engine(folder, *runtimes, *options)
    try:
        own.start()
        yield own
    finally:
        own.end()
        subprocess.run(["umount", "-q", f"{folder}/data"], stderr=subprocess.DEVNULL)  # a killed one leaves it mounted
        shutil.rmtree(folder / "data", ignore_errors=True)  # images are large, and pytest keeps folders for a while


def answers(host: str | None = None) -> bool:
    try:
        client_of(host, timeout=5).ping()
        return True
    except (DockerException, OSError):
        return False


def client_of(host: str | None = None, timeout: int = 300) -> docker.DockerClient:
    """A client of the engine at `host`, else of the one that DOCKER_HOST names."""
    environment = {**os.environ, "DOCKER_HOST": host} if host else None
    return docker.from_env(timeout=timeout, environment=environment)


def import_image(folder: Path, host: str | None = None) -> None:
    """Give an engine the image that the tests judge in, if it has none."""
    client = client_of(host)
    if not client.images.list(IMAGE):
        tar = folder / "root.tar"
        make_root_file_system(tar)
        client.api.import_image_from_file(str(tar), repository=IMAGE)
        tar.unlink()
