"""Start of the runner: raise the shared walls, fork the zygote, become the supervisor.

The first frame on standard input is its configuration: {"sandbox": "local" | "none", "scratch_mb", "box": folder (none
only)}, and either "libraries" and "site", names to look for and folders to look in (else where this Python's packages
are), or "found", what another runner has found of them; with "lean" they are there, and not loaded. Its first answer on
standard output is {"ready": {...}}, {"missing_library": name} or {"fault": text}.
"""

from __future__ import annotations

import os
import resource
import sys

STACK_BYTES = 512 << 20  # the kernel lays out room for the stack when a program starts: hence a second start
_STARTED_TWICE = "CRL_RUNNER_STAGE"


def _start_again_with_a_big_stack() -> None:
    if os.environ.pop(_STARTED_TWICE, None):
        return
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    size = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
    _same_addresses()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, _STARTED_TWICE: "2"})


def _same_addresses() -> None:
    """Programs are laid out in memory the same every time: the order of a set of objects goes by their addresses."""
    import ctypes

    ctypes.CDLL(None).personality(ctypes.c_ulong(0x0040000))  # ADDR_NO_RANDOMIZE; where it is refused, nothing is lost


def _import_without_fork_hooks() -> None:
    """Import what would do something at every fork of ours (a fifth of its page faults). `child` sees to it for solutions."""
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    import random  # noqa: F401
    import threading  # noqa: F401

    os.register_at_fork = register


def main() -> None:
    _start_again_with_a_big_stack()
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    _import_without_fork_hooks()
    sys.path.append(os.path.dirname(folder))
    __import__("runner.launch")
    sys.path.remove(os.path.dirname(folder))  # what is judged does not find us
    sys.modules["runner.launch"].launch()


if __name__ == "__main__":
    main()
