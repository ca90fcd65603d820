"""The server as any client sees it: who may ask, what is refused and how, what happens under load and at the end."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crl_data import __version__
from crl_data.judging import JUDGE_VERSION
from tests.cli.conftest import assert_one_line
from tests.conftest import Command
from tests.processes import below, children, lives, wait_until
from tests.service.conftest import Served, request_of, serving, sleeper
from tests.service.test_wire import JSON, PLACES, changed


def background(one: Served, cells: dict[str, Any]) -> tuple[threading.Thread, list[Any]]:
    """A request to judge that is under way, and what comes of it."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(one.ask("/judge", cells)))
    thread.start()
    return thread, got


def is_running(one: Served) -> bool:
    return bool(one.health()["running"] == 1) and any(depth >= 5 for _, depth in below(one.process.pid))


# --- what it answers --------------------------------------------------------------------------------------------------------------


def test_a_judgement_is_what_the_judge_says(served: Served) -> None:
    cells = request_of(3)
    cells["solutions"] += [{"id": "wrong", "code": "print(0)"}, {"response": "no code"}, {"code": "x = '\ud800'"}]
    status, _, told = served.ask("/judge", cells)
    assert status == 200
    assert [(one["solution_id"], one["verdict"], one["outcomes"]) for one in told["judgements"]] == [
        ("s3", True, ["passed"]),
        ("wrong", False, ["wrong_answer"]),
        ("2", False, ["runtime_error"]),
        ("3", False, ["runtime_error"]),
    ]
    assert all(one["problem_id"] == "p3" and one["sandbox"] == "local" for one in told["judgements"])


def test_a_request_is_judged_under_its_own_policy(served: Served) -> None:
    tests = [{"input": str(n), "expected": str(min(n, 2))} for n in range(4)]
    verdicts = [
        served.ask("/judge", request_of(0, "print(input())", problem={"tests": tests}, policy={"threshold": threshold}))
        for threshold in (0.5, 0.8, 0.5, 1)
    ]
    assert [told["judgements"][0]["verdict"] for _, _, told in verdicts] == [True, False, True, False]


def test_what_is_known_of_the_reference_counts(served: Served) -> None:
    for known, limit_from in (({"reference_cpu_s": 0.0}, "reference"), ({}, "default"), (None, "default")):
        told = served.ask("/judge", request_of(1, known=known))[2]
        assert told["judgements"][0]["limit_from"] == limit_from


def test_health_says_what_there_is(served: Served) -> None:
    health = served.health()
    assert (health["jobs"], health["admitted_limit"], health["running"], health["waiting"]) == (2, 128, 0, 0)
    assert (
        (health["version"], health["judge_version"]) == (__version__, JUDGE_VERSION)
        and health["backend"] == "local"
        and "seccomp" in health["walls"]
    )
    assert health["libraries"] == ["numpy"] and "cpython" in health["runtime"] and health["alive"] is True


# --- what is wrong ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "field", "told"),
    [
        (request_of(1, policy={"treshold": 1}), "policy.treshold", "expected the key 'threshold'"),
        (request_of(1, problem={"tests": []}), "problem.tests", "expected at least one test, got none"),
        (request_of(1, policy={"libraries": ["scipy"]}), None, "libraries: expected ['numpy'], got ['scipy']"),
        (b"{", "", "expected a JSON object"),
    ],
)
def test_a_wrong_request_is_400_with_the_field(served: Served, cells: Any, field: str | None, told: str) -> None:
    status, _, answer = served.ask("/judge", cells)
    assert status == 400 and told in answer["error"] and answer.get("field") == field


def test_what_is_not_there_is_404_and_405(served: Served) -> None:
    assert served.ask("/nothing")[0] == 404 and served.ask("/judge")[0] == 405 and served.ask("/health", {})[0] == 405


def test_a_body_that_is_too_large_is_413(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as one:
        one.sendall(b"POST /judge HTTP/1.1\r\nHost: x\r\nContent-Length: 67108865\r\n\r\n")
        block = b" " * (1 << 20)
        try:
            for _ in range(65):
                one.sendall(block)
        except OSError:
            pass  # it has seen enough
        assert one.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert served.ask("/judge", request_of(1))[0] == 200


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=JSON, path=st.sampled_from(["/judge", "/run_code"]))
def test_no_request_is_a_fault_of_ours(served: Served, place: str, value: Any, path: str) -> None:
    cells = changed(place, value)
    status, _, told = served.ask(path, cells if path == "/judge" else {"code": "print(1)", "language": value, **cells})
    assert status in ((200, 400) if path == "/judge" else (200, 422)), told


