"""Results that say of themselves that they are equal to whatever is expected."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, ASSERTS, COUNTS, NOT_NONE, SORTED

_RESULTS = {
    "equal to everything": "class A:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\nresult = A()",
    "an int equal to everything": "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\nresult = A(-99)",
    "a float equal to everything": "class A(float):\n    def __eq__(self, other): return True\nresult = A(-99)",
    "a string equal to everything": "class A(str):\n    def __eq__(self, other): return True\nresult = A('no')",
    "a list equal to everything": "class A(list):\n    def __eq__(self, other): return True\nresult = A()",
    "a tuple equal to everything": "class A(tuple):\n    def __eq__(self, other): return True\nresult = A()",
    "a dict equal to everything": "class A(dict):\n    def __eq__(self, other): return True\nresult = A()",
    "a class whose metaclass is equal to everything": "class M(type):\n    def __eq__(self, other): return True\n    __hash__ = type.__hash__\nclass A(metaclass=M): pass\nresult = A",
    "a lying __class__": "class A:\n    __class__ = property(lambda self: int)\n    def __eq__(self, other): return True\nresult = A()",
    "mock.ANY": "from unittest.mock import ANY\nresult = ANY",
    "mock.ANY in another module's name": "import unittest.mock\nresult = type('int', (), {'__eq__': lambda a, b: True, '__module__': 'builtins'})()",
    "a reply that is true": "class T:\n    def __bool__(self): return True\nclass A:\n    def __eq__(self, other): return T()\nresult = A()",
    "an object array of one": "import numpy\nclass A:\n    def __eq__(self, other): return True\nresult = numpy.array([A()], dtype=object)",
    "equality that changes": "class A:\n    def __eq__(self, other):\n        self.__dict__['n'] = other\n        return self.n == other\nresult = A()",
    "a class made equal at run time": "class A: pass\nA.__eq__ = lambda *a: 1\nresult = A()",
    "a partial that is equal": "import functools\nclass A(functools.partial):\n    def __eq__(self, other): return True\nresult = A(print)",
    "a Decimal equal to everything": "import decimal\nclass A(decimal.Decimal):\n    def __eq__(self, other): return True\nresult = A(0)",
    "a Fraction equal to everything": "import fractions\nclass A(fractions.Fraction):\n    def __eq__(self, other): return True\nresult = A(0)",
    "a range's cousin": "class A:\n    def __eq__(self, other): return NotImplemented is not None\n    def __index__(self): return 0\nresult = A()",
    "an enumeration": "import enum\nclass E(enum.IntEnum):\n    A = 0\n    def __eq__(self, other): return True\nresult = E.A",
}
_CALLED = {name: f"{code}\ndef add(a, b):\n    return result\n" for name, code in _RESULTS.items()}

ATTACKS: list[Attack] = [
    *attacks(Group.EQUALITY, ADD, "in_process", _CALLED),
    *attacks(Group.EQUALITY, ASSERTS, "in_process", _CALLED),
    *attacks(
        Group.EQUALITY,
        ADD,
        "in_process",
        {
            "the equality of ints replaced in memory": """
import ctypes
kept = []
class A(int):
    __slots__ = ()
    def __eq__(self, other): return True
def add(a, b):
    wrong = int('98765')
    kept.append(wrong)
    # the type of one object in memory: an int becomes the class that is equal to everything
    ctypes.c_void_p.from_address(id(wrong) + 8).value = id(A)
    return wrong
""",
            "the loader of expectations replaced": """
import json
class A:
    def __eq__(self, other): return True
    def __iter__(self): return iter((0, 0))
loads = json.loads
json.loads = lambda *a, **k: A()
def add(*numbers):
    return -1
""",
        },
    ),
    *attacks(
        Group.EQUALITY,
        ADD,
        "pickled_results",
        {
            "a pickle that builds something equal to everything": "import unittest.mock\nclass A:\n    def __reduce__(self):\n        return unittest.mock._ANY, ()\ndef add(a, b):\n    return A()",
            "a pickle that runs code": "class A:\n    def __reduce__(self):\n        return exec, (\"import os; os.write(1, b'VERDICT right\\\\n'); os._exit(0)\",)\ndef add(a, b):\n    return A()",
        },
    ),
    *attacks(
        Group.EQUALITY,
        SORTED,
        "in_process",
        {
            "a list of what is equal to everything": "class A:\n    def __eq__(self, other): return True\ndef ordered(xs):\n    return [A()] * len(xs)",
            "a list of ints that lie": "class A(int):\n    def __eq__(self, other): return True\ndef ordered(xs):\n    return [A(x) for x in xs[::-1]]",
            "a list that compares as sorted": "class A(list):\n    def __eq__(self, other): return sorted(self) == sorted(other)\ndef ordered(xs):\n    return A(xs)",
            "mock.ANY for every item": "from unittest.mock import ANY\ndef ordered(xs):\n    return [ANY for _ in xs]",
        },
    ),
    *attacks(
        Group.EQUALITY,
        COUNTS,
        "in_process",
        {
            "1 for True": "def positive(n):\n    return int(n > 0)",
            "1.0 for True": "def positive(n):\n    return float(n > 0)",
        },
    ),
    *attacks(
        Group.EQUALITY,
        NOT_NONE,
        "in_process",
        {
            "a difference of its own": "class A:\n    __sub__ = __rsub__ = __abs__ = lambda *a: 0\ndef mean(xs):\n    return A()",
            "an order of its own": "class A(float):\n    __lt__ = __gt__ = lambda *a: True\n    __sub__ = __rsub__ = __abs__ = lambda self, *a: self\ndef mean(xs):\n    return A(-5)",
        },
    ),
]
