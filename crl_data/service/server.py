"""The judge as a service: one warm `Judge` behind HTTP.

    POST /judge      a problem and solutions in, judgements out (`wire`)
    POST /run_code   a program and its input in, what it printed out: SandboxFusion's protocol
    GET  /health     what is running, waiting and offered

It says which request is taken up and when it is given up; what a verdict is, the judge knows. A request that is admitted is
answered. Load is met by admission, and never by a time-out that would look like a failure of the solution: docs/serving.md
says what a client sees.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import logging
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from crl_data.errors import CrlError, InputError, TestsUnfit, WorkError
from crl_data.judging import JUDGE_VERSION, Judge
from crl_data.service import wire

ADMITTED_PER_JOB = 64
RETRY_AFTER_S = 1
GRACE_S = 10.0  # at the end, for what is running by then
_HELD = 4096  # programs that wait to be admitted, where there are descriptors for so many
_TRANSPORT_S = 10.0  # what verl waits for an answer beyond the time-outs that it names (its API_TIMEOUT)
_MARGIN_S = 2.0  # by which an answer comes before whoever asked goes
_KEPT_S = 15.0  # a place in the line, for whoever was told to ask again
_BACKLOG = 1024

Result = TypeVar("Result")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger(__name__)
_of_clients = logging.Logger("crl_data.service.clients")  # what is no HTTP is their fault; nobody is told, but they
_of_clients.addHandler(logging.NullHandler())


class Service:
    """Answers requests by one judge. It does not own the judge: whoever opened it closes it.

    queue: how many requests are admitted, running and waiting together; None: 64 for each job of the judge.
    token: what a request must bring; None: nothing. version: what `/health` says.
    """

    def __init__(self, judge: Judge, *, queue: int | None = None, token: str | None = None, version: str = "") -> None:
        self.judge = judge
        self.admitted_limit = queue or ADMITTED_PER_JOB * judge.jobs
        self._token = token
        self._version = version
        self._room = asyncio.Semaphore(self.admitted_limit)
        self._admitted = 0
        self._held_limit = min(_HELD, _open_files() // 2)
        self._held: set[asyncio.Task[Any]] = set()  # programs that wait to be admitted
        self._works: set[asyncio.Task[Any]] = set()
        self._futures: set[Future[Any]] = set()
        self._kept: dict[bytes, list[asyncio.Task[wire.RunCodeResponse]]] = {}
        self._ending = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=wire.MAX_BODY_MB << 20, middlewares=[self._guard])
        app.router.add_post("/judge", self._judge)
        app.router.add_post("/run_code", self._run_code)
        app.router.add_get("/health", self._health)
        return app

    async def end(self, grace_s: float = GRACE_S) -> None:
        """Take nothing up any more; give up at once what has not begun, and after `grace_s` what has not ended."""
        self._ending = True
        for held in list(self._held):
            held.cancel()
        for future in list(self._futures):
            future.cancel()  # one that runs goes on
        if self._works:
            await asyncio.wait(self._works, timeout=grace_s)
        self.give_up()

    def give_up(self) -> None:
        """Wait for nothing any more."""
        for work in list(self._works):
            work.cancel()

    # --- who may ask, and what goes wrong -----------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let in who may ask, and turn what goes wrong into an answer that says so."""
        if self._token is not None and not _brings(request.headers.get("Authorization", ""), self._token):
            if request.method == "GET" and request.path == "/health":
                return web.json_response({"alive": True})
            return _refused(401, "expected `Authorization: Bearer TOKEN` with the service's token, got none or another")
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return _refused(413, f"expected a body of at most {wire.MAX_BODY_MB} MB, got a larger one")
        except web.HTTPException as error:
            return _refused(error.status, f"{request.method} {request.path}: {error.reason}")
        except InputError as error:
            return web.json_response(wire.error_cells(error), status=400)
        except TestsUnfit as error:
            return web.json_response(wire.error_cells(error), status=422)
        except CrlError as error:  # a runner that died too often, an engine that is gone, the end of the service
            return _refused(503, str(error))
        except Exception as error:
            _log.error("%s %s: %s: %s", request.method, request.path, type(error).__name__, error)
            return _refused(500, f"{type(error).__name__}: {error} (a fault of crl-data itself)")

    # --- the endpoints ------------------------------------------------------------------------------------------------

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response(self.health())

    def health(self) -> dict[str, Any]:
        """What is running, waiting and offered. `running` and `waiting` are solutions and programs, the others requests."""
        futures = list(self._futures)
        running = sum(future.running() for future in futures)
        sandbox = self.judge.sandbox
        return {
            "alive": True,
            "version": self._version,
            "judge_version": JUDGE_VERSION,
            "jobs": self.judge.jobs,
            "running": running,
            "waiting": len(futures) - running,
            "admitted": self._admitted,
            "admitted_limit": self.admitted_limit,
            "held": len(self._held),
            "backend": sandbox.backend,
            "walls": list(sandbox.walls),
            "lacking": list(sandbox.lacking),
            "runtime": sandbox.runtime,
            "libraries": list(self.judge.policy.libraries),
        }

    async def _judge(self, request: web.Request) -> web.Response:
        self._must_go_on()
        if not self._room.locked():
            body = await request.read()
            if not self._room.locked():
                await self._enter()  # at once
                work = self._start(self._judged(body))
                work.add_done_callback(lambda _: self._leave())
                return web.Response(body=await self._answered(work), content_type=_JSON)
        return _refused(
            429, f"{self.admitted_limit} requests are admitted, and another only when one of them is answered"
        )

    async def _judged(self, body: bytes) -> bytes:
        wanted = await asyncio.to_thread(wire.judge_request, body, self.judge.policy)
        judge = self.judge.under(wanted.policy)
        self._must_go_on()
        judgements = await self._all(
            [judge.submit(wanted.problem, solution, known=wanted.known) for solution in wanted.solutions]
        )
        return await asyncio.to_thread(wire.judge_answer, judgements)

    async def _run_code(self, request: web.Request) -> web.Response:
        """Run a program, in SandboxFusion's terms.

        Its clients take 429 for a failure of the program (verl) and wait for a time that they name: so a program waits to
        be admitted, and shortly before whoever asked would go it is told to ask again (504, which verl and SandboxFusion's
        own client do). Its place in the line is kept for whoever asks the same again.
        """
        self._must_go_on()
        body = await request.read()
        try:
            wanted = wire.RunCodeRequest.model_validate(await asyncio.to_thread(json.loads, body))
        except ValidationError as error:
            faults = [{"type": e["type"], "loc": ["body", *e["loc"]], "msg": e["msg"]} for e in error.errors()]
            return web.json_response({"detail": faults}, status=422)
        except (ValueError, RecursionError) as error:
            faults = [{"type": "json_invalid", "loc": ["body"], "msg": f"JSON decode error: {error}"}]
            return web.json_response({"detail": faults}, status=422)
        unsupported = wanted.unsupported()
        if unsupported:
            return _model(wire.RunCodeResponse(status="SandboxError", message=unsupported))
        key = hashlib.sha256(body).digest()
        work = self._kept_place(key)
        if work is None:
            if len(self._held) >= self._held_limit:
                return _refused(504, f"{self._held_limit} programs wait to be admitted")
            work = self._start(self._ran(wanted))
        patience_s = max(wanted.compile_timeout + wanted.run_timeout + _TRANSPORT_S - _MARGIN_S, _MARGIN_S)
        try:
            return _model(await self._answered(work, patience_s))
        except TimeoutError:
            self._keep_place(key, work)
            return _refused(504, f"not answered within {patience_s:g} s: ask again, your place in the line is kept")

    async def _ran(self, wanted: wire.RunCodeRequest) -> wire.RunCodeResponse:
        this = asyncio.current_task()
        assert this is not None
        self._held.add(this)
        try:
            await self._enter()
        finally:
            self._held.discard(this)
        try:
            self._must_go_on()
            limits = wanted.limits(self.judge.policy.memory_limit_mb)
            (seen,) = await self._all([self.judge.run(wanted.code, (wanted.stdin or "").encode(), limits)])
            return await asyncio.to_thread(wire.run_code_response, seen)
        except CrlError as error:
            self._must_go_on()
            return wire.RunCodeResponse(status="SandboxError", message=str(error))
        finally:
            self._leave()

    def _kept_place(self, key: bytes) -> asyncio.Task[wire.RunCodeResponse] | None:
        kept = self._kept.get(key, [])
        work = kept.pop(0) if kept else None
        if not kept:
            self._kept.pop(key, None)
        return work

    def _keep_place(self, key: bytes, work: asyncio.Task[wire.RunCodeResponse]) -> None:
        self._kept.setdefault(key, []).append(work)

        def forget() -> None:
            kept = self._kept.get(key, [])
            if work in kept:
                kept.remove(work)
                work.cancel()
            if not kept:
                self._kept.pop(key, None)

        asyncio.get_running_loop().call_later(_KEPT_S, forget)

    # --- admission, and work ------------------------------------------------------------------------------------------

    async def _enter(self) -> None:
        await self._room.acquire()
        self._admitted += 1

    def _leave(self) -> None:
        self._admitted -= 1
        self._room.release()

    def _must_go_on(self) -> None:
        if self._ending:
            raise WorkError("the service is ending")

    def _start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Work that goes on whatever becomes of the request, until it is cancelled."""
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return task

    async def _answered(self, work: asyncio.Task[Result], patience_s: float | None = None) -> Result:
        """The result of work. Where the client goes away it is given up. Raises `TimeoutError`, and the work goes on."""
        try:
            done, _ = await asyncio.wait({work}, timeout=patience_s)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if not done:
            raise TimeoutError
        if work.cancelled():
            raise WorkError("the service is ending")
        return work.result()

    async def _all(self, futures: Sequence[Future[Result]]) -> list[Result]:
        """The results of the judge's futures. Where they are not wanted any more, what has not begun is dropped."""
        for future in futures:
            self._futures.add(future)
            future.add_done_callback(self._futures.discard)
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            for future in futures:
                future.cancel()


