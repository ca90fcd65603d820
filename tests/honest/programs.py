"""Right solutions that read, write, end and use the machine in every way that people do: none may be failed."""

from __future__ import annotations

from dataclasses import dataclass

from crl_data.types import Problem
from tests.attacks.problems import (
    ADD,
    ARRAYS,
    ASSERTS,
    CHECK,
    CLOSE,
    HALVES,
    HELPER,
    IN_PLACE,
    LINES,
    LOOP,
    MAPPED,
    OPAQUE,
    PYTEST,
    RAISES,
    SMILE,
    SORTED,
    SUM,
)
from tests.conftest import assert_problem, function_problem, stdin_problem


@dataclass(frozen=True)
class Honest:
    """A right solution of `problem`; `name` says what is unusual about it."""

    name: str
    problem: Problem
    code: str


WORDS = stdin_problem(
    *(
        (text, f"{len(text.split())}\n")
        for text in ("a b\nc\n", "one\n", "\n\n", "a  b\r\nc d\r\n", "é ü", "x" * 70_000 + " y\n")
    ),
    id="words",
    reference="import sys\nprint(len(sys.stdin.read().split()))\n",
)
COPY = stdin_problem(
    *((text, text) for text in ("a\n", "b\n\nc\n", "é😀\n", "1 2 3\n" * 2000)),
    id="copy",
    reference="import sys\nsys.stdout.write(sys.stdin.read())\n",
)
BIG = stdin_problem(
    *((f"{n}\n", f"{10**n + 7}\n") for n in (3, 100, 4299)),
    ("6000\n", "1" + "0" * 5999 + "7\n"),
    id="big",
    reference="import sys\nsys.set_int_max_str_digits(0)\nprint(10 ** int(input()) + 7)\n",
)
DEEP = stdin_problem(
    *((f"{n}\n", f"{n}\n") for n in (10, 900, 5_000, 50_000)),
    id="deep",
    reference="print(int(input()))\n",
)
METHOD = function_problem(
    "Solution.add",
    *(([a, b], a + b) for a, b in ((1, 2), (3, 4), (5, 6))),
    id="method",
    reference="class Solution:\n    def add(self, a, b):\n        return a + b\n",
)
PAIRS = function_problem(
    "pairs",
    *(([n], [[i, str(i)] for i in range(n)]) for n in (0, 1, 4)),
    id="pairs",
    reference="def pairs(n):\n    return [[i, str(i)] for i in range(n)]\n",
)
TABLE = function_problem(
    "table",
    *(([n], {str(i): i * i for i in range(n)}) for n in (0, 1, 4)),
    id="table",
    reference="def table(n):\n    return {i: i * i for i in range(n)}\n",
)
LISTED = assert_problem(
    "evens",
    *(f"assert list(evens({n})) == {list(range(0, n, 2))}" for n in (0, 1, 6, 9)),
    id="listed",
    reference="def evens(n):\n    return range(0, n, 2)\n",
)
KEYWORDS = assert_problem(
    "scale",
    *(f"assert scale({n}, by=3) == {3 * n} and scale(x={n}) == {2 * n}" for n in (1, 5)),
    id="keywords",
    reference="def scale(x, by=2):\n    return x * by\n",
)
EXACT_TYPES = assert_problem(
    "shapes",
    "assert shapes(0) == (1, [2.5, None], {'a': {1, 2}}, frozenset([3]), b'x', 1j, range(3))",
    "assert type(shapes(1)[0]) is int"
    if False
    else "assert isinstance(shapes(1)[0], int) and shapes(1)[1] == [2.5, None]",
    id="exact types",
    reference="def shapes(n):\n    return 1, [2.5, None], {'a': {1, 2}}, frozenset([3]), b'x', 1j, range(3)\n",
)
NUMBERS = assert_problem(
    "third",
    "from decimal import Decimal\nfrom fractions import Fraction\nassert third(1) == Fraction(1, 3) or third(1) == Decimal(1)",
    "assert abs(third(3) - 1) < 1e-9",
    id="numbers",
    reference="from fractions import Fraction\ndef third(n):\n    return Fraction(n, 3)\n",
)

