"""Files of rows: JSON Lines (`.jsonl`, `.jsonl.gz`) and Parquet, told apart by suffix, read and written one row at a time.

A fault names the file, the line, the field, what was expected and what came. A written file appears whole or not at all.
Columns that are not known are carried through untouched. What a column means is in `columns`, what a row must mean to be
a problem in `problems`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from crl_data.columns import PROBLEM, SCHEMA_VERSION, SOLUTION, Fault, Struct, arrow_schema, faults
from crl_data.errors import InputError, RowError, WorkError
from crl_data.literals import json_pieces
from crl_data.problems import fault_of
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FIELD_MB = 64
_LONGEST_ROW_FIELDS = 16
_GROUP_ROWS, _GROUP_BYTES = 10_000, 64 << 20
_BUFFER, _BATCH_BYTES = 1 << 20, 4 << 20
SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


@dataclass(frozen=True)
class Row:
    """A row of a file, and where it stands: `place` is `file:line` or `file: row n`."""

    place: str
    cells: dict[str, Any]


# --- reading ----------------------------------------------------------------------------------------------------------


def read_rows(
    path: Path, max_field_mb: int = MAX_FIELD_MB, names: Sequence[str] | None = None
) -> Iterator[Row | RowError]:
    """The rows of a file, in order. A row that is none is given as the `RowError` that says so; reading goes on after it.

    names: of Parquet, only these columns are read. Raises `InputError` where the file is not there, has no known suffix, or
    breaks off.
    """
    if not path.is_file():
        came = "a folder" if path.is_dir() else "something else"
        raise InputError(f"{path}: expected a file, got {came}" if path.exists() else f"{path}: no such file")
    if path.name.endswith(".parquet"):
        yield from _read_parquet(path, names)
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _read_json_lines(path, max_field_mb)
    else:
        raise InputError(f"{path}: expected a file of rows ({', '.join(SUFFIXES)}), got {path.suffix or 'no suffix'}")


def _read_json_lines(path: Path, max_field_mb: int) -> Iterator[Row | RowError]:
    longest = _LONGEST_ROW_FIELDS * max_field_mb << 20
    number = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb", _BUFFER) as file:
            while line := file.readline(longest + 1):
                number += 1
                place = f"{path}:{number}"
                if len(line) > longest:
                    raise RowError(place, "", f"a row of at most {longest >> 20} MB", "a longer one")
                if not line.isspace():
                    yield _parse_line(place, line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}:{number + 1}: expected a whole gzip file, got one that breaks off or is none ({error})"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse_line(place: str, line: bytes) -> Row | RowError:
    try:
        cells = json.loads(line)
    except UnicodeDecodeError as error:
        return RowError(place, "", "UTF-8 text", f"the byte 0x{line[error.start]:02x} at {error.start}")
    except (ValueError, RecursionError) as error:
        return RowError(place, "", "a JSON object", f"{_start_of(line)} ({error})")
    if not isinstance(cells, dict):
        return RowError(place, "", "a JSON object", _start_of(line))
    return Row(place, cells)


def _start_of(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _read_parquet(path: Path, names: Sequence[str] | None) -> Iterator[Row | RowError]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # pages and not whole columns, and no look ahead: else it holds all that was read
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            _check_version(path, file.schema_arrow.metadata or {})
            number = 0
            for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata), columns=names):
                for cells in _cells(batch):
                    number += 1
                    place = f"{path}: row {number}"
                    if isinstance(cells, UnicodeDecodeError):
                        yield RowError(place, "", "UTF-8 text", f"the byte 0x{cells.object[cells.start]:02x}")
                    else:
                        yield Row(place, {name: as_json(value) for name, value in cells.items()})
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of them for the name of a column
        raise InputError(f"{path}: expected a Parquet file, got: {str(error).splitlines()[0]}") from None


def _rows_at_once(metadata: Any) -> int:
    """So few rows that they are some MB where all are alike; one that is larger comes with few others."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    largest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1, min(64, int(_BATCH_BYTES / max(largest, 1.0))))


def _check_version(path: Path, metadata: dict[bytes, bytes]) -> None:
    """Files of an older schema are read as they are, what they lack is null; what a newer one means is not known here."""
    told = metadata.get(b"schema_version", b"0").decode("ascii", "replace")
    if not told.isdecimal() or int(told) > SCHEMA_VERSION:
        raise InputError(f"{path}: schema_version: expected at most {SCHEMA_VERSION}, got {told[:20]}: update crl-data")


