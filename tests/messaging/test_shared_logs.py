"""Shared logs: records of any size through envelopes of one size, each once and in order, whatever insiders write."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from harness import RELAY, START_MS, CountedEntropy, MemoryRecords

from roost.crypto import LOG_BODY_SIZE, AttachmentKey, capability_hash, open_log_envelope, seal_log_envelope
from roost.errors import CallerError, CryptoError, PeerError
from roost.messaging import logs
from roost.messaging.records import (
    FileState,
    LogGrant,
    LogKey,
    LogKind,
    LogPart,
    LogPut,
    LogPutState,
    LogSpill,
    LogState,
    Seen,
    SharedLog,
    StoredFile,
    Upload,
)
from roost.messaging.work import Work, row_key
from roost.wire.codec import decode, encode
from roost.wire.content import Attachment, BlobPointer
from roost.wire.logs import (
    MAX_FRAGMENTED,
    MAX_RECORD,
    MAX_SINGLE,
    LogFrame,
    SpilledRecord,
    decode_frame,
    encode_frame,
    frames_of,
)
from roost.wire.sizes import ENVELOPE_SIZE

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
OWNER = b"g" * 32
GET, PUT, ADMIN = b"G" * 32, b"P" * 32, b"A" * 32


class Member:
    """One profile's side of a log, without any network."""

    def __init__(self, seed: int, *, admin: bytes = b"") -> None:
        self.records, self.entropy, self.now = MemoryRecords(), CountedEntropy(seed), START_MS
        self.landed: list[logs.Landed] = []
        self.events: list[tuple[str, str]] = []
        self.owner: Callable[[Work, logs.Landed], None] = lambda work, landed: self.landed.append(landed)
        self.log_id = self.do(
            lambda work: logs.join_log(work, OWNER, LogKind.GROUP, RELAY.address, get=GET, put=PUT, admin=admin)
        ).id
        self.do(lambda work: logs.add_key(work, self.log, KEY, 1))

    def do(self, step: Callable[[Work], Any]) -> Any:
        work = Work(self.records, self.now, self.entropy)
        result = step(work)
        changes = work.changes()
        for row in changes.put:
            self.records.rows[type(row), row_key(row)] = row
        for kind, key in changes.delete:
            self.records.rows.pop((kind, key), None)
        self.events += [(event.kind, event.detail) for event in changes.events]
        return result

    @property
    def log(self) -> SharedLog:
        row = self.records.get(SharedLog, self.log_id)
        assert isinstance(row, SharedLog)
        return row

    def append(self, record: bytes, key: bytes = KEY, **more: Any) -> LogPut:
        put = self.do(lambda work: logs.append(work, self.log, key, record, **more))
        assert isinstance(put, LogPut)
        return put

    def take(self, number: int, envelope: bytes, content: bytes | None = None) -> logs.Spilled | None:
        found = self.do(lambda work: logs.receive(work, self.log_id, number, envelope, self.owner, content))
        assert found is None or isinstance(found, logs.Spilled)
        return found

    def rows(self, kind: type[Any]) -> list[Any]:
        return [row for (of, _), row in self.records.rows.items() if of is kind]

    @property
    def said(self) -> list[bytes]:
        return [landed.record for landed in self.landed]


@pytest.fixture
def ada() -> Member:
    return Member(1, admin=ADMIN)


@pytest.fixture
def bert() -> Member:
    return Member(2)


@pytest.mark.parametrize("size", [1, MAX_SINGLE, MAX_SINGLE + 1, 20_000, MAX_FRAGMENTED])
def test_a_record_lands_at_its_reader_and_its_writer(ada: Member, bert: Member, size: int) -> None:
    record = os.urandom(size)
    put = ada.append(record, subject=b"message")
    assert {len(envelope) for envelope in put.envelopes} == {ENVELOPE_SIZE}
    for number, envelope in enumerate(put.envelopes, 1):
        ada.take(number, envelope)
        bert.take(number, envelope)
    assert bert.said == ada.said == [record]
    assert (bert.landed[0].mine, ada.landed[0].mine) == (None, put)
    assert bert.landed[0].number == len(put.envelopes) == bert.log.cursor
    assert bert.landed[0].tag == 1
    assert not ada.rows(LogPut)
    assert not bert.rows(LogPart)


