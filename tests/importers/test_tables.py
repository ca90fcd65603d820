"""Where rows come from: files that lie like a data set's repository, and the Hub itself, over its protocol on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError
from crl_data.importers.tables import HubTables, LocalTables, Which, open_tables
from crl_data.rows import Row
from crl_data.types import Source
from tests.conftest import PROBLEM_ROW, write_rows
from tests.hub.server import SHA, HubServer


def repository(folder: Path, license_: str | None = "cc-by-4.0") -> Path:
    """A data set of two configs and two splits, as it lies on the Hub."""
    rows = {
        "easy/train": ["e0", "e1", "e2"],
        "easy/test": ["e3"],
        "hard/train": ["h0"],
    }
    for name, ids in rows.items():
        path = folder / f"{name}-00000-of-00001.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, [{**PROBLEM_ROW, "id": one, "question": f"Add two integers: {one}."} for one in ids])
    splits = "\n".join(
        f"- config_name: {config}\n  data_files:\n" + "\n".join(f"  - {{split: {s}, path: {config}/{s}-*}}" for s in of)
        for config, of in (("easy", ("train", "test")), ("hard", ("train",)))
    )
    front = f"license: {license_}\n" if license_ else ""
    (folder / "README.md").write_text(f"---\n{front}configs:\n{splits}\n---\n")
    return folder


def ids(tables: Any, *where: str | None) -> list[str]:
    return [row.cells["id"] for row in tables.rows(*where) if isinstance(row, Row)]


def test_a_copy_of_a_repository_is_read_as_the_data_set_is(tmp_path: Path) -> None:
    tables = open_tables(str(repository(tmp_path)), Path(), Which(config="easy", split="train"))
    assert isinstance(tables, LocalTables)
    assert ids(tables) == ["e0", "e1", "e2"] and ids(tables, None, "test") == ["e3"] and ids(tables, "hard") == ["h0"]
    assert tables.has("hard") and not tables.has("huge")
    assert ids(open_tables(str(tmp_path), Path())) == ["e3", "e0", "e1", "e2", "h0"]
    with pytest.raises(InputError, match="no file of rows in it belongs to the table huge"):
        ids(tables, "huge")


def test_files_that_name_no_split_are_of_train(tmp_path: Path) -> None:
    for name in ("data-0.jsonl", "test-0.jsonl", "testcases.jsonl"):
        write_rows(tmp_path / name, [{**PROBLEM_ROW, "id": name}])
    assert ids(open_tables(str(tmp_path), Path(), Which(split="train"))) == ["data-0.jsonl", "testcases.jsonl"]
    assert ids(open_tables(str(tmp_path), Path(), Which(split="test"))) == ["test-0.jsonl"]


def test_a_split_counts_for_a_file_and_a_pattern_too(tmp_path: Path) -> None:
    for name in ("data-0.jsonl", "test-0.jsonl"):
        write_rows(tmp_path / name, [{**PROBLEM_ROW, "id": name}])
    assert ids(open_tables("*.jsonl", tmp_path, Which(split="test"))) == ["test-0.jsonl"]
    assert ids(open_tables("data-0.jsonl", tmp_path, Which(split="train"))) == ["data-0.jsonl"]
    with pytest.raises(InputError, match=r"data-0\.jsonl: no file is of the split test"):
        ids(open_tables("data-0.jsonl", tmp_path, Which(split="test")))


def test_a_copy_that_is_made_of_links_is_read(tmp_path: Path) -> None:
    """As the cache of the Hub's client has it: each file a link into another folder."""
    folder = repository(tmp_path / "blobs")
    for file in folder.rglob("*.jsonl"):
        link = tmp_path / "snapshot" / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    assert ids(open_tables("snapshot", tmp_path, Which(config="easy", split="test"))) == ["e3"]


def test_tables_may_be_files_that_are_called_like_them(tmp_path: Path) -> None:
    for name in ("tests.jsonl", "tests-1.jsonl", "testsuite.jsonl", "solutions.jsonl"):
        write_rows(tmp_path / name, [{**PROBLEM_ROW, "id": name}])
    tables = open_tables(str(tmp_path), Path())
    assert ids(tables, "tests") == ["tests-1.jsonl", "tests.jsonl"] and ids(tables, "solutions") == ["solutions.jsonl"]


def test_what_the_user_says_of_a_source_is_what_is_written_down(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [PROBLEM_ROW])
    known = Source(dataset="x/y", revision="", license="mit", url="")
    tables = open_tables("a.jsonl", tmp_path, Which(revision="v2", license="apache-2.0"))
    assert tables.origin(known) == Source(dataset="x/y", revision="v2", license="apache-2.0", url="")
    assert open_tables("a.jsonl", tmp_path).origin(known) == known


