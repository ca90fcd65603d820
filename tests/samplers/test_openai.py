"""A model behind a server: every request here goes over a real connection to a real server on loopback."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.corpus.store import Store
from crl_data.errors import BudgetSpent, InputError, ServerGone, WorkError
from crl_data.samplers import openai
from crl_data.samplers.budget import Budget, Cost, Price
from crl_data.samplers.chat import Chat, NoCompletion, body_of, key_of, read_response, runs_of
from crl_data.samplers.kept import Asked
from crl_data.samplers.model import Answer, Request
from crl_data.samplers.openai import OpenAI
from tests.samplers.server import Server, Told, completion, words


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.sqlite")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of our own choice are short; those that a server asks for are not."""
    monkeypatch.setattr(openai, "_FIRST_PAUSE_S", 0.02)


def asked(store: Store, budget: Budget | None = None, price: Price | None = None, **settings: Any) -> Asked:
    return Asked(Chat(model="m", **settings), store, lambda text: len(text) / 4, budget or Budget(), price)


def requests(count: int, n: int = 1) -> list[Request]:
    return [Request(id=f"p{k}", messages=({"role": "user", "content": f"question {k}"},), n=n) for k in range(count)]


def texts(model: OpenAI, wanted: list[Request]) -> list[list[str]]:
    given = list(model.answers(wanted))
    assert [request for request, _ in given] == wanted and all(len(answers) == request.n for request, answers in given)
    return [[answer.text for answer in answers] for _, answers in given]


def one(model: OpenAI) -> Answer:
    ((_, (answer,)),) = model.answers(requests(1))
    return answer


# --- what is sent, and what comes back --------------------------------------------------------------------------------------


def test_what_is_set_is_sent_and_what_is_not_is_left_to_the_server(store: Store) -> None:
    settings = {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "max_tokens": 64, "seed": 7, "extra": {"min_p": 0.1}}
    with Server() as server:
        one(OpenAI(asked(store, **settings), base_url=server.url))
        one(OpenAI(asked(store), base_url=server.url))
    message = [{"role": "user", "content": "question 0"}]
    extra = settings.pop("extra")
    assert server.bodies == [
        {"model": "m", "messages": message, "n": 1, **settings, **extra},  # type: ignore[dict-item]
        {"model": "m", "messages": message, "n": 1},
    ]


def test_a_server_that_asks_for_no_key_is_sent_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-server")
    monkeypatch.setenv("OURS", "key-of-this-one")
    with Server() as server:
        one(OpenAI(asked(store), base_url=server.url))
        one(OpenAI(asked(store, seed=1), base_url=server.url, api_key_env="OURS"))
    assert "sk-of-another-server" not in str(server.headers) and "authorization" not in server.headers[0]
    assert server.headers[1]["authorization"] == "Bearer key-of-this-one"


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://notopenai.com/v1", False),
        ("https://openai.com.example.org/v1", False),
        ("http://127.0.0.1:8000/v1", False),
    ],
)
def test_openais_key_is_for_openais_address_alone(
    url: str, own: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789ab")
    assert OpenAI(asked(store), base_url=url).api_key == ("sk-0123456789ab" if own else None)


def test_a_key_that_is_not_there_is_said_before_anything_is_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OURS", raising=False)
    with pytest.raises(InputError, match="variable OURS of the environment"):
        OpenAI(asked(store), api_key_env="OURS")


REASONING = [
    ({"reasoning_content": "hm"}, "42", "<think>\nhm\n</think>\n\n42"),
    ({"reasoning": "hm\n"}, "42", "<think>\nhm\n</think>\n\n42"),
    ({"reasoning_content": None, "reasoning": "hm"}, "42", "<think>\nhm\n</think>\n\n42"),
    ({"reasoning_content": "hm"}, None, "<think>\nhm\n</think>\n\n"),
    ({}, "<think>hm</think>42", "<think>hm</think>42"),
    ({}, "hm</think>42", "<think>\nhm</think>42"),
    ({"reasoning_content": ""}, "42", "42"),
    ({}, None, ""),
]


@pytest.mark.parametrize(("message", "content", "text"), REASONING)
def test_reasoning_stands_before_the_answer_wherever_it_came(
    message: dict[str, Any], content: str | None, text: str, store: Store
) -> None:
    with Server(lambda body, _: completion(body, [content], **message)) as server:
        assert one(OpenAI(asked(store), base_url=server.url)).text == text


def test_tokens_of_one_answer_are_its_own_and_a_sum_is_not_shared_out(store: Store) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 60}}

    def reply(body: dict[str, Any], _: Server) -> Any:
        return completion(body, ["a b"] * body["n"], usage=usage, finish_reason="length")

    with Server(reply) as server:
        assert one(OpenAI(asked(store), base_url=server.url)) == Answer(
            text="a b", finish_reason="length", tokens=90, reasoning_tokens=60
        )
        several = asked(store, seed=1)
        ((request, answers),) = OpenAI(several, base_url=server.url).answers(requests(1, n=3))
        assert [(answer.tokens, answer.reasoning_tokens) for answer in answers] == [(None, None)] * 3
        assert several.used(request) == {
            "responses": 1,
            "prompt_tokens": 3,
            "output_tokens": 90,
            "reasoning_tokens": 60,
        }
        alone = asked(store, seed=2, per_request=1)
        ((request, answers),) = OpenAI(alone, base_url=server.url).answers(requests(1, n=3))
        assert [answer.tokens for answer in answers] == [90] * 3 and alone.used(request)["output_tokens"] == 270
    assert [body["n"] for body in server.bodies] == [1, 3, 1, 1, 1]


