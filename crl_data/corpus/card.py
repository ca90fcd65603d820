"""The dataset card: README.md of a build, made from its manifest and its records, with the front matter that the Hub reads.

`HERE` stands in it wherever the dataset is named; a push puts the dataset's id there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from crl_data.columns import RECORD
from crl_data.licenses import UNKNOWN, card_licenses

if TYPE_CHECKING:
    import pyarrow as pa

HERE = "path/to/this/directory"
TABLES = ("pool", "problems", "candidates", "judgements", "critiques", "difficulty")
"""What lies beside the records; each is a configuration of its own, with one split."""

_FOLDER = Path(__file__).parent
_CUT = 140
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)


def render(manifest: dict[str, Any], folder: Path) -> str:
    """The card of a build as text. folder: where its files of rows lie."""
    return _card(
        "card.md.jinja",
        manifest,
        folder,
        (source["license"] for source in manifest["sources"]),
        counts=manifest["counts"],
        totals=_totals(manifest),
        unknown=sum(source["problems"] for source in manifest["sources"] if not source["license"]),
        allowed=UNKNOWN in (manifest["recipe"]["allow_licenses"] or ()),
        all_counts=list(_flat(manifest["counts"])),
        recipe=yaml.safe_dump(_bare(manifest["recipe"]), sort_keys=False, allow_unicode=True).strip(),
    )


def render_imported(manifest: dict[str, Any], folder: Path) -> str:
    """The card of other people's records."""
    licenses = [one.get("license") or "" for one in manifest["inputs"]]
    return _card("card_imported.md.jinja", manifest, folder, licenses, counts=manifest["counts"])


def _card(template: str, manifest: dict[str, Any], folder: Path, licenses: Any, **more: Any) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        loader=jinja2.FileSystemLoader(_FOLDER),
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["figure"] = lambda value: "none" if value is None else f"{value:,}"
    environment.filters["share"] = lambda value, whole: f"{100 * value / whole:.1f} %" if whole else "none"
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    tables = [name for name in TABLES if _files_of(manifest, name)]
    examples = _examples(folder)
    splits = _splits(manifest)
    body = environment.get_template(template).render(
        m=manifest, here=HERE, tables=tables, examples=examples, splits=splits, columns=RECORD.names(), **more
    )
    front = {
        "pretty_name": manifest["name"],
        **card_licenses(licenses),
        **_metadata(manifest, folder, tables, splits),
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{body.strip()}\n"


# --- front matter -----------------------------------------------------------------------------------------------------


def _metadata(manifest: dict[str, Any], folder: Path, tables: list[str], splits: dict[str, Any]) -> dict[str, Any]:
    """What the Hub and `datasets.load_dataset` read: configurations, splits, columns, sizes, tags."""
    total = sum(told["rows"] for told in splits.values())
    return {
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["code", "reinforcement-learning", "critique", "verifiable-rewards", "crl-data"],
        "size_categories": [next((name for most, name in _SIZES if total < most), "1B<n<10B")],
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            },
            *({"config_name": name, "data_files": [{"split": "train", "path": _pattern(name)}]} for name in tables),
        ],
        "dataset_info": {
            "config_name": "default",
            "features": _features(folder),
            "splits": [
                {"name": split, "num_bytes": told["arrow_bytes"], "num_examples": told["rows"]}
                for split, told in splits.items()
            ],
            "download_size": sum(told["bytes"] for told in splits.values()),
            "dataset_size": sum(told["arrow_bytes"] for told in splits.values()),
        },
    }


def _pattern(table: str) -> str:
    return f"{table}/*.parquet" if table == "pool" else f"{table}.parquet"


def _files_of(manifest: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return [told for name, told in manifest["files"].items() if name.partition("/")[0] in (table, f"{table}.parquet")]


def _splits(manifest: dict[str, Any]) -> dict[str, dict[str, int]]:
    """For each split its rows and sizes, over all of its files."""
    found: dict[str, dict[str, int]] = {}
    for name in _split_names(manifest):
        files = [told for file, told in manifest["files"].items() if file.startswith(f"data/{name}-")]
        found[name] = {key: sum(told[key] for told in files) for key in ("rows", "bytes", "arrow_bytes")}
    return found


def _split_names(manifest: dict[str, Any]) -> list[str]:
    counts = manifest["counts"]
    return list(counts["splits"] if "splits" in counts else counts["records"])


def _features(folder: Path) -> list[dict[str, Any]]:
    """The columns of the records, as `datasets` writes them."""
    import pyarrow.parquet as pq

    return [_feature(field) for field in pq.read_schema(next(_data(folder)))]


def _feature(field: pa.Field) -> dict[str, Any]:
    return {"name": field.name, **_kind(field.type)}


def _kind(kind: pa.DataType) -> dict[str, Any]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {"struct": [_feature(kind.field(place)) for place in range(kind.num_fields)]}
    if pa.types.is_list(kind):
        inner = _kind(kind.value_type)
        return {"list": inner.get("struct") or inner.get("dtype") or inner}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind))}


# --- what the text is made of --------------------------------------------------------------------------------------------


def _data(folder: Path) -> Iterator[Path]:
    return iter(sorted((folder / "data").glob("*.parquet"), key=lambda file: ("train-" not in file.name, file.name)))


def _examples(folder: Path) -> dict[str, str]:
    """By kind the first record of it, as JSON whose texts are cut."""
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for file in _data(folder):
        with pq.ParquetFile(file, pre_buffer=False) as rows:
            for batch in rows.iter_batches(batch_size=16):
                for record in batch.to_pylist():
                    if record["kind"] not in found:
                        found[record["kind"]] = _shown(record)
                if len(found) == 2:
                    return found
    return found


def _shown(record: dict[str, Any]) -> str:
    """A record as JSON, a column a line, its texts cut."""
    lines = [f"  {json.dumps(name)}: {json.dumps(cell, ensure_ascii=False)}" for name, cell in _cut(record).items()]
    return "\n".join(("{", ",\n".join(lines), "}"))


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _CUT else f"{value[:_CUT]}... ({len(value):,} characters)"
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items() if one is not None} or None
    if isinstance(value, list):
        more = (
            [f"... ({len(value):,} in all)"]
            if len(value) > 2 and not all(isinstance(one, str) for one in value)
            else []
        )
        return [_cut(one) for one in (value[:2] if more else value)] + more
    return value


def _totals(manifest: dict[str, Any]) -> dict[str, int]:
    """The counts of records over all splits."""
    totals: dict[str, int] = dict.fromkeys(
        ("records", "solve", "critique", "critique true", "critique false", "critique given"), 0
    )
    for split in manifest["counts"]["records"].values():
        for name, count in split.items():
            totals[name] += count
    return totals


def _flat(counts: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every count with its whole name."""
    for name, value in counts.items():
        whole = f"{before}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{whole}: ")
        elif value is not None:
            yield whole, f"{value:,}" if isinstance(value, int | float) else value


def _bare(value: Any) -> Any:
    """A recipe as a person would write it: what is null is left out."""
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if one is not None}
    return [_bare(one) for one in value] if isinstance(value, list) else value
