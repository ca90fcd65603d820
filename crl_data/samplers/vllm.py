"""A model that runs here, in vLLM: the model behind `sampler: vllm`. Batches of questions in, kept answers out.

With one replica the engine is in this process. With several (`data_parallel_size`) each is a process of its own that sees its
own accelerators: vLLM's offline class takes no `data_parallel_size` (0.32 raises), and replicas that share nothing are what
that comes to for answers. Experts spread over replicas need vLLM's server, and are refused. What vLLM is told, and how an
answer is made of what it gives, is in `vllm_engine`; an engine is opened when the first answer is missing, and not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from crl_data.errors import InputError, WorkError
from crl_data.samplers.chat import Chat
from crl_data.samplers.kept import Asked, Piece
from crl_data.samplers.model import Answer, Request
from crl_data.samplers.vllm_engine import Engine

RESOURCES = frozenset(
    {
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_num_seqs",
        "max_num_batched_tokens",
        "max_num_partial_prefills",
        "block_size",
        "num_gpu_blocks_override",
        "swap_space",
        "cpu_offload_gb",
        "enable_prefix_caching",
        "enable_chunked_prefill",
        "pipeline_parallel_size",
        "distributed_executor_backend",
        "disable_custom_all_reduce",
        "download_dir",
        "load_format",
        "max_parallel_loading_workers",
        "compilation_config",
        "disable_log_stats",
        "trust_remote_code",
    }
)
"""Arguments of an engine on which it does not depend what is asked of whom: no part of what answers are kept under."""

_END_S = 60.0


class _Chats(Protocol):
    def chat(
        self, batch: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any], template: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]: ...


class VLLM:
    """A model in vLLM; see `Model`. A context manager, whose end frees the accelerators.

    engine: the arguments of `vllm.LLM`; its `model` is a folder or a name on the Hub. template: what the chat template is told
    (`enable_thinking`). replicas: engines side by side. batch_size: questions a batch; a build that is killed loses one batch.
    """

    def __init__(
        self,
        asked: Asked,
        engine: Mapping[str, Any],
        *,
        template: Mapping[str, Any] | None = None,
        replicas: int = 1,
        batch_size: int = 256,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        if replicas > 1 and engine.get("enable_expert_parallel"):
            raise InputError(
                "data_parallel_size: expected 1 beside engine.enable_expert_parallel, got "
                f"{replicas}: start `vllm serve --data-parallel-size {replicas}` and ask it by sampler: openai"
            )
        self.asked = asked
        self.sampler = asked.chat.sampler("vllm")
        self.engine = dict(engine)
        self.template = dict(template or {})
        self.replicas = replicas
        self.batch_size = batch_size
        self.tell = tell
        self._opened = contextlib.ExitStack()
        self._chats: _Chats | None = None

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], asked: Asked, base: Path, tell: Callable[[str], object] = lambda _: None
    ) -> VLLM:
        """The model of the keys of a recipe. base: what a model in a folder is relative to."""
        folder = base / settings["model"]
        engine = {name: settings[name] for name in _OF_ENGINE if settings[name] is not None}
        engine |= {"model": str(folder.resolve()) if folder.is_dir() else settings["model"]}
        return cls(
            asked,
            engine | settings["engine"],
            template=_template(settings),
            replicas=settings["data_parallel_size"],
            batch_size=settings["batch_size"],
            tell=tell,
        )

    def __enter__(self) -> VLLM:
        return self

    def __exit__(self, *_: object) -> None:
        self._chats = None
        self._opened.close()

    def answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        """Each request with its answers, in order; see `Model`. What is kept is not asked for again."""
        source = iter(requests)
        while batch := list(islice(source, self.batch_size)):
            self._ask(batch)
            for request in batch:
                answers = self.asked.answers(request)
                assert answers is not None
                yield request, answers

    def _ask(self, batch: Sequence[Request]) -> None:
        """Ask for the answers of a batch that are missing, each question once, and keep them."""
        most: dict[str, Request] = {}
        for request in batch:
            key = self.asked.key(request)
            if key not in most or most[key].n < request.n:
                most[key] = request
        pieces = [piece for request in most.values() for piece in self.asked.pieces(request)]
        if not pieces:
            return
        for piece in pieces:
            self.asked.kept.keep_question(piece.key, piece.asked)
        chat = self.asked.chat
        sampling = {"temperature": chat.temperature, "top_p": chat.top_p, "top_k": chat.top_k}
        sampling |= {"max_tokens": chat.max_tokens, "seed": chat.seed}
        given = self._open().chat([_told(piece) for piece in pieces], sampling, self.template)
        for piece, completions in zip(pieces, given, strict=True):
            if len(completions) != piece.count:
                raise WorkError(f"sampler vllm: expected {piece.count} answers to a question, got {len(completions)}")
            for number, completion in enumerate(completions):
                text = json.dumps(completion, ensure_ascii=False)
                self.asked.kept.keep_response(piece.key, piece.first + number, text)

    def _open(self) -> _Chats:
        if self._chats is None:
            self.tell(f"sampler vllm: loading {self.sampler.model}")
            if self.replicas == 1:
                self._chats = self._opened.enter_context(Engine(self.engine))
            else:
                self._chats = self._opened.enter_context(_Replicas(self.engine, self.replicas))
        return self._chats


def _told(piece: Piece) -> dict[str, Any]:
    return {"messages": piece.question["messages"], "first": piece.first, "count": piece.count}


# --- replicas ---------------------------------------------------------------------------------------------------------


class _Replicas:
    """Engines in processes of their own; a context manager. A batch is cut into as many parts."""

    def __init__(self, engine: Mapping[str, Any], count: int) -> None:
        each = int(engine.get("tensor_parallel_size", 1)) * int(engine.get("pipeline_parallel_size", 1))
        self.model = engine["model"]
        self._processes: list[subprocess.Popen[str]] = []
        try:
            for devices in devices_of(count, each, os.environ.get("CUDA_VISIBLE_DEVICES")):
                self._processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "crl_data.samplers.vllm_engine"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                        encoding="utf-8",
                        env={**os.environ, "CUDA_VISIBLE_DEVICES": devices},
                    )
                )
            for process in self._processes:
                self._send(process, engine)
            for process in self._processes:
                self._receive(process)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> _Replicas:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def chat(
        self, batch: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any], template: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        """As `vllm_engine.Engine.chat`."""
        size = -(-len(batch) // len(self._processes))
        parts = [batch[place : place + size] for place in range(0, len(batch), size)]
        at_work = self._processes[: len(parts)]
        for process, part in zip(at_work, parts, strict=True):
            self._send(process, {"batch": part, "sampling": sampling, "template": template})
        return [completions for process in at_work for completions in self._receive(process)]

    def _send(self, process: subprocess.Popen[str], value: Any) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # one that ended: what it says of that is read next
            process.stdin.write(json.dumps(value) + "\n")
            process.stdin.flush()

    def _receive(self, process: subprocess.Popen[str]) -> Any:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise WorkError(f"sampler vllm: a replica of {self.model} ended with status {process.wait()}")
        ((kind, value),) = json.loads(line).items()
        if kind == "refused":
            raise InputError(value)
        if kind == "failed":
            raise WorkError(value)
        return value

    def _end(self) -> None:
        for process in self._processes:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
        for process in self._processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()  # type: ignore[union-attr]


def devices_of(replicas: int, each: int, visible: str | None) -> list[str]:
    """Which accelerators each replica sees, for CUDA_VISIBLE_DEVICES: those that this process sees, in order.

    Raises `InputError` where it is known to see too few. Where none is to be seen (""), none is given.
    """
    if visible is None:
        names = [str(number) for number in range(replicas * each)]
    elif not visible.strip():
        return [""] * replicas
    else:
        names = [name.strip() for name in visible.split(",") if name.strip()]
    if len(names) < replicas * each:
        raise InputError(
            f"data_parallel_size: {replicas} replicas on {each} accelerators each need {replicas * each}, and "
            f"CUDA_VISIBLE_DEVICES names {len(names)}"
        )
    return [",".join(names[place * each : (place + 1) * each]) for place in range(replicas)]


# --- what is asked of whom ----------------------------------------------------------------------------------------------

_OF_ENGINE = ("revision", "tensor_parallel_size", "dtype", "max_model_len", "enforce_eager")


def chat_of(settings: Mapping[str, Any], base: Path) -> Chat:
    """All that answers depend on, of the keys of a recipe; a model in a folder by its name and its content."""
    folder = base / settings["model"]
    extra: dict[str, Any] = {"dtype": settings["dtype"]}
    extra |= {name: settings[name] for name in ("revision", "max_model_len") if settings[name] is not None}
    extra |= {name: value for name, value in settings["engine"].items() if name not in RESOURCES}
    if template := _template(settings):
        extra["chat_template_kwargs"] = template
    if folder.is_dir():
        extra["weights"] = fingerprint(folder)
    return Chat(
        model=folder.resolve().name if folder.is_dir() else settings["model"],
        temperature=settings["temperature"],
        top_p=settings["top_p"],
        top_k=settings["top_k"],
        max_tokens=settings["max_tokens"],
        seed=settings["seed"],
        extra=extra,
    )


def _template(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {} if settings["thinking"] is None else {"enable_thinking": settings["thinking"]}


# --- models in folders --------------------------------------------------------------------------------------------------

_BLOCKS, _BLOCK_BYTES, _WHOLE_BYTES = 64, 1 << 16, 32 << 20


def fingerprint(folder: Path) -> str:
    """What tells the model in a folder from another of the same name: a hash of its files.

    Of large ones a number of blocks is read: training changes every weight, and a checkpoint is known again in a moment.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name.startswith(".") or file.suffix not in _OF_A_MODEL:
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as data:
            if size <= _WHOLE_BYTES:
                digest.update(data.read())
            else:
                for number in range(_BLOCKS):
                    data.seek(number * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
                    digest.update(data.read(_BLOCK_BYTES))
    return digest.hexdigest()[:16]


_OF_A_MODEL = frozenset({".json", ".safetensors", ".bin", ".pt", ".gguf", ".jinja", ".model", ".txt", ".py"})
