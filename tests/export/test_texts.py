"""The forms of texts (cft, cgd, pairs, openai), of a real build: what is written is what an independent join of its files says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.errors import InputError
from crl_data.export.dataset import OfProblem
from crl_data.export.files import Exported, export
from crl_data.export.pairs import Pairs
from crl_data.export.tuning import Cft, Cgd, OpenAI
from tests.export.conftest import lines

Rows = list[dict[str, Any]]


def table(path: Path) -> Rows:
    return [row for file in sorted(path.parent.glob(path.name)) for row in pq.read_table(file).to_pylist()]


@pytest.fixture(scope="module")
def files(built: Path) -> dict[str, Rows]:
    """The rows of the build's files."""
    return {
        "pool": table(built / "pool" / "*.parquet"),
        "critiques": table(built / "critiques.parquet"),
        "candidates": table(built / "candidates.parquet"),
        **{split: table(built / "data" / f"{split}-*.parquet") for split in ("train", "test")},
    }


def exported(built: Path, form: Any, out: Path) -> tuple[dict[str, Rows], Exported]:
    done = export(built, out, form)
    kind = "json" if form.suffixes[0] == ".jsonl" else "parquet"
    names = {Path(file).name.partition(".")[0]: file for file in done.files}
    read = {
        split: list(datasets.load_dataset(kind, data_files=file, split="train", cache_dir=str(out.with_name("cache"))))
        for split, file in names.items()
    }
    assert {split: len(rows) for split, rows in read.items()} == {s: done.files[f] for s, f in names.items()}
    return read, done


def of_split(files: dict[str, Rows], split: str) -> set[str]:
    return {row["problem_id"] for row in files[split]}


def shown(files: dict[str, Rows]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["problem_id"], row["solution_id"]): row for row in files["pool"] if row["kind"] == "critique"}


def asked(files: dict[str, Rows]) -> dict[str, Any]:
    return {row["problem_id"]: row["prompt"] for row in files["pool"] if row["kind"] == "solve"}


def test_cft_has_every_critique_that_concludes_the_verdict(built: Path, files: dict[str, Rows], tmp_path: Path) -> None:
    read, done = exported(built, Cft(), tmp_path / "cft")
    records = shown(files)
    for split, rows in read.items():
        wanted = {
            one["id"]: (records[one["problem_id"], one["solution_id"]], one["response"])
            for one in files["critiques"]
            if one["agrees"] and one["problem_id"] in of_split(files, split)
        }
        assert len(rows) == len(wanted) > 0
        for row in rows:
            record, response = wanted[row["id"]]
            assert row["prompt"] == record["prompt"] and row["completion"] == [
                {"role": "assistant", "content": response}
            ]
            assert all(
                row[name] == record[name] for name in ("problem_id", "question", "solution", "verdict", "source")
            )
    others = sum(not one["agrees"] for one in files["critiques"])
    assert done.left_out == {"critiques that do not conclude the verdict": others} and others > 0


def test_cgd_asks_for_the_corrected_solution_after_the_critique(
    built: Path, files: dict[str, Rows], tmp_path: Path
) -> None:
    read, done = exported(built, Cgd(), tmp_path / "cgd")
    records = shown(files)
    good = {one["id"]: one for one in files["critiques"] if one["refined_verdict"]}
    rows = [row for split in read.values() for row in split]
    assert {row["id"] for row in rows} == good.keys() and len(rows) == len(good) > 0
    for row in rows:
        one = good[row["id"]]
        record = records[one["problem_id"], one["solution_id"]]
        assert record["verdict"] is False and row["refined_code"] == one["refined_code"]
        (asked,) = row["prompt"]
        parts = [record["question"].strip(), record["solution"].strip(), row["critique"]]
        places = [asked["content"].index(part) for part in parts]
        assert asked["role"] == "user" and places == sorted(places)
        assert "<think>" not in asked["content"] and "\\conclusion{F}" in row["critique"]
        assert row["completion"][0]["content"] == f"```python\n{one['refined_code'].rstrip()}\n```\n"
    bad = [one for one in files["critiques"] if one["refined_code"] and one["refined_verdict"] is not True]
    assert done.left_out["corrected solutions that were not judged True"] == len(bad) > 0


