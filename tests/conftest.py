"""What the tests share: the real judge, the real sandbox, the real command line, and the data that lies beside the project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from crl_data import build
from crl_data.judging import Judge, Policy
from crl_data.judging.policy import Way
from crl_data.sandbox import Limits, Observation, Program, Runner, open_sandbox
from crl_data.sandbox.client import Input
from crl_data.sandbox.local import open_weak
from crl_data.types import Judgement, Problem, Solution, Test, TestKind
from tests.sandbox.engine import engine

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("CRL_SHARED_DATA", ROOT.parent / "shared" / "data"))

hypothesis.settings.register_profile("crl", deadline=None)  # tests assert no times: the machine is shared
hypothesis.settings.load_profile("crl")

# In the background of a shell Ctrl-C is ignored, and so it would be by every command that is started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data; tests that need it are skipped where it is not there, and say so."""
    if not SHARED.is_dir():
        pytest.skip(f"the real data is not there: {SHARED} (set CRL_SHARED_DATA)")
    return SHARED


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of `make demo`; to be read only."""
    folder = tmp_path_factory.mktemp("shipped") / "demo"
    build(ROOT / "recipes" / "demo.yaml", folder, quiet=True)
    return folder


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """A warm judge with the default policy."""
    with Judge(jobs=2) as judge:
        yield judge


@pytest.fixture(scope="session")
def strict_judge() -> Iterator[Judge]:
    """A judge for which every test counts."""
    with Judge(jobs=2, policy=Policy(threshold=1.0)) as judge:
        yield judge


@pytest.fixture(scope="session")
def per_test_judge() -> Iterator[Judge]:
    """A judge that gives every test a process of its own."""
    from crl_data.judging import Isolation

    with Judge(jobs=2, policy=Policy(isolation=Isolation.PER_TEST)) as judge:
        yield judge


class Bench:
    """A runner on which programs are run without any judge: what the sandbox itself says happened."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.apart = "processes" in runner.ready["walls"]  # in namespaces of its own

    def __call__(
        self,
        code: str,
        *inputs: str | bytes,
        fresh: bool = False,
        mode: str = "stdin",
        entry: str | None = None,
        limits: Limits | None = None,
    ) -> list[Observation]:
        """Run a program on inputs until all have run; an input of nothing where none is given."""
        session = self.runner.open(Program(code=code, mode=mode, entry=entry), limits or Limits(cpu_s=2.0))
        assert not isinstance(session, str), session
        waiting = [Input(one.encode() if isinstance(one, str) else one, 7) for one in inputs or ("",)]
        seen: list[Observation] = []
        while waiting:
            got = session.run(waiting, fresh=fresh)
            seen += got
            waiting = waiting[len(got) :]
        return seen

    def out(self, code: str, *inputs: str | bytes, **options: Any) -> str:
        """The output of a program that must end well on its one input."""
        (seen,) = self(code, *inputs, **options)
        assert seen.how == "ended", (seen.how, seen.note)
        return seen.answer.decode()


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Docker engine with an image to judge in: the one that answers, else one of our own, started and ended here."""
    with engine(tmp_path_factory.mktemp("docker")) as host:
        yield host


@pytest.fixture(scope="session")
def python_for_all() -> str:
    """A Python that every user may run: root's own may lie where only root may look."""
    ours: str = getattr(sys, "_base_executable", sys.executable)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    found = next((path for path in (ours, f"/usr/bin/{version}") if _open_to_all(Path(path).resolve())), None)
    if found is None:
        pytest.skip(f"no {version} that every user may run: not {ours}, and none in /usr/bin (Debian: {version})")
    return found


def _open_to_all(path: Path) -> bool:
    return path.exists() and all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


@pytest.fixture(scope="session", params=["local", "docker", "weak"])
def sandbox_runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """A lean runner of each backend; `weak` is a local one without namespaces, whatever this machine offers."""
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "weak":
            patch.setattr(sys, "_base_executable", request.getfixturevalue("python_for_all"), raising=False)
            opened = open_weak(("numpy",))
        else:
            opened = open_sandbox(request.param, ("numpy",))
        runner = opened.start(False)
    yield runner
    runner.close()


@pytest.fixture
def bench(sandbox_runner: Runner) -> Bench:
    return Bench(sandbox_runner)


def stdin_problem(*tests: tuple[str, str], **more: Any) -> Problem:
    return Problem(
        id=more.pop("id", "p"),
        question="?",
        test_kind=TestKind.STDIN,
        tests=tuple(Test(input=i, expected=e) for i, e in tests),
        **more,
    )


def function_problem(entry: str, *tests: tuple[list[Any], Any], **more: Any) -> Problem:
    made = tuple(Test(input=json.dumps(arguments), expected=json.dumps(expected)) for arguments, expected in tests)
    return Problem(
        id=more.pop("id", "p"), question="?", test_kind=TestKind.FUNCTION, tests=made, entry_point=entry, **more
    )


def assert_problem(entry: str | None, *tests: str, **more: Any) -> Problem:
    return Problem(
        id=more.pop("id", "p"),
        question="?",
        test_kind=TestKind.ASSERT,
        tests=tuple(Test(input=t) for t in tests),
        entry_point=entry,
        **more,
    )


def code(text: str) -> Solution:
    return Solution(problem_id="p", id="s", code=text)


SUM = stdin_problem(*((f"{a} {b}\n", f"{a + b}\n") for a, b in ((1, 2), (3, 4), (10, 20), (0, 0), (7, 8), (-1, 1))))
RIGHT_SUM = "a, b = map(int, input().split())\nprint(a + b)\n"


def judged(judge: Judge, problem: Problem, text: str) -> Judgement:
    return judge.judge(problem, Solution(problem_id=problem.id, id="s", code=text))


def way_of(judge: Judge, problem: Problem) -> Way | None:
    prepared = judge.prepare(problem).result()
    assert prepared.reference_fault == ""
    return prepared.plan.way


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def crl_data(tmp_path: Path) -> Command:
    """The command line, as a user runs it, in a folder of its own."""

    def run(*args: object, **more: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "crl_data", *map(str, args)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, timeout=more.pop("timeout", 300), **more
        )

    return run


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


PROBLEM_ROW: dict[str, Any] = {
    "id": "sum",
    "question": "Read two integers and print their sum.",
    "test_kind": "stdin",
    "tests": [{"input": test.input, "expected": test.expected} for test in SUM.tests],
    "reference": RIGHT_SUM,
    "source": {"dataset": "tests", "revision": "1", "license": "cc0-1.0", "url": ""},
}
