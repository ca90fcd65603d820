"""One call of a reward: the rows by kind, what has to be judged, and the numbers once it is.

Judging lies between `to_judge` and `rewards`, and is the caller's: in a thread, or in an event loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crl_data.errors import InputError
from crl_data.responses import parse_conclusion
from crl_data.rewards import metrics, score
from crl_data.rewards.options import Options, options_from
from crl_data.rewards.score import CRITIQUE, SOLVE
from crl_data.types import Judgement

_NOT_COLUMNS = frozenset({"prompts", "completion_ids", "trainer_state", "environments", "log_metric", "log_extra"})


class Batch:
    """The completions of one call, with their rows.

    to_judge, solutions: the rows whose completions have to be run, and those completions.
    """

    def __init__(self, kind: str, texts: Sequence[str], columns: Mapping[str, Any], options: Options | None) -> None:
        self.options = options or options_from({})
        self._texts = texts
        self._log_metric: metrics.LogMetric | None = columns.get("log_metric")
        self._log_extra: metrics.LogExtra | None = columns.get("log_extra")
        self._tokens = _tokens(columns.get("completion_ids"), self.options, len(texts))
        self._rows = _rows(columns, len(texts))
        self._truths = [_truth(row) for row in self._rows]
        self._critiques = [] if kind == SOLVE else [n for n, truth in enumerate(self._truths) if truth is not None]
        self._solves = [] if kind == CRITIQUE else [n for n, row in enumerate(self._rows) if _is_solve(row)]
        self.to_judge = [self._rows[n] for n in self._solves]
        self.solutions = [texts[n] for n in self._solves]

    def rewards(self, judgements: Sequence[Judgement | None]) -> list[float | None]:
        """The reward of each completion, given what became of those that were to be judged."""
        found: list[float | None] = [None] * len(self._texts)
        concluded = [parse_conclusion(self._texts[n]) for n in self._critiques]
        for n in self._critiques:
            truth = self._truths[n]
            assert truth is not None
            found[n] = score.of_conclusion(self._texts[n], truth) + self._terms(CRITIQUE, n)
        undecided = 0
        for n, judgement in zip(self._solves, judgements, strict=True):
            undecided += not score.is_decided(judgement, self.options)
            worth = score.of_judgement(judgement, self.options)
            found[n] = worth if worth is None else worth + self._terms(SOLVE, n)
        truths = [truth for n in self._critiques if (truth := self._truths[n]) is not None]
        self._tell(metrics.of_critiques(concluded, truths) | metrics.of_judgements(judgements, undecided))
        self._tell_each("conclusion", self._critiques, [_WORDS[one] for one in concluded])
        self._tell_each("judged", self._solves, [one.reason if one else "not judged" for one in judgements])
        return found

    def _terms(self, kind: str, n: int) -> float:
        return score.terms(kind, self._texts[n], self._tokens[n] if self._tokens else None, self.options)

    def _tell(self, found: Mapping[str, float]) -> None:
        if self._log_metric is not None:
            for name, value in found.items():
                self._log_metric(name, value)

    def _tell_each(self, column: str, places: Sequence[int], values: Sequence[object]) -> None:
        if self._log_extra is not None and places:
            cells: list[object] = [None] * len(self._texts)
            for place, value in zip(places, values, strict=True):
                cells[place] = value
            self._log_extra(column, cells)


_WORDS = {True: "T", False: "F", None: "missing"}


def _rows(columns: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    """The columns of a dataset as rows; what is no column of as many values is not the rows'."""
    kept = {
        name: values
        for name, values in columns.items()
        if name not in _NOT_COLUMNS
        and isinstance(values, Sequence)
        and not isinstance(values, str)
        and len(values) == n
    }
    return [{name: values[place] for name, values in kept.items()} for place in range(n)]


def _truth(row: Mapping[str, Any]) -> bool | None:
    verdict = row.get("verdict")
    return None if verdict is None else bool(verdict)


def _is_solve(row: Mapping[str, Any]) -> bool:
    return row.get("verdict") is None and row.get("solution") is None


def _tokens(ids: Any, options: Options, n: int) -> list[int] | None:
    """How long each completion is, where a term of the reward counts it."""
    if not options.counts_tokens:
        return None
    if not isinstance(ids, Sequence) or len(ids) != n:
        raise InputError(f"completion_ids: expected the tokens of {n} completions, since a term counts them, got none")
    return [len(one) for one in ids]
