"""The problems that ship with the project: good ones, with known answers."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from crl_data import Judge, Problem, Solution, load_records
from crl_data.corpus.manifest import read_manifest
from crl_data.responses import parse_conclusion
from crl_data.rows import Row, problem_of, read_rows, solution_of
from crl_data.types import TestKind

FOLDER = Path(str(files("crl_data") / "examples"))


def rows(name: str) -> list[Row]:
    found = list(read_rows(FOLDER / name))
    assert all(isinstance(row, Row) for row in found)
    return found  # type: ignore[return-value]


PROBLEMS: dict[str, Problem] = {problem.id: problem for problem in map(problem_of, rows("problems.jsonl"))}
SOLUTIONS: list[Solution] = [solution_of(row) for row in rows("solutions.jsonl")]


def test_there_are_24_of_every_kind_each_with_a_reference_and_enough_tests() -> None:
    assert len(PROBLEMS) == 24
    assert {problem.test_kind for problem in PROBLEMS.values()} == {TestKind.STDIN, TestKind.FUNCTION, TestKind.ASSERT}
    for problem in PROBLEMS.values():
        assert problem.reference and len(problem.tests) >= 12 and problem.public_tests
        assert problem.source.license == "apache-2.0"
        assert len({(test.input, test.expected) for test in problem.tests}) == len(problem.tests)


def test_each_has_right_and_wrong_responses() -> None:
    for name in PROBLEMS:
        verdicts = [solution.extra["verdict"] for solution in SOLUTIONS if solution.problem_id == name]
        assert len(verdicts) >= 3 and True in verdicts and False in verdicts
    assert {solution.extra["known"] for solution in SOLUTIONS} >= {"right", "wrong", "slow", "malformed"}


def test_every_reference_holds_and_every_response_is_what_it_is_known_to_be(judge: Judge) -> None:
    references = [judge.prepare(problem) for problem in PROBLEMS.values()]
    assert {future.result().plan.problem.id: future.result().reference_fault for future in references} == dict.fromkeys(
        PROBLEMS, ""
    )
    judged = judge.map((PROBLEMS[solution.problem_id], solution) for solution in SOLUTIONS)
    wrong = {
        one.solution_id: one.reason
        for one, solution in zip(judged, SOLUTIONS, strict=True)
        if one.verdict is not solution.extra["verdict"]
    }
    assert wrong == {}


def test_the_critiques_are_of_what_the_demo_shows_and_conclude_what_they_are_known_to(demo: Path) -> None:
    """One of them concludes wrongly and one breaks off, as teachers do; one corrected solution is wrong."""
    shown = {record.solution_id: record.verdict for record in load_records(demo) if record.kind == "critique"}
    written = {row.cells["solution_id"]: row.cells["response"] for row in rows("critiques.jsonl")}
    assert written.keys() == shown.keys() and len(shown) == 12
    agree = {name: parse_conclusion(text) for name, text in written.items()}
    assert {name for name, said in agree.items() if said is not shown[name]} == {
        "tile-frieze/right-2",
        "buoy-frames/right-1",
    }
    told = read_manifest(demo)["critiques"]
    assert (told["kept"], told["wrong"], told["missing"]) == (10, 1, 1)
    assert (told["refined"]["asked"], told["refined"]["true"], told["refined"]["false"]) == (6, 5, 1)


def test_slow_ones_time_out_where_the_reference_does_not(judge: Judge) -> None:
    slow = [one for one in SOLUTIONS if one.extra["known"] == "slow"]
    assert slow
    for solution in slow:
        judgement = judge.judge(PROBLEMS[solution.problem_id], solution)
        assert "timeout" in judgement.outcomes and judgement.limit_from == "reference", judgement.reason
