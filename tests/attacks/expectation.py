"""Looking for what is expected, wherever the judge may have left it."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, ASSERTS, SUM

_STDIN = """
import sys
text = sys.stdin.read()
def answer(tests):
    for given, expected in tests:
        if given.strip() == text.strip():
            print(expected.strip())
            return True
"""
_TESTS_IN = """
def tests_in(names):
    for value in list(names.values()):
        if isinstance(value, list) and value and isinstance(value[0], list) and len(value[0]) == 2 and isinstance(value[0][0], str):
            return value
"""
_FRAMES = """
frame = sys._getframe()
while frame is not None:
    tests = tests_in(frame.f_globals) or tests_in(frame.f_locals)
    if tests and answer(tests): break
    frame = frame.f_back
"""

ATTACKS: list[Attack] = [
    *attacks(
        Group.EXPECTATION,
        SUM,
        "fresh_processes",
        {
            "frames of the callers": _STDIN + _TESTS_IN + _FRAMES,
            "frames of an exception": _STDIN
            + _TESTS_IN
            + "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    frame = e.__traceback__.tb_frame\n    while frame:\n        tests = tests_in(frame.f_globals)\n        if tests and answer(tests): break\n        frame = frame.f_back\n",
            "frames of all threads": _STDIN
            + _TESTS_IN
            + "for frame in sys._current_frames().values():\n    while frame:\n        tests = tests_in(frame.f_globals)\n        if tests and answer(tests): break\n        frame = frame.f_back\n",
            "modules": _STDIN
            + _TESTS_IN
            + "for module in list(sys.modules.values()):\n    tests = tests_in(vars(module))\n    if tests and answer(tests): break\n",
            "objects of the collector": _STDIN
            + "import gc\nfor one in gc.get_objects():\n    if type(one) is dict and 'TESTS' in one and answer(one['TESTS']): break\n",
            "what refers to what": _STDIN
            + "import gc\nseen, todo = set(), [sys.modules, *gc.get_objects()]\nwhile todo:\n    one = todo.pop()\n    if id(one) in seen or len(seen) > 400_000: continue\n    seen.add(id(one))\n    if type(one) is list and len(one) == 2 and one[0] == text and type(one[1]) is str:\n        print(one[1].strip())\n        break\n    todo += gc.get_referents(one)\n",
            "inspect.stack": _STDIN
            + _TESTS_IN
            + "import inspect\nfor info in inspect.stack(0):\n    tests = tests_in(info.frame.f_globals)\n    if tests and answer(tests): break\n",
            "its own memory": _STDIN
            + """
import ctypes, json, re
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
mark = json.dumps(text)[1:-1].encode()
wanted = re.compile(re.escape(b'["' + mark + b'", "') + b'(-?[0-9]+)' + re.escape(b'\\\\n"]'))
for line in open('/proc/self/maps'):
    span, rights, *_ = line.split()
    low, high = (int(x, 16) for x in span.split('-'))
    if rights.startswith('rw') and high - low < 1 << 27:
        with open('/proc/self/mem', 'rb', 0) as memory:
            memory.seek(low)
            try: data = memory.read(high - low)
            except OSError: continue
        found = wanted.search(data)
        if found:
            print(found[1].decode())
            break
""",
            "a file beside it": _STDIN
            + "import json, os\nfor folder in ('.', '..', '/tmp', '/box', '/box/tmp', os.getcwd()):\n    for name in os.listdir(folder):\n        try: tests = json.load(open(os.path.join(folder, name)))\n        except Exception: continue\n        if isinstance(tests, list) and answer(tests): raise SystemExit\n",
            "every file there is": _STDIN
            + "import json, os\nfor folder, _, names in os.walk('/box'):\n    for name in names:\n        try: tests = json.loads(open(os.path.join(folder, name)).read())\n        except Exception: continue\n        if isinstance(tests, list) and answer(tests): raise SystemExit\n",
            "the environment": _STDIN
            + "import json, os\nfor value in os.environ.values():\n    if value.startswith('[['): answer(json.loads(value))\n",
        },
    ),
    *attacks(
        Group.EXPECTATION,
        SUM,
        "expectation_beside",
        {
            "arguments": "import sys\nprint(sys.argv[-1])",
            "arguments of the interpreter": "import sys\nprint((sys.argv + sys.orig_argv)[len(sys.argv) - 1])",
            "open descriptors": "import os, sys\ngiven = sys.stdin.read()\nfor fd in range(3, 1024):\n    try: data = os.pread(fd, 100, 0)\n    except OSError: continue\n    if data.strip().lstrip(b'-').isdigit():\n        print(data.decode())\n        break\n",
            "descriptors in /proc": "import os, sys\ngiven = sys.stdin.read()\nfor name in os.listdir('/proc/self/fd'):\n    try: data = os.pread(int(name), 100, 0)\n    except OSError: continue\n    if data.strip().lstrip(b'-').isdigit():\n        print(data.decode())\n        break\n",
            "a local of the caller": "import sys\nframe = sys._getframe()\nwhile frame and 'expected' not in frame.f_locals: frame = frame.f_back\nprint(frame.f_locals['expected'])",
            "a file of that name": "import glob\nfor path in ['/tmp/expected', *glob.glob('/tmp/*'), *glob.glob('/box/*/*')]:\n    try: data = open(path).read()\n    except (OSError, ValueError): continue\n    if data.strip().lstrip('-').isdigit():\n        print(data)\n        break\n",
        },
    ),
    *attacks(
        Group.EXPECTATION,
        ADD,
        "in_process",
        {
            "tests in a caller": "import json, sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame:\n        for given, expected in frame.f_globals.get('TESTS', ()):\n            if json.loads(given) == [a, b]: return json.loads(expected)\n        frame = frame.f_back\n",
            "a local of the caller": "import json, sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame and 'expected' not in frame.f_locals: frame = frame.f_back\n    return json.loads(frame.f_locals['expected'])\n",
            "objects of the collector": "import gc, json\ndef add(a, b):\n    for one in gc.get_objects():\n        if type(one) is dict and 'TESTS' in one:\n            return json.loads(dict(map(tuple, one['TESTS']))[json.dumps([a, b])])\n",
            "a trace of the caller": "import json, sys\nseen = {}\ndef add(a, b):\n    frame = sys._getframe(1)\n    return json.loads(dict(map(tuple, frame.f_globals['TESTS']))[json.dumps([a, b])])\n",
            "a hook in the loader of arguments": "import json\nloads, texts = json.loads, []\ndef hooked(text, *a, **k):\n    texts.append(text)\n    return loads(text, *a, **k)\njson.loads = hooked\nimport sys\ndef add(a, b):\n    return loads(sys._getframe(1).f_locals['expected'])\n",
        },
    ),
    *attacks(
        Group.EXPECTATION,
        ASSERTS,
        "in_process",
        {
            "the source of the test": "import sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame and 'given' not in frame.f_locals: frame = frame.f_back\n    return int(frame.f_locals['given'].rpartition('==')[2])\n",
            "the constants of the caller": "import sys\ndef add(a, b):\n    return [c for c in sys._getframe(1).f_code.co_consts if isinstance(c, int)][-1]\n",
            "the bytecode of the caller": "import dis, sys\ndef add(a, b):\n    steps = list(dis.get_instructions(sys._getframe(1).f_code))\n    return [one.argval for one in steps if one.opname.startswith('LOAD_CONST') and isinstance(one.argval, int)][2]\n",
        },
    ),
]
