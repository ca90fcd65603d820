"""Licences of problems, and what the filter kept: what a recipe allows, and what manifest and card say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crl_data import build
from crl_data.errors import InputError
from tests.conftest import PROBLEM_ROW, write_rows

LICENSES = {"a": "mit", "b": "cc-by-4.0", "c": "", "d": "mit"}


def recipe(folder: Path, **more: Any) -> Path:
    """Four problems of three licences, one of them unknown; their tests are of known number and length."""
    rows = [
        {
            **PROBLEM_ROW,
            "id": name,
            "question": f"Add two integers: {name}.",
            "tests": [{"input": "1 2\n", "expected": "3\n"}] * (n + 1) + [{"input": "1 " * 500, "expected": "0\n"}],
            "source": {"dataset": "tests", "license": license_},
        }
        for n, (name, license_) in enumerate(LICENSES.items())
    ]
    write_rows(folder / "problems.jsonl", rows)
    path = folder / "recipe.yaml"
    path.write_text(json.dumps({"problems": [{"path": "problems.jsonl"}], "split": {"test_share": 0}, **more}))
    return path


def kept(folder: Path, **more: Any) -> tuple[int, dict[str, Any], str]:
    done = build(recipe(folder, **more), folder / "out", quiet=True)
    card = (done.directory / "README.md").read_text()
    return done.manifest["counts"]["problems"]["kept"], done.manifest, card


def test_without_a_word_all_are_kept_and_an_unknown_licence_is_told(tmp_path: Path) -> None:
    n, manifest, card = kept(tmp_path)
    assert n == 4 and "**The licence of 1 problems is unknown**" in card
    assert {source["license"]: source["problems"] for source in manifest["sources"]} == {
        "": 1,
        "cc-by-4.0": 1,
        "mit": 2,
    }
    assert "- unknown" in card.partition("---\n")[2].partition("---\n")[0]


def test_problems_under_another_licence_are_set_aside_with_its_name(tmp_path: Path) -> None:
    n, manifest, card = kept(tmp_path, allow_licenses=["mit"])
    assert n == 2 and manifest["counts"]["problems"]["set_aside"] == {"its licence is not allowed": 2}
    assert {one["id"]: one["reason"] for one in manifest["set_aside"]} == {
        "b": "its licence is not allowed: cc-by-4.0",
        "c": "its licence is not allowed: unknown",
    }
    assert "is unknown" not in card and "license: mit" in card


def test_nothing_of_a_problem_whose_licence_is_not_allowed_is_in_the_dataset(tmp_path: Path) -> None:
    code = "print(sum(map(int, input().split())))"
    write_rows(
        tmp_path / "solutions.jsonl", [{"problem_id": name, "id": f"{name}/1", "code": code} for name in LICENSES]
    )
    candidates = [{"sampler": "recorded", "path": "solutions.jsonl"}]
    _, manifest, _ = kept(tmp_path, allow_licenses=["mit"], candidates=candidates)
    assert manifest["counts"]["candidates"]["read"] == 2
    for name, column in (("problems", "id"), ("candidates", "problem_id"), ("judgements", "problem_id")):
        rows = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        assert set(rows[column].to_pylist()) == {"a", "d"}, name


def test_an_unknown_licence_is_allowed_by_that_name(tmp_path: Path) -> None:
    n, _, card = kept(tmp_path, allow_licenses=["mit", "unknown"])
    assert n == 3 and "is unknown**, and the recipe names that as allowed" in card


def test_the_recipe_says_what_the_licence_of_a_source_is(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    told = [{"path": "problems.jsonl", "license": "cc0-1.0", "revision": "v3"}]
    path.write_text(json.dumps({**json.loads(path.read_text()), "problems": told, "allow_licenses": ["cc0-1.0"]}))
    done = build(path, tmp_path / "out", quiet=True)
    assert [(one["license"], one["revision"]) for one in done.manifest["sources"]] == [("cc0-1.0", "v3")]


def test_where_none_is_allowed_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 x its licence is not allowed"):
        kept(tmp_path, allow_licenses=["gpl-3.0"])


def test_the_table_of_the_filter_has_both_sides(tmp_path: Path) -> None:
    _, manifest, card = kept(tmp_path, allow_licenses=["mit", "unknown"])
    before, after = (manifest["counts"]["filter"][side] for side in ("before", "after"))
    assert before == {
        "questions": 4,
        "mean tests": 3.5,  # 2, 3, 4 and 5
        "median tests": 3.5,
        "mean characters of a test input": round((10 * 4 + 4 * 1000) / 14, 1),
    }
    assert after == {"questions": 3, "mean tests": 2.67, "median tests": 3, "mean characters of a test input": 4.0}
    assert "| mean tests of a question | 3.5 | 2.67 | 87 | 24 |" in card
    assert "4 problems were read; 1 set aside: its licence is not allowed" in card
