"""TRL's GRPOTrainer with what critique training needs beside it, and nothing of it copied:

- prompts from a stream that any step can draw from, so that groups which tell nothing can be replaced (`zero_variance`);
- a weight of critiques that also works on advantages (`critique_weight_mode`);
- phases: another length, another weight, in the same run;
- what each kind of record contributes, logged;
- checkpoints that hold all of this, so that a run goes on as if it had never stopped.

Methods of TRL's that are not public are overridden; docs/decisions/0013 says which, and why TRL's version is pinned.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.errors import InputError, WorkError
from crl_data.responses import extract_code
from crl_data.rewards import reward
from crl_train import measures
from crl_train.data import Rows
from crl_train.groups import PER_BATCH, Batch, join, out_of_the_loss, rows_of, take, without_variance
from crl_train.measures import Completion
from crl_train.onpolicy import SAMPLER, Own, OwnSolutions
from crl_train.phases import Progress
from crl_train.recipe import Phase, TrainRecipe
from crl_train.rollouts import Rollouts
from crl_train.selection import STATE, best_so_far, check_rows, seal
from crl_train.stream import PromptStream
from crl_train.vllm_cpu import unpacked

_SURPLUS = "crl_surplus-{}.pt"
_SCALE = "crl_scale"
_ROWS_AVERAGED = ("grpo", "sapo", "dr_grpo", "luspo")
_TOKENS_AVERAGED = ("dapo", "bnpo", "cispo", "vespo")
"""TRL's losses: means over rows, and means over tokens."""


