"""Runs side by side: tables, intervals over seeds, when "better" is said, the page in a real browser, the plain files."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError
from crl_train import measures
from crl_train.measures import Completion
from crl_train.report import CURVES, Estimate, as_text, comparisons, estimate, read, summary, verdict, write
from tests.conftest import ROOT
from tests.test_docs import first_cells, section


def a_run(
    folder: Path, arm: str, seed: int, after: float, before: float = 0.6, share: float = 0.2, status: str = "done"
) -> Path:
    folder.mkdir(parents=True)
    settings = [
        {"name": "mix.critique_share", "value": share, "source": "ours"},
        {"name": "seed", "value": seed, "source": "ours"},
    ]
    told: dict[str, Any] = {
        "format": 1,
        "name": folder.name,
        "arm": arm,
        "seed": seed,
        "status": status,
        "settings": settings,
        "rows": {"train": {"solve": 8, "critique": 2}, "dropped": {}},
        "used": {"prompts": 10, "generated_tokens": 1234, "updates": 2, "gpu_seconds": 3.5, "teacher_tokens": 0},
    }
    (folder / "run.json").write_text(json.dumps(told))
    (folder / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"update": n, "reward": 0.5 + n / 10, "critique/entropy": 1.0, "solve/entropy": 0.5}) + "\n"
            for n in (1, 2)
        )
        + '{"update": 3, "rew'  # of a run that was killed while it wrote
    )
    lines = [
        {"update": 0, "split": "test", "how": "sampled", "verdict_accuracy": {"value": before, "n": 10}},
        {"update": 2, "split": "validation", "how": "sampled", "verdict_accuracy": {"value": after - 0.01, "n": 10}},
        {"update": 2, "split": "test", "how": "sampled", "final": True, "verdict_accuracy": {"value": after, "n": 10}},
    ]
    (folder / "evaluations.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


def test_an_interval_over_seeds_is_students() -> None:
    found = estimate([(1, 0.7), (2, 0.8), (3, 0.9)])
    assert found.mean == pytest.approx(0.8) and found.n == 3
    assert found.high == pytest.approx(0.8 + 4.303 * 0.1 / 3**0.5) and found.low == pytest.approx(
        0.8 - 4.303 * 0.1 / 3**0.5
    )
    assert estimate([(1, 0.7)]).low is None


def test_runs_of_one_seed_count_once() -> None:
    found = estimate([(1, 0.6), (1, 0.8), (2, 0.8), (3, 0.9)])
    assert found.n == 3 and found.mean == pytest.approx(0.8)
    assert estimate([(7, 0.5), (7, 1.0)]) == Estimate(mean=0.75, n=1)
    assert verdict([(1, 0.3), (1, 0.31), (1, 0.29)])["word"] == "not compared: fewer than 3 distinct seeds"
    assert verdict([(1, 0.3), (2, 0.31), (2, 0.29), (2, 0.3)])["word"] == "not compared: fewer than 3 distinct seeds"


@pytest.mark.parametrize(
    ("differences", "word"),
    [
        ([0.3, 0.31], "not compared: fewer than 3 distinct seeds"),
        ([0.3, 0.31, 0.29], "better"),
        ([-0.3, -0.31, -0.29], "worse"),
        ([0.3, -0.31, 0.29], "not told apart"),
        ([0.3, 0.1, 0.02], "not told apart"),
    ],
)
def test_better_is_said_of_three_seeds_whose_interval_is_above_zero(differences: list[float], word: str) -> None:
    assert verdict(list(enumerate(differences)))["word"] == word


def test_with_two_seeds_nothing_is_called_better(tmp_path: Path) -> None:
    for seed in (1, 2):
        a_run(tmp_path / f"h{seed}", "hybrid", seed, 0.95)
        a_run(tmp_path / f"s{seed}", "solve-only", seed, 0.6)
    report = read([tmp_path])
    write(report, tmp_path / "out")
    words = as_text(report) + (tmp_path / "out" / "index.html").read_text()
    assert ": better" not in words and ">better<" not in words and "fewer than 3 distinct seeds" in words


def test_three_runs_of_one_seed_are_one_seed(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        a_run(tmp_path / f"h{number}", "hybrid", 7, 0.9 + number / 100)
        a_run(tmp_path / f"s{number}", "solve-only", 7, 0.6)
    report = read([tmp_path])
    write(report, tmp_path / "out")
    (row, _) = summary(report)
    assert (row["seeds"], row["runs"]) == ([7], 3)
    after = row["held_out"]["verdict_accuracy, sampled"]["after"]
    assert (after["n"], after["low"], after["mean"]) == (1, None, pytest.approx(0.92))
    assert {one["word"] for one in comparisons(report)} == {"not compared: fewer than 3 distinct seeds"}
    words = as_text(report)
    assert "hybrid: seeds 7 (3 runs, those of a seed averaged)" in words and ": better" not in words
    page = (tmp_path / "out" / "index.html").read_text()
    assert "3 runs, those of a seed averaged" in page and ">better<" not in page


def test_everything_that_is_logged_by_kind_has_a_curve() -> None:
    some = [
        Completion(kind=kind, reward=reward, tokens=3, right=reward == 1, truth=truth, own=own)
        for kind, truth in (("solve", None), ("critique", True), ("critique", False))
        for reward, own in ((1.0, False), (0.0, True))
    ]
    logged = {*measures.of_groups(some, 2), *measures.of_update([True, True, False, False], [1] * 4, [1] * 4, 2)}
    told = first_cells(section((ROOT / "docs" / "training.md").read_text(encoding="utf-8"), "## What is logged"))
    logged |= {kind + name[1:] for name in told if name.startswith("*/") for kind in ("solve", "critique")}
    plotted = {name for curves in CURVES.values() for _, names in curves for name in names}
    assert logged <= plotted, logged - plotted


def test_what_no_run_logged_has_no_plot_and_no_heading(tmp_path: Path) -> None:
    a_run(tmp_path / "a", "hybrid", 1, 0.7)
    write(read([tmp_path / "a"]), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<h4>Entropy</h4>" in page and "<h3>The update</h3>" in page
    assert "Groups that differ" not in page and "<h3>Groups</h3>" not in page


def test_an_arm_with_one_kind_of_records_is_named_in_a_plot_of_both(tmp_path: Path) -> None:
    a_run(tmp_path / "a", "hybrid", 1, 0.7)
    a_run(tmp_path / "b", "solve-only", 1, 0.7)
    lines = (json.loads(line) for line in (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()[:2])
    (tmp_path / "b" / "metrics.jsonl").write_text(
        "".join(json.dumps({"update": one["update"], "solve/entropy": 0.5}) + "\n" for one in lines)
    )
    write(read([tmp_path / "a", tmp_path / "b"]), tmp_path / "out")
    plot = (tmp_path / "out" / "index.html").read_text().partition("<h4>Entropy</h4>")[2].partition("</figure>")[0]
    assert plot.count(">hybrid</text>") == plot.count(">solve-only</text>") == 1


def test_arms_are_compared_seed_by_seed(tmp_path: Path) -> None:
    for seed, shift in ((1, 0.0), (2, 0.2), (3, -0.2)):  # seeds differ by more than arms do
        a_run(tmp_path / f"h{seed}", "hybrid", seed, 0.7 + shift)
        a_run(tmp_path / f"s{seed}", "solve-only", seed, 0.6 + shift + seed / 1000)
    found = {(one["arm"], one["against"]): one for one in comparisons(read([tmp_path]))}
    against = found["hybrid", "solve-only"]
    assert against["word"] == "better" and against["difference"]["mean"] == pytest.approx(0.098)
    assert ("solve-only", "solve-only") not in found


def test_runs_of_one_arm_with_other_settings_are_lines_of_their_own(tmp_path: Path) -> None:
    a_run(tmp_path / "a", "hybrid", 1, 0.7, share=0.2)
    a_run(tmp_path / "b", "hybrid", 1, 0.8, share=0.5)
    a_run(tmp_path / "c", "solve-only", 1, 0.6)
    labels = [row["arm"] for row in summary(read([tmp_path]))]
    assert labels == ["hybrid (mix.critique_share 0.2)", "hybrid (mix.critique_share 0.5)", "solve-only"]


def test_a_run_that_is_not_over_is_told_and_in_no_mean(tmp_path: Path) -> None:
    a_run(tmp_path / "a", "hybrid", 1, 0.7)
    a_run(tmp_path / "b", "hybrid", 2, 0.1, status="running")
    (row,) = summary(read([tmp_path]))
    assert row["seeds"] == [1] and row["not_over"] == 1
    assert row["held_out"]["verdict_accuracy, sampled"]["after"]["mean"] == pytest.approx(0.7)


def test_the_plain_files_have_every_number(tmp_path: Path) -> None:
    a_run(tmp_path / "a", "hybrid", 1, 0.7)
    write(read([tmp_path / "a"]), tmp_path / "out")
    results = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
    assert results == [
        {
            "arm": "hybrid",
            "seed": "1",
            "status": "done",
            "how": "sampled",
            "measure": "verdict_accuracy",
            "before": "0.6",
            "after": "0.7",
        }
    ]
    curves = {
        (row["name"], row["update"]): row["value"] for row in csv.DictReader((tmp_path / "out" / "curves.csv").open())
    }
    assert curves["reward", "2"] == "0.7" and curves["validation/sampled/verdict_accuracy", "2"] == "0.69"
    assert ("reward", "3") not in curves


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        read([tmp_path])
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match="format 1"):
        read([tmp_path])


def test_the_page_needs_nothing_else_and_stands_in_a_browser(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    for seed in (1, 2, 3):
        a_run(tmp_path / f"h{seed}", "hybrid<script>alert(1)</script>", seed, 0.8 + seed / 100)
        a_run(tmp_path / f"s{seed}", "solve-only", seed, 0.6)
    write(read([tmp_path]), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "<script" not in page and page.count("<svg") >= 3
    if browser is None:
        pytest.skip("there is no chromium to look at the page with")
    call = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*call, (tmp_path / "out" / "index.html").as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Compared, seed by seed" in done.stdout and ">better<" in done.stdout
