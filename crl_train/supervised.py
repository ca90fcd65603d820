"""The supervised arms: a model is shown what to write, by TRL's SFTTrainer.

    cft   critiques that conclude the truth, as answers to critique prompts (arXiv 2501.17703)
    cgd   right corrected solutions, as answers to question, wrong solution and critique (arXiv 2505.11628)
    sft   any file of rows with prompt and completion: a warm start

cft and cgd read `critiques.parquet` of a built dataset, whoever wrote it: rows are those of `crl-data export`. A teacher's tokens
are counted, since a policy's own cost no teacher.

Nothing that is shown is cut. Rows of problems that are kept back for validation, rows with longer prompts than
`max_prompt_length`, and rows that are longer than a `max_length` which the recipe names, are left out and counted.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
from safetensors import safe_open
from transformers import TrainerCallback
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from trl import SFTTrainer, get_peft_config

from crl_data.errors import InputError, WorkError
from crl_data.export import cft, cgd
from crl_data.prompts import load_template
from crl_train.batches import UNBOUNDED
from crl_train.data import TEST, TRAIN, VALIDATION, Corpus, locate
from crl_train.lines import EVALUATIONS, METRICS, Log, read_lines
from crl_train.phases import Progress, is_spent
from crl_train.recipe import Arm
from crl_train.recipe_file import Job
from crl_train.run import (
    MODEL,
    Done,
    described_by,
    from_main,
    in_one_line,
    leave_model,
    load_tokenizer,
    measured_at_start,
    model_of,
    prepared,
    results_of,
    told_of,
    too_long,
    write_run,
)
from crl_train.selection import STATE, check, check_rows, choose, seal, split_of, update_of, whole_checkpoints
from crl_train.steering import HeldOut, Stop, agreed, held_out_of, show_progress
from crl_train.trainer import CritiqueTrainer

_MERGED = ".merged"
"""Where the model of a checkpoint that is an adapter lies while it is measured."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The rows of a supervised arm, with prompt and completion.

    dropped: what was left out, by reason. teacher_tokens: what a teacher wrote for these rows and for those that were not fit to
    be shown.
    """

    rows: Any
    dropped: Counter[str]
    teacher_tokens: int

    def fingerprint(self) -> str:
        """What these rows are, and in which order, as a hash."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(repr((row["prompt"], row["completion"])).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def train_supervised(job: Job, folder: Path, main: bool, checkpoint: Path | None) -> Done:
    """Train a supervised arm. Raises `InputError`, `WorkError`."""
    ours, trl = job.ours, job.trl
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    check(ours.select, {VALIDATION: corpus.validation, TEST: corpus.test})
    shown = shown_of(job, tokenizer, corpus.kept_back)
    trl.max_length = _longest(job) if trl.packing else None  # what is longer is left out, and nothing is cut
    count_shown(corpus, shown, ours.arm)
    held_out = held_out_of(corpus, ours.evaluate)
    progress, stop = Progress(), Stop()
    per_update = trl.per_device_train_batch_size * trl.world_size * trl.gradient_accumulation_steps
    _bound(job, per_update)
    evaluations = Log(folder / EVALUATIONS, main)
    counting = _Counting(job, progress, stop, Log(folder / METRICS, main), per_update, shown, main)
    if checkpoint is not None:
        counting.load_state(checkpoint)
    counting.metrics.forget_after(progress.updates if checkpoint else -1)
    evaluations.forget_after(progress.updates if checkpoint else -1)
    told = told_of(job, corpus, progress)
    write_run(folder, main, {**told, "status": "running"})
    asked = _Asked(job, tokenizer, corpus, held_out) if held_out.splits else None
    for one in asked.answers(held_out.splits) if asked is not None and checkpoint is None else ():
        evaluations.write({"update": 0, **one})
    with in_one_line(job):
        trainer = SFTTrainer(
            model=model_of(job),
            args=trl,
            train_dataset=shown.rows.select_columns(["prompt", "completion"]),
            processing_class=tokenizer,
            peft_config=get_peft_config(job.model),
            callbacks=[counting],
        )
    show_progress(trainer)
    trainer.create_model_card = lambda *_, **__: None  # the run's own is written when it is over
    counting.trainer = trainer
    if checkpoint is None or not counting.is_over(trainer.args.max_steps):
        with stop.listening():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if agreed(trainer.accelerator, stop.asked_by is not None):
        write_run(folder, main, {**told_of(job, corpus, progress), "status": "interrupted"})
        return Done(run=folder, update=progress.updates, results=(), interrupted=True)
    split = split_of(ours.select, corpus.validation is not None)
    checkpoints = from_main(lambda: whole_checkpoints(folder))
    if isinstance(ours.select, str) and ours.select != "last" and split is not None and asked is not None:
        for path in checkpoints:
            asked.take(_whole(job, path, folder / _MERGED))
            for one in asked.answers([split]):
                evaluations.write({"update": update_of(path), **one})
        if main:
            shutil.rmtree(folder / _MERGED, ignore_errors=True)
    known = from_main(lambda: read_lines(folder / EVALUATIONS))
    choice = from_main(lambda: choose(ours.select, checkpoints, known))
    from_main(lambda: leave_model(job, folder / f"checkpoint-{choice.update}", folder / MODEL))
    found = []
    if asked is not None:
        asked.take(folder / MODEL)
        found = list(asked.answers(held_out.splits))
    for one in found:
        evaluations.write({"update": choice.update, "final": True, **one})
    results = tuple(results_of([one for one in found if one["split"] == TEST], measured_at_start(known)))
    run = described_by(job, corpus, progress, choice, results)
    write_run(
        folder, main, {**told, "status": "done", "used": progress.used(), "choice": asdict(choice), "card": asdict(run)}
    )
    return Done(run=folder, update=choice.update, results=results, interrupted=False)


