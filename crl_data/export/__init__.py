"""Records in the formats of other people's programs. One module a format; each reads only what a build left behind.

    verl     records as verl trains on them, for one of two rewards
    cft      Critique Fine-Tuning: a solution, and the teacher's critique of it
    cgd      Critique-Guided Distillation: a wrong solution and its critique, and the corrected solution
    pairs    preference pairs: a right solution above a wrong one
    openai   conversations that end in a right answer, as OpenAI's fine-tuning reads them

`files` writes them all, `tables` brings together what a build keeps apart. docs/export.md says what is in the rows.
"""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """A format that there is; the module says what each is for."""

    VERL = "verl"
    CFT = "cft"
    CGD = "cgd"
    PAIRS = "pairs"
    OPENAI = "openai"


OPTIONS = {"reward": Format.VERL, "margin": Format.PAIRS, "per_problem": Format.PAIRS}
"""The options that one format alone has."""
