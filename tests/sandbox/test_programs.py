"""Programs that once ran otherwise here than under an interpreter of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Bench

PROGRAMS = {
    "PyRival's fast input": (
        "import sys, os\nfrom io import BytesIO, IOBase\nBUFSIZE = 8192\n"
        "class FastIO(IOBase):\n"
        "    newlines = 0\n"
        "    def __init__(self, file):\n"
        "        self._fd = file.fileno()\n        self.buffer = BytesIO()\n"
        "        self.writable = 'x' in file.mode or 'r' not in file.mode\n"
        "        self.write = self.buffer.write if self.writable else None\n"
        "    def readline(self):\n"
        "        while self.newlines == 0:\n"
        "            b = os.read(self._fd, max(os.fstat(self._fd).st_size, BUFSIZE))\n"
        "            self.newlines = b.count(b'\\n') + (not b)\n"
        "            ptr = self.buffer.tell()\n            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)\n"
        "        self.newlines -= 1\n        return self.buffer.readline()\n"
        "    def flush(self):\n"
        "        if self.writable:\n            os.write(self._fd, self.buffer.getvalue())\n            self.buffer.truncate(0), self.buffer.seek(0)\n"
        "class IOWrapper(IOBase):\n"
        "    def __init__(self, file):\n"
        "        self.buffer = FastIO(file)\n        self.flush = self.buffer.flush\n        self.writable = self.buffer.writable\n"
        "        self.write = lambda s: self.buffer.write(s.encode('ascii'))\n"
        "        self.readline = lambda: self.buffer.readline().decode('ascii')\n"
        "sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)\n"
        "input = lambda: sys.stdin.readline().rstrip('\\r\\n')\n"
        "print(int(input()) + int(input()))\n"
    ),
    "a writer on what was detached": "import codecs, sys\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach())\nprint('é', input())",
    "a wrapper on what was detached": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')\nprint('é', input())",
    "a finalizer that uses its globals": "import sys\nn = 7\nclass A:\n    def __del__(self): sys.stdout.write(f'end {n}\\n')\na = [A()]",
    "a finalizer in a cycle": "import sys\nclass A:\n    def __del__(self): sys.stdout.write('end\\n')\na = A()\na.me = a",
    "recursion as deep as may be": "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(990))",
    "recursion deeper than may be": "def f(n): return 0 if n == 0 else 1 + f(n - 1)\ntry:\n    f(1001)\nexcept RecursionError:\n    print('too deep')",
    "a broken pipe that is caught": "import os\nr, w = os.pipe()\nos.close(r)\ntry:\n    os.write(w, b'x')\nexcept BrokenPipeError:\n    print('broken')",
    "an interrupt that is caught": "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('caught')",
    "a surrogate on standard error": "import sys\nprint('\\ud800', file=sys.stderr)\nprint('on')",
    "help is a name": "print(callable(help), callable(exit))",
    "a coding cookie": "# coding: latin-1\nprint('é', len('é'))",
    "a byte order mark": "\ufeffprint('marked')",
    "form feeds": "print(1)\n\x0c\nprint(2)",
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("fresh", [True, False], ids=["per-test", "batch"])
def test_it_prints_what_it_prints_elsewhere(bench: Bench, tmp_path: Path, name: str, fresh: bool) -> None:
    path = tmp_path / "solution.py"
    # a text has no other encoding than UTF-8, whatever its first line says
    path.write_text(PROGRAMS[name].replace("# coding: latin-1", "# coding: utf-8"), encoding="utf-8")
    there = subprocess.run(
        [sys.executable, "-I", str(path)], input="2\n3\n", capture_output=True, text=True, encoding="utf-8"
    )
    assert there.returncode == 0, there.stderr
    for seen in bench(PROGRAMS[name], "2\n3\n", "2\n3\n", fresh=fresh):
        assert (seen.how, seen.answer.decode()) == ("ended", there.stdout), seen.note