def test_a_record_takes_its_place_at_its_last_part_in_whatever_order_parts_come(ada: Member, bert: Member) -> None:
    long, short = ada.append(b"l" * 9_000), ada.append(b"short")
    entries = [long.envelopes[2], long.envelopes[0], short.envelopes[0], long.envelopes[1]]
    for number, envelope in enumerate(entries, 10):
        bert.take(number, envelope)
    assert bert.said == [b"short", b"l" * 9_000]
    assert [landed.number for landed in bert.landed] == [12, 13]


def test_nothing_is_handed_on_twice(ada: Member, bert: Member) -> None:
    put = ada.append(b"l" * 9_000)
    for number in range(1, 10):
        bert.take(number, put.envelopes[(number - 1) % 3])
    again = seal_log_envelope(KEY, encode_frame(frames_of(b"once")[0]), CountedEntropy(7))
    anew = seal_log_envelope(KEY, encode_frame(frames_of(b"once")[0]), CountedEntropy(8))
    for number, envelope in enumerate((again, anew, again), 10):
        bert.take(number, envelope)
    assert bert.said == [b"l" * 9_000, b"once"]
    assert ("dropped", "log_repeated") in bert.events
    assert bert.log.cursor == 12
    bert.take(3, put.envelopes[0])  # an old number: the relay delivers it again after a reconnect
    assert bert.log.cursor == 12


def test_the_cursor_passes_what_cannot_be_opened(ada: Member, bert: Member) -> None:
    foreign = ada.append(b"under another key", OTHER_KEY)
    damaged = bytearray(ada.append(b"x").envelopes[0])
    damaged[-1] ^= 1
    bodies = (b"\0" * LOG_BODY_SIZE, b"\xff" * LOG_BODY_SIZE, encode_frame(frames_of(b"y")[0])[:-1] + b"\1")
    malformed = [seal_log_envelope(KEY, body, CountedEntropy(3)) for body in bodies]
    for number, envelope in enumerate([foreign.envelopes[0], bytes(damaged), os.urandom(4_096), b"", *malformed], 1):
        bert.take(number, envelope)
        assert bert.log.cursor == number
    assert not bert.said
    assert {kind for kind, _ in bert.events} == {"dropped"}
    assert not bert.rows(Seen)
    assert not bert.rows(LogPart)


def test_an_insider_cannot_break_a_record_of_somebody_else(ada: Member, bert: Member) -> None:
    """Who holds the key sees the first part and puts parts of their own under its record's digests: they are refused
    where they are made, and on arrival."""
    record = os.urandom(9_000)
    put = ada.append(record)
    first = decode_frame(open_log_envelope(KEY, put.envelopes[0]) or b"")
    with pytest.raises(CallerError):
        LogFrame(1, first.digests, b"forged")
    forged = encode(first)[:-4] + b"evil"
    bodies = [forged, encode(first).replace(b"\x00", b"\x01", 1)]
    entries = [put.envelopes[0]]
    entries += [seal_log_envelope(KEY, len(b).to_bytes(4, "big") + b + bytes(LOG_BODY_SIZE - 4 - len(b)), ada.entropy)
                for b in bodies]  # fmt: skip
    entries += put.envelopes[1:]
    for number, envelope in enumerate(entries, 1):
        bert.take(number, envelope)
    assert bert.said == [record]


def test_what_an_insider_makes_a_reader_keep_is_bounded(ada: Member, bert: Member) -> None:
    for number in range(1, 200):
        frame = frames_of(number.to_bytes(2, "big") * 3_000)[0]
        bert.take(number, seal_log_envelope(KEY, encode_frame(frame), ada.entropy))
    assert len(bert.rows(LogPart)) == 64
    last = frames_of((199).to_bytes(2, "big") * 3_000)
    for number, frame in enumerate(last[1:], 200):
        bert.take(number, seal_log_envelope(KEY, encode_frame(frame), ada.entropy))
    assert bert.said == [(199).to_bytes(2, "big") * 3_000]


