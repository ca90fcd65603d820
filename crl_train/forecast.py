"""What a recipe would train on and cost, without training: `crl-train RECIPE.yaml --dry-run`.

Counts are exact: the dataset is read, mixed and filtered. What depends on the model (how long answers are, how many groups tell
nothing) is not known before: tokens and judging are bounds, for answers as long as the limit and for every solution run alone.
Texts that a supervised arm shows are there before, and their tokens are counted. Memory is arithmetic on the number of
parameters, and no measurement.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crl_data.corpus.records import SOLVE
from crl_train.batches import planned_updates, shape_of
from crl_train.data import Corpus
from crl_train.phases import most_updates, share_of
from crl_train.recipe import Phase
from crl_train.recipe_file import Job
from crl_train.run import load_tokenizer, model_of, prepared, run_folder
from crl_train.settings import defaults_of, flat, sources_of

_GB = 1024**3
JUDGE_CPU_S = 0.03
"""Seconds of processor time that judging a solution costs with two dozen tests that pass, where nothing is remembered
(docs/rewards.md: 1,024 completions with 24 tests in 30.3 s). Programs that compute cost what they compute."""
_MEASURED_WHILE_RUNNING = ("generated_tokens", "gpu_seconds")
"""Units of a budget whose number of updates is not known before."""


def forecast(job: Job) -> dict[str, Any]:
    """What a run would be made of. Raises `InputError` as the run would."""
    tokenizer = load_tokenizer(job)
    corpus = prepared(job, tokenizer)
    model = _model(job)
    supervised = job.ours.arm.is_supervised
    steps = _shown_steps(job, corpus, tokenizer) if supervised else _steps(job, corpus)
    return {
        "run": str(run_folder(job)),
        "arm": str(job.ours.arm),
        "model": model,
        "rows": _rows(corpus),
        "settings": [{"name": name, "value": value, "source": source} for name, value, source in _settings(job)],
        "not_of_this_arm": list(job.other_arms),
        "steps": steps,
        "memory": _memory(job, model, steps),
    }


def _settings(job: Job) -> list[tuple[str, Any, str]]:
    """What the recipe says, and defaults that matter; of how a supervised arm is trained the paper says nothing."""
    values = {name: getattr(value, "value", value) for name, value in vars(job.trl).items()}
    if job.ours.arm.is_supervised:
        del values["loss_type"]  # its values are others than the paper's
    else:
        phases = job.ours.phases or (Phase(),)
        ours = {**job.ours.model_dump(), "phases": [phase.model_dump(exclude_none=True) for phase in phases]}
        values |= dict(flat(ours)) | {"chat_template_kwargs.enable_thinking": None}
    return [*sources_of(job.said), *defaults_of(job.said, values)]


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
    n = len(corpus.train)
    updates = _most_updates(job, n)
    phases: list[dict[str, Any]] = []
    done = 0
    for phase in ours.phases:
        most = None
        if updates is not None:
            most = updates - done
            if _has_number(phase) or not _has_another_bound(job):
                epochs = float(trl.num_train_epochs)
                most = min(most, most_updates([phase], n, shape.prompts_at_once, shape.updates, epochs))
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
    tokens = None
    if updates is not None:
        tokens = sum(shape.batches(one["updates"]) * shape.completions * one["max_completion_length"] for one in phases)
    solves = corpus.counts[SOLVE] / max(1, n)
    draws = ours.refill_limit if ours.zero_variance == "refill" else 1
    return {
        "updates": updates,
        "updates_an_epoch": most_updates((), n, shape.prompts_at_once, shape.updates, 1.0),
        "open_budget": _open_budget(job),
        "generation_batches": None if updates is None else shape.batches(updates),
        "prompts_a_generation": shape.prompts,
        "completions_a_generation": shape.completions,
        "updates_a_generation": shape.updates,
        "completions_an_update": shape.completions_an_update,
        "phases": phases,
        "most_generated_tokens": tokens,
        "most_draws_a_step": draws,
        "most_judging_cpu_s_a_generation": round(solves * shape.completions * JUDGE_CPU_S, 1),
        "critique_weight_bites": _weight_bites(job),
        "processes": shape.processes,
    }


def _open_budget(job: Job) -> dict[str, float] | None:
    """A budget that is measured while the run goes on, if it has one and no `max_steps`."""
    budget = job.ours.budget
    if budget is None or job.trl.max_steps > 0 or budget.chosen[0] not in _MEASURED_WHILE_RUNNING:
        return None
    return dict([budget.chosen])


def _most_updates(job: Job, n_prompts: int) -> int | None:
    """The most updates; None where neither a number in the recipe nor its phases bound them."""
    phases, shape = job.ours.phases, shape_of(job)
    bounds = [] if _open_budget(job) else [planned_updates(job, n_prompts)]
    if phases and all(map(_has_number, phases)):
        epochs = float(job.trl.num_train_epochs)
        bounds.append(most_updates(phases, n_prompts, shape.prompts_at_once, shape.updates, epochs))
    return min(bounds, default=None)


def _has_number(phase: Phase) -> bool:
    until = phase.until
    return until is not None and (until.steps is not None or until.epoch_share is not None)


def _has_another_bound(job: Job) -> bool:
    """Whether something else than the epochs ends a phase that has no number in its `until`."""
    return job.ours.budget is not None or job.trl.max_steps > 0


def _weight_bites(job: Job) -> bool:
    """Whether a critique weight changes an update."""
    trl, mode = job.trl, job.ours.critique_weight_mode
    if mode != "raw" or trl.multi_objective_aggregation == "normalize_then_sum":
        return True
    return bool(trl.scale_rewards != "group")


def _shown_steps(job: Job, corpus: Corpus, tokenizer: Any) -> dict[str, Any]:
    """What a supervised arm shows, and how often; the corpus has its rows from here on."""
    import datasets

    from crl_train.supervised import count_shown, is_by_seconds, shown_of, updates_named

    datasets.disable_progress_bars()
    trl, ours = job.trl, job.ours
    shown = shown_of(job, tokenizer, corpus.kept_back)
    n, processes = len(shown.rows), ours.processes or int(trl.world_size)
    count_shown(corpus, shown, ours.arm)
    an_update = int(trl.per_device_train_batch_size) * processes * int(trl.gradient_accumulation_steps)
    an_epoch = -(-n // an_update)
    updates = updates_named(job, an_update)
    if updates is None and not is_by_seconds(job):
        updates = share_of(float(trl.num_train_epochs), an_epoch)
    tokens = [_tokens(row, tokenizer) for row in shown.rows]
    return {
        "rows": n,
        "updates": updates,
        "updates_an_epoch": an_epoch,
        "open_budget": _open_budget(job),
        "rows_an_update": an_update,
        "tokens_a_row": round(sum(tokens) / n, 1),
        "longest_row": max(tokens),
        "tokens": None if updates is None else round(updates * an_update * sum(tokens) / n),
        "teacher_tokens": shown.teacher_tokens,
        "processes": processes,
    }


def _tokens(row: dict[str, Any], tokenizer: Any) -> int:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str):
        return len(tokenizer(prompt + completion)["input_ids"])
    return len(tokenizer.apply_chat_template([*prompt, *completion], return_dict=False))


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


def _memory(job: Job, model: dict[str, Any], steps: dict[str, Any]) -> dict[str, Any]:
    """Bytes on each device, by arithmetic: weights, gradients and Adam's states of a whole model, under each way to spread them
    that the recipe may be started with.

    No logits: TRL computes what it needs of them in pieces.
    """
    n = model["parameters"]
    if n is None:
        return {"known": False}
    trl = job.trl
    processes = steps["processes"]
    stage = trl.deepspeed_plugin.zero_stage if getattr(trl, "deepspeed_plugin", None) else 0
    longest = steps.get("longest_row") or _longest(job)
    ways = dict.fromkeys((0, *((stage,) if stage else ()), *((3,) if processes > 1 else ())))
    found: dict[str, Any] = {
        "known": True,
        "processes": processes,
        "started_with_zero_stage": stage,
        "ways": [{"zero_stage": one, **_a_device(job, model, longest, processes, one)} for one in ways],
    }
    if getattr(trl, "use_vllm", False):
        found["vllm_kv_gb_a_full_answer"] = round(model["kv_bytes_a_token"] * longest / _GB, 3)
        found["vllm_share"] = trl.vllm_gpu_memory_utilization if trl.vllm_mode == "colocate" else 0.0
    return found


def _longest(job: Job) -> int:
    """Tokens of the longest prompt and answer that a recipe lets through."""
    trl = job.trl
    lengths = [phase.max_completion_length or 0 for phase in job.ours.phases]
    return max([*lengths, int(trl.max_completion_length)]) + (job.ours.max_prompt_length or 0)


def _a_device(job: Job, model: dict[str, Any], longest: int, processes: int, stage: int) -> dict[str, float]:
    trl, n = job.trl, model["parameters"]
    width = 2 if trl.bf16 or trl.fp16 else 4
    trained = 0.01 * n if job.model.use_peft else n
    kept = longest * model["hidden"] * model["layers"] * 2 * (1 if trl.gradient_checkpointing else 16)
    found = {
        "weights": n * width / (processes if stage >= 3 else 1),
        "gradients": trained * width / (processes if stage >= 2 else 1),
        "optimizer": trained * (12 if width == 2 else 8) / (processes if stage >= 1 else 1),
        "activations": trl.per_device_train_batch_size * kept,
    }
    in_gb = {f"{name}_gb": round(value / _GB, 2) for name, value in found.items()}
    return {**in_gb, "all_gb": round(sum(found.values()) / _GB, 2)}


def text_of(found: dict[str, Any]) -> str:
    """A forecast in words."""
    rows = found["rows"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in rows["train"].items())
    shown = "rows_an_update" in found["steps"]
    share = "" if shown else f" ({100 * rows['critique_share']:.1f} % critique prompts)"
    lines = [
        f"{found['arm']}: {found['model']['name']} on {kinds}{share}",
        f"held out: {rows['validation']:,} rows for validation, {rows['test']:,} for the test",
        *(f"left out: {count:,} {reason}" for reason, count in rows["dropped"].items()),
    ]
    lines += _of_shown(found["steps"]) if shown else _of_steps(found["steps"])
    lines += _of_memory(found["memory"])
    lines += ["", f"{'setting':<44} {'value':<28} from"]
    lines += [f"{one['name']:<44} {one['value']!s:<28} {one['source']}" for one in found["settings"]]
    if found["not_of_this_arm"]:
        lines.append(f"not used by this arm: {', '.join(found['not_of_this_arm'])}")
    return "\n".join(lines)


def _of_steps(steps: dict[str, Any]) -> list[str]:
    samples = steps["completions_a_generation"] // steps["prompts_a_generation"]
    draws = steps["most_draws_a_step"]
    lines = [
        f"{_how_long(steps)}, from generations of {steps['prompts_a_generation']} prompts x {samples} samples; "
        f"{steps['completions_an_update']} completions an update, {steps['updates_a_generation']} updates a generation, "
        f"{_processes(steps)}",
        *(
            f"phase {place}: {'' if one['updates'] is None else format(one['updates'], ',') + ' updates, '}"
            f"answers of at most {one['max_completion_length']:,} tokens, critiques weigh {one['critique_weight']:g}"
            for place, one in enumerate(steps["phases"], 1)
        ),
        *_of_tokens(steps, "" if draws == 1 else f" a draw, and up to {draws or 'any number of'} draws a step"),
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


def _processes(steps: dict[str, Any]) -> str:
    n = steps["processes"]
    return f"{n} process{'' if n == 1 else 'es'}"


def _how_long(steps: dict[str, Any]) -> str:
    """How many updates, or what ends a run instead."""
    updates = steps["updates"]
    budget = " ".join(f"{most:,.0f} {unit.replace('_', ' ')}" for unit, most in (steps["open_budget"] or {}).items())
    epoch = f"an epoch is {steps['updates_an_epoch']:,}"
    if not budget:
        return f"{updates:,} updates at most ({epoch})"
    bound = "no number of updates is the bound" if updates is None else f"{updates:,} updates at most"
    return f"until the budget of {budget} is used; {bound} ({epoch})"


def _of_tokens(steps: dict[str, Any], of_draws: str) -> list[str]:
    budget = steps["open_budget"] or {}
    if "generated_tokens" in budget:
        return [f"{budget['generated_tokens']:,.0f} tokens are generated, and what the last generation is over them"]
    if steps["most_generated_tokens"] is None:
        return []
    return [f"at most {steps['most_generated_tokens']:,} tokens are generated{of_draws}"]


def _of_shown(steps: dict[str, Any]) -> list[str]:
    tokens = "" if steps["tokens"] is None else f", {steps['tokens']:,} in all"
    teacher = f"; a teacher wrote {steps['teacher_tokens']:,}" if steps["teacher_tokens"] else ""
    return [
        f"{steps['rows']:,} texts to imitate, {steps['rows_an_update']} an update, {_processes(steps)}: "
        f"{_how_long(steps)}",
        f"{steps['tokens_a_row']:g} tokens a text, question and answer{tokens}{teacher}",
    ]


def _of_memory(memory: dict[str, Any]) -> list[str]:
    if not memory["known"]:
        return ["memory: not known, the model's configuration cannot be had here"]
    lines = []
    for way in memory["ways"]:
        stage = way["zero_stage"]
        how = f"DeepSpeed ZeRO-{stage} over {memory['processes']} processes" if stage else "nothing spread"
        how += ", as it is started" if stage and stage == memory["started_with_zero_stage"] else ""
        parts = ", ".join(
            f"{part} {way[f'{part}_gb']}" for part in ("weights", "gradients", "optimizer", "activations")
        )
        lines.append(f"memory a device, by arithmetic, {how}: {way['all_gb']} GB ({parts})")
    if "vllm_share" in memory:
        lines.append(
            f"vLLM takes a share of {memory['vllm_share']:g} beside it; an answer of full length is "
            f"{memory['vllm_kv_gb_a_full_answer']} GB of its cache"
        )
    return lines
