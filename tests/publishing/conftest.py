"""What the tests of publishing share: a copy of the demo's dataset, and the command line beside a Hub on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.server import HubServer, User

USERS = {"hf_writes": User("me", ("team",)), "hf_reads": User("me", may_write=False), "hf_other": User("other")}


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """The demo's dataset, to be changed."""
    return Path(shutil.copytree(demo, tmp_path / "demo"))


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(users=USERS) as server:
        yield server


def environment(hub: HubServer, home: Path, token: str | None = "hf_writes") -> dict[str, str]:
    """That of somebody who uses this Hub and no other, with a token or without."""
    found = {**os.environ, **hub.environment, "HF_HOME": str(home / "hf"), "HF_DATASETS_CACHE": str(home / "cache")}
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        found.pop(name, None)
    return found | ({"HF_TOKEN": token} if token else {})


def crl_data(
    hub: HubServer, home: Path, *arguments: object, token: str | None = "hf_writes"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crl_data", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=home,
        env=environment(hub, home, token),
        timeout=300,
    )