@pytest.mark.parametrize(
    "sent", [b"GARBAGE\r\n\r\n", b"POST /judge HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x00" * 100, b" " * 200_000]
)
def test_what_is_no_http_is_refused(served: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as one:
        one.sendall(sent)
        assert b" 400 " in one.recv(1000)[:16] and served.health()["alive"]


# --- who may ask ------------------------------------------------------------------------------------------------------------------


def test_nobody_is_let_in_without_the_token(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1, token="s3cret") as one:
        basic = "Basic " + base64.b64encode(b"anybody:s3cret").decode()
        refused = [
            None, "Bearer", "Bearer other", "Bearer s3cret2", "s3cret", "Basic s3cret", "Basic !", "Bearer \xe9",
            "Basic " + base64.b64encode(b"s3cret:").decode(), "Basic " + base64.b64encode(b"\xff").decode(),
        ]  # fmt: skip
        for path, cells in (
            ("/judge", request_of(1)),
            ("/run_code", {"code": "1", "language": "python"}),
            ("/nothing", None),
        ):
            for token in refused:
                status, headers, told = one.ask(path, cells, token=token)
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer") and "s3cret" not in told["error"], token
        for token in ("Bearer s3cret", "bearer s3cret", basic):
            assert one.ask("/judge", request_of(1), token=token)[0] == 200
        assert one.ask("/health")[2] == {"alive": True}
        assert one.health()["jobs"] == 1
        assert "s3cret" not in Path(f"/proc/{one.process.pid}/cmdline").read_text()
        assert all(
            "s3cret" not in Path(f"/proc/{pid}/environ").read_bytes().decode() for pid, _ in below(one.process.pid)
        )


# --- load -------------------------------------------------------------------------------------------------------------------------


def test_beyond_the_limit_it_is_429_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1, "--queue", 2) as one:
        first = background(one, sleeper(3))
        assert wait_until(lambda: is_running(one))
        second = background(one, request_of(2))
        assert wait_until(lambda: one.health()["admitted"] == 2)
        begun = time.monotonic()
        status, headers, told = one.ask("/judge", request_of(3))
        assert time.monotonic() - begun < 1.0
        assert (status, headers["Retry-After"]) == (429, "1") and "2 requests are admitted" in told["error"]
        for thread, got in (first, second):
            thread.join()
            assert got[0][0] == 200 and got[0][2]["judgements"][0]["verdict"] is True
        assert one.ask("/judge", request_of(3))[0] == 200 and one.health()["admitted"] == 0


def test_64_clients_lose_and_mix_up_nothing(tmp_path: Path) -> None:
    """Each asks with its own numbers for what is right and wrong, and checks its own answers; 16 are admitted."""
    refused = [0] * 64

    def client(me: int) -> list[tuple[int, bool | None, bool]]:
        found = []
        for n in range(6):
            number = 1000 * me + n
            if (me + n) % 3 == 0:
                cells = {"code": f"print({number} * int(input()))", "stdin": "3", "language": "python"}
                status, _, told = one.ask("/run_code", cells)
                assert status == 200 and told["run_result"]["stdout"] == f"{3 * number}\n"
                continue
            wanted = number % 2 == 0
            cells = request_of(number, "print(int(input()) + 1)" if wanted else "print(int(input()))")
            while (answer := one.ask("/judge", cells))[0] == 429:
                refused[me] += 1
                time.sleep(random.uniform(0.01, 0.2))
            status, _, told = answer
            (judgement,) = told["judgements"]
            assert status == 200 and (judgement["problem_id"], judgement["solution_id"]) == (f"p{number}", f"s{number}")
            found.append((number, judgement["verdict"], wanted))
        return found

    with serving(tmp_path, "--jobs", 2, "--queue", 16) as one, ThreadPoolExecutor(64) as pool:
        found = [one for answers in pool.map(client, range(64)) for one in answers]
        assert len(found) == 64 * 4 and all(verdict is wanted for _, verdict, wanted in found)
        assert sum(refused) > 0, "the load never was beyond the limit"
        health = one.health()
        assert (health["admitted"], health["held"], health["running"], health["waiting"]) == (0, 0, 0, 0)


