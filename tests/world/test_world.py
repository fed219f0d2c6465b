"""Simulated worlds in CI: 300 seeds of up to eight devices, one of five hundred. See `python -m tests.world --help`."""

from __future__ import annotations

import pytest

from tests.world.plan import crowd, draw
from tests.world.shrink import failure, report

SEEDS = 300
CHUNK = 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_worlds_of_up_to_eight_devices(first: int) -> None:
    for seed in range(first, first + CHUNK):
        plan = draw(seed)
        if failure(plan) is not None:
            pytest.fail(report(plan))


@pytest.mark.timeout(600)
def test_a_world_of_five_hundred_devices() -> None:
    plan = crowd(1, 250)
    found = failure(plan)
    assert found is None, found[0] + "\n" + "\n".join(list(found[1].lines)[-60:])


def test_a_plan_is_the_same_every_time_and_can_lose_any_action() -> None:
    plan = draw(7)
    assert draw(7) == plan
    smaller = plan.without({plan.actions[3]})
    assert len(smaller.actions) == len(plan.actions) - 1
