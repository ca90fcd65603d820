"""Keys, tokens, user names and paths of the machine are planted wherever a build could pick them up, and then looked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from crl_data.publishing.leaks import Secret, find_leaks, secrets_of_this_machine
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows
from tests.hub.server import HubServer, User
from tests.publishing.conftest import environment
from tests.samplers.server import Server

USER = "plantedperson"
KEYS = {
    "HF_TOKEN": "hf_plantedtokenplantedtoken",
    "OPENAI_API_KEY": "sk-planted-openai-key",
    "CRL_DATA_TOKEN": "planted-service-token",
    "AWS_SECRET_ACCESS_KEY": "planted+aws/secret",
    "GITHUB_TOKEN": "ghp_plantedgithub",
}
STORED = "hf_plantedinafileplanted"


class Place:
    """A home of a planted user, with a project in it, and what a person there would type."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home" / USER
        self.project = self.home / "work" / "project"
        self.data = self.home / "data"
        self.scratch = root / "scratch" / USER
        for folder in (self.project, self.data, self.scratch):
            folder.mkdir(parents=True)
        (self.home / "hf").mkdir()
        (self.home / "hf" / "token").write_text(STORED)

    @property
    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return (
            found
            | KEYS
            | {
                "HOME": str(self.home),
                "USER": USER,
                "LOGNAME": USER,
                "HF_HOME": str(self.home / "hf"),
                "TMPDIR": str(self.scratch),
                "HF_HUB_OFFLINE": "1",
            }
        )

    def run(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crl_data", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.project,
            env=self.environment | more,
            timeout=300,
        )


def recipe_of(place: Place, server: Server) -> Path:
    """Everything that can name a place or a key: absolute paths, paths through the user's folder, a tokenizer, prompts, a server."""
    rows = [
        {
            **PROBLEM_ROW,
            "id": f"p{n}",
            "question": f"Add two numbers: {n}",
            "reference": RIGHT_SUM,
            "source": {"license": "mit"},
        }
        for n in range(4)
    ]
    bad: list[dict[str, Any]] = [{**PROBLEM_ROW, "id": "bad", "tests": "none"}]
    wrong = {
        **PROBLEM_ROW,
        "id": "wrong",
        "question": "Fail.",
        "reference": "import sys\nsys.exit(open('/nowhere').read())",
    }
    write_rows(place.data / "problems.jsonl", [*rows, *bad, wrong])
    solutions = [{"problem_id": f"p{n}", "id": f"p{n}/{k}", "code": c} for n in range(4) for k, c in enumerate(CODES)]
    write_rows(place.data / "solutions.jsonl", [*solutions, {"problem_id": "nobody", "id": "x", "code": "1"}])
    critiques = [
        {
            "problem_id": f"p{n}",
            "solution_id": f"p{n}/{k}",
            "response": "Hm.\n\\conclusion{F}",
            "refined_code": RIGHT_SUM,
        }
        for n in range(4)
        for k in range(len(CODES))
    ]
    write_rows(place.data / "critiques.jsonl", critiques)
    tokenizer = Tokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(place.data / "tokenizer.json"))
    (place.data / "solve.jinja").write_text("Solve: {{ question }}\n")
    climbing = f"../../../{USER}/data"
    recipe = {
        "problems": [{"path": str(place.data / "problems.jsonl")}],
        "candidates": [
            {"sampler": "recorded", "path": f"{climbing}/solutions.jsonl"},
            {
                "sampler": "openai",
                "model": "m",
                "base_url": server.url,
                "n": 2,
                "api_key_env": "OPENAI_API_KEY",
                "retries": 1,
            },
            {"sampler": "mutants", "per_problem": 1},
        ],
        "select": {"tokenizer": str(place.data / "tokenizer.json")},
        "prompts": {"solve": str(place.data / "solve.jinja")},
        "clean": {"decontaminate": [{"name": "mine", "path": str(place.data / "no-such.jsonl"), "field": "question"}]},
        "critiques": {"sampler": "recorded", "path": str(place.data / "critiques.jsonl"), "of": "pool", "refine": True},
        "mix": {"critique_share": 0.5},
        "split": {"test_share": 0},
        "on_bad_rows": "skip",
    }
    path = place.project / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


