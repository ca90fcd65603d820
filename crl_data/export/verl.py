r"""A built dataset in the rows that verl trains on: Parquet, one file a split.

For one of two rewards:
    official   what the reward manager of Critique-Coder routes by (TIGER-AI-Lab/Critique-Coder 662e89f): `correctness`
               on critique rows, and on the others `inputs_outputs`, which verl's own prime_code and its sandbox client
               read too. What those cannot score is left out, and counted by reason.
    ours       what `crl_data.rewards.verl` judges by; every record is kept.

The rows of both are read by `crl_data.rewards.verl.compute_score`. docs/rewards.md says what is in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from crl_data.columns import RECORD, VERL
from crl_data.export.files import PARQUET, Exported, Form, targets_in, write
from crl_data.rows import record_files, whole_rows
from crl_data.starter import signature
from crl_data.types import TestKind
from crl_data.verl_rows import json_object, official_tests

FORM = Form(columns=VERL, suffixes=PARQUET, wanted="a record that the reward can score")
NO_DATASET = "crl"
_CHECKERS_THAT_PASS = (None, "default", "exact")  # its own comparison is laxer than these
_ELSEWHERE = frozenset({"id", "prompt", "verdict"})


class Reward(StrEnum):
    """For which reward rows are written; the module says what each means."""

    OFFICIAL = "official"
    OURS = "ours"


def export(directory: Path, out: Path, reward: Reward = Reward.OFFICIAL, split: str | None = None) -> Exported:
    """Write the records of a built dataset as rows of verl.

    out: a folder, which gets `SPLIT.parquet` for each split that has rows; or the file of one split, where the name ends in
    `.parquet`. All files appear, or none. Raises `InputError` where there is nothing to write.
    """
    splits, done = record_files(directory), Exported()
    targets = targets_in(FORM, directory, out, split)
    return write(FORM, directory, out, targets, lambda name: _rows(splits[name], name, reward, done), done)


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows(files: Sequence[Path], split: str, reward: Reward, done: Exported) -> Iterator[dict[str, Any]]:
    index = 0
    for row in whole_rows(files, RECORD):
        reason = unscored(row.cells) if reward is Reward.OFFICIAL else None
        if reason is None:
            yield verl_row(row.cells, split, index, reward)
            done.kinds[row.cells["kind"]] += 1
            index += 1
        else:
            done.left_out[reason] += 1


def verl_row(record: Mapping[str, Any], split: str, index: int, reward: Reward) -> dict[str, Any]:
    """The row of a record."""
    critique = record.get("verdict") is not None
    source = (record.get("source") or {}).get("dataset") or NO_DATASET
    tests = None if critique or reward is Reward.OURS else inputs_outputs(record)
    ground_truth = ("T" if record.get("verdict") else "F") if critique else tests or ""
    return {
        "data_source": f"{source}/critique" if critique else source,
        "prompt": record["prompt"],
        "ability": "critique" if critique else "code",
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": {
            "split": split,
            "index": index,
            "id": record["id"],
            "correctness": record.get("verdict"),
            "inputs_outputs": tests,
            "crl": _columns(record, tests),
        },
    }


def _columns(record: Mapping[str, Any], tests: str | None) -> str:
    """What a record holds and the rest of its row does not: its columns, where they are not null.

    Our own reward judges by them, and the importer `critique-verl` makes the same record of the row again.
    """
    left_out = {*_ELSEWHERE, *(("tests",) if tests and _as_they_were(tests, record["tests"]) else ())}
    cells = {name: _full(record[name]) for name in RECORD.names() if record.get(name) is not None}
    return json.dumps({name: cell for name, cell in cells.items() if name not in left_out}, ensure_ascii=False)


def _full(cell: Any) -> Any:
    """A cell without its null parts."""
    return {name: part for name, part in cell.items() if part is not None} if isinstance(cell, dict) else cell


def _as_they_were(tests: str, before: list[dict[str, Any]]) -> bool:
    """Whether tests come back from the official form to the letter: the arguments of a function may be spaced otherwise."""
    after: list[dict[str, Any]] = official_tests(json_object(tests, ""), "")["tests"]
    return after == [{"input": one["input"], "expected": _expected(one)} for one in before]


# --- the official reward ----------------------------------------------------------------------------------------------


def inputs_outputs(record: Mapping[str, Any]) -> str:
    """The tests of a record as the official reward reads them; those of a function one JSON value a line."""
    tests = record["tests"]
    if record["test_kind"] == TestKind.STDIN:
        return json.dumps({"inputs": [one["input"] for one in tests], "outputs": [_expected(one) for one in tests]})
    return json.dumps(
        {
            "inputs": ["\n".join(map(json.dumps, json.loads(one["input"]))) for one in tests],
            "outputs": [_expected(one) for one in tests],
            "fn_name": record["entry_point"].rpartition(".")[2],
        }
    )


def _expected(test: Mapping[str, Any]) -> str:
    return test.get("expected") or ""


def unscored(record: Mapping[str, Any]) -> str | None:
    """Why the official reward cannot score a record, or would fail a right solution of it; None where it can."""
    if record.get("verdict") is not None:
        return None
    if not record["tests"]:
        return "without tests"
    kind = record["test_kind"]
    if kind not in (TestKind.STDIN, TestKind.FUNCTION):
        return f"with tests as source ({kind})"
    if record.get("checker") not in _CHECKERS_THAT_PASS:
        return "with a checker"
    if kind == TestKind.STDIN:
        return None
    owner, _, _ = (record.get("entry_point") or "").rpartition(".")
    if owner not in ("", "Solution"):
        return "with a method of a class that is not called Solution"
    told = signature(record.get("starter_code"), record.get("entry_point"))
    if told is not None and told.has_nodes:
        return "with linked lists or trees"
    if any(_is_misread(json.loads(one["input"]), json.loads(_expected(one))) for one in record["tests"]):
        return "with arguments or results that it misreads"
    return None


def _is_misread(arguments: list[Any], expected: Any) -> bool:
    """Whether the official code calls with other arguments than these, or expects another result.

    It cannot call without arguments. It takes a first argument whose keys are all whole numbers for the only one, with
    int for its keys, and a first item like that for the whole of a result. NaN is not equal to itself there.
    """
    if not arguments or _has_nan(expected):
        return True
    first = arguments[0]
    if _is_int_keyed(first) and (first or len(arguments) > 1):
        return True
    return isinstance(expected, list) and len(expected) > 1 and _is_int_keyed(expected[0])


def _is_int_keyed(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_int(key) for key in value)


def _is_int(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _has_nan(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list):
        return any(map(_has_nan, value))
    return isinstance(value, float) and value != value
