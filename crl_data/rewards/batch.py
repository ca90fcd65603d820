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
        self._truths = {} if kind == SOLVE else _truths(self._rows)
        self._solves = [] if kind == CRITIQUE else [n for n, row in enumerate(self._rows) if _is_solve(row)]
        self.to_judge = [self._rows[n] for n in self._solves]
        self.solutions = [texts[n] for n in self._solves]

    def rewards(self, judgements: Sequence[Judgement | None]) -> list[float | None]:
        """The reward of each completion, given what became of those that were to be judged."""
        found: list[float | None] = [None] * len(self._texts)
        concluded = {n: parse_conclusion(self._texts[n]) for n in self._truths}
        for n, truth in self._truths.items():
            found[n] = score.of_conclusion(concluded[n], truth) + self._terms(CRITIQUE, n)
        undecided = 0
        for n, judgement in zip(self._solves, judgements, strict=True):
            undecided += not score.is_decided(judgement, self.options)
            worth = score.of_judgement(judgement, self.options)
            found[n] = worth if worth is None else worth + self._terms(SOLVE, n)
        self._tell(
            metrics.of_critiques([*concluded.values()], [*self._truths.values()])
            | metrics.of_judgements(judgements, undecided)
        )
        self._tell_each("conclusion", {n: _WORDS[one] for n, one in concluded.items()})
        judged = dict(zip(self._solves, judgements, strict=True))
        self._tell_each("judged", {n: one.reason if one else "not judged" for n, one in judged.items()})
        self._tell_each("pass_rate", {n: one.pass_rate if one else None for n, one in judged.items()})
        self._tell_each("judged_verdict", {n: one.verdict if one else None for n, one in judged.items()})
        return found

    def _terms(self, kind: str, n: int) -> float:
        return score.terms(kind, self._texts[n], self._tokens[n] if self._tokens else None, self.options)

    def _tell(self, found: Mapping[str, float]) -> None:
        if self._log_metric is not None:
            for name, value in found.items():
                self._log_metric(name, value)

    def _tell_each(self, column: str, values: Mapping[int, object]) -> None:
        if self._log_extra is not None and values:
            self._log_extra(column, [values.get(n) for n in range(len(self._texts))])


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


def _truths(rows: Sequence[Mapping[str, Any]]) -> dict[int, bool]:
    """The verdicts of critique rows, by their places."""
    return {n: bool(row["verdict"]) for n, row in enumerate(rows) if row.get("verdict") is not None}


def _is_solve(row: Mapping[str, Any]) -> bool:
    return row.get("verdict") is None and row.get("solution") is None


def _tokens(ids: Any, options: Options, n: int) -> list[int] | None:
    """How long each completion is, where a term of the reward counts it."""
    if not options.counts_tokens:
        return None
    if not isinstance(ids, Sequence) or len(ids) != n:
        raise InputError(f"completion_ids: expected the tokens of {n} completions, since a term counts them, got none")
    return [len(one) for one in ids]
