"""What every model that is asked for text is to this project: requests in, answers out. The seam between stages and samplers.

`openai` and `vllm` are such models, and `recorded` answers for what was asked before. Nothing here says what an answer is for:
candidates, critiques and the measure of difficulty are all made of answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from crl_data.types import Sampler


@dataclass(frozen=True, kw_only=True)
class Request:
    """n answers to one conversation. `id` is the caller's name for it, and no part of what is asked."""

    id: str
    messages: tuple[dict[str, str], ...]
    n: int = 1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of a model.

    text: the whole of it; reasoning that came apart from it stands before it, within `<think>` and `</think>`.
    finish_reason: as the server says it: "stop", "length", ...; None where it does not.
    tokens: all tokens that were generated; None where nobody counted. reasoning_tokens: those of them that were thinking.
    """

    text: str
    finish_reason: str | None = None
    tokens: int | None = None
    reasoning_tokens: int | None = None


class Model(Protocol):
    """A model that answers; a context manager where it holds something."""

    sampler: Sampler

    def answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        """Each request with its answers, in the order of the requests, a bounded number of them in flight.

        There are `n` answers, or the error says why not: nothing is left out in silence. Raises `WorkError` where the model
        cannot be asked any more (a budget that is spent, a server that is gone); what was answered until then is kept.
        """
        ...
