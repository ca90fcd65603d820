"""Judging a solution several times: what differs ends undecided, what does not stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.judging import Judge, LimitFrom, Policy, Timeouts
from crl_data.judging.repeat import merged
from crl_data.judging.verdict import decide
from crl_data.sandbox import Limits, Program, open_sandbox
from crl_data.sandbox.client import Input
from crl_data.types import Judgement, Outcome
from tests.conftest import SUM, Bench, code, stdin_problem

POLICY = Policy(timeouts=Timeouts.INCONCLUSIVE)


def judgement(*outcomes: Outcome, policy: Policy = POLICY) -> Judgement:
    """What a judge would say of these outcomes."""
    decision = decide(outcomes, policy, LimitFrom.DEFAULT)
    return Judgement(
        problem_id="p",
        solution_id="s",
        verdict=decision.verdict,
        pass_rate=decision.pass_rate,
        n_tests=len(outcomes),
        n_passed=sum(outcome is Outcome.PASSED for outcome in outcomes),
        n_inconclusive=decision.n_inconclusive,
        outcomes=outcomes,
        limit_from="default",
        tamper_proof=True,
        isolation="batch",
        reason="first",
        seconds=1.0,
    )


P, W, T = Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.TIMEOUT
RUNS = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.lists(st.sampled_from(list(Outcome)), min_size=n, max_size=n), min_size=1, max_size=4)
)


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=8), st.integers(1, 4))
def test_runs_that_agree_are_one(outcomes: list[Outcome], times: int) -> None:
    one = judgement(*outcomes)
    assert merged([one] * times) == one


@given(RUNS)
def test_counts_are_those_of_the_tests_whatever_differs(runs: list[list[Outcome]]) -> None:
    whole = merged([judgement(*outcomes) for outcomes in runs])
    differing = [len(set(outcomes)) > 1 for outcomes in zip(*runs, strict=True)]
    always = sum(set(outcomes) == {P} for outcomes in zip(*runs, strict=True))
    assert whole.n_tests == len(runs[0]) and whole.n_passed == always
    assert sum(differing) <= whole.n_inconclusive
    assert whole.n_passed + whole.n_inconclusive <= whole.n_tests
    assert [outcome is Outcome.NOT_RUN for outcome in whole.outcomes] == [
        differs or outcome is Outcome.NOT_RUN for differs, outcome in zip(differing, runs[0], strict=True)
    ]
    if any(differing):
        assert whole.verdict is None and whole.pass_rate is None


@given(RUNS)
def test_the_order_of_runs_after_the_first_decides_nothing(runs: list[list[Outcome]]) -> None:
    first, *others = [judgement(*outcomes) for outcomes in runs]
    one, other = merged([first, *others]), merged([first, *reversed(others)])
    assert (one.verdict, one.pass_rate, one.n_passed, one.n_inconclusive) == (
        other.verdict,
        other.pass_rate,
        other.n_passed,
        other.n_inconclusive,
    )


def test_the_reason_names_the_first_test_that_differs_and_how_often_it_was_run() -> None:
    whole = merged([judgement(P, P, W), judgement(P, W, P), judgement(P, T, W)])
    assert (
        whole.reason
        == "not the same every time: 3 runs of test 2 differ: passed, wrong answer, timeout; so do those of 1 other test"
    )
    assert "other test" not in merged([judgement(P, W), judgement(P, P)]).reason


def test_a_test_that_differs_and_was_undecided_is_counted_once() -> None:
    assert merged([judgement(T), judgement(P)]).n_inconclusive == 1
    assert merged([judgement(T, T), judgement(P, T)]).n_inconclusive == 2


def test_runs_of_other_lengths_are_no_runs_of_one_solution() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        merged([judgement(P), judgement(P, P)])


def test_a_program_that_is_random_by_itself_is_undecided_and_another_is_not(judge: Judge) -> None:
    """A coin is thrown by the clock: every run of the judge sees other sides of it."""
    coin = "import os\na, b = map(int, input().split())\nprint(a + b + os.urandom(1)[0] // 128 * (a == 10))\n"
    seen = [judge.judge(SUM, code(f"# {n}\n{coin}")) for n in range(1, 13)]
    assert merged(seen).verdict is None and "not the same every time" in merged(seen).reason
    steady = code("import random\na, b = map(int, input().split())\nrandom.random()\nprint(a + b)\n")
    assert merged([judge.judge(SUM, steady) for _ in range(3)]).verdict is True


# --- what is the same every time, and what a program makes random by itself -------------------------------------------------------

# Each line prints something that must be the same in every process, of every worker, whatever was judged before.
SAME_EVERY_TIME = """import os, random, sys, locale, time, tempfile
class A: pass
print(hash("x"), hash((1, "y", b"z")), {str(n) for n in range(50)}, {b"%d" % n for n in range(50)})
print([a is b for a in [A()] for b in (a,)])
print(random.random(), random.randrange(10 ** 9), random.sample(range(100), 3), random.Random(1).random())
print(dict(os.environ), os.getcwd(), sys.argv, sys.path, sys.flags, sys.executable, os.getuid(), os.uname().nodename)
print(locale.setlocale(locale.LC_ALL), time.tzname, sys.getfilesystemencoding(), sys.stdout.encoding, os.umask(0o22))
print(os.listdir("/"), os.listdir("/box"), os.listdir("."), tempfile.gettempdir(), os.stat(".").st_mtime, os.stat(__file__).st_size)
print(sys.getrecursionlimit(), len(sys.modules), sorted(sys.modules), __file__, __name__)
"""
NUMPY = "import numpy\nprint(numpy.random.rand(3), numpy.random.randint(10 ** 9), numpy.random.permutation(9))\n"
OTHERS = [
    "print(1)",
    "import os\nfor _ in range(20): os.fork()",
    "import threading\n[threading.Thread(target=print).start() for _ in range(9)]",
    "def (",
    "open('x', 'w').write('x' * 10 ** 6)",
    "1/0",
    "x = [list(range(100)) for _ in range(10 ** 4)]",
]


@pytest.mark.parametrize("program", [SAME_EVERY_TIME, NUMPY])
def test_a_program_finds_the_same_in_every_worker_whatever_was_judged_before(program: str) -> None:
    """Also its addresses, by which sets of objects are ordered: in the first cell of a runner, and in all later ones."""
    sandbox = open_sandbox("local", ("numpy",))
    loaded = "numpy" in program
    answers: dict[bytes, list[str]] = {}
    for number in range(3):
        runner = sandbox.start(loaded)
        try:
            bench = Bench(runner)
            for place in range(7):
                for fresh in (False, True):
                    (seen,) = bench(program, fresh=fresh)
                    assert seen.how == "ended", seen.note
                    answers.setdefault(seen.answer, []).append(f"runner {number}, program {place}, fresh {fresh}")
                for other in OTHERS[: 1 + (place + number) % len(OTHERS)]:
                    opened = runner.open(Program(code=other, mode="stdin"), Limits(cpu_s=1.0, processes=40))
                    if not isinstance(opened, str):
                        opened.run([Input(b"", 1)], fresh=place % 2 == 0)
        finally:
            runner.close()
    assert len(answers) == 1, "\n".join(f"{places[:3]}: {answer!r}" for answer, places in answers.items())


def test_seeds_are_those_of_the_problem_and_the_test_and_not_of_the_solution_or_its_order(judge: Judge) -> None:
    """Two solutions see the same numbers on a test, and another on another: so one cannot be luckier than the other."""
    problem = stdin_problem(*((f"{n}\n", "no\n") for n in range(4)))
    seen = []
    for comment in ("one", "another"):
        program = code(f"# {comment}\nimport random\ninput()\nprint(random.random())")
        _, gathered, _ = judge.gathered(problem, program)
        seen.append([one.seen.answer for one in gathered.results if one])
    assert seen[0] == seen[1] and len(set(seen[0])) == 4


RANDOM_BY_ITSELF = {
    "the time": "import time\nbit = time.time_ns() // 1000",
    "a clock that goes on": "import time\nbit = time.perf_counter_ns() // 1000",
    "bytes of the system": "import os\nbit = os.urandom(1)[0]",
    "an id that is made to be its own": "import uuid\nbit = uuid.uuid4().int",
    "the random numbers of the system": "import random\nbit = random.SystemRandom().randrange(2)",
    "secrets": "import secrets\nbit = secrets.randbelow(2)",
    "a name of a temporary file": "import tempfile\nbit = sum(map(ord, tempfile.mkdtemp()))",
}


@pytest.mark.parametrize("source", RANDOM_BY_ITSELF)
def test_what_a_program_makes_random_by_itself_is_found_by_repeating_and_ends_undecided(
    judge: Judge, source: str
) -> None:
    """A coin for each test: that eight runs of six tests all fall alike is less likely than one in 10^12."""
    coin = code(f"a, b = map(int, input().split())\n{RANDOM_BY_ITSELF[source]}\nprint(a + b + bit % 2)")
    seen = [future.result() for future in [judge.submit(SUM, coin) for _ in range(8)]]
    assert merged(seen).verdict is None and "not the same every time" in merged(seen).reason


STEADY = {
    "a set of texts": "print(a + b if list({str(n) for n in range(99)}) == list({str(n) for n in range(99)}) else 0, len(set('ab')) - 2 or '')",
    "the order of a set of texts": "print(a + b + (list({'p', 'q', 'r', 's'})[0] == 'p'))",
    "the order of a set of objects": "class A: pass\nobjects = [A() for _ in range(20)]\nprint(a + b + (objects.index(next(iter(set(objects)))) % 2))",
    "an address": "print(a + b + id(object()) // 16 % 2)",
    "random numbers": "import random\nprint(a + b + random.randrange(2))",
    "a hash": "print(a + b + hash('x') % 2 + hash(object()) % 2)",
    "its process id": "import os\nprint(a + b + (os.getpid() < 1))",
    "the order of a folder": "import os\nfor n in range(9): open(str(n), 'w').close()\nprint(a + b + (os.listdir()[0] == '0'))",
}


@pytest.mark.parametrize("source", STEADY)
def test_what_elsewhere_is_random_is_the_same_here_every_time(judge: Judge, source: str) -> None:
    """Right or wrong: the same outcomes, by whichever worker."""
    steady = code(f"a, b = map(int, input().split())\n{STEADY[source]}")
    seen = [future.result() for future in [judge.submit(SUM, steady) for _ in range(8)]]
    assert len({one.outcomes for one in seen}) == 1, [one.reason for one in seen]
