"""What tests may use of the code under test: names, kinds and methods, read off the reference and never off a solution.

`PROBE` is appended to the reference and called in the sandbox; what it returns is plain data. Where there is no reference,
`guessed` reads the same off the tests. The form is that of `sandbox.runner.proxy`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

from crl_data.definitions import free_names
from crl_data.syntax import parse

ENTRY = "crl_interface_of_this_module"
PROBE = f'''


def {ENTRY}():
    import sys as sys_
    import types as types_

    def of_class(cls):
        own = [one for one in cls.__mro__ if one.__module__ == "solution"]
        nearest = next(one for one in cls.__mro__ if one.__module__ == "builtins")
        methods, static, special = [], [], []
        for name in dir(cls):
            value = next((vars(one)[name] for one in cls.__mro__ if name in vars(one)), None)
            if name in vars(object) and vars(object)[name] is value:
                continue
            if name.startswith("__") and name.endswith("__"):
                if callable(value):
                    special.append(name)
            elif isinstance(value, (staticmethod, classmethod)):
                static.append(name)
            elif callable(value) and not isinstance(value, type):
                methods.append(name)
        return {{
            "kind": "class",
            "bases": [one.__name__ for one in cls.__bases__ if one in own],
            "builtin": nearest.__name__,
            "methods": methods,
            "static": static,
            "special": special,
        }}

    found = {{}}
    for name, value in list(vars(sys_.modules["solution"]).items()):
        if name.startswith("__") or name == "{ENTRY}":
            continue
        home = getattr(value, "__module__", None)
        if isinstance(value, types_.ModuleType):
            found[name] = {{"kind": "import", "module": value.__name__, "name": ""}}
        elif isinstance(value, type) and home == "solution":
            found[name] = of_class(value)
        elif isinstance(home, str) and home != "solution":
            named = getattr(value, "__name__", None) or name
            module = sys_.modules.get(home)
            if isinstance(named, str) and getattr(module, named, None) is value:
                found[name] = {{"kind": "import", "module": home, "name": named}}
            elif getattr(module, name, None) is value:
                found[name] = {{"kind": "import", "module": home, "name": name}}
            else:
                found[name] = {{"kind": "function" if callable(value) else "value"}}
        else:
            found[name] = {{"kind": "function" if callable(value) else "value"}}
    return found
'''

_KINDS = ("function", "class", "value", "import")


def checked(found: Any) -> str:
    """An interface as the probe returned it, as JSON; "" for what is none. It is bounded, and names are names."""
    if not isinstance(found, dict) or len(found) > 10_000:
        return ""
    for name, shape in found.items():
        if not (isinstance(name, str) and isinstance(shape, dict) and shape.get("kind") in _KINDS):
            return ""
    return json.dumps(found, sort_keys=True)


def guessed(names: Iterable[str], sources: Iterable[str], methods: Iterable[str] = ()) -> str:
    """The interface that the tests themselves suggest, for names of which no reference tells anything."""
    trees = [parse(source) for source in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    called = {
        node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    } | set(methods)
    expected = {
        name.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "aises" in node.func.attr
        for argument in node.args[:1]
        for name in ast.walk(argument)
        if isinstance(name, ast.Name)
    }
    interface: dict[str, Any] = {}
    for name in names:
        shape: dict[str, Any] = {"kind": "function"}
        if name in expected:
            shape = {"kind": "class", "builtin": "Exception", "bases": [], "methods": [], "static": [], "special": []}
        elif name.isupper():
            shape = {"kind": "value"}
        elif name[:1].isupper() or (methods and attributes):
            shape = {
                "kind": "class",
                "builtin": "object",
                "bases": [],
                "methods": sorted(called),
                "static": [],
                "special": ["__len__", "__iter__", "__getitem__", "__contains__", "__str__"],
            }
        interface[name] = shape
    return json.dumps(interface, sort_keys=True)


def wanted(entry: str | None, tests: Iterable[str], setup: str) -> list[str]:
    """The names that the tests take from the solution: the entry point's owner, or every free name."""
    if entry is not None:
        return [entry.partition(".")[0]]
    return sorted(free_names("\n".join([setup, *tests])))
