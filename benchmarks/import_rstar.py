"""Is rStar-Coder imported in flat memory, and how fast? Rows as it has them, and `crl-data import` against decoding alone.

    python -m benchmarks.import_rstar [--gb 0.5 1] [--forms jsonl parquet] [--rounds 3] [--folder DIR]

Makes files of `seed_testcase` with its published columns: many small rows, some of a few MB and, once in 64 MB, one of
32 MB; the same at every size, only more of them. Parquet has large strings and groups of 1,000 rows, as
`datasets` writes them.
Printed are the largest resident memory of `crl-data import` and its CPU time, and the CPU time of a process that reads the
same file and decodes the JSON of the rows and of their lists, and does nothing with it. Both take turns; of the times the
least counts, of the memory the most.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_LARGEST, _LARGE, _SMALL = 32 << 20, 2 << 20, 48 << 10
_GROUP = 1_000
_STARTER = "class Solution:\n    def total(self, numbers: List[int]) -> int:\n        "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--forms", nargs="+", choices=["jsonl", "parquet"], default=["jsonl", "parquet"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--decode", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.decode:
        decode(options.decode)
        return
    head = ("what", "rows", "MB of JSON", "CPU s", "decoding", "of its speed", "MB at most")
    print(f"{head[0]:<16}{head[1]:>8}{head[2]:>12}{head[3]:>8}{head[4]:>10}{head[5]:>14}{head[6]:>12}")
    for form in options.forms:
        peaks = []
        for size in options.gb:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                peaks.append(measure(Path(folder), form, size, options.rounds))
        if len(peaks) > 1:
            print(f"{form}: the peaks differ by {100 * (max(peaks) / min(peaks) - 1):.1f} %", flush=True)


def measure(folder: Path, form: str, size: float, rounds: int) -> float:
    """Print what an import and decoding take; the peak of the import in MB."""
    file = folder / f"seed_testcase.{form}"
    count, written = make(file, int(size * 1e9))
    out = folder / "problems.jsonl"
    decoding, seconds, peak = math.inf, math.inf, 0.0
    for _ in range(rounds):
        decoding = min(decoding, child("-m", "benchmarks.import_rstar", "--decode", str(file))[0])
        out.unlink(missing_ok=True)
        taken, most = child("-m", "crl_data", "import", "rstar", str(file), "--out", str(out))
        seconds, peak = min(seconds, taken), max(peak, most)
    with out.open("rb") as lines:
        assert sum(1 for _ in lines) == count
    print(
        f"{f'{form} {size} GB':<16}{count:>8,}{written / 1e6:>12,.0f}{seconds:>8.1f}{decoding:>10.1f}"
        f"{decoding / seconds:>14.2f}{peak:>12,.0f}",
        flush=True,
    )
    return peak


def child(*arguments: str) -> tuple[float, float]:
    """The CPU seconds of a process and its largest resident memory in MB."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


# --- the rows ---------------------------------------------------------------------------------------------------------


def make(file: Path, size: int) -> tuple[int, int]:
    """Write rows until their JSON has that many bytes; how many rows, and how many bytes."""
    count = written = 0
    with _Writer(file) as write:
        for row in rows():
            if written >= size:
                break
            written += sum(len(value) for value in row.values())
            count += 1
            write(row)
    return count, written


def rows(seed: int = 0) -> Iterator[dict[str, str]]:
    """Rows of seed_testcase, without end. Every fifth is called, all others read standard input."""
    drawn = random.Random(seed)
    digits = " ".join(str(drawn.randrange(10**9)) for _ in range(_LARGEST // 8))
    number = 0
    while True:
        sizes = [_SMALL] * 400 + [_LARGE] * 6 + [_LARGEST]
        drawn.shuffle(sizes)
        for size in sizes:
            number += 1
            yield _row(number, size, digits, drawn)


def _row(number: int, size: int, digits: str, drawn: random.Random) -> dict[str, str]:
    called = number % 5 == 0 and size == _SMALL
    inputs = []
    for part in (1, 1, 1, 1, 4, 8, 16, 32):
        length = max(size * part // 64, 20)
        start = drawn.randrange(len(digits) - length)
        words = digits[start : start + length].split()[1:-1] or ["1"]
        if called:
            inputs.append(f'{{"numbers": [{", ".join(words)}]}}')
        else:
            inputs.append(
                f"{len(words)}\n" + "\n".join(" ".join(words[at : at + 20]) for at in range(0, len(words), 20))
            )
    return {
        "question_id": f"seed_{number}",
        "question": f"Add the numbers, as problem {number}.",
        "starter_code": _STARTER if called else "",
        "inputs": json.dumps(inputs),
        "outputs": json.dumps([str(drawn.randrange(10**12)) for _ in inputs]),
        "is_synthesized": json.dumps([True] * len(inputs)),
        "test_case_type": json.dumps(["random"] * len(inputs)),
        "func_name": "total" if called else "",
        "class_name": "Solution" if called else "",
    }


class _Writer:
    """Writes rows to a file of JSON lines, or to Parquet in groups of so many rows as `datasets` writes them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.group: list[dict[str, str]] = []

    def __enter__(self) -> Callable[[dict[str, str]], object]:
        if self.file.suffix == ".jsonl":
            self.out: Any = self.file.open("w", encoding="utf-8")
            return lambda row: self.out.write(json.dumps(row) + "\n")
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.schema = pa.schema([(name, pa.large_string()) for name in next(rows())])
        self.out = pq.ParquetWriter(self.file, self.schema)
        return self._to_group

    def _to_group(self, row: dict[str, str]) -> None:
        self.group.append(row)
        if len(self.group) == _GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        self.out.write_table(pa.Table.from_pylist(self.group, schema=self.schema))
        self.group.clear()

    def __exit__(self, *_: object) -> None:
        if self.group:
            self._write_group()
        self.out.close()


def decode(file: Path) -> None:
    """Read a file and decode its JSON, and that of the lists in it."""
    for row in _lines(file) if file.suffix == ".jsonl" else _batches(file):
        for name in ("inputs", "outputs"):
            json.loads(row[name])


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _batches(file: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=8):
            yield from batch.to_pylist()


if __name__ == "__main__":
    main()
