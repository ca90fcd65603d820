"""A recipe: what a dataset is built from and how. Every key, with its default; docs/recipes.md says the same in words.

A key that is not known is an error. Paths are relative to the recipe's folder. `recipe_file` reads recipes.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crl_data.cleaning.benchmarks import EXPECTED, SAME_QUESTIONS, is_known
from crl_data.cleaning.duplicates import LEAST_JACCARD
from crl_data.corpus.mix import Mixing
from crl_data.corpus.secrets import secret_of
from crl_data.importers import PROBLEM_FORMATS, SOLUTION_FORMATS
from crl_data.importers.tables import Tables, Which, open_tables
from crl_data.judging.policy import Isolation, Policy, Timeouts
from crl_data.responses import Extraction
from crl_data.rows import MAX_FIELD_MB
from crl_data.samplers.chat import OWN_KEYS, Chat
from crl_data.sandbox import Sandbox, open_sandbox


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class _Rows(_Part):
    """A source of rows: local files, or a data set on the Hub (`importers.tables`)."""

    config: str | None = None
    split: str | None = None
    revision: str | None = None
    license: str | None = None

    def tables(self, base: Path, max_field_mb: int) -> Tables:
        which = Which(config=self.config, split=self.split, revision=self.revision, license=self.license)
        return open_tables(self.files, base, which, max_field_mb)

    @property
    def files(self) -> str:
        raise NotImplementedError


class ProblemSource(_Rows):
    """Where problems come from: Problem rows at `path`, or `format` and `source` of an importer."""

    path: str | None = None
    format: str = "problems"
    source: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None

    @property
    def files(self) -> str:
        return self.path or self.source or ""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        return _one_of(value, PROBLEM_FORMATS)

    @model_validator(mode="after")
    def _one_place(self) -> ProblemSource:
        if (self.path is None) == (self.source is None):
            raise ValueError("either path (Problem rows) or format and source")
        if self.path is not None and self.format != "problems":
            raise ValueError("source, and not path, beside a format")
        return self


Share = Annotated[float, Field(gt=0, le=1)] | None


class Recorded(_Rows):
    """Solutions that were written before: Solution rows, or a named format of recorded answers."""

    sampler: Literal["recorded"]
    path: str
    format: str = "solutions"
    extract: Extraction = Extraction.LAST_BLOCK
    labels: Literal["executed", "given"] = "executed"
    share: Share = None

    @property
    def files(self) -> str:
        return self.path

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        return _one_of(value, SOLUTION_FORMATS)


class Mutants(_Part):
    """Small semantic edits of each problem's reference."""

    sampler: Literal["mutants"]
    per_problem: Annotated[int, Field(ge=1)] = 8
    share: Share = None


