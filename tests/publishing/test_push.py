"""`crl-data push` against a Hub on loopback: what arrives, what does not go twice, what stops it, and what ends it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crl_data import build
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, write_rows
from tests.hub.server import Answer, HubServer
from tests.publishing.conftest import USERS, crl_data, environment

REPO = ("dataset", "me/demo")


def one_line(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout) == (status, ""), (done.returncode, done.stdout, done.stderr)
    assert len(lines) == 1 and all(word in lines[0] for word in words), done.stderr


def writes(hub: HubServer, since: int = 0) -> list[str]:
    """The requests that could change something."""
    return [one for one in hub.requests[since:] if one.startswith(("PUT", "POST")) and "validate" not in one]


def whole(hub: HubServer, directory: Path, repo: str = "me/demo") -> bool:
    """Whether the repository has what the directory has, and nothing else."""
    files = {name: path.read_bytes() for name, path in hub.repos["dataset", repo].files.items()}
    wanted = {one.relative_to(directory).as_posix(): one.read_bytes() for one in directory.rglob("*.parquet")}
    wanted |= {name: (directory / name).read_bytes() for name in ("README.md", "manifest.json")}
    wanted["README.md"] = wanted["README.md"].replace(b"path/to/this/directory", repo.encode())
    del files[".gitattributes"]
    return files == wanted


# --- what arrives -----------------------------------------------------------------------------------------------------


def test_what_is_pushed_is_there_whole_and_loads_as_it_lies_on_disk(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0, done.stderr
    repo = hub.repos[REPO]
    assert len(repo.commits) == 2 and whole(hub, demo) and not repo.private
    assert f"{hub.url}/datasets/me/demo (new, public), commit {repo.head[:12]}" in done.stdout
    assert hub.url in done.stdout and "hf_writes" not in done.stdout + done.stderr
    script = """
