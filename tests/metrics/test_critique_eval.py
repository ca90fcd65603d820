"""critique_eval: its figures against brute force and scikit-learn, what it refuses, and that it reads as rewards do."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.metrics.critique_eval.critique_eval import CritiqueEval, scores
from crl_data.rewards import critique_reward

Pairs = list[tuple[bool, bool | None]]
PAIRS = st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=1, max_size=40)
FIGURES = [
    *("n", "n_missing", "accuracy", "balanced_accuracy", "mcc", "precision_true", "precision_false", "recall_true"),
    *("recall_false", "missing_rate", "share_concluded_true", "share_true"),
]


def of(pairs: Pairs, *, truth: Any = ..., said: Any = ...) -> list[tuple[bool, bool | None]]:
    return [(a, b) for a, b in pairs if (truth is ... or a is truth) and (said is ... or b is said)]


def share(of_these: Pairs, right: bool = True) -> float | None:
    return sum((a is b) is right for a, b in of_these) / len(of_these) if of_these else None


def correlation(pairs: Pairs) -> float | None:
    """Gorodkin's R_K by its definition: the covariance of what is true and what was said, each as three indicators."""
    n = len(pairs)
    tables = [[[float(one[side] is word) for word in (True, False, None)] for one in pairs] for side in (0, 1)]
    means = [[sum(column) / n for column in zip(*table, strict=True)] for table in tables]

    def covariance(one: int, other: int) -> float:
        return sum(
            (tables[one][row][k] - means[one][k]) * (tables[other][row][k] - means[other][k])
            for row in range(n)
            for k in range(3)
        )

    spread = covariance(0, 0) * covariance(1, 1)
    return covariance(0, 1) / math.sqrt(spread) if spread > 1e-12 else None


@given(PAIRS)
def test_every_figure_is_what_counting_row_by_row_gives(pairs: Pairs) -> None:
    found = scores(pairs)
    recalls = share(of(pairs, truth=True)), share(of(pairs, truth=False))
    concluded = [(a, b) for a, b in pairs if b is not None]
    expected = {
        "n": len(pairs),
        "n_missing": len(of(pairs, said=None)),
        "accuracy": share(pairs),
        "balanced_accuracy": None if None in recalls else sum(recalls) / 2,  # type: ignore[arg-type]
        "mcc": correlation(pairs),
        "precision_true": share(of(pairs, said=True)),
        "precision_false": share(of(pairs, said=False)),
        "recall_true": recalls[0],
        "recall_false": recalls[1],
        "missing_rate": len(of(pairs, said=None)) / len(pairs),
        "share_concluded_true": len(of(concluded, said=True)) / len(concluded) if concluded else None,
        "share_true": len(of(pairs, truth=True)) / len(pairs),
    }
    assert list(found) == FIGURES
    for name, value in expected.items():
        assert found[name] == (None if value is None else pytest.approx(value, abs=1e-9)), name


@settings(deadline=None)  # the first call imports scikit-learn
@given(PAIRS)
def test_figures_are_those_of_scikit_learn_where_it_gives_any(pairs: Pairs) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    words = {True: "T", False: "F", None: "missing"}
    true, said = [words[a] for a, _ in pairs], [words[b] for _, b in pairs]
    found = scores(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {
            "accuracy": metrics.accuracy_score(true, said),
            "balanced_accuracy": metrics.balanced_accuracy_score(true, said),
            "mcc": metrics.matthews_corrcoef(true, said),
        }
        for name, word in (("true", "T"), ("false", "F")):
            for figure in ("precision", "recall"):
                score = getattr(metrics, f"{figure}_score")
                theirs[f"{figure}_{name}"] = score(true, said, labels=[word], average="macro", zero_division=0.0)
    for name, value in theirs.items():
        if found[name] is not None:
            assert found[name] == pytest.approx(value, abs=1e-9), name
        elif name != "balanced_accuracy":  # of one class, theirs is the recall of that class
            assert value == 0.0, name


def test_a_critic_that_says_nothing_is_as_good_as_none_and_one_that_says_the_contrary_is_worse() -> None:
    silent = scores([(True, None), (False, None)])
    assert (silent["accuracy"], silent["balanced_accuracy"], silent["mcc"]) == (0.0, 0.0, None)
    assert silent["precision_true"] is silent["share_concluded_true"] is None
    assert scores([(True, False), (False, True)])["mcc"] == -1.0
    assert scores([(True, True), (False, None), (False, False), (True, None)])["mcc"] > 0


def metric(folder: Path) -> CritiqueEval:
    return CritiqueEval(cache_dir=str(folder))


def test_texts_and_conclusions_may_stand_in_one_list_and_none_is_missing(tmp_path: Path) -> None:
    said = [None, r"Fine. \conclusion{T}", False, "Broken.", np.True_, True]
    found = metric(tmp_path).compute(predictions=said, references=[True, True, False, False, True, np.False_])
    assert (found["n"], found["n_missing"], found["accuracy"]) == (6, 2, 0.5)


def test_one_row_at_a_time_gives_the_same(tmp_path: Path) -> None:
    one_by_one, at_once = metric(tmp_path / "a"), metric(tmp_path / "b")
    rows = [(r"\conclusion{F}", False), (None, True), (True, True)]
    for said, truth in rows:
        one_by_one.add(prediction=said, reference=truth)
    predictions, references = zip(*rows, strict=True)
    at_once.add_batch(predictions=list(predictions), references=list(references))
    assert one_by_one.compute() == at_once.compute()


@pytest.mark.parametrize(
    ("said", "truth", "message"),
    [
        ([True], ["False"], "references[0]: expected True or False, got 'False'"),
        (
            [True, True],
            [True, None],
            "references[1]: expected True or False, got None; leave rows without a verdict out",
        ),
        ([True], [1], "references[0]: expected True or False, got 1"),
        ([True, 1], [True, True], "predictions[1]: expected a text, True, False or None, got 1"),
        ([[True]], [True], r"predictions[0]: expected a text, True, False or None, got [True]"),
    ],
)
def test_what_is_no_verdict_is_refused_and_not_read_as_true(
    said: list[Any], truth: list[Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError) as raised:
        metric(tmp_path).compute(predictions=said, references=truth)
    assert str(raised.value) == message


ENDINGS = [
    r"\conclusion{T}",
    r"\conclusion{false}",
    r"\conclusion{INCORRECT}",
    r"\conclusion{}",
    "no word",
    r"</think>",
]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ENDINGS), st.booleans()), min_size=1, max_size=8))
def test_accuracy_is_the_mean_of_the_critique_reward(rows: list[tuple[str, bool]]) -> None:
    said, truth = [text for text, _ in rows], [verdict for _, verdict in rows]
    rewards = critique_reward(completions=said, verdict=truth)
    figures = CritiqueEval(keep_in_memory=True).compute(predictions=said, references=truth)
    assert figures["accuracy"] == pytest.approx(sum(map(float, rewards)) / len(rows))  # type: ignore[arg-type]


def test_the_published_rule_is_an_option(tmp_path: Path) -> None:
    said, truth = [r"\conclusion{INCORRECT}", r"\conclusion{false}"], [False, False]
    ours = metric(tmp_path).compute(predictions=said, references=truth)
    official = metric(tmp_path).compute(predictions=said, references=truth, official=True)
    assert (ours["n_missing"], ours["accuracy"]) == (1, 0.5)
    assert (official["n_missing"], official["accuracy"], official["share_concluded_true"]) == (1, 0.0, 1.0)