def _cells(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | UnicodeDecodeError]:
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:  # which row it is, they show one by one
        for place in range(batch.num_rows):
            try:
                yield batch.slice(place, 1).to_pylist()[0]
            except UnicodeDecodeError as error:
                yield error


def as_json(value: Any) -> Any:
    """A value of an Arrow type that JSON does not have (times, decimals, bytes) as text; all others as they are."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def whole_rows(files: Iterable[Path], columns: Struct, *, no_others: bool = False) -> Iterator[Row]:
    """The rows of files, one after another. Raises `RowError` at the first that is not as its columns say.

    no_others: of Parquet, no other columns than these are read.
    """
    for file in files:
        for row in read_rows(file, names=columns.names() if no_others else None):
            if isinstance(row, RowError):
                raise row
            for error in row_faults(row, columns):
                raise error
            yield row


def record_files(directory: Path) -> dict[str, list[Path]]:
    """The files of records of a built dataset, by split. Raises `InputError` where there are none."""
    splits: dict[str, list[Path]] = {}
    for file in sorted((directory / "data").glob("*.parquet")):
        named = _SHARD.fullmatch(file.name)
        if named:
            splits.setdefault(named[1], []).append(file)
    if not splits:
        raise InputError(f"{directory}: expected a built dataset, got no data/*.parquet")
    return splits


_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.parquet")


def row_faults(row: Row, columns: Struct, max_field_mb: int = MAX_FIELD_MB) -> list[RowError]:
    """Everything about a row that is not as its columns say."""
    return [_error(row.place, fault) for fault in faults(row.cells, columns, max_field_mb << 20)]


def _error(place: str, fault: Fault) -> RowError:
    return RowError(place, fault.field, fault.expected, fault.came)


def problem_of(row: Row, max_field_mb: int = MAX_FIELD_MB, *, untested: bool = False) -> Problem:
    """The problem that a row holds. Raises `RowError` with the first fault."""
    for error in row_faults(row, PROBLEM, max_field_mb):
        raise error
    problem = make_problem(row.cells)
    fault = fault_of(problem, row.cells.get("test_kind"), untested=untested)
    if fault is not None:
        raise _error(row.place, fault)
    return problem


def make_problem(cells: dict[str, Any]) -> Problem:
    """A problem of cells that are known to be right."""
    known, extra = _apart(cells, PROBLEM)
    known["tests"] = tuple(Test(input=test["input"], expected=test.get("expected") or "") for test in cells["tests"])
    kind = cells["test_kind"]
    known["test_kind"] = TestKind(kind) if kind in _KINDS else kind  # `fault_of` names what is none
    known["source"] = Source(
        **{name: text or "" for name, text in (cells.get("source") or {}).items() if name in _SOURCE_NAMES}
    )
    return Problem(**known, extra=extra)


def solution_of(row: Row, max_field_mb: int = MAX_FIELD_MB) -> Solution:
    """The solution that a row holds. Raises `RowError` with the first fault."""
    for error in row_faults(row, SOLUTION, max_field_mb):
        raise error
    if row.cells.get("code") is None and row.cells.get("response") is None:
        raise RowError(row.place, "code", "code, or a response to take it from", "neither")
    return make_solution(row.cells)


def make_solution(cells: dict[str, Any]) -> Solution:
    """A solution of cells that are known to be right."""
    known, extra = _apart(cells, SOLUTION)
    if known.get("sampler") is not None:
        known["sampler"] = make_sampler(known["sampler"])
    return Solution(**known, extra=extra)


def make_sampler(cells: dict[str, Any]) -> Sampler:
    """A sampler; what has no column of its own goes to `detail`, as JSON."""
    known = {name: value for name, value in cells.items() if name in _SAMPLER_NAMES and value is not None}
    other = {name: value for name, value in cells.items() if name not in _SAMPLER_NAMES}
    if other:
        if known.get("detail") is not None:
            other["detail"] = known["detail"]
        known["detail"] = json.dumps(other, sort_keys=True, ensure_ascii=False)
    return Sampler(**known)


def _apart(cells: dict[str, Any], columns: Struct) -> tuple[dict[str, Any], dict[str, Any]]:
    names = set(columns.names())
    known = {name: value for name, value in cells.items() if name in names and value is not None}
    return known, {name: value for name, value in cells.items() if name not in names}


_KINDS = frozenset(TestKind)
_SOURCE_NAMES = {field.name for field in fields(Source)}
_SAMPLER_NAMES = {field.name for field in fields(Sampler)}


def cells_of(noun: Any) -> dict[str, Any]:
    """The cells of a noun of `types`, ready to be written; its extra columns come last."""
    cells = {field.name: _plain(getattr(noun, field.name)) for field in fields(noun) if field.name != "extra"}
    return cells | getattr(noun, "extra", {})


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Test):
        return {"input": value.input, "expected": value.expected}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


# --- writing ----------------------------------------------------------------------------------------------------------


class RowWriter:
    """Writes a file of rows, by its suffix; a context manager. The file appears when all is written, or not at all."""

    def __init__(self, path: Path, columns: Struct) -> None:
        if not path.name.endswith(SUFFIXES):
            raise InputError(
                f"{path}: expected the name of a file of rows ({', '.join(SUFFIXES)}), got {path.suffix or 'no suffix'}"
            )
        self.path = path
        self._columns = columns
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file: IO[Any]
        self._extra: dict[str, Any] = {}

    def __enter__(self) -> RowWriter:
        with writing(self.path):
            self._file = open_lines(self._temporary, compress=self.path.name.endswith(".gz"))
        return self

    def write(self, cells: dict[str, Any]) -> None:
        with writing(self.path):
            self._file.writelines(json_pieces(cells))
            self._file.write(b"\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with writing(self.path):
                self._file.close()
                if kind is None:
                    if self.path.name.endswith(".parquet"):
                        self._to_parquet()
                    os.replace(self._temporary, self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()

    def _to_parquet(self) -> None:
        """Turn the rows, written as lines so far, into Parquet: only now are the types of unknown columns known."""
        final = self._temporary.with_suffix(".parquet.tmp")
        try:
            write_parquet(final, self._columns, lambda: _read_back(self._temporary))
            os.replace(final, self._temporary)
        finally:
            with contextlib.suppress(FileNotFoundError):
                final.unlink()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line which file could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise WorkError(f"{path}: cannot be written: {error.strerror or error}") from None


def open_lines(path: Path, compress: bool) -> IO[bytes]:
    """A new file for lines of JSON, which `json_pieces` gives."""
    return io.BufferedWriter(_Gzip(path) if compress else path.open("wb", buffering=0), _BUFFER)


class _Gzip(gzip.GzipFile):
    """A compressed file: the same rows, the same bytes. Closing it closes the file below, and fails where that fails."""

    def __init__(self, path: Path) -> None:
        self._below = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._below, mtime=0)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


def _read_back(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def write_parquet(path: Path, columns: Struct, rows: Any) -> None:
    """Write rows (`rows()` gives them anew each time) as Parquet with our schema and the columns that are not known."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, as_text = _whole_schema(columns, rows())
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in chunks(rows()):
            for cells in chunk:
                for name in as_text & cells.keys():
                    cells[name] = json.dumps(cells[name], ensure_ascii=False)
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


