"""The tester's side: stand-ins for the code under test, each of whose calls is one question to the solution's process.

Names, kinds and special methods of the stand-ins come from `interface`, which was read off the reference; nothing that
the solution's process says makes a class or an attribute here. A value that cannot cross, an answer that is none, the
end of the solution: each is a `Fault`, which no `except Exception` of a test catches, and which stays: whatever the test
does after it, it has not passed.

An interface is {name: {"kind": "function" | "class" | "value" | "import", ...}}:
    class    "bases": own classes, "builtin": the nearest built-in base, "methods", "static", "special": names
    import   "module", "name": the same import is made here
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from . import transport, values

CANNOT, DEAD, PROTOCOL, MISSING, LOAD = "cannot", "dead", "protocol", "missing", "load"
_HOSTILE = (ValueError, TypeError, LookupError, RecursionError, ArithmeticError, MemoryError, AttributeError)
_CLASSES = "__crl_class__"
_COMPARING = frozenset(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__bool__"])
_FORWARDED = frozenset(
    [
        "__len__",
        "__getitem__",
        "__setitem__",
        "__delitem__",
        "__contains__",
        "__call__",
        "__str__",
        "__repr__",
        "__format__",
        "__enter__",
        "__exit__",
        "__int__",
        "__float__",
        "__index__",
        "__abs__",
        "__neg__",
        "__pos__",
        "__invert__",
        "__round__",
        "__trunc__",
        "__floor__",
        "__ceil__",
        "__add__",
        "__radd__",
        "__iadd__",
        "__sub__",
        "__rsub__",
        "__isub__",
        "__mul__",
        "__rmul__",
        "__imul__",
        "__truediv__",
        "__rtruediv__",
        "__floordiv__",
        "__rfloordiv__",
        "__mod__",
        "__rmod__",
        "__pow__",
        "__rpow__",
        "__and__",
        "__or__",
        "__xor__",
        "__lshift__",
        "__rshift__",
        "__matmul__",
        "__divmod__",
        "__missing__",
        "__reversed__",
        "__bytes__",
        "__complex__",
    ]
)


class Fault(BaseException):
    """The solution's side failed the test; `kind` says how. It is no `Exception`: a test does not catch it."""

    def __init__(self, kind: str, note: str) -> None:
        super().__init__(note)
        self.kind = kind
        self.note = note


class NotConnected(Exception):
    """A stand-in was used where no solution is: while the tests were being prepared."""


