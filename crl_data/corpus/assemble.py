"""The last stage of a build: the pool of every eligible record, and the records that are mixed and split from it.

What it needs of the judge is on the stage: nothing is run here. `pool` draws the same records from a pool that was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from crl_data.columns import RECORD
from crl_data.corpus.mix import Choice, Mixed, mix, splits
from crl_data.corpus.outputs import Directory
from crl_data.corpus.recipe import Recipe
from crl_data.corpus.records import CRITIQUE, GIVEN, critique_cells, solve_cells
from crl_data.corpus.stage import Stage
from crl_data.corpus.tally import Tally
from crl_data.prompts import Template
from crl_data.types import Problem


class Assembly:
    """Makes records of what is on the stage."""

    def __init__(self, recipe: Recipe, stage: Stage, tally: Tally, solve: Template, critique: Template) -> None:
        self.recipe = recipe
        self.stage = stage
        self.tally = tally
        self.solve = solve
        self.critique = critique

    def write_pool(self, directory: Directory) -> None:
        """Every eligible record: one solve record a problem with tests, one critique record for each decided candidate."""

        def rows() -> Iterator[dict[str, Any]]:
            for problem, _ in self.stage.problems():
                shared = self.stage.shared(problem.id)
                if problem.tests:
                    yield self._count(self.tally.pool, solve_cells(shared, problem, self.solve))
                for place, *_ in list(self.stage.decided(problem.id)):
                    yield self._count(self.tally.pool, self._critique(shared, problem, place))

        directory.write_shards("pool", "pool", RECORD, rows())

    def mixed(self) -> Mixed:
        """Which problems give critique records, of which candidates."""
        choices: dict[str, list[Choice]] = {}
        for place, problem, name, verdict, rate in self.stage.decided():
            choices.setdefault(problem, []).append(Choice(place=place, id=name, verdict=verdict, pass_rate=rate))
        mixed = mix([problem.id for problem, _ in self.stage.problems()], choices, self.recipe.mixing())
        self.tally.mix = {
            "critiques wanted": mixed.wanted,
            "passed over": mixed.passed_over,
            "shortfall": mixed.shortfall,
        }
        return mixed

    def write_data(self, directory: Directory, mixed: Mixed) -> None:
        """The records, split by problem, in an order drawn by seed."""
        names = [problem.id for problem, _ in self.stage.problems()]
        for split, members in splits(names, self.recipe.split.test_share, self.recipe.seed).items():
            counts = self.tally.records.setdefault(split, Counter())
            directory.write_shards(
                "data", split, RECORD, (self._count(counts, record) for record in self._records(members, mixed))
            )
            if not counts:
                del self.tally.records[split]

    def _records(self, names: list[str], mixed: Mixed) -> Iterator[dict[str, Any]]:
        for name in names:
            problem = self.stage.problem(name)
            assert problem is not None
            shared = self.stage.shared(name)
            places = mixed.critiques.get(name)
            if places is not None:
                for place in places:
                    yield self._critique(shared, problem, place)
            elif problem.tests:
                yield solve_cells(shared, problem, self.solve)

    def _critique(self, shared: dict[str, Any], problem: Problem, place: int) -> dict[str, Any]:
        candidate, verdict, rate, source = self.stage.candidate(place)
        return critique_cells(shared, problem, self.critique, candidate, verdict, rate, source)

    def _count(self, counts: Counter[str], record: dict[str, Any]) -> dict[str, Any]:
        counts["records"] += 1
        counts[record["kind"]] += 1
        if record["kind"] == CRITIQUE:
            counts[f"{CRITIQUE} {'true' if record['verdict'] else 'false'}"] += 1
            if record["label_source"] == GIVEN:
                counts[f"{CRITIQUE} {GIVEN}"] += 1
        return record
