"""Parsing Python source, in one place: what `ast.parse` does, safe to use from many threads."""

from __future__ import annotations

import ast
import threading

_lock = threading.Lock()
_TRIES = 3


def parse(source: str) -> ast.Module:
    """The syntax tree of a source. Raises `SyntaxError`, `ValueError` (a NUL), `RecursionError` or `MemoryError`.

    In CPython 3.11 threads that build trees at the same time share one counter of depth, and one of them can be told
    of a "recursion depth mismatch" (python/cpython#106905): one at a time here, and again where others got between.
    """
    for _ in range(_TRIES - 1):
        try:
            with _lock:
                return ast.parse(source)
        except SystemError:
            continue
    with _lock:
        return ast.parse(source)
