"""docs/training.md cannot drift: every key, arm, file and logged number of the code stands there, and no other key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from crl_train import measures, settings
from crl_train.measures import Completion
from crl_train.recipe import Arm, Budget, Evaluate, OnPolicy, Phase, Plateau, TrainRecipe, Until
from tests.conftest import ROOT
from tests.test_docs import first_cells, section

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_every_key_of_a_recipe_is_told_and_no_other() -> None:
    told = first_cells(section(PAGE, "## A recipe"))
    assert told == set(TrainRecipe.model_fields)


def test_the_keys_within_keys_are_told() -> None:
    for part in (Phase, Until, Plateau, Budget, Evaluate, OnPolicy):
        for name in part.model_fields:
            assert re.search(rf"[`{{ ]{name}[`:]", PAGE), f"{part.__name__}.{name}"


def test_every_default_is_told_as_it_is() -> None:
    told = section(PAGE, "## A recipe")
    lines = {
        line.split("|")[1].strip().strip("`"): line.split("|")[2].strip()
        for line in told.splitlines()
        if line.startswith("| `")
    }
    for name in ("arm", "max_prompt_length", "critique_weight_mode", "zero_variance", "refill_limit", "select"):
        assert lines[name].strip("`") == str(TrainRecipe.model_fields[name].default), name


def test_every_arm_has_a_line() -> None:
    assert first_cells(section(PAGE, "## Arms")) - {"cft", "cgd"} == set(Arm) - {"cft", "cgd"}
    assert {"cft", "cgd"} <= first_cells(section(PAGE, "## Arms"))


def test_every_number_that_is_logged_by_kind_is_told() -> None:
    some = [
        Completion(kind=kind, reward=reward, tokens=3, right=reward == 1, truth=truth, own=own)
        for kind, truth in (("solve", None), ("critique", True), ("critique", False))
        for reward, own in ((1.0, False), (0.0, True))
    ]
    names = {*measures.of_groups(some, 2), *measures.of_update([True, True, False, False], [1] * 4, [1] * 4, 2)}
    told = section(PAGE, "## What is logged")
    missing = [name for name in names if name.rpartition("/")[2].removeprefix("accuracy") not in told]
    assert not missing


PAPERS = ("critique-coder-4b.yaml", "critique-coder-8b.yaml")
SOURCE = re.compile(r"# (paper, scripts|paper|scripts|ours)\b")


def places(node: yaml.Node, above: str = "") -> Iterator[tuple[str, int]]:
    """The keys of a YAML file by their path, and the line where each of their values begins."""
    parts = (
        [(key.value, value) for key, value in node.value]
        if isinstance(node, yaml.MappingNode)
        else [(str(place), value) for place, value in enumerate(node.value)]
    )
    for name, value in parts:
        if isinstance(value, yaml.MappingNode) or (isinstance(value, yaml.SequenceNode) and value.value):
            yield from places(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value.start_mark.line


@pytest.mark.parametrize("name", PAPERS)
def test_every_line_of_the_papers_recipes_says_where_it_comes_from_and_the_code_says_the_same(name: str) -> None:
    text = (ROOT / "recipes" / name).read_text(encoding="utf-8")
    lines = text.splitlines()
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#") and not line.rstrip().endswith(":"):
            assert SOURCE.search(line), line
    said = yaml.safe_load(text)
    sources = {key: source for key, _, source in settings.sources_of(said)}
    node = yaml.compose(text)
    assert node is not None
    for key, number in places(node):
        if key in sources:
            told = SOURCE.search(lines[number])
            assert told and told[1] == sources[key].partition(" (")[0], (lines[number], sources[key])


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("key", sorted({*settings.PAPER, *settings.SCRIPTS}))
def test_what_the_paper_or_the_scripts_say_stands_in_the_recipes(name: str, key: str) -> None:
    said = dict(settings.flat(yaml.safe_load((ROOT / "recipes" / name).read_text(encoding="utf-8"))))
    assert key in said, key
    source = settings.source_of(key, said[key], {})
    if key in OTHERWISE:
        assert source.startswith("ours (")
    else:
        assert "paper" in source if key in settings.PAPER and key not in WORDS else "scripts" in source, source


OTHERWISE = {
    "select",  # on problems that are kept back
    "vllm_gpu_memory_utilization",
    "vllm_importance_sampling_correction",
    *(f"phases.0.until.plateau.{name}" for name in ("window", "gain")),  # the paper has no numbers
}
WORDS = {name for name, value in settings.PAPER.items() if isinstance(value, settings.Words)}


def test_the_paths_of_the_page_are_there() -> None:
    for path in re.findall(r"`((?:crl_train|recipes|tests|launch|constraints)/[\w./-]+)`", PAGE):
        assert Path(ROOT / path).exists(), path
