"""The supervised arms: what they are shown, what is counted, when they end, and going on."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer")

from crl_data.errors import InputError  # noqa: E402
from crl_data.responses import extract_code, parse_conclusion  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.run import load_tokenizer  # noqa: E402
from crl_train.supervised import _shown  # noqa: E402
from tests.train.conftest import Started, lines, run, same_weights, weights  # noqa: E402

Recipe = Callable[..., Path]
Start = Callable[..., Started]


def shown(recipe: Path) -> list[dict[str, Any]]:
    job = load_job(recipe)
    return list(_shown(job, load_tokenizer(job))[0])


def text(row: dict[str, Any], side: str) -> str:
    return str(row[side][-1]["content"])


def critiques(tiny: Path) -> list[dict[str, Any]]:
    import polars

    return polars.read_parquet(tiny / "data" / "critiques.parquet").to_dicts()


def test_cft_is_shown_critiques_that_conclude_the_truth(recipe: Recipe, tiny: Path) -> None:
    rows = shown(recipe(arm="cft"))
    assert rows
    right = [one for one in critiques(tiny) if one["agrees"]] if "agrees" in critiques(tiny)[0] else None
    if right is not None:
        assert len(rows) <= len(right)
    for row in rows:
        assert text(row, "prompt").startswith("judge ")
        words, program = text(row, "prompt").removeprefix("judge ").split(" : ")
        assert parse_conclusion(text(row, "completion")) is is_right(words, program)


def is_right(words: str, program: str) -> bool:
    from crl_train.toys.tiny import OPERATORS

    word, constant = words.split()
    return program.split()[-2:] == [OPERATORS[word], constant]


def test_cgd_is_shown_right_corrections_of_wrong_solutions_beside_their_critiques(recipe: Recipe) -> None:
    rows = shown(recipe(arm="cgd"))
    assert rows
    for row in rows:
        assert text(row, "prompt").startswith("solve ")
        assert "\\conclusion" in text(row, "prompt")
        words = " ".join(text(row, "prompt").split()[1:3])
        code = extract_code(text(row, "completion"))
        assert code is not None
        assert is_right(words, code.strip())


def test_sft_is_shown_the_demonstrations(recipe: Recipe, tiny: Path) -> None:
    rows = shown(recipe(arm="sft", demonstrations=str(tiny / "demonstrations.jsonl")))
    assert [(row["prompt"], row["completion"]) for row in rows] == [
        (one["prompt"], one["completion"])
        for one in map(json.loads, (tiny / "demonstrations.jsonl").read_text().splitlines())
    ]


def test_a_supervised_run_is_measured_before_and_after_and_counts_its_teacher(recipe: Recipe, tiny: Path) -> None:
    path = recipe(arm="cft", num_train_epochs=1, test_dataset=str(tiny / "test"))
    done = run(path)
    rows = shown(path)
    assert done.update == -(-len(rows) // 16)
    assert all(one.before is not None for one in done.results)
    told = json.loads((done.run / "run.json").read_text())
    everything = critiques(tiny)  # those that were not fit to be shown, too
    assert told["used"]["teacher_tokens"] == sum(len(row["response"].split()) for row in everything)
    assert len(everything) > len(rows)
    assert told["used"]["generated_tokens"] == 0
    assert "temperature" in told["not_of_this_arm"]
    assert lines(done.run)[-1]["update"] == done.update
    assert same_weights(done.run / "model", done.run / f"checkpoint-{done.update}")


@pytest.mark.parametrize(
    ("budget", "updates"),
    [({"updates": 2}, 2), ({"prompts": 33}, 3), ({"generated_tokens": 1}, 1), ({"gpu_seconds": 0.001}, 1)],
)
def test_a_budget_ends_it(recipe: Recipe, budget: dict[str, float], updates: int) -> None:
    assert run(recipe(arm="cft", budget=budget)).update == updates


def test_a_budget_of_more_tokens_than_the_teacher_wrote_ends_with_the_epochs(recipe: Recipe) -> None:
    path = recipe(arm="cgd", budget={"generated_tokens": 10**9}, num_train_epochs=2)
    assert run(path).update == 2 * -(-len(shown(path)) // 16)


def test_what_sft_wrote_itself_costs_no_teacher(recipe: Recipe, tiny: Path) -> None:
    done = run(recipe(arm="sft", demonstrations=str(tiny / "demonstrations.jsonl"), max_steps=1))
    assert json.loads((done.run / "run.json").read_text())["used"]["teacher_tokens"] == 0


def test_the_best_checkpoint_by_validation_is_the_model_with_adapters_too(recipe: Recipe, tiny: Path) -> None:
    said = {
        "arm": "cft",
        "max_steps": 3,
        "save_strategy": "steps",
        "save_steps": 1,
        "learning_rate": 0.3,  # which spoils it
        "evaluate": {"validation": str(tiny / "validation"), "rows": 16, "greedy": False},
    }
    done = run(recipe("plain", **said, select="verdict_accuracy"))
    choice = json.loads((done.run / "run.json").read_text())["choice"]
    best = max(choice["scores"].values())
    assert choice["update"] == min(int(one) for one, score in choice["scores"].items() if score == best)
    assert same_weights(done.run / "model", done.run / f"checkpoint-{choice['update']}")
    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"]}
    assert run(recipe("adapted", **said, **lora, select="verdict_accuracy")).update in (1, 2, 3)
    last = run(recipe("last", **said, **lora))
    first = run(recipe("first", **said, **lora, select={"command": "basename {checkpoint} | sed s/checkpoint-/-/"}))
    assert (first.update, last.update) == (1, 3)
    assert not same_weights(first.run / "model", last.run / "model")
    shorter = run(recipe("shorter", **{**said, "max_steps": 1}, **lora))
    one, other = weights(first.run / "model"), weights(shorter.run / "model")
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_supervised_run_goes_on_as_if_it_had_never_stopped(
    recipe: Recipe, started: Start, number: signal.Signals
) -> None:
    said = {"arm": "cft", "max_steps": 30, "save_strategy": "steps", "save_steps": 4, "logging_steps": 2}
    whole = run(recipe("whole", **said)).run
    path = recipe("stopped", **said)
    folder = path.with_suffix("")
    process = started(path)
    process.wait_for(lambda: (folder / "metrics.jsonl").exists() and len(lines(folder)) >= 3)
    process.kill(number)
    assert process.end() == (-signal.SIGKILL if number is signal.SIGKILL else 130), process.stderr
    assert (folder / "run.json").exists()
    again = run(path, resume=True)
    assert again.update == 30
    assert same_weights(whole / "model", folder / "model")
    updates = [one["update"] for one in lines(folder)]
    assert updates == sorted(set(updates))
    assert run(path, resume=True).update == 30  # it is over
    assert same_weights(whole / "model", folder / "model")


def test_what_cannot_be_shown_is_told(recipe: Recipe, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file of rows with prompt and completion, got none"):
        run(recipe("none", arm="sft", demonstrations="nowhere.jsonl"))
    (tmp_path / "rows.jsonl").write_text('{"question": "?", "answer": "!"}\n')
    with pytest.raises(InputError, match="expected rows with prompt and completion, got question, answer"):
        run(recipe("columns", arm="sft", demonstrations="rows.jsonl"))
    with pytest.raises(InputError, match="critiques"):
        run(recipe("critiques", arm="cft", dataset=str(tiny / "test")))
