"""Rows of verl's for critiques: the official ones, and our own export read back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crl_data import load_records
from crl_data.columns import RECORD, VERL, Struct, arrow_schema
from crl_data.corpus.records import fault_of_record, make_record
from crl_data.errors import RowError
from crl_data.export.verl import Reward, unscored, verl_row
from crl_data.importers import Tools
from crl_data.importers.critique_verl import record_cells, records
from crl_data.importers.tables import open_tables
from crl_data.judging import Judge
from crl_data.rewards.verl import compute_score
from crl_data.rows import Row, cells_of, read_rows, write_parquet
from crl_data.types import JudgeInfo, Record, Sampler, Source, Test, TestKind
from tests.cli.conftest import assert_one_line, dataset
from tests.conftest import Command, code
from tests.importers.python_rows import OFFICIAL_CRITIQUE, OFFICIAL_SOLVE
from tests.importers.test_importers import only, problems, refuse, rows, unused

__all__ = ["dataset"]  # a fixture


def cells(row: dict[str, Any]) -> dict[str, Any]:
    return record_cells(Row("row 1", row))


def told(row: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {**row, "extra_info": {**row["extra_info"], **extra}}


def test_an_official_code_row_is_a_problem_that_can_be_judged(tmp_path: Path, judge: Judge) -> None:
    problem = only(problems("critique-verl", rows(tmp_path, OFFICIAL_SOLVE)))
    assert (problem.test_kind, problem.question) == (TestKind.STDIN, "Read two integers, print their sum.")
    right = "a, b = map(int, input().split())\nprint(a + b)\n"
    assert judge.judge(problem, code(right)).verdict is True
    assert judge.judge(problem, code("print(3)")).pass_rate == 0.5


@pytest.mark.parametrize(
    ("head", "entry"), [("class Solution:\n    def add(self, a, b):", "Solution.add"), ("def add(a, b):", "add")]
)
def test_official_functions_have_an_argument_a_line(head: str, entry: str, tmp_path: Path, judge: Judge) -> None:
    tests = json.dumps({"inputs": ["1\n[2]", '"a"\n["b"]'], "outputs": ["[1, 2]", '["a", "b"]'], "fn_name": "add"})
    row = told(OFFICIAL_SOLVE, inputs_outputs=tests) | {"prompt": [{"role": "user", "content": head}]}
    problem = only(problems("critique-verl", rows(tmp_path, row)))
    assert (problem.test_kind, problem.entry_point) == (TestKind.FUNCTION, entry)
    assert [test.input for test in problem.tests] == ["[1,[2]]", '["a",["b"]]']
    assert judge.judge(problem, code(f"{head}\n        return [a] + b\n")).verdict is True


def test_rows_without_tests_are_no_problems_and_a_problem_is_taken_once(tmp_path: Path) -> None:
    reading = problems("critique-verl", rows(tmp_path, OFFICIAL_CRITIQUE, OFFICIAL_SOLVE, OFFICIAL_SOLVE))
    assert len(reading.found) == 1 and [one.reason for one in reading.aside] == ["the row carries no tests"]


def test_an_official_critique_row_is_a_record_with_a_given_label() -> None:
    record = make_record(cells(OFFICIAL_CRITIQUE))
    assert (record.kind, record.verdict, record.label_source) == ("critique", False, "given")
    assert record.solution == "print(2)\n" and record.question == OFFICIAL_CRITIQUE["prompt"][1]["content"]
    assert list(record.prompt) == OFFICIAL_CRITIQUE["prompt"] and record.judge is None and record.tests == ()
    assert fault_of_record(cells(OFFICIAL_CRITIQUE)) is None
    bare = {**OFFICIAL_CRITIQUE, "prompt": [{"role": "user", "content": "Is print(2) right?"}]}
    assert cells(bare)["solution"] is None and fault_of_record(cells(bare)) is None
    executed = {**cells(bare), "label_source": "executed"}
    fault = fault_of_record(executed)
    assert fault is not None and fault.field == "solution"


def test_a_critique_row_may_have_tests_too() -> None:
    record = make_record(cells(told(OFFICIAL_CRITIQUE, inputs_outputs=OFFICIAL_SOLVE["extra_info"]["inputs_outputs"])))
    assert record.kind == "critique" and len(record.tests) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("correctness", "T"),
        ("correctness", 2),
        ("inputs_outputs", "{"),
        ("inputs_outputs", "[]"),
        ("inputs_outputs", '{"inputs": ["1"], "outputs": []}'),
        ("inputs_outputs", '{"inputs": [1], "outputs": [1]}'),
        ("crl", "{"),
        ("crl", "[1]"),
        ("crl", '{"tests": 3}'),
        ("crl", '{"kind": null}'),
        ("crl", '{"kind": "critique"}'),
        ("inputs_outputs", '{"inputs": ["a = 1"], "outputs": ["1"], "fn_name": "f"}'),
        ("inputs_outputs", '{"inputs": ["1"], "outputs": ["oops"], "fn_name": "f"}'),
        ("inputs_outputs", '{"inputs": ["1"], "outputs": ["1"], "fn_name": 5}'),
    ],
)
def test_a_row_with_a_routing_column_that_is_none_is_a_bad_row(name: str, value: Any) -> None:
    with pytest.raises(RowError, match="row 1: extra_info"):
        cells(told(OFFICIAL_SOLVE, **{name: value}))


@pytest.mark.parametrize("prompt", [None, [], "x", [{"role": "user"}], [3]])
def test_a_row_without_messages_is_a_bad_row(prompt: Any) -> None:
    with pytest.raises(RowError, match="row 1: prompt"):
        cells({**OFFICIAL_SOLVE, "prompt": prompt})


# --- our own export, read back ----------------------------------------------------------------------------------------

INFO = JudgeInfo(
    version="3",
    threshold=0.8,
    timeouts="auto",
    max_timeouts=2,
    isolation="batch",
    backend="local",
    walls=("network", "files"),
    runtime="Python 3.11",
    limit_from="reference",
    tamper_proof=True,
)
SOLVE = Record(
    id="solve:p",
    kind="solve",
    prompt=({"role": "system", "content": "s"}, {"role": "user", "content": "u\n é"}),
    prompt_template="default@1",
    question="q",
    solution=None,
    solution_id=None,
    verdict=None,
    pass_rate=None,
    label_source="executed",
    problem_id="p",
    test_kind=TestKind.STDIN,
    tests=(Test(input="1\n", expected="2\n"), Test(input="")),
    entry_point=None,
    test_setup=None,
    checker="tokens",
    starter_code=None,
    time_limit_s=2.0,
    memory_limit_mb=1024.0,
    source=Source(dataset="d", revision="1", license="mit"),
    sampler=None,
    judge=INFO,
)
FUNCTION: dict[str, Any] = {"test_kind": TestKind.FUNCTION, "entry_point": "f", "checker": None}
CRITIQUE: dict[str, Any] = {
    "kind": "critique",
    "solution": "print(1)",
    "solution_id": "s",
    "verdict": False,
    "pass_rate": 0.5,
}
BY_HAND = [
    SOLVE,
    *(
        Record(**{**vars(SOLVE), "id": str(number), **more})
        for number, more in enumerate(
            [
                {"checker": None},
                {**FUNCTION, "tests": (Test(input="[1, [2]]", expected="3"), Test(input='["x"]', expected="null"))},
                {**FUNCTION, "tests": (Test(input="[1,2]", expected="3"),)},
                {**FUNCTION, "tests": (Test(input="[]", expected="3"),), "starter_code": "def f():"},
                {"test_kind": TestKind.ASSERT, "entry_point": "f", "checker": None, "tests": (Test(input="assert f(1)"),), "test_setup": "import math"},
                {"test_kind": TestKind.PYTEST, "checker": None, "tests": (Test(input="test_x"),), "test_setup": "def test_x(): pass", "judge": JudgeInfo(**{**vars(INFO), "way": "tester", "interface": "{}"})},
                {**CRITIQUE},
                {**CRITIQUE, "verdict": True, "pass_rate": None, "sampler": Sampler(name="openai", model="m", temperature=0.7, detail='{"a": 1}')},
                {"label_source": "given", "judge": None, "tests": (), "checker": None},
                {"question": "\u2028\0\U0001f600\r\n", "checker": None, "tests": (Test(input="\r\n\0\u2028", expected="\u2028"), Test(input="x" * 1_000_000))},
                {**FUNCTION, "tests": (Test(input='["\\ud83d\\ude00", 1e5, 12345678901234567890123]', expected='"\\ud800"'),)},
                {**CRITIQUE, "solution": "", "solution_id": "", "id": ""},
                {**CRITIQUE, "label_source": "given", "judge": None, "tests": (), "solution": None, "solution_id": None, "pass_rate": None},
                {"source": Source(), "time_limit_s": None, "memory_limit_mb": None, "judge": None},
            ]
        )
    ),
]  # fmt: skip


def read_back(originals: list[Record], reward: Reward, folder: Path) -> list[Record]:
    """Through the file that the export writes, and the importer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [cells_of(one) for one in originals if reward is Reward.OURS or unscored(cells_of(one)) is None]
    made = [verl_row(one, "train", place, reward) for place, one in enumerate(kept)]
    pq.write_table(pa.Table.from_pylist(made, schema=arrow_schema(VERL)), folder / "rows.parquet")
    tables = open_tables("rows.parquet", folder)
    return [make_record(found) for _, found in records(tables, Tools(unused, refuse))]


