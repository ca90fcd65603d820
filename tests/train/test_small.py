"""The small task: its programs do what its questions say, its split is by kind, its demonstrator is as wrong as it is said."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections import Counter
from typing import Any

import pytest

from crl_data.prompts import Template, load_template
from crl_data.responses import extract_code, parse_conclusion
from crl_data.samplers.mutants import mutants
from crl_data.types import Problem, TestKind
from crl_train.toys import small


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return small.problems()


@pytest.fixture(scope="module")
def trained_on(problems: list[Problem]) -> list[Problem]:
    return [one for one in problems if not small.held_out(one.id) and not small.validation(one.id)]


def _share_passed(problem: Problem, code: str) -> float:
    """The share of a problem's tests that a program of the task's own passes."""
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  a program of ours, of the task's subset: no loop without an end
    passed = 0
    for test in problem.tests:
        try:
            passed += names["f"](*json.loads(test.input)) == json.loads(test.expected)
        except (ArithmeticError, NameError, UnboundLocalError):
            continue
    return passed / len(problem.tests)


# --- problems ---------------------------------------------------------------------------------------------------------


def test_problems_are_functions_with_unique_ids_and_questions(problems: list[Problem]) -> None:
    assert {one.test_kind for one in problems} == {TestKind.FUNCTION}
    assert {one.entry_point for one in problems} == {"f"}
    assert len({one.id for one in problems}) == len({one.question for one in problems}) == len(problems)
    assert {(one.source.dataset, one.source.license) for one in problems} == {("crl-toys/small", "Apache-2.0")}


def test_problems_are_the_same_every_time(problems: list[Problem]) -> None:
    assert small._of_kind(("times", "cap")) == [one for one in problems if one.id.startswith("small/times+cap/")]


def test_every_reference_passes_its_tests(problems: list[Problem]) -> None:
    assert [one.id for one in problems if _share_passed(one, one.reference or "") < 1] == []


def test_a_question_says_its_program_and_its_kind(problems: list[Problem]) -> None:
    for problem in problems:
        specification = small.read_question(problem.question)
        assert small.question_of(specification) == problem.question
        assert small.program_of(specification) == problem.reference
        assert problem.id.split("/")[1] == "+".join(specification.kind)


def test_the_example_of_a_question_is_its_first_test(problems: list[Problem]) -> None:
    for problem in problems:
        first = problem.tests[0]
        assert problem.question.startswith(f"f({first.input[1:-1]}) = {first.expected}\n")


def test_what_is_no_question_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a line of the small task"):
        small.read_question("f([]) = 1\neach v: add v\neach w: multiply w")


def test_almost_every_mutant_is_wrong_by_execution_and_never_on_one_test_alone(problems: list[Problem]) -> None:
    wrong = right = 0
    for problem in random.Random(0).sample(problems, 200):
        for mutant in mutants(problem.reference or "", 6, problem.id):
            passed = _share_passed(problem, mutant.code)
            assert mutant.code != problem.reference
            right += passed > 0.8
            wrong += passed <= 0.8
    assert right + wrong > 1000
    assert right < 0.03 * wrong


def test_a_critique_without_wrong_decisions_concludes_what_execution_says(problems: list[Problem]) -> None:
    disagree = judged = 0
    for problem in random.Random(1).sample(problems, 200):
        reference = problem.reference or ""
        assert parse_conclusion(small.critique_of(reference, reference)) is True
        for mutant in mutants(reference, 4, problem.id):
            judged += 1
            disagree += parse_conclusion(small.critique_of(reference, mutant.code)) is not (
                _share_passed(problem, mutant.code) > 0.8
            )
    assert disagree < 0.03 * judged


# --- the split --------------------------------------------------------------------------------------------------------


def test_a_problem_is_of_one_split(problems: list[Problem]) -> None:
    assert Counter(small.split_of(one.id) for one in problems) == {"train": 960, "validation": 180, "test": 300}
    assert all((small.split_of(one.id) == "test") is small.held_out(one.id) for one in problems)


def test_kinds_are_held_out_whole(problems: list[Problem]) -> None:
    kinds = Counter(small.read_question(one.question).kind for one in problems)
    held = {small.read_question(one.question).kind for one in problems if small.held_out(one.id)}
    validated = {small.read_question(one.question).kind for one in problems if small.validation(one.id)}
    assert len(kinds) == 48 and len(set(kinds.values())) == 1
    assert held == small.HELD_OUT and validated == small.VALIDATION
    assert not held & validated


def test_every_shape_of_a_held_out_pair_is_trained_on_in_its_place(trained_on: list[Problem]) -> None:
    kinds = {small.read_question(one.question).kind for one in trained_on}
    assert len(kinds) == 32
    assert {kind[0] for kind in kinds} == set(small.FIRST)
    assert {kind[1] for kind in kinds if len(kind) == 2} == set(small.SECOND)


def test_no_demonstration_is_of_a_kind_outside_training(trained_on: list[Problem]) -> None:
    questions = {one.question for one in trained_on}
    for number, row in enumerate(small.demonstrations(trained_on, 200, random.Random(0))):
        lines = row["prompt"][0]["content"].split("\n")
        assert "\n".join(lines[1 : lines.index("def f(xs):")] if number % 2 == 0 else lines[1:-1]) in questions


# --- the demonstrator -------------------------------------------------------------------------------------------------


def test_demonstrations_parse(trained_on: list[Problem]) -> None:
    for number, row in enumerate(small.demonstrations(trained_on, 200, random.Random(1))):
        (prompt,), (completion,) = row["prompt"], row["completion"]
        assert prompt["role"] == "user" and completion["role"] == "assistant"
        if number % 2:
            assert (extract_code(completion["content"]) or "").startswith("def f(xs):")
        else:
            assert parse_conclusion(completion["content"]) is not None


def test_demonstrations_are_drawn_by_the_generator_alone(trained_on: list[Problem]) -> None:
    first, second = (list(small.demonstrations(trained_on, 20, random.Random(7))) for _ in range(2))
    assert first == second


def _program(line: str, start: int = 3) -> str:
    """A program of the line and a second one, about which the demonstrator is never wrong where it is right."""
    return small.program_of(small.read_question(f"f([]) = {start}\n{line}\neach w: add w"))


@pytest.mark.parametrize(
    ("wanted", "there", "concluded_true"),
    [
        ("each v below 5: add v", "each v upto 5: add v", 0.65),  # another comparison: overlooked
        ("each v below 5: add v", "each v below 6: add v", 0.7),  # another constant
        ("each v: add 5", "each v: xor 5", 0.65),  # another operator
        ("each v: add 5", "each v: add 6", 0.7),  # another operand
        ("each v upto 5: add v", "each v below 5: add v", 0.0),  # harsh tests overlook nothing
        ("each v upto 5: add v", "each v upto 6: add v", 0.0),
        ("each v: take 5", "each v: add 5", 0.0),
        ("each v: take 5", "each v: take 6", 0.0),
        ("each v below 5: stop, then add v", "each v below 5: add v", 0.0),  # structure is never overlooked
        ("each v: 2 times add v", "each v: 3 times add v", 0.0),
        ("each v upto 5: add v", "each v upto 5: add v", 0.4),  # and what is right is called wrong
        ("each v: take 5", "each v: take 5", 1.0),
        ("each v: add 5", "each v: add 5", 1.0),
    ],
)
def test_the_demonstrator_decides_wrongly_as_often_as_it_is_said(
    wanted: str, there: str, concluded_true: float
) -> None:
    rng = random.Random(3)
    reference, code = (_program(line, start=4) for line in (wanted, there))
    said = [parse_conclusion(small.critique_of(reference, code, rng)) for _ in range(2000)]
    assert said.count(True) / len(said) == pytest.approx(concluded_true, abs=0.04)


@pytest.mark.parametrize(("start", "there", "concluded_true"), [(4, 5, 0.65), (4, 4, 1.0), (5, 4, 0.0), (5, 5, 1.0)])
def test_the_demonstrator_is_wrong_about_where_it_starts(start: int, there: int, concluded_true: float) -> None:
    rng = random.Random(4)
    reference, code = (_program("each v: add v", start=one) for one in (start, there))
    said = [parse_conclusion(small.critique_of(reference, code, rng)) for _ in range(2000)]
    assert said.count(True) / len(said) == pytest.approx(concluded_true, abs=0.04)


def test_the_demonstrator_never_writes_a_wrong_pair(trained_on: list[Problem]) -> None:
    rng = random.Random(5)
    for problem in rng.sample(trained_on, 100):
        for mutant in mutants(problem.reference or "", 3, problem.id):
            said = small.critique_of(problem.reference or "", mutant.code, rng).split()[1:-1]
            pairs = zip(small.slots_of(problem.reference or ""), small.slots_of(mutant.code), strict=False)
            there = [text for want, got in pairs for text in (want.before, want.text, got.text) if text]
            assert said == there[: len(said)]


@pytest.mark.parametrize(("word", "taken_for"), [("upto", "below"), ("from", "above")])
def test_the_demonstrator_programs_carelessly(word: str, taken_for: str) -> None:
    specification = small.read_question(f"f([]) = 1\neach v {word} 4: add v\neach w: xor 2")
    rng = random.Random(6)
    read = [small.careless(specification, rng).lines for _ in range(2000)]
    assert sum(one[0].comparison == taken_for for one in read) / 2000 == pytest.approx(0.6, abs=0.04)
    assert sum(one[1].acts[0].word == "or" for one in read) / 2000 == pytest.approx(0.6, abs=0.04)


def test_recorded_solutions_are_right_and_wrong(problems: list[Problem]) -> None:
    rng, found = random.Random(7), Counter[bool]()
    for problem in rng.sample(problems, 150):
        recorded = small.solutions(problem, rng)
        assert len({one.id for one in recorded}) == len({one.code for one in recorded}) == len(recorded)
        assert {one.problem_id for one in recorded} == {problem.id}
        assert recorded[0].code == problem.reference
        found.update(_share_passed(problem, one.code or "") > 0.8 for one in recorded)
    assert found[True] >= 150 and found[False] >= 150


# --- prompts, tokenizer, model ----------------------------------------------------------------------------------------


def test_the_templates_are_templates(tmp_path: Any, problems: list[Problem]) -> None:
    for kind, text in (("solve", small.SOLVE_PROMPT), ("critique", small.CRITIQUE_PROMPT)):
        (tmp_path / f"{kind}.jinja").write_text(text)
    problem = problems[0]
    solve = load_template("solve", "solve.jinja", tmp_path).messages(problem)[0]["content"]
    critique = load_template("critique", "critique.jinja", tmp_path).messages(problem, problem.reference)[0]["content"]
    assert solve == f"solve\n{problem.question}\n"
    assert critique == f"judge\n{problem.question}\n{problem.reference}"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    pytest.importorskip("transformers")
    return small.tokenizer()


def test_texts_come_back_from_the_tokenizer(tokenizer: Any, problems: list[Problem]) -> None:
    critique = Template("critique", "small", small.CRITIQUE_PROMPT)
    for problem in random.Random(8).sample(problems, 100):
        codes = [problem.reference or "", *(one.code for one in mutants(problem.reference or "", 5, problem.id))]
        for code in codes:
            text = critique.messages(problem, code)[0]["content"]
            ids = tokenizer(text, add_special_tokens=False).input_ids
            assert tokenizer.decode(ids) == text
            assert len(ids) < 80
    for text in (" leading", "a\n\n  b\n", "x = {'y': [1, 2.5]}  # ~!@#$%^&*()_+", "\\conclusion{T}"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_a_prompt_is_the_beginning_of_its_conversation(tokenizer: Any, trained_on: list[Problem]) -> None:
    for row in small.demonstrations(trained_on, 100, random.Random(9)):
        prompt = tokenizer.apply_chat_template(
            row["prompt"], add_generation_prompt=True, tokenize=True, return_dict=False
        )
        whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=True, return_dict=False)
        assert whole[: len(prompt)] == prompt
        assert whole[-1] == tokenizer.eos_token_id
        assert tokenizer.unk_token_id not in whole
        assert len(whole) - len(prompt) <= 44


def test_numbers_and_symbols_are_tokens_of_their_own(tokenizer: Any) -> None:
    ids = tokenizer("\n        if v <= 5:\n            s += 17", add_special_tokens=False).input_ids
    assert [tokenizer.decode([one]) for one in ids] == [
        "\n        if v",
        " <=",
        " 5",
        ":",
        "\n            s",
        " +=",
        " 17",
    ]


def test_the_tokenizer_is_the_same_every_time(tokenizer: Any) -> None:
    again = small.tokenizer()
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_the_configuration_is_of_the_tokenizer(tokenizer: Any) -> None:
    made = small.config(len(tokenizer))
    assert made.model_type == "qwen3"
    assert (made.pad_token_id, made.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)
    assert made.vocab_size == len(tokenizer)


def test_every_word_of_a_question_is_in_the_module_docstring() -> None:
    said = small.__doc__ or ""
    for word in itertools.chain(*(re.findall(r"[a-z]+", small._words(line)) for line in _lines())):
        assert word in said


def _lines() -> list[small.Line]:
    rng = random.Random(10)
    return [small._drawn(shape, "v", rng) for shape in small.SECOND for _ in range(50)]
