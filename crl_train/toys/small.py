r"""The small task: programs of several statements with loops and branches, told from their mutants.

A program takes a list of the digits 0 to 9, keeps a whole number `s`, and goes through the list once or twice, or once with a
branch behind it. What it should do is said by an example (what the empty list gives, which is where `s` starts) and by one or two
lines of words. The grammar, whole (v stands for v or w; of two lines that name it, one says v and the other w):

    question  = "f([]) = " START "\n" first [ "\n" second ]
    first     = plain | when | either | stop | skip | times
    second    = first | cap
    plain     = "each v: " act                                    for v in xs: act
    when      = "each v " cmp ": " act                            for v in xs: if v CMP C: act
    either    = "each v " cmp ": " act ", else " act              for v in xs: if v CMP C: act, else: act
    stop      = "each v " cmp ": stop, then " act                 for v in xs: if v CMP C: break; act
    skip      = "each v " cmp ": skip, then " act                 for v in xs: if v CMP C: continue; act
    times     = "each v: " K " times " act                        for v in xs: for i in range(K): act
    cap       = "if s " ("above" | "from") " " C ": " act         if s CMP C: act            C 10..29, K 2..4
    cmp       = ("below" | "upto" | "above" | "from" | "is" | "not") " " C     < <= > >= == !=, C 1..8
    act       = ("add" | "take" | "xor") " " ("v" | 1..9)         s += , s -= , s ^=         ("v" in loops only)

The kind of a problem is the shape of its line, or the pair of its two lines' shapes: 6 + 6 x 7 = 48. Ten pairs are held out, six
more are for validation, and 32 kinds are trained on. Every shape stands in both places (a cap in the second only) in training,
and no pair that is held out does.

A critique goes through the reference and the candidate slot by slot in the order of their source, writes what is wanted and
what is there, and stops at the first difference. The variable of a line stands before its slots:

    check 4 4 v < < 5 6 \conclusion{F}

Slots: the start; `not` where a test is negated; comparison and constant of a test; operator and operand of an act; the count
of a range; `else`; `break`, `continue`, `pass`; `next` where the body of a loop ends; `return`. So the decision stands directly
behind the pair that decides.

What the demonstrator gets wrong is the decision and never the pair, in two directions:

    at a test with <, > or ==       another comparison is overlooked with probability 0.65, another constant with 0.7
    at a test with <=, >= or !=     nothing is overlooked; a constant that is right is called wrong with 0.6
    at an act that adds             another operator is overlooked with 0.65, another operand with 0.7
    at an act that takes or xors    nothing is overlooked
    at an even start                another start is overlooked with 0.65
    at an odd start                 nothing is overlooked
    elsewhere                       it is never wrong

So its likeliest decision is wrong in both directions, and neither sharpening nor a vote helps.

As a programmer it writes < for "upto", > for "from" and |= for "xor", each with probability 0.6.

Nothing here judges: whether a candidate is right, only running it tells.
"""

from __future__ import annotations

import ast
import json
import operator
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from crl_data.prompts import Template
from crl_data.samplers.mutants import mutants
from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3Config

NAME = "small"
SHOWN_PROMPT = "solve\n{{ question }}\n{{ solution }}\n"
CGD_PROMPT = "solve\n{{ question }}\n{{ solution }}\n{{ critique }}\n"
SOLVE_PROMPT = "solve\n{{ question }}\n"
CRITIQUE_PROMPT = "{# ends in \\conclusion{T} or \\conclusion{F} #}judge\n{{ question }}\n{{ solution }}\n"

VARIABLES = ("v", "w")
FIRST = ("plain", "when", "either", "stop", "skip", "times")
SECOND = (*FIRST, "cap")
HELD_OUT = frozenset(
    {
        ("plain", "either"),
        ("plain", "skip"),
        ("when", "stop"),
        ("when", "cap"),
        ("either", "when"),
        ("either", "times"),
        ("stop", "plain"),
        ("stop", "skip"),
        ("skip", "either"),
        ("times", "when"),
    }
)
VALIDATION = frozenset(
    {
        ("plain", "stop"),
        ("when", "times"),
        ("either", "cap"),
        ("stop", "either"),
        ("skip", "when"),
        ("times", "plain"),
    }
)

