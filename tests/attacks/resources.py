"""Taking more than is allowed. The first kind answers rightly only if it was given more; the second kind does harm."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import SUM

_SUM = "a, b = map(int, input().split())\n"


def _only_if(code: str) -> str:
    """A program that is right only where `code` comes to its end."""
    body = "".join(f"    {line}\n" for line in code.strip().splitlines())
    return f"import os, sys, time\n{_SUM}got = False\ntry:\n{body}    got = True\nexcept BaseException:\n    pass\nprint(a + b if got else 'no')\n"


_MORE = {
    "ours without the limit of processes": {
        "more processes than may be": _only_if(
            "pids = []\ntry:\n    for _ in range(70):\n        pid = os.fork()\n        if pid == 0:\n            time.sleep(30)\n            os._exit(0)\n        pids.append(pid)\nfinally:\n    for pid in pids: os.kill(pid, 9)"
        ),
    },
    "ours without the limits of processes and memory": {
        "more threads than may be": _only_if(
            "import threading\nstop = threading.Event()\nts = [threading.Thread(target=stop.wait, daemon=True) for _ in range(70)]\ntry:\n    for t in ts: t.start()\nfinally:\n    stop.set()"
        ),
    },
    "ours without the limit of memory": {
        "more memory than may be, mapped": _only_if("import mmap\nx = mmap.mmap(-1, 1200 << 20)"),
        "more memory than may be, in one piece": _only_if(
            "import ctypes\nl = ctypes.CDLL(None)\nl.malloc.restype = ctypes.c_void_p\nl.malloc.argtypes = [ctypes.c_size_t]\nif not l.malloc(1100 << 20): raise MemoryError"
        ),
        "more memory than may be, in pieces": _only_if("import mmap\nx = [mmap.mmap(-1, 64 << 20) for _ in range(20)]"),
    },
    "ours without the limit of file sizes": {
        "a larger file than may be": _only_if("with open('f', 'wb') as file: file.truncate(17 << 20)"),
        "a sparse file of a terabyte": _only_if("with open('f', 'wb') as file: file.truncate(1 << 40)"),
    },
    "ours without the limit of open files": {
        "more open files than may be": _only_if(
            "files = [open('/dev/null') for _ in range(300)]\nfor f in files: f.close()"
        ),
        "more pipes than may be": _only_if(
            "ends = [os.pipe() for _ in range(200)]\nfor pair in ends:\n    for fd in pair: os.close(fd)"
        ),
    },
    "ours without the limit of locked memory": {
        "memory that is never swapped": _only_if(
            "import ctypes\nl = ctypes.CDLL(None)\nx = ctypes.create_string_buffer(1 << 20)\nif l.mlock(x, 1 << 20): raise OSError"
        ),
        "all memory locked": _only_if("import ctypes\nif ctypes.CDLL(None).mlockall(2): raise OSError"),
    },
    "ours with a large scratch folder": {
        "more files than fit": _only_if(
            "for n in range(8):\n    with open(f'f{n}', 'wb') as file: file.write(bytes(10 << 20))"
        ),
        "more on /dev/shm than fits": _only_if(
            "for n in range(8):\n    with open(f'/dev/shm/f{n}', 'wb') as file: file.write(bytes(10 << 20))"
        ),
    },
}
_HARM = {
    "a fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "a fork bomb that leaves its session": "import os\nwhile True:\n    try:\n        if os.fork(): os.setsid()\n    except OSError: pass",
    "a bomb of threads": "import threading\ndef more():\n    while True:\n        try: threading.Thread(target=more).start()\n        except RuntimeError: pass\nmore()",
    "all memory": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "all memory, by children": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n    x = b'x' * (90 << 20)",
    "a flood of output": "while True: print('x' * 100_000)",
    "a flood of errors": "import sys\nwhile True: print('x' * 100_000, file=sys.stderr)",
    "a flood on every descriptor": "import os\nwhile True:\n    for fd in range(1, 1024):\n        try: os.write(fd, b'x' * 65536)\n        except OSError: pass",
    "a full disk": "n = 0\nwhile True:\n    n += 1\n    try:\n        with open(f'f{n}', 'wb') as file: file.write(bytes(1 << 20))\n    except OSError: pass",
    "a disk without entries": "import os\nn = 0\nwhile True:\n    n += 1\n    try: os.mkdir(f'/tmp/{n}')\n    except OSError: break",
    "a number too large to show": "print(1 << 400_000_000)",
    "a number too large to compute": "print(9 ** 9 ** 9 ** 9)",
    "a line without an end": "import sys\nsys.stdout.write('7' * 15_000_000)",
    "a text that eats the parser": "eval('(' * 100_000)",
    "a regular expression that does not end": "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
    "a stack without an end": "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(): f()\nf()",
    "every signal to everyone": "import os\nfor n in range(1, 65):\n    for target in (-1, 1, 0):\n        try: os.kill(target, n)\n        except OSError: pass",
    "sockets filled with descriptors": "import array, os, socket\na, b = socket.socketpair()\nwhile True:\n    try: socket.send_fds(a, [b'x'], [a.fileno(), b.fileno()] * 100)\n    except OSError: break\nwhile True: pass",
}

ATTACKS: list[Attack] = [
    *(one for flips, codes in _MORE.items() for one in attacks(Group.RESOURCES, SUM, flips, codes)),
    *attacks(Group.RESOURCES, SUM, (), _HARM, tests=1),
]
