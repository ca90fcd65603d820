"""`crl-train report RUN...`: runs side by side, as a page that needs nothing else and as plain files.

    index.html      curves, held-out results, arms with intervals over seeds, what each run used
    results.csv     a row for each run and held-out measure
    curves.csv      a row for each run, update and logged number

Runs of the same arm and settings, but for the seed, are one line. Runs of the same seed are averaged first, and count once. An
interval over seeds is Student's, of 95 %; arms are compared seed by seed where they share seeds. The word "better" is used for
three distinct seeds or more, where the interval of the difference is above zero; with fewer no comparison is made.
"""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import jinja2

from crl_data.errors import InputError
from crl_data.rows import writing
from crl_train.card import SEEDS_FOR_A_CLAIM
from crl_train.lines import EVALUATIONS, METRICS, read_lines, write_whole
from crl_train.run import read_run

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t at 97.5 % for 1, 2, ... degrees of freedom; beyond them the normal one is near enough."""
_COLOURS = (
    *("#2a7f62", "#c8553d", "#3d5a80", "#e0a030", "#7b5ea7", "#4aa3a2"),
    *("#8d99ae", "#a23b72", "#5c6b2f", "#b0713a", "#30343f"),
)
_GRID = "#e6e8ec"
_LEGEND_WIDTH = 32

HELD_OUT = (
    "verdict_accuracy",
    "verdict_accuracy_on_true",
    "verdict_accuracy_on_false",
    "conclusions_missing",
    "pass_rate",
    "solved",
    "undecided",
)
COMPARED = (("sampled", "verdict_accuracy"), ("sampled", "pass_rate"))
"""What arms are compared by."""


def _both(name: str) -> tuple[str, str]:
    return f"solve/{name}", f"critique/{name}"


CURVES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "Rewards": (
        ("Mean reward", ("reward",)),
        ("Reward of critiques", ("critique/reward_mean",)),
        ("Reward of solutions", ("solve/reward_mean",)),
        ("Reward variance within groups", _both("reward_variance_within")),
        ("Reward variance between groups", _both("reward_variance_between")),
    ),
    "Conclusions of critiques": (
        ("Accuracy on right solutions", ("critique/accuracy_on_true",)),
        ("Accuracy on wrong solutions", ("critique/accuracy_on_false",)),
        ("Accuracy on the policy's own solutions", ("critique/accuracy_on_own",)),
        ("Accuracy on others' solutions", ("critique/accuracy_on_foreign",)),
    ),
    "Groups": (
        ("Prompts drawn, a generation batch", _both("prompts")),
        ("Groups that count in the update", _both("groups_kept")),
        ("Groups that differ", _both("groups_that_differ")),
        ("Groups all right", _both("groups_all_right")),
        ("Groups all wrong", _both("groups_all_wrong")),
        ("Groups that are undecided", _both("groups_undecided")),
        ("Generation batches drawn, a step", ("draws",)),
        ("Own solutions that are kept", ("onpolicy/kept",)),
        ("Own solutions that were asked about", ("onpolicy/asked",)),
    ),
    "Critiques' share of the update": (
        ("By groups", ("critique_share/groups",)),
        ("By tokens", ("critique_share/tokens",)),
        ("By advantage", ("critique_share/advantage",)),
    ),
    "The update": (
        ("Gradient norm", ("grad_norm",)),
        ("Gradient norm of each kind", _both("gradient_norm")),
        ("Loss", ("loss",)),
        ("Entropy", _both("entropy")),
        ("Clipped tokens", _both("clipped")),
    ),
    "Lengths and time": (
        ("Tokens of right answers", _both("tokens_of_right")),
        ("Tokens of wrong answers", _both("tokens_of_wrong")),
        ("Answers that ran into the limit", _both("cut")),
        ("Seconds a step", ("seconds/step",)),
        ("Share of a step's time in generating", ("seconds/generating_share",)),
        ("Share of a step's time in judging", ("seconds/judging_share",)),
    ),
}
"""What is plotted where it was logged, by heading: titles, and the numbers (that of solutions is dashed where there are two)."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it is reported. before, after: held-out measures on the test, by (how, measure); curve: on validation."""

    path: Path
    label: str
    seed: int
    status: str
    told: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    before: Mapping[tuple[str, str], float]
    after: Mapping[tuple[str, str], float]
    measured: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and its 95 % interval; None where there is one seed."""

    mean: float
    n: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.mean:.3f}{interval}"


@dataclass
class Report:
    """Runs by arm, in the order given."""

    runs: list[Run]
    arms: dict[str, list[Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for run in self.runs:
            self.arms.setdefault(run.label, []).append(run)


def run(folders: Sequence[Path], out: Path, as_json: bool) -> None:
    """Write the report of runs, and say what is in it. Raises `InputError`."""
    found = read(folders)
    write(found, out)
    if as_json:
        print(json.dumps({"page": str(out / "index.html"), "arms": summary(found), "comparisons": comparisons(found)}))
        return
    print(as_text(found))
    print(f"{out / 'index.html'}, results.csv, curves.csv")


def read(folders: Sequence[Path]) -> Report:
    """The runs in some folders; those below a folder that is none itself. Raises `InputError` where there is none."""
    paths = []
    for folder in folders:
        below = (
            [folder] if (folder / "run.json").is_file() else sorted(one.parent for one in folder.glob("**/run.json"))
        )
        if not below:
            raise InputError(f"{folder}: expected a run of crl-train, or a folder of runs, got no run.json")
        paths += below
    told = [_read(path) for path in dict.fromkeys(path.resolve() for path in paths)]
    return Report(runs=_labelled(told))


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    return path, read_run(path)


def _labelled(found: Sequence[tuple[Path, dict[str, Any]]]) -> list[Run]:
    """Runs with the name of their arm; where the same arm was run with other settings, with those beside it."""
    varying = _varying(found)
    runs = []
    for path, told in found:
        beside = [f"{name} {value}" for name, value in _settings(told).items() if name in varying[told["arm"]]]
        evaluations = read_lines(path / EVALUATIONS)
        of_test = [one for one in evaluations if one["split"] == "test"]
        runs.append(
            Run(
                path=path,
                label=told["arm"] + (f" ({', '.join(beside)})" if beside else ""),
                seed=int(told["seed"]),
                status=str(told["status"]),
                told=told,
                metrics=read_lines(path / METRICS),
                before=_measures(one for one in of_test if one["update"] == 0 and not one.get("final")),
                after=_measures(one for one in of_test if one.get("final")),
                measured=[one for one in evaluations if not one.get("final")],
            )
        )
    return runs


_NOT_COMPARED = frozenset({"seed", "output_dir", "run_name", "arm", "model_name_or_path", "report_to", "data_seed"})


def _settings(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        one["name"]: str(one["value"]) for one in told["settings"] if one["name"].split(".")[0] not in _NOT_COMPARED
    }


def _varying(found: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, set[str]]:
    """For each arm the settings that its runs differ in."""
    by_arm: dict[str, list[dict[str, str]]] = defaultdict(list)
    for _, told in found:
        by_arm[told["arm"]].append(_settings(told))
    return {
        arm: {name for name in set().union(*all_) if len({one.get(name) for one in all_}) > 1}
        for arm, all_ in by_arm.items()
    }


def _measures(evaluations: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    return {(one["how"], name): one[name]["value"] for one in evaluations for name in HELD_OUT if name in one}


# --- numbers ----------------------------------------------------------------------------------------------------------


def estimate(measured: Iterable[tuple[int, float]]) -> Estimate:
    """The mean over seeds and its 95 % interval (Student's).

    measured: a seed and a value of each run; the runs of a seed are averaged, and count once.
    """
    values = list(_by_seed(measured).values())
    n = len(values)
    if n < 2:
        return Estimate(mean=values[0], n=n)
    half = (_T[n - 2] if n - 2 < len(_T) else 1.96) * stdev(values) / math.sqrt(n)
    mean = fmean(values)
    return Estimate(mean=mean, n=n, low=mean - half, high=mean + half)


def _by_seed(measured: Iterable[tuple[int, float]]) -> dict[int, float]:
    by_seed: dict[int, list[float]] = defaultdict(list)
    for seed, value in measured:
        by_seed[seed].append(value)
    return {seed: fmean(values) for seed, values in by_seed.items()}


def summary(report: Report) -> list[dict[str, Any]]:
    """A row for each arm: held-out measures before and after, and what its runs used, over seeds."""
    rows = []
    for label, runs in report.arms.items():
        done = [one for one in runs if one.status == "done"]
        keys = sorted({key for one in done for key in one.after}, key=_place)
        rows.append(
            {
                "arm": label,
                "seeds": sorted({one.seed for one in done}),
                "runs": len(done),
                "not_over": len(runs) - len(done),
                "held_out": {
                    f"{measure}, {how}": {
                        "before": _over((one.seed, one.before.get((how, measure))) for one in done),
                        "after": _over((one.seed, one.after.get((how, measure))) for one in done),
                    }
                    for how, measure in keys
                },
                "used": {unit: fmean(one.told["used"][unit] for one in done) for unit in done[0].told["used"]}
                if done
                else {},
            }
        )
    return rows


def _place(key: tuple[str, str]) -> tuple[bool, int, bool]:
    """Where a held-out measure stands: what runs are compared by first, sampled before greedy."""
    how, measure = key
    return all(measure != compared for _, compared in COMPARED), HELD_OUT.index(measure), how == "greedy"


def _over(measured: Iterable[tuple[int, float | None]]) -> dict[str, Any] | None:
    known = [(seed, value) for seed, value in measured if value is not None]
    return vars(estimate(known)) if known else None


def comparisons(report: Report) -> list[dict[str, Any]]:
    """Each arm against its own warm start and against solve-only, seed by seed."""
    found = []
    base = next((runs for label, runs in report.arms.items() if label.startswith("solve-only")), [])
    for label, runs in report.arms.items():
        done = [one for one in runs if one.status == "done"]
        for key in COMPARED:
            measured = [one for one in done if key in one.after]
            others = [one for one in base if one not in runs and one.status == "done" and key in one.after]
            same_seed = _by_seed((one.seed, one.after[key]) for one in others)
            pairs = {
                "before training": [
                    (one.seed, one.after[key] - one.before[key]) for one in measured if key in one.before
                ],
                "solve-only": [
                    (one.seed, one.after[key] - same_seed[one.seed]) for one in measured if one.seed in same_seed
                ],
            }
            for against, differences in pairs.items():
                if differences:
                    found.append(
                        {"arm": label, "measure": f"{key[1]}, {key[0]}", "against": against, **verdict(differences)}
                    )
    return found


def verdict(differences: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """What differences come to, in a word; none is said of fewer than three distinct seeds.

    differences: a seed and a difference of each run.
    """
    difference = estimate(differences)
    if difference.n < SEEDS_FOR_A_CLAIM:
        word = f"not compared: fewer than {SEEDS_FOR_A_CLAIM} distinct seeds"
    elif difference.low is not None and difference.low > 0:
        word = "better"
    elif difference.high is not None and difference.high < 0:
        word = "worse"
    else:
        word = "not told apart"
    return {"difference": vars(difference), "word": word}


def as_text(report: Report) -> str:
    """The held-out table of the arms, as lines."""
    lines = []
    for row in summary(report):
        seeds = ", ".join(map(str, row["seeds"])) or "none"
        repeated = f" ({row['runs']} runs, those of a seed averaged)" if row["runs"] > len(row["seeds"]) else ""
        not_over = f"; {row['not_over']} not over" if row["not_over"] else ""
        lines.append(f"{row['arm']}: seeds {seeds}{repeated}{not_over}")
        for name, both in row["held_out"].items():
            before = f" (before {Estimate(**both['before'])})" if both["before"] else ""
            lines.append(f"  {name:<36} {Estimate(**both['after'])}{before}")
    for one in comparisons(report):
        lines.append(
            f"{one['arm']} against {one['against']}, {one['measure']}: {Estimate(**one['difference'])}: {one['word']}"
        )
    return "\n".join(lines)


# --- files ------------------------------------------------------------------------------------------------------------


def write(report: Report, out: Path) -> None:
    """Write the page and the plain files; each appears whole."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("results.csv", _results(report)),
        ("curves.csv", _curves(report)),
        ("index.html", _page(report)),
    ):
        write_whole(out / name, content)