def test_a_server_that_lists_tokens_counts_them_for_each_answer() -> None:
    body = completion({"model": "m", "messages": []}, ["a", "b"])
    body["choices"][0]["token_ids"] = [1, 2, 3]
    body["choices"][1]["logprobs"] = {"content": [{"token": "b"}]}
    assert [answer.tokens for answer in read_response(json.dumps(body)).answers] == [3, 1]


def test_answers_come_in_the_order_of_the_requests_and_not_more_are_under_way_than_allowed(store: Store) -> None:
    wanted = requests(40)
    together = threading.Barrier(4)  # each four of them are answered when all four are there

    def reply(body: dict[str, Any], server: Server) -> Any:
        together.wait(timeout=60)
        time.sleep(0.05 if body["messages"][0]["content"].endswith("0") else 0.005)
        return server.given(body)

    with Server(reply) as server:
        found = texts(OpenAI(asked(store), base_url=server.url, concurrency=4), wanted)
        assert found == [[words({"messages": list(request.messages)}, 0)] for request in wanted]
        assert server.most_under_way == 4


def test_requests_are_taken_as_they_are_needed(store: Store) -> None:
    taken = 0

    def counted() -> Iterator[Request]:
        nonlocal taken
        for request in requests(100):
            taken += 1
            yield request

    with Server() as server:
        answers = OpenAI(asked(store), base_url=server.url, concurrency=2).answers(counted())
        next(answers)
        assert taken <= 8
        answers.close()  # type: ignore[attr-defined]
    assert server.count <= 8


def test_a_server_that_ignores_n_is_noticed_and_asked_again(store: Store) -> None:
    told: list[str] = []
    with Server(at_once=1) as server:
        model = OpenAI(asked(store, seed=100), base_url=server.url, concurrency=2, tell=told.append)
        found = texts(model, requests(3, n=4))
    assert all(len(set(answers)) == 4 for answers in found)  # four answers, and not one four times
    assert server.count == 12 and len(told) == 1 and "gave 1 of 4 answers" in told[0]
    seeds = [body["seed"] for body in server.bodies if body["messages"][0]["content"] == "question 2"]
    assert sorted(seeds) == [100, 101, 102, 103]


def test_two_requests_that_ask_the_same_share_the_answers(store: Store) -> None:
    same = [Request(id=name, messages=({"role": "user", "content": "?"},), n=2) for name in "abc"]
    with Server() as server:
        found = texts(OpenAI(asked(store), base_url=server.url), same)
    assert server.count == 1 and found[0] == found[1] == found[2]


