"""Requests and responses that are kept: what was paid for is never asked twice, and a run replays with no server.

The answers to a question have numbers, from 0. They are kept under the hash of the question and the number of the first one in
a response, so that asking for more answers later uses those that are there. Where they are kept, the caller says (`Kept`).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from crl_data.samplers.budget import Budget, Cost, CountTokens, Price, words
from crl_data.samplers.chat import Chat, Response, body_of, key_of, read_response, runs_of
from crl_data.samplers.model import Answer, Request


class Kept(Protocol):
    """A place that lasts. Safe to use from any thread; what was kept is there after this process is killed."""

    def responses(self, key: str) -> list[tuple[int, str]]:
        """The responses to a question: the number of the first answer in each and its text, by number."""
        ...

    def keep_question(self, key: str, question: str) -> None:
        """Keep what a key stands for."""
        ...

    def keep_response(self, key: str, first: int, response: str) -> None:
        """Keep one; of two with the same number the first stays."""
        ...


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One request to be sent: answers number `first` to `first + count - 1` to a question."""

    key: str
    first: int
    count: int
    question: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        return body_of(self.question, self.first, self.count)

    @property
    def asked(self) -> str:
        """The question as it is kept."""
        return json.dumps(self.question, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is still to be asked: at most `most` for so many answers; and what the answers that are there have cost."""

    answers: int
    most: Cost
    kept_answers: int
    spent: Cost
    bounded: bool

    def told(self, name: str, price: Price | None) -> str:
        """The forecast in one line."""
        text = f"{name}: {self.kept_answers:,} answers are kept, {self.answers:,} to be asked for: "
        most = f"{self.most.output_tokens:,}" if self.bounded else "any number (max_tokens is null)"
        text += f"{self.most.requests:,} requests, about {self.most.prompt_tokens:,} tokens of prompts, at most {most} of answers"
        if price is not None and self.bounded:
            text += f", at most {price.usd(self.most):,.2f} USD"
        return text


class Asked:
    """The questions that are put to a model, against the answers that are kept. What costs are estimated with: `count`."""

    def __init__(self, chat: Chat, kept: Kept, count: CountTokens, budget: Budget, price: Price | None) -> None:
        self.chat = chat
        self.kept = kept
        self.count = count
        self.budget = budget
        self.price = price

    def answers(self, request: Request) -> tuple[Answer, ...] | None:
        """All answers that are asked for; None where one is not there yet."""
        held = self.held(self.key(request))
        return tuple(held[number] for number in range(request.n)) if _holds(held, request.n) else None

    def key(self, request: Request) -> str:
        return key_of(self.chat.question(request.messages))

    def held(self, key: str) -> dict[int, Answer]:
        """The answers that are there, by number."""
        found: dict[int, Answer] = {}
        for first, response in self._read(key):
            found |= {first + place: answer for place, answer in enumerate(response.answers)}
        return found

    def pieces(self, request: Request, most: int | None = None) -> list[Piece]:
        """What is to be sent for the answers that are missing; `most`: at most so many by one, where that is known."""
        question = self.chat.question(request.messages)
        key = key_of(question)
        held = self.held(key)
        missing = [number for number in range(request.n) if number not in held]
        limits = [limit for limit in (self.chat.per_request, most) if limit is not None]
        return [
            Piece(key=key, first=first, count=count, question=question)
            for first, count in runs_of(missing, min(limits, default=None))
        ]

    def most(self, piece: Piece) -> Cost:
        """What a request costs at most; its prompt as it is estimated."""
        return Cost(
            requests=1,
            prompt_tokens=self._prompt(piece.question),
            output_tokens=piece.count * (self.chat.output_tokens or 0),
        )

    def cost(self, response: Response, question: dict[str, Any]) -> Cost:
        """What a response cost, as the server says it, or as it is estimated."""
        prompt, output = response.prompt_tokens, response.output_tokens
        if output is None:
            output = sum(math.ceil(self.count(answer.text)) for answer in response.answers)
        return Cost(
            requests=1, prompt_tokens=self._prompt(question) if prompt is None else prompt, output_tokens=output
        )

    def used(self, request: Request) -> Counter[str]:
        """What the responses that the answers to a request stand in have cost, for the counts of a build."""
        question = self.chat.question(request.messages)
        total: Counter[str] = Counter()
        for first, response in self._read(key_of(question)):
            if first < request.n:
                cost = self.cost(response, question)
                total += Counter(
                    responses=1,
                    prompt_tokens=cost.prompt_tokens,
                    output_tokens=cost.output_tokens,
                    reasoning_tokens=response.reasoning_tokens or 0,
                )
        return total

    def look(self, requests: Iterable[Request]) -> Outlook:
        """The forecast, and what has been spent already. A question that several requests put is counted once."""
        answers = kept_answers = 0
        most = spent = Cost()
        for request in once(requests, self):
            used = self.used(request)
            spent += Cost(
                requests=used["responses"],
                prompt_tokens=used["prompt_tokens"],
                output_tokens=used["output_tokens"],
            )
            pieces = self.pieces(request)
            missing = sum(piece.count for piece in pieces)
            answers += missing
            kept_answers += request.n - missing
            for piece in pieces:
                most += self.most(piece)
        bounded = self.chat.output_tokens is not None
        return Outlook(answers=answers, most=most, kept_answers=kept_answers, spent=spent, bounded=bounded)

    def told(self, cost: Cost) -> str:
        return words(cost, self.price)

    def _read(self, key: str) -> list[tuple[int, Response]]:
        return [(first, read_response(text)) for first, text in self.kept.responses(key)]

    def _prompt(self, question: dict[str, Any]) -> int:
        return math.ceil(sum(self.count(message["content"]) for message in question["messages"]))


def once(requests: Iterable[Request], asked: Asked) -> Iterator[Request]:
    """The requests without those that put a question a second time for no more answers."""
    seen: dict[str, int] = {}
    for request in requests:
        key = asked.key(request)
        if seen.get(key, 0) < request.n:
            seen[key] = request.n
            yield request


def _holds(held: dict[int, Answer], n: int) -> bool:
    return all(number in held for number in range(n))
