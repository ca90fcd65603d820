"""What the tests of exports share: the shipped problems, built with a teacher's recorded critiques, and its tables plainly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars
import pytest

from crl_data import build
from tests.conftest import ROOT, write_rows
from tests.conftest import read_rows as lines_of

EXAMPLES = ROOT / "crl_data" / "examples"
Row = dict[str, Any]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped problems and responses, critiques of all that was decided, and corrected solutions; to be read only.

    The teacher errs, concludes nothing, thinks aloud and corrects wrongly now and then, as the places of its texts fall.
    """
    folder = tmp_path_factory.mktemp("export")
    references = {row["id"]: row["reference"] for row in lines_of(EXAMPLES / "problems.jsonl")}
    critiques = []
    for place, row in enumerate(lines_of(EXAMPLES / "solutions.jsonl")):
        said = "T" if (row["verdict"] is True) is (place % 7 != 3) else "F"
        for number in range(2):
            text = f"Line {place}, {number}: as it stands. \\conclusion{{{said}}}"
            if place % 5 == number:
                text = f"<think>\nPerhaps \\conclusion{{T}}\n</think>\n\n{text}"
            critique = {"problem_id": row["problem_id"], "solution_id": row["id"], "response": text}
            if place % 11 == 4:
                critique["response"] = "I cannot say."
            if place % 4 != 1:
                critique["refined_code"] = references[row["problem_id"]] if place % 4 else "print('no')\n"
            critiques.append(critique)
    write_rows(folder / "teacher.jsonl", critiques)
    recipe = {
        "problems": [{"path": str(EXAMPLES / "problems.jsonl")}],
        "candidates": [
            {"sampler": "recorded", "path": str(EXAMPLES / "solutions.jsonl")},
            {"sampler": "mutants", "per_problem": 2},
        ],
        "mix": {"critique_share": 0.5, "per_problem": 2},
        "split": {"test_share": 0.25},
        "critiques": {"sampler": "recorded", "path": "teacher.jsonl", "n": 2, "of": "pool", "refine": True},
        "seed": 3,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    build(folder / "recipe.yaml", folder / "built", quiet=True)
    return folder / "built"


def table(directory: Path, pattern: str) -> list[Row]:
    """The rows of the files of a pattern, as polars reads them."""
    return [row for file in sorted(directory.glob(pattern)) for row in polars.read_parquet(file).to_dicts()]


def records(directory: Path) -> list[Row]:
    return table(directory, "data/*.parquet")


def splits(directory: Path) -> dict[str, str]:
    """The split of every problem."""
    found: dict[str, str] = {}
    for file in sorted((directory / "data").glob("*.parquet")):
        name = re.sub(r"-\d+-of-\d+$", "", file.stem)
        found |= dict.fromkeys(polars.read_parquet(file)["problem_id"].to_list(), name)
    return found


def loaded(*files: Path) -> list[Row]:
    """The rows of files, as `datasets` reads them."""
    from datasets import load_dataset

    kind = "parquet" if files[0].name.endswith(".parquet") else "json"
    data = load_dataset(
        kind, data_files=[str(file) for file in files], split="train", cache_dir=str(files[0].parent / "hf")
    )
    return [dict(row) for row in data]


def message(content: str) -> list[Row]:
    return [{"role": "assistant", "content": content}]
