"""Rewards: the judge and the reading of conclusions as plain functions, in TRL's signature.

    critique_reward   1.0 where a critique concludes what is true, else 0.0
    solve_reward      the share of tests that a solution passes
    hybrid_reward     each row by its kind

They take completions (strings, or chats whose last message counts) and the columns of records as keywords, and give a
list of float or None: None for a row of the other kind, and for a solution about which nothing could be decided. They
never raise on what a model wrote. Nothing heavy is imported; the judge starts when the first solution has to be run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crl_data.responses import parse_conclusion

__all__ = ["critique_reward", "hybrid_reward", "parse_conclusion", "solve_reward"]

Completion = str | Sequence[dict[str, Any]]


def critique_reward(
    completions: Sequence[Completion], verdict: Sequence[bool | None], **columns: Any
) -> list[float | None]:
    """1.0 where the conclusion of a critique is the row's `verdict`, 0.0 where it is not or is missing.

    None for rows without a verdict (solve records). The rule is the paper's (arXiv 2509.22824).
    """
    return [
        None if truth is None else float(parse_conclusion(text_of(completion)) is truth)
        for completion, truth in zip(completions, verdict, strict=True)
    ]


def solve_reward(
    completions: Sequence[Completion],
    tests: Sequence[Sequence[dict[str, str]]],
    test_kind: Sequence[str],
    **columns: Any,
) -> list[float | None]:
    """The share of a row's `tests` that the code of the completion passes; 0.0 where there is no code.

    None for critique records (rows with a `solution`), and where the judge could not decide about a test.
    """
    from crl_data.rewards.solve import pass_rates

    return pass_rates(
        [text_of(completion) for completion in completions], {**columns, "tests": tests, "test_kind": test_kind}
    )


def hybrid_reward(
    completions: Sequence[Completion], verdict: Sequence[bool | None], **columns: Any
) -> list[float | None]:
    """`critique_reward` for critique records and `solve_reward` for the others, in one list."""
    critiques = critique_reward(completions, verdict)
    solves = solve_reward(completions, **columns)
    return [solve if critique is None else critique for critique, solve in zip(critiques, solves, strict=True)]


def text_of(completion: Completion) -> str:
    """What a model wrote: the string, or the content of the last message of a chat."""
    if isinstance(completion, str):
        return completion
    last = completion[-1].get("content") if completion else ""
    return last if isinstance(last, str) else ""