@pytest.mark.parametrize("reward", Reward)
def test_records_of_every_kind_come_back_as_they_were(reward: Reward, tmp_path: Path) -> None:
    found = read_back(BY_HAND, reward, tmp_path)
    expected = [one for one in BY_HAND if reward is Reward.OURS or unscored(cells_of(one)) is None]
    assert len(expected) >= 6 and found == expected
    assert {one.test_kind for one in found if reward is Reward.OURS} == (
        set(TestKind) if reward is Reward.OURS else set()
    )


@pytest.mark.parametrize("reward", Reward)
def test_a_real_build_comes_back_as_it_was(reward: Reward, dataset: Path, tmp_path: Path) -> None:
    originals = list(load_records(dataset))
    found = read_back(originals, reward, tmp_path)
    expected = [one for one in originals if reward is Reward.OURS or unscored(cells_of(one)) is None]
    assert len(expected) > 3 and found == expected


def test_the_reward_of_a_row_is_the_same_whatever_crl_holds_beside() -> None:
    row = verl_row(cells_of(BY_HAND[1]), "train", 0, Reward.OFFICIAL)
    whole = json.loads(row["extra_info"]["crl"])
    assert "tests" not in whole and {"id", "prompt", "verdict"}.isdisjoint(whole)
    known = ("problem_id", "test_kind", "time_limit_s", "memory_limit_mb")
    less = {**{name: whole[name] for name in known}, "judge": {"limit_from": "reference"}}
    answer = "```python\nprint(2)\n```"
    scores = [compute_score("d", answer, "", {**row["extra_info"], "crl": json.dumps(crl)}) for crl in (whole, less)]
    assert scores[0] == scores[1] and scores[0]["pass_rate"] == 0.5
    critique = verl_row(cells_of(BY_HAND[7]), "train", 0, Reward.OFFICIAL)
    assert compute_score("d", r"\conclusion{F}", "F", critique["extra_info"])["score"] == 1.0


