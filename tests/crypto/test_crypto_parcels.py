"""Parcels: what opens them, what does not, and how they are recognised. `made_again` is a second implementation,
written from docs/protocol/parcels.md alone."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import LARGE_PARCEL, SMALL_PARCEL, open_parcel, parcel_head, recognised, seal_parcel
from roost.errors import CryptoError
from roost.wire import sizes
from tests.crypto.crypto_helpers import SeededEntropy, flipped
from tests.crypto.make_vectors import read

MEETING, OTHER = bytes(range(16)), bytes(range(1, 17))
MAX_SMALL = SMALL_PARCEL - 32 - 16 - 4
MAX_LARGE = LARGE_PARCEL - 32 - 16 - 4


def sealed(body: bytes, seed: str = "parcel", meeting: bytes = MEETING) -> bytes:
    return seal_parcel(meeting, parcel_head(meeting, SeededEntropy(seed)), body)


def keyed(label: bytes, key: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32, key=key, person=label).digest()


def made_again(meeting: bytes, nonce: bytes, body: bytes) -> bytes:
    tag = Cipher(algorithms.AES(keyed(b"roost1 parceltag", meeting, b"")), modes.ECB()).encryptor().update(nonce)
    size = 5_120 if len(body) <= 5_068 else 66_560
    padded = len(body).to_bytes(4, "big") + body
    padded += bytes(size - 48 - len(padded))
    key = keyed(b"roost1 parcelkey", meeting, nonce + tag)
    return nonce + tag + AESGCMSIV(key).encrypt(bytes(12), padded, None)


def test_the_vectors_are_made_again_from_the_document() -> None:
    vector = read("parcel")
    meeting = bytes.fromhex(vector["meeting"])
    for case in vector["parcels"]:
        body = bytes.fromhex(case["body"]) if "body" in case else bytes.fromhex(case["body_byte"]) * case["body_size"]
        parcel = made_again(meeting, bytes.fromhex(case["nonce"]), body)
        assert parcel[:32].hex() == case["head"]
        assert (len(parcel), hashlib.sha256(parcel).hexdigest()) == (case["size"], case["sha256"])
        assert open_parcel(meeting, parcel) == body


@given(st.binary(max_size=200) | st.sampled_from([bytes(MAX_SMALL), bytes(MAX_SMALL + 1), bytes(MAX_LARGE)]))
def test_what_is_sealed_opens_and_has_one_of_two_sizes(body: bytes) -> None:
    parcel = sealed(body)
    assert len(parcel) == (SMALL_PARCEL if len(body) <= MAX_SMALL else LARGE_PARCEL)
    assert open_parcel(MEETING, parcel) == body


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        sealed(bytes(MAX_LARGE + 1))


@given(st.integers(0, SMALL_PARCEL * 8 - 1))
def test_a_changed_bit_anywhere_is_noticed(bit: int) -> None:
    with pytest.raises(CryptoError):
        open_parcel(MEETING, flipped(sealed(b"body"), bit))


@pytest.mark.parametrize("size", [0, 31, 32, SMALL_PARCEL - 1, SMALL_PARCEL + 1, LARGE_PARCEL - 1, LARGE_PARCEL + 1])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(CryptoError) as caught:
        open_parcel(MEETING, bytes(size))
    assert caught.value.code == "malformed"


def test_another_meeting_opens_nothing() -> None:
    with pytest.raises(CryptoError):
        open_parcel(OTHER, sealed(b"body"))
    with pytest.raises(CryptoError):
        parcel_head(bytes(15), SeededEntropy("short"))


def test_two_parcels_of_one_body_share_nothing() -> None:
    first, second = sealed(b"same", "one"), sealed(b"same", "two")
    pieces = [{parcel[at : at + 4] for at in range(SMALL_PARCEL - 3)} for parcel in (first, second)]
    assert len(pieces[0] & pieces[1]) <= 2  # 0.006 are expected of random bytes


@given(st.lists(st.integers(0, 12), max_size=40), st.lists(st.integers(0, 9), max_size=10, unique=True))
def test_exactly_the_holders_of_a_meeting_recognise(written_for: list[int], held: list[int]) -> None:
    entropy = SeededEntropy("recognised")
    meetings = [bytes([number]) * 16 for number in range(13)]
    heads = [parcel_head(meetings[number], entropy) for number in written_for]
    expected = {place: meetings[number] for place, number in enumerate(written_for) if number in held}
    assert recognised(heads, [meetings[number] for number in held]) == expected


def test_a_thousand_meetings_and_hundreds_of_heads() -> None:
    entropy = SeededEntropy("many")
    meetings = [entropy.bytes(16) for _ in range(1_000)]
    heads = [parcel_head(meetings[place], entropy) if place % 3 else entropy.bytes(32) for place in range(512)]
    assert recognised(heads, meetings) == {place: meetings[place] for place in range(512) if place % 3}


def test_heads_of_other_sizes_are_refused() -> None:
    for heads in ([bytes(31)], [bytes(33)], [bytes(32), bytes(16)], [bytes(40), bytes(24)]):
        with pytest.raises(CryptoError):
            recognised(heads, [MEETING])
    assert recognised([], [MEETING]) == {}
    assert recognised([bytes(32)], []) == {}


def test_a_meeting_is_one_size_in_both_rooms() -> None:
    assert len(MEETING) == sizes.MEETING_SIZE
