"""Weaker judges, each a small script that does what a grader in use does, so that an attack can be shown to deceive it.

A script is run as a program in our own sandbox, so that what it lets an attack do stays there. It reads the solution and
the tests, expectations and all, and its last line says its verdict. What each mimics stands in its first lines; the
facts are from reading those graders (2026-11).
"""

from __future__ import annotations

import json
from pathlib import Path

from crl_data.sandbox import Limits, Program, Runner
from crl_data.sandbox.client import Input
from crl_data.types import Problem, TestKind

_FOLDER = Path(__file__).parent
_SHARED = "shared"
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem not in ("__init__", _SHARED)))
RULES = ("sets", "zip_lines", "any_case", "decimals", "close", "contains", "any_order", "numbers", "normalized")

# Which kinds of problem each can judge.
KINDS = {
    "alarm": {TestKind.STDIN},
    "cpu_rlimit": {TestKind.STDIN},
    "exit_status": {TestKind.FUNCTION, TestKind.ASSERT},
    "expectation_beside": {TestKind.STDIN},
    "first_tests": {TestKind.STDIN},
    "fresh_processes": {TestKind.STDIN},
    "in_process": {TestKind.STDIN, TestKind.FUNCTION, TestKind.ASSERT},
    "json_results": {TestKind.FUNCTION},
    "pickled_results": {TestKind.FUNCTION},
    "printed_lines": {TestKind.FUNCTION, TestKind.ASSERT},
    "pytest_beside": {TestKind.PYTEST},
    "retrying": {TestKind.STDIN},
    "shown_results": {TestKind.FUNCTION},
    "verdict_pipe": {TestKind.FUNCTION, TestKind.ASSERT},
    "zero_is_success": {TestKind.FUNCTION, TestKind.ASSERT},
    **{f"fresh_processes:{rule}": {TestKind.STDIN} for rule in RULES},
}


def says_right(runner: Runner, name: str, problem: Problem, code: str, cpu_s: float = 20.0) -> bool:
    """The verdict of a weaker judge; `name` may end in `:rule`, the rule by which it compares."""
    script, _, rule = name.partition(":")
    source = "\n".join((_FOLDER / f"{one}.py").read_text() for one in (_SHARED, script))
    job = {
        "kind": problem.test_kind,
        "code": code,
        "entry": problem.entry_point,
        "setup": problem.test_setup or "",
        "rule": rule,
        "tests": [[test.input, test.expected] for test in problem.tests],
    }
    session = runner.open(Program(code=source, mode="stdin", entry=None), Limits(cpu_s=cpu_s, memory_mb=4096))
    assert not isinstance(session, str), session
    (seen,) = session.run([Input(json.dumps(job).encode(), 1)], fresh=True)
    said = seen.answer.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    return said == "VERDICT right"
