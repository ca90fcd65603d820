"""Honest programs are never failed by the sandbox: every way of reading, ending and using the machine that Python has."""

from __future__ import annotations

import pytest

from crl_data.sandbox import Limits
from tests.conftest import Bench

WAYS_OF_READING = {
    "input": "print(int(input()) + int(input()))",
    "sys.stdin.read": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "sys.stdin.readline": "import sys\nprint(int(sys.stdin.readline()) + int(sys.stdin.readline()))",
    "for line in sys.stdin": "import sys\nprint(sum(int(line) for line in sys.stdin))",
    "sys.stdin.readlines": "import sys\nprint(sum(map(int, sys.stdin.readlines())))",
    "sys.stdin.buffer.read": "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
    "sys.stdin.buffer.readline": "import sys\nr = sys.stdin.buffer.readline\nprint(int(r()) + int(r()))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "open(0) in binary": "print(sum(map(int, open(0, 'rb').read().split())))",
    "os.read": "import os\nprint(sum(map(int, os.read(0, 1 << 16).split())))",
    "fileinput": "import fileinput\nprint(sum(int(line) for line in fileinput.input()))",
    "/dev/stdin": "print(sum(map(int, open('/dev/stdin').read().split())))",
    "io.BytesIO": "import io, os, sys\nsys.stdin = io.StringIO(os.read(0, 10**6).decode())\nprint(int(input()) + int(input()))",
    "io.open": "import io\nprint(sum(map(int, io.open(0, buffering=1 << 16).read().split())))",
    "mmap": "import mmap\nprint(sum(map(int, mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:].split())))",
    "os.fdopen": "import os\nprint(sum(map(int, os.fdopen(0).read().split())))",
    "iter(input, '')": "print(sum(map(int, [input(), input()])))\ntry:\n    input()\nexcept EOFError:\n    pass",
}


@pytest.mark.parametrize("way", WAYS_OF_READING)
@pytest.mark.parametrize("fresh", [True, False], ids=["per-test", "batch"])
def test_input_can_be_read_in_every_way(bench: Bench, way: str, fresh: bool) -> None:
    seen = bench(WAYS_OF_READING[way], "1\n2\n", "30\n4\n", "-5\n5\n", fresh=fresh)
    assert [(one.how, one.answer) for one in seen] == [("ended", b"3\n"), ("ended", b"34\n"), ("ended", b"0\n")], [
        one.note for one in seen
    ]


WAYS_OF_WRITING = {
    "print": "print(7)",
    "sys.stdout.write": "import sys\nsys.stdout.write('7\\n')",
    "sys.stdout.buffer.write": "import sys\nsys.stdout.buffer.write(b'7\\n')",
    "os.write": "import os\nos.write(1, b'7\\n')",
    "open(1, 'w')": "f = open(1, 'w')\nf.write('7\\n')",
    "/dev/stdout": "print(7, file=open('/dev/stdout', 'w'))",
    "redirect_stdout": "import contextlib, io, sys\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    print(7)\nprint(out.getvalue(), end='')",
    "closed at the end": "import sys\nprint(7)\nsys.stdout.close()",
    "atexit": "import atexit, os\natexit.register(lambda: os.write(1, b'7\\n'))",
    "a replaced sys.stdout, flushed at exit": "import atexit, io, os, sys\nout = io.StringIO()\nsys.stdout = out\natexit.register(lambda: os.write(1, out.getvalue().encode()))\nprint(7)",
    "__del__ of a global": "import os\nclass A:\n    def __del__(self, write=os.write):\n        write(1, b'7\\n')\na = A()",
    "a thread that is not waited for": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print(7))).start()",
    "a thread with a big stack": "import threading\nthreading.stack_size(256 << 20)\nt = threading.Thread(target=lambda: print(7))\nt.start()\nt.join()",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as p:\n    print(p.submit(lambda: 7).result())",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0.001)\n    print(7)\nasyncio.run(main())",
    "multiprocessing": "import multiprocessing as m\ndef f(x):\n    return x + 1\nif __name__ == '__main__':\n    with m.Pool(2) as p:\n        print(p.map(f, [6])[0])",
    "fork": "import os\nif os.fork() == 0:\n    os.write(1, b'7\\n')\n    os._exit(0)\nos.wait()",
    "sys.exit(0)": "import sys\nprint(7)\nsys.exit(0)",
    "exit()": "print(7)\nexit()",
    "quit()": "print(7)\nquit()",
    "raise SystemExit": "print(7)\nraise SystemExit",
    "os._exit after a flush": "import os, sys\nprint(7)\nsys.stdout.flush()\nos._exit(0)",
    "closing every descriptor it knows": "import os, sys\nprint(7)\nsys.stdout.flush()\nos.closerange(3, 4096)",
    "a global set in a function": "x = 0\ndef f():\n    global x\n    x = 7\nf()\nprint(x)",
    "from __future__": "from __future__ import annotations\nprint(7)",
    "its own file": "print(open(__file__).read().count('7'), end='')\nprint(7 if __name__ == '__main__' else 0)\n# 77777 7"[
        0:0
    ]
    + "print(7 if open(__file__).read() and __name__ == '__main__' else 0)",
    "a file in the working folder": "open('x.txt', 'w').write('7')\nprint(open('x.txt').read())",
    "a temporary file": "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('7')\n    f.flush()\n    print(open(f.name).read())",
    "a temporary folder": "import os, tempfile\nwith tempfile.TemporaryDirectory() as d:\n    os.mkdir(os.path.join(d, 'a'))\n    print(7)",
    "dataclasses and pickle": "import pickle\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(pickle.loads(pickle.dumps(A(7))).x)",
    "typing and inspect": "import inspect\nfrom typing import List\ndef f(x: List[int]) -> int:\n    return 7\nprint(f([]) if 'List' in inspect.getsource(f) else 0)",
}


