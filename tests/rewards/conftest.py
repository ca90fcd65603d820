"""What the tests of rewards share: the dataset of the shipped problems, and what their references answer."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def references() -> dict[str, str]:
    """A right answer to each of the shipped problems, by id."""
    lines = (ROOT / "crl_data" / "examples" / "problems.jsonl").read_text().splitlines()
    return {row["id"]: f"So:\n```python\n{row['reference']}\n```\n" for row in map(json.loads, lines)}
