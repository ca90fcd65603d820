"""Does batch say what a process for every test says? Real solutions judged both ways, and every disagreement.

    python -m benchmarks.agreement [--data ../shared/data] [--each 300] [--seed 0] [--set NAME]... [--jobs 2]

The sets are those of `../shared/data` that are there, and the problems that ship with the project. From each set so many
solutions are drawn: its recorded ones, its references, and mutants of its references (which are wrong in small ways, or
never end). Both judges have the default policy but for the isolation, and each runs the references itself. What
differs is judged once more both ways: a solution that does not even agree with itself is random by its own doing, and
said to be so. Nothing is asserted: the figures are printed.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from crl_data import Judge, Judgement, Policy, Problem, Solution
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, read_problems, read_solutions
from crl_data.judging import Isolation
from crl_data.judging.reference import Reference
from crl_data.samplers import mutants
from crl_data.sandbox import open_sandbox

# name: the format and the files of its problems, and of its recorded solutions
SETS = {
    "humaneval": (
        "humaneval",
        "humaneval/HumanEval.jsonl.gz",
        "codet",
        "codet/HumanEval_codegen16B_code_solution.jsonl.gz",
    ),
    "humaneval+": (
        "evalplus",
        "evalplus/HumanEvalPlus.jsonl.gz",
        "codet",
        "codet/HumanEval_codegen16B_code_solution.jsonl.gz",
    ),
    "mbpp": ("mbpp", "mbpp/mbpp.jsonl.gz", "", ""),
    "mbpp+": ("evalplus", "evalplus/MbppPlus.jsonl.gz", "", ""),
    "quixbugs": ("quixbugs", "quixbugs/quixbugs.jsonl.gz", "quixbugs", "quixbugs/quixbugs.jsonl.gz"),
    "mapcoder": ("apps", "mapcoder_apps/*.jsonl.gz", "mapcoder", "mapcoder_apps/*.jsonl.gz"),
    "examples": ("problems", "problems.jsonl", "solutions", "solutions.jsonl"),
}
MUTANTS = 3  # of every reference

Pair = tuple[Problem, Solution]


@dataclass(frozen=True)
class Disagreement:
    """A solution on which the two ways differ, what each said, and whether one of them differs from itself."""

    pair: Pair
    batch: Judgement
    per_test: Judgement
    random_itself: bool

    def __str__(self) -> str:
        problem, solution = self.pair
        differing = [
            f"test {place + 1} {a} / {b}"
            for place, (a, b) in enumerate(zip(self.batch.outcomes, self.per_test.outcomes, strict=True))
            if a is not b
        ]
        shown = ", ".join(differing[:4]) + (f" and {len(differing) - 4} more" if len(differing) > 4 else "")
        return (
            f"{problem.id}, {solution.id}: {self.batch.verdict} / {self.per_test.verdict}: {shown}"
            + ("; not the same with itself either" if self.random_itself else "")
            + f"\n    batch: {self.batch.reason}\n    per-test: {self.per_test.reason}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--each", type=int, default=300, help="solutions of a set; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", choices=SETS, dest="sets")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {}
    if not options.json:
        print(f"{'set':<12}{'solutions':>10}{'true':>8}{'false':>8}{'null':>6}{'batch s':>9}{'per-test s':>11}"
              f"{'verdicts differ':>17}{'outcomes differ':>17}")  # fmt: skip
    batch_policy, per_test_policy = Policy(), Policy(isolation=Isolation.PER_TEST)
    with (
        Judge(jobs=options.jobs, policy=batch_policy) as batch,
        Judge(jobs=options.jobs, policy=per_test_policy, sandbox=batch.sandbox) as per_test,
    ):
        for name in options.sets or SETS:
            folder = Path(str(files("crl_data") / "examples")) if name == "examples" else options.data
            if not list(folder.glob(SETS[name][1])):
                print(f"{name:<12} is not there: {folder / SETS[name][1]}")
                continue
            pairs = drawn(name, folder, options.each, options.seed)
            figures[name] = compared(name, pairs, batch, per_test, quiet=options.json)
    if options.json:
        print(json.dumps(figures))


def drawn(name: str, folder: Path, count: int, seed: int) -> list[Pair]:
    """So many solutions of a set, drawn by the seed, problem by problem."""
    every = list(solutions(name, folder))
    if count and len(every) > count:
        chosen = sorted(random.Random(seed).sample(range(len(every)), count))
        every = [every[place] for place in chosen]
    return sorted(every, key=lambda pair: pair[0].id)


def solutions(name: str, folder: Path) -> Iterator[Pair]:
    """All solutions of a set: recorded ones, references, mutants."""
    form, source, solution_form, solution_source = SETS[name]
    problems: dict[str, Problem] = {}
    with Reference(open_sandbox()) as reference:
        tools = Tools(lambda: reference, _pass_over)
        for found in read_problems(form, source, folder, tools):
            if not isinstance(found, SetAside):
                problems[found.id] = found
        for problem in problems.values():
            if problem.reference is not None:
                yield problem, Solution(problem_id=problem.id, id="reference", code=problem.reference)
                for mutant in mutants.sample(problem, MUTANTS, seed=0):
                    yield problem, mutant
        if solution_form:
            by_entry = lambda entry: [one for one in problems.values() if one.entry_point == entry]  # noqa: E731
            for solution in read_solutions(solution_form, solution_source, folder, tools, by_entry):
                if solution.problem_id in problems:
                    yield problems[solution.problem_id], solution


def _pass_over(error: RowError) -> None:
    pass


def compared(name: str, pairs: list[Pair], batch: Judge, per_test: Judge, quiet: bool) -> dict[str, float]:
    """Judge the same solutions both ways; the figures, and a line for every disagreement."""
    seconds = []
    judged: list[list[Judgement]] = []
    for judge in (batch, per_test):
        begun = time.monotonic()
        futures = [judge.submit(*pair) for pair in pairs]
        judged.append([future.result() for future in futures])
        seconds.append(time.monotonic() - begun)
    found = [
        Disagreement(pair, one, other, _differs_itself(pair, one, other, batch, per_test))
        for pair, one, other in zip(pairs, *judged, strict=True)
        if one.outcomes != other.outcomes
    ]
    verdicts = [judgement.verdict for judgement in judged[0]]
    flips = sum(one.batch.verdict is not one.per_test.verdict for one in found)
    if not quiet:
        print(f"{name:<12}{len(pairs):>10,}{verdicts.count(True):>8,}{verdicts.count(False):>8,}{verdicts.count(None):>6,}"
              f"{seconds[0]:>9.1f}{seconds[1]:>11.1f}{flips:>17,}{len(found):>17,}", flush=True)  # fmt: skip
        for one in found:
            print(f"  {one}", flush=True)
    return {
        "solutions": len(pairs),
        "verdicts": flips,
        "outcomes": len(found),
        "of themselves": sum(one.random_itself for one in found),
    }


def _differs_itself(pair: Pair, one: Judgement, other: Judgement, batch: Judge, per_test: Judge) -> bool:
    again = batch.judge(*pair), per_test.judge(*pair)
    return again[0].outcomes != one.outcomes or again[1].outcomes != other.outcomes


if __name__ == "__main__":
    main()
