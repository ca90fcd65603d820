"""Reading what a model wrote: which code of an answer is taken, and what a critique concludes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.responses import Extraction, answer_of, code_of, extract_code, fenced_blocks, parse_conclusion
from crl_data.types import Solution

ONE = "```python\nprint(1)\n```"
TWO = "```python\nprint(2)\n```"
LAST = [
    (ONE, "print(1)\n"),
    (f"{ONE}\nNo, better:\n{TWO}\nDone.", "print(2)\n"),
    (
        f"{TWO}\nIts output:\n```\n2\n```\n",
        "print(2)\n",
    ),  # a block that says it is Python goes before one that says nothing
    (f"{TWO}\nRun it:\n```bash\npython a.py\n```\n", "print(2)\n"),
    ("First\n```\nprint(0)\n```\nthen\n```\nprint(3)\n```\n", "print(3)\n"),
    ("```py\nprint(1)\n```", "print(1)\n"),
    ("```Python3\nprint(1)\n```", "print(1)\n"),
    ("```PYTHON title='a.py'\nprint(1)\n```", "print(1)\n"),
    ("``` python \nprint(1)\n```", "print(1)\n"),
    ("```{.python}\nprint(1)\n```", "print(1)\n"),
    ("   ```python\nprint(1)\n  ```", "print(1)\n"),
    ("~~~python\nprint(1)\n~~~", "print(1)\n"),
    ("~~~python\ns = '''\n```\n'''\n~~~\n", "s = '''\n```\n'''\n"),
    ("````python\ns = '''\n```\n'''\n````\n", "s = '''\n```\n'''\n"),  # closed by as many backticks as opened it
    ("````python\nprint(1)\n`````\n", "print(1)\n"),  # or by more
    ("```python\nprint(1)\n~~~\n", "print(1)\n~~~\n"),  # and by no other mark
    ("```python\nprint(1)\n```python\n", "print(1)\n```python\n"),  # what has a label closes nothing
    ("```python\nprint('```')\n```\n", "print('```')\n"),  # inside a line they close nothing
    ("Cut off:\n```python\nprint(1)\nprint(", "print(1)\nprint("),  # not closed: to the end
    (f"<think>Try {ONE}</think>{TWO}", "print(2)\n"),
    (f"Try {ONE}</think>\n{TWO}", "print(2)\n"),  # templates that open the reasoning themselves
    (f"<think>a</think>\n{ONE}\n<think>b</think>\n{TWO}", "print(2)\n"),
    (f"<think>a</think>\n{ONE}\n<think>on and on {TWO}", "print(1)\n"),
]
NONE = [
    "",
    "   \n",
    "The answer is `print(1)`.",
    "print(1)",
    "```python\n```",
    "```python\n \n\t\n```",
    "```cpp\nint main() {}\n```",
    "```json\n{}\n```\n```text\nprint(1)\n```",
    "``python\nprint(1)\n``",
    "a ```python\nprint(1)\n",  # a fence starts its line
    f"<think>\n{ONE}\n",
    f"<think>\n{ONE}\n</think>",
    f"\n{ONE}\n</think>\nI could not do it.",
    f"<think>a</think>b</think>\n<think>{ONE}",
    f"````markdown\n{ONE}\n````\n",  # quoted in a text of another language
]


@pytest.mark.parametrize(("response", "code"), LAST)
def test_the_last_python_block_is_taken(response: str, code: str) -> None:
    assert extract_code(response) == code


@pytest.mark.parametrize("response", NONE)
def test_there_is_no_code(response: str) -> None:
    assert extract_code(response) is None


@pytest.mark.parametrize("response", [text for text, _ in LAST])
def test_line_ends_of_windows_change_nothing(response: str) -> None:
    expected = extract_code(response)
    taken = extract_code(response.replace("\n", "\r\n"))
    assert taken is not None and expected is not None
    assert taken.replace("\r\n", "\n").strip() == expected.strip()


def test_all_blocks_that_parse_are_joined() -> None:
    response = f"```python\ndef f():\n    return 1\n```\nnot this: ```python\ndef (\n```\nand run it\n{TWO}\n```\nprint(3)\n```"
    assert extract_code(response, Extraction.ALL_BLOCKS) == "def f():\n    return 1\nprint(2)"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ("<python>print(1)</python> and ```python\nprint(2)```", "print(1)\nprint(2)"),
        ("```\npython\nprint(1)\n```", "print(1)"),
        ("```python\n# nothing\n```", "# nothing"),
        ("```python\nprint(1)", None),  # the published pattern asks for an end
        ("```python\n\n```", None),
        ("```py\nprint(1)\n```", None),
        (f"<think>{ONE}</think>{TWO}", "print(2)"),
        (f"<think>{ONE}", None),
        ("```python\nx = '\0'\n```", None),
        ("```python\nx = '\ud800'\n```", None),
        (f"```python\n{'(' * 5000}\n```{ONE}", "print(1)"),
        (f"```python\n{'-' * 100_000}1\n```{ONE}", "print(1)"),
    ],
)
def test_all_blocks_as_the_published_code_reads_them(response: str, code: str | None) -> None:
    assert extract_code(response, Extraction.ALL_BLOCKS) == code


def test_reasoning_ends_at_its_last_end() -> None:
    assert answer_of("<think>a</think>b</think> c") == " c"
    assert answer_of("a") == "a"
    assert answer_of("<think>a") == ""
    assert answer_of("<think>a</think>") == ""
    assert answer_of("b<think>a") == "b"


def test_blocks_come_in_order_with_the_first_word_of_their_label() -> None:
    text = "~~~\na\n~~~\n```C++ x\nb\n\nc\n```\n```\n```\nrest\n`````Python\nd"
    assert fenced_blocks(text) == [("", "a\n"), ("c++", "b\n\nc\n"), ("", ""), ("python", "d")]


def solution(**fields: str) -> Solution:
    return Solution(problem_id="p", id="s", **fields)  # type: ignore[arg-type]


def test_code_that_is_given_is_taken_as_it_is() -> None:
    text = "```python\nprint(1)\n```"  # no Python, and not our business
    assert code_of(solution(code=text)) == (text, "")
    assert code_of(solution(code=text, response=TWO)) == (text, "")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "neither code nor a response"),
        ({"code": ""}, "the code is empty"),
        ({"code": " \n"}, "the code is empty"),
        ({"code": "", "response": ONE}, "the code is empty"),
        ({"response": ""}, "the response is empty"),
        ({"response": "\n"}, "the response is empty"),
        ({"response": f"<think>{ONE}"}, "breaks off inside its reasoning"),
        ({"response": "I do not know."}, "there is no code in the response"),
        ({"response": f"<think>{ONE}</think>I do not know."}, "there is no code in the response"),
    ],
)
def test_where_there_is_no_code_it_is_said_why(fields: dict[str, str], why: str) -> None:
    code, said = code_of(solution(**fields))
    assert code is None and why in said


def test_the_rule_that_is_asked_for_is_the_one_that_is_used() -> None:
    response = f"{ONE}\n{TWO}"
    assert code_of(solution(response=response))[0] == "print(2)\n"
    assert code_of(solution(response=response), Extraction.ALL_BLOCKS)[0] == "print(1)\nprint(2)"


# --- conclusions ------------------------------------------------------------------------------------------------------

TRUE = ["T", "t", "True", "true", "TRUE", "tRuE", " T ", "\tT\n", r"\text{T}", r"\text{ True }", r" \text {true} "]
FALSE = ["F", "f", "False", "false", "FALSE", " F ", r"\text{F}", r"\text{False}"]
MISSING = [
    "",
    " ",
    "INCORRECT",
    "CORRECT",
    "Not correct",
    "TF",
    "T or F",
    "T/F",
    "T, F",
    "T.",
    "yes",
    "1",
    "0",
    "Т",  # Cyrillic
    "ｔ",  # full width
    "T}",
    r"\text{}",
    r"\text{T} F",
    r"\textbf{T}",
    r"\boxed{T}",
    "**T**",
    "$T$",
    "'T'",
]


@pytest.mark.parametrize("word", TRUE)
def test_a_conclusion_that_says_true(word: str) -> None:
    assert parse_conclusion(f"Fine. \\conclusion{{{word}}}") is True


@pytest.mark.parametrize("word", FALSE)
def test_a_conclusion_that_says_false(word: str) -> None:
    assert parse_conclusion(f"Wrong. \\conclusion{{{word}}} So it is.") is False


@pytest.mark.parametrize("word", [word for word in MISSING if "}" not in word or "{" in word])
def test_any_other_conclusion_is_missing(word: str) -> None:
    assert parse_conclusion(f"\\conclusion{{{word}}}") is None


@pytest.mark.parametrize(
    ("critique", "conclusion"),
    [
        (r"\conclusion{F} ... \conclusion{T}", True),
        (r"\conclusion{T} ... \conclusion{F}", False),
        (r"\conclusion{T} ... \conclusion{unsure}", None),  # the last one counts, and not the last that can be read
        (r"\conclusion{T} ... \conclusion{}", None),
        (r"Neither \conclusion nor {T}", None),
        (r"conclusion{T}", None),
        (r"\Conclusion{T}", None),
        (r"\conclusions{T}", None),
        ("\\conclusion {T}", True),
        ("\\conclusion{\nT\n}", True),
        (r"\\conclusion{T}", True),
        (r"$\conclusion{F}$", False),
        (r"\boxed{\conclusion{F}}", False),
        (r"\conclusion{T", None),
        (r"<think>\conclusion{T}</think>\conclusion{F}", False),
        (r"<think>\conclusion{T}</think>I cannot say.", None),
        (r"\conclusion{T}</think>", None),
        (r"<think>\conclusion{T}", None),
        (r"\conclusion{F}<think>\conclusion{T}", False),
        ("", None),
    ],
)
def test_the_last_conclusion_of_the_answer_counts(critique: str, conclusion: bool | None) -> None:
    assert parse_conclusion(critique) is conclusion


@pytest.mark.parametrize(
    ("critique", "official", "ours"),
    [
        (r"\conclusion{T}", True, True),
        (r"\conclusion{F}", False, False),
        (r"\conclusion{INCORRECT}", True, None),
        (r"\conclusion{NOT CORRECT}", True, None),
        (r"\conclusion{FT}", True, None),
        (r"\conclusion{t}", None, True),
        (r"\conclusion{f}", None, False),
        (r"\conclusion{true}", None, True),
        (r"\conclusion{FALSE}", False, False),
        (r"\conclusion{wrong}", None, None),
        (r"\conclusion{\text{F}}", False, False),  # ends at the first brace there, which is enough here
        (r"\conclusion{F} <think> \conclusion{T}", True, False),  # anywhere in the response
        (r"<think>\conclusion{T}", True, None),
        (r"\conclusion {T}", None, True),
        ("\\conclusion{\nT}", None, True),
        (r"nothing", None, None),
    ],
)
def test_the_published_rule_is_another(critique: str, official: bool | None, ours: bool | None) -> None:
    assert parse_conclusion(critique, official=True) is official
    assert parse_conclusion(critique) is ours


# --- any text at all --------------------------------------------------------------------------------------------------

FENCES = ["```", "````", "~~~", "`", "python", "<python>", "</python>", "print(1)", "x = 1\n"]
MARKS = ["<think>", "</think>", "<", "\\conclusion", "\\text", "{", "}", "T", "F"]
PIECES = st.sampled_from([*FENCES, *MARKS, "\n", "\r\n", " ", "    ", "\0", "\ud800", "é"])
ANY = st.text(st.characters(), max_size=60) | st.lists(PIECES, max_size=25).map("".join)


@given(ANY)
def test_no_text_makes_reading_fail(text: str) -> None:
    for rule in Extraction:
        code = extract_code(text, rule)
        assert code is None or code.strip()
        assert (code_of(solution(response=text), rule)[0] is None) == bool(code_of(solution(response=text), rule)[1])
    for official in (False, True):
        assert parse_conclusion(text, official=official) in (True, False, None)


@given(ANY, st.sampled_from([True, False]))
def test_what_was_thought_does_not_count(text: str, conclusion: bool) -> None:
    answer = f"\n{ONE}\n\\conclusion{{{'T' if conclusion else 'F'}}}"
    assert extract_code(f"<think>{text}</think>{answer}") == "print(1)\n"
    assert extract_code(f"<think>{text}</think>{answer}", Extraction.ALL_BLOCKS) == "print(1)"
    assert parse_conclusion(f"<think>{text}</think>{answer}") is conclusion


@given(st.text(st.characters(exclude_characters="`\r", codec="utf-8"), min_size=1).filter(str.strip))
def test_a_block_comes_back_as_it_was_written(code: str) -> None:
    assert extract_code(f"Here:\n```python\n{code}\n```\nDone.") == code + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "```" + " " * 30_000 + "`",
        "```python\n" * 6_000,
        "`" * 60_000 + "x`",
        "\n```\n~~~" * 8_000,
        "\\conclusion{" * 5_000,
        "\\conclusion" + " " * 60_000,
        "\\conclusion{{}" * 5_000,
        "\\conclusion{" + "{}" * 30_000,
        "<think>" * 9_000 + "</think" * 9_000,
    ],
    ids=lambda text: repr(text[:16]),
)
def test_an_answer_made_to_be_slow_is_read_in_no_time(text: str) -> None:
    """Some tens of thousands of characters: a long answer of a model, which a reward reads in a training loop."""
    start = time.process_time()
    extract_code(text)
    parse_conclusion(text)
    assert time.process_time() - start < 1