def test_an_owner_that_refuses_a_record_changes_nothing_but_its_place(ada: Member, bert: Member) -> None:
    def refuse(work: Work, landed: logs.Landed) -> None:
        work.put(LogGrant(landed.log.id, b"h" * 32, True))
        raise PeerError("no", code="not_allowed")

    bert.owner = refuse
    bert.take(1, ada.append(b"hello").envelopes[0])
    assert not bert.rows(LogGrant)
    assert bert.events == [("dropped", "not_allowed")]
    assert bert.log.cursor == 1


def test_a_record_that_the_owner_answers_with_a_new_key_opens_the_next(ada: Member, bert: Member) -> None:
    def commit(work: Work, landed: logs.Landed) -> None:
        bert.landed.append(landed)
        logs.add_key(work, landed.log, OTHER_KEY, 2)

    bert.owner = commit
    entries = [(1, ada.append(b"commit").envelopes[0]), (2, ada.append(b"after", OTHER_KEY).envelopes[0])]
    taken = bert.do(lambda work: logs.receive_all(work, bert.log_id, entries, bert.owner))
    assert taken == (2, None)
    assert [(landed.record, landed.tag) for landed in bert.landed] == [(b"commit", 1), (b"after", 2)]


def test_keys_end_and_are_dropped_and_bounded(ada: Member) -> None:
    ada.do(lambda work: logs.set_keys(work, ada.log, [(bytes([n]) * 32, n) for n in range(1, 6)]))
    ada.do(lambda work: logs.drop_keys(work, ada.log, 4))
    assert sorted(row.tag for row in ada.rows(LogKey)) == [4, 5]
    ada.do(lambda work: logs.add_key(work, ada.log, KEY, 6, until=START_MS + 10))
    ada.now += 10
    ada.do(logs.sweep)
    assert sorted(row.tag for row in ada.rows(LogKey)) == [4, 5]
    for tag in range(10, 400):
        ada.do(lambda work, tag=tag: logs.add_key(work, ada.log, tag.to_bytes(32, "big"), tag))
    assert (len(ada.rows(LogKey)), min(row.tag for row in ada.rows(LogKey))) == (256, 144)
    with pytest.raises(ValueError, match="32 bytes"):
        ada.do(lambda work: logs.add_key(work, ada.log, b"short", 1))


# --- spilled records -------------------------------------------------------------------------------------------------


def blobs_of(pointer: BlobPointer, data: bytes) -> list[bytes]:
    key = AttachmentKey(pointer.key)
    return [key.seal_blob(0, data, last=True)]


def test_a_large_record_spills_and_holds_back_what_follows(ada: Member, bert: Member) -> None:
    record = os.urandom(MAX_FRAGMENTED + 1)
    put, after = ada.append(record), ada.append(b"after")
    assert (put.state, len(put.envelopes), put.spilled is not None) == (LogPutState.QUEUED, 1, True)
    entries = [(1, put.envelopes[0]), (2, after.envelopes[0])]
    taken, spilled = bert.do(lambda work: logs.receive_all(work, bert.log_id, entries, bert.owner))
    assert (taken, bert.said, bert.log.cursor) == (0, [], 0)
    assert spilled.place == SpilledRecord(put.spilled, len(record))
    taken = bert.do(lambda work: logs.receive_all(work, bert.log_id, entries, bert.owner, record))
    assert (taken, bert.said) == ((2, None), [record, b"after"])
    ada.take(1, put.envelopes[0])  # its writer still has the bytes
    assert ada.said == [record]
    assert not ada.rows(LogSpill)


def test_a_spilled_record_whose_blobs_are_gone_is_dropped(ada: Member, bert: Member) -> None:
    put = ada.append(os.urandom(100_000))
    assert bert.take(1, put.envelopes[0]) is not None
    assert bert.take(1, put.envelopes[0], b"") is None
    assert (bert.log.cursor, bert.said, bert.events) == (1, [], [("dropped", "log_incomplete")])


