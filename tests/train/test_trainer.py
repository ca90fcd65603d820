"""What our trainer changes about TRL's: held to gradients, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer")

import torch  # noqa: E402

from crl_data.corpus.records import CRITIQUE, SOLVE  # noqa: E402
from crl_data.errors import InputError, WorkError  # noqa: E402
from crl_train.groups import take  # noqa: E402
from crl_train.phases import Progress  # noqa: E402
from crl_train.recipe import Phase  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.run import load_tokenizer, model_of, prepared  # noqa: E402
from crl_train.train import quietly, trl_keys  # noqa: E402
from crl_train.trainer import CritiqueTrainer  # noqa: E402

Recipe = Callable[..., Path]
Batch = dict[str, Any]


def trainer_of(recipe: Path, weight: float = 1.0) -> CritiqueTrainer:
    """The trainer of a recipe, before its first step."""
    job = load_job(recipe)
    trl_keys(job, recipe.parent / "out")
    quietly(job)
    tokenizer = load_tokenizer(job)
    trainer = CritiqueTrainer(
        ours=job.ours,
        rows=prepared(job, tokenizer).train,
        progress=Progress(),
        args=job.trl,
        model=model_of(job),
        processing_class=tokenizer,
        peft_config=trl.get_peft_config(job.model),
    )
    trainer.enter(Phase(critique_weight=weight))
    trainer.current_gradient_accumulation_steps = job.trl.gradient_accumulation_steps
    trainer.model.train()
    return trainer


def drawn(trainer: CritiqueTrainer, seed: int = 1) -> Batch:
    """A generation batch, the same one whenever the seed is and the model."""
    torch.manual_seed(seed)
    n = trainer.args.generation_batch_size
    return trainer._generate_and_score_completions([{"prompt": []}] * n)


def flat_groups(trainer: CritiqueTrainer) -> list[bool]:
    """Of the last draw, by rewards alone."""
    rewards = [one.reward for one in trainer._scored[0]]
    size = trainer.num_generations
    return [len(set(rewards[start : start + size])) == 1 for start in range(0, len(rewards), size)]


def gradient(trainer: CritiqueTrainer, *batches: Batch, loss_of: Callable[..., Any] | None = None) -> torch.Tensor:
    """Of the loss over passes, as one vector. loss_of: TRL's own where it is not ours."""
    trainer.model.zero_grad()
    for batch in batches:
        (loss_of or trainer._compute_loss)(trainer.model, batch).backward()
    found = torch.cat([one.grad.flatten() for one in trainer.model.parameters()])
    trainer.model.zero_grad()
    return found


def plain(trainer: CritiqueTrainer) -> Callable[..., Any]:
    return lambda model, batch: trl.GRPOTrainer._compute_loss(trainer, model, batch)


def without_flat(trainer: CritiqueTrainer, batch: Batch) -> Batch:
    """A batch that was made of the groups alone that tell something."""
    rows = [
        group * trainer.num_generations + place
        for group, flat in enumerate(flat_groups(trainer))
        if not flat
        for place in range(trainer.num_generations)
    ]
    some = take(batch, rows)
    return {**some, "num_items_in_batch": some["completion_mask"].sum()}


def same(one: torch.Tensor, other: torch.Tensor, rtol: float = 1e-4) -> bool:
    return bool((one - other).norm() <= rtol * other.norm()) and bool(other.norm() > 0)


# --- groups that tell nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "bnpo", "dr_grpo"])
def test_dropped_groups_leave_the_gradient_of_a_batch_without_them(recipe: Recipe, loss_type: str) -> None:
    keeping = trainer_of(recipe(loss_type=loss_type, per_device_train_batch_size=32))
    whole = drawn(keeping)
    flat = flat_groups(keeping)
    assert any(flat) and not all(flat), flat
    wanted = gradient(keeping, without_flat(keeping, whole), loss_of=plain(keeping))
    dropping = trainer_of(recipe(loss_type=loss_type, per_device_train_batch_size=32, zero_variance="drop"))
    batch = drawn(dropping)
    assert torch.equal(batch["completion_ids"], whole["completion_ids"])
    assert same(gradient(dropping, batch), wanted)
    assert not same(gradient(keeping, whole), wanted)  # their tokens, or rows, count in the mean
    rows = batch["completion_mask"].sum(1).view(-1, 4)
    assert [bool(group.sum() == 0) for group in rows] == flat


