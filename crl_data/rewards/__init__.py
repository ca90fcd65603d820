"""Rewards: the judge and the reading of conclusions as plain functions, in TRL's signature.

    critique_reward   1.0 where a critique concludes what is true, else 0.0
    solve_reward      the share of tests that a solution passes
    hybrid_reward     each row by its kind
    acritique_reward, asolve_reward, ahybrid_reward     the same as `async def`
    reward(...)       one of them with other options (`Options`) than the environment's or the defaults

They take completions (strings, or chats whose last message counts) and the columns of records as keywords, and give a
list of float or None: None for a row of the other kind, and (unless the options say otherwise) for a solution about which
nothing could be decided. They never raise on what a model wrote. Nothing heavy is imported; the judge starts when the
first solution has to be run, and stays warm for the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crl_data.errors import InputError
from crl_data.responses import parse_conclusion

# All of it now, and nothing in a call: a process that is forked in the middle of an import can never make that import, and
# one that is ending can make none.
from crl_data.rewards.batch import Batch
from crl_data.rewards.judging import ajudgements, judgements
from crl_data.rewards.options import Options, options_from

__all__ = [
    "acritique_reward",
    "ahybrid_reward",
    "asolve_reward",
    "critique_reward",
    "hybrid_reward",
    "parse_conclusion",
    "reward",
    "solve_reward",
]

Completion = str | Sequence[dict[str, Any]]
Rewards = list[float | None]


def critique_reward(
    completions: Sequence[Completion], verdict: Sequence[bool | None] | None = None, **columns: Any
) -> Rewards:
    """1.0 where the conclusion of a critique is the row's `verdict`, 0.0 where it is not or is missing.

    None for rows without a verdict (solve records). The rule is the paper's (arXiv 2509.22824).
    """
    return _call("critique", completions, {**columns, "verdict": verdict})


def solve_reward(completions: Sequence[Completion], **columns: Any) -> Rewards:
    """The share of a row's `tests` that the code of the completion passes; 0.0 where there is no code.

    None for critique records (rows with a `verdict` or a `solution`), and where the judge could not decide about a test.
    Raises `InputError` where a row is no problem (`tests`, `test_kind` and what else a record has).
    """
    return _call("solve", completions, columns)


def hybrid_reward(completions: Sequence[Completion], **columns: Any) -> Rewards:
    """`critique_reward` for critique records and `solve_reward` for the others, in one list."""
    return _call("hybrid", completions, columns)


async def acritique_reward(completions: Sequence[Completion], **columns: Any) -> Rewards:
    """`critique_reward`, for trainers that run several rewards in one event loop."""
    return await _acall("critique", completions, columns)


async def asolve_reward(completions: Sequence[Completion], **columns: Any) -> Rewards:
    """`solve_reward`, for trainers that run several rewards in one event loop."""
    return await _acall("solve", completions, columns)


async def ahybrid_reward(completions: Sequence[Completion], **columns: Any) -> Rewards:
    """`hybrid_reward`, for trainers that run several rewards in one event loop."""
    return await _acall("hybrid", completions, columns)


def reward(kind: str, *, asynchronous: bool = False, name: str | None = None, **options: Any) -> Callable[..., Any]:
    """A reward with options of its own.

    kind: "critique", "solve" or "hybrid". asynchronous: as an `async def`. name: what a trainer logs it under; by default
    that of the plain function. options: those of `crl_data.rewards.options.Options`; what is not given is as the
    environment says. Raises `InputError` where one is wrong.
    """
    plain = {"critique": critique_reward, "solve": solve_reward, "hybrid": hybrid_reward}.get(kind)
    if plain is None:
        raise InputError(f"kind: expected critique, solve or hybrid, got {kind!r}")
    chosen = options_from(options)

    def call(completions: Sequence[Completion], **columns: Any) -> Rewards:
        return _call(kind, completions, columns, chosen)

    async def acall(completions: Sequence[Completion], **columns: Any) -> Rewards:
        return await _acall(kind, completions, columns, chosen)

    made: Callable[..., Any] = acall if asynchronous else call
    made.__name__ = made.__qualname__ = name or ("a" if asynchronous else "") + plain.__name__
    made.__doc__ = plain.__doc__
    return made


def text_of(completion: Completion) -> str:
    """What a model wrote: the string, or the content of the last message of a chat."""
    if isinstance(completion, str):
        return completion
    last = completion[-1].get("content") if completion else ""
    return last if isinstance(last, str) else ""


def _call(
    kind: str, completions: Sequence[Completion], columns: dict[str, Any], options: Options | None = None
) -> Rewards:
    batch = Batch(kind, list(map(text_of, completions)), columns, options)
    return batch.rewards(judgements(batch.to_judge, batch.solutions, batch.options))


async def _acall(
    kind: str, completions: Sequence[Completion], columns: dict[str, Any], options: Options | None = None
) -> Rewards:
    batch = Batch(kind, list(map(text_of, completions)), columns, options)
    return batch.rewards(await ajudgements(batch.to_judge, batch.solutions, batch.options))
