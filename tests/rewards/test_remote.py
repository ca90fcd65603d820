"""Rewards whose judge is behind HTTP: the same numbers as here, and None where nobody answers."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError
from crl_data.rewards import judging, reward, solve_reward
from tests.conftest import PROBLEM_ROW, RIGHT_SUM
from tests.service.conftest import Served, serving

TESTS = PROBLEM_ROW["tests"]
RIGHT = f"```python\n{RIGHT_SUM}```"
HALF = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 0)\n```"
ENDLESS = "```python\nwhile True: pass\n```"
BUSY = f"```python\nimport time\nwhile time.process_time() < 0.3: pass\n{RIGHT_SUM}```"


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """The judges that a process keeps for its rewards end with each test here."""
    yield
    while judging._remote:
        judging._remote.popitem()[1].close()


def columns(n: int, **more: Any) -> dict[str, Any]:
    return {name: [value] * n for name, value in ({"tests": TESTS, "test_kind": "stdin"} | more).items()}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    folder = tmp_path_factory.mktemp("two")
    with serving(folder, "--jobs", 1) as first, serving(folder, "--jobs", 1, token="secret") as second:
        yield first, second


def nobody() -> str:
    """An address at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def test_the_numbers_are_those_of_a_judge_here(two: tuple[Served, Served]) -> None:
    said = [RIGHT, HALF, "I cannot.", ENDLESS, RIGHT, "```python\ndef (:\n```"]
    rows = columns(len(said), time_limit_s=0.25, solution=None, verdict=None)
    here = solve_reward(said, **rows)
    assert here == [1.0, pytest.approx(5 / 6), 0.0, None, 1.0, 0.0]
    for options in ({}, {"score": "all", "early_stop": True}, {"max_tests": 2}):
        there = reward("solve", judge=two[0].url, **options)
        assert there(said, **rows) == reward("solve", **options)(said, **rows)
    there = reward("solve", judge=two[1].url, token="secret", asynchronous=True)
    assert asyncio.run(there(said, **rows)) == here


def test_by_environment_and_with_several_addresses_one_of_which_is_dead(
    two: tuple[Served, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRL_REWARD_JUDGE", f"{nobody()}, {two[0].url}")
    assert solve_reward([RIGHT, HALF] * 8, **columns(16)) == [1.0, pytest.approx(5 / 6)] * 8


def test_nobody_is_none_and_never_zero() -> None:
    told: dict[str, float] = {}
    begun = time.monotonic()
    unheard = reward("solve", judge=[nobody(), nobody()], timeout_s=2)
    assert unheard([RIGHT, HALF, "I cannot."], **columns(3), log_metric=told.__setitem__) == [None] * 3
    assert 1 < time.monotonic() - begun < 10 and told["solve/inconclusive"] == 1.0
    worth = reward("solve", judge=nobody(), timeout_s=1, on_inconclusive=0.5)
    assert worth([RIGHT], **columns(1)) == [0.5]


def test_a_wrong_token_is_said_at_once(two: tuple[Served, Served]) -> None:
    with pytest.raises(InputError, match="401"):
        reward("solve", judge=two[1].url, token="guess", timeout_s=30)([RIGHT], **columns(1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_judge_that_ends_in_the_middle_costs_no_reward(number: signal.Signals, tmp_path: Path) -> None:
    """The other one takes over; with none left the rest is None."""
    with serving(tmp_path, "--jobs", 1) as first, serving(tmp_path, "--jobs", 1) as second:
        both = reward("solve", judge=[first.url, second.url], timeout_s=60)
        threading.Timer(1.0, lambda: first.process.send_signal(number)).start()
        assert both([BUSY] * 6, **columns(6, tests=TESTS[:1], time_limit_s=8.0)) == [1.0] * 6
        one = reward("solve", judge=second.url, timeout_s=5)
        threading.Timer(1.0, lambda: second.process.send_signal(number)).start()
        found = one([BUSY] * 12, **columns(12, tests=TESTS[:1], time_limit_s=8.0))
        assert set(found) <= {1.0, None} and None in found
