"""Estimates that are reported, and their intervals. Pure."""

from __future__ import annotations

import math

_Z = 1.959963984540054  # 95 %


def pass_at_k(n: int, n_true: int, k: int) -> float:
    """The chance that at least one of k answers is right, drawn without replacement from n >= k (arXiv 2107.03374, eq. 1)."""
    return 1 - math.comb(n - n_true, k) / math.comb(n, k)


def wilson(mean: float, n: int) -> tuple[float, float]:
    """The 95 % interval of Wilson's score for a mean of n >= 1 values between 0 and 1.

    For n trials that pass or fail it is the usual one. Values in between vary less than trials of the same mean, so that it is
    then wider than it would have to be, and never too narrow on that account.
    """
    middle = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return max(0.0, min(mean, middle - half)), min(1.0, max(mean, middle + half))
