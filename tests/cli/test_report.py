"""`crl-data report`: the static page of a built dataset, made anew."""

from __future__ import annotations

import html.parser
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import assert_one_line, files_in, mounted
from tests.conftest import Command


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    shutil.copytree(dataset, tmp_path / "built")
    return tmp_path / "built"


class Page(html.parser.HTMLParser):
    """What a page asks for from elsewhere, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.plots = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        cells = dict(attrs)
        self.plots += tag == "svg"
        if tag in ("script", "img", "link", "iframe"):
            self.asked += [value for name in ("src", "href") if (value := cells.get(name)) and value[:5] != "data:"]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_it_names_the_page_and_makes_it_anew_where_it_was_deleted(crl_data: Command, copy: Path) -> None:
    shutil.rmtree(copy / "report")
    done = crl_data("report", "built")
    assert done.returncode == 0 and done.stderr == "" and done.stdout == "built/report/index.html\n"
    assert (copy / "report" / "index.html").read_text().lstrip().lower().startswith("<!doctype html")


def test_it_changes_nothing_else(crl_data: Command, copy: Path) -> None:
    def contents() -> dict[str, bytes]:
        names = [name for name in files_in(copy) if (copy / name).is_file() and not name.startswith("report")]
        return {name: (copy / name).read_bytes() for name in names}

    before, names = contents(), files_in(copy)
    assert crl_data("report", "built").returncode == 0
    assert contents() == before and files_in(copy) == names


def test_the_page_is_the_one_that_the_build_made(crl_data: Command, copy: Path) -> None:
    before = (copy / "report" / "index.html").read_bytes()
    assert crl_data("report", "built").returncode == 0
    assert (copy / "report" / "index.html").read_bytes() == before


def test_the_page_needs_nothing_from_elsewhere_and_holds_its_plots(crl_data: Command, copy: Path) -> None:
    assert crl_data("report", "built").returncode == 0
    page = Page((copy / "report" / "index.html").read_text())
    assert page.asked == [] and page.plots >= 1


def test_the_page_tells_the_counts_of_the_manifest(crl_data: Command, copy: Path) -> None:
    assert crl_data("report", "built").returncode == 0
    words = " ".join(Page((copy / "report" / "index.html").read_text()).said)
    counts = json.loads((copy / "manifest.json").read_text())["counts"]
    for number in (counts["problems"]["kept"], counts["judgements"]["judged"]):
        assert str(number) in words


def test_names_in_the_data_are_text_and_never_markup(crl_data: Command, copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["set_aside"] = [{"id": "<script>alert(1)</script>", "reason": "<img src=x onerror=alert(1)>"}]
    manifest["bad_rows"] = ["<script src=evil.js></script>"]
    manifest["name"] = "<script>alert(2)</script>"
    manifest["counts"]["problems"]["set_aside"] = {"<img src=y>": 1}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert crl_data("report", "built").returncode == 0
    text = (copy / "report" / "index.html").read_text()
    assert "<script>alert" not in text and "<img src" not in text and "<script src=evil" not in text


@pytest.mark.parametrize("name", ["none", "empty", "file"])
def test_what_is_no_dataset_is_one_line(crl_data: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    before = files_in(tmp_path)
    assert_one_line(crl_data("report", name), 2, f"{name}: ", "a built dataset")
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_manifest_that_is_none_is_one_line(crl_data: Command, copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content)
    assert_one_line(crl_data("report", "built"), 2, "built")


@pytest.mark.parametrize("name", ["judgements.parquet", "problems.parquet"])
def test_a_dataset_with_a_file_missing_is_one_line(crl_data: Command, copy: Path, name: str) -> None:
    (copy / name).unlink()
    done = crl_data("report", "built")
    assert done.returncode in (1, 2)
    assert_one_line(done, done.returncode, name)


def test_a_dataset_that_cannot_be_written_is_one_line_and_keeps_its_page(
    crl_data: Command, dataset: Path, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    if not mounted(closed, "size=8m"):
        pytest.skip("a read-only file system cannot be mounted here")
    try:
        shutil.copytree(dataset, closed / "built")
        before = files_in(closed)
        subprocess.run(["mount", "-o", "remount,ro", str(closed)], check=True)
        assert_one_line(crl_data("report", "closed/built"), 1, "index.html: cannot be written: ")
        assert files_in(closed) == before
    finally:
        subprocess.run(["umount", str(closed)], check=True)
