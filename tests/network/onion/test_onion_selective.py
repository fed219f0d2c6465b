"""Guards that drop what goes to some nodes and pass what goes to others, so that those nodes get the blame; and what
looks like it and is none: nodes that died, and a mailbox's node that loses what it is asked."""

from __future__ import annotations

import pytest

from roost.network.onion.guard_watch import Comparison
from roost.wire.mailbox import Put
from tests.network.onion.onion_world import Client, World, capability, envelope

GET, PUT = capability("get"), capability("put")
FIRST, SECOND = b"1" * 32, b"2" * 32


def outsiders(world: World) -> list[bytes]:
    swarm = {node.key for node in world.swarm()}
    return [key for key in world.nodes if key not in swarm]


def talk(world: World, client: Client, seconds: float, *, mixed: bool = False) -> None:
    """Something is sent each five seconds."""
    for _ in range(int(seconds / 5)):
        client.call(Put(PUT, envelope(world.random.getrandbits(40))), mixed=mixed)
        world.run(5)


@pytest.mark.parametrize("mixed", [False, True], ids=["fast", "mixed"])
def test_a_guard_that_drops_what_goes_to_most_nodes_is_left_for_good(mixed: bool) -> None:
    world = World(1, 20)
    first, second, *others = outsiders(world)
    world.nodes[first].drops_to = dict.fromkeys(set(world.nodes) - set(others[:4]), 0.8)
    client = Client(world, first, second)
    client.subscribe(GET)
    for _ in range(120):
        talk(world, client, 30, mixed=mixed)
        if client.exchange.doubted == {first}:
            break
    for _ in range(20):
        talk(world, client, 30, mixed=mixed)
        assert client.exchange.doubted == {first}
    assert client.exchange.trusted(world.now) == [second]

    client = Client(world, first, second)  # started anew
    client.exchange.doubt([first])
    client.subscribe(GET)
    for _ in range(20):
        talk(world, client, 30, mixed=mixed)
        assert client.exchange.doubted == {first}
    world.nodes[first].drops_to = {}
    world.run(2 * 3_600)
    assert not client.exchange.doubted


@pytest.mark.parametrize("seed", range(3))
def test_guards_are_not_left_when_a_third_of_the_nodes_dies(seed: int) -> None:
    world = World(seed, 21)
    first, second, *others = outsiders(world)
    client = Client(world, first, second)
    client.subscribe(GET)
    talk(world, client, 120)
    for key in [*others[:6], world.swarm()[0].key]:
        world.nodes[key].alive = False
    for _ in range(40):
        talk(world, client, 15)
        assert first not in client.exchange.doubted
    assert not client.exchange.doubted


def test_a_mailboxs_node_cannot_drive_clients_from_their_guards() -> None:
    """It loses half of what comes, and nodes beside it do too."""
    world = World(4, 20)
    first, second, *others = outsiders(world)
    for key in [world.swarm()[0].key, *others[:2]]:
        world.nodes[key].drops = 0.5
    client = Client(world, first, second)
    client.subscribe(GET)
    for _ in range(30):
        talk(world, client, 15)
        assert not client.exchange.doubted


def compared(*minutes: tuple[int, int, int, int]) -> Comparison:
    """Of each minute: how many loops by either guard came, and were lost."""
    comparison = Comparison()
    for minute, (came, lost, others_came, others_lost) in enumerate(minutes):
        for guard, arrived, count in (
            (FIRST, True, came),
            (FIRST, False, lost),
            (SECOND, True, others_came),
            (SECOND, False, others_lost),
        ):
            for _ in range(count):
                comparison.record(guard, arrived, 60.0 * minute)
    return comparison


def test_guards_are_compared_with_each_other_in_the_same_minute() -> None:
    assert compared((5, 20, 20, 5)).is_worse(FIRST, [SECOND])
    assert not compared((5, 20, 20, 5)).is_worse(SECOND, [FIRST])
    assert not compared((5, 20, 5, 20)).is_worse(FIRST, [SECOND])
    assert not compared((0, 3, 3, 0)).is_worse(FIRST, [SECOND])  # too few
    assert not compared((80, 20, 100, 0)).is_worse(FIRST, [SECOND])  # as bad lines are
    assert not compared((0, 0, 100, 0), (1, 100, 0, 0)).is_worse(FIRST, [SECOND])  # before and after nodes died
    assert not compared((0, 100, 0, 0)).is_worse(FIRST, [SECOND])


def test_what_was_seen_is_forgotten_after_an_hour() -> None:
    comparison = compared((0, 50, 50, 0))
    comparison.forget(3_600.0)
    assert comparison.is_worse(FIRST, [SECOND])
    comparison.forget(3_700.0)
    assert not comparison.is_worse(FIRST, [SECOND])
    assert not comparison.is_as_good(FIRST, [SECOND])
