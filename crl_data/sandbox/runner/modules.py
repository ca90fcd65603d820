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
        import unittest

        module = types.ModuleType(NAME)
        sys.modules[NAME] = module
        exec(self.code, module.__dict__)
        *path, name = node.split("::")
        owner: Any = module
        for part in path:
            owner = owner.__dict__.get(part)
            named = isinstance(owner, type) and (part.startswith("Test") or issubclass(owner, unittest.TestCase))
            if not named or owner.__module__ != NAME:
                raise NotATest(f"the module has no test {node!r}")
        with (
            _Around(module, "setUpModule", "tearDownModule"),
            _Around(module, "setup_module", "teardown_module", module),
        ):
            if isinstance(owner, type) and issubclass(owner, unittest.TestCase):
                _run_case(owner, name)
            elif isinstance(owner, type):
                _run_method(owner, name)
            else:
                function = _test(module.__dict__.get(name), node)
                with _Around(module, "setup_function", "teardown_function", function):
                    function()


class _Around:
    """Calls a function of the module before, and another after, if they are there; with an argument where they take one."""

    def __init__(self, owner: Any, before: str, after: str, argument: Any = None) -> None:
        self.owner, self.before, self.after, self.argument = owner, before, after, argument

    def __enter__(self) -> None:
        self.call(self.before)

    def __exit__(self, *_: object) -> None:
        self.call(self.after)

    def call(self, name: str) -> None:
        import inspect

        function = getattr(self.owner, name, None)
        if function is None:
            return
        takes = len(inspect.signature(function).parameters)
        function(self.argument) if takes else function()


def _test(found: Any, node: str) -> Callable[..., Any]:
    """A function that is a test of the module itself: a name that it imports and that looks like one is not."""
    import inspect

    name = node.rpartition("::")[2]
    if not isinstance(found, types.FunctionType) or found.__module__ != NAME or not name.startswith("test"):
        raise NotATest(f"the module has no test {node!r}")
    if inspect.isgeneratorfunction(found):
        raise NotATest(f"{node!r} is a generator, whose body would never run")
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise NotATest(f"{node!r} is a coroutine, whose body would never run")
    return found


def _run_method(owner: type, name: str) -> None:
    import inspect

    if "__init__" in owner.__dict__:
        raise NotATest(f"the class {owner.__name__!r} has an __init__")
    _test(inspect.getattr_static(owner, name, None), name)
    with _Around(owner, "setup_class", "teardown_class"):
        one = owner()
        method = getattr(one, name)
        with _Around(one, "setup_method", "teardown_method", method):
            method()


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
            self.passed = True

    return Result()


def _run_case(owner: type[unittest.TestCase], name: str) -> None:
    import inspect
    import unittest

    _test(inspect.getattr_static(owner, name, None), name)
    result = _result()
    suite = unittest.TestSuite([owner(name)])
    suite.run(result)
    if result.error is not None:
        raise result.error
    if not result.passed:
        raise NotATest(f"{owner.__name__}.{name} did not come to its end")


# --- pytest -----------------------------------------------------------------------------------------------------------


class Collected:
    """A module collected by pytest: in the cell where that needs no solution, else in the process that runs its tests."""

    def __init__(self, source: str, folder: str, link: proxy.Link) -> None:
        self.folder = folder
        self.link = link
        self.items: dict[str, Any] = {}
        self.error: BaseException | None = None
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

    def run(self, node: str) -> None:
        from _pytest.runner import runtestprotocol

        if not self.items:
            taken, self.link.taken = self.link.taken, _unheard  # what is asked once is no part of this one test
            self.collect()
            self.link.taken = taken
        item = self.items.get(node)
        if item is None:
            raise NotATest(f"pytest finds no test {node!r} in the module")
        self.error = None
        factory = getattr(self.config, "_tmp_path_factory", None)
        if factory is not None:
            factory._basetemp = None  # the scratch folder was emptied since the last test
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(report.skipped for report in reports):
            raise NotATest(f"skipped: {self.error}")
        if self.error is not None and any(report.failed for report in reports):
            raise self.error
        if not all(report.passed for report in reports) or len(reports) != 3:
            raise NotATest(f"{node!r} did not come to its end")


def _imported(item: Any) -> bool:
    """Whether what pytest takes for a test is a function of the solution's, imported under a name that looks like one."""
    return hasattr(getattr(item, "function", None), "_crl_name")


def _unheard(_: bytes) -> None:
    pass
