"""The attacks: wrong solutions that try to be taken for right ones, by what they go for.

Each names the weaker judge that it deceives; `test_attacks` shows that it does, and that ours does not fall for it.
"""

from __future__ import annotations

from tests.attacks import (
    chance,
    comparison,
    early_exit,
    encoding,
    equality,
    escape,
    expectation,
    forging,
    pytest_kind,
    resources,
    state,
    tester,
    time,
)
from tests.attacks.case import Attack

ATTACKS: tuple[Attack, ...] = tuple(
    attack
    for module in (
        early_exit,
        equality,
        comparison,
        expectation,
        forging,
        state,
        chance,
        time,
        resources,
        escape,
        encoding,
        tester,
        pytest_kind,
    )
    for attack in module.ATTACKS
)