_PER_KIND = 30
_TESTS = 10
_COMPARISONS: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "below": ("<", operator.lt),
    "upto": ("<=", operator.le),
    "above": (">", operator.gt),
    "from": (">=", operator.ge),
    "is": ("==", operator.eq),
    "not": ("!=", operator.ne),
}
_ACTS: dict[str, tuple[str, Callable[[int, int], int]]] = {
    "add": ("+=", operator.add),
    "take": ("-=", operator.sub),
    "xor": ("^=", operator.xor),
    "or": ("|=", operator.or_),  # in no question: what the demonstrator takes xor for
}
_LENIENT = frozenset({"<", ">", "==", "+=", "even"})
_OVERLOOKED = {"comparison": 0.65, "constant": 0.7, "operator": 0.65, "operand": 0.7, "start": 0.65}
_ALARM = {"constant": 0.6}
_CARELESS = {"upto": "below", "from": "above", "xor": "or"}
_CARELESSNESS = 0.6


# --- specifications ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Act:
    """`s` is changed: by which word, and by what ("v" or a number)."""

    word: str
    operand: str


@dataclass(frozen=True)
class Line:
    """One line of a question: its shape, and what it is filled with.

    acts: two in "either". Their operand "v" is the line's variable.
    """

    shape: str
    acts: tuple[Act, ...]
    comparison: str = ""
    constant: int = 0
    count: int = 0
    variable: str = "v"


