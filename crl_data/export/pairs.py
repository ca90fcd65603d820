"""Preference pairs: a right solution of a problem above a wrong one, as TRL's conversational preference data.

Both are candidates that were judged: one with the verdict true, the other false, and at least `margin` of the tests between
their pass rates. That is nearly the rule of AceCoder (arXiv 2502.01718), whose reward model is trained on pairs with
s_i > s_j + 0.4, s_i > 0.8 and s_j > 0, s being the share of tests that pass. What is the same: the margin (its released code
has at least 0.4, as here), and a right one that passes more than 0.8, which is the default threshold of a verdict. What is
not: it takes every pair of programs of one model, and none with a program that passes nothing, since its own executions
fail so too; here a program is in one pair at most, and one that passes nothing is wrong.

There are as many pairs of a problem as can be made; who is paired with whom, and which are left with `per_problem`, is drawn
by the recipe's seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from crl_data.columns import PAIR
from crl_data.draws import draw
from crl_data.export.files import LINES, PARQUET, Exported, Form, targets_in, write
from crl_data.export.tables import (
    CANDIDATE,
    SOLVE,
    Shelf,
    candidate_ids,
    judgements_of,
    said,
    seed_of,
    shelve_answers,
    shelve_solve_records,
    split_of,
)

FORM = Form(columns=PAIR, suffixes=PARQUET + LINES, wanted="a right candidate above a wrong one by the margin")
MARGIN = 0.4


@dataclass(frozen=True)
class Judged:
    """A candidate, as far as pairing looks at it."""

    id: str
    verdict: bool
    rate: Fraction


Pair = tuple[Judged, Judged]


def export(
    directory: Path, out: Path, split: str | None = None, margin: float = MARGIN, per_problem: int | None = None
) -> Exported:
    """Write pairs of the candidates of a built dataset; `out` as in `files.targets_in`.

    margin: a share of the tests. per_problem: at most so many pairs a problem; None: as many as there are. Raises
    `InputError` where there are none, and where the dataset has no candidates.
    """
    done, targets = Exported(), targets_in(FORM, directory, out, split)
    judgements = judgements_of(directory)
    seed, everywhere = seed_of(directory), split_of(directory)
    problems = {problem: name for problem, name in everywhere.items() if name in targets}
    judged, seen = _judged(judgements, problems, done)
    for problem, name in candidate_ids(directory):
        if problem not in everywhere:
            done.left_out["candidates of problems in no split"] += 1
        elif problem in problems and (problem, name) not in seen:
            done.left_out["candidates that were not judged"] += 1
    of_problem: dict[str, list[Pair]] = {}
    alone = beyond = 0
    for problem in problems:
        ones = judged.get(problem, [])
        found = paired(problem, ones, Fraction(str(margin)), seed)
        of_problem[problem] = found[:per_problem]
        alone += len(ones) - 2 * len(found)
        beyond += len(found[per_problem:]) if per_problem is not None else 0
    done.left_out += Counter({"candidates without a partner": alone, "pairs beyond --per-problem": beyond})
    with Shelf() as shelf:
        wanted = {(problem, one.id) for problem, pairs in of_problem.items() for pair in pairs for one in pair}
        shelve_answers(directory, wanted, shelf)
        shelve_solve_records(directory, {problem for problem, pairs in of_problem.items() if pairs}, shelf)

        def rows(name: str) -> Iterator[dict[str, Any]]:
            for problem, pairs in of_problem.items():
                if not pairs or problems[problem] != name:
                    continue
                record = shelf.get(SOLVE, problem)
                if record is None:
                    done.left_out["pairs of problems without a solve record"] += len(pairs)
                    continue
                for pair in pairs:
                    done.kinds["pair"] += 1
                    yield _row(record, pair, [shelf.get(CANDIDATE, problem, one.id) for one in pair])

        return write(FORM, directory, out, targets, rows, done)


def paired(problem: str, judged: Sequence[Judged], margin: Fraction, seed: int) -> list[Pair]:
    """As many pairs as can be made of the candidates of a problem, each in one at most; in an order drawn by seed."""

    def drawn(one: Judged) -> bytes:
        return draw(seed, "pairs", problem, one.id)

    # who passes less may be above fewer: in this order nobody takes the last partner of another
    right = sorted((one for one in judged if one.verdict), key=lambda one: (one.rate, drawn(one)))
    wrong = sorted((one for one in judged if not one.verdict), key=drawn)
    pairs = []
    for one in right:
        other = next((other for other in wrong if one.rate - other.rate >= margin), None)
        if other is not None:
            wrong.remove(other)
            pairs.append((one, other))
    return sorted(pairs, key=lambda pair: drawn(pair[0]))


def _judged(
    judgements: Iterator[Mapping[str, Any]], problems: Mapping[str, str], done: Exported
) -> tuple[dict[str, list[Judged]], set[tuple[str, str]]]:
    """The candidates of some problems that have a verdict and a pass rate, the others counted; and all that were judged."""
    found: dict[str, list[Judged]] = {}
    seen = set()
    for cells in judgements:
        problem = cells["problem_id"]
        seen.add((problem, cells["solution_id"]))
        if problem not in problems:
            continue
        if cells.get("verdict") is None:
            done.left_out["inconclusive candidates"] += 1
        elif cells.get("pass_rate") is None:
            done.left_out["candidates without a pass rate"] += 1
        else:
            rate = Fraction(cells["n_passed"], cells["n_tests"])
            found.setdefault(problem, []).append(Judged(cells["solution_id"], cells["verdict"], rate))
    return found, seen


def _row(record: Mapping[str, Any], pair: Pair, texts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    (chosen, rejected), (better, worse) = pair, texts
    return {
        "problem_id": record["problem_id"],
        "chosen_id": chosen.id,
        "rejected_id": rejected.id,
        "prompt": record["prompt"],
        "chosen": [said("assistant", better["answer"])],
        "rejected": [said("assistant", worse["answer"])],
        "chosen_pass_rate": float(chosen.rate),
        "rejected_pass_rate": float(rejected.rate),
        "chosen_sampler": better["sampler"],
        "rejected_sampler": worse["sampler"],
        "source": record.get("source"),
    }
