"""`verify`: rows executed again. Verdicts that were turned round are found, each of them, and nothing else."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import subprocess
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data import build
from crl_data.cli.verify import cells_of_result
from crl_data.columns import RECORD, arrow_schema
from crl_data.corpus.verify import FORMS, MOST_MB, MOST_S, Reservoir, Verified, verify
from crl_data.errors import InputError, RowError, SandboxUnavailable
from crl_data.export.verl import Reward, export
from crl_data.importers.tables import Which
from crl_data.judging import Policy
from tests.conftest import ROOT, write_rows
from tests.hub.server import SHA, HubServer
from tests.importers.published import CODECONTESTS, TACO
from tests.importers.python_rows import ACECODE, OFFICIAL_CRITIQUE, OFFICIAL_SOLVE

ALL = 10_000
Change = Callable[[dict[str, Any]], object]
RIGHT, WRONG = "print(sum(map(int, input().split())))", "print(3)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the demo, as `make demo` builds it."""
    return build(ROOT / "recipes" / "demo.yaml", tmp_path_factory.mktemp("verify") / "demo", quiet=True).directory


@pytest.fixture(scope="module")
def pool(built: Path) -> Path:
    """Every critique record of the demo's pool: solutions of models and mutants, right and wrong."""
    folder = built.parent / "pool"
    folder.mkdir()
    rows = [row for file in (built / "pool").glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    critiques = [row for row in rows if row["kind"] == "critique"]
    pq.write_table(pa.Table.from_pylist(critiques, schema=arrow_schema(RECORD)), folder / "train.parquet")
    return folder


def rows_of(directory: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(directory.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def changed(rows: list[dict[str, Any]], change: Change, out: Path) -> str:
    """A file of the rows, each changed; of JSON, so that cells may have parts that our schema does not know."""
    copies = json.loads(json.dumps(rows))
    for row in copies:
        change(row)
    return str(write_rows(out, copies))


def few(pool: Path, n: int = 8) -> list[dict[str, Any]]:
    """As many rows that are right as wrong, of programs that read standard input."""
    rows = [row for row in rows_of(pool) if row["test_kind"] == "stdin" and row["checker"] is None]
    return [row for truth in (True, False) for row in [one for one in rows if one["verdict"] is truth][: n // 2]]


def ids(done: Verified) -> list[str]:
    return [one.id for one in done.again]


# --- records ----------------------------------------------------------------------------------------------------------


def test_the_demo_agrees_with_itself_row_by_row(built: Path) -> None:
    done = verify(str(built), sample=ALL)
    rows = rows_of(built / "data")
    labelled = [row["id"] for row in rows if row["kind"] == "critique"]
    assert ids(done) == labelled and len(labelled) >= 12
    assert (done.form, done.rows, done.labelled, done.drawn) == ("records", len(rows), len(labelled), len(labelled))
    assert (done.flips, done.undecided, done.other_rates, done.says_nothing, done.tamperable) == ([], [], [], 0, 0)
    assert not done.elsewhere and not done.not_executable and not done.not_judged and not done.bad_rows
    assert done.agreement == (1.0, pytest.approx(0.7575, abs=1e-4), 1.0)  # Wilson, 12 of 12
    assert all(one.pass_rate == one.stored_pass_rate is not None for one in done.again)


def test_every_verdict_that_was_turned_round_is_a_flip_and_no_other(pool: Path, tmp_path: Path) -> None:
    drawn = random.Random(5)
    rows = rows_of(pool)
    turned = {row["id"]: not row["verdict"] for row in rows if drawn.random() < 0.25}
    assert set(turned.values()) == {True, False}  # in both directions
    for row in rows:
        row["verdict"] = turned.get(row["id"], row["verdict"])
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(RECORD)), tmp_path / "turned.parquet")
    done = verify(str(tmp_path / "turned.parquet"), sample=ALL)
    assert {one.id: one.stored_verdict for one in done.flips} == turned
    assert all(one.verdict is not one.stored_verdict and one.reason for one in done.flips)
    assert len(done.agreed) == len(done.again) - len(turned) == len(rows) - len(turned) and not done.undecided


def test_a_pass_rate_that_is_another_one_is_told_where_the_verdict_stands(pool: Path, tmp_path: Path) -> None:
    def lower(row: dict[str, Any]) -> None:
        if row["verdict"] is False:
            row["pass_rate"] = row["pass_rate"] / 2 + 0.01

    done = verify(changed(few(pool), lower, tmp_path / "rows.jsonl"))
    assert done.flips == [] and [one.stored_verdict for one in done.other_rates] == [False] * 4


def test_each_row_is_judged_under_the_policy_and_the_limits_that_it_names(pool: Path, tmp_path: Path) -> None:
    """One is True by a threshold of 0.1, one is False by 1, and one is inconclusive no more since time-outs count there."""
    almost = [row for row in rows_of(pool) if row["pass_rate"] is not None and 0.1 < row["pass_rate"] < 1][:2]
    slow = few(pool)[0]
    cases = [(almost[0], 0.1, True), (almost[1], 1.0, False), (slow, 0.8, False)]
    rows = []
    for row, threshold, verdict in cases:
        judge = {**row["judge"], "threshold": threshold, "limit_from": "default", "timeouts": "fail", "max_timeouts": 1}
        rows.append({**row, "judge": judge, "verdict": verdict})
    rows[2] |= {"solution": "while True: pass", "time_limit_s": 0.5, "pass_rate": 0.0}
    done = verify(str(write_rows(tmp_path / "rows.jsonl", rows)), otherwise=Policy(threshold=0.5))
    assert [one.verdict for one in done.again] == [True, False, False] and done.flips == []
    assert "more than 0.5 s" in done.again[2].reason


def test_a_verdict_that_cannot_be_given_is_no_flip(pool: Path, tmp_path: Path) -> None:
    """A time-out that is no evidence, and a checker that fails on everything, which is no word about the solution."""
    slow, broken, fine = few(pool)[:3]
    slow |= {"solution": "while True: pass", "time_limit_s": 0.25, "judge": {**slow["judge"], "limit_from": "default"}}
    broken |= {"checker": "def check(input, expected, output):\n    raise ValueError('no rule')\n", "verdict": False}
    done = verify(str(write_rows(tmp_path / "rows.jsonl", [slow, broken, fine])))
    assert [(one.id, one.judge_error) for one in done.undecided] == [(slow["id"], False), (broken["id"], True)]
    assert done.flips == [] and ids(done)[2:] == [fine["id"]] and len(done.agreed) == 1
    assert done.agreement is not None and done.agreement[0] == 1.0


def test_where_rows_were_judged_otherwise_it_is_said_what_differs(pool: Path, tmp_path: Path) -> None:
    rows = few(pool)
    rows[0]["judge"] |= {"version": "0", "backend": "docker"}
    rows[1]["judge"] |= {"version": "0", "walls": ["network"]}
    rows[2]["judge"] = None
    done = verify(str(write_rows(tmp_path / "rows.jsonl", rows)))
    assert done.elsewhere == {("judge version", "0"): 2, ("backend", "docker"): 1, ("walls", "network"): 1}
    assert done.says_nothing == 1 and done.here["judge version"] != "0"


def test_rows_that_could_have_changed_their_verdict_are_counted(pool: Path, tmp_path: Path) -> None:
    row = next(row for row in rows_of(pool) if row["judge"]["way"] == "split" and row["verdict"])
    row["judge"] |= {"way": "beside", "tamper_proof": False}
    done = verify(str(write_rows(tmp_path / "rows.jsonl", [row])))
    assert (done.tamperable, done.flips) == (1, [])


def test_a_library_that_is_not_here_is_said_before_anything_is_judged(pool: Path, tmp_path: Path) -> None:
    rows = few(pool)
    rows[-1]["judge"]["runtime"] += "; nolibrary 1.0"
    read: list[str] = []

    def seen(things: Any, what: str, total: int | None) -> Any:
        for thing in things:
            yield thing
            read.append(what)

    with pytest.raises(SandboxUnavailable, match="nolibrary"):
        verify(str(write_rows(tmp_path / "rows.jsonl", rows)), seen=seen)
    assert set(read) == {"reading"}


def test_rows_of_other_libraries_are_judged_with_theirs(pool: Path, tmp_path: Path) -> None:
    """A program that imports numpy is right where the row names it, and not where it names nothing."""
    rows = few(pool)[:2]
    for row in rows:
        row["solution"] = "import numpy\n" + row["solution"]
    rows[1]["judge"]["runtime"] = rows[1]["judge"]["runtime"].partition("; ")[0]
    done = verify(str(write_rows(tmp_path / "rows.jsonl", rows)))
    assert [(one.id, one.verdict) for one in done.again] == [(rows[0]["id"], True), (rows[1]["id"], False)]
    assert "numpy" in done.flips[0].reason


# --- the sample -------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_rows_and_another_one_others(pool: Path) -> None:
    drawn = [ids(verify(str(pool), sample=5, seed=seed)) for seed in (1, 1, 2)]
    order = [row["id"] for row in rows_of(pool)]
    assert drawn[0] == drawn[1] != drawn[2] and all(len(one) == 5 for one in drawn)
    assert drawn[0] == sorted(drawn[0], key=order.index)


@given(st.lists(st.integers(), max_size=60), st.integers(1, 20), st.integers())
def test_a_sample_is_of_its_size_in_the_order_of_the_stream(stream: list[int], most: int, seed: int) -> None:
    held: Reservoir[tuple[int, int]] = Reservoir(most, seed)
    for one in enumerate(stream):
        held.offer(one)
    drawn = held.drawn()
    assert len(drawn) == min(most, len(stream)) == len(set(drawn)) and held.offered == len(stream)
    assert drawn == sorted(drawn) and all(stream[place] == one for place, one in drawn)


def test_each_row_is_as_likely_as_any_other() -> None:
    counts: Counter[int] = Counter()
    pairs: Counter[tuple[int, ...]] = Counter()
    for seed in range(6000):
        held: Reservoir[int] = Reservoir(3, seed)
        for one in range(10):
            held.offer(one)
        counts.update(held.drawn())
        pairs.update(tuple(held.drawn()[at : at + 2]) for at in (0, 1))
    assert len(counts) == 10 and all(abs(n - 1800) < 5 * 35.5 for n in counts.values()), counts  # 5 deviations
    assert len(pairs) > 30


def test_no_more_rows_are_held_than_are_drawn() -> None:
    class Large:
        pass

    held: Reservoir[Large] = Reservoir(4, 0)
    alive: list[weakref.ref[Large]] = []
    for _ in range(500):
        one = Large()
        alive.append(weakref.ref(one))
        held.offer(one)
        del one
        assert sum(ref() is not None for ref in alive) <= 4
    gc.collect()


# --- rows that cannot be executed, or are wrong -----------------------------------------------------------------------


def test_what_cannot_be_executed_is_counted_by_reason_and_not_drawn(pool: Path, tmp_path: Path) -> None:
    rows = few(pool)
    rows[0]["tests"], rows[1]["solution"], rows[2]["tests"], rows[2]["solution"] = [], None, [], None
    rows[3] |= {"kind": "solve", "verdict": None, "solution": None, "solution_id": None, "pass_rate": None}
    done = verify(str(write_rows(tmp_path / "rows.jsonl", rows)), sample=4)
    assert (done.rows, done.labelled, done.drawn, len(done.again)) == (8, 7, 4, 4)
    assert done.not_executable == {"carry no tests": 1, "carry no solution": 1, "carry no solution and no tests": 1}


def test_rows_that_are_wrong_are_counted_and_the_first_is_told(pool: Path, tmp_path: Path) -> None:
    rows = few(pool)
    rows[2]["verdict"], rows[4]["kind"] = "yes", "riddle"
    path = write_rows(tmp_path / "rows.jsonl", rows)
    path.write_text(path.read_text() + "{broken\n")
    done = verify(str(path))
    assert (done.rows, done.bad_rows, len(done.again), done.flips) == (9, 3, 6, [])
    assert done.first_bad_row == f"{path}:3: verdict: expected true or false, got the string 'yes'"


HOSTILE: dict[str, tuple[Change, str]] = {
    "a threshold": (lambda row: row["judge"].update(threshold=7.0), "threshold: expected more than 0"),
    "a rule": (lambda row: row["judge"].update(timeouts="sometimes"), "'sometimes' is not a valid Timeouts"),
    "a way": (lambda row: row["judge"].update(way="sideways"), "'sideways' is not a valid Way"),
    "an interface": (lambda row: row["judge"].update(interface="[1]"), "interface: expected the names"),
    "JSON without end": (lambda row: row["judge"].update(interface="[" * 100_000), "judge: expected"),
    "a library's name": (lambda row: row["judge"].update(runtime="cpython 3; ../../x 1"), "got '../../x'"),
    "an empty library": (lambda row: row["judge"].update(runtime="cpython 3; ; "), "names of libraries, got ''"),
    "much time": (lambda row: row.update(time_limit_s=MOST_S + 1), "time_limit_s: expected at most 64 s"),
    "much memory": (lambda row: row.update(memory_limit_mb=MOST_MB + 1), "memory_limit_mb: expected at most 4096 MB"),
    "no number": (lambda row: row.update(pass_rate=float("nan")), "pass_rate: expected a share from 0 to 1"),
    "a kind of test": (lambda row: row.update(test_kind="oracle"), "test_kind: expected one of"),
    "a test": (lambda row: row["tests"].append("x"), "expected an object with input, expected"),
    "a checker": (lambda row: row.update(checker="def check(:\n"), "checker: expected Python source"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_row_that_asks_for_what_no_judge_does_is_told_and_the_others_are_judged(
    name: str, pool: Path, tmp_path: Path
) -> None:
    change, told = HOSTILE[name]
    rows = few(pool, 2)
    change(rows[0])
    done = verify(str(write_rows(tmp_path / "rows.jsonl", rows)))
    assert ids(done) == [rows[1]["id"]] and done.drawn == 2 and sum(done.not_judged.values()) == 1
    assert told in next(iter(done.not_judged))


def test_parts_of_cells_that_nobody_knows_do_no_harm(pool: Path, tmp_path: Path) -> None:
    def more(row: dict[str, Any]) -> None:
        row["judge"]["mood"] = row["source"]["colour"] = row["sampler"]["weather"] = "fine"
        row["reviewed_by"] = {"name": "nobody"}

    done = verify(changed(few(pool), more, tmp_path / "rows.jsonl"))
    assert len(done.agreed) == 8 and not done.bad_rows and not done.not_judged


def test_where_nothing_can_be_executed_it_is_said_why(pool: Path, tmp_path: Path) -> None:
    bare = changed(few(pool), lambda row: row.update(tests=[]), tmp_path / "bare.jsonl")
    with pytest.raises(InputError, match=r"got none: 8 rows, 8 with a verdict, of which 8 carry no tests"):
        verify(bare)
    greedy = changed(few(pool), lambda row: row.update(time_limit_s=1e5), tmp_path / "greedy.jsonl")
    with pytest.raises(InputError, match=r"of which 8 are wrong: time_limit_s: expected at most 64 s, got 100000"):
        verify(greedy)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="expected rows, got none"):
        verify(str(tmp_path / "empty.jsonl"))


def test_unknown_rows_and_formats_say_what_is_known(built: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"a": 1, "b": 2}])
    with pytest.raises(RowError, match=r"rows.jsonl:1: .*prompt, extra_info.*--format .*taco.*, got the columns a, b"):
        verify(str(tmp_path / "rows.jsonl"))
    with pytest.raises(InputError, match=f"--format: expected one of {', '.join(FORMS)}, got 'x'"):
        verify(str(built), form="x")
    with pytest.raises(InputError, match="no such file"):
        verify(str(tmp_path / "nothing.parquet"))


# --- directories ------------------------------------------------------------------------------------------------------


def test_a_split_of_a_build_is_one_alone(built: Path) -> None:
    rows = [row for file in (built / "data").glob("train-*") for row in pq.read_table(file).to_pylist()]
    done = verify(str(built), Which(split="train"), 2)
    assert done.rows == len(rows) < len(rows_of(built / "data"))
    with pytest.raises(InputError, match=r"expected one of its splits \(test, train\), got 'dev'"):
        verify(str(built), Which(split="dev"))
    with pytest.raises(InputError, match="--config"):
        verify(str(built), Which(config="easy"))
    with pytest.raises(InputError, match="--revision: expected the id of a data set on the Hub"):
        verify(str(built), Which(revision="v1"))


def test_a_dataset_that_is_not_whole_is_refused(built: Path, tmp_path: Path) -> None:
    half, lacking, other, cut = (Path(shutil.copytree(built, tmp_path / name)) for name in "abcd")
    (half / "manifest.json").unlink()  # as a build leaves it that is killed while it moves files
    with pytest.raises(InputError, match=r"got one without manifest\.json: run its build again"):
        verify(str(half))
    (first,) = (lacking / "data").glob("test-*")
    first.unlink()
    with pytest.raises(InputError, match=r"data/test-.*: expected a file, since manifest.json tells of it, got none"):
        verify(str(lacking))
    (shard,) = (other / "data").glob("train-*")
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)
    with pytest.raises(InputError, match=r"expected the content that manifest\.json tells, got another"):
        verify(str(other))
    assert verify(str(other / "data"), sample=1).rows == len(rows_of(built / "data")) - 1  # taken as it is
    (shard,) = (cut / "data").glob("train-*")
    shard.write_bytes(shard.read_bytes()[:-100])
    (cut / "manifest.json").unlink()
    shutil.rmtree(cut / ".crl")
    with pytest.raises(InputError, match="expected a Parquet file"):
        verify(str(cut))


def test_a_folder_like_a_repository_is_read_by_its_data_alone(built: Path, tmp_path: Path) -> None:
    """A copy without a manifest, as somebody may publish it: what lies beside `data/` are other rows."""
    shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns(".crl", "manifest.json"))
    done = verify(str(tmp_path / "copy"), sample=2)
    assert done.rows == len(rows_of(built / "data")) and len(done.agreed) == 2


