"""Peer links, the records: what arrives is what was sent, in order and once, and its size says little."""

from __future__ import annotations

import struct
from hashlib import blake2b

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import peer_records
from roost.crypto.peer_link import MAX_RECORD, MAX_RECORD_DATA, Records
from roost.crypto.peer_records import HEADER_SIZE, LARGE_UNIT, RECORD_OVERHEAD, SMALL, UNIT
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import SeededEntropy, flipped
from tests.crypto.peer_helpers import pieces

ONE, OTHER = SeededEntropy("chains").bytes(32), SeededEntropy("other chain").bytes(32)


def pair() -> tuple[Records, Records]:
    return Records(ONE, OTHER), Records(OTHER, ONE)


@given(
    writes=st.lists(st.binary(max_size=600) | st.integers(0, 70_000).map(bytes), max_size=6),
    sizes=st.lists(st.integers(1, 9_000), max_size=20),
)
def test_what_is_sealed_comes_out_in_whatever_pieces(writes: list[bytes], sizes: list[int]) -> None:
    one, other = pair()
    stream = b"".join([one.seal(write) for write in writes]) + one.end()
    opened = [part for piece in pieces(stream, sizes) for part in other.open(piece)]
    assert b"".join(opened) == b"".join(writes)
    assert all(0 < len(part) <= MAX_RECORD_DATA for part in opened)
    assert other.ended
    assert not one.ended


def test_byte_by_byte() -> None:
    one, other = pair()
    stream = one.seal(b"one") + one.seal(b"") + one.seal(b"two")
    assert [part for byte in stream for part in other.open(bytes([byte]))] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (0, 512),
        (477, 512),
        (478, 1_024),
        (4_061, 4_096),
        (4_096, 4_608),
        (8_157, 8_192),
        (8_158, 12_288),
        (12_253, 12_288),
        (16_349, 16_384),
        (16_350, 16_384 + 4_096),
        (65_536, 4 * 16_384 + 4_096),
        (3 * 16_349, 3 * 16_384),
    ],
)
def test_sizes_come_in_steps(length: int, size: int) -> None:
    assert len(pair()[0].seal(bytes(length))) == size


@given(st.integers(0, 60_000))
def test_a_size_tells_no_more_than_its_step(length: int) -> None:
    size = len(pair()[0].seal(bytes(length)))
    step = UNIT if length + RECORD_OVERHEAD <= SMALL else LARGE_UNIT
    assert size % step == 0
    assert size - step < length + RECORD_OVERHEAD * -(-max(length, 1) // MAX_RECORD_DATA) <= size


@pytest.mark.parametrize("length", [0, 100, 1_000])
def test_any_byte_changed_is_refused(length: int) -> None:
    record = pair()[0].seal(bytes(length))
    for place in range(len(record)):
        _, other = pair()
        with pytest.raises(CryptoError):
            other.open(flipped(record, 8 * place + place % 8))
        with pytest.raises(CryptoError, match="is over"):
            other.open(b"")


def test_replayed_reordered_and_missing_records_are_refused() -> None:
    one, _ = pair()
    records = [one.seal(bytes([number])) for number in range(4)]
    for wrong in ([0, 0], [1], [0, 2], [0, 1, 3], [0, 1, 0], [3, 2, 1, 0]):
        _, other = pair()
        with pytest.raises(CryptoError):
            other.open(b"".join([records[number] for number in wrong]))


def test_halves_of_two_records_do_not_fit_together() -> None:
    one, other = pair()
    first, second = one.seal(b"first"), one.seal(b"other")
    with pytest.raises(CryptoError):
        other.open(first[:HEADER_SIZE] + second[HEADER_SIZE:])


def test_a_record_sent_back_to_its_sender_is_refused() -> None:
    one, _ = pair()
    with pytest.raises(CryptoError):
        one.open(one.seal(b"hello"))


@given(st.integers(0, 2_047))
def test_a_stream_that_is_cut_off_is_told_from_one_that_ended(kept: int) -> None:
    one, other = pair()
    stream = one.seal(b"first") + one.seal(bytes(500)) + one.end()
    opened = other.open(stream[:kept])
    assert opened == [b"first", bytes(500)][: (kept >= 512) + (kept >= 1_536)]
    assert not other.ended
    other.open(stream[kept:])
    assert other.ended


def test_nothing_follows_the_end() -> None:
    one, other = pair()
    with pytest.raises(CryptoError, match="behind the last"):
        other.open(one.end() + b"\0")
    one, other = pair()
    assert other.open(one.end()) == []
    assert other.open(b"") == []
    with pytest.raises(CryptoError, match="behind the last"):
        other.open(one.seal(b"more"))


@pytest.mark.parametrize(
    ("units", "length", "body"),
    [(0, 0, 0), (1, 478, 477), (1, 65_535, 477), (33, 0, 33 * 512 - 35), (127, 10, 10), (32, 16_350, 16_349)],
)
def test_headers_that_nobody_writes_are_refused(units: int, length: int, body: int) -> None:
    """By somebody who holds the key."""
    _, other = pair()
    with pytest.raises(CryptoError) as caught:
        other.open(forged(struct.pack(">BH", units, length), bytes(body)))
    assert caught.value.code == "malformed"


def test_padding_that_is_not_zero_is_refused() -> None:
    for place in (3, 100, 476):
        body = bytearray(477)
        body[place] = 1
        _, other = pair()
        with pytest.raises(CryptoError, match="padding"):
            other.open(forged(struct.pack(">BH", 1, 3), bytes(body)))


def test_more_padding_than_we_write_is_taken() -> None:
    _, other = pair()
    assert other.open(forged(struct.pack(">BH", 32, 1), b"x" + bytes(MAX_RECORD - RECORD_OVERHEAD - 1))) == [b"x"]


def forged(header: bytes, body: bytes) -> bytes:
    key = blake2b(digest_size=64, key=ONE, person=b"roost1 peer rec\0").digest()[32:]
    cipher = AESGCM(key)
    return cipher.encrypt(bytes(12), header, None) + cipher.encrypt(bytes(11) + b"\1", body, None)


def test_a_stolen_link_opens_nothing_that_was_said_before() -> None:
    """Both ends' chains are taken after five records; all their keys for a long time to come open none of them."""
    one, other = pair()
    recorded = [one.seal(b"before") for _ in range(5)]
    for record in recorded:
        other.open(record)
    for stolen in (one._sending, other._receiving):
        keys = [stolen]
        for _ in range(2_000):
            output = blake2b(digest_size=64, key=stolen, person=b"roost1 peer rec\0").digest()
            stolen = output[:32]
            keys += [stolen, output[32:]]
        for record in recorded:
            for key in keys:
                with pytest.raises(CryptoError):
                    peer_records._opened(AESGCM(key), bytes(12), memoryview(record)[:HEADER_SIZE])


def test_nothing_of_what_was_opened_stays_behind() -> None:
    one, other = pair()
    before = other._receiving
    other.open(one.seal(b"said and gone"))
    assert other._receiving != before
    assert other._body is None
    assert other._arrived == b""


def test_every_record_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[bytes] = []

    def noted(key: bytes) -> AESGCM:
        used.append(key)
        return AESGCM(key)

    one, other = pair()
    monkeypatch.setattr(peer_records, "AESGCM", noted)
    for number in range(300):
        one.seal(bytes(number * 200))
        other.seal(b"")
    assert len(used) > 600
    assert len(set(used)) == len(used)
