"""Frames of shared logs: what is cut comes together again, and a frame proves that it belongs to its record."""

from __future__ import annotations

import hashlib
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import BLOB_PLAIN, LOG_BODY_SIZE, padded_count
from roost.errors import WireError
from roost.wire.codec import OutOfBounds, decode, encode
from roost.wire.content import BlobPointer
from roost.wire.logs import (
    MAX_FRAGMENTED,
    MAX_LOG_PARTS,
    MAX_RECORD,
    MAX_SINGLE,
    PART_SIZE,
    LogFrame,
    SpilledRecord,
    decode_frame,
    encode_frame,
    frames_of,
)

SIZES = (1, 2, MAX_SINGLE - 1, MAX_SINGLE, MAX_SINGLE + 1, 2 * PART_SIZE, 2 * PART_SIZE + 1, MAX_FRAGMENTED)


def test_sizes_are_those_of_the_document() -> None:
    assert (MAX_SINGLE, PART_SIZE, MAX_FRAGMENTED, MAX_LOG_PARTS) == (4_021, 3_731, 59_696, 16)


@pytest.mark.parametrize("size", SIZES)
def test_a_record_is_cut_and_joined(size: int) -> None:
    record = bytes(index % 251 for index in range(size))
    frames = [decode_frame(encode_frame(frame)) for frame in frames_of(record)]
    assert b"".join(frame.payload for frame in frames) == record
    assert len(frames) == (1 if size <= MAX_SINGLE else -(-size // PART_SIZE))
    assert {frame.parts for frame in frames} == {len(frames)}
    assert len({frame.record for frame in frames}) == 1
    assert {len(encode_frame(frame)) for frame in frames} == {LOG_BODY_SIZE}


@pytest.mark.parametrize("size", [0, MAX_FRAGMENTED + 1])
def test_other_sizes_are_not_cut(size: int) -> None:
    with pytest.raises(ValueError, match="fit"):
        frames_of(bytes(size))


def test_ids_are_what_the_document_says() -> None:
    (single,) = frames_of(b"hello")
    assert single.record == hashlib.sha256(b"roost1 log record\0\0hello").digest()[:16]
    spilled = msgspec.structs.replace(single, spilled=True)
    assert spilled.record == hashlib.sha256(b"roost1 log record\0\1hello").digest()[:16]
    parts = frames_of(b"x" * PART_SIZE + b"y" * PART_SIZE)
    digests = [hashlib.sha256(b"roost1 log part" + part.payload).digest()[:16] for part in parts]
    assert parts[0].digests == tuple(digests)
    assert parts[1].record == hashlib.sha256(b"roost1 log record\2\0" + b"".join(digests)).digest()[:16]


@given(st.lists(st.binary(min_size=1, max_size=9_000), min_size=2, max_size=4, unique=True))
def test_no_two_records_have_one_id(records: list[bytes]) -> None:
    ids = [frames_of(record)[0].record for record in records]
    assert len(set(ids)) == len(ids)


def test_frames_that_contradict_themselves_are_refused() -> None:
    first, second, third = frames_of(b"a" * 9_000)
    digest = first.digests[0]
    wrong: list[tuple[int, tuple[bytes, ...], bytes, bool]] = [
        (1, (), b"hello", False),  # a part of nothing
        (0, (digest,), first.payload, False),  # one part needs no digests
        (0, first.digests, second.payload + b"x", False),
        (3, first.digests, third.payload, False),
        (2, first.digests, first.payload, False),
        (0, first.digests, first.payload, True),  # what spilled has no parts
        (0, (bytes(16), *first.digests[1:]), first.payload, False),
    ]
    for fields in wrong:
        with pytest.raises(OutOfBounds):
            LogFrame(*fields)
        with pytest.raises(WireError):
            decode(LogFrame, encode(list(fields)))
    with pytest.raises(OutOfBounds):
        LogFrame(0, first.digests, b"x" * (PART_SIZE + 1))


def test_a_part_larger_than_parts_are_is_refused() -> None:
    payload = b"x" * (PART_SIZE + 1)
    digest = hashlib.sha256(b"roost1 log part" + payload).digest()[:16]
    with pytest.raises(OutOfBounds):
        LogFrame(0, (digest, digest), payload)


@pytest.mark.parametrize("size", [0, LOG_BODY_SIZE - 1, LOG_BODY_SIZE + 1])
def test_a_body_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        decode_frame(bytes(size))


def test_a_spilled_records_blobs_hold_its_size_and_not_much_more() -> None:
    for size, blobs in itertools.product((1, BLOB_PLAIN, BLOB_PLAIN + 1, MAX_RECORD), (1, 2, 513, 1_026, 1_027)):
        pointer = BlobPointer(bytes(32), bytes(16), blobs)
        fits = -(-size // BLOB_PLAIN) <= blobs <= 1_026
        if fits:
            assert SpilledRecord(pointer, size).size == size
        else:
            with pytest.raises(OutOfBounds):
                SpilledRecord(pointer, size)
    SpilledRecord(BlobPointer(bytes(32), bytes(16), padded_count(MAX_RECORD)), MAX_RECORD)
