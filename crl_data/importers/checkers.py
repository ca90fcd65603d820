"""Foreign checkers, written as Python scripts, as checkers of ours: source that defines `check(input, expected, output)`.

The two conventions name the same three files in different orders, and say differently what they found. A script is not run
here: the source that is made runs it where checkers are judged, in a sandbox.

Checkers in other languages, scores between wrong and right, and interaction with the solution are not covered.
"""

from __future__ import annotations

from pathlib import Path

from crl_data.syntax import parse

_FILES = '{"input.txt": input, "correct_output.txt": expected, "solution_output.txt": output}'

_CODEFORCES = f"""
def check(input, expected, output):
    names = ["input.txt", "correct_output.txt", "solution_output.txt"]
    status, printed = run_script(SCRIPT, {_FILES}, names)
    if status != 0:
        raise ValueError(f"exit status {{status}}")
    score = float(printed)
    if not 0 <= score <= 1:
        raise ValueError(f"a score of {{score}}")
    return score == 1
"""

_TESTLIB = f"""
def check(input, expected, output):
    names = ["input.txt", "solution_output.txt", "correct_output.txt"]
    status, _ = run_script(SCRIPT, {_FILES}, names)
    if status in (0, 1, 2):
        return status == 0
    os._exit(status)  # it blames the test; what raises here would be the output's fault wherever the expected one passes
"""


def from_codeforces(script: str) -> str:
    """The checker of a `generated_checker` of open-r1/codeforces.

    The script is `checker.py input.txt correct_output.txt solution_output.txt`. It prints a score from 0 to 1, of which 1
    alone is right, and ends with status 0; all else raises. Raises `SyntaxError` or `ValueError` for what is not Python.
    """
    return _checker(script, _CODEFORCES)


def from_testlib(script: str) -> str:
    """The checker of a script that takes its files in testlib's order: input, the solution's output, the answer.

    By its exit status 0 the output is right, by 1 (wrong) and 2 (presentation) it is not. By 3 (fail) and any other there is
    no verdict on the test. What the script raises is raised: it is no exit status 1, which is what a shell would see.
    Raises `SyntaxError` or `ValueError` for what is not Python.
    """
    return _checker(script, _TESTLIB)


def _checker(script: str, check: str) -> str:
    parse(script)
    return f"{Path(__file__).with_name('script.py').read_text(encoding='utf-8')}\n\nSCRIPT = {script!r}\n\n{check}"
