"""Which files make up a named library: the package, what it requires, and the shared objects that come with them.

It reads what is installed beside a Python (`importlib.metadata`); it installs nothing. A library is looked for by its name
first: to read what all installed packages say of themselves takes longer than all else that a runner does at its start.
"""

from __future__ import annotations

import csv
import os
import re
from importlib import metadata
from typing import Any


class Missing(Exception):
    """A named library is not installed; the text is its name."""


_PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py.py")


def find(names: list[str], site: list[str]) -> dict[str, Any]:
    """All that a runner is told of libraries and of pytest, which lie in the folders `site`. Raises `Missing`."""
    paths, versions, preload = resolve(names, site) if names else ([], {}, [])
    return {"paths": paths, "versions": versions, "preload": preload, "pytest": _pytest_paths(site)}


def _pytest_paths(site: list[str]) -> list[str]:
    """Where pytest and what it needs lie in the folders of installed packages; nothing where it is not installed."""
    found = {
        name: os.path.join(folder, name)
        for folder in reversed(site)
        for name in _PYTEST
        if os.path.exists(os.path.join(folder, name))
    }
    return sorted(found.values()) if {"pytest", "_pytest", "pluggy", "iniconfig", "packaging"} <= found.keys() else []


def resolve(names: list[str], site: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """The paths, the versions and the importable names of libraries, with all they require. Raises `Missing`."""
    wanted: list[metadata.Distribution] = []
    preload: list[str] = []
    for name in names:
        found = _importing(name, site)
        if found is not None:
            preload.append(name)
        else:
            found = _named(name, site)
        if found is None:
            raise Missing(name)
        wanted.append(found)
    paths: dict[str, None] = {}
    versions: dict[str, str] = {}
    for found in wanted:
        described = found.metadata
        name = _normal(described["Name"])
        if name in versions:
            continue
        versions[name] = described["Version"]
        for top in _top_level(found):
            path = os.path.join(str(found.locate_file("")), top)
            if os.path.exists(path):
                paths[os.path.abspath(path)] = None
        for requirement in found.requires or []:
            required = re.match(r"[A-Za-z0-9._-]+", requirement)
            if required and "extra ==" not in requirement:
                needed = _named(required[0], site)
                wanted += [needed] if needed is not None else []
    return list(paths), versions, list(dict.fromkeys(preload))


def _importing(module: str, site: list[str]) -> metadata.Distribution | None:
    """What is installed and gives a module of this name: mostly what has the same name."""
    namesake = _named(module, site)
    if namesake is not None and module in _modules(namesake):
        return namesake
    return next((found for found in metadata.distributions(path=site) if module in _modules(found)), None)


def _named(name: str, site: list[str]) -> metadata.Distribution | None:
    return next(iter(metadata.distributions(name=name, path=site)), None)


def _modules(found: metadata.Distribution) -> list[str]:
    return [top.removesuffix(".py") for top in _top_level(found)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _top_level(found: metadata.Distribution) -> list[str]:
    """The entries of the folder of installed packages that belong to a distribution."""
    record = found.read_text("RECORD")  # `files` makes an object of every line of it, and is the dear part
    paths = [row[0] for row in csv.reader(record.splitlines()) if row] if record else map(str, found.files or [])
    tops = {path.partition("/")[0] for path in paths if not os.path.isabs(path)}
    return sorted(tops - {"..", "__pycache__", ""})