def test_runners_that_are_killed_cost_no_verdict(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 2) as one, ThreadPoolExecutor(8) as pool:
        slow = "import time\ntime.sleep(0.2)\nprint(int(input()) + {})"
        answers = [pool.submit(one.ask, "/judge", request_of(n, slow.format(n % 2))) for n in range(40)]
        killed = 0
        while not all(answer.done() for answer in answers) and killed < 4:
            time.sleep(0.5)
            for pid in children(one.process.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        found = [answer.result() for answer in answers]
        assert killed >= 2 and all(status == 200 for status, _, _ in found)
        for n, (_, _, told) in enumerate(found):
            (judgement,) = told["judgements"]
            assert judgement["verdict"] in (n % 2 == 1, None) and (
                judgement["verdict"] is not None or "judge_error" in judgement["outcomes"]
            )


def test_what_a_client_that_has_gone_was_waiting_for_is_dropped(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1) as one:
        thread, got = background(one, sleeper(4))
        assert wait_until(lambda: is_running(one))
        for path, cells in (("/judge", sleeper(100)), ("/run_code", {"code": "print(1)", "language": "python"})):
            body = json.dumps(cells).encode()
            with socket.create_connection(("127.0.0.1", one.port)) as gone:
                gone.sendall(
                    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body
                )
                assert wait_until(lambda: one.health()["waiting"] == 1, 3)
            assert wait_until(lambda: one.health()["waiting"] == 0, 3) and one.health()["admitted"] == 1
        thread.join()
        assert got[0][0] == 200 and got[0][2]["judgements"][0]["verdict"] is True
        assert one.ask("/judge", request_of(1), timeout=20)[0] == 200


# --- the end ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_the_end_what_runs_is_answered_the_rest_is_503_and_nothing_stays(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path, "--jobs", 1) as one:
        running = background(one, sleeper(2))
        assert wait_until(lambda: is_running(one))
        waiting = background(one, request_of(2))
        assert wait_until(lambda: one.health()["waiting"] == 1)
        started = [pid for pid, _ in below(one.process.pid)]
        assert started
        status, err = one.end(number)
        for thread, _ in (running, waiting):
            thread.join()
        assert running[1][0][0] == 200 and running[1][0][2]["judgements"][0]["verdict"] is True
        assert waiting[1][0][0] == 503 and waiting[1][0][2] == {"error": "the service is ending"}
        lines = err.splitlines()
        assert status == 130 and lines[0].startswith("listening on ") and lines[1:] == ["crl-data: interrupted"]
        assert wait_until(lambda: not any(map(lives, started))), list(filter(lives, started))


def test_a_second_ctrl_c_waits_for_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1) as one:
        thread, got = background(one, sleeper(100))
        assert wait_until(lambda: is_running(one))
        started = [pid for pid, _ in below(one.process.pid)]
        begun = time.monotonic()
        one.process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert one.process.poll() is None, "the first one waits"
        assert one.end(signal.SIGINT)[0] == 130 and time.monotonic() - begun < 8
        thread.join()
        assert got[0][0] == 503
        assert wait_until(lambda: not any(map(lives, started)))


# --- the call ---------------------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_line(served: Served, crl_data: Command) -> None:
    assert_one_line(crl_data("serve", "--port", served.port), 1, f"127.0.0.1:{served.port}", "in use")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            "--host no.such.host.invalid",
            "--host: expected the name or address of this machine, got 'no.such.host.invalid'",
        ),
        ("--port 70000", "70000"),
        ("--queue 0", "--queue"),
        ("--jobs 0", "--jobs"),
        ("--sandbox tent", "expected one of auto, local, docker, none, got 'tent'"),
        ("--port 0 --token a\xe9", "--token: expected printable ASCII"),
        ("--port 0 --token=", "--token: expected printable ASCII"),
    ],
)
def test_a_wrong_call_is_one_line(crl_data: Command, call: str, told: str) -> None:
    assert_one_line(crl_data("serve", *call.split()), 2, told)


def test_an_address_of_another_machine_is_one_line(crl_data: Command) -> None:
    assert_one_line(crl_data("serve", "--host", "192.0.2.1"), 1, "192.0.2.1:8000: cannot listen there")


def test_a_library_that_is_not_there_is_one_line(crl_data: Command) -> None:
    assert_one_line(crl_data("serve", "--port", "0", "--libraries", "numpy, no_such_library"), 1, "'no_such_library'")


@pytest.mark.parametrize(
    ("host", "token", "warns"), [("0.0.0.0", None, True), ("0.0.0.0", "s3cret", False), ("::1", None, False)]
)
def test_whoever_opens_it_to_all_is_warned(tmp_path: Path, host: str, token: str | None, warns: bool) -> None:
    if ":" in host and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, "--host", host, "--jobs", 1, token=token) as one:
        _, err = one.end()
        shown = f"[{host}]" if ":" in host else host
        assert err.startswith(f"listening on http://{shown}:{one.port} (1 jobs, 64 requests admitted, ")
        assert ("warning: whoever reaches " in err.splitlines()[1]) is warns
