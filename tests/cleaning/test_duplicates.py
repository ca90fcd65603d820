"""What repeats an earlier problem, and what does not."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_duplicates import questions
from crl_data.cleaning.duplicates import (
    MIN_WORDS,
    SHINGLE,
    Duplicate,
    exact_duplicates,
    fingerprint,
    jaccard_index,
    near_duplicates,
)
from crl_data.cleaning.text import shingles, words
from crl_data.types import Problem, Test, TestKind
from tests.conftest import ROOT

LONG = " ".join(f"word{n}" for n in range(100))
PROBLEM = Problem(
    id="a",
    question="Add two integers.",
    test_kind=TestKind.STDIN,
    tests=(Test(input="1 2", expected="3"), Test(input="0 0", expected="0")),
)


def near(texts: dict[str, str], jaccard: float = 0.8) -> list[Duplicate]:
    return list(near_duplicates(iter(texts.items()), texts.__getitem__, jaccard))


def changed(text: str, *places: int) -> str:
    return " ".join("other" if place in places else word for place, word in enumerate(text.split()))


# --- the words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Print  the\nSUM, of `a_b`!", ["print", "the", "sum", "of", "a", "b"]),
        ("ＡＢ１ ﬁne Straße", ["ab1", "fine", "strasse"]),
        ("求两数之和 x", ["求", "两", "数", "之", "和", "x"]),
        ("$10^5$ ≤ n", ["10", "5", "n"]),
        ("\ud800 -- ", []),
    ],
)
def test_words_are_letters_and_digits_in_folded_case(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text())
def test_the_words_of_the_words_are_the_words(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once
    assert words(text + " \n\t") == once


# --- exact ------------------------------------------------------------------------------------------------------------


def test_the_same_question_and_tests_are_a_duplicate_of_the_first() -> None:
    written = replace(PROBLEM, id="b", question="add  TWO integers", tests=PROBLEM.tests[::-1])
    third = replace(PROBLEM, id="c")
    found = exact_duplicates((one.id, fingerprint(one)) for one in (PROBLEM, written, third))
    assert [(one.id, one.of, one.reason) for one in found] == [
        ("b", "a", "duplicate: of a"),
        ("c", "a", "duplicate: of a"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"question": "Add three integers."},
        {"tests": PROBLEM.tests[:1]},
        {"tests": (*PROBLEM.tests[:1], Test(input="0 0", expected="1"))},
        {"checker": "exact"},
        {"entry_point": "add"},
        {"test_setup": "x = 1"},
        {"test_kind": TestKind.FUNCTION},
    ],
)
def test_another_question_or_test_or_way_to_run_it_is_another_problem(other: dict[str, object]) -> None:
    assert fingerprint(PROBLEM) != fingerprint(replace(PROBLEM, **other))  # type: ignore[arg-type]


# --- near -------------------------------------------------------------------------------------------------------------


def test_a_long_question_with_two_other_words_repeats_the_first_and_the_reason_says_so() -> None:
    (found,) = near({"a": LONG, "b": changed(LONG, 30, 60)})
    assert found == Duplicate(id="b", of="a", jaccard=86 / 106)
    assert found.reason == "near duplicate: of a (Jaccard 0.81)"


def test_with_three_other_words_it_is_another_question() -> None:
    assert near({"a": LONG, "b": changed(LONG, 30, 60, 80)}) == []
    assert [one.of for one in near({"a": LONG, "b": changed(LONG, 30, 60, 80)}, 0.7)] == ["a"]


def test_case_punctuation_and_white_space_make_no_other_question() -> None:
    (found,) = near({"a": LONG, "b": LONG.upper().replace(" ", ",\n")})
    assert found.jaccard == 1


def test_short_questions_are_never_near_duplicates() -> None:
    short = " ".join(f"word{n}" for n in range(49))
    assert near({"a": short, "b": short}) == []
    assert near({"a": f"{short} one", "b": f"{short} one"}) != []
    assert near({f"p{n}": f"Add two integers, form {n}." for n in range(12)}) == []


def test_the_nearest_is_told_and_then_the_first() -> None:
    texts = {"far": changed(LONG, 10, 11, 12, 13, 90), "near": changed(LONG, 40), "again": changed(LONG, 50)}
    assert [(one.id, one.of) for one in near(texts)] == [("again", "near")]
    equally = {"a": changed(LONG, 20, 40), "b": changed(LONG, 60, 80), "c": LONG}
    assert [(one.id, one.of) for one in near(equally)] == [("c", "a")]


def test_at_an_index_of_one_only_the_same_words_repeat_a_question() -> None:
    assert [one.id for one in near({"a": LONG, "b": LONG, "c": changed(LONG, 99)}, 1.0)] == ["b"]


def test_hardly_a_pair_is_missed_at_the_least_index_that_counts() -> None:
    texts = {}
    for number in range(300):
        own = " ".join(f"w{number}x{place}" for place in range(100))
        texts |= {f"{number}": own, f"{number} again": changed(own, 30, 60)}
    assert len(near(texts)) == 300


def test_what_is_set_aside_is_not_what_later_ones_repeat() -> None:
    """A chain: b is near a, c is near b and not near a."""
    texts = {"a": LONG, "b": changed(LONG, 20, 40), "c": changed(LONG, 20, 40, 60, 80)}
    assert [(one.id, one.of) for one in near(texts)] == [("b", "a")]
    assert [(one.id, one.of) for one in near({"b": texts["b"], "c": texts["c"]})] == [("c", "b")]


def test_texts_are_not_held_but_asked_for_again() -> None:
    asked = []

    def text_of(name: str) -> str:
        asked.append(name)
        return LONG

    assert len(list(near_duplicates([("a", LONG), ("b", LONG), ("c", LONG)], text_of, 0.8))) == 2
    assert asked == ["a", "a"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from([0.6, 0.8, 0.95]))
def test_what_is_told_is_what_the_exact_index_says(seed: int, edits: int, jaccard: float) -> None:
    drawn = random.Random(seed)
    text = " ".join(drawn.choices([f"w{n}" for n in range(500)], k=drawn.randint(MIN_WORDS, 300)))
    copy = changed(text, *drawn.sample(range(MIN_WORDS), edits))
    index = jaccard_index(set(shingles(text.split(), SHINGLE)), set(shingles(copy.split(), SHINGLE)))
    found = near({"a": text, "b": copy}, jaccard)
    if index >= max(jaccard, 0.75):  # above it the search misses one pair in a hundred thousand
        assert [(one.id, one.of, one.jaccard) for one in found] == [("b", "a", index)]
    elif index < jaccard:
        assert found == []


def test_planted_copies_are_found_and_nothing_else() -> None:
    texts, copies = questions(1_000, seed=7)
    found = {int(one.id): int(one.of) for one in near({str(number): text for number, text in enumerate(texts)})}
    for number, (of, _) in copies.items():
        index = jaccard_index(*(set(shingles(words(texts[one]), SHINGLE)) for one in (number, of)))
        assert (number in found) == (index >= 0.8), (number, of, index)
    assert found and found.keys() <= copies.keys()


# --- real questions ---------------------------------------------------------------------------------------------------


def test_no_shipped_problem_repeats_another() -> None:
    rows = [json.loads(line) for line in (ROOT / "crl_data" / "examples" / "problems.jsonl").read_text().splitlines()]
    assert len(rows) > 20 and near({row["id"]: row["question"] for row in rows}, 0.6) == []


def test_real_questions_that_differ_in_signs_or_one_word_stay(shared_data: Path) -> None:
    """HumanEval/56 and 61 have the same words and ask for other brackets; MBPP asks for the volume of many bodies."""
    from benchmarks.near_duplicates import REAL, _texts

    for name in ("humaneval", "mbpp", "livecodebench"):
        texts = {str(number): text for number, text in enumerate(_texts(shared_data, name, *REAL[name]))}
        assert len(texts) > 100 and near(texts) == [], name
    codeforces = {
        str(number): text for number, text in enumerate(_texts(shared_data, "codeforces", *REAL["codeforces"]))
    }
    told = {(one.of, one.id) for one in near(codeforces)}
    assert ("254", "263") in told and ("178", "179") in told  # the same in both divisions; an easy and a hard version
