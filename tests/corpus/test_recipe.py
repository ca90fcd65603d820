"""Reading a recipe: what is wrong is one line that names the key; what is not named has its default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crl_data.corpus.recipe import Mutants, ProblemSource, Recipe, Recorded
from crl_data.corpus.recipe_file import load_recipe
from crl_data.errors import InputError
from crl_data.judging import Policy, Timeouts
from crl_data.responses import Extraction

PROBLEMS = "problems: [{path: problems.jsonl}]\n"
SHIPPED = sorted((Path(__file__).parent.parent.parent / "recipes").glob("*.yaml"))


def load(folder: Path, text: str, *over: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, over)


def refused(folder: Path, text: str, *over: str) -> str:
    """The one line that says what is wrong."""
    with pytest.raises(InputError) as raised:
        load(folder, text, *over)
    said = str(raised.value)
    assert "\n" not in said and len(said) < 700
    return said.removeprefix(str(folder / "recipe.yaml"))


def test_what_is_not_named_has_the_default_of_the_design(tmp_path: Path) -> None:
    recipe = load(tmp_path, PROBLEMS)
    assert recipe.problems == (ProblemSource(path="problems.jsonl"),) and recipe.candidates == ()
    assert recipe.select.model_dump() == {"max_test_tokens": 200, "max_tests": 30, "tokenizer": None}
    assert recipe.judge.policy() == Policy()
    assert (recipe.judge.sandbox, recipe.judge.jobs, recipe.judge.libraries) == ("auto", None, ("numpy",))
    assert recipe.mix.model_dump() == {"critique_share": 0.2, "pick": "random", "balance": None, "per_problem": 1}
    assert (recipe.prompts.solve, recipe.prompts.critique) == ("default", "default")
    assert (recipe.split.test_share, recipe.on_bad_rows, recipe.engine, recipe.seed) == (0.05, "error", "local", 0)


def test_every_setting_arrives(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        """
problems:
  - {format: mbpp, source: "data/*.jsonl.gz", limit: 5}
candidates:
  - {sampler: recorded, path: s.jsonl, extract: all_blocks}
  - {sampler: mutants, per_problem: 3}
