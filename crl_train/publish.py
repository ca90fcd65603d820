"""A trained model to the Hub: weights, tokenizer and configuration, the card and an index, in one commit as a dataset goes.

What a trainer leaves beside a model stays: checkpoints, optimizer states, its own state, and what Python pickles, which hold
tokens and paths of the machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import crl_data
from crl_data.errors import InputError
from crl_data.publishing.leaks import find_leaks, secrets_of_this_machine
from crl_data.publishing.push import Contents, Pushed, file_of, push, whole_name
from crl_train.card import HERE, TrainingRun, render

CARD, INDEX = "README.md", "crl_train.json"
_WEIGHTS = "*.safetensors"
_OTHERS = (
    *("*.safetensors.index.json", "config.json", "generation_config.json", "adapter_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "LICENSE"),
)


def push_model(directory: Path, repo: str, run: TrainingRun, private: bool = False, dry_run: bool = False) -> Pushed:
    """Push a model as `save_pretrained` left it, with the card of its run.

    repo: `owner/name`, or the name alone for one of the token's owner. Raises `InputError` where there is no model, where a
    file holds a key or a path of this machine, and as `crl_data.publishing.push.push` does; and its `WorkError`.
    """
    repo = whole_name(repo, dry_run)
    return push(contents(directory, repo, run), repo, private, dry_run)


def contents(directory: Path, repo: str, run: TrainingRun) -> Contents:
    """The files of a model that go, and what they are called. Raises `InputError`."""
    weights = sorted(directory.glob(_WEIGHTS))
    if not weights:
        raise InputError(f"{directory}: expected a model as save_pretrained leaves it, got no {_WEIGHTS}")
    others = sorted(path for pattern in _OTHERS for path in directory.glob(pattern))
    if not {"config.json", "adapter_config.json"} & {path.name for path in others}:
        raise InputError(f"{directory}: expected a model as save_pretrained leaves it, got no config.json")
    files = {path.name: file_of(path) for path in (*weights, *others)}
    index = {
        "crl_data": crl_data.__version__,
        "run": asdict(run),
        "files": {name: {"sha256": file.sha256, "bytes": file.size} for name, file in files.items()},
    }
    written = {
        CARD: render(run).replace(HERE, repo).encode(),
        INDEX: (json.dumps(index, indent=2, ensure_ascii=False, default=str) + "\n").encode(),
    }
    looked: dict[str, Path | bytes] = {**{path.name: path for path in others}, **written}
    leaks = find_leaks(looked, secrets_of_this_machine(directory))
    if leaks:
        raise InputError(f"{directory}: {leaks[0]}; take it out before the model goes")
    files |= {name: file_of(content) for name, content in written.items()}
    return Contents(kind="model", files=files, index=INDEX, message=f"{run.name} (crl-data {crl_data.__version__})")
