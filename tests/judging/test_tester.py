"""Tests written as source run in a process of ours: what they can do there, and what a solution cannot do to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crl_data.judging import Judge
from crl_data.judging.policy import Way
from crl_data.types import Outcome, Problem, Test, TestKind
from tests.conftest import assert_problem, judged, way_of

SQUARES = replace(
    assert_problem("f", "for n in range(4):\n    assert f(n) == n * n"), reference="def f(n):\n    return n * n\n"
)


def holds(judge: Judge, reference: str, test: str, entry: str = "f", setup: str | None = None) -> Way | None:
    """The way in which a reference passes a test that does not split, because of the loop around it."""
    looped = "for _ in range(1):\n" + "".join(f"    {line}\n" for line in test.splitlines())
    problem = replace(assert_problem(entry, looped), reference=reference, test_setup=setup)
    way = way_of(judge, problem)
    assert judged(judge, problem, reference).verdict is True
    return way


# --- what a test may do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "test"),
    [
        ("def f(a):\n    return a", "a = [1]\nassert f(a) is a"),
        ("def f(a):\n    return a", "t = (1, 'x')\nassert f(t) is t"),
        ("def f(a, b):\n    return a is b", "a = []\nassert f(a, a) and not f([], [])"),
        ("def f(a):\n    a.sort()", "x = [3, 1, 2]\nf(x)\nassert x == [1, 2, 3]"),
        ("def f(d):\n    d['k'].append(1)", "d = {'k': []}\ninner = d['k']\nf(d)\nassert inner == [1] and d['k'] is inner"),
        ("def f(s):\n    s.discard(1)", "s = {1, 2}\nf(s)\nassert s == {2}"),
        ("def f():\n    row = [0]\n    return [row, row]", "r = f()\nr[0].append(1)\nassert r[1] == [0, 1]"),
        ("def f(x):\n    return (x, True, 1.0, b'b', {1}, frozenset('a'), 1j, None, ..., range(3))",
         "assert f(1) == (1, True, 1.0, b'b', {1}, frozenset('a'), 1j, None, ..., range(3)) and type(f(True)[0]) is bool"),
        ("from fractions import Fraction\nfrom decimal import Decimal\nimport datetime\ndef f():\n    return Fraction(1, 3), Decimal('0.10'), datetime.date(2020, 1, 2)",
         "from fractions import Fraction\nfrom decimal import Decimal\nimport datetime\nassert f() == (Fraction(1, 3), Decimal('0.1'), datetime.date(2020, 1, 2))"),
        ("def f(n):\n    return 10 ** n", "assert f(5000) == 10 ** 5000"),
        ("def f():\n    return float('nan'), float('-inf'), -0.0",
         "import math\nn, i, z = f()\nassert math.isnan(n) and i == -math.inf and math.copysign(1, z) == -1"),
        ("import collections\ndef f(t):\n    return collections.Counter(t)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("def f(x):\n    if x < 0:\n        raise ValueError(f'no {x}', x)\n    return x",
         "try:\n    f(-1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == str(ValueError('no -1', -1)) and e.args == ('no -1', -1)"),
        ("def f(k):\n    return {}[k]", "try:\n    f('k')\nexcept KeyError as e:\n    assert e.args == ('k',)\nelse:\n    assert False"),
        ("def f(g):\n    return list(map(g, ['1', '2']))", "assert f(int) == [1, 2]"),
        ("def f(*a, k=1, **n):\n    return a, k, n", "assert f(1, 2, k=3, z=[4]) == ((1, 2), 3, {'z': [4]})"),
        ("def f(s):\n    return s", "assert f('\\ud800é\\n') == '\\ud800é\\n'"),
        ("def f():\n    print('hello')",
         "import contextlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    f()\nassert out.getvalue() == 'hello\\n'"),
    ],
)  # fmt: skip
def test_values_identity_exceptions_and_output_cross(judge: Judge, reference: str, test: str) -> None:
    assert holds(judge, reference, test) is Way.TESTER


def test_arrays_of_numpy_cross(judge: Judge) -> None:
    reference = "import numpy as np\ndef f(a):\n    a += 1\n    return a.sum(), a.T, np.float32(0.5)"
    test = (
        "import numpy as np\na = np.arange(6.0).reshape(2, 3)\ns, t, h = f(a)\n"
        "assert type(s) is np.float64 and s == 21 and t.shape == (3, 2) and a[0, 0] == 1 and type(h) is np.float32\n"
        "assert np.allclose(t.T, a)"
    )
    assert holds(judge, reference, test) is Way.TESTER


STACK = (
    "class Full(ValueError):\n    def __init__(self, size):\n        super().__init__(f'full at {size}')\n        self.size = size\n"
    "class Stack:\n    limit = 2\n    def __init__(self):\n        self.items = []\n    def push(self, x):\n"
    "        if len(self.items) == self.limit:\n            raise Full(self.limit)\n        self.items.append(x)\n"
    "        return self\n    def pop(self):\n        return self.items.pop()\n    def __len__(self):\n"
    "        return len(self.items)\n    def __iter__(self):\n        return iter(self.items)\n    @property\n"
    "    def top(self):\n        return self.items[-1]\n    @staticmethod\n    def name():\n        return 'stack'\n"
)


def test_objects_that_a_test_makes_stay_with_the_solution_and_count_as_values(judge: Judge) -> None:
    test = (
        "s = Stack()\nassert s.push(1) is s and isinstance(s, Stack)\ns.push([2])\nassert s.top == [2] and len(s) == 2\n"
        "assert list(s) == [1, [2]] and s.pop() == [2] and Stack.name() == 'stack' and Stack.limit == 2\n"
        "s.items = [7]\nassert s.pop() == 7\n"
        "try:\n    s.push(1).push(2).push(3)\n    assert False\nexcept Full as e:\n    assert e.size == 2 and str(e) == 'full at 2'"
    )
    assert holds(judge, STACK, test, "Stack") is Way.TESTER


@pytest.mark.parametrize(
    ("reference", "test", "way"),
    [
        ("class P:\n    def __init__(self, x):\n        self.x = x\n    def __eq__(self, o):\n        return self.x == o.x", "assert P(1) == P(1)", Way.HANDLES),
        ("class P:\n    def next(self):\n        return P()\n    def one(self):\n        return 1", "assert P().next().one() == 1", Way.HANDLES),
        ("def P():\n    n = 0\n    while True:\n        yield n\n        n += 1", "g = P()\nassert [next(g) for _ in range(3)] == [0, 1, 2]", Way.HANDLES),
        ("def P(g, x):\n    return g(x) + 1", "assert P(lambda n: 2 * n, 3) == 7", Way.HANDLES),
        ("def P(n):\n    return n.value", "class N:\n    value = 3\nassert P(N()) == 3", Way.BESIDE),
    ],
)  # fmt: skip
def test_what_the_solution_decides_is_judged_and_said_not_to_be_tamper_proof(
    judge: Judge, reference: str, test: str, way: Way
) -> None:
    assert holds(judge, reference, test, "P") is way


def test_a_module_is_executed_afresh_for_every_test(judge: Judge) -> None:
    counts = "for _ in range(1):\n    assert f() == 1"
    problem = replace(
        assert_problem("f", counts, counts), reference="n = 0\ndef f():\n    global n\n    n += 1\n    return n"
    )
    assert way_of(judge, problem) is Way.TESTER
    assert judged(judge, problem, problem.reference or "").verdict is True


# --- what a solution may not do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("class E:\n    def __eq__(self, o):\n        return True\ndef f(n):\n    return E()", Outcome.RUNTIME_ERROR, "cannot cross"),
        ("class E(int):\n    def __eq__(self, o):\n        return True\n    __hash__ = None\ndef f(n):\n    return E(99)", Outcome.WRONG_ANSWER, "99"),
        ("class E:\n    __class__ = int\n    def __eq__(self, o):\n        return True\ndef f(n):\n    return E()", Outcome.RUNTIME_ERROR, "cannot cross"),
        ("import os\ndef f(n):\n    os._exit(0)", Outcome.RUNTIME_ERROR, "exit status 0"),
        ("import sys\ndef f(n):\n    sys.exit(0)", Outcome.RUNTIME_ERROR, "exit status 0"),
        ("def f(n):\n    raise KeyboardInterrupt", Outcome.RUNTIME_ERROR, "ended"),
        ("def f(n):\n    raise GeneratorExit", Outcome.RUNTIME_ERROR, "ended"),
        ("import os, signal\ndef f(n):\n    os.kill(os.getpid(), signal.SIGKILL)", Outcome.RUNTIME_ERROR, "SIGKILL"),
        ("raise SystemExit", Outcome.RUNTIME_ERROR, "sys.exit"),
        ("def g(n):\n    return n * n", Outcome.RUNTIME_ERROR, "not defined"),
        ("def f(n):\n    return iter([n * n])", Outcome.RUNTIME_ERROR, "cannot cross"),
        ("import socket\nsocket.socket(fileno=702).sendall(b'\\1\\0\\0\\0[')\ndef f(n):\n    return n * n", Outcome.RUNTIME_ERROR, ""),
        ("import socket\ndef f(n):\n    socket.socket(fileno=701).send(b'x' * 64)\n    return n * n", Outcome.RUNTIME_ERROR, "channel"),
        ("def f(n):\n    return 'x' * (20 << 20)", Outcome.RUNTIME_ERROR, "at most"),
        ("def f(n):\n    x = []\n    for _ in range(1000):\n        x = [x]\n    return x", Outcome.RUNTIME_ERROR, "nested"),
        ("def f(n):\n    x = [0]\n    for _ in range(64):\n        x = [x, x]\n    return x", Outcome.RUNTIME_ERROR, "parts"),
        ("def f(n):\n    while True:\n        pass", Outcome.TIMEOUT, "CPU"),
        ("def f(n):\n    raise ValueError('no')", Outcome.RUNTIME_ERROR, "ValueError: no"),
    ],
)  # fmt: skip
def test_a_solution_that_is_wrong_does_not_pass_whatever_it_does(
    judge: Judge, text: str, outcome: Outcome, reason: str
) -> None:
    judgement = judged(judge, SQUARES, text)
    assert judgement.verdict is False and judgement.tamper_proof is True
    assert set(judgement.outcomes) == {outcome}, judgement.reason
    assert reason in judgement.reason


CATCHES = replace(
    assert_problem("f", "for n in range(2):\n    try:\n        f(n)\n    except BaseException:\n        pass"),
    reference="def f(n):\n    return n",
)


@pytest.mark.parametrize(
    "text", ["def f(n):\n    raise SystemExit", "def f(n):\n    return object()", "import os\nf = os._exit"]
)
def test_a_fault_of_the_solution_stays_whatever_the_test_catches(judge: Judge, text: str) -> None:
    assert judged(judge, CATCHES, text).verdict is False
    assert judged(judge, CATCHES, "def f(n):\n    raise ValueError").verdict is True, "as the test says"


def test_a_test_that_takes_too_long_itself_is_no_word_about_the_solution(judge: Judge) -> None:
    hangs = replace(
        assert_problem("f", "for n in range(1):\n    while f(n) > 0:\n        pass"),
        reference="def f(n):\n    return 0",
        time_limit_s=0.5,
    )
    judgement = judged(
        judge,
        replace(hangs, tests=(Test(input="x = f(0)\nfor _ in range(1):\n    while x:\n        pass"),)),
        "def f(n):\n    return 1",
    )
    assert judgement.verdict is None and judgement.outcomes == (Outcome.JUDGE_ERROR,)
    assert "the test itself" in judgement.reason


def test_what_a_solution_does_to_its_own_modules_changes_nothing_in_the_tester(judge: Judge) -> None:
    patched = (
        "import builtins, operator, math\nmath.isclose = lambda *a, **k: True\nbuiltins.range = lambda n: []\n"
        "builtins.AssertionError = None\ndef f(n):\n    return 0\n"
    )
    assert judged(judge, SQUARES, patched).verdict is False


def test_files_of_a_solution_are_not_in_sight_of_the_tester(judge: Judge) -> None:
    planted = replace(
        assert_problem(
            "f", "import os\nfor n in range(1):\n    f(n)\n    assert os.listdir('.') == []\n    import json"
        ),
        reference="def f(n):\n    open('json.py', 'w').write('raise SystemExit')",
    )
    assert way_of(judge, planted) is Way.TESTER


def test_the_isolations_agree(judge: Judge, per_test_judge: Judge) -> None:
    for text in (
        SQUARES.reference or "",
        "def f(n):\n    return n",
        "x = 0\ndef f(n):\n    global x\n    x += 1\n    return n * n if x < 3 else 0",
    ):
        assert judged(judge, SQUARES, text).outcomes == judged(per_test_judge, SQUARES, text).outcomes


def test_a_problem_without_a_reference_is_judged_by_what_its_tests_suggest(judge: Judge) -> None:
    stack = replace(
        assert_problem("Stack", "s = Stack()\nfor n in range(3):\n    s.push(n)\nassert s.pop() == 2"), reference=None
    )
    good = "class Stack:\n    def __init__(self):\n        self.i = []\n    def push(self, x):\n        self.i.append(x)\n    def pop(self):\n        return self.i.pop()"
    assert judged(judge, stack, good).verdict is True
    assert judged(judge, stack, good.replace("self.i.pop()", "0")).verdict is False


# --- test modules -----------------------------------------------------------------------------------------------------

MODULE = """
import pytest, unittest
from solution import add, Stack, LIMIT
from solution import add as test_add

