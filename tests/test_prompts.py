"""Prompts of records: what a solver is told and what not, and which template said it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.errors import InputError
from crl_data.prompts import Template, load_template
from crl_data.types import Problem
from tests.conftest import assert_problem, function_problem, stdin_problem

HERE = Path("/nowhere")
SOLVE, CRITIQUE = load_template("solve", "default", HERE), load_template("critique", "default", HERE)


def numbers(public: int | None, **more: object) -> Problem:
    """Three tests, of whose numbers none stands anywhere else."""
    pairs = ((f"{n}\n", f"{n + 1}\n") for n in (7011, 7021, 7031))
    return replace(stdin_problem(*pairs), question="Print the number after n.", public_tests=public, **more)  # type: ignore[arg-type]


def solve(problem: Problem) -> str:
    (message,) = SOLVE.messages(problem)
    assert message.keys() == {"role", "content"} and message["role"] == "user"
    return message["content"]


def critique(problem: Problem, solution: str) -> str:
    (message,) = CRITIQUE.messages(problem, solution)
    assert message.keys() == {"role", "content"} and message["role"] == "user"
    return message["content"]


def test_a_solver_sees_the_public_tests_and_no_other() -> None:
    for public in (None, 0, 1, 2, 3):
        prompt = solve(numbers(public))
        for place, number in enumerate((7011, 7021, 7031)):
            assert (str(number) in prompt) == (str(number + 1) in prompt) == (place < (public or 0))
        assert ("Example" in prompt) == bool(public)


@pytest.mark.parametrize("public", [None, 0])
def test_hidden_tests_of_any_kind_stay_hidden(public: int | None) -> None:
    for problem in (
        function_problem("f", ([7011], 7012), public_tests=public, reference="def f(n): return n + 7013"),
        assert_problem("f", "assert f(7011) == 7012", public_tests=public, reference="7013", test_setup="x = 7014"),
        numbers(public, reference="# 7013", checker="tokens", test_setup="7014"),
    ):
        for prompt in (solve(problem), critique(problem, "def f(n): ...")):
            assert "701" not in prompt


def test_a_critic_sees_the_question_and_the_solution_and_is_told_how_to_conclude() -> None:
    solution = "if True:\n    print(int(input()) + 1)  # <b>&amp; {{ question }} {% if %}"
    prompt = critique(numbers(2), solution)
    assert f"```python\n{solution}\n```" in prompt
    assert "Print the number after n." in prompt
    assert "\\conclusion{T}" in prompt and "\\conclusion{F}" in prompt


def test_the_code_to_complete_stands_in_the_prompt() -> None:
    head = "def f(n):\n    # the number after n"
    for problem in (
        function_problem("f", ([1], 2), starter_code=head + "\n\n"),
        assert_problem("f", "assert f(1)", starter_code=head),
    ):
        assert f"```python\n{head}\n```" in solve(problem)
        assert f"```python\n{head}\n```" in critique(problem, "x = 1")


def test_without_code_to_complete_the_name_is_said() -> None:
    problem = function_problem("Solution.twice", ([1], 2))
    assert "`Solution.twice`" in solve(problem) and "`Solution.twice`" in critique(problem, "x = 1")
    assert "None" not in solve(assert_problem(None, "assert f(1)")) + critique(
        assert_problem(None, "assert f(1)"), "x = 1"
    )


def test_a_program_is_told_about_its_input_and_a_function_is_not() -> None:
    assert "standard input" in solve(numbers(None)) and "standard input" in critique(numbers(None), "x = 1")
    problem = function_problem("f", ([1], 2))
    assert "standard input" not in solve(problem) + critique(problem, "x = 1")


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(str.strip) | st.sampled_from(
    ["{{ 7 * 7 }}", "{% for x in y %}", "{# a #}", "</s>", "a\r\nb", "`", "\\conclusion{T}"]
)


@given(TEXT, TEXT)
def test_what_a_problem_and_a_solution_say_is_no_template(question: str, solution: str) -> None:
    problem = replace(numbers(None), question=question)
    assert question.strip() in solve(problem)
    prompt = critique(problem, solution)
    assert question.strip() in prompt and solution.strip("\n") in prompt


@given(TEXT)
def test_a_prompt_is_one_text_for_one_problem(question: str) -> None:
    problem = replace(numbers(1), question=question)
    assert solve(problem) == solve(problem) and solve(problem).endswith("\n")


# --- templates --------------------------------------------------------------------------------------------------------


def test_the_label_says_kind_name_and_text() -> None:
    template = Template("solve", "mine.jinja", "{{ question }}")
    assert template.label == f"solve/mine.jinja@{hashlib.sha256(b'{{ question }}').hexdigest()[:12]}"
    assert SOLVE.label.startswith("solve/default@") and CRITIQUE.label.startswith("critique/default@")
    assert Template("solve", "mine.jinja", "{{ question }} ").label != template.label


def test_a_template_of_the_users_stands_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.jinja").write_text(
        "{{ question }}|{{ entry_point }}|{{ examples | length }}|{{ test_kind }}\n"
    )
    template = load_template("solve", "sub/mine.jinja", tmp_path)
    problem = function_problem("f", ([1], 2), ([2], 3), public_tests=1)
    assert template.messages(problem) == ({"role": "user", "content": "?|f|1|function\n"},)
    assert template.label.startswith("solve/mine.jinja@")
    assert load_template("solve", str(tmp_path / "sub" / "mine.jinja"), HERE).text == template.text


def test_a_name_that_is_none_names_those_that_are_known(tmp_path: Path) -> None:
    for kind in ("solve", "critique"):
        with pytest.raises(
            InputError, match=rf"prompts.{kind}: no template is called 'other' \(known: .*default"
        ) as raised:
            load_template(kind, "other", tmp_path)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["", ".", "sub"])
def test_a_folder_is_no_template(name: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError, match="no template is called"):
        load_template("solve", name, tmp_path)


def test_a_file_that_is_no_text_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"a\.jinja"):
        load_template("solve", "a.jinja", tmp_path)


def test_a_critique_template_must_say_how_to_conclude(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text("{{ question }} {{ solution }}: right or wrong?")
    with pytest.raises(InputError, match=r"prompts.critique: a.jinja: .*\\conclusion"):
        load_template("critique", "a.jinja", tmp_path)
    assert load_template("solve", "a.jinja", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{{ question",
        "{% if %}",
        "{% nonsense %}",
        "{{ references }}",
        "{{ solution }}",
        "{% include 'x' %}",
        "{{ question | no }}",
        "{{ 1 / 0 }}",
        "{{ question + 1 }}",
        "{{ examples[3].input }}",
        "{{ question.read() }}",
    ],
)
def test_a_template_that_cannot_be_filled_is_an_error_in_one_line_that_names_it(text: str) -> None:
    with pytest.raises(InputError, match=r"prompts.solve \(a.jinja\)") as raised:
        Template("solve", "a.jinja", text).messages(numbers(None))
    assert "\n" not in str(raised.value)
