"""Where our reward of code differs from verl's two, on the same completions, and why; and two readings of conclusions.

    python -m benchmarks.reward_differences --peers VENV [--data FOLDER] [--set NAME]... [--limit N] [--json FILE]

VENV is one of `pip install verl==0.9.1 --no-deps`, with numpy and requests. Its two rewards are called on whole completions, as
verl's `default_compute_score` calls them: `prime_code`, and `sandbox_fusion`, whose service here starts a Python for every test
and has no walls (`fusion`). Both run behind the walls of `differences.Peer`. Ours is `solve_reward`, on rows as a build
writes them; its rewards are pass rates.

The completions are real: recorded answers of GPT-3.5 and GPT-4 to APPS problems (mapcoder), programs of people and of CodeRL
for APPS (apps), CodeGen's completions of HumanEval with HumanEval+'s inputs as calls (humaneval+), QuixBugs, and the
responses that ship with the project. A problem has at most 30 tests here, its first.

A cause is found by a rule over what each side saw of the tests: never by the name of a program. What no rule explains is
said to be so. A reward is different where it differs by more than 1e-9, or where one side has none.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks import agreement
from benchmarks.differences import Item, Peer
from crl_data import Judge, rewards
from crl_data.judging.bench import Gathered
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Way
from crl_data.responses import extract_code, parse_conclusion
from crl_data.rows import cells_of
from crl_data.types import Judgement, Outcome, Problem, Solution, Test, TestKind

MOST_TESTS = 30
SETS = ("mapcoder", "apps", "humaneval+", "quixbugs", "examples")
KINDS = {
    "prime_reward": frozenset({TestKind.STDIN, TestKind.FUNCTION}),
    "fusion_reward": frozenset({TestKind.STDIN, TestKind.FUNCTION, TestKind.ASSERT}),
}
TOLD = {"prime_reward": "prime_code", "fusion_reward": "SandboxFusion"}
_WITHIN_S = 600.0
_FIRST = 10  # tests that both score after a failure, whatever there are

Found = dict[str, Any]


@dataclass(frozen=True)
class Ours:
    """What ours saw: the reward, and of every test the outcome, the reason and what was written or returned."""

    reward: float | None
    outcomes: tuple[Outcome, ...]
    details: tuple[str, ...]
    answers: tuple[str, ...]
    cpu_s: float


@dataclass(frozen=True)
class Difference:
    """A completion that two rewards are not the same for, and why."""

    peer: str
    item: Item
    ours: float | None
    theirs: float | None
    cause: str
    detail: str


# --- what is judged ---------------------------------------------------------------------------------------------------


def items(name: str, data: Path) -> Iterator[Item]:
    """The completions of a set."""
    made = {"apps": _apps, "humaneval+": _humaneval_plus}.get(name)
    for problem, label, completion in made(data) if made else _recorded(name, data):
        fewer = replace(problem, tests=problem.tests[:MOST_TESTS])
        yield Item(name, f"{problem.id}, {label}", fewer, completion, None)


def _recorded(name: str, data: Path) -> Iterator[tuple[Problem, str, str]]:
    folder = Path(str(files("crl_data") / "examples")) if name == "examples" else data
    for problem, solution in agreement.solutions(name, folder):
        if solution.id != "reference" and (solution.sampler is None or solution.sampler.name == "recorded"):
            text = solution.response if solution.response is not None else fenced(solution.code or "")
            yield problem, solution.id, text


def _apps(data: Path) -> Iterator[tuple[Problem, str, str]]:
    for row in _rows(data / "apps_sample" / "apps_train_sample.jsonl.gz"):
        told = row["input_output"]
        name = f"apps/{row['problem_id']}"
        if told.get("fn_name"):
            kind, entry = TestKind.FUNCTION, told["fn_name"]
            entry = f"Solution.{entry}" if "class Solution" in (row["starter_code"] or "") else entry
            wrapped = all(
                isinstance(one, list) and len(one) == 1 for one in told["outputs"]
            )  # APPS does so with results
            outputs = [one[0] if wrapped else one for one in told["outputs"]]
            pairs = [(json.dumps(a), json.dumps(b)) for a, b in zip(told["inputs"], outputs, strict=True)]
        else:
            kind, entry = TestKind.STDIN, None
            pairs = list(zip(map(_text, told["inputs"]), map(_text, told["outputs"]), strict=True))
        tests = tuple(Test(input=a, expected=b) for a, b in pairs)
        problem = Problem(id=name, question="", test_kind=kind, tests=tests, entry_point=entry)
        for place, code in enumerate(row["solutions"][:40]):
            yield problem, f"a person's {place}", fenced(code)
        for place, one in enumerate([*row["gen_solutions"][:20], *row["baseline_solutions"][:5]]):
            yield problem, f"CodeRL's {place}", fenced(one["code"])


def _humaneval_plus(data: Path) -> Iterator[tuple[Problem, str, str]]:
    """Its inputs as calls, with what its own solution returns; those that JSON cannot hold are left out."""
    recorded = {}
    prompts = {
        one["prompt"]: one["entry_point"] for one in _rows(data / "codet" / "HumanEval_for_code_generation.jsonl.gz")
    }
    for row in _rows(data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz"):
        recorded[prompts[row["prompt"]]] = row["samples"][:2]
    for row in _rows(data / "evalplus" / "HumanEvalPlus.jsonl.gz"):
        code, entry = row["prompt"] + row["canonical_solution"], row["entry_point"]
        namespace: dict[str, Any] = {}
        tests = []
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)  # noqa: S102, the data set's own solution
            for given in [*row["base_input"], *row["plus_input"]][:MOST_TESTS]:
                wanted = namespace[entry](*json.loads(json.dumps(given)))
                with contextlib.suppress(TypeError):
                    tests.append(Test(input=json.dumps(given), expected=json.dumps(wanted)))
        if tests:
            problem = Problem(
                id=row["task_id"],
                question="",
                test_kind=TestKind.FUNCTION,
                tests=tuple(tests),
                entry_point=entry,
                reference=code,
            )
            for place, sample in enumerate(recorded.get(entry, ())):
                yield problem, f"CodeGen's {place}", fenced(row["prompt"] + sample)
            yield problem, "its own", fenced(code)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "\n".join(map(str, value))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def fenced(code: str) -> str:
    return f"```python\n{code}\n```\n"


def record_of(problem: Problem, judge: Judge) -> dict[str, Any]:
    """The columns of a record that a reward reads, as a build writes them for this problem."""
    prepared = judge.prepare(problem).result()
    columns = ("test_kind", "tests", "entry_point", "test_setup", "checker", "starter_code", "memory_limit_mb")
    cells = {name: value for name, value in cells_of(problem).items() if name in columns}
    info = cells_of(judge.info(prepared))
    return {**cells, "problem_id": problem.id, "time_limit_s": prepared.limits.cpu_s, "judge": info}


# --- why --------------------------------------------------------------------------------------------------------------

_NO_BUFFER = re.compile(r"no attribute 'buffer'|has no attribute 'fileno'|UnsupportedOperation")
_DESCRIPTORS = re.compile(r"\bopen\(0|/dev/stdin|os\.read\(|os\.write\(|\bfileinput\b|stdin\.buffer|stdout\.buffer")
_STARRED = (  # names of the modules that both import with a star before the program
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json typing"
)


def explain(peer: str, item: Item, ours: Ours, theirs: Found | None, again: Callable[[str], Found | None]) -> str:
    """The cause of a difference. `again` asks the peer about another completion of the same problem."""
    if theirs is None or "score" not in theirs:
        return "it gave no score"
    if ours.reward is None:
        if Outcome.TIMEOUT in ours.outcomes:
            return "a time-out where nobody said how long it may take: undecided here"
        return "undecided here: an error of the judge"
    code = extract_code(item.code)
    if (theirs.get("code") or "").strip() != (code or "").strip():
        if code is None:
            return "no block of code: none here, there the whole text is code"
        other = again(fenced(code))
        if other is not None and _same(other.get("score"), ours.reward):
            return "other code is taken from the completion"
    scope = (item.problem.entry_point or "").rpartition(".")[0]
    if item.problem.test_kind is TestKind.FUNCTION and scope not in ("", "Solution"):
        return "a method of a class: there a function of that name, or of a class Solution, is called"
    passed = [outcome is Outcome.PASSED for outcome in ours.outcomes]
    seen = [one == "True" for one in theirs["tests"]]
    scored = seen[:_FIRST] if theirs["score"] < 1 or peer == "fusion_reward" else seen
    differing = [place for place, one in enumerate(scored) if one is not passed[place]]
    if not differing:
        return f"only the first {_FIRST} tests count"
    if peer == "prime_reward" and item.problem.test_kind is TestKind.FUNCTION and theirs["score"] < 1:
        whole, note = theirs["whole"]
        if not note and set(whole) == {"-1"}:
            return _ended(ours)
        first = next((place for place, one in enumerate(whole) if one != "True"), len(whole))
        if first >= len(passed) or not passed[first]:
            return "where one test of a function fails, the rest is run without its name, as a program: 0"
        return _of_test(peer, item, ours, first, False, note, code or "")
    place = differing[0]
    return _of_test(peer, item, ours, place, scored[place], theirs["notes"][place], code or "")


def _of_test(
    peer: str, item: Item, ours: Ours, place: int, theirs_passed: bool, note: dict[str, str], code: str
) -> str:
    """Why the two sides differ about one test."""
    if theirs_passed:
        return _taken_for_right(item, ours, place)
    error = note.get("error", "")
    if item.problem.checker is not None:
        return "the problem has a rule of its own, which it does not know"
    if peer == "fusion_reward":
        return _failed_by_fusion(item, ours, place, note)
    if item.problem.test_kind is TestKind.STDIN and (_NO_BUFFER.search(error) or _DESCRIPTORS.search(code)):
        return "standard input and output are replaced: no bytes, no descriptors"
    if error.startswith(("NameError", "UnboundLocalError")) or "__main__" in code:
        return "the program becomes the body of a function: its names are not global"
    if error.startswith(("SyntaxError", "IndentationError", "TabError")):
        return "the program becomes the body of a function: its lines are indented, and it is no Python any more"
    if "'NoneType' object is not callable" in error and re.search(r"\b(exit|quit)\(", code):
        return "exit and quit are taken away"
    if error.startswith("StopIteration") or "EOF" in error:
        return "standard input and output are replaced: other at its end"
    if item.problem.test_kind is TestKind.FUNCTION and item.problem.tests[place].input.startswith("[{"):
        return "the keys of a dictionary are made integers where they can be"
    if error:
        return f"an error that is not there here: {error.partition('(')[0]}"
    output, expected = note.get("output"), note.get("expected")
    if output is not None and expected is not None:
        if _numbers(output) and _close(output, expected):
            return "floats are compared by =="
        return "compared as text or as JSON, by other rules"
    return _ended(ours)


def _ended(ours: Ours) -> str:
    """Why prime_code's process can have ended without a result: by what ours saw."""
    if any("RecursionError" in detail for detail in ours.details):
        return (
            "one test recurses without end: the process, with a limit of 600,000, is killed, and all tests fail with it"
        )
    if ours.cpu_s > 1.0 or Outcome.TIMEOUT in ours.outcomes:
        return "one test takes too long: its alarm ends the process, and all tests fail with it"
    return "its process ended without a result"


