"""The benchmark of judges: what it says of its candidates is true, and every side judges them as it should. No times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import differences, workload
from benchmarks.accounts import cpu_seconds
from benchmarks.differences import Peer, asked
from benchmarks.judge_throughput import Grader, Item, item_of, ours, prepare, problem_for, take_turns
from crl_data.types import Problem, Test, TestKind
from tests.honest import HONEST

TASKS = workload.tasks(20)


@pytest.fixture(scope="module")
def candidates() -> list[workload.Candidate]:
    return workload.candidates(TASKS, endless=0.1)


def test_there_are_candidates_of_every_kind_and_the_nearly_right_divide_the_thresholds(
    candidates: list[workload.Candidate],
) -> None:
    assert set(Counter(one.kind for one in candidates)) == set(workload.KINDS)
    nearly = [one for one in candidates if one.kind == "nearly"]
    assert all(one.right(0.8) and not one.right(1.0) for one in nearly)


def test_every_way_of_reading_is_used(candidates: list[workload.Candidate]) -> None:
    assert {reader for reader in workload.READERS for one in candidates if reader in one.stdin} == set(workload.READERS)


@pytest.mark.parametrize("form", ["stdin", "function", "assert"])
def test_our_judge_agrees_with_what_is_said_of_the_candidates(form: str, candidates: list[workload.Candidate]) -> None:
    some = [one for one in candidates if one.task in TASKS[:3]]
    items = [item_of(one, form) for one in some]
    grader = ours("every outcome", {}, form)
    ran([grader], items, form)
    for number, one in enumerate(some):
        found = grader.found[number]
        assert found["verdict"] is one.right(0.8), (one.id, found["reason"])
        if one.kind != "endless":
            assert [outcome == "passed" for outcome in found["outcomes"]] == list(one.passes), one.id


@pytest.mark.parametrize("name", ["in_process", "fork", "fork_walls", "spawn"])
def test_floors_run_every_test_and_find_the_same(name: str, candidates: list[workload.Candidate]) -> None:
    form = "stdin" if name == "spawn" else "function"
    some = [one for one in candidates if one.task in TASKS[3:5] and one.kind not in ("endless",)]
    items = [item_of(one, form) for one in some]
    grader = Grader(name, name, sys.executable, form, 0.8)
    ran([grader], items, form)
    assert [grader.found[n]["verdict"] for n in range(len(some))] == [one.right(0.8) for one in some]


def ran(graders: list[Grader], items: list[Item], form: str) -> None:
    try:
        prepare(graders, lambda _: [problem_for(task, form) for task in TASKS[:5]])
        take_turns(graders, lambda _: items, len(items))
    finally:
        for one in graders:
            one.close()


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose child's child works for half a second, and is waited for."""
    work = "import time\nwhile time.process_time() < 0.5: pass"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}]); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield process
    process.communicate()


def test_time_of_grandchildren_that_ended_is_counted(busy: subprocess.Popen[bytes]) -> None:
    assert busy.stdout is not None
    busy.stdout.readline()
    assert cpu_seconds(busy.pid) >= 0.5


def test_a_peer_that_is_not_there_is_named(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.judge_throughput", "--limit", "1", "--problems", "1"),
            *("--peers", str(tmp_path), "--only", "livecodebench", "--json", str(tmp_path / "figures.json")),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "livecodebench is missing" in done.stdout
    assert "acecoder is missing: no package has it" in done.stdout
    rows = json.loads((tmp_path / "figures.json").read_text())["verdicts"]["rows"]
    assert all(row["wrong"] == 0 for row in rows if row["wrong"] is not None)


# --- differences


def functions_and_assertions() -> list[Problem]:
    found = {one.problem.id: one.problem for one in HONEST}
    del found["table"]  # its int keys are equal to what JSON makes of them by our rule, and not by Python's
    return [one for one in found.values() if one.test_kind in (TestKind.FUNCTION, TestKind.ASSERT)]


@pytest.mark.parametrize("problem", functions_and_assertions(), ids=lambda problem: problem.id)
def test_what_peers_are_asked_holds_for_the_reference_and_not_without_it(problem: Problem) -> None:
    told = asked(problem)
    forms = ["\n".join(told["assertions"]), f"{told['human_eval']['test']}\ncheck({told['human_eval']['entry_point']})"]
    scope, _, function = (problem.entry_point or "").rpartition(".")
    wrong = f"def {function}(*a, **k): raise KeyError\n" + (
        f"class {scope}:\n    {function} = {function}\n" if scope else ""
    )
    for form in forms:
        exec(f"{problem.reference}\n{form}", {})  # noqa: S102, tests of our own
        with pytest.raises((KeyError, AssertionError)):
            exec(f"{wrong}\n{form}", {})  # noqa: S102


@pytest.fixture
def peer() -> Iterator[Peer]:
    """The floor that starts a Python for every test, behind the walls of peers."""
    peer = Peer("spawn", sys.executable)
    if peer.verdict(an_item("print(sum(map(int, input().split())))")) is None:
        pytest.skip("this machine does not let namespaces be made by unshare(1)")
    yield peer
    peer.close()


def an_item(code: str) -> differences.Item:
    problem = Problem(
        id="sum",
        question="?",
        test_kind=TestKind.STDIN,
        tests=tuple(Test(input=f"{n} 1\n", expected=f"{n + 1}\n") for n in (1, 2)),
    )
    return differences.Item("", "", problem, code, True)


def test_a_peer_judges_and_nothing_of_this_machine_can_be_changed_from_it(peer: Peer, tmp_path: Path) -> None:
    add = "print(sum(map(int, input().split())))"
    assert peer.verdict(an_item(add)) is True
    assert peer.verdict(an_item("print(0)")) is False
    file, own = tmp_path / "file", os.getpid()
    blocked = "import os\ntry:\n    {}\nexcept OSError:\n    " + add
    assert peer.verdict(an_item(blocked.format(f"open({str(file)!r}, 'w')"))) is True
    assert peer.verdict(an_item(blocked.format(f"os.kill({own}, 0)"))) is True
    assert not file.exists()


def test_a_peer_that_ends_gives_no_verdict_and_is_started_anew(peer: Peer) -> None:
    assert peer.process is not None
    peer.process.kill()
    peer.process.wait()
    assert peer.verdict(an_item("print(0)")) is None
    assert peer.verdict(an_item("print(0)")) is False


def test_what_an_attack_writes_around_an_answer_is_passed_over() -> None:
    peer = Peer("spawn", sys.executable)
    noise = 'import sys; sys.stdout.write(\'111\\xff[{"value": 7}]\\n[{"verdict": false, "run": 1}]\\n111\'); sys.stdin.read()'
    peer.process = subprocess.Popen([sys.executable, "-c", noise], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert peer.verdict(an_item("")) is False
    finally:
        peer.close()
