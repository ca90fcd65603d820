"""Known answers: programs that the world holds to be right are True here, and those known to be wrong are not.

Every exception stands here by name, with its cause.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crl_data import Judge, Judgement, Problem, Solution
from crl_data.importers import SetAside, Tools, read_problems, read_solutions
from crl_data.judging import Policy
from tests.conftest import Command

# Graph programs: their tests are pytest modules that need other files of QuixBugs.
QUIXBUGS_SET_ASIDE = {
    "breadth_first_search",
    "depth_first_search",
    "detect_cycle",
    "minimum_spanning_tree",
    "reverse_linked_list",
    "shortest_path_length",
    "shortest_path_lengths",
    "shortest_paths",
    "topological_ordering",
    "node",
}


@pytest.fixture(scope="module")
def exact() -> Iterator[Judge]:
    """Every test must pass."""
    with Judge(policy=Policy(threshold=1.0)) as judge:
        yield judge


def read(form: str, path: Path) -> tuple[dict[str, Problem], list[SetAside]]:
    found = list(read_problems(form, str(path), Path(), _tools()))
    return {p.id: p for p in found if isinstance(p, Problem)}, [p for p in found if isinstance(p, SetAside)]


def _tools() -> Tools:
    def stop(error: Exception) -> None:
        raise error

    def none() -> object:
        raise AssertionError("no expected output has to be computed here")

    return Tools(none, stop)  # type: ignore[arg-type]


def references(judge: Judge, problems: dict[str, Problem]) -> list[Judgement]:
    pairs = (
        (problem, Solution(problem_id=problem.id, id="reference", code=problem.reference))
        for problem in problems.values()
    )
    return list(judge.map(pairs))


def not_true(judgements: list[Judgement]) -> dict[str, str]:
    return {one.problem_id: one.reason for one in judgements if one.verdict is not True}


def test_every_canonical_solution_of_humaneval_is_true(exact: Judge, shared_data: Path) -> None:
    problems, aside = read("humaneval", shared_data / "humaneval" / "HumanEval.jsonl.gz")
    judged = references(exact, problems)
    assert (len(judged), aside) == (164, [])
    assert not_true(judged) == {}
    assert sum(one.tamper_proof for one in judged) >= 157


def test_every_reference_of_mbpp_is_true(exact: Judge, shared_data: Path) -> None:
    problems, aside = read("mbpp", shared_data / "mbpp" / "mbpp.jsonl.gz")
    judged = references(exact, problems)
    assert (len(judged), aside) == (974, [])
    assert not_true(judged) == {}
    assert sum(one.tamper_proof for one in judged) >= 969


def test_quixbugs_correct_programs_are_true_and_buggy_ones_are_not(exact: Judge, shared_data: Path) -> None:
    path = shared_data / "quixbugs" / "quixbugs.jsonl.gz"
    problems, aside = read("quixbugs", path)
    assert {one.id.removeprefix("quixbugs/") for one in aside} == QUIXBUGS_SET_ASIDE
    assert len(problems) == 31
    solutions = read_solutions("quixbugs", str(path), Path(), _tools(), lambda name: [])
    pairs = [(problems[s.problem_id], s) for s in solutions if s.problem_id in problems]
    judged = list(exact.map(pairs))
    assert len(judged) == 62
    correct = [one for one in judged if "correct" in one.solution_id]
    buggy = [one for one in judged if "buggy" in one.solution_id]
    assert (len(correct), len(buggy)) == (31, 31)
    assert not_true(correct) == {}
    assert [one.problem_id for one in buggy if one.verdict is True] == []


@pytest.mark.slow
def test_every_reference_of_humaneval_plus_holds(crl_data: Command, shared_data: Path) -> None:
    """Expected outputs are computed by the canonical solution in the sandbox; it must then pass every one of its tests."""
    source = shared_data / "evalplus" / "HumanEvalPlus.jsonl.gz"
    done = crl_data("import", "evalplus", source, "--out", "plus.jsonl", "--verify", "--json", timeout=900)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["problems"], told["holding"], told.get("failing", 0)) == (164, 164, 0), told["notes"]
