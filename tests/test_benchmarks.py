"""The benchmark of judges: what it says of its candidates is true, and every side judges them as it should. No times."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import differences, reward_differences, workload
from benchmarks.accounts import cpu_seconds
from benchmarks.differences import Peer, asked
from benchmarks.judge_throughput import Grader, Item, item_of, ours, prepare, problem_for, take_turns
from benchmarks.reward_differences import explain, fenced, ours_of, seen_by_us
from crl_data import Judge
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


# --- rewards


def test_every_reward_of_the_batch_is_the_share_that_the_candidate_deserves(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.rewards", "--limit", "24", "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert "solve_reward" in figures["batch"]
    assert all((row["n"], row["not_as_deserved"]) == (24, 0) for row in figures["batch"].values())
    assert figures["call"]["n"] == 24


@pytest.fixture
def service() -> Iterator[str]:
    """The small service that stands for SandboxFusion."""
    script = Path(reward_differences.__file__).parent / "fusion.py"
    process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/run_code"
    process.communicate(timeout=10)  # it ends when its standard input does


@pytest.mark.parametrize(
    ("code", "status", "run"),
    [
        ("print(int(input()) + 1)", "Success", {"status": "Finished", "return_code": 0, "stdout": "8\n"}),
        ("import sys; print(1); sys.exit(3)", "Failed", {"status": "Finished", "return_code": 3, "stdout": "1\n"}),
        ("while True: pass", "Failed", {"status": "TimeLimitExceeded", "return_code": None}),
        ("bytearray(1 << 30)", "Failed", {"status": "Finished", "return_code": 1, "stdout": ""}),
    ],
)
def test_the_service_answers_as_sandbox_fusion_does(code: str, status: str, run: dict[str, Any], service: str) -> None:
    order = {"code": code, "stdin": "7\n", "run_timeout": 2, "memory_limit_MB": 512, "language": "python"}
    request = urllib.request.Request(service, json.dumps(order).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        found = json.load(answer)
    assert found["status"] == status
    assert found["run_result"].items() >= run.items()


def stdin_problem(name: str, pairs: list[tuple[str, str]], **columns: Any) -> Problem:
    tests = tuple(Test(input=given, expected=wanted) for given, wanted in pairs)
    return Problem(id=name, question="?", test_kind=TestKind.STDIN, tests=tests, **columns)


def function_problem(name: str, pairs: list[tuple[Any, Any]], entry: str = "f", **columns: Any) -> Problem:
    tests = tuple(Test(input=json.dumps([given]), expected=json.dumps(wanted)) for given, wanted in pairs)
    return Problem(id=name, question="?", test_kind=TestKind.FUNCTION, tests=tests, entry_point=entry, **columns)


TWICE = stdin_problem("twice", [(f"{n}\n", f"{2 * n}\n") for n in range(1, 25)], reference="print(2 * int(input()))")
TWICE_UNSAID = stdin_problem("twice unsaid", [(f"{n}\n", f"{2 * n}\n") for n in range(1, 3)], time_limit_s=0.5)
PAIRS = stdin_problem("pairs", [(f"{n}\n", f"{n} {n + 1} \n") for n in range(1, 4)])
LINES = stdin_problem("lines", [(f"{n}\n", f"{n}\n{n + 1}\n") for n in range(1, 4)])
HALF = stdin_problem("half", [(f"{n}\n", f"{n / 2}\n") for n in range(1, 4)])
TWICE_F = function_problem("twice_f", [(n, 2 * n) for n in range(1, 13)])
KEYS_F = function_problem("keys_f", [({"1": 2}, True), ({"2": 2}, True)])
WORD_F = function_problem("word_f", [("a", "aa"), ("b", "bb")])
CLASS_F = function_problem("class_f", [(1, 2), (2, 4)], entry="Doubler.f")
PRIME, FUSION = "prime_reward", "fusion_reward"
CAUSES: list[tuple[str, Problem, str, str]] = [
    (PRIME, TWICE, "import sys\nprint(2 * int(sys.stdin.buffer.read()))", "standard input and output are replaced: no bytes"),
    (PRIME, TWICE, "n = int(input())\nprint(2 * n + (n > 10))", "only the first 10 tests count"),
    (PRIME, TWICE, "n = int(input())\ndef f():\n    global n\n    n *= 2\nf()\nprint(n)", "the program becomes the body of a function"),
    (PRIME, TWICE, "print(2 * int(input()))\nimport sys\nsys.exit(1)", "right output, and an exit status other than 0"),
    (PRIME, TWICE, "print(2 * int(input()))\nexit(0)", "exit and quit are taken away"),
    (PRIME, TWICE, "print(floor(2 * int(input())))", "names that the program did not import are imported for it"),
    (PRIME, LINES, "n = int(input())\nprint(n)\nprint()\nprint(n + 1)", "the same words on other lines, or blank lines between"),
    (PRIME, HALF, "print(round(int(input()) / 2 + 2e-6, 7))", "numbers are compared as floats, more loosely"),
    (PRIME, TWICE_UNSAID, "while True: pass", "a time-out where nobody said how long it may take"),
    (PRIME, TWICE_F, "def f(n):\n    return 2 * n + (n == 12)", "where one test of a function fails"),
    (PRIME, TWICE, "print(2 * int(input()))\nreturn", "the program becomes the body of a function: no syntax error"),
    (PRIME, KEYS_F, "def f(d):\n    return all(k.isdigit() for k in d)", "the keys of a dictionary are made integers"),
    (PRIME, CLASS_F, "class Doubler:\n    def f(self, n):\n        return 2 * n", "a method of a class: there a function of that name"),
    (FUSION, TWICE, "n = int(input())\nprint(2 * n + (n > 10))", "only the first 10 tests count"),
    (FUSION, PAIRS, "n = int(input())\nprint(n, n + 1)", "compared as text: blanks at the end of a line"),
    (FUSION, HALF, "print(f'{int(input()) / 2:.7f}')", "compared as text: numbers are not numbers"),
    (FUSION, WORD_F, "def f(s):\n    return 2 * s", "what a function returns is printed: a string has no quotes"),
    (FUSION, TWICE_F, "def f(n):\n    return floor(2 * n)", "names that the program did not import are imported for it"),
]  # fmt: skip


@pytest.fixture(scope="module")
def python_of_verl() -> str:
    """A Python that has verl's rewards: this one, or that of the environment that CRL_PEERS names."""
    if os.environ.get("CRL_PEERS"):
        return str(Path(os.environ["CRL_PEERS"]) / "bin" / "python")
    if not (importlib.util.find_spec("verl") and importlib.util.find_spec("requests")):
        pytest.skip("verl is not installed, and CRL_PEERS names no environment that has it")
    return sys.executable


