"""`crl-data verify`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from crl_data.corpus.verify import Again, Verified, verify
from crl_data.errors import InputError, WorkError
from crl_data.importers.tables import Which
from crl_data.judging import Policy

_CUT = 300
_REASONS = 10


def run(
    source: str,
    which: Which,
    sample: int,
    seed: int,
    form: str | None,
    threshold: float,
    libraries: str,
    fail_under: float | None,
    sandbox: str,
    allow_weak: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    try:
        named = tuple(name.strip() for name in libraries.split(",") if name.strip())
        otherwise = Policy(threshold=threshold, libraries=named)
    except ValueError as error:
        raise InputError(f"--{error}") from None
    done = verify(
        source,
        which,
        sample,
        seed=seed,
        form=form,
        otherwise=otherwise,
        sandbox=sandbox,
        allow_weak=allow_weak,
        jobs=jobs,
        seen=_shown,
    )
    print(json.dumps(cells_of_result(done), ensure_ascii=False) if as_json else _text(done), flush=True)
    _judge_it(source, done, fail_under)


def _judge_it(source: str, done: Verified, fail_under: float | None) -> None:
    """Raises `WorkError` where nothing was found out, or less agrees than is asked for."""
    if all(one.judge_error for one in done.again):
        raise WorkError(f"{source}: no row could be judged here: {_line(done.again[0].reason)}")
    if fail_under is not None:
        share = done.agreement[0] if done.agreement else None
        if share is None or share < fail_under:
            came = "none, since no verdict could be given" if share is None else f"{share:.6g}"
            raise WorkError(
                f"{source}: expected a share of at least {fail_under:g} to agree (--fail-under), got {came}"
            )


def _shown(things: Iterable[Any], what: str, total: int | None) -> Iterable[Any]:
    return tqdm(things, desc=what, total=total, unit="", leave=False, disable=None)


def cells_of_result(done: Verified) -> dict[str, Any]:
    """What `--json` prints."""
    up = sum(one.verdict is True for one in done.flips)
    return {
        "format": done.form,
        "revision": done.revision,
        "rows": done.rows,
        "bad_rows": done.bad_rows,
        "first_bad_row": done.first_bad_row or None,
        "labelled": done.labelled,
        "not_executable": dict(done.not_executable),
        "seed": done.seed,
        "drawn": done.drawn,
        "not_judged": dict(done.not_judged),
        "executed": len(done.again),
        "agreed": len(done.agreed),
        "agreement": done.agreement[0] if done.agreement else None,
        "interval": list(done.agreement[1:]) if done.agreement else None,
        "true_to_false": len(done.flips) - up,
        "false_to_true": up,
        "flips": [vars(one) for one in done.flips],
        "undecided": [vars(one) for one in done.undecided],
        "other_pass_rate": [vars(one) for one in done.other_rates],
        "tamperable": done.tamperable,
        "judged_here": done.here,
        "judged_elsewhere": [
            {"what": what, "said": said, "rows": n} for (what, said), n in sorted(done.elsewhere.items())
        ],
        "says_nothing_of_its_judge": done.says_nothing,
        "note": done.note or None,
    }


def _text(done: Verified) -> str:
    decided = len(done.agreed) + len(done.flips)
    up = sum(one.verdict is True for one in done.flips)
    revision = f" at {done.revision[:12]}" if done.revision else ""
    lines = [_count("rows", done.rows, f"{done.form}{revision}; {done.labelled:,} with a verdict")]
    if done.bad_rows:
        lines.append(_count("", done.bad_rows, f"are none of this form: {_line(done.first_bad_row)}"))
    lines += _reasons(done.not_executable)
    whole = done.labelled - done.not_executable.total()
    lines.append(_count("drawn", done.drawn, f"of {whole:,}, by seed {done.seed}"))
    lines += _reasons(done.not_judged)
    lines.append(_count("executed", len(done.again)))
    if done.agreement:
        share, low, high = (100 * one for one in done.agreement)
        lines.append(
            _count("agreed", len(done.agreed), f"of {decided:,}: {share:.1f} % (95 %: {low:.1f} to {high:.1f})")
        )
    else:
        lines.append(_count("agreed", 0, "of 0"))
    lines.append(_count("flips", len(done.flips), f"{len(done.flips) - up:,} True to False, {up:,} False to True"))
    ours = sum(one.judge_error for one in done.undecided)
    lines.append(_count("undecided", len(done.undecided), f"{ours:,} for a fault of the judge" if ours else ""))
    lines.append(_count("pass rates", len(done.other_rates), "differ where the verdict does not"))
    if done.tamperable:
        lines.append(_count("", done.tamperable, "were judged here where a solution could have changed its verdict"))
    if done.says_nothing:
        lines.append(_count("", done.says_nothing, "do not say how they were judged"))
    lines += [
        _count("", n, f"say {what} {_line(said)}; here it is {done.here[what]}")
        for (what, said), n in sorted(done.elsewhere.items())
    ]
    for name, ones in (("flip", done.flips), ("undecided", done.undecided), ("pass rate", done.other_rates)):
        lines += [f"{name:<10}  {_row(one)}" for one in ones]
    return "\n".join([*lines, *([done.note] if done.note else [])])


def _count(name: str, n: int, more: str = "") -> str:
    return f"{name:<10} {n:>9,}  {more}".rstrip()


def _reasons(counts: Counter[str]) -> list[str]:
    """The most frequent reasons, and how many there are for all others."""
    lines = [_count("", n, _line(reason)) for reason, n in counts.most_common(_REASONS)]
    others = sum(n for _, n in counts.most_common()[_REASONS:])
    return [*lines, *([_count("", others, "for other reasons, which --json tells")] if others else [])]


def _row(one: Again) -> str:
    now = "undecided" if one.verdict is None else str(one.verdict)
    before, after = _with(str(one.stored_verdict), one.stored_pass_rate), _with(now, one.pass_rate)
    return f"{_line(one.id)}: {before} -> {after}; {_line(one.reason)}"


def _with(verdict: str, rate: float | None) -> str:
    return verdict if rate is None else f"{verdict} ({rate:.3g})"


def _line(text: str) -> str:
    """A text of somebody else's as part of a line: nothing in it moves the cursor of a terminal, and it ends."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:_CUT])
    return shown + ("..." if len(text) > _CUT else "")
