"""Cleaning as a stage of a build: sets aside what `crl_data.cleaning` finds, and reports it for manifest and card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crl_data.cleaning.benchmarks import EXPECTED, SAME_QUESTIONS, Item, read_items
from crl_data.cleaning.contamination import Benchmark, Hit, Rules, find_hits
from crl_data.cleaning.duplicates import Duplicate, exact_duplicates, near_duplicates
from crl_data.cleaning.text import NORMALISATION
from crl_data.corpus.outputs import file_hash
from crl_data.corpus.recipe import CheckedBenchmark, Clean
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import LISTED
from crl_data.errors import InputError, RowError
from crl_data.importers.tables import find_files
from crl_data.types import Problem


def clean(settings: Clean, base: Path, stage: Stage, fingerprints: Mapping[str, bytes]) -> dict[str, Any]:
    """Set aside duplicates, then the contaminated among the rest; what was found, as the manifest holds it.

    fingerprints: of the problems that are kept so far, in input order.
    """
    exact = near = 0
    if settings.duplicates != "none":
        exact = _set_aside(stage, list(exact_duplicates(fingerprints.items())))
    if settings.duplicates == "near":
        near = _set_aside(stage, list(near_duplicates(stage.questions(), stage.question, settings.jaccard)))
    reports, hits = _decontaminate(settings, base, stage)
    named = {SAME_QUESTIONS.get(one.name, one.name) for one in settings.decontaminate}
    return {
        "normalisation": NORMALISATION,
        "duplicates": {"exact": exact, "near": near},
        "benchmarks": reports,
        "not_checked": [name for name in EXPECTED if name not in named],
        "hits": hits[:LISTED],
    }


def _set_aside(stage: Stage, found: list[Duplicate]) -> int:
    for duplicate in found:
        stage.set_aside(duplicate.id, duplicate.reason)
    return len(found)


def _decontaminate(settings: Clean, base: Path, stage: Stage) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The report of every benchmark that the recipe names, and all hits with what was done."""
    benchmarks: list[Benchmark] = []
    reports = []
    for checked in settings.decontaminate:
        benchmark, report = _read(checked, base)
        reports.append(report)
        if benchmark is not None:
            benchmarks.append(benchmark)
    rules = Rules(ngram=settings.ngram, substring=settings.substring)
    done = "set aside" if settings.contaminated == "drop" else "kept, flagged"
    found = list(find_hits(_kept(stage), lambda name: _problem(stage, name), benchmarks, rules)) if benchmarks else []
    aside: set[str] = set()
    for hit in found:
        if settings.contaminated == "drop" and hit.problem not in aside:
            aside.add(hit.problem)
            stage.set_aside(hit.problem, f"contaminated by {hit.benchmark}: {_told(hit)}")
    for report in reports:
        own = [hit for hit in found if hit.benchmark == report["name"]]
        report["problems"] = len({hit.problem for hit in own})
        report["hits"] = len(own)
        report["by_rule"] = dict(sorted(Counter(hit.rule for hit in own).items()))
        report["action"] = done
    return reports, [{**asdict(hit), "done": done} for hit in found]


def _told(hit: Hit) -> str:
    return f"{hit.item}, by {hit.rule}" if hit.item else f"published on {hit.span}"


def _read(checked: CheckedBenchmark, base: Path) -> tuple[Benchmark | None, dict[str, Any]]:
    """A benchmark, None where it could not be read, and the beginning of its report."""
    report: dict[str, Any] = {"name": checked.name, "files": [], "items": 0, "bad_rows": 0, "not_read": None}
    since = checked.since.isoformat() if checked.since else None
    items: dict[tuple[str, tuple[str, ...]], Item] = {}
    bad: list[RowError] = []
    folders = {(base / checked.path).parent}
    try:
        files = find_files(base / checked.path)
        folders |= {file.parent for file in files}
        for item in read_items(checked.name, files, checked.field):
            if isinstance(item, RowError):
                bad.append(item)
            elif since is None or item.date is None or item.date >= since:
                items.setdefault((item.id, item.texts), item)
        report["files"] = [{"name": file.name, "sha256": file_hash(file)} for file in files[:LISTED]]
    except InputError as error:
        report["not_read"] = _without_folders(str(error), folders)
        return None, report
    report["items"] = len({item.id for item in items.values()})
    report["bad_rows"] = len(bad)
    if not items:
        report["not_read"] = _without_folders(str(bad[0]), folders) if bad else "there is no question in it"
        return None, report
    return Benchmark(name=checked.name, items=tuple(items.values()), since=since), report


def _without_folders(message: str, folders: set[Path]) -> str:
    """A message without the folders that files lay in: where that was on a machine is nobody's business."""
    for folder in sorted(map(str, folders), key=len, reverse=True):
        message = message.replace(f"{folder}/", "")
    return message


def _kept(stage: Stage) -> Iterator[Problem]:
    return (problem for problem, _ in stage.problems())


def _problem(stage: Stage, name: str) -> Problem:
    problem = stage.problem(name)
    assert problem is not None
    return problem