import json, sys, datasets
loaded = datasets.load_dataset("me/demo")
streamed = datasets.load_dataset("me/demo", streaming=True)
print(json.dumps({name: [list(split), list(streamed[name])] for name, split in loaded.items()}))
print(json.dumps(str(loaded["train"].features)))
"""
    got = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(hub, tmp_path, None)
    )
    assert got.returncode == 0, got.stderr
    loaded, features = map(json.loads, got.stdout.splitlines())
    assert loaded.keys() == {"train", "test"}
    for split, (rows, streamed) in loaded.items():
        assert rows == streamed == pq.read_table(demo / f"data/{split}-00000-of-00001.parquet").to_pylist()
    assert "large_string" not in features and "Value('string')" in features


def test_the_card_on_the_hub_says_how_it_is_loaded_from_there(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    before = (demo / "README.md").read_bytes()
    assert crl_data(hub, tmp_path, "push", demo, "demo").returncode == 0  # the owner is the token's
    card = hub.repos[REPO].files["README.md"].read_text()
    assert 'load_dataset("me/demo"' in card and "path/to/this" not in card
    assert (demo / "README.md").read_bytes() == before


def test_what_is_there_already_does_not_go_again(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    assert crl_data(hub, tmp_path, "push", demo, "me/demo").returncode == 0
    since = len(hub.requests)
    again = crl_data(hub, tmp_path, "push", demo, "me/demo", "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, writes(hub, since)) == (0, [])
    assert (told["commit"], told["created"], {one["state"] for one in told["files"]}) == (None, False, {"there"})
    assert len(hub.repos[REPO].commits) == 2


def test_a_changed_dataset_is_one_commit_more_and_its_old_files_go(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    assert crl_data(hub, tmp_path, "push", copy, "me/demo").returncode == 0
    shard = copy / "data/train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    for place, part in enumerate((table.slice(0, 7), table.slice(7))):
        pq.write_table(part, copy / f"data/train-0000{place}-of-00002.parquet")
    shard.unlink()
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["data/train-00000-of-00001.parquet"]
    for path in sorted(copy.glob("data/train-*")):
        content = path.read_bytes()
        manifest["files"][f"data/{path.name}"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    since = len(hub.requests)
    done = crl_data(hub, tmp_path, "push", copy, "me/demo", "--json")
    assert done.returncode == 0, done.stderr
    states = {one["path"]: one["state"] for one in json.loads(done.stdout)["files"]}
    assert states["data/train-00000-of-00001.parquet"] == "stale" and states["manifest.json"] == "changed"
    assert {name for name, state in states.items() if state == "new"} == {
        f"data/train-0000{place}-of-00002.parquet" for place in (0, 1)
    }
    assert len([one for one in writes(hub, since) if one.startswith("PUT")]) == 2
    assert whole(hub, copy) and len(hub.repos[REPO].commits) == 3


def test_a_repository_that_is_still_empty_is_filled(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    def before(line: str) -> Answer | None:
        empty = "/tree/" in line and (REPO not in hub.repos or len(hub.repos[REPO].commits) == 1)
        return (404, {"X-Error-Code": "EntryNotFound"}, b'{"error": "no such entry"}') if empty else None

    hub.before = before
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0 and whole(hub, demo), done.stderr


def test_a_dry_run_lists_what_would_go_and_sends_nothing(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    done = crl_data(hub, tmp_path, "push", demo, "me/demo", "--dry-run", token=None)
    assert (done.returncode, writes(hub)) == (0, []) and not hub.repos
    listed = {line.split()[-1]: line for line in done.stdout.splitlines() if line.startswith("new ")}
    assert listed.keys() == {*(str(p.relative_to(demo)) for p in demo.rglob("*.parquet")), "README.md", "manifest.json"}
    assert "kB" in listed["problems.parquet"] and f"{len(listed)} files would be sent, " in done.stdout


def test_a_dry_run_without_a_hub_lists_all_and_says_so(demo: Path, tmp_path: Path) -> None:
    with HubServer() as hub:
        pass  # it is gone
    done = crl_data(hub, tmp_path, "push", demo, "me/demo", "--dry-run", token=None)
    assert done.returncode == 0 and "README.md" in done.stdout and "what is there is not known" in done.stderr


def test_private_is_for_new_repositories_and_only_their_owners_read_them(
    demo: Path, hub: HubServer, tmp_path: Path
) -> None:
    assert crl_data(hub, tmp_path, "push", demo, "team/demo", "--private").returncode == 0
    assert hub.repos["dataset", "team/demo"].private
    read = "import datasets; print(len(datasets.load_dataset('team/demo', split='train')))"
    seen = [
        subprocess.run(
            [sys.executable, "-c", read], env=environment(hub, tmp_path, token), capture_output=True
        ).returncode
        for token in ("hf_reads", "hf_other")
    ]
    assert seen == [1, 1]  # hf_reads is of `me`, and not of the team
    assert crl_data(hub, tmp_path, "push", demo, "team/demo").returncode == 0
    assert hub.repos["dataset", "team/demo"].private
    assert crl_data(hub, tmp_path, "push", demo, "me/demo").returncode == 0
    since = len(hub.requests)
    one_line(crl_data(hub, tmp_path, "push", demo, "me/demo", "--private"), 2, "me/demo", "public", "--private")
    assert not writes(hub, since)


# --- what stops it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        ("me/demo", None, ("no token", "hf auth login", "HF_TOKEN")),
        ("demo", None, ("no token", "hf auth login")),
        ("me/demo", "hf_unknown", ("does not know the token", "HF_TOKEN")),
        ("demo", "hf_unknown", ("token", "HF_TOKEN")),
        ("me/demo", "hf_reads", ("token may not",)),
        ("other/demo", "hf_writes", ("token may not", "other")),
        ("a/b/c", "hf_writes", ("OWNER/NAME",)),
        ("me/de mo", "hf_writes", ("OWNER/NAME",)),
        ("me/..", "hf_writes", ("me/..",)),
    ],
)
def test_a_call_that_cannot_be_is_one_line(
    repo: str, token: str | None, words: tuple[str, ...], demo: Path, hub: HubServer, tmp_path: Path
) -> None:
    one_line(crl_data(hub, tmp_path, "push", demo, repo, token=token), 2, *words)
    assert not hub.repos


def test_a_name_that_is_taken_is_left_alone(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    write_rows(folder / "rows.jsonl", [PROBLEM_ROW])
    with HubServer({"me/demo": folder}, users=USERS) as hub:
        one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 2, "me/demo", "taken", "rows.jsonl")
        one_line(crl_data(hub, tmp_path, "push", demo, "me/demo", "--dry-run"), 2, "me/demo", "taken")
        assert not writes(hub)


def test_a_manifest_of_somebody_else_is_no_manifest_of_ours(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/manifest.json").write_text('{"files": ["a"]}')
    with HubServer({"me/demo": tmp_path / "theirs"}, users=USERS) as hub:
        one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 2, "taken", "manifest.json")


def test_a_dataset_that_is_not_what_its_manifest_says_does_not_go(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    pool = copy / "pool/pool-00000-of-00001.parquet"
    content = pool.read_bytes()
    pool.write_bytes(content[:-9] + b"x" + content[-8:])
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, "pool-00000", "another")
    pool.unlink()
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, "pool/pool-00000", "none")
    pool.write_bytes(content)
    (copy / "README.md").unlink()
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, "README.md")
    one_line(crl_data(hub, tmp_path, "push", tmp_path / "nothing", "me/demo"), 2, "nothing", "manifest.json")
    manifest = json.loads((copy / "manifest.json").read_text())
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(content)
    manifest["files"] = {"../outside.parquet": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, "manifest.json", "outside")
    assert not hub.requests


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("problems.parquet", b"no Parquet", ("expected Parquet files",)),
        ("README.md", b"\xff\xfe", ("README.md", "UTF-8")),
        ("manifest.json", b'{"files": {"data/train.parquet": "x"}}', ("files: data/train.parquet", "an object")),
        ("manifest.json", b'{"files": {}}', ("data/", "none")),
        ("manifest.json", b"[1]", ("manifest.json",)),
    ],
)
def test_what_is_no_dataset_is_one_line(
    name: str, content: bytes, words: tuple[str, ...], copy: Path, hub: HubServer, tmp_path: Path
) -> None:
    (copy / name).write_bytes(content)
    if name.endswith(".parquet"):
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["files"][name]["sha256"] = hashlib.sha256(content).hexdigest()
        (copy / "manifest.json").write_text(json.dumps(manifest))
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, *words)
    assert not hub.requests


def test_a_card_that_the_hub_does_not_take_is_told(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    (copy / "README.md").write_text("---\nlicense: [\n---\n# mine\n")
    one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 2, "README.md", "YAML")
    assert hub.repos[REPO].files.keys() == {".gitattributes"}


def test_what_the_hub_warns_of_is_one_line_and_no_hindrance(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    told = b'{"errors": [], "warnings": [{"message": "no pictures"}]}'
    hub.before = lambda line: (200, {}, told) if "validate-yaml" in line else None
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0 and whole(hub, demo)
    assert len(done.stderr.splitlines()) == 1 and "no pictures" in done.stderr, done.stderr


def test_a_card_that_was_edited_goes_as_it_is(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    card = copy / "README.md"
    card.write_text(card.read_text() + "\nWritten by me.\n")
    assert crl_data(hub, tmp_path, "push", copy, "me/demo").returncode == 0
    assert hub.repos[REPO].files["README.md"].read_text().endswith("\nWritten by me.\n")


def test_while_a_build_is_writing_nothing_goes(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    with (copy / ".crl/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one_line(crl_data(hub, tmp_path, "push", copy, "me/demo"), 1, "a build is writing here")
    assert not hub.requests


def licensed(folder: Path, licenses: dict[str, str], **more: Any) -> Path:
    """A dataset of two problems and a candidate each, under these licences."""
    rows = [
        {**PROBLEM_ROW, "id": name, "question": f"Add two: {name}", "source": {"dataset": "tests", "license": license_}}
        for name, license_ in licenses.items()
    ]
    write_rows(folder / "problems.jsonl", rows)
    write_rows(
        folder / "solutions.jsonl", [{"problem_id": name, "id": f"{name}/1", "code": RIGHT_SUM} for name in licenses]
    )
    recipe = {
        "problems": [{"path": "problems.jsonl"}],
        "candidates": [{"sampler": "recorded", "path": "solutions.jsonl"}],
        "split": {"test_share": 0},
        **more,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return build(folder / "recipe.yaml", folder / "out", quiet=True).directory


def test_a_licence_that_nobody_stated_stops_it_until_it_is_named(hub: HubServer, tmp_path: Path) -> None:
    out = licensed(tmp_path, {"a": "mit", "b": ""})
    one_line(crl_data(hub, tmp_path, "push", out, "me/demo"), 2, "unknown", "allow_licenses", "--allow-license unknown")
    assert not hub.requests
    done = crl_data(hub, tmp_path, "push", out, "me/demo", "--allow-license", "unknown")
    assert done.returncode == 0 and whole(hub, out), done.stderr


def test_a_licence_that_the_recipe_allows_passes_and_others_were_not_taken(hub: HubServer, tmp_path: Path) -> None:
    out = licensed(tmp_path, {"a": "mit", "b": "", "c": "gpl-3.0"}, allow_licenses=["mit", "unknown"])
    assert crl_data(hub, tmp_path, "push", out, "me/demo").returncode == 0
    assert set(pq.read_table(out / "problems.parquet")["id"].to_pylist()) == {"a", "b"}
    assert not any(b"Add two: c" in path.read_bytes() for path in hub.repos[REPO].files.values())
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["recipe"]["allow_licenses"] = ["apache-2.0"]
    (out / "manifest.json").write_text(json.dumps(manifest))
    one_line(crl_data(hub, tmp_path, "push", out, "me/demo"), 2, "apache-2.0", "mit", "--allow-license mit")


# --- what ends it -----------------------------------------------------------------------------------------------------


def killed(hub: HubServer, directory: Path, home: Path, when: str, number: int, sign: int = signal.SIGKILL) -> int:
    """Push, and end the client while the `number`-th request that matches `when` is asked; the exit status."""
    client: list[subprocess.Popen[bytes]] = []
    started = threading.Event()
    count = [0]
    lock = threading.Lock()

    def before(line: str) -> Answer | None:
        with lock:
            count[0] += re.fullmatch(when, line) is not None
            if count[0] == number and re.fullmatch(when, line):
                started.wait()
                os.kill(client[0].pid, sign)
                client[0].wait()
        return None

    hub.before = before
    command = [sys.executable, "-m", "crl_data", "push", str(directory), "me/demo"]
    client.append(subprocess.Popen(command, env=environment(hub, home), stdout=-3, stderr=-3))
    started.set()
    status = client[0].wait(timeout=120)
    hub.before = None
    return status


@pytest.mark.parametrize("number", [1, 3])
def test_killed_while_it_uploads_it_leaves_nothing_half_and_goes_on_the_next_time(
    number: int, demo: Path, hub: HubServer, tmp_path: Path
) -> None:
    assert killed(hub, demo, tmp_path, r"PUT /lfs/.*", number) == -signal.SIGKILL
    assert hub.repos[REPO].files.keys() == {".gitattributes"}
    uploaded = set(hub.repos[REPO].objects)
    since = len(hub.requests)
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0 and whole(hub, demo) and len(hub.repos[REPO].commits) == 2, done.stderr
    again = {one.rpartition("/")[2] for one in writes(hub, since) if one.startswith("PUT")}
    assert not again & uploaded and again | uploaded == set(hub.repos[REPO].objects)


@pytest.mark.parametrize("when", [r"POST /api/repos/create", r"POST /api/datasets/.*/commit/main"])
def test_killed_while_the_hub_does_what_was_asked_the_next_push_ends_right(
    when: str, demo: Path, hub: HubServer, tmp_path: Path
) -> None:
    assert killed(hub, demo, tmp_path, when, 1) == -signal.SIGKILL
    done = crl_data(hub, tmp_path, "push", demo, "me/demo", "--json")
    assert done.returncode == 0 and whole(hub, demo) and len(hub.repos[REPO].commits) == 2, done.stderr
    assert (json.loads(done.stdout)["commit"] is None) is ("commit" in when)


def test_killed_on_the_way_to_another_version_the_old_one_stands(copy: Path, hub: HubServer, tmp_path: Path) -> None:
    assert crl_data(hub, tmp_path, "push", copy, "me/demo").returncode == 0
    old = dict(hub.repos[REPO].files)
    assert crl_data(hub, tmp_path, "relabel", copy, "--threshold", "1.0").returncode == 0
    assert killed(hub, copy, tmp_path, r"PUT /lfs/.*", 2) == -signal.SIGKILL
    assert hub.repos[REPO].files == old
    assert crl_data(hub, tmp_path, "push", copy, "me/demo").returncode == 0 and whole(hub, copy)


def test_interrupted_it_says_so(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    assert killed(hub, demo, tmp_path, r"POST /datasets/.*/batch", 1, signal.SIGTERM) == 130
    assert crl_data(hub, tmp_path, "push", demo, "me/demo").returncode == 0 and whole(hub, demo)


def refusing(when: str, status: int, headers: dict[str, str], times: int) -> Any:
    """A Hub that answers so to the first requests that match."""
    left = [times]

    def before(line: str) -> Answer | None:
        if re.fullmatch(when, line) and left[0]:
            left[0] -= 1
            return status, {"Content-Type": "application/json", **headers}, b'{"error": "it is broken"}'
        return None

    return before


@pytest.mark.parametrize(
    ("when", "status", "headers", "words"),
    [
        (r"GET /api/datasets/me/demo", 503, {}, ("503", "run it again")),
        (r"GET /api/datasets/me/demo", 429, {"Retry-After": "77"}, ("77 s", "run it again")),
        (r"POST /api/repos/create", 500, {}, ("500", "run it again")),
        (r"POST /api/datasets/.*/commit/main", 500, {}, ("500", "it goes on where it was")),
        (r"POST /api/datasets/.*/commit/main", 429, {}, ("fewer requests", "it goes on where it was")),
        (r"POST /api/datasets/.*/commit/main", 412, {}, ("somebody else",)),
    ],
)
def test_a_hub_that_fails_is_one_line_and_the_next_push_ends_right(
    when: str, status: int, headers: dict[str, str], words: tuple[str, ...], demo: Path, hub: HubServer, tmp_path: Path
) -> None:
    hub.before = refusing(when, status, headers, 1)
    one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 1, "me/demo", *words)
    assert all(len(repo.commits) == 1 for repo in hub.repos.values())
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0 and whole(hub, demo), done.stderr


def test_a_hub_that_does_not_pay_for_more_says_so(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    hub.before = refusing(r"POST /datasets/.*/batch", 402, {}, 1)
    one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 2, "me/demo", "paid")


def test_a_hub_that_asks_to_wait_is_waited_for(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    hub.before = refusing(r"POST /api/datasets/.*/preupload/main", 429, {"Retry-After": "0"}, 1)
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    assert done.returncode == 0 and whole(hub, demo), done.stderr
    assert done.stderr.splitlines() == ["the Hub asks to wait; again in 1 s (1 of 5)"]


@pytest.mark.slow
def test_a_hub_that_loses_every_upload_is_one_line_in_the_end(demo: Path, hub: HubServer, tmp_path: Path) -> None:
    hub.before = refusing(r"PUT /lfs/.*", 500, {}, 1000)
    done = crl_data(hub, tmp_path, "push", demo, "me/demo")
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and "500" in lines[-1] and "run it again" in lines[-1], done.stderr
    assert all(line.startswith("the Hub did not answer as it should; again in ") for line in lines[:-1])
    hub.before = None
    assert crl_data(hub, tmp_path, "push", demo, "me/demo").returncode == 0 and whole(hub, demo)


def test_a_hub_that_is_gone_is_one_line(demo: Path, tmp_path: Path) -> None:
    with HubServer(users=USERS) as hub:
        pass
    one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 1, "me/demo", "does not answer", "run it again")


def test_two_who_push_at_the_same_time_do_not_mix(copy: Path, demo: Path, hub: HubServer, tmp_path: Path) -> None:
    assert crl_data(hub, tmp_path, "relabel", copy, "--threshold", "1.0").returncode == 0
    done: list[subprocess.CompletedProcess[str]] = []

    def before(line: str) -> Answer | None:
        if re.fullmatch(r"POST /api/datasets/.*/commit/main", line) and not done:
            hub.before = None
            done.append(crl_data(hub, tmp_path, "push", copy, "me/demo"))
        return None

    hub.before = before
    one_line(crl_data(hub, tmp_path, "push", demo, "me/demo"), 1, "somebody else changed it")
    assert done[0].returncode == 0 and whole(hub, copy), done[0].stderr
