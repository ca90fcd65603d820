"""What does a test cost in a warm container, against the same test behind this machine's own walls, and in a new container?

    python -m benchmarks.docker_speed [--rounds N] [--json]

Needs a Docker engine that answers (DOCKER_HOST) and the image that crl-data judges in. All sides take turns in one run, one
worker each:

    local         `--sandbox local`: a warm runner on this machine
    docker        `--sandbox docker`: a warm runner in a container
    a container   a new container for every test, started through the same SDK: no network, no rights, a read-only root;
                  it runs `python3 -I -S`, is given the input, and is removed. Only a few tests, since each takes so long

and are given three kinds of work: `short` (right programs of a few lines, 24 tests each: the price of judging alone),
`strict` (the same, every test in a process of its own) and `large` (a megabyte in and a megabyte out for every test).

Wall-clock seconds are those of the whole round. CPU seconds are those of this process and all below it and of the engine:
dockerd, containerd, their shims, and all below them, as far as this machine shows them. What a container used is lost to
this account when it ends, so a container per test has no CPU figure. Each figure is the median over rounds; starting
judges is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accounts import cpu_seconds
from benchmarks.judge_speed import Work, judged, short
from crl_data import Judge, Problem
from crl_data.judging import Isolation, Policy
from crl_data.types import Test, TestKind

_ENGINE = ("dockerd", "containerd")  # and containerd-shim-runc-v2, of which the kernel keeps 15 letters


@dataclass(frozen=True)
class Spent:
    wall_s: float
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--containers", type=int, default=8, help="tests in a container each, in every round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kinds = {
        "short": (5 * short(), Isolation.BATCH),
        "strict": (2 * short(), Isolation.PER_TEST),
        "large": (2 * large(), Isolation.BATCH),
    }
    with contextlib.ExitStack() as open_until_all_is_measured:  # the account of a container ends with it
        figures = {
            name: measure(works, isolation, options.rounds, open_until_all_is_measured)
            for name, (works, isolation) in kinds.items()
        }
    alone = statistics.median(a_container_per_test(short()[0], options.containers) for _ in range(options.rounds))
    more = figures["short"]["docker_per_s"] * alone
    if options.json:
        print(json.dumps({**figures, "a_container_s": alone, "times_a_container": more}))
        return
    print(f"python {sys.version.split()[0]}; {options.rounds} rounds, medians; CPU and wall-clock ms a test")
    print(
        f"{'work':<8}{'tests':>7}{'CPU local':>11}{'docker':>8}{'ratio':>7}{'(least, most)':>15}"
        f"{'wall local':>12}{'docker':>8}{'ratio':>7}{'(least, most)':>15}"
    )
    for name, found in figures.items():
        print(
            f"{name:<8}{found['tests']:>7.0f}{found['local_cpu_ms']:>11.3f}{found['docker_cpu_ms']:>8.3f}"
            f"{found['cpu_ratio']:>7.2f}{found['cpu_least']:>9.2f}{found['cpu_most']:>6.2f}"
            f"{found['local_wall_ms']:>12.3f}{found['docker_wall_ms']:>8.3f}"
            f"{found['wall_ratio']:>7.2f}{found['wall_least']:>9.2f}{found['wall_most']:>6.2f}"
        )
    print(
        f"a container per test: {1 / alone:.1f} tests a second; docker, short: "
        f"{figures['short']['docker_per_s']:.0f}, which is {more:.0f} times as many"
    )


def large(tests: int = 24) -> list[Work]:
    """A program that reads a megabyte and prints it backwards."""
    made = [f"{n:>4} " * (1 << 18) for n in range(tests)]
    problem = Problem(
        id="large",
        question="",
        test_kind=TestKind.STDIN,
        tests=tuple(Test(input=text, expected=text[::-1]) for text in made),
        checker="exact",
    )
    return [Work(problem, "import sys\nsys.stdout.write(sys.stdin.read()[::-1])\n")]


def measure(works: list[Work], isolation: Isolation, rounds: int, opened: contextlib.ExitStack) -> dict[str, float]:
    """Judge the same programs by `local` and `docker`, taking turns."""
    policy = Policy(isolation=isolation, libraries=())
    tests = sum(len(work.problem.tests) for work in works)
    spent: dict[str, list[Spent]] = {"local": [], "docker": []}
    judges = {name: opened.enter_context(Judge(jobs=1, sandbox=name, policy=policy)) for name in spent}
    for number in range(rounds + 1):
        for name in sorted(judges, reverse=number % 2 == 1):
            once = timed(works, judges[name])
            if number:  # the first time warms up
                spent[name].append(once)
    cpu = [b.cpu_s / a.cpu_s for a, b in zip(spent["local"], spent["docker"], strict=True)]
    wall = [b.wall_s / a.wall_s for a, b in zip(spent["local"], spent["docker"], strict=True)]
    per_test = {
        f"{name}_{kind}_ms": 1000 * statistics.median(getattr(one, f"{kind}_s") for one in found) / tests
        for name, found in spent.items()
        for kind in ("cpu", "wall")
    }
    return {
        "tests": tests,
        **per_test,
        "docker_per_s": 1000 / per_test["docker_wall_ms"],
        "cpu_ratio": statistics.median(cpu),
        "cpu_least": min(cpu),
        "cpu_most": max(cpu),
        "wall_ratio": statistics.median(wall),
        "wall_least": min(wall),
        "wall_most": max(wall),
    }


def timed(works: list[Work], judge: Judge) -> Spent:
    cpu, wall = spent_here(), time.monotonic()
    passed = judged(works, judge)
    spent = Spent(time.monotonic() - wall, spent_here() - cpu)
    tests = sum(len(work.problem.tests) for work in works)
    assert passed == tests, f"{passed} of {tests} tests passed, and every one is right"
    return spent


def spent_here() -> float:
    """CPU seconds of this process, of Docker's, and of all below them, as far as this machine shows them."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            name, _, fields = (folder / "stat").read_text().partition(" (")[2].rpartition(") ")
            if name.startswith(_ENGINE):
                parents[int(folder.name)] = int(fields.split()[1])
    tops = [pid for pid, parent in parents.items() if parent not in parents]
    return sum(map(cpu_seconds, [os.getpid(), *tops]))


def a_container_per_test(work: Work, tests: int) -> float:
    """Wall-clock seconds of a test that is run in a container of its own."""
    import docker

    from crl_data.sandbox.docker import image_name

    client = docker.from_env()
    begun = time.monotonic()
    for test in work.problem.tests[:tests]:
        said = _in_a_container(client, image_name(), work.code, test.input.encode())
        assert said.decode().split() == test.expected.split(), said
    return (time.monotonic() - begun) / tests


def _in_a_container(client: Any, image: str, code: str, given: bytes) -> bytes:
    api = client.api
    host = api.create_host_config(
        network_mode="none", read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"], pids_limit=64
    )
    made = api.create_container(image, ["python3", "-I", "-S", "-c", code], stdin_open=True, host_config=host)["Id"]
    try:
        attached = api.attach_socket(made, params={"stdin": 1, "stream": 1})
        api.start(made)
        getattr(attached, "_sock", attached).sendall(given)
        attached.close()
        api.wait(made)
        out: bytes = api.logs(made, stdout=True, stderr=False)
        return out
    finally:
        api.remove_container(made, force=True)


if __name__ == "__main__":
    main()
