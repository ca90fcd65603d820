"""Runs the source of a checker script within this process, as if it had been started by itself.

`checkers` puts this file's source before every foreign checker; it is imported by nobody and uses the standard library alone.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from typing import Any


def run_script(source: str, files: Mapping[str, str], arguments: Sequence[str]) -> tuple[int, str]:
    """The exit status of a script and what it printed, in a folder that holds the files.

    What the script raises comes out of here, also what one of its threads raises.
    """
    main: Any = types.ModuleType("__main__")
    main.__file__ = "checker.py"
    raised: list[BaseException] = []
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    before = os.getcwd(), sys.argv, sys.stdin, sys.stdout, sys.modules["__main__"], threading.excepthook
    threads = set(threading.enumerate())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, text in {**files, "checker.py": source}.items():
            with open(name, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        sys.argv, sys.stdin, sys.stdout = ["checker.py", *arguments], io.TextIOWrapper(io.BytesIO()), printed
        sys.modules["__main__"] = main
        threading.excepthook = lambda seen: raised.append(seen.exc_value or SystemError(str(seen.exc_type)))
        try:
            status = 0
            try:
                exec(compile(source, "checker.py", "exec", dont_inherit=True), vars(main))
            except SystemExit as end:
                status = _status(end.code)
            for thread in set(threading.enumerate()) - threads:
                if not thread.daemon:
                    thread.join()
        finally:
            os.chdir(before[0])
            _, sys.argv, sys.stdin, sys.stdout, sys.modules["__main__"], threading.excepthook = before
    if raised:
        raise raised[0]
    return status, printed.buffer.getvalue().decode("utf-8", "replace")


def _status(code: object) -> int:
    """The exit status that Python gives a process for the code of its SystemExit."""
    if code is None:
        return 0
    return int(code) & 0xFF if isinstance(code, int) else 1
