"""Groups of several devices: made, filled, talked in."""

from __future__ import annotations

import pytest

from roost.messaging.groups import actions
from roost.messaging.records import GroupStatus, MessageState
from roost.wire.groups import Role
from tests.messaging.groups.group_world import GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def test_a_group_is_made_with_members_who_are_offline_and_all_talk(world: GroupWorld) -> None:
    alice, bob, carol = world.people("Alice", "Bob", "Carol")
    bob.away = True
    id = alice.do(actions.create, "Choir", [bob.account, carol.account])
    world.settle()
    assert carol.group(id).status == GroupStatus.ACTIVE
    first = alice.say(id, "hello all")
    world.settle()
    bob.away = False
    world.settle()
    agree(id, alice, bob, carol)
    assert alice.members(id) == ["Alice", "Bob", "Carol"]
    bob.say(id, "hello Alice")
    carol.say(id, "hello both")
    world.settle()
    for person in (alice, bob, carol):
        assert sorted(person.texts(id)) == ["hello Alice", "hello all", "hello both"]
        assert person.group(id).title == "Choir"
    assert alice.state(first) == MessageState.SENT
    assert actions.role(alice.work(), id, alice.account) is Role.ADMIN
    assert ("joined", "Choir") in bob.notes(id)
