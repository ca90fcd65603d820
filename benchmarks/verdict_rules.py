"""The verdicts of one set of candidates under the rules that the paper leaves a choice between, and which of them flip.

    python -m benchmarks.verdict_rules [--peers VENV] [--data FOLDER] [--set NAME]... [--limit N] [--json FILE]

Every candidate is run once, all of its tests (at most 30 a problem, its first). From those outcomes verdicts are drawn with
time-outs as failures (`fail`, the paper's rule) and by evidence (`auto`), over a share of 0.8 and with every test. With
--peers VENV (`pip install verl==0.9.1 --no-deps`, numpy, requests) the official reward is asked too: prime_code, which runs
all tests within 6 seconds, and where not all pass, scores the first ten. The candidates are those of `reward_differences`.

A flip is a candidate whose verdict by a rule is another than by the paper's. Undecided ones are counted apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.differences import Item, Peer
from benchmarks.reward_differences import SETS, items
from crl_data import Judge
from crl_data.judging import LimitFrom, Policy, Timeouts
from crl_data.judging.verdict import decide
from crl_data.types import Judgement, Solution, TestKind

PAPER = "fail, over 0.8 (the paper)"
RULES = {
    PAPER: Policy(timeouts=Timeouts.FAIL, threshold=0.8),
    "auto, over 0.8 (our default)": Policy(timeouts=Timeouts.AUTO, threshold=0.8),
    "fail, every test": Policy(timeouts=Timeouts.FAIL, threshold=1.0),
    "auto, every test": Policy(timeouts=Timeouts.AUTO, threshold=1.0),
}
OFFICIAL = {"official reward, over 0.8": 0.8, "official reward, 1": 1.0}
_WITHIN_S = 600.0
Verdicts = dict[str, bool | None]


def of_ours(judgement: Judgement) -> Verdicts:
    """The verdict of each of our rules on the same outcomes."""
    return {
        name: decide(judgement.outcomes, policy, LimitFrom(judgement.limit_from)).verdict
        for name, policy in RULES.items()
    }


def of_official(score: float | None) -> Verdicts:
    """The verdicts that the official reward gives, were it read as a pass rate."""
    if score is None:
        return dict.fromkeys(OFFICIAL)
    return {name: score > least if least < 1 else score >= 1 for name, least in OFFICIAL.items()}


def run(chosen: Sequence[Item], peer: Peer | None) -> list[Verdicts]:
    """The verdicts of every candidate by every rule."""
    found: list[Verdicts] = []
    with Judge() as judge:
        pairs = (
            (item.problem, Solution(problem_id=item.problem.id, id=item.name, response=item.code)) for item in chosen
        )
        for item, judgement in zip(chosen, judge.map(pairs), strict=True):
            found.append(of_ours(judgement))
            if sys.stderr.isatty():
                print(f"\r{len(found)} of {len(chosen)}: {item.name[:60]}", end="", file=sys.stderr)
    if peer is not None:
        try:
            for item, verdicts in zip(chosen, found, strict=True):
                told = peer.found(item)
                verdicts.update(of_official(None if told is None else told.get("score")))
        finally:
            peer.close()
    return found


def table(found: Sequence[Verdicts]) -> list[str]:
    """A line for each rule: how many verdicts of each kind, and how many flip against the paper's."""
    lines = [
        "| rule | True | False | undecided | True there, False here | False there, True here | decided there only |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rule in found[0] if found else ():
        counts = Counter(verdicts[rule] for verdicts in found)
        flips = Counter((verdicts[PAPER], verdicts[rule]) for verdicts in found)
        cells: list[Any] = [rule, counts[True], counts[False], counts[None], flips[True, False], flips[False, True]]
        cells.append(flips[True, None] + flips[False, None])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="VENV")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--set", action="append", choices=SETS, dest="sets")
    parser.add_argument("--limit", type=int, help="every n-th candidate, so that about so many of a set are left")
    parser.add_argument("--json", metavar="FILE", help="write the verdicts of every candidate there too")
    options = parser.parse_args()
    peer = None
    if options.peers is not None:
        python = str(Path(options.peers) / "bin" / "python")
        if subprocess.run([python, "-c", "import verl"], capture_output=True).returncode:
            raise SystemExit(f"{options.peers} has no verl")
        peer = Peer("prime_reward", python, within_s=_WITHIN_S)
    rows = []
    for name in options.sets or SETS:
        every = [
            one for one in items(name, options.data) if one.problem.test_kind in (TestKind.STDIN, TestKind.FUNCTION)
        ]
        step = max(1, len(every) // options.limit) if options.limit else 1
        chosen = every[::step][: options.limit]
        found = run(chosen, peer)
        print(f"\n{name}: {len(chosen)} candidates of {len({one.problem.id for one in chosen})} problems\n")
        print("\n".join(table(found)), flush=True)
        rows += [{"candidate": item.name, **verdicts} for item, verdicts in zip(chosen, found, strict=True)]
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