@pytest.mark.parametrize("way", WAYS_OF_WRITING)
@pytest.mark.parametrize("fresh", [True, False], ids=["per-test", "batch"])
def test_output_can_be_written_and_the_program_ended_in_every_way(bench: Bench, way: str, fresh: bool) -> None:
    seen = bench(WAYS_OF_WRITING[way], "", "", "", fresh=fresh)
    assert [(one.how, one.answer.strip()) for one in seen] == [("ended", b"7")] * 3, [one.note for one in seen]


def test_a_program_can_recurse_as_deep_as_it_asks(bench: Bench) -> None:
    program = "import sys\nsys.setrecursionlimit(10**6)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(150_000))"
    assert bench.out(program) == "150000\n"


def test_deep_recursion_through_c_code_has_a_big_stack(bench: Bench) -> None:
    program = (
        "import sys, functools\nsys.setrecursionlimit(10**6)\n@functools.lru_cache(None)\n"
        "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(60_000))"
    )
    assert bench.out(program, limits=Limits(cpu_s=4.0)) == "60000\n"


def test_integers_of_any_length_are_printed_where_the_program_lifts_the_limit(bench: Bench) -> None:
    assert len(bench.out("import sys\nsys.set_int_max_str_digits(0)\nprint(10**20_000)")) == 20_002


def test_nul_and_other_bytes_go_in_and_out_unchanged(bench: Bench) -> None:
    every_byte = bytes(range(256))
    (seen,) = bench("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", every_byte)
    assert seen.answer == every_byte[::-1]


def test_a_large_input_and_a_large_output_go_through(bench: Bench) -> None:
    (seen,) = bench("import sys\nsys.stdout.write(sys.stdin.read())", "x" * 5_000_000)
    assert seen.how == "ended" and len(seen.answer) == 5_000_000


def test_numpy_is_there_and_nothing_else_of_this_environment(bench: Bench) -> None:
    assert bench.out("import numpy\nprint(numpy.arange(4).sum())") == "6\n"
    for name in ("pandas", "polars", "pytest", "crl_data", "runner", "pip", "setuptools"):
        (seen,) = bench(f"import {name}")
        assert (seen.how, seen.note.split(":")[0]) == ("raised", "ModuleNotFoundError"), name


def test_randomness_and_hashes_are_the_same_every_time(bench: Bench) -> None:
    program = (
        "import random\nprint(random.random(), hash('x'), sorted({'a', 'b', 'c'}, key=hash), random.Random(3).random())"
    )
    seen = bench(program, "", "", "") + bench(program, "", "", fresh=True)
    assert len({one.answer for one in seen}) == 1


def test_the_locale_the_time_zone_and_the_environment_are_always_the_same(bench: Bench) -> None:
    program = "import os, sys, time, locale\nprint(sorted(os.environ), time.tzname, sys.stdout.encoding, sys.getfilesystemencoding())"
    seen = bench.out(program)
    assert "UTC" in seen and "utf-8" in seen and "HOSTNAME" not in seen


@pytest.mark.parametrize(
    "leftover",
    [
        "x = []\n",
        "import sys\nsys.setrecursionlimit(50)\n",
        "import builtins\nbuiltins.len = None\n",
        "import os\nos.environ['A'] = 'B'\nos.umask(0)\n",
        "import os\nos.chdir('/')\n",
        "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\nsignal.alarm(1)\n",
        "import sys\nsys.stdout = None\n",
        "import sys\nsys.path.clear()\n",
        "import os\nos.mkdir('d')\nopen('d/f', 'w').close()\nos.chmod('d', 0)\n",
        "import os\nos.close(0)\nos.close(1)\nos.close(2)\n",
        "import threading\nthreading.Thread(target=__import__('time').sleep, args=(60,), daemon=True).start()\n",
        "import os\nif os.fork() == 0:\n    __import__('time').sleep(60)\n",
        "import gc\ngc.disable()\n",
        "import sys\nsys.settrace(lambda *_: None)\n",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))\n",
        "import decimal\ndecimal.getcontext().prec = 2\n",
        "import locale, warnings\nwarnings.simplefilter('error')\n",
        "import atexit\natexit.register(print)\n",
    ],
)
def test_what_one_test_leaves_behind_the_next_does_not_see(bench: Bench, leftover: str) -> None:
    """The first test leaves something; the others look, in the same process where it may live on."""
    look = (
        "import os, sys, decimal\n"
        "line = input()\n"
        "print(line, sys.getrecursionlimit(), len('ab'), os.environ.get('A'), os.getcwd(), os.listdir(), bool(sys.path), "
        "decimal.Decimal(1) / 3, __import__('threading').active_count(), sys.gettrace())\n"
    )
    program = look + "if line == 'leave':\n" + "".join(f"    {step}\n" for step in leftover.splitlines())
    clean = bench(look, "look")[0].answer
    seen = bench(program, "leave", "look", "look")
    assert [one.how for one in seen[1:]] == ["ended", "ended"], [one.note for one in seen]
    assert [one.answer for one in seen[1:]] == [clean, clean]


@pytest.mark.parametrize("mode", ["stdin", "calls"])
def test_an_ordinary_program_runs_all_its_tests_in_one_process(bench: Bench, mode: str) -> None:
    """That is where the speed comes from: a process that is spent after every test would give the same verdicts."""
    program = "def f(): return 1\nif __name__ == '__main__': print(input())"
    inputs = ["1"] * 8 if mode == "stdin" else ['[{"args": []}]'] * 8
    seen = bench(program, *inputs, mode=mode, entry="f" if mode == "calls" else None)
    assert [one.lives for one in seen] == [True] * 8
