"""The taskset for verifiers, with verifiers itself: its loading of tasksets, its tasks, its scoring."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import InputError
from crl_data.rows import Row, read_rows, record_files

vf = pytest.importorskip("verifiers.v1", reason="verifiers is not installed (the extra `verifiers`)")

ENDLESS = "```python\nwhile True: pass\n```"


@pytest.fixture
def taskset(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the taskset of the shipped problems as verifiers does, by the id of a module of two lines."""
    (tmp_path / "my_taskset.py").write_text(
        'from crl_data.rewards.verifiers import CrlTaskset\n__all__ = ["CrlTaskset"]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_taskset", raising=False)

    def make(**config: Any) -> Any:
        kind = vf.taskset_config_type("my-taskset")
        return vf.load_taskset(kind(**{"id": "my-taskset", "path": demo, **config}))

    return make


def answered(task: Any, text: str) -> Any:
    """The trace of a rollout in which a model answered with a text, scored by verifiers."""
    said = vf.MessageNode(message=vf.AssistantMessage(content=text), sampled=True)
    trace = vf.Trace(
        task=vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key),
        agent=vf.AgentInfo(config=vf.AgentConfig()),
        nodes=[said],
    )
    asyncio.run(task.score(trace))
    return trace


def test_every_record_is_a_task_of_its_own(demo: Path, taskset: Any) -> None:
    read = [row for files in record_files(demo).values() for file in files for row in read_rows(file)]
    records = {row.cells["id"]: row.cells for row in read if isinstance(row, Row)}
    tasks = list(taskset())
    assert [task.data.id for task in tasks] == list(records) and len({task.key for task in tasks}) == len(tasks)
    for task in tasks:
        record = records[task.data.id]
        (message,) = record["prompt"]
        assert task.data.prompt == message["content"] and task.data.verdict is record["verdict"]
        again = type(task.data).model_validate_json(task.data.model_dump_json())
        assert again == task.data  # what its traces hold
    of_test = list(taskset(split="test"))
    assert of_test and [task.data.id for task in of_test] == [
        row.cells["id"] for file in record_files(demo)["test"] for row in read_rows(file) if isinstance(row, Row)
    ]


def test_right_answers_are_rewarded_with_one_and_wrong_ones_less(taskset: Any, references: dict[str, str]) -> None:
    kinds = set()
    for task in taskset():
        truth = task.data.verdict
        kinds.add(truth is None)
        if truth is None:
            right, wrong = references[task.data.problem["problem_id"]], "```python\nprint('no such thing')\n```"
        else:
            right, wrong = (rf"\conclusion{{{letter}}}" for letter in ("TF" if truth else "FT"))
        assert answered(task, right).reward == 1.0, task.data.id
        assert answered(task, wrong).reward < 1.0, task.data.id
    assert kinds == {True, False}


def test_what_is_said_beside_the_reward(taskset: Any) -> None:
    tasks = list(taskset())
    solve = next(task for task in tasks if task.data.verdict is None)
    critique = next(task for task in tasks if task.data.verdict is not None)
    told = answered(critique, "no conclusion")
    assert told.metrics["missing"] == told.metrics["critique/missing_conclusions"] == 1.0 and told.reward == 0.0
    told = answered(solve, "no code")
    assert told.metrics["missing"] == 1.0 and told.metrics["solve/pass_rate"] == told.reward == 0.0
    assert vf.Trace.model_validate_json(told.model_dump_json()).metrics == told.metrics


def test_an_undecided_solution_has_no_reward_but_an_error(taskset: Any) -> None:
    task = next(task for task in taskset() if task.data.verdict is None)
    data = task.data.model_copy(update={"problem": {**task.data.problem, "judge": None, "time_limit_s": 0.25}})
    with pytest.raises(vf.TaskError) as caught:
        answered(type(task)(data, task.config), ENDLESS)
    assert task.data.id in str(caught.value.__cause__ or caught.value)
    chosen = type(task).config_type()(options={"on_inconclusive": 0.25})
    told = answered(type(task)(data, chosen), ENDLESS)
    assert told.reward == 0.25 and told.metrics["solve/inconclusive"] == 1.0


def test_options_of_the_configuration_are_those_of_the_rewards(taskset: Any) -> None:
    def first(**options: Any) -> Any:
        return next(iter(taskset(task={"options": options}, split="train")))

    assert answered(first(format=-0.5), "nothing").reward == -0.5
    for wrong in ({"tiemout_s": 1}, {"min_tokens": 4}):
        with pytest.raises(vf.TaskError):
            answered(first(**wrong), "nothing")


@pytest.mark.parametrize("config", [{"path": None}, {"split": "dev"}, {"path": Path("nowhere")}])
def test_what_is_no_dataset_is_an_error(taskset: Any, config: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        list(taskset(**config))