def _taken_for_right(item: Item, ours: Ours, place: int) -> str:
    outcome, detail = ours.outcomes[place], ours.details[place]
    if outcome is Outcome.RUNTIME_ERROR:
        name = re.search(r"NameError: name '(\w+)' is not defined", detail)
        if name and name[1] in _starred():
            return "names that the program did not import are imported for it"
        if "outside function" in detail:
            return "the program becomes the body of a function: no syntax error for a return at its top"
        if "exit" in detail or "status" in detail or "SystemExit" in detail:
            return "right output, and an exit status other than 0"
        return f"an error here: {detail.rpartition('error: ')[2].partition(':')[0][:60]}"
    if outcome in (Outcome.TIMEOUT, Outcome.NOT_RUN):
        return "a time-out here, by a limit calibrated on the reference; its own limit is longer"
    if outcome is Outcome.MEMORY_LIMIT:
        return "more memory than allowed here"
    expected, answer = item.problem.tests[place].expected, ours.answers[place]
    if item.problem.test_kind is not TestKind.STDIN:
        return "values are compared by other rules (1 for True, JSON text)"
    if answer.split() == expected.split():
        return "the same words on other lines, or blank lines between them"
    if _close(answer, expected):
        return "numbers are compared as floats, more loosely"
    return "compared as text, by other rules"


