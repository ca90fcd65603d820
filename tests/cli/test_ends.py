"""However a command ends, nothing of it stays: no process, no control group, no folder, no half of a file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crl_data.sandbox.box import Box, sweep
from tests.cli.conftest import SOLUTION_ROWS, assert_one_line, files_in, mounted, run, start
from tests.conftest import PROBLEM_ROW, ROOT, Command, read_rows, write_rows
from tests.processes import below, groups, lives, wait_until

JUDGE = ["judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl"]
BUILD = ["build", "recipe.yaml", "--out", "out"]
SLEEPER = "import os, time\nos.fork()\ntime.sleep(1000)\n"


def command_on_sleepers(folder: Path, command: str, sandbox: str) -> list[str]:
    """A call that has judged something, and then judges what does not end by itself for minutes."""
    write_rows(folder / "problems.jsonl", [{**PROBLEM_ROW, "reference": None, "time_limit_s": 100}])
    rows = [SOLUTION_ROWS[0], *({"problem_id": "sum", "id": f"s{n}", "code": f"# {n}\n{SLEEPER}"} for n in range(9))]
    write_rows(folder / "solutions.jsonl", rows)
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "judge": {"sandbox": sandbox, "jobs": 2},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return [*JUDGE, "--sandbox", sandbox, "--jobs", "2"] if command == "judge" else BUILD


DEPTH = {"local": 6, "none": 5}  # how deep below the command the forks of a solution lie


def sleeping(pid: int, sandbox: str) -> list[int]:
    """The processes of a command, once two solutions and what they forked are among them; else none."""
    found = list(below(pid))
    return [one for one, _ in found] if sum(depth == DEPTH[sandbox] for _, depth in found) == 2 else []


@pytest.mark.parametrize("sandbox", ["local", "none"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["judge", "build"])
def test_a_command_that_is_ended_leaves_nothing(
    inputs: Path, command: str, number: signal.Signals, sandbox: str
) -> None:
    """Ctrl-C goes to all processes of the terminal, SIGTERM to the one."""
    temporary = inputs / "temporary"
    temporary.mkdir()
    call = command_on_sleepers(inputs, command, sandbox)
    process = start(*call, cwd=inputs, env={**os.environ, "TMPDIR": str(temporary)})
    try:
        assert wait_until(lambda: len(sleeping(process.pid, sandbox)) > 0, 60)
        started = sleeping(process.pid, sandbox)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "") and err.endswith("crl-data: interrupted\n") and err.count("\n") == 1
    assert wait_until(lambda: not any(map(lives, started))), list(filter(lives, started))
    assert wait_until(lambda: not {f"crl-{pid:010d}" for pid in started} & groups())
    assert files_in(temporary) == set()
    made = files_in(inputs) - {"problems.jsonl", "solutions.jsonl", "recipe.yaml", "temporary"}
    if command == "judge":
        assert made == set()
    else:
        assert not {"out/manifest.json", "out/README.md", "out/data"} & made
        assert [name for name in made if name.endswith((".tmp", ".parquet")) or "stag" in name] == []
        with sqlite3.connect(inputs / "out" / "store.sqlite") as store:
            assert store.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_full_disk_under_the_store_is_one_line_and_the_build_goes_on_when_there_is_room(
    crl_data: Command, inputs: Path
) -> None:
    small = inputs / "small"
    if not mounted(small, "size=256k"):
        pytest.skip("a small file system cannot be mounted here")
    try:
        rows = [
            {"problem_id": "sum", "id": f"s{n}", "code": f"# {n}\nraise ValueError('x' * 900)\n"} for n in range(150)
        ]
        write_rows(inputs / "solutions.jsonl", [*SOLUTION_ROWS, *rows])
        call = [*BUILD, "--store", small / "store.sqlite"]
        assert_one_line(crl_data(*call), 1, "store.sqlite: the store cannot be written: ", "full")
        assert not (inputs / "out" / "manifest.json").exists() and not (inputs / "out" / "data").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        done = crl_data(*call)
        assert done.returncode == 0 and "152 judged" in done.stdout and "were remembered" in done.stdout, done.stderr
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("call", [[*JUDGE, "--json"], [*BUILD, "--json"], ["doctor"]], ids=lambda call: call[0])
def test_a_command_whose_reader_has_gone_is_quiet(inputs: Path, call: list[str]) -> None:
    """As in `crl-data judge ... --json | head -0`; what was asked for in a file is there all the same."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "crl_data", *call]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=inputs, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    if call[0] == "judge":
        assert len(read_rows(inputs / "out.jsonl")) == 2
    if call[0] == "build":
        assert (inputs / "out" / "manifest.json").exists()


# --- folders of killed judges -----------------------------------------------------------------------------------------------------

HOLDS = """
import sys, time
from crl_data.sandbox.local import open_sandbox, open_weak
sandbox = open_weak(()) if sys.argv[1] == "weak" else open_sandbox(sys.argv[1], ())
runners = [sandbox.start(False), sandbox.start(False)]
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def ends() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("backend", ["none", "weak"])
def test_the_folders_of_a_killed_judge_are_swept_by_the_next_and_those_of_a_living_one_are_not(
    inputs: Path, python_for_all: str, backend: str, ends: contextlib.ExitStack
) -> None:
    temporary = inputs / "temporary"
    temporary.mkdir()
    for folder in (temporary, *temporary.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(inputs.parent.parent.parent):
            folder.chmod(0o755)  # another user runs what is judged
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    program = f"import sys\nsys._base_executable = {python_for_all!r}\n{HOLDS}"

    def holder() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, backend]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        ends.callback(process.communicate)
        ends.callback(process.kill)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    holder()  # lives to the end of the test
    its_own = files_in(temporary)
    assert len([name for name in its_own if "/" not in name and name.startswith("crl-box-")]) == 2
    killed = holder()
    left = files_in(temporary) - its_own
    assert len([name for name in left if "/" not in name]) == 2
    started = [pid for pid, _ in below(killed.pid)]
    killed.kill()
    killed.wait()
    assert wait_until(lambda: not any(map(lives, started)))
    assert left & files_in(temporary) == left  # nobody was there any more to remove them
    write_rows(inputs / "solutions.jsonl", SOLUTION_ROWS)
    done = run(*JUDGE, "--sandbox", "none", cwd=inputs, env={**os.environ, "TMPDIR": str(temporary)})
    assert done.returncode == 0, done.stderr
    assert files_in(temporary) == its_own


def test_only_folders_that_nobody_holds_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held, other = Box(), tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("mine")
    left = tmp_path / "crl-box-left"
    left.mkdir()
    (left / "file").write_text("x")
    (tmp_path / "crl-box-link").symlink_to(other)
    (tmp_path / "crl-box-file").write_text("x")
    sweep()
    assert files_in(tmp_path) == {Path(held.path).name, "other", "other/file", "crl-box-link", "crl-box-file"}
    held.remove()
    held.remove()
    assert not Path(held.path).exists()
