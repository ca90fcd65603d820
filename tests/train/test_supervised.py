"""The supervised arms: what they are shown, what is counted, when they end, and going on."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer")

from crl_data.errors import InputError, WorkError  # noqa: E402
from crl_data.responses import extract_code, parse_conclusion  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.run import leave_model, load_tokenizer, prepared  # noqa: E402
from crl_train.supervised import Shown, shown_of  # noqa: E402
from crl_train.train import trl_keys, with_its_share_of_judging  # noqa: E402
from tests.train.conftest import Started, lines, run, same_weights, weights  # noqa: E402

Recipe = Callable[..., Path]
Start = Callable[..., Started]


def all_of(recipe: Path) -> Shown:
    job = load_job(recipe)
    tokenizer = load_tokenizer(job)
    return shown_of(job, tokenizer, prepared(job, tokenizer).kept_back)


def shown(recipe: Path) -> list[dict[str, Any]]:
    return list(all_of(recipe).rows)


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


@pytest.mark.parametrize("arm", ["cft", "cgd"])
def test_rows_of_problems_that_are_kept_back_are_not_shown_and_their_teacher_is_not_counted(
    recipe: Recipe, tiny: Path, arm: str
) -> None:
    everything = all_of(recipe("whole", arm=arm))
    path = recipe("rest", arm=arm, evaluate={"validation": 10, "rows": 4, "greedy": False}, max_steps=1)
    job = load_job(path)
    kept_back = prepared(job, load_tokenizer(job)).kept_back
    rest = all_of(path)
    assert len(kept_back) == 10
    assert not kept_back & {row["problem_id"] for row in rest.rows}
    assert rest.dropped == {"kept back for validation": len(everything.rows) - len(rest.rows)}
    assert rest.dropped.total() > 0
    spared = [row for row in critiques(tiny) if row["problem_id"] in kept_back]
    texts = [row[name] for row in spared for name in ("response", "refined_code") if name == "response" or arm == "cgd"]
    tokenizer = load_tokenizer(job)
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts if text)
    assert everything.teacher_tokens - rest.teacher_tokens == tokens
    told = json.loads((run(path).run / "run.json").read_text())["rows"]
    assert told == {"train": {arm: len(rest.rows)}, "dropped": dict(rest.dropped)}


def test_demonstrations_of_problems_that_are_kept_back_are_not_shown_where_they_name_their_problem(
    recipe: Recipe, tmp_path: Path
) -> None:
    problems = ["plus-3-0", "plus-3-1", "elsewhere"]
    rows = [{"problem_id": one, "prompt": "solve plus 3", "completion": "+"} for one in problems]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    job = load_job(recipe(arm="sft", demonstrations="rows.jsonl"))
    found = shown_of(job, load_tokenizer(job), {"plus-3-1"})
    assert found.rows["problem_id"][:] == ["plus-3-0", "elsewhere"]


# --- lengths ----------------------------------------------------------------------------------------------------------


def lengths(rows: Any, tokenizer: Any) -> list[int]:
    """How long a row is as the trainer reads it."""
    chats = [row["prompt"] + row["completion"] for row in rows]
    return [len(tokenizer.apply_chat_template(one, return_dict=False)) for one in chats]


def long_critiques(tmp_path: Path) -> Path:
    """Demonstrations of which one is longer than what TRL would cut it to."""
    rows = [
        {
            "prompt": [{"role": "user", "content": "judge plus 3 : def f(x): return x + 3"}],
            "completion": [{"role": "assistant", "content": "+ " * n + "3 3 \\conclusion{T}"}],
        }
        for n in (1, 2, 1500)
    ]
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trained_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The tokens of each row as the trainer has them."""
    seen = []
    real = trl.SFTTrainer.train

    def train(trainer: Any, **options: Any) -> Any:
        seen.extend(list(ids) for ids in trainer.train_dataset["input_ids"])
        return real(trainer, **options)

    monkeypatch.setattr(trl.SFTTrainer, "train", train)
    run(path)
    return seen


