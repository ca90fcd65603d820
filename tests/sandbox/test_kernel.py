"""The tables of system calls against the kernel's own, as its headers have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crl_data.sandbox.runner.kernel import _LAST_KNOWN_SYSCALL, _MORE_SYSCALLS, _SYSCALLS

HEADERS = (
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm-generic/unistd.h"),  # aarch64 has this one
)
NEWEST_EVERYWHERE = 424  # from here on a call has the same number on all machines


def numbers(header: Path) -> dict[str, int]:
    if not header.exists():
        pytest.skip(f"{header} is not there (Debian: linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    return {name: int(number) for name, number in found if name not in ("syscalls", "arch_specific_syscall")}


@pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
def test_numbers_are_those_of_the_kernel(column: int) -> None:
    real = numbers(HEADERS[column])
    newest = max(real.values())
    ours = {name: both[column] for name, both in (_SYSCALLS | _MORE_SYSCALLS).items()}
    assert {name: n for name, n in ours.items() if name in real and n != real[name]} == {}
    unknown = {name: n for name, n in ours.items() if name not in real and n is not None}
    assert {name: n for name, n in unknown.items() if n <= newest} == {}, "not in the table at all"
    assert [name for name in real if name in ours and ours[name] is None] == []


def test_new_calls_have_one_number_on_all_machines() -> None:
    for name, (x86, arm) in (_SYSCALLS | _MORE_SYSCALLS).items():
        if x86 is not None and x86 >= NEWEST_EVERYWHERE:
            assert x86 == arm and x86 <= _LAST_KNOWN_SYSCALL, name


def test_a_wrong_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_SYSCALLS, "ptrace", (102, 117))
    with pytest.raises(AssertionError):
        test_numbers_are_those_of_the_kernel(0)
