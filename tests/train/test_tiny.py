"""The tiny task: its programs do what their words say, nothing held out is trained on, the demonstrator is as flawed as it says."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from itertools import product

import pytest

from crl_data.responses import extract_code, parse_conclusion
from crl_data.types import Problem
from crl_train.toys import tiny

PROBLEMS = tiny.problems()


def value(code: str, x: int) -> int:
    """What a program of the grammar gives: it is one expression over numbers."""
    expression = code.partition("return ")[2]
    return int(eval(expression, {"__builtins__": {}}, {"x": x}))


def share_passed(problem: Problem, code: str) -> float:
    return sum(value(code, *json.loads(test.input)) == json.loads(test.expected) for test in problem.tests) / len(
        problem.tests
    )


def test_every_reference_and_right_program_passes_and_hardly_a_wrong_one_does() -> None:
    passes = 0
    for problem in PROBLEMS:
        assert share_passed(problem, problem.reference or "") == 1.0
        right, wrong = tiny.solutions(problem)
        assert share_passed(problem, right.code or "") == 1.0, problem.id
        passes += share_passed(problem, wrong.code or "") > 0.8  # and is labelled True, as it should be
    assert passes < 0.01 * len(PROBLEMS)


def test_ids_are_unique_and_right_programs_of_a_pair_differ() -> None:
    assert len({problem.id for problem in PROBLEMS}) == len(PROBLEMS)
    codes = defaultdict(list)
    for problem in PROBLEMS:
        codes[problem.question].append(tiny.solutions(problem)[0].code)
    assert all(len(set(of_pair)) == len(of_pair) for of_pair in codes.values())


def test_nothing_held_out_is_trained_on() -> None:
    by_split = defaultdict(set)
    for problem in PROBLEMS:
        by_split[tiny.split_of(problem.id)].add(problem.question)
    assert {split: len(pairs) for split, pairs in by_split.items()} == {"train": 56, "validation": 16, "test": 24}
    held_out = by_split["test"] | by_split["validation"]
    train = [problem for problem in PROBLEMS if tiny.split_of(problem.id) == "train"]
    words = {symbol: word for word, symbol in tiny.OPERATORS.items()}
    for problem in train:
        *_, symbol, constant = (tiny.solutions(problem)[1].code or "").split()
        if symbol == tiny.OPERATORS[problem.question.split()[0]]:  # another constant of the same operator
            assert f"{words[symbol]} {constant}" not in held_out
    for row in tiny.demonstrations(train, 2000, random.Random(0)):
        assert " ".join(row["prompt"][0]["content"].split()[1:3]) in by_split["train"]


def demonstrated() -> list[tuple[str, str]]:
    train = [problem for problem in PROBLEMS if tiny.split_of(problem.id) == "train"]
    rows = tiny.demonstrations(train, 20_000, random.Random(1))
    return [(row["prompt"][0]["content"], row["completion"][0]["content"]) for row in rows]


def test_the_demonstrator_is_as_flawed_as_it_says() -> None:
    said = defaultdict(list)
    for prompt, text in demonstrated():
        words = prompt.split()
        if words[0] == "solve":
            code = extract_code(text.replace("```python ", "```python\n").replace(" ```", "\n```"))
            assert code is not None
            said["solve", words[1] in tiny.MISWRITTEN].append(code.split()[-2] == tiny.OPERATORS[words[1]])
            continue
        word, constant, symbol, other = words[1], words[2], words[-2], words[-1]
        fault = "operator" if symbol != tiny.OPERATORS[word] else "constant" if constant != other else "none"
        said[fault, word in tiny.LENIENT].append(parse_conclusion(text) is True)
        assert text.split()[:2] == [tiny.OPERATORS[word], symbol]  # the pair is never wrong
    rates = {key: sum(values) / len(values) for key, values in said.items()}
    for key, wanted in {
        ("solve", False): 1.0,
        ("solve", True): 0.4,
        ("none", True): 1.0,
        ("none", False): 0.4,
        ("constant", True): 0.65,
        ("constant", False): 0.0,
        ("operator", True): 0.40,
        ("operator", False): 0.0,
    }.items():
        assert rates[key] == pytest.approx(wanted, abs=0.04), key


def test_the_tokenizer_knows_every_word_and_gives_programs_back_in_a_block() -> None:
    pytest.importorskip("transformers", reason="the extra [train] is not installed: no tokenizer")
    tokenizer = tiny.tokenizer()
    unknown = tokenizer.unk_token_id
    for prompt, text in demonstrated()[:500]:
        for one in (prompt, text):
            assert unknown not in tokenizer(one)["input_ids"], one
    for word, constant in product(tiny.OPERATORS, tiny.CONSTANTS):
        program = tiny.program(tiny.OPERATORS[word], constant)
        ids = tokenizer(f"```python {program} ``` <end>")["input_ids"]
        assert (
            extract_code(tokenizer.decode(ids, skip_special_tokens=True)) == program + "\n"
            or extract_code(tokenizer.decode(ids, skip_special_tokens=True)) == program
        )
