"""The end of a build: all that it leaves behind, out of what is on the stage. `build` and `relabel` end like this."""

from __future__ import annotations

import json
from typing import Any

from crl_data.columns import CANDIDATE, JUDGEMENT, PROBLEM, Column, Scalar, Struct
from crl_data.corpus import card
from crl_data.corpus.assemble import Assembly
from crl_data.corpus.outputs import Directory
from crl_data.report import write_report
from crl_data.rows import cells_of, write_parquet

_PROBLEMS = Struct((*PROBLEM.columns, Column("set_aside", Scalar(str))))


def write_rows(directory: Directory, assembly: Assembly) -> None:
    """Every file of rows: problems, candidates, judgements, the pool, the records."""
    stage = assembly.stage
    write_parquet(
        directory.new / "problems.parquet",
        _PROBLEMS,
        lambda: ({**cells_of(p), "set_aside": why} for p, why in stage.problems(kept_only=False)),
    )
    write_parquet(
        directory.new / "candidates.parquet",
        CANDIDATE,
        lambda: ({**cells_of(c), "dropped": why} for _, c, why in stage.candidates(to_judge_only=False)),
    )
    write_parquet(directory.new / "judgements.parquet", JUDGEMENT, stage.judgements)
    assembly.write_pool(directory)
    assembly.write_data(directory, assembly.mixed())


def publish(directory: Directory, manifest: dict[str, Any]) -> None:
    """The card, the report and the manifest, and all of it moved into its place."""
    directory.write_text("README.md", card.render(manifest, directory.new))
    write_report(directory.new, manifest)
    directory.write_text("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    directory.publish(last="manifest.json")