# --- what is kept -----------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_twice_and_a_run_replays_with_no_server(store: Store) -> None:
    with Server() as server:
        first = texts(OpenAI(asked(store), base_url=server.url), requests(5, n=2))
        assert server.count == 5
    assert texts(OpenAI(asked(store), base_url=server.url), requests(5, n=2)) == first


def test_more_answers_use_those_that_are_there(store: Store) -> None:
    with Server() as server:
        model = OpenAI(asked(store, seed=3), base_url=server.url)
        few, many = texts(model, requests(2, n=2)), texts(model, requests(2, n=5))
        fewer = texts(model, requests(2, n=1))
    assert [body["n"] for body in server.bodies] == [2, 2, 3, 3] and {body["seed"] for body in server.bodies[2:]} == {5}
    assert [answers[:2] for answers in many] == few and [answers[:1] for answers in many] == fewer


@pytest.mark.parametrize(
    "other", [{"temperature": 0.1}, {"top_p": 0.5}, {"top_k": 3}, {"max_tokens": 9}, {"seed": 1}, {"extra": {"a": 1}}]
)
def test_what_an_answer_depends_on_is_part_of_its_key(other: dict[str, Any]) -> None:
    messages = requests(1)[0].messages
    key = key_of(Chat(model="m").question(messages))
    assert key != key_of(Chat(model="m", **other).question(messages))
    assert (
        key == key_of(Chat(model="m", per_request=2).question(messages)) != key_of(Chat(model="n").question(messages))
    )


def test_a_response_is_kept_before_the_next_thing_is_done_with_it(store: Store) -> None:
    """The one that asks goes away after the first answer; what was answered meanwhile is there."""
    with Server() as server:
        answers = OpenAI(asked(store), base_url=server.url, concurrency=2).answers(requests(10))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        kept = asked(store).look(requests(10)).kept_answers
        assert kept >= 1
        texts(OpenAI(asked(store), base_url=server.url), requests(10))
        assert server.count <= 10 + 2  # of those two that were under way at the end the responses may not have come


# --- trying again -----------------------------------------------------------------------------------------------------------


def failing(*faults: Callable[[], Any]) -> Callable[[dict[str, Any], Server], Any]:
    """A server that fails in these ways, one after another, and then answers."""
    left = list(faults)

    def reply(body: dict[str, Any], server: Server) -> Any:
        if left:
            return left.pop(0)()
        return server.given(body)

    return reply


