"""What goes of a built dataset: its files of rows, the card, the manifest; and what stops it.

It is stopped where a file is not the one that the manifest speaks of, where a licence is unknown or not among those that the
recipe allows, and where the last look finds a key or a path of this machine (`leaks`). The page stays: `crl-data report`
makes it from what goes.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from crl_data.corpus import card
from crl_data.corpus.manifest import read_manifest
from crl_data.errors import Busy, InputError
from crl_data.licenses import UNKNOWN
from crl_data.publishing.leaks import find_leaks, secrets_of_this_machine
from crl_data.publishing.push import Contents, File, file_of

CARD, MANIFEST = "README.md", "manifest.json"


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """A dataset that no build changes meanwhile. Raises `Busy` where one is doing so."""
    with contextlib.ExitStack() as ending:
        lock = directory / ".crl" / "lock"
        if lock.is_file():
            file = ending.enter_context(lock.open())
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"{directory}: a build is writing here; wait for it") from None
        yield


def size_of(directory: Path) -> int:
    """How many bytes the files of rows have together, as the manifest says."""
    return sum((directory / name).stat().st_size for name in _listed(directory) if (directory / name).is_file())


def contents(
    directory: Path,
    repo: str,
    allowed: Collection[str] = (),
    seen: Callable[[int], object] = lambda size: None,
) -> Contents:
    """The files of a dataset as they go to `repo`, each read and looked through.

    repo: what the card calls the dataset by. allowed: licences that are named beside those of the recipe. seen: takes how many
    bytes more were read, of those that the manifest lists. Raises `InputError` for what stops it.
    """
    import pyarrow as pa

    manifest = read_manifest(directory, ("files",))
    files = dict(_rows(directory, seen))
    try:
        _check_licenses(directory, manifest, files, allowed)
        n = sum(_length(directory / name) for name in files if name.startswith("data/"))
    except pa.ArrowException as error:
        raise InputError(f"{directory}: expected Parquet files, got: {str(error).splitlines()[0]}") from None
    for name in (CARD, MANIFEST):
        if not (directory / name).is_file():
            raise InputError(f"{directory}: expected {name}, got none; build it again")
    try:
        text = (directory / CARD).read_text(encoding="utf-8").replace(card.HERE, repo)
    except UnicodeDecodeError as error:
        raise InputError(f"{directory / CARD}: expected UTF-8 text, got: {error.reason}") from None
    leaks = find_leaks(
        {name: directory / name for name in (*files, CARD, MANIFEST)}, secrets_of_this_machine(directory)
    )
    if leaks:
        more = f", and in {len(leaks) - 1} more places" if len(leaks) > 1 else ""
        raise InputError(
            f"{directory}: {leaks[0]}{more}; take it out of what the dataset is made of, and build it again"
        )
    files[CARD] = file_of(text.encode())
    files[MANIFEST] = file_of(directory / MANIFEST)
    message = f"{manifest.get('name', directory.name)}: {n:,} records (crl-data {manifest.get('crl_data', '')})"
    return Contents(kind="dataset", files=files, index=MANIFEST, message=message)


def _listed(directory: Path) -> dict[str, Any]:
    """What the manifest tells of each file of rows, by name. Raises `InputError` where that can be no list of them."""
    listed = read_manifest(directory, ("files",))["files"]
    for name, told in listed.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{directory / MANIFEST}: files: expected names of files in the directory, got {name!r}")
        if not isinstance(told, dict):
            raise InputError(f"{directory / MANIFEST}: files: {name}: expected an object, got {type(told).__name__}")
    if not any(name.startswith("data/") for name in listed):
        raise InputError(f"{directory / MANIFEST}: files: expected the records' in data/, got none")
    return dict(sorted(listed.items()))


def _rows(directory: Path, seen: Callable[[int], object]) -> Iterator[tuple[str, File]]:
    """The files that the manifest lists, each as it says."""
    for name, told in _listed(directory).items():
        path = directory / name
        if not path.is_file():
            raise InputError(f"{directory}: expected {name}, as its manifest says, got none; build it again")
        file = file_of(path, seen)
        if file.sha256 != told.get("sha256"):
            raise InputError(f"{path}: expected the file that the manifest speaks of, got another; build it again")
        yield name, file


def _length(path: Path) -> int:
    """How many rows a file has."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _check_licenses(
    directory: Path, manifest: dict[str, Any], files: Collection[str], allowed: Collection[str]
) -> None:
    """Raises `InputError` where rows are under a licence that nobody stated, or that is not allowed, and is not named."""
    named = (manifest.get("recipe") or {}).get("allow_licenses")
    found = licenses(directory / name for name in files)
    barred = {
        name: n
        for name, n in sorted(found.items())
        if name not in allowed and (name not in named if named is not None else name == UNKNOWN)
    }
    if barred:
        listed = ", ".join(f"{name} ({n:,} rows)" for name, n in barred.items())
        wanted = f"one of {', '.join(named)}" if named is not None else "known licences"
        options = " ".join(f"--allow-license {_quoted(name)}" for name in barred)
        raise InputError(
            f"{directory}: expected {wanted}, got {listed}; state them in the recipe (problems[].license), leave them out "
            f"(allow_licenses), or name them: {options}"
        )


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace(".", "").isalnum() else f"'{name}'"


def licenses(files: Iterator[Path]) -> Counter[str]:
    """The licences of the rows of these files that have a source, with the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: Counter[str] = Counter()
    for path in files:
        with pq.ParquetFile(path) as file:
            kind = file.schema_arrow.field("source").type if "source" in file.schema_arrow.names else None
            if not isinstance(kind, pa.StructType) or kind.get_field_index("license") < 0:
                continue
            for batch in file.iter_batches(columns=["source.license"]):
                names: Sequence[str | None] = batch.column(0).field("license").to_pylist()
                found.update(name or UNKNOWN for name in names)
    return found
