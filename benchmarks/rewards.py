"""What a step of reinforcement learning costs in rewards: 1,024 completions of 24 tests, half of them wrong.

    python -m benchmarks.rewards [batch] [call] [--peers VENV] [--limit N] [--json FILE]

    batch   seconds and CPU seconds of `solve_reward` (every outcome; all must pass, with an early stop) on two cores, beside
            verl's prime_code and SandboxFusion-style execution on a part of it; ratios are over the part that both judged
    call    seconds of a call with one completion: alone, and from two threads at once beside a busy loop

The completions are those of `workload`, as programs in a fenced block, with rows as a build writes them. Each reward runs in
a process of its own (`graders`) and takes its turn at every part. CPU seconds are those of its whole process tree, with the
service where there is one. Verl's two are called as its `default_compute_score` calls them, by as many processes as there are
cores; VENV is one of `pip install verl==0.9.1 --no-deps`, with numpy and requests.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.graders import PREPARE, REWARDS
from benchmarks.judge_throughput import Grader, measure
from benchmarks.reward_differences import fenced, record_of
from benchmarks.workload import Candidate, Task
from crl_data import Judge, rewards
from crl_data.types import Problem, Test, TestKind

OURS: dict[str, dict[str, Any]] = {
    "solve_reward": {},
    'score="all", early_stop': {"score": "all", "early_stop": True},
}
TOLD = {"prime_reward": "prime_code", "fusion_reward": "SandboxFusion-style"}
_EVERY = {"prime_reward": 4, "fusion_reward": 8}  # these take long: every n-th part
_PART = 64  # completions that a reward is called with in one turn
_CALLERS = 2
_BUSY = "import os\nwhile os.getppid() == {parent}:\n    for _ in range(100_000):\n        pass\n"


def problem(task: Task) -> Problem:
    tests = tuple(Test(input=a, expected=b) for a, b in zip(task.inputs, task.outputs, strict=True))
    reference = f"{task.kernel.source.strip()}\n\n{workload.READERS[0]}\n"
    return Problem(id=task.id, question="", test_kind=TestKind.STDIN, tests=tests, reference=reference)


def orders(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """The problems as rewards are told of them: the columns of a record, and the lists of verl's."""
    with Judge(jobs=1, sandbox="local") as judge:
        return [
            {"id": task.id, "inputs": task.inputs, "outputs": task.outputs, "record": record_of(problem(task), judge)}
            for task in tasks
        ]


def deserved(name: str, candidate: Candidate) -> float:
    """The reward that a completion has by a reward's own rule, if every test comes out as it does here."""
    passes = candidate.passes
    if name == "solve_reward" or all(passes):
        return sum(passes) / len(passes)
    if name in REWARDS:
        return sum(passes[:10]) / 10
    return 0.0


def graders(peers: str | None, cores: Sequence[int]) -> dict[str, list[Grader]]:
    """Each reward's processes: one of ours, which uses all cores itself, and one of a peer's for each core."""
    found = {
        name: [Grader(name, "crl_reward", sys.executable, "", 0.8, settings, tuple(cores))]
        for name, settings in OURS.items()
    }
    if not hasattr(rewards, "reward"):
        print("this version has no options of rewards: every outcome only")
        del found['score="all", early_stop']
    if peers is None:
        print("peers: none, since no environment with verl was named (--peers VENV)")
        return found
    python = str(Path(peers) / "bin" / "python")
    for name, module in REWARDS.items():
        there = [python, "-c", f"import importlib.util as u; u.find_spec({module!r}).name"]
        if subprocess.run(there, stderr=subprocess.DEVNULL).returncode:
            print(f"peers: {TOLD[name]} is missing: {peers} has no {module}")
        elif name == "prime_reward":
            found[name] = [Grader(name, name, python, "", 0.8, cores=(core,)) for core in cores]
        else:  # its client has threads, and its service as many places as cores
            found[name] = [Grader(name, name, python, "", 0.8, cores=tuple(cores))]
    return found


def batch(options: argparse.Namespace) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))[:2]
    tasks = workload.tasks(32)
    candidates = workload.candidates(tasks, per_task=32)[: options.limit or 1024]
    groups = graders(options.peers, cores)
    everyone = [one for group in groups.values() for one in group]
    seconds: dict[str, dict[int, float]] = {name: {} for name in groups}
    cpu: dict[str, dict[int, float]] = {name: {} for name in groups}
    n = dict.fromkeys(groups, 0)
    other = dict.fromkeys(groups, 0)
    try:
        told = orders(tasks)
        for one in everyone:
            one.start()
            for order in told:
                one.tell(order)
            one.ask([(tasks[0].id, PREPARE)])  # everything has started
            one.spent()
        parts = range(0, len(candidates), _PART)
        for turn, begin in enumerate(parts):
            part = candidates[begin : begin + _PART]
            for name, group in groups.items() if turn % 2 else reversed(groups.items()):
                if turn % _EVERY.get(name, 1):
                    continue
                found = _turn(group, part, seconds[name], cpu[name], turn)
                n[name] += len(part)
                other[name] += sum(
                    score is None or abs(score - deserved(name, one)) > 1e-9
                    for score, one in zip(found, part, strict=True)
                )
            if sys.stderr.isatty():
                print(f"\r{turn + 1}/{len(parts)}", end="", file=sys.stderr)
    finally:
        for one in everyone:
            one.close()
    right = sum(one.kind == "right" for one in candidates)
    print(f"{len(candidates)} completions of {workload.TESTS} tests, {right} right, {len(cores)} cores")
    return _report(seconds, cpu, n, other)


