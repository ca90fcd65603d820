"""Critique corpora for reinforcement learning: problems, solutions and verdicts that are true.

    from crl_data import Problem, Solution, Judge, judge, build, load_records

The names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crl_data.corpus.build import build
    from crl_data.corpus.pool import load_mixed
    from crl_data.corpus.records import load_records
    from crl_data.judging import Judge, Policy
    from crl_data.judging.once import judge
    from crl_data.types import Judgement, Outcome, Problem, Record, Solution, Source, Test, TestKind

__version__ = "0.1.0"
__all__ = [
    "Judge",
    "Judgement",
    "Outcome",
    "Policy",
    "Problem",
    "Record",
    "Solution",
    "Source",
    "Test",
    "TestKind",
    "build",
    "judge",
    "load_mixed",
    "load_records",
]

_HOMES = {
    "Judge": "crl_data.judging",
    "Policy": "crl_data.judging",
    "build": "crl_data.corpus.build",
    "judge": "crl_data.judging.once",
    "load_mixed": "crl_data.corpus.pool",
    "load_records": "crl_data.corpus.records",
}


# What Python thinks of the sources that we parse is not for whoever runs us.
for _kind in (SyntaxWarning, DeprecationWarning):
    warnings.filterwarnings("ignore", category=_kind, module="<unknown>")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "crl_data.types")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
