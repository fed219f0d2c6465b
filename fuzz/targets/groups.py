"""Targets of groups: their structures, what lands in a group's log, what contacts say about groups.

The fuzzer writes as a stranger, as a member with the right keys, and as a contact.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from fuzz.tools import Choices, Target, insist, only
from roost.crypto import mls
from roost.errors import CallerError, PeerError, WireError
from roost.messaging.groups import among_members, holding, intents, receiving, rules, states
from roost.messaging.logs import Landed
from roost.messaging.origin import Origin
from roost.messaging.records import GroupEpoch, GroupRow, SessionRow, SharedLog
from roost.wire import groups
from roost.wire.codec import OutOfBounds, Record, TextRecord, decode, encode
from roost.wire.content import MAX_CONTENT, Entry, Text, Unknown, decode_content, encode_content
from tests.messaging.groups.group_world import GroupDevice, GroupWorld

KINDS: dict[str, Any] = {
    name: kind
    for name, kind in sorted(vars(groups).items())
    if inspect.isclass(kind) and issubclass(kind, Record) and kind not in (Record, TextRecord)
} | {"GroupRecord": groups.GroupRecord, "StateChange": intents.StateChange}
NAMES = sorted(KINDS)


@cache
def group() -> tuple[bytes, GroupDevice, GroupDevice]:
    """A group of two: its id, the one who receives, the one who is hostile."""
    id, (alice, mallory) = GroupWorld(11).grouped("Alice", "Mallory")
    return id, alice, mallory


def structures(data: bytes) -> None:
    """The first byte names the kind, the others are its encoding."""
    if not data:
        return
    kind, encoded = KINDS[NAMES[data[0] % len(NAMES)]], data[1:]
    with only(WireError):
        value = decode(kind, encoded)
        insist(encode(value) == encoded, "another encoding was accepted")
        repr(value)


def landing(data: bytes) -> None:
    """A record as anybody could write it who holds the log's key, or an entry that a member sealed."""
    choices = Choices(data)
    id, alice, mallory = group()
    sealed, number = choices.below(4), 7 * choices.below(2)
    record = choices.rest()
    if sealed:
        record = _by_a_member(mallory, id, record, as_entry=sealed == 1)
    work = alice.work()
    log = work.need(SharedLog, work.need(GroupRow, id).log)
    epoch = work.need(GroupEpoch, id)
    with only(PeerError):
        receiving.receive(work, Landed(log, number, 1, bytes(16), record, None))
        insist(work.need(GroupEpoch, id) == epoch, "what is said began an epoch")
    row = work.need(GroupRow, id)
    insist(bool(row.state) and row.id == id, "a record took a group's state away")


def _by_a_member(mallory: GroupDevice, id: bytes, data: bytes, *, as_entry: bool) -> bytes:
    if as_entry and 0 < len(data) < MAX_CONTENT:
        data = encode(Entry(mallory.entropy.bytes(16), 1_790_000_000_000, 1 + data[0], data))
    _, message = holding.load(mallory.work(), id).seal(data, mallory.entropy)
    return encode(groups.GroupMessage(message))


def telling(data: bytes) -> None:
    """What a contact's device says about groups in the pairwise conversation."""
    _, alice, mallory = group()
    with only(PeerError, OutOfBounds):
        content = decode_content(data)
        if isinstance(content, Unknown) or not isinstance(content, groups.ABOUT_GROUPS):
            return
        work = alice.work()
        session = next(row for row in work.find(SessionRow) if row.account == mallory.account)
        origin = Origin(mallory.account, mallory.work().me.device, session.identity, session.id, b"", 1)
        among_members.received(work, origin, content)


def committing(data: bytes) -> None:
    """A state that a member wants to bring in: everybody's rules refuse it, or it is one that they allow."""
    id, alice, mallory = group()
    before = holding.load(mallory.work(), id)
    extensions = (mls.Extension(groups.STATE_EXTENSION, data),)
    with only(PeerError):
        after = states.state_of(extensions)
        members = {account: frozenset(person.devices) for account, person in states.roster(before).items()}
        change = rules.Change(
            mallory.account, mallory.work().me.device, states.state_of(before.extensions), after, members
        )
        rules.check(change)
        insist(alice.account in rules.admins(after), "a member took the group over")
    with only(CallerError):
        states.held_state(alice.group(id))


TARGETS = (
    Target("groups-structures", structures, "canonical or refused", structured=1),
    Target("groups-landing", landing, "what members write in a log is applied or dropped, and begins no epoch"),
    Target("groups-telling", telling, "what contacts say about groups is applied or dropped", structured=0),
    Target("groups-states", committing, "no member takes a group over by a state", structured=0),
)


def seeds() -> list[tuple[str, bytes]]:
    """Inputs that parsers accept, beside those of the vectors."""
    id, alice, _ = group()
    state = alice.group(id).state
    content = encode_content(Text("hello"))
    said = (content, encode(groups.Leave()), encode(groups.Missing(bytes(32), (groups.GapRange(1, 2),))))
    return [
        ("groups-states", state),
        *(("groups-landing", b"\1\1" + one) for one in said),
        ("groups-landing", b"\0\1" + encode(groups.SealedRecord(bytes(32), b"sealed"))),
    ]