CODES = [
    RIGHT_SUM,
    "raise SystemExit(__file__)",
    "import os\nprint(os.environ, os.getcwd(), os.path.expanduser('~'))",
    "import traceback\ndef f(): 1/0\ntry: f()\nexcept Exception: print(traceback.format_exc())",
    "import socket, getpass\nprint(socket.gethostname())\nprint(getpass.getuser())",
    "import sys\nprint(sys.path, sys.executable, sys.argv)",
]


def cells(value: Any) -> Iterator[str]:
    """Every text in a cell, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from cells(one)
    elif isinstance(value, list):
        for one in value:
            yield from cells(one)


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield "metadata", str(table.schema.metadata)
        for name in table.column_names:
            for value in table[name].to_pylist():
                yield from ((name, text) for text in cells(value))
    else:
        yield "", path.read_bytes().decode("utf-8", "surrogateescape")


def found_in(folder: Path, planted: list[str]) -> list[tuple[str, str, str]]:
    return [
        (path.relative_to(folder).as_posix(), where, one)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for where, text in texts_of(path)
        for one in planted
        if one in text
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def built(place: Place) -> tuple[Path, str]:
    """A dataset that was built among all this, and all that was printed on the way."""
    said = []
    with Server() as server:
        recipe = recipe_of(place, server)
        out, store = place.home / "out", place.home / "findings.sqlite"
        for more in (["--dry-run"], [], ["--json", "--debug"]):
            done = place.run("build", recipe, "--out", out, "--store", store, *more)
            assert done.returncode == 0, done.stderr
            said.append(done.stdout + done.stderr)
        assert any(KEYS["OPENAI_API_KEY"] in str(one) for one in server.headers)
    for arguments in (
        ["report", out],
        ["validate", out],
        ["relabel", out, "--threshold", "1.0", "--out", place.home / "strict"],
        *(
            ["export", out, "--to", form, "--out", place.home / form]
            for form in ("verl", "cft", "cgd", "pairs", "openai")
        ),
        ["verify", out],
        ["judge", place.data / "problems.jsonl", place.data / "solutions.jsonl", "--out", place.home / "judged.jsonl"],
        ["build", recipe, "--out", place.home / "other", "--debug"],  # the server is gone
        ["build", recipe, "--set", "judge.nothing=1", "--debug"],
        ["push", out, "me/planted", "--dry-run"],
        ["push", out, "me/planted", "--debug"],  # there is no Hub
    ):
        done = place.run(*arguments, HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE="0")
        said.append(done.stdout + done.stderr)
    return out, "\n".join(said)


def test_nothing_of_the_machine_is_in_what_a_build_leaves(built: tuple[Path, str], place: Place) -> None:
    planted = [USER, str(place.home.parent), *KEYS.values(), STORED, str(place.scratch.parent)]
    folders = [
        built[0],
        place.home / "strict",
        *(place.home / form for form in ("verl", "cft", "cgd", "pairs", "openai")),
    ]
    for folder in folders:
        assert len(list(folder.rglob("*"))) > 0
        inside = [one for one in found_in(folder, planted) if not one[0].startswith(".crl/")]
        assert inside == []


def test_the_test_finds_what_is_there(built: tuple[Path, str], tmp_path: Path) -> None:
    """Else all of the others would prove nothing."""
    import pyarrow as pa

    deep = pa.Table.from_pylist([{"a": [{"b": {"c": ["x", f"y{USER}z"]}}]}])
    pq.write_table(deep, tmp_path / "x.parquet")
    (tmp_path / "y.html").write_text(f"<p>{USER}</p>")
    assert {where for where, *_ in found_in(tmp_path, [USER])} == {"x.parquet", "y.html"}
    assert built[0].name == "out"


def test_no_key_is_in_a_store_or_in_anything_that_was_printed(built: tuple[Path, str], place: Place) -> None:
    keys = [*KEYS.values(), STORED]
    for store in (place.home / "findings.sqlite", *built[0].glob(".crl/*")):
        if store.is_file():
            assert not [key for key in keys if key.encode() in store.read_bytes()], store
    assert not [key for key in keys if key in built[1]]
    assert "Traceback" in built[1]  # --debug showed one, and nothing in it


def test_the_recipe_in_the_manifest_is_still_one(built: tuple[Path, str], tmp_path: Path) -> None:
    from crl_data import load_mixed

    assert list(load_mixed(built[0], critique_share=0.2))
    manifest = json.loads((built[0] / "manifest.json").read_text())
    assert manifest["recipe"]["problems"][0]["path"] == "problems.jsonl"
    assert manifest["recipe"]["candidates"][0]["path"] == "solutions.jsonl"
    assert manifest["bad_rows"][0].startswith("problems.jsonl:5: ")


# --- the last look before a push ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where", ["README.md", "manifest.json", "problems.parquet", "pool/pool-00000-of-00001.parquet"]
)
def test_a_key_that_got_into_a_dataset_stops_its_push(where: str, copy: Path, tmp_path: Path) -> None:
    import hashlib

    import pyarrow as pa

    key, path = KEYS["AWS_SECRET_ACCESS_KEY"], copy / where
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        rows = table.to_pylist()
        rows[-1]["tests"][-1]["input"] += key
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["files"][where]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (copy / "manifest.json").write_text(json.dumps(manifest))
    elif where == "manifest.json":
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, "note": key}))
    else:
        path.write_text(path.read_text() + key)
    with HubServer(users={"hf_me_me_me": User("me")}) as hub:
        done = subprocess.run(
            [sys.executable, "-m", "crl_data", "push", str(copy), "me/demo"],
            capture_output=True,
            text=True,
            env=environment(hub, tmp_path, "hf_me_me_me") | {"AWS_SECRET_ACCESS_KEY": key},
        )
        assert hub.requests == []
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert where in done.stderr and "AWS_SECRET_ACCESS_KEY" in done.stderr and key not in done.stderr


SECRET = Secret(kind="K", text="pläntéd-secret-値")
_NESTED = st.recursive(
    st.text(max_size=20),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.fixed_dictionaries({"a": inner, "b": inner})),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_secret_anywhere_in_nested_columns_is_found(tmp_path: Path, data: st.DataObject) -> None:
    import pyarrow as pa

    before, after = data.draw(st.text(max_size=5)), data.draw(st.text(max_size=5))
    texts = [data.draw(st.text(max_size=30)) for _ in range(4)]
    place = data.draw(st.integers(0, 3))
    kind = data.draw(st.sampled_from(["flat", "list", "struct", "deep"]))

    def cell(text: str) -> Any:
        return {
            "flat": text,
            "list": [text, "x"],
            "struct": {"u": "x", "v": text},
            "deep": [{"w": [{"x": {"y": [text]}}]}],
        }[kind]

    clean = [{"n": n, "column": cell(text)} for n, text in enumerate(texts)]
    planted = [dict(row) for row in clean]
    planted[place]["column"] = cell(before + SECRET.text + after)
    for name, rows, wanted in (("clean", clean, 0), ("planted", planted, 1)):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet", row_group_size=2)
        found = find_leaks({name: tmp_path / f"{name}.parquet"}, [SECRET])
        assert [(one.file, one.column, one.kind) for one in found] == [(name, "column", "K")] * wanted


def test_paths_are_looked_for_where_we_write_and_not_in_what_others_wrote(tmp_path: Path) -> None:
    import pyarrow as pa

    path = Secret(kind="the home folder", text="/home/somebody/", in_code=False)
    rows = [
        {"solution": "open('/home/somebody/x')", "question": "/home/somebody/", "tests": [{"input": "/home/somebody/"}]}
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "code.parquet")
    pq.write_table(pa.Table.from_pylist([{"reason": "in /home/somebody/x"}]), tmp_path / "ours.parquet")
    files = {name: tmp_path / name for name in ("code.parquet", "ours.parquet")}
    assert [(one.file, one.column) for one in find_leaks(files, [path])] == [("ours.parquet", "reason")]


def test_what_is_looked_for_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {**KEYS, "SHORT_KEY": "abc", "PLAIN": "planted-plain", "HOME": "/home/" + USER}.items():
        monkeypatch.setenv(name, value)
    found = {one.kind: one.text for one in secrets_of_this_machine(tmp_path)}
    assert {f"the value of {name}": value for name, value in KEYS.items()}.items() <= found.items()
    assert (
        found["the home folder"] == f"/home/{USER}/" and found["the dataset's own folder"] == f"{tmp_path.resolve()}/"
    )
    assert not {"the value of SHORT_KEY", "the value of PLAIN"} & found.keys()
    monkeypatch.setenv("HOME", "/root")
    assert "the home folder" not in {one.kind for one in secrets_of_this_machine(tmp_path)}
