"""What the tests of exports share: a real build with critiques of every solution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from tests.conftest import ROOT

EXAMPLES = ROOT / "crl_data" / "examples"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples with critiques of every solution: by number some conclude rightly, some wrongly, some nothing, twice each."""
    folder = tmp_path_factory.mktemp("texts")
    problems = {row["id"]: row for row in lines(EXAMPLES / "problems.jsonl")}
    written = []
    for number, row in enumerate(lines(EXAMPLES / "solutions.jsonl")):
        truth = "T" if row.get("verdict") else "F"
        for turn in range(2):
            end = {0: truth, 1: "F" if truth == "T" else "T", 2: "?"}[(number + turn) % 3]
            written.append(
                {
                    "problem_id": row["problem_id"],
                    "solution_id": row["id"],
                    "response": f"<think>\nhm {number}\n</think>\nIt is so ({turn}).\n\\conclusion{{{end}}}",
                    "refined_code": problems[row["problem_id"]]["reference"] if number % 4 else "print('no')",
                }
            )
    (folder / "critiques.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")
    recipe = {
        "problems": [{"path": str(EXAMPLES / "problems.jsonl")}],
        "candidates": [{"sampler": "recorded", "path": str(EXAMPLES / "solutions.jsonl")}],
        "critiques": {"sampler": "recorded", "path": "critiques.jsonl", "of": "pool", "n": 2, "refine": True},
        "mix": {"critique_share": 0.5},
        "split": {"test_share": 0.25},
        "seed": 3,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return build(folder / "recipe.yaml", folder / "out", quiet=True).directory
