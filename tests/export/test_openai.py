"""`openai`: every line by the documented rules, and against the tables."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crl_data.errors import InputError
from crl_data.export import openai
from tests.export.conftest import Row, loaded, splits, table
from tests.export.test_pairs import answer

EXAMPLES_AT_LEAST = 10
FILE_BYTES_AT_MOST = 512 << 20


def faults(line: str) -> list[str]:
    """What is wrong with a line by OpenAI's rules for chats: the checks of its cookbook ("Data preparation and analysis for chat
    model fine-tuning"), and its API's FineTuneChatRequestInput, of which we use text alone. The last word is the model's."""
    found = []
    value = json.loads(line)
    if not isinstance(value, dict) or set(value) - {"messages", "tools", "parallel_tool_calls", "functions"}:
        return ["keys of the line"]
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        return ["no messages"]
    for one in messages:
        if not isinstance(one, dict) or not {"role", "content"} <= set(one):
            found.append("no role, or no content")
            continue
        if set(one) - {"role", "content", "name", "weight"}:
            found.append("a key that is not known")
        if one["role"] not in ("system", "user", "assistant"):
            found.append("a role that is not known")
        if not isinstance(one["content"], str) or not one["content"]:
            found.append("no content")
        if "weight" in one and (one["role"] != "assistant" or one["weight"] not in (0, 1)):
            found.append("a weight that is none")
    if messages[-1].get("role") != "assistant":
        found.append("it does not end in an answer")
    return found


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"messages": []}',
        '{"messages": [{"role": "user", "content": "a"}]}',
        '{"messages": [{"role": "robot", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "id": "c"}]}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "id": "c"}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 2}]}',
    ],
)
def test_a_line_that_breaks_a_rule_is_found(line: str) -> None:
    assert faults(line)


def test_every_line_keeps_the_documented_rules(built: Path, tmp_path: Path) -> None:
    done = openai.export(built, tmp_path / "rows")
    for name, count in done.files.items():
        lines = Path(name).read_text(encoding="utf-8").split("\n")
        assert lines.pop() == "" and len(lines) == count
        assert [faults(line) for line in lines] == [[]] * count
        assert Path(name).stat().st_size < FILE_BYTES_AT_MOST
    assert done.files[str(tmp_path / "rows" / "train.jsonl")] >= EXAMPLES_AT_LEAST


def test_solve_records_end_in_a_right_answer_and_critique_records_in_a_kept_critique(
    built: Path, tmp_path: Path
) -> None:
    done = openai.export(built, tmp_path / "rows")
    judged = [(row["problem_id"], row["solution_id"]) for row in table(built, "judgements.parquet") if row["verdict"]]
    candidates = {(row["problem_id"], row["id"]): row for row in table(built, "candidates.parquet")}
    right: dict[str, set[str]] = {}
    for problem, name in judged:
        right.setdefault(problem, set()).add(answer(candidates[problem, name]))
    kept: dict[tuple[str, str], set[str]] = {}
    for row in table(built, "critiques.parquet"):
        if row["agrees"]:
            kept.setdefault((row["problem_id"], row["solution_id"]), set()).add(row["response"])
    of, left_out, kinds = splits(built), {"solve": 0, "critique": 0}, {"solve": 0, "critique": 0}
    for split in ("train", "test"):
        rows = iter(loaded(tmp_path / "rows" / f"{split}.jsonl"))
        for record in table(built, f"data/{split}-*.parquet"):
            assert of[record["problem_id"]] == split
            key = record["problem_id"], record["solution_id"]
            answers = kept.get(key) if record["kind"] == "critique" else right.get(record["problem_id"])
            if not answers:
                left_out[record["kind"]] += 1
                continue
            *asked, answered = next(rows)["messages"]
            assert asked == record["prompt"] and answered["role"] == "assistant" and answered["content"] in answers
            kinds[record["kind"]] += 1
        assert next(rows, None) is None
    assert done.kinds == kinds and min(kinds.values()) > 0
    words = {"solve": "solve records without a right candidate", "critique": "critique records without a kept critique"}
    assert done.left_out == {words[kind]: count for kind, count in left_out.items() if count}


def test_the_seed_of_the_recipe_draws_the_answers(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns(".crl"))
    manifest = json.loads((built / "manifest.json").read_text())
    manifest["recipe"]["seed"] += 1
    (tmp_path / "built" / "manifest.json").write_text(json.dumps(manifest))
    for name, directory in (("one", built), ("same", built), ("other", tmp_path / "built")):
        openai.export(directory, tmp_path / name)
    drawn = {name: (tmp_path / name / "train.jsonl").read_bytes() for name in ("one", "same", "other")}
    assert drawn["one"] == drawn["same"] != drawn["other"]


def test_the_order_of_judgements_draws_nothing(built: Path, tmp_path: Path) -> None:
    directory = changed(built, tmp_path, lambda rows: rows)
    for name in ("judgements", "critiques"):
        table = pq.read_table(directory / f"{name}.parquet")
        pq.write_table(table.take(list(range(len(table)))[::-1]), directory / f"{name}.parquet")
    openai.export(built, tmp_path / "one")
    openai.export(directory, tmp_path / "other")
    assert (tmp_path / "one" / "train.jsonl").read_bytes() == (tmp_path / "other" / "train.jsonl").read_bytes()


def test_without_critiques_the_solve_records_are_left(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns("critiques.parquet", ".crl"))
    done = openai.export(tmp_path / "built", tmp_path / "rows")
    whole = table(built, "data/*.parquet")
    assert set(done.kinds) == {"solve"}
    assert done.left_out["critique records without a kept critique"] == sum(row["kind"] == "critique" for row in whole)


def test_gzipped_it_holds_the_same_lines(built: Path, tmp_path: Path) -> None:
    openai.export(built, tmp_path / "one.jsonl", "train")
    for name in ("one", "two"):
        openai.export(built, tmp_path / f"{name}.jsonl.gz", "train")
    assert gzip.decompress((tmp_path / "one.jsonl.gz").read_bytes()) == (tmp_path / "one.jsonl").read_bytes()
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def changed(built: Path, folder: Path, change: Any) -> Path:
    """A copy of the dataset with other records in its train split."""
    shutil.copytree(built, folder / "built", ignore=shutil.ignore_patterns(".crl"))
    (path,) = (folder / "built" / "data").glob("train-*.parquet")
    rows: list[Row] = change(pq.read_table(path).to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    return folder / "built"


def test_a_role_that_is_not_known_there_is_left_out_and_counted(built: Path, tmp_path: Path) -> None:
    def developers(rows: list[Row]) -> list[Row]:
        (solve, *_) = [row for row in rows if row["kind"] == "solve"]
        new = [{"role": "robot", "content": "?"}, *solve["prompt"]]
        return [row | {"prompt": new} if row is solve else row for row in rows]

    before = openai.export(built, tmp_path / "before")
    done = openai.export(changed(built, tmp_path, developers), tmp_path / "after")
    assert done.left_out - before.left_out == {"records with a role that is not known there": 1}
    assert done.kinds["solve"] == before.kinds["solve"] - 1


def test_a_dataset_without_any_right_answer_is_told_why(built: Path, tmp_path: Path) -> None:
    directory = changed(built, tmp_path, lambda rows: rows)
    path = directory / "judgements.parquet"
    rows = [row | {"verdict": False} for row in pq.read_table(path).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    (directory / "critiques.parquet").unlink()
    with pytest.raises(
        InputError, match=r"expected a record with a right answer, got .* solve records without a right"
    ):
        openai.export(directory, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()
