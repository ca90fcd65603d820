"""The documents cannot drift: what the code offers stands in its page, and what a page says is so.

`python -m tests.test_docs` writes the blocks of `--help` into docs/cli.md anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from crl_data import columns
from crl_data.cli import app
from crl_data.compare import NAMED
from crl_data.corpus.recipe import AskedModel, LocalModel, Recipe, Written
from crl_data.export import Format
from crl_data.importers import PROBLEM_FORMATS, SOLUTION_FORMATS
from crl_data.judging import JUDGE_VERSION, Isolation, LimitFrom, Timeouts
from crl_data.responses import Extraction
from crl_data.sandbox.local import BACKENDS, REQUIRED_WALLS
from crl_data.sandbox.runner.walls import OWN, SHARED
from crl_data.types import Outcome, TestKind
from tests.conftest import ROOT

DOCS = ROOT / "docs"
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
ROW_TYPES = {
    "Problem": columns.PROBLEM,
    "Solution": columns.SOLUTION,
    "Judgement": columns.JUDGEMENT,
    "Record": columns.RECORD,
    "Critique": columns.CRITIQUE,
    "Difficulty": columns.DIFFICULTY,
}
SAID_OF_CANDIDATES = {*AskedModel.model_fields, *LocalModel.model_fields, *Written.model_fields} - {"sampler", "path"}
"""How a model is asked: a stage has these keys from the same classes as a source of candidates, and its page says so."""
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


# --- what a page says: functions of its text, so that they can be tried on a broken one -----------------------------------------


def section(text: str, heading: str) -> str:
    """A section of a page: from its heading to the next one of the same level or a higher one."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def first_cells(text: str) -> set[str]:
    """What stands in backquotes in the first cells of tables, their headings apart."""
    lines = re.sub(r"^\|.*\n\|[-:| ]+\|$", "", text, flags=re.MULTILINE).splitlines()
    return {name for line in lines if line.startswith("| ") for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def rows(text: str) -> dict[str, list[str]]:
    """The rows of tables whose first cell is one name in backquotes; the first one of a name."""
    found: dict[str, list[str]] = {}
    for cells in cells_of(text):
        found.setdefault(cells[0].strip("`"), cells[1:])
    return found


def cells_of(text: str) -> list[list[str]]:
    """The cells of the rows of tables that begin with a name in backquotes."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def help_blocks(text: str) -> dict[str, str]:
    """The fenced blocks under the marks `<!-- help -->` and `<!-- help: COMMAND -->`."""
    return dict(re.findall(r"<!-- help:? ?(\S*) ?-->\n\n```text\n(.*?)```\n", text, re.DOTALL))


def missing_columns(text: str) -> list[str]:
    """Columns, and keys within them, that do not stand in the section of their row type."""
    found = []
    for heading, struct in ROW_TYPES.items():
        told = section(text, f"## {heading}")
        named = first_cells(told)
        found += [f"{heading}.{name}" for name in struct.names() if name not in named]
        for column in struct.columns:
            inner = inner_names(column.type)
            if column.name in ("sampler", "judge") and (heading == "Solution" or column.name == "judge"):
                found += [f"{heading}.{column.name}.{name}" for name in inner if name not in named]
            else:
                line = rows(told).get(column.name, [""])[0]
                found += [
                    f"{heading}.{column.name}.{name}"
                    for name in inner
                    if f"`{name}`" not in line and column.name != "sampler"
                ]
    return found


def inner_names(kind: columns.Type) -> tuple[str, ...]:
    if isinstance(kind, columns.ListOf):
        return inner_names(kind.item)
    return kind.names() if isinstance(kind, columns.Struct) else ()


def recipe_keys(model: type[BaseModel] = Recipe, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every key of a recipe, dotted: its name, its default (`PydanticUndefined` where it has none), its type."""
    for name, field in model.model_fields.items():
        if place in ("difficulty.", "critiques.") and name in SAID_OF_CANDIDATES:
            continue
        inner = list(models_in(field.annotation))
        if inner:
            for one in inner:
                yield from recipe_keys(one, f"{place}{name}{'[]' if get_origin(field.annotation) is tuple else ''}.")
        else:
            yield place + name, field.default, field.annotation


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        if get_origin(kind) is not Annotated or part is get_args(kind)[0]:
            yield from models_in(part)


def told_default(value: Any) -> str:
    """A default as the page writes it: as YAML."""
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def wrong_keys(text: str) -> list[str]:
    """Recipe keys that do not stand in a table with their default, and keys in tables that are none."""
    told: dict[str, set[str]] = {}
    for cells in cells_of(text):
        if len(cells) == 4:
            told.setdefault(cells[0].strip("`"), set()).add(cells[2])
    keys = {name: default for name, default, _ in recipe_keys()}
    found = [
        f"{name}: {told_default(default)}"
        for name, default, _ in recipe_keys()
        if told_default(default) not in told.get(name, set())
    ]
    return found + [f"{name}: no such key" for name in told if name not in keys]


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere, to a file or to a heading."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (
            anchor and anchor not in anchors(text if not path else file.read_text(encoding="utf-8"))
        ):
            found.append(target)
    return found


