"""A run by rewards: GRPO on solve and critique records, from the data to the chosen model."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trl import get_peft_config

from crl_data.corpus.records import CRITIQUE
from crl_data.errors import InputError, WorkError
from crl_data.prompts import load_template
from crl_train.batches import planned_updates
from crl_train.card import Result
from crl_train.data import TEST, VALIDATION, Corpus
from crl_train.lines import EVALUATIONS, Log, read_lines
from crl_train.onpolicy import OwnSolutions
from crl_train.own_dataset import leave
from crl_train.phases import Progress
from crl_train.recipe import Arm
from crl_train.recipe_file import Job
from crl_train.rollouts import Rollouts
from crl_train.run import (
    MODEL,
    Done,
    described_by,
    from_main,
    in_one_line,
    leave_model,
    length_in,
    load_tokenizer,
    measured_at_start,
    model_of,
    prepared,
    results_of,
    told_of,
    write_run,
)
from crl_train.selection import check, choose, split_of, update_of, whole_checkpoints
from crl_train.steering import Steering, Stop, held_out_of, show_progress
from crl_train.trainer import CritiqueTrainer


def train_by_rewards(job: Job, folder: Path, main: bool, checkpoint: Path | None) -> Done:
    """Train an arm that is rewarded; on from a checkpoint, or from the beginning. Raises `InputError`, `WorkError`."""
    ours = job.ours
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    check(ours.select, {VALIDATION: corpus.validation, TEST: corpus.test})
    held_out = held_out_of(corpus, ours.evaluate)
    while_training = split_of(ours.select, corpus.validation is not None)
    stop = Stop()
    steering = Steering(ours.phases, stop, held_out, while_training, ours.evaluate.every, folder, main)
    trainer = _trainer(job, corpus, tokenizer, steering, folder)
    progress = trainer.progress
    if checkpoint is not None:
        checkpoint = _loaded(trainer, steering, folder, checkpoint)
    _go_back(trainer, steering, folder, main, checkpoint)
    told = told_of(job, corpus, progress)
    write_run(folder, main, {**told, "status": "running"})
    before = None
    if corpus.test is not None and while_training != TEST:
        before = _measured_before(trainer, held_out, folder, main, checkpoint)
    if checkpoint is not None and steering.is_over():
        _put_back(trainer, checkpoint)
        steering.measure(progress.updates)
    else:
        with stop.listening():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if steering.asked_to_stop():
        write_run(folder, main, {**told_of(job, corpus, progress), "status": "interrupted"})
        return Done(run=folder, update=progress.updates, results=(), interrupted=True)
    evaluations = read_lines(folder / EVALUATIONS)
    choice = from_main(lambda: choose(ours.select, whole_checkpoints(folder), evaluations))
    if choice.update != progress.updates:
        _put_back(trainer, folder / f"checkpoint-{choice.update}")
    results: tuple[Result, ...] = ()
    if corpus.test is not None:
        found = list(held_out.measure(trainer, TEST))
        for one in found:
            steering.evaluations.write({"update": choice.update, "final": True, **one})
        results = tuple(results_of(found, before or measured_at_start(evaluations)))
    from_main(lambda: leave_model(job, folder / f"checkpoint-{choice.update}", folder / MODEL))
    run = described_by(job, corpus, progress, choice, results)
    over = {"status": "done", "used": progress.used(), "choice": asdict(choice), "card": asdict(run)}
    write_run(folder, main, {**told, **over})
    if trainer.own is not None and main:
        leave(folder)
    return Done(run=folder, update=choice.update, results=results, interrupted=False)


def _trainer(job: Job, corpus: Corpus, tokenizer: Any, steering: Steering, folder: Path) -> CritiqueTrainer:
    """The trainer of a job, and what steers it."""
    ours, trl = job.ours, job.trl
    steering.max_steps_said = trl.max_steps > 0
    trl.max_steps = planned_updates(job, len(corpus.train))
    own = None
    if ours.arm is Arm.HYBRID_ONPOLICY:
        length_of, limit = length_in(job, tokenizer), ours.max_prompt_length
        own = OwnSolutions(
            ours.onpolicy,
            _critique_template(job, corpus),
            trl.seed,
            fits=lambda prompt: limit is None or length_of(prompt) <= limit,
        )
    rank = int(os.environ.get("RANK", "0"))
    with in_one_line(job):
        trainer = CritiqueTrainer(
            ours=ours,
            rows=corpus.train,
            progress=Progress(),
            own=own,
            rollouts=Rollouts(folder, ours.rollouts.share, rank) if ours.rollouts.share else None,
            args=trl,
            model=model_of(job),
            processing_class=tokenizer,
            peft_config=get_peft_config(job.model),
            callbacks=[steering],
        )
    steering.trainer = trainer
    show_progress(trainer)
    return trainer


def _loaded(trainer: CritiqueTrainer, steering: Steering, folder: Path, checkpoint: Path) -> Path:
    """The checkpoint that the run goes on from. A sharded model gets its weights where training begins: of a run that was killed
    after its last update, the last stretch is trained again.
    """
    trainer.load_state(checkpoint)
    if not (trainer.is_sharded and steering.is_over()):
        return checkpoint
    earlier = [one for one in whole_checkpoints(folder) if update_of(one) < update_of(checkpoint)]
    if not earlier:
        raise WorkError(
            f"{folder}: the run was killed after its last update, and has no earlier checkpoint to go on from; begin a new run "
            f"from {checkpoint.name} (model_name_or_path)"
        )
    trainer.load_state(earlier[-1])
    return earlier[-1]


def _go_back(trainer: CritiqueTrainer, steering: Steering, folder: Path, main: bool, checkpoint: Path | None) -> None:
    """To where a checkpoint was taken, or to the beginning: nothing that is made again stands twice in the run's files."""
    updates = trainer.progress.updates
    steering.metrics.forget_after(updates if checkpoint else -1)
    steering.evaluations.forget_after(updates - 1)  # measured anew: it may have been killed in between
    if trainer.rollouts is not None:
        trainer.rollouts.forget_after(updates)
    for partial in set(folder.glob("checkpoint-*")) - set(whole_checkpoints(folder)) if main else ():
        shutil.rmtree(partial)  # of a run that was killed while it wrote it


