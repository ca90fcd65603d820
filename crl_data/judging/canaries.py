"""Canaries: small problems with solutions whose verdicts are known, right and wrong, of each kind of test.

They are judged before anything is labelled and every ten minutes after that. One that is judged otherwise means that the
judge, its sandbox or the machine is broken: nothing more may be labelled (huggingface/open-r1#682: every reward 0,
silently, for a whole run).
"""

from __future__ import annotations

import time
from dataclasses import replace

from crl_data.errors import CanaryFlip
from crl_data.judging.judge import Judge
from crl_data.types import Problem, Solution, Test, TestKind

EVERY_S = 600.0

_SUM = Problem(
    id="canary/stdin",
    question="Read two integers and print their sum.",
    test_kind=TestKind.STDIN,
    tests=tuple(Test(input=f"{a} {b}\n", expected=f"{a + b}\n") for a, b in ((1, 2), (-5, 3), (10**20, 1), (0, 0))),
    reference="a, b = map(int, input().split())\nprint(a + b)\n",
)
_ADD = Problem(
    id="canary/function",
    question="Add two values.",
    test_kind=TestKind.FUNCTION,
    tests=(
        Test(input="[1, 2]", expected="3"),
        Test(input="[[1], [2]]", expected="[1, 2]"),
        Test(input='["a", "b"]', expected='"ab"'),
    ),
    entry_point="add",
    reference="def add(a, b):\n    return a + b\n",
)
_PAIR = Problem(
    id="canary/assert",
    question="Give the two values as a tuple, the smaller one first.",
    test_kind=TestKind.ASSERT,
    tests=(
        Test(input="assert pair(2, 1) == (1, 2)"),
        Test(input="assert pair('a', 'b') == ('a', 'b')"),
        Test(input="assert pair(0, 0) == (0, 0)"),
    ),
    entry_point="pair",
    reference="def pair(a, b):\n    return (a, b) if a <= b else (b, a)\n",
)
_LOOP = "while True:\n    pass\n"
KNOWN: tuple[tuple[Problem, str, bool], ...] = (
    (_SUM, "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n", True),
    (_SUM, "a, b = map(int, input().split())\nprint(abs(a) + b)\n", False),
    (_SUM, "print('3')\n", False),
    (_SUM, "raise SystemExit(0)\n", False),
    (_SUM, _LOOP, False),
    (_ADD, "add = lambda a, b: a + b\n", True),
    (_ADD, "def add(a, b):\n    return b + a\n", False),
    (
        _ADD,
        "class Equal:\n    def __eq__(self, other):\n        return True\n\ndef add(a, b):\n    return Equal()\n",
        False,
    ),
    (_PAIR, "def pair(*values):\n    return tuple(sorted(values))\n", True),
    (_PAIR, "def pair(*values):\n    return sorted(values)\n", False),
    (_PAIR, "import os\n\ndef pair(a, b):\n    os._exit(0)\n", False),
)


class Watch:
    """Sees to it that canaries are judged, and that they keep their verdicts.

    A canary is right where it passes every test, whatever share of them the judge's own policy asks for.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge.under(replace(judge.policy, threshold=1.0))
        self._last = float("-inf")

    def look(self) -> None:
        """Judge the canaries, if it is time. Raises `CanaryFlip`."""
        if time.monotonic() - self._last < EVERY_S:
            return
        solutions = [
            Solution(problem_id=problem.id, id=f"{problem.id}/{number}", code=code)
            for number, (problem, code, _) in enumerate(KNOWN)
        ]
        futures = [
            self._judge.submit(problem, solution, remember=False)
            for (problem, _, _), solution in zip(KNOWN, solutions, strict=True)
        ]
        for (_, code, verdict), future in zip(KNOWN, futures, strict=True):
            judgement = future.result()
            wanted = None if code == _LOOP and self._judge.policy.timeouts == "inconclusive" else verdict
            if judgement.verdict is not wanted:
                raise CanaryFlip(
                    f"the canary {judgement.solution_id} was judged {judgement.verdict}, and is known to be {wanted}: "
                    f"{judgement.reason}; "
                    "nothing more is labelled until crl-data judge gets it right on this machine"
                )
        self._last = time.monotonic()