def told(status: int, body: Any = None, **headers: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise Told(status, body, **headers)

    return fail


@pytest.mark.parametrize(
    "fault",
    [
        *(told(status) for status in (408, 409, 425, 429, 500, 502, 503, 529)),
        told(0),  # the connection is dropped
        lambda: time.sleep(1.0),  # it hangs
        lambda: b"<html>a proxy</html>",
        lambda: {"choices": []},
        lambda: {"error": {"message": "overloaded"}},
        lambda: b"\xff\xfe",
    ],
)
def test_what_may_pass_is_tried_again(fault: Callable[[], Any], store: Store) -> None:
    with Server(failing(fault, fault)) as server:
        model = OpenAI(asked(store), base_url=server.url, timeout_s=0.4)
        assert "An answer." in one(model).text and server.count == 3


def test_retry_after_in_seconds_holds_all_requests_back(store: Store) -> None:
    with Server(failing(told(429, Retry_After="1"))) as server:
        texts(OpenAI(asked(store), base_url=server.url, concurrency=1), requests(4))
        waits = [later - server.times[0] for later in server.times[1:]]
    assert len(waits) == 4 and min(waits) >= 1.0 and max(waits) < 3.0


def test_retry_after_may_be_a_date(store: Store) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    with Server(failing(told(503, Retry_After=date))) as server:
        begun = time.time()
        one(OpenAI(asked(store), base_url=server.url))
        assert 1.5 < time.time() - begun < 5.0 and server.count == 2


@given(
    st.text() | st.sampled_from(["1", " 2.5 ", "-1", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "inf", "nan"])
)
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    seconds = openai._after_s({"retry-after": text})
    assert seconds is None or 0 <= seconds <= 1e12


def test_a_wait_that_is_longer_than_there_is_time_for_ends_it_at_once(store: Store) -> None:
    with Server(failing(told(429, Retry_After="3600"))) as server:
        begun = time.monotonic()
        with pytest.raises(ServerGone, match=r"asked once: .*\(429\) \(it asks to wait 3,\d\d\d s\)"):
            one(OpenAI(asked(store), base_url=server.url, retry_s=60))
        assert time.monotonic() - begun < 5 and server.count == 1


def test_waiting_for_a_turn_is_no_trying(store: Store) -> None:
    """The last of four, one at a time, fails once: it has waited longer than retry_s, and is tried again all the same."""
    seen: list[str] = []

    def reply(body: dict[str, Any], server: Server) -> Any:
        time.sleep(0.3)
        seen.append(body["messages"][0]["content"])
        if seen.count("question 3") == 1 and seen[-1] == "question 3":
            raise Told(500)
        return server.given(body)

    with Server(reply) as server:
        texts(OpenAI(asked(store), base_url=server.url, concurrency=1, retry_s=0.5), requests(4))
        assert server.count == 5


def test_a_request_that_took_all_of_its_time_is_tried_again(store: Store) -> None:
    with Server(failing(lambda: time.sleep(1.0))) as server:
        one(OpenAI(asked(store), base_url=server.url, timeout_s=0.4, retry_s=0.4))
        assert server.count == 2


def test_trying_again_ends(store: Store) -> None:
    with Server(lambda *_: told(500)()) as server:
        with pytest.raises(ServerGone, match="asked 3 times: told to say 500 \\(500\\)") as raised:
            one(OpenAI(asked(store), base_url=server.url, retries=2))
        assert "\n" not in str(raised.value) and server.count == 3
        with pytest.raises(ServerGone):
            texts(OpenAI(asked(store), base_url=server.url, retries=0, concurrency=2), requests(20))
        assert server.count <= 3 + 2  # those that were under way; nobody asks for the others
    with pytest.raises(ServerGone, match="asked 2 times"):
        one(OpenAI(asked(store), base_url=server.url, retries=1))  # nobody listens any more


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "see model, max_tokens"),
        (401, "api_key_env"),
        (403, "api_key_env"),
        (404, "see base_url"),
        (422, "see model"),
    ],
)
def test_what_is_refused_ends_it_at_once_and_says_what_to_do(status: int, advice: str, store: Store) -> None:
    with Server(lambda *_: told(status)()) as server, pytest.raises(InputError) as raised:
        texts(OpenAI(asked(store), base_url=server.url, concurrency=1), requests(5))
    said = str(raised.value)
    assert server.count == 1 and "\n" not in said and f"told to say {status} ({status}): " in said and advice in said


def test_an_account_without_quota_is_not_asked_again(store: Store) -> None:
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    with Server(lambda *_: told(429, body)()) as server:
        with pytest.raises(InputError, match="no quota left"):
            one(OpenAI(asked(store), base_url=server.url))
        assert server.count == 1


def test_an_error_waits_for_what_is_under_way_and_keeps_it(store: Store) -> None:
    begun = threading.Event()

    def reply(body: dict[str, Any], server: Server) -> Any:
        if body["messages"][0]["content"] == "question 0":
            begun.wait(5)
            raise Told(400)
        begun.set()
        time.sleep(0.3)
        return server.given(body)

    with Server(reply) as server, pytest.raises(InputError):
        texts(OpenAI(asked(store), base_url=server.url, concurrency=2), requests(2))
    assert asked(store).answers(requests(2)[1]) is not None


def test_an_error_ends_the_waiting_of_others(store: Store) -> None:
    def reply(body: dict[str, Any], _: Server) -> Any:
        if body["messages"][0]["content"] == "question 0":
            raise Told(429, Retry_After="20")
        time.sleep(0.3)
        raise Told(401)

    with Server(reply) as server:
        begun = time.monotonic()
        with pytest.raises(InputError, match="401"):
            texts(OpenAI(asked(store), base_url=server.url, concurrency=2), requests(2))
        assert time.monotonic() - begun < 10 and server.count == 2


# --- budget -----------------------------------------------------------------------------------------------------------------