def anchors(text: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


_OF_A_MACHINE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|work|mnt|media|srv|opt|var/folders|private|tmp/[\w.-]+)(?=/)[\w./-]*"
)


def machine_paths(text: str) -> list[str]:
    """Absolute paths that only one machine has."""
    return _OF_A_MACHINE.findall(text)


def help_of(command: str) -> str:
    """What `--help` prints at 80 columns."""
    call = [sys.executable, "-m", "crl_data", *([command] if command else []), "--help"]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    printed = subprocess.run(call, capture_output=True, text=True, check=True, env=environment, timeout=60).stdout
    return printed.replace("Usage: python -m crl_data", "Usage: crl-data", 1)


def options(command: Any) -> list[str]:
    return [name for parameter in command.params for name in parameter.opts if name.startswith("--")]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# --- the command line -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_stands_in_its_section(command: str) -> None:
    told = section(page("cli.md"), f"## {command}")
    assert told, f"docs/cli.md has no section of {command}"
    assert [
        option for option in options(COMMANDS[command]) if not re.search(rf"(?<![\w-]){option}(?![\w-])", told)
    ] == []


def test_no_section_is_of_a_command_that_is_not_there() -> None:
    assert re.findall(r"^## (.+)$", page("cli.md"), re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_help_block_is_what_the_command_prints(command: str) -> None:
    told = re.search(r"typer ([0-9.]+), 80 columns", page("cli.md"))
    assert told is not None
    if told[1] != typer.__version__:
        pytest.skip(
            f"docs/cli.md holds what typer {told[1]} prints, and this is {typer.__version__}: python -m tests.test_docs"
        )
    assert help_blocks(page("cli.md"))[command] == help_of(command)


def test_every_exit_status_is_told() -> None:
    assert set(re.findall(r"^\| (\d+) \|", page("cli.md"), re.MULTILINE)) == {"0", "1", "2", "130"}


# --- recipes --------------------------------------------------------------------------------------------------------------------


def test_every_recipe_key_stands_with_its_default() -> None:
    assert wrong_keys(page("recipes.md")) == []


def test_every_choice_of_a_recipe_key_is_told() -> None:
    for name, _, kind in recipe_keys():
        choices = [one for one in get_args(kind) if isinstance(one, str)] + list(
            kind if kind in (Timeouts, Isolation, Extraction) else []
        )
        lines = [line for line in page("recipes.md").splitlines() if line.startswith(f"| `{name}` |")]
        assert [choice for choice in choices if not any(f"`{choice}`" in line for line in lines)] == [], name


def test_the_examples_are_recipes() -> None:
    import yaml

    blocks = re.findall(r"```yaml\n(.*?)```", page("recipes.md"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        Recipe.model_validate(yaml.safe_load(block))


# --- data -----------------------------------------------------------------------------------------------------------------------


def test_every_column_stands_in_the_section_of_its_file() -> None:
    assert missing_columns(page("data-format.md")) == []


def test_no_column_is_told_that_is_not_there() -> None:
    for heading, struct in ROW_TYPES.items():
        inner = {name for column in struct.columns for name in inner_names(column.type)}
        told = first_cells(section(page("data-format.md"), f"## {heading}"))
        assert told - set(struct.names()) - inner - set(TestKind) == set(), heading


def test_required_columns_are_said_to_be() -> None:
    for heading in ("Problem", "Solution"):
        told = rows(section(page("data-format.md"), f"## {heading}"))
        for column in ROW_TYPES[heading].columns:
            assert (told[column.name][1] == "yes") == column.required, f"{heading}.{column.name}"


def test_columns_that_only_a_build_has_are_told() -> None:
    told = section(page("data-format.md"), "## The build directory")
    of_candidates = set(columns.CANDIDATE.names()) - set(columns.SOLUTION.names())
    assert [name for name in {*of_candidates, "set_aside"} if f"`{name}`" not in told] == []


def test_every_form_of_export_has_a_section_with_all_its_columns() -> None:
    text = page("export.md")
    assert set(map(str, Format)) == first_cells(section(text, "## The forms"))
    for form, struct in (("cft", columns.CFT), ("cgd", columns.CGD), ("pairs", columns.PAIR)):
        assert first_cells(section(text, f"## {form}")) == set(struct.names())
    assert set(columns.FINE_TUNING.names()) <= set(re.findall(r'"(\w+)"', section(text, "## openai")))


def test_the_schema_version_is_told() -> None:
    assert f"`schema_version` is {columns.SCHEMA_VERSION}." in section(page("data-format.md"), "## Schema version")


def test_every_kind_of_test_is_told() -> None:
    assert set(TestKind) <= first_cells(section(page("data-format.md"), "## Problem"))


def test_every_key_of_a_manifest_is_told(tmp_path: Path) -> None:
    from crl_data import build

    (tmp_path / "problems.jsonl").write_text(
        '{"id": "a", "question": "?", "test_kind": "stdin", "tests": [{"input": "1", "expected": "1"}], "reference": "print(input())"}\n'
    )
    (tmp_path / "r.yaml").write_text("problems: [{path: problems.jsonl}]\nsplit: {test_share: 0}\n")
    manifest = build(tmp_path / "r.yaml", tmp_path / "out", quiet=True).manifest
    told = first_cells(section(page("data-format.md"), "## Manifest"))
    assert [key for key in (*manifest, *manifest["counts"]) if key not in told] == []
    named = first_cells(section(page("data-format.md"), "## The build directory"))
    left = {f"{path.name}/" if path.is_dir() else path.name for path in (tmp_path / "out").iterdir()}
    assert {name.replace("report/", "report/index.html") for name in left} <= named


# --- judging, sandbox, importers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "heading", "wanted"),
    [
        ("judging.md", "## Outcomes", set(Outcome)),
        ("judging.md", "## When two outputs are the same", {*NAMED, "floats:EPS"}),
        ("judging.md", "## What a time-out counts as", set(Timeouts)),
        ("sandbox.md", "## The walls", {*SHARED, *OWN, "container"}),
        ("sandbox.md", "## Backends", set(BACKENDS)),
        ("importers.md", "## Problems", set(PROBLEM_FORMATS)),
        ("importers.md", "## Recorded solutions", set(SOLUTION_FORMATS)),
    ],
)
def test_every_name_stands_in_the_table_of_its_page_and_no_other(name: str, heading: str, wanted: set[str]) -> None:
    assert first_cells(section(page(name), heading)) == set(map(str, wanted))


def test_required_walls_are_told() -> None:
    told = re.search(r"\*\*Required walls\.\*\*(.*?)\.\s+The others", page("sandbox.md"), re.DOTALL)
    assert told is not None and re.findall(r"`(\w+)`", told[1].partition("stand:")[2]) == list(REQUIRED_WALLS)


def test_limits_are_those_of_the_code() -> None:
    from crl_data.judging import Policy, limits
    from crl_data.sandbox import Limits
    from crl_data.sandbox.container import MEMORY_MB
    from crl_data.sandbox.local import SCRATCH_MB
    from crl_data.sandbox.runner import values

    told = {
        line.split("|")[1].strip(): line.split("|")[2].strip()
        for line in section(page("sandbox.md"), "## Limits").splitlines()
        if line.startswith("| ")
    }
    default = Limits()
    assert told["memory"] == f"{default.memory_mb:g} MB" and told["output"] == f"{default.output_mb:g} MB"
    assert told["processes and threads"] == str(default.processes) and told["open files"] == str(default.files)
    assert told["scratch folder"] == f"{SCRATCH_MB} MB"
    assert (
        told["answer (function, assert)"]
        == f"{values.MAX_BYTES >> 20} MB, {values.MAX_NODES:,} parts, {values.MAX_DEPTH} levels"
    )
    one = Limits(cpu_s=1.0)
    assert (
        (one.idle_s, one.wall_s) == (3.0, 80.0)
        and "CPU limit + 2 s" in told["idle time"]
        and "20 × CPU limit + 60 s" in told["wall-clock time"]
    )
    assert f"{MEMORY_MB:,} MB" in section(page("sandbox.md"), "## The walls")
    times = section(page("judging.md"), "## Time limits")
    assert ", ".join(f"{step:g}" for step in limits.GRID_S) + " s" in " ".join(times.split())
    assert (
        f"{limits.FACTOR:g} times the largest" in times
        and f"at least {limits.FLOOR_S:g} s" in times
        and f"else {default.cpu_s:g} s" in times
    )
    assert [source for source in LimitFrom if f"`{source}`" not in times] == []
    assert f"null: {default.cpu_s:g} |" in page("recipes.md") and Policy().max_timeouts == 2


# --- all pages ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_holds_a_path_of_a_machine(path: Path) -> None:
    assert machine_paths(path.read_text(encoding="utf-8")) == []


def test_every_decision_is_listed_and_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert [name for name in names if f"({name})" not in page("decisions/README.md")] == []


def test_the_changelog_has_this_version_and_tells_of_verdicts() -> None:
    import crl_data

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {crl_data.__version__} - " in text and "\n## Verdicts\n" in text
    assert re.findall(r"`JUDGE_VERSION` is (\w+)\.", text)[:1] == [JUDGE_VERSION]


# --- these tests can fail -------------------------------------------------------------------------------------------------------


def test_a_column_that_is_left_out_is_found() -> None:
    text = page("data-format.md")
    for name, told in (
        ("Problem.public_tests", "| `public_tests` |"),
        ("Solution.sampler.edit", "| `edit` |"),
        ("Record.judge.walls", "| `walls` |"),
    ):
        assert told in text and missing_columns(text.replace(told, "| gone |")) == [name]
    assert missing_columns(text.replace("{`dataset`, `revision`, `license`, `url`} of strings", "an object", 1)) == [
        f"Problem.source.{name}" for name in ("dataset", "revision", "license", "url")
    ]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("| `seed` | int | `0` |", "| `seed` | int | `1` |", ["seed: `0`"]),
        ("| `judge.jobs` |", "| `judge.workers` |", ["judge.jobs: `null`", "judge.workers: no such key"]),
        ("| `8` | at most so many a problem;", "| `4` | at most so many a problem;", ["candidates[].per_problem: `8`"]),
    ],
)
def test_a_recipe_key_that_is_wrong_is_found(before: str, after: str, found: list[str]) -> None:
    text = page("recipes.md")
    assert before in text and wrong_keys(text.replace(before, after)) == found


