"""`pairs`: who is put above whom, against rules said plainly, and the rows against the tables."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.columns import PAIR
from crl_data.errors import InputError
from crl_data.export import pairs
from crl_data.export.pairs import Judged, paired
from tests.export.conftest import Row, loaded, message, splits, table

SOURCES = ("judgements", "candidates")


def by_id(rows: list[Row], name: str) -> dict[tuple[str, str], Row]:
    return {(row["problem_id"], row[name]): row for row in rows}


def answer(candidate: Row) -> str:
    """The answer as a reader of the table would put it; no shipped code has a fence in it."""
    if candidate["extraction"] is not None:
        return str(candidate["response"])
    assert "```" not in candidate["code"]
    return "```python\n" + candidate["code"].rstrip("\n") + "\n```\n"


def test_a_right_candidate_stands_above_a_wrong_one_by_the_margin_and_each_once(built: Path, tmp_path: Path) -> None:
    done = pairs.export(built, tmp_path / "rows")
    judged = by_id(table(built, "judgements.parquet"), "solution_id")
    candidates = by_id(table(built, "candidates.parquet"), "id")
    prompts = {row["problem_id"]: row for row in table(built, "pool/*.parquet") if row["kind"] == "solve"}
    of = splits(built)
    used = set()
    total = 0
    for split in ("train", "test"):
        file = tmp_path / "rows" / f"{split}.parquet"
        rows = loaded(file)
        assert rows == polars.read_parquet(file).to_dicts() == pq.read_table(file).to_pylist()
        assert rows and done.files[str(file)] == len(rows)
        for row in rows:
            problem = row["problem_id"]
            assert of[problem] == split and row["prompt"] == prompts[problem]["prompt"]
            assert row["source"] == prompts[problem]["source"]
            for side, verdict in (("chosen", True), ("rejected", False)):
                key = problem, row[f"{side}_id"]
                assert key not in used and judged[key]["verdict"] is verdict
                used.add(key)
                assert row[side] == message(answer(candidates[key]))
                assert row[f"{side}_pass_rate"] == judged[key]["pass_rate"]
                assert row[f"{side}_sampler"] == candidates[key]["sampler"]
            assert row["chosen_pass_rate"] - row["rejected_pass_rate"] >= 0.4 - 1e-9
        total += len(rows)
    decided = Counter(key[0] for key, row in judged.items() if row["verdict"] is not None)
    assert done.kinds == {"pair": total}
    assert done.left_out == {
        "candidates without a partner": decided.total() - 2 * total,
        "candidates that were not judged": len(candidates) - len(judged),
    }
    texts = [row["chosen"][0]["content"] for row in loaded(tmp_path / "rows" / "train.parquet")]
    assert any("<think>" in text for text in texts)


def test_a_smaller_margin_and_a_bound_give_other_pairs(built: Path, tmp_path: Path) -> None:
    counts = {
        margin: pairs.export(built, tmp_path / f"m{margin}", margin=margin).kinds["pair"] for margin in (0.01, 0.4, 1.0)
    }
    assert counts[0.01] > counts[0.4] > counts[1.0] > 0
    whole = pairs.export(built, tmp_path / "whole")
    done = pairs.export(built, tmp_path / "one", per_problem=1)
    ones = [row["problem_id"] for row in loaded(*sorted((tmp_path / "one").glob("*.parquet")))]
    assert len(ones) == len(set(ones)) == done.kinds["pair"]
    assert done.left_out["pairs beyond --per-problem"] == whole.kinds["pair"] - len(ones) > 0
    kept = {json.dumps(row) for row in loaded(*sorted((tmp_path / "one").glob("*.parquet")))}
    assert kept <= {json.dumps(row) for row in loaded(*sorted((tmp_path / "whole").glob("*.parquet")))}


def test_the_seed_of_the_recipe_draws_them(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns(".crl"))
    manifest = json.loads((built / "manifest.json").read_text())
    manifest["recipe"]["seed"] += 1
    (tmp_path / "built" / "manifest.json").write_text(json.dumps(manifest))
    for name, directory in (("one", built), ("same", built), ("other", tmp_path / "built")):
        pairs.export(directory, tmp_path / name)
    drawn = {name: (tmp_path / name / "train.parquet").read_bytes() for name in ("one", "same", "other")}
    assert drawn["one"] == drawn["same"] != drawn["other"]


def test_texts_are_plain_strings(built: Path, tmp_path: Path) -> None:
    pairs.export(built, tmp_path / "rows")
    schema = pq.read_schema(tmp_path / "rows" / "train.parquet")
    assert tuple(schema.names) == PAIR.names() and "large" not in str(schema)


# --- the rule -----------------------------------------------------------------------------------------------------------

RATES = st.integers(0, 7).map(lambda passed: Fraction(passed, 7))
POOL = st.lists(st.tuples(st.booleans(), RATES), max_size=7)


def most_pairs(right: list[Fraction], wrong: list[Fraction], margin: Fraction) -> int:
    """How many pairs can be made at most, by trying everything."""
    if not right:
        return 0
    first, rest = right[0], right[1:]
    with_first = [
        1 + most_pairs(rest, wrong[:place] + wrong[place + 1 :], margin)
        for place, rate in enumerate(wrong)
        if first - rate >= margin
    ]
    return max([most_pairs(rest, wrong, margin), *with_first])


@given(
    pool=POOL,
    margin=st.sampled_from([Fraction(0), Fraction(2, 7), Fraction(2, 5), Fraction(1)]),
    seed=st.integers(0, 3),
)
def test_there_are_as_many_pairs_as_can_be(pool: list[tuple[bool, Fraction]], margin: Fraction, seed: int) -> None:
    judged = [Judged(str(place), verdict, rate) for place, (verdict, rate) in enumerate(pool)]
    found = paired("p", judged, margin, seed)
    names = [one.id for pair in found for one in pair]
    assert len(names) == len(set(names))
    assert all(right.verdict and not wrong.verdict and right.rate - wrong.rate >= margin for right, wrong in found)
    rates = [[one.rate for one in judged if one.verdict is verdict] for verdict in (True, False)]
    assert len(found) == most_pairs(rates[0], rates[1], margin)
    for order in itertools.islice(itertools.permutations(judged), 6):
        assert paired("p", order, margin, seed) == found


def test_nobody_takes_the_last_partner_of_another() -> None:
    """Whoever is drawn first: the one that passes less can be above only one of them."""
    judged = [Judged("a", True, Fraction(1)), Judged("b", True, Fraction(6, 10))]
    judged += [Judged("c", False, Fraction(5, 10)), Judged("d", False, Fraction(1, 10))]
    for seed in range(20):
        found = paired("p", judged, Fraction("0.4"), seed)
        assert {(one.id, other.id) for one, other in found} == {("a", "c"), ("b", "d")}


def test_the_margin_is_taken_in_whole_numbers() -> None:
    """0.7 - 0.3 is less than 0.4 in floating point."""
    judged = [Judged("a", True, Fraction(7, 10)), Judged("b", False, Fraction(3, 10))]
    assert 0.7 - 0.3 < 0.4 and len(paired("p", judged, Fraction("0.4"), 0)) == 1


# --- what is not there, and what does not fit ---------------------------------------------------------------------------


def altered(built: Path, folder: Path, name: str, change: Any) -> Path:
    shutil.copytree(built, folder / "built", ignore=shutil.ignore_patterns(".crl"))
    path = folder / "built" / f"{name}.parquet"
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(change(pq.read_table(path).to_pylist()), schema=schema), path)
    return folder / "built"


def test_an_undecided_candidate_and_one_without_a_pass_rate_are_in_no_pair(built: Path, tmp_path: Path) -> None:
    pairs.export(built, tmp_path / "before")
    first, other, *_ = loaded(tmp_path / "before" / "train.parquet")

    def undecided(rows: list[Row]) -> list[Row]:
        keys = [(one["problem_id"], one["chosen_id"]) for one in (first, other)]
        lost: list[Row] = [{"verdict": None, "pass_rate": None}, {"pass_rate": None}]
        changes = dict(zip(keys, lost, strict=True))
        return [row | changes.get((row["problem_id"], row["solution_id"]), {}) for row in rows]

    done = pairs.export(altered(built, tmp_path, "judgements", undecided), tmp_path / "after")
    assert done.left_out["inconclusive candidates"] == done.left_out["candidates without a pass rate"] == 1
    chosen = {(row["problem_id"], row["chosen_id"]) for row in loaded(tmp_path / "after" / "train.parquet")}
    assert not chosen & {(one["problem_id"], one["chosen_id"]) for one in (first, other)}


def test_where_a_row_brought_its_code_the_code_is_the_answer(built: Path, tmp_path: Path) -> None:
    """It was judged, and the response beside it was not looked at."""
    pairs.export(built, tmp_path / "before")
    row = next(one for one in loaded(tmp_path / "before" / "train.parquet") if "```" in one["chosen"][0]["content"])

    def brought(rows: list[Row]) -> list[Row]:
        key = row["problem_id"], row["chosen_id"]
        new = {"response": "not this", "extraction": None, "code": 'print("```")\n'}
        return [one | new if (one["problem_id"], one["id"]) == key else one for one in rows]

    pairs.export(altered(built, tmp_path, "candidates", brought), tmp_path / "after")
    found = next(one for one in loaded(tmp_path / "after" / "train.parquet") if one["chosen_id"] == row["chosen_id"])
    assert found["chosen"] == message('````python\nprint("```")\n````\n')


@pytest.mark.parametrize("missing", SOURCES)
def test_a_dataset_that_was_not_built_is_one_line(built: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns(f"{missing}.parquet", ".crl"))
    with pytest.raises(InputError, match=rf"expected {missing}.parquet, got none; `crl-data build` leaves it"):
        pairs.export(tmp_path / "built", tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_a_judged_candidate_that_is_not_there_is_told(built: Path, tmp_path: Path) -> None:
    directory = altered(built, tmp_path, "candidates", lambda rows: [])
    with pytest.raises(InputError, match=r"candidates.parquet: expected the candidate '.*' of the problem"):
        pairs.export(directory, tmp_path / "rows")


def test_a_manifest_without_a_seed_is_told(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "built", ignore=shutil.ignore_patterns(".crl"))
    (tmp_path / "built" / "manifest.json").write_text('{"recipe": {}}')
    with pytest.raises(InputError, match=r"manifest.json: recipe.seed: expected"):
        pairs.export(tmp_path / "built", tmp_path / "rows")


def test_where_no_wrong_one_is_below_a_right_one_it_is_told_why(built: Path, tmp_path: Path) -> None:
    directory = altered(built, tmp_path, "judgements", lambda rows: [row | {"verdict": False} for row in rows])
    with pytest.raises(
        InputError, match=r"expected a right candidate above a wrong one.*\d+ candidates without a partner"
    ):
        pairs.export(directory, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()
