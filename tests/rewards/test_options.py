"""Options of rewards: where they come from, what is refused, and what each does to a number."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.errors import InputError
from crl_data.rewards import critique_reward, reward, solve_reward
from crl_data.rewards.judging import problem_of
from crl_data.rewards.options import PREFIX, Options, options_from
from crl_data.rewards.score import CRITIQUE, SOLVE, has_form, terms
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, ROOT

TESTS = PROBLEM_ROW["tests"]
RIGHT = f"```python\n{RIGHT_SUM}```"
HALF = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 0)\n```"


def test_a_keyword_comes_before_the_environment_and_that_before_the_default() -> None:
    environment = {PREFIX + "MAX_TESTS": "5", PREFIX + "SCORE": "all", "HOME": "/"}
    assert options_from({"max_tests": 3}, environment) == Options(max_tests=3, score="all")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("JUDGE", "http://one:1, http://two:2", ("http://one:1", "http://two:2")),
        ("JUDGE", "http://one:1", "http://one:1"),
        ("JUDGE", "local", "local"),
        ("TIMEOUT_S", "none", None),
        ("TIMEOUT_S", "2.5", 2.5),
        ("JOBS", "4", 4),
        ("ON_INCONCLUSIVE", "zero", "zero"),
        ("ON_INCONCLUSIVE", "0.25", 0.25),
        ("LIBRARIES", "numpy,scipy", ("numpy", "scipy")),
        ("LIBRARIES", "", ()),
        ("FORMAT", "-0.5", -0.5),
        ("TOKEN", "secret", "secret"),
    ],
)
def test_what_a_variable_says(name: str, text: str, value: Any) -> None:
    assert getattr(options_from({}, {PREFIX + name: text}), name.lower()) == value


@pytest.mark.parametrize("text", ["true", "1", "yes", "False", "0", "no"])
def test_true_and_false(text: str) -> None:
    found = options_from({"score": "all"}, {PREFIX + "EARLY_STOP": text}).early_stop
    assert found is (text in ("true", "1", "yes"))


@pytest.mark.parametrize(
    ("given_", "environment", "said"),
    [
        ({"judge": "there"}, {}, "judge: expected"),
        ({"judge": ()}, {}, "judge: expected"),
        ({"score": "some"}, {}, "score: expected pass_rate or all, got 'some'"),
        ({"on_inconclusive": "half"}, {}, "on_inconclusive: expected none or zero or a number, got 'half'"),
        ({"early_stop": True}, {}, 'early_stop: expected score "all" beside it'),
        ({"max_tests": 0}, {}, "max_tests: expected more than 0"),
        ({"overlong_tokens": 5}, {}, "overlong_tokens: expected max_tokens beside it"),
        ({"maxtests": 3}, {}, "maxtests: expected an option of a reward"),
        ({}, {PREFIX + "MAXTESTS": "3"}, PREFIX + "MAXTESTS: expected"),
        ({}, {PREFIX + "MAX_TESTS": "many"}, PREFIX + "MAX_TESTS: expected a number, got 'many'"),
        ({}, {PREFIX + "EARLY_STOP": "perhaps"}, PREFIX + "EARLY_STOP: expected true or false, got 'perhaps'"),
    ],
)
def test_what_is_wrong_is_said_with_its_name(given_: dict[str, Any], environment: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as error:
        options_from(given_, environment)
    assert str(error.value).startswith(said)


def test_every_option_is_in_the_docs_with_its_default() -> None:
    page = (ROOT / "docs" / "rewards.md").read_text()
    rows = [line.split("|") for line in page[page.index("| option |") :].split("\n\n")[0].splitlines()[2:]]
    told = {name.strip(" `"): (row[2], row[3]) for row in rows for name in row[1].split(",")}
    assert set(told) == {one.name for one in fields(Options)}
    for one in fields(Options):
        if isinstance(one.default, str) and one.name != "sandbox":
            assert f"`{one.default}`" in told[one.name][0]


def test_rewards_that_are_named_by_their_path_go_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: dict[str, Any] = {"tests": [TESTS], "test_kind": ["stdin"]}
    assert solve_reward(completions=[HALF], **columns) == [pytest.approx(5 / 6)]
    monkeypatch.setenv(PREFIX + "SCORE", "all")
    assert solve_reward(completions=[HALF], **columns) == [0.0]
    monkeypatch.setenv(PREFIX + "SCORE", "half")
    with pytest.raises(InputError, match="score: expected"):
        solve_reward(completions=[HALF], **columns)


def test_a_reward_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="kind: expected critique, solve or hybrid, got 'judge'"):
        reward("judge")


@pytest.mark.parametrize(
    ("kind", "text", "whether"),
    [
        (CRITIQUE, "It is wrong.\n\\conclusion{F}\n", True),
        (CRITIQUE, "<think>\\conclusion{T}</think>It is wrong.\n\\conclusion{F}", True),
        (CRITIQUE, "\\conclusion{F}\nIt is wrong.", False),
        (CRITIQUE, "\\conclusion{T}\n\\conclusion{F}", False),
        (CRITIQUE, "It is wrong.\n\\conclusion{no}", False),
        (CRITIQUE, "", False),
        (SOLVE, RIGHT, True),
        (SOLVE, RIGHT + "\nor\n" + HALF, False),
        (SOLVE, RIGHT_SUM, False),
        (SOLVE, "", False),
    ],
)
def test_the_form_that_is_asked_for(kind: str, text: str, whether: bool) -> None:
    assert has_form(kind, text) is whether


@pytest.mark.parametrize(
    ("tokens", "added"),
    [(0, -0.25), (9, -0.25), (10, 0.0), (80, 0.0), (85, -0.25), (90, -0.5), (100, -1.0), (999, -1.0)],
)
def test_too_long_costs_by_and_by_and_too_short_at_once(tokens: int, added: float) -> None:
    options = Options(max_tokens=100, overlong_tokens=20, overlong=-1.0, min_tokens=10, short=-0.25)
    assert terms(SOLVE, "", tokens, options) == pytest.approx(added)


def test_terms_are_added_to_what_a_row_is_worth_and_to_nothing_else() -> None:
    critic = reward("critique", format=-0.5, max_tokens=10, overlong_tokens=5, overlong=-1.0)
    said = ["\\conclusion{T}", "\\conclusion{T}\nso it is.", "\\conclusion{T}", "\\conclusion{T}"]
    ids = [[1] * 5, [1] * 5, [1] * 10, [1] * 10]
    assert critic(said, verdict=[True, True, True, None], completion_ids=ids) == [1.0, 0.5, 0.0, None]
    with pytest.raises(InputError, match="completion_ids: expected the tokens of 4 completions"):
        critic(said, verdict=[True] * 4)
    assert critique_reward(said, verdict=[True] * 4, completion_ids=ids) == [1.0] * 4


def row(**more: Any) -> dict[str, Any]:
    return {"tests": [{"input": f"{n} 1\n", "expected": f"{n + 1}\n"} for n in range(20)], "test_kind": "stdin", **more}


@given(st.integers(1, 30))
def test_a_cap_draws_the_same_tests_every_time(most: int) -> None:
    whole = problem_of(row(), 0, Options())
    one, other = (problem_of(row(), 0, Options(max_tests=most)) for _ in range(2))
    assert one == other and len(one.tests) == min(most, 20)
    assert [test for test in whole.tests if test in one.tests] == list(one.tests)


def test_a_cap_is_what_runs() -> None:
    told: dict[str, float] = {}
    capped = reward("solve", max_tests=4)
    wrong = "```python\nprint(0)\n```"
    found = capped([RIGHT, wrong], **{name: [value] * 2 for name, value in row().items()}, log_metric=told.__setitem__)
    assert found[0] == 1.0 and told["solve/tests/passed"] in (0.5, 0.625)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tests": []}, "tests: expected"),
        ({"tests": None}, "tests: expected"),
        ({"test_kind": "exam"}, "test_kind: expected"),
        ({"tests": "[{"}, "row 3"),
        ({"tests": [{"input": 3}]}, "input: expected"),
        ({"checker": "fuzzy"}, "checker: expected"),
    ],
)
def test_a_row_that_is_no_problem_is_the_datas_fault(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        problem_of(row(problem_id="p7", **more), 2, Options())
    assert str(error.value).startswith("row 3 of the batch (p7): ") and said in str(error.value)


def test_tests_may_be_json() -> None:
    assert solve_reward(
        completions=[RIGHT], tests=['[{"input": "1 2\\n", "expected": "3\\n"}]'], test_kind=["stdin"]
    ) == [1.0]


@pytest.mark.parametrize(("on_inconclusive", "worth"), [("none", None), ("zero", 0.0), (0.25, 0.25), (-1, -1.0)])
def test_what_is_undecided_is_worth_what_the_option_says(on_inconclusive: Any, worth: float | None) -> None:
    endless = "```python\nwhile True: pass\n```"
    undecided = reward("solve", on_inconclusive=on_inconclusive, format=-0.5)
    assert undecided([endless], tests=[TESTS], test_kind=["stdin"], time_limit_s=[0.25]) == [worth]


def test_a_late_answer_is_undecided_and_no_failure() -> None:
    """And a call takes no longer than it may."""
    busy = "```python\nimport time\nwhile time.process_time() < 1.5: pass\nprint(1)\n```"
    hurried = reward("solve", timeout_s=0.5)
    told: dict[str, float] = {}
    columns = {"tests": [TESTS[:1]] * 40, "test_kind": ["stdin"] * 40, "time_limit_s": [8.0] * 40}
    begun = time.monotonic()
    found = hurried([busy] * 40, **columns, log_metric=told.__setitem__)
    assert time.monotonic() - begun < 5
    assert found == [None] * 40 and told["solve/inconclusive"] == 1.0
    assert solve_reward([RIGHT], tests=[TESTS], test_kind=["stdin"]) == [1.0]  # the judge is as it was
