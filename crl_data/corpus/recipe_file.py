"""A recipe as a file: reading it, laying settings over it, and telling the first fault in one line.

What the keys are and what they may hold, `recipe` says. `read_mapping`, `lay_over` and `fault_in` are for every YAML file of
settings; a trainer's recipe is read by them too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from crl_data.corpus.recipe import Recipe
from crl_data.corpus.secrets import is_secret
from crl_data.errors import InputError


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe, with `key=value` settings laid over it. Raises `InputError` that names the key."""
    text, raw = read_mapping(path, "problems")
    for setting in settings:
        lay_over(raw, setting)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise fault_in(path, text, settings, error, Recipe) from None


def read_mapping(path: Path, key: str) -> tuple[str, dict[str, Any]]:
    """A YAML file: its text, and the mapping that it is. Raises `InputError` that names a `key` which should stand there."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error.strerror if isinstance(error, OSError) else error}") from None
    try:
        raw = yaml.load(text, Loader=_Loader)
    except Exception as error:  # the constructors of yaml raise whatever a text makes them raise
        raise InputError(f"{path}: expected YAML, got: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected a mapping with the key `{key}`, got {type(raw).__name__}")
    return text, raw


def fault_in(
    path: Path, text: str, settings: Sequence[str], error: ValidationError, model: type[BaseModel]
) -> InputError:
    """The first fault of a file of settings, with the line or the setting in which it stands. model: what it was read as."""
    return InputError(f"{_place_of(path, text, settings, error, model)}: {_message(error, model)}")


def recorded_recipe(raw: dict[str, Any], place: Path) -> Recipe:
    """The recipe that a manifest holds. Folders of batch files are left out: of an absolute one only the name stands there.

    Raises `InputError` where it is none of this version.
    """
    sources = [{key: value for key, value in one.items() if key != "batch"} for one in raw.get("candidates") or ()]
    try:
        return Recipe.model_validate({**raw, "candidates": sources})
    except ValidationError as error:
        raise InputError(f"{place}: recipe: expected one of this version, got: {_message(error, Recipe)}") from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, and 1e-3 is a number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+0123456789.")
)


def lay_over(raw: dict[str, Any], setting: str) -> None:
    """Set one key, as in `judge.threshold=1.0` or `problems.0.limit=5`; the value is YAML. Raises `InputError`."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise InputError(f"--set {setting}: expected key=value, as in judge.threshold=0.9")
    try:
        value = yaml.load(text, Loader=_Loader)
    except Exception:
        raise InputError(f"--set {setting[:200]}: expected YAML after the equals sign, got {text[:100]!r}") from None
    place: Any = raw
    *path, last = key.split(".")
    for part in path:
        if isinstance(place, list) and part.isdecimal() and int(part) < len(place):
            place = place[int(part)]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise InputError(f"--set {setting}: there is no {part!r} in the recipe")
    if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise InputError(f"--set {setting}: there is no {last!r} in the recipe")


def _first(error: ValidationError) -> ErrorDetails:
    """The fault that is told: an unknown key before all others."""
    return min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")


def _message(error: ValidationError, root: type[BaseModel]) -> str:
    """The first fault: the key, what was expected, what came, and for an unknown key the nearest known one."""
    first = _first(error)
    place, models = _walk(first["loc"], root)
    key = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        known = list(dict.fromkeys(name for model in models for name in model.model_fields))
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0)
        return (
            f"{key}: no such key; did you mean {near[0]!r}? (known here: {', '.join(known)})"
            if near
            else f"{key}: no such key"
        )
    if first["type"] == "missing":
        return f"{key}: expected a value, got nothing"
    wanted = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    came = "something else" if place and place[-1] in _MAY_HOLD_KEYS else repr(_without_secrets(first.get("input")))
    return f"{key}: expected {wanted}, got {came}"[:400]


_MAY_HOLD_KEYS = frozenset({"base_url", "api_key_env", "extra_body", "engine"})


def _without_secrets(value: Any, depth: int = 4) -> Any:
    """A value of a recipe as it may stand in a message."""
    if isinstance(value, dict | list) and not depth:
        return "..."
    if isinstance(value, dict):
        hidden = {name for name in value if is_secret(name) or name in _MAY_HOLD_KEYS}
        return {name: "..." if name in hidden else _without_secrets(inner, depth - 1) for name, inner in value.items()}
    return [_without_secrets(inner, depth - 1) for inner in value] if isinstance(value, list) else value


def _walk(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[list[int | str], list[type[BaseModel]]]:
    """The place of a fault as a person would name it, and the models whose keys are known there.

    Pydantic names the sampler behind the number of a source: that is no part of the place, but says which model it is.
    """
    place: list[int | str] = []
    known = models = [root]
    for part in loc:
        named = [one for one in models if _tag(one) == part] if len(models) > 1 else []
        if named:
            models = named
            continue
        known = models
        place.append(part)
        if isinstance(part, str):
            inner = [field.annotation for model in models if (field := model.model_fields.get(part)) is not None]
            models = [one for kind in inner for one in _models_in(kind)]
    return place, known


def _tag(model: type[BaseModel]) -> str | None:
    """The sampler that a model describes, which pydantic names in the place of a fault."""
    field = model.model_fields.get("sampler")
    return get_args(field.annotation)[0] if field is not None else None


def _models_in(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [one for part in get_args(kind) for one in _models_in(part)]


def _place_of(path: Path, text: str, settings: Sequence[str], error: ValidationError, root: type[BaseModel]) -> str:
    """Where the first faulty key stands: in a setting, or on a line of the recipe."""
    loc, _ = _walk(_first(error)["loc"], root)
    for setting in reversed(settings):
        key = setting.partition("=")[0].split(".")
        if [str(part) for part in loc[: len(key)]] == key:
            return f"--set {setting.partition('=')[0]}"
    return f"{path}{_line_of(text, error)}"


def _line_of(text: str, error: ValidationError) -> str:
    """The line of the recipe on which the first faulty key stands, or what it should stand in."""
    first = _first(error)
    node: Any = yaml.compose(text, Loader=_Loader)
    line = 0
    for part in first["loc"]:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if part in pairs:
                key, node = pairs[part]
                line = key.start_mark.line
    return f":{line + 1}"
