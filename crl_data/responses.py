r"""Reading what a model wrote: the code in a response, the conclusion of a critique. The one place where it is done.

Reasoning comes first in both: what stands up to the last `</think>` is not part of the answer, and an answer that breaks
off inside its reasoning has none.

Code stands in fenced blocks. Two rules, by name:
    last_block    the last Python block of the answer (default)
    all_blocks    all Python blocks that parse, one after another: what the released training code of Critique-Coder does
                  ("all_in_last_turn" of verl-tool, TIGER-AI-Lab/Critique-Coder 662e89f)

A conclusion is the last `\conclusion{...}` of the answer: T, True, F or False in any case, with blanks or in `\text{}`.
Anything else is missing. `official=True` reproduces the published rule for comparison: the last one anywhere in the
response, True if it contains the letter T (so that `INCORRECT` is True), else False if it contains an F.
"""

from __future__ import annotations

import re
from enum import StrEnum

from crl_data.syntax import parse
from crl_data.types import Solution


class Extraction(StrEnum):
    """Which code of a response is taken; the module says what each means."""

    LAST_BLOCK = "last_block"
    ALL_BLOCKS = "all_blocks"


_FENCE = re.compile(r"^ {0,3}(`{3,}+|~{3,}+)[ \t]*+([^\n`]*+)$", re.MULTILINE)
_PYTHON = frozenset({"python", "python3", "py", "py3", "python2"})
_OFFICIAL_BLOCK = re.compile(r"<python>(.*?)</python>|```\n?python(.*?)```", re.DOTALL)
_CONCLUSION = re.compile(r"\\conclusion\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_OFFICIAL_CONCLUSION = re.compile(r"\\conclusion\{(.*?)\}")
_IN_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_WORDS = {"t": True, "true": True, "f": False, "false": False}


def answer_of(response: str) -> str:
    """The response without its reasoning; empty where it breaks off inside it."""
    answer = response.rpartition("</think>")[2]
    return answer.partition("<think>")[0]


def extract_code(response: str, rule: Extraction = Extraction.LAST_BLOCK) -> str | None:
    """The code of a response, or None where it has none."""
    if rule is Extraction.ALL_BLOCKS:
        return _all_blocks(answer_of(response))
    labelled, bare = [], []
    for label, code in fenced_blocks(answer_of(response)):
        if label in _PYTHON:
            labelled.append(code)
        elif not label:
            bare.append(code)
    blocks = labelled or bare
    return blocks[-1] if blocks and blocks[-1].strip() else None


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a Markdown text, by CommonMark's rule: (first word of the label in lower case, content).

    A block that is not closed goes to the end.
    """
    blocks = []
    place = 0
    while (opening := _FENCE.search(text, place)) is not None:
        fence = opening[1]
        closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t\r]*$", re.MULTILINE).search(
            text, opening.end()
        )
        words = opening[2].split()
        label = words[0].strip("{}.").lower() if words else ""
        blocks.append((label, text[opening.end() + 1 : closing.start() if closing else len(text)]))
        if closing is None:
            break
        place = closing.end()
    return blocks


def fenced(code: str) -> str:
    """Code as an answer has it: in a block whose fence it does not hold."""
    longest = max(map(len, re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code.rstrip(chr(10))}\n{fence}\n"


def _all_blocks(answer: str) -> str | None:
    kept = []
    for match in _OFFICIAL_BLOCK.finditer(answer):
        code = (match[1] if match[1] is not None else match[2]).strip()
        try:
            parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if code:
            kept.append(code)
    return "\n".join(kept) or None


def code_of(solution: Solution, rule: Extraction = Extraction.LAST_BLOCK) -> tuple[str | None, str]:
    """The code of a solution, or None and why there is none."""
    if solution.code is not None:
        return (solution.code, "") if solution.code.strip() else (None, "the code is empty")
    if solution.response is None:
        return None, "there is neither code nor a response"
    code = extract_code(solution.response, rule)
    if code is not None:
        return code, ""
    if not answer_of(solution.response).strip():
        return (
            None,
            "the response breaks off inside its reasoning"
            if "<think>" in solution.response
            else "the response is empty",
        )
    return None, "there is no code in the response"


def parse_conclusion(critique: str, *, official: bool = False) -> bool | None:
    r"""What a critique concludes: True, False, or None where there is no conclusion that could be read.

    >>> parse_conclusion(r"The loop is fine. \conclusion{T}")
    True
    >>> parse_conclusion(r"\conclusion{INCORRECT}") is None
    True
    >>> parse_conclusion(r"\conclusion{INCORRECT}", official=True)
    True
    """
    if official:
        found = _OFFICIAL_CONCLUSION.findall(critique)
        return None if not found else True if "T" in found[-1] else False if "F" in found[-1] else None
    matches = _CONCLUSION.findall(answer_of(critique))
    if not matches:
        return None
    word = matches[-1].strip()
    in_text = _IN_TEXT.fullmatch(word)
    return _WORDS.get((in_text[1] if in_text else word).strip().lower())
