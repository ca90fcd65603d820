"""`crl-data relabel`."""

from __future__ import annotations

import json
from pathlib import Path

from crl_data.corpus.relabel import Relabelled, relabel

_WORDS = {True: "True", False: "False", None: "inconclusive"}


def run(directory: Path, threshold: float, out: Path | None, as_json: bool) -> None:
    done = relabel(directory, threshold, out)
    if as_json:
        flips = [{"before": before, "after": after, "solutions": n} for (before, after), n in _ordered(done)]
        print(
            json.dumps(
                {
                    "directory": str(done.directory),
                    "flips": flips,
                    "left_out": done.left_out,
                    "counts": done.manifest["counts"],
                }
            )
        )
        return
    judged = done.manifest["counts"]["judgements"]
    print(
        f"{judged.get('judged', 0):,} judgements at the threshold {threshold:g}: {judged.get('true', 0):,} True, "
        f"{judged.get('false', 0):,} False, {judged.get('inconclusive', 0):,} inconclusive"
    )
    for (before, after), n in _ordered(done):
        print(f"{n:>9,} were {_WORDS[before]} and are {_WORDS[after]}")
    for split, n in done.manifest["counts"]["records"].items():
        print(
            f"{split:<10} {n['records']:>9,} records: {n.get('solve', 0):,} solve, {n.get('critique', 0):,} critique "
            f"({n.get('critique true', 0):,} True, {n.get('critique false', 0):,} False)"
        )
    for name in done.left_out:
        print(
            f"{name}.parquet is left out: it belongs to the old verdicts, and a build makes it anew from what is kept"
        )
    print(f"dataset     {done.directory}/data")


def _ordered(done: Relabelled) -> list[tuple[tuple[bool | None, bool | None], int]]:
    return sorted(done.flips.items(), key=lambda one: (-one[1], str(one[0])))
