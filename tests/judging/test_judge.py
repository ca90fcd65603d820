"""The judge as a whole, on real programs behind real walls."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import CanaryFlip, InputError, SandboxUnavailable
from crl_data.judging import Isolation, Judge, Policy, Timeouts
from crl_data.judging.canaries import KNOWN, Watch
from crl_data.judging.explain import explain
from crl_data.types import Judgement, Outcome, Problem, Solution
from tests.conftest import RIGHT_SUM, SUM, assert_problem, code, function_problem, stdin_problem

ADD = function_problem("add", ([1, 2], 3), ([[1], [2]], [1, 2]), ([0.1, 0.2], 0.3), (["a", "b"], "ab"), ([-1, 1], 0))
METHOD = function_problem("Solution.add", ([1, 2], 3), ([5, 6], 11), ([0, 0], 0))
PAIR = assert_problem(
    "pair", "assert pair(2, 1) == (1, 2)", "assert pair('b', 'a') == ('a', 'b')", "assert pair(0, 0) == (0, 0)"
)


def verdict(judge: Judge, problem: Problem, text: str) -> Judgement:
    return judge.judge(problem, code(text))


# --- honest and wrong programs ------------------------------------------------------------------------------------------------

CASES: list[tuple[Problem, str, bool]] = [
    (SUM, RIGHT_SUM, True),
    (
        SUM,
        "import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(b'%d\\n' % sum(map(int, line.split())))",
        True,
    ),
    (SUM, "print(0)", False),
    (SUM, "a, b = map(int, input().split())\nprint(a + b)\nraise SystemExit(1)", False),
    (SUM, "a, b = map(int, input().split())\nprint(a + b)\n1 / 0", False),
    (SUM, "import sys\nprint('3')\nsys.exit(0)", False),
    (SUM, "def (:", False),
    (SUM, "a, b = map(int, input().split())\nprint(a + b)\nimport os\nos.kill(os.getpid(), 9)", False),
    (
        SUM,
        "a, b = map(int, input().split())\nprint(a + b, end='')\nimport os, sys\nsys.stdout.flush()\nos._exit(0)",
        True,
    ),
    (SUM, "print('x' * 10**8)", False),
    (SUM, "x = [0] * 10**10", False),
    (SUM, "import os\nos.write(1, b'\\xff\\xfe')", False),
    (ADD, "def add(a, b):\n    return a + b", True),
    (ADD, "add = lambda *v: v[0] + v[1]", True),
    (ADD, "def add(a, b):\n    return str(a + b)", False),
    (ADD, "def add(a, b):\n    print(a + b)", False),
    (ADD, "class Y:\n    def __eq__(self, o):\n        return True\ndef add(a, b):\n    return Y()", False),
    (
        ADD,
        "class I(int):\n    def __eq__(self, o):\n        return True\n    __hash__ = None\ndef add(a, b):\n    return I(7)",
        False,
    ),
    (ADD, "def add(a, b):\n    return float('nan')", False),
    (ADD, "def add(a, b):\n    return [True]", False),
    (ADD, "def sub(a, b):\n    return a - b", False),
    (ADD, "add = 3", False),
    (ADD, "import sys\nsys.exit(0)", False),
    (ADD, "def add(a, b):\n    raise SystemExit(0)", False),
    (ADD, "import os\ndef add(a, b):\n    os._exit(0)", False),
    (ADD, "def add(a, b):\n    if not a:\n        raise ValueError\n    return a + b", True),
    (ADD, "if __name__ == '__main__':\n    raise ValueError\ndef add(a, b):\n    return a + b", True),
    (METHOD, "class Solution:\n    def add(self, a: int, b: int) -> int:\n        return a + b", True),
    (
        METHOD,
        "class Solution:\n    def __init__(self):\n        self.n = 0\n    def add(self, a, b):\n        self.n += 1\n        return a + b if self.n == 1 else 0",
        True,
    ),
    (METHOD, "class Solution:\n    def plus(self, a, b):\n        return a + b", False),
    (
        METHOD,
        "class Solution:\n    def __init__(self):\n        raise ValueError\n    def add(self, a, b):\n        return a + b",
        False,
    ),
    (PAIR, "def pair(a, b):\n    return tuple(sorted((a, b)))", True),
    (PAIR, "def pair(a, b):\n    return sorted((a, b))", False),
    (PAIR, "def pair(a, b):\n    return (min(a, b), max(a, b)).__iter__()", False),
    (PAIR, "class T(tuple):\n    def __eq__(self, o):\n        return True\ndef pair(a, b):\n    return T()", False),
    (
        PAIR,
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\ndef pair(a, b):\n    return P(*sorted((a, b)))",
        True,
    ),
]


@pytest.mark.parametrize(("problem", "text", "wanted"), CASES)
def test_the_verdict_is_the_truth(
    judge: Judge, per_test_judge: Judge, problem: Problem, text: str, wanted: bool
) -> None:
    for one in (judge, per_test_judge):
        judgement = verdict(one, problem, text)
        assert judgement.verdict is wanted, judgement.reason
        assert len(judgement.outcomes) == judgement.n_tests == len(problem.tests)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("print(-1)", Outcome.WRONG_ANSWER),
        ("1 / 0", Outcome.RUNTIME_ERROR),
        ("def (", Outcome.RUNTIME_ERROR),
        ("", Outcome.RUNTIME_ERROR),
        ("x = bytearray(3 << 30)", Outcome.MEMORY_LIMIT),
        ("while True:\n    print('x' * 10**6)", Outcome.OUTPUT_LIMIT),
        ("raise TimeoutError", Outcome.RUNTIME_ERROR),
        ("import os\nos.abort()", Outcome.RUNTIME_ERROR),
    ],
)
def test_what_happened_is_named(judge: Judge, text: str, outcome: Outcome) -> None:
    judgement = verdict(judge, SUM, text)
    assert set(judgement.outcomes) == {outcome} and judgement.verdict is False, judgement.reason


def test_the_reason_is_one_line_that_says_what_was_expected_and_what_came(judge: Judge) -> None:
    reason = verdict(judge, SUM, "a, b = map(int, input().split())\nprint(a + b if a != 7 else 0)").reason
    assert reason == r"passed 5 of 6 tests; test 5: wrong answer: expected '15\n', got '0\n'"
    assert "\n" not in verdict(judge, SUM, "raise ValueError('a\\nb')").reason


# --- programs whose state would hide or cause failures in a batch -------------------------------------------------------------


MANY = stdin_problem(*((f"{n}\n", f"{n * n}\n") for n in range(24)))

TRICKS = {
    "crashes on its first run in a process": "import math\nif not hasattr(math, 'ran'):\n    math.ran = 1\n    raise ValueError\nprint(int(input()) ** 2)",
    "a submodule that another test imported": "import concurrent\nn = int(input())\nif n % 4 == 0:\n    import concurrent.futures\nprint(n ** 2 if concurrent.futures else 0)",
    "a module that another test changed": "import string\nn = int(input())\nif n < 6:\n    string.ready = 1\nprint(n ** 2 if hasattr(string, 'ready') else 0)",
    "answers in order": "import math\nk = getattr(math, 'k', 0)\nmath.k = k + 1\nprint(k ** 2)",
    "a class attribute of a builtin module": "from random import Random\nn = int(input())\nif n < 6:\n    Random.ready = 1\nprint(n ** 2 if hasattr(Random, 'ready') else 0)",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_state_between_tests_does_not_make_a_wrong_program_right(
    judge: Judge, per_test_judge: Judge, trick: str
) -> None:
    assert verdict(judge, MANY, TRICKS[trick]).verdict is False
    assert verdict(per_test_judge, MANY, TRICKS[trick]).verdict is False


HONEST_STATE = {
    "fails on its second run in a process": "import math\nn = int(input())\nif hasattr(math, 'ran'):\n    raise ValueError\nmath.ran = 1\nprint(n ** 2)",
    "uses up memory in a module": "import math\nmath.hog = getattr(math, 'hog', []) + [bytearray(100 << 20)]\nprint(int(input()) ** 2)",
    "replaces input for good": "import builtins, sys\nbuiltins.input = sys.stdin.readline\nprint(int(input()) ** 2)",
    "leaves a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint(int(input()) ** 2)",
    "exits by os._exit": "import os, sys\nprint(int(input()) ** 2)\nsys.stdout.flush()\nos._exit(0)",
}


@pytest.mark.parametrize("habit", HONEST_STATE)
def test_state_between_tests_does_not_make_a_right_program_wrong(judge: Judge, habit: str) -> None:
    judgement = verdict(judge, MANY, HONEST_STATE[habit])
    assert (judgement.verdict, judgement.pass_rate) == (True, 1.0), judgement.reason


# --- limits and time-outs ---------------------------------------------------------------------------------------------------------

CALIBRATED = stdin_problem(*((test.input, test.expected) for test in SUM.tests), reference=RIGHT_SUM)
LOOP = "while True:\n    pass"


@pytest.mark.parametrize(
    ("problem", "timeouts", "wanted", "limit_from"),
    [
        (CALIBRATED, "auto", False, "reference"),
        (CALIBRATED, "fail", False, "reference"),
        (CALIBRATED, "inconclusive", None, "reference"),
        (stdin_problem(("1 2\n", "3\n"), time_limit_s=0.3), "auto", None, "problem"),
        (stdin_problem(("1 2\n", "3\n"), time_limit_s=0.3), "fail", False, "problem"),
        (stdin_problem(("1 2\n", "3\n"), time_limit_s=0.3, reference=RIGHT_SUM), "auto", False, "reference"),
    ],
)
def test_a_time_out_counts_by_where_its_limit_came_from(
    problem: Problem, timeouts: str, wanted: bool | None, limit_from: str
) -> None:
    with Judge(jobs=1, policy=Policy(timeouts=Timeouts(timeouts), max_timeouts=1)) as judge:
        judgement = judge.judge(problem, code(LOOP))
    assert (judgement.verdict, judgement.limit_from) == (wanted, limit_from)


def test_after_two_time_outs_the_rest_is_not_run(judge: Judge) -> None:
    judgement = verdict(judge, CALIBRATED, LOOP)
    assert judgement.outcomes.count(Outcome.TIMEOUT) == 2 and judgement.outcomes.count(Outcome.NOT_RUN) == 4
    assert (judgement.verdict, judgement.n_inconclusive, judgement.pass_rate) == (False, 0, 0.0)


def test_a_reference_that_fails_is_said_and_calibrates_nothing(judge: Judge) -> None:
    prepared = judge.prepare(stdin_problem(("1 2\n", "4\n"), reference=RIGHT_SUM)).result()
    assert prepared.limit_from == "default" and "expected '4\\n', got '3\\n'" in prepared.reference_fault


def test_early_stop_ends_once_the_verdict_is_settled() -> None:
    with Judge(jobs=1, policy=Policy(early_stop=True)) as judge:
        wrong, right = verdict(judge, MANY, "print(-1)"), verdict(judge, MANY, "print(int(input()) ** 2)")
    assert (
        wrong.verdict is False
        and wrong.outcomes.count(Outcome.WRONG_ANSWER) == 5
        and wrong.outcomes.count(Outcome.NOT_RUN) == 19
    )
    assert right.verdict is True and right.outcomes.count(Outcome.PASSED) >= 20


# --- assert tests -----------------------------------------------------------------------------------------------------------------

POLY = assert_problem(
    "find_zero",
    "check(find_zero)",
    id="poly",
    test_setup="def check(candidate):\n    for a in range(1, 5):\n        assert abs(poly([a, -1], candidate([a, -1]))) < 1e-6\n",
    starter_code='def poly(xs, x):\n    """Evaluates."""\n    return sum(c * x ** i for i, c in enumerate(xs))\n\n\ndef find_zero(xs):\n    """Find x with poly(xs, x) == 0."""\n',
)


def test_helpers_of_a_test_never_come_from_the_solution(judge: Judge) -> None:
    """HumanEval/32, 38 and 50: solutions that redefine the helper pass elsewhere."""
    assert verdict(judge, POLY, "def find_zero(xs):\n    return xs[0]").verdict is True
    cheat = "def poly(xs, x):\n    return 0\ndef find_zero(xs):\n    return -1"
    judgement = verdict(judge, POLY, cheat)
    assert judgement.verdict is False and judgement.tamper_proof is True
    assert "in the test: assert abs(poly" in judgement.reason


def test_tests_that_split_are_tamper_proof_and_so_are_those_that_call_by_value(judge: Judge) -> None:
    assert verdict(judge, PAIR, "def pair(a, b):\n    return (a, b)").tamper_proof is True
    tried = assert_problem("f", "try:\n    f()\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError")
    assert verdict(judge, tried, "def f():\n    raise ValueError").tamper_proof is True
    called_back = assert_problem("f", "for n in range(3):\n    assert f(lambda x: x + 1, n) == n + 1")
    reference = "def f(g, x):\n    return g(x)"
    assert verdict(judge, replace(called_back, reference=reference), reference).tamper_proof is False


@pytest.mark.parametrize(
    "text",
    [
        "import os\ndef f(*_):\n    os._exit(0)",
        "import sys\ndef f(*_):\n    sys.exit(0)",
        "raise SystemExit",
        "def f():\n    return 0",
    ],
)
def test_a_test_beside_the_solution_passes_only_at_its_end(judge: Judge, text: str) -> None:
    beside = assert_problem("f", "x = []\nfor n in range(3):\n    x.append(f(n))\nassert x == [0, 1, 4]")
    assert verdict(judge, beside, "def f(n):\n    return n * n").verdict is True
    assert verdict(judge, beside, text).verdict is False


def test_without_an_entry_point_all_names_come_from_the_solution(judge: Judge) -> None:
    problem = assert_problem(None, "s = Stack()\ns.push(1)\nassert s.pop() == 1 and size(s) == 0")
    text = "class Stack:\n    def __init__(self):\n        self.x = []\n    def push(self, v):\n        self.x.append(v)\n    def pop(self):\n        return self.x.pop()\ndef size(s):\n    return len(s.x)"
    assert verdict(judge, problem, text).verdict is True
    assert verdict(judge, problem, "class Stack: pass").verdict is False


def test_a_value_that_cannot_cross_is_a_runtime_error_with_the_reason(judge: Judge) -> None:
    judgement = verdict(judge, ADD, "def add(a, b):\n    return object()")
    assert (
        set(judgement.outcomes) == {Outcome.RUNTIME_ERROR}
        and "a value of type object, which has no plain form" in judgement.reason
    )


def test_where_the_references_result_does_not_cross_the_tests_run_beside_the_solution(judge: Judge) -> None:
    problem = assert_problem(
        "f",
        "assert f('ab')",
        "assert not f('b')",
        "assert f('a')",
        reference="import re\ndef f(s):\n    return re.match('a', s)",
    )
    judgement = verdict(judge, problem, "def f(s):\n    import re\n    return re.search('^a', s)")
    assert (judgement.verdict, judgement.tamper_proof) == (True, False)


# --- checkers ---------------------------------------------------------------------------------------------------------------------

ANY_DIVISOR = "def check(input, expected, output):\n    n = int(input)\n    words = output.split()\n    return len(words) == 1 and words[0].isdigit() and 1 < int(words[0]) <= n and n % int(words[0]) == 0\n"


def test_a_checker_of_the_problems_own_decides() -> None:
    problem = stdin_problem(("12\n", "2\n"), ("35\n", "5\n"), ("7\n", "7\n"), checker=ANY_DIVISOR)
    with Judge(jobs=1) as judge:
        assert verdict(judge, problem, "n = int(input())\nprint(n)").verdict is True
        assert verdict(judge, problem, "print(2)").verdict is False
        assert verdict(judge, problem, "import os\nos.write(1, b'\\xff')").verdict is False


@pytest.mark.parametrize(
    "checker",
    [
        "def check(i, e, o):\n    return 1 / 0\n",
        "def check(i, e, o):\n    return 'yes'\n",
        "def other():\n    pass\n",
        "import sys\nsys.exit(0)\n",
        "def check(i, e, o):\n    import os\n    os._exit(0)\n",
    ],
)
def test_a_checker_that_does_not_say_true_or_false_is_our_fault(judge: Judge, checker: str) -> None:
    judgement = verdict(judge, stdin_problem(("1\n", "1\n"), checker=checker), "print(1)")
    assert (judgement.verdict, judgement.outcomes) == (
        None,
        (Outcome.JUDGE_ERROR,),
    ) and "the checker failed" in judgement.reason


# --- faults of ours -----------------------------------------------------------------------------------------------------------------


def runner_pids() -> set[int]:
    """The runners that this process has started."""
    mine = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _parent(entry) == os.getpid())
    return {int(entry.name) for entry in mine if b"runner" in (entry / "cmdline").read_bytes()}


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
    except (OSError, IndexError):
        return 0


def test_a_runner_killed_in_the_middle_changes_no_verdict() -> None:
    others = runner_pids()
    with Judge(jobs=2) as judge:
        ended = threading.Event()

        def kill_runners() -> None:
            while not ended.wait(0.15):
                for pid in sorted(runner_pids() - others)[:1]:
                    os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=kill_runners)
        thread.start()
        right, wrong = code("print(int(input()) ** 2)"), code("n = int(input())\nprint(n ** 2 if n % 2 else 0)")
        try:
            verdicts = [one.verdict for one in judge.map([(MANY, right), (MANY, wrong)] * 30)]
        finally:
            ended.set()
            thread.join()
    assert {*verdicts[::2]} <= {True, None} and {*verdicts[1::2]} <= {False, None}
    assert True in verdicts and False in verdicts


def test_a_runner_that_dies_every_time_is_a_judge_error_and_no_verdict() -> None:
    others = runner_pids()
    with Judge(jobs=1, policy=Policy(timeouts=Timeouts.FAIL)) as judge:
        stop = threading.Event()

        def kill_all() -> None:
            while not stop.wait(0.01):
                for pid in runner_pids() - others:
                    os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=kill_all)
        thread.start()
        try:
            judgement = judge.judge(stdin_problem(("1\n", "1\n")), code("import time\ntime.sleep(3)\nprint(1)"))
        except SandboxUnavailable:  # it was killed before it could say that it is there
            return
        finally:
            stop.set()
            thread.join()
    assert (judgement.verdict, judgement.outcomes) == (None, (Outcome.JUDGE_ERROR,))


def test_a_named_library_that_is_not_there_is_an_error_before_judging() -> None:
    with pytest.raises(SandboxUnavailable, match=r"'no_such_library'.*pip install"):
        Judge(policy=Policy(libraries=("no_such_library",)))


def test_without_walls_every_judgement_says_so() -> None:
    with Judge(jobs=1, sandbox="none") as judge:
        right, wrong = verdict(judge, SUM, RIGHT_SUM), verdict(judge, SUM, "print(0)")
    assert (right.verdict, wrong.verdict) == (True, False)
    assert right.sandbox == wrong.sandbox == "none" and all(
        "judged without walls" in one.reason for one in (right, wrong)
    )


def test_tests_that_are_none_are_an_error_and_no_verdict(judge: Judge) -> None:
    with pytest.raises(InputError, match=r"problem p: tests\[0\].input: expected JSON"):
        judge.judge(Problem(**{**vars(ADD), "tests": (type(ADD.tests[0])(input="nope", expected="1"),)}), code("x = 1"))


# --- using it ---------------------------------------------------------------------------------------------------------------------


def test_many_are_judged_in_input_order_in_bounded_memory(judge: Judge) -> None:
    taken = 0

    def pairs() -> Any:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield (
                SUM,
                Solution(
                    problem_id="p",
                    id=str(number),
                    code=f"a, b = map(int, input().split())\nprint(a + b + {number % 2})",
                ),
            )

    ahead = []
    for number, judgement in enumerate(judge.map(pairs())):
        ahead.append(taken - number)
        assert judgement.solution_id == str(number) and judgement.verdict is (number % 2 == 0)
    assert max(ahead) <= 16 * judge.jobs + 1


def test_it_can_be_awaited(judge: Judge) -> None:
    async def both() -> list[Judgement]:
        return await asyncio.gather(judge.ajudge(SUM, code(RIGHT_SUM)), judge.ajudge(SUM, code("print(1)")))

    assert [one.verdict for one in asyncio.run(both())] == [True, False]


def test_it_can_be_used_from_many_threads(judge: Judge) -> None:
    found: list[bool | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(judge.judge(SUM, code(RIGHT_SUM)).verdict)) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 12


def test_closing_it_in_the_middle_ends_everything_soon() -> None:
    others = runner_pids()
    judge = Judge(jobs=2)
    futures = [judge.submit(SUM, code("import time\ntime.sleep(60)")) for _ in range(4)]
    time.sleep(0.5)
    begun = time.monotonic()
    judge.close()
    assert time.monotonic() - begun < 10
    assert all(future.done() or future.cancelled() for future in futures)
    assert runner_pids() == others


def test_the_same_solution_has_the_same_judgement_every_time(judge: Judge) -> None:
    text = "import random\nn = int(input())\nprint(n ** 2 if random.random() < 0.9 else -1)"
    found = {(one.verdict, one.outcomes, one.reason) for one in judge.map([(MANY, code(text))] * 5)}
    assert len(found) == 1


# --- canaries ---------------------------------------------------------------------------------------------------------------------


def test_canaries_of_every_kind_keep_their_verdicts(judge: Judge) -> None:
    assert {problem.test_kind for problem, _, _ in KNOWN} == {"stdin", "function", "assert"}
    assert {(problem.test_kind, verdict) for problem, _, verdict in KNOWN} == {
        (kind, v) for kind in ("stdin", "function", "assert") for v in (True, False)
    }
    watch = Watch(judge)
    watch.look()
    first = watch._last
    watch.look()
    assert watch._last == first  # they are not judged again so soon


def test_a_canary_that_is_judged_otherwise_stops_everything(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, text, _ = KNOWN[0]
    monkeypatch.setattr("crl_data.judging.canaries.KNOWN", ((problem, text, False),))
    with pytest.raises(CanaryFlip, match="canary/stdin/0 was judged True, and is known to be False"):
        Watch(judge).look()


def test_explain_shows_every_test(judge: Judge) -> None:
    found = explain(judge, SUM, code("a, b = map(int, input().split())\nprint(a + b if a != 7 else 0)"))
    assert [(test.outcome, test.got) for test in found.tests][3:5] == [("passed", "0\n"), ("wrong_answer", "0\n")]
    assert found.tests[4].expected == "15\n" and found.tests[4].detail == r"expected '15\n', got '0\n'"
    values = explain(judge, PAIR, code("def pair(a, b):\n    return {3, 1, 2}"))
    assert values.tests[0].got == "{1, 2, 3}" and "expected (1, 2), got {1, 2, 3}" in values.tests[0].detail


def test_isolation_by_test_and_by_batch_agree(judge: Judge, per_test_judge: Judge) -> None:
    assert judge.policy.isolation is Isolation.BATCH and per_test_judge.policy.isolation is Isolation.PER_TEST
    for text in [*TRICKS.values(), *HONEST_STATE.values()]:
        one, other = verdict(judge, MANY, text), verdict(per_test_judge, MANY, text)
        assert (one.verdict, one.isolation, other.isolation) == (other.verdict, "batch", "per-test")
