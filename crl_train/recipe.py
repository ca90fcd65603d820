"""A training recipe: our few keys. All others are TRL's own (GRPOConfig, ModelConfig), and `recipe_file` reads both.

What each key means, docs/training.md says too. A key that is not known is an error that names the nearest known one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Arm(StrEnum):
    """What is trained on. docs/training.md says what each arm, and each control, is there to tell."""

    SOLVE_ONLY = "solve-only"
    CRITIQUE_ONLY = "critique-only"
    HYBRID = "hybrid"
    HYBRID_ONPOLICY = "hybrid-onpolicy"
    CFT = "cft"
    CGD = "cgd"
    SFT = "sft"
    SOLVE_80 = "solve-80"
    HYBRID_SHUFFLED = "hybrid-shuffled"
    SOLUTION_SHOWN = "solution-shown"
    HYBRID_MUTANTS = "hybrid-mutants"

    @property
    def is_supervised(self) -> bool:
        """Whether a model is shown what to write, and no reward is asked for."""
        return self in (Arm.CFT, Arm.CGD, Arm.SFT)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Steps = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Plateau(_Part):
    """The mean reward of the last `window` updates is not more than `gain` above that of the `window` before."""

    window: Steps = 20
    gain: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01


class Until(_Part):
    """When a phase is over: after so many updates, so large a share of the epoch's prompts, or on a plateau.

    With several the first one counts, so that `steps` can bound a plateau.
    """

    steps: Steps | None = None
    epoch_share: Share | None = None
    plateau: Plateau | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.steps is None and self.epoch_share is None and self.plateau is None:
            raise ValueError("one of steps, epoch_share or plateau")
        return self


class Phase(_Part):
    """A part of a run with a length and a critique weight of its own.

    data: "continue" with the prompts that were not drawn yet, or "restart" with all of them in a new order.
    """

    max_completion_length: Steps | None = None
    critique_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    until: Until | None = None
    data: Literal["continue", "restart"] = "continue"


class Mix(_Part):
    """How critique and solve records are mixed, over the build's own settings: keys of the `mix` of a `crl-data` recipe."""

    critique_share: Annotated[float, Field(ge=0, le=1)] | None = None
    pick: Literal["random", "first", "near_miss", "one_true_one_false"] | None = None
    balance: Annotated[float, Field(gt=0, lt=1)] | None = None
    per_problem: Steps | None = None
    seed: int | None = None

    def changes(self) -> dict[str, Any]:
        """What is changed."""
        return self.model_dump(exclude_none=True)


class Budget(_Part):
    """How much a run may use; one of them. The others are counted and reported."""

    prompts: Steps | None = None
    generated_tokens: Steps | None = None
    updates: Steps | None = None
    gpu_seconds: Share | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("one of prompts, generated_tokens, updates or gpu_seconds")
        return self

    @property
    def chosen(self) -> tuple[str, float]:
        """The unit, and how much of it."""
        ((unit, most),) = self.model_dump(exclude_none=True).items()
        return unit, float(most)


class Evaluate(_Part):
    """What is measured while training, on rows that are not trained on.

    validation: how many problems of the training split are kept back for it; or another dataset, which is all kept back.
    every: updates between two measurements (each checkpoint, where there is none). rows: at most so many rows of each kind.
    samples: answers a row, at the training's temperature; greedy: one more, at temperature 0.
    """

    validation: Annotated[int, Field(ge=0)] | str = 0
    every: Steps | None = None
    rows: Steps = 200
    samples: Steps = 1
    greedy: bool = True


class Command(_Part):
    """A program that prints one number as JSON. `{checkpoint}` in it is the folder of a checkpoint; the largest number wins."""

    command: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[float, Field(gt=0)] = 7200.0


Select = Literal["last", "verdict_accuracy", "pass_rate", "reported-test"] | Command


class OnPolicy(_Part):
    """The policy's own judged solutions as critique prompts.

    share: of the critique prompts. max_age: a solution is asked about within so many updates of its writing. balance: the
    wanted share of right ones.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    max_age: Steps = 4
    balance: Annotated[float, Field(gt=0, lt=1)] | None = 0.5


class Prompts(_Part):
    """Templates of prompts that no record holds: a name, or a Jinja file relative to the recipe.

    critique: of the policy's own solutions, the very one that the dataset's critique prompts were made with; by default the one
    of that name.
    """

    critique: str | None = None
    shown: str = "default"
    cgd: str = "default"


class Rollouts(_Part):
    """Which completions are kept, in Parquet: a share of the prompts (all at 1, none at 0)."""

    share: Annotated[float, Field(ge=0, le=1)] = 1.0


class TrainRecipe(_Part):
    """Our keys."""

    dataset: Annotated[str, Field(min_length=1)]
    dataset_revision: str | None = None
    test_dataset: str | None = None
    demonstrations: str | None = None
    arm: Arm = Arm.HYBRID
    processes: Steps | None = None
    mix: Mix = Mix()
    max_prompt_length: Steps | None = 4096
    phases: tuple[Phase, ...] = ()
    critique_weight_mode: Literal["raw", "advantage", "batch"] = "raw"
    zero_variance: Literal["keep", "drop", "refill"] = "keep"
    refill_limit: Steps | None = 8
    budget: Budget | None = None
    evaluate: Evaluate = Evaluate()
    select: Select = "last"
    onpolicy: OnPolicy = OnPolicy()
    prompts: Prompts = Prompts()
    reward: dict[str, Any] = {}
    rollouts: Rollouts = Rollouts()
    gradient_norm_every: Steps | None = None
    supervised: dict[str, Any] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.arm is Arm.SFT and self.demonstrations is None:
            raise ValueError("demonstrations beside arm: sft, a file of rows with prompt and completion")
        for phase in self.phases[:-1]:
            if phase.until is None:
                raise ValueError("until in every phase but the last: the next one would never begin")
        if self.select in ("verdict_accuracy", "pass_rate") and not self.evaluate.validation:
            raise ValueError(
                "evaluate.validation beside select: problems that are kept back to choose a checkpoint on, apart from the test"
            )
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """The critique weights of the phases."""
        return tuple(phase.critique_weight for phase in self.phases) or (1.0,)
