"""Foreign checkers, through the real judge: which file is which, how they tell, and whose fault it is when they do not."""

from __future__ import annotations

import pytest

from crl_data.importers.checkers import from_codeforces, from_testlib
from crl_data.judging import Judge
from crl_data.problems import fault_of
from crl_data.types import Judgement, Outcome
from tests.conftest import code, stdin_problem

WRAP = {"codeforces": from_codeforces, "testlib": from_testlib}

# Right is what is as long as the input says and at most the expected number: no two of the three files may be exchanged.
ASYMMETRIC = """
import sys
with open(sys.argv[1]) as file:
    length = int(file.read())
with open(sys.argv[{expected}]) as file:
    most = int(file.read())
with open(sys.argv[{output}]) as file:
    got = file.read().strip()
if __name__ == "__main__":
    right = len(got) == length and int(got) <= most
    {tell}
"""
TELL = {
    "codeforces": ASYMMETRIC.format(expected=2, output=3, tell="print(int(right))"),
    "testlib": ASYMMETRIC.format(expected=3, output=2, tell="sys.exit(0 if right else 1)"),
}


def judged(
    judge: Judge, convention: str, script: str, printed: str, given: str = "3\n", wanted: str = "500\n"
) -> Judgement:
    problem = stdin_problem((given, wanted), checker=WRAP[convention](script))
    assert fault_of(problem) is None
    return judge.judge(problem, code(f"print({printed!r})"))


@pytest.mark.parametrize("convention", WRAP)
def test_each_convention_gives_the_files_in_its_own_order(judge: Judge, convention: str) -> None:
    for printed, right in (("499", True), ("500", True), ("501", False), ("99", False), ("0500", False)):
        seen = judged(judge, convention, TELL[convention], printed)
        assert seen.outcomes == (Outcome.PASSED if right else Outcome.WRONG_ANSWER,), (printed, seen.reason)


@pytest.mark.parametrize("convention", WRAP)
def test_the_order_of_the_other_convention_gives_another_verdict(judge: Judge, convention: str) -> None:
    other = {"codeforces": TELL["testlib"].replace("sys.exit(0 if right else 1)", "print(int(right))")}
    other["testlib"] = TELL["codeforces"].replace("print(int(right))", "sys.exit(0 if right else 1)")
    assert judged(judge, convention, other[convention], "499").verdict is False
    assert judged(judge, convention, other[convention], "501").verdict is True


@pytest.mark.parametrize(
    ("convention", "ending", "outcome"),
    [
        ("codeforces", "print(1.0)", Outcome.PASSED),
        ("codeforces", "print(1); sys.exit()", Outcome.PASSED),
        ("codeforces", "sys.stdout.buffer.write(b'1')", Outcome.PASSED),
        ("codeforces", "t = threading.Thread(target=lambda: (time.sleep(0.1), print(1))); t.start()", Outcome.PASSED),
        ("codeforces", "print(0); sys.exit(0)", Outcome.WRONG_ANSWER),
        ("codeforces", "print(0.999)", Outcome.WRONG_ANSWER),
        ("codeforces", "pass", Outcome.JUDGE_ERROR),
        ("codeforces", "print(1); sys.exit(1)", Outcome.JUDGE_ERROR),
        ("codeforces", "print('nan')", Outcome.JUDGE_ERROR),
        ("codeforces", "print(100)", Outcome.JUDGE_ERROR),
        ("codeforces", "print('1 of 1')", Outcome.JUDGE_ERROR),
        ("testlib", "pass", Outcome.PASSED),
        ("testlib", "sys.exit()", Outcome.PASSED),
        ("testlib", "sys.exit(256)", Outcome.PASSED),
        ("testlib", "exit(1)", Outcome.WRONG_ANSWER),
        ("testlib", "sys.exit('not a number')", Outcome.WRONG_ANSWER),
        ("testlib", "sys.exit(2)", Outcome.WRONG_ANSWER),
        ("testlib", "sys.exit(3)", Outcome.JUDGE_ERROR),
        ("testlib", "sys.exit(7)", Outcome.JUDGE_ERROR),
        ("testlib", "os._exit(0)", Outcome.JUDGE_ERROR),
        ("testlib", "t = threading.Thread(target=lambda: 1/0); t.start()", Outcome.JUDGE_ERROR),
        ("codeforces", "1/0", Outcome.JUDGE_ERROR),
        ("testlib", "1/0", Outcome.JUDGE_ERROR),
    ],
)
def test_how_a_checker_tells_what_it_found(judge: Judge, convention: str, ending: str, outcome: Outcome) -> None:
    seen = judged(judge, convention, f"import os, sys, threading, time\n{ending}\n", "1")
    assert seen.outcomes == (outcome,), seen.reason


def test_a_checker_that_blames_the_test_is_believed_though_it_takes_the_expected_output(judge: Judge) -> None:
    """testlib's fail: the solution found a better answer than the jury. That is no wrong answer."""
    script = "import sys\nout, answer = (int(open(p).read()) for p in sys.argv[2:])\nsys.exit(3 if out > answer else out < answer)\n"
    assert judged(judge, "testlib", script, "500").verdict is True
    assert judged(judge, "testlib", script, "499").verdict is False
    assert judged(judge, "testlib", script, "501").outcomes == (Outcome.JUDGE_ERROR,)


@pytest.mark.parametrize("convention", WRAP)
def test_output_on_which_a_checker_crashes_is_wrong_where_it_takes_the_expected_one(
    judge: Judge, convention: str
) -> None:
    assert judged(judge, convention, TELL[convention], "abc").outcomes == (Outcome.WRONG_ANSWER,)


def test_every_test_finds_the_script_as_if_it_were_new(judge: Judge) -> None:
    """One process checks all tests of a solution: no name, file, argument or folder of one run is left for the next."""
    script = """
import os, sys
assert "seen" not in globals() and "left" not in os.listdir() and len(sys.argv) == 4
assert sys.modules["__main__"].__dict__ is globals() and __name__ == "__main__"
seen = open("left", "w")
sys.argv.append("x")
print(int(open("solution_output.txt").read() == open("correct_output.txt").read()))
"""
    problem = stdin_problem(*((f"{n}\n", f"{n}\n") for n in range(8)), checker=from_codeforces(script))
    assert judge.judge(problem, code("print(input())")).outcomes == (Outcome.PASSED,) * 8


def test_text_reaches_a_checker_unchanged(judge: Judge) -> None:
    script = (
        "import sys\nfiles = [open(path, 'rb').read() for path in sys.argv[1:]]\n"
        "print(int(files == [b'a\\r\\n\\xc3\\xa9', b'x\\r\\ny', b'\\xe2\\x82\\xac\\r\\n\\n']))\n"
    )
    problem = stdin_problem(("a\r\né", "x\r\ny"), checker=from_codeforces(script))
    solution = code("import sys\nsys.stdout.buffer.write(b'\\xe2\\x82\\xac\\r\\n\\n')")
    assert judge.judge(problem, solution).verdict is True


@pytest.mark.parametrize("convention", WRAP)
def test_a_script_that_is_not_python_makes_no_checker(convention: str) -> None:
    with pytest.raises(SyntaxError):
        WRAP[convention]("int main() { return 0; }")
