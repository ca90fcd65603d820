"""The questions of benchmarks, read in the forms in which they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crl_data.cleaning.benchmarks import Item, names_of_id, names_of_url, read_items, slug
from crl_data.errors import InputError, RowError
from tests.conftest import write_rows

LCB = {
    "question_title": "Count the Pairs II",
    "question_content": "Count the pairs.",
    "platform": "leetcode",
    "question_id": "2917",
    "contest_id": "biweekly-contest-111",
    "contest_date": "2023-08-19T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": "[]",
    "private_test_cases": "",
    "metadata": "{}",
}


def read(folder: Path, name: str, *rows: dict[str, Any], field: str | None = None) -> list[Item | RowError]:
    write_rows(folder / "rows.jsonl", list(rows))
    return list(read_items(name, [folder / "rows.jsonl"], field))


@pytest.mark.parametrize(
    ("name", "row", "item"),
    [
        (
            "humaneval",
            {"task_id": "HumanEval/0", "prompt": "def f():", "entry_point": "f", "canonical_solution": "", "test": ""},
            Item(id="HumanEval/0", texts=("def f():",), names=frozenset({"humaneval/0"})),
        ),
        (
            "mbpp",
            {
                "task_id": 2,
                "text": "Add.",
                "code": "",
                "test_list": [],
                "test_setup_code": "",
                "challenge_test_list": [],
            },
            Item(id="Mbpp/2", texts=("Add.",), names=frozenset({"mbpp/2"})),
        ),
        (
            "mbpp+",
            {"task_id": "Mbpp/2", "prompt": '"""\nAdd.\nassert add(1) == 2\n"""\n', "entry_point": "add"},
            Item(id="Mbpp/2", texts=('"""\nAdd.\n\n"""\n',), names=frozenset({"mbpp/2"})),
        ),
        (
            "bigcodebench",
            {
                "task_id": "BigCodeBench/13",
                "complete_prompt": "def task_func():",
                "instruct_prompt": "Do it.",
                "test": "",
            },
            Item(id="BigCodeBench/13", texts=("def task_func():", "Do it."), names=frozenset({"bigcodebench/13"})),
        ),
        (
            "livecodebench",
            LCB,
            Item(
                id="2917",
                texts=("Count the pairs.",),
                names=frozenset({"leetcode/count-the-pairs-ii"}),
                date="2023-08-19",
            ),
        ),
        (
            "livecodebench",
            {
                "id": "lcb_o1/abc324_b/O1",
                "question": "N?",
                "meta": {"platform": "atcoder", "date": "2023-10-14T00:00:00"},
            },
            Item(id="abc324_b", texts=("N?",), names=frozenset({"atcoder/abc324_b"}), date="2023-10-14"),
        ),
        (
            "aider-polyglot",
            {
                "name": "two-bucket",
                "files": {".docs/instructions.md": "Two.", ".docs/instructions.append.md": "More.", "x.py": "no"},
            },
            Item(id="two-bucket", texts=("More.\nTwo.",), names=frozenset({"exercism/two-bucket"})),
        ),
        ("bbeh", {"input": "Who?", "target": "A"}, Item(id="rows/0", texts=("Who?",))),
        ("livecodebench", {"question_content": "N?", "platform": "atcoder"}, Item(id="rows/0", texts=("N?",))),
        (
            "aider-polyglot",
            {"name": "zipper", "files": {".docs/instructions.md": "Zip.", ".docs/introduction.md": None}},
            Item(id="zipper", texts=("Zip.",), names=frozenset({"exercism/zipper"})),
        ),
    ],
)
def test_a_row_is_read_as_it_is_published(name: str, row: dict[str, Any], item: Item, tmp_path: Path) -> None:
    assert read(tmp_path, name, row) == [item]


def test_a_benchmark_of_another_name_is_read_by_its_field(tmp_path: Path) -> None:
    assert read(tmp_path, "mine", {"id": "x/1", "question": "Why?"}, field="question") == [
        Item(id="x/1", texts=("Why?",), names=frozenset({"x/1"}))
    ]


def test_repositories_are_read_as_they_lie(tmp_path: Path) -> None:
    exercise = tmp_path / "rust" / "exercises" / "practice" / "bowling" / ".docs"
    exercise.mkdir(parents=True)
    (exercise / "instructions.md").write_text("Score a game.")
    (item,) = read_items("aider-polyglot", [exercise / "instructions.md"])
    assert item == Item(id="rust/bowling", texts=("Score a game.",), names=frozenset({"exercism/bowling"}))
    task = tmp_path / "task.json"
    task.write_text(json.dumps({"canary": "c", "examples": [{"input": "Who?", "target": "A"}, 3]}))
    first, second = read_items("bbeh", [task])
    assert first == Item(id="task/0", texts=("Who?",)) and isinstance(second, RowError)


@pytest.mark.parametrize("row", [{"task_id": "HumanEval/0"}, {"task_id": "HumanEval/0", "prompt": 3}, {"prompt": "  "}])
def test_a_row_without_its_question_is_told(row: dict[str, Any], tmp_path: Path) -> None:
    (error,) = read(tmp_path, "humaneval", row)
    assert isinstance(error, RowError) and "rows.jsonl:1" in str(error) and "a question in prompt" in str(error)


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(InputError, match="expected JSON"):
        list(read_items("bbeh", [tmp_path / "task.json"]))
    (tmp_path / "task.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="under `examples`"):
        list(read_items("bbeh", [tmp_path / "task.json"]))


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://codeforces.com/contest/1873/problem/A", {"codeforces/1873_a"}),
        ("https://codeforces.com/problemset/problem/1873/A", {"codeforces/1873_a"}),
        ("https://atcoder.jp/contests/abc324/tasks/abc324_b", {"atcoder/abc324_b"}),
        ("https://leetcode.com/problems/two-sum/description/", {"leetcode/two-sum"}),
        ("https://exercism.org/tracks/python/exercises/two-bucket", {"exercism/two-bucket"}),
        ("https://example.com/problems/two-sum", set()),
    ],
)
def test_an_address_names_its_question(url: str, names: set[str]) -> None:
    assert names_of_url(url) == names


def test_an_id_names_what_its_end_says() -> None:
    assert "atcoder/abc324_b" in names_of_id("livecodebench/abc324_b")
    assert {"codeforces/1873_a"} <= names_of_id("1873_A") & names_of_id("open-r1/1873/A") & names_of_id(
        "1873_A. Short Sort"
    )
    assert names_of_id("HumanEval/3") == {"humaneval/3", "atcoder/3"}
    assert slug("Don't Count (II)") == "dont-count-ii"


def test_every_real_row_is_read(shared_data: Path) -> None:
    from benchmarks.contamination import BENCHMARKS

    counts = {}
    for name, pattern in BENCHMARKS.items():
        items = list(read_items(name, sorted(shared_data.glob(pattern))))
        assert all(isinstance(item, Item) and item.texts[0].strip() for item in items), name
        counts[name] = len({item.id for item in items if isinstance(item, Item)})
    assert counts == {
        "humaneval": 164,
        "mbpp": 974,
        "bigcodebench": 148,
        "livecodebench": 880,
        "aider-polyglot": 34,
        "bbeh": 720,
    }
    for name, file, count in (("humaneval+", "HumanEvalPlus*", 328), ("mbpp+", "MbppPlus*", 756)):
        items = list(read_items(name, sorted((shared_data / "evalplus").glob(file))))
        assert len(items) == count and all(isinstance(item, Item) for item in items)
