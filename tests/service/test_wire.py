"""What goes over the wire comes back as it was, and what is wrong is named by its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.errors import RowError
from crl_data.judging import Isolation, Policy, Timeouts
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Way
from crl_data.sandbox import Observation
from crl_data.service import wire
from crl_data.types import Judgement, Outcome, Problem, Sampler, Solution, Source, Test, TestKind

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ANY_TEXT = st.text(st.characters(), max_size=8)  # with halves of characters, as a model may write them
NAME = TEXT.filter(bool)
NUMBER = st.floats(0.001, 999_999.0)
PROBLEMS = st.builds(
    Problem,
    id=NAME,
    question=TEXT,
    test_kind=st.just(TestKind.STDIN),
    tests=st.lists(st.builds(Test, input=TEXT, expected=TEXT), min_size=1, max_size=3).map(tuple),
    public_tests=st.none() | st.integers(0, 1),
    entry_point=st.none() | NAME,
    test_setup=st.none() | TEXT,
    checker=st.sampled_from([None, "default", "exact", "floats:0.1"]),
    starter_code=st.none() | TEXT,
    reference=st.none() | TEXT,
    time_limit_s=st.none() | NUMBER,
    memory_limit_mb=st.none() | NUMBER,
    source=st.builds(Source, dataset=TEXT, license=TEXT),
)
SAMPLERS = st.builds(Sampler, name=TEXT, model=st.none() | TEXT, temperature=st.none() | NUMBER, edit=st.none() | TEXT)
SOLUTIONS = st.builds(
    Solution, problem_id=NAME, id=NAME, code=ANY_TEXT, response=st.none() | ANY_TEXT, sampler=st.none() | SAMPLERS
)
POLICIES = st.builds(
    Policy,
    threshold=st.floats(0.01, 1.0),
    timeouts=st.sampled_from(Timeouts),
    max_timeouts=st.integers(1, 9),
    early_stop=st.booleans(),
    isolation=st.sampled_from(Isolation),
    libraries=st.lists(NAME, max_size=2).map(tuple),
    time_limit_s=st.none() | NUMBER,
    memory_limit_mb=NUMBER,
    audit=st.integers(0, 9),
)
CALIBRATIONS = st.builds(
    Calibration, reference_cpu_s=st.none() | NUMBER, fault=TEXT, way=st.none() | st.sampled_from(Way), interface=TEXT
)
JUDGEMENTS = st.builds(
    Judgement,
    problem_id=TEXT,
    solution_id=TEXT,
    verdict=st.none() | st.booleans(),
    pass_rate=st.none() | st.floats(0, 1),
    n_tests=st.integers(0, 99),
    n_passed=st.integers(0, 99),
    n_inconclusive=st.integers(0, 99),
    outcomes=st.lists(st.sampled_from(Outcome), max_size=3).map(tuple),
    limit_from=TEXT,
    tamper_proof=st.booleans(),
    isolation=TEXT,
    reason=TEXT,
    seconds=NUMBER,
    sandbox=TEXT,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
RIGHT: dict[str, Any] = {
    "problem": {
        "id": "p",
        "question": "?",
        "test_kind": "stdin",
        "tests": [{"input": "1", "expected": "1"}],
        "source": {"dataset": "x"},
        "checker": "exact",
        "time_limit_s": 1,
    },
    "solutions": [{"code": "x", "sampler": {"name": "x", "seed": 1}}, {"response": "y"}],
    "policy": {"threshold": 0.5, "timeouts": "fail", "libraries": ["numpy"], "audit": 1, "time_limit_s": 1},
    "known": {"reference_cpu_s": 0.1, "way": "split", "fault": "", "interface": ""},
}


def read(cells: Any) -> wire.JudgeRequest:
    return wire.judge_request(json.dumps(cells).encode(), Policy())


@given(PROBLEMS, st.lists(SOLUTIONS, min_size=1, max_size=3), POLICIES, st.none() | CALIBRATIONS)
def test_a_request_is_read_as_it_was_written(
    problem: Problem, solutions: list[Solution], policy: Policy, known: Calibration | None
) -> None:
    got = wire.judge_request(wire.judge_body(problem, solutions, policy, known), Policy())
    assert (got.problem, list(got.solutions), got.policy, got.known) == (problem, solutions, policy, known)


@given(st.lists(JUDGEMENTS, max_size=3))
def test_judgements_are_read_as_they_were_written(judgements: list[Judgement]) -> None:
    assert wire.judgements_of(wire.judge_answer(judgements)) == judgements


def test_what_a_policy_does_not_name_is_the_services_own() -> None:
    own = Policy(threshold=0.3, libraries=("scipy",), audit=5)
    cells = {**RIGHT, "policy": {"early_stop": True, "threshold": None}}
    got = wire.judge_request(json.dumps(cells).encode(), own)
    assert got.policy == Policy(threshold=0.3, libraries=("scipy",), audit=5, early_stop=True)
    assert wire.judge_request(json.dumps({**RIGHT, "policy": None}).encode(), own).policy == own


def test_a_solution_without_names_has_those_of_its_problem_and_its_place() -> None:
    assert [(one.problem_id, one.id) for one in read(RIGHT).solutions] == [("p", "0"), ("p", "1")]


def test_what_is_carried_through_is_not_sent() -> None:
    problem = Problem(id="p", question="?", test_kind=TestKind.STDIN, tests=(Test(input=""),), extra={"big": object()})
    assert (
        wire.judge_request(
            wire.judge_body(problem, [Solution(problem_id="p", id="s", code="")]), Policy()
        ).problem.extra
        == {}
    )


# --- what is wrong ----------------------------------------------------------------------------------------------------------------


def changed(place: str, value: Any) -> dict[str, Any]:
    """The right request with another value at a place; `...` leaves it out."""
    cells: Any = json.loads(json.dumps(RIGHT))
    one, *path = (int(name) if name.isdecimal() else name for name in reversed(place.split(".")))
    inner = cells
    for name in reversed(path):
        inner = inner[name]
    if value is ...:
        del inner[one]
    else:
        inner[one] = value
    found: dict[str, Any] = cells
    return found


@pytest.mark.parametrize(
    ("place", "value", "field", "expected", "came"),
    [
        ("problem", ..., "problem", "an object", "nothing"),
        ("problem", 3, "problem", "an object", "the number 3"),
        ("problem.id", "", "problem.id", "a name", "an empty string"),
        ("problem.id", ..., "problem.id", "a string", "nothing"),
        ("problem.tests", [], "problem.tests", "at least one test", "none"),
        ("problem.tests.0.input", None, "problem.tests[0].input", "a string", "null"),
        ("problem.tests.0.input", "\ud800", "problem.tests[0].input", "text", "a lone surrogate"),
        ("problem.test_kind", "unit", "problem.test_kind", "one of stdin", "'unit'"),
        ("problem.test_kind", "function", "problem.entry_point", "the function under test", "null"),
        ("problem.checker", "fuzzy", "problem.checker", "exact", "'fuzzy'"),
        ("problem.time_limit_s", float("nan"), "problem.time_limit_s", "a number above 0", "nan"),
        ("solutions", [], "solutions", "at least one solution", "none"),
        ("solutions", {}, "solutions", "a list of objects", "the object {}"),
        ("solutions.1", None, "solutions[1]", "an object", "null"),
        ("solutions.1.response", ..., "solutions[1].code", "code, or a response", "neither"),
        ("solutions.0.code", 1, "solutions[0].code", "a string", "the number 1"),
        ("solutions.0.sampler.seed", 1.5, "solutions[0].sampler.seed", "a whole number", "1.5"),
        ("policy.threshold", 0, "policy.threshold", "more than 0 and at most 1", "0"),
        ("policy.threshold", float("nan"), "policy.threshold", "more than 0 and at most 1", "nan"),
        ("policy.threshold", True, "policy.threshold", "a number", "the boolean True"),
        ("policy.timeouts", "maybe", "policy.timeouts", "one of auto, fail, inconclusive", "'maybe'"),
        ("policy.max_timeouts", 0, "policy.max_timeouts", "1 or more", "0"),
        ("policy.audit", -1, "policy.audit", "0 or more", "-1"),
        ("policy.time_limit_s", 0, "policy.time_limit_s", "a number above 0", "0"),
        ("policy.memory_limit_mb", 1e9, "policy.memory_limit_mb", "a number above 0", "1000000000.0"),
        ("policy.treshold", 0.5, "policy.treshold", "the key 'threshold'", "a key that is not known"),
        ("policy.xyz", 1, "policy.xyz", "one of the keys threshold, timeouts", "a key that is not known"),
        ("solution", [], "solution", "the key 'solutions'", "a key that is not known"),
        ("known.way", "guess", "known.way", "one of split, tester, handles, beside", "'guess'"),
        ("known.reference_cpu_s", float("inf"), "known.reference_cpu_s", "a number of seconds", "inf"),
        ("known.reference_cpu_s", -1, "known.reference_cpu_s", "a number of seconds", "-1"),
    ],
)
def test_a_fault_is_named_by_its_field(place: str, value: Any, field: str, expected: str, came: str) -> None:
    with pytest.raises(RowError) as caught:
        read(changed(place, value))
    assert caught.value.field == field and expected in caught.value.expected and came in caught.value.came
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff", b'{"a": 1e999', b"[" * 100_000, b"9" * 10_000])
def test_a_body_that_is_no_object_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(RowError, match="a JSON object"):
        wire.judge_request(body, Policy())


@pytest.mark.parametrize("levels", [100, 300, 500, 900, 980, 3000])
def test_a_body_may_be_nested_as_deeply_as_it_likes(levels: int) -> None:
    body = json.dumps(RIGHT).replace('"checker"', f'"more": {"[" * levels + "]" * levels}, "checker"').encode()
    try:
        wire.judge_request(body, Policy())
    except RowError as error:
        assert "nested" in str(error) or "recursion" in str(error)


PLACES = [
    "problem", "problem.id", "problem.question", "problem.test_kind", "problem.tests", "problem.tests.0",
    "problem.tests.0.input", "problem.tests.0.expected", "problem.source", "problem.source.dataset", "problem.checker",
    "problem.time_limit_s", "solutions", "solutions.0", "solutions.0.code", "solutions.0.sampler", "solutions.0.sampler.seed",
    "solutions.1.response", "policy", "policy.threshold", "policy.timeouts", "policy.libraries", "policy.audit", "known",
    "known.reference_cpu_s", "known.way", "known.interface", "more", "problem.more", "solutions.0.more",
]  # fmt: skip


@given(st.sampled_from(PLACES), JSON)
def test_anything_in_any_place_is_read_or_named(place: str, value: Any) -> None:
    try:
        assert isinstance(read(changed(place, value)), wire.JudgeRequest)
    except RowError as error:
        assert error.field.split(".")[0].split("[")[0] == place.split(".")[0] or place == "more"


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_at_all_is_refused_as_a_request_and_as_an_answer(body: bytes) -> None:
    with pytest.raises(RowError):
        wire.judge_request(body, Policy())
    with pytest.raises(RowError):
        wire.judgements_of(body)


@given(JSON, st.sampled_from(["verdict", "outcomes", "n_tests", "pass_rate", "seconds", "reason", "tamper_proof"]))
def test_an_answer_is_a_judgement_or_none(value: Any, name: str) -> None:
    judgement = Judgement(
        problem_id="p", solution_id="s", verdict=True, pass_rate=1.0, n_tests=1, n_passed=1, n_inconclusive=0,
        outcomes=(Outcome.PASSED,), limit_from="default", tamper_proof=True, isolation="batch", reason="", seconds=0.1,
    )  # fmt: skip
    cells = json.loads(wire.judge_answer([judgement]))
    cells["judgements"][0][name] = value
    try:
        (got,) = wire.judgements_of(json.dumps(cells).encode())
    except RowError:
        return
    assert got.verdict in (True, False, None) and all(isinstance(one, Outcome) for one in got.outcomes)


# --- SandboxFusion's terms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["fault", "ended", "raised", "killed", "refused", "timeout", "memory", "output", "protocol"]
)
def test_a_fault_of_ours_is_no_failure_of_the_program_and_nothing_else_is_one_of_ours(how: str) -> None:
    seen = Observation(
        how=how, note="why", answer=b"x", cpu_s=1.0, wall_s=2.0, peak_mb=1.0, signal=9 if how == "killed" else 0, lives=False,
        exit_status=3 if how == "raised" else 0,
    )  # fmt: skip
    told = wire.run_code_response(seen)
    assert told.status == {"fault": "SandboxError", "ended": "Success"}.get(how, "Failed")
    if told.run_result is None:
        assert how == "fault" and told.message == "why"
    else:
        codes = {"ended": 0, "killed": -9, "raised": 3, "timeout": None}
        assert told.run_result.return_code == codes.get(how, 1) and told.message == ""
        assert (told.run_result.status == "TimeLimitExceeded") is (how == "timeout")