_READING = {
    "input": "a, b = map(int, input().split())",
    "input with a prompt of nothing": "a, b = map(int, input('').split())",
    "sys.stdin.readline": "import sys\na, b = map(int, sys.stdin.readline().split())",
    "sys.stdin.read": "import sys\na, b = map(int, sys.stdin.read().split())",
    "sys.stdin.readlines": "import sys\na, b = map(int, sys.stdin.readlines()[0].split())",
    "lines of sys.stdin": "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())",
    "next of sys.stdin": "import sys\na, b = map(int, next(sys.stdin).split())",
    "sys.stdin.buffer.read": "import sys\na, b = map(int, sys.stdin.buffer.read().split())",
    "sys.stdin.buffer.readline, then read": "import sys\na, b = map(int, sys.stdin.buffer.readline().split())\nassert sys.stdin.buffer.read() == b''",
    "sys.stdin.buffer.raw": "import sys\na, b = map(int, sys.stdin.buffer.raw.readall().split())",
    "lines of sys.stdin.buffer": "import sys\nfor line in sys.stdin.buffer:\n    a, b = map(int, line.split())",
    "open(0)": "a, b = map(int, open(0).read().split())",
    "open(0, 'rb')": "a, b = map(int, open(0, 'rb').read().split())",
    "open of sys.stdin.fileno()": "import sys\nwith open(sys.stdin.fileno()) as f: a, b = map(int, f.read().split())",
    "os.read": "import os\na, b = map(int, os.read(0, 1 << 20).split())",
    "os.read, a byte at a time": "import os\ntext = b''\nwhile c := os.read(0, 1): text += c\na, b = map(int, text.split())",
    "os.fdopen": "import os\na, b = map(int, os.fdopen(0).read().split())",
    "/dev/stdin": "a, b = map(int, open('/dev/stdin').read().split())",
    "/dev/fd/0": "a, b = map(int, open('/dev/fd/0').read().split())",
    "/proc/self/fd/0": "a, b = map(int, open('/proc/self/fd/0').read().split())",
    "pathlib": "import pathlib\na, b = map(int, pathlib.Path('/dev/stdin').read_text().split())",
    "fileinput": "import fileinput\nfor line in fileinput.input(): a, b = map(int, line.split())",
    "mmap of standard input": "import mmap\nwith mmap.mmap(0, 0, access=mmap.ACCESS_READ) as m: a, b = map(int, m[:].split())",
    "a length from fstat": "import os\na, b = map(int, os.read(0, os.fstat(0).st_size).split())",
    "numpy.fromstring": "import sys, numpy\na, b = numpy.fromstring(sys.stdin.read(), dtype=numpy.int64, sep=' ')",
    "numpy.loadtxt": "import sys, numpy\na, b = numpy.loadtxt(sys.stdin, dtype=int).tolist()",
    "io.TextIOWrapper": "import io, sys\na, b = map(int, io.TextIOWrapper(sys.stdin.buffer, encoding='ascii').readline().split())",
    "io.BytesIO of it all": "import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\na, b = map(int, input().split())",
    "iter with a sentinel": "import sys\nfor line in iter(sys.stdin.readline, ''): a, b = map(int, line.split())",
    "tokens from a generator": "import sys\ndef tokens():\n    for line in sys.stdin: yield from line.split()\nt = tokens()\na, b = int(next(t)), int(next(t))",
    "select before reading": "import select, sys\nselect.select([sys.stdin], [], [], 1)\na, b = map(int, sys.stdin.readline().split())",
    "seek and read again": "import sys\nsys.stdin.read()\nsys.stdin.seek(0)\na, b = map(int, input().split())",
    "reading until EOFError": "lines = []\ntry:\n    while True: lines.append(input())\nexcept EOFError: pass\na, b = map(int, lines[0].split())",
    "csv": "import csv, sys\n(a, b), = [map(int, row) for row in csv.reader(sys.stdin, delimiter=' ')]",
    "asyncio": "import asyncio, sys\nasync def main():\n    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)\na, b = map(int, asyncio.run(main()).split())",
    "readinto": "import sys\nx = bytearray(100)\nn = sys.stdin.buffer.readinto(x)\na, b = map(int, x[:n].split())",
    "reconfigured": "import sys\nsys.stdin.reconfigure(encoding='latin-1', newline='')\na, b = map(int, input().split())",
    "shlex and exec": "exec('a, b = map(int, input().split())')",
    "eval": "a, b = eval('[int(x) for x in input().split()]')",
    "global at the top": "global a, b\na, b = map(int, input().split())",
}
_GIVEN = "a, b = map(int, input().split())\n"
_WRITING = {
    "print": "print(a + b)",
    "no newline at the end": "print(a + b, end='')",
    "blanks and lines at the end": "print(a + b, '  \\n\\n')",
    "CRLF": "print(a + b, end='\\r\\n')",
    "sys.stdout.write": "import sys\nsys.stdout.write(f'{a + b}\\n')",
    "sys.stdout.buffer": "import sys\nsys.stdout.buffer.write(b'%d\\n' % (a + b))",
    "both, in order": "import sys\ns = str(a + b)\nsys.stdout.write(s[:1])\nsys.stdout.flush()\nsys.stdout.buffer.write(s[1:].encode())",
    "os.write": "import os\nos.write(1, b'%d\\n' % (a + b))",
    "open(1, 'w')": "with open(1, 'w', closefd=False) as f: f.write(str(a + b))",
    "open(1, 'w') and closed": "f = open(1, 'w')\nf.write(str(a + b))\nf.close()",
    "/dev/stdout": "open('/dev/stdout', 'w').write(str(a + b))",
    "/dev/fd/1": "with open('/dev/fd/1', 'w') as f: print(a + b, file=f)",
    "sys.__stdout__": "import sys\nprint(a + b, file=sys.__stdout__)",
    "detached": "import sys\nout = sys.stdout.detach()\nout.write(b'%d\\n' % (a + b))\nout.flush()\nsys.stdout = None",
    "another sys.stdout": "import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\nprint(a + b)\nold.write(sys.stdout.getvalue())",
    "redirect_stdout": "import contextlib, io, sys\nf = io.StringIO()\nwith contextlib.redirect_stdout(f): print(a + b)\nprint(f.getvalue(), end='')",
    "reconfigured": "import sys\nsys.stdout.reconfigure(line_buffering=True, encoding='ascii')\nprint(a + b)",
    "an unbuffered file": "import sys\nopen(1, 'wb', 0).write(b'%d' % (a + b))",
    "a duplicate of descriptor 1": "import os\nos.write(os.dup(1), b'%d' % (a + b))",
    "writelines": "import sys\nsys.stdout.writelines([str(a + b), '\\n'])",
    "pprint": "import pprint\npprint.pprint(a + b)",
    "logging to standard output": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(message)s', level='INFO')\nlogging.info(a + b)",
    "words on standard error": "import sys, logging, warnings\nprint('debug', file=sys.stderr)\nlogging.warning('x')\nwarnings.warn('y')\nprint(a + b)",
    "much on standard error": "import sys\nsys.stderr.write('x' * 3_000_000)\nprint(a + b)",
    "standard error closed": "import os, sys\nsys.stderr.close()\nprint(a + b)",
    "standard output of a child": "import os, sys\nif os.fork() == 0:\n    print(a + b, flush=True)\n    os._exit(0)\nos.wait()",
    "a line at the exit": "import atexit\natexit.register(lambda: print(a + b))",
    "a finalizer": "class A:\n    def __del__(self): print(a + b)\nx = A()",
    "a finalizer, weakref": "import weakref\nclass A: pass\nx = A()\nweakref.finalize(x, print, a + b)",
    "exit": "print(a + b)\nexit()",
    "exit with 0": "print(a + b)\nexit(0)",
    "quit": "print(a + b)\nquit()",
    "sys.exit": "import sys\nprint(a + b)\nsys.exit()",
    "raise SystemExit": "print(a + b)\nraise SystemExit(False)",
    "os._exit after a flush": "import os, sys\nprint(a + b)\nsys.stdout.flush()\nos._exit(0)",
    "sys.exit in a function, in a try": "import sys\ndef main():\n    try:\n        print(a + b)\n        sys.exit(0)\n    finally:\n        pass\nmain()",
    "descriptors closed": "import os\nprint(a + b, flush=True)\nos.closerange(0, 256)",
    "all descriptors closed": "import os\nprint(a + b, flush=True)\nos.closerange(0, 4096)",
    "sys.stdout closed": "import sys\nprint(a + b)\nsys.stdout.close()",
    "a print of its own": "import sys\ndef print(*a): sys.stdout.write(' '.join(map(str, a)) + '\\n')\nprint(a + b)",
}
_USING = {
    "a thread that prints": "import threading\nt = threading.Thread(target=lambda: print(a + b))\nt.start()",
    "a thread with a big stack": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\ndef main(): print(a + b + f(20_000) - 20_000)\nt = threading.Thread(target=main)\nt.start()\nt.join()",
    "a daemon thread left alone": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint(a + b)",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool: print(sum(pool.map(int, (a, b))))",
    "a pool of processes": "import multiprocessing\nif __name__ == '__main__':\n    with multiprocessing.get_context('fork').Pool(2) as pool: print(sum(pool.map(int, (a, b))))",
    "a process and a queue": "import multiprocessing as m\nc = m.get_context('fork')\nq = c.Queue()\np = c.Process(target=lambda: q.put(a + b))\np.start()\nprint(q.get())\np.join()",
    "a process and a pipe": "import os\nr, w = os.pipe()\nif os.fork() == 0:\n    os.write(w, str(a + b).encode())\n    os._exit(0)\nos.wait()\nprint(os.read(r, 99).decode())",
    "Python started anew": "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', f'print({a} + {b})'], capture_output=True, text=True).stdout, end='')",
    "asyncio": "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x\nasync def main(): print(sum(await asyncio.gather(f(a), f(b))))\nasyncio.run(main())",
    "an alarm that is taken back": "import signal\nsignal.alarm(100)\nprint(a + b)\nsignal.alarm(0)",
    "an alarm left on": "import signal\nsignal.alarm(100)\nprint(a + b)",
    "a handler that prints": "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: print(a + b))\nos.kill(os.getpid(), signal.SIGUSR1)",
    "an alarm that rings": "import signal\nsignal.signal(signal.SIGALRM, lambda *_: print(a + b))\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\nsignal.pause()",
    "a short wait": "import time\ntime.sleep(0.05)\nprint(a + b)",
    "files of its own": "with open('x.txt', 'w') as f: f.write(f'{a} {b}')\nprint(sum(map(int, open('x.txt').read().split())))",
    "a temporary file": "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n    f.write(str(a + b))\n    f.seek(0)\n    print(f.read())",
    "a temporary folder": "import os, tempfile\nwith tempfile.TemporaryDirectory() as d:\n    open(os.path.join(d, 'x'), 'w').write(str(a + b))\n    print(open(os.path.join(d, 'x')).read())",
    "sqlite in memory": "import sqlite3\nprint(sqlite3.connect(':memory:').execute('select ? + ?', (a, b)).fetchone()[0])",
    "sqlite in a file": "import sqlite3\nc = sqlite3.connect('x.db')\nc.execute('create table t (x)')\nc.executemany('insert into t values (?)', [(a,), (b,)])\nc.commit()\nprint(c.execute('select sum(x) from t').fetchone()[0])",
    "shelve and pickle": "import pickle, shelve\nwith shelve.open('s') as s: s['x'] = pickle.dumps((a, b))\nwith shelve.open('s') as s: print(sum(pickle.loads(s['x'])))",
    "a module of its own": "import sys\nopen('mine.py', 'w').write('def add(a, b): return a + b')\nsys.path.insert(0, '.')\nimport mine\nprint(mine.add(a, b))",
    "its own source": "assert 'own source' in open(__file__).read()  # own source\nprint(a + b)",
    "inspect.getsource": "import inspect\ndef add(x, y): return x + y\nassert 'return x + y' in inspect.getsource(add)\nprint(add(a, b))",
    "an import of itself": "import __main__, sys\n__main__.word = a + b\nprint(word)\nassert sys.modules['__main__'].__dict__ is globals()",
    "sys.argv": "import sys\nassert len(sys.argv) == 1\nprint(a + b)",
    "__name__": "def main(): print(a + b)\nif __name__ == '__main__': main()",
    "a coding cookie": "# -*- coding: utf-8 -*-\nprint(a + b, end='é'[1:])",
    "a dataclass": "from dataclasses import dataclass\n@dataclass(order=True, frozen=True)\nclass P:\n    x: int\n    y: int = 0\nprint(P(a, b).x + P(a, b).y)",
    "an enumeration, a named tuple, a typed dict": "import enum, typing\nclass E(enum.Enum):\n    A = a\n    B = b\nclass N(typing.NamedTuple):\n    x: int\nclass T(typing.TypedDict):\n    x: int\nprint(E.A.value + N(b).x if a != b else 2 * a)",
    "caches": "from functools import cache, lru_cache, cached_property\n@cache\ndef f(x): return x\n@lru_cache(maxsize=None)\ndef g(x): return f(x)\nclass A:\n    @cached_property\n    def x(self): return a\nprint(A().x + g(b))",
    "a match statement": "match (a, b):\n    case (int(x), int(y)): print(x + y)",
    "walrus, star and lambda": "print((lambda *xs: (t := sum(xs)) and t or 0)(*[a, b]))",
    "decimal and fractions": "from decimal import Decimal, getcontext\nfrom fractions import Fraction\ngetcontext().prec = 50\nprint(int(Decimal(a) + int(Fraction(b))))",
    "datetime": "import datetime\nprint((datetime.datetime(2020, 1, 1) + datetime.timedelta(days=a + b) - datetime.datetime(2020, 1, 1)).days)",
    "random with a seed": "import random\nrandom.seed(7)\nx = random.random()\nrandom.seed(7)\nassert x == random.random()\nprint(a + b)",
    "random sampling that does not matter": "import random\nxs = [a, b]\nrandom.shuffle(xs)\nprint(sum(xs))",
    "sorting with keys and heaps": "import bisect, heapq, functools\nh = sorted([a, b], key=functools.cmp_to_key(lambda x, y: x - y))\nheapq.heapify(h)\nbisect.insort(h, 0)\nprint(sum(h))",
    "numpy": "import numpy as np\nprint(np.array([a, b]).sum())",
    "numpy's linear algebra": "import numpy as np\nprint(int(round(np.linalg.solve(np.eye(2), np.array([a, b], float)).sum())))",
    "numpy's random": "import numpy as np\nrng = np.random.default_rng(3)\nrng.random(3)\nprint(int(np.int64(a) + np.int64(b)))",
    "math and itertools": "import itertools, math, operator\nprint(list(itertools.accumulate([a, b], operator.add))[-1] + math.floor(0.5))",
    "regular expressions": "import re\nprint(sum(int(x) for x in re.findall(r'-?\\d+', f'{a} {b}')))",
    "a hook for exceptions": "import sys\nsys.excepthook = lambda *e: None\nprint(a + b)",
    "a trace": "import sys\nsys.settrace(lambda *_: None)\nprint(a + b)",
    "no collector": "import gc\ngc.disable()\ngc.freeze()\nprint(a + b)",
    "a limit of recursion": "import sys\nsys.setrecursionlimit(10**7)\nprint(a + b)",
    "limits that it asks for": "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (resource.getrlimit(resource.RLIMIT_STACK)[1],) * 2)\nprint(a + b)",
    "a switch interval and a memory of objects": "import sys, tracemalloc\nsys.setswitchinterval(0.1)\ntracemalloc.start()\nprint(a + b)",
    "the environment": "import os\nos.environ['X'] = str(a)\nprint(int(os.getenv('X')) + b)",
    "another folder": "import os\nos.chdir('/tmp')\nos.makedirs('x/y', exist_ok=True)\nprint(a + b)",
    "another locale": "import locale\ntry: locale.setlocale(locale.LC_ALL, 'en_US.UTF-8')\nexcept locale.Error: pass\nprint(a + b)",
    "type hints of every kind": "from __future__ import annotations\nfrom typing import *\ndef f(x: Optional[List[Foo]], /, *, y: Bar | None = None) -> Callable[[int], int]: ...\nprint(a + b)",
    "ctypes": "import ctypes\nprint(ctypes.c_int(a).value + b)",
    "a socket pair": "import socket\nx, y = socket.socketpair()\nx.send(str(a + b).encode())\nprint(y.recv(99).decode())",
    "shared memory": "from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=16)\ns.buf[0] = 1\ns.close()\ns.unlink()\nprint(a + b)",
    "an exception that is handled": "try:\n    try: 1 / 0\n    except ZeroDivisionError as e: raise ValueError from e\nexcept ValueError: print(a + b)",
    "an exception in a thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nprint(a + b)",
    "a module named as a test": "def test_sum(): assert a + b == b + a\ntest_sum()\nprint(a + b)",
    "names of ours": "json = os = struct = values = serve = control = None\nprint(a + b)",
    "built-ins covered": "sum = max = list = None\nprint(a + b)",
    "many objects": "xs = [[i] for i in range(100_000)]\nprint(a + b + len(xs) - 100_000)",
}