# --- other people's rows ----------------------------------------------------------------------------------------------


def test_the_rows_of_our_export_agree_as_their_records_do(built: Path, tmp_path: Path) -> None:
    export(built, tmp_path / "rows", Reward.OURS)
    here, there = (verify(str(one), sample=ALL) for one in (built / "data", tmp_path / "rows"))
    assert there.form == "critique-verl" and here.form == "records"
    assert sorted(ids(here)) == sorted(ids(there)) and (here.rows, here.labelled) == (there.rows, there.labelled)
    assert len(there.agreed) == len(there.again) and there.says_nothing == 0 and not there.elsewhere


def authors_row(code: str, truth: bool, tests: str | None) -> dict[str, Any]:
    asked = f"Add two numbers.\n\n```python\n{code}\n```\n\nIs it right?"
    extra = {**OFFICIAL_CRITIQUE["extra_info"], "correctness": truth, "inputs_outputs": tests}
    return {**OFFICIAL_CRITIQUE, "prompt": [{"role": "user", "content": asked}], "extra_info": extra}


def test_rows_as_the_authors_published_theirs_are_executed_where_they_carry_tests(tmp_path: Path) -> None:
    tests = OFFICIAL_SOLVE["extra_info"]["inputs_outputs"]
    rows = [
        OFFICIAL_SOLVE,
        authors_row(RIGHT, True, tests),
        authors_row(RIGHT + " ", False, tests),
        authors_row(WRONG, False, tests),
        authors_row(RIGHT + "  ", True, None),
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    done = verify(str(tmp_path / "rows.parquet"))
    assert (done.form, done.rows, done.labelled, done.not_executable) == ("critique-verl", 5, 4, {"carry no tests": 1})
    assert [(one.stored_verdict, one.verdict) for one in done.flips] == [(False, True)] and len(done.agreed) == 2
    assert done.says_nothing == 3
    write_rows(tmp_path / "bare.jsonl", [OFFICIAL_SOLVE, authors_row(RIGHT, True, None)])
    with pytest.raises(InputError, match="2 rows, 1 with a verdict, of which 1 carry no tests"):
        verify(str(tmp_path / "bare.jsonl"))


def test_labelled_solutions_of_a_known_format_are_executed_on_its_problems(tmp_path: Path) -> None:
    rows = [
        {**TACO, "question": f"Sum ({n}).", "solutions": json.dumps(codes), "input_output": told, "starter_code": ""}
        for n, codes, told in (
            (0, [RIGHT, WRONG], json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]})),
            (1, [RIGHT], json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})),
            (2, [RIGHT], ""),
        )
    ]
    path = str(write_rows(tmp_path / "taco.jsonl", rows))
    done = verify(path, form="taco")
    assert (done.rows, done.labelled, done.drawn, len(done.agreed)) == (4, 4, 3, 2)
    assert [(one.stored_verdict, one.verdict, one.pass_rate) for one in done.flips] == [(True, False, 0.5)]
    assert done.not_executable == {"are of a problem that is set aside: it has no tests": 1}
    assert verify(path, form="taco", otherwise=Policy(threshold=0.4)).flips == []


