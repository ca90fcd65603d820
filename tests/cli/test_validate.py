"""`crl-data validate`: every fault of a file or of a built dataset, by row and field, and none that is not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SOLUTION_ROWS, assert_one_line, files_in
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, Command, write_rows


def faults(crl_data: Command, path: str) -> list[str]:
    """The faults that are told of a file: the same as text and as JSON, and exit status 2 with one line on stderr."""
    text, machine = crl_data("validate", path), crl_data("validate", path, "--json")
    found: list[str] = json.loads(machine.stdout)["faults"]
    assert text.returncode == machine.returncode == (2 if found else 0), text.stderr
    assert text.stderr.count("\n") == machine.stderr.count("\n") == bool(found)
    assert text.stdout.splitlines() == (found or [f"{path}: no fault"])
    assert "Traceback" not in text.stderr and "a fault of crl-data itself" not in text.stderr
    return found


# --- files ---------------------------------------------------------------------------------------------------------------------------


def test_right_problems_and_solutions_have_no_fault(crl_data: Command, inputs: Path) -> None:
    assert faults(crl_data, "problems.jsonl") == [] == faults(crl_data, "solutions.jsonl")


def test_every_fault_of_every_row_of_problems_is_told(crl_data: Command, tmp_path: Path) -> None:
    bad = {**PROBLEM_ROW, "id": 3, "question": None, "tests": [{"input": 1}, None], "public_tests": "two"}
    rows = [PROBLEM_ROW, bad, {**PROBLEM_ROW, "id": "kind", "test_kind": "stdio"}, PROBLEM_ROW]
    write_rows(tmp_path / "p.jsonl", rows)
    with (tmp_path / "p.jsonl").open("ab") as file:
        file.write(b'\n[1]\n{"id": "\xff"}\n{"id": "cut"\n')
    found = faults(crl_data, "p.jsonl")
    wanted = [
        "p.jsonl:2: id: expected a string, got the number 3",
        "p.jsonl:2: question: expected a string, got null",
        "p.jsonl:2: tests[0].input: expected a string, got the number 1",
        "p.jsonl:2: tests[1]: expected ",
        "p.jsonl:2: public_tests: expected a whole number, got the string 'two'",
        "p.jsonl:3: test_kind: expected one of ",
        "p.jsonl:4: id: expected an id that no row before it has, got 'sum' again",
        "p.jsonl:6: expected a JSON object",
        "p.jsonl:7: expected UTF-8",
        "p.jsonl:8: expected a JSON object",
    ]
    assert len(found) == len(wanted)
    assert [one for one in wanted if not any(line.startswith(one) for line in found)] == []


def test_every_fault_of_every_row_of_solutions_is_told(crl_data: Command, tmp_path: Path) -> None:
    rows = [
        *SOLUTION_ROWS,
        {"problem_id": "sum", "id": "right", "code": "1"},
        {"problem_id": "other", "id": "right", "code": "1"},
        {"problem_id": "sum", "id": "none"},
        {"problem_id": "sum", "id": "number", "code": 1, "tokens": 1.5, "sampler": {"model": "m"}},
    ]
    write_rows(tmp_path / "s.jsonl", rows)
    found = faults(crl_data, "s.jsonl")
    wanted = [
        "s.jsonl:3: id: expected an id that no row before it has, got 'right' again",
        "s.jsonl:5: code: expected code, or a response to take it from, got neither",
        "s.jsonl:6: code: expected a string, got the number 1",
        "s.jsonl:6: sampler.name: expected a string, got nothing",
        "s.jsonl:6: tokens: expected a whole number, got the number 1.5",
    ]
    assert sorted(found) == sorted(wanted)


def test_a_lone_surrogate_is_a_fault_in_whatever_column_it_stands(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "p.jsonl", [{**PROBLEM_ROW, "starter_code": "\ud800", "note": ["\udfff"]}])
    found = faults(crl_data, "p.jsonl")
    assert len(found) == 2 and all("surrogate" in line for line in found)
    assert "starter_code" in found[0] and "note" in found[1]


def test_faults_of_parquet_are_told_by_row(crl_data: Command, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [PROBLEM_ROW, {**PROBLEM_ROW, "id": "none", "tests": []}, PROBLEM_ROW]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    assert faults(crl_data, "p.parquet") == [
        "p.parquet: row 2: tests: expected at least one test, got none",
        "p.parquet: row 3: id: expected an id that no row before it has, got 'sum' again",
    ]


def test_an_empty_file_is_a_fault(crl_data: Command, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").touch()
    assert faults(crl_data, "p.jsonl") == ["p.jsonl: expected at least one row, got none"]


@pytest.mark.parametrize("name", ["none.jsonl", "text.txt", "."])
def test_what_is_no_file_of_rows_and_no_dataset_is_one_line(crl_data: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("text")
    assert_one_line(crl_data("validate", name), 2, f"{name}: ")


def test_judgements_that_were_just_written_have_no_fault(crl_data: Command, inputs: Path) -> None:
    assert crl_data("judge", "problems.jsonl", "solutions.jsonl", "--out", "out.parquet").returncode == 0
    assert faults(crl_data, "out.parquet") == []


# --- built datasets ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the built dataset, to be changed."""
    shutil.copytree(dataset, tmp_path / "built")
    return tmp_path / "built"


