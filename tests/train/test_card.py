"""The model card: what it tells of a run, and what it does not let pass."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from crl_train.card import HERE, Result, Setting, TrainingRun, render
from tests.hub.metadata import faults

RUN = TrainingRun(
    name="tiny-critic",
    base_model="me/base",
    dataset="me/demo",
    dataset_revision="5ca1ab1e",
    licenses={"me/base": "Apache 2.0", "me/demo": "mit"},
    arm="hybrid",
    critique_share=0.2,
    settings=(
        Setting(name="learning_rate", value=1e-6, source="paper"),
        Setting(name="loss_type", value="dapo | token mean", source="scripts"),
        Setting(name="seed", value=3, source="ours"),
    ),
    budget={"prompts": 12800, "generated_tokens": 1_000_000},
    steps=100,
    selection="verdict accuracy",
    selected_on="held-out validation",
    results=(
        Result(
            name="verdict accuracy", value=0.91, low=0.88, high=0.93, n=500, split="held-out test", before=0.72, seeds=3
        ),
    ),
    versions={"trl": "1.16.0", "crl-data": "0.1.0"},
    judge="crl-data 0.1.0, judge 3",
    prompt="Is it right?\n\\conclusion{T} or \\conclusion{F}",
)


def metadata(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(found, dict)
    return found


def test_it_tells_all_of_a_run() -> None:
    text = render(RUN)
    for words in (
        "# tiny-critic",
        "me/base",
        "arm `hybrid`, with 20 % critique prompts",
        "| learning_rate | 1e-06 | paper |",
        "| loss_type | dapo \\| token mean | scripts |",
        "| verdict accuracy | held-out test | 0.910 | 0.880 to 0.930 | 0.720 | 500 | 3 |",
        "100 steps; 12,800 prompts, 1,000,000 generated tokens.",
        "chosen by verdict accuracy, on held-out validation.",
        "| data set | me/demo at `5ca1ab1e` | mit |",
        "trl 1.16.0, crl-data 0.1.0.",
        "\\conclusion{F}",
        f'pipeline("text-generation", "{HERE}")',
    ):
        assert words in text, words
    assert "Fewer than" not in text and "**That is what" not in text


def test_the_hub_takes_its_metadata_and_its_client_reads_it() -> None:
    text = render(RUN)
    assert faults(metadata(text), "model") == []
    card = ModelCard(text)
    assert (card.data.license, card.data.base_model, card.data.datasets) == ("apache-2.0", "me/base", ["me/demo"])


@pytest.mark.parametrize("place", ["/home/somebody/model", "./model", "../a/model", "~/model", "model"])
def test_a_folder_is_no_id_in_the_metadata(place: str) -> None:
    told = metadata(render(replace(RUN, base_model=place, dataset=place, licenses={})))
    assert not {"base_model", "datasets"} & told.keys() and told["license"] == "unknown"
    assert faults(told, "model") == []


def test_a_checkpoint_that_was_chosen_on_what_is_reported_is_told() -> None:
    text = render(replace(RUN, selected_on="held-out test"))
    assert "**That is what verdict accuracy is reported on, too" in text


def test_few_seeds_make_no_claim_and_nothing_measured_says_so() -> None:
    assert "**Fewer than 3 seeds" in render(replace(RUN, results=(replace(RUN.results[0], seeds=2),)))
    text = render(replace(RUN, results=(), budget={}, versions={}, prompt=""))
    assert "**Nothing was measured.**" in text and "no budget was stated." in text
    assert not re.search(r"\b(better|best)\b", text.replace("the best of several", ""))
