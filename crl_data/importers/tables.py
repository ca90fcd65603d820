"""Where foreign rows are read from: local files, or a data set on the Hugging Face Hub. Nothing here knows a format.

A source has tables: the configs of a data set on the Hub; locally the folders or files that are called like them, so that a
copy of a data set's repository is read as the data set is. Rows come one after another; nothing is held.
"""

from __future__ import annotations

import contextlib
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from crl_data.errors import InputError, RowError
from crl_data.hub import REPO_ID, asking
from crl_data.rows import MAX_FIELD_MB, SUFFIXES, Row, as_json, read_rows
from crl_data.types import Source

_SPLITS = ("train", "test", "validation", "valid", "dev", "eval")
_HUB = "hub:"


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which part of a source is read, and what is known of it beside its rows.

    config, split, revision: as the Hub means them; local files have configs as folders or file names, and splits (train, test,
    validation, valid, dev, eval) as the beginnings of file names. license: what the user says, over what the importer or the
    Hub says.
    """

    config: str | None = None
    split: str | None = None
    revision: str | None = None
    license: str | None = None


class Tables(Protocol):
    """A source of rows."""

    which: Which

    def rows(self, table: str | None = None, split: str | None = None) -> Iterator[Row | RowError]:
        """The rows of a table (None: the one that is meant where nobody names one), and of another split than the usual."""
        ...

    def has(self, table: str) -> bool:
        """Whether there is a table of that name."""
        ...

    def origin(self, known: Source) -> Source:
        """Where a row came from, of what its importer knows and what the source itself says."""
        ...

    def described(self) -> list[dict[str, Any]]:
        """What the manifest says of it: an entry for each file, or one for the data set."""
        ...


def open_tables(source: str, base: Path, which: Which | None = None, max_field_mb: int = MAX_FIELD_MB) -> Tables:
    """The tables of a source: a file, a folder, a pattern with `*`, or the id of a data set on the Hub.

    A path (relative to `base`) that exists is local; `owner/name` that is none is looked for on the Hub, and `hub:owner/name`
    always is. Raises `InputError` where there is neither.
    """
    which = which or Which()
    if source.startswith(_HUB):
        return HubTables(source.removeprefix(_HUB), which)
    if "*" in source or (base / source).exists():
        return LocalTables(base / source, which, max_field_mb)
    if REPO_ID.fullmatch(source) and not source.endswith(SUFFIXES):
        return HubTables(source, which)
    raise InputError(f"{base / source}: no such file")


def find_files(path: Path) -> list[Path]:
    """A file, or the files of a pattern with `*`, in the order of their names. Raises `InputError` where there are none."""
    if "*" not in str(path):
        if not path.exists():
            raise InputError(f"{path}: no such file")
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    if not found:
        raise InputError(f"{path}: no file is called like that")
    return found


class LocalTables:
    """Rows of local files."""

    def __init__(self, path: Path, which: Which, max_field_mb: int) -> None:
        self.path = path
        self.which = which
        self.max_field_mb = max_field_mb

    def rows(self, table: str | None = None, split: str | None = None) -> Iterator[Row | RowError]:
        for file in self.files(table, split):
            yield from read_rows(file, self.max_field_mb)

    def has(self, table: str) -> bool:
        return self.path.is_dir() and bool(self._called(table))

    def files(self, table: str | None = None, split: str | None = None) -> list[Path]:
        """The files of a table, in the order of their names. Raises `InputError` where there are none."""
        table, split = table or self.which.config, split or self.which.split
        if not self.path.is_dir():
            found, wanted = find_files(self.path), "no file"
        else:
            found = self._called(table) if table else self._below(self.path)
            wanted = f"no file of rows in it{f' belongs to the table {table}' if table else ''}"
        if split:
            found = [file for file in found if _split_of(file) == split]
            wanted += f" is of the split {split}, by its name" if not self.path.is_dir() else f", in the split {split}"
        if not found:
            raise InputError(f"{self.path}: {wanted}")
        return found

    def _called(self, table: str) -> list[Path]:
        """The files of a folder called `table`, or the files called `table.SUFFIX` and `table-*.SUFFIX`.

        `folder/table` is one file of a folder of many.
        """
        if "/" in table:
            return [file for suffix in SUFFIXES if (file := self.path / f"{table}{suffix}").is_file()]
        for folder in (self.path / table, self.path / "data" / table):
            if folder.is_dir():
                return self._below(folder)
        name = re.compile(rf"{re.escape(table)}(-.*)?")
        return [file for file in self._below(self.path) if name.fullmatch(_stem(file))]

    def _below(self, folder: Path) -> list[Path]:
        return sorted(file for file in folder.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file())

    def origin(self, known: Source) -> Source:
        return replace(
            known,
            revision=self.which.revision or known.revision,
            license=self.which.license or known.license,
        )

    def described(self) -> list[dict[str, Any]]:
        return [{"file": file} for file in self.files()]


def _split_of(file: Path) -> str:
    """The split that a file's name begins with; without one it is of `train`, as `datasets` takes it."""
    name = re.match(r"[A-Za-z]+", file.name)
    word = name[0].lower() if name else ""
    return word if word in _SPLITS else "train"


