"""What arrives through a shared log: envelopes to frames, frames to records, records to their owner, each once.

The cursor passes every envelope, whatever it is; what does not open, is malformed, or came before is dropped. A record
takes its place in the log's order at its last part. One that spilled holds back all that follows it until its bytes are
here, or are known to be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from roost.crypto import open_log_envelope, padded_count
from roost.errors import PeerError
from roost.messaging.logs import sending
from roost.messaging.outbox import REMEMBER_MS
from roost.messaging.records import LogKey, LogPart, LogPut, LogSpill, LogState, Seen, SharedLog
from roost.messaging.work import Work
from roost.wire.codec import decode
from roost.wire.logs import LogFrame, SpilledRecord, decode_frame

MAX_UNFINISHED = 64  # records of one log whose parts have not all come; the oldest make way
_READ = (LogState.OPEN, LogState.LOST, LogState.TO_SEAL, LogState.SEALED)


@dataclass(frozen=True, slots=True)
class Landed:
    """A record that took its place in a log, for the log's owner.

    `number` is the entry of its last part (0: ephemeral), `tag` that of the key that opened it, `id` the record's
    16-byte id. `mine` is what this profile appended if this is it; the row is gone already.
    """

    log: SharedLog
    number: int
    tag: int
    id: bytes
    record: bytes
    mine: LogPut | None


@dataclass(frozen=True, slots=True)
class Spilled:
    """A record whose bytes are at the log's host, to be fetched with the log's `get`."""

    log: SharedLog
    number: int
    place: SpilledRecord


Deliver = Callable[[Work, Landed], None]
"""The owner's side. A PeerError that it raises drops the record and whatever the owner did with it."""


def receive_all(
    work: Work, id: bytes, entries: Sequence[tuple[int, bytes]], deliver: Deliver, content: bytes | None = None
) -> tuple[int, Spilled | None]:
    """Take in several entries, `content` belonging to the first. How many were taken in, and what the next one waits
    for if not all were."""
    for taken, (number, envelope) in enumerate(entries):
        spilled = receive(work, id, number, envelope, deliver, content if taken == 0 else None)
        if spilled is not None:
            return taken, spilled
    return len(entries), None


def receive(
    work: Work, id: bytes, number: int, envelope: bytes, deliver: Deliver, content: bytes | None = None
) -> Spilled | None:
    """Take in one envelope of log `id`; `number` is its entry there, 0 when it is ephemeral.

    A `Spilled` says that nothing was changed and that the same entry is to be given again with its `content`, empty
    when its blobs cannot be had.
    """
    log = work.get(SharedLog, id)
    if log is None or log.state not in _READ or log.waits:
        return None
    opened = _open(work, log, envelope)
    if 0 < number <= log.cursor and (opened is None or work.get(Seen, _mark(log, opened[0].record)) is not None):
        return None  # delivered again after a reconnect
    if opened is not None and opened[0].spilled and content is None:
        place, content = _spilled(work, log, opened[0])
        if place is not None:
            return Spilled(log, number, place)
    if number:  # back too, where something new comes under an old number: its host was put back from a backup
        log = _count(work, msgspec.structs.replace(log, cursor=number), opened[0] if opened else None)
    if opened is None:
        work.mention("dropped", log.owner, detail="log_unopened")
    else:
        _take(work, log, number, *opened, content, deliver)
    return None


def _open(work: Work, log: SharedLog, envelope: bytes) -> tuple[LogFrame, int] | None:
    """The frame inside, and the tag of the key that opened it."""
    for row in sorted(work.find(LogKey, where={"log": log.id}), key=lambda row: row.added, reverse=True):
        try:
            body = open_log_envelope(row.key_bytes, envelope)
            if body is not None:
                return decode_frame(body), row.tag
        except PeerError:
            return None
    return None


