"""Files of exported rows: which splits go where, all of them or none, and what was left out on the way.

What a row is made of, the module of its format says. Memory does not grow with the rows.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crl_data.columns import Struct, arrow_schema
from crl_data.errors import InputError
from crl_data.literals import json_pieces
from crl_data.rows import SUFFIXES, chunks, open_lines, record_files, writing

PARQUET, LINES = (".parquet",), (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is written: the columns, and the suffixes that a file may have, that of files in a folder first.

    wanted: what at least one row is made of, in words.
    """

    columns: Struct
    suffixes: tuple[str, ...]
    wanted: str


@dataclass
class Exported:
    """What came of it: the files and their rows, the rows by kind, what was left out by reason."""

    files: dict[str, int] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def told(done: Exported) -> str:
    """What was left out, in words."""
    return ", ".join(f"{count:,} {reason}" for reason, count in done.left_out.most_common())


def targets_in(form: Form, directory: Path, out: Path, split: str | None) -> dict[str, Path]:
    """The file of each split of a built dataset, or of the one that is named.

    out: a folder, or the file of one split, where its name ends in a suffix of the form. Raises `InputError` where it is
    neither, where there is no such split, and where there is no dataset.
    """
    splits = list(record_files(directory))
    if split is not None:
        if split not in splits:
            raise InputError(f"{directory}: expected one of its splits ({', '.join(splits)}), got {split!r}")
        splits = [split]
    if out.name.endswith(form.suffixes):
        if len(splits) > 1:
            raise InputError(f"{out}: expected a folder for the splits {', '.join(splits)}; or one of them, by --split")
        return {splits[0]: out}
    is_file = out.exists() and not out.is_dir()
    if is_file or out.name.endswith(SUFFIXES):
        raise InputError(
            f"{out}: expected a folder, or the name of a file that ends in {' or '.join(form.suffixes)}, "
            f"got {'another file' if is_file else 'another suffix'}"
        )
    return {name: out / f"{name}{form.suffixes[0]}" for name in splits}


def write(
    form: Form,
    directory: Path,
    out: Path,
    targets: Mapping[str, Path],
    rows: Callable[[str], Iterator[dict[str, Any]]],
    done: Exported,
) -> Exported:
    """Write the rows of each split (`rows(split)`) to its file, but no file without rows; all files appear, or none.

    out: as `targets_in` took it. Raises `InputError` where there is no row at all.
    """
    with contextlib.nullcontext() if out in targets.values() else _folder(out), contextlib.ExitStack() as ending:
        whole: dict[Path, Path] = {}
        for split, target in targets.items():
            temporary = target.with_name(f".{os.getpid()}.tmp.{target.name}")
            ending.callback(_remove, temporary)
            with writing(target):
                count = _write(temporary, form.columns, rows(split))
            if count:
                whole[target] = temporary
                done.files[str(target)] = count
        if not whole:
            raise InputError(f"{directory}: expected {form.wanted}, got {told(done) or 'none'}")
        for target, temporary in whole.items():
            with writing(target):
                os.replace(temporary, target)
    return done


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    """A folder to write in, which goes again where nothing came of it."""
    made = not path.exists()
    with writing(path):
        path.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _write(path: Path, columns: Struct, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows by the suffix of a file, a bounded part of them in memory; how many there were."""
    count = 0
    if path.name.endswith(LINES):
        with open_lines(path, compress=path.name.endswith(".gz")) as file:
            for row in rows:
                file.writelines(json_pieces(row))
                file.write(b"\n")
                count += 1
        return count
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(columns)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in chunks(rows):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
            count += len(chunk)
    return count
