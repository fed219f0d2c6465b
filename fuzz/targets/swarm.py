"""Targets of what the nodes that keep a mailbox together say to each other: any of them may be anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fuzz.tools import Target, insist
from roost.errors import WireError
from roost.relay.core import places
from roost.relay.core.copies import decode_operations, encode_operations
from roost.relay.core.operations import (
    AppendEntry,
    CardRow,
    CreateMailbox,
    DeleteMailbox,
    EntryRow,
    GrantRow,
    Operation,
    RemoveCard,
    StoreCard,
    TouchMailboxes,
    TrimEntries,
)
from roost.relay.core.places import Ballot, PlaceRecord, Verdict
from roost.wire.codec import decode, encode
from roost.wire.sizes import ENVELOPE_SIZE
from roost.wire.swarm import (
    Adopt,
    Append,
    Beat,
    BeatItem,
    Deposit,
    Fetch,
    Heard,
    Look,
    Member,
    Nudge,
    Piece,
    Prepare,
    Promise,
    Recall,
    Recalled,
    RecalledPlace,
    Retire,
    Seen,
    SwarmMessage,
    SwarmReply,
    Taken,
)

PLACE = b"fuzz" * 4
_NUMBER = 77
_NODES = tuple(bytes([at]) * 32 for at in range(3))
_KNOWN: Any = (SwarmMessage, SwarmReply)


def messages(data: bytes) -> None:
    """The first byte: a call, or an answer. What decodes goes through a member's rules, or a candidate's."""
    try:
        message = decode(_KNOWN[data[0] % 2 if data else 0], data[1:])
    except WireError:
        return
    insist(encode(message) == data[1:], "a message has two encodings")
    members = tuple(Member(node, node[:16]) for node in _NODES)
    record = PlaceRecord(1, 32, _NODES[0], (), 16, 5, members, present=True)
    match message:
        case Prepare():
            after = places.prepare(record, _NODES[1], message.view, message.members)
            insist(after is None or after.promised > record.promised, "a promise was broken")
        case Adopt():
            base = (message.base, message.base_sequence)
            verdict, after = places.adopt(record, _NODES[1], message.view, message.members, base)
            insist(verdict != Verdict.TAKEN or (base == (16, 5) and after.view > 32), "what is not held was adopted")
        case Append():
            verdict, _ = places.append(record, _NODES[1], message.view, message.sequence)
            insist(verdict != Verdict.TAKEN, "a batch of another leader was taken")
        case Seen():
            ballot = Ballot(_NODES, (), lambda _node: True)
            ballot.add(_NODES[0], message.standing)
            if ballot.enough():
                insist(ballot.newest is not None and bool(ballot.newest.view), "one of three was a majority")
        case _:
            pass


def operations(data: bytes) -> None:
    try:
        found = decode_operations(data, PLACE, _NUMBER)
    except WireError:
        return
    for operation in found:
        match operation:
            case StoreCard():
                insist(operation.card.locator.startswith(PLACE), "another place's card is changed")
            case RemoveCard():
                insist(operation.locator.startswith(PLACE), "another place's card is changed")
            case TouchMailboxes():
                insist(operation.mailboxes == (_NUMBER,), "another mailbox is changed")
            case _:
                insist(getattr(operation, "mailbox", None) == _NUMBER, "another mailbox is changed")
    insist(decode_operations(encode_operations(found), PLACE, _NUMBER) == found, "operations change when they travel")


def seeds() -> Iterator[tuple[str, bytes]]:
    """What the corpus begins with."""
    members = tuple(Member(node, node[:16]) for node in _NODES)
    record = PlaceRecord(1, 32, _NODES[0], (members[:2],), 16, 5, members, present=True)
    standing = record.standing(bytes(16), sure=True, leading=False, courted=True)
    made: list[Operation] = [
        CreateMailbox(1, 0, 20_000, (GrantRow(bytes(32), 1, 0),)),
        AppendEntry(1, EntryRow(9, bytes(32), 20_000, 5, 0, (bytes(16),)), bytes(ENVELOPE_SIZE)),
        TrimEntries(1, 9, (2,), 0, (bytes(16),)),
        StoreCard(CardRow(PLACE * 2, bytes(32), 4, 20_100, b"card")),
        RemoveCard(PLACE * 2),
        TouchMailboxes((1,), 20_000),
        DeleteMailbox(1),
    ]
    for operation in made:
        yield "swarm-operations", encode_operations([operation])
    yield "swarm-operations", encode_operations(made[2:])
    calls: list[SwarmMessage] = [
        Look(PLACE),
        Prepare(PLACE, 48, members),
        Adopt(PLACE, 48, members, 16, 5),
        Append(PLACE, 32, 6, encode_operations(made[2:])),
        Deposit(PLACE, 48, members, 5, 0, last=True, operations=encode_operations(made[3:])),
        Fetch(PLACE, 48, 1),
        Beat((BeatItem(PLACE, 16, 5),)),
        Retire(PLACE, 48, members),
        Recall(b""),
        Nudge(PLACE),
    ]
    answers: list[SwarmReply] = [
        Promise(granted=True, standing=standing),
        Taken(True, bytes(16), 32, 5),
        Piece(last=True, operations=encode_operations(made[4:])),
        Heard((0,), (1, 2)),
        Recalled((RecalledPlace(PLACE, standing),), PLACE),
        Seen(standing),
    ]
    for kind, said in enumerate((calls, answers)):
        for message in said:
            yield "swarm-messages", bytes([kind]) + encode(message)


TARGETS = (
    Target("swarm-messages", messages, "one encoding each; no rule is broken by what another node says", structured=1),
    Target("swarm-operations", operations, "what another node sends changes its place alone", structured=0),
)
