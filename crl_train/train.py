"""Training what a recipe asks for: checks that come before anything is loaded, then by rewards or by imitation."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import datasets
import torch
import transformers

from crl_data.errors import InputError
from crl_data.judging.judge import processors
from crl_data.rewards.options import PREFIX
from crl_data.rows import writing
from crl_train.by_rewards import train_by_rewards
from crl_train.recipe_file import Job
from crl_train.run import RUN, Done, from_main, read_run, run_folder
from crl_train.selection import whole_checkpoints
from crl_train.supervised import train_supervised


def train(job: Job, resume: bool) -> Done:
    """Train what a recipe asks for. Raises `InputError`, `WorkError`."""
    folder = run_folder(job)
    main = int(os.environ.get("RANK", "0")) == 0
    _check_processes(job)
    checkpoint = from_main(lambda: _begun(job, folder, resume))
    job = with_its_share_of_judging(job)
    trl_keys(job, folder)
    quietly(job)
    if job.ours.arm.is_supervised:
        return train_supervised(job, folder, main, checkpoint)
    return train_by_rewards(job, folder, main, checkpoint)


def _begun(job: Job, folder: Path, resume: bool) -> Path | None:
    """The checkpoint that a run goes on from; None where it begins."""
    checkpoints = whole_checkpoints(folder)
    if not resume and ((folder / RUN).exists() or checkpoints):
        raise InputError(f"{folder}: holds a run; --resume goes on with it, another output_dir begins a new one")
    if checkpoints and (folder / RUN).exists() and (began := read_run(folder)["arm"]) != str(job.ours.arm):
        raise InputError(f"{folder}: holds a run of the arm {began}, and --resume cannot go on with {job.ours.arm}")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return checkpoints[-1] if checkpoints else None


def with_its_share_of_judging(job: Job) -> Job:
    """A job of one of several processes on a machine, each of which has a judge: one for each processor, all together.

    What `reward.jobs` or CRL_REWARD_JOBS says stands.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if processes < 2 or "jobs" in job.ours.reward or f"{PREFIX}JOBS" in os.environ:
        return job
    reward = {**job.ours.reward, "jobs": max(1, processors() // processes)}
    return replace(job, ours=job.ours.model_copy(update={"reward": reward}))


def _check_processes(job: Job) -> None:
    there, wanted = int(job.trl.world_size), job.ours.processes
    if wanted is not None and wanted != there:
        raise InputError(
            f"processes: expected {wanted}, for which the recipe's batches are made, got {there}; launch so many "
            f"(accelerate launch --num_processes {wanted}), or set processes and gradient_accumulation_steps"
        )


def trl_keys(job: Job, folder: Path) -> None:
    """What TRL's configuration has to hold for a run of ours."""
    trl, model = job.trl, job.model
    trl.output_dir = job.measuring.output_dir = str(folder)
    dtype = model.dtype if model.dtype in ("auto", None) else getattr(torch, model.dtype)
    init = {"revision": model.model_revision, "attn_implementation": model.attn_implementation, "dtype": dtype}
    for one in (trl, job.measuring):
        one.model_init_kwargs = {
            **{name: value for name, value in init.items() if value is not None},
            **(one.model_init_kwargs or {}),
        }


def quietly(job: Job) -> None:
    """No bars where nobody watches, and no word of what a later version of a library will rename."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        job.trl.disable_tqdm = job.measuring.disable_tqdm = True
        transformers.logging.disable_progress_bar()
        datasets.disable_progress_bars()
