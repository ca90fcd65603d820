"""The shipped training recipes: the paper's numbers by `--dry-run`, their very keys in a trainer of a toy model, and the recipe
for a first try on a GPU run from end to end with a toy model on a processor: killed, gone on with, chosen from, and its push told.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer to drive")
pytestmark = pytest.mark.filterwarnings("ignore")

from crl_train.cli import main  # noqa: E402
from crl_train.forecast import forecast, text_of  # noqa: E402
from crl_train.phases import Progress  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.run import described, load_tokenizer, prepared  # noqa: E402
from crl_train.selection import STATE  # noqa: E402
from crl_train.toys import tiny  # noqa: E402
from crl_train.toys.__main__ import _random_model  # noqa: E402
from crl_train.train import train  # noqa: E402
from crl_train.trainer import CritiqueTrainer  # noqa: E402
from tests.train.conftest import Started  # noqa: E402

SIZES = {
    "4b": (
        {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "tie_word_embeddings": True},
        4.02e9,
    ),
    "8b": (
        {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "tie_word_embeddings": False},
        8.19e9,
    ),
}
"""Of Qwen3-4B and -8B, and how many parameters that makes."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random toy model that reads words of the tiny task alone."""
    folder = tmp_path_factory.mktemp("toy")
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(folder)
    _random_model(tiny, len(tokenizer), 0).save_pretrained(folder)
    return folder


def configuration(folder: Path, size: str, toy: Path) -> Path:
    """The configuration of a large model, with no weights, and the toy's tokenizer."""
    from transformers import Qwen3Config

    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}
    Qwen3Config(**SIZES[size][0], **heads).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((toy / name).read_bytes())
    return folder


@pytest.mark.parametrize("size", SIZES)
def test_a_dry_run_has_the_papers_numbers(size: str, demo: Path, toy: Path, tmp_path: Path) -> None:
    settings = [f"dataset={demo}", f"model_name_or_path={configuration(tmp_path, size, toy)}", "evaluate.validation=4"]
    found = forecast(load_job(ROOT / "recipes" / f"critique-coder-{size}.yaml", settings, on_processor=True))
    steps = found["steps"]
    assert (steps["prompts_a_generation"], steps["completions_a_generation"]) == (128, 1024)
    assert (steps["completions_an_update"], steps["updates_a_generation"], steps["processes"]) == (512, 2, 8)
    assert [one["max_completion_length"] for one in steps["phases"]] == [16384, 32768]
    assert [one["critique_weight"] for one in steps["phases"]] == [0.8, 1.0] and not steps["critique_weight_bites"]
    assert steps["most_draws_a_step"] is None
    sources = {one["name"]: (one["value"], one["source"]) for one in found["settings"]}
    for name, value in (
        ("learning_rate", 1e-6),
        ("epsilon", 0.2),
        ("epsilon_high", 0.3),
        ("num_generations", 8),
        ("mix.critique_share", 0.2),
        ("phases.0.critique_weight", 0.8),
        ("phases.0.max_completion_length", 16384),
        ("phases.1.max_completion_length", 32768),
        ("chat_template_kwargs.enable_thinking", True),
        ("num_train_epochs", 1),
        ("critique_weight_mode", "raw"),
        ("scale_rewards", "group"),
    ):
        assert sources[name][0] == value and sources[name][1] in ("paper", "paper, scripts"), name
    for name, value in (
        ("temperature", 0.6),
        ("top_p", 0.95),
        ("top_k", 20),
        ("beta", 0.0),
        ("warmup_steps", 20),  # 10 batches of 2 updates
        ("gradient_accumulation_steps", 64),
        ("weight_decay", 0.01),
        ("adam_beta1", 0.9),
        ("adam_beta2", 0.999),
        ("max_grad_norm", 1.0),
        ("lr_scheduler_type", "constant_with_warmup"),
        ("max_prompt_length", 4096),
        ("zero_variance", "refill"),
        ("save_steps", 20),
    ):
        assert sources[name] == (value, "scripts"), name
    assert sources["select"][1] == "ours (paper: reported-test)"
    assert found["model"]["parameters"] == pytest.approx(SIZES[size][1], rel=0.01)
    assert sources["phases.0.until.plateau.window"][1] == "ours (paper: once rewards have stabilized)"
    assert sources["importance_sampling_level"] == ("token", "default")
    whole, sharded = found["memory"]["ways"]
    assert (whole["zero_stage"], sharded["zero_stage"]) == (0, 3)
    assert whole["weights_gb"] == pytest.approx(2 * SIZES[size][1] / 1024**3, rel=0.01)
    for part in ("weights_gb", "gradients_gb", "optimizer_gb"):
        assert sharded[part] == pytest.approx(whole[part] / 8, abs=0.01)
    assert sharded["activations_gb"] == whole["activations_gb"]
    told = text_of(found)
    assert "512 completions an update" in told and "critique_weight changes nothing here" in told
    assert "nothing spread: " in told and "DeepSpeed ZeRO-3 over 8 processes: " in told


