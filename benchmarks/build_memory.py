"""Does memory stay flat in the number of problems? An import and builds of synthetic ones, and what each took at most.

    python -m benchmarks.build_memory [--problems 100000] [--parts 1000 4000]

Makes that many problems of two tests with one candidate each, imports them all, and builds a dataset from the first of
them, once for every part; prints the largest resident memory of the process that did it (runners of the sandbox are
bounded by their own limits and not counted).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

_CODE = "a, b = map(int, input().split())\nprint(a {} b)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100_000)
    parser.add_argument("--parts", type=int, nargs="+", default=[1_000, 4_000])
    options = parser.parse_args()
    print(f"{'what':<44}{'seconds':>10}{'MB at most':>12}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.problems)
        out = folder / "imported.jsonl"
        run(f"import of {options.problems:,} problems", "import", "problems", folder / "problems.jsonl", "--out", out)
        run(
            f"import of {options.problems:,} problems to Parquet",
            *("import", "problems", folder / "problems.jsonl", "--out", folder / "imported.parquet"),
        )
        for part in options.parts:
            run(
                f"build of {part:,} of {options.problems:,} problems",
                *("build", folder / "recipe.yaml", "--limit", part, "--out", folder / f"out-{part}"),
            )


def make(folder: Path, count: int) -> None:
    """Problems that differ in their tests, so that nothing is remembered; every other candidate is wrong."""
    with (folder / "problems.jsonl").open("w") as problems, (folder / "solutions.jsonl").open("w") as solutions:
        for n in range(count):
            tests = [{"input": f"{a} {b}\n", "expected": f"{a + b}\n"} for a, b in ((n, 1), (n, n))]
            source = {"dataset": "synthetic", "revision": "1", "license": "cc0-1.0", "url": ""}
            problem = {
                "id": f"p{n}",
                "question": f"Add two integers, as problem {n}.",
                "test_kind": "stdin",
                "tests": tests,
                "source": source,
            }
            problems.write(json.dumps(problem) + "\n")
            solutions.write(json.dumps({"problem_id": f"p{n}", "id": "s", "code": _CODE.format("+-"[n % 2])}) + "\n")
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "mix": {"critique_share": 0.5},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))


def run(what: str, *arguments: object) -> None:
    command = [sys.executable, "-m", "crl_data", *map(str, arguments)]
    begun = time.monotonic()
    pid = os.posix_spawn(
        sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{what} failed: exit status {os.waitstatus_to_exitcode(status)}")
    print(f"{what:<44}{time.monotonic() - begun:>10.1f}{usage.ru_maxrss / 1024:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
