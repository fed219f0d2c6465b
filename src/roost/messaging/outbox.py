"""The outbox: the only place where something waits to be delivered. A row of it is one entry for one device.

A row ends only with that device's acknowledgement. What a host answered moves it on (`stored`, `refused`) but never
removes it: stored is not delivered. An unacknowledged row is put again, the same bytes, with growing pauses; a host
that still has them recognises them by their hash. Sealing is messaging.sealing's business.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roost.crypto import padded_count
from roost.messaging import pauses
from roost.messaging.identity import REMOVED_CODE
from roost.messaging.pauses import MINUTE_MS, REPUT_AFTER_MS, RETRY_AFTER_MS
from roost.messaging.records import (
    NEVER,
    Message,
    MessageState,
    Outbox,
    OutboxState,
    PeerDevice,
    SessionRow,
    Upload,
)
from roost.messaging.work import Work
from roost.wire.addresses import Address
from roost.wire.content import Acknowledgement, Attachment, BlobPointer
from roost.wire.mailbox import Needs, RefusalCode

DENIED_RETRY_MS = (
    5_000,
    15_000,
    MINUTE_MS,
    5 * MINUTE_MS,
    60 * MINUTE_MS,
)  # the mailbox is gone: blocked, moved or lost
REMEMBER_MS = 45 * 86_400_000  # longer than any host keeps an envelope by default
ROWS_AT_ONCE = 32
HELD = "floor"  # the problem of a row that would have to take a weaker network than its conversation may
_LASTING = frozenset({"", HELD, REMOVED_CODE, RefusalCode.DENIED, RefusalCode.SEALED, RefusalCode.BLOBS_MISSING})
"""Problems (and none) that do not end when something else reaches the host."""
GAP_PATIENCE_MS = 3_000  # how long a hole may stay before what fills it is put again


def queue(
    work: Work,
    account: bytes,
    device: bytes,
    content: bytes,
    *,
    id: bytes = b"",
    message: Message | None = None,
    counter: int = 0,
    copy_of: bytes = b"",
    address: Address | None = None,
    attachments: tuple[Attachment, ...] = (),
    sent_at: int = 0,
) -> Outbox:
    """Queue an encoded content for one device. `attachments` still need uploading, under keys of this row alone."""
    number = work.next_number("outbox")
    for index, attachment in enumerate(attachments):
        pointer = BlobPointer(work.entropy.bytes(32), work.entropy.bytes(16), padded_count(attachment.size))
        work.put(Upload(number, index, message.id if message else b"", pointer))
    return work.put(
        Outbox(
            number=number,
            account=account,
            device=device,
            id=id or work.entropy.bytes(16),
            message=message.id if message else b"",
            content=content,
            sent_at=sent_at or (message.sent_at if message and not copy_of else work.now),
            counter=counter,
            state=OutboxState.QUEUED,
            created_at=work.now,
            copy_of=copy_of,
            address=address,
            uploads=len(attachments),
        )
    )


def queue_first(work: Work, account: bytes, device: bytes, content: bytes, *, address: Address | None = None) -> None:
    """Queue before everything that waits for the device and is not sealed: it must know first who speaks."""
    waiting = work.find(Outbox, where={"account": account, "device": device}, order="number")
    queue(work, account, device, content, address=address)
    for row in waiting:
        if row.state == OutboxState.QUEUED:
            moved = work.put(msgspec.structs.replace(row, number=work.next_number("outbox")))
            for upload in uploads_of(work, row):
                work.put(msgspec.structs.replace(upload, outbox=moved.number))
            discard(work, row)


def fan_out(
    work: Work,
    account: bytes,
    content: bytes,
    *,
    id: bytes = b"",
    message: Message | None = None,
    counter: int = 0,
    attachments: tuple[Attachment, ...] = (),
    sent_at: int = 0,
) -> None:
    """Queue for every device of a contact, and as a copy for every other device of mine."""
    entry_id = id or work.entropy.bytes(16)
    for peer in work.find(PeerDevice, where={"account": account}):
        queue(
            work,
            account,
            peer.device,
            content,
            id=entry_id,
            message=message,
            counter=counter,
            attachments=attachments,
            sent_at=sent_at,
        )
    mine = work.me.account
    if mine == account:
        return
    for peer in work.find(PeerDevice, where={"account": mine}):
        queue(
            work,
            mine,
            peer.device,
            content,
            id=entry_id,
            message=message,
            counter=counter,
            copy_of=account,
            attachments=attachments,
            sent_at=sent_at,
        )


def queue_all(work: Work, account: bytes, content: bytes) -> None:
    """Queue for every device of one account, without copies for mine."""
    id = work.entropy.bytes(16)
    for peer in work.find(PeerDevice, where={"account": account}):
        queue(work, account, peer.device, content, id=id)


def to_mine(work: Work, content: bytes) -> None:
    """Queue for every other device of mine."""
    queue_all(work, work.me.account, content)


def uploads_of(work: Work, row: Outbox) -> list[Upload]:
    if not row.uploads:
        return []
    return sorted(work.find(Upload, where={"outbox": row.number}), key=lambda upload: upload.index)


def needs_of(work: Work, row: Outbox) -> tuple[Needs, ...]:
    """The blobs without which the host does not take the row's envelopes."""
    return tuple(Needs(upload.pointer.hold, upload.pointer.blobs) for upload in uploads_of(work, row))