@pytest.mark.parametrize("loss_type", ["dapo", "grpo"])
def test_dropped_groups_are_out_of_the_mean_of_all_passes_of_an_update(recipe: Recipe, loss_type: str) -> None:
    said = {"loss_type": loss_type, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}
    trainer = trainer_of(recipe(**said, zero_variance="drop"))
    batch = drawn(trainer)
    passes = [take(batch, range(start, start + 8)) for start in range(0, 32, 8)]
    for one in passes:
        one |= {name: value for name, value in batch.items() if isinstance(value, torch.Tensor) and not value.ndim}
    kept = without_flat(trainer, batch)
    trainer_of_one = trainer_of(recipe(loss_type=loss_type, per_device_train_batch_size=32))
    wanted = gradient(trainer_of_one, kept, loss_of=plain(trainer_of_one))
    assert same(gradient(trainer, *passes), wanted)


def test_a_kl_term_is_a_mean_over_the_groups_that_count_too(recipe: Recipe) -> None:
    said = {"loss_type": "grpo", "per_device_train_batch_size": 32, "beta": 0.5}
    keeping, dropping = trainer_of(recipe(**said)), trainer_of(recipe(**said, zero_variance="drop"))
    for trainer in (keeping, dropping):  # away from the reference, or the term has no gradient
        with torch.no_grad():
            for one in trainer.model.parameters():
                one.mul_(1.05)
    whole = drawn(keeping)
    wanted = gradient(keeping, without_flat(keeping, whole), loss_of=plain(keeping))
    assert same(gradient(dropping, drawn(dropping)), wanted)


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_cut_responses_leave_the_loss_and_its_normaliser(recipe: Recipe, loss_type: str) -> None:
    said = {"loss_type": loss_type, "per_device_train_batch_size": 32, "max_completion_length": 7}
    keeping = trainer_of(recipe(**said))
    whole, rewards = drawn(keeping), [one.reward for one in keeping._scored[0]]
    cut = [one.cut for one in keeping._scored[0]]
    rows = [
        row
        for row, flat in enumerate(one for one in flat_groups(keeping) for _ in range(4))
        if not flat and not cut[row]
    ]
    assert 0 < len(rows) < len(rewards) - 4 * sum(flat_groups(keeping))
    some = take(whole, rows)
    some |= {"num_items_in_batch": some["completion_mask"].sum()}
    wanted = gradient(keeping, some, loss_of=plain(keeping))
    masking = trainer_of(recipe(**said, zero_variance="drop", mask_truncated_completions=True))
    batch = drawn(masking)
    assert torch.equal(batch["completion_ids"], whole["completion_ids"])
    assert same(gradient(masking, batch), wanted)


@pytest.mark.parametrize("loss_type", ["grpo", "dapo"])
def test_undecided_rows_and_groups_leave_the_loss_and_its_normaliser(recipe: Recipe, loss_type: str) -> None:
    said = {"arm": "solve-only", "loss_type": loss_type, "zero_variance": "drop"}
    trainer = trainer_of(recipe(**said))
    decided = [math.nan, 1.0, 0.0, 1.0, *[math.nan] * 4, *[0.0, 1.0, 1.0, 0.0], *[math.nan] * 3, 1.0]
    trainer.reward_funcs[1] = lambda completions, **_: decided
    batch = drawn(trainer)
    rows = [1, 2, 3, 8, 9, 10, 11]
    assert (batch["completion_mask"].sum(1) > 0).nonzero().flatten().tolist() == rows
    told = trainer._metrics["train"]["solve/groups_undecided"]
    assert told == [2.0]
    some = take(batch, rows)
    some |= {"num_items_in_batch": some["completion_mask"].sum()}
    assert same(gradient(trainer, batch), gradient(trainer, some, loss_of=plain(trainer)))


