"""Which files make up a named library: the package, what it requires, and the shared objects that come with them.

It reads what is installed beside a Python (`importlib.metadata`); it installs nothing.
"""

from __future__ import annotations

import os
import re
from importlib import metadata


class Missing(Exception):
    """A named library is not installed; the text is its name."""


def resolve(names: list[str], site: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """The paths, the versions and the importable names of libraries, with all they require. Raises `Missing`."""
    installed: dict[str, metadata.Distribution] = {}
    by_import: dict[str, str] = {}
    for found in metadata.distributions(path=site):
        name = _normal(found.metadata["Name"])
        if name not in installed:
            installed[name] = found
            for top in _top_level(found):
                by_import.setdefault(top.removesuffix(".py"), name)
    wanted = []
    for name in names:
        known = by_import.get(name) or (_normal(name) if _normal(name) in installed else None)
        if known is None:
            raise Missing(name)
        wanted.append(known)
    preload = list(dict.fromkeys(top for name in wanted for top in names if by_import.get(top) == name))
    paths: dict[str, None] = {}
    versions = {}
    for name in wanted:
        found = installed[name]
        if name in versions:
            continue
        versions[name] = found.version
        for top in _top_level(found):
            path = os.path.join(str(found.locate_file("")), top)
            if os.path.exists(path):
                paths[os.path.abspath(path)] = None
        for requirement in found.requires or []:
            required = re.match(r"[A-Za-z0-9._-]+", requirement)
            if required and "extra ==" not in requirement and _normal(required[0]) in installed:
                wanted.append(_normal(required[0]))
    return list(paths), versions, preload


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _top_level(found: metadata.Distribution) -> list[str]:
    """The entries of the folder of installed packages that belong to a distribution."""
    tops = {file.parts[0] for file in found.files or [] if file.parts and file.parts[0] not in ("..", "__pycache__")}
    return sorted(tops)
