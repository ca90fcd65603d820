"""The rows of a run: from a build directory, the Hub, or a plain dataset, mixed as `crl-data build` mixes, and filtered.

A build (or one that was pushed) has a pool, from which any mix is drawn. A dataset without one is taken as it stands. Nothing
is copied: rows are numbers into memory-mapped files, with what an arm changes beside them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crl_data.corpus.pool import Pool
from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.draws import draw
from crl_data.errors import InputError
from crl_data.hub import REPO_ID, asking, quietly
from crl_data.prompts import load_template
from crl_train.arms import changes_for, keeps, mix_for, pool_for
from crl_train.recipe import Arm, TrainRecipe

COLUMNS = ("prompt", "tests", "test_kind", "solution", "verdict")
"""What a row has to have to be rewarded; the rest of a record's columns are used where they are there."""

_ASKED_ANEW = ("problem_id", "question", "prompt_template")
"""What a row has to have too where an arm makes prompts of its own."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"


class Rows(Sequence[dict[str, Any]]):
    """Some rows of a dataset, in an order, with what is changed about them."""

    def __init__(self, table: Any, numbers: Sequence[int], changes: Mapping[int, dict[str, Any]] | None = None) -> None:
        self.table = table
        self.numbers = list(numbers)
        self._changes = dict(changes or {})

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        row = dict(self.table[self.numbers[place]])
        row.setdefault("kind", SOLVE if row.get("solution") is None else CRITIQUE)
        return row | self._changes.get(place, {})

    def fingerprint(self) -> str:
        """What these rows are, and in which order, as a hash."""
        digest = hashlib.sha256()
        for row in self.columns("id", "kind", "verdict", "prompt"):
            digest.update(repr(sorted(row.items())).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def some(self, places: Sequence[int]) -> Rows:
        """Those at some places, in that order."""
        changes = {new: self._changes[old] for new, old in enumerate(places) if old in self._changes}
        return Rows(self.table, [self.numbers[place] for place in places], changes)

    def columns(self, *names: str) -> Iterator[dict[str, Any]]:
        """Some columns of each row; no other is read."""
        present = [name for name in names if name in self.table.column_names]
        narrow = self.table.select_columns(present)
        for place, number in enumerate(self.numbers):
            row = dict(narrow[number]) if present else {}
            if "kind" in names and "kind" not in present:
                row["kind"] = SOLVE if self.table[number].get("solution") is None else CRITIQUE
            changed = self._changes.get(place, {})
            yield row | {name: changed[name] for name in names if name in changed}


@dataclass(kw_only=True)
class Corpus:
    """The rows of a run.

    train, validation, test: by use. dropped: what was left out before training, by reason. counts: rows of the training split
    by kind. kept_back: the problems of the training split that are validated on. name, revision, license, judge: of the
    dataset, for the model's card.
    """

    train: Rows
    validation: Rows | None
    test: Rows | None
    dropped: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    kept_back: frozenset[str] = frozenset()
    name: str = ""
    revision: str = ""
    license: str = ""
    judge: str = ""

    @property
    def critique_share(self) -> float:
        return self.counts[CRITIQUE] / len(self.train) if len(self.train) else 0.0


def locate(name: str, base: Path, revision: str | None = None) -> Path:
    """The folder of a dataset: one of this machine, or the files of one of the Hub. Raises `InputError` and `WorkError`."""
    folder = base / name
    if folder.is_dir():
        return folder
    if not REPO_ID.fullmatch(name) or name.count("/") != 1 or (base / name.split("/")[0]).is_dir():
        raise InputError(
            f"dataset: {name}: expected a folder that crl-data build left, or owner/name on the Hub, got neither"
        )
    from huggingface_hub import snapshot_download

    wanted = ["manifest.json", "pool/*", "data/*", "critiques.parquet", "*.parquet", "*.jsonl", "README.md"]
    with quietly(), asking(name):
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=wanted))


def load_corpus(ours: TrainRecipe, base: Path, seed: int) -> Corpus:
    """The rows of a run by use, not yet filtered by length. Raises `InputError` where a dataset is none, or has no such rows."""
    folder = locate(ours.dataset, base, ours.dataset_revision)
    of_build = (folder / "manifest.json").is_file() and any((folder / "pool").glob("*.parquet"))
    corpus = _mixed(ours, folder, base, seed) if of_build else _as_it_stands(ours, folder, base, seed)
    corpus.name, corpus.revision = _identity(ours.dataset, folder, ours.dataset_revision)
    if ours.test_dataset is not None:
        corpus.test = _all_of(locate(ours.test_dataset, base))
    if isinstance(ours.evaluate.validation, str):
        corpus.validation = _all_of(locate(ours.evaluate.validation, base))
    for rows in (corpus.train, corpus.validation, corpus.test):
        if rows is not None:
            _check_columns(rows, ours.dataset)
    if not len(corpus.train):
        raise InputError(f"{ours.dataset}: expected rows to train on for the arm {ours.arm}, got none")
    corpus.counts = Counter(row["kind"] for row in corpus.train.columns("kind"))
    return corpus


def _mixed(ours: TrainRecipe, folder: Path, base: Path, seed: int) -> Corpus:
    pool = pool_for(ours.arm, folder)
    table = _table([str(file) for file in pool.files])
    numbers = pool.rows(**mix_for(ours.arm, ours.mix.changes()))
    eligible = Pool(folder).eligible()  # what is measured on is the same for every arm
    dropped = Counter[str]()
    kept_back, problem_of = set[str](), dict(enumerate(table["problem_id"]))
    if isinstance(ours.evaluate.validation, int) and ours.evaluate.validation:
        names = sorted({problem_of[row] for kind in eligible[TRAIN].values() for row in kind})
        kept_back = set(
            sorted(names, key=lambda name: draw(pool.recipe.seed, "validation", name))[: ours.evaluate.validation]
        )
        if len(kept_back) >= len(names):
            raise InputError(
                f"evaluate.validation: expected fewer than the {len(names)} problems of the training split"
            )
    of_train = [row for row in numbers[TRAIN] if problem_of[row] not in kept_back]
    dropped["kept back for validation"] = len(numbers[TRAIN]) - len(of_train)
    rows = Rows(table, of_train)
    kinds = [row["kind"] for row in rows.columns("kind")]
    places = [place for place, kind in enumerate(kinds) if keeps(ours.arm, kind)]
    if len(places) < len(rows):
        dropped[f"not of the arm {ours.arm}"] = len(rows) - len(places)
    rows = rows.some(places)
    whole = rows if ours.arm is Arm.SOLUTION_SHOWN else list(rows.columns("kind", "verdict"))
    changes = changes_for(ours.arm, whole, seed, load_template("shown", ours.prompts.shown, base))
    both = {
        name: sorted(row for kind in eligible[split].values() for row in kind if (problem_of[row] in kept_back) is back)
        for name, split, back in ((VALIDATION, TRAIN, True), (TEST, TEST, False))
    }
    return Corpus(
        train=Rows(table, rows.numbers, changes),
        validation=Rows(table, both[VALIDATION]) if both[VALIDATION] else None,
        test=Rows(table, both[TEST]) if both[TEST] else None,
        dropped=+dropped,
        kept_back=frozenset(kept_back),
        judge=_judge(folder),
    )


def _as_it_stands(ours: TrainRecipe, folder: Path, base: Path, seed: int) -> Corpus:
    if ours.mix.changes() or ours.arm is Arm.HYBRID_MUTANTS:
        raise InputError(
            f"{ours.dataset}: expected a built dataset with a pool/ to mix from (crl-data build leaves one), got rows alone; "
            "leave out mix, and arms that draw from it"
        )
    if isinstance(ours.evaluate.validation, int) and ours.evaluate.validation:
        raise InputError(
            f"evaluate.validation: expected a built dataset with a pool/ to keep problems back from, got rows alone in "
            f"{ours.dataset}; name a dataset of its own instead"
        )
    splits = _splits(folder)
    table = splits[TRAIN]
    rows = Rows(table, range(len(table)))
    _check_columns(rows, ours.dataset, _ASKED_ANEW if ours.arm in (Arm.SOLUTION_SHOWN, Arm.HYBRID_ONPOLICY) else ())
    places = [place for place, row in enumerate(rows.columns("kind")) if keeps(ours.arm, row["kind"])]
    changes = changes_for(ours.arm, rows.some(places), seed, load_template("shown", ours.prompts.shown, base))
    return Corpus(
        train=Rows(table, [rows.numbers[place] for place in places], changes),
        validation=None,
        test=Rows(splits[TEST], range(len(splits[TEST]))) if TEST in splits else None,
    )


def _all_of(folder: Path) -> Rows:
    """Every row of a dataset that is only measured on: of a build, every record of its pool."""
    files = sorted((folder / "pool").glob("*.parquet"))
    if files:
        table = _table([str(file) for file in files])
        return Rows(table, range(len(table)))
    import datasets

    whole = datasets.concatenate_datasets(list(_splits(folder).values()))
    return Rows(whole, range(len(whole)))


def _table(files: list[str]) -> Any:
    import datasets

    with _without_bars(datasets):
        return datasets.load_dataset("parquet", data_files=files, split="train")


def _splits(folder: Path) -> dict[str, Any]:
    """The splits of a folder of rows, as `datasets` finds them."""
    import datasets

    try:
        with _without_bars(datasets):
            found = datasets.load_dataset(str(folder))
    except Exception as error:  # whatever the readers of `datasets` raise about files that are none
        raise InputError(f"{folder}: expected a dataset, got: {' '.join(str(error).split())[:300]}") from None
    splits = dict(found)
    if TRAIN not in splits:
        raise InputError(f"{folder}: expected a split train, got {', '.join(splits)}")
    return splits


@contextlib.contextmanager
def _without_bars(datasets: Any) -> Iterator[None]:
    import sys

    off = datasets.utils.logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if off:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if off:
            datasets.enable_progress_bars()


def _check_columns(rows: Rows, name: str, more: Sequence[str] = ()) -> None:
    wanted = (*COLUMNS, *more)
    missing = [column for column in wanted if column not in rows.table.column_names]
    if missing:
        raise InputError(
            f"{name}: expected the columns {', '.join(wanted)} of records (crl-data build makes them), got none of the name "
            f"{', '.join(missing)}"
        )
    if not _is_conversation(rows.table.features.arrow_schema.field("prompt").type):
        raise InputError(
            f"{name}: prompt: expected messages, each with role and content, since a model reads them in its chat template, got "
            'something else; write a text as [{"role": "user", "content": TEXT}]'
        )


def _is_conversation(kind: Any) -> bool:
    import pyarrow

    if not (pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)):
        return False
    message = kind.value_type
    return pyarrow.types.is_struct(message) and {"role", "content"} <= {
        message.field(n).name for n in range(len(message))
    }


def _identity(name: str, folder: Path, revision: str | None) -> tuple[str, str]:
    """What a dataset is called, and which one it is: the commit on the Hub, or the hash of its manifest."""
    from crl_data.corpus.outputs import file_hash

    manifest = folder / "manifest.json"
    if not folder.is_dir() or folder.parent.name == "snapshots":
        return name, folder.name
    stands = file_hash(manifest)[:12] if manifest.is_file() else revision or "unknown"
    return folder.resolve().name, stands


def _judge(folder: Path) -> str:
    from crl_data.corpus.manifest import read_manifest

    judge = read_manifest(folder)["judge"]
    version, threshold = judge.get("version"), judge.get("threshold")
    return f"crl-data's judge, version {version}, threshold {threshold}" if version else ""


# --- filters ----------------------------------------------------------------------------------------------------------


def fitting(rows: Rows, length_of: Callable[[list[dict[str, str]]], int], most: int | None) -> Rows:
    """The rows whose prompts are at most so many tokens long. length_of: a prompt's length, as the model reads it."""
    if most is None:
        return rows
    lengths = (length_of(row["prompt"]) for row in rows.columns("prompt"))
    return rows.some([place for place, length in enumerate(lengths) if length <= most])


def at_most(rows: Rows | None, each: int, seed: int) -> Rows | None:
    """So many rows of each kind, drawn by what they are: the same ones every time."""
    if rows is None:
        return None
    by_kind: dict[str, list[tuple[Any, int]]] = {SOLVE: [], CRITIQUE: []}
    for place, row in enumerate(rows.columns("kind", "id")):
        by_kind[row["kind"]].append((draw(seed, "evaluation", str(row.get("id", place))), place))
    kept = [place for drawn in by_kind.values() for _, place in sorted(drawn)[:each]]
    return rows.some(sorted(kept))


def licenses_of(rows: Rows) -> str:
    """The licences of rows, by name."""
    if "source" not in rows.table.column_names:
        return ""
    found = {(row.get("source") or {}).get("license") or "unknown" for row in rows.columns("source")}
    return ", ".join(sorted(found))
