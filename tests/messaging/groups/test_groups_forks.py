"""A host that shows members different things is found out; a member who only says so can be ignored."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import outbox
from roost.messaging.groups import actions, forks
from roost.messaging.records import GroupStatus
from roost.wire.content import encode_content
from roost.wire.groups import GroupCheck, Role
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, HostedLog, agree

HOUR = 60 * 60_000


class LyingWorld(GroupWorld):
    """From some moment on, what the first half writes is not shown to the second half, and the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.halves: dict[str, int] = {}
        self.written_by: dict[bytes, int] = {}
        self.writer = ""

    def shown(self, device: GroupDevice, log: HostedLog) -> list[tuple[int, bytes]]:
        mine = self.halves.get(device.name, 0)
        for _, envelope in log.entries:
            self.written_by.setdefault(envelope, self.halves.get(self.writer, 0))
        return [entry for entry in log.entries if self.written_by[entry[1]] in (0, mine)]


def work_alone(world: LyingWorld, person: GroupDevice) -> None:
    """Only this person writes for a while."""
    world.writer = person.name
    for _ in range(3):
        person.turn()
        world.wait(2_100)


def test_two_histories_of_one_epoch_stop_the_group_and_an_admin_goes_on_elsewhere() -> None:
    world = LyingWorld()
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    agree(id, alice, bob, carol)
    world.halves = {"Alice": 1, "Bob": 2, "Carol": 1}
    alice.do(actions.change, id, title="Alice's")
    work_alone(world, alice)
    bob.do(actions.change, id, title="Bob's")
    work_alone(world, bob)
    world.settle()
    assert alice.group(id).epoch == bob.group(id).epoch
    assert alice.group(id).transcript != bob.group(id).transcript
    for _ in range(8):
        world.wait(HOUR // 3)
        world.settle()
    assert alice.group(id).status == bob.group(id).status == GroupStatus.STOPPED
    assert ("group", "forked") in alice.told
    with pytest.raises(CallerError):
        alice.say(id, "into the void")
    world.halves = {}
    new = alice.do(actions.reopen, id)
    world.settle()
    agree(new, alice, bob, carol)
    assert actions.role(carol.work(), new, bob.account) is Role.ADMIN
    assert bob.group(id).successor == new
    bob.say(new, "here we are")
    world.settle()
    assert carol.texts(new) == ["here we are"]


def test_honest_histories_agree_whatever_happens() -> None:
    world = GroupWorld()
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    for number in range(3):
        alice.do(actions.change, id, title=f"Title {number}")
        for _ in range(5):
            world.settle()
            world.wait(HOUR // 3)
    for person in (alice, bob, carol):
        assert person.group(id).status == GroupStatus.ACTIVE
        assert person.group(id).checked == person.group(id).epoch


def test_a_contact_who_lies_about_the_history_can_be_ignored() -> None:
    world = GroupWorld()
    id, (alice, bob) = world.grouped("Alice", "Bob")
    lie = encode_content(GroupCheck(id, alice.group(id).epoch, bytes(32)))
    bob.do(outbox.queue_all, alice.account, lie)
    world.settle()
    assert alice.group(id).status == GroupStatus.STOPPED
    bob.say(id, "still here?")
    world.settle()
    assert alice.texts(id) == ["still here?"]
    alice.do(forks.resume, id)
    bob.do(outbox.queue_all, alice.account, lie)
    alice.say(id, "yes")
    world.settle()
    assert alice.group(id).status == GroupStatus.ACTIVE
    assert bob.texts(id) == ["still here?", "yes"]


def test_strangers_say_nothing_about_groups() -> None:
    world = GroupWorld()
    id, (alice, bob) = world.grouped("Alice", "Bob")
    carol = world.person("Carol")
    world.friends(alice, carol)
    carol.do(outbox.queue_all, alice.account, encode_content(GroupCheck(id, alice.group(id).epoch, bytes(32))))
    world.settle()
    assert alice.group(id).status == GroupStatus.ACTIVE
    assert ("dropped", "not_a_member") in alice.told
    agree(id, alice, bob)
