"""What a policy wrote, as rows in Parquet: the record it answered, in the columns of records, and beside them what came of it.

One file a generation batch and process, each whole or not there: `rollouts/update-000012-0.parquet`, and `...-0-1.parquet` for
the next one before the same update. Whatever reads records reads them; `completion` is what was written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crl_data.columns import RECORD, Column, Scalar, Struct, arrow_schema
from crl_data.draws import draw
from crl_data.rows import writing
from crl_train.measures import Completion

FOLDER = "rollouts"

ROLLOUT = Struct(
    (
        *RECORD.columns,
        Column("update", Scalar(int)),
        Column("completion", Scalar(str)),
        Column("completion_tokens", Scalar(int)),
        Column("cut", Scalar(bool)),
        Column("reward", Scalar(float)),
        Column("advantage", Scalar(float)),
        Column("concluded", Scalar(str)),
        Column("completion_pass_rate", Scalar(float)),
        Column("completion_verdict", Scalar(bool)),
    )
)
"""A record's columns, and: the updates made before, what was written, its tokens, whether it ran into the limit, its reward
before any weight (null where undecided), its advantage, what a critique concluded ("T", "F" or "missing"), and for a solution
the share of tests passed and the verdict."""


class Rollouts:
    """Where completions of a run are kept. share: of the prompts."""

    def __init__(self, run: Path, share: float, process: int) -> None:
        self._folder = run / FOLDER
        self._share = share
        self._process = process
        self._written = (-1, -1)  # the update of the last file, and which one of that update it was

    def write(
        self,
        update: int,
        rows: Sequence[Mapping[str, Any]],
        texts: Sequence[str],
        completions: Sequence[Completion],
        advantages: Sequence[float],
    ) -> None:
        """Keep a generation batch: for each completion its row, its text, what came of it and its advantage."""
        again = self._written[1] + 1 if self._written[0] == update else 0
        self._written = (update, again)
        kept = [
            {
                **{name: row.get(name) for name in RECORD.names()},
                "update": update,
                "completion": text,
                "completion_tokens": one.tokens,
                "cut": one.cut,
                "reward": None if math.isnan(one.reward) else one.reward,
                "advantage": advantage,
                "concluded": one.concluded,
                "completion_pass_rate": one.pass_rate,
                "completion_verdict": one.verdict,
            }
            for row, text, one, advantage in zip(rows, texts, completions, advantages, strict=True)
            if self._keeps(f"{update}:{row.get('id')}")
        ]
        if not kept:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = f"-{again}" if again else ""
        target = self._folder / f"update-{update:06d}-{self._process}{beside}.parquet"
        temporary = target.with_name(f".{target.name}.tmp")
        import pyarrow as pa
        import pyarrow.parquet as pq

        with writing(target):
            pq.write_table(pa.Table.from_pylist(kept, schema=arrow_schema(ROLLOUT)), temporary, compression="zstd")
            temporary.replace(target)

    def _keeps(self, prompt: str) -> bool:
        """Whether a prompt's completions are kept: all of them, or none."""
        return int.from_bytes(draw(0, "rollouts", prompt)[:4], "big") < self._share * 2**32

    def forget_after(self, update: int) -> None:
        """Take away what any process wrote in later updates than a checkpoint, which a resumed run writes again."""
        for file in self._folder.glob("*update-*"):
            if int(file.name.split("-")[1]) >= update or file.name.startswith("."):
                file.unlink(missing_ok=True)
