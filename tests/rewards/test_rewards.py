"""Rewards: in TRL's signature, on strings and on chats, never raising on what a model wrote."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.rewards import critique_reward, hybrid_reward, parse_conclusion, solve_reward
from tests.conftest import PROBLEM_ROW, RIGHT_SUM

TESTS = PROBLEM_ROW["tests"]
FENCED = f"Like this:\n```python\n{RIGHT_SUM}```\n"


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize("wrap", [str, chat], ids=["string", "chat"])
def test_a_critique_is_rewarded_when_its_conclusion_is_the_truth(wrap: Any) -> None:
    said = [r"\conclusion{T}", r"\conclusion{F}", "no conclusion", r"\conclusion{INCORRECT}"]
    completions = [wrap(text) for text in said]
    assert critique_reward(completions=completions, verdict=[True] * 4) == [1.0, 0.0, 0.0, 0.0]
    assert critique_reward(completions=completions, verdict=[False] * 4) == [0.0, 1.0, 0.0, 0.0]
    assert critique_reward(completions=completions, verdict=[None] * 4) == [None] * 4


@given(st.one_of(st.text(), st.lists(st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.integers())))))
def test_a_critique_reward_never_raises_on_what_a_model_wrote(completion: Any) -> None:
    assert critique_reward(completions=[completion], verdict=[True]) in ([0.0], [1.0])


@pytest.mark.parametrize("wrap", [str, chat], ids=["string", "chat"])
def test_a_solution_is_rewarded_by_its_pass_rate(wrap: Any) -> None:
    half = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 0)\n```"
    completions = [wrap(text) for text in (FENCED, half, "I cannot.", "```python\ndef (:\n```")]
    rates = solve_reward(completions=completions, tests=[TESTS] * 4, test_kind=["stdin"] * 4)
    assert rates == [1.0, pytest.approx(5 / 6), 0.0, 0.0]


def test_each_row_of_a_hybrid_is_rewarded_by_its_kind() -> None:
    columns: dict[str, Any] = {
        "tests": [TESTS] * 3,
        "test_kind": ["stdin"] * 3,
        "solution": ["print(1)", None, "print(2)"],
        "kind": ["critique", "solve", "critique"],
    }
    completions = [r"\conclusion{F}", FENCED, FENCED]
    assert hybrid_reward(completions=completions, verdict=[False, None, True], **columns) == [1.0, 1.0, 0.0]
    assert solve_reward(completions=completions, **columns) == [None, 1.0, None]
    assert critique_reward(completions=completions, verdict=[False, None, True], **columns) == [1.0, None, 0.0]


def test_nothing_but_none_for_what_cannot_be_decided() -> None:
    """A time-out whose limit is nobody's evidence."""
    endless = "```python\nwhile True: pass\n```"
    rates = solve_reward(completions=[endless], tests=[TESTS], test_kind=["stdin"], time_limit_s=[0.5])
    assert rates == [None]


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=200))
def test_a_solve_reward_never_raises_on_what_a_model_wrote(text: str) -> None:
    completion = f"```python\n{text}\n```"
    (rate,) = solve_reward(completions=[completion], tests=[TESTS[:1]], test_kind=["stdin"])
    assert rate is None or 0 <= rate <= 1


def test_a_lone_surrogate_in_code_is_the_models_fault() -> None:
    (rate,) = solve_reward(completions=["```python\nprint('\ud800')\n```"], tests=[TESTS[:1]], test_kind=["stdin"])
    assert rate == 0.0


def test_the_conclusion_is_read_in_one_place() -> None:
    from crl_data import responses

    assert parse_conclusion is responses.parse_conclusion


def test_a_trainer_that_forks_gets_a_judge_of_its_own() -> None:
    program = (
        "import os\nfrom crl_data.rewards import solve_reward\n"
        f"call = lambda: solve_reward(completions=[{FENCED!r}], tests=[{TESTS!r}], test_kind=['stdin'])\n"
        "assert call() == [1.0]\npid = os.fork()\n"
        "if pid == 0:\n    os._exit(call() != [1.0])\n"
        "assert os.waitpid(pid, 0)[1] == 0\nassert call() == [1.0]\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
