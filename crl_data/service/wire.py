"""What goes over the wire: the JSON of a request to judge and of its answer, and SandboxFusion's of a program that is run.

Both ways, so that server and client cannot differ. A request that is wrong is a `RowError` that names the field
(`problem.tests[3].input`), what was expected there and what came. Rows are those of files (`columns`, `rows`); nothing here
judges, and nothing speaks HTTP.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field

from crl_data.columns import JUDGEMENT, PROBLEM, SOLUTION, Column, ListOf, Scalar, Struct, Type, describe, faults
from crl_data.errors import RowError
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Isolation, Policy, Timeouts, Way
from crl_data.rows import Row, cells_of, make_solution, problem_of
from crl_data.sandbox import Limits, Observation
from crl_data.types import Judgement, Outcome, Problem, Solution

MAX_BODY_MB = 64
_MAX_FIELD_BYTES = MAX_BODY_MB << 20
_MOST = 1e6  # of seconds and megabytes: what a row may say (`problems`)
_PLACE = "request"

_STRING, _INT, _FLOAT, _BOOL = Scalar(str), Scalar(int), Scalar(float), Scalar(bool)
_ANY_OBJECT = Struct(())
_TEXT = "text"  # what a fault expects where a string is none: it holds half of a character


def _optional(**types: Type) -> Struct:
    return Struct(tuple(Column(name, kind) for name, kind in types.items()))


POLICY = _optional(
    threshold=_FLOAT,
    timeouts=_STRING,
    max_timeouts=_INT,
    early_stop=_BOOL,
    isolation=_STRING,
    libraries=ListOf(_STRING),
    time_limit_s=_FLOAT,
    memory_limit_mb=_FLOAT,
    audit=_INT,
)
CALIBRATION = _optional(reference_cpu_s=_FLOAT, fault=_STRING, way=_STRING, interface=_STRING)
_REQUEST = Struct(
    (
        Column("problem", _ANY_OBJECT, True),
        Column("solutions", ListOf(_ANY_OBJECT), True),
        Column("policy", _ANY_OBJECT),
        Column("known", _ANY_OBJECT),
    )
)
_ANSWER = Struct((Column("judgements", ListOf(JUDGEMENT), True),))
_CHOICES = {"timeouts": Timeouts, "isolation": Isolation, "way": Way}
Noun = TypeVar("Noun")


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """A problem and the solutions to judge on it; `known`: what its reference showed, where that is known."""

    problem: Problem
    solutions: tuple[Solution, ...]
    policy: Policy
    known: Calibration | None = None


# --- a request to judge -----------------------------------------------------------------------------------------------


def judge_body(
    problem: Problem, solutions: Sequence[Solution], policy: Policy | None = None, known: Calibration | None = None
) -> bytes:
    """A request as the client sends it. Columns that are carried through say nothing to a judge, and stay here."""
    body: dict[str, Any] = {
        "problem": _columns_of(problem, PROBLEM),
        "solutions": [_columns_of(solution, SOLUTION) for solution in solutions],
    }
    if policy is not None:
        body["policy"] = cells_of(policy)
    if known is not None:
        body["known"] = _columns_of(known, CALIBRATION)
    return json.dumps(body).encode()


def _columns_of(noun: Any, columns: Struct) -> dict[str, Any]:
    known = columns.names()
    return {name: cell for name, cell in cells_of(noun).items() if name in known and cell is not None}


def judge_request(body: bytes, default: Policy) -> JudgeRequest:
    """A request as the server reads it; of the policy what it does not name is the default's. Raises `RowError`."""
    try:
        return _judge_request(_object(body), default)
    except RecursionError:
        raise RowError(_PLACE, "", "a JSON object", "one that is nested too deeply") from None


