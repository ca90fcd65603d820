"""`verify`: rows executed again. Verdicts that were turned round are found, each of them, and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data import build
from crl_data.corpus.verify import FORMATS, Labelled, sample_of, verify
from crl_data.errors import InputError, RowError, SandboxUnavailable
from crl_data.export import verl
from crl_data.export.verl import Reward
from crl_data.importers.tables import Which
from crl_data.judging import Policy
from crl_data.types import Problem, Solution, TestKind
from tests.conftest import ROOT, write_rows
from tests.hub.server import HubServer

EXAMPLES = ROOT / "crl_data" / "examples"
ALL = 10_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples with recorded solutions, as many critique records as there can be."""
    folder = tmp_path_factory.mktemp("verify")
    recipe = {
        "problems": [{"path": str(EXAMPLES / "problems.jsonl")}],
        "candidates": [{"sampler": "recorded", "path": str(EXAMPLES / "solutions.jsonl")}],
        "mix": {"critique_share": 0.9, "per_problem": 2},
        "split": {"test_share": 0.25},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return build(folder / "recipe.yaml", folder / "out", quiet=True).directory


def rows_of(directory: Path) -> list[dict[str, Any]]:
    return [row for file in sorted((directory / "data").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def changed(directory: Path, change: Any, out: Path) -> Path:
    """A copy with its records changed."""
    shutil.copytree(directory, out)
    for file in (out / "data").glob("*.parquet"):
        table = pq.read_table(file)
        rows = table.to_pylist()
        for row in rows:
            change(row)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    return out


def test_the_rows_of_a_build_agree_one_and_all(built: Path) -> None:
    done = verify(str(built), sample=ALL)
    labelled = {row["id"] for row in rows_of(built) if row["kind"] == "critique"}
    assert {one.id for one in done.again} == labelled and len(labelled) > 20
    assert (done.rows, done.labelled, done.drawn) == (len(rows_of(built)), len(labelled), len(labelled))
    assert (done.flips, done.undecided, done.other_rates, done.elsewhere, done.not_executable) == ([], [], [], {}, {})
    assert done.agreement is not None and done.agreement[0] == 1.0 and done.agreement[1] < 1.0
    assert all(one.pass_rate == one.stored_pass_rate is not None for one in done.again)


def test_every_verdict_that_was_turned_round_is_a_flip_and_no_other(built: Path, tmp_path: Path) -> None:
    drawn = random.Random(5)
    turned: dict[str, bool] = {}

    def turn(row: dict[str, Any]) -> None:
        if row["kind"] == "critique" and drawn.random() < 0.3:
            turned[row["id"]] = row["verdict"] = not row["verdict"]

    done = verify(str(changed(built, turn, tmp_path / "turned")), sample=ALL)
    assert {one.id: one.stored for one in done.flips} == turned
    assert {one.stored for one in done.flips} == {True, False}  # in both directions
    assert all(one.verdict is not one.stored and one.reason for one in done.flips)
    assert done.agreeing == done.drawn - len(turned) and done.undecided == []


def test_a_pass_rate_that_is_another_one_is_told_where_the_verdict_stands(built: Path, tmp_path: Path) -> None:
    def lower(row: dict[str, Any]) -> None:
        if row["verdict"] is False:
            row["pass_rate"] = row["pass_rate"] / 2 + 0.01

    done = verify(str(changed(built, lower, tmp_path / "lower")), sample=ALL)
    assert done.flips == [] and len(done.other_rates) == sum(row["verdict"] is False for row in rows_of(built))


def test_what_is_drawn_depends_on_the_seed_and_not_on_the_order_or_place(built: Path, tmp_path: Path) -> None:
    ids = [[one.id for one in verify(str(built), sample=5, seed=seed).again] for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2] and all(len(one) == 5 for one in ids)
    rows = [json.loads(json.dumps(row)) for row in reversed(rows_of(built))]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert [one.id for one in verify(str(tmp_path / "rows.jsonl"), sample=5, seed=1).again] == ids[0]


def labelled(name: str) -> Labelled:
    return Labelled(
        id=name,
        verdict=True,
        pass_rate=None,
        problem=Problem(id="p", question="", test_kind=TestKind.STDIN, tests=()),
        solution=Solution(problem_id="p", id=name, code=""),
        policy=Policy(),
        known=None,
        judge=None,
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=4), max_size=30), st.integers(1, 12), st.integers(0, 5), st.randoms())
def test_a_sample_is_of_its_size_and_the_same_in_any_order(
    names: list[str], most: int, seed: int, shuffler: random.Random
) -> None:
    first = [one.id for one in sample_of(map(labelled, names), most, seed)]
    shuffled = list(names)
    shuffler.shuffle(shuffled)
    assert [one.id for one in sample_of(map(labelled, shuffled), most, seed)] == first
    assert len(first) == min(most, len(names)) and not Counter(first) - Counter(names)


def test_each_row_is_as_likely_as_any_other() -> None:
    counts = Counter(one.id for seed in range(2000) for one in sample_of(map(labelled, map(str, range(10))), 3, seed))
    assert len(counts) == 10 and all(480 < n < 720 for n in counts.values()), counts  # 600, deviation 20


def test_rows_of_another_policy_are_judged_by_theirs(built: Path, tmp_path: Path) -> None:
    """Under a threshold of 0.1 nearly all that passes something is True; the row says which threshold is meant."""

    def lenient(row: dict[str, Any]) -> None:
        if row["kind"] == "critique":
            row["judge"]["threshold"] = 0.1
            row["verdict"] = row["pass_rate"] > 0.1

    path = changed(built, lenient, tmp_path / "lenient")
    done = verify(str(path), sample=ALL)
    assert done.flips == [] and any(
        one.stored and one.pass_rate is not None and one.pass_rate < 0.8 for one in done.again
    )


def test_where_the_rows_were_judged_otherwise_it_is_said(built: Path, tmp_path: Path) -> None:
    def elsewhere(row: dict[str, Any]) -> None:
        if row["kind"] == "critique":
            row["judge"]["version"] = "0"

    done = verify(str(changed(built, elsewhere, tmp_path / "elsewhere")), sample=4)
    assert [told.partition(",")[0] for told in done.elsewhere] == ["judge 0"] and sum(done.elsewhere.values()) == 4


def test_a_library_that_is_not_here_is_said_before_anything_is_judged(built: Path, tmp_path: Path) -> None:
    def with_library(row: dict[str, Any]) -> None:
        if row["kind"] == "critique":
            row["judge"]["runtime"] += "; nolibrary 1.0"

    with pytest.raises(SandboxUnavailable, match="nolibrary"):
        verify(str(changed(built, with_library, tmp_path / "library")), sample=4)


def test_a_row_that_cannot_be_decided_again_is_no_flip(built: Path, tmp_path: Path) -> None:
    """A program that needs longer than a limit that is no evidence: undecided, whatever stands there."""
    name: list[str] = []

    def slow(row: dict[str, Any]) -> None:
        if row["kind"] == "critique" and row["test_kind"] == "stdin" and not name:
            name.append(row["id"])
            row["solution"] = "while True: pass"
            row["judge"]["limit_from"] = "default"
            row["time_limit_s"] = 0.5

    done = verify(str(changed(built, slow, tmp_path / "slow")), sample=ALL)
    assert name and [one.id for one in done.undecided] == name and done.flips == []
    assert done.agreement is not None and done.agreement[0] == 1.0


# --- other people's rows ----------------------------------------------------------------------------------------------


def test_the_rows_of_our_export_agree_as_their_records_do(built: Path, tmp_path: Path) -> None:
    verl.export(built, tmp_path / "rows", Reward.OURS)
    here, there = (verify(str(one), sample=6) for one in (built, tmp_path / "rows"))
    assert [one.id for one in here.again] == [one.id for one in there.again]
    assert there.flips == [] and here.labelled == there.labelled


def authors_row(code: str, truth: bool, tests: dict[str, Any] | None) -> dict[str, Any]:
    asked = f"Add two numbers.\n\n```python\n{code}\n```\n\nIs it right?"
    extra = {"correctness": truth, "inputs_outputs": json.dumps(tests) if tests else None, "split": "train"}
    return {"prompt": [{"role": "user", "content": asked}], "extra_info": extra}


def test_rows_as_the_authors_published_theirs_are_executed_where_they_carry_tests(tmp_path: Path) -> None:
    tests = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
    right, wrong = "print(sum(map(int, input().split())))", "print(3)"
    rows = [
        authors_row(right, True, tests),
        authors_row(right + " ", False, tests),
        authors_row(wrong, False, tests),
        authors_row(right + "  ", True, None),
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    done = verify(str(tmp_path / "rows.jsonl"), sample=ALL)
    assert (done.labelled, done.drawn, done.not_executable) == (4, 3, {"carry no tests": 1})
    assert [(one.stored, one.verdict) for one in done.flips] == [(False, True)]


def taco_row(number: int, solutions: list[str]) -> dict[str, Any]:
    return {
        "question": f"Read two numbers and print their sum. ({number})",
        "solutions": json.dumps(solutions),
        "input_output": json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}),
        "starter_code": "",
        "difficulty": "EASY",
        "source": "codeforces",
        "url": f"https://example.org/{number}",
        "name": None,
        "time_limit": "1 seconds",
        "memory_limit": "256 megabytes",
    }


