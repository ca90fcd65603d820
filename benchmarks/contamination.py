"""What do the rules of decontamination find on real questions, and what do they find that is no contamination?

    python -m benchmarks.contamination [--data ../shared/data] [--ngram 10] [--substring 150] [--json FILE]

Takes as problems those of APPS, CodeContests, Codeforces and LeetCode that lie in the folder, and as benchmarks all that lie
there, and prints the hits. For LeetCode it is known which problems are questions of LiveCodeBench: the method to be written has
the same name (which a few problems that are not the same share too). Prints for n-grams, for substrings and for both how many of
these pairs were found, and how many other pairs; then the same for a single shared n-gram, the rule in wide use. Last, questions
that are of a benchmark in another form: how many are found.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.cleaning.benchmarks import Item, read_items
from crl_data.cleaning.contamination import Benchmark, Rules, find_hits
from crl_data.cleaning.text import shingles, words
from crl_data.rows import Row, read_rows
from crl_data.types import Problem, TestKind

BENCHMARKS = {
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "mbpp": "mbpp/mbpp.jsonl.gz",
    "bigcodebench": "bigcodebench/bigcodebench_hard.jsonl.gz",
    "livecodebench": "lcb_o1/lcb_o1.jsonl.gz",
    "aider-polyglot": "polyglot/python.jsonl.gz",
    "bbeh": "bbeh/*.jsonl.gz",
}
PROBLEMS = {
    "mapcoder_apps/*.jsonl.gz": "description",
    "rllm_code/test_code_contests.jsonl.gz": "problem",
    "rllm_code/test_codeforces.jsonl.gz": "problem",
    "rllm_code/test_leetcode.jsonl.gz": "problem",
    "rllm_code/train_leetcode.jsonl.gz": "problem",
}
OTHER_FORMS = (
    ("humaneval", "the same without the examples", "codet/HumanEval_for_code_generation.jsonl.gz", "prompt"),
    ("mbpp", "MBPP+, with an assertion", "evalplus/MbppPlus.jsonl.gz", "prompt"),
    ("bigcodebench", "the instruction alone", "bigcodebench/bigcodebench_hard.jsonl.gz", "instruct_prompt"),
)
NEVER = 1_000_000
ONLY_RUNS = 100  # words, in which there is a run of any length that is tried
_METHOD = re.compile(r"def (\w+)\(\s*self")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ngram", type=int, default=10)
    parser.add_argument("--substring", type=int, default=150)
    parser.add_argument("--json", type=Path, help="where the figures are written too")
    options = parser.parse_args()
    n, length = options.ngram, options.substring
    read = {name: benchmark(options.data, name) for name in BENCHMARKS}
    problems = {one.id: one for one in real_problems(options.data)}
    figures: dict[str, Any] = {}
    hits = list(
        find_hits(problems.values(), problems.__getitem__, list(read.values()), Rules(ngram=n, substring=length))
    )
    print(f"{len(problems):,} problems\n{'benchmark':<18}{'questions':>10}{'hits':>7}{'problems':>10}  by rule")
    for name, one in read.items():
        own = [hit for hit in hits if hit.benchmark == name]
        rules = dict(Counter(hit.rule for hit in own))
        figures[name] = {"items": len(one.items), "hits": len(own), "problems": len({hit.problem for hit in own})}
        print(f"{name:<18}{len(one.items):>10,}{len(own):>7,}{figures[name]['problems']:>10,}  {rules or ''}")
    lcb, same = read["livecodebench"], same_method(options.data, problems)
    print(
        f"\nLiveCodeBench, {len(same)} pairs of one method name{'':<13}{'of these':>9}{'others':>8}{'in problems':>13}"
    )
    tried = {
        f"n-grams of {n} words and runs of {length}": Rules(ngram=n, substring=length),
        f"n-grams of {n} words": Rules(ngram=n, substring=NEVER),
        "n-grams of 13 words": Rules(ngram=13, substring=NEVER),
        **{f"runs of {size}": Rules(ngram=ONLY_RUNS, substring=size) for size in sorted({50, 100, length, 200})},
    }
    for what, rules_tried in tried.items():
        found = find_hits(problems.values(), problems.__getitem__, [lcb], rules_tried)
        figures[what] = told(what, {(hit.problem, hit.item) for hit in found}, same)
    for size in (8, 10, 13):
        figures[f"one {size}-gram"] = told(f"any one n-gram of {size} words", one_ngram(problems, lcb, size), same)
    print(f"\n{'questions in another form':<52}{'questions':>10}{'found':>7}")
    for name, form, path, column in OTHER_FORMS:
        others = {f"{name} {number}": text for number, text in enumerate(column_of(options.data, path, column))}
        asked = {name: made(name, text) for name, text in others.items()}
        one = read[name]
        found = find_hits(asked.values(), asked.__getitem__, [one], Rules(ngram=n, substring=length))
        figures[form] = {"asked": len(asked), "found": len({hit.problem for hit in found})}
        print(f"{f'{name}: {form}':<52}{len(asked):>10,}{figures[form]['found']:>7,}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def told(what: str, pairs: set[tuple[str, str]], same: set[tuple[str, str]]) -> dict[str, int]:
    row = {"same": len(pairs & same), "others": len(pairs - same), "problems": len({name for name, _ in pairs - same})}
    print(f"{what:<50}{row['same']:>9,}{row['others']:>8,}{row['problems']:>13,}")
    return row


def benchmark(folder: Path, name: str) -> Benchmark:
    """A benchmark as it lies there; LiveCodeBench has a row for each model that was asked."""
    items = {one.id: one for one in read_items(name, sorted(folder.glob(BENCHMARKS[name]))) if isinstance(one, Item)}
    return Benchmark(name=name, items=tuple(items.values()))


def real_problems(folder: Path) -> Iterator[Problem]:
    for pattern, column in PROBLEMS.items():
        stem = pattern.rpartition("/")[2].partition(".")[0].replace("*", "apps")
        texts = (
            dict.fromkeys(column_of(folder, pattern, column)) if "*" in pattern else column_of(folder, pattern, column)
        )
        yield from (made(f"{stem}/{number}", text) for number, text in enumerate(texts))


def column_of(folder: Path, pattern: str, column: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        for row in read_rows(path):
            if isinstance(row, Row):
                yield row.cells[column]


def made(name: str, question: str) -> Problem:
    return Problem(id=name, question=question, test_kind=TestKind.STDIN, tests=())


def same_method(folder: Path, problems: dict[str, Problem]) -> set[tuple[str, str]]:
    """Pairs of a problem and a question whose solutions are methods of one name."""
    named: dict[str, set[str]] = defaultdict(set)
    for row in read_rows(folder / BENCHMARKS["livecodebench"]):
        method = _METHOD.search(row.cells["starter_code"]) if isinstance(row, Row) else None
        if isinstance(row, Row) and method:
            named[method[1]].add(row.cells["id"].split("/")[1])
    methods = ((one.id, _METHOD.search(one.question)) for one in problems.values() if "leetcode" in one.id)
    return {(name, item) for name, method in methods if method for item in named.get(method[1], ())}


def one_ngram(problems: dict[str, Problem], lcb: Benchmark, n: int) -> set[tuple[str, str]]:
    """The pairs that have any run of n words in common."""
    index: dict[str, set[str]] = defaultdict(set)
    for item in lcb.items:
        for text in item.texts:
            for run in shingles(words(text), n):
                index[run].add(item.id)
    return {
        (one.id, item)
        for one in problems.values()
        for run in shingles(words(one.question), n)
        for item in index.get(run, ())
    }


if __name__ == "__main__":
    main()
