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

_PATIENCE_S = 60.0


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """An engine that answers at DOCKER_HOST and has the image. Skips the test where there is none and none can be started."""
    before = os.environ.get("DOCKER_HOST")
    process = None if _answers() else _start(folder)
    try:
        _import_image(folder)
        yield os.environ.get("DOCKER_HOST", "")
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
            if before is None:
                os.environ.pop("DOCKER_HOST", None)
            else:
                os.environ["DOCKER_HOST"] = before


def _answers() -> bool:
    try:
        docker.from_env(timeout=5).ping()
        return True
    except (DockerException, OSError):
        return False


def _start(folder: Path) -> subprocess.Popen[bytes]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no Docker engine answers, and none can be started here (dockerd, as root)")
    os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    command = [
        "dockerd",
        "--data-root",
        f"{folder}/data",
        "--exec-root",
        f"{folder}/exec",
        "-H",
        os.environ["DOCKER_HOST"],
    ]
    command += ["--pidfile", f"{folder}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + _PATIENCE_S
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.skip(f"a Docker engine does not start here: {(folder / 'log').read_text()[-300:]}")
        time.sleep(0.2)
    return process


def _import_image(folder: Path) -> None:
    client = docker.from_env(timeout=300)
    if not client.images.list(IMAGE):
        tar = folder / "root.tar"
        make_root_file_system(tar)
        client.api.import_image_from_file(str(tar), repository=IMAGE)
        tar.unlink()
