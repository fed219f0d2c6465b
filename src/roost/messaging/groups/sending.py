"""What this device says in a group: numbered, sealed in the present epoch, appended, until it is seen in the log.

What has not landed when the group moves to another log, or when its epoch is too old to be read, is sealed anew with
the same id and number: nobody shows it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.crypto import mls
from roost.messaging import logs, outbox
from roost.messaging.groups import holding, permits, places
from roost.messaging.groups.own import remember_own
from roost.messaging.records import (
    NEVER,
    GroupRow,
    GroupSaid,
    GroupStatus,
    LogPut,
    LogPutState,
    Message,
    MessageState,
)
from roost.messaging.work import Work
from roost.wire.codec import decode, encode
from roost.wire.content import Attachment, Edit, Entry, Text, decode_content, encode_content
from roost.wire.groups import GroupMessage

SUBJECT = b"said"
MOST_AGAIN = 8  # times that one entry is said once more, whoever asks
INSIST_AFTER = 3  # times that the host took it
INCARNATION = 2**24  # messages of a device between two joinings; the joining's epoch stands above


def first_counter(epoch: int) -> int:
    """Counters of a device that joined in this epoch are greater than this: a device that comes back with an older
    state joins anew, and never says two things under one number."""
    return epoch * INCARNATION


def count(work: Work, group: bytes) -> int:
    """The next number of what this device says in a group."""
    row = work.need(GroupRow, group)
    return work.put(msgspec.structs.replace(row, counter=row.counter + 1)).counter


def send(
    work: Work,
    group: bytes,
    content: bytes,
    *,
    id: bytes = b"",
    message: Message | None = None,
    counter: int = 0,
    attachments: tuple[Attachment, ...] = (),
    sent_at: int = 0,
) -> GroupSaid:
    """Say an encoded content. `counter` is 0, or one that `count` gave."""
    counter = counter or count(work, group)
    at = sent_at or (message.sent_at if message else work.now)
    said = work.put(
        GroupSaid(
            group=group,
            counter=counter,
            entry=encode(Entry(id or work.entropy.bytes(16), at, counter, content)),
            message=message.id if message else _changed_message(content),
            attachments=len(attachments),
        )
    )
    flush(work, group)
    return said


def _changed_message(content: bytes) -> bytes:
    """The message whose text an edit carries: with it the edit is forgotten."""
    said = decode_content(content)
    return said.target if isinstance(said, Edit) else b""


def flush(work: Work, group: bytes) -> None:
    """Seal and append what waits."""
    row = work.get(GroupRow, group)
    log = places.current(work, row) if row is not None else None
    if row is None or row.status != GroupStatus.ACTIVE or log is None:
        return
    waiting = [said for said in work.find(GroupSaid, where={"put": 0}) if said.group == group]
    for said in sorted(waiting, key=lambda said: said.counter):
        _append(work, row, said)


def _append(work: Work, row: GroupRow, said: GroupSaid) -> None:
    entry, uploads = _with_pointers(work, said)
    state = holding.load(work, row.id)
    record = _seal(work, row, state, entry)
    log = places.current(work, row)
    assert log is not None
    key = holding.envelope_key(state)
    put = logs.append(work, log, key, record, subject=SUBJECT + said.counter.to_bytes(8, "big"), uploads=uploads)
    work.put(msgspec.structs.replace(said, put=put.number, epoch=state.number))


def _seal(work: Work, row: GroupRow, state: mls.Group, entry: bytes) -> bytes:
    state, message = state.seal(entry, work.entropy)
    holding.keep_keys(work, row.id, state)
    remember_own(work, message)
    return encode(GroupMessage(message))


def _with_pointers(work: Work, said: GroupSaid) -> tuple[bytes, Sequence[logs.LogUpload]]:
    """The entry with places for its attachments' blobs, if it has any."""
    if not said.attachments:
        return said.entry, ()
    entry = decode(Entry, said.entry)
    text = decode_content(entry.content)
    assert isinstance(text, Text)
    pointers = logs.pointers(work, text.attachments)
    attachments = tuple(
        msgspec.structs.replace(attachment, pointer=pointer)
        for attachment, pointer in zip(text.attachments, pointers, strict=True)
    )
    content = encode_content(msgspec.structs.replace(text, attachments=attachments))
    uploads = [logs.LogUpload(said.message, index, pointer) for index, pointer in enumerate(pointers)]
    return encode(msgspec.structs.replace(entry, content=content)), uploads


