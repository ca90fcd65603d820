"""`crl-data verify`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from crl_data.corpus.verify import Again, Verified, verify
from crl_data.importers.tables import Which


def run(
    source: str,
    which: Which,
    sample: int,
    form: str | None,
    seed: int,
    threshold: float,
    jobs: int | None,
    sandbox: str,
    allow_weak: bool,
    as_json: bool,
) -> None:
    done = verify(
        source,
        which,
        sample,
        form=form,
        seed=seed,
        threshold=threshold,
        jobs=jobs,
        sandbox=sandbox,
        allow_weak=allow_weak,
        seen=_shown,
    )
    print(json.dumps(_cells(done), ensure_ascii=False) if as_json else _text(done))


def _shown(things: Iterable[Any], what: str, total: int | None) -> Iterable[Any]:
    return tqdm(things, desc=what, total=total, unit="", leave=False, disable=None)


def _cells(done: Verified) -> dict[str, Any]:
    agreement = done.agreement
    return {
        "rows": done.rows,
        "labelled": done.labelled,
        "not_executable": dict(done.not_executable),
        "executed": done.drawn,
        "agree": done.agreeing,
        "agreement": agreement[0] if agreement else None,
        "interval": list(agreement[1:]) if agreement else None,
        "flips": [vars(one) for one in done.flips],
        "undecided": [vars(one) for one in done.undecided],
        "other_pass_rate": [vars(one) for one in done.other_rates],
        "here": done.here,
        "judged_elsewhere": dict(done.elsewhere),
    }


def _text(done: Verified) -> str:
    flips = done.flips
    up = sum(one.verdict is True for one in flips)
    lines = [f"rows        {done.rows:>9,} read, {done.labelled:,} with a verdict"]
    lines += [f"{n:>21,} of them {reason}" for reason, n in done.not_executable.most_common()]
    lines.append(f"executed    {done.drawn:>9,}")
    if done.agreement:
        share, low, high = (100 * one for one in done.agreement)
        lines.append(f"agree       {done.agreeing:>9,} ({share:.1f} %; 95 % interval {low:.1f} to {high:.1f} %)")
    lines.append(f"flips       {len(flips):>9,} ({up:,} False -> True, {len(flips) - up:,} True -> False)")
    lines.append(f"undecided   {len(done.undecided):>9,}")
    if done.other_rates:
        lines.append(f"{len(done.other_rates):>21,} agree with another pass rate")
    lines += [f"judged here as {done.here}; {n:,} of the rows as {told}" for told, n in done.elsewhere.most_common()]
    for name, ones in (("flip", flips), ("undecided", done.undecided), ("pass rate", done.other_rates)):
        lines += [_line(name, one) for one in ones]
    return "\n".join(lines)


def _line(name: str, one: Again) -> str:
    before, after = (f"{v}{'' if r is None else f' ({r:.3g})'}" for v, r in _both(one))
    return f"{name:<10}  {one.id}  {before} -> {after}  {one.reason}"


def _both(one: Again) -> tuple[tuple[object, float | None], tuple[object, float | None]]:
    now = "undecided" if one.verdict is None else one.verdict
    return (one.stored, one.stored_pass_rate), (now, one.pass_rate)
