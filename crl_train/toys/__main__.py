"""`python -m crl_train.toys NAME --out DIR [--seed N]`: write a task, and build its datasets.

In DIR then: `data/`, `validation/` and `test/` (built by crl-data), `demonstrations.jsonl` (what a warm start is shown),
`model/` (a random model with its tokenizer), and what these were made from.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crl_data.columns import PROBLEM, SOLUTION
from crl_data.corpus.build import build
from crl_data.rows import RowWriter, cells_of

TASKS = ("tiny", "small")
SPLITS = {"train": "data", "validation": "validation", "test": "test"}


def write_task(
    name: str, out: Path, seed: int = 0, demonstrations: int = 16000, mutants: int = 1, random_model: bool = True
) -> None:
    """Write a task of `TASKS` to a folder, and build its datasets. mutants: of each problem's reference."""
    task = importlib.import_module(f"crl_train.toys.{name}")
    out.mkdir(parents=True, exist_ok=True)
    for kind in ("solve", "critique", "shown", "cgd"):
        (out / f"{kind}.jinja").write_text(getattr(task, f"{kind.upper()}_PROMPT") + "\n", encoding="utf-8")
    problems = task.problems()
    of_split = {split: [one for one in problems if task.split_of(one.id) == split] for split in SPLITS}
    rng = random.Random(seed)
    shown = list(task.demonstrations(of_split["train"], demonstrations, rng))
    (out / "demonstrations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shown), encoding="utf-8")
    for split, folder in SPLITS.items():
        _rows(out / f"{split}-problems.jsonl", PROBLEM, of_split[split])
        written = [one for problem in of_split[split] for one in task.solutions(problem)]
        _rows(out / f"{split}-solutions.jsonl", SOLUTION, written)
        recipe = {
            "problems": [{"path": f"{split}-problems.jsonl"}],
            "candidates": [
                {"sampler": "recorded", "path": f"{split}-solutions.jsonl"},
                *([{"sampler": "mutants", "per_problem": mutants}] if mutants and split == "train" else []),
            ],
            "clean": {"duplicates": "none"},
            "mix": {"critique_share": 0.2, "balance": 0.5},
            "prompts": {"solve": "solve.jinja", "critique": "critique.jinja"},
            "split": {"test_share": 0.0},
            "seed": seed,
        }
        if split == "train":
            critiques = list(_critiques(task, of_split["train"], written, rng))
            (out / "critiques.jsonl").write_text("".join(json.dumps(row) + "\n" for row in critiques), encoding="utf-8")
            recipe["critiques"] = {"sampler": "recorded", "path": "critiques.jsonl", "of": "pool", "refine": True}
        (out / f"{folder}.yaml").write_text(json.dumps(recipe, indent=1), encoding="utf-8")
        build(out / f"{folder}.yaml", out / folder)
    tokenizer = task.tokenizer()
    tokenizer.save_pretrained(out / "model")
    if random_model:
        _random_model(task, len(tokenizer), seed).save_pretrained(out / "model")


def _rows(path: Path, columns: Any, things: Iterable[Any]) -> None:
    with RowWriter(path, columns) as file:
        for one in things:
            file.write(cells_of(one))


def _critiques(
    task: Any, problems: Iterable[Any], written: Iterable[Any], rng: random.Random
) -> Iterable[dict[str, Any]]:
    """A teacher's critique of each solution, and its correction."""
    by_id = {problem.id: problem for problem in problems}
    for solution in written:
        text, better = task.teacher(by_id[solution.problem_id], solution.code, rng)
        yield {
            "problem_id": solution.problem_id,
            "solution_id": solution.id,
            "response": text,
            "refined_code": better,
            "sampler": {"name": "recorded", "model": f"crl-toys/{task.NAME}"},
        }


def _random_model(task: Any, size: int, seed: int) -> Any:
    import torch
    from transformers import Qwen3ForCausalLM, set_seed

    set_seed(seed)
    return Qwen3ForCausalLM(task.config(size)).to(torch.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m crl_train.toys", description="Write a learning task, and build its datasets."
    )
    parser.add_argument("name", choices=TASKS)
    parser.add_argument("--out", type=Path, help="the folder  [default: build/NAME]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--demonstrations", type=int, default=16000)
    given = parser.parse_args()
    out = given.out or Path("build") / given.name
    write_task(given.name, out, given.seed, given.demonstrations)
    print(f"{out}: data/, validation/, test/, demonstrations.jsonl and model/")


if __name__ == "__main__":
    main()