def _whole_schema(columns: Struct, rows: Iterator[dict[str, Any]]) -> tuple[pa.Schema, set[str]]:
    """The schema with the types of unknown columns added, and those of them that only JSON text can hold."""
    import pyarrow as pa

    known = set(columns.names())
    found: dict[str, pa.DataType] = {}
    as_text: set[str] = set()
    for chunk in chunks(rows):
        for name in dict.fromkeys(name for cells in chunk for name in cells.keys() - known - as_text):
            values = [cells.get(name) for cells in chunk]
            try:
                kind = pa.array(values).type
                both = [pa.schema([(name, one)]) for one in (found.get(name, kind), kind)]
                found[name] = pa.unify_schemas(both, promote_options="permissive").field(name).type
                holds = not _is_empty(found[name]) and _comes_back(found[name], values)
            except (pa.ArrowException, OverflowError):
                holds = False
            if not holds:
                found[name] = pa.string()
                as_text.add(name)
    schema = arrow_schema(columns)
    for name in sorted(found):
        schema = schema.append(pa.field(name, pa.string() if pa.types.is_null(found[name]) else found[name]))
    return schema, as_text


def _is_empty(kind: pa.DataType) -> bool:
    """Whether a type has an object without any key in it, which Parquet cannot hold."""
    if kind.num_fields == 0:
        return str(kind) == "struct<>"
    return any(_is_empty(kind.field(place).type) for place in range(kind.num_fields))


def _comes_back(kind: pa.DataType, values: list[Any]) -> bool:
    """Whether a type holds values as they are: no key lost or made up, no number rounded, nothing empty that cannot be."""
    import pyarrow as pa

    return json.dumps(pa.array(values, kind).to_pylist(), sort_keys=True) == json.dumps(values, sort_keys=True)


def chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in groups that are neither too many nor too large to hold in memory; the same rows, the same groups."""
    group: list[dict[str, Any]] = []
    size = 0
    for cells in rows:
        group.append(cells)
        size += _size(cells)
        if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8