class PriceOf(_Part):
    """US dollars for a million tokens."""

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BudgetFor(_Part):
    """What the answers may cost in all, over all runs; None: any amount."""

    requests: Annotated[int, Field(ge=0)] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class AskedModel(_Part):
    """How a model behind an OpenAI-compatible server is asked, whatever its answers are for (`samplers.openai`)."""

    sampler: Literal["openai"]
    model: Annotated[str, Field(min_length=1)]
    base_url: str = "https://api.openai.com/v1"
    api_key_env: str | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: int | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = 8192
    seed: int | None = None
    extra_body: dict[str, Any] = {}
    per_request: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    retries: Annotated[int, Field(ge=0)] = 6
    retry_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 600.0
    price: PriceOf | None = None
    budget: BudgetFor = BudgetFor()
    batch: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("base_url")
    @classmethod
    def _without_credentials(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError(
                "http(s)://host[:port]/path without a user, a password or a query (a key is named by api_key_env)"
            )
        return value

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("the name of a variable of the environment, and not the key itself")
        return value

    @field_validator("extra_body")
    @classmethod
    def _of_its_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, inner in value.items():
            if name in OWN_KEYS:
                raise ValueError(f"no {name!r} here: it is a key of the sampler, or cannot be set")
            if secret := secret_of(name, inner):
                raise ValueError(f"no {secret!r} here: a key is named by api_key_env, and is in the environment")
        if not isinstance(value.get("max_completion_tokens", 1), int):
            raise ValueError("max_completion_tokens as a whole number")
        return value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        both = self.max_tokens is not None and "max_completion_tokens" in self.extra_body
        if both and "max_tokens" in self.model_fields_set:
            raise ValueError("max_tokens, or max_completion_tokens in extra_body, and not both")
        if self.budget.usd is not None and self.price is None:
            raise ValueError("a price beside budget.usd: {input: ..., output: ...}, in US dollars for a million tokens")
        if (self.budget.usd, self.budget.tokens) != (None, None) and self.chat.output_tokens is None:
            raise ValueError("max_tokens beside a budget of tokens or US dollars, so that a request has a bound")
        return self

    @property
    def chat(self) -> Chat:
        """What is asked. `max_completion_tokens`, as newer models of OpenAI's name it, takes the place of `max_tokens`."""
        renamed = "max_completion_tokens" in self.extra_body
        return Chat(
            model=self.model,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=None if renamed else self.max_tokens,
            seed=self.seed,
            extra=self.extra_body,
            per_request=self.per_request,
        )


class LocalModel(_Part):
    """How a model that runs here, in vLLM, is asked, whatever its answers are for (`samplers.vllm`)."""

    sampler: Literal["vllm"]
    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: int | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = 8192
    seed: int | None = None
    thinking: bool | None = None
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1
    data_parallel_size: Annotated[int, Field(ge=1)] = 1
    dtype: str = "auto"
    max_model_len: Annotated[int, Field(ge=1)] | None = None
    enforce_eager: bool = False
    batch_size: Annotated[int, Field(ge=1)] = 256
    engine: dict[str, Any] = {}

    price: ClassVar[None] = None
    budget: ClassVar[BudgetFor] = BudgetFor()
    batch: ClassVar[None] = None

    @field_validator("engine")
    @classmethod
    def _of_its_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, inner in value.items():
            if name in cls.model_fields or name.startswith("data_parallel"):
                raise ValueError(f"no {name!r} here: it is a key of the sampler, or cannot be set")
            if secret := secret_of(name, inner):
                raise ValueError(f"no {secret!r} here: a token of the Hub is in the environment (HF_TOKEN)")
        return value

    @model_validator(mode="after")
    def _experts_in_one_place(self) -> Self:
        if self.data_parallel_size > 1 and self.engine.get("enable_expert_parallel"):
            raise ValueError(
                "data_parallel_size of 1 beside engine.enable_expert_parallel (vLLM's server spreads experts over replicas: "
                "sampler: openai)"
            )
        return self


class OfCandidates(_Part):
    """What the answers of a model to the solve prompt become candidates by."""

    n: Annotated[int, Field(ge=1)] = 4
    prompt: str | None = None
    extract: Extraction = Extraction.LAST_BLOCK
    cut: Literal["drop", "judge"] = "drop"
    share: Share = None


class OpenAI(AskedModel, OfCandidates):
    """Answers of a model behind a server to the solve prompt."""


class Vllm(LocalModel, OfCandidates):
    """Answers of a model that runs here to the solve prompt."""


CandidateSource = Annotated[Recorded | Mutants | OpenAI | Vllm, Field(discriminator="sampler")]


class Written(_Rows):
    """Answers that were written before."""

    sampler: Literal["recorded"]
    path: Annotated[str, Field(min_length=1)]

    @property
    def files(self) -> str:
        return self.path


class OfDifficulty(_Part):
    """How difficult the problems are for a model: it is asked n times for each."""

    n: Annotated[int, Field(ge=1)] = 8
    candidates: bool = False
    prompt: str | None = None
    extract: Extraction = Extraction.LAST_BLOCK


class OpenAIDifficulty(AskedModel, OfDifficulty):
    pass


class VllmDifficulty(LocalModel, OfDifficulty):
    pass


class RecordedDifficulty(Written, OfDifficulty):
    pass


DifficultyStage = Annotated[OpenAIDifficulty | VllmDifficulty | RecordedDifficulty, Field(discriminator="sampler")]


class OfCritiques(_Part):
    """Texts for critique records: a teacher writes n, and where it is asked to, a corrected solution."""

    n: Annotated[int, Field(ge=1)] = 1
    of: Literal["data", "pool"] = "data"
    prompt: str | None = None
    refine: bool = False
    refine_prompt: str = "default"


class OpenAICritiques(AskedModel, OfCritiques):
    pass


class VllmCritiques(LocalModel, OfCritiques):
    pass


class RecordedCritiques(Written, OfCritiques):
    pass


CritiqueStage = Annotated[OpenAICritiques | VllmCritiques | RecordedCritiques, Field(discriminator="sampler")]


class CheckedBenchmark(_Part):
    """A benchmark whose questions no problem may hold: its name, and the files that they stand in."""

    name: Annotated[str, Field(min_length=1)]
    path: str
    field: str | None = None
    since: date | None = None

    @model_validator(mode="after")
    def _readable(self) -> CheckedBenchmark:
        if self.field is None and not is_known(self.name):
            raise ValueError(
                f"one of {', '.join((*EXPECTED, *SAME_QUESTIONS))}, or the field that holds the question beside the name"
            )
        if self.since is not None and self.name != "livecodebench":
            raise ValueError("since beside livecodebench only: the questions of others have no day")
        return self


class Clean(_Part):
    """Which problems are set aside because they stand twice, or are questions of a benchmark."""

    duplicates: Literal["near", "exact", "none"] = "near"
    jaccard: Annotated[float, Field(ge=LEAST_JACCARD, le=1)] = 0.8
    decontaminate: tuple[CheckedBenchmark, ...] = ()
    contaminated: Literal["drop", "flag"] = "drop"
    ngram: Annotated[int, Field(ge=5, le=100)] = 10
    substring: Annotated[int, Field(ge=20, le=10_000)] = 150

    @field_validator("decontaminate")
    @classmethod
    def _named_once(cls, value: tuple[CheckedBenchmark, ...]) -> tuple[CheckedBenchmark, ...]:
        names = [one.name for one in value]
        if len(set(names)) < len(names):
            raise ValueError("each benchmark once, all its files in one path")
        return value


class Select(_Part):
    """Which tests are kept. Defaults are the paper's."""

    max_test_tokens: Annotated[int, Field(ge=1)] | None = 200
    max_tests: Annotated[int, Field(ge=1)] | None = 30
    tokenizer: str | None = None


class JudgeSettings(_Part):
    """How verdicts are drawn; see `judging.Policy`."""

    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    timeouts: Timeouts = Timeouts.AUTO
    max_timeouts: Annotated[int, Field(ge=1)] = 2
    early_stop: bool = False
    isolation: Isolation = Isolation.BATCH
    sandbox: Literal["auto", "local", "docker", "none"] = "auto"
    image: Annotated[str, Field(min_length=1)] | None = None
    runtime: Annotated[str, Field(min_length=1)] | None = None
    allow_weak: bool = False
    libraries: tuple[str, ...] = ("numpy",)
    time_limit_s: Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)] | None = None
    memory_limit_mb: Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)] = 1024.0
    jobs: Annotated[int, Field(ge=1)] | None = None

    def policy(self) -> Policy:
        settings = self.model_dump(exclude={"sandbox", "image", "runtime", "allow_weak", "jobs"})
        return Policy(**settings)

    def open_sandbox(self) -> Sandbox:
        return open_sandbox(
            self.sandbox, self.libraries, image=self.image, runtime=self.runtime, allow_weak=self.allow_weak
        )


