"""Does load change verdicts? The same solutions judged on an idle machine and on a crowded one, and every flip.

    python -m benchmarks.load_flips [--solutions 1000] [--workers 8] [--loops 4] [--processors 2] [--early-stop]

The workload is made here, the same every time: problems of the kinds stdin, function and assert (tests that are taken
apart, and tests that are not), most with a reference, some with a limit that somebody wrote down; solutions that are
right, wrong, wrong on some tests, crashing, slow but within the limit, slow in a thread or in child processes, and 2 %
endless ones: loops, loops in threads and in children, and programs that only wait.

They are judged once by one worker, in their order, and once by many workers in another order, on so many processors that
are kept busy by endless loops. Everything is judged anew on both sides, the references too, so that a time limit that
comes out otherwise is a flip as well. Nothing is asserted: the figures are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from crl_data import Judge, Judgement, Policy, Problem, Solution
from crl_data.types import Test, TestKind

TESTS = 10
ENDLESS_SHARE = 0.02
_LOOP = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
while True:
    pass
"""

# name: what is computed of two whole numbers, rightly and wrongly
_FAMILIES = {
    "plus": ("a + b", "a - b"),
    "far": ("abs(a - b)", "a - b"),
    "clip": ("max(0, a - b)", "a - b"),
    "mix": ("a * b + a % (b + 1)", "a * b + a % b"),
    "pick": ("[a, b][a < b]", "[b, a][a < b]"),
    "sort": ("sorted([a, b, a * b])", "[a, b, a * b]"),
    "text": ("f'{a}-{b}'", "f'{a} {b}'"),
    "more": ("a > b", "a >= b"),
}
_WORK = (
    "sum(i * i for i in range(1_500_000))"  # a seventh of a second or so: well within half a second, not far below it
)

# How a solution comes to its answer; {right} and {wrong} are expressions of a and b.
_WAYS = {
    "right": "    return {right}\n",
    "wrong": "    return {wrong}\n",
    "wrong on some": "    return {wrong} if a % 3 == 0 else {right}\n",
    "crashing": "    return {right} // (a - a)\n",
    "crashing on some": "    assert a % 4\n    return {right}\n",
    "ending": "    raise SystemExit(3)\n",
    "hungry": "    x = bytearray(4 << 30)\n    return {right}\n",
    "slow": f"    if a % 4 == 0: {_WORK}\n    return {{right}}\n",
    "slow in a thread": f"    if a % 4 == 0: run(lambda: {_WORK})\n    return {{right}}\n",
    "slow in children": f"    if a % 4 == 0: spread(4, lambda: {_WORK.replace('1_500', '300')})\n    return {{right}}\n",
}
_ENDLESS = {
    "endless": "    while True: pass\n",
    "endless on some": "    while a % 5 == 0: pass\n    return {right}\n",
    "endless in a thread": "    run(lambda: [None for _ in iter(int, 1)])\n",
    "endless in children": "    while os.fork() == 0: pass\n    while True: pass\n",
    "waiting": "    time.sleep(10_000)\n",
    "waiting in a thread": "    run(threading.Event().wait)\n",
}
_HEAD = """import os, threading, time


def run(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def spread(count, work):
    for _ in range(count):
        if os.fork() == 0:
            work()
            os._exit(0)
    for _ in range(count):
        os.wait()


def {name}(a, b):
"""
_READ = "\n\nprint({name}(*map(int, input().split())))\n"


@dataclass(frozen=True)
class Work:
    """A solution, its problem, and the way it was made to behave."""

    problem: Problem
    solution: Solution
    way: str


@dataclass
class Side:
    """How one side judged: the judgements by solution, the limits by problem, and what it took."""

    judgements: dict[str, Judgement] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solutions", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--processors", type=int, default=2)
    parser.add_argument("--early-stop", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    works = workload(options.solutions)
    policy = Policy(early_stop=options.early_stop)
    idle, busy = both(works, policy, options.workers, options.loops, options.processors)
    found = flips(works, idle, busy)
    if options.json:
        print(
            json.dumps({**{name: len(lines) for name, lines in found.items()}, "seconds": [idle.seconds, busy.seconds]})
        )
        return
    verdicts = Counter(str(one.verdict) for one in idle.judgements.values())
    print(
        f"{len(works):,} solutions of {len({one.problem.id for one in works})} problems: "
        + ", ".join(f"{count} {way}" for way, count in Counter(one.way for one in works).items())
    )
    print("verdicts: " + ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items())))
    print(
        f"one worker: {idle.seconds:.0f} s; {options.workers} workers on {options.processors} processors "
        f"beside {options.loops} endless loops: {busy.seconds:.0f} s"
    )
    for name, lines in found.items():
        print(f"flips of {name}: {len(lines)}")
        for line in lines:
            print(f"  {line}")


def both(works: Sequence[Work], policy: Policy, workers: int, loops: int, processors: int) -> tuple[Side, Side]:
    """Judge everything on an idle machine, then on a crowded one."""
    idle = judged(works, policy, 1)
    others = list(works)
    random.Random(1).shuffle(others)
    with crowd(loops, processors):
        return idle, judged(others, policy, workers)


