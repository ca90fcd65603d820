"""The report of a built dataset: one static page with its plots inside, that needs no server and no network."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2

from crl_data.errors import InputError
from crl_data.rows import writing

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_COLOURS = {"True": "#2a7f62", "False": "#c8553d", "inconclusive": "#8d99ae"}
_INK, _GRID = "#30343f", "#e6e8ec"
_LISTED = 500


def report(directory: str | Path) -> Path:
    """Write the report of a build directory anew; where it is. Raises `InputError` where there is no build."""
    path = Path(directory)
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: expected a built dataset, got no manifest.json that can be read") from None
    if not isinstance(manifest, dict) or not {"recipe", "judge", "counts", "name"} <= manifest.keys():
        raise InputError(f"{path / 'manifest.json'}: expected the manifest of a built dataset, got something else")
    for name in ("problems.parquet", "candidates.parquet", "judgements.parquet"):
        if not (path / name).is_file():
            raise InputError(f"{path / name}: no such file; a build leaves one")
    return write_report(path, manifest)


def write_report(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write `report/index.html` into a folder that holds the Parquet files of a build."""
    target = folder / "report" / "index.html"
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(
        m=manifest, counts=manifest["counts"], **_findings(folder, manifest["recipe"]["judge"]["threshold"])
    )
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(".index.html.tmp")
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(target)
    return target


def _findings(folder: Path, threshold: float) -> dict[str, Any]:
    """Tables and plots, from the judgements and problems of a build."""
    import polars as pl

    judgements = pl.read_parquet(
        folder / "judgements.parquet", columns=["problem_id", "verdict", "pass_rate", "outcomes"]
    )
    problems = pl.read_parquet(folder / "problems.parquet", columns=["id", "test_kind", "tests", "set_aside"])
    is_true, is_false = pl.col("verdict").eq_missing(True), pl.col("verdict").eq_missing(False)
    by_problem = judgements.group_by("problem_id").agg(
        pl.len().alias("candidates"), is_true.sum().alias("true"), is_false.sum().alias("false")
    )
    kept = problems.filter(pl.col("set_aside").is_null()).select(
        "id", "test_kind", pl.col("tests").list.len().alias("n_tests")
    )
    table = kept.join(by_problem, left_on="id", right_on="problem_id", how="left").with_columns(
        pl.col("candidates", "true", "false").fill_null(0)
    )
    rates = {
        name: judgements.filter(mask).get_column("pass_rate").drop_nulls().to_list()
        for name, mask in (("True", is_true), ("False", is_false))
    }
    outcomes = Counter(judgements.select(pl.col("outcomes").explode()).get_column("outcomes").drop_nulls().to_list())
    return {
        "pass_rates": _plot_pass_rates(rates, threshold),
        "outcomes": _plot_bars(outcomes),
        "solved": _plot_solved([(row["true"], row["false"]) for row in table.to_dicts() if row["true"] + row["false"]]),
        "problems": table.sort("id").head(_LISTED).to_dicts(),
        "n_problems": table.height,
        "open": judgements.filter(pl.col("verdict").is_null()).height,
    }


# --- plots ------------------------------------------------------------------------------------------------------------


def _figure(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {"svg.hashsalt": "crl-data", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    )
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Title": title})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _plot_pass_rates(rates: dict[str, list[float]], threshold: float) -> str:
    figure, axes = _figure(6.4, 2.8)
    edges = [number / 20 for number in range(21)]
    shown = {name: values for name, values in rates.items() if values}
    if shown:
        axes.hist(
            list(shown.values()), bins=edges, stacked=True, color=[_COLOURS[name] for name in shown], label=list(shown)
        )
        axes.legend(frameon=False)
    axes.axvline(threshold, color=_INK, linewidth=1, linestyle="--")
    axes.annotate(
        f"threshold {threshold:g}",
        (threshold, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -2),
        textcoords="offset points",
        ha="right",
        va="top",
        color=_INK,
    )
    axes.set(xlabel="share of tests passed", ylabel="solutions", xlim=(0, 1))
    axes.grid(axis="y", color=_GRID)
    return _svg(figure, "Solutions by the share of tests passed")


def _plot_bars(counts: Counter[str]) -> str:
    figure, axes = _figure(6.4, 0.6 + 0.32 * max(1, len(counts)))
    ordered = counts.most_common()[::-1]
    bars = axes.barh(
        [name.replace("_", " ") for name, _ in ordered], [count for _, count in ordered], color=_COLOURS["inconclusive"]
    )
    axes.bar_label(bars, labels=[f"{count:,}" for _, count in ordered], padding=3, color=_INK)
    axes.set(xlabel="tests")
    axes.margins(x=0.12)
    axes.grid(axis="x", color=_GRID)
    return _svg(figure, "Outcomes of all tests")


def _plot_solved(pairs: list[tuple[int, int]]) -> str:
    figure, axes = _figure(6.4, 2.4)
    shares = [true / (true + false) for true, false in pairs]
    if shares:
        axes.hist(shares, bins=[number / 10 for number in range(11)], color=_COLOURS["True"], rwidth=0.92)
    axes.set(xlabel="share of a problem's decided candidates that are True", ylabel="problems", xlim=(0, 1))
    axes.grid(axis="y", color=_GRID)
    return _svg(figure, "Problems by the share of candidates that are True")
