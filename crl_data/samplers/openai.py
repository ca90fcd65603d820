"""Any OpenAI-compatible server, asked through the openai client: the model behind `sampler: openai`.

A response is kept as soon as it is known to be one, before anything else is done with it. There is one layer of retries, this
one: it honours Retry-After, for all requests and not only for the one that was told so. Keys come from the environment and go
into the header of a request, and nowhere else. What an answer is for, and where responses are kept, the caller says.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai

from crl_data.errors import BudgetSpent, CrlError, InputError, ServerGone, WorkError
from crl_data.samplers.budget import Cost
from crl_data.samplers.chat import NoCompletion, Response, read_response
from crl_data.samplers.kept import Asked, Piece
from crl_data.samplers.model import Answer, Request

OFFICIAL_URL = "https://api.openai.com/v1"
OFFICIAL_KEY = "OPENAI_API_KEY"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})  # of 4xx
_HOLD_ALL_BACK = frozenset({429, 503})
_SHORTEST_SECRET = 12  # a shorter key is a word such as EMPTY, which an answer may hold too

T = TypeVar("T")


class OpenAI:
    """A model behind a server; see `Model`.

    api_key_env: the variable of the environment that the key is in; None: OPENAI_API_KEY for OpenAI's own address, else none.
    timeout_s: for one request. retries, retry_s: a request that failed is sent again so often, and for so long.
    spent: what counts against the budget before anything is asked. tell: called with what a person should know.
    """

    def __init__(
        self,
        asked: Asked,
        *,
        base_url: str = OFFICIAL_URL,
        api_key_env: str | None = None,
        concurrency: int = 16,
        timeout_s: float = 600.0,
        retries: int = 6,
        retry_s: float = 600.0,
        spent: Cost | None = None,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.asked = asked
        self.sampler = asked.chat.sampler("openai")
        self.base_url = base_url
        self.place = urlsplit(base_url).netloc.rpartition("@")[2]
        self.key_name = api_key_env or (OFFICIAL_KEY if _is_official(base_url) else None)
        self.api_key = _key(self.key_name, self.place)
        self.concurrency = concurrency
        self.timeout_s = timeout_s
        self.retries = retries
        self.retry_s = retry_s
        self.spent = spent or Cost()
        self.tell = tell
        self.at_once: int | None = (
            None  # so many answers the server gives for one request, where it was seen to ignore n
        )

    def answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        """Each request with its answers, in order. See `Model`; raises `InputError` where the server refuses what is asked.

        At an error no other request is sent; what is under way is waited for and kept.
        """
        waiting: deque[tuple[Request, Future[tuple[Answer, ...]]]] = deque()
        source = iter(requests)
        with _Loop() as loop:
            run = _Run(self)
            loop.at_end(run.close)
            try:
                for request in source:
                    waiting.append((request, loop.submit(run.answer(request))))
                    if len(waiting) >= 4 * self.concurrency:
                        yield _taken(waiting)
                while waiting:
                    yield _taken(waiting)
            except CrlError as error:
                loop.call(run.stop, error)
                loop.drain()
                if isinstance(error, BudgetSpent):
                    raise BudgetSpent(f"{error}; {self._left(waiting, source)}") from None
                raise

    def _left(self, waiting: Iterable[tuple[Request, Any]], source: Iterator[Request]) -> str:
        """What is still to be asked, in words."""
        look = self.asked.look(request for part in ((one for one, _ in waiting), source) for request in part)
        return f"left to ask for are at least {look.answers:,} answers ({look.most.requests:,} requests)"

    def hidden(self, text: str) -> str:
        """A text of the server's without the key, should it say it again."""
        key = self.api_key or ""
        return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text

    def hidden_in_json(self, text: str) -> str:
        """The same of a response, in which a key such as `a/b` may stand as `a\\/b`: then it is written anew."""
        text = self.hidden(text)
        if not self.api_key or "\\" not in text:
            return text
        try:
            said = json.dumps(json.loads(text), ensure_ascii=False)
        except (ValueError, RecursionError):
            return text
        written = json.dumps(self.api_key)[1:-1]
        return said.replace(written, "[key]") if len(written) >= _SHORTEST_SECRET and written in said else text


def _taken(
    waiting: deque[tuple[Request, Future[tuple[Answer, ...]]]],
) -> tuple[Request, tuple[Answer, ...]]:
    answers = waiting[0][1].result()
    return waiting.popleft()[0], answers


def _is_official(base_url: str) -> bool:
    return f".{urlsplit(base_url).hostname or ''}".endswith(".openai.com")


def _key(name: str | None, place: str) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise InputError(
            f"{place}: expected its key in the variable {name} of the environment, got none: export {name}=..."
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):  # no header can hold it, and an error about the header would show it
        raise InputError(
            f"{place}: expected a key in the variable {name} of the environment, got blanks, line ends or other characters "
            "that no key has"
        )
    return key


# --- one run ----------------------------------------------------------------------------------------------------------


class _Failed(Exception):
    """An attempt that came to nothing, and that is worth another. after_s: how long the server asks to wait."""

    def __init__(self, why: str, after_s: float | None = None, everyone: bool = False) -> None:
        self.after_s = after_s
        self.everyone = everyone
        super().__init__(why)


