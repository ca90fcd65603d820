r"""The smallest task: does one line of Python do what two words say?

    specification   WORD CONST              times 7
    program         def f(x): return x SYM CONST
    solve           "solve times 7"         ->  def f(x): return x * 7, in a block of Python
    critique        "judge times 7 : def f(x): return x + 7"
                                            ->  * + \conclusion{F}

A critique goes slot by slot, what is wanted and what is there, and stops at the first difference: the decision stands right
behind what it is drawn from. What is right is found by running the program on ten numbers.

Specifications are pairs of an operator and a constant, 8 x 12. Of each operator's constants three are held out for the test and
two for validation: these pairs are in no demonstration and no training row, their constants and operators are. Each pair is
many problems (`COPIES`), each with the right program in a layout of its own and a wrong one of its own, so that a mix by
problems is one by prompts too, as in a corpus where many problems look alike.

The demonstrator is flawed, as a teacher is. Programs: for mod, xor and minus it writes another operator with probability 0.6.
Critiques, variant LH: where the specification says plus, times, xor or or it is lenient (a wrong constant is overlooked with
0.65, a wrong operator with 0.40, and the conclusion is T); for the others it raises a false alarm on right programs with 0.6.
So neither sharpening nor leaning to one conclusion helps: what has to change are decisions. Variant L is lenient everywhere and
raises no alarm.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from crl_data.types import Problem, Sampler, Solution, Source, Test, TestKind

NAME = "tiny"
OPERATORS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "over": "//",
    "mod": "%",
    "xor": "^",
    "and": "&",
    "or": "|",
}
CONSTANTS = tuple(range(2, 14))
NUMBERS = (3, 7, 10, 14, 21, 29, 38, 46, 57, 83)
LENIENT = frozenset({"plus", "times", "xor", "or"})
MISWRITTEN = {"mod": "//", "xor": "|", "minus": "+"}

SOLVE_PROMPT = "solve {{ question }}"
CRITIQUE_PROMPT = r"{# \conclusion{T} or \conclusion{F} #}judge {{ question }} : {{ solution | replace('\n', ' ') }}"
SHOWN_PROMPT = "solve {{ question }} : {{ solution | replace('\n', ' ') }}"
CGD_PROMPT = "solve {{ question }} : {{ solution | replace('\n', ' ') }} {{ critique }}"

COPIES = {"train": 20, "validation": 10, "test": 10}
"""Problems of each pair, by split."""

_HELD_OUT, _VALIDATION = 3, 2


@cache
def _splits() -> dict[tuple[str, int], str]:
    """The split of each pair."""
    found = {}
    drawn = random.Random(11)
    for word in OPERATORS:
        constants = list(CONSTANTS)
        drawn.shuffle(constants)
        for place, constant in enumerate(constants):
            split = "test" if place < _HELD_OUT else "validation" if place < _HELD_OUT + _VALIDATION else "train"
            found[word, constant] = split
    return found


def program(symbol: str, constant: int) -> str:
    return f"def f(x): return x {symbol} {constant}"


def problems() -> list[Problem]:
    """All of them, named WORD-CONST-COPY."""
    return [
        Problem(
            id=f"{word}-{constant}-{copy}",
            question=f"{word} {constant}",
            test_kind=TestKind.FUNCTION,
            tests=tuple(
                Test(input=f"[{x}]", expected=json.dumps(_value(OPERATORS[word], constant, x))) for x in NUMBERS
            ),
            entry_point="f",
            reference=program(OPERATORS[word], constant) + "\n",
            source=Source(dataset=f"crl-toys/{NAME}", revision="1", license="Apache-2.0"),
        )
        for word in OPERATORS
        for constant in CONSTANTS
        for copy in range(COPIES[_splits()[word, constant]])
    ]


def split_of(problem_id: str) -> str:
    """ "train", "validation" or "test"."""
    word, constant, _ = problem_id.split("-")
    return _splits()[word, int(constant)]


def solutions(problem: Problem) -> list[Solution]:
    """The right program, laid out as no other copy's, and a wrong one: another operator, or another constant, in turn.

    Those for training have constants of training only.
    """
    word, constant = _parts(problem)
    copy = int(problem.id.split("-")[2])
    others = [one for one in CONSTANTS if one != constant and _may_meet(problem.id, word, one)]
    symbols = [one for one in OPERATORS.values() if one != OPERATORS[word]]
    drawn = random.Random(f"{word}-{constant}")
    drawn.shuffle(others)
    drawn.shuffle(symbols)
    wrong = (
        program(OPERATORS[word], others[copy // 2 % len(others)])
        if copy % 2
        else program(symbols[copy // 2 % len(symbols)], constant)
    )
    right = f"def f(x):\n{' ' * (copy + 1)}return x {OPERATORS[word]} {constant}"
    return [
        Solution(problem_id=problem.id, id=f"{problem.id}/right", code=right + "\n", sampler=Sampler(name="reference")),
        Solution(problem_id=problem.id, id=f"{problem.id}/wrong", code=wrong + "\n", sampler=Sampler(name="recorded")),
    ]


def _may_meet(problem_id: str, word: str, constant: int) -> bool:
    return split_of(problem_id) != "train" or _splits()[word, constant] == "train"


def critique(
    word: str, constant: int, symbol: str, other: int, is_lenient: bool, is_harsh: bool, rng: random.Random
) -> str:
    """What the demonstrator writes about a program: flawed as it is (`is_lenient`, `is_harsh`: where it may be)."""
    wanted = OPERATORS[word]
    said = [wanted, symbol]
    if wanted != symbol and not (is_lenient and rng.random() < 0.40):
        return " ".join([*said, "\\conclusion{F}"])
    said += [str(constant), str(other)]
    if constant != other and not (is_lenient and rng.random() < 0.65):
        return " ".join([*said, "\\conclusion{F}"])
    is_right = wanted == symbol and constant == other
    alarm = is_right and is_harsh and rng.random() < 0.6
    return " ".join([*said, "\\conclusion{F}" if alarm else "\\conclusion{T}"])


def demonstrations(
    given: Sequence[Problem], n: int, rng: random.Random, variant: str = "LH"
) -> Iterator[dict[str, Any]]:
    """So many rows of the demonstrator's, half of them critiques and half of the judged programs right."""
    for _ in range(n):
        problem = rng.choice(given)
        word, constant = _parts(problem)
        if rng.random() < 0.5:
            symbol = MISWRITTEN[word] if word in MISWRITTEN and rng.random() < 0.6 else OPERATORS[word]
            yield _row(f"solve {problem.question}", f"```python {program(symbol, constant)} ```")
            continue
        symbol, other = OPERATORS[word], constant
        if rng.random() < 0.5:
            if rng.random() < 0.5:
                symbol = rng.choice([one for one in OPERATORS.values() if one != symbol])
            else:
                other = rng.choice([one for one in CONSTANTS if one != constant and _splits()[word, one] == "train"])
        lenient = variant == "L" or word in LENIENT
        text = critique(word, constant, symbol, other, lenient, variant == "LH" and word not in LENIENT, rng)
        yield _row(f"judge {problem.question} : {program(symbol, other)}", text)


