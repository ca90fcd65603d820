"""A root file system with this machine's own Python, numpy and pytest, for `docker import`: the image that the tests judge in."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy

_PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py.py")  # for modules of tests


def shared_objects(paths: list[Path]) -> set[str]:
    """What some programs and libraries are linked with, by `ldd`."""
    found = set()
    for path in paths:
        listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True).stdout
        found |= set(re.findall(r"(/\S+\.so\S*) \(", listed))
    return found


def make_root_file_system(target: Path, *packages: Path, files: dict[str, bytes] | None = None) -> None:
    """Write a tar file that holds Python, its standard library, what they are linked with, numpy, pytest, and empty folders.

    packages: folders that are put beside those. files: more files, by their paths.
    """
    prefix = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    python = Path(os.path.realpath(sys.executable))
    site = Path(numpy.__file__).parent.parent
    linked = shared_objects([python, *library.glob("lib-dynload/*.so"), *site.glob("numpy/**/*.so")])
    linked = {path for path in linked if "site-packages" not in path}
    seen: set[str] = set()
    with tarfile.open(target, "w") as tar:

        def once(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
            if info.name in seen:
                return None
            seen.add(info.name)
            return info

        def add(path: Path | str, name: str | None = None) -> None:
            tar.add(os.path.realpath(path), name or str(path), filter=once)

        def skip_installed(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
            parts = Path(info.name).parts
            left_out = {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "ensurepip"} & set(parts)
            return None if left_out or any(part.startswith("config-") for part in parts) else once(info)

        tar.add(library, str(library), filter=skip_installed)
        add(python)
        for path in linked:
            add(path)
        for name in ("numpy", "numpy.libs", *_PYTEST):
            if (site / name).exists():
                add(site / name, str(library / "site-packages" / name))
        for path in packages:
            add(path, str(library / "site-packages" / path.name))
        for path in site.glob("numpy-*.dist-info"):
            add(path, str(library / "site-packages" / path.name))
        for name in ("tmp", "proc", "sys", "dev", "run", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(python)
        tar.addfile(link)
        for name, data in {"etc/passwd": b"nobody:x:65534:65534::/:/nowhere\n", **(files or {})}.items():
            file = tarfile.TarInfo(name)
            file.size = len(data)
            tar.addfile(file, io.BytesIO(data))
    assert prefix.is_dir()
