"""Files to a repository of the Hub, in one commit: what it has already stays, what it has of an older push goes.

Nothing here knows what the files are. Which files of a repository are ours, its index says (the manifest of a dataset): a
repository with files and without an index of ours is somebody's other work, and is left alone. Where a push ends in the
middle the repository is as it was; what was uploaded lies there without a name, and the next push does not upload it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import crl_data
from crl_data.corpus.outputs import file_hash
from crl_data.errors import InputError
from crl_data.hub import NO_TOKEN, REPO_ID, asking, quietly

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_ANYBODYS = frozenset({".gitattributes", ".gitignore", "README.md", "LICENSE"})
_AGAIN = "run it again: it goes on where it was"


class State(StrEnum):
    """What a repository has of a file."""

    NEW = "new"
    CHANGED = "changed"
    THERE = "there"
    STALE = "stale"
    """It is there, of an older push, and goes."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that goes: where it is (or its bytes), how long, and its SHA-256."""

    content: Path | bytes
    size: int
    sha256: str


def file_of(content: Path | bytes, seen: Callable[[int], object] = lambda size: None) -> File:
    """A file, read once. seen: takes how many bytes more were read."""
    if isinstance(content, bytes):
        return File(content=content, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return File(content=content, size=content.stat().st_size, sha256=file_hash(content, seen))


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What goes: files by their names in the repository, and which of them is the index.

    index: a JSON file whose `files` (an object) has the names of all other files of ours, but for the card.
    message: of the commit.
    """

    kind: Literal["dataset", "model"]
    files: Mapping[str, File]
    index: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What became of a push, or would: the state of every file before it.

    created: the repository was not there. commit: None where nothing was sent. url: "" where the Hub was not reached, and all
    files are taken for new (a dry run).
    """

    repo: str
    url: str
    private: bool
    created: bool
    commit: str | None
    states: Mapping[str, State]
    sizes: Mapping[str, int]

    def named(self, *states: State) -> list[str]:
        """The files of these states."""
        return [name for name, state in self.states.items() if state in states]


@dataclass(frozen=True, kw_only=True)
class _There:
    """A repository as it is: its commit, and of each file the SHA-256 where it has one, else git's name of the content.

    private: None where the Hub does not say.
    """

    commit: str
    private: bool | None
    files: Mapping[str, str]


def whole_name(repo: str, dry_run: bool = False) -> str:
    """`owner/name` of a repository, where the name alone is one of the token's owner.

    Raises `InputError` where it is no name, and where a token is needed and there is none: to write, and to ask whose it is.
    """
    from huggingface_hub import HfApi, get_token

    if not (REPO_ID.fullmatch(repo) or REPO_ID.fullmatch(f"owner/{repo}")):
        raise InputError(f"{repo}: expected OWNER/NAME of letters, digits, '-', '_' and '.', got something else")
    if get_token() is None and not (dry_run and "/" in repo):
        raise InputError(f"{repo}: {NO_TOKEN}")
    if "/" in repo:
        return repo
    with quietly(), asking(repo, _AGAIN):
        return f"{HfApi().whoami()['name']}/{repo}"


def push(contents: Contents, repo: str, private: bool = False, dry_run: bool = False) -> Pushed:
    """Bring a repository to these contents; create it where there is none.

    repo: `owner/name`. private: of a new repository; one that is there stays what it is, and nothing goes to a public one then.
    Raises `InputError` where the call, the token or a right is at fault, `WorkError` where the Hub is.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="crl-data", library_version=crl_data.__version__)
    with quietly(), asking(repo, _AGAIN):
        there = _look(api, contents, repo)
        if private and there is not None and there.private is False:
            raise InputError(
                f"{repo}: it is public, and --private is for new ones; make it private in its settings on the Hub first"
            )
        states = _states(contents, repo, there, api)
        prefix = "" if contents.kind == "model" else f"{contents.kind}s/"
        told = Pushed(
            repo=repo,
            url=f"{api.endpoint}/{prefix}{repo}",
            private=bool(there.private) if there else private,
            created=there is None,
            commit=None,
            states=states,
            sizes={name: file.size for name, file in contents.files.items()},
        )
        if dry_run or not told.named(State.NEW, State.CHANGED, State.STALE):
            return told
        if there is None:
            api.create_repo(repo, repo_type=contents.kind, private=private)
            there = _look(api, contents, repo)
            assert there is not None
        return replace(told, commit=_commit(api, contents, repo, there, states))


def not_asked(contents: Contents, repo: str, private: bool) -> Pushed:
    """What would become of it where nothing is known of the Hub."""
    return Pushed(
        repo=repo,
        url="",
        private=private,
        created=True,
        commit=None,
        states=dict.fromkeys(contents.files, State.NEW),
        sizes={name: file.size for name, file in contents.files.items()},
    )


def _look(api: HfApi, contents: Contents, repo: str) -> _There | None:
    """The repository, or None where there is none that the token can see."""
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        info = api.repo_info(repo, repo_type=contents.kind)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError as error:
        if "credentials" in str(error.response.headers.get("X-Error-Message") or ""):
            raise
        return None
    try:
        tree = list(api.list_repo_tree(repo, recursive=True, revision=info.sha, repo_type=contents.kind))
    except EntryNotFoundError:  # nothing is in it yet
        tree = []
    files = {
        entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id for entry in tree if isinstance(entry, RepoFile)
    }
    return _There(commit=str(info.sha), private=info.private, files=files)


def _states(contents: Contents, repo: str, there: _There | None, api: HfApi) -> dict[str, State]:
    if there is None:
        return dict.fromkeys(contents.files, State.NEW)
    ours = _ours(contents, repo, there, api)
    states = {}
    for name, file in contents.files.items():
        known = there.files.get(name)
        same = known is not None and known in (file.sha256, _git_name(file) if len(known) == 40 else "")
        states[name] = State.THERE if same else State.NEW if known is None else State.CHANGED
    return states | {name: State.STALE for name in sorted(ours) if name in there.files and name not in contents.files}


def _ours(contents: Contents, repo: str, there: _There, api: HfApi) -> Sequence[str]:
    """The files of an older push. Raises `InputError` where the repository holds something else."""
    if contents.index in there.files:
        path = api.hf_hub_download(repo, contents.index, repo_type=contents.kind, revision=there.commit)
        names = _names(Path(path))
        if names is not None:
            return names
    others = sorted(there.files.keys() - _ANYBODYS)
    if not others:
        return ()
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    raise InputError(f"{repo}: the name is taken by something that was not pushed from here ({shown}); choose another")


def _names(index: Path) -> list[str] | None:
    """The names in an index; None where it is none of ours."""
    try:
        told: Any = json.loads(index.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(told, dict) or "crl_data" not in told or not isinstance(told.get("files"), dict):
        return None
    return list(told["files"])


def _git_name(file: File) -> str:
    """What git calls a content that is kept in it as it is."""
    content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _commit(api: HfApi, contents: Contents, repo: str, there: _There, states: Mapping[str, State]) -> str | None:
    """One commit on top of what was looked at: somebody else's in between makes it fail. None: the client found nothing new."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=contents.files[name].content)
        for name, state in states.items()
        if state in (State.NEW, State.CHANGED)
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name, state in states.items() if state is State.STALE]
    done = api.create_commit(
        repo,
        operations,
        commit_message=contents.message,
        repo_type=contents.kind,
        parent_commit=there.commit,
    )
    return str(done.oid) if done.oid != there.commit else None
