"""Which tests of a problem are kept: none too long, and not too many, chosen by seed. Pure.

The paper drops tests longer than 200 tokens and keeps at most 30 a problem (arXiv 2509.22824); those are the defaults. The
length of a test is that of input plus expected, for the stdin and function kinds; source code is not cut. Tokens are those
of a tokenizer that the recipe names, else characters / 4. The chosen tests stay in their order, and the choice for fewer
is contained in the choice for more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from crl_data.draws import draw
from crl_data.errors import InputError
from crl_data.types import Problem, Test, TestKind

CountTokens = Callable[[str], float]


@dataclass(frozen=True, kw_only=True)
class Selected:
    """A problem with the tests that are kept, or None and why none is; and how many were dropped, by reason."""

    problem: Problem | None
    too_long: int
    too_many: int


def select_tests(
    problem: Problem, max_tokens: int | None, max_tests: int | None, seed: int, count: CountTokens
) -> Selected:
    """Keep the tests that are short enough, at most `max_tests` of them."""
    tests = list(enumerate(problem.tests))
    if max_tokens is not None and problem.test_kind in (TestKind.STDIN, TestKind.FUNCTION):
        tests = [(place, test) for place, test in tests if count(test.input + test.expected) <= max_tokens]
    too_long = len(problem.tests) - len(tests)
    too_many = 0
    if max_tests is not None and len(tests) > max_tests:
        too_many = len(tests) - max_tests
        drawn = sorted(tests, key=lambda one: draw(seed, "tests", problem.id, str(one[0])))[:max_tests]
        tests = sorted(drawn, key=lambda one: one[0])
    if not tests:
        return Selected(problem=None, too_long=too_long, too_many=too_many)
    public = problem.public_tests
    if public is not None:
        public = 0
        while public < len(tests) and tests[public][0] == public and public < (problem.public_tests or 0):
            public += 1
    kept: tuple[Test, ...] = tuple(test for _, test in tests)
    return Selected(problem=replace(problem, tests=kept, public_tests=public), too_long=too_long, too_many=too_many)


def token_counter(tokenizer: str | None, base: Path) -> tuple[CountTokens, str]:
    """How tokens are counted, and the words for it in the manifest.

    tokenizer: a file of the tokenizers library, ending in .json and relative to `base`, or a name on the Hub; None: none.
    Raises `InputError` where it is not to be had.
    """
    if tokenizer is None:
        return (lambda text: len(text) / 4), "characters / 4"
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError(
            f"select.tokenizer: {tokenizer!r} needs the package tokenizers: pip install tokenizers, or leave it null"
        ) from None
    try:
        if tokenizer.endswith(".json"):
            loaded = Tokenizer.from_file(str(base / tokenizer))
        else:
            loaded = Tokenizer.from_pretrained(tokenizer)
    except Exception as error:  # the library raises bare exceptions
        raise InputError(f"select.tokenizer: {tokenizer!r} cannot be loaded: {error}") from None
    return (
        lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
    ), f"tokenizer {Path(tokenizer).name if tokenizer.endswith('.json') else tokenizer}"