HONEST: tuple[Honest, ...] = (
    *(Honest(f"reads by {name}", SUM, f"{code}\nprint(a + b)\n") for name, code in _READING.items()),
    *(Honest(f"writes: {name}", SUM, f"{_GIVEN}{code}\n") for name, code in _WRITING.items()),
    *(
        Honest(
            f"uses {name}",
            SUM,
            f"from __future__ import annotations\n{_GIVEN}{code.split(chr(10), 1)[1]}\n"
            if code.startswith("from __future__")
            else f"{_GIVEN}{code}\n",
        )
        for name, code in _USING.items()
    ),
    *(
        Honest("the reference", problem, problem.reference or "")
        for problem in (LINES, HALVES, SMILE, WORDS, COPY, BIG, SORTED)
    ),
    *(
        Honest("the reference", problem, problem.reference or "")
        for problem in (MAPPED, LOOP, CLOSE, CHECK, RAISES, HELPER, OPAQUE, IN_PLACE, ARRAYS, PYTEST)
    ),
    Honest(
        "lines, one by one",
        WORDS,
        "n = 0\nwhile True:\n    try: n += len(input().split())\n    except EOFError: break\nprint(n)\n",
    ),
    Honest("a byte order mark in the source", SUM, "\ufeffa, b = map(int, input().split())\nprint(a + b)\n"),
    Honest("CRLF in the source", SUM, "a, b = map(int, input().split())\r\nif True:\r\n\tprint(a + b)\r\n"),
    Honest("form feeds and tabs in the source", SUM, "a, b = map(int, input().split())\n\x0c\nif 1:\n\tprint(a + b)\n"),
    Honest("no newline at the end of the source", SUM, "print(sum(map(int, input().split())))"),
    Honest("names that are no ASCII", SUM, "ä, ß = map(int, input().split())\nprint(ä + ß)\n"),
    Honest("halves as a Decimal", HALVES, "from decimal import Decimal\nprint(Decimal(input()) / 2)\n"),
    Honest("halves with an exponent", HALVES, "print(f'{int(input()) / 2:e}')\n"),
    Honest("halves with many places", HALVES, "print(f'{int(input()) / 2:.12f}')\n"),
    Honest(
        "one write of all lines",
        LINES,
        "import sys\nsys.stdout.write('\\n'.join('NO' if n % 2 else 'YES' for n in range(int(input()))))\n",
    ),
    Honest("long ints by hand", BIG, "n = int(input())\nprint('1' + '0' * (n - 1) + '7')\n"),
    Honest("bytes copied", COPY, "import shutil, sys\nshutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)\n"),
    Honest(
        "sendfile",
        COPY,
        "import os\nn = os.fstat(0).st_size\ndone = 0\nwhile done < n: done += os.write(1, os.pread(0, 1 << 16, done))\n",
    ),
    Honest(
        "Latin-1 in between",
        COPY,
        "import sys\nsys.stdin.reconfigure(encoding='latin-1')\nsys.stdout.reconfigure(encoding='latin-1')\nprint(sys.stdin.read(), end='')\n",
    ),
    Honest(
        "surrogateescape",
        COPY,
        "import sys\nsys.stdin.reconfigure(encoding='ascii', errors='surrogateescape')\nsys.stdout.reconfigure(encoding='ascii', errors='surrogateescape')\nprint(sys.stdin.read(), end='')\n",
    ),
    Honest(
        "deep recursion",
        DEEP,
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(int(input())))\n",
    ),
    Honest(
        "deep recursion in a thread",
        DEEP,
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 28)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nt = threading.Thread(target=lambda: print(f(int(input()))))\nt.start()\nt.join()\n",
    ),
    Honest("a lambda", ADD, "add = lambda a, b: a + b\n"),
    Honest("a default that is changed", ADD, "def add(a, b, seen=[]):\n    seen.append(a)\n    return a + b\n"),
    Honest("varargs", ADD, "def add(*xs, **more):\n    return sum(xs)\n"),
    Honest("a cache", ADD, "from functools import lru_cache\n@lru_cache(None)\ndef add(a, b):\n    return a + b\n"),
    Honest(
        "a decorator",
        ADD,
        "import functools\ndef shout(f):\n    @functools.wraps(f)\n    def inner(*a):\n        print('called', a)\n        return f(*a)\n    return inner\n@shout\ndef add(a, b):\n    return a + b\n",
    ),
    Honest("a callable object", ADD, "class Add:\n    def __call__(self, a, b): return a + b\nadd = Add()\n"),
    Honest("a partial", ADD, "import functools, operator\nadd = functools.partial(operator.add)\n"),
    Honest("a built-in", ADD, "from operator import add\n"),
    Honest("a bool that is an int's subclass", ADD, "class N(int): pass\ndef add(a, b):\n    return N(a + b)\n"),
    Honest("a numpy integer", ADD, "import numpy as np\ndef add(a, b):\n    return np.int64(a) + np.int64(b)\n"),
    Honest(
        "a main part that reads",
        ADD,
        "def add(a, b):\n    return a + b\nif __name__ == '__main__':\n    print(add(*map(int, input().split())))\n",
    ),
    Honest(
        "examples in a docstring",
        ADD,
        "def add(a, b):\n    '''\n    >>> add(1, 2)\n    3\n    '''\n    return a + b\nimport doctest\ndoctest.testmod()\n",
    ),
    Honest(
        "asserts of its own", ADD, "def add(a, b):\n    assert a is not None\n    return a + b\nassert add(1, 1) == 2\n"
    ),
    Honest(
        "prints while it works",
        ADD,
        "import sys\ndef add(a, b):\n    print('x' * 1000)\n    print('y', file=sys.stderr)\n    return a + b\n",
    ),
    Honest(
        "a thread in a function",
        ADD,
        "import threading\ndef add(a, b):\n    out = []\n    t = threading.Thread(target=lambda: out.append(a + b))\n    t.start()\n    t.join()\n    return out[0]\n",
    ),
    Honest(
        "a process in a function",
        ADD,
        "import os\ndef add(a, b):\n    r, w = os.pipe()\n    if os.fork() == 0:\n        os.write(w, str(a + b).encode())\n        os._exit(0)\n    os.wait()\n    n = int(os.read(r, 99))\n    os.close(r); os.close(w)\n    return n\n",
    ),
    Honest(
        "recursion in a function",
        ADD,
        "def add(a, b):\n    return a if b == 0 else add(a + 1, b - 1) if b > 0 else add(a - 1, b + 1)\n",
    ),
    Honest("a helper after it", ADD, "def add(a, b):\n    return plus(a, b)\ndef plus(a, b):\n    return a + b\n"),
    Honest(
        "reads its own name",
        ADD,
        "def add(a, b):\n    assert __name__ != '__main__' and add.__name__ == 'add' and callable(globals()['add'])\n    return a + b\n",
    ),
    Honest("a tuple for a list", SORTED, "def ordered(xs):\n    return tuple(sorted(xs))\n"),
    Honest("sorted in place and returned", SORTED, "def ordered(xs):\n    xs.sort()\n    return xs\n"),
    Honest("a list's subclass", SORTED, "class L(list): pass\ndef ordered(xs):\n    return L(sorted(xs))\n"),
    Honest("numpy's sort as a list", SORTED, "import numpy as np\ndef ordered(xs):\n    return np.sort(xs).tolist()\n"),
    Honest(
        "a list of numpy integers",
        SORTED,
        "import numpy as np\ndef ordered(xs):\n    return list(np.sort(np.array(xs)))\n",
    ),
    Honest(
        "a class with state",
        METHOD,
        "class Solution:\n    memo = {}\n    def __init__(self): self.calls = 0\n    def add(self, a: int, b: int) -> int:\n        self.calls += 1\n        assert self.calls == 1\n        return self.memo.setdefault((a, b), a + b)\n",
    ),
    Honest("a static method", METHOD, "class Solution:\n    @staticmethod\n    def add(a, b): return a + b\n"),
    Honest(
        "a class method that is inherited",
        METHOD,
        "class Base:\n    @classmethod\n    def add(cls, a, b): return a + b\nclass Solution(Base):\n    pass\n",
    ),
    Honest("tuples within", PAIRS, "def pairs(n):\n    return tuple((i, str(i)) for i in range(n))\n"),
    Honest(
        "named tuples within",
        PAIRS,
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\ndef pairs(n):\n    return [P(i, str(i)) for i in range(n)]\n",
    ),
    Honest("int keys", TABLE, "def table(n):\n    return {i: i * i for i in range(n)}\n"),
    Honest(
        "a Counter",
        TABLE,
        "from collections import Counter\ndef table(n):\n    c = Counter()\n    for i in range(n): c[str(i)] += i * i\n    return c\n",
    ),
    Honest(
        "a defaultdict",
        TABLE,
        "from collections import defaultdict\ndef table(n):\n    d = defaultdict(int)\n    for i in range(n): d[i] += i * i\n    return d\n",
    ),
    Honest(
        "an OrderedDict",
        TABLE,
        "from collections import OrderedDict\ndef table(n):\n    return OrderedDict((str(i), i * i) for i in reversed(range(n)))\n",
    ),
    Honest("characters beyond the first plane", SMILE, "def smile(n):\n    return chr(0x1F600) * n\n"),
    Honest("asserts on a sum", ASSERTS, "def add(a, b):\n    return sum((a, b))\n"),
    Honest("a generator", LISTED, "def evens(n):\n    yield from range(0, n, 2)\n"),
    Honest("a map", LISTED, "def evens(n):\n    return map(int, range(0, n, 2))\n"),
    Honest("a tuple that is listed", LISTED, "def evens(n):\n    return tuple(range(0, n, 2))\n"),
    Honest("keywords", KEYWORDS, "def scale(x, *, by=2):\n    return x * by\n"),
    Honest("values of many types", EXACT_TYPES, EXACT_TYPES.reference or ""),
    Honest("a Fraction", NUMBERS, NUMBERS.reference or ""),
    Honest("in place", IN_PLACE, "def double(xs):\n    xs[:] = [2 * x for x in xs]\n"),
    Honest(
        "in place, one by one, from behind",
        IN_PLACE,
        "def double(xs):\n    for _ in range(len(xs)):\n        xs.insert(0, 2 * xs.pop())\n",
    ),
    Honest("a float that is near", CLOSE, "import math\ndef mean(xs):\n    return math.fsum(xs) / len(xs)\n"),
    Honest("an array", ARRAYS, "import numpy as np\ndef double(xs):\n    return np.array(xs) * 2\n"),
    Honest(
        "its own exceptions' base",
        RAISES,
        "def add(a, b):\n    if not isinstance(b, int): raise TypeError('b')\n    return a + b\n",
    ),
    Honest(
        "a helper of the test, its own too",
        HELPER,
        "def encode(text):\n    return ''\ndef decode(text):\n    return ''.join(chr((ord(c) - 97 - 5) % 26 + 97) for c in text)\n",
    ),
    Honest("a typed answer of pytest's", PYTEST, "def add(a: int, b: int) -> int:\n    '''Add.'''\n    return a + b\n"),
)
