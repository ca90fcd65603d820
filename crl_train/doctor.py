"""`crl-train doctor`: whether this machine can train: what is installed and fits, and one of each thing that a run does.

One generation, one judged reward and one step of the optimiser are really done, on a model of a few thousand random weights
that is made on the spot; on the first GPU where there is one. What drives a GPU runs in a process of its own, so that a crash
is a failed check. It does not say how fast the machine is, tries neither several GPUs at once nor DeepSpeed, loads no real
model, and asks nothing of the network. What walls the judge has is told by `crl-data doctor`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from tqdm import tqdm

DISTRIBUTION = "crl-data"
REQUIRED = ("trl", "transformers", "accelerate", "datasets")
OPTIONAL = {"peft": "lora", "vllm": "vllm", "deepspeed": "deepspeed"}  # by the extra that brings them
TRY_S = 900  # vLLM compiles its kernels the first time
_LEFT_BY_A_LAUNCHER = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "GROUP_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
)

Found = tuple[bool | None, str]


@dataclass(frozen=True)
class Check:
    """What was looked at. ok: None where it is missing and nothing that is required needs it."""

    name: str
    ok: bool | None
    found: str
    remedy: str = ""
    seconds: float = 0.0


def run(json_: bool) -> int:
    """Print what stands; the exit status: 0 where all that a run needs does."""
    checks = examine()
    passed = all(check.ok is not False for check in checks)
    if json_:
        print(json.dumps({"ok": passed, "checks": [asdict(check) for check in checks]}, ensure_ascii=False, indent=2))
    else:
        print(_text(checks, passed))
    return 0 if passed else 1


def examine(judge: bool = True) -> list[Check]:
    """Look at everything and try everything; with no judge, all but the judged reward. Raises nothing."""
    checks: list[tuple[str, Callable[[], Found], str]] = [
        ("Python", _python, "use a Python in the range"),
        ("torch", _torch, f"pip install '{DISTRIBUTION}[train]'"),
        (
            "GPUs",
            _gpus,
            "install a driver and a build of torch that fit each other; without bf16 set bf16: false in the recipe",
        ),
        *((name, _library(name, "train"), f"pip install '{DISTRIBUTION}[train]'") for name in REQUIRED),
        *((name, _library(name, extra), f"pip install '{DISTRIBUTION}[{extra}]'") for name, extra in OPTIONAL.items()),
        ("vllm for TRL", _vllm_for_trl, f"pip install '{DISTRIBUTION}[train,vllm]', or use_vllm: false in the recipe"),
        ("generation", _generation, "see what torch and transformers say above; crl-train cannot generate here"),
        ("generation, vllm", _vllm_generation, "use_vllm: false in the recipe generates without it, slowly"),
        ("optimiser step", _step, "see what torch, trl and the GPUs say above"),
    ]
    if judge:
        checks.insert(-1, ("judged reward", _reward, "crl-data doctor tells which wall the judge lacks"))
    return [_tried(*check) for check in tqdm(checks, desc="crl-train doctor", disable=None, leave=False)]


def _tried(name: str, look: Callable[[], Found], remedy: str) -> Check:
    start = time.monotonic()
    try:
        ok, found = look()
    except Exception as error:  # whatever a library throws: that it does is what the check found
        ok, found = False, _line(error)
    return Check(name, ok, found, remedy if ok is False else "", round(time.monotonic() - start, 2))


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _python() -> Found:
    wanted = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    version = platform.python_version()
    return SpecifierSet(wanted).contains(version, prereleases=True), f"{version}, {_range(wanted)}"


def _torch() -> Found:
    torch = importlib.import_module("torch")
    ok, found = _library("torch", "train")()
    build = (
        f"CUDA {torch.version.cuda}"
        if torch.version.cuda
        else f"ROCm {torch.version.hip}"
        if torch.version.hip
        else "CPU"
    )
    return ok, f"{found}, {build} build"


def _gpus() -> Found:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists():
            built = "its CUDA does not start" if torch.version.cuda else "it is a CPU build"
            return False, f"the driver is there, and torch {torch.__version__} sees no GPU: {built}"
        return None, "none found: training and generation are on the processor"
    seen = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    bf16 = [one.major >= 8 or torch.version.hip is not None for one in seen]
    told = [
        f"{one.name}, {one.total_memory / 2**30:.0f} GiB{'' if able else ', no bf16'}"
        for one, able in zip(seen, bf16, strict=True)
    ]
    same = f"{len(told)} x {told[0]}" if len({*told}) == 1 else "; ".join(told)
    return all(bf16), same + (", bf16" if all(bf16) else "")


def _library(name: str, extra: str) -> Callable[[], Found]:
    """A check of a library's version against the range that an extra of this package declares."""
    return lambda: _fits(_version(name), _declared(name, extra), required=name not in OPTIONAL)


