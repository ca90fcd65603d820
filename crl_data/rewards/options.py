"""What a reward is made of: one set of options, by keyword, by environment variable, or by default.

    CRL_REWARD_JUDGE=http://10.0.0.5:8000,http://10.0.0.6:8000
    CRL_REWARD_ON_INCONCLUSIVE=zero

set, for every reward that is named by its dotted path alone, what `reward(..., judge=..., on_inconclusive=...)` sets for one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from crl_data.errors import InputError
from crl_data.judging.policy import Policy

PREFIX = "CRL_REWARD_"


@dataclass(frozen=True, kw_only=True)
class Options:
    r"""How completions are judged, and what a judgement is worth.

    judge: "local", the address of a judge behind HTTP (`crl-data serve`), or several, which share the work.
    token: what that judge asks for.
    sandbox, jobs: of a local judge; see `Judge`.
    remember: of how many solutions, the last ones, a local judge knows what was found, so that one that is written again is not
        run again; 0: every one is run.
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
    remember: int = 10_000
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

    def __post_init__(self) -> None:
        judge = (self.judge,) if isinstance(self.judge, str) else tuple(self.judge)
        local = judge == ("local",)
        if not local and not (judge and all(one.startswith(("http://", "https://")) for one in judge)):
            raise _wrong("judge", 'expected "local" or addresses that begin with http:// or https://', self.judge)
        _one_of("score", self.score, ("pass_rate", "all"))
        if isinstance(self.on_inconclusive, str):
            _one_of("on_inconclusive", self.on_inconclusive, ("none", "zero"), " or a number")
        if self.early_stop and self.score != "all":
            raise _wrong("early_stop", 'expected score "all" beside it: a pass rate needs every test', self.score)
        for name in ("max_tests", "timeout_s", "jobs", "max_tokens"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise _wrong(name, "expected more than 0, or None", value)
        if self.remember < 0:
            raise _wrong("remember", "expected 0 or more", self.remember)
        if self.overlong_tokens and (self.max_tokens is None or self.overlong_tokens > self.max_tokens):
            raise _wrong(
                "overlong_tokens", "expected max_tokens beside it, and no more than that", self.overlong_tokens
            )
        object.__setattr__(self, "judge", judge[0] if len(judge) == 1 else judge)
        object.__setattr__(self, "libraries", tuple(self.libraries))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The judges behind HTTP; none for the local one."""
        judge = (self.judge,) if isinstance(self.judge, str) else self.judge
        return () if judge == ("local",) else judge

    @property
    def policy(self) -> Policy:
        """How the judge draws verdicts for this."""
        threshold = 1.0 if self.score == "all" else Policy().threshold
        return Policy(
            threshold=threshold,
            early_stop=self.early_stop,
            libraries=self.libraries,
            memory_limit_mb=self.memory_limit_mb,
        )

    @property
    def undecided(self) -> float | None:
        """The reward where nothing could be decided."""
        if isinstance(self.on_inconclusive, str):
            return None if self.on_inconclusive == "none" else 0.0
        return float(self.on_inconclusive)

    @property
    def counts_tokens(self) -> bool:
        return bool(self.min_tokens or self.overlong_tokens)


_TYPES = get_type_hints(Options)


def options_from(given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Options:
    """Options by keyword, else by environment variable, else the defaults. Raises `InputError`."""
    environment = os.environ if environment is None else environment
    known = _TYPES.keys()
    for name in given.keys() - known:
        raise InputError(f"{name}: expected an option of a reward ({', '.join(sorted(known))})")
    for name in environment:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in known:
            raise InputError(f"{name}: expected {PREFIX} and an option of a reward ({', '.join(sorted(known))})")
    read = {
        name: _read(PREFIX + name.upper(), environment[PREFIX + name.upper()], kind)
        for name, kind in _TYPES.items()
        if PREFIX + name.upper() in environment
    }
    return Options(**{**read, **given})


def _read(name: str, text: str, kind: Any) -> Any:
    """A value of an environment variable: what its option's type makes of the text."""
    kinds = getattr(kind, "__args__", (kind,))
    if type(None) in kinds and text.lower() in ("", "none"):
        return None
    if bool in kinds:
        if text.lower() not in _TRUE | _FALSE:
            raise _wrong(name, "expected true or false", text)
        return text.lower() in _TRUE
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                if str not in kinds and number is kinds[0]:
                    raise _wrong(name, "expected a number", text) from None
    if any(getattr(one, "__origin__", None) is tuple for one in (kind, *kinds)):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def _one_of(name: str, value: Any, known: tuple[str, ...], more: str = "") -> None:
    if value not in known:
        raise _wrong(name, f"expected {' or '.join(known)}{more}", value)


def _wrong(name: str, expected: str, came: Any) -> InputError:
    return InputError(f"{name}: {expected}, got {came!r}")