def test_labelled_solutions_of_a_known_format_are_executed_on_its_problems(tmp_path: Path) -> None:
    right, wrong = "print(sum(map(int, input().split())))", "print(3)"
    write_rows(tmp_path / "taco.jsonl", [taco_row(0, [right, wrong]), taco_row(1, [right])])
    done = verify(str(tmp_path / "taco.jsonl"), sample=ALL, form="taco")
    assert (done.labelled, done.agreeing) == (3, 2)
    assert [(one.stored, one.verdict, one.pass_rate) for one in done.flips] == [(True, False, 0.5)]
    assert verify(str(tmp_path / "taco.jsonl"), sample=ALL, form="taco", threshold=0.4).flips == []


def test_unknown_rows_and_formats_say_what_is_known(built: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"a": 1, "b": 2}])
    with pytest.raises(RowError, match=r"rows.jsonl:1: .*--format .*taco, got a, b"):
        verify(str(tmp_path / "rows.jsonl"))
    with pytest.raises(InputError, match=f"--format: expected one of {', '.join(FORMATS)}, got 'x'"):
        verify(str(built), form="x")
    only_solve = changed(
        built, lambda row: row.update(kind="solve", verdict=None, solution=None, solution_id=None), tmp_path / "s"
    )
    with pytest.raises(
        InputError, match=r"expected rows with a verdict, a solution and tests, got .* 0 with a verdict"
    ):
        verify(str(only_solve))
    with pytest.raises(InputError, match="no such file"):
        verify(str(tmp_path / "nothing.parquet"))