def shown_of(job: Job, tokenizer: Any, kept_back: Collection[str]) -> Shown:
    """What a supervised arm is shown.

    kept_back: problems whose rows are not shown; of a file of demonstrations, those are known where it has a problem_id. Raises
    `InputError` where nothing is left.
    """
    ours = job.ours
    written = 0
    if ours.arm is Arm.SFT:
        file = job.folder / str(ours.demonstrations)
        kind = "parquet" if file.name.endswith(".parquet") else "json"
        if not file.is_file():
            raise InputError(f"demonstrations: {file}: expected a file of rows with prompt and completion, got none")
        rows = datasets.load_dataset(kind, data_files=str(file), split="train")
    else:
        folder = locate(ours.dataset, job.folder, ours.dataset_revision)
        rows = _exported(job, folder)
        written = sum(len(tokenizer(text)["input_ids"]) for text in _written(folder, ours.arm, kept_back))
    for name in ("prompt", "completion"):
        if name not in rows.column_names:
            raise InputError(
                f"demonstrations: expected rows with prompt and completion, got {', '.join(rows.column_names)}"
            )
    dropped = Counter[str]()
    places = []
    with in_one_line(job):
        unfit = _unfit(job, tokenizer, kept_back)
        for place, row in enumerate(rows):
            reason = unfit(row)
            if reason is None:
                places.append(place)
            else:
                dropped[reason] += 1
    if not places:
        left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        raise InputError(
            f"arm: {ours.arm}: expected rows to show, got none that may be ({left_out or 'there are none'})"
        )
    return Shown(rows=rows.select(places) if dropped else rows, dropped=dropped, teacher_tokens=written)


def count_shown(corpus: Corpus, shown: Shown, arm: Arm) -> None:
    """Count what is shown, and what of it was left out, in place of the rows that an arm by rewards would have."""
    corpus.counts = Counter({str(arm): len(shown.rows)})
    corpus.dropped = shown.dropped + Counter({one: corpus.dropped[one] for one in map(too_long, (VALIDATION, TEST))})


