"""The logs of a run: whole lines, and none twice after a resume."""

from __future__ import annotations

import json
import math
from pathlib import Path

from crl_train.lines import Log, read_lines


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", True)
    log.write({"update": 1, "a": math.nan, "b": math.inf, "c": 0.5, "d": None, "e": "x"})
    assert read_lines(log.path) == [{"update": 1, "a": None, "b": None, "c": 0.5, "d": None, "e": "x"}]


def test_a_process_that_is_not_the_first_writes_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", False)
    log.write({"update": 1})
    assert read_lines(log.path) == []
    (tmp_path / "log.jsonl").write_text('{"update": 5}\n')
    log.forget_after(1)
    assert len(read_lines(log.path)) == 1


def test_a_line_that_was_left_half_written_is_none_and_is_gone_after_a_resume(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", True)
    for update in (1, 2, 3):
        log.write({"update": update})
    with log.path.open("a") as file:
        file.write('{"update": 4, "lo')
    assert [one["update"] for one in read_lines(log.path)] == [1, 2, 3]
    log.forget_after(2)
    log.write({"update": 3})
    assert [json.loads(line)["update"] for line in log.path.read_text().splitlines()] == [1, 2, 3]


def test_what_was_measured_at_the_end_is_measured_anew_by_a_run_that_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", True)
    log.write({"update": 1})
    log.write({"update": 1, "final": True})
    log.forget_after(5)
    assert read_lines(log.path) == [{"update": 1}]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", True)
    log.forget_after(0)
    assert read_lines(log.path) == []