# --- from the Hub -----------------------------------------------------------------------------------------------------


def crl_data(hub: HubServer, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment, "HF_HOME": str(home / "hf")}
    environment.pop("HF_TOKEN", None)
    return subprocess.run(
        [sys.executable, "-m", "crl_data", *arguments], capture_output=True, text=True, env=environment, cwd=home
    )


def test_a_dataset_on_the_hub_is_drawn_from_all_of_its_splits_as_on_disk(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "there", ignore=shutil.ignore_patterns(".crl", "report"))
    with HubServer({"me/made": tmp_path / "there"}) as hub:
        done = crl_data(hub, tmp_path, "verify", "me/made", "--sample", "12", "--json")
        one = crl_data(hub, tmp_path, "verify", "me/made", "--split", "test", "--json", "--sample", str(ALL))
    assert done.returncode == one.returncode == 0, done.stderr + one.stderr
    told, here = json.loads(done.stdout), verify(str(built), sample=12)
    assert told["rows"] == len(rows_of(built)) and told["executed"] == told["agree"] == 12 and told["flips"] == []
    assert told["interval"] == list(here.agreement or ())[1:]
    assert json.loads(one.stdout)["executed"] == verify(str(built), Which(split="test"), ALL).drawn > 0


def test_a_hub_that_fails_or_is_not_there_is_one_line(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "there", ignore=shutil.ignore_patterns(".crl", "report"))
    with HubServer({"me/made": tmp_path / "there"}, gone=frozenset({"me/made"})) as hub:
        failed = crl_data(hub, tmp_path, "verify", "me/made")
        missing = crl_data(hub, tmp_path, "verify", "me/nothing")
    for done, status in ((failed, 1), (missing, 2)):
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == status and "hub:me/" in last and done.stdout == "", done.stderr
        assert "Traceback" not in done.stderr


def test_flips_are_printed_line_by_line(built: Path, tmp_path: Path) -> None:
    name: list[str] = []

    def turn(row: dict[str, Any]) -> None:
        if row["verdict"] is False and not name:
            name.append(row["id"])
            row["verdict"] = True

    path = changed(built, turn, tmp_path / "turned")
    with HubServer({}) as hub:
        done = crl_data(hub, tmp_path, "verify", str(path), "--sample", str(ALL))
    assert done.returncode == 0 and done.stderr == ""
    assert "flips               1 (0 False -> True, 1 True -> False)" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("flip ")] == name
