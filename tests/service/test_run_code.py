"""/run_code as SandboxFusion's clients see it: its published one, and verl's, each the code that its users run."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.processes import below, children, wait_until
from tests.service.conftest import SLEEP, Served, serving

PROGRAMS: dict[str, tuple[str, str | None, str, str, int | None, str, str]] = {
    # code, stdin, status, of the run, return code, stdout, what stderr says
    "prints": ("print(input()[::-1])", "abc\n", "Success", "Finished", 0, "cba\n", ""),
    "reads nothing": ("import sys\nprint(repr(sys.stdin.read()))", None, "Success", "Finished", 0, "''\n", ""),
    "exits with 0": ("print(1)\nexit(0)", "", "Success", "Finished", 0, "1\n", ""),
    "exits with 3": ("print(1)\nimport sys\nsys.exit(3)", "", "Failed", "Finished", 3, "1\n", "exit status 3"),
    "exits with a text": ("import sys\nsys.exit('no')", "", "Failed", "Finished", 1, "", "no"),
    "leaves at once": ("import os\nos.write(1, b'x')\nos._exit(4)", "", "Failed", "Finished", 4, "x", "4"),
    "raises": ("print(1)\n1/0", "", "Failed", "Finished", 1, "1\n", "ZeroDivisionError: division by zero (line 2)"),
    "does not compile": ("def f(:", "", "Failed", "Finished", 1, "", "SyntaxError"),
    "ends by a signal": ("import os\nos.kill(os.getpid(), 11)", "", "Failed", "Finished", -11, "", "SIGSEGV"),
    "takes too long": (
        "print(1, flush=True)\nwhile 1: pass",
        "",
        "Failed",
        "TimeLimitExceeded",
        None,
        "1\n",
        "CPU time",
    ),
    "takes too much memory": ("x = ' ' * (1 << 40)", "", "Failed", "Finished", 1, "", "MemoryError"),
    "writes too much": ("while 1: print('x' * 10**6)", "", "Failed", "Finished", 1, "", "output"),
    "writes no text": ("import os\nos.write(1, b'a\\xff')", "", "Success", "Finished", 0, "a\ufffd", ""),
    "writes to stderr": ("import sys\nprint('x', file=sys.stderr)", "", "Success", "Finished", 0, "", ""),
}


def body(code: str, stdin: str | None = "", **more: Any) -> dict[str, Any]:
    return {"code": code, "stdin": stdin, "language": "python", "run_timeout": 1, **more}


@pytest.fixture(scope="module")
def fusion() -> Any:
    return pytest.importorskip(
        "sandbox_fusion", reason="SandboxFusion's client is not installed (pip install sandbox-fusion)"
    )


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_is_told_of_as_the_published_client_expects(served: Served, fusion: Any, what: str) -> None:
    code, stdin, status, of_run, return_code, stdout, stderr = PROGRAMS[what]
    request = fusion.RunCodeRequest(code=code, stdin=stdin, language="python", run_timeout=1)
    got = fusion.run_code(request, endpoint=served.url, max_attempts=1)
    assert (got.status.value, got.message, got.compile_result, got.files) == (status, "", None, {})
    run = got.run_result
    assert (run.status.value, run.return_code, run.stdout) == (of_run, return_code, stdout)
    assert stderr in run.stderr if stderr else run.stderr == ""
    assert run.execution_time >= 0 and run.cpu_time >= 0
    mapping = fusion.SummaryMapping(RunTimeout="time", RunFailed="failed")
    assert fusion.summary_run_code_result(got, mapping) == (
        "Success" if status == "Success" else "time" if return_code is None else "failed"
    )


def test_the_published_client_runs_many_at_once(served: Served, fusion: Any) -> None:
    async def all_of_them() -> list[Any]:
        requests = [
            fusion.RunCodeRequest(code=f"print({n} * int(input()))", stdin=str(n), language="python")
            for n in range(100)
        ]
        return await asyncio.gather(
            *(fusion.run_code_async(one, endpoint=served.url, max_attempts=1) for one in requests)
        )

    assert [one.run_result.stdout for one in asyncio.run(all_of_them())] == [f"{n * n}\n" for n in range(100)]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"language": "cpp"}, "language: expected 'python', got 'cpp'"),
        ({"language": "pytest"}, "language: expected 'python', got 'pytest'"),
        ({"files": {"a.txt": "YQ=="}}, "files: expected none, got 1"),
        ({"fetch_files": ["a.txt", "b.txt"]}, "fetch_files: expected none, got 2"),
    ],
)
def test_what_is_not_offered_is_refused_in_the_protocols_terms(
    served: Served, fusion: Any, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(Exception, match="Sandbox responded with error: " + told):
        fusion.run_code(fusion.RunCodeRequest(**body("print(1)", **more)), endpoint=served.url, max_attempts=1)
    status, _, cells = served.ask("/run_code", body("print(1)", **more))
    assert (
        status == 200 and cells["status"] == "SandboxError" and told in cells["message"] and cells["run_result"] is None
    )


@pytest.mark.parametrize(
    ("cells", "where"),
    [
        ({"language": "python"}, ["body", "code"]),
        ({"code": 1, "language": "python"}, ["body", "code"]),
        (body("", None, run_timeout=0), ["body", "run_timeout"]),
        (body("", None, run_timeout="soon"), ["body", "run_timeout"]),
        (body("", None, memory_limit_MB=1e9), ["body", "memory_limit_MB"]),
        ([], ["body"]),
        (b"{", ["body"]),
        (b"\xff", ["body"]),
        (b"[" * 100_000, ["body"]),
    ],
)
def test_a_malformed_request_is_422_with_the_place(served: Served, cells: Any, where: list[str]) -> None:
    status, _, told = served.ask("/run_code", cells)
    assert status == 422 and [one["loc"] for one in told["detail"]] == [where] and told["detail"][0]["msg"]


def test_the_memory_that_is_named_is_the_memory_that_there_is(served: Served) -> None:
    code = "x = bytearray(300 << 20)\nprint(len(x))"
    for limit, status in ((100, "Failed"), (600, "Success"), (-1, "Success")):
        assert served.ask("/run_code", body(code, memory_limit_MB=limit))[2]["status"] == status


def test_a_program_has_the_libraries_of_the_service(served: Served) -> None:
    assert (
        served.ask("/run_code", body("import numpy\nprint(numpy.arange(3).sum())"))[2]["run_result"]["stdout"] == "3\n"
    )


def test_nothing_is_left_for_the_next_program(served: Served) -> None:
    write = "open('x', 'w').write('1')\nimport os\nprint(os.listdir('.'))"
    for _ in range(5):
        assert served.ask("/run_code", body(write))[2]["run_result"]["stdout"] == "['x']\n"


# --- faults of ours ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Served]:
    """A server of one job, for tests that do something to it."""
    with serving(tmp_path, "--jobs", 1) as one:
        yield one


def runs(one: Served) -> bool:
    return any(depth >= 5 for _, depth in below(one.process.pid))


def in_background(one: Served, cells: dict[str, Any], path: str = "/run_code") -> tuple[threading.Thread, list[Any]]:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(one.ask(path, cells)))
    thread.start()
    return thread, got


def test_a_runner_that_dies_is_replaced_and_the_program_run_again(alone: Served) -> None:
    thread, got = in_background(alone, body(SLEEP.format(1), "7", run_timeout=8))
    assert wait_until(lambda: runs(alone))
    for pid in children(alone.process.pid):
        os.kill(pid, signal.SIGKILL)
    thread.join()
    assert got[0][0] == 200 and got[0][2]["status"] == "Success" and got[0][2]["run_result"]["stdout"] == "7\n"


def test_a_fault_of_ours_is_a_sandbox_error_and_the_next_program_is_run(alone: Served) -> None:
    thread, got = in_background(alone, body(SLEEP.format(100), "7", run_timeout=200))
    killed = 0
    while thread.is_alive() and killed < 10:
        if wait_until(lambda: runs(alone) or not thread.is_alive()):
            for pid in children(alone.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            time.sleep(0.2)
    thread.join()
    assert killed >= 3 and got[0][0] == 200
    assert (
        got[0][2]["status"] == "SandboxError" and "runner" in got[0][2]["message"] and got[0][2]["run_result"] is None
    )
    assert alone.ask("/run_code", body("print(1)"))[2]["status"] == "Success"


# --- verl -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verl() -> ModuleType:
    """verl's reward by SandboxFusion, from its folder: the package itself wants ray."""
    found = importlib.util.find_spec("verl")
    if found is None or not found.submodule_search_locations:
        pytest.skip("verl is not installed (pip install --no-deps verl==0.9.1)")
    folder = Path(found.submodule_search_locations[0]) / "utils/reward_score/sandbox_fusion"
    pytest.importorskip("requests", reason="requests, which verl's client needs, is not installed")
    spec = importlib.util.spec_from_file_location(
        "sandbox_fusion_of_verl", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TESTS = {"inputs": [f"{n}\n" for n in range(12)], "outputs": [f"{n * n}\n" for n in range(12)]}
FUNCTION = {**TESTS, "inputs": [f"{n}" for n in range(12)], "fn_name": "square"}
COMPLETIONS: dict[str, tuple[str, dict[str, Any], list[Any]]] = {
    "right": ("print(int(input()) ** 2)", TESTS, [True] * 12),
    "wrong on odd": ("n = int(input())\nprint(0 if n % 2 else n * n)", TESTS, [True, False] * 6),
    "raises": ("1/0", TESTS, [-2] * 12),
    "does not compile": ("def f(:", TESTS, [-2] * 12),
    "never ends on 3": ("n = int(input())\nwhile n == 3: pass\nprint(n * n)", TESTS, [True] * 3 + [-3] + [True] * 8),
    "function": ("def square(n): return n * n", FUNCTION, [True] * 12),
    "method": ("class Solution:\n    def square(self, n): return n * n", FUNCTION, [True] * 12),
    "wrong function": ("def square(n): return n", FUNCTION, [True, True] + [False] * 10),
    "asserts": ("def f(n): return n + 1", {"assert_case": ["assert f(1) == 2", "assert f(1) == 3"]}, [True, -2]),
}


@pytest.mark.parametrize("what", COMPLETIONS)
def test_verl_scores_what_is_right_and_nothing_else(served: Served, verl: ModuleType, what: str) -> None:
    code, tests, wanted = COMPLETIONS[what]
    tests = {**tests}
    score, told = verl.compute_score(f"{served.url}/run_code", None, 1024, f"```python\n{code}\n```", tests, timeout=2)
    assert [one["status"] for one in told].count("api_error") == 0
    assert score == sum(one is True for one in wanted) / len(wanted)
    results, _ = verl.check_correctness(f"{served.url}/run_code", tests, code, timeout=2)
    assert results == wanted


def test_verl_loses_nothing_far_beyond_the_admission_limit(tmp_path: Path, verl: ModuleType) -> None:
    """32 requests at once for each of four completions, where two are admitted: it knows no 429."""
    tests = {"inputs": [f"{n}\n" for n in range(40)], "outputs": [f"{n * n}\n" for n in range(40)]}
    with serving(tmp_path, "--jobs", 2, "--queue", 2) as one, ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(verl.check_correctness, f"{one.url}/run_code", tests, f"# {n}\nprint(int(input()) ** 2)", 10)
            for n in range(4)
        ]
        most = 0
        while not all(future.done() for future in futures):
            health = one.health()
            assert health["admitted"] <= 2
            most = max(most, health["held"])
            time.sleep(0.02)
        assert [future.result()[0] for future in futures] == [[True] * 40] * 4
        assert most > 20, "the load never was beyond the limit"
        assert one.health()["admitted"] == one.health()["held"] == 0


