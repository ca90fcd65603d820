"""What a reward is made of: one set of options, by keyword, by environment variable, or by default.

    CRL_REWARD_JUDGE=http://10.0.0.5:8000,http://10.0.0.6:8000
    CRL_REWARD_ON_INCONCLUSIVE=zero

set, for every reward that is named by its dotted path alone, what `reward(..., judge=..., on_inconclusive=...)` sets for one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from crl_data.errors import InputError
from crl_data.judging.policy import Policy

PREFIX = "CRL_REWARD_"


@dataclass(frozen=True, kw_only=True)
class Options:
    r"""How completions are judged, and what a judgement is worth.

    judge: "local", the address of a judge behind HTTP (`crl-data serve`), or several, which share the work.
    token: what that judge asks for.
    sandbox, jobs: of a local judge; see `Judge`.
    score: "pass_rate", the share of tests that a solution passes, or "all": 1.0 where every test passes, else 0.0.
    on_inconclusive: "none", "zero" or a number: the reward where nothing could be decided.
    max_tests: at most so many tests of a row are run, the same ones every time; None: all.
    early_stop: with "all": end at the first test that fails.
    timeout_s: a call takes no longer; what is not judged by then is inconclusive. None: as long as it takes.
    format: added where a completion has not the form that is asked for: a critique its conclusion in the last line, once;
        a solution one block of code, closed. Mostly negative.
    max_tokens, overlong_tokens, overlong: a completion that comes within `overlong_tokens` of `max_tokens` is given a part
        of `overlong`, and at `max_tokens` all of it (DAPO's soft overlong punishment, arXiv 2503.14476, is -1.0).
    min_tokens, short: `short` is added where a completion has fewer tokens than `min_tokens`.
    """

    judge: str | tuple[str, ...] = "local"
    token: str | None = None
    sandbox: str = "auto"
    jobs: int | None = None
    score: str = "pass_rate"
    on_inconclusive: str | float = "none"
    max_tests: int | None = None
    early_stop: bool = False
    timeout_s: float | None = 600.0
    libraries: tuple[str, ...] = ("numpy",)
    memory_limit_mb: float = 1024.0
    format: float = 0.0
    max_tokens: int | None = None
    overlong_tokens: int = 0
    overlong: float = 0.0
    min_tokens: int = 0
    short: float = 0.0