def test_a_refill_without_a_limit_ends_where_the_run_should(recipe: Recipe, tiny: Path) -> None:
    said = {"arm": "solve-only", "max_completion_length": 4, "model_name_or_path": str(tiny / "model")}
    trainer = trainer_of(recipe(zero_variance="refill", refill_limit=None, **said))
    trainer.should_hurry = lambda: trainer.progress.prompts >= 20
    assert gradient(trainer, drawn(trainer)).norm() == 0
    assert trainer.progress.prompts == 20


def test_what_one_phase_left_over_is_not_used_in_another(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(zero_variance="refill", refill_limit=None))
    while trainer._surplus is None:
        drawn(trainer, seed=trainer.progress.prompts)
    trainer.enter(trainer.phase)
    assert trainer._surplus is not None
    trainer.enter(Phase(max_completion_length=9))
    assert trainer._surplus is None


def test_a_batch_that_tells_nothing_at_all_has_no_gradient(recipe: Recipe, tiny: Path) -> None:
    for mode in ("drop", "refill"):
        said = {"arm": "solve-only", "max_completion_length": 4}  # too short for any program
        trainer = trainer_of(recipe(model_name_or_path=str(tiny / "model"), zero_variance=mode, refill_limit=3, **said))
        batch = drawn(trainer)
        assert all(flat_groups(trainer))
        assert gradient(trainer, batch).norm() == 0
        assert trainer.progress.prompts == (4 if mode == "drop" else 12)
        assert len(batch["completion_ids"]) == 16


def test_refilling_draws_until_there_are_enough_and_keeps_the_rest_for_the_next_step(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(zero_variance="refill", refill_limit=None))
    batch = drawn(trainer)
    draws = trainer.progress.prompts // 4
    assert draws >= 2
    assert bool((batch["completion_mask"].sum(1) > 0).all())
    groups = batch["advantages"].view(4, 4)
    assert bool((groups.abs().sum(1) > 0).all())  # each tells something
    assert torch.allclose(groups.sum(1), torch.zeros(4), atol=1e-4)  # whole groups, each of one prompt
    for group in range(4):
        prompts = batch["prompt_ids"][group * 4 : group * 4 + 4]
        assert bool((prompts == prompts[0]).all())
    surplus = trainer._surplus
    while surplus is None:  # until a draw leaves some
        drawn(trainer, seed=trainer.progress.prompts)
        surplus = trainer._surplus
    kept = {name: value.clone() for name, value in surplus.items()}
    old = gradient(trainer, batch).norm()
    assert old > 0
    with torch.no_grad():  # an update: the policy is another one
        for one in trainer.model.parameters():
            one.mul_(1.01)
    following = drawn(trainer, seed=99)
    n = len(kept["completion_ids"])
    held = kept["completion_mask"].shape[1]
    assert torch.equal(following["completion_ids"][:n, :held], kept["completion_ids"])
    assert torch.equal(following["old_per_token_logps"][:n, :held], kept["old_per_token_logps"])
    ids = torch.cat([following["prompt_ids"], following["completion_ids"]], 1)
    mask = torch.cat([following["prompt_mask"], following["completion_mask"]], 1)
    with torch.no_grad():
        now, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, following["completion_ids"].shape[1]
        )
    off = ((now - following["old_per_token_logps"]) * following["completion_mask"]).abs().amax(1)
    assert bool((off[:n] > 1e-4).all())  # of the policy that wrote them
    assert bool((off[n:] < 1e-4).all())  # of this one


