"""The logs that a run leaves: files of lines, each a JSON object with the `update` after which it was written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from crl_data.rows import writing

METRICS, EVALUATIONS = "metrics.jsonl", "evaluations.jsonl"


class Log:
    """A file of lines, each written at once; after a resume, no line of an update that is made again."""

    def __init__(self, path: Path, writes: bool) -> None:
        self.path = path
        self._writes = writes

    def write(self, line: dict[str, Any]) -> None:
        if self._writes:
            whole = {name: None if _is_none(value) else value for name, value in line.items()}
            with writing(self.path), self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(whole, default=float) + "\n")

    def forget_after(self, update: int) -> None:
        """Take away the lines of later updates, and of the end of a run."""
        if self._writes and self.path.is_file():
            kept = [line for line in read_lines(self.path) if line["update"] <= update and not line.get("final")]
            write_whole(self.path, "".join(json.dumps(line) + "\n" for line in kept))


def _is_none(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; one that a killed process left half written is none."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole, or not at all. Raises `WorkError`."""
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
