"""Other people's records as a directory like that of a build: `data/` and a manifest, and nothing that a build knows alone.

What reads records reads it (`load_records`, rewards, `explain`, `export`, `validate`); what needs problems, candidates or
judgements (`report`) says that there are none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crl_data
from crl_data.columns import RECORD, SCHEMA_VERSION
from crl_data.corpus import card
from crl_data.corpus.manifest import content_of, hashed
from crl_data.corpus.outputs import Directory
from crl_data.errors import InputError

AGAIN, CONTRADICTS = "again", "again with another verdict"
COUNTED = ("critique", "solve", AGAIN, CONTRADICTS)
Rows = Iterator[tuple[str, dict[str, Any]]]


def write(form: str, rows: Callable[[], Rows], inputs: list[dict[str, Any]], out: Path) -> Counter[str]:
    """Write records, which `rows()` gives anew each time with their splits; how many there were of each kind.

    A record that was there before is left out and counted; so is one of which a row before says another verdict. Raises
    `InputError` where there are none, or where `out` is that of a build.
    """
    if not _is_ours(out / "manifest.json"):
        raise InputError(f"{out}: expected a folder for what is imported, got a built dataset")
    verdicts: dict[str, bool | None] = {}
    counts: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for split, cells in rows():
        if cells["id"] in verdicts:
            same = verdicts[cells["id"]] is cells["verdict"]
            counts[AGAIN if same else CONTRADICTS] += 1
            continue
        verdicts[cells["id"]] = cells["verdict"]
        splits[split] += 1
        counts[cells["kind"]] += 1
    if not verdicts:
        raise InputError(f"{out}: expected at least one row of the format {form} to write, got none")
    with Directory(out) as directory:
        seen: set[str] = set()
        for split in sorted(splits):
            directory.write_shards("data", split, RECORD, _once(rows(), split, seen))
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "crl_data": crl_data.__version__,
            "name": out.name,
            "imported": {"format": form, "label_source": "given, but where a row says otherwise"},
            "inputs": [hashed(one) for one in inputs],
            "counts": {"records": dict(sorted(counts.items())), "splits": dict(sorted(splits.items()))},
            "files": content_of(directory.new),
        }
        directory.write_text("README.md", card.render_imported(manifest, directory.new))
        directory.write_text("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        directory.publish("manifest.json")
    return counts


def _is_ours(manifest: Path) -> bool:
    """Whether a manifest is that of an import, or is not there."""
    if not manifest.is_file():
        return True
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(told, dict) and "imported" in told


def _once(rows: Rows, wanted: str, seen: set[str]) -> Iterator[dict[str, Any]]:
    for split, cells in rows:
        if split == wanted and cells["id"] not in seen:
            seen.add(cells["id"])
            yield cells
