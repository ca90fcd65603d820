r"""The rewards in verl's signature (verl 0.9.1; also 0.4 to 0.8).

    reward.custom_reward_function.path=pkg://crl_data.rewards.verl
    reward.custom_reward_function.name=compute_score

Which reward a row gets is read from its `extra_info`, in this order:
    correctness        true or false: a critique row, rewarded where its conclusion says the same
    crl                a problem, as JSON with the columns of a record (`crl-data export --to verl`); its tests are in
                       `inputs_outputs` where they are not here
    inputs_outputs     tests, as JSON of the official form alone: {"inputs": [...], "outputs": [...], "fn_name": ...}

`reward_kwargs` are options of `crl_data.rewards.options.Options`; what verl adds of its own is not used. A row that is none
of these raises `InputError`, which names it, and so does an option that is none.

verl adds what it is given to a tensor, and knows no row without a reward. Where `on_inconclusive` says no number, an
undecided solution gets what its tests showed so far: the share that passed, with those that timed out as failed, which is
what verl's own rewards and the paper count. A number in the middle would pay for loops. Where nothing could be found out
because of us, there is no such number: `WorkError` is raised, unless `on_inconclusive` is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from crl_data.errors import InputError, WorkError
from crl_data.responses import extract_code, parse_conclusion
from crl_data.rewards import score
from crl_data.rewards.judging import calibration_of, judgements
from crl_data.rewards.options import Options, options_from
from crl_data.rows import Row as FileRow
from crl_data.rows import problem_of
from crl_data.types import Judgement, Outcome
from crl_data.verl_rows import json_object, official_tests, said, text_of, truth_of

Row = dict[str, Any]

_OF_VERL = frozenset({"reward_router_address", "reward_model_tokenizer", "sandbox_fusion_url", "concurrent_semaphore"})


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **kwargs: Any
) -> dict[str, float]:
    """The reward of one completion under `score`, and numbers beside it: the same keys for every row of either kind.

    score: the reward. acc: 1.0 where the conclusion is right, or where every test passed. pass_rate: the share of tests
    that passed; of a critique `acc`, as in the official code. critique: 1.0 on a critique row. is_true, concluded_true: of
    a critique, what is so and what it says. missing: 1.0 without a conclusion, or without code. inconclusive: 1.0 where
    nothing could be decided. Raises `InputError` and `WorkError` as the module says, never for what a model wrote.
    """
    return compute_scores([data_source], [solution_str], [ground_truth], [extra_info], **kwargs)[0]


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None],
    **kwargs: Any,
) -> list[dict[str, float]]:
    """`compute_score` for a whole batch, as verl's batch reward manager calls it; judged all at once."""
    options = _options(kwargs)
    names = [_name(source, extra, n) for n, (source, extra) in enumerate(zip(data_sources, extra_infos, strict=True))]
    texts = [text if isinstance(text, str) else "" for text in solution_strs]
    rows = [_row(extra, name, text) for extra, name, text in zip(extra_infos, names, texts, strict=True)]
    problems = {place: row for place, row in enumerate(rows) if not isinstance(row, bool)}
    found = judgements(list(problems.values()), [texts[place] for place in problems], options)
    judged = dict(zip(problems, found, strict=True))
    return [
        _of_critique(text, row, options)
        if isinstance(row, bool)
        else _of_solution(text, judged[place], options, names[place])
        for place, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]


def _options(kwargs: Mapping[str, Any]) -> Options:
    options = options_from({name: value for name, value in kwargs.items() if name not in _OF_VERL})
    if options.counts_tokens:
        raise InputError(
            "min_tokens, overlong_tokens: expected none of them, since verl tells no reward the tokens of a completion; "
            "its reward manager dapo has an overlong_buffer_cfg"
        )
    return options


# --- numbers ----------------------------------------------------------------------------------------------------------


def _of_critique(text: str, truth: bool, options: Options) -> dict[str, float]:
    concluded = parse_conclusion(text)
    right = score.of_conclusion(concluded, truth)
    return {
        "score": right + score.terms(score.CRITIQUE, text, None, options),
        "acc": right,
        "pass_rate": right,
        "critique": 1.0,
        "is_true": float(truth),
        "concluded_true": float(concluded is True),
        "missing": float(concluded is None),
        "inconclusive": 0.0,
    }


def _of_solution(text: str, judgement: Judgement | None, options: Options, name: str) -> dict[str, float]:
    passed = judgement.n_passed / judgement.n_tests if judgement is not None else 0.0
    worth = score.of_judgement(judgement, options)
    if worth is None:
        if judgement is None or Outcome.JUDGE_ERROR in judgement.outcomes:
            why = "see the log" if judgement is None else judgement.reason
            raise WorkError(
                f"{name}: could not be judged ({why}), and verl knows no row without a reward; "
                "on_inconclusive in reward_kwargs, as a number, goes on with that number"
            )
        worth = 0.0 if options.score == "all" else passed
    return {
        "score": worth + score.terms(score.SOLVE, text, None, options),
        "acc": float(judgement is not None and judgement.n_passed == judgement.n_tests),
        "pass_rate": passed,
        "critique": 0.0,
        "is_true": 0.0,
        "concluded_true": 0.0,
        "missing": float(extract_code(text) is None),
        "inconclusive": float(not score.is_decided(judgement, options)),
    }


# --- rows -------------------------------------------------------------------------------------------------------------


def _name(source: Any, extra: Any, place: int) -> str:
    """What a row is called in a message."""
    known = extra if isinstance(extra, Mapping) else {}
    for key in ("id", "index"):
        if known.get(key) is not None:
            return f"{source}: the row with the {key} {known[key]}"
    return f"{source}: row {place + 1} of the batch"


def _row(extra: Any, name: str, text: str) -> bool | Row:
    """The truth about a critique row; the columns of a record of any other."""
    if not isinstance(extra, Mapping):
        raise InputError(f"{name}: extra_info: expected an object, got {said(extra)}")
    truth = truth_of(extra.get("correctness"), name)
    if truth is not None:
        return truth
    crl, tests = extra.get("crl"), extra.get("inputs_outputs")
    if not crl and not tests:
        raise InputError(
            f"{name}: extra_info: expected correctness (a critique row), crl or inputs_outputs (a problem), got "
            + (", ".join(sorted(map(str, extra))) or "nothing")
        )
    row = _problem(text_of(crl, f"{name}: extra_info.crl"), text_of(tests, f"{name}: extra_info.inputs_outputs"), name)
    if "entry_point" not in row and row["fn_name"]:
        return {**row, "entry_point": ("Solution." if "class Solution" in text else "") + row["fn_name"]}
    return row


@lru_cache(maxsize=64)
def _problem(crl: str, tests: str, name: str) -> Row:
    """The columns of a problem; the same ones for all completions of a row, which come one after another."""
    row: Row = json_object(crl, f"{name}: extra_info.crl") if crl else {}
    row["fn_name"] = None
    if not row.get("tests"):
        if not tests:
            raise InputError(f"{name}: extra_info: expected tests in crl or in inputs_outputs, got none")
        row |= official_tests(json_object(tests, f"{name}: extra_info.inputs_outputs"), name)
    row.setdefault("test_kind", "function" if row["fn_name"] else "stdin")
    problem_of(FileRow(f"{name}: extra_info", {"entry_point": row["fn_name"], **row, "id": "row", "question": ""}))
    try:
        calibration_of(row)
    except (ValueError, AttributeError) as error:
        raise InputError(f"{name}: extra_info.crl: judge: expected that of a record ({error})") from None
    return {"problem_id": name, **row}
