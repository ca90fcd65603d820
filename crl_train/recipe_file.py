"""A training recipe as a file: our keys and TRL's in one mapping, with settings of the command line laid over them.

TRL's keys are read by TRL's own parser (`TrlParser`), so that what they may hold, and what they are set to where nothing is
said, is TRL's. Which class they belong to depends on the arm: GRPOConfig, or SFTConfig for the supervised ones. A key of the
other class is left out and told, so that an arm is one switch.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from crl_data.corpus.recipe_file import fault_in, lay_over, read_mapping
from crl_data.errors import InputError
from crl_train.recipe import TrainRecipe

OURS = frozenset(TrainRecipe.model_fields)
_ENVIRONMENT = "env"
_LOSS = "loss_type"
"""A key of both classes whose values are different ones: a recipe says the policy's, and `supervised` the other."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A recipe that was read.

    ours: our keys; trl: TRL's GRPOConfig or SFTConfig; model: its ModelConfig. measuring: a GRPOConfig that held-out rows are
    answered under where `trl` is none. said: what the recipe and the command line say,
    key by key, as it is reported. other_arms: TRL's keys that this arm has no use for. path: the file.
    """

    ours: TrainRecipe
    trl: Any
    model: Any
    said: dict[str, Any]
    measuring: Any
    other_arms: tuple[str, ...]
    path: Path

    @property
    def folder(self) -> Path:
        """What paths of the recipe are relative to."""
        return self.path.parent


def load_job(path: Path, settings: Sequence[str] = (), options: Sequence[str] = (), on_processor: bool = False) -> Job:
    """Read a recipe with `key=value` settings, and options in TRL's form (`--learning_rate 1e-5`), laid over it.

    on_processor: for this machine's processor, whatever the recipe says. Raises `InputError` that names the key.
    """
    text, raw = read_mapping(path, "dataset")
    for setting in settings:
        lay_over(raw, setting)
    environment = raw.pop(_ENVIRONMENT, None) or {}
    if not isinstance(environment, dict):
        raise InputError(f"{path}: {_ENVIRONMENT}: expected variables and their values, got {environment!r}")
    os.environ.update({str(name): str(value) for name, value in environment.items()})
    _check_known(path, raw, settings)
    try:
        ours = TrainRecipe.model_validate({key: value for key, value in raw.items() if key in OURS})
    except ValidationError as error:
        raise fault_in(path, text, settings, error, TrainRecipe) from None
    theirs = {key: value for key, value in raw.items() if key not in OURS}
    if on_processor:
        theirs["use_cpu"] = True
    said = theirs
    if ours.arm.is_supervised:
        theirs = {key: value for key, value in theirs.items() if key != _LOSS} | ours.supervised
    kind, model_kind = _classes(ours.arm.is_supervised)
    known = _fields(kind) | _fields(model_kind)
    for key in ours.supervised:
        if key not in _fields(_classes(True)[0]):
            raise InputError(f"{path}: supervised.{key}: no such key of TRL's SFTConfig; {_nearest(key, known)}")
    fitting = {key: value for key, value in theirs.items() if key in known}
    trl, model = _parsed(path, kind, model_kind, fitting, options)
    if not model.model_name_or_path:
        raise InputError(f"{path}: model_name_or_path: expected a model, got nothing")
    return Job(
        ours=ours,
        trl=trl,
        model=model,
        said={**raw, **{key: getattr(trl, key, getattr(model, key, None)) for key in _named(options)}},
        measuring=_measuring(path, theirs, model_kind) if ours.arm.is_supervised else trl,
        other_arms=tuple(sorted((said.keys() | theirs.keys()) - fitting.keys())),
        path=path,
    )


def _measuring(path: Path, values: dict[str, Any], model_kind: type) -> Any:
    """How a supervised arm's model is asked about held-out rows: as a policy of the same recipe would be."""
    kind, _ = _classes(False)
    shape = {"per_device_train_batch_size": 2, "num_generations": 2, "gradient_accumulation_steps": 1}
    left_out = (_LOSS, "generation_batch_size", "steps_per_generation", "max_steps", "eval_strategy", "save_strategy")
    fitting = {key: value for key, value in values.items() if key in _fields(kind) and key not in left_out}
    return _parsed(path, kind, model_kind, {**fitting, **shape}, ())[0]


def known_keys() -> dict[str, frozenset[str]]:
    """The keys a recipe may have, by whose they are."""
    grpo, model = _classes(False)
    sft, _ = _classes(True)
    return {"ours": OURS, "GRPOConfig": _fields(grpo), "SFTConfig": _fields(sft), "ModelConfig": _fields(model)}


def _classes(supervised: bool) -> tuple[type, type]:
    from trl import GRPOConfig, ModelConfig, SFTConfig

    return (SFTConfig if supervised else GRPOConfig), ModelConfig


def _fields(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(kind) if field.init)


def _check_known(path: Path, raw: dict[str, Any], settings: Sequence[str]) -> None:
    known = frozenset[str]().union(*known_keys().values())
    for key in raw:
        if key not in known:
            import trl

            place = f"--set {key}" if any(one.split("=")[0] == key for one in settings) else f"{path}: {key}"
            raise InputError(
                f"{place}: no such key, ours or of TRL {trl.__version__}; {_nearest(str(key), known)} (a key that TRL "
                "renamed is in its changelog)"
            )


def _nearest(key: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0)
    return f"did you mean {near[0]!r}?"


def _parsed(
    path: Path, kind: type, model_kind: type, values: dict[str, Any], options: Sequence[str]
) -> tuple[Any, Any]:
    """TRL's configurations from a recipe's values and the options after it. Raises `InputError`."""
    from trl import TrlParser

    class Parser(TrlParser):  # type: ignore[misc]
        def error(self, message: str) -> NoReturn:
            raise InputError(f"{path}: {' '.join(message.split())}")

    parser = Parser((kind, model_kind))
    parser.set_defaults_with_config(**values)
    try:
        *parsed, rest = parser.parse_args_into_dataclasses(args=list(options), return_remaining_strings=True)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if rest:
        known = _fields(kind) | _fields(model_kind)
        raise InputError(f"{rest[0]}: no such option; {_nearest(rest[0].lstrip('-'), known)}")
    return parsed[0], parsed[1]


def _named(options: Sequence[str]) -> list[str]:
    return [one.removeprefix("--").split("=")[0].replace("-", "_") for one in options if one.startswith("--")]
