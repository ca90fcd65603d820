"""A model that answers with what was written before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crl_data.responses import extract_code, fenced
from crl_data.samplers.model import Request
from crl_data.samplers.recorded import RecordedModel, WrittenAnswer
from crl_data.types import Sampler


def request(name: str, n: int = 2) -> Request:
    return Request(id=name, messages=({"role": "user", "content": "?"},), n=n)


def test_a_request_has_the_first_answers_of_its_id_and_no_more_than_there_are() -> None:
    first = WrittenAnswer(
        text="1", finish_reason="stop", tokens=3, reasoning_tokens=1, sampler=Sampler(name="x", model="m")
    )
    second, third, other = (WrittenAnswer(text=text) for text in ("2", "3", "o"))
    written = [("a", first), ("b", other), ("a", second), ("a", third)]
    with RecordedModel(iter(written)) as model:
        found = list(model.answers(iter([request("b"), request("gone"), request("a"), request("a", 1)])))
    assert [one.id for one, _ in found] == ["b", "gone", "a", "a"]
    assert [answers for _, answers in found] == [(other,), (), (first, second), (first,)]


code = st.text(alphabet=st.sampled_from("ab`~ \n#\"'x=1"), max_size=60).filter(lambda text: text.strip())


@given(code)
def test_code_in_a_fence_is_taken_out_as_it_was(text: str) -> None:
    found = extract_code(fenced(text))
    assert found is not None and found.rstrip("\n") == text.rstrip("\n")
