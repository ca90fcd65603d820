"""A machine that lets no namespaces be made, as root and as an ordinary user: refused, or said in every judgement."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

from tests.conftest import PROBLEM_ROW, RIGHT_SUM, ROOT, _open_to_all, read_rows, write_rows

USER = 48213
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["root", "user"])
def on_that_machine(request: pytest.FixtureRequest, python_for_all: str, tmp_path: Path) -> Run:
    """Run this project's Python there, in a folder that it may write to."""
    packages = str(Path(numpy.__file__).parent.parent)
    become: list[str] = []
    if request.param == "user":
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("becoming another user takes root and setpriv")
        if not (_open_to_all(ROOT) and _open_to_all(Path(packages))):
            pytest.skip(f"another user cannot read {ROOT} or {packages}")
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    elif os.geteuid() != 0:
        pytest.skip("not root")
    folder = Path("/tmp") / f"crl-test-{os.getpid()}-{request.param}"  # pytest's own is closed to others
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    request.addfinalizer(lambda: shutil.rmtree(folder))
    (folder / "project").symlink_to(ROOT)  # so that the runners of that machine can be told from those of other tests

    def run(*arguments: str, refused: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}/project:{packages}", "HOME": str(folder)}
        environment |= {"DOCKER_HOST": f"unix://{folder}/nothing", "PYTHONDONTWRITEBYTECODE": "1"}
        wrapper = [python_for_all, "-m", "tests.sandbox.no_namespaces"] if refused else []
        command = [*become, *wrapper, python_for_all, *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)

    run.folder = folder  # type: ignore[attr-defined]
    return run


def ask(run: Run, *options: str) -> subprocess.CompletedProcess[str]:
    folder: Path = run.folder  # type: ignore[attr-defined]
    write_rows(folder / "problems.jsonl", [PROBLEM_ROW])
    wrong = "import socket\nsocket.socket()\n"
    rows = [{"problem_id": "sum", "id": name, "code": code} for name, code in (("right", RIGHT_SUM), ("wrong", wrong))]
    write_rows(folder / "solutions.jsonl", rows)
    return run("-m", "crl_data", "judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl", *options)


@pytest.mark.parametrize("sandbox", ["auto", "local"])
def test_nothing_is_judged_there_unless_it_is_allowed(on_that_machine: Run, sandbox: str) -> None:
    done = ask(on_that_machine, "--sandbox", sandbox)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Operation not permitted" in done.stderr and "--allow-weak" in done.stderr


def test_where_it_is_allowed_every_judgement_names_what_is_missing(on_that_machine: Run) -> None:
    done = ask(on_that_machine, "--sandbox", "local", "--allow-weak")
    assert done.returncode == 0, done.stderr
    right, wrong = read_rows(on_that_machine.folder / "out.jsonl")  # type: ignore[attr-defined]
    assert (right["verdict"], wrong["verdict"]) == (True, False)
    assert "Address family not supported" in wrong["reason"]
    for row in (right, wrong):
        assert row["sandbox"] == "local" and row["tamper_proof"] is True
        assert "[judged without the walls files, processes, " in row["reason"] and "cell" in row["reason"]
    assert "judged without the walls files" in done.stderr


