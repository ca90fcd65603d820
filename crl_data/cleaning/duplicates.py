"""Exact and near duplicates of problems. The first in input order stays; every later one is told with what it repeats.

Exact: the words of the question, the tests and how they are run are the same. Near: two questions of at least
`MIN_WORDS` words whose runs of `SHINGLE` words have a Jaccard index of at least the wanted one, whatever their tests. MinHash
only finds the pairs that are worth a look, at a much lower similarity; the index itself is computed exactly. docs/cleaning.md
has the figures behind the numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from crl_data.cleaning.text import shingles, words
from crl_data.types import Problem

SHINGLE = 5
MIN_WORDS = 50  # in a shorter text one other word can make another problem of it
LEAST_JACCARD = 0.6  # there the search misses one pair in eighty, and below it more and more

_SIGNATURE, _BANDS, _SEED = 128, 32, 1  # bands of four: of index 0.8, one pair in twenty million is missed
_MARGIN = 0.2  # more than four standard deviations of the estimate


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """A problem that repeats an earlier one; `jaccard` is None where it is the same in question and tests."""

    id: str
    of: str
    jaccard: float | None = None

    @property
    def reason(self) -> str:
        if self.jaccard is None:
            return f"duplicate: of {self.of}"
        return f"near duplicate: of {self.of} (Jaccard {self.jaccard:.2f})"


def fingerprint(problem: Problem) -> bytes:
    """What exact duplicates have in common: the words of the question, all tests in any order, and how they are run."""
    tests = sorted([test.input, test.expected] for test in problem.tests)
    how = [problem.test_kind, problem.entry_point, problem.test_setup, problem.checker]
    whole = json.dumps([words(problem.question), tests, how])
    return hashlib.blake2b(whole.encode(), digest_size=16).digest()


def exact_duplicates(fingerprints: Iterable[tuple[str, bytes]]) -> Iterator[Duplicate]:
    """The problems, by id and fingerprint in input order, whose fingerprint one before them has."""
    first: dict[bytes, str] = {}
    for name, found in fingerprints:
        of = first.setdefault(found, name)
        if of != name:
            yield Duplicate(id=name, of=of)


def near_duplicates(
    questions: Iterable[tuple[str, str]], text_of: Callable[[str], str], jaccard: float
) -> Iterator[Duplicate]:
    """The questions, by id and text in input order, that nearly repeat one that stays.

    text_of: gives the text of an earlier id again, for the exact comparison; only signatures are held in memory.
    jaccard: the least index, `LEAST_JACCARD` to 1. Of several that are near enough the nearest is told, then the first.
    """
    from rensa import RMinHash, RMinHashLSH

    near = RMinHashLSH(threshold=jaccard, num_perm=_SIGNATURE, num_bands=_BANDS)
    kept: list[tuple[str, RMinHash]] = []
    for name, text in questions:
        listed = words(text)
        if len(listed) < MIN_WORDS:
            continue
        own = set(shingles(listed, SHINGLE))
        signature = RMinHash(_SIGNATURE, _SEED)
        signature.update(list(own))
        best: tuple[float, str] | None = None
        for place in sorted(near.query(signature)):
            other, theirs = kept[place]
            if signature.jaccard(theirs) >= jaccard - _MARGIN:
                index = jaccard_index(own, set(shingles(words(text_of(other)), SHINGLE)))
                if index >= jaccard and (best is None or index > best[0]):
                    best = (index, other)
        if best is None:
            near.insert(len(kept), signature)
            kept.append((name, signature))
        else:
            yield Duplicate(id=name, of=best[1], jaccard=best[0])


def jaccard_index(one: set[str], other: set[str]) -> float:
    """The share of what two sets have in common in what either has."""
    both = len(one & other)
    return both / (len(one) + len(other) - both)