def upload_progress(work: Work, number: int, index: int, done: int) -> None:
    """So many blobs of an attachment are stored at the host."""
    upload = work.get(Upload, number, index)
    if upload is not None and done > upload.done:
        work.put(msgspec.structs.replace(upload, done=done))


def uploading_to(work: Work, number: int, host: bytes) -> None:
    """The row's attachments go to this host from now on; what another one has of them does not count."""
    row = work.get(Outbox, number)
    if row is not None and row.blobs_at != host:
        work.put(msgspec.structs.replace(row, blobs_at=host))
        for upload in uploads_of(work, row) if row.blobs_at else ():
            work.put(msgspec.structs.replace(upload, done=0))


# --- what the host said ----------------------------------------------------------------------------------------------


def went(work: Work, message: bytes, account: bytes, network: str, host: str) -> None:
    """A message went to the account's device by this network (as apps name it), which may be another than it seemed
    when it was said."""
    row = work.get(Message, message) if message else None
    if row is not None and row.conversation == account and row.network != network:
        work.put(msgspec.structs.replace(row, network=network, route=(host,)))


def stored(work: Work, number: int) -> None:
    """The mailbox's host committed all envelopes of the row."""
    row = work.get(Outbox, number)
    if row is None or row.state == OutboxState.QUEUED or row.problem == REMOVED_CODE:
        return
    before = row.attempts if row.state == OutboxState.STORED else 0  # how hard it was to get there does not count
    problem = row.problem
    pause = REPUT_AFTER_MS[min(before, len(REPUT_AFTER_MS) - 1)]
    row = work.put(
        msgspec.structs.replace(
            row, state=OutboxState.STORED, attempts=before + 1, next_at=work.now + pause, problem=""
        )
    )
    _message_sent(work, row)
    if problem not in _LASTING:
        hurry_failed(work, row.account, row.device)


def _message_sent(work: Work, row: Outbox) -> None:
    message = work.get(Message, row.message) if row.message else None
    if message is None or row.account != message.conversation or message.state != MessageState.QUEUED:
        return
    siblings = [row]
    if len(work.find(PeerDevice, where={"account": row.account})) != 1:
        siblings = work.find(Outbox, where={"message": row.message, "account": row.account})
    if all(sibling.state == OutboxState.STORED for sibling in siblings):
        move_message(work, message, MessageState.SENT)


def refused(work: Work, number: int, code: str, retry_after_ms: int = 0) -> None:
    """The host said no, or could not be reached. The row stays and is tried again later."""
    row = work.get(Outbox, number)
    if row is None or row.problem == REMOVED_CODE:
        return
    if code in (RefusalCode.DENIED, RefusalCode.SEALED):
        pause = DENIED_RETRY_MS[min(row.attempts, len(DENIED_RETRY_MS) - 1)]
    else:
        pause = max(min(retry_after_ms, REPUT_AFTER_MS[-1]), RETRY_AFTER_MS[min(row.attempts, len(RETRY_AFTER_MS) - 1)])
    if code == RefusalCode.BLOBS_MISSING:
        row = msgspec.structs.replace(row, blobs_at=b"")
        for upload in uploads_of(work, row):
            work.put(msgspec.structs.replace(upload, done=0))
    work.put(msgspec.structs.replace(row, attempts=row.attempts + 1, next_at=work.now + pause, problem=code))


def held(work: Work, number: int) -> None:
    """The conversation's floor does not let the row take the only way there is. It stays."""
    row = work.get(Outbox, number)
    if row is not None:
        work.put(msgspec.structs.replace(row, next_at=work.now + MINUTE_MS, problem=HELD))


def hurry(work: Work, account: bytes, device: bytes) -> None:
    """Something changed for the better (a new address): try at once what waits for this device."""
    for row in work.find(Outbox, where={"account": account, "device": device}):
        if row.next_at > work.now:
            work.put(msgspec.structs.replace(row, next_at=work.now, attempts=0, problem=""))


