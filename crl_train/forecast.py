"""What a recipe would train on and cost, without training: `crl-train RECIPE.yaml --dry-run`.

Counts are exact: the dataset is read, mixed and filtered. What depends on the model (how long answers are, how many groups tell
nothing) is not known before: tokens and judging are bounds, for answers as long as the limit and for every solution run alone.
Memory is arithmetic on the number of parameters, and no measurement.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crl_data.corpus.records import SOLVE
from crl_train.batches import planned_updates, shape_of
from crl_train.data import Corpus
from crl_train.phases import most_updates
from crl_train.recipe_file import Job
from crl_train.run import load_tokenizer, model_of, prepared, run_folder
from crl_train.settings import sources_of

_GB = 1024**3
JUDGE_CPU_S = 0.03
"""Seconds of processor time that judging a solution costs with two dozen tests that pass, where nothing is remembered
(docs/rewards.md: 1,024 completions with 24 tests in 30.3 s). Programs that compute cost what they compute."""


def forecast(job: Job) -> dict[str, Any]:
    """What a run would be made of. Raises `InputError` as the run would."""
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    model = _model(job)
    return {
        "run": str(run_folder(job)),
        "arm": str(job.ours.arm),
        "model": model,
        "rows": _rows(corpus),
        "settings": [{"name": name, "value": value, "source": source} for name, value, source in sources_of(job.said)],
        "not_of_this_arm": list(job.other_arms),
        **({} if job.ours.arm.is_supervised else {"steps": _steps(job, corpus), "memory": _memory(job, model)}),
    }


def _rows(corpus: Corpus) -> dict[str, Any]:
    return {
        "train": dict(corpus.counts),
        "critique_share": corpus.critique_share,
        "validation": 0 if corpus.validation is None else len(corpus.validation),
        "test": 0 if corpus.test is None else len(corpus.test),
        "dropped": dict(corpus.dropped),
    }


def _steps(job: Job, corpus: Corpus) -> dict[str, Any]:
    trl, ours, shape = job.trl, job.ours, shape_of(job)
    updates = planned_updates(job, len(corpus.train))
    phases: list[dict[str, Any]] = []
    done = 0
    for phase in ours.phases:
        epochs = float(trl.num_train_epochs)
        most = most_updates([phase], len(corpus.train), shape.prompts_at_once, shape.updates, epochs)
        most = min(most, updates - done)
        done += most
        phases.append(
            {
                "updates": most,
                "max_completion_length": phase.max_completion_length or trl.max_completion_length,
                "critique_weight": phase.critique_weight,
            }
        )
    phases = phases or [
        {"updates": updates, "max_completion_length": trl.max_completion_length, "critique_weight": 1.0}
    ]
    tokens = sum(shape.batches(one["updates"]) * shape.completions * one["max_completion_length"] for one in phases)
    solves = corpus.counts[SOLVE] / max(1, len(corpus.train))
    draws = ours.refill_limit if ours.zero_variance == "refill" else 1
    return {
        "updates": updates,
        "generation_batches": shape.batches(updates),
        "prompts_a_generation": shape.prompts,
        "completions_a_generation": shape.completions,
        "updates_a_generation": shape.updates,
        "completions_an_update": shape.completions_an_update,
        "phases": phases,
        "most_generated_tokens": tokens,
        "most_draws_a_step": draws,
        "most_judging_cpu_s_a_generation": round(solves * shape.completions * JUDGE_CPU_S, 1),
        "critique_weight_bites": ours.critique_weight_mode != "raw" or trl.scale_rewards != "group",
        "processes": shape.processes,
    }


def _model(job: Job) -> dict[str, Any]:
    """The model's name and size; unknown where its configuration cannot be had here."""
    name = model_of(job)
    told: dict[str, Any] = {"name": Path(name).name if Path(name).is_dir() else name, "parameters": None}
    try:
        from accelerate import init_empty_weights
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(name, revision=job.model.model_revision)
        with init_empty_weights():
            model = AutoModelForCausalLM.from_config(config)
        model.tie_weights()
        told["parameters"] = sum(one.numel() for one in {id(one): one for one in model.parameters()}.values())
        told["layers"], told["hidden"] = config.num_hidden_layers, config.hidden_size
        told["kv_bytes_a_token"] = 2 * 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    except (OSError, ValueError, AttributeError):
        pass
    return told


