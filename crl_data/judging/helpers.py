"""Which definitions of the reference (or the starter code) a test needs, so that they never come from the solution.

HumanEval/32, 38 and 50 call functions of their prompts: solutions that redefine those pass elsewhere. It reads source
and returns source; nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterable

from crl_data.definitions import definitions, free_names


def helpers_of(tests: Iterable[str], setup: str, entry: str | None, sources: Iterable[str | None]) -> str:
    """The definitions, from the first of `sources` that has any, of the names that tests and set-up use and do not define.

    The entry point is never among them. Without one, every free name of the tests comes from the solution: nothing here.
    """
    if entry is None:
        return ""
    used = free_names("\n".join([setup, *tests])) - {entry.partition(".")[0]}
    for source in sources:
        if source and used:
            found = definitions(source, used, without=entry.partition(".")[0])
            if found:
                return found
    return ""
