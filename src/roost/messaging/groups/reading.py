"""Read receipts in groups: batched, and only in small ones, where each says something and all together say little to
the group's host."""

from __future__ import annotations

import msgspec

from roost.messaging.groups import sending, states
from roost.messaging.records import GroupRow, GroupStatus, Message, MessageState, ReadBy
from roost.messaging.work import Work
from roost.wire.content import Receipt, encode_content

LARGEST = 32  # people
BATCH_MS = 4_000  # read messages wait up to so long for others
MAX_IDS = 500


def read(work: Work, row: GroupRow, ids: tuple[bytes, ...]) -> None:
    """I have read these messages of others; their authors are told in a while, together."""
    if not ids or not work.me.read_receipts or row.status != GroupStatus.ACTIVE:
        return
    if len(states.members(work, row.id)) > LARGEST:
        return
    pause = int.from_bytes(work.entropy.bytes(4), "big") % BATCH_MS
    at = row.due_at if row.receipts else min(row.due_at, work.now + pause)
    work.put(msgspec.structs.replace(row, receipts=(*row.receipts, *ids)[-MAX_IDS:], due_at=at))


def tell(work: Work, row: GroupRow) -> None:
    """The pause is over."""
    if row.receipts and row.status == GroupStatus.ACTIVE:
        work.put(msgspec.structs.replace(row, receipts=()))
        sending.send(work, row.id, encode_content(Receipt(row.receipts)))


def read_by(work: Work, row: GroupRow, reader: bytes, ids: tuple[bytes, ...]) -> None:
    """A member has read messages. One of mine is READ once everybody has."""
    members = states.members(work, row.id)
    if len(members) > LARGEST or reader == work.me.account:
        return
    for id in ids:
        message = work.get(Message, id)
        if message is None or message.conversation != row.id or message.author != work.me.account:
            continue
        if work.get(ReadBy, id, reader) is None:
            work.put(ReadBy(id, reader, work.now))
            work.tell("receipt", id, row.id, "read_by")
        readers = {row.account for row in work.find(ReadBy, where={"target": id})} | {work.me.account}
        if members.keys() <= readers and message.state < MessageState.READ:
            work.put(msgspec.structs.replace(message, state=MessageState.READ))
            work.tell("receipt", id, row.id, "read")