@pytest.mark.parametrize(("margin", "most"), [(0.4, None), (0.05, None), (0.95, None), (0.05, 1)])
def test_pairs_are_right_above_wrong_by_the_margin_and_use_no_answer_twice(
    margin: float, most: int | None, built: Path, files: dict[str, Rows], tmp_path: Path
) -> None:
    read, done = exported(built, Pairs(margin, most), tmp_path / "pairs")
    records, solve = shown(files), asked(files)
    responses = {(row["problem_id"], row["id"]): row["response"] for row in files["candidates"]}
    by_problem: dict[str, list[tuple[str, str]]] = {}
    for split, rows in read.items():
        assert {row["problem_id"] for row in rows} <= of_split(files, split)
        for row in rows:
            ids = [(row["problem_id"], row[f"{side}_id"]) for side in ("chosen", "rejected")]
            chosen, rejected = (records[one] for one in ids)
            assert (chosen["verdict"], rejected["verdict"]) == (True, False)
            assert row["chosen_pass_rate"] == chosen["pass_rate"] >= rejected["pass_rate"] + margin - 1e-9
            assert row["rejected_pass_rate"] == rejected["pass_rate"] and row["prompt"] == solve[row["problem_id"]]
            for side, one in zip(("chosen", "rejected"), ids, strict=True):
                assert row[side] == [{"role": "assistant", "content": responses[one]}]
            by_problem.setdefault(row["problem_id"], []).append((row["chosen_id"], row["rejected_id"]))
    for pairs in by_problem.values():
        used = [one for pair in pairs for one in pair]
        assert len(used) == len(set(used)) and (most is None or len(pairs) <= most)
    could = {
        name
        for name in asked(files)
        if any(
            right["pass_rate"] - wrong["pass_rate"] >= margin
            for right in records.values()
            for wrong in records.values()
            if right["problem_id"] == wrong["problem_id"] == name and right["verdict"] and not wrong["verdict"]
        )
    }
    assert by_problem.keys() == could and sum(done.left_out.values()) == len(asked(files)) - len(could)


def record(name: str, passed: int) -> dict[str, Any]:
    return {"id": name, "solution_id": name, "solution": name, "verdict": passed > 8, "pass_rate": passed / 10}


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 10), max_size=6), st.sampled_from([0.05, 0.2, 0.3, 0.4, 0.6, 0.9]), st.integers(0, 3))
def test_there_are_as_many_pairs_as_there_can_be(passed: list[int], margin: float, seed: int) -> None:
    """Against every way to pair them off, with exact numbers."""
    records = [record(f"s{n}", one) for n, one in enumerate(passed)]
    dataset: Any = SimpleNamespace(seed=seed)
    found = Pairs(margin)._pairs(dataset, OfProblem("p", {}, records))
    right, wrong = ([n for n, one in enumerate(passed) if (one > 8) is verdict] for verdict in (True, False))
    apart = {(r, w) for r in right for w in wrong if Fraction(passed[r] - passed[w], 10) >= Fraction(str(margin))}
    few, many = sorted((right, wrong), key=len)
    most = max(
        sum((a, b) in apart or (b, a) in apart for a, b in zip(few, order, strict=False))
        for order in permutations(many, len(few))
    )
    pairs = [] if isinstance(found, str) else [(int(a["id"][1:]), int(b["id"][1:])) for a, b in found]
    assert len(pairs) == most and set(pairs) <= apart


def follows_the_rules(row: dict[str, Any]) -> bool:
    """What OpenAI's documents say of a line of supervised fine-tuning for chat models."""
    messages = row["messages"]
    return (
        row.keys() == {"messages"}
        and bool(messages)
        and all(one.keys() == {"role", "content"} for one in messages)
        and all(one["role"] in ("system", "user", "assistant") and one["content"].strip() for one in messages)
        and messages[-1]["role"] == "assistant"
        and any(one["role"] == "user" for one in messages)
    )


def test_openai_ends_in_a_right_solution_or_a_kept_critique(
    built: Path, files: dict[str, Rows], tmp_path: Path
) -> None:
    done = export(built, tmp_path / "openai", OpenAI())
    records = shown(files)
    right = {row["problem_id"] for row in records.values() if row["verdict"]}
    responses = {row["response"]: records.get((row["problem_id"], row["id"])) for row in files["candidates"]}
    kept: dict[tuple[str, str], str] = {}
    for one in files["critiques"]:
        if one["agrees"]:
            kept.setdefault((one["problem_id"], one["solution_id"]), one["response"])
    for split in ("train", "test"):
        rows = lines(tmp_path / "openai" / f"{split}.jsonl")
        assert all(map(follows_the_rules, rows))
        wanted = [
            row
            for row in files[split]
            if (row["problem_id"], row["solution_id"]) in kept
            or (row["kind"] == "solve" and row["problem_id"] in right)
        ]
        assert [row["messages"][:-1] for row in rows] == [row["prompt"] for row in wanted] != []
        for row, record in zip(rows, wanted, strict=True):
            said = row["messages"][-1]["content"]
            if record["kind"] == "critique":
                assert said == kept[record["problem_id"], record["solution_id"]]
            else:
                source = responses[said]
                assert source is not None and source["problem_id"] == record["problem_id"] and source["verdict"]
    assert set(done.left_out) <= {
        "solve records without a right solution",
        "critique records without a critique that concludes the verdict",
    }
    assert sum(done.left_out.values()) == sum(len(files[s]) for s in ("train", "test")) - sum(done.files.values())


