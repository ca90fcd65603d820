"""Ending before anything was shown to be right, so that the end itself passes for a success."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, ASSERTS, LINES

_IN_CALL = "def add(a, b):\n    {}\n"
_EXITS = {
    "sys.exit": "import sys; sys.exit(0)",
    "SystemExit": "raise SystemExit",
    "quit": "import _sitebuiltins; _sitebuiltins.Quitter('quit', '')(0)",
    "os._exit": "import os; os._exit(0)",
    "posix._exit": "import posix; posix._exit(0)",
    "_exit by ctypes": "import ctypes; ctypes.CDLL(None)._exit(0)",
    "exit_group as a system call": "import ctypes, platform; ctypes.CDLL(None).syscall({'x86_64': 231}.get(platform.machine(), 94), 0)",
    "another program in its place": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])",
    "a signal handler": "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); os.kill(os.getpid(), signal.SIGTERM)",
}
_AT_LOAD = {
    "sys.exit at load": "import sys\nsys.exit(0)",
    "os._exit at load": "import os\nos._exit(0)",
    "an exit function": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b):\n    raise ValueError",
    "an exit hook for exceptions": "import os\nclass E(BaseException):\n    def __init__(self, *a):\n        os._exit(0)\ndef add(a, b):\n    raise E",
    "a finalizer": "import os\nclass A:\n    def __del__(self):\n        os._exit(0)\ndef add(a, b):\n    A()\n    return 0",
    "a result that exits when it is compared": "import os\nclass A:\n    def __eq__(self, other):\n        os._exit(0)\ndef add(a, b):\n    return A()",
    "a result that exits when it is shown": "import os\nclass A(Exception):\n    def __str__(self):\n        os._exit(0)\n    __repr__ = __eq__ = __reduce_ex__ = lambda *a: os._exit(0)\ndef add(a, b):\n    return A()",
    "a thread that exits": "import os, threading\ndef add(a, b):\n    threading.Thread(target=os._exit, args=(0,)).start()\n    while True: pass",
    "a child that goes on while the parent exits": "import os\ndef add(a, b):\n    if os.fork():\n        os._exit(0)\n    return 0",
    "a timer that exits": "import os, signal\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\ndef add(a, b):\n    signal.setitimer(signal.ITIMER_REAL, 0.01)\n    while True: pass",
}

ATTACKS: list[Attack] = [
    *attacks(Group.EARLY_EXIT, ADD, "exit_status", {name: _IN_CALL.format(how) for name, how in _EXITS.items()}),
    *attacks(Group.EARLY_EXIT, ASSERTS, "exit_status", {name: _IN_CALL.format(how) for name, how in _EXITS.items()}),
    *attacks(Group.EARLY_EXIT, ADD, "exit_status", _AT_LOAD),
    *attacks(
        Group.EARLY_EXIT,
        ASSERTS,
        "zero_is_success",
        {
            "an exit that is no Exception": "def add(a, b):\n    raise SystemExit(3)",
            "an interrupt": "def add(a, b):\n    raise KeyboardInterrupt",
            "the end of a generator": "def add(a, b):\n    raise GeneratorExit",
            "a signal that kills": "import os\ndef add(a, b):\n    os.kill(os.getpid(), 9)",
            "a crash of the interpreter": "import ctypes\ndef add(a, b):\n    ctypes.string_at(0)",
            "an exception of its own base": "class E(BaseException):\n    pass\ndef add(a, b):\n    raise E",
        },
    ),
    *attacks(
        Group.EARLY_EXIT,
        LINES,
        "fresh_processes:zip_lines",
        {
            "no output": "pass",
            "no output and exit 0": "import os\nos._exit(0)",
            "the first line only": "print('YES')",
            "the first two lines, then a closed output": "import os\nprint('YES\\nNO', flush=True)\nos.close(1)",
        },
    ),
]