class CritiqueTrainer(GRPOTrainer):  # type: ignore[misc]
    """A GRPOTrainer over solve and critique rows.

    ours: the recipe's own keys. rows: what is trained on. progress: where the run stands. own: the policy's own solutions, where
    they come back. rollouts: where completions are kept. All else is the GRPOTrainer's; `args.reward_weights` is not used.
    """

    generation_config: Any
    generation_kwargs: dict[str, Any]

    def __init__(
        self,
        *,
        ours: TrainRecipe,
        rows: Rows,
        progress: Progress,
        own: OwnSolutions | None = None,
        rollouts: Rollouts | None = None,
        args: Any,
        **theirs: Any,
    ) -> None:
        self.ours = ours
        self.rows = rows
        self.progress = progress
        self.own = own
        self.rollouts = rollouts
        self.stream = PromptStream(
            len(rows), args.seed if args.data_seed is None else args.data_seed, args.shuffle_dataset
        )
        self.seconds: dict[str, float] = defaultdict(float)
        self._length = args.max_completion_length
        self._kept, args.save_total_limit = args.save_total_limit, None  # older ones go once a new one is whole
        if ours.critique_weight_mode == "batch":
            args.scale_rewards = "batch"
        critique = reward("critique", **ours.reward)
        solve = reward("solve", **ours.reward)
        with unpacked() if args.use_vllm else contextlib.nullcontext():
            super().__init__(
                reward_funcs=[critique, solve],
                args=args,
                train_dataset=_counted(rows, args),
                **theirs,
            )
        self.num_generations_eval = 1
        self._surplus: Batch | None = None
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._scored: tuple[list[Completion], list[str]] = ([], [])
        self.mean_reward = math.nan
        self.should_hurry: Callable[[], bool] = lambda: False
        self._gradients: dict[str, list[torch.Tensor]] = {}
        self.phase, self._entered = Phase(), False
        self._check_shape()

    # --- phases -------------------------------------------------------------------------------------------------------

    @property
    def prompts_at_once(self) -> int:
        """How many prompts a generation batch is made of, over all processes."""
        return int(self.args.generation_batch_size) // int(self.num_generations)

    @property
    def steps_at_once(self) -> int:
        """How many passes (micro-batches) a generation batch is used for."""
        return int(self.args.steps_per_generation) * int(self.num_iterations)

    @property
    def updates_at_once(self) -> int:
        """How many updates a generation batch is used for, at least one."""
        return max(1, self.steps_at_once // int(self.args.gradient_accumulation_steps))

    @property
    def at_boundary(self) -> bool:
        """Whether a generation batch was used up, and the next step begins a new one."""
        return bool(self._step % self.steps_at_once == 0)

    def enter(self, phase: Phase) -> None:
        """Train under a phase's settings from the next generation batch on; what another one left over is not used any more."""
        if phase != self.phase and self._entered:
            self._surplus = None
        self.phase, self._entered = phase, True
        length = phase.max_completion_length or self._length
        self.max_completion_length = self.args.max_completion_length = length
        if self.use_vllm:
            self.vllm_generation.max_completion_length = length
        else:
            self.generation_config.max_new_tokens = length
            self.generation_kwargs["max_new_tokens"] = length
        by_reward = self.ours.critique_weight_mode in ("raw", "batch")
        self.reward_weights = torch.tensor([phase.critique_weight if by_reward else 1.0, 1.0], dtype=torch.float32)

    def _check_shape(self) -> None:
        losses = (*_ROWS_AVERAGED, *_TOKENS_AVERAGED)
        if self.loss_type not in losses:
            raise InputError(f"loss_type: expected one of {', '.join(losses)}, got {self.loss_type!r}")
        local = self.prompts_at_once * self.num_generations // self.accelerator.num_processes
        if self.ours.zero_variance == "refill" and local % self.num_generations:
            raise InputError(
                f"zero_variance: refill needs whole groups on each process, and {local} completions a process are no multiple of "
                f"num_generations ({self.num_generations}); change generation_batch_size"
            )
        accumulation = self.args.gradient_accumulation_steps
        if self.steps_at_once % accumulation and accumulation % self.steps_at_once:
            raise InputError(
                f"gradient_accumulation_steps ({accumulation}) and the {self.steps_at_once} passes over a generation batch do "
                "not divide: a batch would end within an update; change generation_batch_size or gradient_accumulation_steps"
            )
        if self.ours.zero_variance != "keep":
            self._check_dropping()
        if self.ours.gradient_norm_every is not None and self.is_sharded:
            raise InputError(
                "gradient_norm_every: with DeepSpeed or FSDP no process holds whole gradients; leave it out"
            )

    def _check_dropping(self) -> None:
        """Whether rows can be left out of this loss's normaliser."""
        mode = self.ours.zero_variance
        several = self.steps_at_once > 1 or self.accelerator.num_processes > 1
        if self.loss_type == "bnpo" and several:
            raise InputError(
                f"zero_variance: {mode} and loss_type: bnpo: each pass is averaged alone, and one in which no group counts still "
                "has its share; use loss_type: dapo, the mean over the tokens of an update"
            )
        if self.loss_type in _ROWS_AVERAGED and (self._entropy_bonus_enabled or self.aux_loss_enabled):
            raise InputError(
                f"zero_variance: {mode} and loss_type: {self.loss_type}: a mean over rows is scaled to those that count, and an "
                "entropy bonus or a router's loss would be scaled with it; use loss_type: dapo, or zero_variance: keep"
            )

    @property
    def is_sharded(self) -> bool:
        """Whether no process holds the whole model."""
        return bool(self.is_deepspeed_enabled or self.is_fsdp_enabled)

    # --- what a step is made of ---------------------------------------------------------------------------------------

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        if not self.model.training:
            raise InputError("eval_strategy: leave it out; held-out rows are measured by the key evaluate")
        size = int(self.num_generations)
        groups = -(-len(inputs) // size)
        mode = self.ours.zero_variance
        kept, last = self._surplus, None
        found = 0 if kept is None else len(kept["completion_ids"]) // size
        draws, rewards = 0, []
        while last is None or (mode == "refill" and self._short(groups - found) and self._may_draw(draws)):
            last, telling = self._draw(len(inputs))
            draws += 1
            rewards.append(self.mean_reward)
            if mode == "refill":
                good = take(last, rows_of(telling, size))
                kept = good if kept is None else join([kept, good], self._pad)
                found = len(kept["completion_ids"]) // size
        self.mean_reward = fmean(rewards)
        batch = last if kept is None or mode != "refill" else self._filled(kept, last, groups, size)
        del batch["flat"], batch["undecided"]
        batch[_SCALE] = self._scale(batch["completion_mask"].sum(1) == 0)
        batch[PER_BATCH] = self.accelerator.gather(batch["completion_mask"].sum()).sum()
        self._log_update(batch, draws)
        return batch

    def _scale(self, left_out: torch.Tensor) -> torch.Tensor:
        """What a loss that is a mean over all rows is multiplied by, so that it is one over those that count: not of groups that
        tell nothing, not undecided, and not cut where `mask_truncated_completions` masks what was.
        """
        counts = torch.stack([torch.ones_like(left_out).sum(), (~left_out).sum()]).float()
        everything, counted = self.accelerator.reduce(counts, reduction="sum")
        leaves_out = self.ours.zero_variance != "keep" and self.loss_type in _ROWS_AVERAGED
        return everything / counted.clamp(min=1.0) if leaves_out else torch.ones_like(counted)

    @property
    def _pad(self) -> int:
        return int(self._tokenizer.pad_token_id)

    def _short(self, missing: int) -> bool:
        """Whether any process lacks groups."""
        missing_anywhere = self.accelerator.gather(torch.tensor([missing], device=self.accelerator.device)).max()
        return bool(missing_anywhere > 0)

    def _may_draw(self, draws: int) -> bool:
        """Whether another batch may be drawn: a stop or a spent budget waits for no refill."""
        return (self.ours.refill_limit is None or draws < self.ours.refill_limit) and not self.should_hurry()

    def _filled(self, kept: Batch, last: Batch, groups: int, size: int) -> Batch:
        """So many groups of those that tell something; where they are too few, others beside them that do not count.

        The rest is kept for the next step, and no more than that step needs: where one process waits for another, the older
        ones go.
        """
        have = len(kept["completion_ids"]) // size
        used = take(kept, rows_of(range(min(have, groups)), size))
        rest = rows_of(range(max(groups, have - groups), have), size)
        self._surplus = take(kept, rest) if rest else None
        if have < groups:
            flat = [group for group in range(len(last["flat"]) // size) if bool(last["flat"][group * size])]
            filling = take(last, rows_of((flat * groups)[: groups - have], size))
            used = join([used, filling], self._pad)
        out_of_the_loss(used, used["flat"] | used["undecided"])
        return used

    def _draw(self, n: int) -> tuple[Batch, list[int]]:
        """Generate and score a generation batch of new prompts; which of this process's groups tell something."""
        size = int(self.num_generations)
        rank = self.accelerator.process_index
        rows = [self._row(number) for number in self.stream.next(self.prompts_at_once)]
        repeated = [row for row in rows for _ in range(size)]
        began, judged = time.perf_counter(), self.seconds["judging"]
        batch: Batch = super()._generate_and_score_completions(repeated[rank * n : (rank + 1) * n])
        self.seconds["generating"] += time.perf_counter() - began - (self.seconds["judging"] - judged)
        local, texts = self._scored
        everything: list[Completion] = gather_object(local)
        flat = without_variance([one.reward for one in everything], size)
        _check_judged(everything, size)
        self._count(everything)
        self.mean_reward = fmean(one.reward for one in everything if not math.isnan(one.reward))
        device = batch["advantages"].device
        mine = slice(rank * n, (rank + 1) * n)
        batch["flat"] = torch.tensor([one for one in flat for _ in range(size)][mine], device=device)
        batch["undecided"] = torch.tensor([math.isnan(one.reward) for one in local], device=device)
        batch["is_critique"] = torch.tensor([one.kind == CRITIQUE for one in local], device=device)
        batch["completion_length"] = torch.tensor([one.tokens for one in local], device=device)
        if self.ours.critique_weight_mode == "advantage":
            weight = torch.where(batch["is_critique"], self.phase.critique_weight, 1.0)
            batch["advantages"] = batch["advantages"] * weight.to(batch["advantages"].dtype)
        if self.ours.zero_variance == "refill":
            self._remember_policy(batch)
        elif self.ours.zero_variance == "drop":
            out_of_the_loss(batch, batch["flat"] | batch["undecided"])
        self._log_draw(everything, size)
        if self.own is not None:
            self._keep_own(repeated[mine], local, texts)
        if self.rollouts is not None:
            self.rollouts.write(int(self.state.global_step), repeated[mine], texts, local, batch["advantages"].tolist())
        telling = (
            [group for group in range(n // size) if not bool(batch["flat"][group * size])] if n % size == 0 else []
        )
        return batch, telling

    def _row(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = self.rows[number]
        if self.own is not None and row["kind"] == CRITIQUE:
            return self.own.in_place_of(row, int(self.state.global_step))
        return row

    def _remember_policy(self, batch: Batch) -> None:
        """What the policy that wrote these thought of them: some may be used after the next update only."""
        if "old_per_token_logps" in batch:
            return
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        with torch.no_grad():
            logps, _, _ = self._get_per_token_logps_and_entropies(
                self.model, ids, mask, batch["completion_ids"].size(1), batch_size=self.args.per_device_train_batch_size
            )
        batch["old_per_token_logps"] = logps

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        began = time.perf_counter()
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self.seconds["judging"] += time.perf_counter() - began
        if torch.isinf(rewards).any():
            raise WorkError("a reward is infinite; look at the options of the key reward")
        n, rank = len(prompts), self.accelerator.process_index
        mine = rewards[rank * n : (rank + 1) * n]
        extras = {name: list(values) for name, values in self._pending_extra_logs.items()}
        texts = [one if isinstance(one, str) else str(one[-1].get("content") or "") for one in completions]
        ends = {*self.eos_token_ids, self._pad}
        self._scored = (
            [
                _completion(row, mine[place], ids, {name: values[place] for name, values in extras.items()}, ends)
                for place, (row, ids) in enumerate(zip(inputs, completion_ids_list, strict=True))
            ],
            texts,
        )
        return rewards

    def _count(self, everything: Sequence[Completion]) -> None:
        self.progress.prompts += self.prompts_at_once
        self.progress.phase_prompts += self.prompts_at_once
        self.progress.generated_tokens += sum(one.tokens for one in everything)

    def _keep_own(self, rows: Sequence[dict[str, Any]], local: Sequence[Completion], texts: Sequence[str]) -> None:
        assert self.own is not None
        update = int(self.state.global_step)
        written = []
        for place, (row, one, text) in enumerate(zip(rows, local, texts, strict=True)):
            if one.kind != SOLVE or one.verdict is None or one.pass_rate is None:
                continue
            code = extract_code(text)
            if code:
                name = f"{row['problem_id']}/policy-{update}-{self.accelerator.process_index}-{place}"
                written.append(
                    Own(row=row, id=name, code=code, verdict=one.verdict, pass_rate=one.pass_rate, update=update)
                )
        self.own.add(gather_object(written))

    # --- the loss -----------------------------------------------------------------------------------------------------

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if torch.is_grad_enabled() and found[1] is not None:
            self._seen = (found[0].detach(), found[1].detach())
        return found

    def _compute_loss(self, model: Any, inputs: Batch) -> Any:
        every = self.ours.gradient_norm_every
        if every is not None and int(self.state.global_step) % every == 0:
            self._add_gradients(model, inputs)
        loss = super()._compute_loss(model, inputs) * inputs[_SCALE]
        if self._seen is not None:
            self._log_by_kind(inputs, *self._seen)
            self._seen = None
        return loss

    def _log_by_kind(self, inputs: Batch, logps: torch.Tensor, entropies: torch.Tensor) -> None:
        """Entropy and the share of clipped tokens, of each kind."""
        mask = inputs["completion_mask"]
        advantages = inputs["advantages"].unsqueeze(1)
        old = inputs.get("old_per_token_logps")
        ratio = torch.exp(logps - (logps if old is None else old))
        clipped = ((ratio < 1 - self.epsilon_low) & (advantages < 0)) | (
            (ratio > 1 + self.epsilon_high) & (advantages > 0)
        )
        sums = torch.stack(
            [
                torch.stack(
                    [(value * mask)[of].sum() for value in (torch.ones_like(entropies), entropies, clipped.float())]
                )
                for of in (~inputs["is_critique"], inputs["is_critique"])
            ]
        )
        for kind, (tokens, entropy, clips) in zip(
            measures.KINDS, self.accelerator.reduce(sums, reduction="sum").tolist(), strict=True
        ):
            if tokens:
                self._metrics["train"][f"{kind}/entropy"].append(entropy / tokens)
                self._metrics["train"][f"{kind}/clipped"].append(clips / tokens)

    def _add_gradients(self, model: Any, inputs: Batch) -> None:
        """Each kind's part of the gradient, by passes of their own; their norms are logged when the update is whole."""
        parameters = [one for one in model.parameters() if one.requires_grad]
        for kind, of in ((SOLVE, ~inputs["is_critique"]), (CRITIQUE, inputs["is_critique"])):
            part = {**inputs, "advantages": inputs["advantages"] * of.to(inputs["advantages"].dtype)}
            with self._unlogged(), self._own_randomness():  # dropout is as in the update's own pass
                loss = super()._compute_loss(model, part) * inputs[_SCALE]
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            sums = self._gradients.setdefault(kind, [torch.zeros_like(one) for one in parameters])
            for total, one in zip(sums, found, strict=True):
                if one is not None:
                    total += one
        if self.accelerator.sync_gradients:
            for kind, sums in self._gradients.items():
                whole = [self.accelerator.reduce(one, reduction="mean") for one in sums]
                norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(one) for one in whole]))
                self._metrics["train"][f"{kind}/gradient_norm"].append(float(norm))
            self._gradients = {}

    @contextlib.contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """The random numbers of training are afterwards as if nothing had been drawn."""
        device = self.accelerator.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        told = norm is not None and self.accelerator.scaler is None  # a scaler leaves such an update out
        if told and not math.isfinite(float(norm)):
            raise WorkError(
                f"update {int(self.state.global_step) + 1}: the gradient is not a number any more, and nothing of it is saved; "
                "begin a new run from the last checkpoint (model_name_or_path) with a smaller learning_rate"
            )
        return norm

    @contextlib.contextmanager
    def _unlogged(self) -> Iterator[None]:
        kept = self._metrics["train"]
        self._metrics["train"] = defaultdict(list)
        try:
            yield
        finally:
            self._metrics["train"] = kept

    # --- what is told -------------------------------------------------------------------------------------------------

    def _log_draw(self, everything: Sequence[Completion], size: int) -> None:
        for name, value in measures.of_groups(everything, size).items():
            self._metrics["train"][name].append(value)
        if self.own is not None:
            self._metrics["train"]["onpolicy/kept"].append(float(len(self.own)))
            self._metrics["train"]["onpolicy/asked"].append(float(self.own.asked))

    def _log_update(self, batch: Batch, draws: int) -> None:
        told = self.accelerator.gather(
            torch.stack(
                [
                    batch["is_critique"].float(),
                    batch["completion_mask"].sum(1).float(),
                    batch["advantages"].float(),
                ],
                dim=1,
            )
        ).tolist()
        columns = ([row[0] > 0 for row in told], [row[1] for row in told], [row[2] for row in told])
        of_update = measures.of_update(*columns, int(self.num_generations))
        for name, value in {**of_update, "draws": float(draws)}.items():
            self._metrics["train"][name].append(value)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self.model.training and self.seconds["step"]:
            for name in ("generating", "judging"):
                logs[f"seconds/{name}_share"] = self.seconds[name] / self.seconds["step"]
            logs["seconds/step"] = self.seconds["step"]
            self.seconds.clear()
        super().log(logs, start_time)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return super().training_step(*args, **kwargs)
        finally:
            self.seconds["step"] += time.perf_counter() - began

    # --- held-out rows ------------------------------------------------------------------------------------------------

    def answers(self, rows: Rows, samples: int = 1, greedy: bool = False) -> list[Completion]:
        """The model's answers to held-out rows, judged; `samples` of each, or the most likely one.

        The random numbers of training are as if nothing had been asked, and every time the same ones are drawn here; but those of
        vLLM, which has its own.
        """
        was_training = self.model.training
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        at_once = max(1, self.args.per_device_eval_batch_size)
        numbered = list(enumerate(place for place in range(len(rows)) for _ in range(1 if greedy else samples)))
        found: list[tuple[int, Completion]] = []
        self.model.eval()
        try:
            with self._sampling(greedy), self._own_randomness(), torch.no_grad():
                torch.manual_seed(self.args.seed + rank)
                for start in range(0, len(numbered), at_once * processes):
                    chunk = numbered[start : start + at_once * processes]
                    share = -(-len(chunk) // processes)
                    mine = chunk[rank * share : (rank + 1) * share]
                    filled = (mine + chunk * share)[:share]  # each process takes part in every call, with as many rows
                    answered = self._answered([rows[place] for _, place in filled])
                    found += [(number, one) for (number, _), one in zip(mine, answered, strict=False)]
        finally:
            self.model.train(was_training)
            self._metrics["eval"].clear()
        by_number = dict(gather_object(found))
        return [by_number[number] for number in sorted(by_number)]

    def _answered(self, asked: list[dict[str, Any]]) -> list[Completion]:
        prompts = [row["prompt"] for row in asked]
        _, ids, _, completions, *_ = self._generate(prompts)
        judged = self.seconds["judging"]
        self._calculate_rewards(asked, prompts, completions, ids)
        self.seconds["judging"] = judged
        self._pending_extra_logs.clear()
        self._pending_metrics.clear()
        return self._scored[0]

    @contextlib.contextmanager
    def _sampling(self, greedy: bool) -> Iterator[None]:
        if not greedy:
            yield
        elif self.use_vllm:
            kept = self.vllm_generation.temperature
            self.vllm_generation.temperature = 0.0
            try:
                yield
            finally:
                self.vllm_generation.temperature = kept
        else:
            config, kwargs = self.generation_config, self.generation_kwargs
            self.generation_config = copy.deepcopy(config)
            self.generation_config.update(do_sample=False, temperature=None, top_p=None, top_k=None)
            self.generation_kwargs = {**kwargs, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
            try:
                yield
            finally:
                self.generation_config, self.generation_kwargs = config, kwargs

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None of TRL's: the run's own card is written when it is over."""

    @cached_property
    def _trained_on(self) -> str:
        return self.rows.fingerprint()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            (folder / STATE).unlink(missing_ok=True)
        super()._save_checkpoint(model, trial)
        if self._surplus is not None:
            torch.save(self._surplus, folder / _SURPLUS.format(self.accelerator.process_index))
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            state = {
                "progress": self.progress.state(),
                "stream": self.stream.state(),
                "rows": self._trained_on,
                "own": None if self.own is None else self.own.state(),
                "processes": self.accelerator.num_processes,
            }
            seal(folder, state, self._kept, best_so_far(self.ours.select, folder.parent))

    def load_state(self, checkpoint: Path) -> None:
        """Go back to where a checkpoint was taken. Raises `InputError` where it is of another run."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        try:
            self.stream.load(state["stream"])
        except ValueError as error:
            raise InputError(
                f"{checkpoint}: {error}; resume with the recipe and the data that the run began with"
            ) from None
        check_rows(checkpoint, state, self._trained_on)
        self.progress.load(state["progress"])
        if self.own is not None and state["own"] is not None:
            self.own.load(state["own"])
        surplus = checkpoint / _SURPLUS.format(self.accelerator.process_index)
        if surplus.is_file() and state["processes"] == self.accelerator.num_processes:
            held: Batch = torch.load(surplus, map_location="cpu", weights_only=True)
            self._surplus = {name: value.to(self.accelerator.device) for name, value in held.items()}


def _check_judged(completions: Sequence[Completion], size: int) -> None:
    """Raises `WorkError` where the judge decided nothing: neither about solutions of several prompts, nor about anything."""
    solves = [one for one in completions if one.kind == SOLVE]
    asked = solves if len(solves) > size else completions
    if all(math.isnan(one.reward) for one in asked):
        raise WorkError(
            f"no solution of this step could be judged ({len(solves)} were written), and nothing can be learned from them; see "
            "what crl-train doctor says of the judge, then go on with --resume"
        )


def _completion(
    row: dict[str, Any], rewards: torch.Tensor, ids: Sequence[int], extra: dict[str, Any], ends: set[int]
) -> Completion:
    numbers = [one for one in rewards.tolist() if not math.isnan(one)]
    kind = row.get("kind") or (SOLVE if row.get("solution") is None else CRITIQUE)
    concluded, verdict = extra.get("conclusion"), extra.get("judged_verdict")
    truth = row.get("verdict") if kind == CRITIQUE else None
    return Completion(
        kind=kind,
        reward=sum(numbers) if numbers else math.nan,
        tokens=len(ids),
        right=concluded == ("T" if truth else "F") if kind == CRITIQUE else verdict is True,
        truth=truth,
        concluded=concluded,
        pass_rate=extra.get("pass_rate"),
        verdict=verdict,
        own=(row.get("sampler") or {}).get("name") == SAMPLER,
        cut=not ids or ids[-1] not in ends,
    )


def _counted(rows: Rows, args: Any) -> Any:
    """Rows that TRL's own loader counts steps by, whole generation batches of them; what is trained on, the stream draws."""
    at_once = int(args.generation_batch_size) // int(args.num_generations)
    numbers = [rows.numbers[place % len(rows)] for place in range(-(-len(rows) // at_once) * at_once)]
    return rows.table.select_columns(["prompt"]).select(numbers)
