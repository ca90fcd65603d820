r"""How well critics tell right from wrong: what critiques conclude, against the verdicts. It judges no code.

A missing conclusion is a third thing that a critic can say. So it is wrong for accuracy, not recalled in recall (and in the
balanced accuracy that is their mean), none of the conclusions that precision is about, and a class of its own in Matthews'
correlation (Gorodkin's for more than two classes; of a critic that never concludes it is no number, and None).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import datasets
import evaluate

from crl_data.responses import parse_conclusion

_DESCRIPTION = r"""
Critics of code end in \conclusion{T} or \conclusion{F}. This compares what they conclude with what is true.
"""

_INPUTS = r"""
Args:
    predictions: a critique's text, or its conclusion: True, False, or None where there is none.
    references: the verdict, True or False. Rows without a verdict cannot be scored: leave them out.
    official: read texts by the published rule: the last \conclusion{...}, True if it has the letter T in it.
Returns: a dict of
    n, n_missing: rows, and rows without a conclusion that could be read
    accuracy: right conclusions of all rows; a missing one is wrong
    balanced_accuracy: the mean of the two recalls
    mcc: Matthews' correlation, with a missing conclusion as a class of its own
    precision_true, precision_false: of those that concluded so, how many are right
    recall_true, recall_false: of those that are so, how many were concluded; a missing conclusion is not
    missing_rate: rows without a conclusion, of all rows
    share_concluded_true: of the conclusions that there are
    share_true: of all rows
    A figure is None where it would be a division by zero.
Examples:
    >>> metric = evaluate.load(str(crl_data.metrics.path("critique_eval")))
    >>> metric.compute(predictions=[r"Fine. \conclusion{T}", "Broken."], references=[True, False])["accuracy"]
    0.5
"""

_TEXTS = {True: r"\conclusion{T}", False: r"\conclusion{F}", None: ""}


class CritiqueEval(evaluate.Metric):  # type: ignore[misc]
    """The metric; `compute`, `add` and `add_batch` are those of `evaluate`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("bool")}),
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **others: Any) -> None:
        """Take rows in. Raises `ValueError` for what is neither text nor conclusion, and for a verdict that is none.

        Arrow would take the word "False" for a true reference, and any text after a None for a true conclusion.
        """
        texts = None if predictions is None else [_text(one, place) for place, one in enumerate(predictions)]
        verdicts = None if references is None else [_verdict(one, place) for place, one in enumerate(references)]
        super().add_batch(predictions=texts, references=verdicts, **others)

    def add(self, *, prediction: Any = None, reference: Any = None, **others: Any) -> None:
        """Take one row in, as `add_batch` does."""
        super().add(prediction=_text(prediction, 0), reference=_verdict(reference, 0), **others)

    def _compute(self, predictions: list[str], references: list[bool], official: bool = False) -> dict[str, Any]:
        concluded = [parse_conclusion(text, official=official) for text in predictions]
        return scores(list(zip(references, concluded, strict=True)))


def scores(pairs: list[tuple[bool, bool | None]]) -> dict[str, Any]:
    """The figures of pairs of what is true and what was concluded."""
    seen = Counter(pairs)
    n = len(pairs)
    true = {truth: sum(seen[truth, said] for said in (True, False, None)) for truth in (True, False)}
    said = {word: seen[True, word] + seen[False, word] for word in (True, False, None)}
    right = seen[True, True] + seen[False, False]
    recalls = {truth: _share(seen[truth, truth], true[truth]) for truth in (True, False)}
    spread = (n * n - sum(count**2 for count in said.values())) * (n * n - sum(count**2 for count in true.values()))
    known = [recall for recall in recalls.values() if recall is not None]
    return {
        "n": n,
        "n_missing": said[None],
        "accuracy": _share(right, n),
        "balanced_accuracy": sum(known) / 2 if len(known) == 2 else None,
        "mcc": _share(right * n - sum(said[truth] * true[truth] for truth in (True, False)), spread**0.5),
        "precision_true": _share(seen[True, True], said[True]),
        "precision_false": _share(seen[False, False], said[False]),
        "recall_true": recalls[True],
        "recall_false": recalls[False],
        "missing_rate": _share(said[None], n),
        "share_concluded_true": _share(said[True], said[True] + said[False]),
        "share_true": _share(true[True], n),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value  # a scalar of numpy or torch


def _text(prediction: Any, place: int) -> str:
    value = _plain(prediction)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return _TEXTS[value]
    raise ValueError(f"predictions[{place}]: expected a text, True, False or None, got {value!r:.60}")


def _verdict(reference: Any, place: int) -> bool:
    value = _plain(reference)
    if isinstance(value, bool):
        return value
    without = "; leave rows without a verdict out" if value is None else ""
    raise ValueError(f"references[{place}]: expected True or False, got {value!r:.60}{without}")