def test_labelled_solutions_that_cannot_be_executed_are_told_by_reason(tmp_path: Path) -> None:
    """Of three problems one is cut off in the file, one asks for an hour a test, and one has an answer without code."""
    tests = json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})
    common = {**TACO, "starter_code": "", "input_output": tests}
    rows = [
        {**common, "question": "Sum.", "solutions": json.dumps([RIGHT, " "])},
        {**common, "question": "Slowly.", "solutions": json.dumps([RIGHT]), "time_limit": "3600.0 seconds"},
        {**common, "question": "Broken.", "solutions": "[1"},
    ]
    done = verify(str(write_rows(tmp_path / "taco.jsonl", rows)), form="taco")
    assert (done.rows, done.bad_rows, done.labelled, len(done.agreed)) == (3, 1, 3, 1)
    assert "taco.jsonl:3: solutions: " in done.first_bad_row
    assert done.not_executable == {
        "carry no code that is found in the response": 1,
        "are of a problem that asks for too much: time_limit_s: 3600": 1,
    }


def test_solutions_that_their_source_calls_wrong_are_flips_where_they_are_right(tmp_path: Path) -> None:
    """The same row with its two lists of programs exchanged: every verdict is the other one."""
    lists = [{"language": [3], "solution": [code]} for code in ("print(2 * int(input()))", "print(0)")]
    done = []
    for right, wrong in (lists, lists[::-1]):
        row = {**CODECONTESTS, "solutions": right, "incorrect_solutions": wrong}
        done.append(verify(str(write_rows(tmp_path / "rows.jsonl", [row])), form="codecontests"))
    assert {one.stored_verdict for one in done[0].agreed} == {True, False} and done[0].flips == []
    assert {one.stored_verdict for one in done[1].flips} == {True, False} and done[1].agreed == []


