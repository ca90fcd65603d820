"""How much too good the best of several equally good checkpoints looks on the test that chose it.

    python -m benchmarks.checkpoint_choice [--checkpoints 18] [--problems 166] [--rounds 2000]

Every checkpoint solves each problem with the problem's own probability, the same for all of them (drawn from a beta distribution;
its mean is the true score). Each is scored by one answer a problem; the best score less the true one is how far it is off. The
paper's Critique-Coder chose among the checkpoints of a run on the 166 problems of LiveCodeBench v5 that it reports.
"""

from __future__ import annotations

import argparse

import numpy as np

SHAPES = {"most problems either way": (0.5, 0.4), "in between": (1.2, 1.0), "every problem alike": (60.0, 50.0)}
"""How much problems differ in difficulty: the parameters of the beta distribution."""


def optimism(
    checkpoints: int, problems: int, rounds: int, shape: tuple[float, float], seed: int = 0
) -> tuple[float, float]:
    """By how much the best score is above the true one on average, and the standard error of that; in points of 100."""
    drawn = np.random.default_rng(seed)
    off = np.empty(rounds)
    for place in range(rounds):
        chance = drawn.beta(*shape, problems)
        scores = (drawn.random((checkpoints, problems)) < chance).mean(1)
        off[place] = scores.max() - chance.mean()
    return 100 * float(off.mean()), 100 * float(off.std(ddof=1) / np.sqrt(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint_choice", description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", type=int, default=18)
    parser.add_argument("--problems", type=int, default=166)
    parser.add_argument("--rounds", type=int, default=2000)
    given = parser.parse_args()
    print(f"the best of {given.checkpoints} equally good checkpoints, {given.problems} problems, an answer each")
    for name, shape in SHAPES.items():
        mean, error = optimism(given.checkpoints, given.problems, given.rounds, shape)
        print(f"{name:<26} {mean:5.2f} points too good (standard error {error:.2f})")


if __name__ == "__main__":
    main()
