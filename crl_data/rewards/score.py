r"""What a conclusion and a judgement are worth: numbers by rules, and nothing is run here.

A term that is added (`format`, `overlong`, `short`) is added to whatever a row of that kind is worth; where a row is
undecided or of the other kind, nothing is added to it.
"""

from __future__ import annotations

import re

from crl_data.responses import answer_of, extract_code, fenced_blocks, parse_conclusion
from crl_data.rewards.options import Options
from crl_data.types import Judgement

CRITIQUE, SOLVE = "critique", "solve"


def of_conclusion(concluded: bool | None, truth: bool) -> float:
    """1.0 where a critique concludes what is true, else 0.0, also where it concludes nothing (arXiv 2509.22824)."""
    return float(concluded is truth)


def of_judgement(judgement: Judgement | None, options: Options) -> float | None:
    """What a solution is worth; `Options.undecided` where nothing could be decided."""
    found = _decided(judgement, options)
    return options.undecided if found is None else float(found)


def is_decided(judgement: Judgement | None, options: Options) -> bool:
    """Whether it could be decided what a solution is worth."""
    return _decided(judgement, options) is not None


def _decided(judgement: Judgement | None, options: Options) -> float | None:
    if judgement is None:
        return None
    return judgement.verdict if options.score == "all" else judgement.pass_rate


def terms(kind: str, text: str, tokens: int | None, options: Options) -> float:
    """What is added for form and length."""
    added = 0.0 if not options.format or has_form(kind, text) else options.format
    if options.overlong_tokens:
        assert tokens is not None and options.max_tokens is not None
        over = tokens - (options.max_tokens - options.overlong_tokens)
        added += options.overlong * min(max(over / options.overlong_tokens, 0.0), 1.0)
    if options.min_tokens:
        assert tokens is not None
        added += options.short if tokens < options.min_tokens else 0.0
    return added


def has_form(kind: str, text: str) -> bool:
    """Whether a completion has the form that is asked for: one conclusion, in the last line; or one block of code."""
    answer = answer_of(text)
    if kind == CRITIQUE:
        lines = answer.rstrip().splitlines()
        return bool(lines) and len(_CONCLUSION.findall(answer)) == 1 and parse_conclusion(lines[-1]) is not None
    return len(fenced_blocks(answer)) == 1 and extract_code(text) is not None


_CONCLUSION = re.compile(r"\\conclusion\b")
