"""What a zygote does before it forks cells."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("setting", [{}, {"MALLOC_MMAP_THRESHOLD_": "65536"}, {"PYTHONMALLOC": "malloc"}])
def test_it_takes_little_memory_to_fill_holes_however_memory_is_laid_out(setting: dict[str, str]) -> None:
    """Pieces that are mapped one by one lie ever lower, and without Python's allocator there are no pools."""
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from crl_data.sandbox.runner.cell import _fill_holes\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "_fill_holes()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    environment = {**os.environ, **setting}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and int(done.stdout) < 200 << 10, done.stdout + done.stderr
