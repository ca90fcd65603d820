"""What asking a model costs, and how much of it is allowed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CountTokens = Callable[[str], float]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Requests, and the tokens of their prompts and answers."""

    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            requests=self.requests - other.requests,
            prompt_tokens=self.prompt_tokens - other.prompt_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars for a million tokens of prompts (input) and of answers (output)."""

    input: float
    output: float

    def usd(self, cost: Cost) -> float:
        return (cost.prompt_tokens * self.input + cost.output_tokens * self.output) / 1e6


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be spent in all; None: any amount."""

    requests: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def passed_by(self, cost: Cost, price: Price | None) -> str | None:
        """Which part of the budget a cost passes, in words; None where it is within."""
        if self.requests is not None and cost.requests > self.requests:
            return f"{self.requests:,} requests"
        if self.tokens is not None and cost.tokens > self.tokens:
            return f"{self.tokens:,} tokens"
        if self.usd is not None and price is not None and price.usd(cost) > self.usd + 1e-12:
            return f"{self.usd:,.2f} USD"
        return None


def words(cost: Cost, price: Price | None) -> str:
    """A cost as it stands in a message."""
    text = f"{cost.requests:,} requests, {cost.prompt_tokens:,} tokens of prompts, {cost.output_tokens:,} of answers"
    return f"{text}, {price.usd(cost):,.4f} USD" if price is not None else text
