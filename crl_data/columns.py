"""The columns of every file that this project reads or writes, in one place.

Each row type is a `Struct` of columns. The same table checks rows (`fault`), makes the Arrow schema of a Parquet file
(`arrow_schema`) and is held against docs/data-format.md by a test. Every type is flat enough that `datasets`, `polars` and
`pyarrow` read the same thing with no code of ours.

`SCHEMA_VERSION` stands in every Parquet file and manifest. docs/data-format.md says how older ones are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Scalar:
    """One plain value: `kind` is the Python type of a cell."""

    kind: type


@dataclass(frozen=True)
class ListOf:
    """A list whose items are all of one type."""

    item: Type


@dataclass(frozen=True)
class Column:
    """One column. Where it is not `required`, the cell may be null or left out."""

    name: str
    type: Type
    required: bool = False


@dataclass(frozen=True)
class Struct:
    """Named columns, in order: a row, or a cell with parts."""

    columns: tuple[Column, ...]

    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def only(self, *names: str) -> Struct:
        """Some of the columns, in their order."""
        return Struct(tuple(column for column in self.columns if column.name in names))


Type = Scalar | ListOf | Struct
_STRING, _INT, _FLOAT, _BOOL = Scalar(str), Scalar(int), Scalar(float), Scalar(bool)


def _struct(required: dict[str, Type], optional: dict[str, Type], order: str = "") -> Struct:
    columns = [Column(name, kind, True) for name, kind in required.items()]
    columns += [Column(name, kind) for name, kind in optional.items()]
    if order:
        columns.sort(key=lambda column: order.split().index(column.name))
    return Struct(tuple(columns))


MESSAGES = ListOf(_struct({"role": _STRING, "content": _STRING}, {}))
"""A conversation."""
TESTS = ListOf(_struct({"input": _STRING}, {"expected": _STRING}))
SOURCE = _struct({}, {"dataset": _STRING, "revision": _STRING, "license": _STRING, "url": _STRING})
SAMPLER = _struct(
    {"name": _STRING},
    {
        "model": _STRING,
        "temperature": _FLOAT,
        "top_p": _FLOAT,
        "top_k": _INT,
        "max_tokens": _INT,
        "seed": _INT,
        "edit": _STRING,
        "detail": _STRING,
    },
)
JUDGE = _struct(
    {
        "version": _STRING,
        "threshold": _FLOAT,
        "timeouts": _STRING,
        "max_timeouts": _INT,
        "isolation": _STRING,
        "backend": _STRING,
        "walls": ListOf(_STRING),
        "runtime": _STRING,
        "limit_from": _STRING,
        "tamper_proof": _BOOL,
    },
    {"way": _STRING, "interface": _STRING},
)

PROBLEM = _struct(
    {"id": _STRING, "question": _STRING, "test_kind": _STRING, "tests": TESTS},
    {
        "public_tests": _INT,
        "entry_point": _STRING,
        "test_setup": _STRING,
        "checker": _STRING,
        "starter_code": _STRING,
        "reference": _STRING,
        "time_limit_s": _FLOAT,
        "memory_limit_mb": _FLOAT,
        "source": SOURCE,
    },
)
SOLUTION = _struct(
    {"problem_id": _STRING, "id": _STRING},
    {"code": _STRING, "response": _STRING, "sampler": SAMPLER, "finish_reason": _STRING, "tokens": _INT},
)
CANDIDATE = Struct(
    (
        *SOLUTION.columns,
        Column("reasoning_tokens", _INT),
        Column("extraction", _STRING),
        Column("dropped", _STRING),
    )
)
JUDGEMENT = _struct(
    {
        "problem_id": _STRING,
        "solution_id": _STRING,
        "n_tests": _INT,
        "n_passed": _INT,
        "n_inconclusive": _INT,
        "outcomes": ListOf(_STRING),
        "limit_from": _STRING,
        "tamper_proof": _BOOL,
        "isolation": _STRING,
        "reason": _STRING,
        "seconds": _FLOAT,
    },
    {"verdict": _BOOL, "pass_rate": _FLOAT, "sandbox": _STRING},
    order="problem_id solution_id verdict pass_rate n_tests n_passed n_inconclusive outcomes limit_from tamper_proof "
    "isolation reason seconds sandbox",
)
RECORD = _struct(
    {
        "id": _STRING,
        "kind": _STRING,
        "prompt": MESSAGES,
        "prompt_template": _STRING,
        "question": _STRING,
        "label_source": _STRING,
        "problem_id": _STRING,
        "test_kind": _STRING,
        "tests": TESTS,
    },
    {
        "solution": _STRING,
        "solution_id": _STRING,
        "verdict": _BOOL,
        "pass_rate": _FLOAT,
        "entry_point": _STRING,
        "test_setup": _STRING,
        "checker": _STRING,
        "starter_code": _STRING,
        "time_limit_s": _FLOAT,
        "memory_limit_mb": _FLOAT,
        "source": SOURCE,
        "sampler": SAMPLER,
        "judge": JUDGE,
    },
    order="id kind prompt prompt_template question solution solution_id verdict pass_rate label_source problem_id test_kind "
    "tests entry_point test_setup checker starter_code time_limit_s memory_limit_mb source sampler judge",
)
CRITIQUE = _struct(
    {"problem_id": _STRING, "solution_id": _STRING, "id": _STRING, "response": _STRING},
    {
        "conclusion": _BOOL,
        "agrees": _BOOL,
        "tokens": _INT,
        "sampler": SAMPLER,
        "refined_code": _STRING,
        "refined_verdict": _BOOL,
        "refined_pass_rate": _FLOAT,
    },
)
WRITTEN_CRITIQUE = _struct(
    {"problem_id": _STRING, "solution_id": _STRING, "response": _STRING},
    {"tokens": _INT, "sampler": SAMPLER, "refined_code": _STRING},
)
"""What is taken from a row of a recorded teacher: a Critique, or no more than the text and what it is about."""
DIFFICULTY = _struct(
    {"problem_id": _STRING, "n": _INT, "n_true": _INT, "n_inconclusive": _INT},
    {
        "pass_at_1": _FLOAT,
        "pass_at_2": _FLOAT,
        "pass_at_4": _FLOAT,
        "mean_tokens": _FLOAT,
        "mean_reasoning_tokens": _FLOAT,
        "model": _STRING,
    },
)
# the rows of other people's programs, which `export` writes
VERL = _struct(
    {
        "data_source": _STRING,
        "prompt": MESSAGES,
        "ability": _STRING,
        "reward_model": _struct({"style": _STRING, "ground_truth": _STRING}, {}),
        "extra_info": _struct(
            {"split": _STRING, "index": _INT, "id": _STRING},
            {"correctness": _BOOL, "inputs_outputs": _STRING, "crl": _STRING},
        ),
    },
    {},
)
CFT = _struct(
    {
        "id": _STRING,
        "problem_id": _STRING,
        "solution_id": _STRING,
        "prompt": MESSAGES,
        "completion": MESSAGES,
        "prompt_template": _STRING,
        "verdict": _BOOL,
    },
    {"sampler": SAMPLER, "source": SOURCE},
)
CGD = _struct(
    {
        "id": _STRING,
        "problem_id": _STRING,
        "solution_id": _STRING,
        "prompt": MESSAGES,
        "completion": MESSAGES,
        "prompt_template": _STRING,
        "question": _STRING,
        "solution": _STRING,
        "critique": _STRING,
        "refined_code": _STRING,
    },
    {"refined_pass_rate": _FLOAT, "sampler": SAMPLER, "source": SOURCE},
)
PAIR = _struct(
    {
        "problem_id": _STRING,
        "chosen_id": _STRING,
        "rejected_id": _STRING,
        "prompt": MESSAGES,
        "chosen": MESSAGES,
        "rejected": MESSAGES,
        "chosen_pass_rate": _FLOAT,
        "rejected_pass_rate": _FLOAT,
    },
    {"chosen_sampler": SAMPLER, "rejected_sampler": SAMPLER, "source": SOURCE},
)
FINE_TUNING = _struct({"messages": MESSAGES}, {})
JUDGED_BY = (
    *("test_kind", "entry_point", "test_setup", "checker"),
    *("starter_code", "time_limit_s", "memory_limit_mb"),
)
"""The columns of a record, beside its tests, that a solution of its problem is judged by."""


# --- checking rows ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row: which field (`tests[3].input`), what was expected there, what came."""

    field: str
    expected: str
    came: str