def _failed_by_fusion(item: Item, ours: Ours, place: int, note: dict[str, str]) -> str:
    status = note.get("error", "")
    if status == "wrong_answer":
        if item.problem.test_kind is TestKind.FUNCTION:
            wanted = json.loads(item.problem.tests[place].expected)
            said = note.get("stdout", "")
            if isinstance(wanted, str):
                return "what a function returns is printed: a string has no quotes, what is expected has"
            if "\n" in said.strip():
                return "what a function prints itself stands before what it returns"
            return "what a function returns is printed, and compared as text"
        expected, answer = item.problem.tests[place].expected, ours.answers[place]
        if answer.split() == expected.split():
            return "compared as text: blanks at the end of a line, or blank lines, count"
        return "compared as text: numbers are not numbers"
    if status == "timeout":
        return "time-out: 10 s of wall-clock time"
    if status == "api_error":
        return "the service did not answer in time: a failure there"
    if "pthread_create failed" in note.get("stderr", ""):
        return "numpy's threads do not fit into the memory limit, which is one of addresses"
    last = (note.get("stderr", "").strip().splitlines() or [""])[-1]
    return f"{status}: {last.partition(':')[0][:60]}"


def _starred() -> frozenset[str]:
    names: dict[str, Any] = {}
    for module in _STARRED.split():
        exec(f"import {module}\nfrom {module} import *", names)  # noqa: S102, names of our own
    return frozenset(names)


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(word) for word in text.replace("[", " ").replace("]", " ").replace(",", " ").split()]
    except ValueError:
        return None