def _results(report: Report) -> str:
    rows = [
        [run.label, run.seed, run.status, how, measure, run.before.get((how, measure)), value]
        for run in report.runs
        for (how, measure), value in sorted(run.after.items())
    ]
    return _csv(["arm", "seed", "status", "how", "measure", "before", "after"], rows)


def _curves(report: Report) -> str:
    logged = [
        [run.label, run.seed, line["update"], name, value]
        for run in report.runs
        for line in run.metrics
        for name, value in line.items()
        if name != "update" and isinstance(value, int | float)
    ]
    held_out = [
        [run.label, run.seed, one["update"], f"{one['split']}/{one['how']}/{name}", one[name]["value"]]
        for run in report.runs
        for one in run.measured
        for name in HELD_OUT
        if name in one
    ]
    return _csv(["arm", "seed", "update", "name", "value"], logged + held_out)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _page(report: Report) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters["estimate"] = lambda value: "" if value is None else str(Estimate(**value))
    environment.filters["number"] = lambda value: f"{value:,.0f}"
    colours = {label: _COLOURS[place % len(_COLOURS)] for place, label in enumerate(report.arms)}
    rows = summary(report)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        arms=rows,
        measures=list(dict.fromkeys(name for row in rows for name in row["held_out"])),
        comparisons=comparisons(report),
        runs=report.runs,
        sections=_sections(report, colours),
        enough=SEEDS_FOR_A_CLAIM,
    )


