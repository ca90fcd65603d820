"""How long does the search for near duplicates take, and what does it find?

    python -m benchmarks.near_duplicates [--problems 100000] [--jaccard 0.8] [--json FILE]
    python -m benchmarks.near_duplicates --data ../shared/data

The first makes up that many questions, the same for a seed: each of 60 to 440 words out of 30,000 that are as unequally frequent
as those of a language, half of them with two paragraphs that all such questions share, and one in ten a copy of an earlier one
in which a share of the words is another. It prints the time from the texts to the duplicates, the largest resident memory,
the share of the copies that were found for each share of edits and for their true index, and what was told that is no copy.

The second searches real questions, each collection by itself and all of them together, and prints how many are told.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.cleaning.duplicates import MIN_WORDS, SHINGLE, jaccard_index, near_duplicates
from crl_data.cleaning.text import shingles, words

EDITS = (0.0, 0.005, 0.01, 0.02, 0.05)
COPIES = 0.1
REAL = {
    "humaneval": ("humaneval/HumanEval.jsonl.gz", "prompt"),
    "mbpp": ("mbpp/mbpp.jsonl.gz", "text"),
    "livecodebench": ("lcb_o1/lcb_o1.jsonl.gz", "question"),
    "apps": ("mapcoder_apps/*.jsonl.gz", "description"),
    "code_contests": ("rllm_code/test_code_contests.jsonl.gz", "problem"),
    "codeforces": ("rllm_code/test_codeforces.jsonl.gz", "problem"),
    "leetcode": ("rllm_code/*_leetcode.jsonl.gz", "problem"),
}
ASKED_OF_MODELS = ("livecodebench", "apps")
VERSIONS = {"easy", "medium", "hard", "extreme"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100_000)
    parser.add_argument("--jaccard", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of real data, instead of made-up questions")
    parser.add_argument("--json", type=Path, help="where the figures are written too")
    options = parser.parse_args()
    if options.data is not None:
        figures = real(options.data, options.jaccard)
    else:
        figures = made_up(options.problems, options.jaccard, options.seed)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


# --- made-up questions ------------------------------------------------------------------------------------------------


def made_up(count: int, jaccard: float, seed: int) -> dict[str, Any]:
    texts, copies = questions(count, seed)
    begun = time.monotonic()
    found = {one.id: one.of for one in near_duplicates(_numbered(texts), lambda name: texts[int(name)], jaccard)}
    seconds = time.monotonic() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{count:,} questions, {len(copies):,} of them copies: {seconds:.1f} s, {memory:,} MB at most with the texts")
    rates = []
    print(
        f"{'words edited':>12}{'copies':>9}{'index over ' + str(jaccard):>16}{'of these found':>16}{'others told':>13}"
    )
    for rate in EDITS:
        own = [(name, of) for name, (of, edits) in copies.items() if edits == rate]
        over = {name for name, of in own if _index(texts[name], texts[of]) >= jaccard}
        told = [name for name, _ in own if str(name) in found]
        row = {"rate": rate, "copies": len(own), "over": len(over), "found": len(over.intersection(told))}
        row["others"] = len(told) - row["found"]
        rates.append(row)
        print(f"{rate:>12.1%}{row['copies']:>9,}{row['over']:>16,}{row['found']:>16,}{row['others']:>13,}")
    false = sum(int(name) not in copies for name in found)
    print(f"told and no copy: {false:,}")
    return {"problems": count, "seconds": seconds, "memory_mb": memory, "rates": rates, "false": false}


def questions(count: int, seed: int) -> tuple[list[str], dict[int, tuple[int, float]]]:
    """Questions, and for each that is a copy: of which, and the share of words that is another."""
    drawn = random.Random(seed)
    vocabulary = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(2, 10))) for _ in range(30_000)]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    total = 0.0
    summed = [total := total + weight for weight in weights]
    phrases = [drawn.choices(vocabulary, cum_weights=summed, k=20) for _ in range(2)]
    texts: list[str] = []
    copies: dict[int, tuple[int, float]] = {}
    originals: list[int] = []
    for number in range(count):
        if originals and drawn.random() < COPIES:
            of, rate = drawn.choice(originals), drawn.choice(EDITS)
            copied = [drawn.choice(vocabulary) if drawn.random() < rate else word for word in texts[of].split()]
            texts.append(" ".join(copied))
            copies[number] = (of, rate)
        else:
            body = drawn.choices(vocabulary, cum_weights=summed, k=drawn.randint(60, 400))
            parts = [phrases[0], body, phrases[1]] if drawn.random() < 0.5 else [body]
            texts.append(" ".join(word for part in parts for word in part))
            originals.append(number)
    return texts, copies


def _numbered(texts: list[str]) -> Iterator[tuple[str, str]]:
    return ((str(number), text) for number, text in enumerate(texts))


def _index(one: str, other: str) -> float:
    return jaccard_index(set(shingles(words(one), SHINGLE)), set(shingles(words(other), SHINGLE)))


# --- real questions ---------------------------------------------------------------------------------------------------


def real(folder: Path, jaccard: float) -> dict[str, Any]:
    every: dict[str, str] = {}
    figures: dict[str, Any] = {}
    print(
        f"{'collection':<16}{'questions':>10}{f'over {MIN_WORDS} words':>15}{'near':>7}{'index 1':>9}{'versions':>10}"
    )
    for name, (pattern, column) in REAL.items():
        texts = {f"{name}/{number}": text for number, text in enumerate(_texts(folder, name, pattern, column))}
        every |= texts
        figures[name] = _told(name, texts, jaccard)
    figures["all together"] = _told("all together", every, jaccard)
    return figures


def _told(name: str, texts: dict[str, str], jaccard: float) -> dict[str, int]:
    """How many are told, how many of these have the same runs, and how many are versions of one (easy, hard)."""
    found = list(near_duplicates(iter(texts.items()), texts.__getitem__, jaccard))
    long = sum(len(words(text)) >= MIN_WORDS for text in texts.values())
    same = sum(one.jaccard == 1 for one in found)
    versions = sum(bool(({*words(texts[one.id])} ^ {*words(texts[one.of])}) & VERSIONS) for one in found)
    print(f"{name:<16}{len(texts):>10,}{long:>15,}{len(found):>7,}{same:>9,}{versions:>10,}")
    return {"questions": len(texts), "long": long, "near": len(found), "same": same, "versions": versions}


def _texts(folder: Path, name: str, pattern: str, column: str) -> Iterator[str]:
    """The questions of a collection; one that stands in a row for each model that was asked is given once."""
    given: set[str] = set()
    for path in sorted(folder.glob(pattern)):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                text = json.loads(line)[column]
                if name not in ASKED_OF_MODELS or text not in given:
                    given.add(text)
                    yield text


if __name__ == "__main__":
    main()
