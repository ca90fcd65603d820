"""`crl-data export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crl_data.errors import InputError
from crl_data.export.files import Form, export
from crl_data.export.pairs import Pairs
from crl_data.export.tuning import Cft, Cgd, OpenAI
from crl_data.export.verl import Reward, Verl

FORMS: dict[str, Callable[..., Form]] = {"verl": Verl, "cft": Cft, "cgd": Cgd, "pairs": Pairs, "openai": OpenAI}
_OPTIONS = {"reward": "verl", "margin": "pairs", "per_problem": "pairs"}


def run(
    directory: Path,
    to: str,
    out: Path,
    reward: str | None,
    margin: float | None,
    per_problem: int | None,
    split: str | None,
    as_json: bool,
) -> None:
    done = export(directory, out, _form(to, reward=reward, margin=margin, per_problem=per_problem), split)
    if as_json:
        print(json.dumps({"files": done.files, "rows": dict(done.kinds), "left_out": dict(done.left_out)}))
    else:
        for file, rows in done.files.items():
            print(f"{file}: {rows:,} rows")
    if done.left_out:
        why = " (the official reward cannot score them; --reward ours keeps them)" if to == "verl" else ""
        print(f"left out: {done.told()}{why}", file=sys.stderr)


def _form(to: str, **options: Any) -> Form:
    """The form of a name, with its options. Raises `InputError`."""
    if to not in FORMS:
        raise InputError(f"--to: expected {', '.join(FORMS)}, got {to!r}")
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if _OPTIONS[name] != to:
            raise InputError(f"--{name.replace('_', '-')}: it is for --to {_OPTIONS[name]} alone, got --to {to}")
    if "reward" in given:
        if given["reward"] not in list(Reward):
            raise InputError(f"--reward: expected one of {', '.join(Reward)}, got {given['reward']!r}")
        given["reward"] = Reward(given["reward"])
    if "margin" in given and not 0 < given["margin"] <= 1:
        raise InputError(f"--margin: expected a share above 0 and at most 1, got {given['margin']:g}")
    return FORMS[to](**given)
