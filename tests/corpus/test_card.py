"""The card: what it says is what the manifest and the files say, and the Hub and `datasets` read its metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from crl_data import build
from crl_data.corpus import card
from crl_data.corpus.recipe import Recipe
from crl_data.corpus.relabel import relabel
from crl_data.licenses import card_licenses, hub_license
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows
from tests.hub.metadata import faults


def text_of(directory: Path) -> str:
    return (directory / "README.md").read_text(encoding="utf-8")


def metadata(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(found, dict)
    return found


def manifest_of(directory: Path) -> dict[str, Any]:
    made = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert isinstance(made, dict)
    return made


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, int | float]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from numbers(one, f"{path}: {key}" if path else key)
    elif isinstance(value, int | float):
        yield path, value


def small(folder: Path, **more: Any) -> Path:
    """A dataset of three problems; of the third the licence is unknown, and the name has what tables are broken by."""
    rows = [
        {**PROBLEM_ROW, "id": f"p{n}", "question": f"Add two: {n}", "source": {"dataset": "a|b", "license": license_}}
        for n, license_ in enumerate(("MIT", "My Terms 2", ""))
    ]
    write_rows(folder / "problems.jsonl", rows)
    write_rows(
        folder / "solutions.jsonl", [{"problem_id": f"p{n}", "id": f"p{n}/1", "code": RIGHT_SUM} for n in range(3)]
    )
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "split": {"test_share": 0},
        **more,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return build(folder / "recipe.yaml", folder / "out", quiet=True).directory


def test_every_count_of_the_manifest_stands_in_the_card(demo: Path) -> None:
    text, counts = text_of(demo), manifest_of(demo)["counts"]
    every = dict(numbers(counts))
    assert len(every) > 40
    assert [name for name, n in every.items() if f"| {name} | {n:,} |" not in text] == []
    assert f"<summary>{len(every)} counts" in text


def test_it_says_what_a_record_looks_like_of_each_kind(demo: Path) -> None:
    shown = [json.loads(one) for one in re.findall(r"````json\n(.*?)\n````", text_of(demo), re.DOTALL)]
    records = {row["id"]: row for row in pq.read_table(demo / "data" / "train-00000-of-00001.parquet").to_pylist()}
    assert sorted(one["kind"] for one in shown) == ["critique", "solve"]
    for one in shown:
        record = records[one["id"]]
        assert one.keys() == {name for name, value in record.items() if value is not None}
        assert one["pass_rate"] == record["pass_rate"] if "pass_rate" in one else True
        assert record["question"].startswith(one["question"].partition("...")[0])
        assert len(one["tests"]) <= 3


def test_the_metadata_is_what_datasets_itself_would_write(demo: Path) -> None:
    told = metadata(text_of(demo))
    assert faults(told, "dataset") == []
    info = told["dataset_info"]
    schema = pq.read_schema(demo / "data" / "train-00000-of-00001.parquet")
    features = datasets.Features.from_arrow_schema(schema)
    assert info["features"] == features._to_yaml_list() and "large_string" not in str(features)
    for split in info["splits"]:
        table = pq.read_table(demo / "data" / f"{split['name']}-00000-of-00001.parquet")
        assert (split["num_examples"], split["num_bytes"]) == (len(table), table.nbytes)
    assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])
    assert info["download_size"] == sum(file.stat().st_size for file in (demo / "data").iterdir())


def test_every_kind_of_column_is_written_as_datasets_writes_it() -> None:
    kinds = [pa.string(), pa.int64(), pa.float64(), pa.bool_()]
    kinds += [pa.list_(kind) for kind in kinds] + [pa.list_(pa.list_(pa.string()))]
    kinds += [pa.struct([("a", kind), ("b", pa.struct([("c", kind)]))]) for kind in kinds]
    kinds += [pa.list_(kind) for kind in kinds]
    schema = pa.schema([(f"c{n}", kind) for n, kind in enumerate(kinds)])
    assert [card._feature(field) for field in schema] == datasets.Features.from_arrow_schema(schema)._to_yaml_list()


def test_without_a_name_the_records_are_loaded_and_by_name_each_table(demo: Path, tmp_path: Path) -> None:
    told = metadata(text_of(demo))
    cache = str(tmp_path)
    assert datasets.load_dataset(str(demo), cache_dir=cache).num_rows == {"train": 22, "test": 2}
    names = [config["config_name"] for config in told["configs"]]
    assert names == ["default", "pool", "problems", "candidates", "judgements", "critiques"]
    for name in names[1:]:
        files = sorted(demo.glob(f"{name}/*.parquet")) or [demo / f"{name}.parquet"]
        loaded = datasets.load_dataset(str(demo), name, split="train", cache_dir=cache)
        assert loaded.to_list() == [row for file in files for row in pq.read_table(file).to_pylist()]
        assert "large_string" not in str(loaded.features)
        streamed = datasets.load_dataset(str(demo), name, split="train", streaming=True)
        assert list(streamed.take(1)) == loaded.to_list()[:1]


def test_the_card_of_the_hubs_own_client_reads_it_and_gives_it_back(demo: Path) -> None:
    text = text_of(demo)
    read = DatasetCard(text)
    assert read.data.license == "apache-2.0" and read.data.pretty_name == "demo"
    assert DatasetCard(str(read)).data.to_dict() == read.data.to_dict() and read.text.strip() in text


def test_it_says_how_it_is_loaded_trained_on_verified_and_built_again(demo: Path) -> None:
    text = text_of(demo)
    for words in (
        f'load_dataset("{card.HERE}")',
        "streaming=True",
        "hybrid_reward",
        "--to verl",
        "pkg://crl_data.rewards.verl",
        f"crl-data verify {card.HERE}",
        "crl-data build recipe.yaml",
    ):
        assert words in text, words
    recipe = yaml.safe_load(re.search(r"````yaml\n(.*?)\n````", text, re.DOTALL)[1])  # type: ignore[index]
    assert Recipe.model_validate(recipe) == Recipe.model_validate(manifest_of(demo)["recipe"])
    for one in manifest_of(demo)["inputs"]:
        assert one["sha256"] in text


def test_licences_are_called_as_the_hub_calls_them(tmp_path: Path) -> None:
    text = text_of(small(tmp_path))
    told = metadata(text)
    assert (told["license"], told["license_name"]) == (["mit", "other", "unknown"], "my-terms-2")
    assert faults(told, "dataset") == [] and "**The licence of 1 problems is unknown**" in text
    assert "| a\\|b |" in text


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("MIT", "mit"),
        ("The MIT License", "mit"),
        ("Apache 2.0", "apache-2.0"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("CC-BY-NC-4.0 International", "cc-by-nc-4.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("GPLv3", "gpl-3.0"),
        ("BSD 3-Clause License", "bsd-3-clause"),
        ("CC0", "cc0-1.0"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("other", "other"),
        ("Terms of my own", None),
        ("mitten", None),
    ],
)
def test_a_licence_has_one_name(said: str, called: str | None) -> None:
    assert hub_license(said) == called


def test_what_the_metadata_says_of_several_licences_the_hub_takes() -> None:
    for names in (["MIT"], ["MIT", "mit"], ["x, MIT", "My (own) terms!"], [""], []):
        told = card_licenses(names) | {"language": ["en"]}
        assert faults(told, "dataset") == [], told


def test_a_dataset_without_critiques_or_verdicts_has_a_card_too(tmp_path: Path) -> None:
    text = text_of(small(tmp_path, candidates=[], mix={"critique_share": 0}))
    assert "Nothing was judged" in text and "critiques.parquet" not in text and "None" not in text.split("## Every")[0]
    assert faults(metadata(text), "dataset") == []
    assert datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "c")).num_rows == {"train": 3}


def test_given_verdicts_are_told_apart(tmp_path: Path) -> None:
    write_rows(tmp_path / "given.jsonl", [{"problem_id": "p0", "id": "g", "code": "print(1)", "verdict": False}])
    given = [{"sampler": "recorded", "path": "given.jsonl", "labels": "given"}]
    text = text_of(small(tmp_path, candidates=given, mix={"critique_share": 1.0}))
    assert "**1 critique records have a verdict that was given and not drawn here**" in text
    assert "where the record does not say that it was given" in text


def test_a_relabelled_dataset_has_the_card_of_its_own_verdicts(demo: Path, tmp_path: Path) -> None:
    done = relabel(demo, 1.0, tmp_path / "strict")
    text, counts = text_of(done.directory), done.manifest["counts"]
    assert "every test passed" in text and "critiques.parquet" not in text
    assert f"| judgements: true | {counts['judgements']['true']} |" in text
    assert counts["judgements"]["tamper-proof"] == manifest_of(demo)["counts"]["judgements"]["tamper-proof"]
    assert faults(metadata(text), "dataset") == []


def test_what_the_hub_would_refuse_is_found() -> None:
    right = {"license": "mit", "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "x"}]}]}
    assert faults(right, "dataset") == []
    wrong: list[dict[str, Any]] = [
        {"license": "MIT"},
        {"license": "other"},
        {"license": "mit", "license_name": "x"},
        {"license": "other", "license_name": "With Blanks"},
        {"language": ["english"]},
        {"size_categories": ["many"]},
        {"task_categories": ["coding"]},
        {"colour": "red"},
        {"configs": [{"config_name": "a"}, {"config_name": "a"}]},
        {"configs": [{"config_name": "a", "data_files": [{"split": "a-b", "path": "x"}]}]},
        {"dataset_info": {"config_name": "nobody"}},
    ]
    assert all(faults({**right, **one}, "dataset") for one in wrong)
    assert faults("text", "dataset") and faults({"base_model": "a model"}, "model")
