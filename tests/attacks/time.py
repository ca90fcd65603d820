"""Taking more time than is allowed, and answering all the same. The limit is half a second here."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import SUM

_SUM = "a, b = map(int, input().split())\n"
_BURN = "import os, signal, time\ndef burn(seconds):\n    end = time.process_time() + seconds\n    while time.process_time() < end: pass\n"
_PRINT = "print(a + b)\n"

ATTACKS: list[Attack] = [
    *attacks(
        Group.TIME,
        SUM,
        "alarm",
        {
            "the alarm taken back": _BURN + _SUM + "signal.setitimer(signal.ITIMER_REAL, 0)\nburn(0.7)\n" + _PRINT,
            "the alarm ignored": _BURN + _SUM + "signal.signal(signal.SIGALRM, signal.SIG_IGN)\nburn(0.7)\n" + _PRINT,
            "a handler of its own": _BURN
            + _SUM
            + "signal.signal(signal.SIGALRM, lambda *_: None)\nburn(0.7)\n"
            + _PRINT,
            "the exception caught": _BURN
            + _SUM
            + "for _ in range(2):\n    try: burn(0.7)\n    except BaseException: pass\n"
            + _PRINT,
            "the signal blocked": _BURN
            + _SUM
            + "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\nburn(0.7)\n"
            + _PRINT,
            "time after the answer, in a finalizer": _BURN
            + _SUM
            + _PRINT
            + "signal.setitimer(signal.ITIMER_REAL, 0)\nclass A:\n    def __del__(self): burn(0.7)\nx = A()\n",
        },
        tests=1,
    ),
    *attacks(
        Group.TIME,
        SUM,
        "cpu_rlimit",
        {
            "children one after another": _BURN
            + _SUM
            + "for _ in range(3):\n    if os.fork() == 0:\n        burn(0.4)\n        os._exit(0)\n    os.wait()\n"
            + _PRINT,
            "children at once": _BURN
            + _SUM
            + "for _ in range(3):\n    if os.fork() == 0:\n        burn(0.4)\n        os._exit(0)\nfor _ in range(3): os.wait()\n"
            + _PRINT,
            "a child of a child that left its session": _BURN
            + _SUM
            + "r, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        burn(0.65)\n        os.write(w, b'x')\n    os._exit(0)\nos.wait()\nos.read(r, 1)\n"
            + _PRINT,
            "children of a thread": _BURN
            + _SUM
            + "import threading\ndef work():\n    for _ in range(2):\n        pid = os.fork()\n        if pid == 0:\n            burn(0.6)\n            os._exit(0)\n        os.waitpid(pid, 0)\nt = threading.Thread(target=work)\nt.start()\nt.join()\n"
            + _PRINT,
            "the soft limit ignored": _BURN
            + _SUM
            + "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nburn(1.3)\n"
            + _PRINT,
            "waiting and nothing else": _SUM + "import time\ntime.sleep(3)\n" + _PRINT,
            "a child that waits": _SUM
            + "import os, time\nif os.fork() == 0:\n    time.sleep(3)\n    os._exit(0)\nos.wait()\n"
            + _PRINT,
            "threads that take turns": _BURN
            + _SUM
            + "import threading\nts = [threading.Thread(target=burn, args=(0.7,)) for _ in range(3)]\nfor t in ts: t.start()\nfor t in ts: t.join()\n"
            + _PRINT,
        },
        tests=1,
    ),
]
