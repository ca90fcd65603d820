"""A built dataset as a taskset of verifiers (0.4.0, `verifiers.v1`); needs the extra `verifiers`.

A taskset of verifiers is a module that exports its class. Yours holds two lines, and its name is the taskset's id:

    from crl_data.rewards.verifiers import CrlTaskset
    __all__ = ["CrlTaskset"]

A critique is rewarded by its conclusion, a solution by its tests. A solution about which nothing could be decided has no
reward: scoring raises `Undecided`, which verifiers writes on the trace as it does every error of a rollout, unless the
option `on_inconclusive` is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import verifiers.v1 as vf
from pydantic import Field

from crl_data.columns import JUDGED_BY, RECORD
from crl_data.errors import InputError, WorkError
from crl_data.responses import extract_code, parse_conclusion
from crl_data.rewards import metrics, score
from crl_data.rewards.judging import ajudgements
from crl_data.rewards.options import Options, options_from
from crl_data.rows import record_files, whole_rows

__all__ = ["CrlTaskset"]

_OF_PROBLEM = ("problem_id", "tests", *JUDGED_BY, "judge")


class Undecided(WorkError):
    """Nothing could be decided about a solution: there is no reward for it."""


class CrlTaskConfig(vf.TaskConfig):
    """options: those of `crl_data.rewards.options.Options`; what is not given is as the environment says."""

    options: dict[str, Any] = Field(default_factory=dict)


class CrlConfig(vf.TasksetConfig):
    """path: a build directory. split: one of its splits; by default all."""

    path: Path | None = None
    split: str | None = None
    task: CrlTaskConfig = CrlTaskConfig()


class CrlData(vf.TaskData):
    """A record. verdict: the truth about a critique record, null on a solve record. problem: the columns of the latter."""

    verdict: bool | None = None
    problem: dict[str, Any] = Field(default_factory=dict)


class CrlTask(vf.Task[CrlData, vf.State, CrlTaskConfig]):
    """One record: its prompt, and the reward of what is answered."""

    @vf.metric
    async def missing(self, trace: vf.Trace) -> float:
        """1.0 without a conclusion, or without code."""
        data: CrlData = self.data
        read: Callable[[str], object] = extract_code if data.verdict is None else parse_conclusion
        return float(read(trace.last_reply) is None)

    @vf.reward(weight=1.0)
    async def crl(self, trace: vf.Trace) -> float:
        """Whether the conclusion is right, or the share of tests passed; the metrics of TRL's rewards beside it."""
        data: CrlData = self.data
        options, text = self._options(), trace.last_reply
        if data.verdict is not None:
            concluded = parse_conclusion(text)
            trace.record_metrics(metrics.of_critiques([concluded], [data.verdict]))
            return score.of_conclusion(concluded, data.verdict) + score.terms(score.CRITIQUE, text, None, options)
        (judgement,) = await ajudgements([data.problem], [text], options)
        trace.record_metrics(metrics.of_judgements([judgement], not score.is_decided(judgement, options)))
        worth = score.of_judgement(judgement, options)
        if worth is None:
            raise Undecided(f"{data.id}: {judgement.reason if judgement else 'not judged; the log says why'}")
        return worth + score.terms(score.SOLVE, text, None, options)

    def _options(self) -> Options:
        options = options_from(self.config.options)
        if options.counts_tokens:
            raise InputError("min_tokens, overlong_tokens: expected none of them, since no tokens are counted here")
        return options


class CrlTaskset(vf.Taskset[CrlTask, CrlConfig]):
    """The records of a build directory, in order."""

    def load(self) -> Iterator[CrlTask]:
        """Raises `InputError` where there is no such dataset or split."""
        config: CrlConfig = self.config
        if config.path is None:
            raise InputError("path: expected a build directory, got none")
        splits = record_files(config.path)
        if config.split is not None and config.split not in splits:
            raise InputError(f"split: expected one of {', '.join(splits)}, got {config.split!r}")
        for split, files in splits.items():
            if config.split in (None, split):
                for row in whole_rows(files, RECORD):
                    yield CrlTask(_data(row.cells), config.task)


def _data(record: Mapping[str, Any]) -> CrlData:
    """The data of a task: one user's message as text, since not every harness takes a chat."""
    system = [one["content"] for one in record["prompt"] if one["role"] == "system"]
    others = [one for one in record["prompt"] if one["role"] != "system"]
    plain = len(others) == 1 and others[0]["role"] == "user"
    critique = record.get("verdict") is not None
    return CrlData(
        id=record["id"],
        prompt=others[0]["content"] if plain else others,
        system_prompt="\n\n".join(system) or None,
        verdict=record.get("verdict"),
        problem={} if critique else {name: record.get(name) for name in _OF_PROBLEM},
    )
