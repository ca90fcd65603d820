"""Texts to be imitated: critiques (cft), corrected solutions (cgd), and both kinds of records as OpenAI's fine-tuning reads them.

    cft      Critique Fine-Tuning, arXiv 2501.17703: learn to write the critique. The prompt of a critique record, and the
             teacher's critique of it. The paper takes every critique, and counts a fifth of its own as wrong; here the verdict
             was executed, and those are taken that conclude it
    cgd      Critique-Guided Distillation, arXiv 2505.11628: learn the refined answer, given the question, the initial answer
             and the critique, in this order and as one input, as the authors' data has them. Their words speak of science;
             ours, the template `cgd/default`, of code. Taken are those that were judged True
    openai   records as messages that end in what is to be said: a right solution, or the teacher's critique

`prompt` and `completion` are TRL's conversational prompt-completion form: the loss is on the completion alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.columns import MESSAGES, SOURCE, Column, Scalar, Struct
from crl_data.corpus.records import CRITIQUE
from crl_data.corpus.select import draw
from crl_data.export.dataset import Cells, Dataset, OfProblem
from crl_data.prompts import load_template
from crl_data.responses import answer_of
from crl_data.rows import make_problem
from crl_data.samplers.recorded import fenced

Rows = Iterator[tuple[str, Cells]]
_TEXT, _TRUTH, _NUMBER = Scalar(str), Scalar(bool), Scalar(float)
_PROMPTED = (Column("prompt", MESSAGES, True), Column("completion", MESSAGES, True))
_ABOUT = tuple(Column(name, _TEXT, True) for name in ("id", "problem_id", "solution_id", "question"))


class Cft:
    """Rows of Critique Fine-Tuning."""

    columns = Struct(
        (*_PROMPTED, *_ABOUT, Column("solution", _TEXT), Column("verdict", _TRUTH, True), Column("source", SOURCE))
    )
    suffixes = (".parquet", ".jsonl", ".jsonl.gz")

    def rows(self, dataset: Dataset, split: str, left_out: Counter[str]) -> Rows:
        dataset.require_critiques()
        for record, critique in _critiques(dataset, split):
            if critique["agrees"] is not True:
                left_out["critiques that do not conclude the verdict"] += 1
                continue
            yield (
                "critique",
                {
                    "prompt": record["prompt"],
                    "completion": _said(critique["response"]),
                    **_about(record, critique),
                    "solution": record["solution"],
                    "verdict": record["verdict"],
                    "source": record["source"],
                },
            )


class Cgd:
    """Rows of Critique-Guided Distillation."""

    columns = Struct(
        (
            *_PROMPTED,
            *_ABOUT,
            *(Column(name, _TEXT, True) for name in ("solution", "critique", "refined_code")),
            Column("refined_pass_rate", _NUMBER),
            Column("source", SOURCE),
        )
    )
    suffixes = (".parquet", ".jsonl", ".jsonl.gz")

    def __init__(self) -> None:
        self._template = load_template("cgd", "default", Path())

    def rows(self, dataset: Dataset, split: str, left_out: Counter[str]) -> Rows:
        dataset.require_critiques("critiques.refine")
        for problem in dataset.problems(split):
            for record in problem.critiques:
                for critique in dataset.critiques(record):
                    why = _not_refined(critique)
                    if why:
                        left_out[why] += 1
                    else:
                        yield "refined", self._row(problem, record, critique)

    def _row(self, problem: OfProblem, record: Cells, critique: Cells) -> Cells:
        said = answer_of(critique["response"]).strip()
        asked = make_problem({**record, "id": problem.id})
        return {
            "prompt": list(self._template.messages(asked, record["solution"], said)),
            "completion": _said(fenced(critique["refined_code"])),
            **_about(record, critique),
            "solution": record["solution"],
            "critique": said,
            "refined_code": critique["refined_code"],
            "refined_pass_rate": critique["refined_pass_rate"],
            "source": record["source"],
        }


class OpenAI:
    """Rows of OpenAI's supervised fine-tuning: a JSON object with `messages` a line, the last of them the assistant's."""

    columns = Struct((Column("messages", MESSAGES, True),))
    suffixes = (".jsonl", ".jsonl.gz")

    def rows(self, dataset: Dataset, split: str, left_out: Counter[str]) -> Rows:
        right = {problem.id: _right(dataset, problem) for problem in dataset.problems(split)}
        for record in dataset.records(split):
            if record["kind"] == CRITIQUE:
                said = next((one["response"] for one in dataset.critiques(record) if one["agrees"] is True), None)
                if said is None:
                    left_out["critique records without a critique that concludes the verdict"] += 1
                    continue
            else:
                chosen = right.get(record["problem_id"])
                if chosen is None:
                    left_out["solve records without a right solution"] += 1
                    continue
                said = dataset.answer(chosen)
            yield record["kind"], {"messages": [*record["prompt"], *_said(said)]}


def _critiques(dataset: Dataset, split: str) -> Iterator[tuple[Cells, Cells]]:
    """Every critique of a split with the record that it is about."""
    for problem in dataset.problems(split):
        for record in problem.critiques:
            for critique in dataset.critiques(record):
                yield record, critique


def _not_refined(critique: Cells) -> str | None:
    """Why there is no row of a critique."""
    if critique.get("refined_code") is None:
        return (
            "critiques without a corrected solution (the recipe's key `critiques.refine` asks for those of wrong ones)"
        )
    return None if critique["refined_verdict"] is True else "corrected solutions that were not judged True"


def _right(dataset: Dataset, problem: OfProblem) -> Cells | None:
    """A record that shows a right solution of a problem, drawn by the build's seed."""
    right = [record for record in problem.critiques if record["verdict"] is True and record["solution"] is not None]
    return min(right, key=lambda one: draw(dataset.seed, "openai", one["id"]), default=None)


def _about(record: Cells, critique: Cells) -> dict[str, Any]:
    return {"id": critique["id"], **{name: record[name] for name in ("problem_id", "solution_id", "question")}}


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
