"""Mutants: one edit each, named, drawn by seed, none twice, none that is the reference, and all of them programs."""

from __future__ import annotations

import ast
import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.samplers.mutants import mutants, normalised, sample
from tests.conftest import RIGHT_SUM, SUM, stdin_problem

ALL = 10_000
KINDS = {
    "comparison": "def f(a, b):\n    return a < b\n",
    "arithmetic": "def f(a, b):\n    return a * b\n",
    "boundary": "def f(a, i):\n    return a[i]\n",
    "constant": "def f():\n    return 7\n",
    "boolean": "def f(a, b):\n    return a and b\n",
    "dropped statement": "def f(a):\n    a.sort()\n    return a\n",
    "range bounds": "def f(n):\n    return list(range(n))\n",
    "early return": "def f(n):\n    for x in n:\n        print(x)\n    return n\n",
}
PROGRAMS = {
    **KINDS,
    "a program": RIGHT_SUM,
    "a closure": "def f(a):\n    total = 0\n    def add(n):\n        nonlocal total\n        total += n\n    for n in a:\n        add(n)\n    return total\n",
    "a global": "count = 0\ndef f():\n    global count\n    count += 1\n    return count\n",
    "loops": "def f(a):\n    for x in a:\n        if x > 3:\n            break\n        elif x == 2:\n            continue\n    else:\n        a = []\n    while a:\n        a.pop()\n    return a\n",
    "a generator": "def f(n):\n    while n != 1:\n        yield n\n        n = n // 2 if n % 2 == 0 else 3 * n + 1\n    return 4\n",
    "try": "def f(a):\n    try:\n        x = a[0]\n    except IndexError:\n        x = -1\n    else:\n        x += 1\n    finally:\n        a.clear()\n    return x\n",
    "a match": "def f(a):\n    match a:\n        case {1: x, 2: y}:\n            return x + y\n        case [1, *rest] if rest:\n            return rest\n        case -1 | 0:\n            return True\n        case 'left':\n            return 'right'\n    return None\n",
    "a class": "class A:\n    'doc'\n    size: int = 3\n    def f(self, n=2):\n        self.n = n\n        return self.n ** 2 >= self.size\n",
    "text": "def f(s):\n    '''doc'''\n    return f'{s!r:>10} {len(s) + 1}%' + 'a' * 3 + b'x'.decode()\n",
    "a lambda and more": "f = lambda a: sorted((x for x in a if not x in (1, 2)), key=lambda x: -x)[::-1]\n",
    "an async one": "async def f(a):\n    async for x in a:\n        await x(1)\n    return 1\n",
    "the future": "from __future__ import annotations\nx: int = 1\nprint(x << 2 | 1 & 3 ^ 5)\n",
    "a decorator": "import functools\n@functools.lru_cache(maxsize=1)\ndef f(n):\n    return 1 if n <= 1 else n * f(n - 1)\n",
    "odd numbers": "def f(a):\n    return 0 ** a + (-1) ** a + 1.5 - 1e300 * True + 10 ** 20 + 1j.real\n",
    "unpacking": "def f(*a, **k):\n    x, *y = range(*a)\n    (z := x)\n    del y[0]\n    return {**k, 'x': x} if z is not None else {}\n",
}
programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def edit_count(one: ast.AST, other: ast.AST) -> int:
    """At how many places two syntax trees begin to differ."""
    if type(one) is not type(other):
        return 1
    differing = 0
    for (_, mine), (_, others) in zip(ast.iter_fields(one), ast.iter_fields(other), strict=True):
        if isinstance(mine, list) and isinstance(others, list):
            if len(mine) != len(others):
                differing += 1
            else:
                differing += sum(
                    edit_count(a, b) if isinstance(a, ast.AST) else a != b for a, b in zip(mine, others, strict=True)
                )
        elif isinstance(mine, ast.AST) and isinstance(others, ast.AST):
            differing += edit_count(mine, others)
        else:
            differing += mine != others or type(mine) is not type(others)
    return differing


@pytest.mark.parametrize(("kind", "program"), KINDS.items(), ids=KINDS)
def test_every_kind_of_edit_is_made_and_named(kind: str, program: str) -> None:
    assert kind in {mutant.edit.partition(":")[0] for mutant in mutants(program, ALL, "0")}


@programs
def test_every_edit_has_a_kind_that_is_known_and_a_line_of_the_program(program: str) -> None:
    for mutant in mutants(program, ALL, "0"):
        kind, _, said = mutant.edit.partition(": ")
        assert kind in KINDS and "\n" not in said
        line = re.search(r"\(line (\d+)\)$", said)
        assert line is not None and 1 <= int(line[1]) <= program.count("\n")


@programs
def test_every_mutant_can_be_compiled(program: str) -> None:
    """One that cannot be is no hard negative, and every test of it fails for a reason that was not meant."""
    compile(program, "program", "exec")
    for mutant in mutants(program, ALL, "0"):
        try:
            compile(mutant.code, "mutant", "exec")
        except SyntaxError as error:
            pytest.fail(f"{mutant.edit}: {error}\n{mutant.code}")


