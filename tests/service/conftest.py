"""What the tests of the service share: real servers in processes of their own, on loopback, and a plain HTTP client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crl_data.types import Problem
from tests.cli.conftest import start
from tests.conftest import stdin_problem

SLEEP = "import time\ntime.sleep({})\nprint(input())\n"


@dataclass
class Served:
    """A server, and the process that it is."""

    url: str
    port: int
    process: subprocess.Popen[str]
    token: str | None = None

    def ask(
        self, path: str, body: Any = None, *, token: str | None = None, timeout: float = 120.0
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of an answer; `body` is sent as JSON, or as it is where it is bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, dict(answer.headers), json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), json.load(error)

    def health(self) -> dict[str, Any]:
        status, _, cells = self.ask("/health", token=f"Bearer {self.token}" if self.token else None)
        assert status == 200
        found: dict[str, Any] = cells
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; its exit status, and what it said."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextlib.contextmanager
def serving(folder: Path, *options: object, token: str | None = None, port: int = 0) -> Iterator[Served]:
    environment = {name: value for name, value in os.environ.items() if name != "CRL_DATA_TOKEN"}
    process = start(
        "serve",
        "--port",
        port,
        "--json",
        *options,
        cwd=folder,
        env=environment | ({"CRL_DATA_TOKEN": token} if token else {}),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        cells = json.loads(line)
        yield Served(cells["url"], cells["port"], process, token)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of two jobs that nothing is asked of but what it offers."""
    with serving(tmp_path_factory.mktemp("served"), "--jobs", 2) as one:
        yield one


def request_of(number: int, code: str = "print(int(input()) + 1)", **more: Any) -> dict[str, Any]:
    """A request to judge, whose answer is known by its number."""
    return {
        "problem": {
            "id": f"p{number}",
            "question": "",
            "test_kind": "stdin",
            "tests": [{"input": str(number), "expected": str(number + 1)}],
            **more.pop("problem", {}),
        },
        "solutions": [{"id": f"s{number}", "code": code}],
        **more,
    }


def sleeper(seconds: float) -> dict[str, Any]:
    return request_of(0, f"import time\ntime.sleep({seconds})\nprint(1)\n", problem={"time_limit_s": 100})


def problem(number: int) -> Problem:
    return stdin_problem((f"{number}\n", f"{number + 1}\n"), (f"{number + 1}\n", f"{number + 2}\n"), id=f"p{number}")
