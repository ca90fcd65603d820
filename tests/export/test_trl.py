"""The forms in TRL's real trainers: SFTTrainer and DPOTrainer prepare them and take a step, with a tiny model."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from crl_data.export import cft, cgd, pairs
from tests.rewards.test_trl import model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the trainers' own
trl = pytest.importorskip("trl", minversion="1.6", reason="the extra [train] is not installed: no trainer to drive")

__all__ = ["model"]  # a fixture: two layers, and a tokenizer of single bytes


def said(tokenizer: Any, messages: list[dict[str, str]], **more: Any) -> str:
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, **more)
    return text


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    whole = {"max_steps": 1, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True, "bf16": False}
    return {"output_dir": str(folder), "save_strategy": "no", "logging_steps": 1, "max_length": None, **whole, **more}


@pytest.mark.parametrize("form", [cft, cgd])
def test_sft_trains_on_the_completion_alone(form: Any, built: Path, model: tuple[Any, Any], tmp_path: Path) -> None:
    from datasets import load_dataset

    form.export(built, tmp_path / "rows")
    data = load_dataset("parquet", data_files=str(tmp_path / "rows" / "train.parquet"), split="train").select(range(4))
    config = trl.SFTConfig(**settings(tmp_path / "out"))
    trainer = trl.SFTTrainer(model=model[0], processing_class=model[1], args=config, train_dataset=data)
    tokenizer = model[1]
    for row, made in zip(data, trainer.train_dataset, strict=True):
        assert tokenizer.decode(made["input_ids"]) == said(tokenizer, row["prompt"] + row["completion"])
    batch = trainer.data_collator([dict(trainer.train_dataset[0])])
    trained = [int(token) for token in batch["labels"][0] if token != -100]
    assert tokenizer.decode(trained) == data[0]["completion"][0]["content"] + "\n"
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


def test_dpo_prepares_both_sides_and_takes_a_step(built: Path, model: tuple[Any, Any], tmp_path: Path) -> None:
    from datasets import load_dataset

    pairs.export(built, tmp_path / "rows")
    data = load_dataset("parquet", data_files=str(tmp_path / "rows" / "train.parquet"), split="train").select(range(4))
    config = trl.DPOConfig(**settings(tmp_path / "out"))
    trainer = trl.DPOTrainer(
        model=model[0], ref_model=copy.deepcopy(model[0]), processing_class=model[1], args=config, train_dataset=data
    )
    tokenizer = model[1]
    for row, made in zip(data, trainer.train_dataset, strict=True):
        assert tokenizer.decode(made["prompt_ids"]) == said(tokenizer, row["prompt"], add_generation_prompt=True)
        for side in ("chosen", "rejected"):
            whole = tokenizer.decode(made["prompt_ids"] + made[f"{side}_ids"])
            assert whole == said(tokenizer, row["prompt"] + row[side])
    trainer.train()
    assert "rewards/margins" in trainer.state.log_history[0]