def test_a_dataset_that_was_just_built_has_no_fault(crl_data: Command, copy: Path) -> None:
    before = files_in(copy)
    assert faults(crl_data, "built") == []
    assert files_in(copy) == before


def a_shard(folder: Path, split: str = "train") -> Path:
    return next((folder / "data").glob(f"{split}-*.parquet"))


@pytest.mark.parametrize("pattern", ["data/train-*", "pool/*", "problems.parquet", "judgements.parquet"])
def test_a_file_that_is_gone_is_named(crl_data: Command, copy: Path, pattern: str) -> None:
    (path,) = copy.glob(pattern)
    path.unlink()
    (fault,) = faults(crl_data, "built")
    assert fault == f"built/{path.relative_to(copy)}: expected a file, got none"


@pytest.mark.parametrize("pattern", ["data/test-*", "pool/*", "candidates.parquet", "judgements.parquet"])
def test_a_single_changed_bit_is_named(crl_data: Command, copy: Path, pattern: str) -> None:
    (path,) = copy.glob(pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (fault,) = faults(crl_data, "built")
    assert fault.startswith(f"built/{path.relative_to(copy)}: ")


def test_a_shard_that_the_manifest_does_not_know_is_named(crl_data: Command, copy: Path) -> None:
    """`datasets` would load it with the others."""
    shutil.copy(a_shard(copy), copy / "data" / "train-00001-of-00002.parquet")
    assert any("train-00001-of-00002.parquet" in fault for fault in faults(crl_data, "built"))


def rewritten(folder: Path, change: Callable[[list[dict[str, Any]]], object], split: str = "train") -> str:
    """Change the records of a split, and the manifest with them, as one who tampers with care would."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = a_shard(folder, split)
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    manifest = json.loads((folder / "manifest.json").read_text())
    content = path.read_bytes()
    name = str(path.relative_to(folder))
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return f"built/{name}"


def critique(rows: list[dict[str, Any]]) -> int:
    return next(place for place, row in enumerate(rows) if row["kind"] == "critique")


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a kind that there is not": ({"kind": "critic"}, "kind: "),
    "a critique without a verdict": ({"verdict": None}, "verdict: "),
    "a critique without a solution": ({"solution": None}, "solution: "),
    "no prompt": ({"prompt": None}, "prompt: "),
    "a turn without its text": ({"prompt": [{"role": "user", "content": None}]}, "prompt[0].content: "),
    "a pass rate over 1": ({"pass_rate": 7.0}, "pass_rate: "),
    "a label from nowhere": ({"label_source": "guessed"}, "label_source: "),
    "a kind of test that there is not": ({"test_kind": "stdio"}, "test_kind: "),
    "no tests": ({"tests": []}, "tests: "),
    "a verdict that its pass rate denies": ({"verdict": True, "pass_rate": 0.0}, "verdict: "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_cannot_be_is_told_by_row_and_field(crl_data: Command, copy: Path, change: str) -> None:
    cells, field = CHANGES[change]
    place = [0]

    def spoil(rows: list[dict[str, Any]]) -> None:
        place[0] = critique(rows)
        rows[place[0]].update(cells)

    name = rewritten(copy, spoil)
    found = faults(crl_data, "built")
    assert any(fault.startswith(f"{name}: row {place[0] + 1}: {field}") for fault in found), found


def test_a_record_that_stands_twice_is_told(crl_data: Command, copy: Path) -> None:
    name = rewritten(copy, lambda rows: rows.append(rows[0]))
    assert any(fault.startswith(f"{name}: ") and "again" in fault for fault in faults(crl_data, "built"))


def test_a_problem_in_two_splits_is_told(crl_data: Command, copy: Path) -> None:
    import pyarrow.parquet as pq

    moved = pq.read_table(a_shard(copy, "test")).to_pylist()[0]
    rewritten(copy, lambda rows: rows.append(moved))
    assert any("problem_id: " in fault and "split" in fault for fault in faults(crl_data, "built"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": 3}', '{"files": {"data/x.parquet": 3}}'])
def test_a_manifest_that_is_none_is_one_line(crl_data: Command, copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content)
    done = crl_data("validate", "built")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "built" in done.stderr
    assert "a fault of crl-data itself" not in done.stderr


def test_a_folder_without_a_manifest_is_one_line(crl_data: Command, copy: Path) -> None:
    (copy / "manifest.json").unlink()
    assert_one_line(crl_data("validate", "built"), 2, "built: ", "manifest.json")


def test_code_in_rows_is_read_and_never_run(crl_data: Command, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    asserts = {"test_kind": "assert", "tests": [{"input": trap, "expected": ""}], "test_setup": trap}
    write_rows(tmp_path / "p.jsonl", [{**PROBLEM_ROW, **asserts, "reference": trap + RIGHT_SUM}])
    assert faults(crl_data, "p.jsonl") == [] and not (tmp_path / "ran").exists()
