"""What this profile appends to shared logs, until it is seen there.

A row ends when its record came back through the log, or when its owner withdraws it. What the host answered moves it on
but never removes it: stored is not landed. Until then the same bytes are put again with growing pauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from roost.crypto import padded_count, seal_log_envelope
from roost.errors import CallerError
from roost.messaging import pauses
from roost.messaging.pauses import REPUT_AFTER_MS, RETRY_AFTER_MS
from roost.messaging.records import LogGrant, LogKey, LogPut, LogPutState, LogSpill, LogState, SharedLog, Upload
from roost.messaging.work import Work
from roost.wire.codec import encode
from roost.wire.content import Attachment, BlobPointer
from roost.wire.logs import (
    MAX_FRAGMENTED,
    MAX_RECORD,
    LogFrame,
    SpilledRecord,
    encode_frame,
    frames_of,
)
from roost.wire.mailbox import Needs, RefusalCode
from roost.wire.sizes import MAX_HOLDS


@dataclass(frozen=True, slots=True)
class LogUpload:
    """An attachment that goes with a record: which stored file, and where its blobs go."""

    message: bytes
    index: int
    pointer: BlobPointer


def pointers(work: Work, attachments: Iterable[Attachment]) -> tuple[BlobPointer, ...]:
    """Fresh places for attachments, to be named in a record and given to `append` as its uploads."""
    return tuple(
        BlobPointer(work.entropy.bytes(32), work.entropy.bytes(16), padded_count(attachment.size))
        for attachment in attachments
    )


def append(
    work: Work,
    log: SharedLog,
    key: bytes,
    record: bytes,
    *,
    subject: bytes = b"",
    uploads: Sequence[LogUpload] = (),
    ephemeral: bool = False,
    after_grants: bool = False,
) -> LogPut:
    """Queue a record of 1 to MAX_RECORD bytes, sealed under `key` (32 bytes). It keeps its place among what this
    profile appends, but for what waits for blobs or grants.

    `ephemeral`: for those who read now, or nobody; it must fit one envelope. `after_grants`: not before the host has
    made the grants that are queued. Raises CallerError `too_long`, `too_many_files`; ValueError for an empty record or
    a large ephemeral one.
    """
    if len(record) > MAX_RECORD:
        raise CallerError("This is too long.", code="too_long")
    number = work.next_number("outbox")
    frames, spilled = _spill(work, number, record) if len(record) > MAX_FRAGMENTED else (frames_of(record), None)
    if len(uploads) + (spilled is not None) > MAX_HOLDS:
        raise CallerError(
            "This message has too many files for its length.", code="too_many_files", hint="Send some separately."
        )
    if ephemeral and (len(frames) > 1 or spilled or uploads):
        raise ValueError("what is ephemeral fits one envelope")
    known = work.get(LogKey, log.id, key)
    for upload in uploads:
        work.put(Upload(number, upload.index, upload.message, upload.pointer))
    return work.put(
        LogPut(
            number=number,
            log=log.id,
            record=frames[0].record,
            tag=known.tag if known else 0,
            envelopes=tuple(seal_log_envelope(key, encode_frame(frame), work.entropy) for frame in frames),
            state=LogPutState.QUEUED if spilled or uploads else LogPutState.SEALED,
            created_at=work.now,
            subject=subject,
            ephemeral=ephemeral,
            after_grants=after_grants,
            spilled=spilled,
            uploads=len(uploads),
        )
    )


def _spill(work: Work, number: int, record: bytes) -> tuple[tuple[LogFrame, ...], BlobPointer]:
    pointer = BlobPointer(work.entropy.bytes(32), work.entropy.bytes(16), padded_count(len(record)))
    work.put(LogSpill(number, record))
    return (LogFrame(0, (), encode(SpilledRecord(pointer, len(record))), True),), pointer


def withdraw(work: Work, put: LogPut) -> None:
    """Give up a put (a commit that lost). What of it is in the log already stays there, for its owner to ignore."""
    for upload in work.find(Upload, where={"outbox": put.number}):
        work.delete(upload)
    spill = work.get(LogSpill, put.number) if put.spilled else None
    if spill is not None:
        work.delete(spill)
    work.delete(put)


def needs_of(work: Work, put: LogPut) -> tuple[Needs, ...]:
    """The blobs that the host must hold for this put."""
    uploads = work.find(Upload, where={"outbox": put.number}) if put.uploads else []
    held = [upload.pointer for upload in sorted(uploads, key=lambda upload: upload.index)]
    if put.spilled is not None:
        held.append(put.spilled)
    return tuple(Needs(pointer.hold, pointer.blobs) for pointer in held)


# --- what is due -----------------------------------------------------------------------------------------------------


def due(work: Work, log: SharedLog) -> list[LogPut]:
    """What is to be put into this log now, in order. What has not reached the host holds up what was appended after it,
    or people would read answers before questions."""
    if log.state not in (LogState.OPEN, LogState.LOST, LogState.TO_SEAL) or not log.put:
        return []
    rows = sorted(work.find(LogPut, where={"log": log.id}), key=lambda row: row.number)
    waiting = any(row.after_grants for row in rows) and bool(work.find(LogGrant, where={"log": log.id}, limit=1))
    able = [row for row in rows if row.state != LogPutState.QUEUED and not (row.after_grants and waiting)]
    held = [row.number for row in able if row.state == LogPutState.SEALED and row.next_at > work.now]
    first = min(held, default=able[-1].number + 1 if able else 0)
    return [
        row
        for row in able
        if row.next_at <= work.now and (row.number < first or row.ephemeral or row.state == LogPutState.STORED)
    ]


def uploading(work: Work) -> list[LogPut]:
    """What waits for its blobs, and may go on with them now."""
    rows = work.find(LogPut, where={"state": int(LogPutState.QUEUED)}, order="number")
    return [row for row in rows if row.next_at <= work.now]


def unstored(work: Work) -> list[LogPut]:
    """What has not reached its host."""
    states = (LogPutState.QUEUED, LogPutState.SEALED)
    return [row for state in states for row in work.find(LogPut, where={"state": int(state)})]


def spill_progress(work: Work, number: int, done: int) -> None:
    """So many blobs of a spilled record are stored."""
    row = work.get(LogPut, number)
    if row is not None and done > row.spilled_done:
        work.put(msgspec.structs.replace(row, spilled_done=done))


def uploaded(work: Work, number: int) -> None:
    """Whatever blobs it needs may be stored now: then it can be put."""
    row = work.get(LogPut, number)
    if row is None or row.state != LogPutState.QUEUED:
        return
    uploads = work.find(Upload, where={"outbox": number})
    spilled = row.spilled is None or row.spilled_done >= row.spilled.blobs
    if spilled and all(upload.done >= upload.pointer.blobs for upload in uploads):
        work.put(msgspec.structs.replace(row, state=LogPutState.SEALED))


# --- what the host said ----------------------------------------------------------------------------------------------


def stored(work: Work, number: int) -> None:
    """The host committed all its envelopes. Nobody sees an ephemeral one come back."""
    row = work.get(LogPut, number)
    if row is None or row.state == LogPutState.QUEUED:
        return
    if row.ephemeral:
        withdraw(work, row)
        return
    pause = REPUT_AFTER_MS[min(row.attempts, len(REPUT_AFTER_MS) - 1)]
    attempts = row.attempts + 1 if row.state == LogPutState.STORED else 1
    state = LogPutState.STORED
    work.put(msgspec.structs.replace(row, state=state, attempts=attempts, next_at=work.now + pause, problem=""))


def refused(work: Work, number: int, code: str, retry_after_ms: int = 0) -> None:
    """The host said no, or could not be reached: tried again later. What is ephemeral is given up."""
    row = work.get(LogPut, number)
    if row is None:
        return
    if row.ephemeral:
        withdraw(work, row)
        return
    pause = max(min(retry_after_ms, REPUT_AFTER_MS[-1]), RETRY_AFTER_MS[min(row.attempts, len(RETRY_AFTER_MS) - 1)])
    changed = msgspec.structs.replace(row, attempts=row.attempts + 1, next_at=work.now + pause, problem=code)
    if code == RefusalCode.BLOBS_MISSING:
        changed = msgspec.structs.replace(changed, state=LogPutState.QUEUED, spilled_done=0)
        for upload in work.find(Upload, where={"outbox": number}):
            work.put(msgspec.structs.replace(upload, done=0))
    work.put(changed)


def hurry(work: Work, problems: tuple[str, ...] = ()) -> None:
    """Try at once what has not reached its host; only what failed with one of `problems`, if any are named."""
    pauses.hurry(work, unstored(work), problems)
