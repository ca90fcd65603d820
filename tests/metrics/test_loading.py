"""The metrics are found by their path, with no network, in a process and a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_data import metrics
from crl_data.errors import InputError

_ALONE = """
import socket
def refused(*_, **__):
    raise AssertionError("the network was asked")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refused
import json
import evaluate
from crl_data import metrics
"""


def alone(program: str, home: Path) -> Any:
    """What a program prints as JSON: offline, with a home of its own, every use of the network an error."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    for name in ("HF_ALLOW_CODE_EVAL", "HF_MODULES_CACHE", "HF_METRICS_CACHE", "HF_EVALUATE_CACHE"):
        env.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", _ALONE + program], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_critique_eval_is_loaded_by_its_path(tmp_path: Path) -> None:
    said = ["Fine. \\conclusion{T}", "Broken."]
    program = (
        "metric = evaluate.load(str(metrics.path('critique_eval')))\n"
        f"print(json.dumps(metric.compute(predictions={said!r}, references=[True, False])))"
    )
    found = alone(program, tmp_path)
    assert (found["n"], found["accuracy"], found["missing_rate"]) == (2, 0.5, 0.5)
    assert list(tmp_path.rglob("critique_eval.py")), "evaluate has not copied the module to the home that was named"


def test_crl_code_eval_is_loaded_by_its_path_and_asks_for_no_permission(tmp_path: Path) -> None:
    candidates = [["def add(a, b): return a * b", "def add(a, b): return a + b"]]
    program = (
        "metric = evaluate.load(str(metrics.path('crl_code_eval')))\n"
        f"found = metric.compute(references=['assert add(2, 3) == 5'], predictions={candidates!r}, k=[1, 2, 3])\n"
        "print(json.dumps(found))"
    )
    pass_at_k, results = alone(program, tmp_path)
    assert pass_at_k == {"pass@1": 0.5, "pass@2": 1.0}
    assert [one["passed"] for _, one in results["0"]] == [False, True]


@pytest.mark.parametrize("name", metrics.NAMES)
def test_a_metric_is_one_file_named_as_its_folder(name: str) -> None:
    assert (metrics.path(name) / f"{name}.py").is_file()


def test_a_metric_that_is_not_there_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"expected one of .*, got 'code_eval'; is it crl_code_eval\?"):
        metrics.path("code_eval")
