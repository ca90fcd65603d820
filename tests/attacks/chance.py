"""Answers that are right by luck, from a judge that gives luck enough tries."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import PARITY

_COINS = {
    "a coin of the kernel's": "import os\ncoin = os.urandom(1)[0] & 1",
    "a coin of getrandom": "import os\ncoin = os.getrandom(1)[0] & 1",
    "a coin of the system's random": "import random\ncoin = random.SystemRandom().getrandbits(1)",
    "a coin of secrets": "import secrets\ncoin = secrets.randbits(1)",
    "a coin of a uuid": "import uuid\ncoin = uuid.uuid4().int & 1",
    "a coin of the clock": "import time\ncoin = time.time_ns() // 1000 & 1",
    "a coin of the processor's time": "import time\ncoin = time.process_time_ns() // 1000 & 1",
    "a coin of the process's number": "import os\ncoin = os.getpid() & 1",
}

ATTACKS: list[Attack] = [
    *attacks(
        Group.CHANCE,
        PARITY,
        ("retrying", "ours with the best of many runs"),
        {name: f"{code}\nprint(('even', 'odd')[coin])" for name, code in _COINS.items() if "number" not in name},
    ),
    *attacks(
        Group.CHANCE,
        PARITY,
        "retrying",
        {
            "a crash unless it is lucky": "import os\nif os.urandom(1)[0] & 1: raise SystemExit(1)\nprint(('even', 'odd')[os.urandom(1)[0] & 1])",
            "an end by a signal unless it is lucky": "import os\nif os.urandom(1)[0] & 1: os.kill(os.getpid(), 9)\nprint(('even', 'odd')[os.urandom(1)[0] & 1])",
        },
    ),
    *attacks(
        Group.CHANCE,
        PARITY,
        "first_tests",
        {
            "right on the tests that are shown": "print({'1': 'odd', '2': 'even'}.get(input().strip(), 'odd'))",
            "the answers of the examples": "n = int(input())\nprint('odd' if n < 2 else 'even')",
            "always the same but for the first": "print('odd' if input().strip() == '1' else 'even')",
        },
    ),
    *attacks(
        Group.CHANCE,
        PARITY,
        "fresh_processes:contains",
        {
            "both": "print('even odd')",
            "both, on two lines": "print('even\\nodd')",
            "one within the other": "print('oddeven')",
        },
    ),
]