def faults(row: dict[str, Any], columns: Struct, max_field_bytes: int) -> list[Fault]:
    """Everything about a row that is not as its columns say. Columns of other names are not looked at."""
    found: list[Fault] = []
    _check_struct(row, columns, "", max_field_bytes, found)
    return found


def _check_struct(cell: dict[str, Any], struct: Struct, path: str, most: int, found: list[Fault]) -> None:
    for column in struct.columns:
        name = f"{path}.{column.name}" if path else column.name
        value = cell.get(column.name)
        if value is None:
            if column.required:
                found.append(Fault(name, _words(column.type), "nothing" if column.name not in cell else "null"))
        else:
            _check(value, column.type, name, most, found)
    for unknown in cell.keys() - set(struct.names()):
        check_unknown({unknown: cell[unknown]}, path, found)


def check_unknown(value: Any, path: str, found: list[Fault]) -> None:
    """What is carried through must be text that can be written, names and values."""
    if isinstance(value, str):
        _size_of(value, path, found)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            check_unknown(item, f"{path}[{place}]", found)
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = ascii(name)[1:-1] if not name.isascii() else name
            inner = f"{path}.{inner}" if path else inner
            _size_of(name, inner, found)
            check_unknown(item, inner, found)


def _size_of(text: str, path: str, found: list[Fault]) -> int:
    """The size of a text in bytes of UTF-8; 0 where it has none, and that is a fault."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        surrogate = f"U+{ord(text[error.start]):04X} at character {error.start}"
        found.append(Fault(path, "text", f"a lone surrogate ({surrogate}), which Arrow cannot hold"))
        return 0


def _check(value: Any, kind: Type, path: str, most: int, found: list[Fault]) -> None:
    if isinstance(kind, ListOf):
        if not isinstance(value, list):
            found.append(Fault(path, _words(kind), describe(value)))
            return
        for place, item in enumerate(value):
            if item is None:
                found.append(Fault(f"{path}[{place}]", _words(kind.item), "null"))
            else:
                _check(item, kind.item, f"{path}[{place}]", most, found)
    elif isinstance(kind, Struct):
        if not isinstance(value, dict):
            found.append(Fault(path, _words(kind), describe(value)))
        else:
            _check_struct(value, kind, path, most, found)
    elif kind.kind is str:
        check_text(value, path, most, found)
    elif isinstance(value, bool) != (kind.kind is bool) or not isinstance(
        value, (int, float) if kind.kind is float else kind.kind
    ):
        found.append(Fault(path, _words(kind), describe(value)))
    elif type(value) is int and kind.kind is int and not -(2**63) <= value < 2**63:
        found.append(Fault(path, "a whole number of 64 bits", describe(value)))


def check_text(value: Any, path: str, most: int, found: list[Fault]) -> None:
    """Find fault with what is no string, cannot be written as UTF-8, or is larger than `most` bytes."""
    if not isinstance(value, str):
        found.append(Fault(path, "a string", describe(value)))
        return
    size = _size_of(value, path, found)
    if size > most:
        found.append(Fault(path, f"at most {most >> 20} MB (max_field_mb)", f"{size / (1 << 20):.1f} MB"))


def _words(kind: Type, many: bool = False) -> str:
    """A type in words: "a list of numbers"."""
    if isinstance(kind, ListOf):
        return f"{'lists' if many else 'a list'} of {_words(kind.item, many=True)}"
    if isinstance(kind, Struct):
        names = ", ".join(kind.names()[:4]) + (", ..." if len(kind.columns) > 4 else "")
        return ("objects" if many else "an object") + (f" with {names}" if names else "")
    one, several = {
        str: ("a string", "strings"),
        int: ("a whole number", "whole numbers"),
        float: ("a number", "numbers"),
        bool: ("true or false", "booleans"),
    }[kind.kind]
    return several if many else one


def describe(value: Any) -> str:
    """A value as it stands in a message: short, with its JSON type."""
    if value is None:
        return "null"
    name = {str: "string", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}.get(
        type(value), type(value).__name__
    )
    text = repr(value)
    return f"the {name} {text if len(text) <= 60 else text[:57] + '...'}"


# --- Arrow ------------------------------------------------------------------------------------------------------------


def arrow_schema(columns: Struct) -> pa.Schema:
    """The Arrow schema of a row type, with plain `string` columns and the schema version in its metadata."""
    import pyarrow as pa

    return pa.schema(
        [pa.field(column.name, arrow_type(column.type)) for column in columns.columns],
        metadata={"schema_version": str(SCHEMA_VERSION)},
    )


def arrow_type(kind: Type) -> pa.DataType:
    import pyarrow as pa

    if isinstance(kind, ListOf):
        return pa.list_(arrow_type(kind.item))
    if isinstance(kind, Struct):
        return pa.struct([pa.field(column.name, arrow_type(column.type)) for column in kind.columns])
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kind.kind]
