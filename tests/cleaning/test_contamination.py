"""Which problems hold a question of a benchmark, and which only speak like one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.cleaning.benchmarks import Item
from crl_data.cleaning.contamination import MOST_ITEMS, MOST_PROBLEMS, Benchmark, Hit, Rules, find_hits
from crl_data.types import Problem, Source, TestKind

RULES = Rules(ngram=10, substring=150)
DRAWN = random.Random(1)
VOCABULARY = ["".join(DRAWN.choices("abcdefghij", k=6)) for _ in range(5_000)]


def prose(seed: int, count: int = 100) -> str:
    return " ".join(random.Random(seed).choices(VOCABULARY, k=count))


def problem(question: str, name: str = "p", **more: Any) -> Problem:
    return Problem(id=name, question=question, test_kind=TestKind.STDIN, tests=(), **more)


def bench(*texts: str, name: str = "mine", since: str | None = None) -> Benchmark:
    items = tuple(Item(id=f"q{number}", texts=(text,)) for number, text in enumerate(texts))
    return Benchmark(name=name, items=items, since=since)


def hits(problems: list[Problem], *benchmarks: Benchmark, rules: Rules = RULES) -> list[Hit]:
    by_id = {one.id: one for one in problems}
    return list(find_hits(iter(problems), by_id.__getitem__, benchmarks, rules))


# --- n-grams ----------------------------------------------------------------------------------------------------------


def test_a_question_inside_a_problem_is_a_hit_with_what_the_two_share() -> None:
    question = prose(1, 40)
    (hit,) = hits([problem(f"{prose(2)} {question.upper()}! {prose(3)}")], bench(prose(4), question))
    assert hit == Hit(problem="p", benchmark="mine", item="q1", rule="ngram", span=question[:300])


def test_a_fifth_of_the_words_of_either_is_enough_and_less_is_not() -> None:
    question = prose(1, 100)
    part = " ".join(question.split()[:20])
    assert [hit.span for hit in hits([problem(f"{prose(2, 200)} {part}")], bench(question))] == [part]
    less = " ".join(question.split()[:19])
    assert hits([problem(f"{prose(2, 200)} {less}")], bench(question)) == []
    assert [hit.span for hit in hits([problem(f"{prose(2, 70)} {less}")], bench(question))] == [less]


def test_shared_runs_that_are_shorter_do_not_count() -> None:
    question = prose(1, 100).split()
    pieces = [question[start : start + 9] for start in range(0, 90, 10)]
    mixed = " ".join(f"{' '.join(piece)} {prose(start, 1)}" for start, piece in enumerate(pieces))
    assert hits([problem(mixed)], bench(" ".join(question))) == []
    assert len(hits([problem(mixed)], bench(" ".join(question)), rules=Rules(ngram=9, substring=150))) == 1


def test_a_question_of_less_than_two_runs_counts_as_a_whole_only() -> None:
    volume = "Write a function to find the lateral surface area of a given {}."
    benchmark = bench(volume.format("cone"), volume.format("cube"))
    assert hits([problem(volume.format("cylinder"))], benchmark) == []
    assert [hit.item for hit in hits([problem(f"{prose(2)} {volume.format('cube')} {prose(3)}")], benchmark)] == ["q1"]


def test_a_question_shorter_than_a_run_must_be_a_quarter_of_the_problem() -> None:
    short = "Write a function to count magic squares"
    assert [hit.span for hit in hits([problem(f"{short}. {prose(1, 21)}")], bench(short))] == [short.lower()]
    assert hits([problem(f"{short}. {prose(1, 22)}")], bench(short)) == []
    assert hits([problem("Count magic squares")], bench("Count magic squares")) == []  # too short to say anything


def test_what_many_questions_of_a_benchmark_have_does_not_count() -> None:
    phrase = prose(1, 30)
    few = bench(*(f"{phrase} {prose(2 + number, 20)}" for number in range(MOST_ITEMS)))
    many = bench(*(f"{phrase} {prose(2 + number, 20)}" for number in range(MOST_ITEMS + 1)))
    assert len(hits([problem(f"{phrase} {prose(90, 20)}")], few)) == MOST_ITEMS
    assert hits([problem(f"{phrase} {prose(90, 20)}")], many) == []
    (hit,) = hits([problem(f"{phrase} {prose(3, 20)}")], many)
    assert hit.item == "q1" and hit.span.endswith(prose(3, 20))
    assert len(hits([problem(phrase)], few, Benchmark(name="other", items=many.items))) == MOST_ITEMS


def test_what_many_problems_have_does_not_count() -> None:
    phrase = prose(1, 30)
    problems = [problem(f"{phrase} {prose(number, 40)}", f"p{number}") for number in range(2, MOST_PROBLEMS + 3)]
    assert len(hits(problems[:-1], bench(phrase))) == MOST_PROBLEMS
    assert hits(problems, bench(phrase)) == []
    others = [problem(prose(1_000 + number, 20), f"o{number}") for number in range(100 * len(problems))]
    assert len(hits([*problems, *others], bench(phrase))) == MOST_PROBLEMS + 1  # one in a hundred is not many


def test_runs_of_numbers_do_not_count() -> None:
    numbers = " ".join(map(str, range(60)))
    assert hits([problem(f"{numbers} {prose(1, 20)}")], bench(f"{numbers} {prose(2, 20)}")) == []


def test_a_question_is_hit_once_by_the_better_of_its_texts() -> None:
    item = Item(id="two", texts=(prose(1, 40), prose(1, 60)))
    found = hits([problem(prose(1, 60))], Benchmark(name="bigcodebench", items=(item,)))
    assert [(hit.item, hit.rule) for hit in found] == [("two", "ngram")]


# --- substrings -------------------------------------------------------------------------------------------------------


def test_a_long_run_of_letters_is_a_hit_however_long_both_texts_are_and_however_it_is_cut_into_words() -> None:
    run = prose(1, 26)  # 156 letters
    glued = run.replace(" ", "-", 5).replace(" ", "", 3)
    (hit,) = hits(
        [problem(f"{prose(2, 400)} {glued} {prose(3, 400)}")], bench(f"{prose(4, 400)} {run} {prose(5, 400)}")
    )
    assert (hit.rule, hit.span.replace(" ", "")[:150]) == ("substring", run.replace(" ", "")[:150])
    shorter = " ".join(run.split()[:24])
    assert (
        hits(
            [problem(f"{prose(2, 400)} {shorter} {prose(3, 400)}")], bench(f"{prose(4, 400)} {shorter} {prose(5, 400)}")
        )
        == []
    )


# --- names and days ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"name": "livecodebench/abc324_b"},
        {"name": "abc324_b"},
        {"source": Source(url="https://atcoder.jp/contests/abc324/tasks/abc324_b")},
        {"extra": {"question_id": "abc324_b"}},
        {"extra": {"url": "https://atcoder.jp/contests/abc324/tasks/abc324_b"}},
    ],
)
def test_a_problem_with_the_name_of_a_question_is_a_hit_whatever_it_says(more: dict[str, Any]) -> None:
    item = Item(id="abc324_b", texts=(prose(1),), names=frozenset({"atcoder/abc324_b"}))
    (hit,) = hits([problem("Other words.", **more)], Benchmark(name="livecodebench", items=(item,)))
    assert (hit.rule, hit.item, hit.span) == ("id", "abc324_b", "atcoder/abc324_b")
    other = {**more, "name": "abc324_c", "source": Source(), "extra": {}}
    assert hits([problem("Other words.", **other)], Benchmark(name="livecodebench", items=(item,))) == []


def test_a_problem_of_the_days_of_a_benchmark_is_a_hit() -> None:
    benchmark = bench(prose(1), name="livecodebench", since="2024-08-01")
    days = {"a": "2024-07-31T00:00:00", "b": "2024-08-01T00:00:00", "c": "2025-01-01"}
    problems = [
        problem(prose(number + 2), name, extra={"contest_date": day}) for number, (name, day) in enumerate(days.items())
    ]
    assert [(hit.problem, hit.rule, hit.span) for hit in hits(problems, benchmark)] == [
        ("b", "date", "2024-08-01"),
        ("c", "date", "2025-01-01"),
    ]
    assert hits(problems, bench(prose(1), name="livecodebench")) == []
    (hit,) = hits([problem(prose(1), extra={"contest_date": "2025-01-01"})], benchmark)
    assert (hit.rule, hit.item) == ("ngram", "q0")


# --- all of it --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60), st.integers(20, 60))
def test_a_question_that_stands_in_a_problem_is_always_found(seed: int, before: int, after: int, length: int) -> None:
    question = prose(seed, length)
    whole = f"{prose(seed + 20_000, before)} {question} {prose(seed + 40_000, after)}"
    (hit,) = hits([problem(whole)], bench(prose(seed + 60_000), question))
    assert (hit.item == "q1" and hit.span.startswith(question[:100])) or question.startswith(hit.span[:100])


@given(st.lists(st.text(), max_size=3), st.text())
def test_any_text_can_be_compared(texts: list[str], question: str) -> None:
    for hit in hits([problem(question)], bench(*texts)):
        assert hit.rule in ("ngram", "substring") and hit.span


def test_the_order_of_hits_is_that_of_problems_and_the_same_each_time() -> None:
    questions = [prose(number, 40) for number in range(30)]
    problems = [problem(f"{questions[n]} {questions[-n]}", f"p{n}") for n in range(1, 15)]
    found = hits(problems, bench(*questions))
    assert found == hits(problems, bench(*questions)) and len(found) == 28
    assert list(dict.fromkeys(hit.problem for hit in found)) == [one.id for one in problems]


# --- real questions ---------------------------------------------------------------------------------------------------


def test_real_questions_are_found_in_other_forms_and_real_problems_mostly_left_alone(shared_data: Path) -> None:
    from benchmarks.contamination import benchmark, column_of, real_problems, same_method

    humaneval = benchmark(shared_data, "humaneval")
    without_examples = column_of(shared_data, "codet/HumanEval_for_code_generation.jsonl.gz", "prompt")
    asked = [problem(text, str(number)) for number, text in enumerate(without_examples)]
    assert len(asked) == 164 and len({hit.problem for hit in hits(asked, humaneval)}) >= 160
    problems = list(real_problems(shared_data))
    lcb = benchmark(shared_data, "livecodebench")
    pairs = {(hit.problem, hit.item) for hit in hits(problems, humaneval, lcb) if hit.benchmark == "livecodebench"}
    same = same_method(shared_data, {one.id: one for one in problems})
    assert len(problems) == 2_492 and len(pairs & same) >= 100 and len(pairs - same) <= 25
