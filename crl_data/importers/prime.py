"""The code of PRIME (PRIME-RL/Eurus-2-RL-Data, MIT): rows of data_source, prompt, ability, reward_model, extra_info.

Rows whose `ability` is not "code" are not read. The question is the last message of the user, without the sentence that
asks for a block of code. `reward_model.ground_truth` is JSON: inputs, outputs and, for what is called, fn_name, encoded as
in TACO ("decoded" in `pairs`), as rows of the published file show (card at 9776b13264b5aaa0b16495fcf086a0a8d86fd655; verl's
`prime_code` reads lines of JSON instead, and those are none). A name says nothing of a class: the function stands alone.
There are no references.
"""

from __future__ import annotations

from collections.abc import Iterator

from crl_data.columns import describe
from crl_data.errors import RowError
from crl_data.importers import SetAside, Tools, items, text
from crl_data.importers.pairs import as_loaded, once, paired, tests_of_pairs
from crl_data.importers.tables import Tables
from crl_data.rows import Row
from crl_data.types import Problem, Source

SOURCE = Source(
    dataset="PRIME-RL/Eurus-2-RL-Data",
    revision="",
    license="mit",
    url="https://huggingface.co/datasets/PRIME-RL/Eurus-2-RL-Data",
)
_ASKED = "Write Python code to solve the problem. Present the code in \n```python\nYour code\n```\nat the end."


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    make = once("prime", ("prompt", "reward_model"), problem)
    made = tools.each(tables, lambda row: make(row) if text(row, "ability") == "code" else None)
    return (found for found in made if found is not None)


def problem(row: Row, name: str) -> Problem | SetAside:
    messages = [one for one in items(row, "prompt") if isinstance(one, dict) and one.get("role") == "user"]
    if not messages or not isinstance(messages[-1].get("content"), str):
        raise RowError(row.place, "prompt", "messages, one of the user", describe(row.cells.get("prompt")))
    question = messages[-1]["content"].strip().removesuffix(_ASKED).rstrip()
    reward = row.cells.get("reward_model")
    truth = reward.get("ground_truth") if isinstance(reward, dict) else None
    tests = as_loaded(row, "reward_model.ground_truth", truth)
    if not isinstance(tests, dict):
        raise RowError(row.place, "reward_model.ground_truth", "an object with inputs and outputs", describe(tests))
    pairs = paired(row, "reward_model.ground_truth.", tests.get("inputs"), tests.get("outputs"))
    made = tests_of_pairs(row, "reward_model.ground_truth.", pairs, tests.get("fn_name"))
    if isinstance(made, str):
        return SetAside(id=name, reason=made)
    kind, listed, entry = made
    return Problem(
        id=name,
        question=question,
        test_kind=kind,
        tests=listed,
        entry_point=entry,
        source=SOURCE,
        extra={"data_source": row.cells.get("data_source")},
    )