def _exported(job: Job, folder: Path) -> Any:
    """The rows of the training split, as `crl-data export` makes them."""
    ours = job.ours
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "rows"
        if ours.arm is Arm.CFT:
            done = cft.export(folder, out)
        else:
            done = cgd.export(folder, out, template=load_template("cgd", ours.prompts.cgd, job.folder))
        train = [name for name in done.files if Path(name).stem == "train"]
        if not train:
            raise InputError(
                f"{ours.dataset}: expected critiques of its training split for the arm {ours.arm}, got none"
            )
        return datasets.Dataset.from_parquet(train[0], keep_in_memory=True)


def _unfit(job: Job, tokenizer: Any, kept_back: Collection[str]) -> Callable[[dict[str, Any]], str | None]:
    """Why a row is not shown; None where it is. Lengths are those of what the trainer makes of a row."""
    most_prompt, most = job.ours.max_prompt_length, _longest(job)

    def length(text: Any, asks: bool) -> int:
        if isinstance(text, str):
            return len(tokenizer(text)["input_ids"])
        return len(tokenizer.apply_chat_template(text, add_generation_prompt=asks, return_dict=False))

    def whole(row: dict[str, Any]) -> Any:
        both = row["prompt"] + row["completion"]
        end = tokenizer.eos_token or ""
        return both if not isinstance(both, str) or both.endswith(end) else both + end

    def unfit(row: dict[str, Any]) -> str | None:
        if row.get("problem_id") in kept_back:
            return "kept back for validation"
        if most_prompt is not None and length(row["prompt"], True) > most_prompt:
            return too_long(TRAIN)
        if most is not None and length(whole(row), False) > most:
            return "rows of more than max_length tokens"
        return None

    return unfit


def _longest(job: Job) -> int | None:
    """The `max_length` that a recipe names; TRL's own default is none of ours."""
    named = "max_length" in job.said or "max_length" in job.ours.supervised
    return int(job.trl.max_length) if named and job.trl.max_length is not None else None


def _written(folder: Path, arm: Arm, kept_back: Collection[str]) -> Iterator[str]:
    """All that a teacher wrote about problems that are not kept back; corrected solutions where these are learned."""
    columns = ["problem_id", "response", "refined_code"]
    for row in pq.read_table(folder / "critiques.parquet", columns=columns).to_pylist():
        if row["problem_id"] in kept_back:
            continue
        yield row["response"]
        if arm is Arm.CGD and row["refined_code"]:
            yield row["refined_code"]