def test_the_doctor_says_so_and_fails(on_that_machine: Run) -> None:
    done = on_that_machine("-m", "crl_data", "doctor", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["auto"] is None and not told["backends"]["local"]["stands"]
    weak = told["backends"]["local --allow-weak"]
    fallen = {one["check"] for one in weak["checks"] if not one["holds"]}
    as_user = {"be the user that judges", "make too many processes"} if "user" in weak["missing"] else set()
    assert fallen - as_user - {"take too much memory in many processes"} == {
        "see that a file is there",
        "see other processes",
        "see the name of this machine",
    }


def test_an_ordinary_user_with_namespaces_has_every_required_wall(on_that_machine: Run) -> None:
    done = on_that_machine("-m", "crl_data", "doctor", "--json", refused=False)
    told = json.loads(done.stdout)
    fallen = [one for one in told["backends"]["local"]["checks"] if not one["holds"] and one["wall"] != "memory"]
    assert (done.returncode, told["auto"], fallen) == (0, "local", [])


BOMB = (
    "import os, time\n"
    "from crl_data.errors import RunnerDied\n"
    "from crl_data.sandbox import Limits, Program\n"
    "from crl_data.sandbox.client import Input\n"
    "from crl_data.sandbox.local import open_weak\n"
    "runner = open_weak(()).start(False)\n"
    "code = 'import os, time\\nfor _ in range(12):\\n    try:\\n        os.fork()\\n    except OSError:\\n        pass\\nos.setsid() if os.getpgrp() != os.getpid() else 0\\ntime.sleep(600)'\n"
    "session = runner.open(Program(code=code, mode='stdin'), Limits(cpu_s=2.0))\n"
)


def test_a_fork_bomb_is_contained_and_ends(on_that_machine: Run) -> None:
    code = BOMB + (
        "seen = session.run([Input(b'', 0)], fresh=True)[0]\n"
        "again = runner.open(Program(code='print(7)', mode='stdin'), Limits()).run([Input(b'', 0)], fresh=True)[0]\n"
        "runner.close()\nprint(seen.how, again.answer)\n"
    )
    done = on_that_machine("-c", code)
    assert done.stdout == "timeout b'7\\n'\n", done.stdout + done.stderr
    assert _runners_of(on_that_machine) == set()


# How a judge ends, while the processes of a solution are many and rest.
DIES = "os.kill(os.getpid(), 9)"
CLOSES_ITS_RUNNER = "runner.close()\n    " + DIES
# The supervisor ends first, and while the runner tidies up
SUPERVISOR_ENDS = (
    "first = runner._process._process.pid\n"
    "    children = open(f'/proc/{first}/task/{first}/children')\n"
    "    os.kill(int(children.read()), 9)\n"
    "    while len(children.read().split()) < 50 and runner._process._process.poll() is None:\n"
    "        children.seek(0)\n    "
)
# comes the signal that says that the judge is gone,
IS_GONE_LATE = SUPERVISOR_ENDS + "runner._process._process.send_signal(15)\n    " + DIES
# or it is given no processor for a while, and the judge is closing it.
IS_CLOSED_SLOWLY = SUPERVISOR_ENDS + (
    "runner._process._process.send_signal(19)\n"
    "    time.sleep(3)\n"
    "    runner._process._process.send_signal(18)\n"
    "    time.sleep(1)\n"
    "    " + DIES
)
ENDS = {"dies": DIES, "closes": CLOSES_ITS_RUNNER, "gone late": IS_GONE_LATE, "closes slowly": IS_CLOSED_SLOWLY}


@pytest.mark.parametrize("how", ENDS)
def test_what_a_solution_started_ends_with_whoever_judges(on_that_machine: Run, how: str) -> None:
    """The judge ends in the middle of a test."""
    code = BOMB + (
        f"def end():\n    {ENDS[how]}\n"
        "import threading\nthreading.Timer(1.5, end).start()\nsession.run([Input(b'', 0)], fresh=True)\n"
    )
    with ThreadPoolExecutor(1) as pool:
        judging = pool.submit(on_that_machine, "-c", code)
        while not _runners_of(on_that_machine):
            assert not judging.done(), judging.result().stderr
            time.sleep(0.02)
        assert judging.result().returncode == -signal.SIGKILL, judging.result().stderr
    deadline = time.monotonic() + 10
    while _runners_of(on_that_machine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _runners_of(on_that_machine) == set()


def _runners_of(machine: Run) -> set[str]:
    """All processes there that are runners, or were forked by one."""
    found = set()
    runner = machine.folder / "project" / "crl_data" / "sandbox" / "runner"  # type: ignore[attr-defined]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(runner).encode() in arguments:
                found.add(entry.name)
    return found


def test_this_machine_is_what_it_is_said_to_be() -> None:
    """The wrapper of these tests does refuse namespaces."""
    command = [sys.executable, "-m", "tests.sandbox.no_namespaces", "unshare", "--user", "true"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "Operation not permitted" in done.stderr
