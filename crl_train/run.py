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
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import crl_data
from crl_data.corpus.records import CRITIQUE
from crl_data.errors import CrlError, InputError, WorkError
from crl_data.rows import writing
from crl_train.card import Result, Setting, TrainingRun
from crl_train.data import TEST, TRAIN, VALIDATION, Corpus, Rows, at_most, fitting, licenses_of, load_corpus
from crl_train.lines import write_whole
from crl_train.phases import Progress
from crl_train.recipe_file import Job
from crl_train.selection import Choice
from crl_train.settings import sources_of

RUN, MODEL = "run.json", "model"
FORMAT = 1
"""Of run.json; it is raised when the meaning of what stands there changes."""

_ROWS_SEED = 0  # what is measured on is the same for every seed of a run

_PICKLED = (".pt", ".pth", ".bin")
_OF_TRAINING = ("trainer_state.json", "crl_state.json", "latest", "zero_to_fp32.py", "README.md")
"""What else than a model is in a checkpoint: what Python pickled, and files of these names."""

T = TypeVar("T")


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


def from_main(make: Callable[[], T]) -> T:
    """What the main process makes, on every process; an error of ours there is raised on each. Every process asks at once."""
    from accelerate.utils import broadcast_object_list

    told: list[Any] = [None, None]
    raised: CrlError | None = None
    if int(os.environ.get("RANK", "0")) == 0:
        try:
            told = [make(), None]
        except CrlError as error:
            raised = error
            told = [None, (WorkError if isinstance(error, WorkError) else InputError)(str(error))]
    made, failed = broadcast_object_list(told)
    if failed is not None:
        raise raised or failed
    found: T = made
    return found


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


def too_long(split: str) -> str:
    """What prompts of a split over the limit are counted as."""
    return ("" if split == TRAIN else f"{split} ") + "prompts of more than max_prompt_length tokens"


def length_in(job: Job, tokenizer: Any) -> Callable[[list[dict[str, str]]], int]:
    """How many tokens a prompt is in the chat template of a recipe's model."""
    template = getattr(job.measuring, "chat_template_kwargs", None) or {}

    def length_of(prompt: list[dict[str, str]]) -> int:
        return len(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False, **template))

    return length_of


def prepared(job: Job, tokenizer: Any) -> Corpus:
    """The rows of a recipe, those over the length limit left out and counted, held-out ones too."""
    ours = job.ours
    corpus = load_corpus(ours, job.folder, job.trl.seed)
    length_of = length_in(job, tokenizer)
    all_ = corpus.train
    corpus.train = fitting(all_, length_of, ours.max_prompt_length)
    if len(all_) > len(corpus.train):
        corpus.dropped[too_long(TRAIN)] = len(all_) - len(corpus.train)
        corpus.counts = Counter(row["kind"] for row in corpus.train.columns("kind"))
    if not len(corpus.train):
        raise InputError(
            f"max_prompt_length: expected prompts of at most {ours.max_prompt_length} tokens, got only longer ones"
        )
    corpus.license = licenses_of(corpus.train)
    for split in (VALIDATION, TEST):
        rows: Rows | None = getattr(corpus, split)
        if rows is not None:
            kept = fitting(rows, length_of, ours.max_prompt_length)
            if len(rows) > len(kept):
                corpus.dropped[too_long(split)] = len(rows) - len(kept)
            setattr(corpus, split, at_most(kept, ours.evaluate.rows, _ROWS_SEED))
    return corpus


@contextlib.contextmanager
def in_one_line(job: Job) -> Iterator[None]:
    """What TRL says of a configuration that does not fit, in one line."""
    try:
        yield
    except (ValueError, TypeError, ImportError, OSError) as error:
        raise InputError(f"{job.path}: {' '.join(str(error).split())[:500]}") from error


# --- after ------------------------------------------------------------------------------------------------------------


def measured_at_start(evaluations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured on the test before training."""
    return [one for one in evaluations if one["split"] == TEST and one["update"] == 0]


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


def leave_model(job: Job, checkpoint: Path, target: Path) -> None:
    """Make the model of a checkpoint a folder of its own, which is there whole or not at all. For the main process alone.

    It is made from files: those of the checkpoint are copied, and an adapter is merged, on the processor, into the model that the
    run began with, in the dtype of the run; what lies sharded over the processes is not touched. Raises `WorkError` where the
    checkpoint holds no weights.
    """
    is_adapter = (checkpoint / "adapter_config.json").is_file()
    if not is_adapter and not any(checkpoint.glob("*.safetensors")):
        raise WorkError(
            f"{checkpoint}: expected weights (*.safetensors), got none; with DeepSpeed ZeRO-3 set zero3_save_16bit_model: true"
        )
    made = target.with_name(f".{target.name}.tmp")
    with writing(target):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        for file in checkpoint.iterdir():
            is_model = file.suffix not in _PICKLED and file.name not in _OF_TRAINING
            if file.is_file() and is_model and not file.name.startswith("adapter_"):
                shutil.copyfile(file, made / file.name)
        if is_adapter:
            _merge(job, checkpoint, made)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


def _merge(job: Job, checkpoint: Path, target: Path) -> None:
    """Save the model that a run began with, the adapter of a checkpoint merged into it."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    said = {"dtype": torch.float32, **(job.trl.model_init_kwargs or {})}  # TRL's own default
    kept = {name: said[name] for name in ("revision", "dtype") if name in said}
    trusted = bool(getattr(job.trl, "trust_remote_code", False))
    with _unsharded():
        base = AutoModelForCausalLM.from_pretrained(model_of(job), trust_remote_code=trusted, **kept)
        PeftModel.from_pretrained(base, str(checkpoint)).merge_and_unload().save_pretrained(target)


@contextlib.contextmanager
def _unsharded() -> Iterator[None]:
    """Models are loaded whole meanwhile, and by one process, where a run has DeepSpeed ZeRO-3 too."""
    from transformers.integrations import deepspeed

    config = deepspeed._hf_deepspeed_config_weak_ref
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        if config is not None and config() is not None:
            deepspeed.set_hf_deepspeed_config(config())


def versions() -> dict[str, str]:
    """Of what a run runs with."""
    names = ("trl", "transformers", "torch", "datasets", "accelerate", "vllm", "peft", "deepspeed")
    found = {"crl-data": crl_data.__version__, "Python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def settings_of(job: Job) -> tuple[Setting, ...]:
    """Every key that the recipe says, and where its value comes from. Of a file or a folder only the name stands there."""
    return tuple(
        Setting(name=name, value=Path(value).name if _is_place(value) else value, source=source)
        for name, value, source in sources_of(job.said)
    )


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("/", "./", "../", "~"))


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
        write_whole(folder / RUN, json.dumps(told, indent=2, ensure_ascii=False, default=str) + "\n")


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
