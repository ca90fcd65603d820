"""`cft` and `cgd`: against a plain join of the tables, read by datasets, polars and pyarrow alike."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crl_data.columns import CFT, CGD, CRITIQUE, Struct
from crl_data.errors import InputError, RowError
from crl_data.export import cft, cgd
from crl_data.prompts import load_template
from crl_data.responses import extract_code
from tests.export.conftest import Row, loaded, message, splits, table

FORMS: dict[str, tuple[Any, Struct]] = {"cft": (cft, CFT), "cgd": (cgd, CGD)}


def about(directory: Path) -> dict[tuple[str, str], Row]:
    """The critique records of the pool, by what they are about."""
    pool = table(directory, "pool/*.parquet")
    return {(row["problem_id"], row["solution_id"]): row for row in pool if row["kind"] == "critique"}


def joined(directory: Path, split: str, kept: Any) -> list[tuple[Row, Row]]:
    """The critiques of a split that are kept, each with its record."""
    found, of = about(directory), splits(directory)
    critiques = [row for row in table(directory, "critiques.parquet") if of[row["problem_id"]] == split and kept(row)]
    return [(row, found[row["problem_id"], row["solution_id"]]) for row in critiques]


def test_cft_is_the_prompt_of_the_record_and_the_critique_that_concludes_its_verdict(
    built: Path, tmp_path: Path
) -> None:
    done = cft.export(built, tmp_path / "rows")
    total = 0
    for split in ("train", "test"):
        wanted = [
            {
                "id": critique["id"],
                "problem_id": critique["problem_id"],
                "solution_id": critique["solution_id"],
                "prompt": record["prompt"],
                "completion": message(critique["response"]),
                "prompt_template": record["prompt_template"],
                "verdict": record["verdict"],
                "sampler": critique["sampler"],
                "source": record["source"],
            }
            for critique, record in joined(built, split, lambda row: row["agrees"] is True)
        ]
        file = tmp_path / "rows" / f"{split}.parquet"
        assert (
            wanted and loaded(file) == wanted == polars.read_parquet(file).to_dicts() == pq.read_table(file).to_pylist()
        )
        assert all(row["verdict"] is (r"\conclusion{T}" in row["completion"][0]["content"][-20:]) for row in wanted)
        assert done.files[str(file)] == len(wanted)
        total += len(wanted)
    critiques = table(built, "critiques.parquet")
    assert done.kinds == {"critique": total}
    assert done.left_out == {
        "critiques that conclude the other verdict": sum(row["agrees"] is False for row in critiques),
        "critiques without a conclusion": sum(row["agrees"] is None for row in critiques),
    }
    assert any("</think>" in row["completion"][0]["content"] for row in loaded(tmp_path / "rows" / "train.parquet"))


def test_cgd_is_question_answer_and_critique_and_then_the_right_corrected_code(built: Path, tmp_path: Path) -> None:
    done = cgd.export(built, tmp_path / "rows")
    total = 0
    for split in ("train", "test"):
        kept = joined(built, split, lambda row: row["refined_verdict"] is True)
        file = tmp_path / "rows" / f"{split}.parquet"
        rows = loaded(file)
        assert rows == polars.read_parquet(file).to_dicts() == pq.read_table(file).to_pylist()
        assert len(rows) == len(kept) > 0
        for row, (critique, record) in zip(rows, kept, strict=True):
            for name in ("id", "problem_id", "solution_id", "refined_code", "refined_pass_rate", "sampler"):
                assert row[name] == critique[name]
            for name in ("question", "solution", "source"):
                assert row[name] == record[name]
            assert record["verdict"] is False and row["critique"] == critique["response"]
            ((asked,), (answered,)) = row["prompt"], row["completion"]
            parts = [
                record["question"].strip(),
                record["solution"].strip("\n"),
                f"Line {critique['response'].split('Line ')[1]}",
            ]
            places = [asked["content"].index(part) for part in parts]
            assert asked["role"] == "user" and places == sorted(places)
            assert "<think>" not in asked["content"] and critique["refined_code"] not in asked["content"]
            code = extract_code(answered["content"])
            assert answered["role"] == "assistant" and code is not None
            assert code.rstrip("\n") == critique["refined_code"].rstrip("\n")
            assert row["prompt_template"] == load_template("cgd", "default", Path()).label
        total += len(rows)
    critiques = table(built, "critiques.parquet")
    assert done.kinds == {"corrected solution": total}
    assert done.left_out == {
        "critiques without a corrected solution": sum(row["refined_code"] is None for row in critiques),
        "corrected solutions that are wrong": sum(row["refined_verdict"] is False for row in critiques),
    }


@pytest.mark.parametrize("name", FORMS)
def test_texts_are_plain_strings_and_the_columns_those_of_the_table(built: Path, tmp_path: Path, name: str) -> None:
    module, columns = FORMS[name]
    module.export(built, tmp_path / "rows")
    schema = pq.read_schema(tmp_path / "rows" / "train.parquet")
    assert tuple(schema.names) == columns.names() and schema.metadata[b"schema_version"] == b"1"
    assert "large" not in str(schema) and schema.field("prompt").type == pa.list_(
        pa.struct([("role", pa.string()), ("content", pa.string())])
    )


# --- what is not there, and what does not fit ---------------------------------------------------------------------------


def altered(built: Path, folder: Path, change: Any) -> Path:
    """A copy of the dataset in which the critiques are others."""
    shutil.copytree(built, folder / "built", ignore=shutil.ignore_patterns(".crl"))
    path = folder / "built" / "critiques.parquet"
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(change(pq.read_table(path).to_pylist()), schema=schema), path)
    return folder / "built"


@pytest.mark.parametrize("name", FORMS)
def test_a_dataset_without_critiques_names_the_key_that_makes_them(built: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns("critiques.parquet"))
    with pytest.raises(
        InputError, match=r"built: expected critiques.parquet, got none; the recipe's key critiques makes it"
    ):
        FORMS[name][0].export(tmp_path / "built", tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_a_dataset_without_corrected_solutions_names_the_key_that_asks_for_them(built: Path, tmp_path: Path) -> None:
    nothing = {"refined_code": None, "refined_verdict": None, "refined_pass_rate": None}
    directory = altered(built, tmp_path, lambda rows: [row | nothing for row in rows])
    with pytest.raises(InputError, match=r"critiques\.refine.*got \d+ critiques without a corrected solution"):
        cgd.export(directory, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_an_undecided_corrected_solution_is_left_out_and_counted(built: Path, tmp_path: Path) -> None:
    def undecided(rows: list[Row]) -> list[Row]:
        first = next(row for row in rows if row["refined_verdict"])
        return [row | {"refined_verdict": None} if row is first else row for row in rows]

    before = cgd.export(built, tmp_path / "before")
    done = cgd.export(altered(built, tmp_path, undecided), tmp_path / "after")
    assert done.left_out["corrected solutions without a verdict"] == 1
    assert done.kinds["corrected solution"] == before.kinds["corrected solution"] - 1


def test_a_critique_of_no_record_or_of_a_problem_in_no_split_is_left_out_and_counted(
    built: Path, tmp_path: Path
) -> None:
    def strange(rows: list[Row]) -> list[Row]:
        kept = next(row for row in rows if row["agrees"])
        return [
            *rows,
            kept | {"solution_id": "gone"},
            kept | {"problem_id": "gone"},
            kept | {"problem_id": "gone", "agrees": None},
        ]

    before = cft.export(built, tmp_path / "before")
    done = cft.export(altered(built, tmp_path, strange), tmp_path / "after")
    assert done.left_out - before.left_out == {
        "critiques of records that are not there": 1,
        "critiques of problems in no split": 2,
    }
    for name in ("train.parquet", "test.parquet"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()


def test_the_order_of_critiques_is_kept_whatever_it_is(built: Path, tmp_path: Path) -> None:
    cft.export(built, tmp_path / "before")
    cft.export(altered(built, tmp_path, lambda rows: rows[::-1]), tmp_path / "after")
    for name in ("train.parquet", "test.parquet"):
        assert loaded(tmp_path / "after" / name) == loaded(tmp_path / "before" / name)[::-1]


def test_without_a_pool_the_records_of_the_dataset_are_found(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns("pool", ".crl"))
    done = cft.export(tmp_path / "built", tmp_path / "rows")
    shown = {
        (row["problem_id"], row["solution_id"]) for row in table(built, "data/*.parquet") if row["kind"] == "critique"
    }
    kept = [row for row in table(built, "critiques.parquet") if row["agrees"]]
    there = [row["id"] for row in kept if (row["problem_id"], row["solution_id"]) in shown]
    rows = loaded(tmp_path / "rows" / "train.parquet", tmp_path / "rows" / "test.parquet")
    assert there and sorted(row["id"] for row in rows) == sorted(there)
    assert done.left_out["critiques of records that are not there"] == len(kept) - len(there)


def test_a_row_that_is_no_critique_is_told_by_file_and_row(built: Path, tmp_path: Path) -> None:
    directory = altered(built, tmp_path, lambda rows: [*rows, rows[0] | {"response": None}])
    count = len(table(built, "critiques.parquet")) + 1
    with pytest.raises(RowError, match=rf"critiques.parquet: row {count}: response: expected a string, got null"):
        cft.export(directory, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()
    assert {"response", "id"} <= set(CRITIQUE.names())
