"""Texts for critique records (CFT, CGD): a teacher judges the solution, and its critique is kept where it concludes the verdict.

Every critique stands in the file with what it concludes; `agrees` says which are kept. With `refine`, a kept critique of a wrong
solution goes on: the teacher reads its own critique, without the reasoning before it, and is asked for a corrected solution,
which is judged as any candidate is. Of a solution that is right there is nothing to correct.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from crl_data.columns import CRITIQUE as COLUMNS
from crl_data.columns import WRITTEN_CRITIQUE, Fault, describe
from crl_data.corpus.recipe import OpenAICritiques, RecordedCritiques, VllmCritiques, Written
from crl_data.corpus.records import CRITIQUE, make_record, record_id
from crl_data.corpus.sampling import Asker, asked_as
from crl_data.corpus.stage import Stage
from crl_data.judging import Judge
from crl_data.judging.canaries import Watch
from crl_data.prompts import Template
from crl_data.responses import answer_of, extract_code, fenced, parse_conclusion
from crl_data.rows import Row, RowWriter, cells_of, make_sampler, read_rows, row_faults
from crl_data.samplers.budget import Cost
from crl_data.samplers.kept import Asked, Outlook
from crl_data.samplers.model import Answer, Request
from crl_data.samplers.recorded import WrittenAnswer
from crl_data.types import Critique, Judgement, Record, Sampler, Solution

_AHEAD = 16


class Critiquing:
    """The stage `critiques` of a recipe.

    new: the folder in which `data/` and `pool/` lie. template: the teacher's prompt; None: that of each record.
    """

    def __init__(
        self,
        settings: OpenAICritiques | VllmCritiques | RecordedCritiques,
        new: Path,
        stage: Stage,
        template: Template | None,
        refine: Template,
    ) -> None:
        self.settings = settings
        self.new = new
        self.stage = stage
        self.template = template
        self.refine = refine

    def write(self, judge: Judge, asker: Asker, path: Path, seen: Callable[[], object]) -> dict[str, Any]:
        """Write the critiques, and give the summary for the manifest."""
        counts: Counter[str] = Counter()
        cost: Counter[str] = Counter()
        first = path.with_name("critiques.jsonl") if self.settings.refine else path
        with RowWriter(first, COLUMNS) as writer:
            for critique in self._critiques(asker, counts, cost):
                counts[{True: "kept", False: "wrong", None: "missing"}[critique.agrees]] += 1
                writer.write(cells_of(critique))
                seen()
        refined = None
        if self.settings.refine:
            spent = Cost(
                requests=cost["responses"], prompt_tokens=cost["prompt_tokens"], output_tokens=cost["output_tokens"]
            )
            with RowWriter(path, COLUMNS) as writer:
                refined = self._refine(judge, asker, first, lambda critique: writer.write(cells_of(critique)), spent)
            first.unlink()
        names = ("records", "critiques", "kept", "wrong", "missing", "without an answer")
        return {
            "sampler": self.settings.sampler,
            "of": self.settings.of,
            "n": self.settings.n,
            "prompt": self.template.label if self.template else None,
            **{name: counts[name] for name in names},
            **{name: cost[name] for name in _COSTS},
            "refined": refined,
        }

    def records(self) -> Iterator[Record]:
        """The critique records, in their order."""
        for file in sorted((self.new / self.settings.of).glob("*.parquet")):
            for row in read_rows(file):
                assert isinstance(row, Row)
                if row.cells["kind"] == CRITIQUE:
                    yield make_record(row.cells)

    def outlook(self, asked: Asked, records: int, critique: Template) -> Outlook:
        """What would be asked for at most, for so many records; their prompts as long as about the references are.

        critique: the template of the records.
        """
        template = self.template or critique
        texts = (
            sum(asked.count(message["content"]) for message in template.messages(problem, problem.reference or ""))
            for problem, _ in self.stage.problems()
        )
        rounds = 2 if self.settings.refine else 1
        answers = records * self.settings.n
        most = Cost(
            requests=rounds * answers if asked.chat.per_request == 1 else records + (rounds - 1) * answers,
            prompt_tokens=round(fmean(texts) * (records + (rounds - 1) * answers)) if records else 0,
            output_tokens=rounds * answers * (asked.chat.output_tokens or 0),
        )
        bounded = asked.chat.output_tokens is not None
        return Outlook(answers=rounds * answers, most=most, kept_answers=0, spent=Cost(), bounded=bounded)

    # --- critiques ----------------------------------------------------------------------------------------------------

    def _messages(self, record: Record) -> tuple[dict[str, str], ...]:
        if self.template is None:
            return record.prompt
        problem = self.stage.problem(record.problem_id)
        assert problem is not None
        return self.template.messages(problem, record.solution)

    def requests(self) -> Iterator[Request]:
        """What is asked first: for a critique of every record."""
        for record in self.records():
            yield Request(id=record.id, messages=self._messages(record), n=self.settings.n)

    def _critiques(self, asker: Asker, counts: Counter[str], cost: Counter[str]) -> Iterator[Critique]:
        asked = asker.answers(self.settings, self.requests, cost, _Written(), self._spent_on_refining(asker))
        records = self.records()
        for request, answers in asked:
            record = next(one for one in records if one.id == request.id)  # a batch leaves out what is not answered yet
            counts["records"] += 1
            counts["critiques"] += len(answers)
            counts["without an answer"] += not answers
            for number, answer in enumerate(answers):
                yield _critique(record, number, answer, asker.sampler(self.settings, answer))

    def _spent_on_refining(self, asker: Asker) -> Cost:
        """What earlier runs have paid for corrected solutions: the budget is for both."""
        settings = self.settings
        if not settings.refine or isinstance(settings, Written):
            return Cost()
        asked = asked_as(settings, asker.kept, asker.count, asker.base)

        def requests() -> Iterator[Request]:
            for record, request in zip(self.records(), self.requests(), strict=True):
                for number, answer in asked.held(asked.key(request)).items():
                    critique = _critique(record, number, answer, asker.sampler(settings, answer))
                    if number < settings.n and _is_refined(record, critique):
                        yield self._request(record, critique)

        return asked.look(requests()).spent

    # --- corrected solutions ------------------------------------------------------------------------------------------

    def _refine(
        self, judge: Judge, asker: Asker, critiques: Path, write: Callable[[Critique], None], spent: Cost
    ) -> dict[str, Any]:
        """Ask for the corrected solutions, judge them, and write every critique, in order; the counts."""
        watch = Watch(judge)
        counts: Counter[str] = Counter()
        cost: Counter[str] = Counter()

        def requests() -> Iterator[Request]:
            return (self._request(record, one) for record, one in self._pairs(critiques) if _is_refined(record, one))

        def take(critique: Critique, future: Future[Judgement] | None) -> None:
            if future is not None:
                judgement = future.result()
                counts[{True: "true", False: "false", None: "inconclusive"}[judgement.verdict]] += 1
                critique = replace(critique, refined_verdict=judgement.verdict, refined_pass_rate=judgement.pass_rate)
                watch.look()
            write(critique)

        answers = asker.answers(self.settings, requests, cost, _Written(), spent)
        waiting: deque[tuple[Critique, Future[Judgement] | None]] = deque()
        answer = next(answers, None)
        for _, critique in self._pairs(critiques):
            future = None
            if answer is not None and answer[0].id == critique.id:  # a batch leaves out what is not answered yet
                given = answer[1]
                code = extract_code(given[0].text) if given else None
                counts["asked"] += 1
                counts["without an answer"] += not given
                counts["without code"] += bool(given) and code is None
                if code is not None:
                    critique = replace(critique, refined_code=code)
                    future = self._judged(judge, critique, code)
                answer = next(answers, None)
            waiting.append((critique, future))
            if len(waiting) >= _AHEAD * judge.jobs:
                take(*waiting.popleft())
        for left in waiting:
            take(*left)
        assert answer is None  # and with that the model is closed
        names = ("asked", "true", "false", "inconclusive", "without code", "without an answer")
        return {
            "prompt": self.refine.label,
            **{name: counts[name] for name in names},
            **{name: cost[name] for name in _COSTS},
        }

    def _pairs(self, critiques: Path) -> Iterator[tuple[Record, Critique]]:
        """The critiques of a file, each with its record."""
        records = self.records()
        record = next(records, None)
        for row in read_rows(critiques):
            assert isinstance(row, Row)
            cells = row.cells
            while record is not None and (record.problem_id, record.solution_id) != (
                cells["problem_id"],
                cells["solution_id"],
            ):
                record = next(records, None)
            assert record is not None
            yield record, Critique(**{**cells, "sampler": cells["sampler"] and make_sampler(cells["sampler"])})

    def _request(self, record: Record, critique: Critique) -> Request:
        problem = self.stage.problem(record.problem_id)
        assert problem is not None
        said = {"role": "assistant", "content": answer_of(critique.response).strip()}
        return Request(id=critique.id, messages=(*self._messages(record), said, *self.refine.messages(problem)))

    def _judged(self, judge: Judge, critique: Critique, code: str) -> Future[Judgement] | None:
        """The judgement of a corrected solution to come; None where the problem has no tests."""
        problem = self.stage.problem(critique.problem_id)
        assert problem is not None
        if not problem.tests:
            return None
        return judge.submit(problem, Solution(problem_id=problem.id, id=critique.id, code=code))


_COSTS = ("prompt_tokens", "output_tokens", "reasoning_tokens")


def _is_refined(record: Record, critique: Critique) -> bool:
    return critique.agrees is True and record.verdict is False


def _critique(record: Record, number: int, answer: Answer, sampler: Sampler) -> Critique:
    """An answer to the request for a critique of a record."""
    assert record.solution_id is not None
    conclusion = parse_conclusion(answer.text)
    return Critique(
        problem_id=record.problem_id,
        solution_id=record.solution_id,
        id=_id(record.problem_id, record.solution_id, number),
        response=answer.text,
        conclusion=conclusion,
        agrees=None if conclusion is None else conclusion is record.verdict,
        tokens=answer.tokens,
        sampler=sampler,
    )


def _id(problem: str, solution: str, number: int) -> str:
    return record_id(CRITIQUE, problem, solution, str(number))


def fault_of_critique(cells: dict[str, Any]) -> Fault | None:
    """The first thing about the cells of a critique that cannot be right, or None."""
    conclusion, rate = cells.get("conclusion"), cells.get("refined_pass_rate")
    said = parse_conclusion(cells["response"])
    if conclusion is not said:
        return Fault("conclusion", f"{describe(said)}, as the response concludes", describe(conclusion))
    if (cells.get("agrees") is None) is not (conclusion is None):
        return Fault("agrees", "null where there is no conclusion, and only there", describe(cells.get("agrees")))
    if rate is not None and not 0 <= rate <= 1:
        return Fault("refined_pass_rate", "a share from 0 to 1", describe(rate))
    if cells.get("refined_code") is None and (rate, cells.get("refined_verdict")) != (None, None):
        return Fault("refined_code", "the code that was judged", "null")
    return None


class _Written:
    """The answers in the rows of a recorded teacher: its critiques, and as answers to those its corrected solutions."""

    def __init__(self) -> None:
        self._numbers: Counter[tuple[str, str]] = Counter()

    def __call__(self, row: Row) -> list[tuple[str, WrittenAnswer]]:
        for fault in row_faults(row, WRITTEN_CRITIQUE):
            raise fault
        cells = row.cells
        problem, solution = cells["problem_id"], cells["solution_id"]
        sampler = make_sampler(cells["sampler"]) if cells.get("sampler") else None
        answer = WrittenAnswer(text=cells["response"], tokens=cells.get("tokens"), sampler=sampler)
        found = [(record_id(CRITIQUE, problem, solution), answer)]
        number = self._numbers[problem, solution]
        self._numbers[problem, solution] += 1
        if cells.get("refined_code") is not None:
            refined = WrittenAnswer(text=fenced(cells["refined_code"]), sampler=sampler)
            found.append((_id(problem, solution, number), refined))
        return found
