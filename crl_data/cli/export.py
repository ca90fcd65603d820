"""`crl-data export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from crl_data.errors import InputError
from crl_data.export import OPTIONS, Format
from crl_data.export.files import Exported, told


def run(directory: Path, to: str, out: Path, split: str | None, options: dict[str, Any], as_json: bool) -> None:
    """options: those that one format alone has, by name; None: not given."""
    if to not in list(Format):
        raise InputError(f"--to: expected one of {', '.join(Format)}, got {to!r}")
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if OPTIONS[name] != to:
            raise InputError(
                f"--{name.replace('_', '-')}: expected with --to {OPTIONS[name]} alone, got {value} with {to}"
            )
    done = _export(Format(to), directory, out, split, given)
    if as_json:
        print(json.dumps({"files": done.files, "rows": dict(done.kinds), "left_out": dict(done.left_out)}))
    else:
        for file, rows in done.files.items():
            print(f"{file}: {rows:,} rows")
    if done.left_out and to == Format.VERL:
        print(
            f"left out, since the official reward cannot score them: {told(done)} (--reward ours keeps them)",
            file=sys.stderr,
        )
    elif done.left_out:
        print(f"left out: {told(done)}", file=sys.stderr)


def _export(to: Format, directory: Path, out: Path, split: str | None, given: dict[str, Any]) -> Exported:
    if to == Format.VERL:
        from crl_data.export import verl

        reward = given.get("reward", verl.Reward.OFFICIAL)
        if reward not in list(verl.Reward):
            raise InputError(f"--reward: expected one of {', '.join(verl.Reward)}, got {reward!r}")
        return verl.export(directory, out, verl.Reward(reward), split)
    if to == Format.CFT:
        from crl_data.export import cft

        return cft.export(directory, out, split)
    if to == Format.CGD:
        from crl_data.export import cgd

        return cgd.export(directory, out, split)
    if to == Format.PAIRS:
        from crl_data.export import pairs

        return pairs.export(directory, out, split, **given)
    from crl_data.export import openai

    return openai.export(directory, out, split)