def test_nothing_is_cut_where_no_length_is_named(
    recipe: Recipe, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(arm="sft", demonstrations=str(long_critiques(tmp_path)), max_steps=1, per_device_train_batch_size=1)
    tokenizer = load_tokenizer(load_job(path))
    rows = trained_on(path, monkeypatch)
    assert [len(one) for one in rows] == lengths(shown(path), tokenizer)
    assert max(map(len, rows)) > 1500
    assert all("conclusion" in tokenizer.decode(one) for one in rows)


def test_rows_over_a_length_that_is_named_are_left_out_whole(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"arm": "sft", "demonstrations": str(long_critiques(tmp_path)), "max_steps": 1}
    job = load_job(recipe("plain", **said))
    tokenizer = load_tokenizer(job)
    _, second, third = lengths(shown(recipe("plain", **said)), tokenizer)
    for name, most, kept in (("fits", third, 3), ("at", second, 2), ("below", second - 1, 1)):
        assert len(shown(recipe(name, **said, supervised={"max_length": most}))) == kept
    path = recipe("run", **said, supervised={"max_length": second})
    rows = trained_on(path, monkeypatch)
    assert [len(one) for one in rows] == lengths(shown(path), tokenizer)
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["rows"]["dropped"] == {"rows of more than max_length tokens": 1}
    with pytest.raises(InputError, match="expected rows to show, got none that may be"):
        run(recipe("none", **said, supervised={"max_length": 3}))


def test_prompts_over_the_limit_are_not_shown(recipe: Recipe, tiny: Path) -> None:
    said = {"arm": "sft", "demonstrations": str(tiny / "demonstrations.jsonl")}
    path = recipe("all", **said)
    tokenizer = load_tokenizer(load_job(path))
    long = [
        len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"])
        for row in shown(path)
    ]
    found = all_of(recipe("some", **said, max_prompt_length=min(long)))
    assert len(found.rows) == long.count(min(long)) < len(long)
    assert found.dropped == {"prompts of more than max_prompt_length tokens": len(long) - len(found.rows)}


@pytest.mark.parametrize("arm", ["hybrid", "cft"])
def test_held_out_prompts_over_the_limit_are_counted(recipe: Recipe, tiny: Path, arm: str) -> None:
    held_out = {"evaluate": {"validation": str(tiny / "validation")}, "test_dataset": str(tiny / "test")}
    path = recipe("all", arm=arm, **held_out)
    job = load_job(path)
    tokenizer = load_tokenizer(job)
    everything = prepared(job, tokenizer)
    assert everything.dropped.total() == 0
    assert everything.validation is not None and everything.test is not None
    rows = {"": everything.train, "validation ": everything.validation, "test ": everything.test}
    long = {
        name: [
            len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]) for row in some
        ]
        for name, some in rows.items()
    }
    limit = min(long["test "])
    found = prepared(load_job(recipe("some", arm=arm, **held_out, max_prompt_length=limit)), tokenizer)
    counted = {
        f"{name}prompts of more than max_prompt_length tokens": sum(one > limit for one in some)
        for name, some in long.items()
    }
    assert found.dropped == counted
    assert all(counted.values())


def test_packed_rows_need_a_length_that_is_named(recipe: Recipe, tiny: Path) -> None:
    said = {"arm": "sft", "demonstrations": str(tiny / "demonstrations.jsonl"), "max_steps": 1}
    with pytest.raises(InputError, match="max_length"):
        run(recipe(**said, supervised={"packing": True}))


# --- a run ------------------------------------------------------------------------------------------------------------


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


def test_a_supervised_run_does_not_go_on_with_other_rows(recipe: Recipe, tiny: Path) -> None:
    path = recipe(arm="cft", max_steps=1)
    run(path)
    with pytest.raises(InputError, match="of other rows than the recipe gives now") as caught:
        run(path, "evaluate.validation=10", "max_steps=2", resume=True)
    assert "\n" not in str(caught.value)
    assert run(path, "max_steps=2", resume=True).update == 2


