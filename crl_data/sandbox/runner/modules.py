"""Test modules: one test of a pytest or unittest module, by its node id, in the tester.

`Plain` is a small runner for modules of functions, classes and `unittest.TestCase` without fixtures, parameters and
marks; it does what pytest does there, and costs a hundredth of it (`tests/judging/test_modules.py` shows them equal).
`Collected` is pytest itself: the module is collected once, in the tester's cell, and its tests are run one at a time.

`unittest` and `inspect` are imported where they are used: this module is loaded before the zygotes are forked, and what it
imports would be in the process of every solution, in its sight and in the price of its fork.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import proxy

if TYPE_CHECKING:
    import unittest

NAME = "test_solution"
FILE = "test_solution.py"


class NotATest(Exception):
    """A node id that names no test of the module, or one that pytest would not run; the text says which."""


# --- the small runner -------------------------------------------------------------------------------------------------


class Plain:
    """A module whose tests need nothing of pytest but, perhaps, `pytest.raises` and the like."""

    def __init__(self, source: str) -> None:
        self.code = compile(source, FILE, "exec", dont_inherit=True)

    def run(self, node: str) -> None:
        module = types.ModuleType(NAME)
        module.__file__ = os.path.abspath(FILE)
        sys.modules[NAME] = module
        exec(self.code, module.__dict__)
        owner, within, name = node.rpartition("::")
        with _Around(module, ("setUpModule", "setup_module"), ("tearDownModule", "teardown_module"), module):
            if within:
                _run_method(getattr(module, owner, None), owner, name)
            else:
                function = _test(getattr(module, name, None), name)
                with _Around(module, ("setup_function",), ("teardown_function",), function):
                    _called(function)


class _Around:
    """Calls the first of some functions of an owner before, and of others after, with an argument where one is taken."""

    def __init__(self, owner: Any, before: tuple[str, ...], after: tuple[str, ...], argument: Any) -> None:
        self.owner, self.before, self.after, self.argument = owner, before, after, argument

    def __enter__(self) -> None:
        self.call(self.before)

    def __exit__(self, *_: object) -> None:
        self.call(self.after)

    def call(self, names: tuple[str, ...]) -> None:
        import inspect

        found = [getattr(self.owner, name) for name in names if getattr(self.owner, name, None) is not None]
        for function in found[:1]:
            if isinstance(self.owner, type):  # called with the class, whether it is a class method or not
                function = getattr(function, "__func__", function)
            takes = function.__code__.co_argcount - inspect.ismethod(function)
            function(self.argument) if takes else function()


def _test(found: Any, name: str) -> Callable[..., Any]:
    """What pytest takes for a test; a function of the solution's, imported under a name that looks like one, is none."""
    import functools
    import inspect

    function: Any = getattr(found, "__func__", found)
    unwrapped = inspect.unwrap(function)
    real = unwrapped.func if isinstance(unwrapped, functools.partial) else unwrapped
    if not (callable(function) and name.startswith("test") and getattr(function, "__test__", True)):
        raise NotATest(f"the module has no test {name!r}")
    if not (inspect.isfunction(function) or inspect.isfunction(real)) or _of_solution(unwrapped):
        raise NotATest(f"the module has no test {name!r}")
    _runs(function, name)
    return function  # type: ignore[no-any-return]


def _of_solution(found: Any) -> bool:
    return getattr(found, "__module__", None) == "solution"


def _runs(function: Any, name: str) -> None:
    """Raises `NotATest` for a function that does nothing when it is called."""
    import inspect

    if inspect.isgeneratorfunction(function):
        raise NotATest(f"{name!r} is a generator, whose body would never run")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise NotATest(f"{name!r} is a coroutine, whose body would never run")


def _called(function: Callable[[], Any]) -> None:
    result = function()
    if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
        raise NotATest("it gave a coroutine, whose body would never run")


def _run_method(owner: Any, class_name: str, name: str) -> None:
    import inspect
    import unittest

    if not isinstance(owner, type) or _of_solution(owner) or inspect.isabstract(owner):
        raise NotATest(f"the module has no test {class_name}::{name}: no such class")
    if not getattr(owner, "__test__", True):
        raise NotATest(f"the class {class_name!r} says that it is no test")
    if issubclass(owner, unittest.TestCase):
        _run_case(owner, name)
        return
    if not class_name.startswith("Test"):
        raise NotATest(f"the module has no test {class_name}::{name}: the class is not named as one")
    if owner.__init__ is not object.__init__ or owner.__new__ is not object.__new__:
        raise NotATest(f"the class {class_name!r} has an __init__ or a __new__")
    _test(inspect.getattr_static(owner, name, None), name)
    with _Around(owner, ("setup_class",), ("teardown_class",), owner):
        one = owner()
        method = getattr(one, name)
        with _Around(one, ("setup_method",), ("teardown_method",), method):
            _called(method)