def hurry_failed(work: Work, account: bytes, device: bytes) -> None:
    """Something reached the device's host again: so will what else could not, acknowledgements too."""
    for row in work.find(Outbox, where={"account": account, "device": device}):
        if row.problem not in _LASTING and row.state != OutboxState.STORED:
            work.put(msgspec.structs.replace(row, next_at=min(row.next_at, work.now), problem=""))
    for session in work.find(SessionRow, where={"account": account, "device": device}):
        if session.acknowledge_tries > 1 and work.now < session.acknowledge_at < NEVER:
            work.put(msgspec.structs.replace(session, acknowledge_at=work.now))


def hurry_all(work: Work, problems: tuple[str, ...] = ()) -> None:
    """Try at once what has not reached its host; only what failed with one of `problems`, if any are named."""
    pauses.hurry(work, waiting(work), problems)


# --- what the device said --------------------------------------------------------------------------------------------


def acknowledged(work: Work, session: SessionRow, said: Acknowledgement, *, quiet: bool) -> bool:
    """End the rows that the device has stored; put again what it misses although later frames arrived.

    False, and nothing is done, when it speaks of other frames than those that this profile sent under these numbers.
    """
    if said.highest >= session.next_number:
        return False
    stored, next_row = _rows_up_to(work, session, said.upto)
    held = _check_of((*stored[-1:], next_row), said.upto)
    if (stored or held) and held != said.check:
        return False
    if said.upto > session.acked:
        work.put(msgspec.structs.replace(session, acked=said.upto))
    if next_row is not None and said.highest > said.upto and next_row.state == OutboxState.STORED:
        _put_again_soon(work, next_row)
    for row in stored:
        discard(work, row)
        _message_delivered(work, row, quiet=quiet)
    return True


def _rows_up_to(work: Work, session: SessionRow, upto: int) -> tuple[list[Outbox], Outbox | None]:
    """The session's rows whose frames all have numbers up to `upto`, and the next one."""
    limit = ROWS_AT_ONCE
    while True:
        rows = work.find(Outbox, where={"session": session.id}, order="number", limit=limit)
        for place, row in enumerate(rows):
            if row.first + len(row.envelopes) - 1 > upto:
                return rows[:place], row
        if len(rows) < limit:
            return rows, None
        limit *= 4


def _check_of(rows: Iterable[Outbox | None], number: int) -> bytes | None:
    """The check of the frame with this number; None when it is in none of the rows."""
    for row in rows:
        if row is not None and 0 <= number - row.first < len(row.checks):
            return row.checks[number - row.first]
    return None


def _put_again_soon(work: Work, row: Outbox) -> None:
    patience = GAP_PATIENCE_MS * 2 ** min(row.attempts, 8)
    if row.next_at > work.now + patience:
        work.put(msgspec.structs.replace(row, next_at=work.now + patience))


def _message_delivered(work: Work, row: Outbox, *, quiet: bool) -> None:
    message = work.get(Message, row.message) if row.message else None
    if message is None or row.account != message.conversation:
        return
    if message.state < MessageState.DELIVERED:
        move_message(work, message, MessageState.SENT if quiet else MessageState.DELIVERED)


def move_message(work: Work, message: Message, state: MessageState) -> None:
    """Move a message of mine forward, never back, and tell listeners. What it passes over was reached by now."""
    if message.state < state <= MessageState.READ:
        moments = {"stored_at": MessageState.SENT, "delivered_at": MessageState.DELIVERED, "read_at": MessageState.READ}
        reached = {name: work.now for name, when in moments.items() if message.state < when <= state}
        work.put(msgspec.structs.replace(message, state=int(state), **reached))
        work.tell("receipt", message.id, message.conversation, state.name.lower())


def fail_message(work: Work, message: Message) -> None:
    """A message of mine will not be sent any more: tell listeners."""
    work.put(msgspec.structs.replace(message, state=MessageState.FAILED))
    work.tell("receipt", message.id, message.conversation, "failed")


def discard(work: Work, row: Outbox) -> None:
    """Remove a row with its uploads."""
    for upload in uploads_of(work, row):
        work.delete(upload)
    work.delete(row)


def requeue(work: Work, account: bytes, device: bytes, *, but_session: bytes = b"") -> None:
    """Whatever the device has not acknowledged is sealed anew, in order, under its present session."""
    for row in work.find(Outbox, where={"account": account, "device": device}):
        if row.state != OutboxState.QUEUED and row.session != but_session and not row.probe:
            work.put(
                msgspec.structs.replace(
                    row, state=OutboxState.QUEUED, session=b"", first=0, envelopes=(), checks=(), attempts=0, next_at=0
                )
            )


def waiting(work: Work) -> list[Outbox]:
    """What has not reached its host yet."""
    return [
        row
        for state in (OutboxState.QUEUED, OutboxState.SEALED)
        for row in work.find(Outbox, where={"state": int(state)})
    ]
