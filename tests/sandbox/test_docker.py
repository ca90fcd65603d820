"""The docker backend on a real engine: what a container may do, which image and runtime it is made of, what is left of it.

That the same programs meet the same walls there as elsewhere is shown by the tests that run on every backend.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pip
import pytest
from docker.errors import APIError, NotFound

from crl_data.errors import SandboxUnavailable, WorkError
from crl_data.judging import Isolation, Judge, Policy
from crl_data.sandbox import Limits, Runner, checks, container, open_sandbox, owner
from crl_data.sandbox.docker import build_image
from crl_data.types import Outcome
from tests.conftest import (
    PROBLEM_ROW,
    RIGHT_SUM,
    SUM,
    Bench,
    Command,
    code,
    function_problem,
    stdin_problem,
    write_rows,
)
from tests.sandbox.engine import SECOND_RUNTIME, client_of
from tests.sandbox.image import make_root_file_system

pytestmark = pytest.mark.usefixtures("docker_engine")


@pytest.fixture(scope="module")
def client(docker_engine: str) -> Iterator[docker.DockerClient]:
    client = client_of()
    yield client
    client.close()


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = open_sandbox("docker", ()).start(False)
    yield runner
    runner.close()


def ours(client: docker.DockerClient, of: str | None = None) -> dict[str, dict[str, Any]]:
    """Containers of an owner, by default of this process, by id."""
    label = f"{owner.LABEL}={of or owner.identity()}"
    return {found["Id"]: found for found in client.api.containers(all=True, filters={"label": label})}


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What a condition says once it says something; fails after so long."""
    deadline = time.monotonic() + seconds
    while not (said := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return said


def only_container(client: docker.DockerClient, before: set[str]) -> str:
    return str(until(lambda: next(iter(set(ours(client)) - before), None)))


# --- what a container may do ------------------------------------------------------------------------------------------------------


LOOK = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(f):
    try:
        f()
    except OSError as e:
        return errno.errorcode[e.errno]
def called(number_on_x86, number_on_arm, *arguments):
    number = number_on_x86 if os.uname().machine == "x86_64" else number_on_arm
    return errno.errorcode[ctypes.get_errno()] if libc.syscall(number, *arguments) < 0 else "done"
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "interfaces": os.listdir("/sys/class/net"),
    "written": [tried(lambda: open(folder + "/x", "w")) for folder in ("/", "/tmp", "/etc")],
    "shm": os.path.exists("/dev/shm/") and os.listdir("/dev/shm"),
    "capabilities": {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
    "new privileges": status["NoNewPrivs"],
    "filter": status["Seccomp"],
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "environment": sorted(os.environ),
    "keyring": called(250, 219, 0, -3, 0),
    "io_uring": called(425, 425, 1, 0),
    "perf": called(298, 241, 0, 0, 0, 0, 0),
    "userfaultfd": called(323, 282, 1),
}, default=sorted))
"""


def test_a_container_has_no_network_no_rights_and_a_root_that_it_cannot_write(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container's own walls, seen by a program that is sent in instead of the runner."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("runner/__main__.py", LOOK)
    program = len(packed.getvalue()).to_bytes(8, "little") + packed.getvalue()
    monkeypatch.setattr(container, "_program", lambda: program)
    contained = container.Container(client.api, "crl-data-sandbox", None)
    seen = b""
    while part := contained.read(contained.fd, 1 << 16):
        seen += part
    assert json.loads(seen or b"null") == {
        "interfaces": ["lo"],
        "written": ["EROFS"] * 3,
        "shm": False,
        "capabilities": ["0" * 16],
        "new privileges": "1",
        "filter": "2",
        "user": [65534, 65534, [65534]],
        "environment": ["HOME", "HOSTNAME", "LC_ALL", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "TZ"],
        **dict.fromkeys(("keyring", "io_uring", "perf", "userfaultfd"), "EPERM"),
    }, contained.end()
    contained.end()


def test_the_engine_bounds_a_container_and_keeps_no_answer(client: docker.DockerClient) -> None:
    before = set(ours(client))
    runner = open_sandbox("docker", ()).start(False)
    host = client.api.inspect_container(only_container(client, before))["HostConfig"]
    runner.close()
    assert host["PidsLimit"] == container.PROCESSES
    assert host["Memory"] == host["MemorySwap"] == container.MEMORY_MB << 20
    assert host["LogConfig"]["Type"] == "none" and host["AutoRemove"]


def test_every_wall_stands_in_a_container_and_all_processes_share_one_limit_of_memory(runner: Runner) -> None:
    assert {"files", "network", "processes", "user", "cell", "seccomp", "limits", "memory"} <= set(
        runner.ready["walls"]
    )
    hog = (
        "import os, time\n"
        "for _ in range(20):\n    if os.fork() == 0:\n        x = b'x' * (90 << 20)\n        time.sleep(1)\n        os._exit(0)\n"
        "print(sum(os.wait()[1] == 9 for _ in range(20)))\n"
    )
    bench = Bench(runner)
    (seen,) = bench(hog, limits=Limits(cpu_s=10.0, memory_mb=100))
    # "timeout": where all machine is short of memory, the kernel lets those wait that ask for it
    assert seen.how in ("memory", "timeout") or int(seen.answer) > 0, seen
    assert bench.out("print(1)") == "1\n"
    assert bench.out("print(len(b'x' * (600 << 20)))", limits=Limits(memory_mb=700)) == f"{600 << 20}\n"


@pytest.mark.parametrize("size", [0, 1, 65_535, 5_000_000])
def test_every_byte_comes_through_in_both_directions(runner: Runner, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    echo = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n"
    for seen in Bench(runner)(echo, data[:size], data[:size], b"", limits=Limits(cpu_s=5.0)):
        assert (seen.how, seen.answer) == ("ended", data[:size][::-1] if seen.answer else b""), seen.note


def test_a_worker_has_one_container_for_all_its_solutions(client: docker.DockerClient) -> None:
    before = set(ours(client))
    with Judge(jobs=1, sandbox="docker", policy=Policy(libraries=())) as judge:
        for _ in range(3):
            assert judge.judge(SUM, code(RIGHT_SUM)).verdict is True
            assert judge.judge(SUM, code("print(0)")).verdict is False
        until(lambda: len(set(ours(client)) - before) == 1)
    until(lambda: not set(ours(client)) - before)


# --- what happens to a container --------------------------------------------------------------------------------------------------

SLOW = stdin_problem(*((f"{n}\n", f"{n}\n") for n in range(5)))
SLEEPS = "import time\ntime.sleep(0.2)\nprint(input())\n"


@pytest.mark.parametrize("isolation", list(Isolation))
def test_a_container_that_is_killed_is_replaced_and_the_verdict_is_the_same(
    client: docker.DockerClient, isolation: Isolation
) -> None:
    policy = Policy(libraries=(), isolation=isolation)
    with Judge(jobs=1, sandbox="docker", policy=policy) as judge, ThreadPoolExecutor() as threads:
        assert judge.judge(SUM, code(RIGHT_SUM)).verdict is True
        for solution, verdict in ((SLEEPS, True), (SLEEPS.replace("input()", "input() * 2"), False)):
            before = set(ours(client))
            judging = threads.submit(judge.judge, SLOW, code(solution))
            time.sleep(0.5)
            for identity in before:
                client.api.kill(identity)
            judgement = judging.result()
            assert judgement.verdict is verdict and Outcome.JUDGE_ERROR not in judgement.outcomes
            assert not set(ours(client)) & before


def test_where_no_container_starts_any_more_it_is_a_judge_error_and_no_verdict(client: docker.DockerClient) -> None:
    image = client.images.build(
        fileobj=io.BytesIO(b"FROM crl-data-sandbox\nLABEL of=this-test\n"), tag="to-be-removed", rm=True
    )[0]
    sandbox = open_sandbox("docker", (), image="to-be-removed")
    with Judge(jobs=1, sandbox=sandbox, policy=Policy(libraries=())) as judge:
        assert judge.judge(SUM, code(RIGHT_SUM)).verdict is True
        for identity in ours(client):
            client.api.kill(identity)
        until(lambda: _removed(client, image.id))
        judgement = judge.judge(SUM, code("print(0)"))
        assert judgement.verdict is None and set(judgement.outcomes) == {Outcome.JUDGE_ERROR}
        assert "does not start a container" in judgement.reason


def _removed(client: docker.DockerClient, image: str) -> bool:
    try:
        client.api.remove_image(image, force=True)
    except APIError:  # its container is not gone yet
        return False
    return True


JUDGING = """
import sys
from crl_data.judging import Judge, Policy
from crl_data.sandbox import owner
from tests.sandbox.test_docker import SLEEPS, SLOW
from tests.conftest import code
with Judge(jobs=2, sandbox="docker", policy=Policy(libraries=())) as judge:
    waiting = [judge.submit(SLOW, code(SLEEPS + "#" * n)) for n in range(100)]
    waiting[0].result()
    print(owner.identity(), flush=True)
    waiting[-1].result()
