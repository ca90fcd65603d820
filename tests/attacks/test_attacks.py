"""No attack is taken for correct by ours, behind any backend; each is by the weaker judges that it names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from crl_data.judging import Isolation, Judge, Policy
from crl_data.sandbox import Runner, open_sandbox
from crl_data.types import TestKind
from tests.attacks import ATTACKS, weaker
from tests.attacks.case import Attack, Group
from tests.attacks.problems import ADD, ASSERTS, PYTEST, SUM, shortened
from tests.attacks.switched_off import NAMES as SWITCHED_OFF
from tests.attacks.switched_off import judge_without
from tests.conftest import code

# Problems whose tests run beside the solution, so that nobody claims that they are tamper-proof, and kinds that are
# refused. Both are to be empty; a problem that is judged tamper-proof by now must be taken off.
BESIDE: frozenset[str] = frozenset()
REFUSED: frozenset[TestKind] = frozenset()

JUDGED = [attack for attack in ATTACKS if attack.problem.test_kind not in REFUSED]
BACKENDS = [
    pytest.param(("local", Isolation.BATCH), id="local-batch"),
    pytest.param(("local", Isolation.PER_TEST), id="local-per-test", marks=pytest.mark.slow),
    pytest.param(("docker", Isolation.BATCH), id="docker-batch", marks=pytest.mark.slow),
    pytest.param(("docker", Isolation.PER_TEST), id="docker-per-test", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=BACKENDS)
def ours(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """A judge of ours behind each backend, in both ways of running."""
    backend, isolation = request.param
    if backend == "docker":
        request.getfixturevalue("docker_engine")
    with Judge(jobs=1, sandbox=backend, policy=Policy(isolation=isolation)) as judge:
        yield judge


@pytest.mark.parametrize("attack", JUDGED, ids=lambda attack: attack.name)
def test_no_attack_is_taken_for_correct_and_the_next_solution_is_judged_as_ever(ours: Judge, attack: Attack) -> None:
    problem = shortened(attack.problem, attack.tests)
    judged = ours.judge(problem, code(attack.code))
    if problem.id in BESIDE:
        assert not judged.tamper_proof, "judged tamper-proof by now: take it off BESIDE"
    else:
        assert judged.tamper_proof
        assert judged.verdict is False, judged.reason
    after = ours.judge(problem, code(problem.reference or ""))
    assert after.verdict is True, after.reason


FLIPS = [pytest.param(name, attack, id=f"{name}-{attack.name}") for attack in ATTACKS for name in attack.flips]


@pytest.fixture(scope="module")
def plain_runner() -> Iterator[Runner]:
    """A runner that weaker judges are run on, as programs."""
    runner = open_sandbox("local", ("numpy", "pytest")).start(False)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def weakened() -> Iterator[Callable[[str], Judge]]:
    """Judges of ours without something, by name: one at a time, and another only when another is asked for."""
    with contextlib.ExitStack() as stack:
        judges: dict[str, Judge] = {}

        def get(name: str) -> Judge:
            if name not in judges:
                stack.close()
                judges.clear()
                judges[name] = stack.enter_context(judge_without(name))
            return judges[name]

        yield get


@pytest.mark.parametrize(("name", "attack"), [one for one in FLIPS if not one.values[0].startswith("ours")])
def test_it_deceives_the_weaker_judge_that_it_names(plain_runner: Runner, name: str, attack: Attack) -> None:
    assert weaker.says_right(plain_runner, name, shortened(attack.problem, attack.tests), attack.code)


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        pytest.param(name, attack, id=f"{name}-{attack.name}")
        for name in SWITCHED_OFF
        for attack in ATTACKS
        if name in attack.flips
    ],
)
def test_it_deceives_a_judge_of_ours_without_what_it_names(
    weakened: Callable[[str], Judge], name: str, attack: Attack
) -> None:
    judged = weakened(name).judge(shortened(attack.problem, attack.tests), code(attack.code))
    assert judged.verdict is True, judged.reason


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in weaker.KINDS.items() for kind in sorted(kinds)]
)
def test_a_weaker_judge_knows_plain_right_from_plain_wrong(plain_runner: Runner, name: str, kind: TestKind) -> None:
    problem = {TestKind.STDIN: SUM, TestKind.FUNCTION: ADD, TestKind.ASSERT: ASSERTS, TestKind.PYTEST: PYTEST}[kind]
    wrong = "print(1000)" if kind is TestKind.STDIN else "def add(a, b):\n    return 1000\n"
    assert weaker.says_right(plain_runner, name, problem, problem.reference or "")
    assert not weaker.says_right(plain_runner, name, problem, wrong)


@pytest.mark.parametrize("name", SWITCHED_OFF)
def test_a_judge_without_something_knows_plain_right_from_plain_wrong(
    weakened: Callable[[str], Judge], name: str
) -> None:
    assert weakened(name).judge(SUM, code(SUM.reference or "")).verdict is True
    assert weakened(name).judge(SUM, code("print(1000)")).verdict is False


def test_every_group_has_attacks_every_attack_has_a_name_of_its_own_and_every_weaker_judge_is_deceived() -> None:
    assert {attack.group for attack in ATTACKS} == set(Group)
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 120
    named = {name for attack in ATTACKS for name in attack.flips}
    assert named == {*weaker.KINDS, *SWITCHED_OFF}
    assert {name.partition(":")[0] for name in weaker.KINDS} == set(weaker.NAMES)
    shown = sum(bool(attack.flips) for attack in ATTACKS)
    assert shown >= 0.8 * len(ATTACKS)
