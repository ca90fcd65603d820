"""What does the tester cost? CPU seconds of a verdict by the ways `split`, `tester` and `beside`, on the same solutions.

    python -m benchmarks.tester_cost [--data FOLDER] [--problems N] [--each N] [--rounds N]

HumanEval with CodeT's recorded completions, and the references; every solution by each way in turn, the order of the ways
turned each time, one worker, batch isolation, every outcome. Printed are milliseconds of CPU time of the whole process
tree a verdict (the median over rounds), the ratio to `beside` (one process), and verdicts that differ from it.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.accounts import cpu_seconds
from benchmarks.ways import imported, tools
from crl_data import Judge, Policy, Problem, Solution
from crl_data.errors import CrlError
from crl_data.importers import read_solutions
from crl_data.judging.limits import Calibration
from crl_data.judging.plan import plan
from crl_data.judging.policy import Way

COMPARED = (Way.SPLIT, Way.TESTER, Way.BESIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Judge(jobs=1, policy=Policy(threshold=1.0)) as judge:
        works = list(work(judge, options.data, options.problems, options.each))
        rounds = [one_round(judge, works, turn) for turn in range(options.rounds)]
    print(f"{len(works)} solutions of {len({problem.id for problem, _, _ in works})} problems, {options.rounds} rounds")
    print(f"{'way':<10}{'ms CPU a verdict':>18}{'of one process':>16}{'verdicts that differ':>22}")
    for way in COMPARED:
        spent = statistics.median(cpu[way] for cpu, _ in rounds)
        ratio = statistics.median(cpu[way] / cpu[Way.BESIDE] for cpu, _ in rounds)
        differ = sum(found[way] != found[Way.BESIDE] for _, verdicts in rounds for found in verdicts)
        print(f"{way:<10}{1000 * spent / len(works):>18.2f}{ratio:>16.2f}{differ:>22}")


def work(judge: Judge, data: Path, problems: int, each: int) -> list[tuple[Problem, Solution, dict[Way, Calibration]]]:
    """Solutions, each with what the judge needs to know to judge it by each way."""
    by_id = {problem.id: problem for problem in imported("humaneval", data / "humaneval" / "HumanEval.jsonl.gz")}
    chosen = list(by_id.values())[:: max(1, len(by_id) // problems)][:problems]
    recorded: dict[str, list[Solution]] = {}
    by_entry: dict[str, list[Problem]] = {}
    for problem in by_id.values():
        by_entry.setdefault(problem.entry_point or "", []).append(problem)
    path = data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz"
    for solution in read_solutions("codet", str(path), Path(), tools(), lambda name: by_entry.get(name, [])):
        recorded.setdefault(solution.problem_id, []).append(solution)
    found = []
    for problem in chosen:
        known = {}
        prepared = judge.prepare(problem).result()
        for way in COMPARED:
            try:
                made = plan(problem, way, prepared.plan.interface)
            except CrlError:
                break
            known[way] = Calibration(reference_cpu_s=0.05, fault="", way=way, interface=made.interface)
        if len(known) == len(COMPARED):
            right = Solution(problem_id=problem.id, id="reference", code=problem.reference)
            found += [(problem, one, known) for one in [right, *recorded.get(problem.id, [])[:each]]]
    return found


def one_round(
    judge: Judge, works: list[tuple[Problem, Solution, dict[Way, Calibration]]], turn: int
) -> tuple[dict[Way, float], list[dict[Way, bool | None]]]:
    """Every solution by every way: the CPU seconds of each way, and the verdicts."""
    spent = dict.fromkeys(COMPARED, 0.0)
    verdicts = []
    for place, (problem, solution, known) in enumerate(works):
        found: dict[Way, bool | None] = {}
        for step in range(len(COMPARED)):
            way = COMPARED[(place + turn + step) % len(COMPARED)]
            before = cpu_seconds(os.getpid())
            found[way] = judge.submit(problem, solution, known=known[way], remember=False).result().verdict
            spent[way] += cpu_seconds(os.getpid()) - before
        verdicts.append(found)
    return spent, verdicts


if __name__ == "__main__":
    main()