def test_a_pointer_that_does_not_fit_is_dropped_unfetched(ada: Member, bert: Member) -> None:
    honest = decode(LogFrame, encode(LogFrame(0, (), b"no pointer", True)))
    greedy = SpilledRecord(BlobPointer(bytes(32), bytes(16), 900), 100_000)
    frames = (honest, LogFrame(0, (), encode(greedy), True))
    for number, frame in enumerate(frames, 1):
        assert bert.take(number, seal_log_envelope(KEY, encode_frame(frame), ada.entropy)) is None
    assert (bert.log.cursor, bert.said) == (2, [])
    with pytest.raises(CallerError):
        SpilledRecord(BlobPointer(bytes(32), bytes(16), 1), 100_000)


def test_blobs_come_before_the_put_that_needs_them(ada: Member) -> None:
    picture = Attachment("a.jpg", 70_000, "image/jpeg", bytes(32))
    (pointer,) = ada.do(lambda work: logs.pointers(work, (picture,)))
    put = ada.append(os.urandom(100_000), uploads=(logs.LogUpload(b"m" * 16, 0, pointer),))
    assert put.spilled is not None
    assert len(ada.do(lambda work: logs.needs_of(work, put))) == 2
    assert not ada.do(lambda work: logs.due(work, ada.log))
    ada.do(lambda work: logs.spill_progress(work, put.number, put.spilled.blobs))
    ada.do(lambda work: logs.uploaded(work, put.number))
    assert not ada.do(lambda work: logs.due(work, ada.log))
    upload = ada.rows(Upload)[0]
    ada.records.rows[Upload, row_key(upload)] = msgspec.structs.replace(upload, done=upload.pointer.blobs)
    ada.do(lambda work: logs.uploaded(work, put.number))
    assert [row.number for row in ada.do(lambda work: logs.due(work, ada.log))] == [put.number]
    ada.do(lambda work: logs.refused(work, put.number, "blobs_missing"))
    assert [row.number for row in ada.do(logs.unstored)] == [put.number]
    assert (ada.rows(LogPut)[0].state, ada.rows(LogPut)[0].spilled_done, ada.rows(Upload)[0].done) == (0, 0, 0)


def test_sizes_are_bounded_where_records_are_made(ada: Member) -> None:
    with pytest.raises(CallerError, match="too long"):
        ada.append(bytes(MAX_RECORD + 1))
    with pytest.raises(ValueError, match="fit"):
        ada.append(b"")
    with pytest.raises(ValueError, match="ephemeral"):
        ada.append(bytes(MAX_SINGLE + 1), ephemeral=True)
    uploads = tuple(logs.LogUpload(b"m" * 16, n, BlobPointer(bytes(32), bytes(16), 1)) for n in range(32))
    ada.append(b"fits", uploads=uploads)
    with pytest.raises(CallerError, match="too many files"):
        ada.append(bytes(MAX_FRAGMENTED + 1), uploads=uploads)


# --- puts ------------------------------------------------------------------------------------------------------------


def test_a_put_stays_until_it_is_seen_in_the_log(ada: Member) -> None:
    put = ada.append(b"hello")
    ada.do(lambda work: logs.stored(work, put.number))
    assert not ada.do(lambda work: logs.due(work, ada.log))
    ada.now += 11 * 60_000
    (again,) = ada.do(lambda work: logs.due(work, ada.log))
    assert again.envelopes == put.envelopes
    ada.take(1, put.envelopes[0])
    assert not ada.rows(LogPut)


def test_a_refused_put_is_tried_again_with_growing_pauses(ada: Member) -> None:
    put = ada.append(b"hello")
    pauses = []
    for _ in range(4):
        ada.do(lambda work: logs.refused(work, put.number, "unreachable"))
        pauses.append(ada.rows(LogPut)[0].next_at - ada.now)
    assert pauses == sorted(set(pauses))
    ada.do(lambda work: logs.hurry(work, ("timeout",)))
    assert not ada.do(lambda work: logs.due(work, ada.log))
    ada.do(lambda work: logs.hurry(work, ("unreachable",)))
    assert len(ada.do(lambda work: logs.due(work, ada.log))) == 1