def _turn(
    group: Sequence[Grader], part: Sequence[Candidate], seconds: dict[int, float], cpu: dict[int, float], turn: int
) -> list[float | None]:
    """One part through one reward; the scores in order."""
    begun = time.monotonic()
    for place, one in enumerate(group):
        one.send([(item.task.id, fenced(item.stdin)) for item in part[place :: len(group)]])
    found = [one.receive() for one in group]
    seconds[turn] = time.monotonic() - begun
    cpu[turn] = sum(one.spent() for one in group)
    return [found[place % len(group)][place // len(group)].get("score") for place in range(len(part))]


def _report(
    seconds: dict[str, dict[int, float]], cpu: dict[str, dict[int, float]], n: dict[str, int], other: dict[str, int]
) -> dict[str, Any]:
    shown = [name for name in seconds if name in REWARDS]
    head = [
        "reward",
        "n",
        "seconds",
        "CPU s",
        "CPU ms each",
        "not as deserved",
        *(f"x {TOLD[name]} (n)" for name in shown),
    ]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    rows = {}
    for name, mine in seconds.items():
        row: dict[str, Any] = {"n": n[name], "seconds": sum(mine.values()), "cpu_s": sum(cpu[name].values())}
        row |= {"not_as_deserved": other[name], "times": {}}
        cells = [TOLD.get(name, name), n[name], f"{row['seconds']:.1f}", f"{row['cpu_s']:.1f}"]
        cells += [f"{1000 * row['cpu_s'] / max(1, n[name]):.1f}", other[name]]
        for peer in shown:
            both = sorted(mine.keys() & seconds[peer].keys())
            wall = sum(mine[turn] for turn in both) / sum(seconds[peer][turn] for turn in both)
            used = sum(cpu[name][turn] for turn in both) / sum(cpu[peer][turn] for turn in both)
            of = min(n[name], n[peer])  # one of them judged every part that the other did
            row["times"][peer] = {"seconds": wall, "cpu": used, "n": of}
            cells.append("" if peer == name else f"{wall:.3f}; CPU {used:.3f} ({of})")
        rows[name] = row
        print("| " + " | ".join(map(str, cells)) + " |")
    print("x: seconds, and CPU seconds, as a multiple of that reward's, over the n that both judged")
    return rows


def call(options: argparse.Namespace) -> dict[str, Any]:
    """How long one call with one completion takes: nothing else running, and two callers beside a busy loop."""
    tasks = workload.tasks(8)
    count = min(options.limit or 200, 200)
    candidates = workload.candidates(tasks, per_task=32)[:count]
    records = {order["id"]: order["record"] for order in orders(tasks)}

    def seconds_of(one: Candidate) -> float:
        columns = {name: [value] for name, value in records[one.task.id].items()}
        begun = time.monotonic()
        rewards.solve_reward(completions=[fenced(one.stdin)], **columns)
        return time.monotonic() - begun

    for one in candidates[:8]:  # everything has started
        seconds_of(one)
    alone = [seconds_of(one) for one in candidates]
    busy = subprocess.Popen([sys.executable, "-c", _BUSY.format(parent=os.getpid())])
    try:
        with ThreadPoolExecutor(_CALLERS) as callers:
            loaded = list(callers.map(seconds_of, candidates))
    finally:
        busy.kill()
        busy.wait()
    found = {"alone": _spread(alone), "loaded": _spread(loaded), "n": len(candidates)}
    print(f"{len(candidates)} calls with one completion of {workload.TESTS} tests, ms\n")
    print("| | p50 | p95 | max |\n|---|---|---|---|")
    for what, name in (("one caller", "alone"), (f"{_CALLERS} callers and a busy loop", "loaded")):
        print(f"| {what} | " + " | ".join(f"{value:.0f}" for value in found[name].values()) + " |")  # type: ignore[attr-defined]
    return found


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(1000 * one for one in seconds)
    at = math.ceil(0.95 * len(ordered)) - 1
    return {"p50": statistics.median(ordered), "p95": ordered[at], "max": ordered[-1]}


_WHAT = {"batch": batch, "call": call}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(_WHAT))
    parser.add_argument("--peers", metavar="VENV")
    parser.add_argument("--limit", type=int, help="the first so many completions")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    measure(parser, parser.parse_args(), _WHAT, list(_WHAT))


if __name__ == "__main__":
    main()
