"""`crl-data export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from crl_data.errors import InputError
from crl_data.export.verl import Reward, export, told

FORMATS = ("verl",)


def run(directory: Path, to: str, out: Path, reward: str, split: str | None, as_json: bool) -> None:
    if to not in FORMATS:
        raise InputError(f"--to: expected {', '.join(FORMATS)}, got {to!r}")
    if reward not in list(Reward):
        raise InputError(f"--reward: expected one of {', '.join(Reward)}, got {reward!r}")
    done = export(directory, out, Reward(reward), split)
    if as_json:
        print(json.dumps({"files": done.files, "rows": dict(done.kinds), "left_out": dict(done.left_out)}))
    else:
        for file, rows in done.files.items():
            print(f"{file}: {rows:,} rows")
    if done.left_out:
        print(
            f"left out, since the official reward cannot score them: {told(done)} (--reward ours keeps them)",
            file=sys.stderr,
        )
