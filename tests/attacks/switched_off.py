"""Judges of ours with one rule or one wall left out, so that an attack can be shown to need it.

Nothing in the judge can be switched off like this. A wall is left out of a copy of the runner, in which one line is
another; a rule by putting another class in the place of the one that holds the rules. Both are undone at the end.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from crl_data.judging import Judge, Policy, evidence
from crl_data.judging.evidence import Graded, _Gathering
from crl_data.sandbox import local
from crl_data.types import Outcome

_RUNNER = Path(local.__file__).parent / "runner"


class _PassesCount(_Gathering):
    """Without rules 1 and 2: every result of a process counts; what failed is run again, and that counts."""

    def batch(self) -> list[Graded | None]:
        waiting = list(self.order)
        while waiting:
            for graded in self.bench.run(waiting, fresh=False, new=False):
                test = waiting.pop(0)
                self.believed[test] = graded if graded.outcome is Outcome.PASSED else self.once_more(test)
        return self.believed


class _BestOfMany(_Gathering):
    """Without rule 3: of many runs of a test, one that passes is believed."""

    def batch(self) -> list[Graded | None]:
        for test in self.order:
            for _ in range(6):
                graded = self.believed[test] = self.once_more(test)
                if graded.outcome is Outcome.PASSED:
                    break
        return self.believed


class _InOrder(random.Random):
    def shuffle(self, x: Any) -> None:
        pass


@dataclass(frozen=True)
class _Off:
    """edits: (file of the runner, text in it, text instead); `gathering` and `scratch_mb` in the place of ours."""

    edits: tuple[tuple[str, str, str], ...] = ()
    gathering: type[_Gathering] | None = None
    order: Callable[[int], random.Random] | None = None
    audit: int = 2
    scratch_mb: int = local.SCRATCH_MB


def _edit(file: str, old: str, new: str) -> _Off:
    return _Off(edits=((file, old, new),))


_PROCESSES = (
    "walls.py",
    "(resource.RLIMIT_NPROC, limits.processes + (other_tasks or 0))",
    "(resource.RLIMIT_NPROC, 200)",
)
_MEMORY = ("walls.py", "(resource.RLIMIT_AS, base + limits.memory)", "(resource.RLIMIT_AS, 8 << 30)")
_SWITCHED_OFF = {
    "ours without rules 1 and 2": _Off(gathering=_PassesCount),
    "ours with the best of many runs": _Off(gathering=_BestOfMany),
    "ours without shuffle and audit": _Off(order=_InOrder, audit=0),
    "ours without an empty scratch folder": _edit(
        "supervisor.py", "                if found.st_size != empty:", "                if False:"
    ),
    "ours without modes and times put back": _edit(
        "scratch.py",
        "def put_back(path: str, found: os.stat_result) -> None:\n",
        "def put_back(path: str, found: os.stat_result) -> None:\n    return\n",
    ),
    "ours without an end of what is left": _Off(
        edits=(
            (
                "cell.py",
                "        if self.raised.ends_all:\n            walls.end_all(self.raised)\n        elif self.pid:\n",
                "        if self.pid:\n",
            ),
            (
                "cell.py",
                "            os.waitpid(-1, 0)\n        except ChildProcessError:\n",
                "            raise ChildProcessError\n        except ChildProcessError:\n",
            ),
        )
    ),
    "ours without seccomp": _edit("walls.py", "    if walls.seccomp_program is not None:\n", "    if False:\n"),
    "ours without landlock": _edit(
        "walls.py", "        kernel.landlock_restrict(walls.landlock_rules)\n", "        pass\n"
    ),
    "ours with another folder in sight": _edit(
        "view.py",
        "    paths = shown()\n    covered = hidden(paths)\n    devices",
        "    paths = [*shown(), '/var']\n    covered = hidden(paths)\n    devices",
    ),
    "ours without a network of its own": _edit(
        "walls.py", "kernel.CLONE_NEWNS | kernel.CLONE_NEWNET |", "kernel.CLONE_NEWNS |"
    ),
    "ours without the limit of processes": _Off(edits=(_PROCESSES,)),
    "ours without the limit of memory": _Off(edits=(_MEMORY,)),
    "ours without the limits of processes and memory": _Off(edits=(_PROCESSES, _MEMORY)),
    "ours without the limit of file sizes": _edit(
        "walls.py", "(resource.RLIMIT_FSIZE, limits.output)", "(resource.RLIMIT_FSIZE, 1 << 41)"
    ),
    "ours without the limit of open files": _edit(
        "cell.py", "walls.at_most(resource.RLIMIT_NOFILE, limits.files)", "walls.at_most(resource.RLIMIT_NOFILE, 1024)"
    ),
    "ours without the limit of locked memory": _edit(
        "walls.py", "(resource.RLIMIT_MEMLOCK, 0)", "(resource.RLIMIT_MEMLOCK, 1 << 30)"
    ),
    "ours with a large scratch folder": _Off(scratch_mb=256),
}
NAMES = tuple(_SWITCHED_OFF)


@contextlib.contextmanager
def judge_without(name: str) -> Iterator[Judge]:
    """A judge on this machine with one thing left out, by name."""
    off = _SWITCHED_OFF[name]
    with contextlib.ExitStack() as undo:
        if off.edits:
            runner = Path(undo.enter_context(tempfile.TemporaryDirectory())) / "runner"
            shutil.copytree(_RUNNER, runner, ignore=shutil.ignore_patterns("__pycache__"))
            for file, old, new in off.edits:
                text = (runner / file).read_text()
                assert text.count(old) == 1, f"{name}: {file} has {text.count(old)} times {old!r}"
                (runner / file).write_text(text.replace(old, new))
            undo.enter_context(mock.patch.object(local, "_RUNNER", runner))
            undo.enter_context(
                mock.patch.object(local.checks, "quick", lambda *_, **__: {})
            )  # or it would refuse to judge
        if off.gathering is not None:
            undo.enter_context(mock.patch.object(evidence, "_Gathering", off.gathering))
        if off.order is not None:
            undo.enter_context(mock.patch.object(evidence.random, "Random", off.order))
        undo.enter_context(mock.patch.object(local, "SCRATCH_MB", off.scratch_mb))
        yield undo.enter_context(Judge(jobs=1, sandbox="local", policy=Policy(audit=off.audit)))