def test_a_budget_of_requests_is_never_passed_and_says_what_is_left(store: Store) -> None:
    with Server() as server:
        limited = asked(store, Budget(requests=7))
        with pytest.raises(BudgetSpent) as raised:
            texts(OpenAI(limited, base_url=server.url, concurrency=4), requests(10, n=2))
        said = str(raised.value)
        assert server.count == 7 and "\n" not in said
        assert said.startswith("the budget of 7 requests is spent: 7 requests, 14 tokens of prompts, ")
        assert said.endswith("left to ask for are at least 6 answers (3 requests)")
        spent = limited.look(requests(10, n=2)).spent
        with pytest.raises(BudgetSpent, match="left to ask for are at least 6 answers"):  # the same budget, once more
            texts(OpenAI(limited, base_url=server.url, spent=spent), requests(10, n=2))
        assert server.count == 7
        larger = asked(store, Budget(requests=10))
        texts(OpenAI(larger, base_url=server.url, spent=spent), requests(10, n=2))
        assert server.count == 10


def test_failed_requests_count_too(store: Store) -> None:
    with Server(lambda *_: told(500)()) as server:
        with pytest.raises(BudgetSpent):
            one(OpenAI(asked(store, Budget(requests=2)), base_url=server.url, retries=9))
        assert server.count == 2


def test_a_response_that_is_none_costs_what_it_says(store: Store) -> None:
    def reply(body: dict[str, Any], _: Server) -> Any:
        usage = {"prompt_tokens": 3, "completion_tokens": 100}
        return (
            completion(body, [None], usage=usage, content=["no text"])
            if body["n"] == 1
            else {"choices": [], "usage": usage}
        )

    for n in (1, 2):
        with Server(reply) as server:
            model = OpenAI(asked(store, Budget(tokens=500), max_tokens=100), base_url=server.url)
            with pytest.raises(BudgetSpent, match=r"500 tokens is spent"):
                texts(model, requests(1, n))
            assert model.spent.tokens == 103 * server.count <= 500


@pytest.mark.parametrize("concurrency", [1, 8])
def test_tokens_and_money_that_are_under_way_count_as_they_could_be(concurrency: int, store: Store) -> None:
    """Each request could cost 3 + 100 tokens and does cost 3 + 10: until 103 fit no more, however many are under way."""

    def reply(body: dict[str, Any], _: Server) -> Any:
        time.sleep(0.01)
        return completion(body, ["x"], usage={"prompt_tokens": 3, "completion_tokens": 10})

    price = Price(input=0.0, output=1e6 / 100)  # 100 tokens of an answer are one dollar
    for budget, most in ((Budget(tokens=300), 16), (Budget(usd=3.0), 21)):
        with Server(reply) as server:
            limited = asked(store, budget, price, max_tokens=100, seed=most)
            with pytest.raises(BudgetSpent):
                texts(OpenAI(limited, base_url=server.url, concurrency=concurrency), requests(60))
            assert server.count == most, budget


def test_a_forecast_counts_each_question_once_and_none_that_is_kept(store: Store) -> None:
    price = Price(input=2.0, output=10.0)
    wanted = [*requests(3, n=2), *requests(3, n=2)]
    look = asked(store, price=price, max_tokens=100).look(wanted)
    assert (look.answers, look.most) == (6, Cost(requests=3, prompt_tokens=9, output_tokens=600))
    assert look.told("m", price).endswith(
        "3 requests, about 9 tokens of prompts, at most 600 of answers, at most 0.01 USD"
    )
    with Server() as server:
        texts(OpenAI(asked(store, max_tokens=100), base_url=server.url), requests(2, n=2))
    look = asked(store, max_tokens=100).look(wanted)
    assert (look.answers, look.kept_answers, look.most.requests, look.spent.requests) == (2, 4, 1, 2)
    assert "any number" in asked(store).look(wanted).told("m", None)


