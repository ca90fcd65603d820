"""The last look before anything leaves this machine: is a key, or a path that names its owner, in what goes?

Keys are the values of environment variables that are called like keys, and the Hub's token; they are looked for everywhere.
Paths are looked for in texts and in the columns that we write, and not in code, questions or tests: what others wrote may speak
of any folder. The home of root is no word of anybody's. Secrets of other machines, such as one that a model wrote into a
solution, are not known here and not found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = re.compile(r"(^|_)(API)?(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$", re.IGNORECASE)
_SHORTEST = 8
_LEAST_PARTS = 3  # "/", "home" and a name
_OF_OTHERS = frozenset(
    (
        "question",
        "tests",
        "solution",
        "code",
        "response",
        "reference",
        "starter_code",
        "test_setup",
        "checker",
        "prompt",
    )
) | {"refined_code"}
_ROWS = 64
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What must not leave: what it is, for a person, and itself. in_code: whether it is looked for in what others wrote."""

    kind: str
    text: str
    in_code: bool = True


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Where a secret was found; never the secret itself. column: of a file of rows, else ""."""

    file: str
    column: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file}{f', column {self.column},' if self.column else ''} holds {self.kind}"


def secrets_of_this_machine(directory: Path) -> list[Secret]:
    """The keys in the environment, and the folders that say whose machine this is. directory: the dataset's."""
    from huggingface_hub import get_token

    found = [
        Secret(kind=f"the value of {name}", text=value)
        for name, value in os.environ.items()
        if _KEY.search(name) and len(value) >= _SHORTEST
    ]
    token = get_token()
    if token and token not in (one.text for one in found):
        found.append(Secret(kind="the Hub's token", text=token))
    folders = {
        "the home folder": Path.home(),
        "the folder it was pushed from": Path.cwd(),
        "the dataset's own folder": directory.resolve(),
    }
    found += [
        Secret(kind=kind, text=f"{folder}/", in_code=False)
        for kind, folder in folders.items()
        if len(folder.parts) >= _LEAST_PARTS
    ]
    return found


def find_leaks(files: Mapping[str, Path | bytes], secrets: Sequence[Secret]) -> list[Leak]:
    """Every secret that is in a file (Parquet by columns, anything else as it is), once for each file and column."""
    found = []
    for name, content in files.items():
        if isinstance(content, Path) and content.suffix == ".parquet":
            found += [Leak(file=name, column=column, kind=secret.kind) for column, secret in _in_rows(content, secrets)]
        else:
            found += [Leak(file=name, column="", kind=secret.kind) for secret in _in_text(content, secrets)]
    return found


def _in_text(content: Path | bytes, secrets: Sequence[Secret]) -> list[Secret]:
    longest = max((len(one.text.encode()) for one in secrets), default=0)
    seen: dict[Secret, None] = {}
    for block in _blocks(content, longest):
        seen |= {one: None for one in secrets if one.text.encode() in block}
    return list(seen)


def _blocks(content: Path | bytes, overlap: int) -> Iterator[bytes]:
    """A content in pieces, each beginning with the end of the one before."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        tail = b""
        while block := file.read(_BLOCK):
            yield tail + block
            tail = block[-overlap:] if overlap else b""


def _in_rows(path: Path, secrets: Sequence[Secret]) -> list[tuple[str, Secret]]:
    import pyarrow.parquet as pq

    seen: dict[tuple[str, Secret], None] = {}
    with pq.ParquetFile(path, pre_buffer=False) as file:
        looked = {
            name: [one for one in secrets if one.in_code or name not in _OF_OTHERS] for name in file.schema_arrow.names
        }
        for batch in file.iter_batches(batch_size=_ROWS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for text in _texts(column):
                    seen |= {(name, one): None for one in looked[name] if one.text.encode() in text}
    return list(seen)


def _texts(column: pa.Array) -> Iterator[bytes]:
    """The bytes of all strings of a column, however deep, as they lie in memory: one after another."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts(column.dictionary)
    elif pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            yield from _texts(column.field(place))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts(column.values)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        buffer = column.buffers()[2]
        if buffer is not None:
            yield buffer.to_pybytes()
