"""A Hub on loopback: the part of the Hugging Face Hub's protocol by which `datasets` and `huggingface_hub` read data sets.

Each data set is a folder of files; every revision is the same commit. What is asked for is kept in `requests`. The clients
read `HF_ENDPOINT` when they are imported, so that whoever reads from here is another process.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

SHA = "5ca1ab1e" * 5
_BLOCK = 1 << 20


class HubServer:
    """Serves data sets: `owner/name` -> folder. A context manager.

    gone: data sets that answer 500 to whoever reads a file of theirs, however often; or one file, as `owner/name/path`.
    """

    def __init__(self, datasets: Mapping[str, Path], gone: frozenset[str] = frozenset()) -> None:
        self.datasets = dict(datasets)
        self.gone = gone
        self.requests: list[str] = []
        hub = self

        class Handler(_Handler):
            server_of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to ask here."""
        return {
            "HF_ENDPOINT": f"http://127.0.0.1:{self._server.server_address[1]}",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: HubServer

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        self._answer(body=True)

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, body: bool) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        given = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        hub = self.server_of
        hub.requests.append(f"{self.command} {path}")
        api = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/[^/]+)?", path)
        tree = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/tree/[^/]+(?:/(.*))?", path)
        paths = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/[^/]+", path)
        file = re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        found = next((one for one in (api, tree, paths, file) if one), None)
        if found is None or found[1] not in hub.datasets:
            self._missing("RepoNotFound", body)
        elif api:
            self._json(_info(found[1], hub.datasets[found[1]]), body)
        elif tree:
            folder = hub.datasets[found[1]] / (tree[2] or "")
            self._json(
                _entries(
                    hub.datasets[found[1]], folder, "recursive=True" in self.path or "recursive=true" in self.path
                ),
                body,
            ) if folder.is_dir() else self._missing("EntryNotFound", body)
        elif paths:
            asked = json.loads(given)["paths"] if given[:1] == b"{" else re.findall(rb"paths=([^&]+)", given)
            names = [one if isinstance(one, str) else unquote(one.decode()) for one in asked]
            root = hub.datasets[found[1]]
            self._json([_entry(root, root / name) for name in names if (root / name).exists()], body)
        elif file:
            self._file(found[1], hub.datasets[found[1]] / file[2], body)

    def _file(self, name: str, path: Path, body: bool) -> None:
        file = f"{name}/{path.relative_to(self.server_of.datasets[name]).as_posix()}"
        if not self.server_of.gone.isdisjoint({name, file}) and path.suffix in (".jsonl", ".parquet"):
            self._send(500, b'{"error": "the disk is gone"}', {"Content-Type": "application/json"}, body)
            return
        if not path.is_file():
            self._missing("EntryNotFound", body)
            return
        content = path.read_bytes()
        headers = {"ETag": f'"{_sha(path)}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            begin, end = int(asked[1]), int(asked[2] or len(content) - 1)
            part = content[begin : end + 1]
            headers["Content-Range"] = f"bytes {begin}-{begin + len(part) - 1}/{len(content)}"
            self._send(206, part, headers, body)
        else:
            self._send(200, content, headers, body)

    def _missing(self, code: str, body: bool) -> None:
        headers = {"X-Error-Code": code, "Content-Type": "application/json", "X-Error-Message": code}
        self._send(404, json.dumps({"error": code}).encode(), headers, body)

    def _json(self, value: Any, body: bool) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"}, body)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            for begin in range(0, len(content), _BLOCK):
                self.wfile.write(content[begin : begin + _BLOCK])


def _info(name: str, root: Path) -> dict[str, Any]:
    files = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    card = root / "README.md"
    license_ = (
        re.search(r"^license: (\S+)$", card.read_text(encoding="utf-8"), re.MULTILINE) if card.is_file() else None
    )
    return {
        "_id": "0" * 24,
        "id": name,
        "author": name.partition("/")[0],
        "sha": SHA,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "lastModified": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "cardData": {"license": license_[1]} if license_ else {},
        "siblings": [{"rfilename": file} for file in files],
    }


def _entries(root: Path, folder: Path, deep: bool) -> list[dict[str, Any]]:
    return [_entry(root, path) for path in sorted(folder.rglob("*") if deep else folder.iterdir())]


def _entry(root: Path, path: Path) -> dict[str, Any]:
    entry = {"path": path.relative_to(root).as_posix(), "oid": _sha(path)}
    if path.is_dir():
        return {**entry, "type": "directory", "size": 0}
    return {**entry, "type": "file", "size": path.stat().st_size}


def _sha(path: Path) -> str:
    return hashlib.sha1(str(path).encode() if path.is_dir() else path.read_bytes()).hexdigest()
