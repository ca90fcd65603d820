"""`crl-data build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crl_data.corpus.build import Built, build, dry_run
from crl_data.corpus.forecast import Forecast


def run(
    recipe: Path, out: Path | None, store: Path | None, settings: list[str], limit: int | None, dry: bool, as_json: bool
) -> None:
    if dry:
        found = dry_run(recipe, out, store=store, settings=settings, limit=limit)
        print(json.dumps(_forecast(found), indent=2) if as_json else _forecast_text(found))
        return
    built = build(recipe, out, store=store, settings=settings, limit=limit)
    print(json.dumps(built.manifest, ensure_ascii=False) if as_json else summary(built))


def summary(built: Built) -> str:
    """What was built, in a few lines."""
    target, manifest = built.directory, built.manifest
    counts = manifest["counts"]
    judged = counts["judgements"]
    lines = [
        f"problems    {counts['problems'].get('read', 0):>9,} read, {counts['problems']['kept']:,} kept",
        *_reasons(counts["problems"]["set_aside"]),
        f"candidates  {counts['candidates'].get('read', 0):>9,} read, {judged.get('judged', 0):,} judged: "
        f"{judged.get('true', 0):,} True, {judged.get('false', 0):,} False, "
        f"{judged.get('inconclusive', 0):,} inconclusive",
        *_reasons(counts["candidates"]["dropped"]),
        *[_sampled(name, told) for name, told in counts["sampling"].items()],
    ]
    if built.remembered:
        lines.append(
            f"            {built.remembered:>9,} judgements of this build were remembered, {built.judged:,} were run"
        )
    if counts["bad_rows"]:
        lines.append(f"bad rows    {counts['bad_rows']:>9,} skipped; listed in manifest.json")
    for split, n in counts["records"].items():
        lines.append(
            f"{split:<10}  {n['records']:>9,} records: {n.get('solve', 0):,} solve, {n.get('critique', 0):,} critique "
            f"({n.get('critique true', 0):,} True, {n.get('critique false', 0):,} False)"
        )
    lines += [
        f"            {n:>9,} critique records are missing: {why}" for why, n in counts["mix"]["shortfall"].items()
    ]
    lines += _of_stages(manifest)
    if manifest["judge"]["note"]:
        lines.append(manifest["judge"]["note"])
    lines += [
        "",
        f"dataset     {target}/data",
        f"card        {target}/README.md",
        f"report      {target}/report/index.html",
    ]
    return "\n".join(lines)


def _sampled(name: str, told: dict[str, Any]) -> str:
    usd = f", {told['usd']:,.2f} USD" if "usd" in told else ""
    return (
        f"            {told.get('answers', 0):>9,} are answers of {name}: {told.get('prompt_tokens', 0):,} tokens of "
        f"prompts, {told.get('output_tokens', 0):,} of answers{usd}"
    )


def _of_stages(manifest: dict[str, Any]) -> list[str]:
    """What the stages that ask models came to."""
    lines = []
    if told := manifest["difficulty"]:
        means = ", ".join(f"pass@{k} {one['mean']:.3f}" for k, one in told["pass_at"].items()) or "no pass@k"
        lines.append(f"difficulty  {told['answers']:>9,} answers to {told['problems']:,} problems: {means}")
    if told := manifest["critiques"]:
        lines.append(
            f"critiques   {told['critiques']:>9,} of {told['records']:,} records: {told['kept']:,} kept, "
            f"{told['wrong']:,} wrong, {told['missing']:,} without a conclusion"
        )
        if refined := told["refined"]:
            lines.append(
                f"            {refined['asked']:>9,} followed by a corrected solution: {refined['true']:,} True"
            )
    return lines


def _reasons(reasons: dict[str, int]) -> list[str]:
    return [f"            {n:>9,} {reason}" for reason, n in reasons.items()]


def _forecast(found: Forecast) -> dict[str, Any]:
    return {
        "counts": found.counts,
        "solutions": found.solutions,
        "tests": found.tests,
        "jobs": found.jobs,
        "judge_seconds": round(found.judge_seconds, 1),
        "requests": found.requests,
        "sampling": found.sampling,
    }


def _asking(name: str, told: dict[str, Any]) -> str:
    most = "any number" if told["output_tokens"] is None else f"at most {told['output_tokens']:,}"
    usd = "" if told["usd"] is None else f", at most {told['usd']:,.2f} USD"
    return (
        f"            {told['requests']:>9,} of {name} for {told['answers']:,} answers, beside {told['kept_answers']:,} that are "
        f"kept: about {told['prompt_tokens']:,} tokens of prompts, {most} of answers{usd}"
    )


def _forecast_text(found: Forecast) -> str:
    counts = found.counts
    lines = [
        f"problems    {counts['problems'].get('read', 0):>9,} read, {counts['problems']['kept']:,} kept "
        "(references are not run yet)",
        *_reasons(counts["problems"]["set_aside"]),
        f"tests       {counts['tests'].get('read', 0):>9,} read, {counts['tests'].get('kept', 0):,} kept",
        f"candidates  {counts['candidates'].get('read', 0):>9,} read, {counts['candidates'].get('kept', 0):,} to be judged",
        *_reasons(counts["candidates"]["dropped"]),
        f"requests    {found.requests:>9,}",
        *[_asking(name, told) for name, told in found.sampling.items()],
        f"judging     {found.judge_seconds:>9,.0f} s with {found.jobs} jobs, and the solutions' own running time: "
        f"{found.solutions:,} solutions at {1000 * found.seconds_per_solution:.1f} ms, "
        f"{found.tests:,} tests at {1000 * found.seconds_per_test:.2f} ms, measured now",
    ]
    return "\n".join(lines)
