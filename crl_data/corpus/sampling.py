"""What a recipe asks models for: models opened as it says, and the candidates that their answers are.

The only place where a model of a recipe is opened. How it is asked is in `samplers`; what a build does with candidates is in
`gather`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from crl_data.corpus.recipe import AskedModel, OpenAI
from crl_data.corpus.select import CountTokens
from crl_data.prompts import Template
from crl_data.samplers.batch import Batch
from crl_data.samplers.budget import Budget, Price
from crl_data.samplers.chat import label_of
from crl_data.samplers.kept import Asked, Kept, Outlook
from crl_data.samplers.model import Answer, Model, Request
from crl_data.types import Problem, Sampler, Solution

CUT = "cut by length"


def asked_as(settings: AskedModel, kept: Kept, count: CountTokens) -> Asked:
    """The questions of a part of a recipe, against what is kept."""
    price = None if settings.price is None else Price(**settings.price.model_dump())
    return Asked(settings.chat, kept, count, Budget(**settings.budget.model_dump()), price)


def open_model(
    settings: AskedModel, asked: Asked, outlook: Outlook, base: Path, tell: Callable[[str], object]
) -> Model:
    """The model that a part of a recipe names. base: what its `batch` is relative to."""
    if settings.batch is not None:
        return Batch(asked, base / settings.batch, outlook.spent)
    from crl_data.samplers import openai

    return openai.OpenAI(
        asked,
        base_url=settings.base_url,
        api_key_env=settings.api_key_env,
        concurrency=settings.concurrency,
        timeout_s=settings.timeout_s,
        retries=settings.retries,
        retry_s=settings.retry_s,
        spent=outlook.spent,
        tell=tell,
    )


def answers_of(
    settings: AskedModel,
    requests: Callable[[], Iterable[Request]],
    kept: Kept,
    count: CountTokens,
    base: Path,
    counts: Counter[str],
    tell: Callable[[str], object],
) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
    """The answers of a model to requests, which `requests` gives anew each time, in their order.

    Those that are kept are taken from there; the forecast for the others is told before the first is asked for. What all of
    them cost, by whichever run, is added to `counts`.
    """
    asked = asked_as(settings, kept, count)
    if settings.batch is not None:
        Batch(asked, base / settings.batch).read(tell)
    outlook = asked.look(requests())
    given: Iterable[tuple[Request, tuple[Answer, ...]]]
    if outlook.answers:
        tell(outlook.told(settings.model, asked.price))
        given = open_model(settings, asked, outlook, base, tell).answers(requests())
    else:
        given = _kept(asked, requests())
    counted: set[str] = set()
    for request, answers in given:
        if (key := asked.key(request)) not in counted:
            counted.add(key)
            counts.update(asked.used(request))
        yield request, answers


def _kept(asked: Asked, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
    for request in requests:
        answers = asked.answers(request)
        assert answers is not None
        yield request, answers


def requests_of(problems: Iterable[Problem], template: Template, n: int) -> Iterator[Request]:
    """The requests for solutions of problems."""
    for problem in problems:
        yield Request(id=problem.id, messages=template.messages(problem), n=n)


def candidates_of(
    source: OpenAI, label: str, sampler: Sampler, request: Request, answers: Iterable[Answer]
) -> Iterator[tuple[Solution, str | None]]:
    """The answers to a request as candidates, and why one is dropped before its code is looked at."""
    for number, answer in enumerate(answers):
        yield (
            Solution(
                problem_id=request.id,
                id=f"{label}/{request.id}/{number}",
                response=answer.text,
                sampler=sampler,
                finish_reason=answer.finish_reason,
                tokens=answer.tokens,
                extra={"reasoning_tokens": answer.reasoning_tokens},
            ),
            CUT if source.cut == "drop" and answer.finish_reason == "length" else None,
        )


def labels_of(models: Iterable[str]) -> list[str]:
    """What the ids of candidates begin with: the model's name, and a number where an earlier sampler has the same."""
    seen: Counter[str] = Counter()
    found = []
    for model in map(label_of, models):
        seen[model] += 1
        found.append(model if seen[model] == 1 else f"{model}#{seen[model]}")
    return found
