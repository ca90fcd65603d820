"""Test modules: what is judged of each test is what pytest itself says of it, by the small runner and by pytest in a cell.

`MODULES` are run by `python -m pytest`, all at once in a process of its own, and by the judge, test by test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from crl_data.errors import InputError
from crl_data.judging import Judge, interface, limits, modules, plan
from crl_data.judging.policy import Way
from crl_data.problems import fault_of
from crl_data.types import Outcome, Problem, Solution, Test, TestKind

SOLUTION = """
class Full(ValueError):
    pass

def add(a, b):
    if a is None:
        raise Full("no sum of None")
    return a + b

def merge(a=(), b=()):
    return sorted([*a, *b])

def leave(code):
    raise ValueError(code)
"""

MODULES = {
    "functions": """
from solution import add
from solution import merge as test_merge
from math import sqrt as test_sqrt
import operator
test_alias = operator.add
value = 3

def helper():
    return 1

def test_good():
    assert add(1, 2) == 3

def test_bad():
    assert add(1, 2) == 4, "a message"

def test_raises_by_itself():
    raise KeyError("x")

def test_default(n=2):
    assert add(n, 1) == 3

def test():
    assert add(1, 1) == 2

def testing_without_underscore():
    assert add(1, 1) == 2

def Test_capital():
    assert True

def _test_private():
    assert True

test_lambda = lambda: add(1, 1)
testvalue = 4
also_named = test_good
test_also_named = test_bad
test_of_helper = helper
""",
    "returns": """
from solution import add

def test_returns_false():
    return add(1, 1) == 3

def test_returns_true():
    return True

def test_returns_value():
    return [1]

async def test_async():
    assert add(1, 1) == 2

async def test_async_generator():
    yield 1

class TestReturns:
    def test_returns_false(self):
        return False

    async def test_async(self):
        assert False
""",
    "generators": """
from solution import add

def test_generator():
    yield add(1, 1)

def test_good():
    assert True
""",
    "duplicates": """
from solution import add

def test_twice():
    assert add(1, 1) == 3

def test_twice():
    assert add(1, 1) == 2

def test_gone():
    assert True

test_gone = 3

def test_deleted():
    assert True

del test_deleted

class TestTwice:
    def test_a(self):
        assert True

class TestTwice:
    def test_b(self):
        assert add(1, 1) == 2

if add:
    def test_conditional():
        assert True

for n in range(2):
    def test_loop():
        assert n == 1

globals()["test_made"] = lambda: None

def _make():
    def test_inner():
        assert add(1, 1) == 2
    return test_inner

test_inner = _make()
test_inner_by_another_name = _make()
""",
    "around": """
from solution import add
log = []

def setup_module(module):
    assert module.log is log
    log.append("module")

def teardown_module():
    assert log[0] == "module"

def setup_function(function):
    log.append(function.__name__)

def teardown_function(function):
    log.append("after " + function.__name__)

def test_function():
    assert log[0] == "module" and log[-1] == "test_function"

class TestMethods:
    @classmethod
    def setup_class(cls):
        cls.seen = ["class"]

    @classmethod
    def teardown_class(cls):
        assert cls.seen[0] == "class"

    def setup_method(self, method):
        self.name = method.__name__
        self.seen.append("method")

    def teardown_method(self):
        assert self.name

    def test_around(self):
        assert self.name == "test_around" and self.seen[-1] == "method" and log[0] == "module"
        assert log[-1] != "test_around", "setup_function is not for methods"

    def test_bad(self):
        assert add(1, 1) == 3

    def helper(self):
        pass
""",
    "around_without_arguments": """
from solution import add
log = []

def setup_module():
    log.append(1)

def setup_function():
    log.append(2)

def test_it():
    assert log[0] == 1 and log[-1] == 2