def updates_named(job: Job, per_update: int) -> int | None:
    """The updates that `max_steps` or a budget come to; None where the epochs are the bound, or what is measured meanwhile.

    per_update: rows of an update, over all processes.
    """
    if job.trl.max_steps > 0:
        return int(job.trl.max_steps)
    unit, most = job.ours.budget.chosen if job.ours.budget else ("", 0.0)
    if unit == "updates":
        return int(most)
    return -(-int(most) // per_update) if unit == "prompts" else None


def is_by_seconds(job: Job) -> bool:
    """Whether seconds are the budget. A teacher's tokens are used up after an epoch: there `num_train_epochs` is the bound."""
    return job.ours.budget is not None and job.ours.budget.chosen[0] == "gpu_seconds"


def _bound(job: Job, per_update: int) -> None:
    """Tell the trainer how many updates at most, where the epochs do not."""
    named = updates_named(job, per_update)
    if named is not None:
        job.trl.max_steps = named
    elif is_by_seconds(job):
        job.trl.max_steps = UNBOUNDED


class _Counting(TrainerCallback):  # type: ignore[misc]
    """Counts what a supervised run uses, ends it where its budget does, and makes its checkpoints whole."""

    def __init__(
        self,
        job: Job,
        progress: Progress,
        stop: Stop,
        metrics: Log,
        per_update: int,
        shown: Shown,
        main: bool,
    ) -> None:
        self._budget = job.ours.budget
        self._of_teacher = job.ours.arm is not Arm.SFT
        self._progress = progress
        self._stop = stop
        self.metrics = metrics
        self._per_update = per_update
        self._n = len(shown.rows)
        self._tokens = shown.teacher_tokens
        self._rows = shown.fingerprint()
        self._main = main
        self._began = 0.0
        self._processes = job.trl.world_size
        self._kept, job.trl.save_total_limit = job.trl.save_total_limit, None  # older ones go once a new one is whole
        self.trainer: Any = None

    def load_state(self, checkpoint: Path) -> None:
        """Go back to where a checkpoint was taken. Raises `InputError` where it is of other rows."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        check_rows(checkpoint, state, self._rows)
        self._progress.load(state["progress"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        progress = self._progress
        progress.updates = int(state.global_step)
        progress.prompts = progress.updates * self._per_update
        progress.gpu_seconds += (time.perf_counter() - self._began) * self._processes
        progress.teacher_tokens = self._seen if self._of_teacher else 0
        if self.is_over(state.max_steps) or agreed(self.trainer.accelerator, self._stop.asked_by is not None):
            control.should_training_stop = control.should_save = True

    @property
    def _seen(self) -> int:
        """Tokens that the teacher wrote for the rows that were shown: with those for rows that were not fit to be."""
        return int(self._tokens * min(1.0, self._progress.prompts / self._n))

    def is_over(self, max_steps: int) -> bool:
        """Whether nothing is left to train. Every process asks at once."""
        by_tokens = None if self._budget is None else self._budget.generated_tokens
        spent = is_spent(self._budget, self._progress) if by_tokens is None else self._seen >= by_tokens
        return self._progress.updates >= max_steps > 0 or agreed(self.trainer.accelerator, spent)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.trainer.accelerator.wait_for_everyone()  # each process writes a part of it
        if self._main:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            seal(folder, {"progress": self._progress.state(), "rows": self._rows}, self._kept)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        norm = (logs or {}).get("grad_norm")
        if norm is not None and not math.isfinite(float(norm)):
            raise WorkError(
                f"update {state.global_step}: the gradient is not a number any more; take a smaller learning_rate"
            )
        if logs and "train_runtime" not in logs:
            used = {f"used/{unit}": amount for unit, amount in self._progress.used().items()}
            self.metrics.write({"update": int(state.global_step), "phase": 0, **logs, **used})


class _Asked:
    """The model that held-out rows are asked of: one for the whole run, beside the one that is trained, and one vLLM engine where
    `use_vllm` says so. It begins as the model that the run begins with, and then is what `take` reads from a folder.
    """

    def __init__(self, job: Job, tokenizer: Any, corpus: Corpus, held_out: HeldOut) -> None:
        job.measuring.beta = 0.0  # no model of reference
        plain = {"critique_weight_mode": "raw", "zero_variance": "keep", "gradient_norm_every": None}
        self._held_out = held_out
        with in_one_line(job):
            self._trainer = CritiqueTrainer(
                ours=job.ours.model_copy(update=plain),
                rows=corpus.train,
                progress=Progress(),
                args=job.measuring,
                model=model_of(job),
                processing_class=tokenizer,
            )

    def answers(self, splits: Collection[str]) -> Iterator[dict[str, Any]]:
        """What it answers on held-out rows."""
        return (one for name in splits for one in self._held_out.measure(self._trainer, name))

    def take(self, model: Path) -> None:
        """The weights of a model's folder, without adapters. Every process takes them at once."""
        if is_deepspeed_zero3_enabled():
            _into_shards(self._trainer.model, model, self._trainer.accelerator.is_main_process)
        else:
            self._trainer._load_from_checkpoint(str(model))
        if self._trainer.use_vllm:
            self._trainer._last_loaded_step = -1


def _whole(job: Job, checkpoint: Path, place: Path) -> Path:
    """Where the weights of a checkpoint are whole: an adapter's are made so in a place."""
    if not (checkpoint / "adapter_config.json").is_file():
        return checkpoint
    from_main(lambda: leave_model(job, checkpoint, place))
    return place


def _into_shards(model: Any, folder: Path, main: bool) -> None:
    """The weights of a folder into parameters that DeepSpeed ZeRO-3 has spread over the processes."""
    deepspeed = importlib.import_module("deepspeed")
    parameters = dict(model.named_parameters())
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in list(tensors.keys()):
                with deepspeed.zero.GatheredParameters([parameters[name]], modifier_rank=0):
                    if main:
                        parameters[name].data.copy_(tensors.get_tensor(name))
