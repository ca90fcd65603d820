"""A Hub on loopback: the part of the Hugging Face Hub's protocol by which repositories are read, made and pushed to.

Reading: what `datasets` and `huggingface_hub` ask for (info, tree, paths-info, resolve with ranges). Writing: repos/create,
preupload, LFS batch with uploads, commit, validate-yaml, whoami. Xet is not spoken: `HF_HUB_DISABLE_XET` is in `environment`.
The clients read `HF_ENDPOINT` when they are imported, so that whoever asks here is another process.

A repository is a folder that stands as it is (one revision, `SHA`), or was made by a client: then every commit keeps its files.
What is asked for is kept in `requests`. A test that wants trouble gives `before`, which sees each request first, may take its
time or end the client, and may answer in the server's place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from tests.hub.metadata import faults

SHA = "5ca1ab1e" * 5
_BLOCK = 1 << 20
_LFS = (".parquet", ".safetensors", ".bin", ".gz", ".arrow")
_WHOLE = 10 << 20  # the Hub takes a file up to here into git itself, where it is text

Files = dict[str, Path]
Answer = tuple[int, dict[str, str], bytes]
"""A status, headers, a body."""


@dataclass
class User:
    """Who a token belongs to: what they are called, their organisations, and whether the token may write."""

    name: str
    orgs: tuple[str, ...] = ()
    may_write: bool = True


@dataclass
class Repo:
    """A repository that was made here: its commits, the oldest first, each with all of its files."""

    private: bool = False
    commits: list[tuple[str, Files]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    objects: dict[str, Path] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    @property
    def files(self) -> Files:
        """The files of the last commit."""
        return self.commits[-1][1]


class HubServer:
    """Serves repositories; a context manager.

    datasets: data sets that are there from the start, `owner/name` -> folder, for everybody to read and for nobody to change.
    gone: data sets that answer 500 to whoever reads a file of theirs, however often; or one file, as `owner/name/path`.
    users: token -> user. before: called with each request's line, as "PUT /lfs/OID"; see the module.
    """

    def __init__(
        self,
        datasets: Mapping[str, Path] | None = None,
        gone: frozenset[str] = frozenset(),
        users: Mapping[str, User] | None = None,
        before: Callable[[str], Answer | None] | None = None,
    ) -> None:
        self.datasets = dict(datasets or {})
        self.gone = gone
        self.users = dict(users or {})
        self.before = before
        self.requests: list[str] = []
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lock = threading.RLock()
        self._blobs = tempfile.TemporaryDirectory()
        hub = self

        class Handler(_Handler):
            server_of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to ask here."""
        return {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._blobs.cleanup()

    def blob(self, content: bytes) -> Path:
        """A file of that content."""
        path = Path(self._blobs.name, hashlib.sha256(content).hexdigest())
        if not path.exists():
            path.write_bytes(content)
        return path

    def files_of(self, kind: str, name: str, revision: str | None = None) -> Files | None:
        """The files of a repository at a revision (None: the last); None where there is none of either."""
        if kind == "dataset" and name in self.datasets:
            root = self.datasets[name]
            return {one.relative_to(root).as_posix(): one for one in sorted(root.rglob("*")) if one.is_file()}
        repo = self.repos.get((kind, name))
        if repo is None or revision in (None, "main"):
            return repo.files if repo else None
        return next((files for sha, files in repo.commits if sha == revision), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        hub = self.server_of
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        hub.requests.append(line)
        length = int(self.headers.get("Content-Length") or 0)
        early = self.command == "PUT"  # an upload is seen when it begins, all else when the whole of it is here
        trouble = hub.before(line) if hub.before and early else None
        given = self.rfile.read(length)
        if len(given) < length:  # whoever asked is gone
            self.close_connection = True
            return
        trouble = hub.before(line) if hub.before and not early else trouble
        try:
            status, headers, content = trouble or self._route(path, given)
        except _Refusal as refusal:
            status, headers, content = refusal.answer
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            for begin in range(0, len(content), _BLOCK):
                self.wfile.write(content[begin : begin + _BLOCK])

    def _route(self, path: str, given: bytes) -> Answer:
        for pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found:
                with self.server_of.lock:
                    return handle(self, given, **found.groupdict())
        raise _Refusal(404, "EntryNotFound")

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _user(self) -> User | None:
        """Whose token was brought; None: none was."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in self.server_of.users:
            raise _Refusal(401, "", "Invalid credentials in Authorization header")
        return self.server_of.users[token]

    def _may_write(self, owner: str) -> User:
        user = self._user()
        if user is None:
            raise _Refusal(401, "", "Invalid username or password.")
        if not user.may_write or owner not in (user.name, *user.orgs):
            raise _Refusal(403, "", f'You don\'t have the rights to create a dataset under the namespace "{owner}"')
        return user

    def _files(self, kind: str, name: str, revision: str | None = None) -> Files:
        hub = self.server_of
        user = self._user() if hub.users else None
        repo = hub.repos.get((kind, name))
        hidden = (
            repo is not None and repo.private and (not user or name.partition("/")[0] not in (user.name, *user.orgs))
        )
        if hidden or hub.files_of(kind, name) is None:
            raise _Refusal(404 if user else 401 if hub.users else 404, "RepoNotFound", "Repository not found")
        files = hub.files_of(kind, name, revision if revision != SHA else None)
        if files is None:
            raise _Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return files

    def _commit_of(self, kind: str, name: str, revision: str | None) -> str:
        repo = self.server_of.repos.get((kind, name))
        return SHA if repo is None else repo.head if revision in (None, "main") else str(revision)

    # --- reading ------------------------------------------------------------------------------------------------------

    def info(self, given: bytes, kind: str, name: str, revision: str | None = None) -> Answer:
        files = self._files(kind, name, revision)
        repo = self.server_of.repos.get((kind, name))
        return _json(
            {
                "_id": "0" * 24,
                "id": name,
                "modelId": name,
                "author": name.partition("/")[0],
                "sha": self._commit_of(kind, name, revision),
                "private": repo.private if repo else False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "cardData": _card_data(files.get("README.md")),
                "siblings": [{"rfilename": file} for file in sorted(files)],
            }
        )

    def tree(self, given: bytes, kind: str, name: str, revision: str, folder: str | None = None) -> Answer:
        files = self._files(kind, name, revision)
        start = f"{folder}/" if folder else ""
        below = {file: path for file, path in files.items() if file.startswith(start)}
        if folder and not below:
            raise _Refusal(404, "EntryNotFound")
        deep = "recursive=true" in self.path.lower()
        entries: dict[str, dict[str, Any]] = {}
        for file, path in sorted(below.items()):
            parts = file.removeprefix(start).split("/")
            for depth in range(1, len(parts) if deep else min(2, len(parts))):
                inner = start + "/".join(parts[:depth])
                entries[inner] = {"type": "directory", "oid": _sha1(inner.encode()), "size": 0, "path": inner}
            if deep or len(parts) == 1:
                entries[file] = _entry(file, path)
        return _json(list(entries.values()))

    def paths_info(self, given: bytes, kind: str, name: str, revision: str) -> Answer:
        files = self._files(kind, name, revision)
        asked = json.loads(given)["paths"] if given[:1] == b"{" else re.findall(rb"paths=([^&]+)", given)
        names = [one if isinstance(one, str) else unquote(one.decode()) for one in asked]
        folders = {f: {"type": "directory", "oid": _sha1(f.encode()), "size": 0, "path": f} for f in _folders(files)}
        return _json(
            [_entry(one, files[one]) if one in files else folders[one] for one in names if one in {*files, *folders}]
        )

    def resolve(self, given: bytes, name: str, revision: str, file: str, kind: str = "dataset") -> Answer:
        hub = self.server_of
        path = self._files(kind, name, revision).get(file)
        if (
            path is not None
            and not hub.gone.isdisjoint({name, f"{name}/{file}"})
            and path.suffix in (".jsonl", ".parquet")
        ):
            return 500, {"Content-Type": "application/json"}, b'{"error": "the disk is gone"}'
        if path is None:
            raise _Refusal(404, "EntryNotFound")
        content = path.read_bytes()
        headers = {
            "ETag": f'"{_entry(file, path).get("lfs", {}).get("oid") or _sha1(content)}"',
            "X-Repo-Commit": self._commit_of(kind, name, revision),
            "Accept-Ranges": "bytes",
        }
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            begin, end = int(asked[1]), int(asked[2] or len(content) - 1)
            part = content[begin : end + 1]
            return 206, {**headers, "Content-Range": f"bytes {begin}-{begin + len(part) - 1}/{len(content)}"}, part
        return 200, headers, content

    # --- writing ------------------------------------------------------------------------------------------------------

    def whoami(self, given: bytes) -> Answer:
        user = self._user()
        if user is None:
            raise _Refusal(401, "", "Invalid username or password.")
        return _json({"type": "user", "name": user.name, "orgs": [{"name": org, "type": "org"} for org in user.orgs]})

    def create(self, given: bytes) -> Answer:
        asked = json.loads(given)
        user = self._user()
        owner = asked.get("organization") or (user.name if user else "")
        self._may_write(owner)
        name, kind = f"{owner}/{asked['name']}", asked.get("type", "model")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", asked["name"]):
            raise _Refusal(400, "", "Invalid repository name")
        prefix = "" if kind == "model" else f"{kind}s/"
        told = {"url": f"{self.server_of.url}/{prefix}{name}", "name": name}
        if (kind, name) in self.server_of.repos or (kind == "dataset" and name in self.server_of.datasets):
            return (
                409,
                {"Content-Type": "application/json"},
                json.dumps({"error": f"You already created this {kind} repo", **told}).encode(),
            )
        first = self.server_of.blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        private = asked.get("private") or asked.get("visibility") == "private"
        repo = Repo(private=bool(private), commits=[(_sha1(name.encode()), {".gitattributes": first})])
        self.server_of.repos[kind, name] = repo
        return _json(told)

    def _writable(self, kind: str, name: str) -> Repo:
        self._files(kind, name)
        self._may_write(name.partition("/")[0])
        repo = self.server_of.repos.get((kind, name))
        if repo is None:
            raise _Refusal(403, "", "this repository is of somebody else")
        return repo

    def preupload(self, given: bytes, kind: str, name: str, revision: str) -> Answer:
        repo = self._writable(kind, name)
        told = []
        for one in json.loads(given)["files"]:
            mode = "lfs" if one["path"].endswith(_LFS) or one["size"] > _WHOLE else "regular"
            there = repo.files.get(one["path"])
            entry = _entry(one["path"], there) if there else {}
            oid = (entry["lfs"]["oid"] if mode == "lfs" and "lfs" in entry else entry["oid"]) if entry else None
            told.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return _json({"files": told})

    def lfs_batch(self, given: bytes, name: str, kind: str = "dataset") -> Answer:
        repo = self._writable(kind, name)
        told = []
        for one in json.loads(given)["objects"]:
            href = {"href": f"{self.server_of.url}/lfs/{kind}/{name}/{one['oid']}"}
            new = {"actions": {"upload": href, "verify": {"href": f"{href['href']}/verify"}}}
            told.append({"oid": one["oid"], "size": one["size"], **({} if one["oid"] in repo.objects else new)})
        return _json({"transfer": "basic", "objects": told})

    def lfs_put(self, given: bytes, kind: str, name: str, oid: str) -> Answer:
        if hashlib.sha256(given).hexdigest() != oid:
            raise _Refusal(400, "", "the content is not what its name says")
        self.server_of.repos[kind, name].objects[oid] = self.server_of.blob(given)
        return _json({})

    def lfs_verify(self, given: bytes, kind: str, name: str, oid: str) -> Answer:
        if oid not in self.server_of.repos[kind, name].objects:
            raise _Refusal(404, "", "no such object")
        return _json({})

    def validate(self, given: bytes) -> Answer:
        asked = json.loads(given)
        front = re.match(r"---\n(.*?)\n---\n", asked["content"], re.DOTALL)
        wrong = [] if front else ["the card has no metadata"]
        if front:
            try:
                wrong = faults(yaml.safe_load(front[1]), asked["repoType"])
            except yaml.YAMLError as error:
                wrong = [f"the metadata is no YAML: {str(error).splitlines()[0]}"]
        told = {"errors": [{"message": one} for one in wrong], "warnings": []}
        return (400 if wrong else 200), {"Content-Type": "application/json"}, json.dumps(told).encode()

    def commit(self, given: bytes, kind: str, name: str, revision: str) -> Answer:
        repo = self._writable(kind, name)
        lines = [json.loads(line) for line in given.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repo.head):
            raise _Refusal(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(repo.files)
        for line in lines[1:]:
            value, path = line["value"], line["value"]["path"]
            if line["key"] == "file":
                files[path] = self.server_of.blob(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in repo.objects:
                    raise _Refusal(400, "", f"the object of {path} was not uploaded")
                files[path] = repo.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                if files.pop(path, None) is None:
                    raise _Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
            else:
                raise _Refusal(400, "", f"{line['key']} is not known here")
        repo.commits.append((_sha1(given + repo.head.encode()), files))
        repo.messages.append(header["summary"])
        prefix = "" if kind == "model" else f"{kind}s/"
        url = f"{self.server_of.url}/{prefix}{name}/commit/{repo.head}"
        return _json({"success": True, "commitOid": repo.head, "commitUrl": url, "hookOutput": ""})


_NAME = r"(?P<name>[^/]+/[^/]+)"
_API = rf"/api/(?P<kind>dataset|model)s/{_NAME}"
_ROUTES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    (r"/api/whoami-v2", _Handler.whoami),
    (r"/api/repos/create", _Handler.create),
    (r"/api/validate-yaml", _Handler.validate),
    (rf"{_API}/preupload/(?P<revision>[^/]+)", _Handler.preupload),
    (rf"{_API}/commit/(?P<revision>[^/]+)", _Handler.commit),
    (rf"{_API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.*))?", _Handler.tree),
    (rf"{_API}/paths-info/(?P<revision>[^/]+)", _Handler.paths_info),
    (rf"{_API}(?:/revision/(?P<revision>[^/]+))?", _Handler.info),
    (rf"/datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (rf"/{_NAME}\.git/info/lfs/objects/batch", lambda self, given, name: self.lfs_batch(given, name, "model")),
    (rf"/lfs/(?P<kind>dataset|model)/{_NAME}/(?P<oid>[0-9a-f]+)", _Handler.lfs_put),
    (rf"/lfs/(?P<kind>dataset|model)/{_NAME}/(?P<oid>[0-9a-f]+)/verify", _Handler.lfs_verify),
    (rf"/datasets/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", _Handler.resolve),
    (
        rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)",
        lambda self, given, **found: self.resolve(given, kind="model", **found),
    ),
)


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str = "") -> None:
        told = message or code
        headers = {"Content-Type": "application/json", "X-Error-Message": told}
        if code:
            headers["X-Error-Code"] = code
        self.answer: Answer = (status, headers, json.dumps({"error": told}).encode())


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _card_data(card: Path | None) -> dict[str, Any]:
    front = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8"), re.DOTALL) if card else None
    found = yaml.safe_load(front[1]) if front else {}
    return found if isinstance(found, dict) else {}


def _folders(files: Files) -> set[str]:
    return {str(parent) for file in files for parent in Path(file).parents if str(parent) != "."}


def _entry(name: str, path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    size = len(content)
    if not name.endswith(_LFS) and size <= _WHOLE:
        return {"type": "file", "oid": _sha1(b"blob %d\0" % size + content), "size": size, "path": name}
    oid = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()
    return {
        "type": "file",
        "oid": _sha1(b"blob %d\0" % len(pointer) + pointer),
        "size": size,
        "path": name,
        "lfs": {"oid": oid, "size": size, "pointerSize": len(pointer)},
    }


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
