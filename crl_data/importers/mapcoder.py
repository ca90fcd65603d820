"""APPS problems with recorded answers, as MapCoder published them (Md-Ashraful-Pramanik/MapCoder, MIT; APPS: MIT).

Rows of task_id, description, test_list [{input, output: [accepted, ...]}], starter_code and, as recorded solutions,
responses. The same problem stands in several files, one for each model and way of asking; it is taken once. Problems with
starter code are to be called as functions, but their inputs are lines of text whose types the source does not give: set
aside, since an encoding is never guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator

from crl_data.errors import RowError
from crl_data.importers import ByEntryPoint, SetAside, Tools, items, text
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

SOURCE = Source(
    dataset="codeparrot/apps",
    revision="MapCoder 0027da71030b441cca2bc6f95def86b9aa5c7dea",
    license="mit",
    url="https://github.com/Md-Ashraful-Pramanik/MapCoder",
)
_NAME = re.compile(r"([^/]+)-([^/-]+)-APPS-Python3-0-1\.jsonl")


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    seen: dict[str, bytes] = {}

    def once(row: Row) -> Problem | SetAside | None:
        name = f"apps/{row.cells.get('task_id')}"
        told = json.dumps([row.cells.get("description"), row.cells.get("test_list")])
        content = hashlib.sha256(told.encode()).digest()
        if name in seen:
            if seen[name] != content:
                raise RowError(row.place, "task_id", "the same problem as in the row before with this id", "another")
            return None
        seen[name] = content
        return problem(row, name)

    return (made for made in tools.each(tables, once) if made is not None)


def problem(row: Row, name: str) -> Problem | SetAside:
    if text(row, "starter_code").strip():
        return SetAside(id=name, reason="call-based: its inputs are lines of text whose types the source does not give")
    tests = []
    for place, case in enumerate(items(row, "test_list")):
        accepted = case.get("output") if isinstance(case, dict) else None
        if not isinstance(accepted, list) or not accepted or not all(isinstance(one, str) for one in accepted):
            raise RowError(row.place, f"test_list[{place}].output", "a list of accepted texts", repr(accepted)[:60])
        if len(accepted) > 1:
            return SetAside(id=name, reason="several outputs are accepted, and no rule says which")
        given = case["input"]
        if not isinstance(given, str):
            raise RowError(row.place, f"test_list[{place}].input", "a text", repr(given)[:60])
        tests.append(Test(input=given, expected=accepted[0]))
    return Problem(
        id=name,
        question=text(row, "description"),
        test_kind=TestKind.STDIN,
        tests=tuple(tests),
        public_tests=min(len(items(row, "sample_io")), len(tests)) if row.cells.get("sample_io") else None,
        source=SOURCE,
        extra={"difficulty": row.cells.get("difficulty")},
    )


def read_solutions(tables: Tables, tools: Tools, by_entry_point: ByEntryPoint) -> Iterator[Solution]:
    """Each recorded response; the model and the way it was asked are in the name of the file."""
    given: Counter[tuple[str, str]] = Counter()  # a few problems stand twice in a file
    for row, responses in tools.each(tables, lambda row: (row, items(row, "responses"))):
        name = _NAME.search(row.place)
        model, way = (name[1], name[2]) if name else ("unknown", "unknown")
        task = str(row.cells.get("task_id"))
        for response in responses:
            asked = f"{model}-{way}"
            yield Solution(
                problem_id=f"apps/{task}",
                id=f"{asked}/{task}/{given[asked, task]}",
                response=response if isinstance(response, str) else "",
                sampler=Sampler(name="recorded", model=model, detail=json.dumps({"asked": way})),
                extra={"solved_at_source": row.cells.get("is_solved")},
            )
            given[asked, task] += 1