def test_verl_brings_a_token_in_the_address(tmp_path: Path, verl: ModuleType) -> None:
    with serving(tmp_path, "--jobs", 1, token="s3cret") as one:
        for user, wanted in (("crl:s3cret@", True), ("crl:other@", -1), ("", -1)):
            url = f"{one.url}/run_code".replace("http://", f"http://{user}")
            results, _ = verl.check_correctness(url, {"inputs": ["1"], "outputs": ["1"]}, "print(input())", timeout=2)
            assert results == [wanted]


@pytest.mark.slow
def test_whoever_is_told_to_ask_again_has_kept_its_place(alone: Served, verl: ModuleType) -> None:
    """The one job is taken for 14 s, longer than verl waits (12 s): it is told so (504), asks again, and comes first."""
    thread, got = in_background(alone, body(SLEEP.format(14), "7", run_timeout=20))
    assert wait_until(lambda: runs(alone))
    answers: list[tuple[str, float]] = []

    def ask(name: str, code: str, seconds: int) -> None:
        result, error = verl.utils.call_sandbox_api(f"{alone.url}/run_code", code, "", seconds, seconds, 1024)
        assert error is None and result["status"] == "Success"
        answers.append((name, time.monotonic()))

    first = threading.Thread(target=ask, args=("first", "import time\ntime.sleep(0.3)\nprint(1)", 1))
    first.start()
    time.sleep(10.5)  # by now it was told to ask again, and has not yet
    assert alone.health()["waiting"] == 1
    second = threading.Thread(target=ask, args=("second", "print(2)", 10))
    second.start()
    for one in (thread, first, second):
        one.join()
    assert got[0][2]["status"] == "Success" and [name for name, _ in sorted(answers, key=lambda one: one[1])] == [
        "first",
        "second",
    ]


@pytest.mark.slow
def test_a_place_that_nobody_comes_back_for_is_given_up(alone: Served) -> None:
    thread, _ = in_background(alone, body(SLEEP.format(30), "7", run_timeout=40))
    assert wait_until(lambda: runs(alone))
    status, headers, told = alone.ask("/run_code", body("print(1)", run_timeout=0.1, compile_timeout=0.1))
    assert status == 504 and headers["Retry-After"] == "1" and "ask again" in told["error"]
    assert alone.health()["waiting"] == 1
    assert wait_until(lambda: alone.health()["waiting"] == 0, 17)
    assert thread.is_alive()
    alone.end()
    thread.join()
