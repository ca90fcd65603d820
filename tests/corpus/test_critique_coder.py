"""The paper's recipe, end to end on a stand-in: problems in rStar-Coder's published schema, a real model that answers.

The stand-in is made of the problems that ship with the project. The model is the one of `tests.samplers.test_vllm`; without it,
and in the quick tests, recorded answers take its place, and all else of the recipe stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from crl_data import build, load_records
from crl_data.corpus.build import Built
from crl_data.rows import read_rows
from crl_data.types import TestKind
from tests.conftest import write_rows
from tests.samplers.test_vllm import ENGINE, ENVIRONMENT, HERE, MODEL

RECIPE = Path(__file__).parents[2] / "recipes" / "critique-coder.yaml"
_LONG = "1 " * 900  # a test of more than 200 tokens


def examples(name: str) -> Iterator[dict[str, Any]]:
    for row in read_rows(Path(str(files("crl_data") / "examples" / f"{name}.jsonl"))):
        yield row.cells  # type: ignore[union-attr]


def rstar(folder: Path) -> list[str]:
    """The shipped problems that read standard input, as seed_testcase and seed_sft hold theirs; the names they get."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tests, solutions, names = [], [], []
    for problem in examples("problems"):
        if problem["test_kind"] != TestKind.STDIN or problem.get("checker"):
            continue
        names.append(f"rstar/{problem['id']}")
        inputs = [one["input"] for one in problem["tests"]] + [_LONG]
        outputs = [one["expected"] for one in problem["tests"]] + ["0"]
        tests.append(
            {
                "question_id": problem["id"],
                "question": problem["question"],
                "starter_code": "",
                "inputs": json.dumps(inputs),
                "outputs": json.dumps(outputs),
                "is_synthesized": json.dumps([0] * len(inputs)),
                "test_case_type": json.dumps(["small"] * len(inputs)),
                "func_name": "",
                "class_name": "",
            }
        )
        solutions.append(
            {
                "question_id": problem["id"],
                "question": problem["question"],
                "starter_code": "",
                "response": f"```python\n{problem['reference']}\n```",
                "code": problem["reference"],
                "verified": True,
                "is_passed": True,
            }
        )
    for table, rows in (("seed_testcase", tests), ("seed_sft", solutions)):
        (folder / table).mkdir(parents=True)
        large = pa.Table.from_pylist(rows)
        schema = pa.schema([(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in large.schema])
        pq.write_table(large.cast(schema), folder / table / "data-00000-of-00001.parquet")
    return names


def check(done: Built, names: list[str]) -> None:
    """What the paper says of its dataset holds of this one."""
    manifest = done.manifest
    records = list(load_records(done.directory))
    assert {record.problem_id for record in records} <= set(names) and len(records) == manifest["counts"]["problems"][
        "kept"
    ]
    assert manifest["counts"]["tests"]["too long"] == len(names)  # of each problem the one
    assert all(len(record.tests) <= 30 for record in records)
    assert all(record.prompt_template.split("@")[0] in ("solve/paper", "critique/paper") for record in records)
    critiques = [record for record in records if record.kind == "critique"]
    assert len(critiques) == round(0.2 * len(records))
    for record in critiques:
        assert record.judge is not None and record.judge.timeouts == "fail" and record.judge.threshold == 0.8
        assert record.pass_rate is not None and record.verdict is (record.pass_rate > 0.8)
    card = (done.directory / "README.md").read_text()
    assert "| 87 | 24 |" in card and "| 96,208 | 40 |" in card and "microsoft/rStar-Coder" in card


def test_with_recorded_answers_in_the_models_place(tmp_path: Path) -> None:
    names = rstar(tmp_path / "rstar")
    answers = [
        {**row, "problem_id": f"rstar/{row['problem_id']}"}
        for row in examples("solutions")
        if f"rstar/{row['problem_id']}" in names
    ]
    write_rows(tmp_path / "answers.jsonl", answers)
    recorded = {"sampler": "recorded", "path": str(tmp_path / "answers.jsonl"), "extract": "all_blocks"}
    settings = [f"problems.0.source={tmp_path / 'rstar'}", f"candidates=[{json.dumps(recorded)}]"]
    done = build(RECIPE, tmp_path / "out", settings=settings, quiet=True)
    check(done, names)
    assert done.manifest["counts"]["judgements"]["true"] and done.manifest["counts"]["judgements"]["false"]


@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="vllm is not installed (make test-models)")
@pytest.mark.skipif(not MODEL, reason="CRL_SMALL_MODEL names no model (make test-models)")
def test_with_a_real_model_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    names = rstar(tmp_path / "rstar")
    sizes = {**ENGINE, "max_model_len": 2048, "max_tokens": 400, "n": 4}
    settings = [f"problems.0.source={tmp_path / 'rstar'}", f"candidates.0.model={MODEL}"]
    settings += [f"candidates.0.{key}={json.dumps(value)}" for key, value in sizes.items()]
    done = build(RECIPE, tmp_path / "out", settings=settings, quiet=True)
    check(done, names)
    sampling = next(iter(done.manifest["counts"]["sampling"].values()))
    assert sampling["answers"] == 4 * done.manifest["counts"]["problems"]["kept"] and sampling["output_tokens"] > 0
    assert done.manifest["counts"]["judgements"]["judged"] > 0
    again = build(
        RECIPE, tmp_path / "again", store=done.directory / ".crl" / "store.sqlite", settings=settings, quiet=True
    )
    assert again.judged == 0
    before, after = (sorted((one.directory / "data").iterdir()) for one in (done, again))
    assert [path.read_bytes() for path in before] == [path.read_bytes() for path in after]
