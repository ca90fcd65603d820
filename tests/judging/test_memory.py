"""What is known of fewer tests from what was found with more: the same outcomes, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from crl_data.judging.limits import Calibration
from crl_data.judging.memory import Evidence, calibration_of_fewer, of_fewer
from crl_data.types import Outcome

RUN = [one for one in Outcome if one not in (Outcome.NOT_RUN, Outcome.JUDGE_ERROR)]
MAX_TIMEOUTS = 2


def hashes(n: int) -> list[bytes]:
    return [bytes([number]) * 16 for number in range(n)]


def found(outcomes: Sequence[Outcome]) -> Evidence:
    place = next((n for n, one in enumerate(outcomes) if one is not Outcome.PASSED), None)
    return Evidence(
        outcomes=tuple(outcomes), first="" if place is None else f"test {place + 1}: detail of {place}", seconds=1.5
    )


@settings(max_examples=300)
@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=8), st.data())
def test_an_outcome_is_its_tests_and_what_was_not_run_is_not_known(
    outcomes: list[Outcome], data: st.DataObject
) -> None:
    known = hashes(len(outcomes))
    places = data.draw(st.lists(st.integers(0, len(outcomes) - 1), min_size=1, unique=True))
    wanted = [known[place] for place in places]
    fewer = of_fewer(found(outcomes), known, wanted, MAX_TIMEOUTS)
    theirs = tuple(outcomes[place] for place in places)
    if set(theirs) <= set(RUN) and theirs.count(Outcome.TIMEOUT) < MAX_TIMEOUTS:
        assert fewer is not None and fewer.outcomes == theirs and fewer.seconds == 1.5
        first = next((n for n, one in enumerate(theirs) if one is not Outcome.PASSED), None)
        assert fewer.first == "" if first is None else fewer.first.startswith(f"test {first + 1}: ")
    else:
        assert fewer is None


def test_the_words_for_the_first_failure_are_kept_where_it_is_among_them() -> None:
    known = hashes(3)
    evidence = found([Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR])
    with_it = of_fewer(evidence, known, [known[1], known[2]], MAX_TIMEOUTS)
    without = of_fewer(evidence, known, [known[0], known[2]], MAX_TIMEOUTS)
    assert with_it is not None and with_it.first == "test 1: detail of 1"
    assert without is not None and without.first == "test 2: runtime error"
    all_wrong = Evidence(outcomes=(Outcome.RUNTIME_ERROR,) * 3, first="every test: runtime error: no code")
    fewer = of_fewer(all_wrong, known, known[:1], MAX_TIMEOUTS)
    assert fewer is not None and fewer.first == "every test: runtime error: no code"


def test_a_test_that_was_never_run_is_not_known() -> None:
    assert of_fewer(found([Outcome.PASSED]), hashes(1), hashes(2), MAX_TIMEOUTS) is None


def test_a_reference_that_was_run_with_more_tests_need_not_be_run_with_fewer() -> None:
    known = hashes(3)
    calibration = Calibration(reference_cpu_s=2.0, fault="", cpu_s=(0.1, 2.0, 0.3))
    fewer = calibration_of_fewer(calibration, known, [known[2], known[0]])
    assert fewer is not None and fewer.reference_cpu_s == 0.3 and fewer.cpu_s == (0.3, 0.1)
    assert calibration_of_fewer(calibration, known, hashes(4)) is None
    failed = Calibration(reference_cpu_s=None, fault="test 2: wrong answer")
    assert calibration_of_fewer(failed, known, known[:1]) is None  # which tests it passes, nobody kept
