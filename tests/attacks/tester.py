"""Assertions that cannot be taken apart: their tests run in the tester, which calls the solution by proxy.

These go for the tester: for what it compares, what it catches, what it is told, and the wire between.
"""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.equality import _RESULTS
from tests.attacks.problems import ARRAYS, CHECK, CLOSE, HELPER, IN_PLACE, LOOP, MAPPED, OPAQUE, RAISES

_CALLED = {name: f"{code}\ndef add(a, b):\n    return result\n" for name, code in _RESULTS.items()}
_FORGED = """
import os, struct, sys
def forge(data):
    for fd in range(1, 1024):
        try: os.write(fd, data)
        except OSError: pass
"""

ATTACKS: list[Attack] = [
    *attacks(Group.TESTER, LOOP, "in_process", _CALLED),
    *attacks(
        Group.TESTER,
        LOOP,
        "exit_status",
        {
            "sys.exit in a call": "import sys\ndef add(a, b):\n    sys.exit(0)",
            "os._exit in a call": "import os\ndef add(a, b):\n    os._exit(0)",
            "os._exit at load": "import os\nos._exit(0)",
            "an exit while it is called back": "import os\nclass A:\n    def __eq__(self, other): os._exit(0)\ndef add(a, b):\n    return A()",
            "an exit in the message of an exception": "import os\nclass E(Exception):\n    def __str__(self): os._exit(0)\n    __repr__ = __str__\ndef add(a, b):\n    e = E()\n    str(e)\n    raise e",
            "an exit by a thread": "import os, threading, time\ndef add(a, b):\n    threading.Timer(0.001, os._exit, (0,)).start()\n    time.sleep(0.1)\n    return 0",
        },
    ),
    *attacks(
        Group.TESTER,
        LOOP,
        "zero_is_success",
        {
            "SystemExit with a status": "def add(a, b):\n    raise SystemExit(3)",
            "KeyboardInterrupt": "def add(a, b):\n    raise KeyboardInterrupt",
            "GeneratorExit": "def add(a, b):\n    raise GeneratorExit",
            "a BaseException of its own": "class E(BaseException): pass\ndef add(a, b):\n    raise E",
            "a signal that kills": "import os\ndef add(a, b):\n    os.kill(os.getpid(), 9)",
            "asyncio's cancelling": "import asyncio\ndef add(a, b):\n    raise asyncio.CancelledError",
            "a group of exits": "def add(a, b):\n    raise BaseExceptionGroup('x', [SystemExit(0)])",
        },
    ),
    *attacks(
        Group.TESTER,
        LOOP,
        "printed_lines",
        {
            "lines of a log on every descriptor": _FORGED
            + "forge(b''.join(b'PASSED %d\\n' % n for n in range(100)))\ndef add(a, b): return 0",
            "lines of a log in a call": _FORGED
            + "def add(a, b):\n    forge(b''.join(b'PASSED %d\\n' % n for n in range(100)))\n    return 0",
        },
    ),
    *attacks(
        Group.TESTER,
        LOOP,
        "verdict_pipe",
        {
            "a verdict on every descriptor": _FORGED + "forge(b'1' * 100)\ndef add(a, b): return 0",
            "a verdict in a call": _FORGED + "def add(a, b):\n    forge(b'1' * 100)\n    return 0",
            "replies ahead of time": _FORGED
            + "for n in range(64): forge(b'1' * 9 + struct.pack('<IBBBiQI', n, 0, 0, 1, 0, 0, 0) + b'[{\"value\":%d}]' % n)\ndef add(a, b): return 0",
            "replies with every number, from a thread": _FORGED
            + "import threading\ndef work():\n    for n in range(64): forge(b'1' * 9 + struct.pack('<IBBBiQI', n, 0, 0, 1, 0, 0, 0) + b'[{\"value\":3}]')\ndef add(a, b):\n    t = threading.Thread(target=work)\n    t.start()\n    t.join()\n    return 0",
            "replies from a child that stays": _FORGED
            + "def add(a, b):\n    if os.fork() == 0:\n        os.setsid()\n        for n in range(9): forge(b'1' * 9)\n        os._exit(0)\n    os.wait()\n    return 0",
            "a reply that says that it passed": _FORGED
            + "forge(b'1' * 100)\ndef add(a, b): return {'passed': True, 'outcome': 'passed', 'value': a, 'how': 'ended', 'token': 'x'}",
            "rubbish on every descriptor": _FORGED
            + "forge(b'1' * 100)\ndef add(a, b):\n    forge(os.urandom(16))\n    return 0",
            "lengths that lie": _FORGED
            + "forge(b'1' * 100)\ndef add(a, b):\n    forge(struct.pack('<IQ', 0xffffffff, 1 << 60))\n    return 0",
        },
    ),
    *attacks(
        Group.TESTER,
        LOOP,
        "in_process",
        {
            "the source of the test": "import sys, linecache\ndef add(a, b):\n    frame = sys._getframe(1)\n    return frame.f_locals['c']\n",
            "the names of the caller": "import sys\ndef add(a, b):\n    frame = sys._getframe()\n    while 'c' not in frame.f_globals: frame = frame.f_back\n    return frame.f_globals['c']\n",
            "the test's names set": "import sys\ndef add(a, b):\n    sys._getframe(1).f_globals['c'] = 7\n    return 7\n",
            "a built-in replaced": "import builtins\nclass A(Exception): pass\nbuiltins.AssertionError = A\nimport sys\ndef add(a, b):\n    sys._getframe(1).f_globals['c'] = 1\n    return 1\n",
            "the end of the loop": "import sys\ndef add(a, b):\n    frame = sys._getframe(1)\n    def trace(f, event, arg):\n        return None\n    frame.f_globals['c'] = frame.f_globals['a'] = 0\n    return 0\n",
            "a number that grows into every answer": "class A(int):\n    def __new__(cls, n=0): return int.__new__(cls, n)\n    def __eq__(self, other):\n        self.n = other\n        return True\n    def __ne__(self, other): return False\ndef add(a, b):\n    return A(a)\n",
        },
    ),
    *attacks(
        Group.TESTER,
        CHECK,
        "in_process",
        {
            "a count of the calls": "n = [-1]\nanswers = [1, 0, 2, 2, 3, 4, 4, 6]\ndef add(a, b):\n    n[0] += 1\n    return answers[n[0]]\n"
            if False
            else "class A(int):\n    def __eq__(self, other): return True\n    __radd__ = __add__ = lambda self, other: self\ndef add(a, b):\n    return A(-7)\n",
            "an object that adds to the answer": "class A:\n    def __radd__(self, other): return self\n    __add__ = __radd__\n    def __eq__(self, other): return True\ndef add(a, b):\n    return A()\n",
            "a check of its own": "import sys\ndef add(a, b):\n    frame = sys._getframe(1)\n    return Sly()\nclass Sly:\n    __radd__ = __add__ = lambda s, o: s\n    __eq__ = lambda s, o: True\n",
        },
    ),
    *attacks(
        Group.TESTER,
        CHECK,
        "exit_status",
        {
            "an exit where it is checked": "import os\ndef add(a, b):\n    os._exit(0)\n",
            "a check that is never come to": "import sys\nsys.exit()\n",
        },
    ),
    *attacks(
        Group.TESTER,
        CLOSE,
        "in_process",
        {
            "a float that is near to everything": "class A(float):\n    def __float__(self): return 0.0\nimport math\nmath.isclose = lambda *a, **k: True\ndef mean(xs):\n    return 0\n",
            "math replaced": "import sys, types\nmath = types.ModuleType('math')\nmath.isclose = lambda *a, **k: True\nsys.modules['math'] = math\ndef mean(xs):\n    return -1\n",
            "an importer of its own": "import builtins, types\nfake = types.SimpleNamespace(isclose=lambda *a, **k: True)\nreal = builtins.__import__\nbuiltins.__import__ = lambda name, *a, **k: fake if name == 'math' else real(name, *a, **k)\ndef mean(xs):\n    return None\n",
            "a finder of its own": "import sys, types, importlib.machinery as m\nsys.modules.pop('math', None)\nclass F:\n    @staticmethod\n    def find_spec(name, *a): return m.ModuleSpec(name, F) if name == 'math' else None\n    @staticmethod\n    def create_module(spec): return None\n    @staticmethod\n    def exec_module(module): module.isclose = lambda *a, **k: True\nsys.meta_path.insert(0, F)\ndef mean(xs):\n    return 0\n",
        },
    ),
    *attacks(
        Group.TESTER,
        RAISES,
        "in_process",
        {
            "an exception whose class is what is asked for": "class A(int):\n    def __eq__(self, other): return True\ndef add(a, b):\n    if b is None:\n        raise TypeError\n    return A()\n",
            "exceptions replaced in the built-ins": "import builtins\nbuiltins.ValueError = BaseException\nimport sys\nclass A:\n    def __eq__(self, other): return True\ndef add(a, b):\n    if b is None: raise TypeError\n    return A()\n",
            "an exception that lies about its class": "class E(TypeError):\n    def __str__(self): return 'unsupported operand'\nclass A(float):\n    def __eq__(self, other): return True\ndef add(a, b):\n    if b is None: raise E\n    return A()\n",
        },
    ),
    *attacks(
        Group.TESTER,
        HELPER,
        "exit_status",
        {
            "the helper of the test replaced in the built-ins": "import builtins\nclass A(str):\n    def __eq__(self, other): return True\ndef decode(text):\n    return A(text)\n",
            "an exit in the helper": "import os\ndef decode(text):\n    os._exit(0)\n",
        },
    ),
    *attacks(
        Group.TESTER,
        HELPER,
        "in_process",
        {
            "the helper of the test replaced": "import sys\ndef decode(text):\n    frame = sys._getframe(1)\n    frame.f_globals['encode'] = lambda text: text\n    return frame.f_globals['text']\n",
            "the helper's alphabet replaced": "import builtins, sys\ndef decode(text):\n    return sys._getframe(1).f_globals['text']\n",
        },
    ),
    *attacks(
        Group.TESTER,
        OPAQUE,
        "in_process",
        {
            "an opaque object that lists itself": "class A:\n    def __init__(self, n): self.n = n\n    def __iter__(self): return iter([E(), E()])\nclass E:\n    def __eq__(self, other): return True\ndef make(n):\n    return A(n)\n",
            "a list whose items lie": "class E(int):\n    def __eq__(self, other): return True\ndef make(n):\n    return [E(0), E(0)]\n",
            "a generator of what is equal": "class E(int):\n    def __eq__(self, other): return True\ndef make(n):\n    yield E(0)\n    yield E(0)\n",
            "a list that counts how often it is read": "class L(list):\n    def __iter__(self): return iter([Any(), Any()])\nclass Any:\n    def __eq__(self, other): return True\ndef make(n):\n    return L()\n",
        },
    ),
    *attacks(
        Group.TESTER,
        IN_PLACE,
        "in_process",
        {
            "an argument filled with what is equal": "class E:\n    def __eq__(self, other): return True\ndef double(xs):\n    xs[:] = [E(), E()]\n",
            "an argument of ints that lie": "class E(int):\n    def __eq__(self, other): return True\ndef double(xs):\n    xs[:] = map(E, xs)\n",
            "the caller's name bound to something else": "import sys\nclass E(list):\n    def __eq__(self, other): return True\ndef double(xs):\n    sys._getframe(1).f_globals['xs'] = E()\n",
        },
    ),
    *attacks(
        Group.TESTER,
        MAPPED,
        "in_process",
        {
            "the end of the iteration": "def add(a, b):\n    raise StopIteration\n",
            "an end of the iteration of its own": "class Stop(StopIteration): pass\ndef add(a, b):\n    raise Stop\n",
            "the end of the iteration, by next": "def add(a, b):\n    return next(iter(()))\n",
        },
    ),
    *attacks(
        Group.TESTER,
        ARRAYS,
        "in_process",
        {
            "np.allclose replaced": "import numpy\nnumpy.allclose = lambda *a, **k: True\ndef double(xs):\n    return xs\n",
            "an array function of its own": "import numpy\nclass A:\n    def __array_function__(self, *a, **k): return True\ndef double(xs):\n    return A()\n",
            "a ufunc of its own": "import numpy\nclass A(numpy.ndarray):\n    def __array_function__(self, *a, **k): return True\n    def __array_ufunc__(self, *a, **k): return numpy.array([True, True])\ndef double(xs):\n    return numpy.zeros(2).view(A)\n",
            "an empty result, which is broadcast": "import numpy\ndef double(xs):\n    class A(numpy.ndarray):\n        def __array_function__(self, *a, **k): return not self.size\n    return numpy.zeros(0).view(A)\n",
            "isfinite replaced": "import numpy, numpy.core.numeric as n\nnumpy.isclose = n.isclose = lambda a, b, **k: numpy.ones(2, bool)\nnumpy.allclose = lambda *a, **k: True\ndef double(xs):\n    return [0, 0]\n",
        },
    ),
    # What the tester has to bear, and the next solution must not feel.
    *attacks(
        Group.TESTER,
        LOOP,
        (),
        {
            "a huge reply": "def add(a, b):\n    return 'x' * (40 << 20)",
            "a reply of nothing but nesting": "def add(a, b):\n    x = []\n    for _ in range(100_000): x = [x]\n    return x",
            "one list in itself": "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
            "a list of itself, 2**40 parts": "def add(a, b):\n    x = [0]\n    for _ in range(40): x = [x, x]\n    return x",
            "a dict of itself, 2**40 parts": "def add(a, b):\n    x = (0,)\n    for _ in range(40): x = {1: x, 2: x}\n    return x",
            "a number of ten million bits": "def add(a, b):\n    return 1 << 10_000_000",
            "a range without an end": "def add(a, b):\n    return range(10**12)",
            "a generator without an end": "def add(a, b):\n    while True: yield 3",
            "an exception with a huge message": "def add(a, b):\n    raise ValueError('x' * (40 << 20))",
            "an exception without an end": "class E(ValueError):\n    def __str__(self):\n        while True: pass\ndef add(a, b):\n    raise E",
            "an exception that causes itself": "def add(a, b):\n    e = ValueError()\n    e.__cause__ = e.__context__ = e\n    raise e",
            "an exception with itself as argument": "def add(a, b):\n    e = ValueError()\n    e.args = (e, [e])\n    raise e",
            "a class that breaks whoever asks": "class M(type):\n    def __getattribute__(c, name): raise SystemExit(0)\nclass A(metaclass=M): pass\ndef add(a, b):\n    return A()",
            "a Decimal too dear to use": "from decimal import Decimal\ndef add(a, b):\n    return Decimal('1e999999999')",
            "a Fraction too dear to use": "from fractions import Fraction\ndef add(a, b):\n    return Fraction(1, 7 ** 100_000)",
            "sets of one hash": "def add(a, b):\n    m = (1 << 61) - 1\n    return {m * n for n in range(20_000)}",
            "a text of halves of characters": "def add(a, b):\n    return '\\ud800' * 1000",
            "an answer and then an end by a signal": "import os, threading, signal\ndef add(a, b):\n    threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGKILL)).start()\n    return 0",
            "threads that answer at once": "import threading\ndef add(a, b):\n    for _ in range(20): threading.Thread(target=print, args=('3',)).start()\n    return 0",
            "every descriptor closed": "import os\ndef add(a, b):\n    os.closerange(0, 4096)\n    return a + b + 1",
            "every descriptor replaced": "import os\ndef add(a, b):\n    for fd in range(3, 1024):\n        try: os.dup2(os.open('/dev/null', os.O_RDWR), fd)\n        except OSError: pass\n    return 0",
        },
    ),
]
