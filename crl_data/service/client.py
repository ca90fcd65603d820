"""A judge behind HTTP, asked as a `Judge` is: `submit` gives a future, `ajudge` is for an event loop.

It shares work among several addresses, waits where they are full, and asks again where one fails. What cannot be found out
in the time that there is comes to `ServiceUnavailable`, and never to a verdict. It starts no process and forks none: one
thread with an event loop, when the first solution is submitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from crl_data.errors import InputError, RowError, ServiceUnavailable, TestsUnfit
from crl_data.judging import Policy
from crl_data.judging.limits import Calibration
from crl_data.service import wire
from crl_data.types import Judgement, Problem, Solution

_CONNECT_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}  # a machine that is gone is noticed in 30 s
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})  # of 4xx

# Before the interpreter waits for threads: one of them could be waiting for us.
_at_exit: Callable[..., object] = getattr(threading, "_register_atexit", lambda *_: None)


class RemoteJudge:
    """A judge behind HTTP (`crl-data serve`), at one address or several; safe to use from many threads.

    addresses: as `http://host:8000`. token: what they ask for. policy: None: each address's own.
    timeout_s: from `submit` until the future has a result, waiting included, however many there are before it.
    concurrency: so many requests are under way at once; the others wait here.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        token: str | None = None,
        policy: Policy | None = None,
        timeout_s: float = 600.0,
        concurrency: int = 32,
    ) -> None:
        if not addresses:
            raise InputError("addresses: expected at least one, as http://host:8000, got none")
        self._addresses = tuple(map(_address, addresses))
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._policy = policy
        self._timeout_s = timeout_s
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._closed = False
        _living.add(self)

    def submit(self, problem: Problem, solution: Solution, *, known: Calibration | None = None) -> Future[Judgement]:
        """Judge one in the background.

        The future raises `ServiceUnavailable` where no address gave a judgement in time, `InputError` where an address says
        that what it was asked is wrong, `TestsUnfit` as a judge here would.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._lock:
            if self._closed:
                raise ServiceUnavailable("the judge was closed")
            if self._link is None:
                self._link = _Link(self._addresses, self._headers, self._concurrency)
                with contextlib.suppress(RuntimeError):  # the interpreter is ending already
                    _at_exit(_end, weakref.ref(self._link), os.getpid())
                weakref.finalize(self, self._link.end).atexit = False
            future = self._link.submit(problem, solution, self._policy, known, deadline)
        future.add_done_callback(self._keep)  # it is not let go of while anything is under way
        return future

    async def ajudge(self, problem: Problem, solution: Solution) -> Judgement:
        """`submit`, for use in an event loop."""
        return await asyncio.wrap_future(self.submit(problem, solution))

    def close(self) -> None:
        """Give up what is under way (`ServiceUnavailable`), and end the thread. A second time does nothing."""
        with self._lock:
            self._closed = True
            link, self._link = self._link, None
        if link is not None:
            link.end()

    def _keep(self, future: Future[Judgement]) -> None:
        """A future that holds this holds its judge."""

    def _forked(self) -> None:
        """In a child that was forked there is no thread of ours, and the lock may be held by one that is not there."""
        self._lock = threading.Lock()
        if self._link is not None:
            self._link.forget()
        self._link = None


_living: weakref.WeakSet[RemoteJudge] = weakref.WeakSet()


def _after_fork() -> None:
    for judge in list(_living):
        judge._forked()


os.register_at_fork(after_in_child=_after_fork)


def _end(link: weakref.ref[_Link], owner: int) -> None:
    one = link()
    if one is not None and os.getpid() == owner:
        one.end()


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment:
        raise InputError(f"addresses: expected http://host:port, got {text!r}")
    return text.rstrip("/")


@dataclass
class _Server:
    """One address: how many requests it has of ours, and until when it is left alone."""

    address: str
    under_way: int = 0
    rests_until: float = 0.0
    failures: int = 0  # in a row

    def failed(self) -> None:
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(self.failures, 10), _LONGEST_PAUSE_S)
        self.failures += 1
        self.rest(pause_s)

    def rest(self, seconds: float) -> None:
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)


class _Failed(Exception):
    """An attempt that came to nothing, and that is worth another."""


class _Full(_Failed):
    """The service admits no more for so many seconds."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        super().__init__("it admits no more requests (429)")


