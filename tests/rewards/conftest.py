"""What the tests of rewards share: the dataset of the shipped problems, and what their references answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crl_data import build
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`crl-data build recipes/demo.yaml`; to be read only."""
    folder = tmp_path_factory.mktemp("demo") / "built"
    build(ROOT / "recipes" / "demo.yaml", folder, quiet=True)
    return folder


@pytest.fixture(scope="session")
def references() -> dict[str, str]:
    """A right answer to each of the shipped problems, by id."""
    lines = (ROOT / "crl_data" / "examples" / "problems.jsonl").read_text().splitlines()
    return {row["id"]: f"So:\n```python\n{row['reference']}\n```\n" for row in map(json.loads, lines)}
