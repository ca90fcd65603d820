"""A run: from a recipe to a model that was trained, chosen, measured and described.

What it leaves in its folder:

    run.json            what was asked for, what it ran with, what came of it; written when it begins and when it is over
    metrics.jsonl       what was logged at each update
    evaluations.jsonl   what was measured on held-out rows
    rollouts/           what the policy wrote
    checkpoint-N/       to go on from, each whole or not counted
    model/              the chosen model, adapters merged
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import crl_data
from crl_data.corpus.records import CRITIQUE
from crl_data.errors import InputError, WorkError
from crl_data.prompts import load_template
from crl_data.rows import writing
from crl_train.card import Result, Setting, TrainingRun
from crl_train.data import TEST, VALIDATION, Corpus, Rows, at_most, fitting, licenses_of, load_corpus
from crl_train.phases import Progress, most_updates
from crl_train.recipe import Arm
from crl_train.recipe_file import Job
from crl_train.selection import Choice, check, choose, split_of, whole_checkpoints
from crl_train.settings import sources_of

RUN, MODEL = "run.json", "model"
FORMAT = 1
"""Of run.json; it is raised when the meaning of what stands there changes."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a run: where it is, the chosen update, results on the test, and whether it was asked to end before."""

    run: Path
    update: int
    results: tuple[Result, ...]
    interrupted: bool


def run_folder(job: Job) -> Path:
    """Where a run is left: `output_dir`, else a folder by the recipe's name."""
    said = job.said.get("output_dir")
    return Path(str(said)) if said else Path("build") / "train" / job.path.stem


def model_of(job: Job) -> str:
    """The model to begin with: a folder, relative to the recipe where there is one of that name, or an id on the Hub."""
    name = str(job.model.model_name_or_path)
    beside = job.folder / name
    return str(beside) if beside.is_dir() else name


def train(job: Job, resume: bool) -> Done:
    """Train what a recipe asks for. Raises `InputError`, `WorkError`."""
    folder = run_folder(job)
    main = int(os.environ.get("RANK", "0")) == 0
    checkpoints = whole_checkpoints(folder)
    if not resume and ((folder / RUN).exists() or checkpoints):
        raise InputError(f"{folder}: holds a run; --resume goes on with it, another output_dir begins a new one")
    if checkpoints and (folder / RUN).exists() and (began := read_run(folder)["arm"]) != str(job.ours.arm):
        raise InputError(f"{folder}: holds a run of the arm {began}, and --resume cannot go on with {job.ours.arm}")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _check_processes(job)
    _trl_keys(job, folder)
    _quietly(job)
    if job.ours.arm.is_supervised:
        from crl_train.supervised import train_supervised

        return train_supervised(job, folder, main, checkpoints[-1] if resume and checkpoints else None)
    return _train_by_rewards(job, folder, main, checkpoints[-1] if resume and checkpoints else None)


