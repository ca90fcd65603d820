"""The table of arms: a run that is there is taken as it is where it was made with the settings of now, and refused otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.arms import ARMS, SEEDS, Run, check, differing, table, train
from crl_data.corpus.recipe_file import lay_over, read_mapping
from crl_train import report
from tests.conftest import ROOT


def there(out: Path, recipe: str, *settings: str, status: str = "done", **changes: Any) -> Run:
    """A run that crl-train left with these settings; changes: what its run.json has instead."""
    run = Run(name="x", recipe=ROOT / "recipes" / recipe, out=out, settings=settings)
    _, said = read_mapping(run.recipe, "dataset")
    for setting in (f"output_dir={out}", *settings):
        lay_over(said, setting)
    out.mkdir(parents=True)
    (out / "run.json").write_text(json.dumps({"status": status, "recipe": said | changes}, default=str))
    return run


def test_a_run_with_the_settings_of_now_is_not_made_again(tmp_path: Path) -> None:
    run = there(tmp_path / "a", "tiny-cpu.yaml", *ARMS["hybrid-50"], "seed=4", "model_name_or_path=warm/model")
    check([run])
    assert train(run) == 0.0


def test_a_run_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    check([Run(name="x", recipe=ROOT / "recipes" / "tiny-cpu.yaml", out=tmp_path / "none", settings=("seed=1",))])


@pytest.mark.parametrize("status", ["done", "running", "interrupted"])
def test_a_run_with_other_settings_is_refused_by_a_line_that_names_them(status: str, tmp_path: Path) -> None:
    run = there(tmp_path / "a", "tiny-warm.yaml", "seed=4", status=status, max_steps=1000, adam_beta1=0.8)
    assert list(differing(run)) == ["adam_beta1 0.8, wanted not set", "max_steps 1000, wanted 2000"]
    with pytest.raises(SystemExit, match=r"a: made with adam_beta1 0\.8, wanted not set; max_steps 1000, wanted 2000"):
        check([run])


def test_what_is_set_for_an_arm_counts(tmp_path: Path) -> None:
    made = there(tmp_path / "a", "tiny-cpu.yaml", *ARMS["hybrid-20"], "seed=4")
    other = Run(name="x", recipe=made.recipe, out=made.out, settings=(*ARMS["hybrid-50"], "seed=5"))
    assert list(differing(other)) == ["mix.critique_share 0.2, wanted 0.5", "seed 4, wanted 5"]


def test_the_seeds_of_the_tiny_task_are_none_that_the_test_was_scored_by_before() -> None:
    assert set(SEEDS["tiny"]).isdisjoint({0, 1, 2}) and len(SEEDS["tiny"]) == len(SEEDS["small"]) == 3


def test_a_line_of_the_table_has_means_over_seeds_and_what_they_tell() -> None:
    def made(label: str, seed: int, before: float, after: float) -> report.Run:
        def measures(value: float) -> dict[tuple[str, str], float]:
            return {
                ("sampled", "verdict_accuracy"): value,
                ("greedy", "verdict_accuracy"): value,
                ("sampled", "pass_rate"): 0.5,
            }

        told = {"used": {"gpu_seconds": 10.0 * seed}}
        return report.Run(
            path=Path(label),
            label=label,
            seed=seed,
            status="done",
            told=told,
            metrics=[],
            before=measures(before),
            after=measures(after),
            measured=[],
        )

    runs = [made("solve-only", seed, 0.7, 0.7 + seed / 1000) for seed in (1, 2, 3)]
    runs += [made("hybrid", seed, 0.7, 0.9 + seed / 1000) for seed in (1, 2, 3)]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(report.Report(runs=runs)).splitlines()]
    assert [line[0] for line in lines] == ["", "---", "warm start", "solve-only", "hybrid"]
    assert {len(line) for line in lines} == {7}
    assert lines[2][1] == "0.700 [0.700, 0.700]"
    assert lines[4][1].startswith("0.902 [0.900, 0.904]")
    assert lines[4][4:] == ["better, better", "not told apart, not told apart", "20"]
    assert lines[3][4] == "not told apart, -"
