"""The store: what was found is there again, for the next run and for another one at the same time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from crl_data.corpus.store import Store
from crl_data.errors import WorkError
from crl_data.judging import Evidence, Judge
from crl_data.judging.limits import Calibration
from crl_data.judging.policy import Way
from crl_data.types import Outcome
from tests.conftest import code, function_problem

ALL = tuple(Outcome)


def evidence(*outcomes: Outcome, first: str = "") -> Evidence:
    return Evidence(outcomes=outcomes or ALL, first=first)


def test_what_is_kept_survives_closing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "store.sqlite"
    calibrations = {
        "none": Calibration(reference_cpu_s=None, fault="", way=None),
        "zero": Calibration(reference_cpu_s=0.0, fault="", way=Way.BESIDE, interface="{}"),
        "fails": Calibration(reference_cpu_s=None, fault="test 1: é\nsecond\0line", way=None),
        "exact": Calibration(reference_cpu_s=0.1 + 0.2, fault="", way=None),
    }
    store = Store(path)
    store.keep_evidence("all", evidence(first="expected 'é\0', got\n''"))
    store.keep_evidence("empty", Evidence(outcomes=(), first=""))
    for key, calibration in calibrations.items():
        store.keep_calibration(key, calibration)
    store.close()
    store = Store(path)
    assert store.evidence("all") == evidence(first="expected 'é\0', got\n''")
    assert store.evidence("empty") == Evidence(outcomes=(), first="")
    assert {key: store.calibration(key) for key in calibrations} == calibrations
    store.close()


def test_what_is_not_known_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    assert store.evidence("x") is None and store.calibration("x") is None
    store.keep_evidence("x", evidence())
    assert store.calibration("x") is None  # a key is of one kind
    store.close()


def test_what_was_kept_first_stays(tmp_path: Path) -> None:
    """Of two builds that judged the same, both must go on with the same."""
    one, other = Store(tmp_path / "store.sqlite"), Store(tmp_path / "store.sqlite")
    one.keep_evidence("x", evidence(Outcome.PASSED, first="one"))
    other.keep_evidence("x", evidence(Outcome.TIMEOUT, first="other"))
    one.keep_calibration("x", Calibration(reference_cpu_s=1.0, fault="", way=None))
    other.keep_calibration("x", Calibration(reference_cpu_s=2.0, fault="", way=None))
    for store in (one, other):
        assert store.evidence("x") == evidence(Outcome.PASSED, first="one")
        calibration = store.calibration("x")
        assert calibration is not None and calibration.reference_cpu_s == 1.0
        store.close()


def test_outputs_are_found_once(tmp_path: Path) -> None:
    found: list[int] = []

    def find() -> list[Any]:
        found.append(1)
        return [{"value": {"tuple": [1, "\ud800", 1.5, None]}}, {"note": "é"}]

    for _ in range(2):
        store = Store(tmp_path / "store.sqlite")
        assert [store.outputs("k", find) for _ in range(2)] == [
            [{"value": {"tuple": [1, "\ud800", 1.5, None]}}, {"note": "é"}]
        ] * 2
        store.close()
    assert len(found) == 1


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "\U0010ffff"])
def test_a_reason_may_hold_any_text_that_a_solution_can_say(text: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    store.keep_evidence("x", evidence(first=f"ValueError: {text}"))
    known = store.evidence("x")
    assert known is not None and known.outcomes == ALL and known.first.startswith("ValueError")
    store.close()


def test_a_judgement_is_kept_whatever_the_solution_said(tmp_path: Path) -> None:
    """A message of an exception may hold what no file can: a lone surrogate."""
    store = Store(tmp_path / "store.sqlite")
    with Judge(jobs=1, memory=store) as judge:
        judgement = judge.judge(function_problem("f", ([1], 2)), code("def f(n):\n    raise ValueError('a\\ud800b')\n"))
    assert judgement.verdict is False and judgement.reason.encode()
    store.close()


def test_what_is_remembered_and_what_is_new_is_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    store.evidence("x")
    store.keep_evidence("x", evidence())
    assert (store.hits, store.kept) == (0, 1)
    store.evidence("x")
    assert (store.hits, store.kept) == (1, 1)
    store.close()


WRITER = """
import os, pathlib, signal, sys
from crl_data.corpus.store import Store
from crl_data.judging import Evidence, Judge
from crl_data.types import Outcome
store = Store(pathlib.Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    key = f"{sys.argv[2]}{n}" if n % 2 else f"both{n}"
    store.keep_evidence(key, Evidence(outcomes=(Outcome.PASSED,) * 3, first=""))
    assert store.evidence(key) is not None
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_kept_survives_being_killed_and_several_builds_share_it(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, "300"]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [-signal.SIGKILL] * 3
    store = Store(path)
    for n in range(300):
        for key in [f"both{n}"] if n % 2 == 0 else [f"{name}{n}" for name in "abc"]:
            assert store.evidence(key) == evidence(*(Outcome.PASSED,) * 3)
    store.close()


def test_many_threads_may_use_one_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    faults: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for n in range(100):
                store.keep_evidence(f"{name}/{n}", evidence(first=f"{name}/{n}"))
                known = store.evidence(f"{name}/{n}")
                assert known is not None and known.first == f"{name}/{n}"
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and store.kept == store.hits == 800
    store.close()


def told(path: Path) -> str:
    with pytest.raises(WorkError) as raised:
        Store(path)
    said = str(raised.value)
    assert "\n" not in said and str(path) in said
    return said


def test_a_store_of_another_version_is_refused_with_what_to_do_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path).close()
    known = sqlite3.connect(path).execute("pragma user_version").fetchone()[0]
    for version in (known + 1, 99, -1):
        database = sqlite3.connect(path)
        database.execute(f"pragma user_version = {version}")
        database.close()
        assert f"version {version}" in told(path) and "--store" in told(path)
        assert sqlite3.connect(path).execute("pragma user_version").fetchone()[0] == version


def test_what_is_no_store_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, but long enough to be looked at " * 50)
    assert "cannot be opened" in told(tmp_path / "text")
    (tmp_path / "folder").mkdir()
    assert "cannot be opened" in told(tmp_path / "folder")
    assert "cannot be opened" in told(tmp_path / "text" / "store.sqlite")


def test_a_store_that_breaks_later_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    store.close()
    for use in (lambda: store.evidence("x"), lambda: store.keep_evidence("x", evidence())):
        with pytest.raises(WorkError, match=r"store\.sqlite: the store cannot be"):
            use()


@pytest.mark.skipif(os.geteuid() == 0, reason="who runs the tests may write everywhere (root)")
def test_a_folder_that_cannot_be_written_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    told(tmp_path / "store.sqlite")
