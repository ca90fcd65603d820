"""Attacks taken for correct and honest programs failed: by ours behind each backend, and by weaker judges.

    python -m benchmarks.attacks [--backend local docker] [--isolation batch per-test] [--weaker] [--json]

The attacks and the honest programs are those of `tests/attacks` and `tests/honest`, so it runs in a checkout. A weaker
judge is a small script that does what a grader in use does (`tests/attacks/weaker`), run as a program in our own sandbox;
it is given what is of the kinds that it can judge, but for what takes time or too much of the machine. Of ours, "failed" is
every verdict on an honest program but True, and "taken for correct" every True on an attack; nothing is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field

from crl_data.errors import RunnerDied, SandboxUnavailable
from crl_data.judging import Isolation, Judge, Policy
from crl_data.sandbox import open_sandbox
from crl_data.types import Problem, Solution

try:
    from tests.attacks import ATTACKS, weaker
    from tests.attacks.case import Group
    from tests.attacks.problems import shortened
    from tests.honest import HONEST
except ModuleNotFoundError:
    sys.exit("benchmarks.attacks reads tests/attacks and tests/honest: run it at the top of a checkout")


@dataclass
class Figures:
    """What one judge made of the attacks and of the honest programs: how many it was given, and the names it got wrong."""

    judge: str
    attacks: int = 0
    honest: int = 0
    taken_for_correct: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", nargs="*", default=["local"], choices=["local", "docker"])
    parser.add_argument("--isolation", nargs="*", default=["batch", "per-test"], choices=[*Isolation])
    parser.add_argument("--weaker", action="store_true", help="the weaker judges too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: list[Figures] = []
    for backend in options.backend:
        for isolation in options.isolation:
            found.append(of_ours(backend, Isolation(isolation)))
    if options.weaker:
        found += of_weaker()
    if options.json:
        print(json.dumps([vars(one) for one in found], indent=2, ensure_ascii=False))
        return
    print(f"{'judge':<32} {'attacks':>8} {'taken for correct':>18} {'honest':>8} {'failed':>8}")
    for one in found:
        print(f"{one.judge:<32} {one.attacks:>8} {len(one.taken_for_correct):>18} {one.honest:>8} {len(one.failed):>8}")
    for one in found[: len(options.backend) * len(options.isolation)]:
        for name in (*one.taken_for_correct, *one.failed):
            print(f"{one.judge}: {name}")


def of_ours(backend: str, isolation: Isolation) -> Figures:
    """Ours behind a backend. Raises `SandboxUnavailable` where that is not there."""
    figures = Figures(f"ours, {backend}, {isolation}")
    try:
        judge = Judge(sandbox=backend, policy=Policy(isolation=isolation))
    except SandboxUnavailable as error:
        sys.exit(str(error))
    with judge:
        tried = [(shortened(one.problem, one.tests), one.code) for one in ATTACKS]
        honest = [(one.problem, one.code) for one in HONEST]
        judged = list(
            judge.map(
                (problem, Solution(problem_id=problem.id, id="s", code=code)) for problem, code in (*tried, *honest)
            )
        )
    figures.attacks, figures.honest = len(ATTACKS), len(HONEST)
    figures.taken_for_correct = [one.name for one, seen in zip(ATTACKS, judged, strict=False) if seen.verdict is True]
    figures.failed = [
        f"{one.name} ({one.problem.id}): {seen.reason}"
        for one, seen in zip(HONEST, judged[len(ATTACKS) :], strict=True)
        if seen.verdict is not True
    ]
    return figures


def of_weaker() -> list[Figures]:
    """Each weaker judge on what is of its kinds."""
    sandbox = open_sandbox("local", ("numpy", "pytest"))
    runner = sandbox.start(False)
    found = []
    for name, kinds in weaker.KINDS.items():
        figures = Figures(name)

        def verdict(problem: Problem, code: str, name: str = name) -> bool:
            nonlocal runner
            try:
                return weaker.says_right(runner, name, problem, code, cpu_s=4.0)
            except RunnerDied:
                runner = sandbox.start(False)
                return False

        for attack in ATTACKS:
            if attack.problem.test_kind in kinds and attack.group not in (Group.TIME, Group.RESOURCES):
                figures.attacks += 1
                if verdict(attack.problem, attack.code):
                    figures.taken_for_correct.append(attack.name)
        for honest in HONEST:
            if honest.problem.test_kind in kinds:
                figures.honest += 1
                if not verdict(honest.problem, honest.code):
                    figures.failed.append(f"{honest.name} ({honest.problem.id})")
        found.append(figures)
    runner.close()
    return found


if __name__ == "__main__":
    main()
