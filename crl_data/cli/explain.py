"""`crl-data explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crl_data.corpus.records import CRITIQUE, as_problem, calibration_of, find_record, policy_of
from crl_data.errors import InputError
from crl_data.judging import Judge
from crl_data.judging.explain import Explained, explain
from crl_data.types import Record, Solution

_CUT = 2000


def run(directory: Path, name: str, sandbox: str, as_json: bool) -> None:
    record = find_record(directory, name)
    if record.kind != CRITIQUE:
        raise InputError(
            f"{name}: a solve record has no solution to explain; "
            f"its critique records are called critique:{record.problem_id}:..."
        )
    if record.solution is None or not record.tests:
        raise InputError(f"{name}: expected a solution and tests to run again, got a record with a given verdict alone")
    solution = Solution(problem_id=record.problem_id, id=record.solution_id or "", code=record.solution)
    with Judge(jobs=1, sandbox=sandbox, policy=policy_of(record)) as judge:
        found = explain(judge, as_problem(record), solution, calibration_of(record))
    print(json.dumps(_cells(record, found), ensure_ascii=False, indent=2) if as_json else _text(record, found))


def _cells(record: Record, found: Explained) -> dict[str, Any]:
    return {
        "id": record.id,
        "verdict": found.judgement.verdict,
        "stored_verdict": record.verdict,
        "reason": found.judgement.reason,
        "limit_s": found.limit_s,
        "limit_from": found.judgement.limit_from,
        "tamper_proof": found.judgement.tamper_proof,
        "tests": [vars(test) for test in found.tests],
    }


def _text(record: Record, found: Explained) -> str:
    judgement = found.judgement
    lines = [
        record.id,
        f"verdict {judgement.verdict} (the dataset says {record.verdict}); {judgement.reason}",
        f"limit {found.limit_s:g} s of CPU time a test, from the {judgement.limit_from}; "
        + ("compared outside" if judgement.tamper_proof else "the tests ran beside the solution"),
        "",
    ]
    for number, test in enumerate(found.tests, 1):
        lines.append(
            f"test {number}: {test.outcome}, {test.cpu_s:.3f} s"
            if test.cpu_s is not None
            else f"test {number}: {test.outcome}"
        )
        lines.append(_block("input", test.input))
        if test.expected:
            lines.append(_block("expected", test.expected))
        lines.append(_block("got", test.got) if test.got is not None else "    got       nothing")
        if test.detail:
            lines.append(f"    why       {test.detail}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _block(name: str, text: str) -> str:
    shown = text if len(text) <= _CUT else text[:_CUT] + f" ... ({len(text):,} characters)"
    first, *rest = shown.rstrip("\n").split("\n")
    return "\n".join([f"    {name:<9} {first}", *(f"              {line}" for line in rest)])