def test_one_model_is_asked_from_the_beginning_to_the_end(
    recipe: Recipe, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crl_train import supervised

    made = []
    real = supervised.CritiqueTrainer

    def trainer(**options: Any) -> Any:
        made.append(real(**options))
        return made[-1]

    monkeypatch.setattr(supervised, "CritiqueTrainer", trainer)
    said = {"save_strategy": "steps", "save_steps": 1, "max_steps": 2, "learning_rate": 0.05, "beta": 0.1}
    held_out = {"validation": str(tiny / "validation"), "rows": 24, "greedy": True}
    done = run(recipe(arm="cft", **said, evaluate=held_out, select="verdict_accuracy"))
    (asked,) = made
    assert asked.ref_model is None
    measured = [one for one in lines(done.run, "evaluations.jsonl") if one["how"] == "greedy"]
    assert [one["update"] for one in measured[:3]] == [0, 1, 2]
    last = {name: value for name, value in measured[-1].items() if name != "final"}
    assert last == measured[done.update]  # the same model, asked again
    assert measured[0]["verdict_accuracy"] != measured[1]["verdict_accuracy"]
    held = asked.model.state_dict()
    assert all((held[name] == value).all() for name, value in weights(done.run / "model").items())


def test_measuring_does_not_change_what_is_learned(recipe: Recipe, tiny: Path) -> None:
    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"], "lora_dropout": 0.5}
    plain = run(recipe("plain", arm="cft", max_steps=2, **lora))
    held_out = {"validation": str(tiny / "validation"), "rows": 4, "greedy": False}
    measured = run(
        recipe("measured", arm="cft", max_steps=2, **lora, evaluate=held_out, test_dataset=str(tiny / "test"))
    )
    assert same_weights(plain.run / "model", measured.run / "model")


@pytest.mark.parametrize(
    ("processes", "processors", "jobs"), [("4", 10, 2), ("8", 4, 1), ("1", 8, None), (None, 8, None)]
)
def test_the_processes_of_a_machine_share_its_processors_for_judging(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, processes: str | None, processors: int, jobs: int | None
) -> None:
    monkeypatch.setattr("crl_train.train.processors", lambda: processors)
    if processes is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    job = with_its_share_of_judging(load_job(recipe(reward={"format": -0.5})))
    assert job.ours.reward == {"format": -0.5} | ({} if jobs is None else {"jobs": jobs})
    named = load_job(recipe(reward={"jobs": 7}))
    assert with_its_share_of_judging(named).ours.reward == {"jobs": 7}
    monkeypatch.setenv("CRL_REWARD_JOBS", "3")
    assert "jobs" not in with_its_share_of_judging(load_job(recipe())).ours.reward


# --- the model that is left -------------------------------------------------------------------------------------------


def test_the_model_of_a_checkpoint_is_its_files_without_those_of_training(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(arm="cft", max_steps=1)
    done = run(path)
    checkpoint, left = done.run / "checkpoint-1", tmp_path / "left"
    left.mkdir()
    (left / "of-an-earlier-one.safetensors").write_bytes(b"")
    leave_model(load_job(path), checkpoint, left)
    wanted = {"config.json", "generation_config.json", "model.safetensors", "chat_template.jinja"}
    assert {one.name for one in left.iterdir()} == wanted | {"tokenizer.json", "tokenizer_config.json"}
    assert all((left / name).read_bytes() == (checkpoint / name).read_bytes() for name in wanted)
    assert {one.name for one in (done.run / "model").iterdir()} == {one.name for one in left.iterdir()}
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(WorkError, match="expected weights"):
        leave_model(load_job(path), checkpoint, left)
    assert (left / "model.safetensors").exists()


def test_the_model_of_an_adapter_is_the_base_with_its_product_added(recipe: Recipe, warm: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.integrations import deepspeed

    class Sharding:  # under which a model that is loaded would be spread over the processes
        config: ClassVar[dict[str, Any]] = {}

        def is_zero3(self) -> bool:
            return True

    lora = {"use_peft": True, "lora_r": 4, "lora_alpha": 12, "lora_target_modules": ["q_proj", "v_proj"]}
    path = recipe(arm="cft", max_steps=2, learning_rate=0.01, **lora)
    done = run(path)
    checkpoint, left = done.run / "checkpoint-2", tmp_path / "left"
    job = load_job(path)
    trl_keys(job, done.run)
    sharding = Sharding()
    deepspeed.set_hf_deepspeed_config(sharding)
    try:
        leave_model(job, checkpoint, left)
        assert deepspeed.is_deepspeed_zero3_enabled()
    finally:
        deepspeed.unset_hf_deepspeed_config()
    assert same_weights(left, done.run / "model")
    adapter = load_file(checkpoint / "adapter_model.safetensors")
    base, merged = weights(warm), weights(left)
    assert base.keys() == merged.keys()
    changed = 0
    for name, value in base.items():
        of = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{of}.lora_A.weight" in adapter:
            value = value + 12 / 4 * adapter[f"{of}.lora_B.weight"] @ adapter[f"{of}.lora_A.weight"]
            changed += not torch.equal(value, base[name])
        assert torch.allclose(merged[name], value, atol=1e-6), name
    assert changed > 0
    assert not list(left.glob("adapter*"))
    assert AutoTokenizer.from_pretrained(left).chat_template
    assert AutoModelForCausalLM.from_pretrained(left).dtype == torch.float32


def test_what_cannot_be_shown_is_told(recipe: Recipe, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file of rows with prompt and completion, got none"):
        run(recipe("none", arm="sft", demonstrations="nowhere.jsonl"))
    (tmp_path / "rows.jsonl").write_text('{"question": "?", "answer": "!"}\n')
    with pytest.raises(InputError, match="expected rows with prompt and completion, got question, answer"):
        run(recipe("columns", arm="sft", demonstrations="rows.jsonl"))
    with pytest.raises(InputError, match="critiques"):
        run(recipe("critiques", arm="cft", dataset=str(tiny / "test")))
