"""The self-check: it finds what stands, and what does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from crl_data.errors import SandboxUnavailable
from crl_data.sandbox import Runner, checks, open_sandbox
from crl_data.sandbox.local import REQUIRED_WALLS, SCRATCH_MB


@pytest.fixture
def without_walls() -> Iterator[Runner]:
    runner = open_sandbox("none", ()).start(False)
    yield runner
    runner.close()


def test_every_wall_holds_that_is_said_to_stand(sandbox_runner: Runner) -> None:
    found = list(checks.examine(sandbox_runner, SCRATCH_MB))
    assert len(found) == len(checks.CHECKS)
    fallen = {(one.check.wall, one.check.name): one.detail for one in found if not one.holds}
    assert {key: detail for key, detail in fallen.items() if key[0] in sandbox_runner.ready["walls"]} == {}


def test_what_is_open_without_namespaces_is_that_names_can_be_seen(sandbox_runner: Runner) -> None:
    if "processes" in sandbox_runner.ready["walls"]:
        pytest.skip("this one has namespaces")
    fallen = {one.check.name for one in checks.examine(sandbox_runner, SCRATCH_MB) if not one.holds}
    allowed = {"take too much memory in many processes"} if "memory" not in sandbox_runner.ready["walls"] else set()
    if "user" not in sandbox_runner.ready["walls"]:
        allowed |= {"be the user that judges"}
    assert fallen - allowed == {"see that a file is there", "see other processes", "see the name of this machine"}


def test_every_required_wall_has_checks_and_every_wall_is_one() -> None:
    assert {*REQUIRED_WALLS} <= {check.wall for check in checks.CHECKS}
    assert len({check.name for check in checks.CHECKS}) == len(checks.CHECKS)


def test_the_checks_find_that_no_wall_stands(without_walls: Runner) -> None:
    """Those that do no harm where nothing is walled."""
    names = frozenset(
        {
            "connect to this machine",
            "open a socket of any family",
            "connect to a local socket by its path",
            "connect to an abstract socket",
            "read a file of this user",
            "see that a file is there",
            "list a folder of this user",
            "write to a file that is open to all",
            "change the mode of a file",
            "make files elsewhere",
            "read the judge's environment",
            "read an installed package",
            "see other processes",
            "be the user that judges",
            "see the name of this machine",
            "write beside the scratch folders",
            "open another process's memory",
            "make shared memory (System V)",
            "make a message queue (System V)",
            "fill the disk",
        }
    )
    found = {one.check.name: one.holds for one in checks.examine(without_walls, SCRATCH_MB, names)}
    assert found == dict.fromkeys(names, False)


def test_the_quick_checks_find_walls_that_do_not_hold(without_walls: Runner) -> None:
    claimed: dict[str, Any] = {**without_walls.ready, "walls": list(checks._QUICK_WALLS)}
    without_walls.ready = claimed
    assert set(checks.quick(without_walls)) == {*checks._QUICK_WALLS} - {"limits"}


def test_a_required_wall_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be asked of a kernel is whether it carried out a call, and not whether it keeps to it."""
    monkeypatch.setattr(checks, "_QUICK", checks._QUICK.replace('open(asked["file"])', "open('/etc/passwd')"))
    with pytest.raises(SandboxUnavailable, match="files: it is up, and a program read a file of this user") as caught:
        open_sandbox("local", ())
    assert "\n" not in str(caught.value) and "--allow-weak" in str(caught.value)


def test_a_limit_that_is_not_set_is_found(without_walls: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    without_walls.ready = {**without_walls.ready, "walls": ["limits"]}
    assert checks.quick(without_walls) == {}
    monkeypatch.setattr(checks, "_QUICK", checks._QUICK.replace('wanted["memory"] * 9 // 8', "1 << 20"))
    assert checks.quick(without_walls) == {"limits": "took too much memory"}


def test_opening_a_sandbox_leaves_nothing_running() -> None:
    before = len(os.listdir("/proc/self/fd"))
    open_sandbox("local", ())
    assert len(os.listdir("/proc/self/fd")) == before