_JSON = "application/json"


def _refused(status: int, why: str) -> web.Response:
    """An answer without a result; those that are worth another try say when."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503, 504) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response({"error": why}, status=status, headers=headers)


def _model(response: wire.RunCodeResponse) -> web.Response:
    return web.json_response(response.model_dump())


def _brings(authorization: str, token: str) -> bool:
    """Whether a header holds the token: as `Bearer`, or as the password of `Basic`, for clients that know only addresses
    (`http://user:TOKEN@host:port/run_code`)."""
    kind, _, told = authorization.partition(" ")
    told = told.strip()
    if kind.lower() == "basic":
        try:
            told = base64.b64decode(told, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(told.encode("utf-8", "surrogateescape"), token.encode())


def _open_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


# --- the socket, and the end ------------------------------------------------------------------------------------------


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet. Raises `InputError` for an address that is none, `WorkError` for one
    that cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host: expected the name or address of this machine, got {host!r} ({error})") from None
    one = socket.socket(family, kind, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(address)
    except OSError as error:
        one.close()
        raise WorkError(f"{host}:{port}: cannot listen there: {error.strerror or error}") from None
    return one


def serve(service: Callable[[], Service], at: socket.socket, ready: Callable[[Service], None]) -> None:
    """Answer requests until the signals INT or TERM come; a second one ends the waiting for what is running.

    service: makes what answers, in the event loop. ready: called when the first request can come.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(_serve(service, at, ready))
    finally:
        signal.signal(signal.SIGTERM, before)


async def _serve(make: Callable[[], Service], at: socket.socket, ready: Callable[[Service], None]) -> None:
    service = make()
    ended = asyncio.Event()

    def end() -> None:
        if ended.is_set():
            service.give_up()
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    runner = web.AppRunner(
        service.app(), access_log=None, logger=_of_clients, handler_cancellation=True, shutdown_timeout=_MARGIN_S
    )
    await runner.setup()
    try:
        site = web.SockSite(runner, at, backlog=_BACKLOG)
        await site.start()
        ready(service)
        await ended.wait()
        with contextlib.suppress(RuntimeError):  # it is not listening any more
            await site.stop()
        await service.end()
    finally:
        await runner.cleanup()
