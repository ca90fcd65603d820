"""What a solution's process can say to a tester: values, or a fault of the solution's; nothing else reaches a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.judging import Judge
from crl_data.judging.policy import Way
from crl_data.sandbox.runner import proxy, values
from crl_data.types import Outcome
from tests.conftest import assert_problem, judged, way_of

INTERFACE = {
    "f": {"kind": "function"},
    "C": {"kind": "class", "builtin": "object", "bases": [], "methods": ["m"], "static": [], "special": ["__len__"]},
    "E": {"kind": "class", "builtin": "ValueError", "bases": [], "methods": [], "static": [], "special": []},
}
PLAIN = (type(None), bool, int, float, str, bytes, bytearray, complex, list, tuple, dict, set, frozenset, range)
TAGS = ("own", "obj", "name", "back", "builtin", "ref", "dict", "set", "tuple", "int", "float", "bytes", "range", "str")
KINDS = ("value", "raised", "cannot", "missing", "load", "back", "dead", "")
NAMES = ("ValueError", "E", "C", "f", "ExceptionGroup", "UnicodeDecodeError", "StopIteration", "SystemExit", "iterator")

atoms = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(NAMES), st.text(max_size=3)
)
bodies = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(TAGS), inner, min_size=1, max_size=1),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
    ),
    max_leaves=8,
)
answers = st.tuples(st.sampled_from(KINDS), st.lists(bodies, max_size=8)).map(lambda one: [one[0], *one[1]])
raised = st.tuples(
    *(st.sampled_from(NAMES), st.sampled_from(NAMES), st.text(max_size=3), st.lists(bodies, max_size=5)),
    *(st.dictionaries(st.text(max_size=3) | st.just("with_traceback"), bodies, max_size=2), bodies),
).map(lambda one: ["raised", *one, [], ""])


class Forger:
    """Answers every question with what it was given, under the number that was asked for."""

    def __init__(self, link: proxy.Link, answer: Callable[[int], bytes]) -> None:
        self.answer, self.left = answer, b""
        link.read, link.write = self.read, self.write

    def write(self, data: bytes) -> None:
        body = self.answer(json.loads(data[4:])[0])
        self.left = len(body).to_bytes(4, "little") + body

    def read(self, size: int) -> bytes:
        part, self.left = self.left[:size], self.left[size:]
        return part


def asked(handles: bool, answer: Callable[[int], bytes]) -> None:
    """Every question a test can ask comes to a plain value, an exception that the solution raised, or a fault."""
    link = proxy.Link(INTERFACE, handles)
    one = object.__new__(link.classes["C"])
    object.__setattr__(one, "_crl_number", 1)
    link.by_number[1] = one
    questions: list[Callable[[], Any]] = [
        *(lambda: link.names["f"]([1], {2: [3]}), one.m, lambda: len(one), lambda: one.x, lambda: link.next(1)),
        *(lambda: link.draw(1), lambda: link.names["C"](1), lambda: link.names["C"].x, link.end),
    ]
    for question in questions:
        link.fault = None
        Forger(link, answer)
        try:
            value = question()
        except proxy.Fault as fault:
            assert link.fault is fault
            continue
        except Exception as error:
            assert question is not questions[-1], "an exception would end the tester"
            known = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
            by_len = isinstance(error, TypeError | ValueError | OverflowError) and question is questions[2]
            assert by_len or any(known is one for one in link.raised), (question, error)
            assert type(error) in (link.classes["E"],) or type(error).__module__ == "builtins"
            continue
        ours = (*link.classes.values(), type(link.names["f"]), type, proxy._Drawn, type(len))
        assert isinstance(value, PLAIN) or type(value) in ours or value in link.classes.values()
        assert handles or type(value) is not proxy._Drawn


@given(st.booleans(), st.one_of(answers, raised))
@settings(max_examples=400, deadline=None)
def test_whatever_a_solution_answers_it_is_a_value_an_exception_or_a_fault(handles: bool, answer: list[Any]) -> None:
    asked(handles, lambda number: json.dumps([number, *answer]).encode())


@given(st.booleans(), st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_a_solution_answers_it_is_a_value_or_a_fault(handles: bool, answer: bytes) -> None:
    asked(handles, lambda number: answer)
    asked(handles, lambda number: b"[%d,%s]" % (number, answer))


def test_a_frame_that_is_longer_than_may_be_and_half_a_frame_are_faults() -> None:
    link = proxy.Link(INTERFACE, False)
    link.read = lambda size: (values.MAX_BYTES + 1).to_bytes(4, "little")[:size]
    with pytest.raises(proxy.Fault, match="bytes"):
        link.names["f"]()
    link.fault = None
    parts = [b"\x10\0\0\0", b"[1,", b""]
    link.read = lambda size: parts.pop(0)
    with pytest.raises(proxy.Fault, match="ended"):
        link.names["f"]()


# --- in the sandbox ---------------------------------------------------------------------------------------------------

SQUARES = replace(
    assert_problem("f", "for n in range(4):\n    assert f(n) == n * n"), reference="def f(n):\n    return n * n\n"
)
FORGES_THE_END = """
import gc, json, socket
from types import FunctionType