class Link:
    """The question and answer with the solution's process.

    waiting: told True before a question and False after the answer: whose time is running.
    handles: whether objects that the solution makes may be dealt with, too (not tamper-proof).
    """

    def __init__(self, interface: dict[str, Any], handles: bool) -> None:
        self.interface = interface
        self.handles = handles
        self.read: Callable[[int], bytes] | None = None
        self.write: Callable[[bytes], None] = _nowhere
        self.early: Callable[[], bool] = _never
        self.waiting: Callable[[bool], None] = _ignored
        self.taken: Callable[[bytes], None] = _nowhere
        self.fault: Fault | None = None
        self.used_unconnected = False
        self.numbers = b""
        self.last = ""
        self.made = 0
        self.own: dict[int, Any] = {}
        self.by_number: dict[int, Any] = {}
        self.functions: dict[int, Any] = {}  # of the test's, that the solution may call back
        self.raised: list[BaseException] = []
        self.namespace: dict[str, Any] = {}
        self.classes: dict[str, type] = {}
        self.names = {name: self.stand_in(name) for name in interface}

    # --- a test -------------------------------------------------------------------------------------------------------

    def begin(self, seed: int, names: list[str], namespace: dict[str, Any]) -> None:
        """A new test: the solution's module is executed afresh. Raises `Fault`."""
        self.fault = None
        self.last = ""
        self.made = 0
        self.own.clear()
        self.by_number.clear()
        self.functions.clear()
        self.raised.clear()
        self.namespace = namespace
        self.value(self.ask("begin", seed, names), [], None)

    def end(self) -> bool:
        """The end of a test, whatever became of it; whether the solution's process is spent."""
        if self.fault is not None:
            return True
        try:
            return self.value(self.ask("end"), [], None) is not False
        except Exception:  # it is the solution that answers, and it can say that it raised something
            self.fail(PROTOCOL, "no answer to the end of a test")

    # --- questions ----------------------------------------------------------------------------------------------------

    def call(self, target: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        objects, packer = self.packer()
        packed = [packer.pack(one, 0) for one in args], {key: packer.pack(one, 0) for key, one in named.items()}
        return self.value(self.ask("call", target, name, *packed), objects, packer)

    def make(self, one: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        objects, packer = self.packer()
        packed = [packer.pack(value, 0) for value in args], {key: packer.pack(value, 0) for key, value in named.items()}
        self.made += 1
        object.__setattr__(one, "_crl_number", self.made)
        self.by_number[self.made] = one
        self.value(self.ask("make", name, self.made, *packed), objects, packer)

    def get(self, target: Any, name: str) -> Any:
        return self.value(self.ask("get", target, name), [], None)

    def set(self, target: Any, name: str, value: Any) -> None:
        objects, packer = self.packer()
        packed = packer.pack(value, 0)
        self.value(self.ask("set", target, name, packed), objects, packer)

    def delete(self, target: Any, name: str) -> None:
        self.value(self.ask("delete", target, name), [], None)

    def draw(self, target: Any) -> list[Any]:
        drawn = self.value(self.ask("draw", target, values.MAX_NODES), [], None)
        if type(drawn) is not list:
            self.fail(PROTOCOL, "not a list of items")
        return list(drawn)

    def next(self, target: Any) -> Any:
        return self.value(self.ask("next", target), [], None, ends=True)

    def packer(self) -> tuple[list[Any], _Checked]:
        objects: list[Any] = []
        return objects, _Checked(self, objects)

    def ask(self, verb: str, *parts: Any) -> list[Any]:
        """One question and its answer, as it came. Raises `Fault`."""
        if self.fault is not None:
            raise self.fault
        if self.read is None:
            self.used_unconnected = True
            raise NotConnected("the code under test is not there yet")
        number = self.number()
        if self.early():
            self.fail(PROTOCOL, "an answer before the question")
        question: transport.Frame = (number, verb, *parts)
        while True:
            data = self.exchange(question)
            if data is None:
                raise self.failed(DEAD, "the solution's process ended")
            try:
                answer: Any = transport.decode(data)
            except values.Malformed as error:
                raise self.failed(PROTOCOL, str(error)) from None
            if type(answer) is not list or len(answer) < 2 or answer[0] != number or type(answer[0]) is not int:
                self.fail(PROTOCOL, "an answer to another question")
            self.taken(data[data.index(b",") :])  # all but its number
            if answer[1] != "back":
                return list(answer)
            question = self.called_back(answer)

    def exchange(self, question: transport.Frame) -> bytes | None:
        assert self.read is not None
        self.waiting(True)
        try:
            self.write(transport.encode(question))
            return transport.receive(self.read)
        except OSError:
            return None
        except values.Malformed as error:
            self.fail(PROTOCOL, str(error))
        except values.CannotCross as error:
            self.fail(CANNOT, f"an argument that cannot cross: {error}")
        finally:
            self.waiting(False)
        return None

    def called_back(self, answer: list[Any]) -> transport.Frame:
        """The solution calls a function of the test's; what that comes to, as the next thing said to it."""
        try:
            function, args = answer[2:]
            callee = self.functions[function]
            given = [transport.Unpacker([], self.special).unpack(one, 0) for one in args]
        except values.Malformed as malformed:
            self.fail(PROTOCOL, f"not a call: {malformed}")
        except _HOSTILE as hostile:
            self.fail(PROTOCOL, f"not a call: {type(hostile).__name__}")
        try:
            return (0, "back", self.packer()[1].pack(callee(*given), 0))
        except Exception as error:
            nearest = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
            return (0, "raise", nearest.__name__, [self.packer()[1].pack(str(error), 0)])

    def number(self) -> int:
        """A number that nobody can know before."""
        if not self.numbers:
            self.numbers = os.urandom(4096)
        number, self.numbers = self.numbers[:4], self.numbers[4:]
        return int.from_bytes(number, "little")

    def value(self, answer: list[Any], objects: list[Any], packer: Any, ends: bool = False) -> Any:
        """What a question came to. Raises what the solution raised, and `Fault`.

        Unless it `ends` an iterator, a StopIteration is a RuntimeError, as out of a generator: it would end whatever of
        the test's goes over the calls (`map`, `zip`), and what is then looked at is nothing.
        """
        what, *parts = answer[1:]
        if what in (CANNOT, MISSING, LOAD) and len(parts) == 1 and type(parts[0]) is str:
            self.fail(what, parts[0] if what != CANNOT else f"{parts[0]} cannot cross")
        error = None
        try:
            unpacker = transport.Unpacker(objects, self.special)
            if what == "value":
                packed, changes, printed = parts
                value = unpacker.unpack(packed, 0)
                self.last = packed
            elif what == "raised":
                base, own, text, args, attributes, note, changes, printed = parts
                value = None
                error = self.exception(unpacker, base, own, text, args, attributes)
                error.__crl_note__ = str(note)[:2000]  # type: ignore[attr-defined]
                self.last = note
            else:
                raise values.Malformed(f"an answer of the kind {str(what)[:40]!r}")
            for place, contents in changes:
                if type(place) is not int or not 0 <= place < len(objects):
                    raise values.Malformed("a change of nothing")
                unpacker.fill(objects[place], contents, 0)
            if printed:
                sys.stdout.write(str(printed)[: transport.MAX_TEXT])
        except values.Malformed as malformed:
            self.fail(PROTOCOL, f"not an answer: {malformed}")
        except _HOSTILE as hostile:
            self.fail(PROTOCOL, f"not an answer: {type(hostile).__name__}: {hostile}"[:300])
        if error is not None:
            self.raised.append(error)
            if isinstance(error, StopIteration | StopAsyncIteration) and not ends:
                raise RuntimeError(f"the code under test raised {type(error).__name__}") from error
            raise error
        return value

    def fail(self, kind: str, note: str) -> NoReturn:
        raise self.failed(kind, note)

    def failed(self, kind: str, note: str) -> Fault:
        """The fault of this test, which stays: the first one."""
        self.fault = self.fault or Fault(kind, note)
        return self.fault

    # --- what crosses -------------------------------------------------------------------------------------------------

    def special(self, tag: str, body: Any) -> Any:
        """An object or a name that the solution's answer speaks of. Raises `Malformed`, or `Fault` where it may not."""
        if tag == "obj":
            return self.by_number[body] if body in self.by_number else self.own[body]
        if tag == "name" and type(body) is str and body in self.names:
            return self.names[body]
        if tag == "back" and type(body) is int and body in self.functions:
            return self.functions[body]
        if tag == "builtin" and type(body) is str and body in transport.BUILTINS:
            return getattr(builtins, body)
        if tag == "own" and type(body) is list and len(body) == 2 and type(body[0]) is int and type(body[1]) is str:
            number, name = body
            if not self.handles:
                kind = "an iterator" if name == "iterator" else f"an object of type {name[:100]}"
                self.fail(CANNOT, f"{kind} cannot cross")
            if number not in self.own:
                if name != "iterator" and name not in self.classes:
                    self.fail(CANNOT, f"an object of type {name[:100]} cannot cross")
                self.own[number] = self.adopt(number, name)
            return self.own[number]
        raise values.Malformed(f"the tag {tag}")

    def adopt(self, number: int, name: str) -> Any:
        if name == "iterator":
            return _Drawn(self, number)
        kind = self.classes[name]
        one: Any = object.__new__(kind)
        object.__setattr__(one, "_crl_number", number)
        return one

    def opaque(self, value: Any) -> Any | None:
        """What an argument that is no plain value crosses as, if it does."""
        kind = type(value)
        number = value.__dict__.get("_crl_number") if isinstance(kind, _Meta) else None
        if number is not None:
            return {"obj": number}
        if kind is _Drawn:
            return {"obj": value.number}
        if kind is types.FunctionType and hasattr(value, "_crl_name"):
            return {"name": value._crl_name}
        if isinstance(kind, type) and isinstance(value, _Meta) and _CLASSES in value.__dict__:
            return {"name": value.__dict__[_CLASSES]}
        name = getattr(value, "__name__", None)
        if type(name) is str and name in transport.BUILTINS and getattr(builtins, name) is value:
            return {"builtin": name}
        if self.handles and callable(value):
            if value not in self.functions.values():
                self.functions[len(self.functions)] = value
            return {
                "back": next(number for number, known in self.functions.items() if known is value or known == value)
            }
        return None

    def exception(
        self, unpacker: transport.Unpacker, base: Any, own: Any, text: Any, args: Any, attributes: Any
    ) -> Exception:
        """The exception that the solution raised, of the nearest class that is ours."""
        nearest = getattr(builtins, base, None) if type(base) is str else None
        if not (isinstance(nearest, type) and issubclass(nearest, Exception)) or type(text) is not str:
            raise values.Malformed("an exception of no class of Python's")
        kind: type[Exception] = nearest
        ours = self.namespace.get(own) if type(own) is str else None
        for known in (self.classes.get(own) if type(own) is str else None, ours):
            if isinstance(known, type) and issubclass(known, Exception):
                less = next(one for one in known.__mro__ if one.__module__ == "builtins")
                if issubclass(known, nearest) or issubclass(nearest, less):
                    kind = known
        given = [unpacker.unpack(one, 0) for one in args]
        error = kind.__new__(kind, *given)
        try:
            nearest.__init__(error, *given)  # what Python's own classes keep beside `args`
        except TypeError:  # an own class with arguments of its own
            pass
        error.args = tuple(given)
        for name, packed in attributes.items():
            error.__dict__[str(name)] = unpacker.unpack(packed, 0)
        if str(error) != text and not isinstance(error, KeyError):
            error.args = (text,)
        return error

    # --- stand-ins ----------------------------------------------------------------------------------------------------

    def stand_in(self, name: str) -> Any:
        """What the tests see under a name of the solution; `_LATE` for a value, which is asked for when it is used."""
        shape = self.interface[name]
        kind = shape["kind"]
        if kind == "function":
            return self.function(name)
        if kind == "class":
            return self.cls(name)
        if kind == "import":
            module = importlib.import_module(shape["module"])
            return getattr(module, shape["name"]) if shape["name"] else module
        return LATE

    def function(self, name: str) -> Any:
        def stand_in(*args: Any, **named: Any) -> Any:
            return self.call(None, name, args, named)

        stand_in.__name__ = stand_in.__qualname__ = name
        stand_in.__module__ = "solution"
        stand_in._crl_name = name  # type: ignore[attr-defined]
        return stand_in

    def cls(self, name: str) -> type:
        if name in self.classes:
            return self.classes[name]
        shape = self.interface[name]
        bases = tuple(self.cls(base) for base in shape["bases"] if base in self.interface)
        nearest = getattr(builtins, shape["builtin"], object)
        body: dict[str, Any] = {"__module__": "solution", "__qualname__": name, _CLASSES: name}
        if issubclass(nearest, BaseException):
            made: type = type(name, bases or (nearest,), body)
            self.classes[name] = made
            return made
        body |= {method: self.method(method) for method in shape["methods"]}
        body |= {method: staticmethod(self.of_class(name, method)) for method in shape["static"]}
        offered = _FORWARDED | _COMPARING if self.handles else _FORWARDED  # what is equal, the solution would decide
        special = [method for method in shape["special"] if method in offered]
        body |= {method: self.method(method) for method in special}
        decided = [method for method in shape["special"] if method in _COMPARING - offered]
        body |= {method: self.refusal(f"what {method} of {name} says") for method in decided}
        if "__iter__" in shape["special"]:
            body["__iter__"] = _iterate
        if "__next__" in shape["special"]:
            body["__next__"] = _next
        if "__eq__" in shape["special"] and "__hash__" not in shape["special"]:
            body["__hash__"] = None
        made = _Meta(name, bases or (_Object,), body)
        type.__setattr__(made, "_crl_link", self)
        self.classes[name] = made
        return made

    def method(self, name: str) -> Any:
        def method(self: Any, *args: Any, **named: Any) -> Any:
            link: Link = type(self)._crl_link
            return link.call(self.__dict__["_crl_number"], name, args, named)

        method.__name__ = name
        return method

    def refusal(self, what: str) -> Any:
        """A method that is the solution's word and no value: were it left out, Python would answer in its place."""

        def refused(_: Any, *args: Any) -> NoReturn:
            self.fail(CANNOT, f"{what} cannot cross")

        return refused

    def of_class(self, owner: str, name: str) -> Any:
        def static(*args: Any, **named: Any) -> Any:
            return self.call(owner, name, args, named)

        static.__name__ = name
        return static


class _Checked(transport.Packer):
    """Packs arguments; one that cannot cross is a fault of the test's way, not of the solution."""

    def __init__(self, link: Link, objects: list[Any]) -> None:
        super().__init__(objects, link.opaque)
        self.link = link

    def pack(self, value: Any, depth: int) -> Any:
        try:
            return super().pack(value, depth)
        except values.CannotCross as error:
            raise self.link.failed(CANNOT, f"an argument that cannot cross: {error}") from None


class _Late:
    """A value of the solution's, asked for when it is used."""


LATE = _Late()


class _Meta(type):
    _crl_link: Link

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or _CLASSES not in cls.__dict__:
            raise AttributeError(name)
        return cls._crl_link.get(cls.__dict__[_CLASSES], name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._crl_link.set(cls.__dict__[_CLASSES], name, value)


class _Object(metaclass=_Meta):
    """An object in the solution's process, which the tester knows by its number."""

    def __init__(self, *args: Any, **named: Any) -> None:
        kind = next(one for one in type(self).__mro__ if _CLASSES in one.__dict__)
        kind._crl_link.make(self, kind.__dict__[_CLASSES], args, named)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_crl_number" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return type(self)._crl_link.get(self.__dict__["_crl_number"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        type(self)._crl_link.set(self.__dict__["_crl_number"], name, value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """A copy would be the same object under another name."""
        type(self)._crl_link.fail(CANNOT, f"a copy of an object of type {type(self).__name__} cannot cross")

    def __delattr__(self, name: str) -> None:
        type(self)._crl_link.delete(self.__dict__["_crl_number"], name)


def _iterate(self: Any) -> Iterator[Any]:
    return iter(type(self)._crl_link.draw(self.__dict__["_crl_number"]))


def _next(self: Any) -> Any:
    return type(self)._crl_link.next(self.__dict__["_crl_number"])


class _Drawn:
    """An iterator of the solution's."""

    def __init__(self, link: Link, number: int) -> None:
        self.link = link
        self.number = number

    def __iter__(self) -> _Drawn:
        return self

    def __next__(self) -> Any:
        return self.link.next(self.number)


class Module(types.ModuleType):
    """The module `solution`, as tests import it."""

    def __init__(self, link: Link) -> None:
        super().__init__("solution")
        self.__dict__["_crl_link"] = link
        self.__dict__.update({name: value for name, value in link.names.items() if value is not LATE})
        self.__dict__["__all__"] = [name for name in link.names if not name.startswith("_")]

    def __getattr__(self, name: str) -> Any:
        link = self.__dict__["_crl_link"]
        if link.names.get(name) is not LATE:
            raise AttributeError(f"module 'solution' has no attribute {name!r}")
        return link.get(None, name)


def _nowhere(_: bytes) -> None:
    pass


def _ignored(_: bool) -> None:
    pass


def _never() -> bool:
    return False
