"""What a recipe asks models for: models opened as it says, and the candidates that their answers are.

The only place where a model of a recipe is opened. How it is asked is in `samplers`; what a build does with candidates is in
`gather`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.corpus.recipe import AskedModel, LocalModel, OpenAI, Vllm, Written
from crl_data.corpus.select import CountTokens
from crl_data.importers import Tools
from crl_data.prompts import Template
from crl_data.rows import Row
from crl_data.samplers import vllm as local
from crl_data.samplers.batch import Batch
from crl_data.samplers.budget import Budget, Cost, Price
from crl_data.samplers.chat import Chat, label_of
from crl_data.samplers.kept import Asked, Kept, Outlook
from crl_data.samplers.model import Answer, Model, Request
from crl_data.samplers.recorded import RecordedModel, WrittenAnswer
from crl_data.types import Problem, Sampler, Solution

CUT = "cut by length"


def chat_of(settings: AskedModel | LocalModel, base: Path) -> Chat:
    """What a part of a recipe asks of whom. base: what a model in a folder is relative to."""
    return settings.chat if isinstance(settings, AskedModel) else local.chat_of(settings.model_dump(), base)


def asked_as(settings: AskedModel | LocalModel, kept: Kept, count: CountTokens, base: Path) -> Asked:
    """The questions of a part of a recipe, against what is kept."""
    price = None if settings.price is None else Price(**settings.price.model_dump())
    return Asked(chat_of(settings, base), kept, count, Budget(**settings.budget.model_dump()), price)


def forecast_of(asked: Asked, look: Outlook) -> dict[str, Any]:
    """What a dry run says of what would be asked for, at most."""
    return {
        "kept_answers": look.kept_answers,
        "answers": look.answers,
        "requests": look.most.requests,
        "prompt_tokens": look.most.prompt_tokens,
        "output_tokens": look.most.output_tokens if look.bounded else None,
        "usd": round(asked.price.usd(look.most), 6) if asked.price is not None and look.bounded else None,
    }


@contextlib.contextmanager
def open_model(
    settings: AskedModel | LocalModel, asked: Asked, spent: Cost, base: Path, tell: Callable[[str], object]
) -> Iterator[Model]:
    """The model that a part of a recipe names, for as long as it is asked. base: what its `batch` is relative to."""
    if isinstance(settings, LocalModel):
        with local.VLLM.of(settings.model_dump(), asked, base, tell) as model:
            yield model
    elif settings.batch is not None:
        yield Batch(asked, base / settings.batch, spent)
    else:
        from crl_data.samplers import openai

        yield openai.OpenAI(
            asked,
            base_url=settings.base_url,
            api_key_env=settings.api_key_env,
            concurrency=settings.concurrency,
            timeout_s=settings.timeout_s,
            retries=settings.retries,
            retry_s=settings.retry_s,
            spent=spent,
            tell=tell,
        )


def answers_of(
    settings: AskedModel | LocalModel,
    requests: Callable[[], Iterable[Request]],
    kept: Kept,
    count: CountTokens,
    base: Path,
    counts: Counter[str],
    tell: Callable[[str], object],
    before: Cost | None = None,
) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
    """The answers of a model to requests, which `requests` gives anew each time, in their order.

    Those that are kept are taken from there; the forecast for the others is told before the first is asked for. What all of
    them cost, by whichever run, is added to `counts`. before: what counts against the same budget already.
    """
    asked = asked_as(settings, kept, count, base)
    if settings.batch is not None:
        Batch(asked, base / settings.batch).read(tell)
    outlook = asked.look(requests())
    counted: set[str] = set()
    with contextlib.ExitStack() as opened:
        given: Iterable[tuple[Request, tuple[Answer, ...]]]
        if outlook.answers:
            tell(outlook.told(asked.chat.model, asked.price))
        if outlook.answers or settings.batch is not None:
            spent = outlook.spent + (before or Cost())
            given = opened.enter_context(open_model(settings, asked, spent, base, tell)).answers(requests())
        else:
            given = _kept(asked, requests())
        for request, answers in given:
            if (key := asked.key(request)) not in counted:
                counted.add(key)
                counts.update(asked.used(request))
            yield request, answers


@dataclass(frozen=True)
class Asker:
    """Asks the models of a recipe's stages, a recorded one too.

    tools: reads the rows of recorded answers. inputs: what the manifest says of the files that were read is added to it.
    """

    kept: Kept
    count: CountTokens
    base: Path
    tell: Callable[[str], object]
    tools: Tools
    inputs: list[dict[str, Any]]

    def answers(
        self,
        settings: AskedModel | LocalModel | Written,
        requests: Callable[[], Iterable[Request]],
        counts: Counter[str],
        written: Callable[[Row], Iterable[tuple[str, WrittenAnswer]]],
        before: Cost | None = None,
    ) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        """As `answers_of`. written: the answers in a row of a file, with the ids of the requests that they answer."""
        if not isinstance(settings, Written):
            yield from answers_of(settings, requests, self.kept, self.count, self.base, counts, self.tell, before)
            return
        tables = settings.tables(self.base, self.tools.max_field_mb)
        self.inputs.extend(
            one for told in tables.described() if (one := {"format": "answers", **told}) not in self.inputs
        )
        rows = self.tools.each(tables, written)
        with RecordedModel(one for answers in rows for one in answers) as model:
            for request, answers in model.answers(requests()):
                counts["output_tokens"] += sum(answer.tokens or 0 for answer in answers)
                counts["reasoning_tokens"] += sum(answer.reasoning_tokens or 0 for answer in answers)
                yield request, answers

    def sampler(self, settings: AskedModel | LocalModel | Written, answer: Answer) -> Sampler:
        """Who wrote an answer."""
        if not isinstance(settings, Written):
            return chat_of(settings, self.base).sampler(settings.sampler)
        said = answer.sampler if isinstance(answer, WrittenAnswer) else None
        return said or Sampler(name=settings.sampler)


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
    source: OpenAI | Vllm, label: str, sampler: Sampler, request: Request, answers: Iterable[Answer]
) -> Iterator[tuple[Solution, str | None]]:
    """The answers to a request as candidates, and why one is dropped before its code is looked at."""
    for number, answer in enumerate(answers):
        yield (
            answer_as_solution(request.id, f"{label}/{request.id}/{number}", sampler, answer),
            CUT if source.cut == "drop" and answer.finish_reason == "length" else None,
        )


def answer_as_solution(problem: str, name: str, sampler: Sampler, answer: Answer) -> Solution:
    """An answer of a model as a solution of a problem, by their ids; its code is not taken out yet."""
    return Solution(
        problem_id=problem,
        id=name,
        response=answer.text,
        sampler=sampler,
        finish_reason=answer.finish_reason,
        tokens=answer.tokens,
        extra={"reasoning_tokens": answer.reasoning_tokens},
    )


def labels_of(models: Iterable[str]) -> list[str]:
    """What the ids of candidates begin with: the model's name, and a number where an earlier sampler has the same."""
    found: list[str] = []
    for model in map(label_of, models):
        names = itertools.chain([model], (f"{model}#{number}" for number in itertools.count(2)))
        found.append(next(name for name in names if name not in found))
    return found
