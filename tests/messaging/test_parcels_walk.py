"""Whoever meets whom, in whatever order, with files lost and links that break: each message comes once, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.messaging import hosting, peers
from roost.messaging.records import MessageState, Outbox, PeerDevice
from roost.wire.addresses import DeviceHost
from tests.messaging.harness import RELAY, Device, World
from tests.messaging.parcel_world import (
    FILE,
    carry,
    export,
    hand_over,
    host_apart,
    read,
    take_in,
    use,
)

HOUR_MS = 3_600_000
STEPS = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["say", "meet", "file", "wait"])
)


def village(seed: int) -> list[Device]:
    """Four people who all know each other. The first two write to each other's devices, which never meet; the other two
    carry."""
    world = World(seed)
    people = [world.person(name) for name in ("Ada", "Ben", "Cy", "Di")]
    for place, first in enumerate(people):
        for second in people[place + 1 :]:
            world.friends(first, second)
    host_apart(world, people[0], people[1])
    use(people[0])
    use(people[1])
    carry(people[2])
    carry(people[3])
    return people


def step(people: list[Device], said: dict[int, list[str]], first: int, second: int, lost: int, what: str) -> None:
    world = people[0].world
    if what == "say":
        writer = first % 2
        text = f"{writer}: {len(said[writer])}"
        people[writer].say(people[1 - writer].account, text)
        said[writer].append(text)
    elif what == "meet" and first != second and {first, second} != {0, 1}:
        hand_over(people[first], people[second], lost=lost)
    elif what == "file":
        handed = read(export(people[first]))
        take_in(people[second], FILE, handed[: len(handed) - lost])
    elif what == "wait":
        world.wait((first + 1) * 2 * HOUR_MS)
    world.settle()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16), st.lists(STEPS, max_size=30))
def test_however_people_walk_each_message_comes_once_and_in_order(
    seed: int, steps: list[tuple[int, int, int, str]]
) -> None:
    people = village(seed)
    said: dict[int, list[str]] = {0: [], 1: []}
    for first, second, lost, what in steps:
        step(people, said, first, second, lost, what)
        for reader in (0, 1):  # never out of order, never twice
            heard = heard_by(people, reader)
            assert heard == said[1 - reader][: len(heard)]
    bring_together(people)
    assert [heard_by(people, reader) for reader in (0, 1)] == [said[1], said[0]]
    for writer in (0, 1):
        assert not people[writer].work().find(Outbox, where={"account": people[1 - writer].account})


def heard_by(people: list[Device], reader: int) -> list[str]:
    other = f"{1 - reader}: "
    return [text for text in people[reader].texts(people[1 - reader].account) if text.startswith(other)]


def bring_together(people: list[Device]) -> None:
    """Days in which the couriers walk to and fro."""
    world = people[0].world
    for _ in range(4):
        world.wait(25 * HOUR_MS)
        world.settle()
        for courier in people[2:]:
            for end in (0, 1, 0):
                hand_over(people[end], courier)
                hand_over(courier, people[end])
                world.settle()


# --- when no relay is left -------------------------------------------------------------------------------------------


def test_when_no_relay_is_left_messages_go_on_by_hand() -> None:
    """Everybody's own device is their second host. Then the relay is gone, and no device reaches another."""
    world = World()
    people = [world.person(name) for name in ("Ada", "Ben", "Cy")]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        world.friends(people[first], people[second])
    for person in people:
        person.do(hosting.begin, ("lan",), 2)
        person.do(peers.announce_all)
        world.apart |= {key_of(person)}
    world.settle()
    ada, ben, cy = people
    carry(ben)
    use(ada)
    use(cy)
    world.down.add(RELAY.address.key)
    held = ada.work().find(PeerDevice, where={"account": cy.account})
    assert [type(peer.fallback.relay) for peer in held if peer.fallback] == [DeviceHost]
    id = ada.say(cy.account, "is anything left?")
    world.settle()
    world.wait(120_000)
    world.settle()
    assert hand_over(ada, ben, meetings=circles(ben)).taken.kept
    assert hand_over(ben, cy, meetings=circles(cy)).taken.mine
    world.settle()
    assert cy.texts(ada.account) == ["is anything left?"]
    cy.say(ada.account, "we are")
    world.settle()
    world.wait(120_000)
    world.settle()
    hand_over(cy, ben, meetings=circles(ben))
    hand_over(ben, ada, meetings=circles(ada))
    world.settle()
    assert ada.texts(cy.account) == ["is anything left?", "we are"]
    assert ada.state(id) == MessageState.DELIVERED


def key_of(device: Device) -> bytes:
    host = hosting.own_host(device.work())
    assert host is not None
    return hosting.key_of(host)


def circles(device: Device) -> list[bytes]:
    return list(hosting.circles(device.work()))
