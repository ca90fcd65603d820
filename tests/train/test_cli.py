"""The command line of crl-train before any work: what it offers, how light it is, calls that are wrong."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_help import HEAVY, loaded_by

OPTIONS = {"train": "--set --dry-run --resume", "report": "--out", "doctor": "", "push": "--private --dry-run"}


def crl_train(*args: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "crl_train", *args]
    return subprocess.run(
        call, capture_output=True, text=True, timeout=120, check=False, env={"COLUMNS": "200", "PATH": ""}
    )


@pytest.mark.parametrize("args", [["--help"], *([command, "--help"] for command in OPTIONS)], ids=" ".join)
def test_help_loads_no_heavy_library(args: list[str]) -> None:
    assert loaded_by(f"sys.argv = {['crl-train', *args]!r}; import crl_train.cli; crl_train.cli.main()", HEAVY) == []


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_offers_what_the_contract_says(command: str) -> None:
    done = crl_train(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert [one for one in [*OPTIONS[command].split(), "--json", "--debug"] if one not in done.stdout.split()] == []


@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="the extra [train] is not installed")
def test_a_recipe_alone_is_trained() -> None:
    done = crl_train("there-is-none.yaml")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "there-is-none.yaml" in done.stderr


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("report", "RUN"),
        ("report nowhere", "nowhere"),
        ("push nowhere me/x", "nowhere"),
        ("push run", "REPO_ID"),
        ("train", "RECIPE"),
    ],
)
def test_a_wrong_call_is_one_line_that_names_what_is_wrong(call: str, told: str) -> None:
    done = crl_train(*call.split())
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert (
        done.stderr.startswith("crl-train: ") and told.lower() in done.stderr.lower() and "fault of" not in done.stderr
    )


def test_without_anything_it_says_what_there_is() -> None:
    done = crl_train()
    assert "Commands:" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_the_installed_program_is_the_module() -> None:
    program = Path(sys.executable).with_name("crl-train")
    if not program.exists():
        pytest.skip("crl-train is not installed beside this Python")
    told = subprocess.run([str(program), "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert told.startswith("Usage: crl-train ")


def test_a_push_that_sends_nothing_needs_no_hub(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "model" / "config.json").write_text("{}")
    (run / "model" / "model.safetensors").write_bytes(b"weights")
    card = {
        "name": "run",
        "base_model": "a/b",
        "dataset": "data",
        "dataset_revision": "1",
        "licenses": {},
        "arm": "hybrid",
        "critique_share": 0.2,
        "settings": [{"name": "learning_rate", "value": 1e-6, "source": "paper"}],
        "budget": {"updates": 3},
        "steps": 3,
        "selection": "being the last",
        "selected_on": "no split",
        "results": [],
    }
    (run / "run.json").write_text(json.dumps({"format": 1, "status": "done", "card": card}))
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_x", "PATH": ""}
    call = [sys.executable, "-m", "crl_train", "push", str(run), "me/x", "--dry-run"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=180, check=False, env=nowhere)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in done.stdout and "would be sent" in done.stdout and "not known" in done.stderr
    (run / "run.json").write_text(json.dumps({"format": 1, "status": "running"}))
    again = subprocess.run(call, capture_output=True, text=True, timeout=180, check=False, env=nowhere)
    assert again.returncode == 1 and "the run is not over" in again.stderr
