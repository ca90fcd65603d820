"""What critique data does: every arm and control of a recipe, over seeds, at the same budget.

    python -m benchmarks.arms tiny                      3 seeds x every arm; about an hour on one core
    python -m benchmarks.arms tiny --arms hybrid-20 solve-only --seeds 4 5 6 7 8
    python -m benchmarks.arms small --seeds 1

Each seed has a warm start of its own, from which all its arms begin. Runs that are over are not made again, and what was killed
goes on; a run that was made with other settings than those of now is refused, before anything is trained. At the end the runs are
put side by side, in a table and in what `crl-train report` leaves. Settings were chosen on the validation split, with seed 0
(docs/training.md tells all that was tried); the test is scored once, by the seeds here. Those of the tiny task are
4, 5, 6: 1 and 2 were scored on the test with an earlier warm start, and what was seen there changed the recipe.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crl_data.corpus.recipe_file import lay_over, read_mapping
from crl_train.report import Estimate, Report, as_text, comparisons, read, summary, write
from crl_train.settings import flat

ARMS: dict[str, tuple[str, ...]] = {
    "solve-only": ("arm=solve-only",),
    "critique-only": ("arm=critique-only",),
    "hybrid-20": ("arm=hybrid", "mix.critique_share=0.2"),
    "hybrid-50": ("arm=hybrid", "mix.critique_share=0.5"),
    "hybrid-onpolicy": ("arm=hybrid-onpolicy",),
    "cft": ("arm=cft",),
    "cgd": ("arm=cgd",),
    "solve-80": ("arm=solve-80",),
    "hybrid-shuffled": ("arm=hybrid-shuffled",),
    "solution-shown": ("arm=solution-shown",),
    "hybrid-mutants": ("arm=hybrid-mutants",),
}
"""A name for each line of the table, and what is set for it."""
SEEDS = {"tiny": (4, 5, 6), "small": (1, 2, 3)}
_PLACES = ("output_dir", "model_name_or_path")
"""Where a run is and where its warm start is: the same ones of the same table, and other paths where that was moved."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the table: a name, its recipe, its folder and what is set."""

    name: str
    recipe: Path
    out: Path
    settings: tuple[str, ...]


def differing(run: Run) -> Iterator[str]:
    """The settings in which a run that is there differs from the one that is wanted."""
    if not (run.out / "run.json").is_file():
        return
    _, wanted = read_mapping(run.recipe, "dataset")
    for setting in run.settings:
        lay_over(wanted, setting)
    wanted.pop("env", None)
    had = dict(flat(json.loads((run.out / "run.json").read_text())["recipe"]))
    want: dict[str, Any] = dict(flat(json.loads(json.dumps(wanted, default=str))))
    for name in sorted(had.keys() | want.keys()):
        if name.split(".")[0] not in _PLACES and (name in had, had.get(name)) != (name in want, want.get(name)):
            yield f"{name} {had.get(name, 'not set')}, wanted {want.get(name, 'not set')}"


def check(runs: list[Run]) -> None:
    """Refuse runs that are there and were made with other settings."""
    faults = [f"{run.out}: made with {'; '.join(found)}" for run in runs if (found := list(differing(run)))]
    if faults:
        raise SystemExit(
            "\n".join([*faults, "take another --out, or remove these runs and those that began from them"])
        )


def train(run: Run) -> float:
    """Train a recipe to a folder, unless that is over; seconds it took."""
    recipe, out, settings = run.recipe, run.out, run.settings
    status = json.loads((out / "run.json").read_text())["status"] if (out / "run.json").is_file() else None
    if status == "done":
        return 0.0
    command = [sys.executable, "-m", "crl_train", str(recipe), "--resume"]
    for setting in (f"output_dir={out}", *settings):
        command += ["--set", setting]
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("w") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = (out / "log.txt").read_text().strip().splitlines()[-1:]
        raise SystemExit(f"{out}: exit {done.returncode}: {' '.join(last)}")
    return time.monotonic() - began


def table(found: Report) -> str:
    """The table of the documents: means over seeds on the test with their intervals, and what is told of them."""
    said = {(one["arm"], one["against"], one["measure"]): one["word"] for one in comparisons(found)}
    columns = ("verdict_accuracy, sampled", "verdict_accuracy, greedy", "pass_rate, sampled")
    heading = [
        "",
        *(one.replace("_", " ") for one in columns),
        "verdicts: warm start, solve-only",
        "solving",
        "seconds",
    ]
    lines = [heading, ["---", *["---:"] * 3, "---", "---", "---:"]]
    rows = summary(found)
    before = [rows[0]["held_out"][one]["before"] for one in columns]
    lines.append(["warm start", *(str(Estimate(**one)) if one else "" for one in before), "", "", ""])
    for row in rows:
        told = [
            ", ".join(said.get((row["arm"], against, measure), "-") for against in ("before training", "solve-only"))
            for measure in ("verdict_accuracy, sampled", "pass_rate, sampled")
        ]
        values = [str(Estimate(**row["held_out"][one]["after"])) for one in columns]
        lines.append([row["arm"], *values, *told, f"{row['used']['gpu_seconds']:.0f}"])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arms", description="Every arm of a recipe, over seeds.")
    parser.add_argument("task", choices=("tiny", "small"))
    parser.add_argument("--seeds", type=int, nargs="+", help="  [default: 4 5 6 for tiny, 1 2 3 for small]")
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    parser.add_argument("--out", type=Path, help="where the runs go  [default: build/arms/TASK]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a core each")
    given = parser.parse_args()
    out = given.out or Path("build") / "arms" / given.task
    seeds = given.seeds or SEEDS[given.task]
    recipes = Path(__file__).parent.parent / "recipes"
    if not (recipes.parent / "build" / given.task / "model").is_dir():
        subprocess.run([sys.executable, "-m", "crl_train.toys", given.task], check=True, cwd=recipes.parent)

    warm = [
        Run(
            name="warm start",
            recipe=recipes / f"{given.task}-warm.yaml",
            out=out / f"seed-{seed}" / "warm",
            settings=(f"seed={seed}",),
        )
        for seed in seeds
    ]
    runs = [
        Run(
            name=name,
            recipe=recipes / f"{given.task}-cpu.yaml",
            out=out / f"seed-{seed}" / name,
            settings=(
                *ARMS[name],
                f"seed={seed}",
                f"model_name_or_path={(out / f'seed-{seed}' / 'warm' / 'model').resolve()}",
            ),
        )
        for seed in seeds
        for name in given.arms
    ]
    check([*warm, *runs])

    def one(run: Run) -> None:
        took = train(run)
        print(f"{run.out.parent.name} {run.name:<18} {took:6.0f} s", flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        for jobs in (warm, runs):
            for job in [pool.submit(one, run) for run in jobs]:
                job.result()
    found = read([run.out for run in runs])
    write(found, out / "report")
    text = "\n\n".join([table(found), as_text(found)])
    (out / "report" / "report.txt").write_text(text + "\n", encoding="utf-8")
    print(text, out / "report" / "index.html", sep="\n\n")


if __name__ == "__main__":
    main()