def test_what_did_not_reach_the_host_holds_up_what_was_appended_after_it(ada: Member) -> None:
    first = ada.do(lambda work: logs.append(work, ada.log, KEY, b"first"))
    later = ada.do(lambda work: logs.append(work, ada.log, KEY, b"later"))
    ada.do(lambda work: logs.refused(work, first.number, "unreachable"))
    whisper = ada.do(lambda work: logs.append(work, ada.log, KEY, b"whisper", ephemeral=True))
    assert [put.number for put in ada.do(lambda work: logs.due(work, ada.log))] == [whisper.number]
    ada.now += 3_600_000
    due = ada.do(lambda work: logs.due(work, ada.log))
    assert [put.number for put in due] == [first.number, later.number, whisper.number]
    ada.do(lambda work: logs.stored(work, first.number))
    assert [put.number for put in ada.do(lambda work: logs.due(work, ada.log))] == [later.number, whisper.number]


def test_a_withdrawn_put_is_gone(ada: Member) -> None:
    put = ada.append(os.urandom(100_000))
    ada.do(lambda work: logs.withdraw(work, put))
    assert not ada.rows(LogPut)
    assert not ada.rows(LogSpill)
    ada.do(lambda work: logs.stored(work, put.number))
    ada.do(lambda work: logs.refused(work, put.number, "full"))
    assert not ada.rows(LogPut)


def test_what_is_ephemeral_reaches_those_who_listen_and_is_never_kept(ada: Member, bert: Member) -> None:
    put = ada.append(b"typing", ephemeral=True)
    bert.take(0, put.envelopes[0])
    assert (bert.said, bert.landed[0].number, bert.log.cursor) == ([b"typing"], 0, 0)
    assert not bert.rows(Seen)
    ada.do(lambda work: logs.stored(work, put.number))
    assert not ada.rows(LogPut)
    other = ada.append(b"typing", ephemeral=True)
    ada.do(lambda work: logs.refused(work, other.number, "unreachable"))
    assert not ada.rows(LogPut)


def test_parts_and_spilled_records_are_never_ephemeral(ada: Member, bert: Member) -> None:
    for envelope in ada.append(b"l" * 9_000).envelopes:
        bert.take(0, envelope)
    assert not bert.said
    assert not bert.rows(LogPart)


def test_a_put_may_wait_for_grants(ada: Member) -> None:
    ada.do(lambda work: logs.grant(work, ada.log, add=[capability_hash(b"x" * 32)]))
    ada.append(b"welcome", after_grants=True)
    other = ada.append(b"other")
    assert [row.number for row in ada.do(lambda work: logs.due(work, ada.log))] == [other.number]
    grants = ada.do(lambda work: logs.grants_due(work, ada.log))
    ada.do(lambda work: logs.granted(work, grants))
    assert len(ada.do(lambda work: logs.due(work, ada.log))) == 2


# --- life ------------------------------------------------------------------------------------------------------------


def test_a_created_log_brings_its_writers_in_portions(ada: Member) -> None:
    writers = [bytes([n]) * 32 for n in range(100)]
    made = ada.do(
        lambda work: logs.create_log(
            work, b"n" * 32, LogKind.GROUP, RELAY.address, get=GET, put=PUT, admin=ADMIN, writers=writers, limit=500
        )
    )
    assert made.state == LogState.TO_CREATE
    first = ada.do(lambda work: logs.grants_due(work, made))
    assert (len(first), first[0].limit) == (60, 500)
    ada.do(lambda work: logs.granted(work, first))
    ada.do(lambda work: logs.created(work, made.id))
    rest = ada.do(lambda work: logs.grants_due(work, made))
    assert len(rest) == 40
    ada.do(lambda work: logs.grant(work, made, revoke=[rest[0].capability_hash]))
    ada.do(lambda work: logs.granted(work, rest))
    (left,) = ada.do(lambda work: logs.grants_due(work, made))
    assert (left.capability_hash, left.add) == (rest[0].capability_hash, False)
    ada.do(lambda work: logs.grant_refused(work, [left], "full"))
    assert not ada.do(lambda work: logs.grants_due(work, made))
    assert ("log_refused", "full") in ada.events


