"""The solution's side of a test that runs elsewhere: it answers calls, one at a time, until the tester is gone.

It runs beside the solution and nothing that it says counts but values: whether a test passed is decided in the tester,
and how this process ended is what the kernel says. Requests and answers are frames of `transport`:

    [number, "begin", seed, names]               the module is executed afresh; names that must be there
    [number, "end"]                              the end of a test; the answer says whether this process is spent
    [number, "call", target, name, args, named]  a call; target: null (the module), a class's name, or an object
    [number, "make", class, id, args, named]     an object that the tester numbers
    [number, "get" | "set" | "delete" | "draw" | "next", target, name, value]

    -> [number, "value", value, changed, printed]
    -> [number, "raised", base, class, text, args, attributes, note, changed, printed]
    -> [number, "cannot" | "missing" | "load", text]
    -> [number, "back", function, args]          first, a call of a function of the test's; the tester answers by
                                                 [0, "back", value] or [0, "raise", class, args]

An exception that is no `Exception` (SystemExit, KeyboardInterrupt) is the end of the process.
"""

from __future__ import annotations

import builtins
import io
import os
import random
import socket
import sys
import types
from typing import Any

from . import child, transport, values

Frame = tuple[Any, ...]


class _Served:
    """One solution, being served. Objects are known by number: the tester's from 0 on, the solution's own below 0."""

    def __init__(self, program: child.Program, peer: socket.socket) -> None:
        self.program = program
        self.peer = peer
        self.module: types.ModuleType | None = None
        self.known: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}  # of objects, by id
        self.own = 0
        self.asked = 0  # the number of the question that is being answered
        self.backs: dict[int, Any] = {}
        self.functions: dict[int, int] = {}  # the tester's functions, by id
        self.printed = _Printed()

    def serve(self) -> None:
        while True:
            data = transport.receive(self.peer.recv)
            if data is None:
                return
            self.answer(*transport.decode(data))

    def answer(self, number: int, verb: str, *rest: Any) -> None:
        before, self.asked = self.asked, number
        try:
            self.peer.sendall(self.frame(number, verb, rest))
        finally:
            self.asked = before

    def frame(self, number: int, verb: str, rest: tuple[Any, ...]) -> bytes:
        try:
            answer = getattr(self, verb)(*rest)
        except values.CannotCross as error:
            answer = ("cannot", str(error))
        try:
            return transport.encode((number, *answer))
        except values.CannotCross as error:
            return transport.encode((number, "cannot", str(error)))
        except BaseException as error:
            return transport.encode((number, "cannot", child.describe(error)))

    def call_back(self, function: int, args: tuple[Any, ...]) -> Any:
        """Call a function of the test's, which may call us meanwhile."""
        packer = transport.Packer([], self.opaque)
        self.peer.sendall(transport.encode((self.asked, "back", function, [packer.pack(one, 0) for one in args])))
        while True:
            data = transport.receive(self.peer.recv)
            if data is None:
                os._exit(1)
            number, verb, *rest = transport.decode(data)
            if verb == "back":
                return transport.Unpacker([], self.special).unpack(rest[0], 0)
            if verb == "raise":
                name, given = rest
                raise getattr(builtins, name)(*[transport.Unpacker([], self.special).unpack(one, 0) for one in given])
            self.answer(number, verb, *rest)

    # --- tests --------------------------------------------------------------------------------------------------------

    def begin(self, seed: int, names: list[str]) -> Frame:
        self.known.clear()
        self.numbers.clear()
        self.backs.clear()
        self.own = 0
        os.chdir(self.program.work)
        child.seed_all(seed)
        self.printed.open()
        self.module, failure = child.load(self.program)
        if self.module is None:
            assert failure is not None
            return ("load", failure[3])
        missing = [name for name in names if name not in self.module.__dict__]
        if missing:
            return (
                "missing",
                f"{', '.join(map(repr, missing[:5]))} {'is' if len(missing) == 1 else 'are'} not defined",
            )
        return ("value", None, [], self.printed.take())

    def end(self) -> Frame:
        """What an interpreter does at the end of a program; then everything is put back that can be."""
        try:
            child.end_program(self.printed.stream)
        except BaseException:
            return ("value", True, [], "")
        return ("value", self.program.baseline.restore(), [], "")

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, target: Any, name: str, args: Any, named: Any) -> Frame:
        return self.run(lambda *a, **n: self.resolve(target, name)(*a, **n), args, named)

    def make(self, name: str, number: int, args: Any, named: Any) -> Frame:
        def make(*given: Any, **by_name: Any) -> None:
            made = self.resolve(None, name)(*given, **by_name)
            self.known[number] = made
            self.numbers[id(made)] = number

        return self.run(make, args, named)

    def get(self, target: Any, name: str) -> Frame:
        return self.run(lambda: self.resolve(target, name), [], {})

    def set(self, target: Any, name: str, value: Any) -> Frame:
        return self.run(lambda one: setattr(self.owner(target), name, one), [value], {})

    def delete(self, target: Any, name: str) -> Frame:
        return self.run(lambda: delattr(self.owner(target), name), [], {})

    def draw(self, target: Any, most: int) -> Frame:
        """All that an object of the solution's iterates over, drawn out."""

        def draw() -> list[Any]:
            drawn = []
            for item in self.owner(target):
                drawn.append(item)
                if len(drawn) > most:
                    raise values.CannotCross(f"more than {most:,} items")
            return drawn

        return self.run(draw, [], {})

    def next(self, target: Any) -> Frame:
        return self.run(lambda: next(self.owner(target)), [], {})

    def owner(self, target: Any) -> Any:
        if target is None:
            return self.module
        return self.known[target] if type(target) is int else self.resolve(None, target)

    def resolve(self, target: Any, name: str) -> Any:
        if target is None:
            assert self.module is not None
            if name not in self.module.__dict__:
                raise _Missing(f"{name!r} is not defined")
            return self.module.__dict__[name]
        return getattr(self.owner(target), name)

    def run(self, function: Any, args: Any, named: Any) -> Frame:
        objects: list[Any] = []
        unpacker = transport.Unpacker(objects, self.special)
        given = [unpacker.unpack(one, 0) for one in args]
        by_name = {name: unpacker.unpack(one, 0) for name, one in named.items()}
        before = transport.snapshot(objects)
        try:
            value = function(*given, **by_name)
        except values.CannotCross:
            raise
        except _Missing as error:
            return ("missing", str(error))
        except Exception as error:
            return self.raised(error, objects, before)
        except BaseException as error:
            self.leave(error)
        packer = transport.Packer(objects, self.opaque)
        try:
            packed = packer.pack(value, 0)
            return ("value", packed, self.changes(packer, objects, before), self.printed.take())
        except values.CannotCross:
            raise
        except BaseException as error:  # a lying class, a value too deep for the packer
            raise values.CannotCross(child.describe(error)) from None

    def changes(self, packer: transport.Packer, objects: list[Any], before: list[Any]) -> list[Any]:
        return [[place, packer.contents(objects[place])] for place in transport.changed(objects, before)]

    def raised(self, error: Exception, objects: list[Any], before: list[Any]) -> Frame:
        kind = type(error)
        base = next(one for one in kind.__mro__ if one.__module__ == "builtins")
        own = kind.__name__ if kind is not base else None
        try:
            text = str(error)[: 1 << 16]
        except Exception:
            text = ""
        packer = transport.Packer(objects, self.opaque)
        try:
            args = [packer.pack(one, 0) for one in error.args]
        except (values.CannotCross, RecursionError):
            args = [text]
        attributes = {}
        for name, value in vars(error).items():
            try:
                attributes[name] = packer.pack(value, 0)
            except (values.CannotCross, RecursionError):
                continue
        note = child.describe(error)
        changes = self.changes(packer, objects, before)
        return ("raised", base.__name__, own, text, args, attributes, note, changes, self.printed.take())

    def leave(self, error: BaseException) -> None:
        """The end of the program, as the interpreter would have it."""
        code = 1
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        os._exit(code & 0xFF)

    # --- objects ------------------------------------------------------------------------------------------------------

    def special(self, tag: str, body: Any) -> Any:
        """What the tester calls by a number or a name."""
        if tag == "obj":
            return self.known[body]
        if tag == "name":
            return self.resolve(None, body)
        if tag == "builtin":
            return getattr(builtins, body)
        if tag == "back":
            if body not in self.backs:
                self.backs[body] = lambda *args: self.call_back(body, args)
                self.functions[id(self.backs[body])] = body
            return self.backs[body]
        raise values.Malformed(tag)

    def opaque(self, value: Any) -> Any | None:
        """The number of an object of the solution's, or the name of one of its functions; None for all else."""
        number = self.numbers.get(id(value))
        if number is not None:
            return {"obj": number}
        assert self.module is not None
        kind = type(value)
        if id(value) in self.functions:
            return {"back": self.functions[id(value)]}
        if kind is types.FunctionType or isinstance(value, type):
            name = value.__name__
            if self.module.__dict__.get(name) is value:
                return {"name": name}
            return {"builtin": name} if name in transport.BUILTINS and getattr(builtins, name) is value else None
        if kind.__module__ == self.module.__name__ and not isinstance(value, values.PLAIN_BASES):
            return self.number(value, kind.__name__)
        if kind.__module__ in ("builtins", "itertools", "collections") and hasattr(kind, "__next__"):
            return self.number(value, "iterator")
        return None

    def number(self, value: Any, name: str) -> dict[str, Any]:
        self.own -= 1
        self.known[self.own] = value
        self.numbers[id(value)] = self.own
        return {"own": [self.own, name]}


class _Missing(Exception):
    """The module has no such name."""


class _Printed:
    """Standard output of the solution, carried over with the answer to the call that wrote it."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(self.bytes)

    def open(self) -> None:
        """A new stream, whatever the solution made of the old one."""
        self.bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(self.bytes, "utf-8", "backslashreplace", write_through=True)
        vars(sys).update(stdout=self.stream, __stdout__=self.stream)

    def take(self) -> str:
        try:
            data = self.bytes.getvalue()
            if not data:
                return ""
            self.bytes.seek(0)
            self.bytes.truncate()
        except ValueError:  # closed
            return ""
        return data[: transport.MAX_TEXT].decode("utf-8", "replace")


def serve(program: child.Program, control: socket.socket) -> None:
    """Answer the tester's calls until it is gone. Never returns."""
    os.dup2(child.NULL_FD, 0)
    os.dup2(child.NULL_FD, 1)
    os.dup2(child.NULL_FD, 2)
    os.register_at_fork(after_in_child=random.seed)
    peer = socket.socket(fileno=child.INPUT_FD)
    control.send(b"H")  # so that the supervisor knows us by the kernel's word
    _Served(program, peer).serve()
    os._exit(0)