@programs
def test_no_mutant_is_the_reference_or_another_mutant(program: str) -> None:
    forms = [normalised(ast.parse(mutant.code)) for mutant in mutants(program, ALL, "0")]
    assert forms and len(set(forms)) == len(forms)
    assert normalised(ast.parse(program)) not in forms


@programs
def test_a_mutant_is_one_edit_away(program: str) -> None:
    reference = ast.parse(ast.unparse(ast.parse(program)))
    for mutant in mutants(program, ALL, "0"):
        assert edit_count(reference, ast.parse(mutant.code)) == 1, mutant.edit


@programs
def test_a_seed_gives_the_same_mutants_and_fewer_are_the_first_of_more(program: str) -> None:
    every = list(mutants(program, ALL, "a"))
    assert list(mutants(program, ALL, "a")) == every
    for count in (0, 1, 3, len(every), len(every) + 1):
        assert list(mutants(program, count, "a")) == every[:count]


def test_another_seed_gives_another_order_of_the_same_mutants() -> None:
    program = PROGRAMS["a generator"]
    orders = {tuple(mutant.code for mutant in mutants(program, ALL, str(seed))) for seed in range(5)}
    assert len(orders) == 5 and len({frozenset(order) for order in orders}) == 1


def test_what_says_nothing_makes_no_difference() -> None:
    one = "def f(n):\n    'what it does'\n    return n + 1  # a comment\n"
    other = "def f( n ):\n    'something else'\n\n    return (n+1)"
    assert normalised(ast.parse(one)) == normalised(ast.parse(other))
    assert normalised(ast.parse("def f(n): return n + 2")) != normalised(ast.parse("def f(n): return n + 1"))
    assert not any("what it doe" not in mutant.code for mutant in mutants(one, ALL, "0"))


@pytest.mark.parametrize(
    "program", ["", "\n", "# nothing\n", "'only words'\n", "def f(", "x = '\0'", "\ud800", "pass", "import os\n"]
)
def test_where_nothing_can_be_edited_there_are_none(program: str) -> None:
    assert list(mutants(program, ALL, "0")) == []


def test_mutants_of_a_problem_are_solutions_that_say_what_was_edited() -> None:
    problem = stdin_problem(*((test.input, test.expected) for test in SUM.tests), id="sum", reference=RIGHT_SUM)
    solutions = list(sample(problem, 2, 3))
    assert [solution.id for solution in solutions] == ["sum/mutant-0", "sum/mutant-1"]
    for solution in solutions:
        assert solution.problem_id == "sum" and solution.response is None and solution.code
        assert solution.sampler is not None and (solution.sampler.name, solution.sampler.seed) == ("mutants", 3)
        assert solution.sampler.edit and solution.sampler.edit.partition(":")[0] in KINDS
    assert list(sample(problem, 2, 3)) == solutions and list(sample(problem, 2, 4)) != solutions
    assert list(sample(stdin_problem(("", "")), 5, 0)) == []


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "0", "1", "-1", "2.5", "'s'", "None", "True", "[]", "range(a)", "range(1, a)", "f(a)"]),
    lambda inner: (
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "<=", "==", "!=", "in", "and", "or", "is"]),
            inner,
        )
        | st.builds("({} if {} else {})".format, inner, inner, inner)
        | st.builds("(not {})".format, inner)
        | st.builds("{}[{}]".format, st.just("a"), inner)
        | st.builds("[x for x in {} if x > {}]".format, inner, inner)
    ),
    max_leaves=6,
)
STATEMENTS = st.recursive(
    st.builds("{} = {}".format, st.sampled_from("ab"), EXPRESSIONS)
    | st.builds("a += {}".format, EXPRESSIONS)
    | st.builds("print({})".format, EXPRESSIONS)
    | st.builds("return {}".format, EXPRESSIONS),
    lambda inner: st.builds(
        lambda head, expression, body: (
            head.format(expression) + ":\n" + "\n".join("    " + line for line in body.splitlines())
        ),
        st.sampled_from(["if {}", "while {}", "for b in {}"]),
        EXPRESSIONS,
        inner,
    ),
    max_leaves=2,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=4))
def test_of_any_program_mutants_are_others_that_compile(statements: list[str]) -> None:
    body = "\n".join("    " + line for statement in statements for line in statement.splitlines())
    program = f"def f(a, b):\n{body}\n    return a\n"
    seen = {normalised(ast.parse(program))}
    for mutant in mutants(program, 25, "0"):
        compile(mutant.code, "mutant", "exec")
        form = normalised(ast.parse(mutant.code))
        assert form not in seen
        seen.add(form)


def test_of_real_references_mutants_are_others_that_compile(shared_data: Path) -> None:
    with gzip.open(shared_data / "mbpp" / "mbpp.jsonl.gz") as file:
        references = [json.loads(line)["code"] for line in file][::12]
    for reference in references:
        form = normalised(ast.parse(reference))
        for mutant in mutants(reference, 6, "0"):
            compile(mutant.code, "mutant", "exec")
            assert normalised(ast.parse(mutant.code)) != form
