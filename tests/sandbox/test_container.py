"""Judging inside a container: a default `docker run`, as root and as an ordinary user, and one that gives more."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

import docker
import pytest

from crl_data.sandbox.docker import IMAGE
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
USER = "1000:1000"
WITHOUT = {"files", "processes", "cell"}


def inside(command: list[str], **more: Any) -> tuple[int, str]:
    """Run this environment's Python in a container that has this project, its packages and Python; status and output."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    shown = {str(ROOT): "/repo", sys.prefix: sys.prefix, sys.base_prefix: sys.base_prefix}
    shown[os.path.realpath(f"/lib/{multiarch}")] = f"/lib/{multiarch}"  # what packages are linked with
    client = docker.from_env(timeout=600)
    container = client.containers.run(
        IMAGE,
        [sys.executable, *command],
        detach=True,
        volumes={outside: {"bind": path, "mode": "ro"} for outside, path in shown.items()},
        environment={"PYTHONPATH": "/repo", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "HOME": "/tmp"},
        working_dir="/repo",
        **more,
    )
    try:
        status = container.wait()["StatusCode"]
        return status, container.logs(stdout=True, stderr=False).decode()
    finally:
        container.remove(force=True)


def doctor(**more: Any) -> dict[str, Any]:
    status, said = inside(["-m", "crl_data", "doctor", "--json"], **more)
    told: dict[str, Any] = json.loads(said)
    assert status == (0 if told["auto"] else 1)
    return told


@pytest.mark.parametrize(("user", "gone"), [("0:0", WITHOUT), (USER, WITHOUT | {"user", "limits"})])
def test_a_default_container_stands_but_for_names_and_numbers(docker_engine: str, user: str, gone: set[str]) -> None:
    told = doctor(user=user)
    assert told["auto"] is None and "Operation not permitted" in told["backends"]["local"]["why"]
    weak = told["backends"]["local --allow-weak"]
    assert set(weak["missing"]) & set(told["required_walls"]) == gone
    fallen = {one["check"] for one in weak["checks"] if not one["holds"]}
    as_user = {"be the user that judges", "make too many processes"} if user == USER else set()
    assert fallen == as_user | {
        "see that a file is there",
        "see other processes",
        "see the name of this machine",
        "take too much memory in many processes",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"user": "0:0", "security_opt": ["seccomp=unconfined"]},
        {"user": USER, "security_opt": ["seccomp=unconfined"]},
        {"user": "0:0", "cap_add": ["SYS_ADMIN"]},
    ],
    ids=["root, no filter", "user, no filter", "root, the right to mount"],
)
def test_a_container_that_may_make_namespaces_has_every_required_wall(
    docker_engine: str, given: dict[str, Any]
) -> None:
    told = doctor(**given)
    assert told["auto"] == "local"
    assert [one for one in told["backends"]["local"]["checks"] if not one["holds"] and one["wall"] != "memory"] == []


@pytest.mark.parametrize("user", ["0:0", USER])
def test_the_attacks_and_the_honest_programs_come_out_the_same_in_a_default_container(
    docker_engine: str, user: str
) -> None:
    suites = ["walls", "honest", "leftovers", "programs"]
    files = [
        f"tests/sandbox/test_{name}.py" for name in suites if (Path(ROOT) / f"tests/sandbox/test_{name}.py").exists()
    ]
    not_there = " and not multiprocessing" if user == USER else ""  # its locks: said in docs/sandbox.md
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", f"weak{not_there}"]
    status, said = inside(command, user=user)
    assert status == 0, said[-3000:]
