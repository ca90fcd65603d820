"""Run a command on a machine that lets no namespaces be made: `python -m tests.sandbox.no_namespaces COMMAND...`.

As the default filter of Docker does it, by a filter of system calls that the command inherits.
"""

from __future__ import annotations

import os
import sys

from crl_data.sandbox.runner import kernel
from crl_data.sandbox.runner.kernel import _ANY_BIT, _EPERM, _NEW_NAMESPACES, _allow, _answer, _load_argument, _when


def refuse_namespaces() -> None:
    code = _when("clone", [_load_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _answer(_EPERM), _allow()])
    code += _when("clone3", [_answer(38)])
    for name in ("unshare", "setns", "mount", "pivot_root", "chroot"):
        code += _when(name, [_answer(_EPERM)])
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.seccomp_install(kernel._program(code))


if __name__ == "__main__":
    refuse_namespaces()
    os.execvp(sys.argv[1], sys.argv[1:])
