"""What the tests of the trainer share: the tiny task, small and built once, a model that was shown some of it, and runs of both.

`run` trains in this process, through what the command line calls; `started` is the command itself, in another.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

SETTINGS: dict[str, Any] = {
    "arm": "hybrid",
    "mix": {"critique_share": 0.4, "balance": 0.5},
    "evaluate": {"rows": 8, "greedy": False},
    "num_generations": 4,
    "per_device_train_batch_size": 16,
    "max_completion_length": 12,
    "temperature": 1.0,
    "top_k": 0,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant_with_warmup",
    "beta": 0.0,
    "loss_type": "dapo",
    "save_strategy": "no",
    "logging_steps": 1,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "per_device_eval_batch_size": 64,
    "seed": 0,
}
"""Four prompts of four samples make a batch, and one update."""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny task with a problem of each pair, and its datasets; to be read only."""
    pytest.importorskip("transformers", reason="the extra [train] is not installed: no tokenizer of the tiny task")
    from crl_train.toys import tiny
    from crl_train.toys.__main__ import write_task

    folder = tmp_path_factory.mktemp("toys") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        for split in tiny.COPIES:
            patch.setitem(tiny.COPIES, split, 1)
        write_task("tiny", folder, demonstrations=1500)
    return folder


@pytest.fixture(scope="session")
def warm(tiny: Path) -> Path:
    """A model that was shown the demonstrations for a while: some of what it writes is right."""
    said = {
        "dataset": str(tiny / "data"),
        "model_name_or_path": str(tiny / "model"),
        "arm": "sft",
        "demonstrations": str(tiny / "demonstrations.jsonl"),
        "output_dir": str(tiny.parent / "warm"),
        "max_steps": 200,
        "per_device_train_batch_size": 32,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "cosine",
        **{
            name: SETTINGS[name] for name in ("save_strategy", "use_cpu", "bf16", "gradient_checkpointing", "report_to")
        },
        "logging_steps": 100,
        "seed": 0,
    }
    write(tiny.parent / "warm.yaml", said)
    return run(tiny.parent / "warm.yaml").run / "model"


def write(path: Path, said: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    return path


@pytest.fixture
def recipe(tiny: Path, warm: Path, tmp_path: Path) -> Callable[..., Path]:
    """A recipe of the tiny task: `SETTINGS` with others over them; None leaves one out. Its run is left in a folder of its name."""

    def made(name: str = "run", **changes: Any) -> Path:
        said = {
            "dataset": str(tiny / "data"),
            "model_name_or_path": str(warm),
            "output_dir": str(tmp_path / name),
            "prompts": {kind: str(tiny / f"{kind}.jinja") for kind in ("critique", "shown", "cgd")},
            **SETTINGS,
            **changes,
        }
        return write(tmp_path / f"{name}.yaml", {key: value for key, value in said.items() if value is not None})

    return made


def run(recipe: Path, *settings: str, resume: bool = False) -> Any:
    """Train here."""
    from crl_train.recipe_file import load_job
    from crl_train.train import train

    return train(load_job(recipe, settings), resume)


class Started:
    """The command in a process of its own, forked from one that has imported all of it."""

    def __init__(self, recipe: Path, *options: str, **variables: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["crl_train.supervised", "crl_train.cli", "tests.train.conftest"])
        self._said = recipe.with_suffix(f".{time.monotonic_ns()}.err")
        self._process = context.Process(target=_command, args=([str(recipe), *options], str(self._said), variables))
        self._process.start()
        self.pid = self._process.pid or 0

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_for(self, reached: Callable[[], bool], seconds: float = 120.0) -> None:
        """Until something is so; the process must still be there then."""
        began = time.monotonic()
        while not reached():
            assert self._process.is_alive(), self.stderr
            assert time.monotonic() - began < seconds, "it did not come to pass in time"
            time.sleep(0.002)

    def end(self, seconds: float = 180.0) -> int | None:
        """Its exit status, when it has ended."""
        self._process.join(seconds)
        return self._process.exitcode

    @property
    def stderr(self) -> str:
        return self._said.read_text() if self._said.exists() else ""


def _command(arguments: list[str], stderr: str, variables: dict[str, str]) -> None:
    from crl_train.cli import main

    os.environ.update(variables)
    os.setpgid(0, 0)
    file = os.open(stderr, os.O_CREAT | os.O_WRONLY)
    os.dup2(file, 2)
    os.dup2(file, 1)
    sys.argv = ["crl-train", *arguments]
    main()


@pytest.fixture
def started() -> Iterator[Callable[..., Started]]:
    """The command, in a process of its own; what is still running after a test is ended."""
    running: list[Started] = []

    def start(recipe: Path, *options: str, **variables: str) -> Started:
        running.append(Started(recipe, *options, **variables))
        return running[-1]

    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill(9)
        process.end(10)


TIMES = ("seconds/", "used/gpu_seconds", "step_time", "judge_seconds", "profiling/")


def lines(run: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    """The lines of a log, without what is measured in seconds."""
    found = [json.loads(line) for line in (run / name).read_text().splitlines()]
    return [{key: value for key, value in line.items() if not any(one in key for one in TIMES)} for line in found]


def weights(folder: Path) -> dict[str, Any]:
    """The tensors of a model that was saved."""
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def same_weights(one: Path, other: Path) -> bool:
    """Whether two saved models are the same, bit for bit."""
    import torch

    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