@pytest.mark.parametrize("source", ["nowhere.jsonl", "a/b/c", "owner/name.parquet", ""])
def test_what_is_neither_a_file_nor_a_data_set_is_one_line(source: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_tables(source or "x", tmp_path)


def test_a_path_comes_before_a_data_set_of_that_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [PROBLEM_ROW])
    (tmp_path / "owner").mkdir()
    (tmp_path / "a.jsonl").rename(tmp_path / "owner" / "name")
    assert isinstance(open_tables("owner/name", tmp_path), LocalTables)
    assert isinstance(open_tables("owner/other", tmp_path), HubTables)
    assert isinstance(open_tables("hub:owner/name", tmp_path), HubTables)
    with pytest.raises(InputError, match="id of a data set on the Hub"):
        open_tables("hub:name", tmp_path)


# --- the Hub ----------------------------------------------------------------------------------------------------------


def crl_data(hub: HubServer, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment, "HF_HOME": str(home / "hf"), "HF_TOKEN": "hf_planted"}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-m", "crl_data", *arguments], capture_output=True, text=True, env=environment, cwd=home
    )


def test_a_data_set_on_the_hub_is_streamed_and_written_down_with_its_revision_and_licence(tmp_path: Path) -> None:
    with HubServer({"me/sums": repository(tmp_path / "repository")}) as hub:
        ran = crl_data(hub, tmp_path, *["import", "problems", "me/sums", "--config", "easy", "--out", "easy.jsonl"])
        assert ran.returncode == 0, ran.stderr
        test = crl_data(
            hub,
            tmp_path,
            *["import", "problems", "hub:me/sums", "--config", "easy", "--split", "test", "--out", "test.jsonl"],
        )
        assert test.returncode == 0, test.stderr
    rows = [json.loads(line) for line in (tmp_path / "easy.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["e0", "e1", "e2"]
    assert rows[0]["source"] == {
        "dataset": "tests",
        "revision": SHA,
        "license": "cc0-1.0",
        "url": "https://huggingface.co/datasets/me/sums",
    }
    assert [json.loads(line)["id"] for line in (tmp_path / "test.jsonl").read_text().splitlines()] == ["e3"]


def test_a_recipe_reads_the_hub_and_its_manifest_says_what_was_read(tmp_path: Path) -> None:
    recipe = {
        "problems": [{"source": "me/sums", "config": "easy", "split": "train", "revision": "main"}],
        "candidates": [{"sampler": "mutants", "per_problem": 2}],
        "split": {"test_share": 0},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    with HubServer({"me/sums": repository(tmp_path / "repository")}) as hub:
        ran = crl_data(hub, tmp_path, *["build", "recipe.yaml", "--out", "built", "--json"])
        assert ran.returncode == 0, ran.stderr
    manifest = json.loads(ran.stdout)
    told = {"hub": "me/sums", "config": "easy", "split": "train", "revision": SHA, "license": "cc-by-4.0"}
    assert manifest["inputs"] == [{"format": "problems", **told}]
    assert manifest["sources"][0]["revision"] == SHA and manifest["counts"]["problems"]["kept"] == 3
    assert b"hf_planted" not in b"".join(p.read_bytes() for p in (tmp_path / "built").rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("me/nothing", 2, "me/nothing"),
        ("me/sums --config huge", 2, "huge"),
        ("me/sums --config easy --split validation", 2, "validation"),
        ("me/gone --config easy", 1, "me/gone"),
    ],
)
def test_what_the_hub_refuses_is_one_line(source: str, status: int, words: str, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repository")
    with HubServer({"me/sums": folder, "me/gone": folder}, gone=frozenset({"me/gone"})) as hub:
        ran = crl_data(hub, tmp_path, "import", "problems", *source.split(), "--out", "x.jsonl")
    assert (ran.returncode, "Traceback" in ran.stderr) == (status, False), ran.stderr
    assert words in ran.stderr.strip().splitlines()[-1] and not (tmp_path / "x.jsonl").exists()


def test_a_hub_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repository")
    second = "easy/train-00001-of-00002.jsonl"
    write_rows(folder / second, [{**PROBLEM_ROW, "id": "e9"}])
    with HubServer({"me/half": folder}, gone=frozenset({f"me/half/{second}"})) as hub:
        ran = crl_data(hub, tmp_path, "import", "problems", "me/half", "--config", "easy", "--out", "x.jsonl")
        assert any(one.endswith("easy/train-00000-of-00001.jsonl") for one in hub.requests)
    assert ran.returncode == 1 and "me/half: " in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
    assert not [path.name for path in tmp_path.iterdir() if "x.jsonl" in path.name]


def test_without_a_hub_it_is_said_in_one_line(tmp_path: Path) -> None:
    with HubServer({}) as hub:
        pass  # it is gone
    ran = crl_data(hub, tmp_path, "import", "problems", "me/sums", "--out", "x.jsonl")
    assert ran.returncode == 1 and "me/sums" in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
