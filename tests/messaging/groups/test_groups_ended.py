"""What stays of a group on a device that left it or was removed, and of those who left it."""

from __future__ import annotations

import pytest

from roost.messaging.groups import actions, committing
from roost.messaging.records import GroupFormer, GroupMember, GroupSaid, GroupStatus, Message, MessageState
from tests.messaging.groups.group_world import GroupWorld


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def test_what_still_waits_when_one_is_removed_or_leaves_has_failed(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    sent = carol.say(id, "in time")
    world.settle()
    carol.away = bob.away = True
    late = [carol.say(id, "too late"), bob.say(id, "on the way out")]
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    carol.away = False
    world.settle()
    bob.do(committing.close, bob.group(id), GroupStatus.LEFT)
    states = [person.work().need(Message, message).state for person, message in zip((carol, bob), late, strict=True)]
    assert states == [MessageState.FAILED, MessageState.FAILED]
    assert carol.work().need(Message, sent).state == MessageState.SENT
    assert not carol.work().find(Message, where={"state": int(MessageState.QUEUED)})
    assert not carol.work().find(GroupSaid)


def test_who_left_keeps_the_name_until_the_group_is_forgotten(world: GroupWorld) -> None:
    id, (alice, _, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    assert [(row.account, row.name) for row in alice.work().find(GroupFormer)] == [(carol.account, "Carol")]
    carol.do(actions.forget, id)
    assert carol.work().find(GroupFormer) == carol.work().find(GroupMember) == []