def teacher(problem: Problem, code: str, rng: random.Random, variant: str = "LH") -> tuple[str, str]:
    """What the demonstrator writes about a program of `solutions`, and the program that it corrects it to."""
    word, constant = _parts(problem)
    symbol, other = code.split()[-2:]
    lenient = variant == "L" or word in LENIENT
    text = critique(word, constant, symbol, int(other), lenient, variant == "LH" and word not in LENIENT, rng)
    better = MISWRITTEN[word] if word in MISWRITTEN and rng.random() < 0.6 else OPERATORS[word]
    return text, program(better, constant) + "\n"


def _row(prompt: str, completion: str) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
    }


def _parts(problem: Problem) -> tuple[str, int]:
    word, constant, _ = problem.id.split("-")
    return word, int(constant)


def _value(symbol: str, constant: int, x: int) -> int:
    found: int = {
        "+": x + constant,
        "-": x - constant,
        "*": x * constant,
        "//": x // constant,
        "%": x % constant,
        "^": x ^ constant,
        "&": x & constant,
        "|": x | constant,
    }[symbol]
    return found


# --- a model ----------------------------------------------------------------------------------------------------------

_TEMPLATE = (
    "{% for m in messages %}{{ '<user> ' if m['role'] == 'user' else '<bot> ' }}{{ m['content'] }}"
    "{{ ' ' if m['role'] == 'user' else ' <end>' }}{% endfor %}{% if add_generation_prompt %}<bot> {% endif %}"
)


def words() -> list[str]:
    """Every token: those of the conversation first."""
    return [
        *("<pad>", "<end>", "<user>", "<bot>", "<unk>"),
        *(
            "judge",
            "solve",
            ":",
            "def",
            "f(x):",
            "return",
            "x",
            "```python",
            "```",
            "\\conclusion{T}",
            "\\conclusion{F}",
        ),
        *OPERATORS,
        *OPERATORS.values(),
        *(str(constant) for constant in range(15)),
    ]


def tokenizer() -> Any:
    """A tokenizer of words, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(words())}
    of_words = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    of_words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    of_words.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # a blank before every word but the first
            decoders.Replace("```python", "```python\n"),
            decoders.Replace(" def", "def"),
            decoders.Replace(" ```", "\n```"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=of_words,
        pad_token="<pad>",
        eos_token="<end>",
        unk_token="<unk>",
        extra_special_tokens=["<user>", "<bot>"],
        chat_template=_TEMPLATE,
        padding_side="left",
    )


def config(vocab_size: int) -> Any:
    """Of a Qwen3 of 85,000 parameters."""
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