def test_only_an_administrator_changes_a_log(bert: Member) -> None:
    for act in (logs.seal, logs.delete, lambda work, log: logs.grant(work, log, add=[bytes(32)])):
        with pytest.raises(ValueError, match="administrator"):
            bert.do(lambda work, act=act: act(work, bert.log))


def test_a_sealed_log_is_read_on_and_not_written_to(ada: Member, bert: Member) -> None:
    put = ada.append(b"last words")
    late = bert.append(b"too late")
    ada.do(lambda work: logs.seal(work, ada.log))
    assert len(ada.do(lambda work: logs.due(work, ada.log))) == 1  # until the host sealed it
    ada.do(lambda work: logs.sealed(work, ada.log_id))
    assert not ada.do(lambda work: logs.due(work, ada.log))
    ada.take(1, put.envelopes[0])
    ada.take(2, late.envelopes[0])
    assert ada.said == [b"last words", b"too late"]


def test_a_left_log_stays_for_files_that_are_to_be_fetched(bert: Member) -> None:
    bert.append(b"never sent")
    file = StoredFile(b"m" * 16, 0, "f", bytes(32), 5, FileState.REMOTE, mailbox=bert.log_id)
    bert.records.rows[StoredFile, row_key(file)] = file
    bert.do(lambda work: logs.leave(work, bert.log))
    assert (bert.log.state, bert.rows(LogPut), bert.rows(LogKey)) == (LogState.LEFT, [], [])
    bert.records.rows[StoredFile, row_key(file)] = msgspec.structs.replace(file, state=int(FileState.COMPLETE))
    bert.do(logs.sweep)
    assert not bert.rows(SharedLog)


def test_a_lost_log_is_told_and_found_again(bert: Member) -> None:
    bert.do(lambda work: logs.lost(work, bert.log_id))
    bert.do(lambda work: logs.lost(work, bert.log_id))
    assert (bert.log.state, bert.events) == (LogState.LOST, [("log_lost", "")])
    bert.do(lambda work: logs.found(work, bert.log_id))
    assert bert.log.state == LogState.OPEN


def test_what_arrives_for_a_log_that_is_gone_changes_nothing(ada: Member, bert: Member) -> None:
    envelope = ada.append(b"hello").envelopes[0]
    bert.do(lambda work: logs.leave(work, bert.log))
    before = dict(bert.records.rows)
    bert.take(1, envelope)
    assert bert.records.rows == before


# --- envelopes -------------------------------------------------------------------------------------------------------


def test_envelopes_say_nothing_without_the_key_and_open_under_one_key_only() -> None:
    body = bytes(LOG_BODY_SIZE)
    first, second = (seal_log_envelope(KEY, body, CountedEntropy(seed)) for seed in (1, 2))
    assert len(first) == ENVELOPE_SIZE
    assert not {first[i : i + 8] for i in range(0, 4_096, 8)} & {second[i : i + 8] for i in range(0, 4_096, 8)}
    assert open_log_envelope(KEY, first) == body
    assert open_log_envelope(OTHER_KEY, first) is None
    for place in (16, 47, 48, 4_095):
        damaged = bytearray(first)
        damaged[place] ^= 1
        if place < 48:
            assert open_log_envelope(KEY, bytes(damaged)) is None
        else:
            with pytest.raises(CryptoError):
                open_log_envelope(KEY, bytes(damaged))
    with pytest.raises(CryptoError):
        open_log_envelope(KEY, first[:-1])
    with pytest.raises(ValueError, match="fixed size"):
        seal_log_envelope(KEY, body[:-1], CountedEntropy(1))
