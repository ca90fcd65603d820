"""The last stage of a build: the pool of every eligible record, and the records that are mixed and split from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from crl_data.columns import RECORD
from crl_data.corpus.mix import Choice, Mixed, Mixing, mix
from crl_data.corpus.outputs import Directory
from crl_data.corpus.recipe import Recipe
from crl_data.corpus.records import CRITIQUE, critique_record, solve_record
from crl_data.corpus.select import draw
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import Tally
from crl_data.judging import Judge, Prepared
from crl_data.prompts import Template
from crl_data.rows import cells_of
from crl_data.types import Judgement, Outcome, Record

TRAIN, TEST = "train", "test"


class Assembly:
    """Makes records of what is on the stage."""

    def __init__(
        self, recipe: Recipe, stage: Stage, judge: Judge, tally: Tally, solve: Template, critique: Template
    ) -> None:
        self.recipe = recipe
        self.stage = stage
        self.judge = judge
        self.tally = tally
        self.solve = solve
        self.critique = critique

    def write_pool(self, directory: Directory) -> None:
        """Every eligible record: one solve record a problem, one critique record for each decided candidate."""

        def rows() -> Iterator[dict[str, Any]]:
            for prepared in self._prepared():
                yield self._count(self.tally.pool, self._solve(prepared))
                for place, *_ in list(self.stage.decided(prepared.plan.problem.id)):
                    yield self._count(self.tally.pool, self._critique(prepared, place))

        directory.write_shards("pool", "pool", RECORD, rows())

    def mixed(self) -> Mixed:
        """Which problems give critique records, of which candidates."""
        choices: dict[str, list[Choice]] = {}
        for place, problem, name, verdict, rate in self.stage.decided():
            choices.setdefault(problem, []).append(Choice(place=place, id=name, verdict=verdict, pass_rate=rate))
        settings = self.recipe.mix
        mixing = Mixing(
            share=settings.critique_share,
            pick=settings.pick,
            balance=settings.balance,
            per_problem=settings.per_problem,
            threshold=self.recipe.judge.threshold,
            seed=self.recipe.seed,
        )
        return mix([problem.id for problem, _ in self.stage.problems()], choices, mixing)

    def write_data(self, directory: Directory, mixed: Mixed) -> None:
        """The records, split by problem, in an order drawn by seed."""
        names = sorted(
            (problem.id for problem, _ in self.stage.problems()), key=lambda name: draw(self.recipe.seed, "split", name)
        )
        of_test = set(names[: round(self.recipe.split.test_share * len(names))])
        order = sorted(names, key=lambda name: draw(self.recipe.seed, "order", name))
        for split, members in (
            (TRAIN, [name for name in order if name not in of_test]),
            (TEST, [name for name in order if name in of_test]),
        ):
            counts = self.tally.records.setdefault(split, Counter())
            directory.write_shards(
                "data", split, RECORD, (self._count(counts, record) for record in self._records(members, mixed))
            )
            if not counts:
                del self.tally.records[split]

    def _records(self, names: list[str], mixed: Mixed) -> Iterator[Record]:
        for name in names:
            problem = self.stage.problem(name)
            assert problem is not None
            prepared = self.judge.prepare(problem).result()
            places = mixed.critiques.get(name)
            if places is None:
                yield self._solve(prepared)
            else:
                for place in places:
                    yield self._critique(prepared, place)

    def _prepared(self) -> Iterator[Prepared]:
        for problem, _ in self.stage.problems():
            yield self.judge.prepare(problem).result()

    def _solve(self, prepared: Prepared) -> Record:
        return solve_record(prepared, self.judge.info(prepared), self.solve)

    def _critique(self, prepared: Prepared, place: int) -> Record:
        candidate, cells = self.stage.candidate(place)
        judgement = Judgement(**{**cells, "outcomes": tuple(Outcome(name) for name in cells["outcomes"])})
        return critique_record(prepared, self.judge.info(prepared), self.critique, candidate, judgement)

    def _count(self, counts: Counter[str], record: Record) -> dict[str, Any]:
        counts["records"] += 1
        counts[record.kind] += 1
        if record.kind == CRITIQUE:
            counts[f"{CRITIQUE} {'true' if record.verdict else 'false'}"] += 1
        return cells_of(record)
