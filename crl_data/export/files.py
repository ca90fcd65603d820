"""Writing the rows of a form: a file a split, all of them or none. Nothing here knows a form."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from crl_data.columns import Struct
from crl_data.errors import InputError, WorkError
from crl_data.export.dataset import Dataset
from crl_data.rows import SUFFIXES, RowWriter, writing


class Form(Protocol):
    """A format of rows."""

    @property
    def columns(self) -> Struct:
        """Those of its rows."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that it may be written to; the first is that of files in a folder."""
        ...

    def rows(self, dataset: Dataset, split: str, left_out: Counter[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows of a split, each with its kind; what makes none is counted by reason."""
        ...


@dataclass
class Exported:
    """What became of a dataset: the files and their rows, the rows by kind, what was left out by reason."""

    files: dict[str, int] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """What was left out, in words."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.most_common())


def export(directory: Path, out: Path, form: Form, split: str | None = None) -> Exported:
    """Write a built dataset in a form.

    out: a folder, which gets a file for each split that has rows; or the file of one split, by its suffix. All files appear,
    or none. Raises `InputError` where there is nothing to write.
    """
    with Dataset(directory) as dataset:
        splits = dataset.splits
        if split is not None:
            if split not in splits:
                raise InputError(f"{directory}: expected one of its splits ({', '.join(splits)}), got {split!r}")
            splits = (split,)
        if out.name.endswith(SUFFIXES):
            if not out.name.endswith(form.suffixes):
                raise InputError(
                    f"{out}: expected a folder, or a file of {', '.join(form.suffixes)}, got another suffix"
                )
            if len(splits) > 1:
                raise InputError(
                    f"{out}: expected a folder for the splits {', '.join(splits)}; or one of them, by --split"
                )
            return _write_all(dataset, {out: splits[0]}, form)
        if out.exists() and not out.is_dir():
            wanted = ", ".join(form.suffixes)
            raise InputError(f"{out}: expected a folder, or the name of a file that ends in {wanted}, got another file")
        with _folder(out):
            return _write_all(dataset, {out / f"{name}{form.suffixes[0]}": name for name in splits}, form)


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


def _write_all(dataset: Dataset, targets: Mapping[Path, str], form: Form) -> Exported:
    done = Exported()
    with contextlib.ExitStack() as ending:
        whole: dict[Path, Path] = {}
        for target, split in targets.items():
            suffix = next(one for one in sorted(SUFFIXES, key=len, reverse=True) if target.name.endswith(one))
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp{suffix}")
            ending.callback(_remove, temporary)
            rows = 0
            with _called(temporary, target), RowWriter(temporary, form.columns) as writer:
                for kind, cells in form.rows(dataset, split, done.left_out):
                    writer.write(cells)
                    done.kinds[kind] += 1
                    rows += 1
            if rows:
                whole[target] = temporary
                done.files[str(target)] = rows
        if not whole:
            raise InputError(f"{dataset.path}: expected a row of this form, got {done.told() or 'none'}")
        for target, temporary in whole.items():
            with writing(target):
                os.replace(temporary, target)
    return done


@contextlib.contextmanager
def _called(temporary: Path, target: Path) -> Iterator[None]:
    """What cannot be written is told of the file that was meant."""
    try:
        yield
    except WorkError as error:
        raise WorkError(str(error).replace(str(temporary), str(target))) from None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