def f(n):
    return n * n

def forged(self):
    return ("raised", "ValueError", None, "x", [], {}, "x", [], "")

for one in gc.get_objects():
    if type(one).__name__ == "_Served":
        type(one).end = forged
"""


def test_an_answer_that_is_none_to_the_end_of_a_test_is_the_solutions_failure_and_no_error_of_ours(
    judge: Judge,
) -> None:
    forged = judged(judge, SQUARES, FORGES_THE_END)
    assert forged.outcomes == (Outcome.RUNTIME_ERROR,), forged.reason


@pytest.mark.parametrize("after", ["while True:\n        pass", "import time\n    time.sleep(1000)"])
def test_a_solution_that_shuts_its_channel_and_lives_on_is_ended(judge: Judge, after: str) -> None:
    shuts = judged(
        judge, SQUARES, f"import socket\ndef f(n):\n    socket.socket(fileno=702).shutdown(2)\n    {after}\n"
    )
    assert shuts.outcomes == (Outcome.RUNTIME_ERROR,) and "channel" in shuts.reason, shuts.reason


HALF = "import socket\ndef f(n):\n    peer = socket.socket(fileno=702)\n    peer.sendall(b'\\x40\\0\\0\\0[1')\n    "


@pytest.mark.parametrize(
    ("after", "outcome"), [("import os\n    os._exit(0)", Outcome.RUNTIME_ERROR), pytest.param("import time\n    time.sleep(1000)", Outcome.TIMEOUT, marks=pytest.mark.slow)]
)  # fmt: skip
def test_half_a_frame_is_waited_for_no_longer_than_the_solution_may_run(
    judge: Judge, after: str, outcome: Outcome
) -> None:
    problem = replace(SQUARES, id="half")
    assert judged(judge, problem, HALF + after).outcomes == (outcome,)


POINT = "class P:\n    def __init__(self, x):\n        self.x = x\n    def __eq__(self, o):\n        return self.x == o.x\n    def __bool__(self):\n        return self.x > 0\n    def __hash__(self):\n        return self.x\n    def __copy__(self):\n        return P(self.x)\n"


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("assert not P(1) == P(2)", ("self.x == o.x", "True")),
        ("assert P(1) != P(2)", ("self.x == o.x", "True")),
        ("assert P(1)", ("self.x > 0", "False")),
        ("assert len({P(1), P(2)}) == 2", ("self.x == o.x", "True")),
        ("import copy\na = P(1)\nb = copy.copy(a)\nassert b.x == 1", ("return P(self.x)", "return P(0)")),
    ],
)
def test_what_an_object_of_the_solutions_says_is_not_answered_in_its_place(
    judge: Judge, test: str, wrong: tuple[str, str]
) -> None:
    looped = "for _ in range(1):\n" + "".join(f"    {line}\n" for line in test.splitlines())
    problem = replace(assert_problem("P", looped), reference=POINT)
    assert way_of(judge, problem) in (Way.HANDLES, Way.BESIDE)
    assert judged(judge, problem, POINT).verdict is True
    if "{P(1)" not in test:
        assert judged(judge, problem, POINT.replace(*wrong)).verdict is False


@pytest.mark.parametrize(
    ("code", "test"),
    [
        ("def f():\n    raise OSError(2, 'no', 'x')", "assert e.errno == 2 and e.strerror == 'no' and type(e) is FileNotFoundError"),
        ("def f():\n    b'\\xff'.decode()", "assert e.start == 0 and 'invalid' in e.reason and isinstance(e, UnicodeDecodeError)"),
        ("class E(Exception):\n    def __init__(self, a, *, b):\n        super().__init__(f'{a} {b}')\n        self.b = b\ndef f():\n    raise E(1, b=2)", "assert e.b == 2 and str(e) == '1 2'"),
        ("class E(Exception):\n    def __str__(self):\n        return 'own'\ndef f():\n    raise E(1, 2)", "assert str(e) == 'own'"),
        ("def f():\n    {}['k']", "assert str(e) == \"'k'\" and e.args == ('k',)"),
    ],
)  # fmt: skip
def test_exceptions_are_what_they_were(judge: Judge, code: str, test: str) -> None:
    source = f"for _ in range(1):\n    try:\n        f()\n    except Exception as e:\n        {test}\n    else:\n        assert 0"
    problem = replace(assert_problem("f", source), reference=code)
    assert way_of(judge, problem) is Way.TESTER


def test_an_exception_of_a_guessed_class_is_of_that_class_whatever_it_derives_from(judge: Judge) -> None:
    source = "for _ in range(1):\n    try:\n        f()\n        assert False\n    except E:\n        pass"
    source = "import unittest\nwith unittest.TestCase().assertRaises(E):\n    f()"
    problem = replace(assert_problem(None, source), reference=None)
    assert judged(judge, problem, "class E(KeyError):\n    pass\ndef f():\n    raise E('x')").verdict is True
    assert judged(judge, problem, "class E(KeyError):\n    pass\ndef f():\n    raise KeyError('x')").verdict is False
