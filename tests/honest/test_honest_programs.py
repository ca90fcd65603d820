"""No honest program is failed by ours, behind any backend, in either way of running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crl_data.judging import Judge, Policy
from tests.attacks.test_attacks import BACKENDS, REFUSED
from tests.conftest import code
from tests.honest import HONEST, Honest


@pytest.fixture(scope="module", params=BACKENDS)
def ours(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """A judge of ours behind each backend, in both ways of running, for which every test counts."""
    backend, isolation = request.param
    if backend == "docker":
        request.getfixturevalue("docker_engine")
    with Judge(jobs=1, sandbox=backend, policy=Policy(isolation=isolation, threshold=1.0)) as judge:
        yield judge


@pytest.mark.parametrize(
    "honest",
    [one for one in HONEST if one.problem.test_kind not in REFUSED],
    ids=lambda one: f"{one.name} ({one.problem.id})",
)
def test_no_honest_program_is_failed(ours: Judge, honest: Honest) -> None:
    judged = ours.judge(honest.problem, code(honest.code))
    assert judged.verdict is True, judged.reason


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len({(one.name, one.problem.id) for one in HONEST}) == len(HONEST) >= 80
