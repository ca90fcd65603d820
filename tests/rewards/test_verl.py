"""The reward in verl's signature: which reward a row gets, the numbers, and verl's own code around it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.errors import InputError, WorkError
from crl_data.export.verl import Reward, export, inputs_outputs, unscored
from crl_data.rewards.verl import compute_score, compute_scores
from crl_data.rows import Row, read_rows, record_files
from tests.cli.test_help import HEAVY_FOR_REWARDS, loaded_by
from tests.conftest import PROBLEM_ROW, ROOT

KEYS = ["score", "acc", "pass_rate", "critique", "is_true", "concluded_true", "missing", "inconclusive"]
WRONG = "```python\nclass Solution:\n    pass\nprint('no such thing')\n```"
HALF = "```python\na, b = map(int, input().split())\nprint(a + b if a > 1 else 'no')\n```"
SUM = json.dumps(
    {
        "inputs": [test["input"] for test in PROBLEM_ROW["tests"]],
        "outputs": [test["expected"] for test in PROBLEM_ROW["tests"]],
    }
)


def numbers(text: str, extra: Any, **options: Any) -> dict[str, float]:
    return compute_score("a dataset", text, "", extra, **options)


@pytest.fixture(scope="session")
def rows(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Reward, list[dict[str, Any]]]:
    """The exported rows of the shipped problems, for each reward, as verl reads them."""
    import datasets

    found: dict[Reward, list[dict[str, Any]]] = {}
    for reward in Reward:
        out = tmp_path_factory.mktemp("verl") / reward
        files = list(export(demo, out, reward).files)
        read = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(out / "cache"))
        found[reward] = list(read)
    return found


@pytest.fixture(scope="session")
def records(demo: Path) -> dict[str, dict[str, Any]]:
    read = [row for files in record_files(demo).values() for file in files for row in read_rows(file)]
    return {row.cells["id"]: row.cells for row in read if isinstance(row, Row)}


def is_critique(row: dict[str, Any]) -> bool:
    return row["extra_info"]["correctness"] is not None


def answer(row: dict[str, Any], records: dict[str, Any], references: dict[str, str]) -> str:
    return references[records[row["extra_info"]["id"]]["problem_id"]]


# --- the official rules -------------------------------------------------------------------------------------------------------


def official_route(extra: dict[str, Any]) -> tuple[str, Any]:
    """Which reward the manager of Critique-Coder gives a row, and what it judges by; written from reading it."""
    if extra.get("correctness") is not None:
        return "critique", extra["correctness"]
    if extra.get("inputs_outputs"):
        return "code", extra["inputs_outputs"]
    if extra.get("test_cases"):
        return "no reward: that branch is commented out", None
    raise ValueError("it ends the training")


def test_every_exported_row_is_routed_by_the_official_rules_to_what_its_record_is(
    rows: dict[Reward, list[dict[str, Any]]], records: dict[str, dict[str, Any]]
) -> None:
    routed = []
    for row in rows[Reward.OFFICIAL]:
        extra, record = row["extra_info"], records[row["extra_info"]["id"]]
        kind, what = official_route(extra)
        routed.append(kind)
        assert (kind, record["kind"]) in (("critique", "critique"), ("code", "solve"))
        assert "inputs_outputs" in extra  # it looks at this key of every row when it writes its log
        if kind == "critique":
            assert what is record["verdict"] and row["reward_model"]["ground_truth"] == ("T" if what else "F")
        else:
            tests = json.loads(what)
            assert len(tests["inputs"]) == len(tests["outputs"]) == len(record["tests"])
            assert tests.get("fn_name") == ((record["entry_point"] or "").rpartition(".")[2] or None)
            assert all(isinstance(text, str) for text in tests["inputs"] + tests["outputs"])
            assert row["reward_model"]["ground_truth"] == what
    assert {"critique", "code"} == set(routed)


def test_rows_have_what_verl_asks_for(rows: dict[Reward, list[dict[str, Any]]]) -> None:
    for found in rows.values():
        assert {tuple(sorted(row)) for row in found} == {
            ("ability", "data_source", "extra_info", "prompt", "reward_model")
        }
        for split in {row["extra_info"]["split"] for row in found}:
            places = [row["extra_info"]["index"] for row in found if row["extra_info"]["split"] == split]
            assert places == list(range(len(places)))
        for row in found:
            assert row["reward_model"]["style"] == "rule" and isinstance(row["reward_model"]["ground_truth"], str)
            assert all(set(message) == {"role", "content"} for message in row["prompt"])
            assert row["data_source"].endswith("/critique") is is_critique(row)


def test_what_the_official_reward_cannot_score_is_left_out_and_ours_keeps_it(
    demo: Path, rows: dict[Reward, list[dict[str, Any]]], records: dict[str, dict[str, Any]]
) -> None:
    kept = {reward: {row["extra_info"]["id"] for row in found} for reward, found in rows.items()}
    assert kept[Reward.OURS] == set(records)
    gone = kept[Reward.OURS] - kept[Reward.OFFICIAL]
    assert gone == {name for name, record in records.items() if unscored(record)} and gone
    assert all(records[name]["kind"] == "solve" for name in gone)
    assert {records[name]["test_kind"] for name in gone} >= {"assert"}


ONE_TEST = {"input": "1\n", "expected": "1\n"}


def function(tests: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    cells = [{"input": given, "expected": wanted} for given, wanted in tests]
    return {"verdict": None, "test_kind": "function", "entry_point": "f", "tests": cells, **more}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (function([("[1]", "2")]), None),
        (function([("[1]", "2")], entry_point="Solution.f"), None),
        (function([("[1]", "2")], entry_point="Other.f"), "Solution"),
        (function([("[]", "2")]), "misreads"),
        (function([('[{"1": 2}]', "2")]), "misreads"),
        (function([("[{}, 1]", "2")]), "misreads"),
        (function([("[{}]", "2")]), None),
        (function([('[{"a": 2}, 1]', "2")]), None),
        (function([("[1]", '[{"1": 2}, 3]')]), "misreads"),
        (function([("[1]", '[{"1": 2}]')]), None),
        (function([("[1]", "[NaN]")]), "misreads"),
        ({"verdict": None, "test_kind": "stdin", "tests": [ONE_TEST], "checker": "floats:1e-3"}, "checker"),
        ({"verdict": None, "test_kind": "stdin", "tests": [ONE_TEST], "checker": "exact"}, None),
        ({"verdict": None, "test_kind": "stdin", "tests": []}, "without tests"),
        ({"verdict": None, "test_kind": "pytest", "tests": [ONE_TEST]}, "source"),
        ({"verdict": True, "test_kind": "pytest", "tests": []}, None),
    ],
)
def test_why_a_record_cannot_be_scored(record: dict[str, Any], reason: str | None) -> None:
    told = unscored(record)
    assert told is None if reason is None else reason in (told or "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.lists(VALUES, min_size=1, max_size=3), VALUES), min_size=1, max_size=4))
def test_arguments_come_back_from_the_official_form(calls: list[tuple[list[Any], Any]]) -> None:
    """By the official code's reading, and by ours."""
    from crl_data.rewards import verl

    record = function([(json.dumps(given, indent=1), json.dumps(wanted)) for given, wanted in calls])
    text = inputs_outputs(record)
    official = json.loads(text)
    assert [[json.loads(line) for line in one.split("\n")] for one in official["inputs"]] == [one for one, _ in calls]
    ours = verl._row({"inputs_outputs": text}, "x", "")
    assert isinstance(ours, dict) and ours["entry_point"] == "f"
    read = [(json.loads(test["input"]), json.loads(test["expected"])) for test in ours["tests"]]
    assert read == calls


