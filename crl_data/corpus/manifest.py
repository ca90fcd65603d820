"""The manifest: what a dataset was made from, how, and what was counted on the way. No times, no paths of the machine."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import crl_data
from crl_data.columns import SCHEMA_VERSION
from crl_data.corpus.outputs import file_hash
from crl_data.corpus.recipe import Recipe
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import LISTED, Tally
from crl_data.errors import InputError
from crl_data.judging import JUDGE_VERSION
from crl_data.prompts import Template
from crl_data.rows import cells_of
from crl_data.sandbox import Sandbox


def make(
    recipe: Recipe,
    path: Path,
    limit: int | None,
    tally: Tally,
    tokenizer: str,
    sandbox: Sandbox,
    templates: Sequence[Template],
    stage: Stage,
    inputs: Sequence[dict[str, Any]],
    stages: dict[str, Any],
    new: Path,
) -> dict[str, Any]:
    """The manifest of a dataset that lies, all but the manifest, the card and the report, in the folder `new`.

    stages: what `difficulty` and `critiques` came to; null where the recipe has none.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "crl_data": crl_data.__version__,
        "name": path.stem,
        "recipe": _without_paths(recipe.model_dump(mode="json")),
        "limit": limit,
        "inputs": [hashed(one) for one in inputs],
        "sources": _sources(stage),
        "prompts": {template.kind: template.label for template in templates},
        "templates": {template.kind: template.text for template in templates},
        "test_length": tokenizer,
        "judge": {
            "version": JUDGE_VERSION,
            "backend": sandbox.backend,
            "walls": list(sandbox.walls),
            "missing_walls": sandbox.missing,
            "note": sandbox.note,
            "runtime": sandbox.runtime,
        },
        "counts": tally.as_dict(),
        "cleaning": tally.cleaning,
        **stages,
        "set_aside": tally.set_aside,
        "bad_rows": tally.bad_rows,
        "lists_are_cut_at": LISTED,
        "files": content_of(new),
    }


def content_of(new: Path) -> dict[str, dict[str, Any]]:
    """The files of rows in a folder: their content as a hash, their size, and how many rows they have.

    arrow_bytes: the size of the rows in memory, as the Hub's dataset cards count it.
    """
    return {file.relative_to(new).as_posix(): _content(file) for file in sorted(new.rglob("*.parquet"))}


def _content(file: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    told = {"sha256": file_hash(file), "bytes": file.stat().st_size}
    with pq.ParquetFile(file, pre_buffer=False) as rows:
        in_memory = sum(batch.nbytes for batch in rows.iter_batches(batch_size=64))
        return {**told, "rows": rows.metadata.num_rows, "arrow_bytes": in_memory}


def read_manifest(directory: Path, parts: Sequence[str] = ("recipe", "judge", "counts", "files")) -> dict[str, Any]:
    """The manifest of a built dataset. Raises `InputError` where there is none, or something else by that name.

    parts: what has to be in it; that of an imported dataset (`imported`) has neither a recipe nor a judge.
    """
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{directory}: expected a built dataset, got no manifest.json that can be read") from None
    for name in parts:
        if not isinstance(manifest, dict) or not isinstance(manifest.get(name), dict):
            raise InputError(f"{path}: {name}: expected the manifest of a built dataset, with an object here, got none")
    return dict(manifest)


def hashed(told: dict[str, Any]) -> dict[str, Any]:
    """What `Tables.described` tells of an input, a file with its content instead of its place."""
    if "file" not in told:
        return told
    file = told["file"]
    named = {key: value for key, value in told.items() if key != "file"}
    return {**named, "name": file.name, "sha256": file_hash(file), "bytes": file.stat().st_size}


def _sources(stage: Stage) -> list[dict[str, Any]]:
    """Where the kept problems came from, with their licences."""
    found = Counter(tuple(cells_of(problem.source).items()) for problem, _ in stage.problems())
    return [{**dict(source), "problems": count} for source, count in sorted(found.items())]


def _without_paths(value: Any) -> Any:
    """Paths cut down to their names, but for those in the recipe's folder or one above it, which a rebuild needs.

    Where else files lay on a machine, and whose folder that was, is nobody's business.
    """
    if isinstance(value, dict):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    return Path(value).name if isinstance(value, str) and _OUTSIDE.match(value) else value


_OUTSIDE = re.compile(r"/|~|file:|(\./)*\.\./(\./)*\.\./")