class TestSelf:
    def setup_class(self):
        self.a = 1

    def setup_method(self):
        self.b = 2

    def setup(self):
        self.c = 3

    def test_a_and_b(self):
        assert (self.a, self.b) == (1, 2)

    def test_no_c(self):
        assert self.c == 3
""",
    "around_fails": """
from solution import add

def setup_function(function):
    if "setup" in function.__name__:
        raise RuntimeError("setup")

def teardown_function(function):
    if "teardown" in function.__name__:
        raise RuntimeError("teardown")

def test_setup():
    assert True

def test_teardown():
    assert True

def test_neither():
    assert True

class TestSetup:
    def setup_method(self):
        raise RuntimeError

    def test_it(self):
        pass

class TestTeardown:
    def teardown_method(self):
        raise RuntimeError

    def test_it(self):
        pass

class TestClassSetup:
    @classmethod
    def setup_class(cls):
        raise RuntimeError

    def test_it(self):
        pass

class TestStaticSetup:
    @staticmethod
    def setup_class():
        pass

    def test_it(self):
        pass
""",
    "module_setup_fails": """
from solution import add

def setup_module():
    raise RuntimeError

def test_it():
    assert True
""",
    "module_assert_fails": """
from solution import add
assert add(1, 1) == 3

def test_it():
    assert True
""",
    "import_fails": """
from solution import add
import no_such_module_anywhere

def test_it():
    assert True
""",
    "module_exits": """
import sys
from solution import add

def test_it():
    assert True

if __name__ == "__main__":
    sys.exit(1)
""",
    "exits": """
import sys
from solution import add

def test_exit_0():
    sys.exit(0)

def test_exit():
    raise SystemExit

def test_base():
    class Odd(BaseException):
        pass
    raise Odd

def test_caught():
    try:
        sys.exit(3)
    except SystemExit as error:
        assert error.code == 3
""",
    "classes": """
from solution import add

class Base:
    def test_base(self):
        assert add(1, 1) == 2

    def test_overridden(self):
        assert False

class TestChild(Base):
    def test_overridden(self):
        assert add(1, 1) == 2

class TestGrandchild(TestChild):
    pass

class TestWithInit:
    def __init__(self):
        self.a = 1

    def test_it(self):
        assert self.a

class TestInheritsInit(TestWithInit):
    def test_other(self):
        pass

class TestWithNew:
    def __new__(cls):
        return super().__new__(cls)

    def test_it(self):
        pass

class TestStatic:
    @staticmethod
    def test_static():
        assert add(1, 1) == 2

    @staticmethod
    def test_static_bad():
        assert add(1, 1) == 3

    @classmethod
    def test_class(cls):
        assert cls.__name__ == "TestStatic" and add(1, 1) == 2

    @property
    def test_property(self):
        return 1

    test_value = 3
    test_function = lambda self: add(1, 1)

class TestNotCollected:
    __test__ = False

    def test_it(self):
        assert True

class TestState:
    shared = []

    def test_attribute(self):
        self.x = 1
        assert not hasattr(TestState, "x")

class Testing:
    def test_it(self):
        assert True

class ATest:
    def test_it(self):
        assert True

class test_lower:
    def test_it(self):
        assert True

TestByAnotherName = TestState

def test_not_collected():
    assert True

test_not_collected.__test__ = False
""",
    "nested": """
import unittest
from solution import add

class TestOuter:
    def test_outer(self):
        assert True

    class TestInner:
        def test_inner(self):
            assert add(1, 1) == 2

        def test_inner_bad(self):
            assert add(1, 1) == 3

    class Inner:
        def test_inner(self):
            assert True

class TestInheritsNested(TestOuter):
    pass

class Nested(unittest.TestCase):
    class Inner(unittest.TestCase):
        def test_inner(self):
            pass
""",
    "cases": """
import unittest
from unittest import TestCase
from solution import add, Full

