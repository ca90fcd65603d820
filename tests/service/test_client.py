"""A judge behind HTTP is asked as one here, and whatever fails between them is never a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError, ServiceUnavailable
from crl_data.judging import Judge, Policy
from crl_data.judging.limits import Calibration
from crl_data.service.client import RemoteJudge
from crl_data.types import Judgement, Problem, Solution, Test, TestKind
from tests.conftest import ROOT, assert_problem, function_problem, stdin_problem
from tests.processes import wait_until
from tests.service.conftest import Served, problem, serving

RIGHT, WRONG = "print(int(input()) + 1)", "print(int(input()))"
PYTEST = Problem(
    id="pytest",
    question="?",
    test_kind=TestKind.PYTEST,
    tests=(Test(input="test_one"), Test(input="test_two")),
    test_setup="from solution import inc\ndef test_one(): assert inc(1) == 2\ndef test_two(): assert inc(2) == 3\n",
    reference="def inc(n): return n + 1\n",
    entry_point="inc",
)
PAIRS: list[tuple[Problem, str]] = [
    (problem(1), RIGHT),
    (problem(1), WRONG),
    (problem(1), "1/0"),
    (problem(1), "x = '\ud800'"),
    (stdin_problem(("1", "1"), reference="print(1)", id="reference"), "print(1)"),
    (function_problem("inc", ([1], 2), ([2], 3)), "def inc(n): return n + 1"),
    (assert_problem("inc", "assert inc(1) == 2", "assert inc(2) == 3"), "def inc(n): return 2"),
    (PYTEST, "def inc(n): return n + 1"),
    (PYTEST, "def inc(n): return 2"),
]


def solution(number: int, code: str) -> Solution:
    return Solution(problem_id=f"p{number}", id=f"s{number}", code=code)


def slow(number: int, seconds: float = 0.15) -> Solution:
    return solution(number, f"import time\ntime.sleep({seconds})\n{RIGHT if number % 2 else WRONG}")


def without_time(judgement: Judgement) -> dict[str, Any]:
    return {name: value for name, value in vars(judgement).items() if name != "seconds"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "remote-judge"]


# --- as a judge here --------------------------------------------------------------------------------------------------------------


def test_it_says_what_a_judge_here_says(served: Served, judge: Judge) -> None:
    with contextlib.closing(RemoteJudge([served.url])) as remote:
        futures = [remote.submit(problem, solution(n, code)) for n, (problem, code) in enumerate(PAIRS)]
        for n, (problem, code) in enumerate(PAIRS):
            assert without_time(futures[n].result()) == without_time(judge.judge(problem, solution(n, code)))


def test_it_judges_under_its_policy_and_with_what_is_known(served: Served) -> None:
    tests = stdin_problem(*((f"{n}\n", f"{min(n, 2)}\n") for n in range(4)))
    for threshold, verdict in ((0.5, True), (0.8, False)):
        with contextlib.closing(RemoteJudge([served.url], policy=Policy(threshold=threshold))) as remote:
            assert remote.submit(tests, solution(1, "print(input())")).result().verdict is verdict
            known = Calibration(reference_cpu_s=0.0, fault="")
            assert remote.submit(tests, solution(1, "print(input())"), known=known).result().limit_from == "reference"


def test_it_is_asked_from_an_event_loop(served: Served) -> None:
    async def all_of_them() -> list[Judgement]:
        with contextlib.closing(RemoteJudge([served.url])) as remote:
            return await asyncio.gather(
                *(remote.ajudge(problem(n), solution(n, RIGHT if n % 2 else WRONG)) for n in range(20))
            )

    assert [one.verdict for one in asyncio.run(all_of_them())] == [n % 2 == 1 for n in range(20)]


def test_a_wrong_problem_is_an_input_error_at_once(served: Served) -> None:
    with contextlib.closing(RemoteJudge([served.url])) as remote:
        begun = time.monotonic()
        with pytest.raises(InputError, match=r"problem\.tests: expected at least one test"):
            remote.submit(stdin_problem(), solution(1, RIGHT)).result()
        with (
            contextlib.closing(RemoteJudge([served.url], policy=Policy(libraries=("scipy",)))) as other,
            pytest.raises(InputError, match="libraries: expected"),
        ):
            other.submit(problem(1), solution(1, RIGHT)).result()
        assert time.monotonic() - begun < 5


def test_a_wrong_token_is_an_input_error_and_the_right_one_is_let_in(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1, token="s3cret") as one:
        for token in (None, "other"):
            with (
                contextlib.closing(RemoteJudge([one.url], token=token)) as remote,
                pytest.raises(InputError, match="401"),
            ):
                remote.submit(problem(1), solution(1, RIGHT)).result()
        with contextlib.closing(RemoteJudge([one.url + "/"], token="s3cret")) as remote:
            assert remote.submit(problem(1), solution(1, RIGHT)).result().verdict is True


@pytest.mark.parametrize(
    "address", ["", "localhost:8000", "ftp://x", "http://", "http://x:port", "http://x:99999", "http://x?a"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="addresses: expected http://host:port"):
        RemoteJudge([address])
    with pytest.raises(InputError, match="addresses: expected at least one"):
        RemoteJudge([])


# --- load, and what fails ---------------------------------------------------------------------------------------------------------


def test_where_it_is_full_it_asks_again(tmp_path: Path) -> None:
    """It is answered 429, and a client that took that for an answer would have lost most of these."""
    with (
        serving(tmp_path, "--jobs", 1, "--queue", 3) as one,
        contextlib.closing(RemoteJudge([one.url], concurrency=16)) as remote,
    ):
        futures = [remote.submit(problem(n), solution(n, RIGHT if n % 2 else WRONG)) for n in range(24)]
        assert [future.result(120).verdict for future in futures] == [n % 2 == 1 for n in range(24)]


def test_a_server_that_is_killed_costs_no_verdict_where_there_is_another(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--jobs", 1) as first,
        serving(tmp_path, "--jobs", 1) as second,
        contextlib.closing(RemoteJudge([first.url, second.url])) as remote,
    ):
        futures = [remote.submit(problem(n), slow(n)) for n in range(16)]
        assert wait_until(lambda: all(one.health()["admitted"] > 2 for one in (first, second)))
        first.process.kill()
        for n, future in enumerate(futures):
            judgement = future.result(120)
            assert judgement.verdict is (n % 2 == 1) and judgement.problem_id == f"p{n}"


def test_a_server_that_is_killed_alone_is_unavailable_and_no_verdict(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1) as one, contextlib.closing(RemoteJudge([one.url], timeout_s=6)) as remote:
        futures = [remote.submit(problem(n), slow(n)) for n in range(12)]
        assert wait_until(lambda: futures[1].done())
        one.process.kill()
        found = [outcome(future) for future in futures]
        assert all(one in (n % 2 == 1, "unavailable") for n, one in enumerate(found)), found
        assert found.count("unavailable") >= 6


def outcome(future: Future[Judgement]) -> bool | str | None:
    try:
        return future.result(60).verdict
    except ServiceUnavailable as error:
        assert (
            "no judgement of solution s" in str(error) and "http://127.0.0.1:" in str(error) and "\n" not in str(error)
        )
        return "unavailable"


def test_a_server_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.closing(RemoteJudge([f"http://127.0.0.1:{port}"])) as remote:
        future = remote.submit(problem(1), solution(1, RIGHT))
        time.sleep(1)
        assert not future.done()
        with serving(tmp_path, "--jobs", 1, port=port):
            assert future.result(60).verdict is True


def test_an_address_that_fails_is_left_alone(served: Served) -> None:
    with contextlib.closing(RemoteJudge([f"http://127.0.0.1:{free_port()}", served.url])) as remote:
        begun = time.monotonic()
        futures = [remote.submit(problem(n), solution(n, RIGHT)) for n in range(30)]
        assert all(future.result().verdict is True for future in futures) and time.monotonic() - begun < 20


class Odd(http.server.BaseHTTPRequestHandler):
    """What stands at an address, and is no judge."""

    answers: tuple[int, bytes, dict[str, str]] = 200, b"", {}
    hangs = False
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.hangs:
            time.sleep(3)
        status, body, headers = self.answers
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def odd(**settings: Any) -> Iterator[tuple[str, type[Odd]]]:
    handler = type("One", (Odd,), settings)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()


def judged(**changes: Any) -> bytes:
    cells = {
        "problem_id": "p1", "solution_id": "s1", "verdict": True, "pass_rate": 1.0, "n_tests": 2, "n_passed": 2,
        "n_inconclusive": 0, "outcomes": ["passed", "passed"], "limit_from": "default", "tamper_proof": True,
        "isolation": "batch", "reason": "", "seconds": 0.1, "sandbox": "local",
    }  # fmt: skip
    return json.dumps({"judgements": [{**cells, **changes}]}).encode()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ((200, b"<html>", {}), "a JSON object"),
        ((200, b'{"judgements": []}', {}), "0 judgements"),
        ((200, judged(solution_id="s2"), {}), "a judgement of another solution"),
        ((200, judged(problem_id="p2"), {}), "a judgement of another solution"),
        ((200, judged(n_tests=3), {}), "a judgement of another solution"),
        ((200, judged(verdict="yes"), {}), "verdict"),
        ((200, judged(outcomes=["passed", "fine"]), {}), "outcomes[1]"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), "302"),
        ((500, b"", {}), "500"),
        ((502, b"<html>bad gateway", {}), "502"),
        ((503, b'{"error": "the service is ending"}', {"Retry-After": "1"}), "the service is ending (503)"),
        ((429, b"", {"Retry-After": "99999"}), "429"),
        ((429, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "429"),
    ],
)
def test_what_is_no_judgement_is_never_one(what: Any, told: str) -> None:
    with odd(answers=what) as (url, handler), contextlib.closing(RemoteJudge([url], timeout_s=1.5)) as remote:
        begun = time.monotonic()
        with pytest.raises(ServiceUnavailable) as caught:
            remote.submit(problem(1), solution(1, RIGHT)).result(30)
        assert told in str(caught.value) and 1.0 < time.monotonic() - begun < 5
        assert handler.asked < 20


def test_the_odd_server_is_believed_where_it_is_right() -> None:
    with odd(answers=(200, judged(), {})) as (url, _), contextlib.closing(RemoteJudge([url], timeout_s=5)) as remote:
        assert remote.submit(problem(1), solution(1, RIGHT)).result(30).verdict is True


def test_the_time_that_there_is_counts_from_the_submission() -> None:
    """Also for those that wait behind others."""
    with odd(hangs=True) as (url, _), contextlib.closing(RemoteJudge([url], timeout_s=1, concurrency=1)) as remote:
        begun = time.monotonic()
        futures = [remote.submit(problem(n), solution(n, RIGHT)) for n in range(3)]
        errors = [future.exception(30) for future in futures]
        assert time.monotonic() - begun < 2.5 and all(isinstance(error, ServiceUnavailable) for error in errors)
        assert "no answer yet" in str(errors[0]) and "others were waiting before it" in str(errors[2])


# --- threads, forks, ends ---------------------------------------------------------------------------------------------------------


def test_there_is_one_thread_from_the_first_submission_to_the_end(served: Served) -> None:
    assert threads() == []
    remote = RemoteJudge([served.url])
    assert threads() == []
    assert remote.submit(problem(1), solution(1, RIGHT)).result().verdict is True
    assert threads() == ["remote-judge"]
    remote.close()
    remote.close()
    assert threads() == []
    with pytest.raises(ServiceUnavailable, match="closed"):
        remote.submit(problem(1), solution(1, RIGHT))


def test_what_is_under_way_when_it_is_closed_is_unavailable() -> None:
    with odd(hangs=True) as (url, _):
        remote = RemoteJudge([url], concurrency=2)
        futures = [remote.submit(problem(n), solution(n, RIGHT)) for n in range(5)]
        time.sleep(0.3)
        remote.close()
        for future in futures:
            with pytest.raises(ServiceUnavailable, match="closed"):
                future.result(5)


def test_a_judge_that_nobody_holds_ends_and_not_before_its_work(served: Served) -> None:
    future = RemoteJudge([served.url]).submit(problem(1), slow(1))  # no assertion, which would hold the judge
    assert future.result(30).verdict is True
    del future
    assert wait_until(lambda: threads() == [])


def test_a_future_that_is_cancelled_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", 1) as one, contextlib.closing(RemoteJudge([one.url])) as remote:
        running = remote.submit(problem(1), slow(1, 1.0))
        assert wait_until(lambda: one.health()["running"] == 1)
        waiting = remote.submit(problem(3), slow(3))
        assert wait_until(lambda: one.health()["waiting"] == 1)
        assert waiting.cancel() and wait_until(lambda: one.health()["waiting"] == 0, 5)
        assert running.result(30).verdict is True


def test_a_forked_child_has_connections_of_its_own(served: Served) -> None:
    with contextlib.closing(RemoteJudge([served.url])) as remote:
        assert remote.submit(problem(1), solution(1, RIGHT)).result().verdict is True
        under_way = [remote.submit(problem(n), slow(n)) for n in range(6)]
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                verdicts = [remote.submit(problem(n), solution(n, RIGHT)).result(30).verdict for n in range(3)]
                remote.close()
                status = 0 if verdicts == [True] * 3 else 2
            os._exit(status)
        assert [future.result(60).verdict for future in under_way] == [n % 2 == 1 for n in range(6)]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert remote.submit(problem(1), solution(1, RIGHT)).result(30).verdict is True


PROGRAM = """
import sys, threading, time
from crl_data.service.client import RemoteJudge
from tests.service.test_client import problem, solution, RIGHT
remote = RemoteJudge([sys.argv[1]])
"""
ENDS = {
    "asks nothing": "",
    "does not wait": "remote.submit(problem(1), solution(1, RIGHT))",
    "waits in a thread": (
        "future = remote.submit(problem(1), solution(1, RIGHT))\n"
        "threading.Thread(target=lambda: print(type(future.exception()).__name__)).start()\ntime.sleep(0.5)"
    ),
    "waits in a pool": (
        "from concurrent.futures import ThreadPoolExecutor\nfuture = remote.submit(problem(1), solution(1, RIGHT))\n"
        "ThreadPoolExecutor().submit(lambda: print(type(future.exception()).__name__))\ntime.sleep(0.5)"
    ),
    "submits at exit": (
        "import atexit\n"
        "def late():\n    try: remote.submit(problem(1), solution(1, RIGHT)); print('submitted')\n"
        "    except Exception as error: print(type(error).__name__)\n"
        "atexit.register(late)"
    ),
    "forks": (
        "import os\nremote.submit(problem(1), solution(1, RIGHT))\ntime.sleep(0.3)\nchild = os.fork()\n"
        "if child: assert os.waitpid(child, 0)[1] == 0"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_ends_does_not_wait_for_an_answer(end: str) -> None:
    """The address takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM + ENDS[end], url],
            capture_output=True, text=True, timeout=30, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in (
        ("ServiceUnavailable\n",)
        if "waits in" in end
        else ("", "submitted\n", "ServiceUnavailable\n", "RuntimeError\n")
    )


@pytest.mark.slow
def test_ten_thousand_calls_leave_nothing(served: Served) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with contextlib.closing(RemoteJudge([served.url])) as remote:
        for _ in range(100):
            remote.submit(problem(1), solution(1, RIGHT)).result()
        before, memory = descriptors(), resident_mb()
        for start in range(0, 10_000, 1000):
            futures = [remote.submit(problem(n), solution(n, RIGHT)) for n in range(start, start + 1000)]
            assert all(future.result().verdict is True for future in futures)
        assert descriptors() <= before + 2 and resident_mb() < memory + 40
        assert served.health()["admitted"] == 0


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def test_a_server_that_is_ended_in_good_order_costs_no_verdict(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--jobs", 1) as first,
        serving(tmp_path, "--jobs", 1) as second,
        contextlib.closing(RemoteJudge([first.url, second.url])) as remote,
    ):
        futures = [remote.submit(problem(n), slow(n)) for n in range(12)]
        assert wait_until(lambda: first.health()["running"] == 1)
        assert first.end(signal.SIGTERM)[0] == 130
        assert [future.result(60).verdict for future in futures] == [n % 2 == 1 for n in range(12)]
