"""Models in a build: candidates, what is kept, budgets, batch files, keys. The server is a real one on loopback."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crl_data import build
from crl_data.corpus.build import dry_run
from crl_data.corpus.recipe_file import load_recipe
from crl_data.corpus.sampling import labels_of
from crl_data.errors import BatchWaits, BudgetSpent, InputError, RowError, WorkError
from crl_data.rows import read_rows
from crl_data.samplers import batch
from tests.conftest import PROBLEM_ROW, RIGHT_SUM, ROOT, write_rows
from tests.corpus.test_build import data_of, manifest_of
from tests.samplers.server import Server, completion, words

KEY = "sk-planted-4fd1b7a90c"


def recipe(folder: Path, *candidates: dict[str, Any], problems: int = 6, **more: Any) -> Path:
    """A recipe of problems whose questions differ, and samplers."""
    rows = [{**PROBLEM_ROW, "id": f"p{n}", "question": f"Print the sum of two numbers ({n})."} for n in range(problems)]
    write_rows(folder / "problems.jsonl", rows)
    path = folder / "recipe.yaml"
    made = {"problems": [{"path": "problems.jsonl"}], "candidates": candidates, "split": {"test_share": 0}, **more}
    path.write_text(json.dumps(made))
    return path


def asking(server: Server | str, **more: Any) -> dict[str, Any]:
    return {
        "sampler": "openai",
        "model": "m",
        "base_url": server if isinstance(server, str) else server.url,
        "n": 2,
        **more,
    }


def candidates(directory: Path) -> list[dict[str, Any]]:
    return [row.cells for row in read_rows(directory / "candidates.parquet")]  # type: ignore[union-attr]


def crl_data(*call: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crl_data", *map(str, call)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def test_candidates_have_stable_ids_and_say_what_they_are(tmp_path: Path) -> None:
    with Server() as server:
        source = asking(server, model="org/m", temperature=0.5, seed=3, extra_body={"min_p": 0.1}, extract="all_blocks")
        done = build(recipe(tmp_path, source), tmp_path / "out", quiet=True)
    rows = candidates(done.directory)
    assert [row["id"] for row in rows] == [f"org/m/p{problem}/{number}" for problem in range(6) for number in range(2)]
    assert {row["extraction"] for row in rows} == {"all_blocks"} and {row["finish_reason"] for row in rows} == {"stop"}
    sampler = {
        "name": "openai",
        "model": "org/m",
        "temperature": 0.5,
        "seed": 3,
        "max_tokens": 8192,
        "detail": '{"min_p": 0.1}',
    }
    assert all({k: v for k, v in row["sampler"].items() if v is not None} == sampler for row in rows)
    assert done.manifest["counts"]["judgements"]["true"] == done.manifest["counts"]["judgements"]["false"] == 6


def test_a_run_replays_with_no_server_to_the_same_bytes(tmp_path: Path) -> None:
    with Server(at_once=1) as server:  # so that the answers to a question come in several responses, in any order
        path = recipe(tmp_path, asking(server, n=3, price={"input": 1, "output": 2}))
        first = build(path, tmp_path / "a", store=tmp_path / "s.sqlite", quiet=True)
        assert server.count == 18
    again = build(path, tmp_path / "b", store=tmp_path / "s.sqlite", quiet=True)
    assert data_of(first.directory) == data_of(again.directory) and len(data_of(first.directory)) == 1
    assert manifest_of(first.directory) == manifest_of(again.directory)
    told = again.manifest["counts"]["sampling"]["m"]
    assert (told["answers"], told["responses"], told["finish_reason stop"]) == (18, 18, 18)
    assert told["usd"] == pytest.approx((told["prompt_tokens"] + 2 * told["output_tokens"]) / 1e6)


@pytest.mark.parametrize(("cut", "judged"), [("drop", 0), ("judge", 12)])
def test_an_answer_that_was_cut_is_dropped_or_judged_and_counted(cut: str, judged: int, tmp_path: Path) -> None:
    with Server(lambda body, server: server.given(body, finish_reason="length")) as server:
        done = build(recipe(tmp_path, asking(server, cut=cut)), tmp_path / "out", quiet=True)
    counts = done.manifest["counts"]
    assert counts["sampling"]["m"]["finish_reason length"] == 12
    assert counts["judgements"].get("judged", 0) == judged
    assert counts["candidates"]["dropped"] == ({} if judged else {"cut by length": 12})


def test_samplers_share_the_problems(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "solutions.jsonl", [{"problem_id": f"p{n}", "id": "recorded", "code": RIGHT_SUM} for n in range(30)]
    )
    with Server() as server:
        sources = (
            {"sampler": "recorded", "path": "solutions.jsonl", "share": 0.3},
            asking(server, share=0.4, n=1),
            {"sampler": "mutants", "per_problem": 1, "share": 0.3},
        )
        done = build(recipe(tmp_path, *sources, problems=30), tmp_path / "out", quiet=True)
        rows = candidates(done.directory)
        by = {
            name: {row["problem_id"] for row in rows if row["sampler"]["name"] == name}
            for name in ("recorded", "openai", "mutants")
        }
        assert (
            all(len(part) >= 3 for part in by.values())
            and sum(map(len, by.values())) == len(set().union(*by.values())) == 30
        )
        assert server.count == len(by["openai"])


def test_a_problem_whose_reference_fails_is_not_asked_about_and_candidates_stand_as_in_the_recipe(
    tmp_path: Path,
) -> None:
    with Server() as server:
        path = recipe(
            tmp_path, asking(server, n=1), {"sampler": "mutants", "per_problem": 1}, asking(server, model="k", n=1)
        )
        rows = [{**PROBLEM_ROW, "id": f"p{n}", "question": f"Sum ({n}).", "reference": code}
                for n, code in enumerate((RIGHT_SUM, "print(1)\n"))]  # fmt: skip
        write_rows(tmp_path / "problems.jsonl", rows)
        done = build(path, tmp_path / "out", quiet=True)
    assert [body["model"] for body in server.bodies] == ["m", "k"] and "Sum (1)" not in str(server.bodies)
    found = [(row["id"], row["dropped"]) for row in candidates(done.directory)]
    assert found[:3] == [("m/p0/0", None), ("p0/mutant-0", None), ("k/p0/0", None)]
    assert found[3:] == [("p1/mutant-0", "its problem was set aside")]


def test_two_samplers_of_one_model_have_ids_of_their_own(tmp_path: Path) -> None:
    with Server() as server:
        done = build(
            recipe(tmp_path, asking(server, temperature=0, n=1), asking(server, temperature=1, n=1), problems=2),
            tmp_path / "out",
            quiet=True,
        )
    assert sorted(row["id"] for row in candidates(done.directory)) == ["m#2/p0/0", "m#2/p1/0", "m/p0/0", "m/p1/0"]


def test_a_model_that_is_named_as_a_second_sampler_has_ids_of_its_own() -> None:
    assert labels_of(["m", "m", "m#2", "/srv/m", "a/m"]) == ["m", "m#2", "m#2#2", "m#3", "a/m"]


def test_what_a_server_counts_beyond_all_measure_is_no_count(tmp_path: Path) -> None:
    usage = {
        "prompt_tokens": 10**30,
        "completion_tokens": 10**30,
        "completion_tokens_details": {"reasoning_tokens": -1},
    }
    with Server(lambda body, server: server.given(body, usage=usage)) as server:
        done = build(recipe(tmp_path, asking(server, n=1), problems=2), tmp_path / "out", quiet=True)
    assert [row["tokens"] for row in candidates(done.directory)] == [None, None]
    assert 0 < done.manifest["counts"]["sampling"]["m"]["output_tokens"] < 1000


def test_a_prompt_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text("Solve: {{ question }}")
    with Server() as server:
        build(recipe(tmp_path, asking(server, prompt="mine.jinja"), problems=1), tmp_path / "out", quiet=True)
    assert server.bodies[0]["messages"][0]["content"].startswith("Solve: Print the sum")
    with pytest.raises(InputError, match="no template is called 'yours'"):
        build(recipe(tmp_path, asking(server, prompt="yours")), tmp_path / "out", quiet=True)


@pytest.mark.slow
def test_killed_at_any_instant_nothing_that_was_paid_for_is_asked_again(tmp_path: Path) -> None:
    log, path = tmp_path / "log.jsonl", tmp_path / "out"
    kills = 0
    with Server(log=log) as server:
        source = asking(server, n=1, concurrency=2)
        made = recipe(tmp_path, source, problems=40)
        call = [sys.executable, "-m", "crl_data", "build", str(made), "--out", str(path)]
        while kills < 5:
            before = server.count
            child = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while child.poll() is None and server.count < before + 3 and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(random.uniform(0, 0.02))
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        done = build(made, path, quiet=True)
        assert len(candidates(done.directory)) == 40 <= server.count <= 40 + 2 * kills
        asked = server.count
    again = build(made, tmp_path / "again", store=path / ".crl" / "store.sqlite", quiet=True)
    assert data_of(again.directory) == data_of(done.directory) and server.count == asked


# --- budget and forecast ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_budget_ends_a_build_in_one_line_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with Server() as server:
        path = recipe(tmp_path, asking(server, budget={"requests": 4}))
        ended = crl_data("build", path, "--out", tmp_path / "out")
        forecast, said = ended.stderr.splitlines()
        assert ended.returncode == 1 and ended.stdout == ""
        assert forecast.startswith("m: 0 answers are kept, 12 to be asked for: 6 requests, about ")
        assert "the budget of 4 requests is spent: 4 requests, " in said and said.endswith("(2 requests)")
        assert server.count == 4 and not (tmp_path / "out" / "manifest.json").exists()
        assert crl_data("build", path, "--out", tmp_path / "out").returncode == 1 and server.count == 4
        ended = crl_data("build", path, "--out", tmp_path / "out", "--set", "candidates.0.budget.requests=6")
        assert ended.returncode == 0 and server.count == 6
        assert ended.stderr.startswith("m: 8 answers are kept, 4 to be asked for: 2 requests")
        assert "12 are answers of m:" in ended.stdout
        ended = crl_data("build", path, "--out", tmp_path / "out", "--set", "candidates.0.budget.requests=1")
        assert (ended.returncode, ended.stderr) == (0, "") and server.count == 6  # a replay costs nothing


def test_a_dry_run_makes_no_store(tmp_path: Path) -> None:
    dry_run(
        recipe(tmp_path, asking("http://h/v1"), problems=1), tmp_path / "out", store=tmp_path / "s.sqlite", quiet=True
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["problems.jsonl", "recipe.yaml"]


def test_a_dry_run_asks_nothing_and_says_what_would_be_asked(tmp_path: Path) -> None:
    with Server() as server:
        path = recipe(tmp_path, asking(server, max_tokens=100, price={"input": 1, "output": 10}))
        build(path, tmp_path / "out", limit=2, quiet=True)
        asked = server.count
        there, fresh = dry_run(path, tmp_path / "out", quiet=True), dry_run(path, quiet=True)
        assert server.count == asked == 2
    assert fresh.sampling["m"] | {"prompt_tokens": 0, "usd": 0} == {
        "kept_answers": 0, "answers": 12, "requests": 6, "prompt_tokens": 0, "output_tokens": 1200, "usd": 0
    }  # fmt: skip
    assert fresh.requests == 6 and 0.012 < fresh.sampling["m"]["usd"] < 0.014
    assert (there.sampling["m"]["kept_answers"], there.requests) == (4, 4)
    assert there.solutions == fresh.solutions == 6 + 12  # references, and answers whether they are there or to come
    assert there.tests == fresh.tests
    said = crl_data("build", path, "--out", tmp_path / "out", "--dry-run").stdout
    assert "requests            4\n" in said and "4 of m for 8 answers, beside 4 that are kept: about " in said


# --- batch files --------------------------------------------------------------------------------------------------------------


def batch_recipe(folder: Path, **more: Any) -> Path:
    return recipe(folder, asking("http://127.0.0.1:9/v1", batch="batch", seed=5, **more))


def waits(path: Path, out: Path) -> str:
    with pytest.raises(BatchWaits) as raised:
        build(path, out, quiet=True)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def answered(line: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = completion(line["body"], [words(line["body"], number) for number in range(line["body"]["n"])])
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None, **more}


def test_a_batch_is_written_answered_elsewhere_and_read(tmp_path: Path) -> None:
    path, folder = batch_recipe(tmp_path), tmp_path / "batch"
    said = waits(path, tmp_path / "out")
    assert "6 requests are written to requests-1.jsonl" in said and "run the build again" in said
    written = lines_of(folder / "requests-1.jsonl")
    assert len(written) == 6 and all(len(line["custom_id"]) <= 64 for line in written)
    for line in written:
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["n"] == 2 and line["body"]["seed"] == 5 and line["body"]["model"] == "m"
    write_rows(folder / "responses.jsonl", [answered(line) for line in reversed(written)])
    done = build(path, tmp_path / "out", quiet=True)
    assert len(candidates(done.directory)) == 12 and done.manifest["counts"]["sampling"]["m"]["responses"] == 6
    assert not list(folder.glob("requests-*"))
    (folder / "responses.jsonl").unlink()
    again = build(path, tmp_path / "again", store=tmp_path / "out" / ".crl" / "store.sqlite", quiet=True)
    assert data_of(again.directory) == data_of(done.directory)


def test_what_failed_or_expired_in_a_batch_is_counted_and_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = batch_recipe(tmp_path), tmp_path / "batch"
    waits(path, tmp_path / "out")
    ok, expired, refused, of_vllm, empty, left_out = lines_of(folder / "requests-1.jsonl")
    write_rows(
        folder / "output.jsonl", [answered(ok), answered(empty, response={"status_code": 200, "body": {"choices": []}})]
    )
    write_rows(
        folder / "errors.jsonl",
        [
            answered(
                expired, response=None, error={"code": "batch_expired", "message": "This request could not be executed"}
            ),
            answered(refused, response={"status_code": 400, "body": {"error": {"message": "too long"}}}),
            answered(of_vllm, response={"status_code": 400, "request_id": "r", "body": None}, error="bad request"),
        ],
    )
    with pytest.raises(BatchWaits, match="5 requests are written"):
        build(path, tmp_path / "out")
    told = capsys.readouterr().err
    assert "4 requests failed or expired, and are written again" in told
    assert all(
        f"1 x {why}" in told for why in ("batch_expired", "too long", "bad request", "a response without any answer")
    )
    written = lines_of(folder / "requests-1.jsonl")
    assert [line["custom_id"] for line in written] == [
        one["custom_id"] for one in (expired, refused, of_vllm, empty, left_out)
    ]
    write_rows(folder / "output-2.jsonl", [answered(line) for line in written])
    assert len(candidates(build(path, tmp_path / "out").directory)) == 12
    assert "failed or expired" not in capsys.readouterr().err  # the old failures count no more


def test_a_batch_is_split_and_old_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = batch_recipe(tmp_path), tmp_path / "batch"
    monkeypatch.setattr(batch, "MAX_REQUESTS", 2)
    assert "requests-1.jsonl to requests-3.jsonl" in waits(path, tmp_path / "out")
    small = [lines_of(file) for file in sorted(folder.iterdir())]
    assert [len(lines) for lines in small] == [2, 2, 2]
    monkeypatch.setattr(batch, "MAX_REQUESTS", 50)
    size = max(file.stat().st_size for file in folder.iterdir()) // 2
    monkeypatch.setattr(batch, "MAX_BYTES", 3 * size + 10)
    waits(path, tmp_path / "out")
    assert [len(lines_of(file)) for file in sorted(folder.iterdir())] == [3, 3]
    assert all(file.stat().st_size <= 3 * size + 10 for file in folder.iterdir())


def test_fewer_answers_than_a_batch_asked_for_are_asked_for_in_the_next(tmp_path: Path) -> None:
    path, folder = batch_recipe(tmp_path, n=3), tmp_path / "batch"
    waits(path, tmp_path / "out")
    written = lines_of(folder / "requests-1.jsonl")
    short = [answered({**line, "body": {**line["body"], "n": 1}}) for line in written]
    write_rows(folder / "r.jsonl", short)
    waits(path, tmp_path / "out")
    second = lines_of(folder / "requests-1.jsonl")
    assert [(line["custom_id"][:40], line["body"]["n"], line["body"]["seed"]) for line in second] == [
        (line["custom_id"][:40], 2, 6) for line in written
    ]


def test_a_batch_keeps_to_the_budget(tmp_path: Path) -> None:
    path = batch_recipe(tmp_path, budget={"requests": 2})
    assert (
        "2 requests are written" in (said := waits(path, tmp_path / "out")) and "4 more would pass the budget" in said
    )
    folder = tmp_path / "batch"
    write_rows(folder / "r.jsonl", [answered(line) for line in lines_of(folder / "requests-1.jsonl")])
    with pytest.raises(BudgetSpent, match=r"the budget of 2 requests is spent: 2 requests, .*; 4 more would pass"):
        build(path, tmp_path / "out", quiet=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"custom_id": "mine", "response": None}, "custom_id: expected the custom_id of a request"),
        ({"response": None}, "custom_id: expected"),
        ({"custom_id": "0" * 40 + "-0", "response": 3}, "response: expected an object with status_code and body"),
        ([], "expected a JSON object"),
    ],
)
def test_a_line_that_is_no_response_of_a_batch_is_named(line: Any, words: str, tmp_path: Path) -> None:
    path = batch_recipe(tmp_path)
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "r.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(RowError, match=re.escape(words)) as raised:
        build(path, tmp_path / "out", quiet=True)
    assert "r.jsonl:1: " in str(raised.value)


def test_the_official_client_knows_the_bodies_of_our_batch_lines(tmp_path: Path) -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from pydantic import TypeAdapter, ValidationError

    waits(batch_recipe(tmp_path, top_p=0.9, max_tokens=10), tmp_path / "out")
    known = TypeAdapter(CompletionCreateParamsNonStreaming)
    for line in lines_of(tmp_path / "batch" / "requests-1.jsonl"):
        assert set(known.validate_python(line["body"])) == set(line["body"])
        with pytest.raises(ValidationError):
            known.validate_python({**line["body"], "n": "two"})


def test_two_samplers_cannot_write_into_one_folder(tmp_path: Path) -> None:
    sources = [asking("http://h/v1", model=model, batch=folder) for model, folder in (("m", "b"), ("k", "./b/"))]
    with pytest.raises(InputError, match="a folder of its own for each batch"):
        load_recipe(recipe(tmp_path, *sources))


# --- keys -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 401])
def test_a_planted_key_reaches_nothing_that_is_left(status: int, tmp_path: Path) -> None:
    from tests.samplers.server import Told

    def reply(body: dict[str, Any], server: Server) -> Any:
        seen = server.headers[-1]["authorization"]
        if status == 200:
            return completion(body, [f"```python\nprint('{seen}')\n```"] * 2)
        raise Told(status, {"error": {"message": f"Incorrect API key provided: {seen}"}}, X_Echo=seen)

    with Server(reply) as server:
        path = recipe(tmp_path, asking(server, api_key_env="PLANTED"))
        calls = [crl_data("build", path, "--out", tmp_path / "out", "--store", tmp_path / "s.sqlite", *more, PLANTED=KEY)
                 for more in ((), ("--json",), ("--debug",), ("--dry-run",))]  # fmt: skip
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert [call.returncode for call in calls] == ([0] * 4 if status == 200 else [2, 2, 2, 0])
    said = "".join(call.stdout + call.stderr for call in calls)
    assert KEY not in said and (status == 200 or "provided: Bearer [key]" in said)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 3 and all(KEY.encode() not in file.read_bytes() for file in files)
    if status == 200:
        texts = [row["response"] for row in candidates(tmp_path / "out")]
        assert len(texts) == 12 and all("Bearer [key]" in text for text in texts)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"api_key": KEY}, "candidates.0.api_key: no such key; did you mean 'api_key_env'?"),
        ({"api_key_env": KEY}, "candidates.0.api_key_env: expected the name of a variable of the environment"),
        ({"base_url": f"https://user:{KEY}@host/v1"}, "candidates.0.base_url: expected http(s)://host"),
        ({"base_url": f"https://host/v1?api-key={KEY}"}, "candidates.0.base_url: expected http(s)://host"),
        ({"extra_body": {"api_key": KEY}}, "candidates.0.extra_body: expected no 'api_key' here"),
        ({"extra_body": {"provider": {"api_key": KEY}}}, "candidates.0.extra_body: expected no 'api_key' here"),
        (
            {"extra_body": {"more": [{"Authorization": KEY}]}},
            "candidates.0.extra_body: expected no 'Authorization' here",
        ),
        ({"extra_body": {"access_token": KEY}}, "candidates.0.extra_body: expected no 'access_token' here"),
        ({"extra_body": [KEY]}, "candidates.0.extra_body: expected"),
        ({"headers": {"Authorization": KEY}}, "candidates.0.headers: no such key"),
        ({"sampler": "opanai", "api_key": KEY}, "candidates.0: expected"),
        ({"budget": {"usd": 1}, "api_key": KEY}, "candidates.0"),
        ({"budget": {"usd": 1}}, "candidates.0: expected a price beside budget.usd"),
        ({"budget": {"tokens": 1}, "max_tokens": None}, "candidates.0: expected max_tokens beside a budget"),
        ({"extra_body": {"n": 3}}, "candidates.0.extra_body: expected no 'n' here"),
        ({"extra_body": {"max_completion_tokens": 5}, "max_tokens": 5}, "candidates.0: expected max_tokens, or"),
        ({"budget": {"request": 1}}, "candidates.0.budget.request: no such key; did you mean 'requests'?"),
        ({"price": {"input": 1}}, "candidates.0.price.output: expected a value, got nothing"),
        ({"cut": "keep"}, "candidates.0.cut: expected 'drop' or 'judge'"),
    ],
)
def test_a_recipe_that_is_wrong_says_where_and_never_shows_a_key(
    source: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as raised:
        load_recipe(recipe(tmp_path, asking("http://h/v1") | source))
    said = str(raised.value)
    assert words in said and KEY not in said and "\n" not in said


def test_what_only_sounds_like_a_key_may_stand_in_the_body(tmp_path: Path) -> None:
    schema = {"json_schema": {"properties": {"key": {"type": "string"}}}}
    body = {"prompt_cache_key": "ours", "return_token_ids": True, "response_format": schema}
    (source,) = load_recipe(recipe(tmp_path, asking("http://h/v1", extra_body=body))).candidates
    assert source.extra_body == body  # type: ignore[union-attr]


def test_max_completion_tokens_takes_the_place_of_max_tokens(tmp_path: Path) -> None:
    (source,) = load_recipe(recipe(tmp_path, asking("http://h/v1", extra_body={"max_completion_tokens": 5}))).candidates
    question = source.chat.question(())  # type: ignore[union-attr]
    assert question["max_completion_tokens"] == 5 and "max_tokens" not in question


def test_the_openai_client_is_loaded_where_it_is_chosen_alone() -> None:
    program = "import sys, crl_data.corpus.build, crl_data.cli; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


def test_a_server_that_is_gone_is_one_line_and_status_1(tmp_path: Path) -> None:
    path = recipe(tmp_path, asking("http://127.0.0.1:9/v1", retries=0))
    done = crl_data("build", path, "--out", tmp_path / "out")
    assert done.returncode == 1 and "127.0.0.1:9: no answer, asked once: " in done.stderr.splitlines()[-1]
    with pytest.raises(WorkError):
        build(path, tmp_path / "out", quiet=True)