class Sums(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = ["class"]

    def setUp(self):
        self.log.append("test")
        self.addCleanup(self.log.append, "cleaned")

    def tearDown(self):
        self.assertEqual(self.log[0], "class")

    def test_good(self):
        self.assertEqual(add(1, 2), 3)

    def test_bad(self):
        self.assertEqual(add(1, 2), 4, "a message")

    def test_raises(self):
        with self.assertRaises(Full) as caught:
            add(None, 1)
        self.assertIn("None", str(caught.exception))

    def test_raises_none(self):
        with self.assertRaises(Full):
            add(1, 1)

    def test_error(self):
        raise KeyError

    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertEqual(add(n, 1), n + 1)

    def test_sub_bad(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)

    def test_sub_error(self):
        with self.subTest(n=1):
            raise KeyError

    def test_sub_skipped(self):
        with self.subTest(n=1):
            self.skipTest("x")

    def test_skipped_inside(self):
        self.skipTest("no")

    @unittest.skip("no")
    def test_skipped(self):
        pass

    @unittest.skipIf(False, "no")
    def test_not_skipped(self):
        self.assertTrue(add(1, 1))

    @unittest.expectedFailure
    def test_expected(self):
        self.assertEqual(add(1, 1), 3)

    @unittest.expectedFailure
    def test_unexpected(self):
        self.assertEqual(add(1, 1), 2)

    def test_cleanup_fails(self):
        self.addCleanup(lambda: 1 / 0)

    def test_exits(self):
        raise SystemExit(0)

    def test_returns(self):
        return 3

    async def test_async(self):
        assert False

    def helper(self):
        pass

class Child(Sums):
    def test_bad(self):
        self.assertEqual(add(1, 2), 3)

class Mixin:
    def test_mixed(self):
        self.assertEqual(self.sum, 3)

class Mixed(Mixin, TestCase):
    sum = 3

class SetUpFails(TestCase):
    def setUp(self):
        raise RuntimeError

    def test_it(self):
        pass

class TearDownFails(TestCase):
    def tearDown(self):
        self.fail("x")

    def test_it(self):
        pass

class ClassFails(TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError

    def test_it(self):
        pass

class ClassSkips(TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("x")

    def test_it(self):
        pass

class ClassTearDownFails(TestCase):
    @classmethod
    def tearDownClass(cls):
        raise RuntimeError

    def test_it(self):
        pass

class ClassCleanupFails(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: 1 / 0)

    def test_it(self):
        pass

@unittest.skip("no")
class Skipped(TestCase):
    def test_it(self):
        pass

class Asynchronous(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.n = 1

    async def test_good(self):
        self.assertEqual(add(self.n, 1), 2)

    async def test_bad(self):
        self.assertEqual(add(self.n, 1), 3)

class WithInit(TestCase):
    def __init__(self, *args):
        super().__init__(*args)
        self.n = 1

    def test_it(self):
        self.assertEqual(self.n, 1)

class RunTest(TestCase):
    def runTest(self):
        self.assertEqual(add(1, 1), 2)

class WithMethods(TestCase):
    def setup_method(self, method):
        self.n = 1

    def test_it(self):
        self.assertEqual(self.n, 1)
""",
    "decorated": """
import functools, io, contextlib, warnings
from unittest import mock
from unittest.mock import patch
from solution import add

def wrapped(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

def bare(function):
    def inner():
        return function()
    return inner

def given(value):
    def decorate(function):
        @functools.wraps(function)
        def inner():
            return function(value)
        return inner
    return decorate

@wrapped
def test_wrapped():
    assert add(1, 1) == 2

@wrapped
def test_wrapped_bad():
    assert add(1, 1) == 3

@bare
def test_bare():
    assert add(1, 1) == 2

@functools.lru_cache
def test_cached():
    assert add(1, 1) == 2

@patch("os.getcwd")
def test_patched(getcwd):
    getcwd.return_value = 3
    import os
    assert add(os.getcwd(), 1) == 4

@patch("os.getcwd", return_value=3)
@patch("os.getpid", return_value=4)
def test_patched_twice(getpid, getcwd):
    import os
    assert os.getcwd() == 3 and os.getpid() == 4 and getpid.called

@patch("sys.stdout", new_callable=io.StringIO)
def test_output(out):
    print(add(1, 1))
    assert out.getvalue() == "2\\n"

@mock.patch("os.getcwd", new=lambda: 5)
def test_patched_new():
    import os
    assert os.getcwd() == 5

@mock.patch.object(functools, "reduce")
def test_patched_object(reduce):
    functools.reduce()
    assert reduce.called

@mock.patch.dict("os.environ", {"X": "1"})
def test_patched_dict():
    import os
    assert os.environ["X"] == "1"

class TestPatched:
    @patch("os.getcwd")
    def test_method(self, getcwd):
        assert not getcwd.called

    @wrapped
    def test_wrapped(self):
        assert add(1, 1) == 2

def test_warns():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("x")
    assert len(caught) == 1

def test_warning():
    warnings.warn("x")

def test_redirected():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print("x")
    assert out.getvalue() == "x\\n"

test_partial = functools.partial(add, 1, 2)
""",
    "missing_arguments": """
from solution import add

def test_good():
    assert add(1, 1) == 2

def test_args(*args, **kwargs):
    assert args == () and kwargs == {}

class Test:
    def test_no_self():
        assert True

    def test_good(self):
        assert add(1, 1) == 2
""",
    "raises": """
import pytest
from solution import add, leave, Full

def test_raises():
    with pytest.raises(Full, match="None") as caught:
        add(None, 1)
    assert caught.type.__name__ == "Full"

def test_raises_other():
    with pytest.raises(KeyError):
        add(None, 1)

def test_raises_nothing():
    with pytest.raises(ValueError):
        add(1, 1)

def test_approx():
    assert add(0.1, 0.2) == pytest.approx(0.3)

def test_approx_bad():
    assert add(0.1, 0.3) == pytest.approx(0.3)

def test_fail():
    pytest.fail("x")

def test_skip():
    pytest.skip("x")

def test_xfail():
    pytest.xfail("x")

def test_exit():
    pytest.importorskip("no_such_module_anywhere")
""",
    "nose": """
from solution import add
log = []

def setup():
    log.append(1)

def test_it():
    assert log == []

def setUpModule():
    log2.append(2)

log2 = []

def test_unittest_module_setup():
    assert log2 == [2]
""",
    "module_is_skipped": """
import unittest
from solution import add
raise unittest.SkipTest("x")

def test_it():
    assert True
""",
    "introspects": """
import sys, os
from solution import add
import solution

def test_name():
    assert __name__.endswith("test_introspects") or __name__ == "test_solution"

def test_file():
    assert os.path.basename(__file__).startswith("test_")

def test_module():
    assert sys.modules[__name__].test_module is test_module

def test_attribute():
    assert solution.add(1, 1) == 2

def test_dataclass():
    from dataclasses import dataclass
    @dataclass
    class P:
        x: int
    assert P(1) == P(1)

def test_pickle():
    import pickle
    assert pickle.loads(pickle.dumps(Kept(1))).x == 1

class Kept:
    def __init__(self, x):
        self.x = x
""",
}  # fmt: skip
PARAMETERS = """
import pytest
from solution import add

@pytest.mark.parametrize("a,b", [(1, 2), (2, 2)])
def test_it(a, b):
    assert add(a, b) == 3

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    assert False

@pytest.mark.xfail(strict=True)
def test_strict():
    assert True

@pytest.mark.xfail
def test_unexpected():
    assert True

@pytest.fixture
def broken():
    yield 1
    raise RuntimeError

def test_broken(broken):
    assert broken == 1

def test_no_such_fixture(nothing):
    pass

@pytest.fixture(autouse=True)
def always():
    yield

@pytest.mark.usefixtures("always")
class TestMarked:
    def test_it(self, request):
        assert request.node.name == "test_it"
"""
ALSO = (
    *("test_merge", "test_sqrt", "test_alias", "helper", "Test_capital", "_test_private", "test_lambda", "also_named"),
    *("testvalue", "test_also_named", "test_of_helper", "test_made", "test_inner", "test_inner_by_another_name", "log"),
    *("test_deleted", "Base::test_base", "TestChild::test_base", "TestGrandchild::test_overridden", "TestNone::test_a"),
    *("TestInheritsNested::TestInner::test_inner", "TestOuter::Inner::test_inner", "TestByAnotherName::test_attribute"),
    *("TestWithInit::test_it", "TestInheritsInit::test_it", "ATest::test_it", "test_lower::test_it", "test_it[1]"),
    *("Child::test_good", "Child::test_bad", "Mixin::test_mixed", "Mixed::test_mixed", "Nested::Inner::test_inner"),
    *("RunTest::runTest", "Sums::helper", "TestCase::test_it", "Sums", "", "::test_good", "test_partial", "test_it[1-3]"),
    *("TestMethods::helper", "TestStatic::test_function", "TestStatic::test_value", "test_cached", "test_gone"),
    *("TestTwice::test_a", "Asynchronous::test_good", "Asynchronous::test_bad", "TestState::test_attribute::x"),
)  # fmt: skip
"""Asked of every module: ids that are a test of some, and look like one in others."""

INTENDED = {"functions": ("test_merge",), "cases": ("Sums::test_async", "Child::test_async")}
"""Passed by pytest and not by us, as docs/judging.md says: no test of the module, or one whose body never runs."""

RECORDER = """
import json
seen = {}

def pytest_runtest_logreport(report):
    seen.setdefault(report.nodeid, []).append((report.when, report.outcome, hasattr(report, "wasxfail"), type(report).__name__))

def pytest_sessionfinish():
    with open("seen.json", "w") as file:
        json.dump(seen, file)
"""


def passes(phases: list[tuple[str, str, bool, str]]) -> bool:
    """All three phases passed, and nothing was skipped or expected to fail."""
    return len(phases) >= 3 and all(outcome == "passed" for _, outcome, _, _ in phases)


@cache
def said_by_pytest(folder: Path) -> dict[str, dict[str, bool]]:
    """Of each module the node ids that pytest finds, and whether they pass."""
    (folder / "conftest.py").write_text(RECORDER)
    (folder / "solution.py").write_text(SOLUTION)
    for name, source in {**MODULES, "parameters": PARAMETERS}.items():
        (folder / f"test_{name}.py").write_text(source)
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--continue-on-collection-errors"]
    told = [*options, "-c", os.devnull, "--rootdir", str(folder), "-W", "ignore", str(folder)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder)}
    for name in [name for name in environment if name.startswith(("PYTEST_XDIST", "PYTEST_ADDOPTS", "PYTEST_CURRENT"))]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *told], cwd=folder, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 1, done.stdout.decode() + done.stderr.decode()
    found: dict[str, dict[str, bool]] = {name: {} for name in (*MODULES, "parameters")}
    for node, phases in json.loads((folder / "seen.json").read_text()).items():
        file, _, own = node.partition("::")
        found[Path(file).stem.removeprefix("test_")][own] = passes(phases)
    return found


@pytest.fixture(scope="module")
def by_pytest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bool]]:
    return said_by_pytest(tmp_path_factory.mktemp("pytest"))


def pytest_problem(source: str, *nodes: str) -> Problem:
    tests = tuple(Test(input=node) for node in nodes)
    return Problem(id="m", question="?", test_kind=TestKind.PYTEST, tests=tests, test_setup=source, reference=SOLUTION)


def judged(judge: Judge, source: str, nodes: list[str], way: Way) -> dict[str, bool]:
    """What the judge says of each node, in one way and no other."""
    problem = pytest_problem(source, *nodes)
    shape = json.loads(interface.guessed(modules.read(source).names, [source]))
    if "Full" in shape:
        shape["Full"]["builtin"] = "ValueError"
    known = limits.Calibration(reference_cpu_s=0.05, fault="", way=way, interface=json.dumps(shape))
    solution = Solution(problem_id="m", id="s", code=SOLUTION)
    judgement = judge.submit(problem, solution, known=known).result()
    assert Outcome.JUDGE_ERROR not in judgement.outcomes, judgement.reason
    return {node: outcome is Outcome.PASSED for node, outcome in zip(nodes, judgement.outcomes, strict=True)}


@pytest.mark.parametrize("runner", ["small", "small, beside", "pytest"])
@pytest.mark.parametrize("name", [*MODULES, "parameters"])
def test_each_test_of_a_module_passes_where_pytest_says_so(
    judge: Judge, by_pytest: dict[str, dict[str, bool]], name: str, runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MODULES.get(name, PARAMETERS) + f"# {runner}\n"  # another problem for each
    module = modules.read(source)
    if runner != "pytest" and module.needs_pytest:
        pytest.skip(module.needs_pytest)
    if runner == "small, beside" and module.imports_pytest:
        pytest.skip("pytest is not beside a solution")
    monkeypatch.setattr(plan, "fault_of", lambda _: None)  # ids that are none are asked, too
    monkeypatch.setattr(plan, "_is_plain", lambda *_: runner != "pytest")
    also = [node for node in ALSO if node.rpartition("::")[2].partition("[")[0] in source]
    nodes = list(dict.fromkeys([*by_pytest[name], *module.tests, *also]))
    expected = {node: by_pytest[name].get(node, False) and node not in INTENDED.get(name, ()) for node in nodes}
    ours = judged(judge, source, nodes, Way.BESIDE if runner == "small, beside" else Way.TESTER)
    different = {
        node: f"pytest: {expected[node]}, ours: {ours[node]}" for node in nodes if ours[node] != expected[node]
    }
    assert not different


# --- node ids that name nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MODULES, "parameters"])
def test_no_id_of_pytests_is_called_a_fault_of_the_row(by_pytest: dict[str, dict[str, bool]], name: str) -> None:
    for node in by_pytest[name]:
        assert fault_of(pytest_problem(MODULES.get(name, PARAMETERS), node)) is None, node


@pytest.mark.parametrize(
    "node", ["test_none", "TestState::test_none", "TestNone::test_attribute", "", "::test_it", "x[1]"]
)
def test_an_id_that_can_be_no_test_of_the_module_is_a_fault_of_the_row(judge: Judge, node: str) -> None:
    problem = pytest_problem(MODULES["classes"], "TestState::test_attribute", node)
    fault = fault_of(problem)
    assert fault is not None and fault.field == "tests[1].input"
    with pytest.raises(InputError, match="node id"):
        judge.judge(problem, Solution(problem_id="m", id="s", code=SOLUTION))


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(2):\n    globals()[f'test_{n}'] = lambda: None\n",
        "import sys\nsetattr(sys.modules[__name__], 'test_' + '1', lambda: None)\n",
        "from elsewhere import *\n",
        "from elsewhere import Base\nclass TestIt(Base):\n    pass\n",
        "from parameterized import parameterized\nclass TestIt:\n    @parameterized.expand([1])\n    def test(self, n):\n        pass\n",
        "class TestIt(metaclass=type):\n    pass\n",
        "TestIt = type('TestIt', (), {'test_' + '1': lambda self: None})\n",
        "exec('def test_1(): pass')\n",
    ],
)  # fmt: skip
def test_where_names_can_be_made_while_it_runs_no_id_is_called_a_fault(source: str) -> None:
    assert fault_of(pytest_problem(source, "test_1", "TestIt::test_1")) is None
