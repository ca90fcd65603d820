"""The stage `difficulty`: answers that are judged and are no candidates, and what is said of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data import build
from crl_data.corpus.build import Built
from crl_data.corpus.difficulty import fault_of_difficulty
from crl_data.errors import InputError, RowError
from crl_data.metrics.estimates import pass_at_k, wilson
from crl_data.rows import read_rows
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, Command, write_rows
from tests.samplers.server import Held, Server, completion

WRONG = "print(1)\n"
ENDLESS = "while True:\n    pass\n"


def block(code: str) -> str:
    return f"So it is.\n\n```python\n{code}```\n"


def recipe(folder: Path, problems: int = 3, **more: Any) -> Path:
    rows = [{**PROBLEM_ROW, "id": f"p{n}", "question": f"{PROBLEM_ROW['question']} ({n})"} for n in range(problems)]
    write_rows(folder / "problems.jsonl", rows)
    path = folder / "recipe.yaml"
    path.write_text(json.dumps({"problems": [{"path": "problems.jsonl"}], "split": {"test_share": 0}, **more}))
    return path


def written(folder: Path, answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = [
        {"problem_id": problem, "id": str(number), **row}
        for problem, of_problem in answers.items()
        for number, row in enumerate(of_problem)
    ]
    write_rows(folder / "answers.jsonl", rows)
    return {"sampler": "recorded", "path": "answers.jsonl"}


def rows_of(directory: Path, name: str = "difficulty") -> list[dict[str, Any]]:
    return [row.cells for row in read_rows(directory / f"{name}.parquet")]  # type: ignore[union-attr]


def measured(folder: Path, settings: dict[str, Any], **more: Any) -> Built:
    return build(recipe(folder, difficulty=settings, **more), folder / "out", quiet=True)


# --- what a row says ----------------------------------------------------------------------------------------------------


def test_an_answer_is_right_wrong_or_without_code_and_the_rest_follows(tmp_path: Path) -> None:
    cut = {"response": "<think>and so on", "finish_reason": "length", "tokens": 50, "reasoning_tokens": 50}
    answers = {
        "p0": [{"response": block(RIGHT_SUM), "tokens": 10, "reasoning_tokens": 4}] * 2
        + [{"response": block(WRONG), "tokens": 20, "reasoning_tokens": 0}, cut],
        "p1": [{"code": RIGHT_SUM}, {"response": "I cannot."}],
    }
    built = measured(tmp_path, written(tmp_path, answers))
    first, second, third = rows_of(tmp_path / "out")
    assert (first["problem_id"], first["n"], first["n_true"], first["n_inconclusive"]) == ("p0", 4, 2, 0)
    assert (first["pass_at_1"], first["pass_at_2"], first["pass_at_4"]) == (0.5, pytest.approx(5 / 6), 1.0)
    assert (first["mean_tokens"], first["mean_reasoning_tokens"]) == (22.5, 14.5)
    assert (second["n"], second["n_true"], second["pass_at_1"], second["pass_at_2"]) == (2, 1, 0.5, 1.0)
    assert second["pass_at_4"] is None and second["mean_tokens"] is None
    assert (third["n"], third["pass_at_1"]) == (0, None)
    summary = built.manifest["difficulty"]
    assert {name: summary[name] for name in ("problems", "answers", "true", "false", "inconclusive")} == {
        "problems": 3,
        "answers": 6,
        "true": 3,
        "false": 3,
        "inconclusive": 0,
    }
    assert (summary["without code"], summary["cut by length"]) == (2, 1)
    assert summary["pass_at"]["1"]["mean"] == 0.5 and summary["pass_at"]["1"]["problems"] == 2
    assert summary["pass_at"]["4"]["problems"] == 1
    low, high = wilson(0.5, 2)
    assert (summary["pass_at"]["1"]["low"], summary["pass_at"]["1"]["high"]) == (round(low, 6), round(high, 6))


def test_what_is_inconclusive_is_in_no_pass_at_k_and_counted(tmp_path: Path) -> None:
    more = {"judge": {"time_limit_s": 0.2, "max_timeouts": 1}}
    path = recipe(tmp_path, 1, difficulty=written(tmp_path, {"p0": [{"code": ENDLESS}, {"code": RIGHT_SUM}]}), **more)
    (row,) = [json.loads(line) for line in (tmp_path / "problems.jsonl").read_text().splitlines()]
    del row["reference"]
    write_rows(tmp_path / "problems.jsonl", [row])
    built = build(path, tmp_path / "out", quiet=True)
    (found,) = rows_of(tmp_path / "out")
    assert (found["n"], found["n_true"], found["n_inconclusive"], found["pass_at_1"]) == (1, 1, 1, 1.0)
    assert built.manifest["difficulty"]["inconclusive"] == 1 and built.manifest["difficulty"]["false"] == 0


def test_the_answers_are_no_candidates(tmp_path: Path) -> None:
    built = measured(tmp_path, written(tmp_path, {"p0": [{"code": RIGHT_SUM}, {"code": WRONG}]}))
    assert rows_of(tmp_path / "out", "candidates") == [] == rows_of(tmp_path / "out", "judgements")
    assert built.manifest["counts"]["pool"] == {"records": 3, "solve": 3}


def test_the_answers_are_candidates_where_it_is_said(tmp_path: Path) -> None:
    cut = {"response": block(RIGHT_SUM), "finish_reason": "length"}
    answers = {"p0": [{"response": block(RIGHT_SUM)}, {"response": block(WRONG)}, cut, {"response": "No."}]}
    built = measured(tmp_path, {**written(tmp_path, answers), "candidates": True}, mix={"critique_share": 1.0})
    dropped = [row["dropped"] for row in rows_of(tmp_path / "out", "candidates")]
    assert dropped == [None, None, "cut by length", "there is no code in the response"]
    assert built.manifest["counts"]["pool"]["critique"] == 2
    (row, *_) = rows_of(tmp_path / "out")
    assert (row["n"], row["n_true"]) == (4, 2)
    assert built.judged == 2  # the answer that was cut has the code of the first one


def test_an_answer_whose_id_is_taken_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "s.jsonl", [{"problem_id": "p0", "id": "difficulty/recorded/p0/0", "code": WRONG}])
    settings = {**written(tmp_path, {"p0": [{"code": RIGHT_SUM}]}), "candidates": True}
    with pytest.raises(RowError, match="'difficulty/recorded/p0/0' again"):
        measured(tmp_path, settings, candidates=[{"sampler": "recorded", "path": "s.jsonl"}])


def test_the_card_tells_of_it(tmp_path: Path) -> None:
    measured(tmp_path, written(tmp_path, {"p0": [{"code": RIGHT_SUM, "sampler": {"name": "x", "model": "some/one"}}]}))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "## Difficulty" in card and "1 answers of some/one (8 a problem" in card and "| pass@1 | 1.000 |" in card


def test_a_build_without_the_stage_leaves_no_file_of_an_earlier_one(tmp_path: Path) -> None:
    measured(tmp_path, written(tmp_path, {"p0": [{"code": RIGHT_SUM}]}))
    assert (tmp_path / "out" / "difficulty.parquet").is_file()
    built = build(recipe(tmp_path), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "difficulty.parquet").exists() and built.manifest["difficulty"] is None


def test_a_faulty_row_of_recorded_answers_is_named(tmp_path: Path) -> None:
    settings = written(tmp_path, {"p0": [{"code": RIGHT_SUM}, {"tokens": 3}]})
    with pytest.raises(InputError, match=r"answers.jsonl:2: code: expected code, or a response"):
        measured(tmp_path, settings)
    built = measured(tmp_path, settings, on_bad_rows="skip")
    assert built.manifest["difficulty"]["answers"] == 1 and built.manifest["counts"]["bad_rows"] == 1


# --- a model behind a server --------------------------------------------------------------------------------------------


def test_a_model_is_asked_once_and_its_tokens_are_counted(tmp_path: Path) -> None:
    with Server() as server:
        settings = {"sampler": "openai", "model": "m", "base_url": server.url, "n": 4}
        built = measured(tmp_path, settings)
        assert [body["n"] for body in server.bodies] == [4, 4, 4]
        rows = rows_of(tmp_path / "out")
        assert [(row["n"], row["n_true"], row["model"]) for row in rows] == [(4, 2, "m")] * 3
        each = sum(len(text.split()) for text in (_answer(server, 0, n) for n in range(4))) / 4
        assert rows[0]["mean_tokens"] == each
        first = (tmp_path / "out" / "difficulty.parquet").read_bytes()
        again = build(tmp_path / "recipe.yaml", tmp_path / "out", quiet=True)
        assert server.count == 3 and again.judged == 0
    assert (tmp_path / "out" / "difficulty.parquet").read_bytes() == first
    assert again.manifest["difficulty"] == built.manifest["difficulty"]


def _answer(server: Server, request: int, number: int) -> str:
    from tests.samplers.server import words

    return words(server.bodies[request], number)


def test_a_build_that_is_killed_ends_with_the_same_bytes_and_asks_nothing_twice_that_was_answered(
    tmp_path: Path,
) -> None:
    held = Held(lambda body, _: completion(body, [block(RIGHT_SUM), block(WRONG)]), 4)
    with Server(held) as server:
        settings = {"sampler": "openai", "model": "m", "base_url": server.url, "n": 2, "concurrency": 1}
        path = recipe(tmp_path, 8, difficulty=settings)
        command = [sys.executable, "-m", "crl_data", "build", str(path), "--out", str(tmp_path / "out")]
        held.kill(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL), server)
        assert not (tmp_path / "out" / "manifest.json").exists()
        build(path, tmp_path / "out", quiet=True)
        names = [json.dumps(body["messages"]) for body in server.bodies]
        assert len(set(names)) == 8 and len(names) == 9  # one was under way
        build(path, tmp_path / "whole", quiet=True)
    found = [(tmp_path / name / "difficulty.parquet").read_bytes() for name in ("out", "whole")]
    assert found[0] == found[1]


# --- estimates ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_answer(n: int, data: st.DataObject) -> None:
    from itertools import combinations

    n_true, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(combinations([True] * n_true + [False] * (n - n_true), k))
    assert pass_at_k(n, n_true, k) == pytest.approx(sum(map(any, draws)) / len(draws))


@given(st.integers(1, 1000), st.data())
def test_an_interval_is_within_0_and_1_and_holds_its_mean(n: int, data: st.DataObject) -> None:
    mean = data.draw(st.floats(0, 1))
    low, high = wilson(mean, n)
    assert 0 <= low <= mean <= high <= 1 and low < high


def test_an_interval_is_that_of_the_tables() -> None:
    low, high = wilson(0.3, 10)  # 3 of 10: Newcombe 1998 gives such values for the score method
    assert (round(low, 4), round(high, 4)) == (0.1078, 0.6032)
    assert [round(bound, 4) for bound in wilson(0.0, 10)] == [0.0, 0.2775]


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"n_true": 5}, "n_true"), ({"pass_at_1": 0.4}, "pass_at_1"), ({"pass_at_4": None}, "pass_at_4"), ({}, None)],
)
def test_a_row_that_cannot_be_right_is_found(changed: dict[str, Any], field: str | None) -> None:
    row = {"n": 4, "n_true": 2, "pass_at_1": 0.5, "pass_at_2": 5 / 6, "pass_at_4": 1.0}
    fault = fault_of_difficulty({**row, **changed})
    assert (fault.field if fault else None) == field


def test_validate_reads_the_file(tmp_path: Path, crl_data: Command) -> None:
    measured(tmp_path, written(tmp_path, {"p0": [{"code": RIGHT_SUM}]}))
    assert crl_data("validate", "out").returncode == 0
    rows = [{**row, "n_true": 9} for row in rows_of(tmp_path / "out")]
    write_rows(tmp_path / "rows.jsonl", rows)
    found = crl_data("validate", "rows.jsonl")
    assert (
        found.returncode == 2 and "rows.jsonl:1: n_true: expected a count from 0 to 1, got the number 9" in found.stdout
    )
