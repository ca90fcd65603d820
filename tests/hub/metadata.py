"""What the Hub wants of a card's metadata, as its documents say: what it answers POST /api/validate-yaml by.

Sources: hub-docs `repositories-licenses`, `datasetcard.md`, `modelcard.md`, the tasks of huggingface.js, and `datasets` 5.2 for
`configs` and `dataset_info`. Written down here apart from what our cards are made by, so that one tells of the other.
"""

from __future__ import annotations

import re
from typing import Any

_LICENSES = """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0
cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0
wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc
lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
deepfloyd-if-license llama2 gemma unknown other"""
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "n>1T")
_TASKS = ("text-generation", "text-classification", "question-answering", "reinforcement-learning", "other")
_SPLIT = re.compile(r"\w+(\.\w+)*")
_KNOWN = {
    "dataset": {
        *("pretty_name", "license", "license_name", "license_link", "language", "task_categories", "tags"),
        *("size_categories", "configs", "dataset_info", "source_datasets", "annotations_creators"),
    },
    "model": {
        *("license", "license_name", "license_link", "language", "tags", "datasets", "base_model", "library_name"),
        *("pipeline_tag", "model_name", "metrics", "base_model_relation", "model-index"),
    },
}


def faults(metadata: Any, kind: str) -> list[str]:
    """What is wrong with the metadata of a card of a dataset or a model."""
    if not isinstance(metadata, dict):
        return ["the metadata is not an object"]
    found = [f"unknown key {key!r}" for key in metadata if key not in _KNOWN[kind]]
    found += _licences(metadata)
    found += [
        f"language {one!r} is no ISO 639 code"
        for one in _list(metadata, "language")
        if not re.fullmatch(r"[a-z]{2,3}", one)
    ]
    found += [f"tag {one!r} is no text" for one in _list(metadata, "tags") if not isinstance(one, str) or not one]
    if kind == "dataset":
        found += [f"size_categories: {one!r}" for one in _list(metadata, "size_categories") if one not in _SIZES]
        found += [f"task_categories: {one!r}" for one in _list(metadata, "task_categories") if one not in _TASKS]
        found += _configs(metadata)
    else:
        if metadata.get("pipeline_tag") not in (None, "text-generation"):
            found.append(f"pipeline_tag: {metadata['pipeline_tag']!r}")
        found += [
            f"{key}: {one!r} is no id of a repository"
            for key in ("base_model", "datasets")
            for one in _list(metadata, key)
            if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(one))
        ]
    return found


def _list(metadata: dict[str, Any], key: str) -> list[Any]:
    value = metadata.get(key)
    return [] if value is None else value if isinstance(value, list) else [value]


def _licences(metadata: dict[str, Any]) -> list[str]:
    told = _list(metadata, "license")
    found = [f"license: {one!r} is not in the list" for one in told if one not in _LICENSES.split()]
    if ("other" in told) is not ("license_name" in metadata):
        found.append("license_name goes with license: other, and only with it")
    name = metadata.get("license_name")
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,95}", str(name)):
        found.append(f"license_name: {name!r} is no identifier")
    return found


def _configs(metadata: dict[str, Any]) -> list[str]:
    found: list[str] = []
    names = [config.get("config_name") for config in _list(metadata, "configs")]
    if len(set(names)) != len(names):
        found.append("configs: a name twice")
    if sum(bool(config.get("default")) for config in _list(metadata, "configs")) > 1:
        found.append("configs: more than one default")
    for config in _list(metadata, "configs"):
        for files in _list(config, "data_files"):
            if not _SPLIT.fullmatch(files.get("split", "")) or not isinstance(files.get("path"), str):
                found.append(f"configs: data_files: {files!r}")
    for info in _list(metadata, "dataset_info"):
        if info.get("config_name") not in names:
            found.append(f"dataset_info: no config is called {info.get('config_name')!r}")
        for split in info.get("splits", []):
            if not all(isinstance(split.get(key), int) for key in ("num_bytes", "num_examples")):
                found.append(f"dataset_info: splits: {split!r}")
    return found
