"""Coming into a group by the word of a contact who is in it, who asks first."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import conversations
from roost.messaging.groups import actions, introducing, links
from roost.messaging.records import GroupRow, GroupStatus, Message
from roost.wire.groups import Role
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def introduce(world: GroupWorld, person: GroupDevice, id: bytes, contact: GroupDevice) -> bytes:
    """The id of the message."""
    content = person.do(introducing.introduce, id, contact.account)
    message = person.do(conversations.say, contact.account, content, id=person.entropy.bytes(16))
    world.settle()
    return bytes(message.id)


def test_who_is_introduced_decides_and_needs_nobody_elses_approval(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    carol = world.person("Carol")
    world.friends(bob, carol)
    assert actions.state(bob.work(), id).approval
    message = introduce(world, bob, id, carol)
    for person, other in ((bob, carol), (carol, bob)):
        assert person.work().need(Message, message).conversation == other.account
    assert carol.work().get(GroupRow, id) is None
    assert [row.id for row, _ in introducing.unanswered(carol.work())] == [message]
    assert introducing.unanswered(bob.work()) == []
    assert carol.do(links.follow, message).status == GroupStatus.ASKED
    world.settle()
    agree(id, alice, bob, carol)
    assert introducing.unanswered(carol.work()) == []
    carol.say(id, "thank you")
    world.settle()
    assert alice.texts(id) == ["thank you"]
    with pytest.raises(CallerError):
        carol.do(links.follow, message)


def test_an_introduction_counts_once_and_not_after_a_removal(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    carol = world.person("Carol")
    world.friends(alice, carol)
    message = introduce(world, alice, id, carol)
    carol.do(links.follow, message)
    world.settle()
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    carol.do(links.follow, message)
    world.settle()
    assert carol.group(id).status == GroupStatus.ASKED
    second = introduce(world, alice, id, carol)
    alice.do(actions.add, id, [carol.account])  # meanwhile in another way
    world.settle()
    agree(id, alice, bob, carol)
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    carol.do(links.follow, second)
    world.settle()
    agree(id, alice, bob)


def test_who_declines_stays_out_and_nobody_hears(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    carol = world.person("Carol")
    world.friends(alice, carol)
    message = introduce(world, alice, id, carol)
    before = alice.work().find(Message)
    carol.do(introducing.answered, message)
    world.settle()
    assert introducing.unanswered(carol.work()) == []
    assert carol.work().get(GroupRow, id) is None
    assert alice.work().find(Message) == before
    agree(id, alice, bob)


def test_an_introduction_is_for_one_person_for_a_while_by_one_who_may_invite(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    carol, dave = world.person("Carol"), world.person("Dave")
    for person in (carol, dave):
        world.friends(alice, person)
        world.friends(bob, person)
    message = introduce(world, bob, id, carol)
    held = carol.work().need(Message, message)
    knock = dave.work()
    knock.put(held)  # Dave has what Carol was sent
    links.follow(knock, message)
    dave.commit(knock)
    world.settle()
    assert dave.group(id).status == GroupStatus.ASKED
    world.wait(introducing.VALID_MS + 1)
    world.settle()
    carol.do(links.follow, message)
    world.settle()
    agree(id, alice, bob)
    assert alice.members(id) == ["Alice", "Bob"]
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    alice.do(actions.ban, id, [dave.account])
    world.settle()
    for person, other, code in (
        (bob, carol, "not_permitted"),
        (alice, dave, "banned"),
        (alice, bob, "already_member"),
        (carol, dave, "not_a_member"),
    ):
        with pytest.raises(CallerError) as raised:
            person.do(introducing.introduce, id, other.account)
        assert raised.value.code == code
