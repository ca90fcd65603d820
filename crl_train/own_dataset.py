"""What a policy wrote in a run, as a dataset that can be built, checked and pushed like any other.

From the rollouts: the problems that it was asked, and its solutions as recorded candidates, with a recipe. `crl-data build`
judges them again, in its own way, so that what is published has verdicts of a build and not of a training loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crl_data.columns import JUDGED_BY, PROBLEM, SOLUTION
from crl_data.corpus.records import SOLVE
from crl_data.responses import extract_code
from crl_data.rows import RowWriter, writing
from crl_train.onpolicy import SAMPLER
from crl_train.rollouts import FOLDER

OWN = "onpolicy"


def leave(run: Path) -> int:
    """Write `onpolicy/` (problems, solutions and a recipe) from a run's rollouts; how many solutions. 0: nothing is written."""
    import pyarrow.parquet as pq

    files = sorted((run / FOLDER).glob("*.parquet"))
    target = run / OWN
    problems: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()

    def solutions() -> Iterator[dict[str, Any]]:
        for file in files:
            for row in pq.read_table(file).to_pylist():
                if row["kind"] != SOLVE:
                    continue
                code = extract_code(row["completion"] or "")
                key = (row["problem_id"], code or "")
                if code is None or key in seen:
                    continue
                seen.add(key)
                problems.setdefault(row["problem_id"], _problem(row))
                yield {
                    "problem_id": row["problem_id"],
                    "id": f"{row['problem_id']}/policy-{row['update']}-{len(seen)}",
                    "response": row["completion"],
                    "tokens": row["completion_tokens"],
                    "sampler": {"name": SAMPLER, "model": run.name, "detail": json.dumps({"update": row["update"]})},
                }

    if not files:
        return 0
    with writing(target):
        target.mkdir(exist_ok=True)
    with RowWriter(target / "solutions.jsonl.gz", SOLUTION) as file:
        for cells in solutions():
            file.write(cells)
    with RowWriter(target / "problems.jsonl.gz", PROBLEM) as file:
        for cells in problems.values():
            file.write(cells)
    with writing(target / "recipe.yaml"):
        (target / "recipe.yaml").write_text(_RECIPE, encoding="utf-8")
    return len(seen)


_RECIPE = """\
# The policy's own solutions, judged anew: crl-data build recipe.yaml
problems:
  - {path: problems.jsonl.gz}
candidates:
  - {sampler: recorded, path: solutions.jsonl.gz}
clean: {duplicates: none}
select: {max_test_tokens: null, max_tests: null}
mix: {critique_share: 1.0}
"""


def _problem(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["problem_id"], **{name: row[name] for name in ("question", "tests", "source", *JUDGED_BY)}}
