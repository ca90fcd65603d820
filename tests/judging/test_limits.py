"""The time limit of a problem: calibrated, on a grid, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.judging import LimitFrom, Policy
from crl_data.judging.limits import FACTOR, FLOOR_S, GRID_S, NOT_CALIBRATED, Calibration, choose, on_grid
from crl_data.judging.policy import Way
from crl_data.sandbox import Limits, open_sandbox
from crl_data.sandbox.runner import group
from tests.conftest import SUM

SECONDS = st.floats(0, 1000)


def test_the_grid_is_the_one_of_the_design() -> None:
    assert GRID_S == (0.25, 0.5, 1, 2, 4, 8, 16)


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [
        (0, FLOOR_S),
        (1e-9, FLOOR_S),
        (FLOOR_S, FLOOR_S),
        (0.500001, 1),
        (1, 1),
        (1.5, 2),
        (15.9, 16),
        (16, 16),
        (16.1, 32),
        (100, 128),
    ],
)
def test_a_limit_is_the_next_of_the_grid(seconds: float, limit: float) -> None:
    assert on_grid(seconds) == limit


@given(SECONDS)
def test_a_limit_is_never_below_what_was_measured_and_never_twice_above(seconds: float) -> None:
    assert max(seconds, FLOOR_S) <= on_grid(seconds)
    assert on_grid(seconds) < 2 * max(seconds, FLOOR_S)


@given(SECONDS, SECONDS)
def test_who_takes_longer_gets_no_less(one: float, other: float) -> None:
    assert (on_grid(one) <= on_grid(other)) or one > other


@given(SECONDS)
def test_a_limit_of_the_grid_stays_what_it_is(seconds: float) -> None:
    assert on_grid(on_grid(seconds)) == on_grid(seconds)


def calibrated(seconds: float) -> Calibration:
    return Calibration(reference_cpu_s=seconds, fault="")


@given(SECONDS, st.none() | st.floats(0.01, 100), st.none() | st.floats(0.01, 100))
def test_a_reference_makes_the_limit_evidence(seconds: float, stated: float | None, of_policy: float | None) -> None:
    problem, policy = replace(SUM, time_limit_s=stated), Policy(time_limit_s=of_policy)
    limit, limit_from = choose(calibrated(seconds), problem, policy)
    assert limit_from is LimitFrom.REFERENCE
    assert limit == max(on_grid(FACTOR * seconds), stated or 0)  # a longer one that is stated is used


@pytest.mark.parametrize(
    "calibration", [NOT_CALIBRATED, Calibration(reference_cpu_s=None, fault="test 1: wrong", way=Way.BESIDE)]
)
def test_without_a_reference_that_passes_the_limit_is_the_problems_or_the_default(calibration: Calibration) -> None:
    stated, silent = replace(SUM, time_limit_s=0.1), SUM
    assert choose(calibration, stated, Policy(time_limit_s=7.0)) == (0.1, LimitFrom.PROBLEM)
    assert choose(calibration, silent, Policy(time_limit_s=7.0)) == (7.0, LimitFrom.DEFAULT)
    assert choose(calibration, silent, Policy()) == (Limits().cpu_s, LimitFrom.DEFAULT)


def test_a_reference_that_took_no_time_at_all_is_one() -> None:
    assert choose(calibrated(0.0), replace(SUM, time_limit_s=0.25), Policy()) == (FLOOR_S, LimitFrom.REFERENCE)


# --- the group that bounds memory -----------------------------------------------------------------------------------------


def cgroup_tree(root: Path, lines: str, controllers: dict[str, str]) -> tuple[str, str]:
    """A tree as the kernel shows it: which group we are in, and which controllers each folder hands on."""
    for folder, handed_on in controllers.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "cgroup.subtree_control").write_text(handed_on)
    (root / "own").write_text(lines)
    return str(root / "own"), str(root)


@pytest.mark.parametrize(
    ("lines", "controllers", "folder", "limit_file"),
    [
        ("4:memory:/job\n0::/\n", {"memory/job": ""}, "memory/job", "memory.limit_in_bytes"),
        ("4:memory,cpu:/not/here\n", {"memory": ""}, "memory", "memory.limit_in_bytes"),
        ("0::/\n", {".": "cpu memory"}, ".", "memory.max"),
        ("0::/user/shell\n", {".": "memory", "user": "memory pids", "user/shell": ""}, "user", "memory.max"),
    ],
)
def test_a_group_is_made_beneath_ours_or_beside_it(
    tmp_path: Path, lines: str, controllers: dict[str, str], folder: str, limit_file: str
) -> None:
    """By version 2 a group that holds processes, as ours does, hands nothing on to groups beneath it."""
    found = group._parent(*cgroup_tree(tmp_path, lines, controllers))
    assert (Path(found[0]).resolve(), found[1]) == ((tmp_path / folder).resolve(), limit_file)


def test_where_no_group_can_be_made_the_reason_is_said(tmp_path: Path) -> None:
    own, root = cgroup_tree(tmp_path, "0::/user/shell\n", {"user": "cpu", "user/shell": ""})
    with pytest.raises(OSError, match=r"memory controller is not delegated to .*user/shell"):
        group._parent(own, root)
    sandbox = open_sandbox("local", ())
    assert ("memory" in sandbox.walls) is not bool(sandbox.missing.get("memory"))


def test_a_group_that_nobody_lives_in_any_more_is_gone_with_its_runner_and_with_the_next_one() -> None:
    sandbox = open_sandbox("local", ())
    if "memory" not in sandbox.walls:
        pytest.skip(f"no group here: {sandbox.missing['memory']}")
    folder = Path(group._parent("/proc/self/cgroup", "/sys/fs/cgroup")[0])
    left_behind = folder / "crl-4194305"  # no process has so high a number
    left_behind.mkdir()
    runner = sandbox.start(False)
    name = f"crl-{runner._process._process.pid:010d}"  # type: ignore[attr-defined]
    assert (folder / name).is_dir()
    runner.close()
    assert not (folder / name).exists() and not left_behind.exists()
    killed = sandbox.start(False)
    name = f"crl-{killed._process._process.pid:010d}"  # type: ignore[attr-defined]
    assert (folder / name).is_dir()
    killed.kill()
    killed.close()
    assert not (folder / name).exists()
