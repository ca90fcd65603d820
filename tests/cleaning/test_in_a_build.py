"""Cleaning as a stage of a build: what is set aside, and what manifest and card say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from crl_data.corpus.build import Built, dry_run
from crl_data.corpus.recipe_file import load_recipe
from crl_data.errors import InputError
from tests.cleaning.test_contamination import prose
from tests.conftest import PROBLEM_ROW, write_rows

QUESTION = prose(11, 60)
LONG = prose(12, 100)
ROWS = [
    {"id": "first", "question": LONG},
    {"id": "again", "question": f"{LONG} "},
    {"id": "nearly", "question": LONG.replace(LONG.split()[50], "other"), "tests": PROBLEM_ROW["tests"][:2]},
    {"id": "held", "question": f"{QUESTION} {prose(13, 30)}"},
    *({"id": f"short {n}", "question": f"Add two integers, form {n}."} for n in range(3)),
]
BENCHMARKS = [
    {"name": "humaneval", "path": "humaneval.jsonl"},
    {"name": "bbeh", "path": "bbeh/*.jsonl"},
    {"name": "mine", "path": "mine.jsonl", "field": "q"},
]


def built(folder: Path, **clean: Any) -> Built:
    write_rows(folder / "problems.jsonl", [{**PROBLEM_ROW, **row} for row in ROWS])
    write_rows(folder / "humaneval.jsonl", [{"task_id": "HumanEval/7", "prompt": QUESTION}, {"task_id": "HumanEval/8"}])
    write_rows(folder / "mine.jsonl", [{"id": "m1", "q": prose(14)}])
    recipe = {"problems": [{"path": "problems.jsonl"}], "clean": clean, "split": {"test_share": 0}}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return build(folder / "recipe.yaml", folder / "out", quiet=True)


def kept(done: Built) -> list[str]:
    import polars as pl

    read = pl.read_parquet(done.directory / "problems.parquet")
    return list(read.filter(pl.col("set_aside").is_null())["id"])


def test_by_default_duplicates_are_set_aside_and_no_benchmark_is_said_to_be_clean(tmp_path: Path) -> None:
    done = built(tmp_path)
    assert kept(done) == ["first", "held", "short 0", "short 1", "short 2"]
    assert done.manifest["set_aside"] == [
        {"id": "again", "reason": "duplicate: of first"},
        {"id": "nearly", "reason": "near duplicate: of first (Jaccard 0.90)"},
    ]
    assert done.manifest["counts"]["problems"]["set_aside"] == {"duplicate": 1, "near duplicate": 1}
    assert done.manifest["cleaning"]["duplicates"] == {"exact": 1, "near": 1}
    card = (done.directory / "README.md").read_text()
    for name in ("humaneval", "mbpp", "bigcodebench", "livecodebench", "aider-polyglot", "bbeh"):
        assert f"| {name} | **not checked** |" in card
    assert "1 the same in question and tests, 1 near duplicates" in card


def test_duplicates_are_looked_for_as_far_as_the_recipe_says(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert "nearly" in kept(done := built(tmp_path / "a", duplicates="exact"))
    assert "near duplicates were not looked for" in (done.directory / "README.md").read_text()
    assert "again" in kept(done := built(tmp_path / "b", duplicates="none"))
    assert "**Duplicates of problems were not looked for.**" in (done.directory / "README.md").read_text()


def test_contaminated_problems_are_set_aside_and_what_was_not_read_is_said(tmp_path: Path) -> None:
    done = built(tmp_path, decontaminate=BENCHMARKS)
    assert kept(done) == ["first", "short 0", "short 1", "short 2"]
    told = {"id": "held", "reason": "contaminated by humaneval: HumanEval/7, by ngram"}
    assert told in done.manifest["set_aside"]
    cleaning = done.manifest["cleaning"]
    assert cleaning["hits"] == [
        {
            "problem": "held",
            "benchmark": "humaneval",
            "item": "HumanEval/7",
            "rule": "ngram",
            "span": QUESTION[:300],
            "done": "set aside",
        }
    ]
    humaneval, bbeh, mine = cleaning["benchmarks"]
    assert (humaneval["items"], humaneval["bad_rows"], humaneval["problems"], humaneval["hits"]) == (1, 1, 1, 1)
    assert humaneval["by_rule"] == {"ngram": 1} and humaneval["files"][0]["name"] == "humaneval.jsonl"
    assert bbeh["not_read"] == "*.jsonl: no file is called like that" and bbeh["items"] == 0
    assert (mine["items"], mine["hits"], mine["not_read"]) == (1, 0, None)
    assert cleaning["not_checked"] == ["mbpp", "bigcodebench", "livecodebench", "aider-polyglot"]
    card = (done.directory / "README.md").read_text()
    assert "| humaneval | 1, **and 1 rows that could not be read** | 1 | 1 (1 by ngram) | set aside |" in card
    assert "| bbeh | **not read: *.jsonl: no file is called like that** | | | none |" in card
    assert "| mine | 1 | 0 | 0 | nothing to do |" in card
    assert "| mbpp | **not checked** | | | none |" in card
    assert str(tmp_path) not in card + json.dumps(done.manifest)
    again = build(tmp_path / "recipe.yaml", tmp_path / "again", quiet=True)
    assert again.manifest["cleaning"] == cleaning
    assert (
        dry_run(tmp_path / "recipe.yaml", quiet=True).counts["problems"]["set_aside"]["contaminated by humaneval"] == 1
    )


def test_contaminated_problems_that_are_flagged_stay_and_are_told(tmp_path: Path) -> None:
    done = built(tmp_path, decontaminate=BENCHMARKS[:1], contaminated="flag")
    assert "held" in kept(done)
    assert [(hit["problem"], hit["done"]) for hit in done.manifest["cleaning"]["hits"]] == [("held", "kept, flagged")]
    assert "| 1 (1 by ngram) | kept, flagged |" in (done.directory / "README.md").read_text()


def test_a_benchmark_without_a_question_is_said_not_to_have_been_read(tmp_path: Path) -> None:
    done = built(tmp_path, decontaminate=[{"name": "mbpp", "path": "humaneval.jsonl", "field": "nothing"}])
    (told,) = done.manifest["cleaning"]["benchmarks"]
    assert told["not_read"] == "humaneval.jsonl:1: expected a question in nothing, got a row of task_id, prompt"
    assert "| mbpp | **not read: humaneval.jsonl:1:" in (done.directory / "README.md").read_text()


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        ({"jaccard": 0.5}, "clean.jaccard: expected greater than or equal to 0.6"),
        ({"duplicate": "near"}, "did you mean 'duplicates'"),
        ({"duplicates": "fuzzy"}, "clean.duplicates: expected 'near', 'exact' or 'none', got 'fuzzy'"),
        ({"decontaminate": [{"name": "humanevil", "path": "x"}]}, "one of humaneval, mbpp"),
        (
            {"decontaminate": [{"name": "mbpp", "paths": "x"}]},
            "clean.decontaminate.0.paths: no such key; did you mean 'path'",
        ),
        ({"decontaminate": [{"name": "mbpp", "path": "x", "since": "2024-08-01"}]}, "since beside livecodebench only"),
        ({"decontaminate": [{"name": "mbpp", "path": "x"}] * 2}, "each benchmark once"),
        ({"contaminated": "keep"}, "'drop' or 'flag'"),
    ],
)
def test_a_faulty_recipe_is_told_by_its_key(clean: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(json.dumps({"problems": [{"path": "p.jsonl"}], "clean": clean}))
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
