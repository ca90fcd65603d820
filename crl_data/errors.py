"""All errors of this project, as a tree.

    CrlError                     anything that goes wrong here and has a cause that a person can read
    ├── InputError               the call or an input file is wrong (exit status 2)
    │   └── RowError             one row of a file: which file, line and field; what was expected, what came
    ├── WorkError                the work could not be done (exit status 1)
    │   ├── SandboxUnavailable   no walls here that code may be judged behind
    │   │   └── LibraryMissing   a library that judge.libraries names is not there
    │   ├── EngineGone           the Docker engine that held the sandboxes does not answer any more
    │   ├── CanaryFlip           a solution with a known verdict got another one: nothing more is labelled
    │   ├── ServiceUnavailable   no judge behind HTTP answered in time (never a verdict)
    │   ├── ServerGone           a model's server gave no answer, however often it was asked
    │   ├── BudgetSpent          the next request would pass what a sampler may spend
    │   ├── BatchWaits           requests are written to files, and their responses are not there yet
    │   └── Busy                 another process is building in the same directory
    ├── TestsUnfit               tests written as source that cannot be prepared (never a verdict)
    └── RunnerDied               the sandbox's runner ended; the judge starts another (never a verdict)

What a solution under judgement does is never an error: it is data, an outcome.
"""

from __future__ import annotations


class CrlError(Exception):
    """The root of all errors that are raised on purpose; its text is one line for a person."""


class InputError(CrlError):
    """The call or an input file is wrong: exit status 2."""


class RowError(InputError):
    """One row of a file is wrong. `place` is the file and the line, `field` the column and what is inside it."""

    def __init__(self, place: str, field: str, expected: str, came: str) -> None:
        self.place = place
        self.field = field
        self.expected = expected
        self.came = came
        super().__init__(f"{place}: {field + ': ' if field else ''}expected {expected}, got {came}")


class WorkError(CrlError):
    """The work could not be done: exit status 1."""


class SandboxUnavailable(WorkError):
    """No sandbox of the wanted kind stands on this machine."""


class LibraryMissing(SandboxUnavailable):
    """The Python that judges does not have a named library: no other sandbox is tried."""


class EngineGone(WorkError):
    """No engine is there any more to start containers: nothing more can be judged."""


class CanaryFlip(WorkError):
    """A solution whose verdict is known was judged otherwise."""


class ServiceUnavailable(WorkError):
    """A judge behind HTTP did not answer, however often it was asked, in the time that there was."""


class ServerGone(WorkError):
    """A server gave no answer, however often it was asked, in the time that there was."""


class BudgetSpent(WorkError):
    """The next request could pass the budget; everything that was answered is kept."""


class BatchWaits(WorkError):
    """Requests were written to files, and the build goes on when their responses are there."""


class Busy(WorkError):
    """Another process holds the build directory."""


class TestsUnfit(CrlError):
    """The tester cannot prepare the tests of a problem; the text says why."""


class RunnerDied(CrlError):
    """The runner ended, or said that something of ours failed. Never a word about the solution."""
