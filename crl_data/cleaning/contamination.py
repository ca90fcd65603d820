"""Which problems share what with which questions of benchmarks.

Four rules; the first that holds is told:

    id         the problem has the name or the address of the question
    ngram      the runs of `ngram` words that stand in both make up at least `SHARE` of the words of one of the two; a question
               of fewer words than two such runs counts only as a whole
    substring  a run of `substring` letters and digits, blanks apart, stands in both
    date       the benchmark counts from a day on, and the problem was published on that day or later

What stands in many questions of a benchmark, or in many problems, is how such texts are written and not what they ask: it does
not count. Nor does a run that is mostly numbers. docs/cleaning.md has the figures behind the numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from crl_data.cleaning.benchmarks import Item, names_of_id, names_of_url
from crl_data.cleaning.text import words
from crl_data.types import Problem

SHARE = 0.2  # of the words of the problem or of the question
MOST_ITEMS = 3  # a run that more questions of a benchmark have is one of its phrases
MOST_PROBLEMS, MOST_PROBLEMS_SHARE = 20, 0.01  # so is one that more problems have: the larger of the two
SPAN_CHARACTERS = 300

_LEAST_SHORT = 5  # words: of a shorter question nothing can be said
_DATES = ("contest_date", "release_date", "date")
_ADDRESSES = ("url", "link", "problem_url")
_NAMES = ("question_id", "task_id", "name")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark that was read. since: its day from which on problems are hits by `date`; None: no such day."""

    name: str
    items: tuple[Item, ...]
    since: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How long a shared run must be: in words, and in letters and digits."""

    ngram: int
    substring: int


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A problem that is, or holds, a question of a benchmark: by which rule, and the longest run that the two share."""

    problem: str
    benchmark: str
    item: str
    rule: str
    span: str