def test_held_out_rows_are_answered_in_one_round() -> None:
    for size in SIZES:
        said = yaml.safe_load((ROOT / "recipes" / f"critique-coder-{size}.yaml").read_text(encoding="utf-8"))
        answers = 2 * said["evaluate"]["rows"] * said["evaluate"]["samples"]
        assert said["per_device_eval_batch_size"] * said["processes"] == answers


@pytest.mark.parametrize("size", SIZES)
def test_the_very_keys_make_a_trainer(size: str, demo: Path, toy: Path, tmp_path: Path) -> None:
    here = ("processes=1", "gradient_accumulation_steps=512", "use_cpu=true", "bf16=false", "use_vllm=false")
    settings = [
        f"dataset={demo}",
        f"model_name_or_path={toy}",
        f"output_dir={tmp_path}",
        "evaluate.validation=4",
        *here,
    ]
    job = load_job(ROOT / "recipes" / f"critique-coder-{size}.yaml", settings)
    tokenizer = load_tokenizer(job)
    made = CritiqueTrainer(
        ours=job.ours,
        rows=prepared(job, tokenizer).train,
        progress=Progress(),
        args=job.trl,
        model=str(toy),
        processing_class=tokenizer,
    )
    assert (made.prompts_at_once, made.num_generations, made.updates_at_once) == (128, 8, 2)
    assert (made.epsilon_low, made.epsilon_high, made.beta, made.loss_type) == (0.2, 0.3, 0.0, "grpo")
    assert (made.temperature, made.top_p, made.top_k) == (0.6, 0.95, 20)
    made.enter(job.ours.phases[0])
    assert made.max_completion_length == made.generation_config.max_new_tokens == 16384
    assert made.reward_weights.tolist() == pytest.approx([0.8, 1.0])
    made.enter(job.ours.phases[1])
    assert made.max_completion_length == made.generation_config.max_new_tokens == 32768
    assert made.reward_weights.tolist() == [1.0, 1.0]
    assert made.chat_template_kwargs == {"enable_thinking": True}


def test_the_recipe_for_a_first_try_runs_from_end_to_end(
    demo: Path,
    toy: Path,
    tmp_path: Path,
    started: Callable[..., Started],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "smoke"
    recipe = tmp_path / "smoke-gpu.yaml"
    recipe.write_bytes((ROOT / "recipes" / "smoke-gpu.yaml").read_bytes())
    here: dict[str, Any] = {
        "dataset": demo,
        "model_name_or_path": toy,
        "output_dir": run,
        "use_vllm": "false",
        "use_cpu": "true",
        "bf16": "false",
        "gradient_checkpointing": "false",
        "phases.0.max_completion_length": 4,
        "phases.1.max_completion_length": 6,
        "zero_variance": "keep",
        "per_device_train_batch_size": 32,
        "gradient_accumulation_steps": 2,
    }
    settings = [f"{name}={value}" for name, value in here.items()]
    process = started(recipe, *(part for setting in settings for part in ("--set", setting)))
    process.wait_for(lambda: (run / "checkpoint-5" / STATE).exists())
    process.kill(signal.SIGKILL)
    assert process.end() == -signal.SIGKILL
    assert not (run / "model").exists()
    done = train(load_job(recipe, settings), resume=True)
    assert done.run == run and not done.interrupted
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == list(range(1, 11))
    assert [line["completions/max_length"] for line in lines] == [4] * 5 + [6] * 5
    told = json.loads((run / "run.json").read_text())
    assert (
        told["status"] == "done"
        and told["choice"]["split"] == "validation"
        and set(told["choice"]["scores"]) == {"5", "10"}
    )
    card = described(run)
    assert card.selection.startswith("the best verdict accuracy") and card.steps == 10
    assert {"checkpoint-5", "checkpoint-10", "model", "rollouts"} <= {path.name for path in run.iterdir()}
    monkeypatch.setattr(sys, "argv", ["crl-train", "push", str(run), "me/smoke", "--dry-run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = capsys.readouterr().out
    assert all(name in said for name in ("model.safetensors", "README.md", "crl_train.json", "files would be sent"))


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*-*.yaml")), ids=lambda path: path.name)
def test_every_training_recipe_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "model_name_or_path" not in path.read_text(encoding="utf-8"):
        pytest.skip("a recipe of a dataset")
    monkeypatch.setattr("os.environ", dict(__import__("os").environ))
    job = load_job(path, on_processor=True)
    assert job.ours.dataset and job.model.model_name_or_path
