"""That training teaches, on the tiny task and through the command's own path; and that it does not where it must not.

One seed, on held-out rows: hybrid training moves verdict accuracy and pass rate. Four sabotages must not move the accuracy: a reward
that pays for any verdict, flipped truths, shuffled truths, a loss without a gradient. Sampled accuracy decides: the greedy one can
drift over its threshold by chance where the most likely verdict is wrong by little.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

trl = pytest.importorskip("trl", minversion="1.16", reason="the extra [train] is not installed: no trainer to drive")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

from crl_train import trainer  # noqa: E402
from crl_train.recipe_file import load_job  # noqa: E402
from crl_train.toys.__main__ import write_task  # noqa: E402
from crl_train.train import train as train_it  # noqa: E402

Train = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny task with a warm start of it."""
    out = tmp_path_factory.mktemp("tiny")
    write_task("tiny", out, mutants=0)
    _trained("tiny-warm.yaml", out, out / "warm", model_name_or_path=out / "model", max_steps=1000)
    return out


def _trained(recipe: str, task: Path, out: Path, **settings: Any) -> dict[str, float]:
    paths = {
        "dataset": task / "data",
        "test_dataset": task / "test",
        "demonstrations": task / "demonstrations.jsonl",
        "evaluate.validation": 0,
        "output_dir": out,
        **settings,
    }
    done = train_it(
        load_job(ROOT / "recipes" / recipe, [f"{name}={value}" for name, value in paths.items()]), resume=False
    )
    return {one.name: one.value for one in done.results} | {
        f"{one.name}, before": one.before or 0.0 for one in done.results
    }


@pytest.fixture
def train(task: Path, tmp_path: Path) -> Train:
    def trained(**settings: Any) -> dict[str, float]:
        templates = {f"prompts.{name}": task / f"{name}.jinja" for name in ("shown", "cgd", "critique")}
        warm = task / "warm" / "model"
        return _trained("tiny-cpu.yaml", task, tmp_path / "run", model_name_or_path=warm, **templates, **settings)

    return trained


ACCURACY, PASS_RATE = "verdict accuracy, sampled", "pass rate, sampled"


def test_hybrid_training_teaches_to_judge_and_to_solve(train: Train) -> None:
    found = train(**{"mix.critique_share": 0.5})
    before = found[f"{ACCURACY}, before"]
    assert 0.55 <= before <= 0.80 and found[f"{PASS_RATE}, before"] < 0.85, "the warm start leaves nothing to show"
    assert found[ACCURACY] >= before + 0.08
    assert found["verdict accuracy, greedy"] >= 0.75
    assert found[PASS_RATE] >= 0.90


def _must_not_move(found: dict[str, float]) -> None:
    assert found[ACCURACY] <= found[f"{ACCURACY}, before"] + 0.04, found


def test_a_reward_that_pays_for_any_verdict_teaches_nothing(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def pays(kind: str, **_: Any) -> Any:
        def paid(completions: Any, log_extra: Any = None, **columns: Any) -> list[float | None]:
            texts = [one[-1]["content"] for one in completions]
            of_kind = [(solution is None) == (kind == "solve") for solution in columns["solution"]]
            mark = "def" if kind == "solve" else "\\conclusion{"
            return [float(mark in text) if mine else None for text, mine in zip(texts, of_kind, strict=True)]

        paid.__name__ = f"{kind}_reward"
        return paid

    broken: list[bool] = []
    real = trainer.CritiqueTrainer.answers

    def measured(self: Any, *args: Any, **kwargs: Any) -> Any:  # what is measured is judged by the real rewards
        kept, self.reward_funcs = self.reward_funcs, honest
        broken.append(True)
        try:
            return real(self, *args, **kwargs)
        finally:
            self.reward_funcs = kept

    honest = [trainer.reward("critique"), trainer.reward("solve")]
    monkeypatch.setattr(trainer, "reward", pays)
    monkeypatch.setattr(trainer.CritiqueTrainer, "answers", measured)
    _must_not_move(train(**{"mix.critique_share": 0.5}))
    assert broken


def test_flipped_truths_teach_the_opposite(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def flipped(arm: Any, rows: Any, seed: int, template: Any) -> dict[int, dict[str, Any]]:
        return {place: {"verdict": not row["verdict"]} for place, row in enumerate(rows) if row["kind"] == "critique"}

    monkeypatch.setattr("crl_train.data.changes_for", flipped)
    found = train(**{"mix.critique_share": 0.5})
    _must_not_move(found)


def test_shuffled_truths_teach_nothing(train: Train) -> None:
    _must_not_move(train(arm="hybrid-shuffled", **{"mix.critique_share": 0.5}))


def test_a_loss_without_a_gradient_changes_no_weight(
    train: Train, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    real = trainer.CritiqueTrainer._compute_loss

    def detached(self: Any, model: Any, inputs: Any) -> Any:
        return real(self, model, inputs).detach().requires_grad_()

    monkeypatch.setattr(trainer.CritiqueTrainer, "_compute_loss", detached)
    found = train(**{"mix.critique_share": 0.5, "budget.prompts": 640})
    _must_not_move(found)
    before = load_file(task / "warm" / "model" / "model.safetensors")
    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert before.keys() == after.keys() and all(bool((before[name] == after[name]).all()) for name in before)
