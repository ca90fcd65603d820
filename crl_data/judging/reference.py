"""Running a reference for what it returns: how importers compute expected outputs. Behind the same walls as solutions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from crl_data.errors import RunnerDied
from crl_data.judging import calls
from crl_data.sandbox import Limits, Program, Runner, Sandbox
from crl_data.sandbox.client import Input
from crl_data.sandbox.runner import values

_WINDOW = 256
_ATTEMPTS = 3
LIMITS = Limits(cpu_s=16.0, memory_mb=4096.0)


class Reference:
    """Calls references in a sandbox; a context manager, for one thread.

    remember: `Store.outputs`, or None to run everything anew.
    """

    def __init__(
        self, sandbox: Sandbox, remember: Callable[[str, Callable[[], list[Any]]], list[Any]] | None = None
    ) -> None:
        self._sandbox = sandbox
        self._remember = remember
        self._runner: Runner | None = None

    def results(
        self, code: str, entry: str, arguments: Sequence[Sequence[Any]], *, iterate: bool = False
    ) -> list[tuple[Any, str]]:
        """For each list of arguments what the function returned and "", or None and what went wrong instead.

        Iterators that are returned are drawn out with `iterate`, and cross as iterators. Every call is made in a process
        in which all earlier calls of this function were made, as a test suite would.
        """
        packed = [calls.order([calls.pack(one, iterate=iterate)]) for one in arguments]
        key = hashlib.sha256(
            repr(("outputs", 1, self._sandbox.runtime, code, entry, packed)).encode("utf-8", "surrogatepass")
        ).hexdigest()

        def find() -> list[Any]:
            return self._run(code, entry, packed)

        raw = self._remember(key, find) if self._remember else find()
        return [(values.unpack(one["value"]), "") if "value" in one else (None, str(one["note"])) for one in raw]

    def _run(self, code: str, entry: str, packed: list[bytes]) -> list[Any]:
        why = ""
        for _ in range(_ATTEMPTS):
            try:
                return self._run_once(code, entry, packed)
            except RunnerDied as error:
                why = str(error)
                self.close()
        raise RunnerDied(why)

    def _run_once(self, code: str, entry: str, packed: list[bytes]) -> list[Any]:
        if self._runner is None:
            self._runner = self._sandbox.start(True)
        session = self._runner.open(Program(code=code, mode="calls", entry=entry), LIMITS)
        if isinstance(session, str):
            return [{"note": session}] * len(packed)
        found: list[Any] = []
        while len(found) < len(packed):
            window = packed[len(found) : len(found) + _WINDOW]
            for seen in session.run([Input(data, 0) for data in window], fresh=False):
                result = calls.results(seen.answer)[0] if seen.how == "ended" else {}
                if "value" in result:
                    found.append({"value": result["value"]})
                else:
                    found.append({"note": result.get("cannot") or result.get("note") or f"{seen.how}: {seen.note}"})
        return found

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
