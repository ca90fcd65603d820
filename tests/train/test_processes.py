"""A run on two processes, which agree on what is drawn, when it ends and what it left."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer")

from tests.train.conftest import Started, lines, same_weights  # noqa: E402

Recipe = Callable[..., Path]
Start = Callable[..., Started]

SAID: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "generation_batch_size": 32,  # eight prompts, four of each process; two updates
    "per_device_eval_batch_size": 4,
    "zero_variance": "refill",
    "refill_limit": 3,
    "gradient_norm_every": 1,
    "save_strategy": "steps",
    "save_steps": 2,
}


def both(start: Start, recipe: Path, *options: str) -> list[Started]:
    """A run on two processes, as a launcher starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [start(recipe, *options, RANK=str(rank), LOCAL_RANK=str(rank), **shared) for rank in (0, 1)]


def ended(processes: list[Started]) -> list[int | None]:
    return [one.end(90) for one in processes]


def rollouts(folder: Path) -> list[dict[str, Any]]:
    import polars

    return polars.read_parquet(folder / "rollouts" / "*.parquet").to_dicts()


def test_two_processes_train_one_run_and_go_on_with_it_after_one_was_asked_to_end(
    recipe: Recipe, started: Start, tiny: Path
) -> None:
    held_out = {
        "validation": str(tiny / "validation"),
        "rows": 19,
        "greedy": False,
    }  # 35 rows, of which three are left for the two
    said = {**SAID, "max_steps": 8, "evaluate": held_out}
    path = recipe("whole", **said)
    whole = path.with_suffix("")
    running = both(started, path)
    assert ended(running) == [0, 0], [one.stderr for one in running]

    told = lines(whole)
    assert [one["update"] for one in told] == list(range(1, 9))
    draws = [one["draws"] for one in told if "draws" in one]
    assert len(draws) == 4
    assert told[-1]["used/prompts"] == sum(draws) * 8
    written = rollouts(whole)
    assert len(written) == sum(draws) * 32
    assert told[-1]["used/generated_tokens"] == sum(row["completion_tokens"] for row in written)
    in_epoch = [row["id"] for row in written if row["update"] == 0]
    assert all(in_epoch.count(one) == 4 for one in in_epoch)  # no prompt was drawn by both
    measured = lines(whole, "evaluations.jsonl")
    assert [one["update"] for one in measured] == [0, 2, 4, 6, 8]
    assert {one["verdict_accuracy"]["n"] for one in measured} == {19}
    assert all(any(f"{kind}/gradient_norm" in one for kind in ("solve", "critique")) for one in told)

    path = recipe("asked", **said)
    folder = path.with_suffix("")
    running = both(started, path)
    running[0].wait_for(lambda: (folder / "metrics.jsonl").exists() and len(lines(folder)) >= 3)
    running[1].kill(signal.SIGTERM)  # one alone
    assert ended(running) == [130, 130], [one.stderr for one in running]
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    running = both(started, path, "--resume")
    assert ended(running) == [0, 0], [one.stderr for one in running]
    assert same_weights(whole / "model", folder / "model")
    assert lines(folder) == told
    assert lines(folder, "evaluations.jsonl") == measured


def test_a_budget_of_seconds_ends_both_at_once(recipe: Recipe, started: Start) -> None:
    running = both(started, recipe(**SAID, budget={"gpu_seconds": 0.5}))
    assert ended(running) == [0, 0], [one.stderr for one in running]


def test_two_processes_of_a_supervised_arm_choose_once_and_go_on_as_one(
    recipe: Recipe, started: Start, tiny: Path, tmp_path: Path
) -> None:
    said = {
        "arm": "cft",
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 4,
        "save_strategy": "steps",
        "save_steps": 2,
        "max_steps": 6,
        "evaluate": {"validation": str(tiny / "validation"), "rows": 9, "greedy": False},
        "select": {
            "command": f"echo {{checkpoint}} >> {tmp_path}/asked; basename {{checkpoint}} | sed s/checkpoint-/-/"
        },
    }
    path = recipe("whole", **said)
    whole = path.with_suffix("")
    running = both(started, path)
    assert ended(running) == [0, 0], [one.stderr for one in running]
    asked = (tmp_path / "asked").read_text().split()
    assert asked == [str(whole / f"checkpoint-{update}") for update in (2, 4, 6)]  # each once
    told = json.loads((whole / "run.json").read_text())
    assert told["choice"]["update"] == 2
    assert told["used"]["prompts"] == 6 * 16
    assert same_weights(whole / "model", whole / "checkpoint-2")
    measured = lines(whole, "evaluations.jsonl")
    assert [one["update"] for one in measured] == [0, 2]
    assert {one["verdict_accuracy"]["n"] for one in measured} == {9}

    path = recipe("asked_to_end", **{**said, "max_steps": 40, "select": "last"})
    folder = path.with_suffix("")
    running = both(started, path)
    running[0].wait_for(lambda: (folder / "metrics.jsonl").exists() and len(lines(folder)) >= 3)
    running[1].kill(signal.SIGTERM)  # one alone
    assert ended(running) == [130, 130], [one.stderr for one in running]
    running = both(started, path, "--resume", "--set", "evaluate.validation=10")
    assert ended(running) == [2, 2], [one.stderr for one in running]
    assert all("of other rows" in one.stderr and "Traceback" not in one.stderr for one in running)
    running = both(started, path, "--resume")
    assert ended(running) == [0, 0], [one.stderr for one in running]
    assert [one["update"] for one in lines(folder)] == list(range(1, 41))
    assert same_weights(folder / "model", folder / "checkpoint-40")


def test_what_the_command_of_select_does_wrong_ends_both_in_one_line(recipe: Recipe, started: Start) -> None:
    said = {"arm": "cft", "per_device_train_batch_size": 8, "max_steps": 1, "select": {"command": "echo none"}}
    running = both(started, recipe(**said))
    assert ended(running) == [1, 1], [one.stderr for one in running]
    for one in running:
        told = [line for line in one.stderr.splitlines() if line.startswith("crl-train: ")]
        assert len(told) == 1
        assert "expected a number as JSON on the last line" in told[0]
        assert "Traceback" not in one.stderr
