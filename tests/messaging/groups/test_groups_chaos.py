"""Groups in a world where people are away, answers get lost, devices are put back: in the end all agree, and nothing
that was said by those who stayed is lost or doubled for those who stayed."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.errors import CallerError
from roost.messaging import conversations, upkeep
from roost.messaging.groups import actions
from roost.messaging.records import GroupCommit, GroupSaid, GroupStatus, SharedLog
from roost.wire.groups import Role
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree

NAMES = ("Alice", "Bob", "Carol", "Dave", "Eve")
STAYING = 3  # of them nobody is removed


class Chaos:
    """A plan is a list of (who, what, how): each is one thing that happens."""

    def __init__(self, seed: int) -> None:
        self.world = GroupWorld(seed)
        self.id, self.people = self.world.grouped(*NAMES)
        alice, bob, carol, *_ = self.people
        alice.do(actions.set_role, self.id, bob.account, Role.ADMIN)
        alice.do(actions.set_role, self.id, carol.account, Role.MODERATOR)
        self.world.settle()
        self.said: list[tuple[str, str]] = []
        self.backups: dict[str, dict] = {}  # type: ignore[type-arg]

    def happen(self, who: int, what: int, how: int) -> None:
        person, other = self.people[who], self.people[STAYING + how % (len(NAMES) - STAYING)]
        try:
            match what:
                case 0 | 1 | 2:
                    self._say(person)
                case 3:
                    person.away = not person.away
                case 4:
                    person.do(actions.change, self.id, title=f"{person.name} {how}")
                case 5:
                    person.do(actions.remove, self.id, [other.account])
                case 6:
                    person.do(actions.add, self.id, [other.account])
                case 7:
                    person.do(actions.set_role, self.id, other.account, Role(how % 3))
                case 8:
                    person.do(actions.move, self.id)
                case 9:
                    self.world.wait(how * 60_000)
                case 10:
                    person.turn()
                case 11:
                    self._lose_entries(how)
        except CallerError:
            return
        if how % 2:
            for one in self.people:
                one.turn()

    def _say(self, person: GroupDevice) -> None:
        text = f"{person.name} {len(self.said)}"
        person.say(self.id, text)
        self.said.append((person.name, text))

    def _lose_entries(self, how: int) -> None:
        """An answer is lost: something is put that its author takes for not put, and puts again."""
        person = self.people[how % len(self.people)]
        if not person.away:
            before = copy.deepcopy(person.records.rows)
            person.put_records()
            person.records.rows = before

    def end(self) -> list[GroupDevice]:
        for person in self.people:
            person.away = False
        for _ in range(5):
            self.world.settle(300)
            self.world.wait(12 * 60_000)
        self.world.settle(300)
        return [person for person in self.people if person.group(self.id).status == GroupStatus.ACTIVE]


plans = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 11), st.integers(0, 7)), max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), plans)
def test_all_converge_and_nothing_is_lost(seed: int, plan: list[tuple[int, int, int]]) -> None:
    chaos = Chaos(seed)
    for who, what, how in plan:
        chaos.happen(who, what, how)
    here = chaos.end()
    stayed = chaos.people[:STAYING]
    assert set(stayed) <= set(here)
    agree(chaos.id, *here)
    assert stayed[0].members(chaos.id) == sorted(person.name for person in here)
    expected = sorted(text for name, text in chaos.said if name in NAMES[:STAYING])
    for person in stayed:
        shown = person.texts(chaos.id)
        assert sorted(text for text in shown if text.split()[0] in NAMES[:STAYING]) == expected
        assert len(set(shown)) == len(shown)
        assert person.work().find(GroupCommit) == []
        assert [said for said in person.work().find(GroupSaid) if said.landed_at > chaos.world.now] == []
        assert len(person.work().find(SharedLog, where={"owner": chaos.id})) == 1
    assert len({tuple(sorted(person.texts(chaos.id))) for person in stayed}) == 1


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=4, max_size=16))
def test_devices_that_are_put_back_again_and_again_come_back(seed: int, plan: list[int]) -> None:
    """A copy of each device is kept now and then and restored now and then. What was said and landed is not lost."""
    world = GroupWorld(seed)
    id, people = world.grouped("Alice", "Bob", "Carol")
    alice = people[0]
    kept = {person.name: copy.deepcopy(person.records.rows) for person in people}
    for step, choice in enumerate(plan):
        person = people[1 + choice % 2]
        match choice // 2:
            case 0:
                kept[person.name] = copy.deepcopy(person.records.rows)
            case 1:
                person.records.rows = copy.deepcopy(kept[person.name])
            case 2 | 3:
                person.say(id, f"{person.name} {step}")
            case 4:
                alice.say(id, f"Alice {step}")
        if choice % 3:
            world.settle(300)
    for _ in range(8):
        world.settle(400)
        world.wait(15 * 60_000)
    agree(id, *people)
    assert len(set(alice.texts(id))) == len(alice.texts(id))
    before = len(alice.texts(id))
    for person in people:
        person.say(id, f"{person.name} at the end")
    for _ in range(4):
        world.settle(400)
        world.wait(15 * 60_000)
    agree(id, *people)
    assert len(alice.texts(id)) == before + len(people)


@pytest.mark.parametrize("lost", range(1, 5))
def test_weeks_of_absence(lost: int) -> None:
    """Everything that was said meanwhile has expired at the host; the group moved, or not."""
    world = GroupWorld(lost)
    id, (alice, bob, carol, dave) = world.grouped("Alice", "Bob", "Carol", "Dave")
    bob.away = True
    for week in range(lost):
        world.wait(7 * 86_400_000)
        world.tick_all() if week == 0 else alice.do(upkeep.tick)
        alice.do(actions.change, id, title=f"week {week}")
        if week == 1:
            alice.do(actions.remove, id, [dave.account])
        carol.say(id, f"week {week}")
        world.settle(300)
        for log in world.hosted.values():
            log.entries = [entry for entry in log.entries if entry[0] > log.number - 2]
    bob.away = False
    alice.say(id, "anybody there?")  # a commit that expired is missed when something is said after it
    for _ in range(4):
        world.settle(300)
        world.wait(15 * 60_000)
    agree(id, alice, bob, carol)
    assert bob.group(id).title == f"week {lost - 1}"
    heard = bob.say(id, "what did I miss?")
    world.settle(300)
    assert carol.texts(id)[-1] == "what did I miss?"
    carol.do(conversations.react, heard, "👋")
