"""Coming into a group by a link, with and without approval."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import conversations, invitations
from roost.messaging.groups import actions, links
from roost.messaging.records import (
    Contact,
    ContactState,
    GroupRequest,
    GroupStatus,
    InvitationRow,
    Message,
    MessageState,
    PeerDevice,
)
from roost.wire.groups import Role
from roost.wire.links import InvitationKind, parse_invitation
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def follow(world: GroupWorld, person: GroupDevice, link: str, greeting: str = "hello") -> bytes:
    invitation = parse_invitation(link)
    assert invitation.kind is InvitationKind.GROUP
    work = person.work()
    card = invitations.open_invitation(work, invitation, world.host.cards[invitation.secret])
    row = links.join(work, card, greeting)
    person.commit(work)
    return row.id


def make_link(world: GroupWorld, person: GroupDevice, id: bytes) -> str:
    link = person.do(links.make, id).link
    world.settle()
    return str(link)


def test_a_link_leads_into_the_group_at_once_where_nobody_need_approve(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.change, id, approval=False)
    world.settle()
    link = make_link(world, bob, id)
    dave = world.person("Dave")
    assert follow(world, dave, link) == id
    assert dave.group(id).status == GroupStatus.ASKED
    assert dave.group(id).title == "Choir"
    world.settle()
    agree(id, alice, bob, dave)
    dave.say(id, "I followed the link")
    world.settle()
    assert alice.texts(id) == bob.texts(id) == ["I followed the link"]
    contact = dave.work().need(Contact, bob.account)
    assert contact.state == ContactState.MEMBER
    with pytest.raises(CallerError):
        dave.do(conversations.say, bob.account, _text("no contact"), id=bytes(16))


def _text(text: str):  # type: ignore[no-untyped-def]
    from roost.wire.content import Text

    return Text(text)


def test_who_may_invite_lets_people_in_on_any_device(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    link = make_link(world, bob, id)
    dave, eve = world.person("Dave"), world.person("Eve")
    follow(world, dave, link, "it is me, Dave")
    follow(world, eve, link, "")
    world.settle()
    for person in (alice, bob, carol):
        asked = links.requests(person.work(), id)
        assert sorted((request.name, request.greeting) for request in asked) == [
            ("Dave", "it is me, Dave"),
            ("Eve", ""),
        ]
    requests = {request.name: request.id for request in links.requests(carol.work(), id)}
    carol.do(links.decide, requests["Dave"], accept=True)
    alice.do(links.decide, requests["Eve"], accept=False)
    world.settle()
    agree(id, alice, bob, carol, dave)
    assert eve.group(id).status == GroupStatus.ASKED
    for person in (alice, bob, carol):
        assert person.work().find(GroupRequest) == []


def test_a_banned_person_and_one_who_knows_another_groups_link_stay_out(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.change, id, approval=False)
    alice.do(actions.ban, id, [carol.account])
    other = alice.do(actions.create, "Other")
    world.settle()
    alice.do(actions.change, other, approval=False)
    world.settle()
    link = make_link(world, alice, id)
    follow(world, carol, link)
    world.settle()
    assert carol.group(id).status == GroupStatus.ASKED
    dave = world.person("Dave")
    work = dave.work()
    invitation = parse_invitation(link)
    card = invitations.open_invitation(work, invitation, world.host.cards[invitation.secret])
    row = links.join(work, card)
    dave.commit(work)
    assert row.id == id
    assert alice.members(other) == ["Alice"]
    agree(id, alice, bob)


def test_links_end_with_the_right_to_invite_and_with_the_membership(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    make_link(world, bob, id)
    assert len(links.of_group(bob.work(), id)) == 1
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    world.settle()
    world.wait(86_400_000 + 1)
    world.settle()
    assert links.of_group(bob.work(), id) == []
    with pytest.raises(CallerError):
        bob.do(links.make, id)
    assert world.host.cards == {}
    assert len(bob.work().find(InvitationRow)) >= 1


def test_a_contact_who_follows_the_link_comes_in_as_well(world: GroupWorld) -> None:
    alice, bob = world.people("Alice", "Bob")
    id = alice.do(actions.create, "Choir")
    alice.do(actions.change, id, approval=False)
    world.settle()
    link = make_link(world, alice, id)
    follow(world, bob, link)
    world.settle()
    agree(id, alice, bob)
    assert bob.work().need(Contact, alice.account).state == ContactState.ACCEPTED
    with pytest.raises(CallerError):
        follow(world, bob, link)


def test_what_is_said_before_acceptance_waits_though_a_link_was_followed(world: GroupWorld) -> None:
    """The member behind the link takes nothing but group matters from somebody who is no contact: what is said to them
    must not leave, or it would be dropped, and count as delivered."""
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.change, id, approval=False)
    world.settle()
    link = make_link(world, bob, id)
    dave = world.person("Dave")
    dave.add(bob.invite())
    world.settle()
    follow(world, dave, link)
    world.settle()
    assert any(peer.address for peer in dave.work().find(PeerDevice, where={"account": bob.account}))
    early = dave.do(conversations.say, bob.account, _text("early"), id=bytes(16)).id
    world.settle()
    assert dave.work().need(Message, early).state == MessageState.QUEUED
    bob.accept_all()
    world.settle()
    assert bob.work().need(Message, early).text == "early"
    assert dave.work().need(Message, early).state == MessageState.DELIVERED


def test_a_links_card_says_what_the_group_is_called_now(world: GroupWorld) -> None:
    id, (alice, _) = world.grouped("Alice", "Bob")
    link = parse_invitation(make_link(world, alice, id))
    alice.do(actions.change, id, title="Chorus", approval=False)
    for _ in range(4):
        world.wait(3 * 86_400_000)
        world.settle()
    card = invitations.open_invitation(alice.work(), link, world.host.cards[link.secret])
    assert links.group_of(card).title == "Chorus"
    assert not links.group_of(card).approval
