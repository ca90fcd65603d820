"""Writing the result oneself, on whatever way it takes out of the process."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, ASSERTS, SUM

_ALL = "for fd in range(3, 1024):\n    try: os.write(fd, {data})\n    except OSError: pass\n"
_OURS = """
import os, struct, socket
def forge(sequence, answer=b'[{"value":7}]', status=0):
    return struct.pack("<IBBBiQI", sequence, status, 0, 1, 0, 0, 0) + answer
"""

ATTACKS: list[Attack] = [
    *attacks(
        Group.FORGING,
        ASSERTS,
        "printed_lines",
        {
            "lines of a log": "for n in range(100): print('PASSED', n)\ndef add(a, b): return 0",
            "lines of a log, at the end": "import atexit\natexit.register(lambda: [print('\\nPASSED', n) for n in range(100)])\ndef add(a, b): return 0",
            "lines of a log, from a child": "import os\nif os.fork() == 0:\n    os.write(1, b''.join(b'PASSED %d\\n' % n for n in range(100)))\n    os._exit(0)\nos.wait()\ndef add(a, b): return 0",
            "lines of a log on every descriptor": "import os\nfor fd in range(1, 1024):\n    try: os.write(fd, b''.join(b'PASSED %d\\n' % n for n in range(100)))\n    except OSError: pass\ndef add(a, b): return 0",
            "a print of its own": "import builtins\nshow = builtins.print\nbuiltins.print = lambda *a, **k: show('PASSED', *a[1:], **k)\ndef add(a, b): return 0",
        },
    ),
    *attacks(
        Group.FORGING,
        ADD,
        "verdict_pipe",
        {
            "ones on every descriptor": "import os\n" + _ALL.format(data="b'1' * 100") + "def add(a, b): return 0",
            "a write of its own": "import os\nwrite = os.write\nos.write = lambda fd, data: write(fd, b'1')\ndef add(a, b): return 0",
            "ones from a child": "import os\nif os.fork() == 0:\n"
            + "".join(f"    {line}\n" for line in _ALL.format(data="b'1' * 100").splitlines())
            + "    os._exit(0)\nos.wait()\ndef add(a, b): return 0",
            "ones from a thread": "import os, threading\ndef work():\n"
            + "".join(f"    {line}\n" for line in _ALL.format(data="b'1' * 100").splitlines())
            + "t = threading.Thread(target=work)\nt.start()\nt.join()\ndef add(a, b): return 0",
            "ones through /proc": "import os\nfor name in os.listdir('/proc/self/fd'):\n    if int(name) > 2:\n        try:\n            with open(f'/proc/self/fd/{name}', 'wb', 0) as file: file.write(b'1' * 100)\n        except OSError: pass\ndef add(a, b): return 0",
        },
    ),
    *attacks(
        Group.FORGING,
        ADD,
        "in_process",
        {
            "results in shared memory": "import gc, mmap\ndef add(a, b):\n    for one in gc.get_objects():\n        if type(one) is dict and type(one.get('results')) is mmap.mmap: one['results'][:] = b'\\1' * len(one['results'])\n    import os\n    os._exit(0)\n",
            "results in a caller": "import os, sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame and 'results' not in frame.f_globals: frame = frame.f_back\n    results = frame.f_globals['results']\n    results[:] = b'\\1' * len(results)\n    os._exit(0)\n",
            "a comparison turned off in a caller": "import sys\ndef add(a, b):\n    frame = sys._getframe(1)\n    frame.f_globals['json'] = type('J', (), {'loads': staticmethod(lambda text: [0, 0] if text.startswith('[') else 7)})\n    return 7\n",
        },
    ),
    *attacks(
        Group.FORGING,
        ADD,
        "verdict_pipe",
        {
            "the driver's own functions replaced": """
import json, os, sys
write = os.write
os.write = lambda fd, data: write(fd, b'1')
def add(a, b):
    frame = sys._getframe()
    while frame:
        for name in ('values', 'json'):
            if name in frame.f_globals and '__file__' not in frame.f_locals:
                module = frame.f_globals[name]
                if hasattr(module, 'encode'): module.encode = lambda *a, **k: b'7'
                if hasattr(module, 'dumps'): module.dumps = lambda *a, **k: '[{"value":7}]'
        frame = frame.f_back
    return 0
""",
            "an answer with a verdict in it": "import os\n"
            + _ALL.format(data="b'1' * 100")
            + "def add(a, b):\n    return {'value': 7, 'passed': True, 'how': 'ended', 'verdict': True, 'outcome': 'passed'}",
        },
    ),
    # Made for our own wire, on which nobody else listens.
    *attacks(
        Group.FORGING,
        ADD,
        (),
        {
            "our frames on every descriptor, whatever the number": _OURS
            + "for n in range(50):\n"
            + "".join(f"    {line}\n" for line in _ALL.format(data="forge(n)").splitlines())
            + "def add(a, b): return 0",
            "our frame with the number of the last test": _OURS
            + """
import sys
def add(a, b):
    frame = sys._getframe()
    while frame and 'sequence' not in frame.f_locals: frame = frame.f_back
    number = frame.f_locals['sequence'] if frame else 0
    for fd in range(3, 1024):
        try: os.write(fd, forge(number, b'[{"value":34}]'))
        except OSError: pass
    return 0
""",
            "answers ahead of time": _OURS
            + """
import sys
def add(a, b):
    frame = sys._getframe()
    while frame and 'sequence' not in frame.f_locals: frame = frame.f_back
    for ahead in range(9):
        for fd in range(3, 1024):
            try: os.write(fd, forge(frame.f_locals['sequence'] + ahead, b'[{"value":%d}]' % (31 + ahead)))
            except OSError: pass
    return 0
""",
        },
    ),
    *attacks(
        Group.FORGING,
        SUM,
        "fresh_processes:contains",
        {
            "JSON of a good result": 'a, b = map(int, input().split())\nprint(\'{"passed": true, "stdout": "%d"}\' % (a + b))',
            "a verdict in words": "a, b = map(int, input().split())\nprint('VERDICT right\\nAccepted\\n', a + b)",
        },
    ),
]
