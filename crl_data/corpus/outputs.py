"""What a build leaves behind, as files: Parquet in shards, text, and the directory they lie in.

Everything is written beside its place and moved there when it is whole; the manifest comes last, so that its being there
means that the rest is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from crl_data.columns import Struct, arrow_schema
from crl_data.errors import Busy
from crl_data.rows import chunks, writing

SHARD_BYTES = 256 << 20


class Directory:
    """A build directory, held by one process at a time; a context manager. Raises `Busy` where another holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.private = path / ".crl"
        self.new = self.private / "new"
        self.store = self.private / "store.sqlite"
        self._lock: IO[str] | None = None

    def __enter__(self) -> Directory:
        with writing(self.path):
            self.private.mkdir(parents=True, exist_ok=True)
            self._lock = (self.private / "lock").open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise Busy(
                    f"{self.path}: another build is writing here; wait for it, or choose another --out"
                ) from None
            self._clear()
            self.new.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._clear()
        if self._lock is not None:
            self._lock.close()

    def _clear(self) -> None:
        shutil.rmtree(self.new, ignore_errors=True)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, to be moved into place by `publish`."""
        path = self.new / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def write_shards(self, folder: str, stem: str, columns: Struct, rows: Iterator[dict[str, Any]]) -> int:
        """Write rows as `folder/stem-0000i-of-0000n.parquet`; how many there were. No rows, no file."""
        target = self.new / folder
        with writing(target):
            target.mkdir(parents=True, exist_ok=True)
            shards = _ShardWriter(target, stem, columns)
            for chunk in chunks(rows):
                shards.write(chunk)
            shards.close()
        return shards.rows

    def publish(self, last: str) -> None:
        """Move all that was written into its place, take away what else lay there, and put the file `last` last."""
        with writing(self.path):
            (self.path / last).unlink(missing_ok=True)
            for stale in {file.name for file in self.path.glob("*.parquet")} - set(os.listdir(self.new)):
                (self.path / stale).unlink()
            for new in sorted(self.new.iterdir()):
                old = self.path / new.name
                if new.is_dir():
                    names = set(os.listdir(new))
                    old.mkdir(exist_ok=True)
                    for stale in set(os.listdir(old)) - names:
                        (old / stale).unlink()
                    for name in sorted(names):
                        os.replace(new / name, old / name)
                elif new.name != last:
                    os.replace(new, old)
            os.replace(self.new / last, self.path / last)


class _ShardWriter:
    """Parquet files of a bounded size, whose names tell how many there are, and so are given at the end."""

    def __init__(self, folder: Path, stem: str, columns: Struct) -> None:
        self.folder = folder
        self.stem = stem
        self.schema = arrow_schema(columns)
        self.rows = 0
        self._parts: list[Path] = []
        self._writer: Any = None

    def write(self, chunk: list[dict[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is not None and self._parts[-1].stat().st_size >= SHARD_BYTES:
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._parts.append(self.folder / f"{self.stem}-{len(self._parts):05d}.part")
            self._writer = pq.ParquetWriter(self._parts[-1], self.schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(chunk, schema=self.schema))
        self.rows += len(chunk)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        for number, part in enumerate(self._parts):
            part.rename(self.folder / f"{self.stem}-{number:05d}-of-{len(self._parts):05d}.parquet")


def file_hash(path: Path, seen: Callable[[int], object] = lambda size: None) -> str:
    """The SHA-256 of a file. seen: takes how many bytes more were read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            seen(len(block))
    return digest.hexdigest()
