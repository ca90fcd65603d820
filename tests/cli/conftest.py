"""What the tests of the command line share: rows that are right, a small built dataset, and what an error must look like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows

ALMOST_SUM = "a, b = map(int, input().split())\nprint(a + b if a != 7 else 0)\n"
WRONG_SUM = "print(0)\n"
SOLUTION_ROWS: list[dict[str, Any]] = [
    {"problem_id": "sum", "id": "right", "code": RIGHT_SUM},
    {"problem_id": "sum", "id": "wrong", "code": WRONG_SUM},
]


def run(*args: object, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a folder; for fixtures that outlive a test."""
    command = [sys.executable, "-m", "crl_data", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, **more)


def start(*args: object, cwd: Path, **more: Any) -> subprocess.Popen[str]:
    """The command line as a terminal starts it: in a process group of its own, at which Ctrl-C is aimed."""
    command = [sys.executable, "-m", "crl_data", *map(str, args)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, start_new_session=True, **more
    )


def assert_one_line(done: subprocess.CompletedProcess[str], status: int, *told: str) -> None:
    """An error as it must look: this exit status, one line that tells all of this, no traceback, nothing as a result."""
    assert done.returncode == status, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("crl-data: ") and done.stderr.count("\n") == 1, done.stderr
    assert "a fault of crl-data itself" not in done.stderr
    assert [one for one in told if one not in done.stderr] == [], done.stderr
    assert done.stdout == ""


def files_in(folder: Path) -> set[str]:
    """Everything in a folder at any depth, hidden or not."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def mounted(folder: Path, options: str) -> bool:
    """Mount a file system of its own on a folder; False where this user may not."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in which there is room for 16 KB."""
    folder = tmp_path / "small"
    if not mounted(folder, "size=16k"):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be written."""
    folder = tmp_path / "closed"
    if mounted(folder, "ro"):
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    elif os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
    else:
        pytest.skip("a read-only file system cannot be mounted here, and permissions do not bind this user")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with `problems.jsonl`, `solutions.jsonl` and `recipe.yaml`, all of them right."""
    write_rows(tmp_path / "problems.jsonl", [PROBLEM_ROW])
    write_rows(tmp_path / "solutions.jsonl", SOLUTION_ROWS)
    (tmp_path / "recipe.yaml").write_text(
        "problems: [{path: problems.jsonl}]\ncandidates: [{sampler: recorded, path: solutions.jsonl}]\n"
    )
    return tmp_path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built dataset of stdin, function and assert problems; to be read only. A test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("dataset")
    function = {
        **PROBLEM_ROW,
        "id": "add",
        "question": "Write add(a, b).",
        "test_kind": "function",
        "entry_point": "add",
        "tests": [{"input": f"[{n}, {n + 1}]", "expected": str(2 * n + 1)} for n in range(6)],
        "reference": "def add(a, b):\n    return a + b\n",
    }
    asserts = {
        **function,
        "id": "pair",
        "question": "Write pair(a, b): both, the smaller first.",
        "test_kind": "assert",
        "entry_point": "pair",
        "tests": [{"input": f"assert pair({n}, 2) == {tuple(sorted((n, 2)))}", "expected": ""} for n in range(6)],
        "reference": "def pair(a, b):\n    return (min(a, b), max(a, b))\n",
    }
    problems = [{**PROBLEM_ROW, "id": f"sum{n}", "question": f"Add, form {n}."} for n in range(4)]
    write_rows(folder / "problems.jsonl", [*problems, function, asserts])
    solutions = [
        {"problem_id": row["id"], "id": name, "code": text}
        for row in problems
        for name, text in (("right", RIGHT_SUM), ("wrong", WRONG_SUM), ("almost", ALMOST_SUM))
    ]
    solutions += [
        {"problem_id": "add", "id": "wrong", "code": "def add(a, b):\n    return a - b\n"},
        {"problem_id": "add", "id": "crash", "code": "def add(a, b):\n    raise ValueError('no')\n"},
        {"problem_id": "pair", "id": "wrong", "code": "def pair(a, b):\n    return (a, b)\n"},
    ]
    write_rows(folder / "solutions.jsonl", solutions)
    return built_in(folder, "{critique_share: 0.8, per_problem: 3}")


def built_in(folder: Path, mix: str) -> Path:
    """The dataset of the problems and solutions in a folder, mixed so."""
    (folder / "recipe.yaml").write_text(
        "problems: [{path: problems.jsonl}]\ncandidates: [{sampler: recorded, path: solutions.jsonl}]\n"
        f"mix: {mix}\nsplit: {{test_share: 0.34}}\nseed: 4\n"
    )
    done = run("build", "recipe.yaml", "--out", "built", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "built"


def records_of(directory: Path) -> list[dict[str, Any]]:
    """The records of a built dataset."""
    import pyarrow.parquet as pq

    return [row for path in sorted((directory / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