@dataclass(frozen=True)
class Specification:
    """Where `s` starts, and the lines."""

    start: int
    lines: tuple[Line, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        return tuple(line.shape for line in self.lines)


def question_of(specification: Specification) -> str:
    """The specification in words."""
    return "\n".join([f"f([]) = {specification.start}", *map(_words, specification.lines)])


def _words(line: Line) -> str:
    v = line.variable
    acts = [f"{act.word} {v if act.operand == 'v' else act.operand}" for act in line.acts]
    test = f"{line.comparison} {line.constant}"
    return {
        "plain": f"each {v}: {acts[0]}",
        "when": f"each {v} {test}: {acts[0]}",
        "either": f"each {v} {test}: {acts[0]}, else {acts[-1]}",
        "stop": f"each {v} {test}: stop, then {acts[0]}",
        "skip": f"each {v} {test}: skip, then {acts[0]}",
        "times": f"each {v}: {line.count} times {acts[0]}",
        "cap": f"if s {test}: {acts[0]}",
    }[line.shape]


def program_of(specification: Specification) -> str:
    """The specification as a program, written as `ast.unparse` would."""
    return "\n".join(
        [
            "def f(xs):",
            f"    s = {specification.start}",
            *map(_source, specification.lines),
            "    return s\n",
        ]
    )


def _source(line: Line) -> str:
    v = line.variable
    acts = [f"s {_ACTS[act.word][0]} {v if act.operand == 'v' else act.operand}" for act in line.acts]
    test = f"{_COMPARISONS[line.comparison][0]} {line.constant}" if line.comparison else ""
    if line.shape == "cap":
        return f"    if s {test}:\n        {acts[0]}"
    body = {
        "plain": [acts[0]],
        "when": [f"if {v} {test}:", f"    {acts[0]}"],
        "either": [f"if {v} {test}:", f"    {acts[0]}", "else:", f"    {acts[-1]}"],
        "stop": [f"if {v} {test}:", "    break", acts[0]],
        "skip": [f"if {v} {test}:", "    continue", acts[0]],
        "times": [f"for i in range({line.count}):", f"    {acts[0]}"],
    }[line.shape]
    return "\n".join([f"    for {v} in xs:", *(f"        {one}" for one in body)])


def value_of(specification: Specification, xs: Sequence[int]) -> int:
    """What the program gives for a list."""
    s = specification.start
    for line in specification.lines:
        s = _through(line, s, xs)
    return s


def _through(line: Line, s: int, xs: Sequence[int]) -> int:
    def holds(value: int) -> bool:
        return _COMPARISONS[line.comparison][1](value, line.constant)

    def changed(s: int, act: Act, v: int) -> int:
        return _ACTS[act.word][1](s, v if act.operand == "v" else int(act.operand))

    if line.shape == "cap":
        return changed(s, line.acts[0], 0) if holds(s) else s
    for v in xs:
        held = bool(line.comparison) and holds(v)
        if line.shape == "stop" and held:
            break
        if (line.shape == "skip" and held) or (line.shape == "when" and not held):
            continue
        for _ in range(line.count if line.shape == "times" else 1):
            s = changed(s, line.acts[-1] if line.shape == "either" and not held else line.acts[0], v)
    return s


# --- problems ---------------------------------------------------------------------------------------------------------


def problems() -> list[Problem]:
    """All problems, of every kind the same number; the same ones every time."""
    kinds = [(first, *rest) for first in FIRST for rest in ((), *((second,) for second in SECOND))]
    return [problem for kind in kinds for problem in _of_kind(kind)]


def held_out(problem_id: str) -> bool:
    """Whether a problem is of a kind that is never trained on."""
    return _kind_of(problem_id) in HELD_OUT


def validation(problem_id: str) -> bool:
    """Whether a problem is of a kind that settings are chosen on, and nothing is trained on."""
    return _kind_of(problem_id) in VALIDATION


def split_of(problem_id: str) -> str:
    """ "train", "validation" or "test"."""
    return "test" if held_out(problem_id) else "validation" if validation(problem_id) else "train"


def _kind_of(problem_id: str) -> tuple[str, ...]:
    return tuple(problem_id.split("/")[1].split("+"))


def _of_kind(kind: tuple[str, ...]) -> list[Problem]:
    rng = random.Random(f"crl-toys/small/{'+'.join(kind)}")
    found: dict[str, Problem] = {}
    while len(found) < _PER_KIND:
        variables = rng.sample(VARIABLES, 2)
        lines = tuple(_drawn(shape, variable, rng) for shape, variable in zip(kind, variables, strict=False))
        specification = Specification(rng.randint(0, 9), lines)
        specification = _meeting(specification, rng)
        inputs = _inputs(specification, rng)
        question = question_of(specification)
        if inputs is None or question in found:
            continue
        found[question] = Problem(
            id=f"small/{'+'.join(kind)}/{len(found)}",
            question=question,
            test_kind=TestKind.FUNCTION,
            entry_point="f",
            tests=tuple(
                Test(input=json.dumps([xs]), expected=json.dumps(value_of(specification, xs))) for xs in inputs
            ),
            reference=program_of(specification),
            source=Source(dataset="crl-toys/small", license="Apache-2.0"),
        )
    return list(found.values())


def _drawn(shape: str, variable: str, rng: random.Random) -> Line:
    def act() -> Act:
        operand = "v" if shape != "cap" and rng.random() < 0.5 else str(rng.randint(1, 9))
        return Act(rng.choice(("add", "take", "xor")), operand)

    acts: tuple[Act, ...] = (act(),)
    while shape == "either" and len(acts) < 2:
        acts = tuple(dict.fromkeys((*acts, act())))
    if shape == "cap":
        return Line(shape, acts, rng.choice(("above", "from")), rng.randint(10, 29))
    if shape == "times":
        return Line(shape, acts, count=rng.randint(2, 4), variable=variable)
    if shape == "plain":
        return Line(shape, acts, variable=variable)
    return Line(shape, acts, rng.choice(tuple(_COMPARISONS)), rng.randint(1, 8), variable=variable)


def _meeting(specification: Specification, rng: random.Random) -> Specification:
    """The specification with the constant of a cap at a value that `s` has there for some list."""
    first, last = specification.lines[0], specification.lines[-1]
    if last.shape != "cap":
        return specification
    values = [_through(first, specification.start, [rng.randint(0, 9) for _ in range(6)]) for _ in range(20)]
    constant = next((value for value in values if 10 <= value <= 29), last.constant)
    return replace(specification, lines=(first, replace(last, constant=constant)))


def _inputs(specification: Specification, rng: random.Random) -> list[list[int]] | None:
    """Lists that tell the specification from those a slot away: each gives something else on more than a fifth of them.

    The first is empty. None where no such lists were found.
    """
    pool = [[rng.randint(0, 9) for _ in range(rng.randint(1, 8))] for _ in range(40)]
    before, last = replace(specification, lines=specification.lines[:1]), specification.lines[-1]
    if last.shape == "cap":  # its boundary is seldom met by chance
        more = ([rng.randint(0, 9) for _ in range(rng.randint(1, 8))] for _ in range(200))
        pool += [xs for xs in more if abs(value_of(before, xs) - last.constant) <= 1][:40]
        if sum(abs(value_of(before, xs) - last.constant) <= 1 for xs in pool) < 6:
            return None
    wanted = [value_of(specification, xs) for xs in pool]
    near = [
        [value_of(one, xs) != value for xs, value in zip(pool, wanted, strict=True)] for one in _near(specification)
    ]
    if any(sum(told) < 3 for told in near):
        return None
    taken: list[int] = []
    while len(taken) < _TESTS - 1:
        missing = [told for told in near if sum(told[n] for n in taken) < 3] or near
        taken.append(
            max((n for n in range(len(pool)) if n not in taken), key=lambda n: sum(told[n] for told in missing))
        )
    if any(sum(told[n] for n in taken) < 2 for told in near):
        return None
    return [[], *(pool[n] for n in taken)]


def _near(specification: Specification) -> Iterator[Specification]:
    """Every specification that differs in one slot by as little as a mutant would."""
    for place, line in enumerate(specification.lines):
        for changed in _near_line(line):
            lines = (*specification.lines[:place], changed, *specification.lines[place + 1 :])
            yield replace(specification, lines=lines)


def _near_line(line: Line) -> Iterator[Line]:
    if line.comparison:
        for step in (1, -1):
            yield replace(line, constant=line.constant + step)
        for word in {"below": ("upto",), "upto": ("below",), "above": ("from",), "from": ("above",)}.get(
            line.comparison, ()
        ):
            yield replace(line, comparison=word)
    if line.count:
        yield replace(line, count=line.count - 1)
    for place, act in enumerate(line.acts):
        others = [Act(word, act.operand) for word in ("add", "take", "xor", "or") if word != act.word]
        if act.operand != "v":
            others += [Act(act.word, str(int(act.operand) + step)) for step in (1, -1)]
        for other in others:
            yield replace(line, acts=(*line.acts[:place], other, *line.acts[place + 1 :]))


def read_question(question: str) -> Specification:
    """The specification that a question says. Raises `ValueError` where it is none."""
    head, *rest = question.strip().split("\n")
    start = re.fullmatch(r"f\(\[\]\) = (\d+)", head)
    if start is None or not 1 <= len(rest) <= 2:
        raise ValueError(f"expected a question of the small task, got {question!r}")
    return Specification(int(start[1]), tuple(map(_read_line, rest)))


_ACT = r"(add|take|xor) ([vw]|\d+)"
_LINE = re.compile(
    r"(each [vw]|if s)(?: (below|upto|above|from|is|not) (\d+))?: (?:(stop|skip), then |(\d+) times )?"
    + _ACT
    + f"(?:, else {_ACT})?"
)


def _read_line(text: str) -> Line:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a line of the small task, got {text!r}")
    head, comparison, constant, jump, count, word, operand, word_2, operand_2 = found.groups()
    shape = (
        "cap"
        if head == "if s"
        else jump or ("times" if count else "either" if word_2 else "when" if comparison else "plain")
    )
    acts = tuple(Act(one, "v" if by in VARIABLES else by) for one, by in ((word, operand), (word_2, operand_2)) if one)
    return Line(shape, acts, comparison or "", int(constant or 0), int(count or 0), head[-1] if head != "if s" else "v")


# --- what people write about them -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """One place of a program: what stands there, what it is, and what it belongs to (a comparison or an operator).

    before: what is said before it, where a line begins: the variable of its loop, or "s" of a branch.
    """

    text: str
    role: str
    owner: str = ""
    before: str = ""


_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Add: "+=", ast.Sub: "-=", ast.BitXor: "^=", ast.BitOr: "|=", ast.BitAnd: "&=",
}  # fmt: skip


def slots_of(code: str) -> list[Slot]:
    """The slots of a program of the task's subset, in the order of its source."""
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    body = function.body[:-1] if isinstance(function.body[-1], ast.Return) else function.body
    found = []
    for statement in body:
        first, *others = _slots(statement)
        found += [replace(first, before=_variable(statement)), *others]
    return found


def _variable(statement: ast.stmt) -> str:
    """What a line of the program is about."""
    if isinstance(statement, ast.For):
        return ast.unparse(statement.target)
    return "s" if isinstance(statement, ast.If) else ""


def _slots(statement: ast.stmt) -> Iterator[Slot]:
    if isinstance(statement, ast.Assign):
        value = ast.unparse(statement.value)
        yield Slot(value, "start", "even" if int(value) % 2 == 0 else "odd")
    elif isinstance(statement, ast.AugAssign):
        symbol = _SYMBOLS[type(statement.op)]
        yield Slot(symbol, "operator", symbol)
        yield Slot(ast.unparse(statement.value), "operand", symbol)
    elif isinstance(statement, ast.If):
        test = statement.test
        if isinstance(test, ast.UnaryOp):
            yield Slot("not", "not")
            test = test.operand
        assert isinstance(test, ast.Compare)
        symbol = _SYMBOLS[type(test.ops[0])]
        yield Slot(symbol, "comparison", symbol)
        yield Slot(ast.unparse(test.comparators[0]), "constant", symbol)
        for inner in statement.body:
            yield from _slots(inner)
        if statement.orelse:
            yield Slot("else", "else")
        for inner in statement.orelse:
            yield from _slots(inner)
    elif isinstance(statement, ast.For):
        if isinstance(statement.iter, ast.Call):
            yield Slot(ast.unparse(statement.iter.args[0]), "count")
        for inner in statement.body:
            yield from _slots(inner)
        yield Slot("next", "next")
    else:
        word = {ast.Break: "break", ast.Continue: "continue", ast.Pass: "pass", ast.Return: "return"}[type(statement)]
        yield Slot(word, word)


def critique_of(reference: str, code: str, rng: random.Random | None = None) -> str:
    """The demonstrator's critique of a program; without `rng` one that makes no wrong decision."""
    said = ["check"]
    for want, got in zip(slots_of(reference), slots_of(code), strict=False):
        said += [*filter(None, [want.before]), want.text, got.text]
        differs = want.text != got.text
        if rng is not None and want.role == got.role:
            if differs and want.owner in _LENIENT:
                differs = rng.random() >= _OVERLOOKED[want.role]
            elif not differs and want.owner and want.owner not in _LENIENT:
                differs = rng.random() < _ALARM.get(want.role, 0.0)
        if differs:
            return " ".join([*said, "\\conclusion{F}"])
    return " ".join([*said, "\\conclusion{T}"])


def careless(specification: Specification, rng: random.Random) -> Specification:
    """The specification as the demonstrator reads it when it programs."""

    def read(word: str) -> str:
        return _CARELESS[word] if word in _CARELESS and rng.random() < _CARELESSNESS else word

    lines = (
        replace(
            line, comparison=read(line.comparison), acts=tuple(replace(act, word=read(act.word)) for act in line.acts)
        )
        for line in specification.lines
    )
    return replace(specification, lines=tuple(lines))


def answer_of(code: str) -> str:
    """A program as the answer of a solver."""
    return f"```python\n{code.rstrip()}\n```"


def solutions(problem: Problem, rng: random.Random | None = None) -> list[Solution]:
    """Recorded candidates for a problem: the right program, a mutant of it, and the demonstrator's, which is right or wrong.

    rng: what is drawn comes from it; without it, from the problem's id.
    """
    rng = rng or random.Random(f"{NAME}:{problem.id}")
    specification = read_question(problem.question)
    right = program_of(specification)
    written = {right: Sampler(name="reference")}
    for mutant in mutants(right, 1, str(rng.random())):
        written.setdefault(mutant.code, Sampler(name="mutants", edit=mutant.edit))
    written.setdefault(program_of(careless(specification, rng)), Sampler(name="recorded"))
    return [
        Solution(problem_id=problem.id, id=f"{problem.id}/{n}", code=code, sampler=sampler)
        for n, (code, sampler) in enumerate(written.items())
    ]


def teacher(problem: Problem, code: str, rng: random.Random) -> tuple[str, str]:
    """What the demonstrator writes about a program, and the program that it corrects it to."""
    specification = read_question(problem.question)
    return critique_of(program_of(specification), code, rng), program_of(careless(specification, rng))


def demonstrations(problems: Iterable[Problem], n: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """`n` rows in TRL's conversational form: flawed critiques and flawed solutions, one of each in turn.

    Half of the criticised programs are right; the others are mutants, or, one in eight, the demonstrator's own.
    """
    pool = list(problems)
    solve, critique = Template("solve", NAME, SOLVE_PROMPT), Template("critique", NAME, CRITIQUE_PROMPT)
    for number in range(n):
        problem = rng.choice(pool)
        specification = read_question(problem.question)
        reference = program_of(specification)
        if number % 2:
            prompt = solve.messages(problem)
            text = answer_of(program_of(careless(specification, rng)))
        else:
            code = reference if rng.random() < 0.5 else _wrong(problem, specification, rng)
            prompt = critique.messages(problem, code)
            text = critique_of(reference, code, rng)
        yield {"prompt": list(prompt), "completion": [{"role": "assistant", "content": text}]}


def _wrong(problem: Problem, specification: Specification, rng: random.Random) -> str:
    if rng.random() < 0.125:
        return program_of(careless(specification, rng))
    return rng.choice(_mutants(problem.reference or "", problem.id))


@cache
def _mutants(source: str, seed: str) -> tuple[str, ...]:
    return tuple(mutant.code for mutant in mutants(source, 12, f"demonstrations:{seed}"))


# --- model ------------------------------------------------------------------------------------------------------------

_PIECES = (
    *("judge", "solve", "check", "```python", "\n```", "\n", " \\conclusion{T}", " \\conclusion{F}"),
    *("f([]) =", "\neach v", "\neach w", "\nif s", ":", ", else", " stop, then", " skip, then", " times"),
    *(f" {word}" for word in (*_COMPARISONS, *_ACTS)),
    *(f" {symbol}" for symbol in _SYMBOLS.values()),
    *(f" {n}" for n in range(31)),
    *(" v", " w", " s", " next", " break", " continue", " pass", " return", " else", " not"),
    *("\ndef f(xs):", "\n    s", " =", "\n    for v in xs", "\n    for w in xs", "\n    if s", "\n    if not s"),
    *("\n    return s", "\n        if v", "\n        if not v", "\n        if w", "\n        if not w"),
    *("\n        for i in range(", ")"),
    *(f"\n{' ' * depth}{word}" for depth in (8, 12, 16) for word in ("s", "pass", "break", "continue", "return s", "else")),
)  # fmt: skip
_TEMPLATE = (
    "{% for m in messages %}{{ ('<user>' if m['role'] == 'user' else '<bot>') + m['content'] }}"
    "{{ '' if m['role'] == 'user' else '<end>' }}{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """The task's tokenizer: its phrases, numbers and symbols as tokens, and every printable character for all else.

    Texts of printable ASCII come back as they were.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ("<pad>", "<unk>", "<user>", "<bot>", "<end>")
    pieces = dict.fromkeys((*special, *_PIECES, *map(chr, range(32, 127))))
    made = Tokenizer(
        models.WordPiece(
            {piece: n for n, piece in enumerate(pieces)},
            unk_token="<unk>",
            continuing_subword_prefix="",
            max_input_chars_per_word=1000,
        )
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n[^\n]*|[^\n]+"), behavior="isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        additional_special_tokens=["<user>", "<bot>"],
        chat_template=_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def config(vocab_size: int, hidden_size: int = 96, layers: int = 4, heads: int = 4) -> Qwen3Config:
    """A model of the task: Qwen3's architecture, with 390,000 parameters by default."""
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=hidden_size // heads,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=4,
        bos_token_id=None,
    )