class Mix(_Part):
    """How critique and solve records are mixed."""

    critique_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    pick: Literal["random", "first", "near_miss", "one_true_one_false"] = "random"
    balance: Annotated[float, Field(gt=0, lt=1)] | None = None
    per_problem: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _room_for_both(self) -> Mix:
        if self.pick == "one_true_one_false" and self.per_problem < 2:
            raise ValueError("per_problem of 2 or more beside pick: one_true_one_false")
        return self


class Prompts(_Part):
    """Which templates the prompts are made with: a name, or a Jinja file."""

    solve: str = "default"
    critique: str = "default"


class Split(_Part):
    test_share: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Recipe(_Part):
    """The whole of it."""

    problems: Annotated[tuple[ProblemSource, ...], Field(min_length=1)]
    candidates: tuple[CandidateSource, ...] = ()
    clean: Clean = Clean()
    select: Select = Select()
    judge: JudgeSettings = JudgeSettings()
    mix: Mix = Mix()
    prompts: Prompts = Prompts()
    split: Split = Split()
    difficulty: DifficultyStage | None = None
    critiques: CritiqueStage | None = None
    allow_licenses: tuple[str, ...] | None = None
    on_bad_rows: Literal["error", "skip"] = "error"
    max_field_mb: Annotated[int, Field(ge=1, le=1024)] = MAX_FIELD_MB
    engine: Literal["local"] = "local"
    seed: int = 0

    def mixing(self) -> Mixing:
        """What mixing needs to know of the recipe."""
        settings = self.mix
        return Mixing(
            share=settings.critique_share,
            pick=settings.pick,
            balance=settings.balance,
            per_problem=settings.per_problem,
            threshold=self.judge.threshold,
            seed=self.seed,
        )

    @property
    def labels_are_given(self) -> bool:
        """Whether some verdicts are given, so that a problem need not have tests."""
        return any(isinstance(source, Recorded) and source.labels == "given" for source in self.candidates)

    @field_validator("candidates")
    @classmethod
    def _shares(cls, value: tuple[CandidateSource, ...]) -> tuple[CandidateSource, ...]:
        total = sum(source.share or 0.0 for source in value)
        if total > 1 + 1e-9:
            raise ValueError(f"shares of at most 1 in all (theirs are {total:g})")
        return value

    @field_validator("candidates")
    @classmethod
    def _batches_apart(cls, value: tuple[CandidateSource, ...]) -> tuple[CandidateSource, ...]:
        folders = [Path(source.batch) for source in value if isinstance(source, OpenAI) and source.batch is not None]
        if len(set(folders)) < len(folders):
            raise ValueError("a folder of its own for each batch: one would write over the requests of the other")
        return value


def _one_of(value: str, known: Any) -> str:
    if value not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return value
