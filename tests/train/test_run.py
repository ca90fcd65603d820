"""Whole runs of the tiny task: phases, checkpoints, going on after any end, selection, adapters, and what is refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer")

from crl_data import build  # noqa: E402
from crl_data.corpus.records import CRITIQUE, SOLVE  # noqa: E402
from crl_data.errors import InputError, WorkError  # noqa: E402
from crl_data.responses import extract_code  # noqa: E402
from crl_train.card import render  # noqa: E402
from crl_train.own_dataset import OWN  # noqa: E402
from crl_train.run import described  # noqa: E402
from crl_train.selection import STATE, whole_checkpoints  # noqa: E402
from crl_train.stream import PromptStream  # noqa: E402
from tests.service.conftest import serving  # noqa: E402
from tests.train.conftest import Started, lines, run, same_weights, weights  # noqa: E402

Recipe = Callable[..., Path]
Start = Callable[..., Started]


def rollouts(folder: Path) -> list[dict[str, Any]]:
    import polars

    return polars.read_parquet(folder / "rollouts" / "*.parquet").to_dicts()


def checkpoints(folder: Path) -> list[int]:
    return sorted(int(one.name.split("-")[1]) for one in folder.glob("checkpoint-*"))


def state(folder: Path, update: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"checkpoint-{update}" / STATE).read_text())
    return found


# --- a run and what it leaves -----------------------------------------------------------------------------------------


def test_a_run_leaves_its_model_its_lines_its_rollouts_and_its_card(recipe: Recipe, tiny: Path) -> None:
    done = run(recipe(budget={"updates": 3}, gradient_norm_every=2, test_dataset=str(tiny / "test")))
    assert (done.update, done.interrupted) == (3, False)
    assert {one.name for one in done.results} == {"verdict accuracy, sampled", "pass rate, sampled"}
    assert all(one.before is not None for one in done.results)
    told = lines(done.run)
    assert [one["update"] for one in told] == [1, 2, 3]
    for one in told:
        for kind in (SOLVE, CRITIQUE):
            if f"{kind}/prompts" not in one:
                continue
            for name in ("reward_mean", "reward_variance_within", "reward_variance_between", "groups_all_right", "cut"):
                assert f"{kind}/{name}" in one
            for name in ("groups_all_wrong", "groups_that_differ", "groups_undecided", "entropy", "clipped"):
                assert f"{kind}/{name}" in one
        assert {"critique_share/groups", "critique_share/tokens", "draws", "grad_norm", "entropy"} <= one.keys()
        assert one["solve/prompts"] + one.get("critique/prompts", 0) == 4
    assert [f"{SOLVE}/gradient_norm" in one for one in told] == [True, False, True]
    assert any(f"{CRITIQUE}/accuracy_on_true" in one or f"{CRITIQUE}/accuracy_on_false" in one for one in told)
    assert told[-1]["used/prompts"] == 12
    written = rollouts(done.run)
    assert len(written) == 3 * 16
    assert told[-1]["used/generated_tokens"] == sum(row["completion_tokens"] for row in written)
    assert [one["split"] for one in lines(done.run, "evaluations.jsonl")] == ["test", "test"]
    card = render(described(done.run))
    assert "hybrid" in card
    assert not (Path.cwd() / "trainer_output").exists()


def test_measuring_does_not_change_what_is_learned(recipe: Recipe, tiny: Path) -> None:
    said = {"budget": {"updates": 3}, "rollouts": {"share": 0}}
    plain = run(recipe("plain", **said))
    measuring = {"validation": str(tiny / "validation"), "every": 1, "rows": 4, "samples": 2, "greedy": True}
    measured = run(recipe("measured", **said, evaluate=measuring, test_dataset=str(tiny / "test")))
    assert same_weights(plain.run / "model", measured.run / "model")
    assert lines(plain.run) == lines(measured.run)
    at = [
        (one["update"], one["how"]) for one in lines(measured.run, "evaluations.jsonl") if one["split"] == "validation"
    ]
    assert at == [(update, how) for update in range(4) for how in ("sampled", "greedy")]
    assert not (measured.run / "rollouts").exists()


@pytest.mark.parametrize(
    ("budget", "updates"), [({"prompts": 9}, 3), ({"generated_tokens": 1}, 1), ({"gpu_seconds": 0.001}, 1)]
)
def test_a_budget_ends_a_run(recipe: Recipe, budget: dict[str, float], updates: int) -> None:
    done = run(recipe(budget=budget))
    assert done.update == updates
    told = json.loads((done.run / "run.json").read_text())
    assert told["status"] == "done"
    ((unit, most),) = budget.items()
    assert told["used"][unit] >= (most if unit != "gpu_seconds" else 0)


def test_the_epochs_are_the_bound_where_nothing_else_is(recipe: Recipe) -> None:
    done = run(recipe(num_train_epochs=0.2, per_device_train_batch_size=32))  # of 56 prompts: 12, in batches of 8
    assert done.update == 2


# --- phases -----------------------------------------------------------------------------------------------------------


def test_a_phase_changes_the_length_the_weight_and_the_data_at_its_boundary(recipe: Recipe, tiny: Path) -> None:
    phases = [
        {"max_completion_length": 3, "critique_weight": 0.5, "until": {"steps": 2}},
        {"until": {"epoch_share": 0.15}},  # nine prompts of 56
        {"max_completion_length": 5, "until": {"steps": 1}, "data": "restart"},
    ]
    said = {"phases": phases, "critique_weight_mode": "raw", "scale_rewards": "none", "arm": "critique-only"}
    done = run(recipe(**said, model_name_or_path=str(tiny / "model")))
    assert done.update == 2 + 3 + 1
    written = rollouts(done.run)
    longest = [max(row["completion_tokens"] for row in written if row["update"] == update) for update in range(6)]
    assert longest[:2] == [3, 3]
    assert all(5 < one <= 12 for one in longest[2:5])  # what a phase does not say is as the recipe says
    assert longest[5] == 5
    assert [one["phase"] for one in lines(done.run)] == [0, 1, 1, 1, 2, 2]  # after an update, the phase that follows
    drawn = [sorted({row["id"] for row in written if row["update"] == update}) for update in range(6)]
    before = [one for some in drawn[:5] for one in some]
    assert len(before) == len(set(before)) == 20  # the data went on
    stream = state(done.run, 6)["stream"]
    assert (stream["epoch"], stream["position"]) == (1, 4)  # and began anew in the last phase
    for row in written:
        if row["reward"] == 1:
            mean = sum(one["reward"] for one in written if (one["update"], one["id"]) == (row["update"], row["id"])) / 4
            weight = 0.5 if row["update"] < 2 else 1.0
            assert row["advantage"] == pytest.approx(weight * (1 - mean), abs=1e-5)


def test_a_plateau_ends_a_phase_and_without_one_the_epochs_do(recipe: Recipe) -> None:
    never = {"plateau": {"window": 50, "gain": 0.0}}
    done = run(recipe("never", phases=[{"until": never}, {"until": {"steps": 1}}], num_train_epochs=0.2))
    assert [one["phase"] for one in lines(done.run)] == [0, 0, 1, 1]
    soon = {"plateau": {"window": 1, "gain": 1.0}}
    done = run(recipe("soon", phases=[{"until": soon}, {"until": {"steps": 1}}]))
    assert [one["phase"] for one in lines(done.run)] == [0, 1, 1]


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_checkpoints_fall_at_the_end_of_a_generation_batch(recipe: Recipe) -> None:
    said = {"generation_batch_size": 32, "save_strategy": "steps", "save_steps": 3, "budget": {"updates": 10}}
    done = run(recipe(**said))  # two updates a generation batch
    assert checkpoints(done.run) == [4, 6, 10]  # asked for at 3, 6 and 9
    for update in (4, 6, 10):
        assert state(done.run, update)["progress"]["prompts"] == update * 4


def test_so_many_checkpoints_are_kept_as_are_wanted(recipe: Recipe) -> None:
    said = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 2}
    done = run(recipe(**said, budget={"updates": 4}))
    assert checkpoints(done.run) == [3, 4]


def test_no_older_checkpoint_goes_before_the_new_one_is_whole(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recipe(save_strategy="steps", save_steps=1, save_total_limit=1, budget={"updates": 3})
    real = PromptStream.state

    def of_a_full_disk(stream: PromptStream) -> dict[str, Any]:
        if stream.position > 4:
            raise OSError("no space left")
        return real(stream)

    with monkeypatch.context() as patch:
        patch.setattr(PromptStream, "state", of_a_full_disk)
        with pytest.raises(OSError, match="no space left"):
            run(path)
    assert whole_checkpoints(path.with_suffix("")) == [path.with_suffix("") / "checkpoint-1"]
    assert run(path, resume=True).update == 3


def test_accumulation_over_several_generation_batches_is_one_update(recipe: Recipe) -> None:
    said = {"gradient_accumulation_steps": 2, "generation_batch_size": 16, "num_train_epochs": 0.3}
    done = run(recipe(**said))  # of 56 prompts 17, eight an update
    assert done.update == 3
    assert len(rollouts(done.run)) == 3 * 32
    assert lines(done.run)[-1]["used/prompts"] == 24


# --- going on ---------------------------------------------------------------------------------------------------------

VARIANTS = {
    "drop": {"zero_variance": "drop", "generation_batch_size": 32, "save_steps": 2},
    "refill": {"zero_variance": "refill", "refill_limit": 3, "save_steps": 1},
    "onpolicy": {
        "arm": "hybrid-onpolicy",
        "onpolicy": {"share": 1.0, "balance": None},
        "save_steps": 3,
        "logging_steps": 2,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_that_is_killed_goes_on_as_if_it_had_never_stopped(
    recipe: Recipe, started: Start, tiny: Path, variant: str
) -> None:
    said = {
        "save_strategy": "steps",
        "num_train_epochs": 1,
        "max_steps": 18,  # over the end of an epoch of 56 prompts
        "evaluate": {"validation": str(tiny / "validation"), "every": 4, "rows": 4, "greedy": True},
        **VARIANTS[variant],
    }
    whole = run(recipe("whole", **said)).run
    path = recipe("killed", **said)
    folder = path.with_suffix("")

    def partial() -> bool:  # in the middle of a checkpoint
        return any(not (one / STATE).exists() for one in folder.glob("checkpoint-[4-9]"))

    def far() -> bool:
        return (folder / "metrics.jsonl").exists() and any(one["update"] >= 14 for one in lines(folder))

    for reached in (partial, far):
        process = started(path, "--resume")
        process.wait_for(reached)
        process.kill(signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
    assert run(path, resume=True).run == folder
    assert same_weights(whole / "model", folder / "model")
    assert lines(folder) == lines(whole)
    assert lines(folder, "evaluations.jsonl") == lines(whole, "evaluations.jsonl")
    assert checkpoints(folder) == checkpoints(whole)
    first, second = rollouts(whole), rollouts(folder)
    assert len(second) == len(first) > 0
    assert second == first
    if variant == "onpolicy":
        assert any(row["sampler"]["name"] == "policy" for row in first if row["sampler"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_after_a_checkpoint_and_it_goes_on(
    recipe: Recipe, started: Start, number: signal.Signals
) -> None:
    said = {"max_steps": 8, "generation_batch_size": 32}
    path = recipe("asked", **said)
    folder = path.with_suffix("")
    process = started(path)
    process.wait_for(lambda: (folder / "metrics.jsonl").exists() and len(lines(folder)) >= 3)
    if number is signal.SIGINT:
        import os

        os.killpg(process.pid, number)  # as a terminal does: everything that it started gets it too
    else:
        process.kill(number)
    assert process.end() == 130, process.stderr
    assert "Traceback" not in process.stderr
    assert "goes on with --resume" in process.stderr
    (update,) = checkpoints(folder)
    assert update in (4, 6)
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    run(path, resume=True)
    whole = run(recipe("whole", **said)).run
    assert same_weights(whole / "model", folder / "model")
    assert [one["update"] for one in lines(folder)] == list(range(1, 9))
    assert json.loads((folder / "run.json").read_text())["status"] == "done"


def test_a_run_that_is_over_trains_no_more_when_it_goes_on(recipe: Recipe, tiny: Path) -> None:
    path = recipe(budget={"prompts": 9}, test_dataset=str(tiny / "test"))
    done = run(path)
    before = weights(done.run / "model")
    measured = lines(done.run, "evaluations.jsonl")
    again = run(path, resume=True)
    assert again.update == done.update == 3
    assert all((before[name] == after).all() for name, after in weights(done.run / "model").items())
    assert lines(done.run, "evaluations.jsonl") == measured
    assert [one["update"] for one in lines(done.run)] == [1, 2, 3]
    more = run(path, "budget.prompts=16", resume=True)
    assert more.update == 4


def test_a_run_that_left_no_whole_checkpoint_begins_anew(recipe: Recipe) -> None:
    path = recipe(budget={"updates": 2})
    folder = path.with_suffix("")
    (folder / "checkpoint-1").mkdir(parents=True)
    (folder / "rollouts").mkdir()
    (folder / "rollouts" / "update-000007-0.parquet").write_bytes(b"of the run before")
    for name in ("metrics.jsonl", "evaluations.jsonl"):
        (folder / name).write_text('{"update": 1, "split": "test", "how": "sampled"}\n')
    (folder / "run.json").write_text('{"format": 1, "arm": "hybrid", "status": "running"}')
    run(path, resume=True)
    assert [one["update"] for one in lines(folder)] == [1, 2]
    assert lines(folder, "evaluations.jsonl") == []
    assert len(rollouts(folder)) == 32
    assert checkpoints(folder) == [2]


def test_what_does_not_go_on_is_told(recipe: Recipe, tiny: Path) -> None:
    path = recipe(budget={"updates": 1})
    run(path)
    with pytest.raises(InputError, match=r"holds a run; --resume goes on with it"):
        run(path)
    for setting, match in (
        ("seed=5", "in the order of seed 0"),
        ("mix.critique_share=1.0", "of other rows"),
        ("mix.seed=5", "of other rows"),
        (f"dataset={tiny / 'validation'}", "56 prompts"),
        ("arm=solve-only", "holds a run of the arm hybrid"),
        ("arm=cft", "holds a run of the arm hybrid"),
    ):
        with pytest.raises(InputError, match=match) as caught:
            run(path, setting, "budget.updates=2", resume=True)
        assert "\n" not in str(caught.value)


# --- the policy's own solutions ---------------------------------------------------------------------------------------


def test_own_solutions_come_back_with_what_the_judge_said_and_leave_a_dataset(recipe: Recipe, tmp_path: Path) -> None:
    said = {"arm": "hybrid-onpolicy", "onpolicy": {"share": 1.0, "max_age": 2, "balance": None}}
    done = run(recipe(**said, per_device_train_batch_size=32, budget={"updates": 5}))
    written = rollouts(done.run)
    solved = {
        (row["problem_id"], extract_code(row["completion"])): (row["completion_verdict"], row["update"])
        for row in reversed(written)
        if row["kind"] == SOLVE
    }
    asked = [row for row in written if (row["sampler"] or {}).get("name") == "policy"]
    assert asked
    for row in asked:
        assert row["kind"] == CRITIQUE
        verdict, _ = solved[row["problem_id"], row["solution"]]
        assert row["verdict"] is verdict
        age = row["update"] - json.loads(row["sampler"]["detail"])["update"]
        assert 0 < age <= 2
        assert row["reward"] == float(row["concluded"] == ("T" if verdict else "F"))
    assert len({row["solution_id"] for row in asked}) == len(asked) / 4  # each once
    told = lines(done.run)
    assert any(f"{CRITIQUE}/accuracy_on_own" in one for one in told)
    assert told[-1]["onpolicy/asked"] == len(asked) / 4
    built = build(done.run / OWN / "recipe.yaml", tmp_path / "built", quiet=True)
    assert built is not None
    import polars

    records = polars.read_parquet(tmp_path / "built" / "pool" / "*.parquet").filter(polars.col("kind") == CRITIQUE)
    judged = {(row["problem_id"], row["solution"].strip()): row["verdict"] for row in records.to_dicts()}
    said = {(problem, (code or "").strip()): verdict for (problem, code), (verdict, _) in solved.items()}
    assert judged
    assert judged == {key: said[key] for key in judged}


def test_the_prompt_of_own_solutions_is_the_datasets_or_is_asked_for(
    recipe: Recipe, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.jinja").write_text("{{ question }} {{ solution }} \\conclusion{T}\n")
    prompts = {"critique": "other.jinja"}
    with pytest.raises(InputError, match="expected the template of the dataset's critique prompts"):
        run(recipe("other", arm="hybrid-onpolicy", prompts=prompts, budget={"updates": 1}))
    with pytest.raises(InputError, match=r"no template is called 'critique\.jinja'"):
        run(recipe("none", arm="hybrid-onpolicy", prompts={}, budget={"updates": 1}))


# --- selection --------------------------------------------------------------------------------------------------------


def test_the_chosen_checkpoint_is_the_model(recipe: Recipe, tiny: Path) -> None:
    said = {
        "save_strategy": "steps",
        "save_steps": 1,
        "budget": {"updates": 3},
        "learning_rate": 0.1,  # which spoils it
        "evaluate": {"validation": str(tiny / "validation"), "rows": 16, "greedy": False},
    }
    done = run(recipe(**said, select="verdict_accuracy", test_dataset=str(tiny / "test")))
    choice = json.loads((done.run / "run.json").read_text())["choice"]
    best = max(choice["scores"].values())
    assert choice["update"] == min(int(one) for one, score in choice["scores"].items() if score == best)
    assert choice["scores"].keys() == {"1", "2", "3"}
    assert same_weights(done.run / "model", done.run / f"checkpoint-{choice['update']}")
    final = [one for one in lines(done.run, "evaluations.jsonl") if one.get("final")]
    assert [one["update"] for one in final] == [choice["update"]]


def test_a_command_chooses_an_earlier_checkpoint_and_the_card_says_how(recipe: Recipe) -> None:
    select = {"command": "basename {checkpoint} | sed s/checkpoint-/-/"}
    done = run(recipe(save_strategy="steps", save_steps=1, budget={"updates": 2}, select=select))
    assert done.update == 1
    assert same_weights(done.run / "model", done.run / "checkpoint-1")
    assert not same_weights(done.run / "model", done.run / "checkpoint-2")
    assert "basename" in render(described(done.run))


def test_a_choice_on_the_reported_test_stands_in_the_card(recipe: Recipe, tiny: Path) -> None:
    done = run(recipe(budget={"updates": 1}, select="reported-test", test_dataset=str(tiny / "test")))
    card = render(described(done.run))
    assert "on the test that is reported" in card
    assert [one["split"] for one in lines(done.run, "evaluations.jsonl")] == ["test"] * 3


# --- adapters ---------------------------------------------------------------------------------------------------------


def test_an_adapter_is_merged_into_the_model_that_is_left(recipe: Recipe, warm: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"], "learning_rate": 0.01}
    path = recipe(**lora, budget={"updates": 2}, save_strategy="steps", save_steps=1)
    done = run(path)
    tokens = torch.tensor([[2, 5, 16, 30, 3]])
    with torch.no_grad():
        base = AutoModelForCausalLM.from_pretrained(warm)
        plain = base(tokens).logits
        adapted = PeftModel.from_pretrained(base, done.run / "checkpoint-2")(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(done.run / "model")(tokens).logits
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert not torch.allclose(merged, plain, atol=1e-2)
    assert run(path, "budget.updates=3", resume=True).update == 3


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"loss_type": "nonsense"}, "nonsense"),
        ({"report_to": "nonsense"}, "nonsense"),
        ({"use_vllm": True}, "vllm|vLLM"),
        ({"max_prompt_length": 1}, "got only longer ones"),
        ({"model_name_or_path": "/nowhere/model"}, "expected a model of transformers"),
        ({"select": "reported-test"}, "expected solve or critique rows in the test split"),
        ({"gradient_accumulation_steps": 2, "generation_batch_size": 48}, "do not divide"),
        ({"eval_strategy": "steps", "eval_steps": 1}, "eval"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line_before_training(
    recipe: Recipe, said: dict[str, Any], match: str
) -> None:
    with pytest.raises((InputError, WorkError), match=match) as caught:
        run(recipe(budget={"updates": 1}, **said))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_chat_template_is_told(recipe: Recipe, warm: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(warm, tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((tmp_path / "base" / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (tmp_path / "base" / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="expected a model with a chat template"):
        run(recipe(model_name_or_path=str(tmp_path / "base"), budget={"updates": 1}))


def test_a_judge_that_is_gone_is_one_line_and_a_fault_of_the_work(recipe: Recipe, started: Start) -> None:
    process = started(
        recipe(arm="solve-only", budget={"updates": 2}, reward={"judge": "http://127.0.0.1:9", "timeout_s": 2})
    )
    assert process.end() == 1
    told = [line for line in process.stderr.splitlines() if line.startswith("crl-train: ")]
    assert len(told) == 1
    assert "could be judged" in told[0]
    assert "Traceback" not in process.stderr


def test_a_judge_that_dies_in_mid_run_ends_it_and_the_run_goes_on_with_another(
    recipe: Recipe, started: Start, tmp_path: Path
) -> None:
    said = {"arm": "solve-only", "save_strategy": "steps", "save_steps": 1, "budget": {"updates": 6}}
    straight = run(recipe("straight", **said, reward={"jobs": 1})).run
    with serving(tmp_path, "--jobs", 1) as judge:
        path = recipe("broken", **said, reward={"judge": judge.url, "timeout_s": 3})
        process = started(path)
        process.wait_for(lambda: (tmp_path / "broken" / "checkpoint-2" / "crl_state.json").exists())
        judge.end(signal.SIGKILL)
        assert process.end() == 1
    told = [line for line in process.stderr.splitlines() if line.startswith("crl-train: ")]
    assert len(told) == 1 and "could be judged" in told[0]
    stopped_at = max(line["update"] for line in lines(tmp_path / "broken"))
    assert 2 <= stopped_at < 6
    with serving(tmp_path, "--jobs", 1, port=judge.port):
        again = started(path, "--resume")
        assert again.end() == 0, again.stderr
    assert same_weights(straight / "model", tmp_path / "broken" / "model")
