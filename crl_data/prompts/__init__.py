"""The prompts of records: templates in one place, by name and hash.

Two kinds: `solve` (write a solution) and `critique` (judge one, and conclude with `\\conclusion{T}` or `\\conclusion{F}`).
Two more follow on a critique: `refine` asks the teacher who wrote it for a corrected solution, `cgd` a model that reads it.
`shown` asks for a solution beside one that may be wrong, which a trainer compares with critiques. A template is a Jinja text
with the variables question, test_kind, entry_point, starter_code, examples (the tests that a solver may see) and, for
critiques, solution; for `cgd`, critique too. Named ones are the files beside this module; any other is a file of the user's.

    default   ours
    paper     critique: what arXiv 2509.22824 says is asked (the specification, the submitted solution, whether it is correct and
              fully satisfies the specification, how to conclude); the authors' own words are in their data and not in print.
              solve: the form of LiveCodeBench's prompt for standard input and for starter code, without its sentence "You will
              NOT return anything except for the program", which Qwen3's report leaves out for thinking models
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from crl_data.errors import InputError
from crl_data.types import Problem, TestKind

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Template:
    """A prompt template: `name` as it was asked for, and the text."""

    kind: str
    name: str
    text: str

    @property
    def label(self) -> str:
        """What stands in a record: kind, name and the hash of the text."""
        return f"{self.kind}/{self.name}@{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    @cached_property
    def _compiled(self) -> Any:
        import jinja2

        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=False,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        try:
            return environment.from_string(self.text)
        except jinja2.TemplateError as error:
            raise InputError(f"prompts.{self.kind} ({self.name}): expected a Jinja template, got: {error}") from None

    def messages(
        self, problem: Problem, solution: str | None = None, critique: str | None = None
    ) -> tuple[dict[str, str], ...]:
        """The prompt as chat messages. Raises `InputError` where the template asks for what there is not."""
        values: dict[str, Any] = {
            "question": problem.question.strip(),
            "test_kind": str(problem.test_kind),
            "entry_point": problem.entry_point,
            "starter_code": (problem.starter_code or "").rstrip() or None,
            "examples": problem.tests[: problem.public_tests or 0],
        }
        if solution is not None:
            values["solution"] = solution.strip("\n")
        if critique is not None:
            values["critique"] = critique.strip()
        try:
            text = self._compiled.render(values)
        except Exception as error:  # a template is a program of the user's: whatever goes wrong in it is its fault
            raise InputError(f"prompts.{self.kind} ({self.name}): {type(error).__name__}: {error}") from None
        return ({"role": "user", "content": text.strip() + "\n"},)

    def messages_about(
        self, record: Mapping[str, Any], solution: str, critique: str | None = None
    ) -> tuple[dict[str, str], ...]:
        """The prompt about a solution of a record's problem, from the record's columns. Raises as `messages` does."""
        problem = Problem(
            id=record["problem_id"],
            question=record["question"],
            test_kind=TestKind(record["test_kind"]),
            tests=(),
            entry_point=record.get("entry_point"),
            starter_code=record.get("starter_code"),
        )
        return self.messages(problem, solution, critique)


def load_template(kind: str, name: str, base: Path) -> Template:
    """A template by name, or a file relative to `base`. Raises `InputError` where there is none, or it misses its point."""
    shipped = _FOLDER / f"{kind}_{name}.jinja"
    path = shipped if shipped.is_file() and "/" not in name else base / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        known = sorted(file.stem.removeprefix(f"{kind}_") for file in _FOLDER.glob(f"{kind}_*.jinja"))
        raise InputError(
            f"prompts.{kind}: no template is called {name!r} (known: {', '.join(known)}), and there is no file {path}"
        ) from None
    if kind == "critique" and "\\conclusion{" not in text:
        raise InputError(
            f"prompts.critique: {name}: expected a template that says how to conclude (\\conclusion{{T}} or \\conclusion{{F}})"
        )
    return Template(kind, path.name if path != shipped else name, text)