def _close(one: str, other: str) -> bool:
    first, second = _numbers(one), _numbers(other)
    return (
        first is not None
        and second is not None
        and len(first) == len(second)
        and all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4) for a, b in zip(first, second, strict=True))
    )


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < 1e-9


# --- a run ------------------------------------------------------------------------------------------------------------


def ours_of(chosen: Sequence[Item], judge: Judge) -> tuple[list[float | None], dict[str, dict[str, Any]]]:
    """Our reward of every completion, and the records they were judged by."""
    records: dict[str, dict[str, Any]] = {}
    for item in chosen:
        if item.problem.id not in records:
            records[item.problem.id] = record_of(item.problem, judge)
    columns = {
        name: [records[item.problem.id][name] for item in chosen] for name in next(iter(records.values()), {"tests": 0})
    }
    make = getattr(rewards, "reward", None)
    solve = make("solve", timeout_s=None) if make else rewards.solve_reward
    found: list[float | None] = solve(completions=[item.code for item in chosen], **columns)
    return found, records


def seen_by_us(item: Item, reward: float | None, record: dict[str, Any], judge: Judge) -> Ours:
    """What happened on every test, judged once more as the record says."""
    told = record["judge"]
    calibration = Calibration(
        reference_cpu_s=0.0 if told["limit_from"] == "reference" else None,
        fault="",
        way=Way(told["way"]) if told["way"] else None,
        interface=told["interface"] or "",
    )
    problem = replace(item.problem, reference=None, time_limit_s=record["time_limit_s"])
    solution = Solution(problem_id=problem.id, id="s", response=item.code)
    gathered: Gathered
    judgement: Judgement
    _, gathered, judgement = judge.gathered(problem, solution, calibration)
    n = len(problem.tests)
    results = [*gathered.results, *[None] * n][:n]
    return Ours(
        reward,
        judgement.outcomes,
        tuple((one.detail if one else "") or judgement.reason for one in results),
        tuple(one.seen.answer.decode("utf-8", "replace") if one else "" for one in results),
        max((one.seen.cpu_s for one in results if one), default=0.0),
    )


def differences(peer: Peer, chosen: Sequence[Item], judge: Judge) -> tuple[int, list[Difference]]:
    """Ask a peer about all that it can judge: how many those are, and where it differs."""
    rewards_of_ours, records = ours_of(chosen, judge)
    found = []
    n = 0
    try:
        for item, mine in zip(chosen, rewards_of_ours, strict=True):
            if item.problem.test_kind not in KINDS[peer.name]:
                continue
            n += 1
            theirs = peer.found(item)
            score = None if theirs is None else theirs.get("score")
            if not _same(mine, score):
                ours = seen_by_us(item, mine, records[item.problem.id], judge)
                ask = lambda text: peer.found(replace(item, code=text))  # noqa: E731, B023, called at once
                cause = explain(peer.name, item, ours, theirs, ask)
                shown = next((one for one in ours.details if one), "")
                found.append(Difference(peer.name, item, mine, score, cause, shown[:200]))
            if sys.stderr.isatty():
                print(f"\r{TOLD[peer.name]} {n}", end="", file=sys.stderr)
    finally:
        peer.close()
    return n, found


def table(peer: str, n: int, found: Sequence[Difference]) -> list[str]:
    """The causes with counts and one example each, as a table of Markdown."""
    causes = sorted({one.cause for one in found}, key=lambda cause: -sum(one.cause == cause for one in found))
    lines = [f"{TOLD[peer]}: {len(found)} of {n} completions have another reward", ""]
    lines += ["| cause | n | lower there | higher there | an example: ours, theirs |", "|---|---|---|---|---|"]
    for cause in causes:
        mine = [one for one in found if one.cause == cause]
        both = [one for one in mine if one.ours is not None and one.theirs is not None]
        lower = sum(one.theirs < one.ours for one in both)  # type: ignore[operator]
        one = mine[0]
        cells = [
            cause,
            len(mine),
            lower,
            len(both) - lower,
            f"{one.item.name}: {_figure(one.ours)}, {_figure(one.theirs)}",
        ]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return lines