# --- numbers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", Reward)
def test_right_answers_are_worth_one_and_wrong_ones_less(
    reward: Reward, rows: dict[Reward, list[dict[str, Any]]], records: dict[str, Any], references: dict[str, str]
) -> None:
    found = rows[reward]

    def scores(texts: list[str]) -> list[float]:
        told = compute_scores(
            [row["data_source"] for row in found], texts, [""] * len(found), [row["extra_info"] for row in found]
        )
        assert all(list(one) == KEYS for one in told)
        return [one["score"] for one in told]

    def say(row: dict[str, Any], right: bool) -> str:
        if is_critique(row):
            return rf"\conclusion{{{'T' if row['extra_info']['correctness'] is right else 'F'}}}"
        return answer(row, records, references) if right else WRONG

    assert scores([say(row, True) for row in found]) == [1.0] * len(found)
    assert max(scores([say(row, False) for row in found])) < 1.0


def test_the_numbers_of_a_critique() -> None:
    said = dict.fromkeys(KEYS, 0.0) | {"critique": 1.0}
    right = {"score": 1.0, "acc": 1.0, "pass_rate": 1.0}
    assert numbers(r"\conclusion{T}", {"correctness": True}) == said | right | {"is_true": 1.0, "concluded_true": 1.0}
    assert numbers(r"\conclusion{T}", {"correctness": False}) == said | {"concluded_true": 1.0}
    assert numbers(r"\conclusion{F}", {"correctness": False}) == said | right
    assert numbers("no idea", {"correctness": False}) == said | {"missing": 1.0}


