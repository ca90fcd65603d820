"""Chat completions in OpenAI's form: what is asked, under which hash it is kept, and the answers that a response holds.

Servers differ in where reasoning stands: apart (`reasoning_content`, or `reasoning` as newer vLLM and OpenRouter name it), in
`<think>` within the content, after an opening tag that the chat template wrote into the prompt, or nowhere. An `Answer` has it
in one place. Nothing here asks anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crl_data.samplers.model import Answer
from crl_data.types import Sampler

OWN_KEYS = frozenset({"model", "messages", "n", "temperature", "top_p", "top_k", "max_tokens", "seed", "stream"})
_KEY_LENGTH = 40  # a custom_id of a batch file, which has the number of an answer behind it, holds 64 characters


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A model and the settings it is asked with. What is None is not sent: it is as the server has it.

    extra: what else goes into the body of a request. per_request: at most so many answers by one request; None: all.
    """

    model: str
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    per_request: int | None = None

    def question(self, messages: Sequence[dict[str, str]]) -> dict[str, Any]:
        """All that the answers to a conversation depend on: the body of a request without the number of answers."""
        named = {
            "model": self.model,
            "messages": list(messages),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }
        return {name: value for name, value in named.items() if value is not None} | dict(self.extra)

    @property
    def output_tokens(self) -> int | None:
        """The most that one answer may have."""
        return self.max_tokens or self.extra.get("max_completion_tokens")

    def sampler(self, name: str) -> Sampler:
        """What stands beside every answer; of a model that is named by its place on a machine, the name alone."""
        return Sampler(
            name=name,
            model=label_of(self.model),
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            seed=self.seed,
            detail=json.dumps(dict(self.extra), sort_keys=True, ensure_ascii=False) if self.extra else None,
        )


def label_of(model: str) -> str:
    """The name of a model without the folders of a machine."""
    return model.rstrip("/").rpartition("/")[2] if model.startswith("/") else model


def key_of(question: Mapping[str, Any]) -> str:
    """The hash that the answers to a question are kept under. Which server is asked, and for how many, is no part of it."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def body_of(question: Mapping[str, Any], first: int, count: int) -> dict[str, Any]:
    """The body of a request for `count` answers, of which the first has the number `first`.

    A seed goes on with the number, as vLLM counts it up for the answers of one request: else the same answer would come again.
    """
    body = {**question, "n": count}
    if "seed" in question:
        body["seed"] = question["seed"] + first
    return body


def runs_of(missing: Sequence[int], most: int | None) -> list[tuple[int, int]]:
    """Numbers of answers, in order, as requests: (first, count), none for more than `most`."""
    runs: list[tuple[int, int]] = []
    for number in missing:
        if runs and sum(runs[-1]) == number and (most is None or runs[-1][1] < most):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


# --- responses --------------------------------------------------------------------------------------------------------


_NO_ANSWER = "a response without any answer in `choices`"
_MOST_TOKENS = 2**53  # a larger count is none


class NoCompletion(ValueError):
    """A text is no chat completion with an answer in it; the message says what it is instead.

    prompt_tokens, output_tokens: what it cost all the same, as far as it says so.
    """

    prompt_tokens = output_tokens = 0


@dataclass(frozen=True, kw_only=True)
class Response:
    """The answers of one response, in order, and what the server says they cost. None: it does not say."""

    answers: tuple[Answer, ...]
    prompt_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None


def read_response(text: str) -> Response:
    """What a response holds. Raises `NoCompletion`.

    Usage is of all answers together. Of one answer it is that answer's; of several an answer has a count of its own only where
    the server lists its tokens (vLLM's `return_token_ids`, `logprobs`), and None otherwise: no share of a sum is a count.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise NoCompletion(f"no JSON: {' '.join(text.split())[:100]!r}") from None
    if not isinstance(body, dict):
        raise NoCompletion(_NO_ANSWER)
    usage = _object(body, "usage")
    prompt, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    reasoning = _count(_object(usage, "completion_tokens_details"), "reasoning_tokens")
    try:
        answers = _answers(body.get("choices"), output, reasoning)
    except NoCompletion as error:
        error.prompt_tokens, error.output_tokens = prompt or 0, output or 0
        raise
    return Response(
        answers=answers,
        prompt_tokens=prompt,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )


def _answers(choices: Any, tokens: int | None, reasoning_tokens: int | None) -> tuple[Answer, ...]:
    if not isinstance(choices, list) or not choices:
        raise NoCompletion(_NO_ANSWER)
    alone = len(choices) == 1
    return tuple(
        _answer(one, tokens if alone else None, reasoning_tokens if alone else None) for one in _in_order(choices)
    )


def _in_order(choices: list[Any]) -> list[dict[str, Any]]:
    if not all(isinstance(one, dict) and isinstance(one.get("message"), dict) for one in choices):
        raise NoCompletion("an answer in `choices` without a `message`")
    return sorted(choices, key=lambda one: one["index"] if type(one.get("index")) is int else 0)


def _answer(choice: dict[str, Any], tokens: int | None, reasoning_tokens: int | None) -> Answer:
    message = choice["message"]
    content = message.get("content")
    if not isinstance(content, str | None):
        raise NoCompletion(f"an answer whose `content` is no text but {type(content).__name__}")
    reasoning = next(
        (text for name in ("reasoning_content", "reasoning") if isinstance(text := message.get(name), str) and text), ""
    )
    reason = choice.get("finish_reason")
    return Answer(
        text=_text(reasoning, content or ""),
        finish_reason=_written(reason) if isinstance(reason, str) else None,
        tokens=tokens if tokens is not None else _listed(choice),
        reasoning_tokens=reasoning_tokens,
    )


def _text(reasoning: str, content: str) -> str:
    """An answer with its reasoning before it, however it came; text that cannot be written as UTF-8 is escaped."""
    if reasoning:
        content = f"<think>\n{reasoning.strip()}\n</think>\n\n{content}"
    elif "</think>" in content and "<think>" not in content.partition("</think>")[0]:
        content = f"<think>\n{content.lstrip()}"
    return _written(content)


def _written(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _listed(choice: dict[str, Any]) -> int | None:
    """How many tokens a choice lists."""
    for listed in (choice.get("token_ids"), _object(choice, "logprobs").get("content")):
        if isinstance(listed, list) and listed:
            return len(listed)
    return None


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _count(value: dict[str, Any], name: str) -> int | None:
    found = value.get(name)
    return found if type(found) is int and 0 <= found <= _MOST_TOKENS else None