def _figure(reward: float | None) -> str:
    return "none" if reward is None else f"{reward:.2f}"


# --- conclusions ------------------------------------------------------------------------------------------------------

ENDINGS: list[tuple[str, str, bool | None]] = [  # why they differ or not, the end of a critique, and what it means
    ("as asked for", r"\conclusion{T}", True),
    ("as asked for", r"\conclusion{F}", False),
    ("the whole word", r"\conclusion{True}", True),
    ("the whole word", r"\conclusion{False}", False),
    ("in TeX", r"\conclusion{\text{T}}", True),
    ("in TeX", r"\conclusion{\text{F}}", False),
    ("in TeX", r"$\boxed{\conclusion{F}}$", False),
    ("the last one counts", r"First I thought \conclusion{T}, but test 3 fails: \conclusion{F}", False),
    ("any word with a T", r"\conclusion{INCORRECT}", None),
    ("any word with a T", r"\conclusion{NOT CORRECT}", None),
    ("any word with a T", r"\conclusion{F, see Test 3}", None),
    ("any word with a T", r"\conclusion{The code is wrong}", None),
    ("any word with a T", r"\conclusion{T/F}", None),
    ("any word with a T", r"\conclusion{F (Time limit)}", None),
    ("any word with an F", r"\conclusion{Fine}", None),
    ("any word with an F", r"\conclusion{Fails}", None),
    ("small letters", r"\conclusion{true}", True),
    ("small letters", r"\conclusion{f}", False),
    ("small letters", r"\conclusion{false}", False),
    ("blanks and line breaks", "\\conclusion {T}", True),
    ("blanks and line breaks", "\\conclusion{\nF\n}", False),
    ("inside the reasoning only", "<think>Perhaps \\conclusion{T}. Or", None),
    ("inside the reasoning only", "<think>It is \\conclusion{T}</think>I cannot say.", None),
    ("none", r"The code is correct.", None),
    ("none", r"\boxed{T}", None),
    ("none", r"\conclusion{}", None),
    ("other words", r"\conclusion{yes}", None),
    ("other words", r"\conclusion{correct}", None),
]


def conclusions() -> list[str]:
    """The table of endings that the two readings differ on, and how many they agree on."""
    words = {True: "T", False: "F", None: "missing"}
    lines = ["| why | ending | ours | published rule | what it means |", "|---|---|---|---|---|"]
    same = wrong = 0
    for why, ending, meant in ENDINGS:
        ours, official = parse_conclusion(ending), parse_conclusion(ending, official=True)
        assert ours is meant, ending
        wrong += official is not meant
        if ours is official:
            same += 1
            continue
        shown = ending.replace("\n", "\\n").replace("|", "\\|")
        lines.append(f"| {why} | `{shown}` | {words[ours]} | {words[official]} | {words[meant]} |")
    told = f"{len(ENDINGS)} endings, {same} read the same by both, {wrong} misread by the published rule"
    return [f"conclusions: {told}", "", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="VENV")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--set", action="append", choices=SETS, dest="sets")
    parser.add_argument("--limit", type=int, help="every n-th completion, so that about so many of a set are left")
    parser.add_argument("--json", metavar="FILE", help="write every difference there too")
    options = parser.parse_args()
    print("\n".join(conclusions()), "\n")
    if options.peers is None:
        print("rewards of code: not compared, since no environment with verl was named (--peers VENV)")
        return
    python = str(Path(options.peers) / "bin" / "python")
    there = [python, "-c", "import importlib.util as u; u.find_spec('verl').name"]
    if subprocess.run(there, capture_output=True).returncode:
        raise SystemExit(f"{options.peers} has no verl")
    chosen: list[Item] = []
    for name in options.sets or SETS:
        every = list(items(name, options.data))
        step = max(1, len(every) // options.limit) if options.limit else 1
        some = every[::step][: options.limit]
        kinds = {str(kind): sum(one.problem.test_kind is kind for one in some) for kind in TestKind}
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        print(
            f"{name}: {len(some)} completions of {len({one.problem.id for one in some})} problems ({told})", flush=True
        )
        chosen += some
    rows = []
    with Judge(jobs=1) as judge:
        for name in KINDS:
            peer = Peer(name, python, {"explain": True}, _WITHIN_S, loopback=name == "fusion_reward")
            n, found = differences(peer, chosen, judge)
            print("", *table(name, n, found), sep="\n", flush=True)
            rows += [
                {"peer": one.peer, "cause": one.cause, "set": one.item.cause, "name": one.item.name, "ours": one.ours}
                | {"theirs": one.theirs, "detail": one.detail}
                for one in found
            ]
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