def test_a_pass_rate_of_the_source_is_a_verdict_at_the_threshold(tmp_path: Path) -> None:
    path = str(write_rows(tmp_path / "acecode.jsonl", [ACECODE]))
    done = verify(path, form="acecode")
    assert [(one.stored_verdict, one.stored_pass_rate) for one in done.agreed] == [(True, 1.0), (False, 1 / 3)]
    low = verify(path, form="acecode", otherwise=Policy(threshold=0.2))
    assert [one.stored_verdict for one in low.again] == [True, True] and low.flips == []


@pytest.mark.slow
def test_the_defects_of_quixbugs_are_wrong_but_for_one_that_few_tests_see(shared_data: Path) -> None:
    path = str(shared_data / "quixbugs" / "quixbugs.jsonl.gz")
    done = verify(path, form="quixbugs", sample=ALL, otherwise=Policy(libraries=()))
    assert (done.labelled, len(done.again), done.not_executable.total()) == (82, 62, 20)
    assert [one.id for one in done.flips] == ["quixbugs/quicksort:quixbugs/quicksort/buggy"]  # passes 12 of 13
    strict = verify(path, form="quixbugs", sample=ALL, otherwise=Policy(threshold=1.0, libraries=()))
    assert strict.flips == [] and len(strict.agreed) == 62


