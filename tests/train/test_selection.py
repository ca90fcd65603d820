"""Which checkpoint is a run's model: by every rule, and what is told where a rule cannot choose."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from crl_data.corpus.records import CRITIQUE, SOLVE
from crl_data.errors import InputError, WorkError
from crl_train.data import TEST, VALIDATION, Rows
from crl_train.lines import EVALUATIONS, Log, read_lines
from crl_train.recipe import Command
from crl_train.selection import STATE, best_so_far, check, choose, seal, split_of, update_of, whole_checkpoints


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[Path]:
    for update in (2, 10, 4):
        (tmp_path / f"checkpoint-{update}").mkdir()
        (tmp_path / f"checkpoint-{update}" / STATE).write_text("{}")
    (tmp_path / "checkpoint-12").mkdir()  # of a run that was killed while it wrote it
    return whole_checkpoints(tmp_path)


def measured(update: int, value: float, split: str = VALIDATION, how: str = "sampled", **more: Any) -> dict[str, Any]:
    return {"update": update, "split": split, "how": how, "verdict_accuracy": {"value": value}, **more}


def test_only_whole_checkpoints_count_in_the_order_of_their_updates(checkpoints: list[Path]) -> None:
    assert [update_of(one) for one in checkpoints] == [2, 4, 10]


def test_the_last_one_needs_no_measurement(checkpoints: list[Path]) -> None:
    choice = choose("last", checkpoints, [])
    assert (choice.update, choice.split) == (10, "no split")
    assert choose("last", [], []).update == 0


def test_the_best_by_validation_is_chosen_by_sampled_answers_alone(checkpoints: list[Path]) -> None:
    lines = [
        measured(0, 1.0),  # no checkpoint
        measured(2, 0.5),
        measured(4, 0.7),
        measured(10, 0.6),
        measured(10, 0.9, how="greedy"),
        measured(2, 0.95, split=TEST),
    ]
    choice = choose("verdict_accuracy", checkpoints, lines)
    assert (choice.update, choice.split, choice.scores) == (4, VALIDATION, {2: 0.5, 4: 0.7, 10: 0.6})
    assert choice.by == "the best verdict accuracy (sampled)"


def test_of_equal_ones_the_earliest_is_chosen(checkpoints: list[Path]) -> None:
    assert choose("verdict_accuracy", checkpoints, [measured(one, 0.5) for one in (10, 4, 2)]).update == 2


def test_another_measure_is_looked_at_where_it_is_asked_for(checkpoints: list[Path]) -> None:
    lines = [measured(2, 0.9, pass_rate={"value": 0.1}), measured(4, 0.1, pass_rate={"value": 0.9})]
    assert choose("pass_rate", checkpoints, lines).update == 4


def test_a_choice_on_the_reported_test_says_so(checkpoints: list[Path]) -> None:
    choice = choose("reported-test", checkpoints, [measured(4, 0.9, split=TEST), measured(10, 0.99)])
    assert (choice.update, choice.split) == (4, TEST)
    assert choice.by.endswith("on the test that is reported")


def test_on_the_reported_test_solving_is_looked_at_as_in_the_paper(checkpoints: list[Path]) -> None:
    lines = [
        measured(2, 0.9, split=TEST, pass_rate={"value": 0.1}),
        measured(4, 0.1, split=TEST, pass_rate={"value": 0.9}),
    ]
    choice = choose("reported-test", checkpoints, lines)
    assert choice.update == 4 and choice.by.startswith("the best pass rate")


def test_the_best_checkpoint_outlives_older_ones(tmp_path: Path) -> None:
    log = Log(tmp_path / EVALUATIONS, True)
    for update, score in ((2, 0.5), (4, 0.9), (6, 0.6), (8, 0.7), (10, 0.2)):
        (tmp_path / f"checkpoint-{update}").mkdir()
        seal(tmp_path / f"checkpoint-{update}", {}, 2, best_so_far("verdict_accuracy", tmp_path))
        log.write(measured(update, score))
    left = whole_checkpoints(tmp_path)
    assert [path.name for path in left] == ["checkpoint-4", "checkpoint-8", "checkpoint-10"]
    assert choose("verdict_accuracy", left, read_lines(tmp_path / EVALUATIONS)).update == 4
    assert best_so_far("last", tmp_path) is best_so_far(Command(command="true"), tmp_path) is None


def test_nothing_measured_is_told(checkpoints: list[Path]) -> None:
    with pytest.raises(WorkError, match="no checkpoint was measured by pass_rate on the validation split"):
        choose("pass_rate", checkpoints, [measured(4, 0.9)])


def test_what_is_measured_on_while_training_is_never_the_test_unless_it_is_asked_for() -> None:
    assert split_of("last", True) == split_of("verdict_accuracy", True) == VALIDATION
    assert split_of("last", False) is None
    assert split_of("reported-test", True) == TEST


def rows(*kinds: str) -> Rows:
    import datasets

    return Rows(datasets.Dataset.from_dict({"kind": list(kinds)}), range(len(kinds)))


def test_a_choice_on_rows_that_are_not_there_is_refused_before_the_run() -> None:
    check("last", {})
    check(Command(command="true"), {})
    check("pass_rate", {VALIDATION: rows(SOLVE, CRITIQUE)})
    check("reported-test", {TEST: rows(CRITIQUE)})
    for select, splits in (
        ("verdict_accuracy", {VALIDATION: rows(SOLVE)}),
        ("pass_rate", {VALIDATION: rows(CRITIQUE)}),
        ("verdict_accuracy", {VALIDATION: None, TEST: rows(CRITIQUE)}),
        ("reported-test", {VALIDATION: rows(CRITIQUE), TEST: None}),
    ):
        with pytest.raises(InputError, match=f"select: {select}: expected"):
            check(select, splits)  # type: ignore[arg-type]


# --- a command --------------------------------------------------------------------------------------------------------


def by(command: str, timeout_s: float = 20.0) -> Command:
    return Command(command=command, timeout_s=timeout_s)


def test_a_commands_largest_number_wins(checkpoints: list[Path]) -> None:
    choice = choose(by("echo noise; basename {checkpoint} | sed s/checkpoint-/-/"), checkpoints, [])
    assert (choice.update, choice.scores) == (2, {2: -2.0, 4: -4.0, 10: -10.0})
    assert "basename" in choice.by


@pytest.mark.parametrize(
    "command",
    [
        "echo nothing",
        "true",
        "echo true",
        "echo NaN",
        "echo 1e999",
        "echo '[1]'",
        "echo 1; exit 3",
        r"printf '\377\376\n'",
        "no-such-program",
    ],
)
def test_a_command_that_says_no_number_is_told(checkpoints: list[Path], command: str) -> None:
    with pytest.raises(WorkError, match="expected a number as JSON on the last line") as caught:
        choose(by(command), checkpoints, [])
    assert "\n" not in str(caught.value)


def test_a_command_that_fails_tells_what_it_complained_of(checkpoints: list[Path]) -> None:
    with pytest.raises(WorkError, match=r"exit 2; the suite is not installed"):
        choose(by("echo the suite is not installed >&2; exit 2"), checkpoints, [])


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(checkpoints: list[Path], tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(WorkError, match="took longer than 1 s"):
        choose(by(f"sh -c 'echo $$ > {pid}; sleep 60; echo 1'; echo 1", 1.0), checkpoints, [])
    for _ in range(100):
        if not Path(f"/proc/{pid.read_text().strip()}").exists() or _is_zombie(int(pid.read_text())):
            return
        time.sleep(0.05)
    os.kill(int(pid.read_text()), 9)
    pytest.fail("what the command started was left running")


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