def _count(work: Work, log: SharedLog, frame: LogFrame | None) -> SharedLog:
    """How much came that nothing opens since something did which this profile did not append itself."""
    if frame is None:
        at = log.unopened_at if log.unopened else work.now
        log = msgspec.structs.replace(log, unopened=log.unopened + 1, unopened_at=at)
    elif log.unopened and _mine(work, log, frame.record) is None:
        log = msgspec.structs.replace(log, unopened=0)
    return work.put(log)


def _spilled(work: Work, log: SharedLog, frame: LogFrame) -> tuple[SpilledRecord | None, bytes | None]:
    """Where a spilled record's bytes are to be fetched; or else its bytes, empty where nothing can be had."""
    if work.get(Seen, _mark(log, frame.record)) is not None:
        return None, b""
    mine = _mine(work, log, frame.record)
    spill = work.get(LogSpill, mine.number) if mine else None
    if spill is not None:
        return None, spill.data
    try:
        place = decode(SpilledRecord, frame.payload)
    except PeerError:
        return None, b""
    return (place, None) if place.pointer.blobs == padded_count(place.size) else (None, b"")


def _take(
    work: Work, log: SharedLog, number: int, frame: LogFrame, tag: int, content: bytes | None, deliver: Deliver
) -> None:
    """One frame: hand its record on if that is whole now."""
    mark = _mark(log, frame.record)
    if work.get(Seen, mark) is not None:
        mine = _mine(work, log, frame.record) if number else None
        if mine is not None:  # appended again, though it had landed before
            sending.withdraw(work, mine)
        work.mention("dropped", log.owner, detail="log_repeated")
        return
    record = (content or b"") if frame.spilled else _joined(work, log, number, frame)
    if record is None:
        return
    if not record:
        work.mention("dropped", log.owner, detail="log_incomplete")
        return
    mine = None
    if number:
        work.put(Seen(mark, work.now + REMEMBER_MS))
        mine = _mine(work, log, frame.record)
        if mine is not None:
            sending.withdraw(work, mine)
    _hand_on(work, Landed(log, number, tag, frame.record, record, mine), deliver)


def _hand_on(work: Work, landed: Landed, deliver: Deliver) -> None:
    attempt = Work(work, work.now, work.entropy, work.sessions)
    try:
        deliver(attempt, landed)
    except PeerError as error:
        work.mention("dropped", landed.log.owner, detail=error.code)
    else:
        work.merge(attempt)


def _joined(work: Work, log: SharedLog, number: int, frame: LogFrame) -> bytes | None:
    """The whole record, if this frame ends it. Empty where it can never be whole (several parts, but ephemeral)."""
    if frame.parts == 1:
        return frame.payload
    if not number:
        return b""
    parts = {row.part: row for row in work.find(LogPart, where={"log": log.id, "record": frame.record})}
    if frame.part not in parts:
        if not parts:
            _make_room(work, log)
        parts[frame.part] = LogPart(log.id, frame.record, frame.part, frame.parts, frame.payload, number)
        work.put(parts[frame.part])
    if len(parts) < frame.parts:
        return None
    for row in parts.values():
        work.delete(row)
    return b"".join(parts[index].payload for index in range(frame.parts))


def _make_room(work: Work, log: SharedLog) -> None:
    """The records that began first and never ended make way: an insider can make a reader keep only so much."""
    began: dict[bytes, int] = {}
    rows = work.find(LogPart, where={"log": log.id})
    for row in rows:
        began[row.record] = min(row.entry, began.get(row.record, row.entry))
    gone = sorted(began, key=lambda record: began[record])[: max(len(began) - MAX_UNFINISHED + 1, 0)]
    for row in rows:
        if row.record in gone:
            work.delete(row)


def _mine(work: Work, log: SharedLog, record: bytes) -> LogPut | None:
    return next((row for row in work.find(LogPut, where={"record": record}) if row.log == log.id), None)


def _mark(log: SharedLog, record: bytes) -> bytes:
    return b"record" + log.id + record
