"""What the judges of a benchmark are given: problems, and candidates whose verdicts are known without any of them.

A candidate is made of one `solve(text)` and is there in three forms of one meaning: a program that reads standard input
(in one of the ways that people do), a function, and the function under assertions. What it does on every test is found out
here, by calling `solve`; judges are held to that.

    right     as it should be                                       4 of 8 candidates of a problem
    nearly    fails on the few unusual inputs, under 20 % of tests   1
    wrong     wrong on many tests, or on all                        1 or 2
    crash     an exception, an exit status, a syntax error          1 or 2
    endless   loops on about half of the tests, or on all              as many as asked for
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.kernels import KERNELS, Kernel

KINDS = ("right", "nearly", "wrong", "crash", "endless")
TESTS = 24
_UNUSUAL = frozenset({5, 13, 21})  # the tests with an unusual input

READERS = (
    "import sys\nprint(solve(sys.stdin.read()))",
    "print(solve(open(0).read()))",
    "import sys\nprint(solve(sys.stdin.buffer.read().decode()))",
    "lines = []\ntry:\n    while True:\n        lines.append(input())\nexcept EOFError:\n    pass\n"
    "print(solve('\\n'.join(lines) + '\\n'))",
    "import sys\nprint(solve(''.join(line for line in sys.stdin)))",
    "import sys\ntext = ''\nwhile True:\n    line = sys.stdin.readline()\n    if not line:\n        break\n    text += line\n"
    "sys.stdout.write(solve(text) + '\\n')",
    "import fileinput\nprint(solve(''.join(fileinput.input())))",
    "import os\nprint(solve(os.read(0, 1 << 20).decode()))",
    "from sys import stdin, stdout\n\ndef main():\n    stdout.write(solve(''.join(stdin.readlines())))\n    print()\n\n"
    "if __name__ == '__main__':\n    main()",
    "import sys\ntext = None\n\ndef main():\n    global text\n    text = sys.stdin.read()\n    print(solve(text))\n\nmain()",
    "print(solve(open('/dev/stdin').read()))",
    "import sys\ninput = sys.stdin.readline\nfirst = input()\nprint(solve(first + ''.join(iter(input, ''))))",
    "import sys, threading\n\ndef main():\n    print(solve(sys.stdin.read()))\n\nthreading.stack_size(1 << 26)\n"
    "thread = threading.Thread(target=main)\nthread.start()\nthread.join()",
)


@dataclass(frozen=True)
class Task:
    """A problem: its texts in and out, and the `solve` that defines it."""

    id: str
    kernel: Kernel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """One solution in its forms; `passes` says what it does on every test (an endless test does not pass)."""

    task: Task
    id: str
    kind: str
    stdin: str
    function: str
    passes: tuple[bool, ...]

    def right(self, threshold: float) -> bool:
        """The verdict that it deserves: over the threshold, and every test at 1."""
        share = sum(self.passes) / len(self.passes)
        return share == 1 or share > threshold


def tasks(count: int = 40, tests: int = TESTS, seed: int = 0) -> list[Task]:
    """Problems: the kernels in turn, with larger inputs each time round."""
    made = []
    for number in range(count):
        kernel = KERNELS[number % len(KERNELS)]
        draw = random.Random(f"{seed} {number}")
        size = 12 * (1 + 5 * (number // len(KERNELS)))
        inputs = tuple(kernel.make(draw, size + draw.randrange(5), place % TESTS in _UNUSUAL) for place in range(tests))
        solve = _solve_of(kernel.source)
        made.append(Task(f"task-{number}", kernel, inputs, tuple(str(solve(text)) + "\n" for text in inputs)))
    return made


def candidates(made: list[Task], endless: float = 0.0, per_task: int = 8) -> list[Candidate]:
    """The solutions, shuffled; `endless`: the share of them that never ends, beside the others."""
    found: list[Candidate] = []
    for number, task in enumerate(made):
        for place, (kind, source) in enumerate(_variants(task, number, per_task)):
            reader = READERS[(3 * number + place) % len(READERS)]
            found.append(_candidate(task, f"{task.id}/{place}", kind, source, reader))
    for number in range(round(endless * len(found) / (1 - endless))):
        task = made[(7 * number) % len(made)]
        source, loops = _endless(task, number)
        reader = READERS[number % len(READERS)]
        found.append(_candidate(task, f"{task.id}/endless-{number}", "endless", source, reader, loops))
    random.Random(1).shuffle(found)
    return found


def _variants(task: Task, number: int, per_task: int) -> Iterator[tuple[str, str]]:
    source = task.kernel.source
    wrong, nearly = _swapped(source, task.kernel.wrong), _swapped(source, task.kernel.nearly)
    constant = "def solve(text):\n    return text.split()[0]\n"
    crashes = (
        _first(source, "if sum(text.encode()) % 2 == 1:\n        raise IndexError('list index out of range')"),
        _first(source, "return str(undefined)"),
        _first(source, "if sum(text.encode()) % 2 == 1:\n        raise SystemExit(3)"),
        source.replace("):\n", ")\n", 1),
    )
    ways = [
        ("right", source),
        ("wrong", wrong),
        ("right", source),
        ("crash", crashes[number % 4]),
        ("right", source),
        ("nearly", nearly),
        ("right", source),
        ("wrong", constant) if number % 2 else ("crash", crashes[(number // 2 + 2) % 4]),
    ]
    for place in range(per_task):
        yield ways[place % len(ways)]


def _some(text: str) -> bool:
    """Whether a candidate that fails on some tests fails on this one: its sources say the same."""
    return sum(text.encode()) % 2 == 1


def _endless(task: Task, number: int) -> tuple[str, Callable[[str], bool]]:
    """A source that loops, and on which inputs it does."""
    if number % 2:
        return _first(task.kernel.source, "while sum(text.encode()) % 2 == 1:\n        pass"), _some
    return _first(task.kernel.source, "while True:\n        pass"), lambda _: True


def _swapped(source: str, swap: tuple[str, str]) -> str:
    assert source.count(swap[0]) == 1, f"{swap[0]!r} is there {source.count(swap[0])} times"
    return source.replace(*swap)


def _first(source: str, statement: str) -> str:
    """`solve` with a statement at its beginning."""
    return source.replace("def solve(text):\n", f"def solve(text):\n    {statement}\n", 1)


def _candidate(
    task: Task, name: str, kind: str, source: str, reader: str, loops: Callable[[str], bool] = lambda _: False
) -> Candidate:
    passes = tuple(
        not loops(given) and _outcome(source, given) == wanted
        for given, wanted in zip(task.inputs, task.outputs, strict=True)
    )
    share = sum(passes) / len(passes)
    fits = {"right": share == 1, "nearly": 0.8 < share < 1}
    assert fits.get(kind, share <= 0.8), f"{name} of {task.kernel.name} is meant to be {kind}, and passes {share:.2f}"
    return Candidate(task, name, kind, f"{source.strip()}\n\n{reader}\n", f"{source.strip()}\n", passes)


def _outcome(source: str, given: str) -> str | None:
    try:
        return f"{_solve_of(source)(given)}\n"
    except (Exception, SystemExit):
        return None


def _solve_of(source: str) -> Callable[[str], object]:
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102, our own kernels
    solve: Callable[[str], object] = namespace["solve"]
    return solve