def _result() -> Any:
    import unittest

    class Result(unittest.TestResult):
        """Keeps the first exception of a test, as it was raised."""

        def __init__(self) -> None:
            super().__init__()
            self.error: BaseException | None = None
            self.passed = False

        def addSuccess(self, test: Any) -> None:  # noqa: N802
            self.passed = True

        def addError(self, test: Any, err: Any) -> None:  # noqa: N802
            self.error = self.error or err[1]

        addFailure = addError  # noqa: N815

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
            if err is not None:
                self.error = self.error or err[1]

        def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
            self.error = self.error or NotATest(f"skipped: {reason}")

        def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
            self.error = self.error or AssertionError("it passed, and was expected to fail")

        def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
            self.error = self.error or NotATest("it is expected to fail")

    return Result()


def _run_case(owner: type[unittest.TestCase], name: str) -> None:
    import unittest

    names = unittest.TestLoader().getTestCaseNames(owner) or ["runTest"]
    function = getattr(owner, name, None)
    if name not in names or not callable(function) or not getattr(function, "__test__", True):
        raise NotATest(f"the class {owner.__name__!r} has no test {name!r}")
    if not issubclass(owner, unittest.IsolatedAsyncioTestCase):
        _runs(function, name)
    result = _result()
    with _AroundCases(owner), _Around(owner, ("setup_class",), ("teardown_class",), owner):
        case = owner(name)
        with _Around(case, ("setup_method",), ("teardown_method",), getattr(case, name)):
            case.run(result)
        if result.error is not None:
            raise result.error
    if not result.passed:
        raise NotATest(f"{owner.__name__}.{name} did not come to its end")


class _AroundCases:
    """What `unittest` does around the tests of a class."""

    def __init__(self, owner: type[unittest.TestCase]) -> None:
        self.owner = owner

    def __enter__(self) -> None:
        if getattr(self.owner, "__unittest_skip__", False):
            raise NotATest("skipped: the class")
        try:
            self.owner.setUpClass()
        except Exception:
            self.owner.doClassCleanups()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.owner.tearDownClass()
        finally:
            self.owner.doClassCleanups()
        for _, error, _ in self.owner.tearDown_exceptions:  # type: ignore[attr-defined]
            raise error


# --- pytest -----------------------------------------------------------------------------------------------------------


class Collected:
    """A module collected by pytest: in the cell where that needs no solution, else in the process that runs its tests."""

    def __init__(self, source: str, folder: str, link: proxy.Link) -> None:
        self.folder = folder
        self.link = link
        self.items: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.parts: list[Any] = []  # reports of subtests
        self.source = source
        self.config: Any = None
        link.used_unconnected = False
        self.collect()
        if link.used_unconnected:
            self.items.clear()

    def collect(self) -> None:
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, FILE), "w", encoding="utf-8") as file:
            file.write(self.source)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        from _pytest import config as configuration
        from _pytest.main import Session

        told = ["-q", "--rootdir", self.folder, "--confcutdir", self.folder, "-c", os.devnull, "--assert=plain"]
        told += ["-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=sys", "-W", "ignore"]
        sys.modules.pop(NAME, None)
        config = configuration._prepareconfig(
            [*told, "--import-mode=importlib", os.path.join(self.folder, FILE)], [self]
        )
        config._do_configure()
        self.config = config
        session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        session.perform_collect()
        self.items = {item.nodeid.partition("::")[2]: item for item in session.items if not _imported(item)}

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """A hook of pytest's: keep the first exception of a test, as it was raised."""
        if call.excinfo is not None and self.error is None:
            self.error = call.excinfo.value

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A hook of pytest's, which tells of parts of a test here and nowhere else."""
        self.parts.append(report)

    def run(self, node: str) -> None:
        from _pytest.runner import runtestprotocol

        if not self.items:
            taken, self.link.taken = self.link.taken, _unheard  # what is asked once is no part of this one test
            self.collect()
            self.link.taken = taken
        item = self.items.get(node)
        if item is None:
            raise NotATest(f"pytest finds no test {node!r} in the module")
        self.error, self.parts = None, []
        if hasattr(item, "_testcase") and not hasattr(item.parent.obj, "asyncSetUp"):
            _runs(item.function, node)
        factory = getattr(self.config, "_tmp_path_factory", None)
        if factory is not None:
            factory._basetemp = None  # the scratch folder was emptied since the last test
        reports = runtestprotocol(item, log=False, nextitem=None)
        ended = len(reports) == 3
        reports += self.parts
        if any(report.skipped for report in reports):
            raise NotATest(f"skipped: {self.error}")
        if self.error is not None and any(report.failed for report in reports):
            raise self.error
        if not (ended and all(report.passed for report in reports)):
            raise NotATest(f"{node!r} did not come to its end")


def _imported(item: Any) -> bool:
    """Whether what pytest takes for a test is a function of the solution's, imported under a name that looks like one."""
    return hasattr(getattr(item, "function", None), "_crl_name")


def _unheard(_: bytes) -> None:
    pass