def test_the_numbers_of_a_solution() -> None:
    said = dict.fromkeys(KEYS, 0.0)
    half = pytest.approx(3 / 6)
    assert numbers(HALF, {"inputs_outputs": SUM}) == said | {"score": half, "pass_rate": half}
    assert numbers(HALF, {"inputs_outputs": SUM}, score="all") == said | {"pass_rate": half}
    assert numbers("I cannot.", {"inputs_outputs": SUM}) == said | {"missing": 1.0}


ENDLESS_FOR_ONE = "```python\na, b = map(int, input().split())\nwhile a == 7: pass\nprint(a + b)\n```"
UNCALIBRATED = json.dumps({"test_kind": "stdin", "tests": PROBLEM_ROW["tests"], "time_limit_s": 0.5})


def test_an_undecided_solution_is_worth_what_its_tests_showed() -> None:
    """A time-out whose limit is nobody's evidence: as failed, since verl knows no None."""
    told = numbers(ENDLESS_FOR_ONE, {"crl": UNCALIBRATED})
    assert told["inconclusive"] == 1.0 and told["score"] == told["pass_rate"] == pytest.approx(5 / 6)
    assert numbers(ENDLESS_FOR_ONE, {"crl": UNCALIBRATED}, score="all")["score"] == 0.0
    assert numbers(ENDLESS_FOR_ONE, {"crl": UNCALIBRATED}, on_inconclusive=0.25)["score"] == 0.25
    assert numbers(ENDLESS_FOR_ONE, {"crl": UNCALIBRATED}, on_inconclusive="zero")["score"] == 0.0


def test_what_could_not_be_judged_because_of_us_is_an_error_and_never_a_zero() -> None:
    extra = {"inputs_outputs": SUM, "id": "row-7"}
    with pytest.raises(WorkError, match=r"row-7.*on_inconclusive"):
        numbers(HALF, extra, timeout_s=1e-6, remember=0)
    told = numbers(HALF, extra, timeout_s=1e-6, remember=0, on_inconclusive=0.5)
    assert (told["score"], told["inconclusive"]) == (0.5, 1.0)


def test_rows_of_the_official_form_alone_are_judged() -> None:
    lines = json.dumps({"inputs": [["1", "2"]], "outputs": [["3", "4"]]})
    assert numbers("```python\nfor _ in 'ab': print(int(input()) + 2)\n```", {"inputs_outputs": lines})["acc"] == 1.0
    call = json.dumps({"inputs": ["1\n[2, 3]"], "outputs": ["[1, 2, 3]"], "fn_name": "put"})
    plain = "def put(one, rest):\n    return [one, *rest]\n"
    method = "class Solution:\n    def put(self, one, rest):\n        return [one, *rest]\n"
    for code in (plain, method):
        assert numbers(f"```python\n{code}```", {"inputs_outputs": call, "correctness": None})["acc"] == 1.0
    assert numbers("```python\ndef put(one, rest):\n    return rest\n```", {"inputs_outputs": call})["acc"] == 0.0


