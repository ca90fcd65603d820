"""The stage `critiques`: texts for critique records, kept where they conclude the verdict, and corrected solutions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crl_data import build, load_records
from crl_data.corpus.build import Built, dry_run
from crl_data.corpus.critiques import fault_of_critique
from crl_data.corpus.relabel import relabel
from crl_data.errors import BatchWaits, BudgetSpent, InputError
from crl_data.judging import Judge
from crl_data.types import Problem, Solution
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, Command, write_rows
from tests.corpus.test_difficulty import block, rows_of
from tests.samplers.server import Held, Server, completion

WRONG = "print(1)\n"


def recipe(folder: Path, problems: int = 4, **more: Any) -> Path:
    """Half of the problems have a right candidate and half a wrong one; each gives a critique record."""
    rows = [{**PROBLEM_ROW, "id": f"p{n}", "question": f"{PROBLEM_ROW['question']} ({n})"} for n in range(problems)]
    write_rows(folder / "problems.jsonl", rows)
    codes = [{"problem_id": f"p{n}", "id": "s", "code": WRONG if n % 2 else RIGHT_SUM} for n in range(problems)]
    write_rows(folder / "solutions.jsonl", codes)
    whole = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "mix": {"critique_share": 1.0},
        "split": {"test_share": 0.5},
        **more,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(whole))
    return path


def written(folder: Path, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    write_rows(folder / "teacher.jsonl", [{"solution_id": "s", **row} for row in rows])
    return {"sampler": "recorded", "path": "teacher.jsonl", **more}


def critiqued(folder: Path, settings: dict[str, Any], problems: int = 4, **more: Any) -> Built:
    return build(recipe(folder, problems, critiques=settings, **more), folder / "out", quiet=True)


def by_problem(directory: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(directory, "critiques"):
        found.setdefault(row["problem_id"], []).append(row)
    return found


def teacher(body: dict[str, Any], server: Server) -> Any:
    """A teacher that knows the truth; asked to correct, it does, but for one problem."""
    *_, first = [one["content"] for one in body["messages"][:1]]
    if len(body["messages"]) == 3:
        return completion(body, [block(WRONG if "(3)" in first else RIGHT_SUM)])
    return completion(
        body, [r"So. \conclusion{F}" if "print(1)" in first else r"So. \conclusion{T}"] * body.get("n", 1)
    )


def asking(server: Server | str, **more: Any) -> dict[str, Any]:
    url = server if isinstance(server, str) else server.url
    return {"sampler": "openai", "model": "m", "base_url": url, **more}


# --- what is kept -------------------------------------------------------------------------------------------------------


def test_a_critique_is_kept_where_it_concludes_the_verdict(tmp_path: Path) -> None:
    rows = [
        {
            "problem_id": "p0",
            "response": r"Fine. \conclusion{T}",
            "tokens": 5,
            "sampler": {"name": "us", "model": "big"},
        },
        {"problem_id": "p1", "response": r"Fine. \conclusion{T}", "tokens": 6},
        {"problem_id": "p2", "response": "I do not know.", "tokens": 7},
        {"problem_id": "gone", "response": r"\conclusion{T}"},
    ]
    built = critiqued(tmp_path, written(tmp_path, *rows))
    found = by_problem(tmp_path / "out")
    assert sorted(found) == ["p0", "p1", "p2"]
    told = {name: (row["conclusion"], row["agrees"], row["tokens"]) for name, (row,) in found.items()}
    assert told == {"p0": (True, True, 5), "p1": (True, False, 6), "p2": (None, None, 7)}
    assert found["p0"][0]["sampler"]["model"] == "big" and found["p1"][0]["sampler"]["name"] == "recorded"
    assert found["p0"][0]["id"] == "critique:p0:s:0" and found["p0"][0]["response"] == rows[0]["response"]
    summary = built.manifest["critiques"]
    counts = {name: summary[name] for name in ("records", "critiques", "kept", "wrong", "missing", "without an answer")}
    assert counts == {"records": 4, "critiques": 3, "kept": 1, "wrong": 1, "missing": 1, "without an answer": 1}
    assert summary["output_tokens"] == 18 and summary["refined"] is None
    assert "## Critiques" in (tmp_path / "out" / "README.md").read_text()


def test_what_is_thought_concludes_nothing(tmp_path: Path) -> None:
    thought = r"<think>Surely \conclusion{T}</think>"
    rows = [
        {"problem_id": "p0", "response": thought + r"No: \conclusion{F}"},
        {"problem_id": "p2", "response": r"<think>It is \conclusion{T}"},
    ]
    critiqued(tmp_path, written(tmp_path, *rows))
    found = by_problem(tmp_path / "out")
    assert (found["p0"][0]["agrees"], found["p2"][0]["agrees"]) == (False, None)


def test_only_the_records_of_the_dataset_are_asked_for_unless_it_is_the_pool(tmp_path: Path) -> None:
    rows = [{"problem_id": f"p{n}", "response": r"\conclusion{T}"} for n in range(4)]
    for of, count in (("data", 2), ("pool", 4)):
        built = critiqued(tmp_path, written(tmp_path, *rows, of=of), mix={"critique_share": 0.5})
        assert built.manifest["critiques"]["critiques"] == count == len(rows_of(tmp_path / "out", "critiques"))
        if of == "data":
            wanted = {record.problem_id for record in load_records(tmp_path / "out") if record.kind == "critique"}
            assert set(by_problem(tmp_path / "out")) == wanted


def test_the_prompt_of_the_record_is_what_the_teacher_is_asked(tmp_path: Path) -> None:
    with Server(teacher) as server:
        critiqued(tmp_path, asking(server, n=2))
        prompts = {record.problem_id: list(record.prompt) for record in load_records(tmp_path / "out")}
        assert sorted(map(json.dumps, prompts.values())) == sorted(
            json.dumps(body["messages"]) for body in server.bodies
        )
        assert [body["n"] for body in server.bodies] == [2] * 4
        (tmp_path / "mine.jinja").write_text("Is this right? {{ solution }} Say \\conclusion{T} or \\conclusion{F}.")
        critiqued(tmp_path, asking(server, prompt="mine.jinja"))
        assert server.bodies[-1]["messages"][0]["content"].startswith("Is this right? ")
    assert {row["agrees"] for row in rows_of(tmp_path / "out", "critiques")} == {True}


# --- corrected solutions ------------------------------------------------------------------------------------------------


def test_a_kept_critique_of_a_wrong_solution_goes_on_to_a_corrected_one_that_is_judged(tmp_path: Path) -> None:
    with Server(teacher) as server:
        built = critiqued(tmp_path, asking(server, refine=True))
        refining = [body for body in server.bodies if len(body["messages"]) == 3]
        assert len(refining) == 2 and server.count == 6
        assert refining[0]["messages"][1] == {"role": "assistant", "content": r"So. \conclusion{F}"}
        assert "correct the solution" in refining[0]["messages"][2]["content"]
        found = by_problem(tmp_path / "out")
        assert [found[name][0]["refined_code"] for name in ("p0", "p2")] == [None, None]
        one, other = found["p1"][0], found["p3"][0]
        assert (one["refined_code"], one["refined_verdict"], one["refined_pass_rate"]) == (RIGHT_SUM, True, 1.0)
        assert (other["refined_code"], other["refined_verdict"]) == (WRONG, False) and other["refined_pass_rate"] < 0.5
        refined = built.manifest["critiques"]["refined"]
        assert (refined["asked"], refined["true"], refined["false"], refined["inconclusive"]) == (2, 1, 1, 0)
        first = (tmp_path / "out" / "critiques.parquet").read_bytes()
        again = build(tmp_path / "recipe.yaml", tmp_path / "out", quiet=True)
        assert server.count == 6 and again.judged == 0
    assert (tmp_path / "out" / "critiques.parquet").read_bytes() == first
    assert again.manifest["critiques"] == built.manifest["critiques"]
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_the_reasoning_of_a_critique_is_not_said_again(tmp_path: Path) -> None:
    def thinking(body: dict[str, Any], server: Server) -> Any:
        if len(body["messages"]) == 3:
            return teacher(body, server)
        return completion(body, [r"Wrong. \conclusion{F}"], reasoning_content="a long thought")

    with Server(thinking) as server:
        critiqued(tmp_path, asking(server, refine=True))
        said = [body["messages"][1]["content"] for body in server.bodies if len(body["messages"]) == 3]
    assert said == [r"Wrong. \conclusion{F}"] * 2
    assert all("a long thought" in row["response"] for row in rows_of(tmp_path / "out", "critiques"))


def test_a_recorded_teacher_brings_its_corrected_solutions(tmp_path: Path) -> None:
    rows = [
        {"problem_id": "p1", "response": r"\conclusion{T}", "refined_code": RIGHT_SUM},
        {"problem_id": "p1", "response": r"\conclusion{F}", "refined_code": f'"""```"""\n{RIGHT_SUM}'},
        {"problem_id": "p3", "response": r"\conclusion{F}"},
        {"problem_id": "p0", "response": r"\conclusion{T}", "refined_code": WRONG},
    ]
    built = critiqued(tmp_path, written(tmp_path, *rows, n=2, refine=True))
    found = by_problem(tmp_path / "out")
    assert [row["refined_verdict"] for row in found["p1"]] == [None, True]  # of the first nothing was asked
    assert found["p1"][1]["refined_code"].startswith('"""```"""')
    assert found["p3"][0]["refined_code"] is None is found["p0"][0]["refined_code"]
    refined = built.manifest["critiques"]["refined"]
    assert (refined["asked"], refined["true"], refined["without an answer"]) == (2, 1, 1)


def test_one_budget_holds_for_critiques_and_corrected_solutions(tmp_path: Path) -> None:
    with Server(teacher) as server:
        settings = asking(server, refine=True, budget={"requests": 5}, concurrency=1)
        with pytest.raises(BudgetSpent, match="the budget of 5 requests is spent"):
            critiqued(tmp_path, settings)
        assert server.count == 5 and not (tmp_path / "out" / "manifest.json").exists()
        critiqued(tmp_path, {**settings, "budget": {"requests": 6}})
        assert server.count == 6


def test_what_was_paid_for_corrected_solutions_counts_before_more_critiques_are_asked_for(tmp_path: Path) -> None:
    with Server(teacher) as server:
        settings = asking(server, refine=True, budget={"requests": 6}, concurrency=1)
        critiqued(tmp_path, settings)
        assert server.count == 6  # four critiques and two corrected solutions
        with pytest.raises(BudgetSpent, match="the budget of 6 requests is spent"):
            critiqued(tmp_path, settings, problems=8)
        assert server.count == 6


def test_a_corrected_solution_from_a_batch_is_judged_on_its_own_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[str, str]] = []

    def submit(self: Judge, problem: Problem, solution: Solution, **more: Any) -> Any:
        if (solution.code or "").startswith("#"):
            judged.append((problem.id, str(solution.code).splitlines()[0]))
        return kept(self, problem, solution, **more)

    kept = Judge.submit
    monkeypatch.setattr(Judge, "submit", submit)
    settings = asking("http://h/v1", refine=True, batch="b")

    def waits(answer: Callable[[dict[str, Any]], str], but: int) -> None:
        """A build that waits, and the answers to what it has written but for the first so many."""
        with pytest.raises(BatchWaits):
            critiqued(tmp_path, settings, problems=6, split={"test_share": 0})
        lines = [json.loads(line) for line in (tmp_path / "b" / "requests-1.jsonl").read_text().splitlines()]
        for line in lines[but:]:
            response = {"status_code": 200, "body": completion(line["body"], [answer(line["body"])])}
            write_rows(
                tmp_path / "b" / f"{line['custom_id']}.jsonl", [{"custom_id": line["custom_id"], "response": response}]
            )

    def corrected(body: dict[str, Any]) -> str:
        (number,) = re.findall(r" \((\d)\)", body["messages"][0]["content"])
        return block(f"#p{number}\n{RIGHT_SUM}")

    waits(lambda body: teacher(body, None)["choices"][0]["message"]["content"], but=0)  # type: ignore[arg-type]
    waits(corrected, but=1)
    waits(corrected, but=0)
    critiqued(tmp_path, settings, problems=6, split={"test_share": 0})
    assert len(judged) >= 5 and all(mark == f"#{problem}" for problem, mark in judged)


def test_a_dry_run_says_what_the_stages_would_ask_and_asks_nothing(tmp_path: Path) -> None:
    with Server(teacher) as server:
        settings = asking(server, n=3, refine=True, max_tokens=100, price={"input": 1, "output": 10})
        measure = asking(server, n=5, max_tokens=10)
        path = recipe(tmp_path, critiques=settings, difficulty=measure, mix={"critique_share": 0.5})
        found = dry_run(path, quiet=True)
        assert server.count == 0
        difficulty, critiques = found.sampling["difficulty (m)"], found.sampling["critiques (m)"]
        assert (difficulty["answers"], difficulty["requests"], difficulty["output_tokens"]) == (20, 4, 200)
        assert (critiques["answers"], critiques["requests"], critiques["output_tokens"]) == (12, 8, 1200)
        assert critiques["prompt_tokens"] > 100 and critiques["usd"] > 0.012
        assert found.requests == 12 and found.solutions == 4 + 4 + 20
        build(path, tmp_path / "out", quiet=True)
        assert server.count <= found.requests
        for candidates, answers in (
            (False, 4),
            (True, 4 + 20),
        ):  # what difficulty is measured by may be candidates, or not
            of_pool = {"difficulty": measure | {"candidates": candidates}, "critiques": asking(server, of="pool")}
            known = dry_run(recipe(tmp_path, **of_pool), tmp_path / "new", quiet=True).sampling["critiques (m)"]
            assert known["answers"] == answers


def test_other_verdicts_take_away_what_hangs_on_them_and_a_build_makes_it_anew_without_asking(tmp_path: Path) -> None:
    with Server(teacher) as server:
        path = recipe(tmp_path, critiques=asking(server), difficulty=asking(server, n=1))
        critiqued = build(path, tmp_path / "out", quiet=True)
        assert critiqued.manifest["critiques"]["kept"] == 4
        asked = server.count
        relabelled = relabel(tmp_path / "out", 0.1)
        left = {file.name for file in (tmp_path / "out").glob("*.parquet")}
        assert left == {"problems.parquet", "candidates.parquet", "judgements.parquet"}
        assert relabelled.manifest["critiques"] is None is relabelled.manifest["difficulty"]
        again = build(path, tmp_path / "out", settings=["judge.threshold=0.1"], quiet=True)
        assert again.manifest["critiques"]["critiques"] == 4 and server.count == asked


def test_the_summary_tells_of_the_stages(tmp_path: Path, crl_data: Command) -> None:
    with Server(teacher) as server:
        path = recipe(tmp_path, critiques=asking(server, refine=True), difficulty=asking(server, n=1))
        ran = crl_data("build", path, "--out", "out")
    assert ran.returncode == 0, ran.stderr
    told = ran.stdout
    assert "difficulty          4 answers to 4 problems: pass@1 0.000\n" in told
    assert "critiques           4 of 4 records: 4 kept, 0 wrong, 0 without a conclusion\n" in told
    assert "                    2 followed by a corrected solution: 1 True\n" in told


# --- killed, and wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [3, 10])
def test_a_build_that_is_killed_ends_with_the_same_bytes_and_asks_nothing_twice_that_was_answered(
    tmp_path: Path, at: int
) -> None:
    held = Held(teacher, at)
    with Server(held) as server:
        path = recipe(tmp_path, 8, critiques=asking(server, refine=True, concurrency=1))
        command = [sys.executable, "-m", "crl_data", "build", str(path), "--out", str(tmp_path / "out")]
        held.kill(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL), server)
        assert not (tmp_path / "out" / "manifest.json").exists()
        build(path, tmp_path / "out", quiet=True)
        names = [json.dumps(body["messages"]) for body in server.bodies]
        assert len(set(names)) == 12 and len(names) == 13  # one was under way
        build(path, tmp_path / "whole", quiet=True)
    found = [(tmp_path / name / "critiques.parquet").read_bytes() for name in ("out", "whole")]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem_id": "p0", "response": None}, r"teacher.jsonl:1: response: expected a string, got null"),
        ({"response": "x"}, r"teacher.jsonl:1: problem_id: expected a string, got nothing"),
    ],
)
def test_a_faulty_row_of_a_recorded_teacher_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    settings = written(tmp_path, row, {"problem_id": "p0", "response": r"\conclusion{T}"})
    with pytest.raises(InputError, match=message):
        critiqued(tmp_path, settings)
    assert critiqued(tmp_path, settings, on_bad_rows="skip").manifest["critiques"]["kept"] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "recorded", "path": "t.jsonl", "refined": True}, "critiques.refined: no such key; did you mean 'refine'"),
        ({"sampler": "vllm", "model": "m", "engine": {"dtype": "half"}}, "critiques.engine: expected no 'dtype' here"),
        ({"sampler": "vllm", "model": "m", "data_parallel_size": 2, "engine": {"enable_expert_parallel": True}}, "data_parallel_size of 1 beside"),
        ({"sampler": "openai"}, "critiques.model: expected a value"),
        ({"sampler": "mutants"}, "critiques: expected"),
    ],
)  # fmt: skip
def test_a_wrong_key_of_the_stage_is_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build(recipe(tmp_path, critiques=settings), tmp_path / "out", quiet=True)
    assert message in str(caught.value) and "recipe.yaml:1: " in str(caught.value)


RIGHT = {"response": r"\conclusion{T}", "conclusion": True, "agrees": False}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, None),
        ({"conclusion": False}, "conclusion"),
        ({"agrees": None}, "agrees"),
        ({"response": "no word", "conclusion": None}, "agrees"),
        ({"refined_verdict": True}, "refined_code"),
        ({"refined_code": "x", "refined_pass_rate": 2.0}, "refined_pass_rate"),
    ],
)
def test_a_row_that_cannot_be_right_is_found(changed: dict[str, Any], field: str | None) -> None:
    fault = fault_of_critique({**RIGHT, **changed})
    assert (fault.field if fault else None) == field


def test_a_dataset_without_critique_records_has_an_empty_file_that_is_no_fault(
    tmp_path: Path, crl_data: Command
) -> None:
    settings = written(tmp_path, {"problem_id": "p0", "response": "x"}, refine=True)
    built = critiqued(tmp_path, settings, mix={"critique_share": 0.0})
    assert built.manifest["critiques"]["records"] == 0 and rows_of(tmp_path / "out", "critiques") == []
    assert crl_data("validate", "out").returncode == 0


def test_validate_reads_the_file(tmp_path: Path, crl_data: Command) -> None:
    critiqued(tmp_path, written(tmp_path, {"problem_id": "p0", "response": r"\conclusion{T}"}))
    assert crl_data("validate", "out").returncode == 0
    write_rows(
        tmp_path / "rows.jsonl", [{**row, "conclusion": False} for row in rows_of(tmp_path / "out", "critiques")]
    )
    found = crl_data("validate", "rows.jsonl")
    assert found.returncode == 2 and "rows.jsonl:1: conclusion: expected the boolean True" in found.stdout