def _train_by_rewards(job: Job, folder: Path, main: bool, checkpoint: Path | None) -> Done:
    from trl import get_peft_config

    from crl_train.lines import EVALUATIONS, read_lines
    from crl_train.onpolicy import OwnSolutions
    from crl_train.rollouts import Rollouts
    from crl_train.steering import HeldOut, Steering, Stop, show_progress
    from crl_train.trainer import CritiqueTrainer

    ours, trl = job.ours, job.trl
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    check(ours.select, {VALIDATION: corpus.validation, TEST: corpus.test})
    held_out = HeldOut(
        {name: rows for name, rows in ((VALIDATION, corpus.validation), (TEST, corpus.test)) if rows is not None},
        ours.evaluate.samples,
        ours.evaluate.greedy,
    )
    said_max_steps = trl.max_steps > 0
    trl.max_steps = planned_updates(job, len(corpus.train))
    own = None
    if ours.arm is Arm.HYBRID_ONPOLICY:
        own = OwnSolutions(ours.onpolicy, _critique_template(job, corpus), trl.seed)
    rank = int(os.environ.get("RANK", "0"))
    rollouts = Rollouts(folder, ours.rollouts.share, rank) if ours.rollouts.share else None
    stop = Stop()
    while_training = split_of(ours.select, corpus.validation is not None)
    steering = Steering(ours.phases, stop, held_out, while_training, ours.evaluate.every, folder, main)
    steering.max_steps_said = said_max_steps
    progress = Progress()
    with in_one_line(job):
        trainer = CritiqueTrainer(
            ours=ours,
            rows=corpus.train,
            progress=progress,
            own=own,
            rollouts=rollouts,
            args=trl,
            model=model_of(job),
            processing_class=tokenizer,
            peft_config=get_peft_config(job.model),
            callbacks=[steering],
        )
    steering.trainer = trainer
    show_progress(trainer)
    if checkpoint is not None:
        trainer.load_state(checkpoint)
    steering.metrics.forget_after(progress.updates if checkpoint else -1)
    steering.evaluations.forget_after(progress.updates - 1)  # measured anew: it may have been killed in between
    if rollouts is not None:
        rollouts.forget_after(progress.updates)
    for partial in set(folder.glob("checkpoint-*")) - set(whole_checkpoints(folder)) if main else ():
        shutil.rmtree(partial)  # of a run that was killed while it wrote it
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
    choice = _agreed(choose(ours.select, whole_checkpoints(folder), evaluations) if main else None)
    if choice.update != progress.updates:
        _put_back(trainer, folder / f"checkpoint-{choice.update}")
    results: tuple[Result, ...] = ()
    if corpus.test is not None:
        found = list(held_out.measure(trainer, TEST))
        for one in found:
            steering.evaluations.write({"update": choice.update, "final": True, **one})
        results = tuple(results_of(found, before or _first(evaluations, TEST)))
    save_model(trainer, tokenizer, folder / MODEL)
    run = described_by(job, corpus, progress, choice, results)
    write_run(
        folder, main, {**told, "status": "done", "used": progress.used(), "choice": asdict(choice), "card": asdict(run)}
    )
    if own is not None and main:
        from crl_train.own_dataset import leave

        leave(folder)
    return Done(run=folder, update=choice.update, results=results, interrupted=False)


# --- before -----------------------------------------------------------------------------------------------------------


def load_tokenizer(job: Job) -> Any:
    """The tokenizer of a recipe's model. Raises `InputError` where the model is none, or has no chat template."""
    from transformers import AutoTokenizer

    name = model_of(job)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            name,
            revision=job.model.model_revision,
            padding_side="left",
            truncation_side="left",
            trust_remote_code=bool(getattr(job.trl, "trust_remote_code", False)),
        )
    except (OSError, ValueError, KeyError) as error:  # what transformers raises about a name that is no model
        raise InputError(
            f"model_name_or_path: {name}: expected a model of transformers, got: {' '.join(str(error).split())[:300]}"
        ) from None
    if tokenizer.chat_template is None:
        raise InputError(
            f"model_name_or_path: {name}: expected a model with a chat template, since records are conversations; take its "
            "instruct version, or put a chat_template.jinja beside it"
        )
    return tokenizer


def prepared(job: Job, tokenizer: Any) -> Corpus:
    """The rows of a recipe, those over the length limit left out and counted."""
    ours = job.ours
    corpus = load_corpus(ours, job.folder, job.trl.seed)
    template = getattr(job.trl, "chat_template_kwargs", None) or {}

    def length_of(prompt: list[dict[str, str]]) -> int:
        return len(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False, **template))

    all_ = corpus.train
    corpus.train = fitting(all_, length_of, ours.max_prompt_length)
    if len(all_) > len(corpus.train):
        corpus.dropped["prompts of more than max_prompt_length tokens"] = len(all_) - len(corpus.train)
    if not len(corpus.train):
        raise InputError(
            f"max_prompt_length: expected prompts of at most {ours.max_prompt_length} tokens, got only longer ones"
        )
    corpus.counts.clear()
    corpus.counts.update(row["kind"] for row in corpus.train.columns("kind"))
    corpus.license = licenses_of(corpus.train)
    for split in (VALIDATION, TEST):
        rows: Rows | None = getattr(corpus, split)
        if rows is not None:
            setattr(
                corpus,
                split,
                at_most(fitting(rows, length_of, ours.max_prompt_length), ours.evaluate.rows, job.trl.seed),
            )
    return corpus


@dataclass(frozen=True)
class Shape:
    """What a generation batch is, over all processes."""

    processes: int
    prompts: int
    completions: int
    updates: int
    completions_an_update: int


