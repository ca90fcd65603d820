"""Do two versions of the judge give the same verdicts? Judges recorded solutions, and compares what two versions found.

    python -m benchmarks.verdicts --out FILE [--data FOLDER] [--each N]     with each version
    python -m benchmarks.verdicts --compare FILE FILE

The solutions: N of CodeT's for each problem of HumanEval, QuixBugs' correct and buggy programs, and the shipped examples.
It uses nothing that an older version of the project lacks: to judge with one, put its checkout on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from crl_data import Judge, Problem, Solution
from crl_data.importers import Tools, read_problems, read_solutions
from crl_data.rows import Row, problem_of, read_rows, solution_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2)
    options = parser.parse_args()
    if options.compare:
        compare(*options.compare)
        return
    with Judge() as judge, open(options.out, "w", encoding="utf-8") as out:  # noqa: PTH123
        for one in judge.map(pairs(options.data, options.each)):
            found = [one.problem_id, one.solution_id, one.verdict, list(map(str, one.outcomes)), one.tamper_proof]
            out.write(json.dumps(found) + "\n")


def pairs(data: Path, each: int) -> Iterator[tuple[Problem, Solution]]:
    humaneval = _problems("humaneval", data / "humaneval" / "HumanEval.jsonl.gz")
    by_entry: dict[str, list[Problem]] = {}
    for problem in humaneval.values():
        by_entry.setdefault(problem.entry_point or "", []).append(problem)
    path = str(data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz")
    found = read_solutions("codet", path, Path(), _tools(), lambda name: by_entry.get(name, []))
    for name, solutions in groupby(found, key=lambda one: one.problem_id):
        yield from ((humaneval[name], one) for _, one in zip(range(each), solutions))  # noqa: B905
    path = str(data / "quixbugs" / "quixbugs.jsonl.gz")
    quixbugs = _problems("quixbugs", Path(path))
    for one in read_solutions("quixbugs", path, Path(), _tools(), lambda _: []):
        if one.problem_id in quixbugs:
            yield quixbugs[one.problem_id], one
    examples = Path(str(files("crl_data") / "examples"))
    shipped = {one.id: one for one in map(problem_of, _rows(examples / "problems.jsonl"))}
    yield from ((shipped[one.problem_id], one) for one in map(solution_of, _rows(examples / "solutions.jsonl")))


def compare(first: Path, second: Path) -> None:
    """Print every verdict that differs, and the counts."""
    before, after = ([json.loads(line) for line in path.read_text().splitlines()] for path in (first, second))
    verdicts = outcomes = proof = 0
    for old, new in zip(before, after, strict=True):
        if old[:2] != new[:2]:
            raise SystemExit(f"not the same solutions: {old[:2]} and {new[:2]}")
        if old[2] is not new[2]:
            verdicts += 1
            print(f"{old[0]} {old[1]}: {old[2]} is now {new[2]}")
        outcomes += old[3] != new[3]
        proof += old[4] is not new[4]
    print(
        f"{len(before)} solutions: {verdicts} verdicts differ, the outcomes of {outcomes}, {proof} in being tamper-proof"
    )


def _problems(form: str, path: Path) -> dict[str, Problem]:
    found = read_problems(form, str(path), Path(), _tools())
    return {one.id: one for one in found if isinstance(one, Problem)}


def _rows(path: Path) -> Iterator[Row]:
    return (row for row in read_rows(path) if isinstance(row, Row))


def _tools() -> Tools:
    def stop(error: Exception) -> None:
        raise error

    def none() -> Any:
        raise AssertionError("no expected output has to be computed here")

    return Tools(none, stop)


if __name__ == "__main__":
    main()
