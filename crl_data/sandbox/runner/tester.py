"""The tester: a process of ours that runs tests written as source, with the code under test behind `proxy`.

It is walled as a solution is, because a test is code of others too, but in a cell of its own: the solution neither sees
nor reaches it, nor the scratch folder that it writes to. Its word counts: it says of every test whether it passed, after
the test's last statement. Whether the solution's process lived through it, the supervisor sees for itself.

Two kinds of tests: `assert`, statements that are executed in a namespace of their own; `module`, one test of a pytest or
unittest module (`modules`).
"""

from __future__ import annotations

import builtins
import hashlib
import io
import json
import mmap
import os
import resource
import socket
import sys
import types
from typing import Any

from . import child, modules, proxy, scratch, values

HOW = ("ended", "failed", "raised", "cannot", "protocol", "missing", "load", "dead", "fault")
"""What a tester can say of a test, as the supervisor says it to the judge."""
_OF_FAULT = {
    proxy.CANNOT: "cannot",
    proxy.PROTOCOL: "protocol",
    proxy.MISSING: "missing",
    proxy.LOAD: "load",
    proxy.DEAD: "dead",
}
TESTS = "tmp/tests"  # where in the scratch folder a test module lies while it is collected


class Program:
    """The tests of one problem, prepared once in the tester's cell: compiled, and a module for pytest collected."""

    def __init__(self, told: dict[str, Any], box: str, path: list[str]) -> None:
        self.box = box
        self.work = os.path.join(box, "work")
        self.names: list[str] = told["names"]
        self.kind: str = told["kind"]
        self.tests: list[str] = told["tests"]
        self.source: str = told["source"]
        self.link = proxy.Link(told["interface"], told["handles"])
        self.entry: list[str] | None = told["entry"]
        self.codes: dict[int, types.CodeType] = {}
        sys.path[:] = path
        _print_to(io.StringIO())
        self.module: modules.Plain | modules.Collected | None = None
        if self.kind == "assert":
            self.prelude = compile(self.source, "<test set-up>", "exec", dont_inherit=True)
            for place, source in enumerate(self.tests):
                self.codes[place] = compile(source, "<test>", "exec", dont_inherit=True)
        else:
            sys.modules["solution"] = proxy.Module(self.link)
            if told["pytest"]:
                self.module = modules.Collected(self.source, os.path.join(box, TESTS), self.link)
            else:
                self.module = modules.Plain(self.source)
        self.baseline = child.State()

    def expect(self, open_files: tuple[int, int]) -> None:
        """Say what a child sets for itself; called where it is forked."""
        self.baseline.take_process()
        self.baseline.limits[child.LIMITS.index(resource.RLIMIT_NOFILE)] = open_files

    def run(self, place: int, seed: int) -> None:
        """One test. Raises whatever it raises; `proxy.Fault` where the solution's side failed it."""
        _print_to(io.StringIO())
        namespace: dict[str, Any] = {"__name__": "__test__", "__builtins__": builtins}
        child.seed_all(seed)
        self.link.begin(seed, self.names, namespace)
        if self.module is not None:
            self.module.run(self.tests[place])
            return
        if self.entry is None:
            namespace.update(self.all_names())
        exec(self.prelude, namespace)
        if self.entry is not None:
            namespace.update({name: self.of_solution(name) for name in self.entry})
        exec(self.codes[place], namespace)

    def all_names(self) -> dict[str, Any]:
        return {name: self.of_solution(name) for name in self.names if name in self.link.names}

    def of_solution(self, name: str) -> Any:
        value = self.link.names[name]
        return self.link.get(None, name) if value is proxy.LATE else value


def _print_to(stream: io.StringIO) -> None:
    """What a test prints is nobody's; what the solution prints a test may want to catch."""
    sys.stdout = sys.stderr = stream
    vars(sys).update(__stdout__=stream, __stderr__=stream)


def serve(program: Program, control: socket.socket) -> None:
    """Run tests as they come, until there are no more. Never returns."""
    for fd in (0, 1, 2):
        os.dup2(child.NULL_FD, fd)
    os.chdir(program.work)
    peer = socket.socket(fileno=child.INPUT_FD)
    os.ftruncate(child.OUTPUT_FD, 1)
    flag = mmap.mmap(child.OUTPUT_FD, 1)
    link = program.link

    def waiting(now: bool) -> None:
        flag[0] = now

    def early() -> bool:
        try:
            return bool(peer.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
        except BlockingIOError:
            return False

    link.read, link.write, link.early, link.waiting = peer.recv, peer.sendall, early, waiting
    control.send(b"H")
    while True:
        message = control.recv(child.GO.size + child.INLINE_BYTES)
        if not message:
            os._exit(0)
        sequence, seed, last, _, size = child.GO.unpack_from(message)
        place = int(message[child.GO.size : child.GO.size + size])
        digest = hashlib.blake2b(digest_size=16)
        link.taken = digest.update
        how, note = _outcome(program, place, seed)
        try:
            spent = link.end()
        except proxy.Fault as fault:
            if how == "ended":
                how, note = _OF_FAULT[fault.kind], fault.note
            spent = True
        spent = spent or bool(last) or program.baseline.restore() or not _wiped(program)
        answer = digest.digest()
        note_bytes = note.encode("utf-8", "replace")[: child.NOTE_BYTES]
        head = child.DONE.pack(sequence, HOW.index(how), spent, True, 0, 0, len(note_bytes))
        control.send(head + note_bytes + answer)


def _outcome(program: Program, place: int, seed: int) -> tuple[str, str]:
    link = program.link
    try:
        program.run(place, seed)
        error: BaseException | None = None
    except BaseException as raised:
        error = raised
    if link.fault is not None:
        return _OF_FAULT[link.fault.kind], link.fault.note
    if error is None:
        return "ended", ""
    if isinstance(error, MemoryError) and error not in link.raised:
        return "fault", "the test itself ran out of memory"
    if any(error is one for one in link.raised):
        return "raised", f"{error.__crl_note__}{_line(program, place, error)}"  # type: ignore[attr-defined]
    text = child.describe(error)
    if isinstance(error, AssertionError) and not error.args:
        text = "AssertionError"
        if link.last != "":
            text = f"the last call gave {_shown(link.last)}"
    return "failed", text + _line(program, place, error)


def _shown(packed: Any) -> str:
    try:
        text = repr(values.unpack(packed))
    except Exception:
        text = json.dumps(packed)
    return text if len(text) <= 200 else text[:150] + " ... " + text[-40:]


def _line(program: Program, place: int, error: BaseException) -> str:
    sources = {"<test>": program.tests[place], "<test set-up>": program.source, modules.FILE: program.source}
    return child.test_line(error, sources)


def _wiped(program: Program) -> bool:
    """Empty what the test wrote to; False where that cannot be."""
    try:
        for name in ("work", "tmp", "shm"):
            folder = os.path.join(program.box, name)
            if os.listdir(folder):
                scratch.remove_all(folder)
        os.chdir(program.work)
        return True
    except OSError:
        return False
