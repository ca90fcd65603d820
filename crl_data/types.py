"""The nouns of the project: what a problem, a solution, a judgement and a record are.

This is the map of the data: `docs/data-format.md` says the same in words, `crl_data.columns` as columns of files.
Nothing here does anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class TestKind(StrEnum):
    """How the tests of a problem are run."""

    __test__ = False  # not a test class of pytest's

    STDIN = "stdin"
    FUNCTION = "function"
    ASSERT = "assert"
    PYTEST = "pytest"


class Outcome(StrEnum):
    """What became of one test. Only `PASSED` is a pass; what each of the others counts as, `judge.verdict` says."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    NOT_RUN = "not_run"
    JUDGE_ERROR = "judge_error"


@dataclass(frozen=True, kw_only=True)
class Test:
    """One test of a problem; what the two texts mean depends on the problem's `test_kind`."""

    __test__ = False

    input: str
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a problem came from, and under which licence; carried to every record made from it."""

    dataset: str = ""
    revision: str = ""
    license: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question with its tests. Contract 1 of the design says what each column means."""

    id: str
    question: str
    test_kind: TestKind
    tests: tuple[Test, ...]
    public_tests: int | None = None
    entry_point: str | None = None
    test_setup: str | None = None
    checker: str | None = None
    starter_code: str | None = None
    reference: str | None = None
    time_limit_s: float | None = None
    memory_limit_mb: float | None = None
    source: Source = Source()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """What wrote a solution: the sampler's name, and for a model its name and settings; `edit` is a mutant's."""

    name: str
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    edit: str | None = None
    detail: str | None = None  # anything else, as JSON


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A submitted solution: `code` (Python source), or `response` (a whole answer from which the code is taken)."""

    problem_id: str
    id: str
    code: str | None = None
    response: str | None = None
    sampler: Sampler | None = None
    finish_reason: str | None = None
    tokens: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What happened on every test of a problem, and the verdict that policy draws from it (true, false or null)."""

    problem_id: str
    solution_id: str
    verdict: bool | None
    pass_rate: float | None
    n_tests: int
    n_passed: int
    n_inconclusive: int
    outcomes: tuple[Outcome, ...]
    limit_from: str
    tamper_proof: bool
    isolation: str
    reason: str
    seconds: float
    sandbox: str = ""


@dataclass(frozen=True, kw_only=True)
class JudgeInfo:
    """How a verdict came about: enough to judge again in the same way.

    `limit_from` says where the record's time limit came from ("reference", "problem" or "default"). `way` says how tests
    written as source are run (`judging.policy.Way`), and `interface` what they may use of the code under test, as JSON; both
    are null for other kinds of tests. `tamper_proof` is false where the solution could make such a test pass.
    """

    version: str
    threshold: float
    timeouts: str
    max_timeouts: int
    isolation: str
    backend: str
    walls: tuple[str, ...]
    runtime: str
    limit_from: str
    tamper_proof: bool
    way: str | None = None
    interface: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row that is trained on: `solve` (write a solution) or `critique` (judge one). One schema for both."""

    id: str
    kind: str
    prompt: tuple[dict[str, str], ...]
    prompt_template: str
    question: str
    solution: str | None
    solution_id: str | None
    verdict: bool | None
    pass_rate: float | None
    label_source: str
    problem_id: str
    test_kind: TestKind
    tests: tuple[Test, ...]
    entry_point: str | None
    test_setup: str | None
    checker: str | None
    starter_code: str | None
    time_limit_s: float | None
    memory_limit_mb: float | None
    source: Source
    sampler: Sampler | None
    judge: JudgeInfo | None


@dataclass(frozen=True, kw_only=True)
class Critique:
    """A text that a teacher wrote about a solution, and what it concludes; `agrees` with the verdict, or concludes nothing.

    The `refined_` columns are those of the corrected solution that the teacher wrote after it.
    """

    problem_id: str
    solution_id: str
    id: str
    response: str
    conclusion: bool | None = None
    agrees: bool | None = None
    tokens: int | None = None
    sampler: Sampler | None = None
    refined_code: str | None = None
    refined_verdict: bool | None = None
    refined_pass_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """How a model fared on a problem: `n` answers with a verdict, of which `n_true` were right.

    Those without one are in no pass@k; one of more answers than there are is None.
    """

    problem_id: str
    n: int
    n_true: int
    n_inconclusive: int
    pass_at_1: float | None = None
    pass_at_2: float | None = None
    pass_at_4: float | None = None
    mean_tokens: float | None = None
    mean_reasoning_tokens: float | None = None
    model: str | None = None