@pytest.mark.parametrize("form", [Cft(), Cgd(), Pairs(), OpenAI()], ids=lambda form: type(form).__name__)
def test_the_same_dataset_gives_the_same_bytes_in_every_suffix(form: Any, built: Path, tmp_path: Path) -> None:
    read = []
    for suffix in form.suffixes:
        for name in ("one", "two"):
            export(built, tmp_path / f"{name}{suffix}", form, "train")
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
        read.append(
            pl.read_parquet(tmp_path / f"one{suffix}").to_dicts()
            if suffix == ".parquet"
            else pl.read_ndjson(tmp_path / f"one{suffix}", infer_schema_length=None).to_dicts()
        )
    assert all(rows == read[0] for rows in read)
    if ".parquet" in form.suffixes:
        assert "large_string" not in str(pq.read_schema(tmp_path / "one.parquet"))


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copytree(built, tmp_path / "copy"))


def test_critiques_in_another_order_and_of_unknown_solutions_are_no_hindrance(
    copy: Path, built: Path, tmp_path: Path
) -> None:
    path = copy / "critiques.parquet"
    rows = pq.read_table(path)
    stranger = {**rows.to_pylist()[0], "solution_id": "nobody's", "id": "x"}
    mixed = [stranger, *reversed(rows.to_pylist())]
    pq.write_table(pa.Table.from_pylist(mixed, schema=rows.schema), path)
    here, there = (exported(one, Cft(), tmp_path / name)[0] for name, one in (("here", copy), ("there", built)))
    assert {s: sorted(r["id"] for r in rows) for s, rows in here.items()} == {
        s: sorted(r["id"] for r in rows) for s, rows in there.items()
    }


def test_without_critiques_or_corrected_solutions_the_key_is_named(copy: Path, tmp_path: Path) -> None:
    path = copy / "critiques.parquet"
    rows = pq.read_table(path)
    nulls = {name: pa.nulls(len(rows), rows.schema.field(name).type) for name in rows.column_names if "refined" in name}
    for name, column in nulls.items():
        rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), column)
    pq.write_table(rows, path)
    with pytest.raises(InputError, match=re.escape("the recipe's key `critiques.refine` asks for those")):
        export(copy, tmp_path / "x", Cgd())
    path.unlink()
    with pytest.raises(InputError, match=re.escape("got none; the recipe's key `critiques` makes it")):
        export(copy, tmp_path / "x", Cft())
    assert export(copy, tmp_path / "openai", OpenAI()).kinds.keys() == {"solve"}
    assert not (tmp_path / "x").exists()


def test_without_candidates_the_code_itself_is_the_answer(copy: Path, files: dict[str, Rows], tmp_path: Path) -> None:
    (copy / "candidates.parquet").unlink()
    read, _ = exported(copy, Pairs(), tmp_path / "pairs")
    records = shown(files)
    for row in (row for rows in read.values() for row in rows):
        code = records[row["problem_id"], row["chosen_id"]]["solution"]
        assert row["chosen"][0]["content"] == f"```python\n{code.rstrip()}\n```\n"


def test_of_solutions_alike_one_is_in_a_pair(copy: Path, tmp_path: Path) -> None:
    """Two candidates with the same code, as models write them: one pair, and not the same text twice."""
    pool = copy / "pool" / "pool-00000-of-00001.parquet"
    rows = pq.read_table(pool)
    twice = [
        {**row, "id": f"{row['id']}{n or ''}", "solution_id": row["solution_id"] and f"{row['solution_id']}{n or ''}"}
        for row in rows.to_pylist()
        for n in range(1 if row["kind"] == "solve" else 2)
    ]
    pq.write_table(pa.Table.from_pylist(twice, schema=rows.schema), pool)
    read, _ = exported(copy, Pairs(), tmp_path / "pairs")
    for split in read.values():
        said = [(row["problem_id"], row["chosen"][0]["content"]) for row in split]
        assert len(said) == len(set(said)) > 0