"""


def test_sigkill_and_ctrl_c_leave_no_container_behind(client: docker.DockerClient) -> None:
    for number in (signal.SIGKILL, signal.SIGINT):
        judging = subprocess.Popen(
            [sys.executable, "-c", JUDGING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert judging.stdout is not None
        identity = judging.stdout.readline().strip()
        assert len(ours(client, identity)) == 2
        judging.send_signal(number)
        judging.wait(20)
        until(lambda identity=identity: not ours(client, identity), 10)


@pytest.mark.slow
def test_sigkill_at_any_instant_leaves_nothing_that_the_next_judge_does_not_remove(
    client: docker.DockerClient,
) -> None:
    tell = "from crl_data.sandbox import owner\nprint(owner.identity(), flush=True)\n"
    killed = []
    for n in range(20):
        judging = subprocess.Popen(
            [sys.executable, "-c", tell + JUDGING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert judging.stdout is not None
        killed.append(judging.stdout.readline().strip())
        time.sleep(0.08 * n)
        judging.kill()
        judging.wait()
    open_sandbox("docker", ())
    until(lambda: not any(ours(client, identity) for identity in killed))


@pytest.mark.slow
def test_no_descriptor_and_no_container_is_left_of_runners_that_were_closed(client: docker.DockerClient) -> None:
    sandbox = open_sandbox("docker", ())
    before = set(ours(client))
    open_files = []
    for _ in range(75):
        runner = sandbox.start(False)
        assert Bench(runner).out("print(1)") == "1\n"
        runner.close()
        open_files.append(len(os.listdir("/proc/self/fd")))
    assert open_files[-1] <= open_files[45] + 5, open_files  # the SDK keeps the connections of its last 25 calls
    until(lambda: not set(ours(client)) - before)


def test_the_sweep_removes_what_the_dead_left_and_nothing_else(client: docker.DockerClient) -> None:
    """A container that was made and not started does not end with its owner's stream: there was none yet."""
    tell = "import sys\nfrom crl_data.sandbox import owner\nprint(owner.identity(), flush=True)\nsys.stdin.read()\n"
    living = subprocess.Popen([sys.executable, "-c", tell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    dead = subprocess.run([sys.executable, "-c", tell], input="", capture_output=True, text=True)
    assert living.stdout is not None
    place, pid, start = living.stdout.readline().strip().split("/")
    owners = {
        "alive": f"{place}/{pid}/{start}",
        "dead": dead.stdout.strip(),
        "dead, its number used again": f"{place}/{pid}/{int(start) - 1}",
        "of another boot": f"another-{place}/{dead.stdout.split('/')[1]}/1",
        "not to be told": "unknown",
        "no owner": None,
    }
    made = {
        name: client.api.create_container(
            "crl-data-sandbox", ["python3"], labels={owner.LABEL: label} if label is not None else {"other": "1"}
        )["Id"]
        for name, label in owners.items()
    }
    try:
        open_sandbox("docker", ())
        there = {found["Id"] for found in client.api.containers(all=True)}
        gone = {name for name, identity in made.items() if identity not in there}
        assert gone == {"dead", "dead, its number used again"}
    finally:
        living.communicate()
        for identity in made.values():
            with contextlib.suppress(NotFound):
                client.api.remove_container(identity, force=True)


def test_what_could_not_be_started_is_removed(client: docker.DockerClient) -> None:
    before = set(ours(client))
    with pytest.raises(SandboxUnavailable):
        open_sandbox("docker", (), runtime="no-such-runtime")
    _import_without_python(client)
    with pytest.raises(SandboxUnavailable):
        open_sandbox("docker", (), image="without-python")
    until(lambda: not set(ours(client)) - before)


def test_a_required_wall_that_does_not_hold_in_a_container_is_refused(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(ours(client))
    monkeypatch.setattr(checks, "_QUICK", checks._QUICK.replace('open(asked["file"])', "open('/etc/passwd')"))
    with pytest.raises(SandboxUnavailable, match="files: it is up, and a program read a file of this user") as caught:
        open_sandbox("docker", ())
    assert "\n" not in str(caught.value) and "container" in str(caught.value)
    until(lambda: not set(ours(client)) - before)


def test_whoever_judges_a_container_that_can_be_judged_in_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The users in it have numbers too, which say nothing of this machine's users."""
    uid = int(Bench(open_sandbox("docker", ()).start(False)).out("import os\nprint(os.getuid())"))
    monkeypatch.setattr(checks.os, "getuid", lambda: uid)
    assert "user" in open_sandbox("docker", ()).walls


# --- images and runtimes ----------------------------------------------------------------------------------------------------------


def _import_without_python(client: docker.DockerClient) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    client.api.import_image_from_data(out.getvalue(), repository="without-python")


REFUSED = {
    "no such image": ({"image": "no-such-image"}, ["no-such-image", "crl-data doctor --build-image", "CRL_DATA_IMAGE"]),
    "an image without Python": ({"image": "without-python"}, ["without-python", "python3"]),
    "no such runtime": ({"runtime": "no-such-runtime"}, ["no-such-runtime"]),
    "a library that the image lacks": ({"libraries": ["pandas"]}, ["pandas", "crl-data doctor --build-image"]),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_an_image_or_a_runtime_that_does_not_do_is_refused_in_one_line(
    client: docker.DockerClient, crl_data: Command, tmp_path: Path, fault: str
) -> None:
    _import_without_python(client)
    settings, words = REFUSED[fault]
    write_rows(tmp_path / "problems.jsonl", [PROBLEM_ROW])
    write_rows(tmp_path / "solutions.jsonl", [{"problem_id": "sum", "id": "s", "code": RIGHT_SUM}])
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "judge": {"sandbox": "docker", **settings},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    done = crl_data("build", "recipe.yaml", "--out", "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_image_and_runtime_can_be_named_by_the_environment(crl_data: Command, tmp_path: Path) -> None:
    write_rows(tmp_path / "problems.jsonl", [PROBLEM_ROW])
    write_rows(tmp_path / "solutions.jsonl", [{"problem_id": "sum", "id": "s", "code": RIGHT_SUM}])
    call = ("judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl", "--sandbox", "docker")
    for name, value in (("CRL_DATA_IMAGE", "no-such-image"), ("CRL_DATA_RUNTIME", "no-such-runtime")):
        done = crl_data(*call, env={**os.environ, name: value})
        assert done.returncode == 1 and value in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert crl_data(*call, env={**os.environ, "CRL_DATA_RUNTIME": "runc"}).returncode == 0


def test_another_runtime_judges_by_its_name_and_stands_in_every_record(client: docker.DockerClient) -> None:
    name = SECOND_RUNTIME if SECOND_RUNTIME in client.info()["Runtimes"] else "runc"
    sandbox = open_sandbox("docker", (), runtime=name)
    assert sandbox.runtime.endswith(f" under {name}")
    before = set(ours(client))
    with Judge(jobs=1, sandbox=sandbox, policy=Policy(libraries=())) as judge:
        assert judge.judge(SUM, code(RIGHT_SUM)).verdict is True
        (identity,) = set(ours(client)) - before
        assert client.api.inspect_container(identity)["HostConfig"]["Runtime"] == name


def test_what_an_image_says_of_itself_does_not_matter(client: docker.DockerClient) -> None:
    text = (
        "FROM crl-data-sandbox\nENTRYPOINT [\"/no/such/program\"]\nCMD [\"x\"]\nUSER root\nWORKDIR /etc\n"
        "HEALTHCHECK --interval=1s CMD [\"python3\", \"-c\", \"1/0\"]\n"
    )  # fmt: skip
    client.images.build(fileobj=io.BytesIO(text.encode()), tag="with-a-will-of-its-own", rm=True)
    before = set(ours(client))
    runner = open_sandbox("docker", (), image="with-a-will-of-its-own").start(False)
    assert Bench(runner).out("import os\nprint(os.getuid())") == "65534\n"
    told = client.api.inspect_container(only_container(client, before))
    assert "Health" not in told["State"] and told["Config"]["User"] == "65534:65534"
    runner.close()


def test_a_worker_that_starts_later_has_the_image_that_stands_in_the_records(client: docker.DockerClient) -> None:
    def build(word: str) -> str:
        text = f"FROM crl-data-sandbox\nLABEL word={word}\n"
        made: str = client.images.build(fileobj=io.BytesIO(text.encode()), tag="changing", rm=True)[0].id
        return made

    first = build("first")
    sandbox = open_sandbox("docker", (), image="changing")
    assert build("second") != first and first in sandbox.runtime
    before = set(ours(client))
    runner = sandbox.start(False)
    assert client.api.inspect_container(only_container(client, before))["Image"] == first
    runner.close()


WHEEL = {
    "tinylib.py": "def answer():\n    return 42\n",
    "tinylib-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinylib\nVersion: 1.5\n",
    "tinylib-1.5.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture(scope="module")
def base(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with pip, which looks for packages in a folder of the image and nowhere else."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        for name, text in {**WHEEL, "tinylib-1.5.dist-info/RECORD": "".join(f"{name},,\n" for name in WHEEL)}.items():
            wheel.writestr(name, text)
    tar = tmp_path_factory.mktemp("base") / "root.tar"
    files = {"wheels/tinylib-1.5-py3-none-any.whl": packed.getvalue()}
    make_root_file_system(tar, Path(str(pip.__file__)).parent, files=files)
    found = ["ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels"]
    client.api.import_image_from_file(str(tar), repository="with-pip", changes=found)
    tar.unlink()
    return "with-pip"


def test_an_image_is_built_with_the_named_libraries(base: str) -> None:
    assert build_image(("tinylib",), base=base, name="built-by-a-test") == "built-by-a-test"
    sandbox = open_sandbox("docker", ("tinylib",), image="built-by-a-test")
    assert "tinylib 1.5" in sandbox.runtime
    problem = function_problem("f", ([], 42))
    with Judge(jobs=1, sandbox=sandbox, policy=Policy(libraries=("tinylib",))) as judge:
        assert judge.judge(problem, code("import tinylib\ndef f():\n    return tinylib.answer()\n")).verdict is True


def test_an_image_is_built_without_any_library(base: str) -> None:
    assert build_image((), base=base, name="built-of-nothing") == "built-of-nothing"
    runner = open_sandbox("docker", (), image="built-of-nothing").start(False)
    assert Bench(runner).out("print(1)") == "1\n"
    runner.close()


def test_an_image_that_cannot_be_built_is_one_line(base: str) -> None:
    for libraries, from_, words in (
        (("no-such-library",), base, "No matching distribution found for no-such-library"),
        (("--help",), base, "--help"),
        ((), "no-such-registry.invalid/python:3", "no-such-registry.invalid"),
    ):
        with pytest.raises(WorkError, match=words) as raised:
            build_image(libraries, base=from_, name="not-built")
        assert len(str(raised.value).splitlines()) == 1