# --- the command ------------------------------------------------------------------------------------------------------


def official(folder: Path) -> Path:
    more = {**OFFICIAL_CRITIQUE, "prompt": [{"role": "user", "content": "Print 3.\n```python\nprint(3)\n```\nRight?"}]}
    more = told(more, correctness=True, split="train", inputs_outputs='{"inputs": [""], "outputs": ["3"]}')
    made = [OFFICIAL_SOLVE, OFFICIAL_CRITIQUE, more, OFFICIAL_SOLVE]
    write_parquet(folder / "train.parquet", Struct(()), lambda: iter([dict(one) for one in made]))
    return folder / "train.parquet"


@pytest.fixture
def imported(tmp_path: Path, crl_data: Command) -> Path:
    official(tmp_path)
    done = crl_data("import", "critique-verl", "train.parquet", "--out", "theirs")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 records (2 critique, 1 solve, 1 again): theirs\n"
    return tmp_path / "theirs"


def test_a_row_that_contradicts_one_before_is_left_out_and_said(tmp_path: Path, crl_data: Command) -> None:
    """The same solution, once called right and once wrong: the first counts, and nobody takes the second for a copy."""
    made = [told(OFFICIAL_CRITIQUE, correctness=verdict) for verdict in (True, False, True)]
    rows(tmp_path, *made)
    done = crl_data("import", "critique-verl", "a.jsonl", "--out", "theirs")
    assert done.stdout == "1 records (1 critique, 1 again, 1 again with another verdict): theirs\n", done.stderr
    assert [one.verdict for one in load_records(tmp_path / "theirs")] == [True]


