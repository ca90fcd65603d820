"""Test modules of pytest's: what runs beside pytest can tell it anything. Solutions that never let pytest see them cannot."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.equality import _RESULTS
from tests.attacks.problems import PYTEST

_TYPED = "\n    if b is None: raise TypeError\n"
_EQUAL = ("equal to everything", "an int equal to everything", "mock.ANY", "a lying __class__")

ATTACKS: list[Attack] = [
    *attacks(
        Group.PYTEST,
        PYTEST,
        "pytest_beside",
        {
            **{name: f"{_RESULTS[name]}\ndef add(a, b):{_TYPED}    return result\n" for name in _EQUAL},
            "pytest.skip in a call": "import pytest\ndef add(a, b):\n    pytest.skip('not today')",
            "pytest.xfail in a call": "import pytest\ndef add(a, b):\n    pytest.xfail('as expected')",
            "pytest.skip at load": "import pytest\npytest.skip('not today', allow_module_level=True)\nadd = None"
            if False
            else "import pytest\ndef add(a, b):\n    raise pytest.skip.Exception('x')",
            "unittest.SkipTest in a call": "import unittest\ndef add(a, b):\n    raise unittest.SkipTest('not today')",
            "unittest.SkipTest of a class of its own": "import unittest\nclass S(unittest.SkipTest): pass\ndef add(a, b):\n    raise S",
            "pytest.exit with 0": "import pytest\ndef add(a, b):\n    pytest.exit('done', returncode=0)",
            "os._exit in a call": "import os\ndef add(a, b):\n    os._exit(0)",
            "os._exit at load": "import os\nos._exit(0)",
            "sys.exit at load": "import os, sys, atexit\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
            "a conftest in the working folder": "open('conftest.py', 'w').write('def pytest_sessionfinish(session): session.exitstatus = 0')\nimport sys, conftest\nfor one in list(sys.modules['gc'].get_objects() if 'gc' in sys.modules else __import__('gc').get_objects()):\n    if type(one).__name__ == 'PytestPluginManager': one.register(conftest)\ndef add(a, b): return 0",
            "a plug-in by hand": "import gc\nclass P:\n    def pytest_runtest_call(self, item): pass\n    def pytest_sessionfinish(self, session): session.exitstatus = 0\nfor one in gc.get_objects():\n    if type(one).__name__ == 'PytestPluginManager': one.register(P())\ndef add(a, b): return 0",
            "reports that passed": "import _pytest.reports as r\nr.TestReport.outcome = property(lambda self: 'passed', lambda self, value: None)\nr.TestReport.failed = property(lambda self: False)\nr.TestReport.passed = property(lambda self: True)\ndef add(a, b): return 0",
            "a call of a test that calls nothing": "import _pytest.python as p\np.Function.runtest = lambda self: None\ndef add(a, b): return 0",
            "items that are no more": "import _pytest.main as m\nm.Session.testsfailed = property(lambda self: 0, lambda self, n: None)\ndef add(a, b): return 0",
            "an exit status of its own": "import _pytest.config as c, pytest\nimport gc, _pytest.main as m\nfor one in gc.get_objects():\n    if type(one).__name__ == 'Session': type(one).exitstatus = property(lambda self: 0, lambda self, v: None)\ndef add(a, b): return 0",
            "pytest.raises replaced and assertions off": "import pytest, sys\nimport _pytest.python as p\ndef runtest(self):\n    try: self.ihook.pytest_pyfunc_call(pyfuncitem=self)\n    except BaseException: pass\np.Function.runtest = runtest\ndef add(a, b): return 0",
            "a sitecustomize and a pytest.ini": "open('sitecustomize.py', 'w').write('import os; os._exit(0)')\nopen('pytest.ini', 'w').write('[pytest]\\npython_files = nothing.py\\n')\nimport os\nos._exit(0)",
            "the test module rewritten before it is read": "import glob, os\nfor path in glob.glob('/tmp/**/test_*.py', recursive=True) + glob.glob('test_*.py'):\n    open(path, 'w').write('def test_nothing(): pass')\nimport sys\nsys.modules['pytest'].exit('done', returncode=0) if False else os._exit(0)",
            "a compiled module in its place": "import os, py_compile\nopen('t.py', 'w').write('def test_nothing(): pass')\npy_compile.compile('t.py', cfile='test_solution.pyc')\nos._exit(0)",
            "names that look like tests": "import sys\ndef test_pairs(*a): pass\nclass TestAdd:\n    def test_pairs(self, *a): pass\ncaller = sys._getframe(1)\nwhile caller and not caller.f_globals.get('__name__', '').startswith('test_'): caller = caller.f_back\nif caller:\n    class Gone(dict):\n        pass\n    import _pytest.python as p\n    p.Function.runtest = lambda self: None\ndef add(a, b): return 0",
            "the collector told that there is nothing": "import _pytest.python as p\np.Class.collect = lambda self: []\np.Function.runtest = lambda self: None\ndef add(a, b): return 0",
            "a counter of known answers with errors": "import sys\nclass A(int):\n    def __eq__(self, other): return True\ndef add(a, b):\n    if b is None: raise TypeError\n    return A(0)",
        },
    ),
]
