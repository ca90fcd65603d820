"""Parsing from many threads at once."""

from __future__ import annotations

import ast
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from crl_data.syntax import parse

DEEP = (
    "x = " + "(" * 60 + "1" + ")" * 60 + "\n" + "def f(a):\n    return [i * (a + 1) for i in range(a) if i % 2]\n" * 40
)


def test_many_threads_parse_at_once() -> None:
    """CPython 3.11 raises SystemError out of `ast.parse` here now and then, where garbage is collected in between."""
    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(isinstance(tree, ast.Module) for tree in pool.map(parse, [DEEP] * 200))
    finally:
        gc.set_threshold(*before)


def test_what_does_not_parse_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        parse("def (:")
    with pytest.raises((SyntaxError, ValueError), match="null"):
        parse("a\0b")
