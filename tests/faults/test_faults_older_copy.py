"""A profile that is put back from an older copy: it finds out, says so, and nothing is lost on either side.

The danger is silence: numbers are used a second time, the other side takes new messages for old ones, acknowledges the
old ones, and the new ones end as "delivered" without anybody having seen them.
"""

from __future__ import annotations

import copy

import pytest

from roost.crypto import BODY_SIZE, Session
from roost.errors import CryptoError
from roost.messaging import mailboxes, peers
from roost.messaging.records import MessageState, Outbox, OwnMailbox, PeerDevice, SessionRow
from tests.messaging.harness import Device, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def friends(world: World) -> tuple[Device, Device]:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.say(bob.account, "before")
    bob.say(alice.account, "before")
    world.settle()
    return alice, bob


def put_back(device: Device, copied: dict) -> None:  # type: ignore[type-arg]
    """The profile is as it was; randomness is not, and time went on."""
    device.records.rows = copied
    device.entropy._seed += 1


@pytest.mark.parametrize("turns", [0, 1, 6])
@pytest.mark.parametrize("lost", [1, 5])
@pytest.mark.parametrize("new", [1, 3, 9])
def test_what_is_said_afterwards_arrives(friends: tuple[Device, Device], turns: int, lost: int, new: int) -> None:
    alice, bob = friends
    world = alice.world
    copied = copy.copy(alice.records.rows)
    for _ in range(turns):  # the ratchet turns meanwhile
        bob.say(alice.account, "turn")
        world.settle()
        alice.say(bob.account, "turn")
        world.settle()
    for number in range(lost):
        alice.say(bob.account, f"lost {number}")
    world.settle()
    put_back(alice, copied)
    ids = [alice.say(bob.account, f"new {number}") for number in range(new)]
    for _ in range(4):
        world.settle()
        world.wait(3_600_001)
    assert [text for text in bob.texts(alice.account) if text.startswith("new")] == [f"new {n}" for n in range(new)]
    assert {alice.state(id) for id in ids} == {MessageState.DELIVERED}
    reply = bob.say(alice.account, "I heard you")
    world.settle()
    assert alice.texts(bob.account)[-1] == "I heard you"
    assert bob.state(reply) == MessageState.DELIVERED
    assert not alice.work().find(Outbox)
    told = alice.told + bob.told
    assert ("session_reset", "older_copy") in told or ("session_reset", "") in told


def test_an_old_acknowledgement_ends_nothing_new(friends: tuple[Device, Device]) -> None:
    """The acknowledgement of what the copy has forgotten comes only after more was said than it covers."""
    alice, bob = friends
    world = alice.world
    alice.say(bob.account, "kept")  # with the ratchet's key that the acknowledgement will answer
    alice.send()
    copied = copy.copy(alice.records.rows)
    alice.say(bob.account, "lost")
    alice.send()
    bob.fetch()
    world.wait(2_100)
    bob.send()  # the acknowledgement waits at the host
    put_back(alice, copied)
    ids = [alice.say(bob.account, f"new {number}") for number in range(3)]
    alice.fetch()
    world.settle()
    assert bob.texts(alice.account)[-3:] == ["new 0", "new 1", "new 2"]
    assert {alice.state(id) for id in ids} == {MessageState.DELIVERED}
    assert ("session_reset", "older_copy") in alice.told


@pytest.mark.parametrize("lost", [1, 2])
def test_what_never_came_is_not_ended_with_what_came_after_it(friends: tuple[Device, Device], lost: int) -> None:
    """The host loses the first that the copy says. To the other side the next ones follow, by their numbers, what the
    copy has forgotten; their acknowledgement covers the lost ones as well (found by the simulated world)."""
    alice, bob = friends
    world = alice.world
    alice.say(bob.account, "kept")
    alice.send()
    copied = copy.copy(alice.records.rows)  # in the middle of a chain of keys: the other side can open what follows
    for _ in range(lost):
        alice.say(bob.account, "lost")
    alice.send()
    bob.fetch()
    put_back(alice, copied)
    ids = [alice.say(bob.account, f"new {number}") for number in range(5)]
    alice.send()
    (log,) = filter(None, world.host.logs.values())
    del log[:lost]
    live(world, 3)
    assert sorted(bob.texts(alice.account))[-5:] == [f"new {number}" for number in range(5)]
    assert {alice.state(id) for id in ids} == {MessageState.DELIVERED}
    assert not alice.work().find(Outbox)
    assert ("session_reset", "older_copy") in alice.told


def test_two_long_messages_that_end_alike_are_told_apart(friends: tuple[Device, Device]) -> None:
    """The copy uses the numbers of one for the other before it hears that the first has arrived."""
    alice, bob = friends
    world = alice.world
    alice.say(bob.account, "kept")  # with the ratchet's key that the acknowledgement will answer
    alice.send()
    copied = copy.copy(alice.records.rows)
    alice.say(bob.account, "lost " + "a" * 2_500)
    alice.send()
    bob.fetch()
    world.wait(2_100)
    bob.send()  # the acknowledgement waits at the host
    put_back(alice, copied)
    id = alice.say(bob.account, "new! " + "a" * 2_500)
    alice.send()
    alice.fetch()
    live(world, 3)
    assert bob.texts(alice.account)[-1].startswith("new!")
    assert alice.state(id) == MessageState.DELIVERED
    assert ("session_reset", "older_copy") in alice.told