def test_a_folder_gets_records_that_every_reader_reads(imported: Path) -> None:
    assert sorted(path.name for path in (imported / "data").iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00001.parquet",
    ]
    found = list(load_records(imported))
    assert Counter((one.kind, one.verdict) for one in found) == {
        ("critique", False): 1,
        ("critique", True): 1,
        ("solve", None): 1,
    }
    assert {one.label_source for one in found} == {"given"} and len(list(load_records(imported, "test"))) == 1
    import pyarrow.parquet as pq

    assert pq.read_schema(imported / "data" / "test-00000-of-00001.parquet").equals(arrow_schema(RECORD))


def test_rewards_validate_export_and_explain_work_on_it(imported: Path, crl_data: Command) -> None:
    from crl_data.rewards import hybrid_reward

    (solve,), (right,) = (
        [one for one in load_records(imported, "train") if one.kind == kind] for kind in ("solve", "critique")
    )
    columns = {name: [cells_of(one)[name] for one in (solve, right)] for name in RECORD.names() if name != "prompt"}
    answers = ["```python\nprint(sum(map(int, input().split())))\n```", r"\conclusion{T}"]
    assert hybrid_reward(completions=answers, **columns) == [1.0, 1.0]
    done = crl_data("validate", imported)
    assert (done.returncode, done.stdout) == (0, f"{imported}: no fault\n"), done.stdout
    done = crl_data("export", imported, "--to", "verl", "--out", "again")
    assert done.returncode == 0, done.stderr
    done = crl_data("explain", imported, right.id)
    assert done.returncode == 0 and "verdict True (the dataset says True)" in done.stdout, done.stderr
    (label,) = load_records(imported, "test")
    assert_one_line(crl_data("explain", imported, label.id), 2, "a given verdict alone")
    assert_one_line(crl_data("report", imported), 2, "manifest.json", "built dataset")


def test_importing_again_gives_the_same_and_a_build_is_never_written_over(
    imported: Path, dataset: Path, crl_data: Command
) -> None:
    before = {path.name: path.read_bytes() for path in (imported / "data").iterdir()}
    assert crl_data("import", "critique-verl", "train.parquet", "--out", "theirs", "--json").returncode == 0
    (imported.parent / "built").mkdir()
    (imported.parent / "built" / "manifest.json").write_text(json.dumps({"name": "imported"}))
    assert_one_line(crl_data("import", "critique-verl", "train.parquet", "--out", "built"), 2, "a built dataset")
    assert before == {path.name: path.read_bytes() for path in (imported / "data").iterdir()}
    assert_one_line(crl_data("import", "critique-verl", "train.parquet", "--out", dataset), 2, "a built dataset")
    assert_one_line(crl_data("import", "critique-verl", "train.parquet", "--out", "x", "--verify"), 2, "--verify")
    assert_one_line(crl_data("import", "mbpp", "train.parquet", "--out", "x"), 2, "x: ", "a file of rows")


def test_a_file_gets_the_problems(tmp_path: Path, crl_data: Command) -> None:
    official(tmp_path)
    done = crl_data("import", "critique-verl", "train.parquet", "--out", "problems.jsonl")
    assert done.returncode == 0 and "2 problems of 3 rows, 1 set aside" in done.stdout, done.stderr
    assert all(isinstance(row, Row) for row in read_rows(tmp_path / "problems.jsonl"))