class _Run:
    """What the requests of one call of `answers` have in common; lives in an event loop."""

    def __init__(self, model: OpenAI) -> None:
        self.model = model
        self.asked = model.asked
        self.purse = _Purse(model)
        self.slots = asyncio.Semaphore(model.concurrency)
        self.client: openai.AsyncOpenAI | None = None
        self.stopped: CrlError | None = None
        self.halted = asyncio.Event()
        self.rests_until = 0.0
        self.users: Counter[str] = Counter()
        self.locks: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        if self.client is not None:
            await self.client.close()

    def stop(self, error: CrlError) -> None:
        """Send nothing more: whatever would be sent raises this. Within the loop."""
        self.stopped = self.stopped or error
        self.halted.set()

    async def answer(self, request: Request) -> tuple[Answer, ...]:
        """All answers to a request: those that are kept, and the others asked for until they are there."""
        async with self._alone_with(self.asked.key(request)):
            while pieces := self.asked.pieces(request, self.model.at_once):
                done = await asyncio.gather(*map(self._ask, pieces), return_exceptions=True)
                for error in done:
                    if isinstance(error, BaseException):
                        raise error
            answers = self.asked.answers(request)
            assert answers is not None
            return answers

    @contextlib.asynccontextmanager
    async def _alone_with(self, key: str) -> Any:
        """Two requests that put the same question share its answers: one asks, the other finds them kept."""
        self.users[key] += 1
        try:
            async with self.locks.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self.users[key] -= 1
            if not self.users[key]:
                del self.users[key], self.locks[key]

    async def _ask(self, piece: Piece) -> None:
        """Send a request, again where that is worth it, and keep the response."""
        self.asked.kept.keep_question(piece.key, piece.asked)
        tries = 0
        tried_s = 0.0  # pauses and attempts since the first failed; waiting for a turn is no trying
        while True:
            try:
                async with self.slots:
                    await self._rest()
                    begun = time.monotonic()
                    await self._attempt(piece)
                    return
            except _Failed as error:
                pause_s = _pause_s(tries + 1, error.after_s)
                tried_s += pause_s + (time.monotonic() - begun if tries else 0.0)
                tries += 1
                if error.everyone:
                    self.rests_until = max(self.rests_until, time.monotonic() + pause_s)
                if tries > self.model.retries or tried_s > self.model.retry_s:
                    raise self._fatal(self._gone(error, tries, pause_s)) from None
            except CrlError as error:
                raise self._fatal(error) from None
            await self._sleep(pause_s)

    def _fatal(self, error: CrlError) -> CrlError:
        self.stop(error)
        return error

    def _gone(self, error: _Failed, tries: int, pause_s: float) -> ServerGone:
        times = "once" if tries == 1 else f"{tries} times"
        wait = f" (it asks to wait {pause_s:,.0f} s)" if error.after_s is not None else ""
        return ServerGone(
            f"{self.model.place}: no answer, asked {times}: {error}{wait}: what was answered is kept; "
            "run it again to go on (retries, retry_s and timeout_s of the sampler say how long it is tried)"
        )

    async def _rest(self) -> None:
        while (pause_s := self.rests_until - time.monotonic()) > 0 and self.stopped is None:
            await self._sleep(pause_s + random.uniform(0.0, 0.05 + 0.1 * pause_s))  # not all at the same instant

    async def _sleep(self, pause_s: float) -> None:
        """Wait, but no longer than until nothing more is sent."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.halted.wait(), pause_s)

    async def _attempt(self, piece: Piece) -> None:
        most = self.asked.most(piece)
        await self.purse.take(most)
        cost = Cost(requests=1)  # also of an attempt that fails
        try:
            if self.stopped is not None:
                cost = Cost()
                raise self.stopped
            text = self.model.hidden_in_json(await self._send(piece.body))
            try:
                response = read_response(text)
            except NoCompletion as error:
                cost = Cost(requests=1, prompt_tokens=error.prompt_tokens, output_tokens=error.output_tokens)
                raise _Failed(f"expected a chat completion, got {error}") from None
            self.asked.kept.keep_response(piece.key, piece.first, text)
            cost = self.asked.cost(response, piece.question)
        finally:
            await self.purse.settle(most, cost)
        self._notice(piece, response)

    def _notice(self, piece: Piece, response: Response) -> None:
        """A server that ignores `n` is not asked for more than it gives."""
        came = len(response.answers)
        if came < piece.count and (self.model.at_once is None or came < self.model.at_once):
            self.model.at_once = came
            self.model.tell(
                f"{self.model.place} gave {came} of {piece.count} answers that one request asked for: the others are asked "
                f"for again, {came} at a time"
            )

    async def _send(self, body: Mapping[str, Any]) -> str:
        """The text of a response. Raises `_Failed` or, where trying again is no use, an error of ours."""
        if self.client is None:
            self.client = self._open()
        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        try:
            async with asyncio.timeout(self.model.timeout_s):
                raw = await self.client.chat.completions.with_raw_response.create(
                    model=body["model"],
                    messages=body["messages"],
                    extra_body=rest,
                    extra_headers=self._withheld(),
                )
                return raw.text
        except (TimeoutError, openai.APITimeoutError):
            raise _Failed(f"no response in {self.model.timeout_s:g} s") from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIConnectionError as error:
            raise _Failed(self._said(error.__cause__ or error)) from None
        except UnicodeDecodeError:
            raise _Failed("a response that is no text") from None
        except openai.OpenAIError as error:
            raise WorkError(f"{self.model.place}: {self._said(error)}") from None

    def _open(self) -> openai.AsyncOpenAI:
        try:
            return openai.AsyncOpenAI(
                api_key=self.model.api_key or "none",
                base_url=self.model.base_url,
                max_retries=0,
                timeout=self.model.timeout_s,
            )
        except (
            Exception
        ) as error:  # whatever the libraries below raise of proxies and certificates, a password in it or not
            said = " ".join(str(error).split()) if isinstance(error, ImportError) else type(error).__name__
            raise InputError(
                f"{self.model.place}: no client can be opened ({said}): see the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, "
                "SSL_CERT_FILE and OPENAI_CUSTOM_HEADERS of the environment"
            ) from None

    def _withheld(self) -> dict[str, Any]:
        """What the client would send by itself, and what is not for this server."""
        names = [] if self.model.api_key else ["Authorization"]
        names += [] if _is_official(self.model.base_url) else ["OpenAI-Organization", "OpenAI-Project"]
        return {name: openai.Omit() for name in names}

    def _refused(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        said = f"{self._said(error)} ({status})" if error.message else f"status {status}"
        if (status in _WORTH_ANOTHER_TRY or status >= 500) and error.code != "insufficient_quota":
            return _Failed(said, _after_s(error.response.headers), status in _HOLD_ALL_BACK)
        name = self.model.key_name
        advice = {
            401: f"see the key in {name}" if name else "name the variable that holds its key: api_key_env",
            402: "the account has to be paid for",
            403: f"the key in {name} may not ask this" if name else "name the variable that holds its key: api_key_env",
            404: "see base_url (it ends in /v1 with most servers) and model",
            429: "the account has no quota left",
        }.get(status, "see model, max_tokens, extra_body and the length of the prompt")
        return InputError(f"{self.model.place} refuses what it is asked: {said}: {advice}")

    def _said(self, error: BaseException) -> str:
        """What an error says, in one line, without the key."""
        body = getattr(error, "body", None)
        inner = body.get("error", body) if isinstance(body, dict) else body
        told = inner.get("message") if isinstance(inner, dict) else inner
        text = told if isinstance(told, str) and told.strip() else str(error)
        text = " ".join(self.model.hidden(text).split()) or type(error).__name__
        return text if len(text) <= 300 else text[:297] + "..."


def _pause_s(tries: int, after_s: float | None) -> float:
    """How long to wait before the next try: as the server says, else twice as long each time, and not all at once."""
    if after_s is not None:
        return after_s + random.uniform(0.0, 0.1 * after_s)
    return random.uniform(0.5, 1.0) * min(_FIRST_PAUSE_S * 2.0 ** (tries - 1), _LONGEST_PAUSE_S)


def _after_s(headers: Mapping[str, str]) -> float | None:
    """What Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3); `retry-after-ms` is OpenAI's own."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", milliseconds):
        return float(milliseconds) / 1000
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    seconds = (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    return float(max(0.0, seconds - time.time()))


class _Purse:
    """What is spent, and what the requests under way may still cost. A request that could pass the budget is not sent."""

    def __init__(self, model: OpenAI) -> None:
        self.model = model
        self.under_way = Cost()
        self.changed = asyncio.Condition()

    async def take(self, most: Cost) -> None:
        """Set aside what a request may cost. Waits while only those under way could make it too much."""
        asked = self.model.asked
        async with self.changed:
            while asked.budget.passed_by(self.model.spent + self.under_way + most, asked.price):
                part = asked.budget.passed_by(self.model.spent + most, asked.price)
                if part is not None:
                    raise BudgetSpent(f"the budget of {part} is spent: {asked.told(self.model.spent)} so far")
                await self.changed.wait()
            self.under_way += most

    async def settle(self, most: Cost, cost: Cost) -> None:
        """Put what it did cost in the place of what it could."""
        async with self.changed:
            self.under_way -= most
            self.model.spent += cost
            self.changed.notify_all()


class _Loop:
    """An event loop in a thread of its own; a context manager, at whose end what is still under way is given up."""

    def __enter__(self) -> _Loop:
        self._loop = asyncio.new_event_loop()
        self._at_end: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._futures: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-requests", daemon=True)
        self._thread.start()
        return self

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def call(self, work: Callable[[T], object], value: T) -> None:
        self._loop.call_soon_threadsafe(work, value)

    def at_end(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._at_end.append(work)

    def drain(self) -> None:
        """Wait for what is under way, however it ends."""
        for future in list(self._futures):
            with contextlib.suppress(Exception):
                future.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for work in self._at_end:
            await work()
