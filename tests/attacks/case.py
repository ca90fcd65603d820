"""What an attack is: a wrong solution that tries to be taken for a right one, and a judge that it deceives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crl_data.types import Problem


class Group(StrEnum):
    """What an attack goes for."""

    EARLY_EXIT = "early exit"
    EQUALITY = "equality"
    COMPARISON = "comparison"
    EXPECTATION = "reading the expectation"
    FORGING = "forging results"
    STATE = "state between tests"
    CHANCE = "guessing by chance"
    TIME = "time"
    RESOURCES = "resources"
    ESCAPE = "escape"
    ENCODING = "encoding"
    TESTER = "the tester and its proxy"
    PYTEST = "the pytest kind"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A wrong solution of `problem`.

    flips: the judges that take it for correct: of `weaker` (scripts there), or of `switched_off` ("ours without ...").
        None where nobody should be shown to fall for it: what it tries is shown by its outcome only.
    tests: how many of the problem's tests are run, ours and the weaker judge's; None: all.
    """

    name: str
    group: Group
    problem: Problem
    code: str
    flips: tuple[str, ...]
    tests: int | None = None


def attacks(
    group: Group, problem: Problem, flips: str | tuple[str, ...], codes: dict[str, str], tests: int | None = None
) -> list[Attack]:
    """Attacks of one group on one problem that all flip the same judges."""
    return [
        Attack(
            name=f"{group}: {name} ({problem.id})",
            group=group,
            problem=problem,
            code=code.strip("\n") + "\n",
            flips=flips if isinstance(flips, tuple) else (flips,),
            tests=tests,
        )
        for name, code in codes.items()
    ]