# --- from the Hub -----------------------------------------------------------------------------------------------------


def crl_data(hub: HubServer, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment, "HF_HOME": str(home / "hf")}
    environment.pop("HF_TOKEN", None)
    call = [sys.executable, "-m", "crl_data", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, env=environment, cwd=home)


def test_a_dataset_on_the_hub_is_verified_as_it_is_on_disk(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "there", ignore=shutil.ignore_patterns(".crl", "report"))
    with HubServer({"me/made": tmp_path / "there"}) as hub:
        there = crl_data(hub, tmp_path, "verify", "me/made", "--sample", 7, "--seed", 3, "--json")
        part = crl_data(hub, tmp_path, "verify", "hub:me/made", "--split", "train", "--sample", 1, "--json")
    assert there.returncode == part.returncode == 0, there.stderr + part.stderr
    told, here = json.loads(there.stdout), verify(str(built), sample=7, seed=3)
    assert told["revision"] == SHA and told["executed"] == told["agreed"] == 7
    assert told | {"revision": None} == json.loads(json.dumps(cells_of_result(here)))
    assert json.loads(part.stdout)["rows"] == verify(str(built), Which(split="train"), 1).rows < here.rows
    assert not list((tmp_path / "hf").rglob("*.parquet"))  # streamed


@pytest.mark.slow
def test_a_hub_that_fails_in_the_middle_or_has_no_such_data_set_is_one_line(pool: Path, tmp_path: Path) -> None:
    rows = rows_of(pool)
    folder = tmp_path / "there"
    folder.mkdir()
    for number, part in enumerate((rows[:4], rows[4:8])):
        write_rows(folder / f"train-{number:05d}-of-00002.jsonl", part)
    (folder / "README.md").write_text("---\nconfigs:\n- {config_name: default, data_files: train-*}\n---\n")
    second = "train-00001-of-00002.jsonl"
    with HubServer({"me/half": folder}, gone=frozenset({f"me/half/{second}"})) as hub:
        failed = crl_data(hub, tmp_path, "verify", "me/half")
        assert any(one.endswith("train-00000-of-00002.jsonl") for one in hub.requests)
        missing = crl_data(hub, tmp_path, "verify", "me/nothing")
    for done, status, words in ((failed, 1, "hub:me/half: "), (missing, 2, "hub:me/nothing: ")):
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == status and words in last and done.stdout == "", done.stderr
        assert last.startswith("crl-data: ") and "Traceback" not in done.stderr
