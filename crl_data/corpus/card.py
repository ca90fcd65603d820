"""The dataset card: README.md of a build, made from its manifest, with the front matter that the Hub reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import yaml

HERE = "path/to/this/directory"
_TEMPLATE = Path(__file__).with_name("card.md.jinja")
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def render(manifest: dict[str, Any]) -> str:
    """The card as text."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["figure"] = lambda value: "none" if value is None else f"{value:,}"
    environment.filters["share"] = lambda value, whole: f"{100 * value / whole:.1f} %" if whole else "none"
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    body = template.render(
        m=manifest,
        counts=manifest["counts"],
        totals=_totals(manifest),
        unknown=sum(source["problems"] for source in manifest["sources"] if not source["license"]),
        allowed="unknown" in (manifest["recipe"]["allow_licenses"] or ()),
    )
    front = yaml.safe_dump(front_matter(manifest), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{body.strip()}\n"


def front_matter(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the Hub and `datasets.load_dataset` read: configurations, splits, sizes, licence, tags."""
    records = manifest["counts"]["records"]
    total = sum(split["records"] for split in records.values())
    sizes = {
        split: sum(file["bytes"] for name, file in manifest["files"].items() if name.startswith(f"data/{split}-"))
        for split in records
    }
    licenses = sorted({source["license"] or "unknown" for source in manifest["sources"]})
    return {
        "pretty_name": manifest["name"],
        "license": licenses[0] if len(licenses) == 1 else licenses,
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["code", "reinforcement-learning", "critique", "verifiable-rewards", "crl-data"],
        "size_categories": [next((name for most, name in _SIZES if total < most), "n>10M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in records],
            }
        ],
        "dataset_info": {
            "config_name": "default",
            "splits": [
                {"name": split, "num_bytes": sizes[split], "num_examples": counts["records"]}
                for split, counts in records.items()
            ],
            "download_size": sum(sizes.values()),
            "dataset_size": sum(sizes.values()),
        },
    }


def _totals(manifest: dict[str, Any]) -> dict[str, int]:
    """The counts of records over all splits."""
    totals: dict[str, int] = dict.fromkeys(
        ("records", "solve", "critique", "critique true", "critique false", "critique given"), 0
    )
    for split in manifest["counts"]["records"].values():
        for name, count in split.items():
            totals[name] += count
    return totals
