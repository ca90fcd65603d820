"""The page of a dataset, in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crl_data import build
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    hostile = "</script><script>document.title = 'taken'</script><b>bold</b>"
    source = {"dataset": hostile, "revision": "1", "license": "cc0-1.0", "url": ""}
    problems = [{**PROBLEM_ROW, "id": f"p{n}", "question": f"Add: {n}.", "source": source} for n in range(4)]
    problems.append({**PROBLEM_ROW, "id": hostile, "reference": "print('no')\n", "source": source})
    write_rows(folder / "problems.jsonl", problems)
    write_rows(
        folder / "solutions.jsonl",
        [
            {"problem_id": f"p{n}", "id": name, "code": code}
            for n in range(4)
            for name, code in (("right", RIGHT_SUM), ("wrong", "print(1)\n"))
        ],
    )
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        json.dumps(
            {
                "problems": [{"path": "problems.jsonl"}],
                "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
                "mix": {"critique_share": 0.5},
            }
        )
    )
    return build(recipe, folder / "out", quiet=True).directory / "report" / "index.html"


def browse(page: Path, *options: str) -> str:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser is here (chromium)")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_it_shows_the_counts_and_says_what_was_set_aside(page: Path) -> None:
    shown = browse(page, "--dump-dom")
    for text in ("its own reference fails", "problems kept of 5", "stdin"):
        assert text in shown


def test_what_a_dataset_says_of_itself_is_text_and_never_code(page: Path) -> None:
    shown = browse(page, "--dump-dom")
    assert "<title>taken</title>" not in shown and "<b>bold</b>" not in shown
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown


def test_it_needs_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src|xlink:href)\s*=\s*["'](?!data:|#)|<link|@import|url\((?!#|["']?data:)""", text)
    assert loaded == []
