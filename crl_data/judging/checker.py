"""Checkers that a problem brings as Python source: run in a sandbox of their own, away from the solution.

A checker defines `check(input, expected, output) -> bool`. One that raises, times out or returns something else is a
fault of ours, and not of the solution; but where it judges the expected output itself, what made it raise is the
solution's output, and a wrong one: `int(output)` of what is no number.
"""

from __future__ import annotations

from collections.abc import Callable

from crl_data.judging import calls
from crl_data.sandbox import Limits, Program, Runner, Session
from crl_data.sandbox.client import Input
from crl_data.types import Test

LIMITS = Limits(cpu_s=8.0)


class CheckerFailed(Exception):
    """The checker did not say True or False; the text says what it did."""


class _NoAnswer(CheckerFailed):
    """It came to its end without saying True or False: it raised, or returned something else."""


class Checker:
    """The checker of one problem, in a runner that runs nothing else."""

    def __init__(self, source: str, runner: Callable[[], Runner]) -> None:
        self._program = Program(code=source, mode="calls", entry="check")
        self._runner = runner
        self._session: Session | None = None

    def check(self, test: Test, output: bytes) -> bool:
        """Whether the output of a test is right. Raises `CheckerFailed`, and `RunnerDied`."""
        try:
            text = output.decode()
        except UnicodeDecodeError:
            return False
        try:
            return self._ask(test, text)
        except _NoAnswer:
            self._ask(test, test.expected)
            return False

    def _ask(self, test: Test, text: str) -> bool:
        if self._session is None:
            opened = self._runner().open(self._program, LIMITS)
            if isinstance(opened, str):
                raise CheckerFailed(opened)
            self._session = opened
        call = calls.order([calls.pack((test.input, test.expected, text))])
        seen = self._session.run([Input(call, 0)], fresh=False)[0]
        if seen.how != "ended":
            raise CheckerFailed(f"{seen.how}: {seen.note}")
        try:
            result = calls.results(seen.answer)[0]
        except (*calls.HOSTILE, IndexError):
            raise CheckerFailed("not an answer") from None
        value = result.get("value")
        if value is not True and value is not False:
            raise _NoAnswer(str(result.get("note") or result)[:300])
        return value
