"""What happens between updates: the next phase, the end of a budget, signals, checkpoints where a generation batch ends,
measurements on held-out rows, and the files that a run leaves of all this.

    metrics.jsonl       what was logged, a line a log
    evaluations.jsonl   what was measured on held-out rows, a line a measurement
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from crl_data.errors import WorkError
from crl_train import measures
from crl_train.data import Rows
from crl_train.lines import EVALUATIONS, METRICS, Log
from crl_train.phases import is_over, is_spent
from crl_train.recipe import Phase
from crl_train.trainer import CritiqueTrainer


class Stop:
    """Whether the run was asked to end, by SIGTERM or SIGINT. A second SIGINT ends it at once; SIGTERM may come twice, from a
    scheduler and from a launcher.
    """

    def __init__(self) -> None:
        self.asked_by: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked_by is None:
            os.write(2, b"\nends after a checkpoint, once what was generated is used; Ctrl-C again ends at once\n")
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked_by = number


class HeldOut:
    """Held-out rows of a run by split, and how they are asked about."""

    def __init__(self, splits: dict[str, Rows], samples: int, greedy: bool) -> None:
        self.splits = splits
        self._samples = samples
        self._greedy = greedy

    def measure(self, trainer: CritiqueTrainer, split: str) -> Iterator[dict[str, Any]]:
        """What the model as it is answers on a split: sampled, and where it is wanted, greedily."""
        rows = self.splits[split]
        for greedy in (False, True) if self._greedy else (False,):
            answers = trainer.answers(rows, self._samples, greedy)
            found = measures.held_out(answers, 1 if greedy else self._samples)
            yield {"split": split, "how": "greedy" if greedy else "sampled", **found}


class Steering(TrainerCallback):  # type: ignore[misc]
    """Steers a `CritiqueTrainer`. while_training: the split that is measured on meanwhile; None: none."""

    def __init__(
        self,
        phases: tuple[Phase, ...],
        stop: Stop,
        held_out: HeldOut,
        while_training: str | None,
        every: int | None,
        run: Path,
        main: bool,
    ) -> None:
        self.trainer: CritiqueTrainer
        self._phases = phases or (Phase(),)
        self._stop = stop
        self._held_out = held_out
        self._split = while_training
        self._every = every
        self.metrics = Log(run / METRICS, main)
        self.evaluations = Log(run / EVALUATIONS, main)
        self._save_waits = False
        self._last_measured = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        progress = self.trainer.progress
        self.trainer.enter(self._phases[min(progress.phase, len(self._phases) - 1)])
        if progress.updates == 0:
            self._measure(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer, progress = self.trainer, self.trainer.progress
        progress.updates = int(state.global_step)
        progress.phase_updates += 1
        progress.phase_rewards.append(trainer.mean_reward)
        self._save_waits = self._save_waits or control.should_save
        control.should_save = False
        if trainer.at_boundary:
            self._at_boundary(control)
        if control.should_training_stop or int(state.global_step) >= args.max_steps:
            self._save_waits = True
        if self._save_waits and (trainer.at_boundary or control.should_training_stop):
            control.should_save, self._save_waits = True, False

    def _at_boundary(self, control: Any) -> None:
        trainer, progress = self.trainer, self.trainer.progress
        phase = self._phases[progress.phase]
        over = is_over(phase, progress, trainer.stream.n)
        epochs_over = phase.until is None and progress.phase_prompts >= trainer.args.num_train_epochs * trainer.stream.n
        if is_spent(trainer.ours.budget, progress) or (self._bounded_by_epochs and epochs_over):
            control.should_training_stop = True
        elif over and progress.phase + 1 < len(self._phases):
            progress.begin_phase()
            following = self._phases[progress.phase]
            if following.data == "restart":
                trainer.stream.restart()
            trainer.enter(following)
        elif over:
            control.should_training_stop = True
        if self._asked_to_stop():
            control.should_training_stop = True
        if self._every is not None and progress.updates - max(0, self._last_measured) >= self._every:
            self._measure(progress.updates)

    @property
    def _bounded_by_epochs(self) -> bool:
        """Whether a phase that says nothing of its end has one by the epochs: not where a budget or max_steps is the bound."""
        return self.trainer.ours.budget is None and not self.max_steps_said

    max_steps_said = False

    def _asked_to_stop(self) -> bool:
        """Whether any process of the run was asked to end."""
        import torch

        flag = torch.tensor([float(self._stop.asked_by is not None)], device=self.trainer.accelerator.device)
        return bool(self.trainer.accelerator.gather(flag).max() > 0)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._stop.asked_by is None:
            self._measure(int(state.global_step))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        told = dict(logs or {})
        if "train_runtime" in told:
            return
        norm = told.get("grad_norm")
        if norm is not None and not math.isfinite(float(norm)):
            raise WorkError(
                f"update {state.global_step}: the gradient is not a number any more; go on from a checkpoint before it with "
                "--resume and a smaller learning_rate"
            )
        used = {f"used/{unit}": amount for unit, amount in self.trainer.progress.used().items()}
        self.metrics.write({"update": int(state.global_step), "phase": self.trainer.progress.phase, **told, **used})

    def _measure(self, update: int) -> None:
        if self._split is None or self._last_measured == update:
            return
        self._last_measured = update
        for found in self._held_out.measure(self.trainer, self._split):
            self.evaluations.write({"update": update, **found})


class Bar(ProgressCallback):  # type: ignore[misc]
    """A bar of updates on a terminal's standard error; what is logged goes to the run's files, and not to standard output."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.training_bar is not None and logs and "reward" in logs:
            self.training_bar.set_postfix(reward=f"{logs['reward']:.3f}")


def show_progress(trainer: Any) -> None:
    """A bar where somebody watches, and nothing of what the trainer would print."""
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    if not trainer.args.disable_tqdm:
        trainer.add_callback(Bar)