def find_hits(
    problems: Iterable[Problem], problem_of: Callable[[str], Problem], benchmarks: Sequence[Benchmark], rules: Rules
) -> Iterator[Hit]:
    """The hits of all problems, by problem in input order. `problem_of` gives a problem again by its id."""
    index = _Index(benchmarks, rules)
    seen_in: Counter[int] = Counter()
    suspects: list[str] = []
    count = 0
    for problem in problems:
        count += 1
        shared = index.shared(words(problem.question))
        seen_in.update(shared)
        if shared or index.named(problem) or index.late(problem):
            suspects.append(problem.id)
    most = max(MOST_PROBLEMS, count * MOST_PROBLEMS_SHARE)
    common = {key for key, number in seen_in.items() if number > most}
    for name in suspects:
        yield from index.hits(problem_of(name), common)


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A text of a question, as its words joined by blanks."""

    benchmark: str
    item: Item
    joined: str


class _Index:
    """The runs of all questions of all benchmarks, by their hashes."""

    def __init__(self, benchmarks: Sequence[Benchmark], rules: Rules) -> None:
        self.rules = rules
        self.texts: list[_Text] = []
        self.ngrams: dict[int, tuple[int, ...]] = {}
        self.substrings: dict[int, tuple[int, ...]] = {}
        self.short: dict[str, tuple[int, ...]] = {}
        self.names: dict[str, list[tuple[str, Item]]] = defaultdict(list)
        self.since = {one.name: one.since for one in benchmarks if one.since is not None}
        for benchmark in benchmarks:
            self._add(benchmark)

    def _add(self, benchmark: Benchmark) -> None:
        ngrams: dict[int, list[int]] = defaultdict(list)
        substrings: dict[int, list[int]] = defaultdict(list)
        for item in benchmark.items:
            for name in item.names:
                self.names[name].append((benchmark.name, item))
            for text in item.texts:
                listed = words(text)
                place = len(self.texts)
                self.texts.append(_Text(benchmark=benchmark.name, item=item, joined=" ".join(listed)))
                if _LEAST_SHORT <= len(listed) < self.rules.ngram:
                    self.short[" ".join(listed)] = (*self.short.get(" ".join(listed), ()), place)
                for start, key in enumerate(_ngrams(listed, self.rules.ngram)):
                    if _says_something(listed[start : start + self.rules.ngram]):
                        _once(ngrams[key], place)
                for start, end, key in _substrings(listed, self.rules.substring):
                    if _says_something(listed[start:end]):
                        _once(substrings[key], place)
        for index, own in ((self.ngrams, ngrams), (self.substrings, substrings)):
            for key, places in own.items():
                if len({self.texts[place].item.id for place in places}) <= MOST_ITEMS:
                    index[key] = (*index.get(key, ()), *places)

    # --- what a problem shares ----------------------------------------------------------------------------------------

    def shared(self, listed: list[str]) -> set[int]:
        """The hashes of the runs that a problem shares with any question."""
        found = set(_ngrams(listed, self.rules.ngram)) & self.ngrams.keys()
        found |= {key for _, _, key in _substrings(listed, self.rules.substring)} & self.substrings.keys()
        return found | {hash(text) for text in self._whole_short(listed)}

    def _whole_short(self, listed: list[str]) -> Iterator[str]:
        """The questions shorter than a run that stand in a problem as a whole, and are at least a quarter of it."""
        for length in range(max(_LEAST_SHORT, (len(listed) + 3) // 4), min(self.rules.ngram, len(listed) + 1)):
            for start in range(len(listed) - length + 1):
                text = " ".join(listed[start : start + length])
                if text in self.short:
                    yield text

    def named(self, problem: Problem) -> list[tuple[str, str, Item]]:
        """The questions whose name or address a problem has: the name, the benchmark, the question."""
        ids = [problem.id, *(str(problem.extra[name]) for name in _NAMES if problem.extra.get(name) is not None)]
        urls = [problem.source.url, *(str(problem.extra.get(name, "")) for name in _ADDRESSES)]
        given = {name for one in ids for name in names_of_id(one)} | {
            name for url in urls for name in names_of_url(url)
        }
        return [(name, *found) for name in sorted(given) for found in self.names.get(name, ())]

    def late(self, problem: Problem) -> list[tuple[str, str]]:
        """The benchmarks that count from a day on which, or after which, a problem was published; and its day."""
        day = next((str(problem.extra[name])[:10] for name in _DATES if problem.extra.get(name)), None)
        return [(name, day) for name, since in self.since.items() if day is not None and day >= since]

    # --- hits ---------------------------------------------------------------------------------------------------------

    def hits(self, problem: Problem, common: set[int]) -> Iterator[Hit]:
        """The hits of a problem, one for each question; runs whose hashes are in `common` do not count."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for name, benchmark, item in self.named(problem):
            found.setdefault((benchmark, item.id), ("id", name))
        listed = words(problem.question)
        for rule, texts in (("ngram", self._by_ngrams(listed, common)), ("substring", self._by_run(listed, common))):
            for place, span in texts:
                text = self.texts[place]
                found.setdefault((text.benchmark, text.item.id), (rule, span))
        for benchmark, day in self.late(problem):
            if not any(one == benchmark for one, _ in found):
                found[benchmark, ""] = ("date", day)
        for (benchmark, item_id), (rule, span) in found.items():
            yield Hit(problem=problem.id, benchmark=benchmark, item=item_id, rule=rule, span=span[:SPAN_CHARACTERS])

    def _by_ngrams(self, listed: list[str], common: set[int]) -> Iterator[tuple[int, str]]:
        n = self.rules.ngram
        starts: dict[int, list[int]] = defaultdict(list)
        keys = _ngrams(listed, n)
        for start, key in enumerate(keys):
            if key not in common:
                for place in self.ngrams.get(key, ()):
                    starts[place].append(start)
        for place, own in starts.items():
            theirs = self.texts[place].joined
            if len(theirs.split()) < 2 * n:
                if f" {theirs} " in f" {' '.join(listed)} ":
                    yield place, theirs
                continue
            shared = {keys[start] for start in own}
            there = [start for start, key in enumerate(_ngrams(theirs.split(), n)) if key in shared]
            if max(_covered(own, n) / len(listed), _covered(there, n) / len(theirs.split())) >= SHARE:
                yield place, _longest([(start, start + n) for start in own], listed)
        for text in self._whole_short(listed):
            if hash(text) not in common:
                for place in self.short[text]:
                    yield place, text

    def _by_run(self, listed: list[str], common: set[int]) -> Iterator[tuple[int, str]]:
        runs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for start, end, key in _substrings(listed, self.rules.substring):
            if key not in common:
                for place in self.substrings.get(key, ()):
                    runs[place].append((start, end))
        for place, own in runs.items():
            yield place, _longest(own, listed)


def _ngrams(listed: list[str], n: int) -> list[int]:
    """The hashes of all runs of n words, by where they begin."""
    return [hash(" ".join(listed[start : start + n])) for start in range(len(listed) - n + 1)]


def _substrings(listed: list[str], length: int) -> Iterator[tuple[int, int, int]]:
    """The runs of so many letters and digits that begin with a word: that word, the one after the last, and the hash."""
    whole = "".join(listed)
    ends = list(accumulate(map(len, listed)))
    end = 0
    for start, begin in enumerate([0, *ends[:-1]]):
        if begin + length > len(whole):
            return
        while ends[end] < begin + length:
            end += 1
        yield start, end + 1, hash(whole[begin : begin + length])


def _says_something(run: Sequence[str]) -> bool:
    """Whether at least half of a run is words, and not numbers or names of one letter."""
    return 2 * sum((len(word) > 1 and word.isalpha()) or not word.isascii() for word in run) >= len(run)


def _once(places: list[int], place: int) -> None:
    if not places or places[-1] != place:
        places.append(place)


def _covered(starts: Iterable[int], n: int) -> int:
    """How many words runs of n words cover, by where they begin."""
    covered = end = 0
    for start in starts:
        covered += start + n - max(start, end)
        end = start + n
    return covered


def _longest(runs: Iterable[tuple[int, int]], listed: list[str]) -> str:
    """The words of the longest stretch of runs that overlap, in order of where they begin."""
    best = (0, 0)
    begin = end = -1
    for start, after in runs:
        if start >= end or begin < 0:
            begin = start
        end = after
        best = max(best, (begin, end), key=lambda run: run[1] - run[0])
    return " ".join(listed[best[0] : best[1]])