# --- whatever comes -----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=100), st.booleans(), st.sampled_from([True, False, None]))
def test_the_keys_are_the_same_whatever_a_model_writes(text: str, fenced: bool, truth: bool | None) -> None:
    told = numbers(
        f"```python\n{text}\n```" if fenced else text, {"correctness": truth, "inputs_outputs": SUM}, max_tests=1
    )
    assert list(told) == KEYS
    assert all(type(value) is float and math.isfinite(value) for value in told.values())


def as_numpy(value: Any) -> Any:
    """An object as `DataFrame.to_dict` and object arrays give it."""
    if isinstance(value, dict):
        return {name: as_numpy(item) for name, item in value.items()}
    if isinstance(value, list):
        return np.array([as_numpy(item) for item in value], dtype=object)
    return np.bool_(value) if isinstance(value, bool) else np.str_(value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("extra", "score"),
    [
        ({"correctness": np.bool_(False)}, 0.0),
        ({"correctness": np.int64(1)}, 1.0),
        ({"correctness": float("nan"), "inputs_outputs": np.str_(SUM)}, 0.0),
        ({"correctness": np.float64("nan"), "inputs_outputs": as_numpy(json.loads(SUM))}, 0.0),
        (
            {"correctness": None, "inputs_outputs": None, "crl": UNCALIBRATED, "index": np.int64(3), "num_turns": None},
            0.0,
        ),
    ],
)
def test_values_may_be_those_of_numpy(extra: dict[str, Any], score: float) -> None:
    told = compute_scores(np.array(["d"]), [r"\conclusion{T}"], [None], np.array([extra], dtype=object))
    assert [list(one) for one in told] == [KEYS] and told[0]["score"] == score


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (None, "row 1 of the batch"),
        ({}, "row 1 of the batch"),
        ({"index": 4}, "the index 4"),
        ({"id": "solve:x", "index": 4, "correctness": None, "inputs_outputs": None, "crl": None}, "solve:x"),
        ({"id": "x", "inputs_outputs": ""}, "the id x"),
        ({"id": "x", "inputs_outputs": "{"}, "JSON"),
        ({"id": "x", "inputs_outputs": "[]"}, "JSON object"),
        ({"id": "x", "inputs_outputs": '{"inputs": [], "outputs": []}'}, "at least one"),
        ({"id": "x", "inputs_outputs": '{"inputs": ["1"], "outputs": []}'}, "as many inputs as outputs"),
        ({"id": "x", "inputs_outputs": '{"inputs": [1], "outputs": ["1"]}'}, "expected text"),
        ({"id": "x", "inputs_outputs": '{"inputs": ["{"], "outputs": ["1"], "fn_name": "f"}'}, "tests[0].input"),
        ({"id": "x", "inputs_outputs": '{"inputs": ["1"], "outputs": ["1"], "fn_name": "a b"}'}, "entry_point"),
        ({"id": "x", "crl": "{}"}, "tests"),
        ({"id": "x", "crl": '{"test_kind": "stdin", "tests": [{"input": 1}]}'}, "tests[0].input"),
        ({"id": "x", "crl": '{"test_kind": "cobol", "tests": [{"input": ""}]}'}, "test_kind"),
        ({"id": "x", "crl": '{"tests": [{"input": ""}], "judge": {"way": "no"}}'}, "judge"),
        ({"id": "x", "correctness": "yes"}, "correctness"),
        ({"id": "x", "correctness": 2}, "correctness"),
    ],
)
def test_a_row_that_can_be_neither_is_an_error_that_names_it(extra: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        numbers(WRONG, extra)
    assert told in str(caught.value) and str(caught.value).startswith("a dataset: ")


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["correctness", "inputs_outputs", "crl", "id"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(SUM) | st.just("{}"),
    )
)
def test_any_row_is_one_kind_or_an_error(extra: dict[str, Any]) -> None:
    from crl_data.rewards import verl

    try:
        row = verl._row(extra, "x", "")
    except InputError:
        return
    assert isinstance(row, bool) or row["tests"]


