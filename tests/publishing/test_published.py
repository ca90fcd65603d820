"""The demo's dataset from one end to the other: pushed, loaded by its id, exported to every form, verified from the Hub."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crl_data.importers import critique_verl
from crl_data.rows import Row
from tests.hub.server import HubServer
from tests.publishing.conftest import USERS, crl_data, environment

FORMS = {"verl": ".parquet", "cft": ".parquet", "cgd": ".parquet", "pairs": ".parquet", "openai": ".jsonl"}
LOAD = """
import json, sys, datasets
name, *configs = sys.argv[1:]
told = {}
for config in configs:
    loaded = datasets.load_dataset(name, config)
    streamed = datasets.load_dataset(name, config, streaming=True)
    told[config] = {split: [rows.to_list(), list(streamed[split])] for split, rows in loaded.items()}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def pushed(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(users=USERS) as hub:
        done = crl_data(hub, tmp_path_factory.mktemp("push"), "push", demo, "me/demo")
        assert done.returncode == 0, done.stderr
        yield hub


@pytest.fixture(scope="module")
def there(pushed: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set as anybody has it who downloads its repository."""
    home = tmp_path_factory.mktemp("download")
    script = (
        "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], repo_type='dataset', local_dir=sys.argv[2])"
    )
    command = [sys.executable, "-c", script, "me/demo", str(home / "there")]
    done = subprocess.run(command, env=environment(pushed, home, None), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return home / "there"


def rows_of(pattern: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(pattern.parent.glob(pattern.name)) for row in pq.read_table(file).to_pylist()]


def test_every_table_is_loaded_by_the_id_streamed_too_and_equals_the_one_on_disk(
    demo: Path, pushed: HubServer, tmp_path: Path
) -> None:
    tables = ["default", "pool", "problems", "candidates", "judgements", "critiques"]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, "me/demo", *tables],
        capture_output=True,
        text=True,
        env=environment(pushed, tmp_path, None),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["default"].keys() == {"train", "test"}
    for name, splits in told.items():
        for split, (loaded, streamed) in splits.items():
            lies = {"default": demo / f"data/{split}-*.parquet", "pool": demo / "pool/*.parquet"}
            assert loaded == streamed == rows_of(lies.get(name, demo / f"{name}.parquet")) != []


@pytest.mark.parametrize("form", FORMS)
def test_what_was_downloaded_is_exported_as_what_was_built_and_reads_back(
    form: str, demo: Path, there: Path, pushed: HubServer, tmp_path: Path
) -> None:
    for name, directory in (("built", demo), ("there", there)):
        done = crl_data(pushed, tmp_path, "export", directory, "--to", form, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (tmp_path / "built").iterdir())
    assert "train" + FORMS[form] in files
    for name in files:
        assert (tmp_path / "built" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    records = {row["id"]: row for row in rows_of(demo / "data/*.parquet")}
    texts = {row["id"]: row for row in rows_of(demo / "critiques.parquet")}
    train = tmp_path / "there" / f"train{FORMS[form]}"
    rows = pq.read_table(train).to_pylist() if train.suffix == ".parquet" else list(map(json.loads, train.open()))
    for row in rows:
        if form == "verl":
            back = critique_verl.record_cells(Row("row", row))
            record = records[row["extra_info"]["id"]]
            assert {k: v for k, v in back.items() if v is not None} == {
                k: {a: b for a, b in v.items() if b is not None} if isinstance(v, dict) else v
                for k, v in record.items()
                if v is not None
            }
        elif form in ("cft", "cgd"):
            text = texts[row["id"]]
            wanted = text["response"] if form == "cft" else text["refined_code"].rstrip("\n")
            assert wanted in row["completion"][0]["content"]
        elif form == "pairs":
            assert row["prompt"] == records.get(f"solve:{row['problem_id']}", row)["prompt"]
        else:
            assert row["messages"][:-1] in [record["prompt"] for record in records.values()]
    wanted = {"cft": 10, "cgd": 5, "openai": 20}
    assert form not in wanted or sum(1 for _ in rows) == wanted[form]


def test_it_is_verified_from_the_hub_and_flips_that_were_pushed_are_found(
    demo: Path, copy: Path, pushed: HubServer, tmp_path: Path
) -> None:
    done = crl_data(pushed, tmp_path, "verify", "me/demo", "--json", token=None)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and (told["executed"], told["agreed"], told["flips"]) == (12, 12, []), done.stderr
    shard = copy / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    rows = table.to_pylist()
    turned = next(row for row in rows if row["verdict"] is not None)
    turned["verdict"] = not turned["verdict"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["data/train-00000-of-00001.parquet"]["sha256"] = hashlib.sha256(shard.read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert crl_data(pushed, tmp_path, "push", copy, "me/turned").returncode == 0
    found = json.loads(crl_data(pushed, tmp_path, "verify", "me/turned", "--json", token=None).stdout)
    assert [(one["id"], one["stored_verdict"], one["verdict"]) for one in found["flips"]] == [
        (turned["id"], turned["verdict"], not turned["verdict"])
    ]
    assert "crl-data verify me/demo --sample 100" in pushed.repos["dataset", "me/demo"].files["README.md"].read_text()