def shape_of(job: Job) -> Shape:
    """Of the processes that a recipe is made for, or else of those that are there."""
    trl = job.trl
    processes = job.ours.processes or int(trl.world_size)
    a_pass = int(trl.per_device_train_batch_size) * processes
    passes = max(1, int(trl.generation_batch_size) // a_pass) if _says_batch(job) else int(trl.steps_per_generation)
    completions = int(trl.generation_batch_size) if _says_batch(job) else a_pass * passes
    return Shape(
        processes=processes,
        prompts=completions // int(trl.num_generations),
        completions=completions,
        updates=max(1, passes * int(trl.num_iterations) // int(trl.gradient_accumulation_steps)),
        completions_an_update=a_pass * int(trl.gradient_accumulation_steps),
    )


def _says_batch(job: Job) -> bool:
    """Whether a recipe says how many completions a generation batch has, and not only what a process does."""
    return job.said.get("generation_batch_size") is not None


def _check_processes(job: Job) -> None:
    there, wanted = int(job.trl.world_size), job.ours.processes
    if wanted is not None and wanted != there:
        raise InputError(
            f"processes: expected {wanted}, for which the recipe's batches are made, got {there}; launch so many "
            f"(accelerate launch --num_processes {wanted}), or set processes and gradient_accumulation_steps"
        )


def planned_updates(job: Job, n_prompts: int) -> int:
    """The most updates that a run can take: of the recipe's max_steps, its budget, its phases or its epochs."""
    ours, trl = job.ours, job.trl
    if trl.max_steps > 0:
        return int(trl.max_steps)
    shape = shape_of(job)
    prompts = max(shape.prompts, shape.completions_an_update // int(trl.num_generations) // int(trl.num_iterations))
    if ours.budget is not None:
        unit, most = ours.budget.chosen
        if unit == "updates":
            return int(most)
        if unit == "prompts":
            return -(-int(most) // prompts) * shape.updates
        return 10_000_000  # what a unit is used at is not known before
    return most_updates(ours.phases, n_prompts, prompts, shape.updates, float(trl.num_train_epochs))


def _trl_keys(job: Job, folder: Path) -> None:
    """What TRL's configuration has to hold for a run of ours."""
    trl, model = job.trl, job.model
    import torch

    trl.output_dir = job.measuring.output_dir = str(folder)
    dtype = model.dtype if model.dtype in ("auto", None) else getattr(torch, model.dtype)
    init = {"revision": model.model_revision, "attn_implementation": model.attn_implementation, "dtype": dtype}
    for one in (trl, job.measuring):
        one.model_init_kwargs = {
            **{name: value for name, value in init.items() if value is not None},
            **(one.model_init_kwargs or {}),
        }


def _quietly(job: Job) -> None:
    """No bars where nobody watches, and no word of what a later version of a library will rename."""
    import datasets
    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning)
    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        job.trl.disable_tqdm = job.measuring.disable_tqdm = True
        transformers.logging.disable_progress_bar()
        datasets.disable_progress_bars()


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


@contextlib.contextmanager
def in_one_line(job: Job) -> Iterator[None]:
    """What TRL says of a configuration that does not fit, in one line."""
    try:
        yield
    except (ValueError, TypeError, ImportError, OSError) as error:
        raise InputError(f"{job.path}: {' '.join(str(error).split())[:500]}") from error


# --- after ------------------------------------------------------------------------------------------------------------


def _measured_before(trainer: Any, held_out: Any, folder: Path, main: bool, checkpoint: Path | None) -> Any:
    """What the model answers on the test before training, measured once."""
    from crl_train.lines import EVALUATIONS, Log, read_lines

    known = [one for one in read_lines(folder / EVALUATIONS) if one["split"] == TEST and one["update"] == 0]
    if known or checkpoint is not None:
        return known
    found = list(held_out.measure(trainer, TEST))
    log = Log(folder / EVALUATIONS, main)
    for one in found:
        log.write({"update": 0, **one})
    return found


def _first(evaluations: list[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    return [one for one in evaluations if one["split"] == split and one["update"] == 0]


def results_of(found: list[dict[str, Any]], before: list[dict[str, Any]]) -> Iterator[Result]:
    was = {one["how"]: one for one in before}
    for one in found:
        for name in ("verdict_accuracy", "pass_rate"):
            if name in one:
                value = one[name]
                earlier = was.get(one["how"], {}).get(name)
                yield Result(
                    name=f"{name.replace('_', ' ')}, {one['how']}",
                    value=value["value"],
                    low=value["low"],
                    high=value["high"],
                    n=value["n"],
                    split=TEST,
                    before=earlier["value"] if earlier else None,
                )


def _agreed(choice: Choice | None) -> Choice:
    """What the main process chose, on every process."""
    from accelerate.utils import broadcast_object_list

    agreed = broadcast_object_list([choice])[0]
    assert isinstance(agreed, Choice)
    return agreed


def _put_back(trainer: Any, checkpoint: Path) -> None:
    """The weights of a checkpoint into the trainer's model."""
    trainer._load_from_checkpoint(str(checkpoint))
    if trainer.use_vllm:
        trainer._last_loaded_step = -1


def save_model(trainer: Any, tokenizer: Any, target: Path) -> None:
    """The model as it is, whole: adapters merged into what they adapt."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not hasattr(model, "merge_and_unload"):
        trainer.save_model(str(target))
        return
    if trainer.accelerator.is_main_process:
        merged = model.merge_and_unload()
        with writing(target):
            merged.save_pretrained(target)
            tokenizer.save_pretrained(target)
    trainer.accelerator.wait_for_everyone()


def versions() -> dict[str, str]:
    """Of what a run runs with."""
    names = ("trl", "transformers", "torch", "datasets", "accelerate", "vllm", "peft", "deepspeed")
    found = {"crl-data": crl_data.__version__, "Python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def settings_of(job: Job) -> tuple[Setting, ...]:
    """Every key that the recipe says, and where its value comes from."""
    return tuple(Setting(name=name, value=value, source=source) for name, value, source in sources_of(job.said))


def described_by(
    job: Job, corpus: Corpus, progress: Progress, choice: Choice, results: tuple[Result, ...]
) -> TrainingRun:
    """What the model's card tells."""
    base = str(job.model.model_name_or_path)
    base = base if not (job.folder / base).is_dir() and not Path(base).is_dir() else Path(base).name
    prompt = next(
        (row["prompt"][-1]["content"] for row in corpus.train.columns("kind", "prompt") if row["kind"] == CRITIQUE), ""
    )
    return TrainingRun(
        name=run_folder(job).name,
        base_model=base,
        dataset=corpus.name,
        dataset_revision=corpus.revision,
        licenses={corpus.name: corpus.license},
        arm=str(job.ours.arm),
        critique_share=corpus.critique_share,
        settings=settings_of(job),
        budget=progress.used(),
        steps=progress.updates,
        selection=choice.by,
        selected_on=choice.split,
        results=results,
        versions=versions(),
        judge=corpus.judge,
        prompt=prompt,
    )


def told_of(job: Job, corpus: Corpus, progress: Progress) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": run_folder(job).name,
        "arm": str(job.ours.arm),
        "seed": job.trl.seed,
        "budget": None if job.ours.budget is None else dict([job.ours.budget.chosen]),
        "recipe": job.said,
        "settings": [asdict(one) for one in settings_of(job)],
        "not_of_this_arm": list(job.other_arms),
        "dataset": {"name": corpus.name, "revision": corpus.revision},
        "rows": {"train": dict(corpus.counts), "dropped": dict(corpus.dropped)},
        "versions": versions(),
        "used": progress.used(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write_run(folder: Path, main: bool, told: dict[str, Any]) -> None:
    if main:
        target = folder / RUN
        temporary = folder / f".{RUN}.tmp"
        with writing(target):
            temporary.write_text(json.dumps(told, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
            temporary.replace(target)


def read_run(folder: Path) -> dict[str, Any]:
    """The run.json of a run. Raises `InputError` where there is none."""
    try:
        told = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{folder}: expected a run of crl-train, got no {RUN} that can be read") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InputError(f"{folder / RUN}: expected a run of this version (format {FORMAT}), got something else")
    return told


def described(folder: Path) -> TrainingRun:
    """What a finished run tells of itself, for its card. Raises `InputError`, and `WorkError` where it is not over."""
    told = read_run(folder)
    if told.get("status") != "done":
        raise WorkError(f"{folder}: the run is not over ({told.get('status')}); crl-train --resume goes on with it")
    card = told["card"]
    return TrainingRun(
        **{
            **card,
            "settings": tuple(Setting(**one) for one in card["settings"]),
            "results": tuple(Result(**one) for one in card["results"]),
        }
    )