def judged(works: Sequence[Work], policy: Policy, workers: int) -> Side:
    side = Side()
    begun = time.monotonic()
    with Judge(jobs=workers, sandbox="local", policy=policy) as judge:
        pairs = [(one.problem, one.solution) for one in works]
        for one, judgement in zip(works, judge.map(pairs), strict=True):
            side.judgements[one.solution.id] = judgement
        for one in works:
            if one.problem.id not in side.limits:
                side.limits[one.problem.id] = judge.prepare(one.problem).result().limits.cpu_s
    side.seconds = time.monotonic() - begun
    return side


@contextlib.contextmanager
def crowd(loops: int, processors: int) -> Iterator[None]:
    """So many processors for us, and endless loops on them, each in a session of its own (a share of its own, then).

    A loop has a pipe of ours as its standard input, and ends when that is shut: also where we are killed.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:processors]))
    command = [sys.executable, "-S", "-c", _LOOP]
    others: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(loops):
            others.append(subprocess.Popen(command, start_new_session=True, stdin=subprocess.PIPE))
        yield
    finally:
        for other in others:
            other.kill()
            other.communicate()
        os.sched_setaffinity(0, before)


def flips(works: Sequence[Work], idle: Side, busy: Side) -> dict[str, list[str]]:
    """What came out otherwise on the busy machine, a line for each."""
    found: dict[str, list[str]] = {"verdicts": [], "outcomes": [], "limits": []}
    for work in works:
        one, other = idle.judgements[work.solution.id], busy.judgements[work.solution.id]
        name = f"{work.solution.id} ({work.way}, {work.problem.id})"
        if one.verdict is not other.verdict:
            found["verdicts"].append(f"{name}: {one.verdict} ({one.reason}) -> {other.verdict} ({other.reason})")
        if one.outcomes != other.outcomes:
            differing = [
                f"test {place + 1} {a} -> {b}"
                for place, (a, b) in enumerate(zip(one.outcomes, other.outcomes, strict=True))
                if a is not b
            ]
            found["outcomes"].append(f"{name}: {', '.join(differing)}; {other.reason}")
    for problem, limit in idle.limits.items():
        if busy.limits[problem] != limit:
            found["limits"].append(f"{problem}: {limit:g} s -> {busy.limits[problem]:g} s")
    return found


# --- the workload -----------------------------------------------------------------------------------------------------


def workload(count: int) -> list[Work]:
    """So many solutions, the same every time; 2 % of them endless."""
    draw = random.Random(0)
    every = [problem(name, kind) for kind in ("stdin", "function", "assert", "loops", "stated") for name in _FAMILIES]
    works = []
    for number in range(count):
        one = every[number % len(every)]
        endless = number % round(1 / ENDLESS_SHARE) == 7
        ways = list(_ENDLESS if endless else _WAYS)
        way = ways[(number // round(1 / ENDLESS_SHARE)) % len(ways)] if endless else draw.choice(ways)
        code = f"# solution {number}\n{program(one, way)}"
        works.append(Work(one, Solution(problem_id=one.id, id=str(number), code=code), way))
    return works


def problem(name: str, kind: str) -> Problem:
    """A problem of a family. `loops`: asserts that cannot be taken apart; `stated`: a time limit, and no reference."""
    draw = random.Random(f"{name} {kind}")
    pairs = [(n, draw.randint(1, 50)) for n in range(1, TESTS + 1)]
    wanted = {pair: eval(_FAMILIES[name][0], {"a": pair[0], "b": pair[1]}) for pair in pairs}
    if kind in ("stdin", "stated"):
        tests = [Test(input=f"{a} {b}\n", expected=f"{wanted[a, b]}\n") for a, b in pairs]
    elif kind == "function":
        tests = [Test(input=json.dumps([a, b]), expected=json.dumps(wanted[a, b])) for a, b in pairs]
    elif kind == "assert":
        tests = [Test(input=f"assert {name}({a}, {b}) == {wanted[a, b]!r}") for a, b in pairs]
    else:
        tests = [Test(input=f"for _ in range(2):\n    assert {name}({a}, {b}) == {wanted[a, b]!r}") for a, b in pairs]
    kinds = {"stated": TestKind.STDIN, "loops": TestKind.ASSERT}
    made = Problem(
        id=f"{name}-{kind}",
        question=f"{name} of two whole numbers",
        test_kind=kinds[kind] if kind in kinds else TestKind(kind),
        tests=tuple(tests),
        entry_point=None if kind in ("stdin", "stated") else name,
        time_limit_s=0.5 if kind == "stated" else None,
    )
    return made if kind == "stated" else replace(made, reference=program(made, "right"))


def program(of: Problem, way: str) -> str:
    name = of.id.partition("-")[0]
    right, wrong = _FAMILIES[name]
    body = (_WAYS | _ENDLESS)[way].replace("{right}", f"({right})").replace("{wrong}", f"({wrong})")
    end = _READ.format(name=name) if of.test_kind is TestKind.STDIN else ""
    return _HEAD.format(name=name) + body + end


if __name__ == "__main__":
    main()