def _critique_template(job: Job, corpus: Corpus) -> Any:
    """The template that the dataset's critique prompts were made with."""
    for row in corpus.train.columns("kind", "prompt_template"):
        if row["kind"] == CRITIQUE:
            made_with = str(row["prompt_template"])
            name = job.ours.prompts.critique or made_with.removeprefix("critique/").partition("@")[0]
            template = load_template("critique", name, job.folder)
            if template.label.partition("@")[2] != made_with.partition("@")[2]:
                raise InputError(
                    f"prompts.critique: expected the template of the dataset's critique prompts ({made_with}), since the "
                    f"policy's own solutions are asked about in the same words, got {template.label}"
                )
            return template
    raise InputError(
        f"arm: {Arm.HYBRID_ONPOLICY}: expected critique records in the dataset, whose prompts are the pattern"
    )


def _measured_before(trainer: Any, held_out: Any, folder: Path, main: bool, checkpoint: Path | None) -> Any:
    """What the model answers on the test before training, measured once. What the main process knows, all go by."""
    known = from_main(lambda: measured_at_start(read_lines(folder / EVALUATIONS)))
    if known or checkpoint is not None:
        return known
    found = list(held_out.measure(trainer, TEST))
    log = Log(folder / EVALUATIONS, main)
    for one in found:
        log.write({"update": 0, **one})
    return found


def _put_back(trainer: Any, checkpoint: Path) -> None:
    """The weights of a checkpoint into the trainer's model, sharded ones too."""
    trainer.state.best_model_checkpoint = str(checkpoint)
    trainer._load_best_model()
    if trainer.use_vllm:
        trainer._last_loaded_step = -1
