"""What happens between updates: the next phase, the end of a budget, signals, checkpoints where a generation batch ends,
measurements on held-out rows, and the files that a run leaves of all this.

    metrics.jsonl       what was logged, a line a log
    evaluations.jsonl   what was measured on held-out rows, a line a measurement
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from crl_train import measures
from crl_train.data import TEST, VALIDATION, Corpus, Rows
from crl_train.lines import EVALUATIONS, METRICS, Log
from crl_train.phases import is_over, is_spent, share_of
from crl_train.recipe import Evaluate, Phase
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


def agreed(accelerator: Any, flag: bool) -> bool:
    """Whether any process of a run says so. Every process asks at once."""
    return bool(accelerator.gather(torch.tensor([float(flag)], device=accelerator.device)).max() > 0)


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


def held_out_of(corpus: Corpus, evaluate: Evaluate) -> HeldOut:
    """The held-out rows of a corpus, asked about as a recipe says."""
    splits = {VALIDATION: corpus.validation, TEST: corpus.test}
    there = {name: rows for name, rows in splits.items() if rows is not None}
    return HeldOut(there, evaluate.samples, evaluate.greedy)


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
        self._saved = self._last_measured = -1
        self._ends_early = False
        self._began = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.trainer.should_hurry = self._should_hurry
        self.trainer.enter(self._phase)
        self.measure(self.trainer.progress.updates)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer, progress = self.trainer, self.trainer.progress
        progress.gpu_seconds += (time.perf_counter() - self._began) * trainer.accelerator.num_processes
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
            control.should_log = True  # what was logged since the last line is in no checkpoint

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if control.should_save:  # save_strategy: epoch
            control.should_save = control.should_log = self._saved != int(state.global_step)

    def _at_boundary(self, control: Any) -> None:
        trainer, progress = self.trainer, self.trainer.progress
        if self.is_over():
            control.should_training_stop = True
        elif self._is_phase_over():
            progress.begin_phase()
            if self._phase.data == "restart":
                trainer.stream.restart()
            trainer.enter(self._phase)
        if self.asked_to_stop():
            self._ends_early = control.should_training_stop = True
        every = self._every
        if every is not None and progress.updates // every > self._last_measured // every and not self._ends_early:
            self.measure(progress.updates)

    def is_over(self) -> bool:
        """Whether nothing is left to train, of the budget, the last phase or `max_steps`. Every process asks at once."""
        trainer, progress = self.trainer, self.trainer.progress
        is_last = progress.phase + 1 >= len(self._phases)
        return (
            progress.updates >= trainer.args.max_steps
            or agreed(trainer.accelerator, is_spent(trainer.ours.budget, progress))
            or (is_last and self._is_phase_over())
        )

    @property
    def _phase(self) -> Phase:
        return self._phases[min(self.trainer.progress.phase, len(self._phases) - 1)]

    def _is_phase_over(self) -> bool:
        """Whether it is over: one without a number in its `until` by the epochs, if no budget or max_steps is the bound."""
        progress, n, until = self.trainer.progress, self.trainer.stream.n, self._phase.until
        has_no_number = until is None or (until.steps is None and until.epoch_share is None)
        by_epochs = has_no_number and self.trainer.ours.budget is None and not self.max_steps_said
        return is_over(self._phase, progress, n) or (
            by_epochs and progress.phase_prompts >= share_of(self.trainer.args.num_train_epochs, n)
        )

    max_steps_said = False

    def _should_hurry(self) -> bool:
        """Whether a step should end with what it has. Every process asks at once."""
        spent = is_spent(self.trainer.ours.budget, self.trainer.progress)
        return agreed(self.trainer.accelerator, spent or self._stop.asked_by is not None)

    def asked_to_stop(self) -> bool:
        """Whether any process of the run was asked to end. Every process asks at once."""
        return agreed(self.trainer.accelerator, self._stop.asked_by is not None)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved = int(state.global_step)
        if not self._ends_early:
            self.measure(self._saved)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        told = dict(logs or {})
        if "train_runtime" in told:
            return
        used = {f"used/{unit}": amount for unit, amount in self.trainer.progress.used().items()}
        self.metrics.write({"update": int(state.global_step), "phase": self.trainer.progress.phase, **told, **used})

    def measure(self, update: int) -> None:
        """Measure on the split that is measured on while training; once after an update."""
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
