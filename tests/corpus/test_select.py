"""Which tests of a problem are kept: short ones, at most so many, drawn by seed, in their order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.corpus.select import select_tests, token_counter
from crl_data.draws import draw
from crl_data.errors import InputError
from crl_data.types import Problem, Test, TestKind
from tests.conftest import assert_problem, stdin_problem


def length(text: str) -> float:
    return float(len(text))


PROBLEMS = st.builds(
    lambda sizes, public, kind, name: Problem(
        id=name,
        question="?",
        test_kind=kind,
        tests=tuple(Test(input=f"{place}:", expected="x" * size) for place, size in enumerate(sizes)),
        public_tests=None if public is None else min(public, len(sizes)),
    ),
    st.lists(st.integers(0, 30), min_size=1, max_size=40),
    st.none() | st.integers(0, 40),
    st.sampled_from(TestKind),
    st.text(max_size=3),
)
MOST = st.none() | st.integers(1, 40)


@given(PROBLEMS, MOST, MOST, st.integers(0, 5))
def test_what_is_kept_is_short_few_and_in_order_and_every_test_is_counted(
    problem: Problem, max_tokens: int | None, max_tests: int | None, seed: int
) -> None:
    selected = select_tests(problem, max_tokens, max_tests, seed, length)
    kept = selected.problem.tests if selected.problem else ()
    assert len(kept) + selected.too_long + selected.too_many == len(problem.tests)
    assert list(kept) == [test for test in problem.tests if test in kept]
    cut = max_tokens is not None and problem.test_kind in (TestKind.STDIN, TestKind.FUNCTION)
    short = [test for test in problem.tests if not cut or length(test.input + test.expected) <= (max_tokens or 0)]
    assert set(kept) <= set(short) and len(kept) == min(len(short), max_tests or len(short))
    assert (selected.problem is None) == (not short)
    if selected.problem is not None:
        assert replace(selected.problem, tests=problem.tests, public_tests=problem.public_tests) == problem


@given(PROBLEMS, MOST, MOST, st.integers(0, 5))
def test_the_public_tests_of_a_selection_are_public_ones(
    problem: Problem, max_tokens: int | None, max_tests: int | None, seed: int
) -> None:
    """A solver must not come to see a test that was hidden."""
    kept = select_tests(problem, max_tokens, max_tests, seed, length).problem
    if kept is not None:
        assert (kept.public_tests is None) == (problem.public_tests is None)
        assert set(kept.tests[: kept.public_tests or 0]) <= set(problem.tests[: problem.public_tests or 0])
        if len(kept.tests) == len(problem.tests):
            assert kept == problem


def test_of_thirty_tests_and_three_public_ones_no_hidden_one_becomes_public() -> None:
    problem = replace(stdin_problem(*((str(n), "") for n in range(30))), public_tests=3)
    kept = [select_tests(problem, None, 20, seed, length).problem for seed in range(20)]
    shown = [{int(test.input) for test in one.tests[: one.public_tests or 0]} for one in kept if one is not None]
    assert len(shown) == 20 and all(tests <= {0, 1, 2} for tests in shown) and any(shown)


@given(PROBLEMS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_the_choice_for_fewer_is_among_the_choice_for_more(problem: Problem, one: int, other: int, seed: int) -> None:
    fewer, more = (select_tests(problem, None, most, seed, length).problem for most in sorted((one, other)))
    assert fewer is not None and more is not None and set(fewer.tests) <= set(more.tests)


def test_the_choice_is_the_seeds_and_of_each_problem_its_own() -> None:
    problem = stdin_problem(*((str(n), "") for n in range(30)), id="a")
    choices = {
        (seed, name): select_tests(replace(problem, id=name), None, 5, seed, length).problem
        for seed in range(3)
        for name in ("a", "b")
        for _ in range(2)
    }
    taken = {tuple(test.input for test in chosen.tests) for chosen in choices.values() if chosen}
    assert len(taken) == 6
    again = select_tests(problem, None, 5, 0, length).problem
    assert again == choices[0, "a"]


def test_over_many_problems_every_test_is_drawn_about_as_often() -> None:
    counts = [0] * 10
    for n in range(600):
        chosen = select_tests(stdin_problem(*((str(k), "") for k in range(10)), id=str(n)), None, 3, 0, length).problem
        assert chosen is not None
        for test in chosen.tests:
            counts[int(test.input)] += 1
    assert all(120 < count < 240 for count in counts), counts


def test_a_test_as_long_as_is_allowed_is_kept_and_source_is_never_cut() -> None:
    count, words = token_counter(None, Path())
    assert words == "characters / 4"
    problem = stdin_problem(("a" * 400, "b" * 400), ("a" * 400, "b" * 401))
    kept = select_tests(problem, 200, None, 0, count).problem
    assert kept is not None and kept.tests == problem.tests[:1]
    long = assert_problem("f", "assert f('" + "a" * 5000 + "')")
    assert select_tests(long, 200, 30, 0, count).problem == long


@given(st.integers(), st.lists(st.text(st.characters(), max_size=4), max_size=3), st.integers())
def test_what_is_drawn_is_the_same_for_the_same_names_only(seed: int, names: list[str], other: int) -> None:
    assert draw(seed, *names) == draw(seed, *names)
    assert draw(seed, *names, "x") != draw(seed, *names)
    if other != seed:
        assert draw(other, *names) != draw(seed, *names)


def test_a_tokenizer_of_the_users_counts(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    path = tmp_path / "words.json"
    made.save(str(path))
    count, words = token_counter("words.json", tmp_path)
    assert count("one two  three\n") == 3 and count("") == 0
    assert words == "tokenizer words.json"


def test_a_tokenizer_that_is_not_there_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "broken.json").write_text("{")
    for name in (tmp_path / "absent.json", tmp_path / "broken.json"):
        with pytest.raises(InputError, match=r"select\.tokenizer: .* cannot be loaded") as raised:
            token_counter(str(name), tmp_path)
        assert "\n" not in str(raised.value)