# --- options ------------------------------------------------------------------------------------------------------------------


def test_an_option_that_is_none_is_an_error_and_what_verl_adds_is_not() -> None:
    extra = {"correctness": True}
    with pytest.raises(InputError, match="tiemout_s"):
        numbers("", extra, tiemout_s=3)
    with pytest.raises(InputError, match="overlong_buffer_cfg"):
        numbers("", extra, min_tokens=3)
    assert list(numbers("", extra, reward_router_address="here:1", reward_model_tokenizer=None)) == KEYS
    assert numbers("", extra, format=-0.5)["score"] == -0.5


def test_it_loads_no_heavy_library() -> None:
    assert loaded_by("import crl_data.rewards.verl", [*HEAVY_FOR_REWARDS, "verl", "pyarrow"]) == []


# --- verl's own code ----------------------------------------------------------------------------------------------------------

WHERE = ["pkg://crl_data.rewards.verl", str(ROOT / "crl_data" / "rewards" / "verl.py")]


NEEDED = "omegaconf torch tensordict ray transformers codetiming orjson"  # by verl's loading and managers of rewards


@pytest.fixture
def verl() -> Any:
    """verl itself, which may be installed without most of what it depends on."""
    for name in (*NEEDED.split(), "verl"):
        reason = f"{name} is not installed: pip install {NEEDED}; pip install --no-deps verl==0.9.1"
        found = pytest.importorskip(name, reason=reason, exc_type=ImportError)
    return found


def config(path: str, name: str = "compute_score", **reward_kwargs: Any) -> Any:
    from omegaconf import OmegaConf

    chosen = {"path": path, "name": name, "reward_kwargs": reward_kwargs}
    manager = {"source": "register", "name": "naive"}
    return OmegaConf.create({"reward": {"custom_reward_function": chosen, "reward_manager": manager}})


@pytest.mark.parametrize("path", WHERE, ids=["by package", "by file"])
def test_verl_loads_it_by_its_own_configuration(verl: Any, path: str) -> None:
    from verl.trainer.ppo.reward import get_custom_reward_fn

    call = get_custom_reward_fn(config(path, score="all", libraries=["numpy"], on_inconclusive=0.25))
    told = call(data_source="d", solution_str=ENDLESS_FOR_ONE, ground_truth="", extra_info={"crl": UNCALIBRATED})
    assert list(told) == KEYS and told["score"] == 0.25 and told["inconclusive"] == 1.0


class Characters:
    """A tokenizer whose tokens are characters."""

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return "".join(chr(int(one)) for one in ids if one)


def as_batch(rows: list[dict[str, Any]], texts: list[str]) -> Any:
    """Rows and completions in verl's own form, as its trainer hands them to a reward manager."""
    import torch
    from verl import DataProto

    longest = max(map(len, texts))
    ids = torch.tensor([[ord(one) for one in text] + [0] * (longest - len(text)) for text in texts])
    columns = {name: np.array([row[name] for row in rows], dtype=object) for name in rows[0]}
    return DataProto.from_dict(
        tensors={
            "prompts": torch.ones(len(rows), 1, dtype=torch.long),
            "responses": ids,
            "attention_mask": torch.cat([torch.ones(len(rows), 1, dtype=torch.long), (ids > 0).long()], dim=1),
        },
        non_tensors=columns,
    )