def _memory(job: Job, model: dict[str, Any]) -> dict[str, Any]:
    """Bytes on each device, by arithmetic: weights, gradients and Adam's states of a whole model, as sharded as they are.

    No logits: TRL computes what it needs of them in pieces.
    """
    n = model["parameters"]
    if n is None:
        return {"known": False}
    trl = job.trl
    stage = trl.deepspeed_plugin.zero_stage if getattr(trl, "deepspeed_plugin", None) else 0
    world = shape_of(job).processes
    lora = bool(job.model.use_peft)
    width = 2 if trl.bf16 or trl.fp16 else 4
    trained = 0.01 * n if lora else n
    weights = n * width / (world if stage >= 3 else 1)
    gradients = trained * width / (world if stage >= 2 else 1)
    states = trained * (12 if width == 2 else 8) / (world if stage >= 1 else 1)
    length = max([phase.max_completion_length or 0 for phase in job.ours.phases] + [trl.max_completion_length])
    whole = length + (job.ours.max_prompt_length or 0)
    rows = trl.per_device_train_batch_size
    activations = rows * whole * model["hidden"] * model["layers"] * 2 * (1 if trl.gradient_checkpointing else 16)
    found = {
        "weights": weights,
        "gradients": gradients,
        "optimizer": states,
        "activations": activations,
    }
    in_gb = {f"{name}_gb": round(value / _GB, 2) for name, value in found.items()}
    return {
        "known": True,
        **in_gb,
        "all_gb": round(sum(found.values()) / _GB, 2),
        "zero_stage": stage,
        "vllm_kv_gb_a_full_answer": round(model["kv_bytes_a_token"] * whole / _GB, 3),
        "vllm_share": trl.vllm_gpu_memory_utilization if trl.use_vllm and trl.vllm_mode == "colocate" else 0.0,
    }


def text_of(found: dict[str, Any]) -> str:
    """A forecast in words."""
    rows = found["rows"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in rows["train"].items())
    lines = [
        f"{found['arm']}: {found['model']['name']} on {kinds} ({100 * rows['critique_share']:.1f} % critique prompts)",
        f"held out: {rows['validation']:,} rows for validation, {rows['test']:,} for the test",
        *(f"left out: {count:,} {reason}" for reason, count in rows["dropped"].items()),
    ]
    steps = found.get("steps")
    if steps:
        lines += _of_steps(steps)
    memory = found.get("memory")
    if memory and memory["known"]:
        parts = ", ".join(
            f"{name.removesuffix('_gb')} {memory[name]}" for name in memory if name.endswith("_gb") and name != "all_gb"
        )
        lines.append(
            f"memory a device, by arithmetic: {memory['all_gb']} GB ({parts}); vLLM takes a share of {memory['vllm_share']:g}"
        )
    elif memory:
        lines.append("memory: not known, the model's configuration cannot be had here")
    lines += ["", f"{'setting':<44} {'value':<28} from"]
    lines += [f"{one['name']:<44} {one['value']!s:<28} {one['source']}" for one in found["settings"]]
    if found["not_of_this_arm"]:
        lines.append(f"not used by this arm: {', '.join(found['not_of_this_arm'])}")
    return "\n".join(lines)


def _of_steps(steps: dict[str, Any]) -> list[str]:
    samples = steps["completions_a_generation"] // steps["prompts_a_generation"]
    draws = steps["most_draws_a_step"]
    lines = [
        f"{steps['updates']:,} updates at most, from {steps['generation_batches']:,} generations of "
        f"{steps['prompts_a_generation']} prompts x {samples} samples; "
        f"{steps['completions_an_update']} completions an update, {steps['updates_a_generation']} updates a generation, "
        f"{steps['processes']} processes",
        *(
            f"phase {place}: {one['updates']:,} updates, answers of at most {one['max_completion_length']:,} tokens, "
            f"critiques weigh {one['critique_weight']:g}"
            for place, one in enumerate(steps["phases"], 1)
        ),
        f"at most {steps['most_generated_tokens']:,} tokens are generated"
        + ("" if draws == 1 else f" a draw, and up to {draws or 'any number of'} draws a step"),
        f"judging: about {steps['most_judging_cpu_s_a_generation']:g} s of processor time a generation, where no program "
        "computes long",
    ]
    weighted = any(one["critique_weight"] != 1 for one in steps["phases"])
    if weighted and not steps["critique_weight_bites"]:
        lines.append(
            "critique_weight changes nothing here: a constant factor on the rewards of a group cancels when its advantages are "
            "normalised (critique_weight_mode: advantage or batch)"
        )
    return lines
