"""stub"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def find_leaks(files: Mapping[str, Path], secrets: Sequence[object]) -> list[object]:
    return []


def secrets_of_this_machine(directory: Path) -> list[object]:
    return []
