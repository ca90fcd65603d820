"""A trained model to the Hub: its weights, tokenizer and configuration, the card and an index, in one commit like a dataset.

What a trainer leaves beside a model stays: checkpoints, optimizer states, and files that Python pickles, which hold tokens and
paths of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import crl_data
from crl_data.errors import InputError
from crl_data.publishing.push import Contents, File, Pushed, file_of, push, whole_name

CARD, INDEX = "README.md", "crl_train.json"
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_OTHERS = (
    *("config.json", "generation_config.json", "adapter_config.json", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "LICENSE"),
)
_TEXTS = (".json", ".jinja", ".txt", ".md", "LICENSE")


def push_model(
    directory: Path, repo: str, card: str, about: Mapping[str, Any], private: bool = False, dry_run: bool = False
) -> Pushed:
    """Push a model as `save_pretrained` left it.

    card: the text of README.md. about: what the index says of the run, as JSON. Raises `InputError` and `WorkError` as
    `crl_data.publishing.push.push` does; and where there is no model, or a file holds a key or a path of this machine.
    """
    repo = whole_name(repo, dry_run)
    return push(model_contents(directory, card, about), repo, private, dry_run)


def model_contents(directory: Path, card: str, about: Mapping[str, Any]) -> Contents:
    """The files of a model that go. Raises `InputError`."""
    paths = {path.name: path for pattern in (*_WEIGHTS, *_OTHERS) for path in sorted(directory.glob(pattern))}
    if not any(name.endswith(".safetensors") for name in paths):
        raise InputError(f"{directory}: expected a model as save_pretrained leaves it, got no *.safetensors")
    if not {"config.json", "adapter_config.json"} & paths.keys():
        raise InputError(f"{directory}: expected a model as save_pretrained leaves it, got no config.json")
    files: dict[str, File] = {name: file_of(path) for name, path in sorted(paths.items())}
    index = {
        "crl_data": crl_data.__version__,
        "run": about,
        "files": {name: {"sha256": file.sha256, "bytes": file.size} for name, file in files.items()},
    }
    files[CARD] = file_of(card.encode())
    files[INDEX] = file_of((json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode())
    return Contents(
        kind="model", files=files, index=INDEX, message=f"{directory.name} (crl-train {crl_data.__version__})"
    )
