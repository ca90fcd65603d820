"""The supervised arms: a model is shown what to write, by TRL's SFTTrainer.

    cft   critiques that conclude the truth, as answers to critique prompts (arXiv 2501.17703)
    cgd   right corrected solutions, as answers to question, wrong solution and critique (arXiv 2505.11628)
    sft   any file of rows with prompt and completion: a warm start

cft and cgd read `critiques.parquet` of a built dataset, whoever wrote it: rows are those of `crl-data export`. A teacher's tokens
are counted, since a policy's own cost no teacher.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
from transformers import TrainerCallback
from trl import SFTTrainer, get_peft_config

from crl_data.errors import InputError, WorkError
from crl_data.export import cft, cgd
from crl_data.prompts import load_template
from crl_train.data import TEST, VALIDATION, Corpus, locate
from crl_train.lines import EVALUATIONS, METRICS, Log, read_lines
from crl_train.phases import Progress, is_spent
from crl_train.recipe import Arm
from crl_train.recipe_file import Job
from crl_train.run import (
    MODEL,
    Done,
    described_by,
    in_one_line,
    load_tokenizer,
    measured_at_start,
    model_of,
    prepared,
    results_of,
    save_model,
    told_of,
    write_run,
)
from crl_train.selection import STATE, check, choose, seal, split_of, update_of, whole_checkpoints
from crl_train.steering import HeldOut, Stop, agreed, held_out_of, show_progress
from crl_train.trainer import CritiqueTrainer


def train_supervised(job: Job, folder: Path, main: bool, checkpoint: Path | None) -> Done:
    """Train a supervised arm. Raises `InputError`, `WorkError`."""
    ours, trl = job.ours, job.trl
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    check(ours.select, {VALIDATION: corpus.validation, TEST: corpus.test})
    shown, teacher_tokens = _shown(job, tokenizer)
    corpus.counts = Counter({str(ours.arm): len(shown)})
    held_out = held_out_of(corpus, ours.evaluate)
    progress, stop = Progress(), Stop()
    per_update = trl.per_device_train_batch_size * trl.world_size * trl.gradient_accumulation_steps
    _bound(job, per_update)
    evaluations = Log(folder / EVALUATIONS, main)
    counting = _Counting(job, progress, stop, Log(folder / METRICS, main), per_update, len(shown), teacher_tokens, main)
    if checkpoint is not None:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        progress.load(state["progress"])
    counting.metrics.forget_after(progress.updates if checkpoint else -1)
    evaluations.forget_after(progress.updates if checkpoint else -1)
    told = told_of(job, corpus, progress)
    write_run(folder, main, {**told, "status": "running"})
    before = [] if checkpoint is not None else _measured(job, model_of(job), tokenizer, corpus, held_out)
    for one in before:
        evaluations.write({"update": 0, **one})
    with in_one_line(job):
        trainer = SFTTrainer(
            model=model_of(job),
            args=trl,
            train_dataset=shown.remove_columns(
                [name for name in shown.column_names if name not in ("prompt", "completion")]
            ),
            processing_class=tokenizer,
            peft_config=get_peft_config(job.model),
            callbacks=[counting],
        )
    show_progress(trainer)
    trainer.create_model_card = lambda *_, **__: None  # the run's own is written when it is over
    counting.trainer = trainer
    if checkpoint is not None and counting.is_over(trainer.args.max_steps):
        trainer._load_from_checkpoint(str(checkpoint))
    else:
        with stop.listening():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if agreed(trainer.accelerator, stop.asked_by is not None):
        write_run(folder, main, {**told_of(job, corpus, progress), "status": "interrupted"})
        return Done(run=folder, update=progress.updates, results=(), interrupted=True)
    known = read_lines(folder / EVALUATIONS)
    split = split_of(ours.select, corpus.validation is not None)
    checkpoints = whole_checkpoints(folder)
    measures_each = isinstance(ours.select, str) and ours.select != "last" and split is not None
    if measures_each:
        for path in checkpoints:
            trainer._load_from_checkpoint(str(path))
            for one in _measured(job, trainer.model, tokenizer, corpus, held_out, split):
                evaluations.write({"update": update_of(path), **one})
        known = read_lines(folder / EVALUATIONS)
    choice = choose(ours.select, checkpoints, known)
    if measures_each or choice.update != progress.updates:
        trainer._load_from_checkpoint(str(folder / f"checkpoint-{choice.update}"))
    save_model(trainer, tokenizer, folder / MODEL)
    found = _measured(job, str(folder / MODEL), tokenizer, corpus, held_out)
    for one in found:
        evaluations.write({"update": choice.update, "final": True, **one})
    results = tuple(results_of([one for one in found if one["split"] == TEST], measured_at_start(known)))
    run = described_by(job, corpus, progress, choice, results)
    write_run(
        folder, main, {**told, "status": "done", "used": progress.used(), "choice": asdict(choice), "card": asdict(run)}
    )
    return Done(run=folder, update=choice.update, results=results, interrupted=False)


def _shown(job: Job, tokenizer: Any) -> tuple[Any, int]:
    """The rows of a supervised arm, with prompt and completion; and the tokens that its teacher wrote, for these and others."""
    ours = job.ours
    written: Iterable[str]
    folder = locate(ours.dataset, job.folder, ours.dataset_revision)
    if ours.arm is Arm.SFT:
        file = job.folder / str(ours.demonstrations)
        kind = "parquet" if file.name.endswith(".parquet") else "json"
        if not file.is_file():
            raise InputError(f"demonstrations: {file}: expected a file of rows with prompt and completion, got none")
        rows = datasets.load_dataset(kind, data_files=str(file), split="train")
        written = ()
    else:
        written = _written(folder, ours.arm)
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
            rows = datasets.Dataset.from_parquet(train[0], keep_in_memory=True)
    for name in ("prompt", "completion"):
        if name not in rows.column_names:
            raise InputError(
                f"demonstrations: expected rows with prompt and completion, got {', '.join(rows.column_names)}"
            )

    return rows, sum(len(tokenizer(text)["input_ids"]) for text in written)


def _written(folder: Path, arm: Arm) -> Iterator[str]:
    """All that a teacher wrote: its critiques, and where corrected solutions are learned, these too."""
    for row in pq.read_table(folder / "critiques.parquet", columns=["response", "refined_code"]).to_pylist():
        yield row["response"]
        if arm is Arm.CGD and row["refined_code"]:
            yield row["refined_code"]


def _bound(job: Job, per_update: int) -> None:
    """How many updates at most: of a budget, where it says so."""
    ours, trl = job.ours, job.trl
    if trl.max_steps > 0 or ours.budget is None:
        return
    unit, most = ours.budget.chosen
    if unit == "updates":
        trl.max_steps = int(most)
    elif unit == "prompts":
        trl.max_steps = -(-int(most) // per_update)
    elif unit == "gpu_seconds":
        trl.max_steps = 10_000_000  # and a teacher's tokens are used up after an epoch: num_train_epochs is the bound


class _Counting(TrainerCallback):  # type: ignore[misc]
    """Counts what a supervised run uses, ends it where its budget does, and makes its checkpoints whole."""

    def __init__(
        self,
        job: Job,
        progress: Progress,
        stop: Stop,
        metrics: Log,
        per_update: int,
        shown: int,
        teacher_tokens: int,
        main: bool,
    ) -> None:
        self._budget = job.ours.budget
        self._of_teacher = job.ours.arm is not Arm.SFT
        self._progress = progress
        self._stop = stop
        self.metrics = metrics
        self._per_update = per_update
        self._n = shown
        self._tokens = teacher_tokens
        self._main = main
        self._began = 0.0
        self._processes = job.trl.world_size
        self._kept, job.trl.save_total_limit = job.trl.save_total_limit, None  # older ones go once a new one is whole
        self.trainer: Any = None

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
        if self._main:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            seal(folder, {"progress": self._progress.state()}, self._kept)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        norm = (logs or {}).get("grad_norm")
        if norm is not None and not math.isfinite(float(norm)):
            raise WorkError(
                f"update {state.global_step}: the gradient is not a number any more; take a smaller learning_rate"
            )
        if logs and "train_runtime" not in logs:
            used = {f"used/{unit}": amount for unit, amount in self._progress.used().items()}
            self.metrics.write({"update": int(state.global_step), "phase": 0, **logs, **used})


def _measured(
    job: Job, model: Any, tokenizer: Any, corpus: Corpus, held_out: HeldOut, split: str | None = None
) -> list[dict[str, Any]]:
    """What a model, or one in a folder, answers on held-out rows."""
    if not held_out.splits:
        return []
    with in_one_line(job):
        asked = CritiqueTrainer(
            ours=job.ours.model_copy(update={"critique_weight_mode": "raw", "zero_variance": "keep"}),
            rows=corpus.train,
            progress=Progress(),
            args=job.measuring,
            model=model,
            processing_class=tokenizer,
        )
    return [one for name in ([split] if split else held_out.splits) for one in held_out.measure(asked, name)]
