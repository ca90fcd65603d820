"""A server of chat completions on loopback, for tests: it answers as it is told to, and remembers what it was asked.

`python -m tests.samplers.server` starts one as a process of its own, prints its address, and counts requests in a file.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any


class Told(Exception):
    """What a `reply` raises to answer with a status, headers and a body; status 0 closes the connection without a word."""

    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        self.status = status
        self.body = (
            {"error": {"message": f"told to say {status}", "type": "test", "code": None}} if body is None else body
        )
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(status)


def words(body: dict[str, Any], number: int) -> str:
    """The text of an answer: a program that depends on the question and on the number of the answer, right for 0."""
    mark = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:8]
    code = "a, b = map(int, input().split())\nprint(a + b)" if number % 2 == 0 else "print(1)"
    return f"An answer.\n\n```python\n# {mark} {number} {body.get('seed')}\n{code}\n```\n"


def completion(body: dict[str, Any], texts: list[str | None], **more: Any) -> dict[str, Any]:
    """A chat completion with these answers, as OpenAI sends it. more: of every `message`; `finish_reason`, `usage`."""
    reason = more.pop("finish_reason", "stop")
    prompt = sum(len(one["content"].split()) for one in body["messages"])
    output = sum(len((text or "").split()) for text in texts)
    usage = more.pop("usage", {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output})
    choices = [
        {
            "index": place,
            "message": {"role": "assistant", "content": text, **more},
            "finish_reason": reason,
            "logprobs": None,
        }
        for place, text in enumerate(texts)
    ]
    made = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": choices}
    return made | ({} if usage is None else {"usage": usage})


class Held:
    """A reply that answers none from request number `at` on, until it is let go."""

    def __init__(self, reply: Callable[[dict[str, Any], Server], Any], at: int) -> None:
        self.reply, self.at = reply, at
        self._let_go = threading.Event()

    def __call__(self, body: dict[str, Any], server: Server) -> Any:
        if server.count >= self.at:
            self._let_go.wait(120)
        return self.reply(body, server)

    def kill(self, build: subprocess.Popen[bytes], server: Server) -> None:
        """Kill a build that waits for the answer to that request, and let it go."""
        deadline = time.monotonic() + 120
        while server.count < self.at and time.monotonic() < deadline:
            time.sleep(0.02)
        build.kill()
        build.wait()
        self._let_go.set()
        assert server.count == self.at


class Server:
    """A running server; a context manager. reply: gives the response to a body, or raises `Told`.

    Without one, every request has as many answers as it asks for, or at most `at_once`.
    """

    def __init__(
        self,
        reply: Callable[[dict[str, Any], Server], Any] | None = None,
        *,
        at_once: int | None = None,
        log: Path | None = None,
    ) -> None:
        self.reply = reply
        self.at_once = at_once
        self.log = log
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.under_way = self.most_under_way = 0
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._http = _Listening(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def count(self) -> int:
        return len(self.bodies)

    def answer(self, body: dict[str, Any], headers: dict[str, str]) -> Any:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self.reply(body, self) if self.reply is not None else self.given(body)
        finally:
            with self._lock:
                self.under_way -= 1

    def given(self, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A response with other answers each time that the same is asked."""
        count = min(body.get("n", 1), self.at_once or body.get("n", 1))
        name = json.dumps(body["messages"])
        with self._lock:
            first = self._numbers.get(name, 0)
            self._numbers[name] = first + count
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(json.dumps({"name": name, "first": first, "count": count}) + "\n")
        return completion(body, [words(body, number) for number in range(first, first + count)], **more)


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                self._send(404, {"error": {"message": f"no {self.path} here"}}, {})
                return
            try:
                self._send(
                    200,
                    server.answer(json.loads(text), {name.lower(): value for name, value in self.headers.items()}),
                    {},
                )
            except Told as told:
                if not told.status:
                    self.close_connection = True
                    return
                self._send(told.status, told.body, told.headers)

        def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing is logged."""

    return Handler


if __name__ == "__main__":
    with Server(log=Path(sys.argv[1])) as running:
        print(running.url, flush=True)
        sys.stdin.read()