@pytest.mark.slow
@pytest.mark.parametrize("name", [PRIME, FUSION])
def test_a_difference_of_rewards_has_the_cause_that_the_program_was_written_for(
    name: str, peer: Peer, python_of_verl: str
) -> None:
    """`peer` is asked for only to skip where there can be no walls."""
    found = {}
    asked_of = Peer(name, python_of_verl, {"explain": True}, 600.0, loopback=name == FUSION)
    mine = [one for one in CAUSES if one[0] == name]
    items = [differences.Item("", code, problem, fenced(code), None) for _, problem, code, _ in mine]
    try:
        with Judge(jobs=1) as judge:
            rewards, records = ours_of(items, judge)
            for item, reward in zip(items, rewards, strict=True):
                theirs = asked_of.found(item)
                assert theirs is not None and theirs.get("score") != reward, (item.name, reward, theirs)
                ours = seen_by_us(item, reward, records[item.problem.id], judge)
                found[item.name] = explain(name, item, ours, theirs, lambda _: None)
    finally:
        asked_of.close()
    for _, _, code, cause in mine:
        assert found[code].startswith(cause), (code, found[code])


def test_our_reading_of_endings_is_what_they_mean_and_the_published_one_misreads_some() -> None:
    lines = reward_differences.conclusions()
    assert any("INCORRECT" in line and "| missing | T |" in line for line in lines)