def test_a_refill_stops_at_its_limit_and_what_is_missing_does_not_count(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(zero_variance="refill", refill_limit=1))
    batch, flat = drawn(trainer), flat_groups(trainer)
    assert trainer.progress.prompts == 4
    assert any(flat) and not all(flat), flat
    counted = batch["completion_mask"].view(4, 4, -1).sum((1, 2)) > 0
    assert int(counted.sum()) == 4 - sum(flat)
    assert batch["num_items_in_batch"] == batch["completion_mask"].sum()
    keeping = trainer_of(recipe())
    whole = drawn(keeping)
    wanted = gradient(keeping, without_flat(keeping, whole), loss_of=plain(keeping))
    assert same(gradient(trainer, batch), wanted, rtol=1e-3)


# --- the weight of critiques ------------------------------------------------------------------------------------------


def parts(trainer: CritiqueTrainer, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of solve and of critique rows, each from a batch of its own, over the tokens of both."""
    critique = batch["is_critique"]
    found = []
    for of in (~critique, critique):
        some = take(batch, of.nonzero().flatten().tolist())
        some |= {"num_items_in_batch": batch["num_items_in_batch"]}
        found.append(gradient(trainer, some, loss_of=plain(trainer)))
    return found[0], found[1]


@pytest.mark.parametrize(
    ("mode", "scale"), [("raw", "group"), ("advantage", "group"), ("batch", "group"), ("raw", "none")]
)
def test_a_weight_does_what_its_mode_says_to_the_gradient(recipe: Recipe, mode: str, scale: str) -> None:
    said = {"critique_weight_mode": mode, "scale_rewards": scale, "per_device_train_batch_size": 32}
    half = trainer_of(recipe(**said), weight=0.5)
    one = trainer_of(recipe(**{**said, "critique_weight_mode": "batch" if mode == "batch" else "raw"}))
    unweighted, weighted = drawn(one), drawn(half)
    assert torch.equal(unweighted["completion_ids"], weighted["completion_ids"])
    solve, critique = parts(one, unweighted)
    assert solve.norm() > 0 and critique.norm() > 0
    found = gradient(half, weighted)
    if (mode, scale) == ("raw", "group"):  # a constant factor cancels where advantages are normalised
        assert same(found, solve + critique, rtol=1e-2)
        assert not same(found, solve + 0.5 * critique, rtol=1e-2)
    elif mode == "batch":  # one scale for all, that the weight is part of
        scaled = found.dot(solve + 0.5 * critique) / (solve + 0.5 * critique).dot(solve + 0.5 * critique)
        assert same(found, scaled * (solve + 0.5 * critique), rtol=1e-2)
        assert 1 < scaled < 2
    else:
        assert same(found, solve + 0.5 * critique, rtol=1e-3)


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_gradient_of_each_kind_is_that_of_its_rows(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(gradient_norm_every=1, per_device_train_batch_size=32))
    batch = drawn(trainer)
    solve, critique = parts(trainer, batch)
    trainer.accelerator.gradient_state._set_sync_gradients(True)
    told = trainer._metrics["train"]
    before = {name: list(values) for name, values in told.items()}
    whole = gradient(trainer, batch)
    assert told[f"{SOLVE}/gradient_norm"] == [pytest.approx(float(solve.norm()), rel=1e-3)]
    assert told[f"{CRITIQUE}/gradient_norm"] == [pytest.approx(float(critique.norm()), rel=1e-3)]
    assert same(whole, solve + critique, rtol=1e-3)
    assert all(len(told[name]) - len(before.get(name, [])) <= 1 for name in told)  # TRL's own are told once


def test_gradient_norms_with_dropout_leave_the_update_as_it_is(recipe: Recipe) -> None:
    found = []
    for every in (None, 1):
        lora = {"use_peft": True, "lora_r": 4, "lora_dropout": 0.5, "lora_target_modules": ["q_proj", "v_proj"]}
        trainer = trainer_of(recipe(gradient_norm_every=every, **lora))
        batch = drawn(trainer)
        trainer.accelerator.gradient_state._set_sync_gradients(True)
        torch.manual_seed(5)
        trainer.model.zero_grad()
        trainer._compute_loss(trainer.model, batch).backward()
        found.append(torch.cat([one.grad.flatten() for one in trainer.model.parameters() if one.requires_grad]))
    assert torch.equal(*found)


def test_answers_leave_the_random_numbers_and_the_mode_as_they_were(recipe: Recipe) -> None:
    trainer = trainer_of(recipe())
    torch.manual_seed(3)
    state = torch.get_rng_state()
    rows = trainer.rows.some(range(6))
    first = trainer.answers(rows, samples=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert trainer.model.training
    torch.manual_seed(4)
    assert trainer.answers(rows, samples=2) == first  # the same ones every time
    greedy = trainer.answers(rows, greedy=True)
    assert [one.kind for one in greedy] == [row["kind"] for row in rows]
    assert [one.kind for one in first] == [row["kind"] for row in rows for _ in range(2)]
    torch.manual_seed(6)
    assert trainer.answers(rows, greedy=True) == greedy
    trainer.args.per_device_eval_batch_size = 2  # the most likely answers do not hang on what is asked at once
    assert [one.concluded for one in trainer.answers(rows, greedy=True)] == [one.concluded for one in greedy]
    assert trainer.generation_config.do_sample


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_reward_that_is_infinite_ends_the_run(recipe: Recipe) -> None:
    trainer = trainer_of(recipe())
    trainer.reward_funcs[1] = lambda completions, **_: [math.inf] * len(completions)
    with pytest.raises(WorkError, match="a reward is infinite"):
        drawn(trainer)


def test_rewards_that_are_no_numbers_are_undecided_and_never_0(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(arm="solve-only"))
    trainer.reward_funcs[1] = lambda completions, **_: [math.nan, 1.0, 0.0, 1.0] * (len(completions) // 4)
    batch = drawn(trainer)
    groups = batch["advantages"].view(4, 4)
    assert bool((groups[:, 0] == 0).all())
    assert bool((groups[:, 1] > 0).all())
    assert torch.allclose(groups[:, 1:].sum(1), torch.zeros(4), atol=1e-4)  # the mean is over the three that are known
    assert math.isnan(trainer._scored[0][0].reward)


def test_a_judge_that_decides_nothing_ends_the_run_though_critiques_are_still_decided(recipe: Recipe) -> None:
    trainer = trainer_of(recipe(reward={"judge": "http://127.0.0.1:9", "timeout_s": 5}))
    with pytest.raises(WorkError, match="no solution of this step could be judged") as caught:
        for seed in range(3):
            drawn(trainer, seed)
    assert "\n" not in str(caught.value)
    assert {one.kind for one in trainer._scored[0]} == {SOLVE, CRITIQUE}


def test_a_gradient_that_is_no_number_ends_the_run_before_the_update(recipe: Recipe) -> None:
    trainer = trainer_of(recipe())
    assert trainer._get_grad_norm(trainer.model, torch.tensor(2.0)) == 2.0
    for norm in (math.nan, math.inf):
        with pytest.raises(WorkError, match=r"update 1: the gradient is not a number any more"):
            trainer._get_grad_norm(trainer.model, torch.tensor(norm))


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"gradient_accumulation_steps": 3, "generation_batch_size": 32}, "do not divide"),
        ({"gradient_accumulation_steps": 2, "generation_batch_size": 48}, "do not divide"),
        ({"loss_type": "bnpo", "zero_variance": "drop", "gradient_accumulation_steps": 2}, "use loss_type: dapo"),
        ({"loss_type": "grpo", "zero_variance": "refill", "entropy_coef": 0.1}, "use loss_type: dapo"),
    ],
)
def test_passes_and_losses_that_do_not_fit_are_told(recipe: Recipe, said: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        trainer_of(recipe(**said))


def test_evaluation_by_the_trainer_itself_is_refused(recipe: Recipe) -> None:
    trainer = trainer_of(recipe())
    trainer.model.eval()
    with pytest.raises(InputError, match="held-out rows are measured by the key evaluate"):
        drawn(trainer)