def _vllm_for_trl() -> Found:
    """vLLM against the range that the installed TRL declares; outside of it TRL warns, and weights may not arrive."""
    if _version("trl") is None:
        return None, "no trl to fit"
    return _fits(_version("vllm"), _declared("vllm", "vllm", "trl"), required=False)


def _fits(version: str | None, wanted: SpecifierSet | None, required: bool) -> Found:
    if version is None:
        return (False if required else None), f"not installed, {_range(wanted)}"
    return wanted is None or wanted.contains(version, prereleases=True), f"{version}, {_range(wanted)}"


def _version(name: str) -> str | None:
    """Of what is installed under a name, or brings a module of that name: there are builds of vllm that are called otherwise."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(name) is None:
            return None
        provided = importlib.metadata.packages_distributions().get(name, [])
        return importlib.metadata.version(provided[0]) if provided else None


def _declared(name: str, extra: str, distribution: str = DISTRIBUTION) -> SpecifierSet | None:
    """The range in which an installed package wants another, for an extra; None where it says nothing."""
    wanted: SpecifierSet | None = None
    for line in importlib.metadata.requires(distribution) or ():
        one = Requirement(line)
        if one.name.lower() == name and (one.marker is None or one.marker.evaluate({"extra": extra})):
            wanted = one.specifier if wanted is None else wanted & one.specifier
    return wanted


def _range(wanted: SpecifierSet | str | None) -> str:
    return f"wanted {wanted}" if wanted is not None and str(wanted) else "no range declared"


def _generation() -> Found:
    return _in_a_process("generate")


def _vllm_generation() -> Found:
    if importlib.util.find_spec("vllm") is None:
        return None, "not tried: vllm is not installed"
    if not importlib.import_module("torch").cuda.is_available():
        return None, "not tried: there is no GPU"
    return _in_a_process("generate_with_vllm")


def _step() -> Found:
    return _in_a_process("take_a_step")


def _reward() -> Found:
    """A right and a wrong solution of one problem, judged behind the walls that a run would judge behind."""
    from crl_data.rewards import solve_reward

    right = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
    wrong = right.replace("a + b", "a - b")
    tests = [{"input": "1 2\n", "expected": "3\n"}, {"input": "20 5\n", "expected": "25\n"}]
    rewards = solve_reward([right, wrong], tests=[tests] * 2, test_kind=["stdin"] * 2)
    return rewards == [1.0, 0.0], f"right {rewards[0]}, wrong {rewards[1]}"


def _in_a_process(name: str) -> Found:
    """Run a function of this module on a toy model, on the first GPU alone, in a process of its own.

    Raises `RuntimeError` with the last line that the process said where it fails or takes more than `TRY_S` seconds.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in _LEFT_BY_A_LAUNCHER and not key.startswith(("ACCELERATE_", "TORCHELASTIC_"))
    }
    environment |= {
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0],
        "HF_HUB_OFFLINE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }
    with tempfile.TemporaryDirectory(prefix="crl-train-doctor-") as folder:
        call = f"import sys; from crl_train import doctor; doctor._child(doctor.{name}, sys.argv[1])"
        try:
            done = subprocess.run(
                [sys.executable, "-c", call, folder], capture_output=True, text=True, env=environment, timeout=TRY_S
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not done after {TRY_S} s") from None
    said = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if done.returncode != 0 or not said:
        last = ([line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"])[-1]
        ended = f"status {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
        raise RuntimeError(f"ended with {ended}: {last}")
    ok, found = json.loads(said[-1].removeprefix(_ANSWER))
    return ok, found


_ANSWER = "crl-train doctor: "


def _child(trial: Callable[[Path], Found], folder: str) -> None:
    print(_ANSWER + json.dumps(trial(Path(folder))), flush=True)


def generate(folder: Path) -> Found:
    """Sample a few tokens with transformers."""
    torch = importlib.import_module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = _toy(folder)
    model = model.to(device=device, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    prompt = tokenizer.apply_chat_template(_PROMPT, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**prompt.to(device), max_new_tokens=8, min_new_tokens=8, do_sample=True, top_k=20)
    new = out.shape[1] - prompt["input_ids"].shape[1]
    return new == 8, f"{new} tokens by transformers on {_device(torch, device)}"


def generate_with_vllm(folder: Path) -> Found:
    """Sample a few tokens with vLLM."""
    vllm = importlib.import_module("vllm")
    model, tokenizer = _toy(folder)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    engine = vllm.LLM(
        model=str(folder),
        dtype="auto",
        enforce_eager=True,
        max_model_len=128,
        max_num_seqs=4,
        gpu_memory_utilization=0.1,
    )
    asked = vllm.SamplingParams(n=2, temperature=0.6, top_p=0.95, top_k=20, max_tokens=8, min_tokens=8)
    new = [len(one.token_ids) for one in engine.chat(_PROMPT, asked, use_tqdm=False)[0].outputs]
    return new == [8, 8], f"{sum(new)} tokens by vllm {vllm.__version__}"


def take_a_step(folder: Path) -> Found:
    """One step of TRL's GRPOTrainer, with rewards that differ within the group, so that it has to change the weights."""
    torch, trl = importlib.import_module("torch"), importlib.import_module("trl")
    datasets = importlib.import_module("datasets")
    on_gpu = bool(torch.cuda.is_available())
    model, tokenizer = _toy(folder)
    before = [one.detach().clone().float() for one in model.parameters()]

    def reward(completions: Sequence[Any], **columns: Any) -> list[float]:
        return [float(index % 2) for index in range(len(completions))]

    options = {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 8, "max_steps": 1}
    quiet = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "logging_strategy": "no"}
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=trl.GRPOConfig(
            output_dir=str(folder / "run"), learning_rate=1e-3, use_cpu=not on_gpu, bf16=on_gpu, **options, **quiet
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": _PROMPT}]),
        processing_class=tokenizer,
    )
    trainer.train()
    after = [one.detach().cpu().float() for one in trainer.accelerator.unwrap_model(trainer.model).parameters()]
    finite = all(bool(torch.isfinite(one).all()) for one in after)
    moved = sum(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
    device = _device(torch, "cuda" if on_gpu else "cpu")
    told = f"trl {trl.__version__}, GRPO on {device}: {moved} of {len(after)} tensors of weights changed"
    return moved > 0 and finite, told + ("" if finite else ", and some are not finite")


_PROMPT = [{"role": "user", "content": "add 1 and 2"}]
_TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def _toy(folder: Path) -> tuple[Any, Any]:
    """A Qwen3 of two layers with random weights, and a tokenizer of single bytes."""
    tokenizers, transformers = importlib.import_module("tokenizers"), importlib.import_module("transformers")
    bytes_ = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: index for index, sign in enumerate(["<pad>", "<eos>", *bytes_])}
    text = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    text.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    text.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=text, pad_token="<pad>", eos_token="<eos>", chat_template=_TEMPLATE
    )
    transformers.set_seed(1)
    config = transformers.Qwen3Config(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=256,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return transformers.Qwen3ForCausalLM(config), tokenizer


def _device(torch: Any, device: str) -> str:
    return str(torch.cuda.get_device_name(0)) if device == "cuda" else "the processor"


def _text(checks: Sequence[Check], passed: bool) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        state = {True: "ok", False: "FAILS", None: "-"}[check.ok]
        lines.append(f"{check.name:<{width}}  {state:<5}  {check.found}  ({check.seconds:.1f} s)")
        if check.remedy:
            lines.append(f"{'':<{width}}         {check.remedy}")
    failed = [check.name for check in checks if check.ok is False]
    lines += ["", "this machine can train" if passed else f"this machine cannot train yet: {', '.join(failed)}"]
    return "\n".join(lines)
