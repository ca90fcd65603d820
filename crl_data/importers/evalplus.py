"""EvalPlus (HumanEval+ v0.1.10, MBPP+ v0.2.0, Apache-2.0): one test an input, base inputs first, then the added ones.

The files of its own releases carry inputs and a canonical solution, by running which in the sandbox what is expected is
computed; rows as they lie on the Hub carry a script instead (`evalplus_script`).
A problem's tests are calls compared as values (`function`) where every input and every result survives JSON exactly and
the comparison is plain, else asserts with literals.

How EvalPlus compares where `==` is not its rule (evalplus 0.3.1, eval/__init__.py and eval/_special_oracle.py):
    floats                        within `atol` (1e-6 where the task names none) plus 1e-7 relative
    two tasks                     another formula's answer counts too (558, 581); one (295) also takes 0
    eight tasks                   as sets
    three tasks                   only whether the result is None
    find_zero                     by putting the root into the polynomial
    are_equivalent (164)          takes any answer: set aside
What is not taken over: there, once one expected value was a float, all later tests of a task got its tolerance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crl_data.importers import SetAside, Tools, evalplus_script, items, text
from crl_data.importers.tables import Tables
from crl_data.literals import literal, survives_json
from crl_data.rows import Row
from crl_data.types import Problem, Source, Test, TestKind

HUMANEVAL_PLUS = Source(
    dataset="evalplus/humanevalplus",
    revision="v0.1.10",
    license="apache-2.0",
    url="https://github.com/evalplus/humanevalplus_release",
)
MBPP_PLUS = Source(
    dataset="evalplus/mbppplus",
    revision="v0.2.0",
    license="apache-2.0",
    url="https://github.com/evalplus/mbppplus_release",
)
_AS_SETS = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
_NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})


def read(tables: Tables, tools: Tools) -> Iterator[Problem | SetAside]:
    return tools.each(
        tables,
        lambda row: (
            problem(row, tools)
            if "base_input" in row.cells
            else evalplus_script.problem(row, HUMANEVAL_PLUS, MBPP_PLUS)
        ),
    )


def problem(row: Row, tools: Tools) -> Problem | SetAside:
    task, entry, prompt = text(row, "task_id"), text(row, "entry_point"), text(row, "prompt")
    mbpp = task.startswith("Mbpp/")
    if entry == "are_equivalent":
        return SetAside(id=task, reason="its comparison takes any answer")
    reference = text(row, "canonical_solution") if mbpp else prompt + text(row, "canonical_solution")
    inputs = items(row, "base_input") + ([] if row.cells.get("plus_input") == {} else items(row, "plus_input"))
    if mbpp:
        inputs = [_RESTORED.get(int(task.removeprefix("Mbpp/")), _as_it_is)(one) for one in inputs]
    results = tools.references().results(reference, entry, inputs)
    pairs = [(arguments, value) for arguments, (value, fault) in zip(inputs, results, strict=True) if not fault]
    if entry in _NOT_NONE:  # what it returns (a match) does not cross
        pairs = [(arguments, None) for arguments in inputs]
        faults = []
    else:
        faults = [fault for _, fault in results if fault]
    if not pairs:
        return SetAside(id=task, reason=f"the canonical solution returns nothing for any input: {faults[0]}")
    atol = row.cells.get("atol") or 0
    kind, tests = _tests(entry, pairs, float(atol) if isinstance(atol, int | float) else 0.0, reference, tools)
    return Problem(
        id=task,
        question=prompt.strip().strip('"').strip() + "\n" if mbpp else prompt,
        test_kind=kind,
        tests=tests,
        entry_point=entry,
        starter_code=None if mbpp else prompt,
        reference=reference,
        source=MBPP_PLUS if mbpp else HUMANEVAL_PLUS,
        extra={"inputs_left_out": len(faults)},
    )


def _tests(
    entry: str, pairs: list[tuple[Sequence[Any], Any]], atol: float, reference: str, tools: Tools
) -> tuple[TestKind, tuple[Test, ...]]:
    if entry in _NOT_NONE:
        return TestKind.ASSERT, _not_none_tests(entry, pairs, reference, tools)
    plain = entry not in _ORACLES and entry not in _AS_SETS and atol <= 1e-6
    if plain and all(survives_json(list(arguments)) and survives_json(value) for arguments, value in pairs):
        tests = (
            Test(input=json.dumps(list(arguments), ensure_ascii=False), expected=json.dumps(value, ensure_ascii=False))
            for arguments, value in pairs
        )
        return TestKind.FUNCTION, tuple(tests)
    oracle = _ORACLES.get(entry, _close_to)
    if entry in _AS_SETS:
        oracle = _as_set
    return TestKind.ASSERT, tuple(Test(input=oracle(entry, arguments, value, atol)) for arguments, value in pairs)


def _call(entry: str, arguments: Sequence[Any]) -> str:
    return f"{entry}({', '.join(map(literal, arguments))})"


def _as_set(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    return f"assert set({_call(entry, arguments)}) == {literal(set(value))}"


def _close_to(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    call = _call(entry, arguments)
    if isinstance(value, float) and math.isfinite(value):
        return f"out = {call}\nassert out == {literal(value)} or abs(out - {literal(value)}) <= {_tolerance(value, atol)!r}"
    if (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(one, float) and math.isfinite(one) for one in value)
    ):
        near = " and ".join(
            f"abs(out[{place}] - {literal(one)}) <= {_tolerance(one, atol)!r}" for place, one in enumerate(value)
        )
        same_shape = f"type(out) == {type(value).__name__} and len(out) == {len(value)}"
        return f"out = {call}\nassert out == {literal(value)} or ({same_shape} and {near})"
    return f"assert {call} == {literal(value)}"


def _tolerance(value: float, atol: float) -> float:
    return (atol or 1e-6) + 1e-7 * abs(value)


def _or_zero(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    return f"out = {_call(entry, arguments)}\nassert out == {literal(value)} or out == 0"


def _or_padded(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    one, other = (str(argument) for argument in arguments)
    width = max(len(one), len(other))
    padded = sum(abs(int(a) - int(b)) for a, b in zip(one.zfill(width), other.zfill(width), strict=True))
    return f"out = {_call(entry, arguments)}\nassert out == {literal(value)} or out == {padded}"


def _or_by_apex(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    base, height = arguments
    by_apex = round(base**2 + 4 * (base * math.sqrt((base / 2) ** 2 + height**2)) / 2)
    return f"out = {_call(entry, arguments)}\nassert out == {literal(value)} or abs(out - {by_apex}) <= {atol!r}"


def _is_root(entry: str, arguments: Sequence[Any], value: Any, atol: float) -> str:
    terms = " + ".join(f"{literal(factor)} * out ** {power}" for power, factor in enumerate(arguments[0]))
    return f"out = {_call(entry, arguments)}\nassert abs({terms}) <= {atol!r}"


_ORACLES: dict[str, Callable[[str, Sequence[Any], Any, float], str]] = {
    "sum_div": _or_zero,
    "digit_distance_nums": _or_padded,
    "surface_Area": _or_by_apex,
    "find_zero": _is_root,
}


def _not_none_tests(
    entry: str, pairs: list[tuple[Sequence[Any], Any]], reference: str, tools: Tools
) -> tuple[Test, ...]:
    """Whether the canonical solution gives something, found by calling it and looking at no more than that."""
    asked = (
        f"{reference}\n\ndef _gives_something(*arguments):\n    out = {entry}(*arguments)\n"
        "    return out if isinstance(out, bool) else out is not None\n"
    )
    answers = tools.references().results(asked, "_gives_something", [arguments for arguments, _ in pairs])
    return tuple(
        Test(
            input=f"out = {_call(entry, arguments)}\nassert (out if isinstance(out, bool) else out is not None) == {value}"
        )
        for (arguments, _), (value, fault) in zip(pairs, answers, strict=True)
        if not fault
    )


# --- MBPP+ inputs were tuples, sets and complex numbers before they became JSON (evalplus 0.3.1, data/mbpp.py) --------

Arguments = Sequence[Any]


def _as_it_is(arguments: Arguments) -> Arguments:
    return arguments


def _tuples(arguments: Arguments) -> Arguments:
    return [tuple(one) for one in arguments]


def _lists_of_tuples(arguments: Arguments) -> Arguments:
    return [[tuple(inner) for inner in one] for one in arguments]


def _first_is_tuples(arguments: Arguments) -> Arguments:
    return [[tuple(inner) for inner in arguments[0]], arguments[1]]


def _second_is_tuple(arguments: Arguments) -> Arguments:
    return [arguments[0], tuple(arguments[1])]


def _list_of_sets(arguments: Arguments) -> Arguments:
    return [[set(one) if isinstance(one, list) and one else {} for one in arguments[0]]]


def _float_and_complex(arguments: Arguments) -> Arguments:
    return (float(arguments[0]), complex(arguments[1]))


def _first_is_tuple(arguments: Arguments) -> Arguments:
    return [tuple(arguments[0]), *arguments[1:]]


def _tuples_of_tuples(arguments: Arguments) -> Arguments:
    return [tuple(tuple(inner) for inner in one) for one in arguments]


def _tuple_of_tuples_where_lists(arguments: Arguments) -> Arguments:
    return [tuple(tuple(one) if isinstance(one, list) else one for one in arguments[0])]


def _dictionary_of_tuples(arguments: Arguments) -> Arguments:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


def _one_complex(arguments: Arguments) -> Arguments:
    return [complex(arguments[0])]


def _all_tuples(arguments: Any) -> Any:
    return tuple(_all_tuples(one) for one in arguments) if isinstance(arguments, list) else arguments


_RESTORED: dict[int, Callable[[Arguments], Arguments]] = {
    task: restore
    for tasks, restore in (
        (
            (
                2,
                116,
                132,
                143,
                222,
                261,
                273,
                394,
                399,
                421,
                424,
                429,
                470,
                560,
                579,
                596,
                616,
                630,
                726,
                740,
                744,
                809,
            ),
            _tuples,
        ),
        ((63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780), _lists_of_tuples),
        ((75, 413, 444, 753), _first_is_tuples),
        ((106, 750), _second_is_tuple),
        ((115,), _list_of_sets),
        ((124,), _float_and_complex),
        ((250, 405, 446, 617, 720, 763, 808, 307), _first_is_tuple),
        ((259, 401, 445), _tuples_of_tuples),
        ((278,), _tuple_of_tuples_where_lists),
        ((722,), _dictionary_of_tuples),
        ((252,), _one_complex),
        ((580, 615, 791), _all_tuples),
    )
    for task in tasks
}
