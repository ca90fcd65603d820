"""Metrics in the form of Hugging Face `evaluate`, loaded from here with no network.

    crl_code_eval   pass@k of candidates under tests: code_eval's call and result, behind walls
    critique_eval   how well critics conclude: accuracy, balanced accuracy, MCC, precision and recall, what is missing

    metric = evaluate.load(str(crl_data.metrics.path("critique_eval")))

`evaluate` copies a module to a folder of its own and imports it there, so each is one file that finds this package installed.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from crl_data.errors import InputError

__all__ = ["NAMES", "path"]

NAMES = ("crl_code_eval", "critique_eval")


def path(name: str) -> Path:
    """The folder of a metric, for `evaluate.load`. Raises `InputError` where there is none of that name."""
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1, 0.3)
        raise InputError(f"expected one of {', '.join(NAMES)}, got {name!r}{f'; is it {near[0]}?' if near else ''}")
    return Path(__file__).parent / name
