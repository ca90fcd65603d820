"""Frames between the judge and the runner: a JSON header and a blob of bytes, each with its length in front.

It does not say what the headers mean; `supervisor` does.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from typing import Any

_LENGTHS = struct.Struct("<IQ")
Header = dict[str, Any]


class Closed(Exception):
    """The other side is gone: end of file, or a broken pipe."""


def write_frame(fd: int, header: Header, blob: bytes = b"") -> None:
    """Write one frame whole. Raises `Closed` when nobody reads any more."""
    text = json.dumps(header, separators=(",", ":")).encode()
    data = memoryview(_LENGTHS.pack(len(text), len(blob)) + text + blob)
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BrokenPipeError:
            raise Closed from None


def read_frame(fd: int, read: Callable[[int, int], bytes] = os.read) -> tuple[Header, bytes]:
    """Read one frame whole, by `read`. Raises `Closed` at the end of the stream, also in the middle of a frame."""
    text_size, blob_size = _LENGTHS.unpack(_read_exactly(fd, _LENGTHS.size, read))
    header = json.loads(_read_exactly(fd, text_size, read))
    return header, _read_exactly(fd, blob_size, read) if blob_size else b""


def _read_exactly(fd: int, size: int, read: Callable[[int, int], bytes]) -> bytes:
    parts = []
    while size:
        part = read(fd, min(size, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts) if len(parts) != 1 else parts[0]
