"""Preference pairs: to one prompt a right answer above a wrong one, by a margin of pass rate. TRL's conversational form.

The rule is nearly AceCoder's (arXiv 2502.01718), whose pairs have s_i > 0.8, s_i >= s_j + 0.4 and s_j > 0, s being the share of
tests that pass. Here the better one is True and the worse one False under the dataset's own policy, the margin is an option, a
solution is in one pair at most, and one that passes nothing is a worse one too: it ran, and it is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from crl_data.columns import MESSAGES, SOURCE, Column, Scalar, Struct
from crl_data.corpus.records import record_id
from crl_data.corpus.select import draw
from crl_data.export.dataset import Cells, Dataset, OfProblem

_TEXT, _NUMBER = Scalar(str), Scalar(float)
MARGIN = 0.4
_ROUNDING = 1e-9  # 0.7 - 0.3 is less than 0.4


class Pairs:
    """Rows of preference pairs.

    margin: how much more of the tests the chosen one passes, at least. per_problem: how many pairs of a problem at most; None:
    as many as there are. No answer stands in two pairs; which ones meet is drawn by the build's seed.
    """

    columns = Struct(
        (
            *(Column(name, MESSAGES, True) for name in ("prompt", "chosen", "rejected")),
            *(Column(name, _TEXT, True) for name in ("id", "problem_id", "chosen_id", "rejected_id")),
            *(Column(name, _NUMBER, True) for name in ("chosen_pass_rate", "rejected_pass_rate")),
            Column("source", SOURCE),
        )
    )
    suffixes = (".parquet", ".jsonl", ".jsonl.gz")

    def __init__(self, margin: float = MARGIN, per_problem: int | None = None) -> None:
        self.margin = margin
        self.per_problem = per_problem

    def rows(self, dataset: Dataset, split: str, left_out: Counter[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for problem in dataset.problems(split):
            if problem.solve is None:
                left_out["problems without tests"] += 1
                continue
            found = self._pairs(dataset, problem)
            if isinstance(found, str):
                left_out[found] += 1
                continue
            for right, wrong in found:
                yield "pair", _row(dataset, problem, right, wrong)

    def _pairs(self, dataset: Dataset, problem: OfProblem) -> list[tuple[Cells, Cells]] | str:
        """The pairs of a problem, or why there is none."""

        def drawn(one: Cells) -> bytes:
            return draw(dataset.seed, "pairs", one["id"])

        rated = [one for one in problem.critiques if one["pass_rate"] is not None and one["solution"] is not None]
        # who passes less may be above fewer: in this order nobody takes the only partner of another
        right = _once(sorted((one for one in rated if one["verdict"]), key=lambda one: (one["pass_rate"], drawn(one))))
        wrong = _once(sorted((one for one in rated if not one["verdict"]), key=drawn))
        if not right or not wrong:
            return f"problems without a {'wrong' if right else 'right'} solution"
        found: list[tuple[Cells, Cells]] = []
        for better in right:
            apart = (one for one in wrong if better["pass_rate"] - one["pass_rate"] >= self.margin - _ROUNDING)
            worse = next(apart, None)
            if worse is not None:
                wrong.remove(worse)
                found.append((better, worse))
        found.sort(key=lambda pair: drawn(pair[0]))
        return found[: self.per_problem] or "problems whose solutions are not that far apart"


def _once(records: list[Cells]) -> list[Cells]:
    """Of records that show the same code, the first."""
    return list({one["solution"]: one for one in reversed(records)}.values())[::-1]


def _row(dataset: Dataset, problem: OfProblem, right: Cells, wrong: Cells) -> dict[str, Any]:
    assert problem.solve is not None
    return {
        "prompt": problem.solve["prompt"],
        "chosen": [{"role": "assistant", "content": dataset.answer(right)}],
        "rejected": [{"role": "assistant", "content": dataset.answer(wrong)}],
        "id": record_id("pair", problem.id, right["solution_id"], wrong["solution_id"]),
        "problem_id": problem.id,
        "chosen_id": right["solution_id"],
        "rejected_id": wrong["solution_id"],
        "chosen_pass_rate": right["pass_rate"],
        "rejected_pass_rate": wrong["pass_rate"],
        "source": problem.solve["source"],
    }
