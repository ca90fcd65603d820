"""Engines that die, come back, do not answer, or speak TLS: each test has an engine of its own and does to it what it likes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crl_data.sandbox import open_sandbox
from tests.cli.conftest import start
from tests.conftest import Bench, Command, read_rows, write_rows
from tests.sandbox.engine import Engine, client_of, import_image, own_engine

SLEEPS = "import time\ntime.sleep(0.1)\nprint(input())\n"
CALL = ("judge", "problems.jsonl", "solutions.jsonl", "--out", "out.jsonl", "--sandbox", "docker", "--jobs", "2")


@pytest.fixture(scope="module")
def its_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    with own_engine(folder) as own:
        import_image(folder, own.host)
        yield own


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Enough to judge for some seconds; every second solution is wrong."""
    tests = [{"input": f"{n}\n", "expected": f"{n}\n"} for n in range(4)]
    write_rows(tmp_path / "problems.jsonl", [{"id": "p", "question": "?", "test_kind": "stdin", "tests": tests}])
    rows = [{"problem_id": "p", "id": f"s{n}", "code": SLEEPS + "print('more')\n" * (n % 2)} for n in range(24)]
    write_rows(tmp_path / "solutions.jsonl", rows)
    return tmp_path


def processes_in_containers(engine: Engine, at_least: int) -> list[int]:
    """The first processes of the containers that an engine runs, once there are so many."""
    client = client_of(engine.host)
    deadline = time.monotonic() + 20
    while len(found := [one["Id"] for one in client.api.containers()]) < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [client.api.inspect_container(identity)["State"]["Pid"] for identity in found]


@pytest.mark.slow
def test_an_engine_that_dies_in_the_middle_is_one_line_and_no_verdict(its_engine: Engine, inputs: Path) -> None:
    judging = start(*CALL, cwd=inputs, env={**os.environ, "DOCKER_HOST": its_engine.host})
    try:
        inside = processes_in_containers(its_engine, 2)
        time.sleep(0.5)
        its_engine.process.kill()
        _, said = judging.communicate(timeout=60)
    finally:
        judging.kill()
    assert judging.returncode == 1
    assert len(said.strip().splitlines()) == 1 and "does not answer any more" in said, said
    assert not (inputs / "out.jsonl").exists()
    its_engine.start()  # only an engine can end what a killed one left running
    client = client_of(its_engine.host)
    deadline = time.monotonic() + 20
    while client.api.containers(all=True) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not client.api.containers(all=True)
    assert not [pid for pid in inside if os.path.isdir(f"/proc/{pid}")]


def test_an_engine_that_is_started_anew_goes_on_and_no_verdict_changes(its_engine: Engine, inputs: Path) -> None:
    judging = start(*CALL, cwd=inputs, env={**os.environ, "DOCKER_HOST": its_engine.host})
    try:
        processes_in_containers(its_engine, 2)
        time.sleep(0.5)
        its_engine.end()
        its_engine.start()
        out, said = judging.communicate(timeout=100)
    finally:
        judging.kill()
    assert judging.returncode == 0, said
    assert [row["verdict"] for row in read_rows(inputs / "out.jsonl")] == [True, False] * 12, out


@pytest.mark.slow
def test_an_engine_that_takes_calls_and_never_answers_is_one_line(crl_data: Command, inputs: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(inputs / "silent.sock"))
        silent.listen()
        begun = time.monotonic()
        done = crl_data(*CALL, env={**os.environ, "DOCKER_HOST": f"unix://{inputs}/silent.sock"})
    assert done.returncode == 1 and "no Docker engine answers" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and time.monotonic() - begun < 60


def test_an_engine_that_stops_while_it_serves_does_not_keep_ctrl_c_waiting(its_engine: Engine, inputs: Path) -> None:
    judging = start(*CALL, cwd=inputs, env={**os.environ, "DOCKER_HOST": its_engine.host})
    try:
        processes_in_containers(its_engine, 2)
        time.sleep(2)  # both are attached to by now, however busy the machine is: to start one is another matter
        its_engine.process.send_signal(signal.SIGSTOP)
        judging.send_signal(signal.SIGINT)
        judging.communicate(timeout=30)
    finally:
        its_engine.process.send_signal(signal.SIGCONT)
        judging.kill()
    assert judging.returncode == 130


def _certificates(folder: Path) -> None:
    """A key and a certificate for both sides, and who signed it: itself."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here, to make certificates with")
def test_an_engine_that_speaks_tls_serves_as_any_other(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("tls")
    _certificates(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options = ["--tlsverify"]
    options += [f"--tlscacert={folder}/ca.pem", f"--tlscert={folder}/cert.pem", f"--tlskey={folder}/key.pem"]
    with own_engine(folder, *options, "-H", f"tcp://127.0.0.1:{port}") as own:
        import_image(folder, own.host)
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the SDK would believe these instead
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
        runner = open_sandbox("docker", ()).start(False)
        data = os.urandom(3_000_000)
        echo = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n"
        for seen in Bench(runner)(echo, data, b"", data[:70_000]):
            assert seen.how == "ended" and seen.answer in (data[::-1], b"", data[:70_000][::-1])
        runner.close()