@pytest.fixture
def three():
    return 3

@pytest.mark.parametrize("a,b,c", [(1, 2, 3), ("x", "y", "xy")])
def test_sums(a, b, c):
    assert add(a, b) == c

def test_fixture(three, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert add(three, 1) == 4
    assert capsys.readouterr().out == "adding\\n"

def test_files(tmp_path):
    (tmp_path / "file").write_text("x")
    assert add(1, 1) == 2 and len(list(tmp_path.iterdir())) == 1

def test_raises():
    with pytest.raises(TypeError, match="no"):
        add(None, 1)

class TestStack:
    def test_push(self):
        stack = Stack()
        stack.push(1)
        assert stack.pop() == LIMIT == 1
"""
MODULE_IDS = (
    "test_sums[1-2-3]",
    "test_sums[x-y-xy]",
    "test_fixture",
    "test_files",
    "test_raises",
    "TestStack::test_push",
)
MODULE_REFERENCE = """
LIMIT = 1
class Stack(list):
    push = list.append
def add(a, b):
    print("adding")
    if a is None:
        raise TypeError("no such sum")
    return a + b
"""


def module_problem(source: str, *ids: str, reference: str | None = None) -> Problem:
    tests = tuple(Test(input=one) for one in ids)
    return Problem(id="m", question="?", test_kind=TestKind.PYTEST, tests=tests, test_setup=source, reference=reference)


def test_a_module_of_pytest_is_judged_test_by_test(judge: Judge) -> None:
    problem = module_problem(MODULE, *MODULE_IDS, reference=MODULE_REFERENCE)
    assert way_of(judge, problem) is Way.TESTER
    right = judged(judge, problem, MODULE_REFERENCE)
    assert right.verdict is True and right.tamper_proof
    wrong = judged(judge, problem, MODULE_REFERENCE.replace("a + b", "b + a"))
    assert [str(one) for one in wrong.outcomes] == ["passed", "wrong_answer", "passed", "passed", "passed", "passed"]
    quiet = judged(judge, problem, MODULE_REFERENCE.replace('print("adding")', "pass"))
    assert quiet.outcomes[2] is Outcome.WRONG_ANSWER and quiet.n_passed == 5


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\npytest.skip('x', allow_module_level=True)\n",
        "import unittest\nraise unittest.SkipTest('x')\n",
        "import unittest\ndef add(a, b):\n    raise unittest.SkipTest('x')\nclass Stack:\n    pass\nLIMIT = 1\n",
        "open('conftest.py', 'w').write('import os; os._exit(0)')\ndef add(a, b):\n    return 0\nLIMIT = 1\nclass Stack:\n    pass\n",
        "def add(a, b):\n    return a + b\n",
    ],
)
def test_a_module_is_not_skipped_by_the_solution(judge: Judge, text: str) -> None:
    problem = module_problem(MODULE, *MODULE_IDS[:4], reference=MODULE_REFERENCE)
    judgement = judged(judge, problem, text)
    assert judgement.verdict is False and judgement.n_passed == 0, judgement.reason


@pytest.mark.parametrize("node", ["test_add", "add", "helper", "Stack::helper", "Stack::Stack::add"])
def test_what_is_no_test_of_the_module_does_not_pass(judge: Judge, node: str) -> None:
    for source in (
        MODULE + "def helper():\n    pass\n",
        "from solution import add, Stack, LIMIT\nfrom solution import add as test_add\ndef helper():\n    pass\n",
    ):
        problem = module_problem(source, node, reference=MODULE_REFERENCE)
        assert "no test" in judge.prepare(problem).result().reference_fault