def _stem(file: Path) -> str:
    return file.name[
        : -len(next(suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if file.name.endswith(suffix)))
    ]


class HubTables:
    """Rows of a data set on the Hub, streamed by `datasets`. The revision is pinned before the first row is read."""

    def __init__(self, name: str, which: Which) -> None:
        if not REPO_ID.fullmatch(name):
            raise InputError(f"{_HUB}{name}: expected the id of a data set on the Hub, as in {_HUB}owner/name")
        self.name = name
        self.which = which

    def rows(self, table: str | None = None, split: str | None = None) -> Iterator[Row | RowError]:
        config = table or self.which.config
        place = f"{_HUB}{self.name}@{self.revision[:12]}{f' {config}' if config else ''}"
        for number, cells in enumerate(self._stream(config, split), start=1):
            yield Row(f"{place}: row {number}", {name: as_json(value) for name, value in cells.items()})

    def _stream(self, config: str | None, split: str | None) -> Iterator[dict[str, Any]]:
        import datasets

        with self._asking():
            split = split or self.which.split or self._split(config)
            stream = datasets.load_dataset(self.name, config, split=split, revision=self.revision, streaming=True)
            yield from stream

    def splits(self) -> list[str]:
        """The splits of the config that is meant."""
        with self._asking():
            return self._splits(self.which.config)

    def _splits(self, config: str | None) -> list[str]:
        import datasets

        return list(datasets.get_dataset_split_names(self.name, config, revision=self.revision))

    def _split(self, config: str | None) -> str:
        splits = self._splits(config)
        if len(splits) == 1 or "train" in splits:
            return "train" if "train" in splits else splits[0]
        raise InputError(f"{_HUB}{self.name}: split: expected one of {', '.join(splits)}, got none")

    def has(self, table: str) -> bool:
        import datasets

        with self._asking():
            return table in datasets.get_dataset_config_names(self.name, revision=self.revision)

    @cached_property
    def _info(self) -> Any:
        from huggingface_hub import HfApi

        with self._asking():
            return HfApi().dataset_info(self.name, revision=self.which.revision)

    @property
    def revision(self) -> str:
        """The commit that is read."""
        return str(self._info.sha)

    @property
    def license(self) -> str:
        """What the user says it is, or the card of the data set; or nothing."""
        card = self._info.card_data
        told = self.which.license or (card.get("license") if card else None) or ""
        return ", ".join(told) if isinstance(told, list) else str(told)

    def _asking(self) -> contextlib.AbstractContextManager[None]:
        return asking(f"{_HUB}{self.name}", "run it again, or name local files")

    def origin(self, known: Source) -> Source:
        return Source(
            dataset=known.dataset or self.name,
            revision=self.revision,
            license=self.which.license or known.license or self.license,
            url=known.url or f"https://huggingface.co/datasets/{self.name}",
        )

    def described(self) -> list[dict[str, Any]]:
        told = {"config": self.which.config, "split": self.which.split, "revision": self.revision}
        return [{"hub": self.name, **told, "license": self.license or "unknown"}]
