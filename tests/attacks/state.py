"""Keeping something from one test to the next: a count of the tests, or that there was one before."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, SUM

_ANSWERS = "answers = [3, 34, 31, 5, 15, 11, 101, 66]\n"  # of the tests, in their order
_SUM = "a, b = map(int, input().split())\n"
_SECOND = "print(a + b if {before} else 'not yet')\n"  # right from the second test on

# Ways to keep a word within a process: how to know that it is there, and how to leave it.
_WITHIN = {
    "a module's attribute": ("import math", "hasattr(math, 'word')", "math.word = 1"),
    "a built-in's default": ("import random", "getattr(random.Random, 'word', 0)", "random.Random.word = 1"),
    "a cache of a standard function": (
        "import re, random",
        "'(word)' in {p[1] for p in re._cache}",
        "re.compile('(word)')",
    ),
    "a seed of its own": (
        "import random",
        "getattr(random._inst, 'word', 0)",
        "random._inst.word = 1",
    ),
    "a codec": ("import codecs", "known()", "codecs.register_error('word', print)"),
    "an interned object's attribute": ("import functools", "getattr(functools, 'word', 0)", "functools.word = 1"),
    "the counter of objects": (
        "import itertools, copy",
        "copy._copy_dispatch.get('word')",
        "copy._copy_dispatch['word'] = 1",
    ),
}
_KNOWN = "def known():\n    try: return codecs.lookup_error('word')\n    except LookupError: return False\n"


def _second_run(head: str, before: str, leave: str) -> str:
    return f"{head}\n{_KNOWN if 'known' in before else ''}{_SUM}before = {before}\n{leave}\n{_SECOND.format(before='before')}"


ATTACKS: list[Attack] = [
    *attacks(
        Group.STATE,
        SUM,
        "ours without rules 1 and 2",
        {f"wrong once, then right: {name}": _second_run(*how) for name, how in _WITHIN.items()},
    ),
    *attacks(
        Group.STATE,
        SUM,
        "ours without shuffle and audit",
        {
            "answers by a count in a module": f"import math\n{_ANSWERS}math.n = getattr(math, 'n', -1) + 1\nprint(answers[math.n % 8])\n",
            "answers by a count in an iterator": f"import random\n{_ANSWERS}random.left = getattr(random, 'left', None) or iter(answers)\nprint(next(random.left))\n",
            "answers by a count in a class": f"import collections\n{_ANSWERS}n = collections.Counter.n = getattr(collections.Counter, 'n', -1) + 1\nprint(answers[n % 8])\n",
        },
    ),
    *attacks(
        Group.STATE,
        ADD,
        "ours without shuffle and audit",
        {
            "answers by a count in a global": f"{_ANSWERS}def add(a, b):\n    return answers.pop(0)\n",
            "answers by a count in a default": "def add(a, b, left=[3, 34, 31, 5, 15, 11, 101, 66]):\n    return left.pop(0)\n",
            "answers by a generator": f"{_ANSWERS}def add(a, b, n=iter(answers)):\n    return next(n)\n",
            "answers by calls of a class": f"{_ANSWERS}class Add:\n    n = -1\n    def __call__(self, a, b):\n        Add.n += 1\n        return answers[Add.n]\nadd = Add()\n",
        },
    ),
    *attacks(
        Group.STATE,
        ADD,
        "ours without rules 1 and 2",
        {
            "wrong once, then right: a global": "first = True\ndef add(a, b):\n    global first\n    if first:\n        first = False\n        return None\n    return a + b\n",
            "wrong once, then right: the argument before": "seen = []\ndef add(a, b):\n    seen.append(a)\n    return a + b if len(seen) > 1 else 0\n",
        },
    ),
    *attacks(
        Group.STATE,
        SUM,
        "in_process",
        {
            "answers by a count in sys": f"import sys\n{_ANSWERS}sys.n = getattr(sys, 'n', -1) + 1\nprint(answers[sys.n % 8])\n",
            "right after an input of a certain kind": "import math\n"
            + _SUM
            + "if a == 30: math.word = 1\nprint(a + b if hasattr(math, 'word') or a == 1 else 'not yet')\n",
            "answers by a count in builtins": f"import builtins\n{_ANSWERS}builtins.n = getattr(builtins, 'n', -1) + 1\nprint(answers[builtins.n % 8])\n",
            "answers by the number of collected objects": f"import sys\n{_ANSWERS}sys.modules.setdefault('count', []).append(1)\nprint(answers[len(sys.modules['count']) - 1])\n",
            "answers by the environment": f"import os\n{_ANSWERS}n = int(os.environ.get('N', 0))\nos.environ['N'] = str(n + 1)\nprint(answers[n % 8])\n",
        },
    ),
    *attacks(
        Group.STATE,
        SUM,
        "fresh_processes",
        {
            "answers by a count in a file": f"{_ANSWERS}import os\nn = os.path.getsize('count') if os.path.exists('count') else 0\nopen('count', 'a').write('x')\nprint(answers[n % 8])\n",
            "answers by a count in /tmp": f"{_ANSWERS}import os\nn = 0\nwhile os.path.exists(f'/tmp/n{{n}}'): n += 1\nopen(f'/tmp/n{{n}}', 'w').close()\nprint(answers[n % 8])\n",
            "answers by a count in shared memory": f"{_ANSWERS}import os\nn = len(os.listdir('/dev/shm'))\nopen(f'/dev/shm/{{n}}', 'w').close()\nprint(answers[n % 8])\n",
            "answers by a count in names of links": f"{_ANSWERS}import os\nn = len([x for x in os.listdir('/tmp') if x.startswith('l')])\nos.symlink('x', f'/tmp/l{{n}}')\nprint(answers[n % 8])\n",
            "answers by a time of a folder": f"{_ANSWERS}import os\nn = os.stat('/box/shm').st_mtime_ns\nn = n if n < 9 else 0\nos.utime('/box/shm', ns=(n + 1, n + 1))\nprint(answers[n % 8])\n",
        },
    ),
    *attacks(
        Group.STATE,
        SUM,
        "ours without an empty scratch folder",
        {
            "wrong once, then right: a file": "import os\n"
            + _second_run("", "os.path.exists('/tmp/word')", "open('/tmp/word', 'w').close()"),
            "wrong once, then right: a module in the working folder": _second_run(
                "import importlib.util", "importlib.util.find_spec('word')", "open('/box/work/word.py', 'w').close()"
            ),
            "wrong once, then right: shared memory": "import os\n"
            + _second_run("", "os.path.exists('/dev/shm/word')", "open('/dev/shm/word', 'w').close()"),
            "wrong once, then right: a fifo": "import os\n"
            + _second_run("", "os.path.exists('/tmp/word')", "before or os.mkfifo('/tmp/word')"),
        },
    ),
    *attacks(
        Group.STATE,
        SUM,
        "ours without modes and times put back",
        {
            "wrong once, then right: the time of a folder": "import os\n"
            + _second_run("", "os.stat('/box/tmp').st_mtime_ns == 7", "os.utime('/box/tmp', ns=(7, 7))"),
            "wrong once, then right: the mode of a folder": "import os\n"
            + _second_run("", "os.stat('/box/tmp').st_mode & 0o777 == 0o711", "os.chmod('/box/tmp', 0o711)"),
            "wrong once, then right: the time of the box": "import os\n"
            + _second_run("", "os.stat('/box').st_mtime_ns == 7", "os.utime('/box', ns=(7, 7))"),
        },
    ),
    *attacks(
        Group.STATE,
        SUM,
        "ours without an end of what is left",
        {
            "wrong once, then right: a daemon at an abstract socket": "import os, socket, time\n"
            + """
def known():
    with socket.socket(socket.AF_UNIX) as s:
        try: s.connect('\\0word')
        except OSError: return False
        return True
def daemon():
    if os.fork(): return
    os.setsid()
    if os.fork(): os._exit(0)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind('\\0word')
        s.listen()
        time.sleep(30)
    os._exit(0)
"""
            + _SUM
            + "before = known()\nif not before:\n    daemon()\n    while not known(): time.sleep(0.01)\nprint(a + b if before else 'not yet')\n",
        },
    ),
]