def test_a_receiver_that_was_put_back_hears_and_is_heard(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    world = alice.world
    copied = copy.copy(bob.records.rows)
    for number in range(5):
        alice.say(bob.account, f"lost {number}")
        bob.say(alice.account, f"said {number}")
        world.settle()
    put_back(bob, copied)
    alice.say(bob.account, "are you there?")
    bob.say(alice.account, "yes")
    for _ in range(4):
        world.settle()
        world.wait(3_600_001)
    assert "are you there?" in bob.texts(alice.account)
    assert alice.texts(bob.account).count("yes") == 1
    assert not alice.work().find(Outbox)
    assert not bob.work().find(Outbox)


def test_no_key_seals_twice(friends: tuple[Device, Device]) -> None:
    """The same state seals two bodies: header and body of the two share no byte beyond chance, salts differ."""
    alice, bob = friends
    peer = alice.work().find(PeerDevice, where={"account": bob.account})[0]
    state = Session.from_bytes(alice.work().need(SessionRow, peer.session).state)
    body = bytes(BODY_SIZE)
    first, second = state.seal(body, alice.entropy)[1], state.seal(body, alice.entropy)[1]
    assert first[:16] != second[:16]
    same = sum(a == b for a, b in zip(first, second, strict=True))
    assert same < 60  # 16 are expected of 4,096
    other = Session.from_bytes(bob.work().find(SessionRow, where={"account": alice.account})[0].state)
    after, _ = other.open(first)
    with pytest.raises(CryptoError):
        after.open(second)


# --- a copy that does not know where it is written to -----------------------------------------------------------------

HOUR_MS = 3_600_000


def live(world: World, hours: int) -> None:
    """Time passes, with what agents do every hour."""
    for _ in range(hours):
        world.wait(HOUR_MS)
        world.tick_all()
        world.settle()


def test_a_copy_from_before_its_mailbox_was_replaced_is_reached_again(friends: tuple[Device, Device]) -> None:
    """Its contact writes to a mailbox that the copy never heard of, and takes what it says for repetitions; the copy
    hears nothing. Whoever gets no acknowledgement for long begins anew, with a handshake and the present address."""
    alice, bob = friends
    world = alice.world
    copied = copy.copy(bob.records.rows)
    for mailbox in bob.work().find(OwnMailbox, where={"account": alice.account}):
        bob.do(mailboxes.rotate, mailbox)
    bob.do(peers.announce, alice.account)
    world.settle()
    for _ in range(3):
        bob.say(alice.account, "turn")
        world.settle()
        alice.say(bob.account, "turn")
        world.settle()
    put_back(bob, copied)
    said = [bob.say(alice.account, f"from the copy {number}") for number in range(2)]
    heard = alice.say(bob.account, "to the copy")
    world.settle()
    assert "to the copy" not in bob.texts(alice.account)
    live(world, 60)
    assert [text for text in alice.texts(bob.account) if "from" in text] == ["from the copy 0", "from the copy 1"]
    assert bob.texts(alice.account)[-1] == "to the copy"
    assert {bob.state(id) for id in said} == {alice.state(heard)} == {MessageState.DELIVERED}
    assert not [row for device in (alice, bob) for row in device.work().find(Outbox)]


def test_a_copy_from_before_both_replaced_their_mailboxes_is_reached_again(friends: tuple[Device, Device]) -> None:
    """The copy writes to a mailbox that is no more and reads one that nobody writes to: it is looked for there."""
    alice, bob = friends
    world = alice.world
    copied = copy.copy(bob.records.rows)
    world.wait(8 * 24 * HOUR_MS)
    for _ in range(3):
        live(world, 1)
        bob.say(alice.account, "turn")
        world.settle()
        alice.say(bob.account, "turn")
        world.settle()
    assert all(mailbox.put not in world.host.logs for mailbox in copied.values() if isinstance(mailbox, OwnMailbox))
    put_back(bob, copied)
    said = [bob.say(alice.account, f"from the copy {number}") for number in range(2)]
    heard = alice.say(bob.account, "to the copy")
    live(world, 100)
    assert [text for text in alice.texts(bob.account) if "from" in text] == ["from the copy 0", "from the copy 1"]
    assert bob.texts(alice.account)[-1] == "to the copy"
    assert {bob.state(id) for id in said} == {alice.state(heard)} == {MessageState.DELIVERED}
    assert not [row for device in (alice, bob) for row in device.work().find(Outbox)]


def test_what_waits_for_a_device_that_is_away_is_sealed_anew_once(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    world = alice.world
    world.devices.remove(bob)
    texts = [f"{number}" for number in range(5)]
    for text in texts:
        alice.say(bob.account, text)
    world.settle()
    live(world, 6 * 24)
    assert sum(len(log) for log in world.host.logs.values()) <= 3 * len(texts)
    world.devices.append(bob)
    live(world, 30)
    assert bob.texts(alice.account)[-5:] == texts
    assert bob.told.count(("message", "")) == 1 + len(texts)
    assert not alice.work().find(Outbox)
