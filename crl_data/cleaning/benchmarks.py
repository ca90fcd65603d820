"""The questions of benchmarks, read from files in the forms in which they are published. Nothing is downloaded.

A benchmark of another name is read by the field that holds its question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.errors import InputError, RowError
from crl_data.rows import read_rows

EXPECTED = ("humaneval", "mbpp", "bigcodebench", "livecodebench", "aider-polyglot", "bbeh")
"""The benchmarks that the card speaks of, whether a recipe names them or not."""

SAME_QUESTIONS = {"humaneval+": "humaneval", "mbpp+": "mbpp"}

_FIELDS = {
    "humaneval": ("prompt",),
    "mbpp": ("text", "prompt"),
    "bigcodebench": ("complete_prompt", "instruct_prompt"),
    "livecodebench": ("question_content", "question"),
    "aider-polyglot": ("files",),
    "bbeh": ("input",),
}
_BOTH = (
    "bigcodebench"  # its two prompts are two texts of one question; of the others the first field that is there counts
)
_INSTRUCTIONS = re.compile(r"\.docs/(introduction|instructions|instructions\.append)\.md")
_SITES = (
    (re.compile(r"codeforces\.com/(?:contest|gym|problemset/problem)/(\d+)/(?:problem/)?(\w+)"), "codeforces/{}_{}"),
    (re.compile(r"atcoder\.jp/contests/[\w-]+/tasks/(\w+)"), "atcoder/{}"),
    (re.compile(r"leetcode\.(?:com|cn)/problems/([\w-]+)"), "leetcode/{}"),
    (re.compile(r"exercism\.(?:org|io)/(?:[\w-]+/)*exercises/([\w-]+)"), "exercism/{}"),
)
_CODEFORCES_ID = re.compile(r"(?:^|/)(\d+)[_/]?([a-z]\d?)(?:\.|$)")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of a benchmark: its texts, the names by which it is known (`names_of_url`), and its day."""

    id: str
    texts: tuple[str, ...]
    names: frozenset[str] = frozenset()
    date: str | None = None


def is_known(name: str) -> bool:
    return SAME_QUESTIONS.get(name, name) in EXPECTED


def read_items(name: str, files: Sequence[Path], field: str | None = None) -> Iterator[Item | RowError]:
    """The questions of a benchmark; a row that is not as it is published comes as the `RowError` that says so.

    field: where the question stands; None: where the benchmark of this name has it. Raises `InputError` where a file
    cannot be read.
    """
    name = SAME_QUESTIONS.get(name, name)
    number = 0
    for path in files:
        if path.suffix == ".md":
            yield _of_instructions(path)
            continue
        for row in _rows(path):
            if isinstance(row, RowError):
                yield row
                continue
            place, cells = row
            texts = _texts(name, cells, field)
            if texts:
                yield _item(name, path, number, cells, texts)
            else:
                wanted = " or ".join((field,) if field else _FIELDS[name])
                yield RowError(place, "", f"a question in {wanted}", f"a row of {', '.join(cells)}"[:200])
            number += 1


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]] | RowError]:
    """The rows of a file with their places; a JSON file is a list of objects, or has one under `examples` (BBEH)."""
    if path.suffix != ".json":
        for row in read_rows(path):
            yield row if isinstance(row, RowError) else (row.place, row.cells)
        return
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, got: {error}"[:300]) from None
    listed = whole.get("examples") if isinstance(whole, dict) else whole
    if not isinstance(listed, list):
        raise InputError(f"{path}: expected a list of objects, or one under `examples`, got something else")
    for number, cells in enumerate(listed):
        place = f"{path}: item {number + 1}"
        yield (place, cells) if isinstance(cells, dict) else RowError(place, "", "an object", type(cells).__name__)


def _texts(name: str, cells: Mapping[str, Any], field: str | None) -> tuple[str, ...]:
    if field is not None:
        found = [cells.get(field)]
    elif name == "aider-polyglot":
        files = cells.get("files")
        parts = files if isinstance(files, dict) else {}
        texts = [
            text for path, text in sorted(parts.items()) if _INSTRUCTIONS.fullmatch(path) and isinstance(text, str)
        ]
        found = ["\n".join(texts)]
    else:
        found = [cells.get(one) for one in _FIELDS[name]]
    whole = [text for text in found if isinstance(text, str) and text.strip()]
    if name == "mbpp":  # MBPP+ puts an assertion below the question
        whole = [re.sub(r"^assert .*$", "", text, flags=re.MULTILINE) for text in whole]
    return tuple(whole if name == _BOTH else whole[:1])


def _item(name: str, path: Path, number: int, cells: Mapping[str, Any], texts: tuple[str, ...]) -> Item:
    place = f"{path.name.partition('.')[0]}/{number}"
    if name == "livecodebench":
        return _of_livecodebench(cells, texts, place)
    given = next(
        (str(cells[key]) for key in ("task_id", "question_id", "id", "name") if cells.get(key) is not None), ""
    )
    if name == "mbpp" and given.isdecimal():
        given = f"Mbpp/{given}"
    if not given:
        return Item(id=place, texts=texts)
    names = {given.casefold()} if "/" in given else {f"exercism/{given}"} if name == "aider-polyglot" else set()
    return Item(id=given, texts=texts, names=frozenset(names))


def _of_livecodebench(cells: Mapping[str, Any], texts: tuple[str, ...], place: str) -> Item:
    """A row as it is published, or of published submissions: `id` is benchmark/question/model, the rest in `meta`.

    place: its name where it has none.
    """
    meta = cells.get("meta")
    more = meta if isinstance(meta, dict) else {}
    given = str(cells.get("question_id") or "")
    if not given:
        parts = str(cells.get("id") or "").split("/")
        given = parts[1] if len(parts) > 1 else parts[0]
    platform = str(cells.get("platform") or more.get("platform") or "").casefold()
    names = set()
    if platform and given and not given.isdecimal():
        names = {f"{platform}/{given.casefold()}"}
    title = cells.get("question_title")
    if platform == "leetcode" and isinstance(title, str):
        names.add(f"leetcode/{slug(title)}")
    date = cells.get("contest_date") or more.get("date")
    return Item(id=given or place, texts=texts, names=frozenset(names), date=str(date)[:10] if date else None)


def _of_instructions(path: Path) -> Item | RowError:
    """An exercise of the polyglot benchmark as its repository has it: LANGUAGE/exercises/practice/NAME/.docs/FILE.md."""
    exercise = path.parent.parent
    track = exercise.parent.parent.parent.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return RowError(str(path), "", "a text", str(error)[:200])
    names = frozenset({f"exercism/{exercise.name}"})
    return Item(id=f"{track}/{exercise.name}" if track else exercise.name, texts=(text,), names=names)


def names_of_id(given: str) -> set[str]:
    """The names that the id of a problem may mean: itself, and by its end a question of a contest site."""
    given = given.casefold()
    names = {given, f"atcoder/{given.rpartition('/')[2]}"}
    found = _CODEFORCES_ID.search(given)
    return names | {"codeforces/{}_{}".format(*found.groups())} if found else names


def slug(title: str) -> str:
    """A title as LeetCode writes it in an address."""
    return "-".join(re.findall(r"[a-z0-9]+", title.casefold().replace("'", "")))


def names_of_url(url: str) -> set[str]:
    """The names of the question that an address of a contest site leads to."""
    return {form.format(*found.groups()).casefold() for site, form in _SITES for found in [site.search(url)] if found}
