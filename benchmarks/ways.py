"""In which way are tests written as source judged? Counts over the real data, and every problem that is not tamper-proof.

    python -m benchmarks.ways [--data FOLDER] [SET ...]

Each problem's reference is run in one way after another until it passes; see docs/judging.md, "Tests written as source".

    humaneval, mbpp             as the importers read them
    humaneval+, mbpp+           EvalPlus' scripts (the OriginFmt files), one test a problem
    polyglot                    Exercism's unittest modules, one test a test method
    bigcodebench                BigCodeBench-Hard's unittest modules, for those whose libraries are installed
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data import Judge, Policy, Problem, Test, TestKind
from crl_data.errors import CrlError
from crl_data.importers import Tools, read_problems
from crl_data.judging import modules
from crl_data.judging.policy import Way

WAYS = (*Way, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--libraries", nargs="*", default=["numpy"])
    parser.add_argument("sets", nargs="*", default=["humaneval", "humaneval+", "mbpp", "mbpp+", "polyglot"])
    options = parser.parse_args()
    policy = Policy(threshold=1.0, libraries=tuple(options.libraries))
    with Judge(policy=policy) as judge:
        print(f"{'set':<14}{'problems':>9}" + "".join(f"{way or 'none':>9}" for way in WAYS) + f"{'tamper-proof':>15}")
        for name in options.sets:
            begun = time.monotonic()
            found, others = count(judge, _SETS[name](options.data))
            hold = found.total() - found[None]
            proof = found[Way.SPLIT] + found[Way.TESTER]
            print(
                f"{name:<14}{found.total():>9}"
                + "".join(f"{found[way]:>9}" for way in WAYS)
                + f"{proof:>7} of {hold:<4} {100 * proof / max(hold, 1):>5.1f} %",
                flush=True,
            )
            for line in others:
                print(f"    {line}")
            print(f"    {time.monotonic() - begun:.0f} s", file=sys.stderr)


def count(judge: Judge, problems: Iterator[Problem]) -> tuple[Counter[Way | None], list[str]]:
    """How many problems are judged in which way (None: the reference passes in none), and those that are not tamper-proof."""
    futures = [(problem, judge.prepare(problem)) for problem in problems]
    found: Counter[Way | None] = Counter()
    others = []
    for problem, future in futures:
        try:
            prepared = future.result()
        except CrlError as error:
            found[None] += 1
            others.append(f"{problem.id}: {error}"[:200])
            continue
        way = None if prepared.reference_fault else prepared.plan.way
        found[way] += 1
        if way not in (Way.SPLIT, Way.TESTER):
            others.append(f"{problem.id}: {prepared.reference_fault or way}"[:200])
    return found, others


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def tools() -> Tools:
    """What importers are given where no expected output has to be computed; a bad row is an error."""

    def stop(error: Exception) -> None:
        raise error

    def none() -> Any:
        raise AssertionError("no expected output has to be computed here")

    return Tools(none, stop)


def imported(form: str, path: Path) -> Iterator[Problem]:
    """The problems of a file in a named format."""
    return (one for one in read_problems(form, str(path), Path(), tools()) if isinstance(one, Problem))


def _script(name: str, entry: str, test: str, reference: str, setup: str) -> Problem:
    return Problem(
        id=name,
        question="",
        test_kind=TestKind.ASSERT,
        tests=(Test(input=test),),
        entry_point=entry,
        reference=reference,
        test_setup=setup,
        time_limit_s=30.0,
    )


def _humaneval_plus(data: Path) -> Iterator[Problem]:
    for row in _rows(data / "evalplus" / "HumanEvalPlus-OriginFmt.jsonl.gz"):
        entry = row["entry_point"]
        yield _script(row["task_id"], entry, f"check({entry})", row["prompt"] + row["canonical_solution"], row["test"])


def _mbpp_plus(data: Path) -> Iterator[Problem]:
    for row in _rows(data / "evalplus" / "MbppPlus-OriginFmt.jsonl.gz"):
        defined = [node.name for node in ast.parse(row["code"]).body if isinstance(node, ast.FunctionDef)]
        entry = next((name for name in defined if re.search(rf"\b{name}\(", row["test_list"][0])), defined[-1])
        yield _script(f"Mbpp/{row['task_id']}", entry, row["test"], row["code"], "\n".join(row["test_imports"]))


def _module(name: str, source: str, reference: str) -> Problem:
    tests = tuple(Test(input=node) for node in modules.read(source).tests)
    return Problem(id=name, question="", test_kind=TestKind.PYTEST, tests=tests, test_setup=source, reference=reference)


def _polyglot(data: Path) -> Iterator[Problem]:
    for row in _rows(data / "polyglot" / "python.jsonl.gz"):
        path, source = next((path, text) for path, text in row["files"].items() if path.endswith("_test.py"))
        module = path.removesuffix("_test.py")
        source = re.sub(rf"from {module} import", "from solution import", source)
        source = re.sub(rf"^import {module}$", f"import solution as {module}", source, flags=re.MULTILINE)
        source = source.replace(f'"{module}.', '"solution.')
        yield _module(row["name"], source, row["files"][".meta/example.py"])


def _bigcodebench(data: Path) -> Iterator[Problem]:
    for row in _rows(data / "bigcodebench" / "bigcodebench_hard.jsonl.gz"):
        source = f"from solution import {row['entry_point']}\n{row['test']}"
        yield _module(row["task_id"], source, row["complete_prompt"] + row["canonical_solution"])


_SETS = {
    "humaneval": lambda data: imported("humaneval", data / "humaneval" / "HumanEval.jsonl.gz"),
    "mbpp": lambda data: imported("mbpp", data / "mbpp" / "mbpp.jsonl.gz"),
    "humaneval+": _humaneval_plus,
    "mbpp+": _mbpp_plus,
    "polyglot": _polyglot,
    "bigcodebench": _bigcodebench,
}

if __name__ == "__main__":
    main()