judge: {threshold: 1, timeouts: fail, max_timeouts: 5, early_stop: true, isolation: per-test, libraries: [], time_limit_s: 1e1}
mix: {critique_share: 0.5, pick: near_miss, balance: 5e-1}
seed: -3
""",
    )
    assert recipe.problems == (ProblemSource(format="mbpp", source="data/*.jsonl.gz", limit=5),)
    assert recipe.candidates == (
        Recorded(sampler="recorded", path="s.jsonl", extract=Extraction.ALL_BLOCKS),
        Mutants(sampler="mutants", per_problem=3),
    )
    policy = recipe.judge.policy()
    assert (policy.threshold, policy.timeouts, policy.max_timeouts, policy.early_stop) == (1.0, Timeouts.FAIL, 5, True)
    assert (policy.isolation, policy.libraries, policy.time_limit_s) == ("per-test", (), 10.0)
    assert recipe.mix.balance == 0.5 and recipe.seed == -3


def test_a_recipe_may_be_written_as_json(tmp_path: Path) -> None:
    assert load(tmp_path, json.dumps({"problems": [{"path": "é\t.jsonl"}]})).problems[0].path == "é\t.jsonl"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_recipes_that_ship_with_the_project_are_some(path: Path) -> None:
    """Of a build, which names problems, or of training (tests/train/test_recipes.py), which names a dataset."""
    said = yaml.safe_load(path.read_text())
    assert ("problems" in said) != ("dataset" in said)
    if "problems" in said:
        assert load_recipe(path).problems


# --- what is wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("jugde: {}", "jugde", "judge"),
        ("candidate: []", "candidate", "candidates"),
        ("sede: 1", "sede", "seed"),
        ("judge: {treshold: 0.5}", "judge.treshold", "threshold"),
        ("judge: {max_timeout: 1}", "judge.max_timeout", "max_timeouts"),
        ("mix: {critiques_share: 1}", "mix.critiques_share", "critique_share"),
        ("select: {max_test: 1}", "select.max_test", "max_tests"),
        ("split: {test_shares: 0.1}", "split.test_shares", "test_share"),
        ("prompts: {critic: default}", "prompts.critic", "critique"),
        ("candidates: [{sampler: mutants, per_problems: 1}]", "candidates.0.per_problems", "per_problem"),
        ("candidates: [{sampler: recorded, path: a, formt: b}]", "candidates.0.formt", "format"),
    ],
)
def test_a_key_that_is_not_known_names_the_nearest_that_is(text: str, key: str, nearest: str, tmp_path: Path) -> None:
    said = refused(tmp_path, PROBLEMS + text)
    assert said.startswith(f":2: {key}: no such key; did you mean {nearest!r}?")


@pytest.mark.parametrize(
    "key", ["mutants", "recorded", "problem_s", "", "x.y", "judge.threshold", "__class__", "model_config"]
)
@pytest.mark.parametrize("within", ["", "judge", "mix"])
def test_any_other_key_is_an_error_that_names_it(key: str, within: str, tmp_path: Path) -> None:
    wrong = {within: {key: {"per_problem": 8}}} if within else {key: {"per_problem": 8}}
    said = refused(tmp_path, json.dumps({"problems": [{"path": "a"}], **wrong}))
    assert (f"{within}.{key}" if within else key) + ": no such key" in said


def test_a_key_in_a_source_names_its_place(tmp_path: Path) -> None:
    said = refused(tmp_path, "problems:\n  - {path: a}\n  - {path: b, limits: 3}\n")
    assert said.startswith(":3: problems.1.limits: no such key; did you mean 'limit'?")


BAD: list[tuple[str, str, str]] = [
    ("judge: {threshold: 0}", "judge.threshold", "greater than 0"),
    ("judge: {threshold: 1.01}", "judge.threshold", "less than or equal to 1"),
    ("judge: {threshold: .nan}", "judge.threshold", ""),
    ("judge: {threshold: high}", "judge.threshold", "number"),
    ("judge: {timeouts: never}", "judge.timeouts", "'auto', 'fail' or 'inconclusive'"),
    ("judge: {max_timeouts: 0}", "judge.max_timeouts", "1"),
    ("judge: {max_timeouts: 1.5}", "judge.max_timeouts", "integer"),
    ("judge: {early_stop: maybe}", "judge.early_stop", "boolean"),
    ("judge: {isolation: none}", "judge.isolation", "'batch' or 'per-test'"),
    ("judge: {sandbox: podman}", "judge.sandbox", "'auto', 'local', 'docker' or 'none'"),
    ("judge: {libraries: numpy}", "judge.libraries", "numpy"),
    ("judge: {libraries: [3]}", "judge.libraries.0", "3"),
    ("judge: {time_limit_s: 0}", "judge.time_limit_s", "greater than 0"),
    ("judge: {time_limit_s: .inf}", "judge.time_limit_s", "inf"),
    ("judge: {memory_limit_mb: -1}", "judge.memory_limit_mb", "greater than 0"),
    ("judge: {memory_limit_mb: .inf}", "judge.memory_limit_mb", "inf"),
    ("judge: {memory_limit_mb: .nan}", "judge.memory_limit_mb", "nan"),
    ("judge: {jobs: 0}", "judge.jobs", "1"),
    ("judge: 3", "judge", "3"),
    ("judge:", "judge", "None"),
    ("mix: {critique_share: 1.5}", "mix.critique_share", "1"),
    ("mix: {critique_share: -0.1}", "mix.critique_share", "0"),
    ("mix: {balance: 0}", "mix.balance", "0"),
    ("mix: {balance: 1}", "mix.balance", "1"),
    ("mix: {pick: best}", "mix.pick", "'random', 'first', 'near_miss' or 'one_true_one_false'"),
    ("mix: {per_problem: 0}", "mix.per_problem", "1"),
    ("split: {test_share: 1}", "split.test_share", "less than 1"),
    ("select: {max_tests: 0}", "select.max_tests", "1"),
    ("select: []", "select", ""),
    ("prompts: {solve: null}", "prompts.solve", "string"),
    ("on_bad_rows: ignore", "on_bad_rows", "'error' or 'skip'"),
    ("engine: cloud", "engine", "local"),
    ("seed: 1.5", "seed", "integer"),
    ("seed: x", "seed", "integer"),
    ("max_field_mb: 0", "max_field_mb", "1"),
    ("candidates: {sampler: mutants}", "candidates", ""),
    ("candidates: [mutants]", "candidates.0", "mutants"),
    ("candidates: [{}]", "candidates.0", "sampler"),
    ("candidates: [{sampler: humans}]", "candidates.0", "humans"),
    ("candidates: [{sampler: recorded}]", "candidates.0.path", "nothing"),
    ("candidates: [{sampler: recorded, path: a, format: b}]", "candidates.0.format", "solutions, "),
    (
        "candidates: [{sampler: recorded, path: a, extract: first}]",
        "candidates.0.extract",
        "'last_block' or 'all_blocks'",
    ),
    ("candidates: [{sampler: mutants, per_problem: 0}]", "candidates.0.per_problem", "1"),
]


@pytest.mark.parametrize(("text", "key", "words"), BAD, ids=[case[0] for case in BAD])
def test_a_value_that_is_wrong_is_one_line_that_names_its_line_and_key(
    text: str, key: str, words: str, tmp_path: Path
) -> None:
    said = refused(tmp_path, PROBLEMS + text)
    assert said.startswith(f":2: {key}: expected ") and words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 0", "problems: expected a value, got nothing"),
        ("problems: []", "problems: expected"),
        ("problems:", "problems: expected"),
        ("problems: a.jsonl", "problems: expected"),
        ("problems: [a.jsonl]", "problems.0: expected"),
        ("problems: [{}]", "problems.0: expected either path"),
        ("problems: [{path: a, source: b}]", "problems.0: expected either path"),
        ("problems: [{path: a, format: mbpp}]", "problems.0: expected source, and not path, beside a format"),
        ("problems: [{source: a, format: mbppp}]", "problems.0.format: expected one of problems, "),
        ("problems: [{path: a, limit: 0}]", "problems.0.limit: expected"),
        ("", "expected a mapping with the key `problems`"),
        ("- path: a", "expected a mapping with the key `problems`"),
        ("just text", "expected a mapping with the key `problems`"),
        ("problems: [", "expected YAML"),
        ("a: b: c", "expected YAML"),
        ("\tproblems: 1", "expected YAML"),
        ("problems: *nowhere", "expected YAML"),
        ("problems: !!python/object:os.system x", "expected YAML"),
        ("problems: [{path: a}]\nseed: 1\nseed: 2", "the key 'seed' stands twice"),
        ("problems: [{path: a, path: b}]", "the key 'path' stands twice"),
        ("problems: [{path: a}]\n1: 2", "1: expected"),
        ("problems: [{path: a}]\n? [1]\n: 2", "expected YAML"),
        ("problems: [{path: a}]\nseed: 2001-99-99", "expected YAML"),  # YAML takes it for a day
        ("problems: [{path: a}]\nseed: !!int abc", "expected YAML"),
        ("problems: [{path: a}]\nseed: " + "9" * 5000, ""),
        ("problems: [{path: a}]\nseed: " + "[" * 5000, ""),
        ("problems: &a [*a]", "problems.0: expected"),
    ],
    ids=lambda text: text[:40],
)
def test_a_recipe_that_is_none_says_what_was_expected(text: str, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xff")
    for name in ("absent.yaml", "latin.yaml", "."):
        with pytest.raises(InputError, match="cannot be read") as raised:
            load_recipe(tmp_path / name)
        assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)


KEYS = [*Recipe.model_fields, "mutants", "recorded", "threshold", "sampler", "path", "x", "0", ""]
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "a", "mutants", "recorded", "random", "auto", "mbpp", "\0é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=4))
def test_any_recipe_is_read_or_refused_in_one_line(tmp_path: Path, raw: dict[str, Any]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps({"problems": [{"path": "a"}], **raw}))
    try:
        load_recipe(path)
    except InputError as error:
        assert "\n" not in str(error) and str(error).startswith(str(path))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                *KEYS,
                ":",
                " ",
                "\n",
                "- ",
                "[",
                "]",
                "{",
                "}",
                "&a",
                "*a",
                "!!int",
                "2001-13-01",
                "|",
                "'",
                "<<",
                "?",
                "#",
            ]
        )
    )
)
def test_any_text_is_read_or_refused_in_one_line(tmp_path: Path, pieces: list[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("".join(pieces))
    try:
        load_recipe(path)
    except InputError as error:
        assert "\n" not in str(error)


def test_a_fault_of_a_setting_is_told_of_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("problems:\n  - {path: p.jsonl}\njudge: {threshold: 0.5}\n")
    for setting, told in (
        ("judge.threshold=7", r"^--set judge.threshold: judge.threshold: expected"),
        ("judge={treshold: 1}", r"^--set judge: judge.treshold: no such key"),
        ("problems.0.limit=0", r"^--set problems.0.limit: problems.0.limit: expected"),
    ):
        with pytest.raises(InputError, match=told):
            load_recipe(path, ["seed=1", setting])
    path.write_text("problems:\n  - {path: p.jsonl}\njudge: {threshold: 7}\n")
    with pytest.raises(InputError, match=r"r.yaml:3: judge.threshold: expected"):
        load_recipe(path, ["seed=1"])


# --- settings laid over it ------------------------------------------------------------------------------------------------


def test_settings_are_laid_over_the_recipe_in_their_order(tmp_path: Path) -> None:
    text = PROBLEMS + "judge: {threshold: 0.8, max_timeouts: 3}\ncandidates: [{sampler: mutants}]\n"
    recipe = load(
        tmp_path,
        text,
        "judge.threshold=1.0",
        "seed=4",
        "seed=5",
        "mix.balance=5e-1",
        "problems.0.limit=7",
        "problems.0.path=other=a.jsonl",
        "candidates.0.per_problem=2",
        "judge.libraries=[]",
        "select.max_tests=null",
    )
    assert (recipe.judge.threshold, recipe.judge.max_timeouts, recipe.seed, recipe.mix.balance) == (1.0, 3, 5, 0.5)
    assert recipe.problems == (ProblemSource(path="other=a.jsonl", limit=7),)
    assert recipe.candidates == (Mutants(sampler="mutants", per_problem=2),)
    assert recipe.judge.libraries == () and recipe.select.max_tests is None
    assert load(tmp_path, "seed: 1", "problems=[{path: a}]").problems == (ProblemSource(path="a"),)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed", "expected key=value"),
        ("=3", "expected key=value"),
        ("", "expected key=value"),
        ("seed=[", "expected YAML"),
        ("seed=a: b: c", "expected YAML"),
        ("seed=2001-99-99", ""),
        ("seed=x", "seed: expected"),
        ("jugde.threshold=1", "jugde: no such key; did you mean 'judge'?"),
        ("judge.treshold=1", "judge.treshold: no such key; did you mean 'threshold'?"),
        ("judge=1", "judge: expected"),
        ("seed.x=1", "'x'"),
        ("problems.3.limit=1", "'3'"),
        ("problems.first.limit=1", "'first'"),
        ("problems.0.path.x=1", "'x'"),
        ("problems.-1.limit=1", "'-1'"),
        ("problems.1=a", "'1'"),
        (".=1", ""),
        ("judge.=1", ""),
        ("problems.².limit=1", ""),
    ],
)
def test_a_setting_that_is_wrong_is_one_line_that_names_it(setting: str, words: str, tmp_path: Path) -> None:
    said = refused(tmp_path, PROBLEMS + "seed: 0\n", setting)
    assert words in said and (f"--set {setting}" in said or setting.partition("=")[0].partition(".")[0] in said)
