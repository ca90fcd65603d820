"""`crl-data push`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from crl_data.errors import WorkError
from crl_data.publishing.dataset import contents, held, size_of
from crl_data.publishing.push import Contents, Pushed, State, not_asked, push, whole_name


def run(directory: Path, repo: str, private: bool, allowed: Sequence[str], dry_run: bool, as_json: bool) -> None:
    repo = whole_name(repo, dry_run)
    with held(directory):
        bar = tqdm(total=size_of(directory), unit="B", unit_scale=True, desc="reading", leave=False, disable=None)
        with bar:
            going = contents(directory, repo, allowed, bar.update)
        tell(pushed("crl-data", going, repo, private, dry_run), dry_run, as_json)


def pushed(program: str, going: Contents, repo: str, private: bool, dry_run: bool) -> Pushed:
    """Push files; or say what would go, also where the Hub does not say what is there. program: who says so."""
    try:
        return push(going, repo, private, dry_run)
    except WorkError as error:
        if not dry_run:
            raise
        print(f"{program}: what is there is not known: {error}", file=sys.stderr)
        return not_asked(going, repo, private)


def tell(done: Pushed, dry_run: bool, as_json: bool) -> None:
    """Say what was pushed, or would be."""
    print(json.dumps(_cells(done)) if as_json else _text(done, dry_run))


def _cells(done: Pushed) -> dict[str, object]:
    return {
        "repo": done.repo,
        "url": done.url,
        "private": done.private,
        "created": done.created,
        "commit": done.commit,
        "files": [{"path": name, "bytes": done.sizes.get(name), "state": state} for name, state in done.states.items()],
    }


def _text(done: Pushed, dry_run: bool) -> str:
    lines = [f"{state:<8} {_size(done.sizes.get(name)):>9}  {name}" for name, state in done.states.items() if dry_run]
    going, there, stale = done.named(State.NEW, State.CHANGED), done.named(State.THERE), done.named(State.STALE)
    would = "would be " if dry_run else ""
    told = [
        f"{_files(going)} {would}sent, {_size(sum(done.sizes[name] for name in going))}"
        if going
        else f"nothing {would}sent"
    ]
    told += [f"{len(there)} there already"] if there else []
    told += [f"{len(stale)} of an older push {would}deleted"] if stale else []
    lines.append("; ".join(told))
    if done.url:
        kept = "private" if done.private else "public"
        lines.append(
            f"{done.url} ({'new, ' if done.created else ''}{kept}){f', commit {done.commit[:12]}' if done.commit else ''}"
        )
    return "\n".join(lines)


def _files(names: Sequence[str]) -> str:
    return f"{len(names)} file{'s' * (len(names) != 1)}"


def _size(size: int | None) -> str:
    if size is None:
        return ""
    amount, units = float(size), ["GB", "MB", "kB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.1f} {units[-1]}" if amount != size else f"{size} B"
