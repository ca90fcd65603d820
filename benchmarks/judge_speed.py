"""How fast is the judge, as a ratio: tests per CPU second here against one new `python3 -I -S` for every test.

    python -m benchmarks.judge_speed [--rounds N]

Both sides judge the same programs in the same run, taking turns, one at a time, behind all walls here and behind none
there; the other side only starts an interpreter, gives it the input and compares the output. CPU seconds are those of
all processes, by the kernel's accounts; the figure is the median over rounds. What a program computes itself is paid by
both sides alike, so it draws the ratio towards 1; hence three kinds of programs:

    short   right programs of a few lines that hardly compute: the price of judging alone
    right   the right ones of the recorded responses to the project's own stdin problems
    mixed   all of those responses, right, wrong and crashing, but for time-outs, whose price is their limit

Starting a warm runner is not counted; it is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from benchmarks.accounts import cpu_seconds
from crl_data import Judge, Problem, Solution
from crl_data.compare import output_rule
from crl_data.problems import is_source
from crl_data.responses import code_of
from crl_data.rows import Row, problem_of, read_rows, solution_of
from crl_data.types import Outcome, Test, TestKind


@dataclass(frozen=True)
class Work:
    """A program and the problem whose tests it is run on."""

    problem: Problem
    code: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    begun = time.monotonic()
    with Judge(jobs=1, sandbox="local") as judge:
        right, mixed = programs(judge)
        started = time.monotonic() - begun
        figures = {
            name: measure(works, judge, options.rounds)
            for name, works in (("short", short()), ("right", right), ("mixed", mixed))
        }
        walls = judge.sandbox.walls
    if options.json:
        print(json.dumps({"walls": walls, **figures}))
        return
    print(f"walls: {', '.join(walls)}; python {sys.version.split()[0]}; {options.rounds} rounds, medians")
    print(f"{'programs':<10}{'':>8}{'tests':>8}{'here':>14}{'python3 -I -S':>16}{'ratio':>8}{'(least, most)':>18}")
    for name, found in figures.items():
        print(
            f"{name:<10}{found['programs']:>8.0f}{found['tests']:>8.0f}{found['here']:>10.0f}/s  "
            f"{found['there']:>12.0f}/s  {found['ratio']:>7.1f}{found['least']:>10.1f}{found['most']:>8.1f}"
        )
    print(f"tests per CPU second; finding the programs, with the start of the runner: {started:.1f} s")


_SHORT: dict[str, Callable[[int], tuple[str, object]]] = {
    "a, b = map(int, input().split())\nprint(a + b)": lambda n: (f"{n} {3 * n}", 4 * n),
    "import math\nprint(math.gcd(*map(int, input().split())))": lambda n: (f"{6 * n} {6 * n + 6}", 6),
    "print(input()[::-1])": lambda n: (f"word{n}", f"word{n}"[::-1]),
    "import sys\nprint(len(sys.stdin.read().split()))": lambda n: ("w " * n, n),
    "n = int(input())\nprint(*sorted(int(x) for x in input().split()))": lambda n: (
        f"{n}\n{' '.join(str(x) for x in range(n, 0, -1))}",
        " ".join(str(x) for x in range(1, n + 1)),
    ),
    "a, b = 0, 1\nfor _ in range(int(input())):\n    a, b = b, a + b\nprint(a)": lambda n: (str(n), _fibonacci(n)),
}


def short(tests: int = 24) -> list[Work]:
    """Right programs of a few lines, each with so many tests."""
    made = []
    for number, (code, example) in enumerate(_SHORT.items()):
        pairs = [example(n) for n in range(1, tests + 1)]
        problem = Problem(
            id=f"short-{number}",
            question="",
            test_kind=TestKind.STDIN,
            tests=tuple(Test(input=f"{given}\n", expected=f"{wanted}\n") for given, wanted in pairs),
        )
        made.append(Work(problem, code + "\n"))
    return made


def _fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def programs(judge: Judge) -> tuple[list[Work], list[Work]]:
    """The right programs, and all of those that never time out."""
    folder = Path(str(files("crl_data") / "examples"))
    problems = {
        problem.id: problem
        for problem in (problem_of(row) for row in _rows(folder / "problems.jsonl"))
        if problem.test_kind is TestKind.STDIN and not is_source(problem.checker)
    }
    right, mixed = [], []
    for solution in (solution_of(row) for row in _rows(folder / "solutions.jsonl")):
        problem = problems.get(solution.problem_id)
        code, _ = code_of(solution)
        if problem is None or code is None:
            continue
        judgement = judge.judge(problem, solution)
        if Outcome.TIMEOUT in judgement.outcomes or Outcome.NOT_RUN in judgement.outcomes:
            continue
        mixed.append(Work(problem, code))
        if judgement.pass_rate == 1:
            right.append(Work(problem, code))
    return right, mixed


def _rows(path: Path) -> Iterator[Row]:
    for row in read_rows(path):
        assert isinstance(row, Row), row
        yield row


def measure(works: list[Work], judge: Judge, rounds: int) -> dict[str, float]:
    tests = sum(len(work.problem.tests) for work in works)
    here: list[float] = []
    there: list[float] = []
    for number in range(rounds):
        sides: list[tuple[list[float], Callable[[], int]]] = [
            (here, lambda: judged(works, judge)),
            (there, lambda: started_anew(works)),
        ]
        passed = []
        for seconds, side in sides if number % 2 else reversed(sides):
            before = cpu_seconds(os.getpid())
            passed.append(side())
            seconds.append(cpu_seconds(os.getpid()) - before)
        assert passed[0] == passed[1], f"the two sides do not agree: {passed} tests passed"
    ratios = [b / a for a, b in zip(here, there, strict=True)]
    return {
        "programs": len(works),
        "tests": tests,
        "here": tests / statistics.median(here),
        "there": tests / statistics.median(there),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def judged(works: list[Work], judge: Judge) -> int:
    passed = 0
    for number, work in enumerate(works):
        solution = Solution(problem_id=work.problem.id, id=str(number), code=work.code)
        passed += judge.judge(replace(work.problem), solution).n_passed
    return passed


def started_anew(works: list[Work]) -> int:
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "solution.py"
        for work in works:
            path.write_text(work.code, encoding="utf-8")
            same = output_rule(work.problem.checker)
            for test in work.problem.tests:
                done = subprocess.run(
                    [sys.executable, "-I", "-S", str(path)], input=test.input.encode(), capture_output=True
                )
                passed += done.returncode == 0 and same(test.expected.encode(), done.stdout)
    return passed


if __name__ == "__main__":
    main()
