"""Drawing by seed, without a state: what is drawn of some things does not hang on what else there is. Pure."""

from __future__ import annotations

import hashlib


def draw(seed: int, *names: str) -> bytes:
    """What things are ordered by where they are drawn by seed: the same for the same names, whatever else there is."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")).digest()
