"""The rows of a run: mixed as a build mixes, kept back, filtered; and what is no dataset."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.errors import InputError
from crl_train.data import Corpus, Rows, at_most, fitting, load_corpus, locate
from crl_train.recipe import TrainRecipe
from tests.conftest import ROOT, write_rows
from tests.hub.server import HubServer
from tests.publishing.conftest import USERS, environment

TESTS = [{"input": "1\n", "expected": "1\n"}]


def corpus(dataset: Path | str, seed: int = 0, base: Path = Path(), **more: Any) -> Corpus:
    return load_corpus(TrainRecipe(dataset=str(dataset), **more), base, seed)


def ids(rows: Rows | None) -> list[str]:
    assert rows is not None
    return [row["id"] for row in rows.columns("id")]


def built_ids(directory: Path, split: str) -> list[str]:
    import pyarrow.parquet as pq

    found = pq.read_table(sorted((directory / "data").glob(f"{split}*.parquet")), columns=["id"])
    return [str(one) for one in found["id"].to_pylist()]


# --- a build ----------------------------------------------------------------------------------------------------------


def test_the_builds_own_mix_is_its_data_in_its_order(demo: Path) -> None:
    found = corpus(demo)
    assert ids(found.train) == built_ids(demo, "train")
    assert found.counts[CRITIQUE] + found.counts[SOLVE] == len(found.train)
    assert found.critique_share == found.counts[CRITIQUE] / len(found.train)
    assert found.judge.startswith("crl-data's judge, version")
    assert found.name == demo.name
    assert len(found.revision) == 12


def test_another_mix_is_what_a_build_with_it_leaves_in_its_order(demo: Path, tmp_path: Path) -> None:
    mix = {"critique_share": 0.2, "pick": "random", "balance": 0.4}
    text = (ROOT / "recipes" / "demo.yaml").read_text().replace("../crl_data", str(ROOT / "crl_data"))
    lines = [line for line in text.splitlines() if not line.startswith("mix:")]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("\n".join([*lines, f"mix: {json.dumps(mix)}"]))
    build(recipe, tmp_path / "built", quiet=True)
    assert ids(corpus(demo, mix=mix).train) == built_ids(tmp_path / "built", "train")


def test_problems_kept_back_for_validation_are_not_trained_on(demo: Path) -> None:
    everything, found = corpus(demo), corpus(demo, evaluate={"validation": 3})
    assert found.validation is not None
    kept_back = {row["problem_id"] for row in found.validation}
    assert len(kept_back) == 3
    trained = {row["problem_id"] for row in found.train}
    assert not kept_back & trained
    rest = [row["id"] for row in everything.train if row["problem_id"] not in kept_back]
    assert ids(found.train) == rest
    assert found.dropped["kept back for validation"] == len(everything.train) - len(rest)
    assert found.kept_back == kept_back
    assert everything.kept_back == frozenset()
    assert {row["kind"] for row in found.validation} == {SOLVE, CRITIQUE}
    assert ids(found.validation) == ids(corpus(demo, seed=7, evaluate={"validation": 3}).validation)
    assert found.test is not None
    assert not kept_back & {row["problem_id"] for row in found.test}


def test_a_test_and_a_validation_of_their_own_are_measured_on_whole(demo: Path) -> None:
    found = corpus(demo, test_dataset=str(demo), evaluate={"validation": str(demo)})
    assert found.test is not None and found.validation is not None
    assert len(found.test) == len(found.validation) > len(found.train)
    assert found.dropped == {}


def test_nothing_left_to_train_on_is_told(demo: Path) -> None:
    with pytest.raises(InputError, match="fewer than the"):
        corpus(demo, evaluate={"validation": 10**6})


def test_the_same_rows_have_the_same_fingerprint_and_others_another(demo: Path) -> None:
    first = corpus(demo).train
    assert first.fingerprint() == corpus(demo).train.fingerprint()
    places = list(range(len(first)))
    others = [
        first.some(places[::-1]).fingerprint(),
        first.some(places[1:]).fingerprint(),
        corpus(demo, arm="hybrid-shuffled").train.fingerprint(),
        corpus(demo, arm="solution-shown").train.fingerprint(),
        corpus(demo, mix={"seed": 9}).train.fingerprint(),
    ]
    assert len({first.fingerprint(), *others}) == 6


# --- filters ----------------------------------------------------------------------------------------------------------


def test_prompts_over_the_limit_are_left_out_and_changes_stay_with_their_rows(demo: Path) -> None:
    rows = corpus(demo, arm="hybrid-shuffled").train
    lengths = [len(row["prompt"][0]["content"]) for row in rows]
    limit = sorted(lengths)[len(rows) // 2]
    kept = fitting(rows, lambda prompt: len(prompt[0]["content"]), limit)
    assert [row["id"] for row in kept] == [row["id"] for row, n in zip(rows, lengths, strict=True) if n <= limit]
    verdicts = {row["id"]: row["verdict"] for row in rows}
    assert {row["id"]: row["verdict"] for row in kept}.items() <= verdicts.items()
    assert fitting(rows, lambda _: 10**9, None) is rows


def test_so_many_rows_of_each_kind_are_the_same_ones_every_time(demo: Path) -> None:
    rows = corpus(demo).train
    some = at_most(rows, 2, 0)
    assert some is not None
    assert sorted(row["kind"] for row in some) == [CRITIQUE, CRITIQUE, SOLVE, SOLVE]
    backwards = at_most(rows.some(range(len(rows))[::-1]), 2, 0)
    assert set(ids(some)) == set(ids(backwards))
    assert len(at_most(rows, 10**6, 0) or ()) == len(rows)
    assert at_most(None, 3, 0) is None


# --- rows that no build made ------------------------------------------------------------------------------------------


def plain(folder: Path, **more: Any) -> Path:
    row = {"prompt": [{"role": "user", "content": "?"}], "tests": TESTS, "test_kind": "stdin"}
    rows = [
        {**row, "solution": None, "verdict": None, **more},
        {**row, "solution": "print(1)", "verdict": True, **more},
    ]
    folder.mkdir()
    write_rows(folder / "train.jsonl", rows)
    return folder


def test_rows_alone_are_taken_as_they_stand(tmp_path: Path) -> None:
    found = corpus(plain(tmp_path / "d"))
    assert found.counts == {SOLVE: 1, CRITIQUE: 1}
    assert (found.train[0]["kind"], found.train[1]["kind"]) == (SOLVE, CRITIQUE)
    assert corpus(tmp_path / "d", arm="critique-only").counts == {CRITIQUE: 1}
    assert at_most(found.train, 1, 0) is not None


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"mix": {"critique_share": 0.5}}, "to mix from"),
        ({"arm": "hybrid-mutants"}, "to mix from"),
        ({"evaluate": {"validation": 1}}, "to keep problems back from"),
        ({"arm": "solution-shown"}, "none of the name problem_id, question, prompt_template"),
        ({"arm": "hybrid-onpolicy"}, "none of the name problem_id, question, prompt_template"),
    ],
)
def test_what_needs_a_build_is_refused_for_rows_alone(tmp_path: Path, said: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        corpus(plain(tmp_path / "d"), **said)


@pytest.mark.parametrize("prompt", ["judge this", ["judge this"], [{"text": "judge this"}]])
def test_a_prompt_that_is_no_conversation_is_told_in_one_line(tmp_path: Path, prompt: Any) -> None:
    with pytest.raises(InputError, match="prompt: expected messages, each with role and content") as caught:
        corpus(plain(tmp_path / "d", prompt=prompt))
    assert "\n" not in str(caught.value)


def test_a_dataset_without_the_columns_is_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", [{"prompt": "?", "answer": 42}])
    with pytest.raises(InputError, match="none of the name tests, test_kind, solution, verdict"):
        corpus(tmp_path)


def test_an_arm_without_rows_is_told(tmp_path: Path) -> None:
    folder = plain(tmp_path / "d")
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    write_rows(folder / "train.jsonl", rows[:1])
    with pytest.raises(InputError, match="expected rows to train on for the arm critique-only, got none"):
        corpus(folder, arm="critique-only")


@pytest.mark.parametrize("name", ["nowhere", "a/b/c", "./nowhere", "-x/y"])
def test_what_is_neither_a_folder_nor_a_name_of_the_hub_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected a folder .* got neither"):
        locate(name, tmp_path)


def test_a_folder_that_holds_no_dataset_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{not json")
    with pytest.raises(InputError, match="expected a dataset, got") as caught:
        corpus(tmp_path)
    assert "\n" not in str(caught.value)


# --- the Hub ----------------------------------------------------------------------------------------------------------

FROM_HUB = """
import json, sys
from pathlib import Path
from crl_train.data import load_corpus
from crl_train.recipe import TrainRecipe
found = load_corpus(TrainRecipe(dataset=sys.argv[1], mix=json.loads(sys.argv[2])), Path(), 0)
print(json.dumps([[row["id"] for row in found.train.columns("id")], found.name, found.revision, found.counts]))
"""


def test_a_dataset_of_the_hub_is_mixed_as_the_one_that_was_pushed(demo: Path, tmp_path: Path) -> None:
    with HubServer(users=USERS) as hub:
        env = environment(hub, tmp_path)
        pushed = [sys.executable, "-m", "crl_data", "push", str(demo), "me/demo"]
        done = subprocess.run(pushed, capture_output=True, text=True, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        mix = {"critique_share": 0.3}
        asked = [sys.executable, "-c", FROM_HUB, "me/demo", json.dumps(mix)]
        done = subprocess.run(asked, capture_output=True, text=True, env=env | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found, name, revision, counts = json.loads(done.stdout.splitlines()[-1])
        here = corpus(demo, mix=mix)
        assert found == ids(here.train)
        assert counts == dict(here.counts)
        assert name == "me/demo"
        assert revision == hub.repos["dataset", "me/demo"].commits[-1][0]
        asked[3] = "me/nothing"
        done = subprocess.run(asked, capture_output=True, text=True, env=env | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path)
        assert "me/nothing" in done.stderr.splitlines()[-1]
