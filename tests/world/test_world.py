"""Simulated worlds in CI: 300 seeds of up to eight devices, one of five hundred. See `python -m tests.world --help`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from roost.messaging.records import Contact, ContactState
from tests.world import check
from tests.world.actions import say
from tests.world.plan import SECOND, Plan, crowd, draw, draw_files, draw_group, draw_group_files, draw_network
from tests.world.shrink import failure, replay, report
from tests.world.world import World

SEEDS = 300
CHUNK = 20
GROUPS = 24
NETWORKS = 40
FILES = 40


def all_hold(plans: Iterable[Plan]) -> None:
    """What the first failing run shows is told before anything is replayed: it may not fail again."""
    for plan in plans:
        found = failure(plan)
        if found is not None:
            print(first := report(plan, found))  # also when the replays take longer than the test may
            pytest.fail(f"{first}\n\nreplayed:\n{replay(plan)}", pytrace=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_worlds_of_up_to_eight_devices(first: int) -> None:
    all_hold(draw(seed) for seed in range(first, first + CHUNK))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, NETWORKS + 1, NETWORKS // 4))
def test_worlds_with_an_onion_network(first: int) -> None:
    all_hold(draw_network(seed) for seed in range(first, first + NETWORKS // 4))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, FILES + 1, FILES // 2))
def test_worlds_with_many_files(first: int) -> None:
    all_hold(draw_files(seed) for seed in range(first, first + FILES // 2))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, GROUPS // 2 + 1, GROUPS // 4))
def test_worlds_with_files_in_a_group(first: int) -> None:
    all_hold(draw_group_files(seed) for seed in range(first, first + GROUPS // 4))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, GROUPS + 1, GROUPS // 4))
def test_worlds_with_a_group(first: int) -> None:
    all_hold(draw_group(seed) for seed in range(first, first + GROUPS // 4))


@pytest.mark.timeout(600)
def test_a_world_of_five_hundred_devices() -> None:
    plan = crowd(1, 250)
    found = failure(plan)
    assert found is None, report(plan, found)


def test_a_plan_is_the_same_every_time_and_can_lose_any_action() -> None:
    plan = draw(7)
    assert draw(7) == plan
    smaller = plan.without({plan.actions[3]})
    assert len(smaller.actions) == len(plan.actions) - 1


@pytest.mark.parametrize("fallbacks", [False, True], ids=["one address", "fallbacks"])
def test_one_of_two_relays_is_down_for_an_hour(fallbacks: bool) -> None:
    """Three people with five devices, one of whom speaks every minute. If the first person has a second relay, nobody
    waits for the one that is away."""
    world = World(Plan(1, True, (2, 2, 1), ((1, 0), (2, 0), (2, 1)), (), fallbacks))
    world.set_up()
    first, others = world.people[0], [*world.people[1], *world.people[2]]
    world.network.stop(world.relay_of(first[0]).name)
    for minute in range(60):
        talker = (first + others)[minute % 5]
        for contact in talker.look().find(Contact, where={"state": int(ContactState.ACCEPTED)}):
            say(world, talker, contact, f"{minute}")
        world._run_until(world.time.now + 60 * SECOND)
    heard = {device.name: len(device.received) for device in first}
    assert all(count >= 20 for count in heard.values()) if fallbacks else not any(heard.values()), heard
    world.calm_down()
    check.everything(world)
    assert all(len(device.received) >= 20 for device in first)