def _sections(report: Report, colours: Mapping[str, str]) -> list[tuple[str, list[dict[str, str]]]]:
    """Plots under their headings; a heading without plots is left out."""
    found = [("Held out, validation", _held_out(report, colours))]
    found += [(heading, _plots(report, colours, curves)) for heading, curves in CURVES.items()]
    return [(heading, plots) for heading, plots in found if plots]


def _held_out(report: Report, colours: Mapping[str, str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for how, measure in (("sampled", "verdict_accuracy"), ("greedy", "verdict_accuracy"), ("sampled", "pass_rate")):
        series = {label: [_measured(run, how, measure) for run in runs] for label, runs in report.arms.items()}
        title = f"{measure.replace('_', ' ').capitalize()}, {how}"
        _add(found, title, {(label, 0): lines for label, lines in series.items()}, colours, markers=True)
    return found


def _plots(
    report: Report, colours: Mapping[str, str], curves: Iterable[tuple[str, tuple[str, ...]]]
) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for title, names in curves:
        both = {
            (label, place): [
                [(line["update"], line[name]) for line in run.metrics if _is_number(line.get(name))] for run in runs
            ]
            for label, runs in report.arms.items()
            for place, name in enumerate(reversed(names))
        }
        _add(found, title, both, colours)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _measured(run: Run, how: str, measure: str) -> list[tuple[int, float]]:
    split = "validation" if any(one["split"] == "validation" for one in run.measured) else "test"
    wanted = [one for one in run.measured if (one["split"], one["how"]) == (split, how) and measure in one]
    return [(one["update"], one[measure]["value"]) for one in wanted]


def _add(
    found: list[dict[str, str]],
    title: str,
    series: Mapping[tuple[str, int], Sequence[Sequence[tuple[int, float]]]],
    colours: Mapping[str, str],
    markers: bool = False,
) -> None:
    """A plot with a line for each arm, the mean over seeds, and the span of the seeds behind it; none where nothing is there."""
    import matplotlib
    from matplotlib.figure import Figure

    if not any(points for lines in series.values() for points in lines):
        return
    matplotlib.rcParams.update(
        {"svg.hashsalt": "crl-train", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    )
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_GRID)
    named: set[str] = set()
    for (label, place), lines in series.items():
        by_update: dict[int, list[float]] = defaultdict(list)
        for points in lines:
            for update, value in points:
                by_update[update].append(value)
        if not by_update:
            continue
        updates = sorted(by_update)
        style: dict[str, Any] = {"color": colours[label], "linestyle": ("-", "--")[place], "linewidth": 1.4}
        if markers:
            style |= {"marker": "o", "markersize": 3}
        name = None if label in named else textwrap.fill(label, _LEGEND_WIDTH)
        named.add(label)
        axes.plot(updates, [fmean(by_update[update]) for update in updates], label=name, **style)
        if len(lines) > 1:
            low, high = ([edge(by_update[update]) for update in updates] for edge in (min, max))
            axes.fill_between(updates, low, high, color=colours[label], alpha=0.12, linewidth=0)
    axes.set(xlabel="updates")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Title": title})
    text = out.getvalue()
    found.append({"title": title, "svg": text[text.index("<svg") :]})