# --- keys -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_key_that_the_server_says_again_is_hidden(status: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-planted-0123456789"
    monkeypatch.setenv("OURS", key)

    def reply(body: dict[str, Any], server: Server) -> Any:
        echo = server.headers[-1]["authorization"]
        if status == 200:
            return completion(body, [f"your key is {echo}"])
        raise Told(status, {"error": {"message": f"Incorrect API key provided: {echo}"}})

    with Server(reply) as server:
        model = OpenAI(asked(store), base_url=server.url, api_key_env="OURS", retries=0)
        if status == 200:
            assert one(model).text == "your key is Bearer [key]"
        else:
            with pytest.raises((InputError, WorkError), match=re.escape("Bearer [key]")) as raised:
                one(model)
            assert key not in str(raised.value)
    assert all(key.encode() not in path.read_bytes() for path in store.path.parent.iterdir())


@pytest.mark.parametrize("key", ["sk/planted/0123456789+==", 'sk"planted"0123456789', "sk\\planted\\0123456789"])
def test_a_key_that_is_said_again_in_another_way_of_writing_it_is_hidden(
    key: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", key)

    def reply(body: dict[str, Any], _: Server) -> Any:
        return (
            json.dumps(completion(body, [f"\n{key}é\U0001f600"])).replace("/", "\\/").replace("+", "\\u002b").encode()
        )

    with Server(reply) as server:
        assert one(OpenAI(asked(store), base_url=server.url, api_key_env="OURS")).text == "\n[key]é\U0001f600"
    assert all(b"planted" not in path.read_bytes() for path in store.path.parent.iterdir())


@pytest.mark.parametrize("key", ["sk-planted-0\nsk-planted-1", "sk-planted é", "sk-planted\x7f"])
def test_a_key_that_no_header_can_hold_is_said_and_not_shown(
    key: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", key)
    with Server() as server, pytest.raises(InputError, match="a key in the variable OURS") as raised:
        one(OpenAI(asked(store), base_url=server.url, api_key_env="OURS", retries=0))
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "http://user:pass-word/1@127.0.0.1:9"),
        ("ALL_PROXY", "ftp://user:pass-word@127.0.0.1:9"),
        ("SSL_CERT_FILE", "/nowhere/pass-word.pem"),
    ],
)
def test_an_environment_that_no_client_can_be_opened_in_is_one_line_without_passwords(
    name: str, value: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with Server() as server, pytest.raises(InputError, match="see the variables HTTP_PROXY") as raised:
        one(OpenAI(asked(store), base_url=server.url, retries=0))
    assert "\n" not in str(raised.value) and "pass-word" not in str(raised.value)


def test_who_pays_at_openai_is_told_to_no_other_server(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-ours")
    with Server() as server:
        one(OpenAI(asked(store), base_url=server.url))
    assert "of-ours" not in str(server.headers)


# --- reading responses --------------------------------------------------------------------------------------------------------


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "usage", "index", "finish_reason", "completion_tokens", "reasoning"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_response_is_read_or_is_none(body: Any) -> None:
    for wrapped in (body, {"choices": [{"message": body}], "usage": body}, {"choices": [body]}):
        try:
            response = read_response(json.dumps(wrapped))
        except NoCompletion as error:
            assert "\n" not in str(error)
        else:
            assert response.answers and all(isinstance(answer.text, str) for answer in response.answers)


@given(st.sets(st.integers(0, 30)), st.none() | st.integers(1, 5))
def test_missing_answers_are_asked_for_once_each(missing: set[int], most: int | None) -> None:
    runs = runs_of(sorted(missing), most)
    assert [first + k for first, count in runs for k in range(count)] == sorted(missing)
    assert all(most is None or count <= most for _, count in runs)


def test_a_seed_goes_on_with_the_number_of_the_answer() -> None:
    question = Chat(model="m", seed=10).question(())
    assert body_of(question, 0, 4)["seed"] == 10 and body_of(question, 3, 1) == {**question, "seed": 13, "n": 1}


def test_what_no_file_could_hold_is_not_in_an_answer() -> None:
    def read(reason: str, tokens: int) -> Answer:
        body = {"model": "m", "messages": []}
        text = json.dumps(completion(body, ["x"], finish_reason=reason, usage={"completion_tokens": tokens}))
        return read_response(text).answers[0]

    assert read("\ud800", 10**30) == Answer(text="x", finish_reason="\\ud800", tokens=None)
    assert read("stop", 2**53).tokens == 2**53