def _judge_request(cells: dict[str, Any], default: Policy) -> JudgeRequest:
    _check(cells, _REQUEST, "", any_text=True)
    if not cells["solutions"]:
        raise RowError(_PLACE, "solutions", "at least one solution", "none")
    problem = _within("problem", problem_of, Row(_PLACE, cells["problem"]), MAX_BODY_MB)
    known = cells.get("known")
    return JudgeRequest(
        problem=problem,
        solutions=tuple(_solution(row, place, problem.id) for place, row in enumerate(cells["solutions"])),
        policy=_policy(cells.get("policy") or {}, default),
        known=None if known is None else _calibration(known),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        cells = json.loads(body)
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8 are a ValueError too
        raise RowError(_PLACE, "", "a JSON object", f"{len(body)} bytes that are none ({error})") from None
    if not isinstance(cells, dict):
        raise RowError(_PLACE, "", "a JSON object", describe(cells))
    return cells


def _check(cells: dict[str, Any], columns: Struct, path: str, any_text: bool = False) -> None:
    """Types, and no name that is not known: a setting that is misspelt would be left out in silence."""
    for name in cells.keys() - set(columns.names()):
        near = difflib.get_close_matches(name, columns.names(), 1)
        wanted = f"the key {near[0]!r}" if near else "one of the keys " + ", ".join(columns.names())
        raise RowError(_PLACE, f"{path}.{name[:60]}" if path else name[:60], wanted, "a key that is not known")
    for fault in faults(cells, columns, _MAX_FIELD_BYTES):
        if not (any_text and fault.expected == _TEXT):
            raise RowError(_PLACE, f"{path}.{fault.field}" if path else fault.field, fault.expected, fault.came)


def _within(path: str, make: Callable[..., Noun], *arguments: Any) -> Noun:
    """Make something of a part of a request, and say of a fault in which part it is."""
    try:
        return make(*arguments)
    except RowError as error:
        raise RowError(error.place, f"{path}.{error.field}", error.expected, error.came) from None


def _solution(row: dict[str, Any], place: int, problem_id: str) -> Solution:
    """A solution; where it has no names they are the problem's, and its place. What a model wrote may be any text."""
    cells = {**row}
    if cells.get("problem_id") is None:
        cells["problem_id"] = problem_id
    if cells.get("id") is None:
        cells["id"] = str(place)
    path = f"solutions[{place}]"
    for fault in faults(cells, SOLUTION, _MAX_FIELD_BYTES):
        if fault.field not in ("code", "response") or fault.expected != _TEXT:
            raise RowError(_PLACE, f"{path}.{fault.field}", fault.expected, fault.came)
    if cells.get("code") is None and cells.get("response") is None:
        raise RowError(_PLACE, f"{path}.code", "code, or a response to take it from", "neither")
    return make_solution(cells)


def _policy(cells: dict[str, Any], default: Policy) -> Policy:
    _check(cells, POLICY, "policy")
    named = {name: _choice(f"policy.{name}", name, value) for name, value in cells.items() if value is not None}
    if "libraries" in named:
        named["libraries"] = tuple(named["libraries"])
    for name in ("time_limit_s", "memory_limit_mb"):
        if name in named and not 0 < named[name] < _MOST:
            raise RowError(_PLACE, f"policy.{name}", "a number above 0", str(named[name]))
    if not 0 <= named.get("audit", 0) < _MOST:
        raise RowError(_PLACE, "policy.audit", "0 or more", str(named["audit"]))
    try:
        return Policy(**({field.name: getattr(default, field.name) for field in fields(Policy)} | named))
    except ValueError as error:
        name, _, told = str(error).partition(": expected ")
        expected, _, came = told.partition(", got ")
        raise RowError(_PLACE, f"policy.{name}", expected, came) from None


def _calibration(cells: dict[str, Any]) -> Calibration:
    _check(cells, CALIBRATION, "known")
    seconds = cells.get("reference_cpu_s")
    if seconds is not None and not 0 <= seconds < _MOST:
        raise RowError(_PLACE, "known.reference_cpu_s", "a number of seconds, or null", str(seconds))
    way = cells.get("way")
    return Calibration(
        reference_cpu_s=seconds,
        fault=cells.get("fault") or "",
        way=None if way is None else _choice("known.way", "way", way),
        interface=cells.get("interface") or "",
    )


def _choice(path: str, name: str, value: Any) -> Any:
    kind = _CHOICES.get(name)
    if kind is None:
        return value
    if value not in list(kind):
        raise RowError(_PLACE, path, "one of " + ", ".join(kind), describe(value))
    return kind(value)


# --- its answer -------------------------------------------------------------------------------------------------------


def judge_answer(judgements: Sequence[Judgement]) -> bytes:
    return json.dumps({"judgements": [cells_of(judgement) for judgement in judgements]}).encode()


def judgements_of(body: bytes) -> list[Judgement]:
    """The judgements of an answer. Raises `RowError` where it is none: the word of something that is no judge."""
    cells = _object(body)
    for fault in faults(cells, _ANSWER, _MAX_FIELD_BYTES):
        raise RowError("answer", fault.field, fault.expected, fault.came)
    return [_judgement(row, place) for place, row in enumerate(cells["judgements"])]


def _judgement(cells: dict[str, Any], place: int) -> Judgement:
    known: dict[str, Any] = {name: cells.get(name) for name in JUDGEMENT.names()}
    for test, outcome in enumerate(cells["outcomes"]):
        if outcome not in list(Outcome):
            path = f"judgements[{place}].outcomes[{test}]"
            raise RowError("answer", path, "one of " + ", ".join(Outcome), describe(outcome))
    known["outcomes"] = tuple(map(Outcome, cells["outcomes"]))
    known["sandbox"] = cells.get("sandbox") or ""
    return Judgement(**known)


def error_cells(error: Exception) -> dict[str, str]:
    """What the answer to a wrong request says: in one line, and apart where it is about one field."""
    cells = {"error": str(error)}
    if isinstance(error, RowError):
        cells |= {"field": error.field, "expected": error.expected, "came": error.came}
    return cells


def error_of(body: bytes) -> str:
    """What the answer to a wrong request says. Raises `RowError` where it is no such answer."""
    return str(_object(body).get("error", ""))[:1000]


# --- a program that is run: SandboxFusion's /run_code -----------------------------------------------------------------


class RunCodeRequest(BaseModel):
    """SandboxFusion's request, with its defaults (bytedance/SandboxFusion, sandbox/server/sandbox_api.py)."""

    compile_timeout: float = Field(10, gt=0, lt=_MOST)
    run_timeout: float = Field(10, gt=0, lt=_MOST)
    memory_limit_MB: float = Field(-1, lt=_MOST)  # noqa: N815, its name there
    code: str
    stdin: str | None = None
    language: str
    files: dict[str, str | None] = {}
    fetch_files: list[str] = []
    args: list[str] = []

    def unsupported(self) -> str:
        """Which part of the protocol this asks for that is not offered here; empty where it is none."""
        if self.language != "python":
            return f"language: expected 'python', got {self.language[:60]!r}: nothing else is run here"
        for name in ("files", "fetch_files", "args"):
            if getattr(self, name):
                return f"{name}: expected none, got {len(getattr(self, name))}: not supported here"
        return ""

    def limits(self, memory_mb: float) -> Limits:
        """The limits that it names; `memory_mb` where it names no memory."""
        return Limits(cpu_s=self.run_timeout, memory_mb=self.memory_limit_MB if self.memory_limit_MB > 0 else memory_mb)


class CommandRunResult(BaseModel):
    """How a program ended. `stderr` is what was raised, in one line: what a program writes there is not kept."""

    status: Literal["Finished", "TimeLimitExceeded", "Error"]
    execution_time: float | None = None
    cpu_time: float | None = None
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class RunCodeResponse(BaseModel):
    """SandboxFusion's answer. `SandboxError` is a fault of ours, or something that is not offered: never the program's."""

    status: Literal["Success", "Failed", "SandboxError"]
    message: str = ""
    compile_result: CommandRunResult | None = None
    run_result: CommandRunResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = {}


def run_code_response(seen: Observation) -> RunCodeResponse:
    """What a program did, in SandboxFusion's terms: a signal is a negative return code, a time-out has none."""
    if seen.how == "fault":
        return RunCodeResponse(status="SandboxError", message=seen.note)
    timed_out = seen.how == "timeout"
    well = seen.how == "ended"
    result = CommandRunResult(
        status="TimeLimitExceeded" if timed_out else "Finished",
        execution_time=round(seen.wall_s, 6),
        cpu_time=round(seen.cpu_s, 6),
        return_code=None if timed_out else 0 if well else -seen.signal or seen.exit_status or 1,
        stdout=seen.answer.decode("utf-8", "replace"),
        stderr=f"more than {Limits().output_mb:g} MB of output" if seen.how == "output" else seen.note,
    )
    return RunCodeResponse(status="Success" if well else "Failed", run_result=result)