def send_ephemeral(work: Work, row: GroupRow, content: bytes) -> None:
    """For those who read now (typing). Nothing is kept of it."""
    log = places.current(work, row)
    if row.status != GroupStatus.ACTIVE or log is None:
        return
    state = holding.load(work, row.id)
    record = _seal(work, row, state, encode(Entry(work.entropy.bytes(16), work.now, 0, content)))
    logs.append(work, log, holding.envelope_key(state), record, ephemeral=True)


def landed(work: Work, row: GroupRow, subject: bytes) -> GroupSaid | None:
    """Something of mine is in the log: members have it, or will, unless a change that came first took my right to
    post: then nobody shows it."""
    counter = int.from_bytes(subject[len(SUBJECT) :], "big")
    said = work.get(GroupSaid, row.id, counter)
    if said is None:
        return None
    said = work.put(msgspec.structs.replace(said, landed_at=work.now))
    message = work.get(Message, said.message) if said.message else None
    if message is not None and message.state == MessageState.QUEUED and not permits.may_post(work, row, message.author):
        outbox.fail_message(work, message)
    elif message is not None and message.state == MessageState.QUEUED:
        work.put(msgspec.structs.replace(message, state=MessageState.SENT))
        work.tell("receipt", message.id, row.id, "sent")
    if said.message and (message is None or message.deleted):  # it was for a while only
        work.delete(said)
    return said


def forget(work: Work, message: bytes) -> None:
    """A message of mine disappeared or was deleted: it is not kept to be said again. What waits is still said."""
    for said in work.find(GroupSaid, where={"message": message}):
        if said.landed_at != NEVER:
            work.delete(said)


def requeue(work: Work, group: bytes, *, before: int = 2**62) -> None:
    """What has not landed and was sealed in an epoch before `before` is sealed anew."""
    for said in work.find(GroupSaid, where={"landed_at": NEVER}):
        if said.group == group and said.put and said.epoch < before:
            put = work.get(LogPut, said.put)
            if put is not None:
                logs.withdraw(work, put)
            work.put(msgspec.structs.replace(said, put=0))


def renumber(work: Work, group: bytes) -> None:
    """This device joined anew: what waits gets numbers of now. Under the old ones another copy of its state may have
    said something else. What had landed before keeps its own."""
    requeue(work, group)
    waiting = [said for said in work.find(GroupSaid, where={"landed_at": NEVER}) if said.group == group]
    for said in sorted(waiting, key=lambda said: said.counter):
        if not said.again:
            work.delete(said)
            counter = count(work, group)
            entry = encode(msgspec.structs.replace(decode(Entry, said.entry), counter=counter))
            work.put(msgspec.structs.replace(said, counter=counter, entry=entry))


def say_again(work: Work, said: GroupSaid) -> None:
    """Somebody asks for what has landed before, or lies at the host and was not shown."""
    put = work.get(LogPut, said.put) if said.landed_at == NEVER else None
    if put is not None and put.state == LogPutState.STORED:
        logs.withdraw(work, put)
    if said.landed_at != NEVER or (put is not None and put.state == LogPutState.STORED):
        work.put(msgspec.structs.replace(said, landed_at=NEVER, put=0, again=said.again + 1))


def insist(work: Work, row: GroupRow) -> None:
    """What the host says it has, time and again, and does not show this device: it is sealed anew, or it never would
    be seen in the log."""
    for said in work.find(GroupSaid, where={"landed_at": NEVER}):
        put = work.get(LogPut, said.put) if said.group == row.id and said.put else None
        if put is not None and put.attempts >= INSIST_AFTER and said.again < MOST_AGAIN:
            say_again(work, said)
    flush(work, row.id)
