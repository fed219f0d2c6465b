"""Networks of others: all devices of a person know which ones they entered, and leave those where nothing is theirs."""

from __future__ import annotations

from roost.messaging import entered, hosting, logs, requests, upkeep
from roost.messaging.groups import actions
from roost.messaging.records import EnteredNetwork, LogPut, OnionMemory, Outbox, PeerDevice, SharedLog
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.links import RelayLink
from tests.messaging.groups.group_world import GroupWorld, agree
from tests.messaging.harness import Device, World

NETWORK = RelayLink(OnionHost(b"n" * 32, (RelayAddress("1.example", 443, b"1" * 32),)))
KEY = NETWORK.address.key
LATER_MS = entered.SETTLE_MS


def networks(device: Device) -> list[bytes]:
    return [row.network for row in device.work().find(EnteredNetwork)]


def after_a_while(world: World, *people: Device) -> None:
    world.wait(LATER_MS)
    for person in people:
        person.do(upkeep.tick)


def test_my_other_devices_enter_what_i_enter_and_nobody_else() -> None:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob", NETWORK)
    world.friends(alice, bob)
    phone = world.second_device(alice, "phone")
    alice.do(entered.enter, KEY)
    world.settle()
    assert networks(alice) == networks(phone) == [KEY]
    assert networks(bob) == []
    tablet = world.second_device(alice, "tablet")
    assert networks(tablet) == [KEY]


def test_my_other_devices_enter_my_own_network_too() -> None:
    """What I made there, they write to; they need not use it themselves."""
    world = World()
    alice = world.person("Alice")
    alice.do(hosting.use, NETWORK)
    phone = world.second_device(alice, "phone")
    assert networks(phone) == [KEY]
    assert networks(alice) == []
    after_a_while(world, phone)
    assert networks(phone) == [KEY]  # my other device is there
    alice.do(entered.enter, KEY)
    assert networks(alice) == []


def test_what_waited_for_a_network_is_tried_at_once() -> None:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob", NETWORK)
    world.friends(alice, bob)
    alice.say(bob.account, "hello")
    (row,) = alice.work().find(Outbox, where={"account": bob.account})

    def held(work, code):  # type: ignore[no-untyped-def]
        work.put(type(row)(**{**_fields(work.need(Outbox, row.number)), "problem": code, "next_at": work.now + 10**9}))

    for code, waits in (("denied", True), (entered.FOREIGN, False)):
        alice.do(held, code)
        alice.do(entered.enter, KEY)
        assert (alice.work().need(Outbox, row.number).next_at > world.now) is waits


def _fields(row):  # type: ignore[no-untyped-def]
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_a_network_is_left_with_the_last_contact_there() -> None:
    world = World()
    alice, bob, carol = world.person("Alice"), world.person("Bob", NETWORK), world.person("Carol", NETWORK)
    alice.do(entered.enter, KEY)
    alice.do(lambda work: [work.put(OnionMemory(f"{key.hex()}/guards", b"")) for key in (KEY, b"o" * 32)])
    alice.do(upkeep.tick)
    assert networks(alice) == [KEY]  # what for is on its way
    for other in (bob, carol):
        world.friends(alice, other)
    phone = world.second_device(alice, "phone")
    after_a_while(world, alice, phone)
    assert networks(alice) == networks(phone) == [KEY]

    alice.do(requests.remove, bob.account)
    world.settle()
    after_a_while(world, alice, phone)
    assert networks(alice) == networks(phone) == [KEY]
    alice.do(requests.remove, carol.account)
    world.settle()
    after_a_while(world, alice, phone)
    assert networks(alice) == networks(phone) == []
    assert not [row for row in alice.work().find(PeerDevice) if row.account != alice.account]
    assert [row.name for row in alice.work().find(OnionMemory)] == [f"{(b'o' * 32).hex()}/guards"]


def test_a_network_is_left_with_the_last_group_there() -> None:
    world = GroupWorld()
    alice, bob = world.person("Alice"), world.person("Bob", NETWORK)
    world.friends(alice, bob)
    world.settle()
    group = bob.do(actions.create, "Choir", [alice.account])
    world.settle()
    agree(group, alice, bob)
    (log,) = alice.work().find(SharedLog)
    assert log.relay == NETWORK.address
    alice.do(requests.remove, bob.account)
    alice.do(entered.enter, KEY)
    after_a_while(world, alice)
    assert networks(alice) == [KEY]
    alice.do(actions.leave, group)
    world.settle()
    after_a_while(world, alice)
    world.settle()
    after_a_while(world, alice)
    assert alice.work().find(SharedLog) == []
    assert networks(alice) == []
    assert logs.unstored(alice.work()) == alice.work().find(LogPut) == []
