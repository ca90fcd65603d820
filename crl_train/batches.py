"""What a generation batch and an update are made of, and how many updates a run can come to. Numbers alone."""

from __future__ import annotations

from dataclasses import dataclass

from crl_train.phases import most_updates
from crl_train.recipe_file import Job

UNBOUNDED = 10_000_000
"""Updates, more than any run takes: what is measured meanwhile ends it."""


@dataclass(frozen=True)
class Shape:
    """What a generation batch is, over all processes: it is used for several updates, or an update uses several."""

    processes: int
    prompts: int
    completions: int
    updates: int
    completions_an_update: int
    batches_an_update: int

    @property
    def prompts_at_once(self) -> int:
        """Prompts drawn between two places where a run can end."""
        return self.prompts * self.batches_an_update

    def batches(self, updates: int) -> int:
        """How many generation batches so many updates use."""
        return -(-updates // self.updates) * self.batches_an_update


def shape_of(job: Job) -> Shape:
    """Of the processes that a recipe is made for, or else of those that are there."""
    trl = job.trl
    processes = job.ours.processes or int(trl.world_size)
    a_pass = int(trl.per_device_train_batch_size) * processes
    passes = max(1, int(trl.generation_batch_size) // a_pass) if _says_batch(job) else int(trl.steps_per_generation)
    uses = passes * int(trl.num_iterations)
    completions = int(trl.generation_batch_size) if _says_batch(job) else a_pass * passes
    return Shape(
        processes=processes,
        prompts=completions // int(trl.num_generations),
        completions=completions,
        updates=max(1, uses // int(trl.gradient_accumulation_steps)),
        completions_an_update=a_pass * int(trl.gradient_accumulation_steps),
        batches_an_update=max(1, int(trl.gradient_accumulation_steps) // uses),
    )


def _says_batch(job: Job) -> bool:
    """Whether a recipe says how many completions a generation batch has, and not only what a process does."""
    return job.said.get("generation_batch_size") is not None


def planned_updates(job: Job, n_prompts: int) -> int:
    """The most updates that a run can take: of the recipe's max_steps, its budget, its phases or its epochs."""
    ours, trl = job.ours, job.trl
    if trl.max_steps > 0:
        return int(trl.max_steps)
    shape = shape_of(job)
    if ours.budget is not None:
        unit, most = ours.budget.chosen
        if unit == "updates":
            return int(most)
        if unit == "prompts":
            return -(-int(most) // shape.prompts_at_once) * shape.updates
        return UNBOUNDED  # what a unit is used at is not known before
    return most_updates(ours.phases, n_prompts, shape.prompts_at_once, shape.updates, float(trl.num_train_epochs))
