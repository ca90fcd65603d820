"""What critique data does: every arm and control of a recipe, over seeds, at the same budget.

    python -m benchmarks.arms tiny                      3 seeds x every arm; about an hour on one core
    python -m benchmarks.arms tiny --arms hybrid solve-only --seeds 1 2 3 4 5
    python -m benchmarks.arms small --seeds 1

Each seed has a warm start of its own, from which all its arms begin. Runs that are over are not made again, and what was killed
goes on. At the end the runs are put side by side (`crl-train report`). Settings were chosen on the validation split, with seed 0
(docs/training.md tells every configuration that was tried); the test is scored once, by the seeds here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def train(recipe: Path, out: Path, settings: tuple[str, ...]) -> float:
    """Train a recipe to a folder, unless that is over; seconds it took."""
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arms", description="Every arm of a recipe, over seeds.")
    parser.add_argument("task", choices=("tiny", "small"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    parser.add_argument("--out", type=Path, help="where the runs go  [default: build/arms/TASK]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a core each")
    given = parser.parse_args()
    out = given.out or Path("build") / "arms" / given.task
    recipes = Path(__file__).parent.parent / "recipes"
    if not (recipes.parent / "build" / given.task / "model").is_dir():
        subprocess.run([sys.executable, "-m", "crl_train.toys", given.task], check=True, cwd=recipes.parent)

    def one(name: str, recipe: Path, folder: Path, settings: tuple[str, ...]) -> None:
        took = train(recipe, folder, settings)
        print(f"{folder.parent.name} {name:<18} {took:6.0f} s", flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        warm = [
            pool.submit(
                one, "warm start", recipes / f"{given.task}-warm.yaml", out / f"seed-{seed}" / "warm", (f"seed={seed}",)
            )
            for seed in given.seeds
        ]
        for job in warm:
            job.result()
        runs = [
            pool.submit(
                one,
                name,
                recipes / f"{given.task}-cpu.yaml",
                out / f"seed-{seed}" / name,
                (
                    *ARMS[name],
                    f"seed={seed}",
                    f"model_name_or_path={(out / f'seed-{seed}' / 'warm' / 'model').resolve()}",
                ),
            )
            for seed in given.seeds
            for name in given.arms
        ]
        for job in runs:
            job.result()
    folders = [str(out / f"seed-{seed}" / name) for seed in given.seeds for name in given.arms]
    subprocess.run([sys.executable, "-m", "crl_train", "report", *folders, "--out", str(out / "report")], check=True)


if __name__ == "__main__":
    main()
