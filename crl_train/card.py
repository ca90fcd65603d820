"""The model card of a trained critique coder: what it was trained from, on what, how, and what is known of it.

A run is told as it was: which settings are the paper's, how the checkpoint was chosen, and how sure the numbers are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from crl_data.licenses import card_licenses

HERE = "path/to/this/model"
"""Stands in the card wherever the model is named; a push puts its id there."""

SEEDS_FOR_A_CLAIM = 3


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a run and where its value comes from: "paper", "scripts" (the authors' released ones) or "ours"."""

    name: str
    value: Any
    source: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """A measured number, between 0 and 1, with its 95 % interval and what it is over.

    split: what it was measured on; reported: it is among the numbers that the model is presented by. n: rows.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    split: str
    seeds: int = 1
    before: float | None = None
    reported: bool = True


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What a model card tells of a run.

    base_model, dataset: ids on the Hub or names; licenses: theirs, by name. arm: what was trained on ("hybrid", "solve-only",
    ...); critique_share: of the prompts. budget: unit -> amount. selection: how the checkpoint was chosen; selected_on: the
    split it was chosen on. versions: of what it ran with. prompt: a critique prompt, as the model was trained to read it.
    """

    name: str
    base_model: str
    dataset: str
    dataset_revision: str
    licenses: Mapping[str, str]
    arm: str
    critique_share: float
    settings: tuple[Setting, ...]
    budget: Mapping[str, float]
    steps: int
    selection: str
    selected_on: str
    results: tuple[Result, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    judge: str = ""
    prompt: str = ""


def render(run: TrainingRun) -> str:
    """The card as text."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    body = environment.get_template("model_card.md.jinja").render(
        run=run,
        here=HERE,
        chosen_on_reported=[one.name for one in run.results if one.reported and one.split == run.selected_on],
        enough_seeds=all(one.seeds >= SEEDS_FOR_A_CLAIM for one in run.results),
        seeds_for_a_claim=SEEDS_FOR_A_CLAIM,
    )
    front = {
        **card_licenses([run.licenses.get(run.base_model, "")]),
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["code", "critique", "reinforcement-learning", "crl-data"],
        **({"base_model": run.base_model} if _is_id(run.base_model) else {}),
        **({"datasets": [run.dataset]} if _is_id(run.dataset) else {}),
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{body.strip()}\n"


def _is_id(name: str) -> bool:
    """Whether a name is an id on the Hub, and no folder of a machine."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))
