"""The rewards inside TRL's real GRPOTrainer, with a real (tiny) model: what None does, and what a dead runner does."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crl_data.rewards import acritique_reward, asolve_reward, critique_reward, hybrid_reward, reward, solve_reward
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the trainer's own
trl = pytest.importorskip("trl", minversion="1.6", reason="the extra [train] is not installed: no trainer to drive")

RIGHT = f"```python\n{RIGHT_SUM}```"
HALF = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 0)\n```"
ENDLESS = "```python\nwhile True: pass\n```"
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
ROW = {
    "prompt": [{"role": "user", "content": "add two numbers"}],
    "tests": PROBLEM_ROW["tests"],
    "test_kind": "stdin",
    "time_limit_s": 0.25,
    "solution": None,
    "verdict": None,
}
CRITIQUE = {**ROW, "prompt": [{"role": "user", "content": "is this right?"}], "solution": "print(1)", "verdict": False}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """A model of two layers and a tokenizer of single bytes, which gives back every text as it was."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    signs = {sign: n for n, sign in enumerate(["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    bytes_ = Tokenizer(models.BPE(vocab=signs, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token="<pad>", eos_token="<eos>", chat_template=TEMPLATE
    )
    config = Qwen3Config(
        vocab_size=len(signs),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=16384,
        pad_token_id=0,
        eos_token_id=1,
    )
    yield Qwen3ForCausalLM(config), tokenizer


def one_step(folder: Path, groups: int, size: int, **more: Any) -> Any:
    """The configuration of one step of so many groups of completions, on a CPU."""
    return trl.GRPOConfig(
        output_dir=str(folder),
        max_steps=1,
        num_generations=size,
        per_device_train_batch_size=groups * size,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        logging_steps=1,
        **more,
    )


Train = Callable[..., Any]


@pytest.fixture
def train(model: tuple[Any, Any], tmp_path: Path) -> Train:
    """One step of GRPO over groups whose completions are said beforehand; the trainer, with what it logged."""
    from datasets import Dataset

    def run(rows: list[dict[str, Any]], completions: list[list[str]], rewards: list[Any], **more: Any) -> Any:
        size = len(completions[0])
        texts = {row["prompt"][0]["content"]: said for row, said in zip(rows, completions, strict=True)}

        def say(prompts: list[Any], trainer: Any) -> dict[str, Any]:
            tokenizer = trainer.processing_class
            turn = dict.fromkeys(texts, 0)
            said, asked = [], []
            for prompt in prompts:
                name = prompt[0]["content"]
                said.append(tokenizer(texts[name][turn[name]] + "<eos>")["input_ids"])
                asked.append(tokenizer(tokenizer.apply_chat_template(prompt, tokenize=False))["input_ids"])
                turn[name] += 1
            return {"prompt_ids": asked, "completion_ids": said, "logprobs": [[0.0] * len(one) for one in said]}

        config = one_step(tmp_path, len(rows), size, max_completion_length=256, shuffle_dataset=False, **more)
        trainer = trl.GRPOTrainer(
            model=model[0],
            processing_class=model[1],
            reward_funcs=rewards,
            args=config,
            train_dataset=Dataset.from_list(rows),
            rollout_func=say,
        )
        trainer.train()
        return trainer

    return run


def seen(trainer: Any, name: str) -> list[float]:
    return list(trainer._logs["rewards"][name])


def logged(trainer: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in trainer.state.log_history:
        found |= entry
    return found


@pytest.mark.parametrize("reward_func", [solve_reward, asolve_reward])
def test_a_group_about_which_nothing_can_be_decided_moves_nothing(train: Train, reward_func: Any) -> None:
    trainer = train([ROW], [[ENDLESS] * 4], [reward_func])
    assert all(math.isnan(one) for one in seen(trainer, reward_func.__name__))
    assert list(trainer._logs["advantages"]) == [0.0] * 4
    assert logged(trainer)["solve/inconclusive"] == 1.0 and logged(trainer)["grad_norm"] == 0.0


def test_what_is_undecided_is_no_part_of_its_groups_mean(train: Train) -> None:
    trainer = train([ROW], [[RIGHT, ENDLESS, HALF, "no code"]], [solve_reward])
    right, endless, half, none = seen(trainer, "solve_reward")
    assert (right, half, none) == (1.0, pytest.approx(5 / 6), 0.0) and math.isnan(endless)
    advantages = list(trainer._logs["advantages"])
    assert advantages[1] == 0.0 and [a > 0 for a in advantages] == [True, False, True, False]
    assert sum(advantages) == pytest.approx(0, abs=1e-4)
    metrics = logged(trainer)
    assert metrics["solve/inconclusive"] == 0.25 and metrics["solve/passed_all"] == 0.25
    assert (
        metrics["solve/tests/timeout"] > 0 and metrics["solve/judge_seconds_p95"] >= metrics["solve/judge_seconds_p50"]
    )


@pytest.mark.parametrize(
    "rewards",
    [[critique_reward, solve_reward], [acritique_reward, asolve_reward], [hybrid_reward]],
    ids=["two", "two async", "hybrid"],
)
def test_mixed_rows_are_each_rewarded_by_their_kind(train: Train, rewards: list[Any]) -> None:
    critiques = [r"No. \conclusion{F}", r"Yes. \conclusion{T}", "I do not know.", r"\conclusion{F}"]
    solutions = [RIGHT, HALF, RIGHT, "no code"]
    trainer = train([CRITIQUE, ROW], [critiques, solutions], rewards)
    columns = [seen(trainer, one.__name__) for one in rewards]
    together = [next(value for value in cells if not math.isnan(value)) for cells in zip(*columns, strict=True)]
    assert together == [1.0, 0.0, 0.0, 1.0, 1.0, pytest.approx(5 / 6), 1.0, 0.0]
    if len(rewards) == 2:
        assert all(sum(math.isnan(value) for value in cells) == 1 for cells in zip(*columns, strict=True))
    metrics = logged(trainer)
    assert metrics["critique/missing_conclusions"] == 0.25 and metrics["critique/concluded_true"] == 0.25
    assert metrics["critique/accuracy"] == 0.5 and metrics["critique/is_true"] == 0.0
    assert list(trainer._logs["extra"]["conclusion"]) == ["F", "T", "missing", "F", *[None] * 4]


def test_a_runner_that_is_killed_in_mid_step_costs_no_reward(train: Train) -> None:
    """Its tests are run again; nothing is taken for a failure that is ours."""
    busy = f"```python\nimport time\nend = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n{RIGHT_SUM}```"
    killed: list[int] = []

    def under_fire(completions: Any, **columns: Any) -> list[float | None]:
        stop = threading.Event()
        attacker = threading.Thread(target=kill_runners, args=(stop, killed))
        attacker.start()
        try:
            return solve_reward(completions, **columns)
        finally:
            stop.set()
            attacker.join()

    row = {**ROW, "time_limit_s": 8.0}
    solve_reward(completions=[RIGHT], tests=[ROW["tests"]], test_kind=["stdin"])  # warm
    trainer = train([row], [[busy, busy, HALF, busy]], [under_fire])
    assert killed
    found = seen(trainer, "under_fire")
    for value, wanted in zip(found, [1.0, 1.0, 5 / 6, 1.0], strict=True):
        assert math.isnan(value) or value == pytest.approx(wanted)
    assert not all(math.isnan(value) for value in found)


def kill_runners(stop: threading.Event, killed: list[int]) -> None:
    for _ in range(2):
        if stop.wait(0.4):
            return
        for pid in runners():
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)


def runners() -> list[int]:
    """The runners that this process has started and that live."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            try:
                if b"sandbox/runner" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
            except OSError:
                continue
    return found


def test_all_or_nothing_with_early_stop_under_a_name_of_its_own(train: Train) -> None:
    strict = reward("solve", name="strict", score="all", early_stop=True, on_inconclusive=0.5)
    begun = time.monotonic()
    trainer = train([ROW], [[RIGHT, HALF, ENDLESS, "no code"]], [strict])
    assert seen(trainer, "strict") == [1.0, 0.0, 0.5, 0.0] and time.monotonic() - begun < 60


def test_a_dataset_that_was_built_trains_as_docs_rewards_says(model: tuple[Any, Any], tmp_path: Path) -> None:
    """The demo's records as they lie on disk, and completions that the model itself makes up."""
    from datasets import load_dataset

    from crl_data import build

    built = build(ROOT / "recipes" / "demo.yaml", tmp_path / "demo", quiet=True)
    dataset = load_dataset("parquet", data_files=str(built.directory / "data" / "train-*.parquet"), split="train")
    kinds = [row["kind"] for row in dataset]
    chosen = dataset.select([kinds.index("critique"), kinds.index("solve")])
    config = one_step(tmp_path / "out", 2, 2, max_completion_length=8)
    trainer = trl.GRPOTrainer(
        model=model[0], processing_class=model[1], reward_funcs=hybrid_reward, args=config, train_dataset=chosen
    )
    trainer.train()
    assert seen(trainer, "hybrid_reward") == [0.0] * 4
    assert {"critique/missing_conclusions", "solve/pass_rate"} <= logged(trainer).keys()