def test_verls_reward_managers_give_the_rewards(
    verl: Any, rows: dict[Reward, list[dict[str, Any]]], records: dict[str, Any], references: dict[str, str]
) -> None:
    """The one of its reward loop, a row at a time, and the older one for batches; and its validation counts the numbers."""
    from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
    from verl.trainer.ppo.metric_utils import process_validation_metrics
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.workers.reward_manager.batch import BatchRewardManager

    found = [json.loads(json.dumps(row)) for row in rows[Reward.OURS]]
    texts = [r"\conclusion{T}" if is_critique(row) else answer(row, records, references) for row in found]
    wanted = [float(row["extra_info"]["correctness"] is not False) for row in found]

    chosen = config(WHERE[0])
    manager = get_reward_manager_cls("naive")(chosen, Characters(), get_custom_reward_fn(chosen))
    batch = as_batch(found, texts)
    told = [manager.loop.run_until_complete(manager.run_single(batch[n : n + 1])) for n in range(len(found))]
    assert [one["reward_score"] for one in told] == wanted
    assert all(list(one["reward_extra_info"]) == KEYS for one in told)

    call = get_custom_reward_fn(config(WHERE[0], "compute_scores"))
    scored = BatchRewardManager(Characters(), 0, call)(as_batch(found, texts), return_dict=True)
    assert scored["reward_tensor"].sum(dim=1).tolist() == wanted
    assert list(scored["reward_extra_info"]) == KEYS

    sources = [row["data_source"] for row in found]
    metrics = process_validation_metrics(sources, [str(n) for n in range(len(found))], scored["reward_extra_info"])
    assert metrics["crl-examples"]["acc"]["mean@1"] == 1.0
    truths = [row["extra_info"]["correctness"] for row in found if is_critique(row)]
    assert metrics["crl-examples/critique"]["is_true"]["mean@1"] == pytest.approx(sum(truths) / len(truths))


@pytest.mark.slow
def test_verls_own_code_reward_gives_right_answers_one(
    verl: Any,
    rows: dict[Reward, list[dict[str, Any]]],
    records: dict[str, Any],
    references: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """prime_code, by the names of data for which verl's default reward calls it, on the rows that are said to be scored."""
    from verl.utils.reward_score import default_compute_score

    score: Callable[..., float] = default_compute_score
    solves = [row for row in rows[Reward.OFFICIAL] if not is_critique(row)]
    kinds = {records[row["extra_info"]["id"]]["test_kind"] for row in solves}
    assert kinds == {"stdin", "function"}
    for row in solves:
        tests = row["reward_model"]["ground_truth"]
        assert score("taco", answer(row, records, references), tests) == 1.0, row["extra_info"]["id"]
    for row in solves[:3]:
        assert score("taco", WRONG, row["reward_model"]["ground_truth"]) < 1.0, row["extra_info"]["id"]


MISREAD = [
    ("[]", "2", "def f(): return 2"),
    ('[{"1": 2}]', '"1"', "def f(x): return ''.join(x)"),
    ("[{}, 1]", "2", "def f(x, y): return 2"),
    ("[1]", '[{"1": 2}, 3]', "def f(x): return [{'1': 2}, 3]"),
    ("[1]", "[NaN]", "def f(x): return [float('nan')]"),
]
READ = [
    ("[{}]", "2", "def f(x): return 2 if x == {} else 0"),
    ('[{"a": 2}, 1]', "2", "def f(x, y): return x['a']"),
    ("[1]", '[{"1": 2}]', "def f(x): return [{1: 2}]"),
    ("[1]", '{"1": 2}', "def f(x): return {1: 2}"),
    ('["a\\nb", [1, 2]]', '"a\\nb12"', "def f(x, y): return x + ''.join(map(str, y))"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("given", "wanted", "code"), [*MISREAD, *READ])
def test_verls_own_code_reward_fails_right_answers_to_what_is_left_out_and_to_nothing_else(
    verl: Any, given: str, wanted: str, code: str
) -> None:
    from verl.utils.reward_score import default_compute_score

    record = function([(given, wanted)])
    answered = f"```python\n{code}\n```"
    ours = {"crl": json.dumps({name: record[name] for name in ("test_kind", "entry_point", "tests")})}
    assert numbers(answered, ours)["acc"] == 1.0
    official = default_compute_score("taco", answered, inputs_outputs(record))
    assert (official == 1.0) is (unscored(record) is None) is ((given, wanted, code) in READ)
