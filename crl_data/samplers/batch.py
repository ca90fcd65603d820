"""Batch files: the requests that are missing are written, and responses are read, in the form of OpenAI's Batch API.

`vllm run-batch` reads and writes the same. A folder holds both: `requests-N.jsonl` are ours, made anew each time; every other
`.jsonl` in it is read as responses, whole or of a batch that failed in part. Nothing here sends a file anywhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from crl_data.errors import BatchWaits, BudgetSpent, RowError
from crl_data.rows import Row, read_rows, writing
from crl_data.samplers.budget import Cost
from crl_data.samplers.chat import NoCompletion, read_response
from crl_data.samplers.kept import Asked, Piece
from crl_data.samplers.model import Answer, Request

URL = "/v1/chat/completions"
MAX_REQUESTS, MAX_BYTES = 50_000, 200_000_000  # of one file, as OpenAI takes it
_OURS = re.compile(r"requests-[0-9]+\.jsonl")
_ID = re.compile(r"([0-9a-f]{40})-([0-9]{1,9})")


class Batch:
    """A model that is asked by files; see `Model`. spent: what counts against the budget already."""

    def __init__(self, asked: Asked, folder: Path, spent: Cost | None = None) -> None:
        self.asked = asked
        self.folder = folder
        self.spent = spent or Cost()
        self.sampler = asked.chat.sampler("openai")

    def read(self, tell: Callable[[str], object]) -> None:
        """Keep the responses that lie in the folder; those that failed are told of, and so are asked for again.

        Raises `RowError` for a line that is no response of a batch.
        """
        failed: dict[tuple[str, int], str] = {}
        for file in sorted(self.folder.glob("*.jsonl")) if self.folder.is_dir() else ():
            if _OURS.fullmatch(file.name):
                continue
            for row in read_rows(file):
                if isinstance(row, RowError):
                    raise row
                key, first, why = self._keep(row)
                if why is not None:
                    failed[key, first] = why
        left = {place: why for place, why in failed.items() if not self._is_kept(*place)}  # another file may answer it
        if left:
            reasons = ", ".join(f"{n} x {why}" for why, n in Counter(left.values()).most_common(5))
            tell(f"{self.folder}: {len(left):,} requests failed or expired, and are written again: {reasons}")

    def _is_kept(self, key: str, first: int) -> bool:
        return any(number == first for number, _ in self.asked.kept.responses(key))

    def _keep(self, row: Row) -> tuple[str, int, str | None]:
        """Keep what a line holds: its question's key, the number of its first answer, and why it holds no answer."""
        name = row.cells.get("custom_id")
        found = _ID.fullmatch(name) if isinstance(name, str) else None
        if found is None:
            raise RowError(row.place, "custom_id", "the custom_id of a request that a build wrote", _short(name))
        key, first = found[1], int(found[2])
        response = row.cells.get("response")
        if not isinstance(response, dict | None):
            raise RowError(row.place, "response", "an object with status_code and body, or null", _short(response))
        if row.cells.get("error") is not None or response is None or response.get("status_code") != 200:
            return key, first, _why(row.cells.get("error"), response)
        text = json.dumps(response.get("body"), ensure_ascii=False, separators=(",", ":"))
        try:
            read_response(text)
        except NoCompletion as error:
            return key, first, str(error)
        self.asked.kept.keep_response(key, first, text)
        return key, first, None

    def answers(self, requests: Iterable[Request]) -> Iterator[tuple[Request, tuple[Answer, ...]]]:
        """Each request whose answers are there; the others are written. Raises `BatchWaits` at the end where there are any.

        Raises `BudgetSpent` where not one more may be written.
        """
        written = _Files(self.folder)
        keys: set[str] = set()
        part = None
        left_out = 0
        for request in requests:
            pieces = self.asked.pieces(request)
            if not pieces:
                answers = self.asked.answers(request)
                assert answers is not None
                yield request, answers
            elif pieces[0].key not in keys:
                keys.add(pieces[0].key)
                for piece in pieces:
                    most = self.asked.most(piece)
                    passed = self.asked.budget.passed_by(self.spent + most, self.asked.price)
                    part = part or passed
                    if passed is None:
                        self.spent += most
                        self.asked.kept.keep_question(piece.key, piece.asked)
                        written.add(piece)
                    else:
                        left_out += 1
        written.close()
        if not keys:
            return
        beyond = f"; {left_out:,} more would pass the budget of {part}" if left_out else ""
        if not written.requests:
            raise BudgetSpent(f"the budget of {part} is spent: {self.asked.told(self.spent)} so far{beyond}")
        raise BatchWaits(
            f"{self.folder}: {written.requests:,} requests are written to {written.names}: have them answered (OpenAI's Batch "
            f"API, or vllm run-batch), put the files of responses beside them, and run the build again{beyond}"
        )


class _Files:
    """`requests-1.jsonl` and so on, each within the limits of one batch; those of an earlier build are gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests = 0
        self._lines: list[str] = []
        self._bytes = 0
        self._files = 0

    @property
    def names(self) -> str:
        return "requests-1.jsonl" if self._files == 1 else f"requests-1.jsonl to requests-{self._files}.jsonl"

    def add(self, piece: Piece) -> None:
        line = json.dumps(line_of(piece), ensure_ascii=False, separators=(",", ":")) + "\n"
        size = len(line.encode("utf-8", "backslashreplace"))
        if len(self._lines) == MAX_REQUESTS or self._bytes + size > MAX_BYTES:
            self._flush()
        self._lines.append(line)
        self._bytes += size
        self.requests += 1

    def close(self) -> None:
        if self._lines:
            self._flush()
        for file in self.folder.glob("requests-*.jsonl") if self.folder.is_dir() else ():
            if _OURS.fullmatch(file.name) and int(file.stem.rpartition("-")[2]) > self._files:
                file.unlink()

    def _flush(self) -> None:
        self._files += 1
        path = self.folder / f"requests-{self._files}.jsonl"
        temporary = path.with_suffix(".tmp")
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text("".join(self._lines), encoding="utf-8", errors="backslashreplace", newline="\n")
            temporary.replace(path)
        self._lines, self._bytes = [], 0


def line_of(piece: Piece) -> dict[str, Any]:
    """A request as a line of a batch file."""
    return {"custom_id": f"{piece.key}-{piece.first}", "method": "POST", "url": URL, "body": piece.body}


def _why(error: Any, response: dict[str, Any] | None) -> str:
    """Why a line holds no answer, in a few words."""
    for told in (error, (response or {}).get("body")):
        inner = told.get("error", told) if isinstance(told, dict) else told
        text = (inner.get("code") or inner.get("message")) if isinstance(inner, dict) else inner
        if isinstance(text, str) and text.strip():
            return " ".join(text.split())[:100]
    return f"status {(response or {}).get('status_code')}"


def _short(value: Any) -> str:
    return repr(value)[:80]