class _Link:
    """The thread, its event loop and its connections; made where it is used, since a fork has none of them."""

    def __init__(self, addresses: Sequence[str], headers: dict[str, str], concurrency: int) -> None:
        self._servers = [_Server(address) for address in addresses]
        self._headers = headers
        self._slots = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = False
        self._owner = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="remote-judge", daemon=True)
        self._thread.start()

    def submit(
        self, problem: Problem, solution: Solution, policy: Policy | None, known: Calibration | None, deadline: float
    ) -> Future[Judgement]:
        return asyncio.run_coroutine_threadsafe(self._judged(problem, solution, policy, known, deadline), self._loop)

    def end(self) -> None:
        """From any thread: give up all that is under way, and wait for the thread."""
        if self._ended or os.getpid() != self._owner:
            return
        self._ended = True
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._end()))
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def forget(self) -> None:
        """In a forked child: let go of the parent's connections without a word to anybody."""
        if self._session is not None:
            self._session.detach()

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._loop.stop()

    async def _judged(
        self, problem: Problem, solution: Solution, policy: Policy | None, known: Calibration | None, deadline: float
    ) -> Judgement:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        why = ["it was not asked yet: others were waiting before it"]
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)), self._slots:
                body = wire.judge_body(problem, [solution], policy, known)
                return await self._asked(body, problem, solution, why)
        except TimeoutError:
            raise ServiceUnavailable(
                f"no judgement of solution {solution.id} of problem {problem.id} in time from "
                f"{', '.join(server.address for server in self._servers)}: {why[0]}"
            ) from None
        except asyncio.CancelledError:
            if self._ended:
                raise ServiceUnavailable("the judge was closed") from None
            raise
        finally:
            self._tasks.discard(task)

    async def _asked(self, body: bytes, problem: Problem, solution: Solution, why: list[str]) -> Judgement:
        """Ask one address after another until there is a judgement; `why[0]` is what went wrong last."""
        while True:
            server = await self._free_server()
            server.under_way += 1
            why[0] = f"{server.address}: no answer yet"
            try:
                judgement = await self._attempt(server.address, body)
                _must_be_of(judgement, problem, solution)
            except _Full as error:
                server.rest(error.pause_s)
                why[0] = f"{server.address}: {error}"
            except (_Failed, RowError, aiohttp.ClientError, OSError) as error:
                server.failed()
                why[0] = f"{server.address}: {str(error) or type(error).__name__}"
            else:
                server.failures = 0
                return judgement
            finally:
                server.under_way -= 1

    async def _free_server(self) -> _Server:
        """Of the addresses that are not left alone the one with the least of ours to do."""
        while True:
            now = time.monotonic()
            free = [server for server in self._servers if server.rests_until <= now]
            if free:
                return min(free, key=lambda server: (server.under_way, random.random()))
            pause_s = min(server.rests_until for server in self._servers) - now
            await asyncio.sleep(pause_s + random.uniform(0.0, 0.05 + 0.1 * pause_s))  # not all at the same instant

    async def _attempt(self, address: str, body: bytes) -> Judgement:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=_socket),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                headers={**self._headers, "Content-Type": "application/json"},
            )
        async with self._session.post(f"{address}/judge", data=body, allow_redirects=False) as response:
            answer = await response.read()
            if response.status == 200:
                judgements = wire.judgements_of(answer)
                if len(judgements) != 1:
                    raise _Failed(f"{len(judgements)} judgements of one solution")
                return judgements[0]
            if response.status == 429:
                raise _Full(_retry_after(response.headers.get("Retry-After", "")))
            told = _error_of(answer) or response.reason or ""
            if response.status == 422:
                raise TestsUnfit(told)
            if 400 <= response.status < 500 and response.status not in _WORTH_ANOTHER_TRY:
                raise InputError(f"{address}/judge: {told} ({response.status})")
            raise _Failed(f"{told} ({response.status})")


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _must_be_of(judgement: Judgement, problem: Problem, solution: Solution) -> None:
    """Raises `_Failed` where an answer is to another question."""
    came = judgement.problem_id, judgement.solution_id, judgement.n_tests, len(judgement.outcomes)
    if came != (problem.id, solution.id, len(problem.tests), len(problem.tests)):
        raise _Failed(f"a judgement of another solution: {came}")


def _retry_after(text: str) -> float:
    seconds = float(text) if text.isascii() and text.isdecimal() else 1.0
    return min(seconds, _LONGEST_PAUSE_S)


def _error_of(answer: bytes) -> str:
    """What an answer says went wrong; empty where it is none of ours."""
    try:
        return wire.error_of(answer)
    except RowError:
        return ""


def _socket(info: Any) -> socket.socket:
    """A socket on which a machine that is gone is noticed, however long an answer may take."""
    family, kind, protocol, *_ = info
    one = socket.socket(family, kind, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return one