def test_a_help_block_that_is_old_is_found() -> None:
    blocks: Mapping[str, str] = help_blocks(page("cli.md").replace("--repeat", "--again"))
    assert set(blocks) == {"", *COMMANDS} and blocks["judge"] != help_blocks(page("cli.md"))["judge"]


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = "[a](cli.md) [b](gone.md) [c](cli.md#judge) [d](cli.md#gone) [e](https://example.com) [f](#here)\n# Here\n"
    assert broken_links(DOCS / "cli.md", text) == ["gone.md", "cli.md#gone"]


def test_a_path_of_a_machine_is_found() -> None:
    text = (
        "see "
        + "/home"
        + "/someone/x, "
        + "/work"
        + "/main, /box/work, `/dev/null`, /proc/self and ../shared/data, https://a.b/home/x"
    )
    assert machine_paths(text) == ["/home" + "/someone/x", "/work" + "/main"]


def test_a_name_that_is_left_out_is_found() -> None:
    told = section(page("judging.md"), "## Outcomes")
    assert first_cells(told.replace("| `output_limit` |", "| |")) == set(Outcome) - {"output_limit"}
    assert first_cells(section(page("sandbox.md"), "## Walls")) == set()


def write_help() -> None:
    """Write what every command prints into docs/cli.md."""
    path = DOCS / "cli.md"
    text = re.sub(
        r"typer (?:TYPER|[0-9.]+), 80 columns",
        f"typer {typer.__version__}, 80 columns",
        path.read_text(encoding="utf-8"),
    )

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n```text\n{help_of(found[2])}```\n"

    text = re.sub(r"(<!-- help:? ?(\S*) ?-->)\n(?:\n```text\n.*?```\n)?", block, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_help()
