"""Stored cards, and packets between relays: fixed sizes, opened by their key alone, bound against change and replay."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    ANSWER_OVERHEAD,
    CARD_SIZE,
    MAX_CARD,
    PACKET_OVERHEAD,
    AgreementPublic,
    AgreementSecret,
    AnswerKey,
    KemSecret,
    PacketPublic,
    PacketSecret,
    card_keys,
    max_answer,
    max_request,
    open_card,
    open_packet,
    seal_card,
    seal_packet,
)
from roost.errors import CryptoError
from roost.wire import sizes
from tests.crypto.crypto_helpers import SeededEntropy, flipped

ENTROPY = SeededEntropy("packets")
SECRET = PacketSecret.generate(ENTROPY)
SIZE_CLASSES = (sizes.PACKET_SMALL, sizes.PACKET_LARGE)
KEYS = card_keys(bytes(16))


# --- cards ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.binary(max_size=300), st.integers(0, MAX_CARD - 300))
def test_a_card_of_any_size_comes_back_from_one_size(data: bytes, extra: int) -> None:
    card = data + bytes(extra)
    stored = seal_card(KEYS.key, card, ENTROPY)
    assert len(stored) == CARD_SIZE == sizes.CARD_SIZE
    assert open_card(KEYS.key, stored) == card


def test_cards_under_one_link_share_no_bytes_and_too_large_ones_are_our_mistake() -> None:
    first, second = (seal_card(KEYS.key, b"card", ENTROPY) for _ in range(2))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < CARD_SIZE // 256 * 3
    assert len(open_card(KEYS.key, seal_card(KEYS.key, bytes(MAX_CARD), ENTROPY))) == MAX_CARD
    with pytest.raises(ValueError, match="fit"):
        seal_card(KEYS.key, bytes(MAX_CARD + 1), ENTROPY)


def test_a_stored_card_opens_with_its_link_alone() -> None:
    stored = seal_card(KEYS.key, b"card", ENTROPY)
    other = card_keys(bytes(15) + b"\1")
    assert len({KEYS.key, KEYS.locator, other.key, other.locator}) == 4
    attempts = [(other.key, stored), (KEYS.locator, stored), (KEYS.key, stored[:-1]), (KEYS.key, stored + b"\0")]
    attempts += [(KEYS.key, flipped(stored, bit)) for bit in (0, 127, 128, 40_000, CARD_SIZE * 8 - 1)]
    for key, data in attempts:
        with pytest.raises(CryptoError):
            open_card(key, data)


# --- packets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size_class", SIZE_CLASSES)
@pytest.mark.parametrize("fill", [0, 1, 4_096])
def test_a_packet_and_its_answer(size_class: int, fill: int) -> None:
    request, answer = b"r" * fill, b"a" * (fill + 1)
    packet, mine = seal_packet(SECRET.public, request, size_class, ENTROPY)
    assert len(packet) == size_class + PACKET_OVERHEAD
    opened, theirs, tag = open_packet(SECRET, packet)
    assert opened == request
    assert len(tag) == 32
    sealed = theirs.seal(answer, size_class)
    assert len(sealed) == size_class + ANSWER_OVERHEAD
    assert mine.open(sealed) == answer


@pytest.mark.parametrize("size_class", SIZE_CLASSES)
def test_the_largest_request_and_answer_fit_a_frame(size_class: int) -> None:
    packet, key = seal_packet(SECRET.public, bytes(max_request(size_class)), size_class, ENTROPY)
    assert len(packet) <= sizes.MAX_FRAME - 1_024
    assert len(open_packet(SECRET, packet)[0]) == max_request(size_class)
    assert len(key.open(key.seal(bytes(max_answer(size_class)), size_class))) == max_answer(size_class)
    with pytest.raises(ValueError, match="fit"):
        seal_packet(SECRET.public, bytes(max_request(size_class) + 1), size_class, ENTROPY)
    with pytest.raises(ValueError, match="fit"):
        key.seal(bytes(max_answer(size_class) + 1), size_class)


def test_a_replay_has_the_same_tag_and_another_packet_another() -> None:
    packet, _ = seal_packet(SECRET.public, b"same", sizes.PACKET_SMALL, ENTROPY)
    again, _ = seal_packet(SECRET.public, b"same", sizes.PACKET_SMALL, ENTROPY)
    assert open_packet(SECRET, packet)[2] == open_packet(SECRET, packet)[2] != open_packet(SECRET, again)[2]
    assert packet[:1_120] != again[:1_120]


def test_a_packet_opens_for_its_relay_and_unchanged_alone() -> None:
    packet, _ = seal_packet(SECRET.public, b"request", sizes.PACKET_SMALL, ENTROPY)
    with pytest.raises(CryptoError):
        open_packet(PacketSecret.generate(ENTROPY), packet)
    for position in range(0, len(packet), 97):
        with pytest.raises(CryptoError):
            open_packet(SECRET, flipped(packet, 8 * position + position % 8))
    for data in (b"", packet[:1_119], packet[:-1], packet + b"\0", bytes(len(packet))):
        with pytest.raises(CryptoError):
            open_packet(SECRET, data)


def test_an_answer_opens_with_its_key_and_unchanged_alone() -> None:
    key = AnswerKey(bytes(32))
    sealed = key.seal(b"answer", sizes.PACKET_SMALL)
    attempts = [flipped(sealed, bit) for bit in (0, 30_000, 8 * len(sealed) - 1)] + [b"", sealed[:15], sealed[:-1]]
    for data in attempts:
        with pytest.raises(CryptoError):
            key.open(data)
    with pytest.raises(CryptoError):
        AnswerKey(b"\1" * 32).open(sealed)


def test_answering_a_replay_differently_reveals_nothing() -> None:
    key = AnswerKey(bytes(32))
    first, second = key.seal(b"one answer", 256), key.seal(b"two answer", 256)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 12
    assert key.seal(b"one answer", 256) == first


@pytest.mark.parametrize("inside", [b"", bytes(35), bytes(32) + b"\0\0\0\5" + b"1234", bytes(32) + b"\0\0\0\1" + b"12"])
def test_malformed_insides_are_refused(inside: bytes) -> None:
    with pytest.raises(CryptoError):
        open_packet(SECRET, SECRET.public.seal(inside))


@pytest.mark.parametrize("size", [0, 29, 35])
def test_what_is_too_short_for_a_key_and_a_length_is_malformed(size: int) -> None:
    with pytest.raises(CryptoError) as caught:
        open_packet(SECRET, SECRET.public.seal(bytes(size)))
    assert caught.value.code == "malformed"
    assert open_packet(SECRET, SECRET.public.seal(bytes(36)))[0] == b""


def test_malformed_packet_keys_are_refused() -> None:
    with pytest.raises(CryptoError):
        PacketPublic(b"\xff" * 1_216)
    low_order = PacketPublic(SECRET.public.raw[:-32] + bytes(32))
    with pytest.raises(CryptoError) as caught:
        low_order.seal(b"")
    assert caught.value.code == "malformed"


def test_what_is_encapsulated_is_decapsulated_by_its_key_alone() -> None:
    shared, ciphertext = SECRET.public.encapsulate(ENTROPY)
    assert (len(shared), len(ciphertext)) == (32, 1_120)
    assert SECRET.decapsulate(ciphertext) == shared
    others = [SECRET.decapsulate(flipped(ciphertext, bit)) for bit in (0, 8_703, 8_704, 8_959)]
    others.append(PacketSecret.generate(ENTROPY).decapsulate(ciphertext))
    assert len({shared, *others}) == 6
    for malformed in (b"", ciphertext[:-1], ciphertext + b"\0", ciphertext[:1_088] + bytes(32)):
        with pytest.raises(CryptoError):
            SECRET.decapsulate(malformed)


def test_packets_are_hpke_with_x_wing() -> None:
    """Opened by hand: X-Wing's combiner (draft-connolly-cfrg-xwing-kem, "Combiner") and RFC 9180 section 5.1."""
    packet, _ = seal_packet(SECRET.public, b"by hand", sizes.PACKET_SMALL, ENTROPY)
    raw, public = SECRET.to_bytes(), SECRET.public.raw
    kem_ciphertext, ephemeral = packet[:1_088], packet[1_088:1_120]
    kem_secret = KemSecret.from_bytes(raw[:64]).decapsulate(kem_ciphertext)
    agreed = AgreementSecret.from_bytes(raw[64:]).exchange(AgreementPublic(ephemeral))
    shared = hashlib.sha3_256(kem_secret + agreed + ephemeral + public[1_184:] + rb"\.//^\ "[:6]).digest()
    assert SECRET.decapsulate(packet[:1_120]) == shared

    def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, "sha512")

    def expand(key: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return hmac.digest(key, labelled + b"\1", "sha512")[:length]

    suite = b"HPKE" + (0x647A).to_bytes(2, "big") + (3).to_bytes(2, "big") + (2).to_bytes(2, "big")
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", b"roost1 packet\0\0\0")
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    inside = AESGCM(key).decrypt(nonce, packet[1_120:], b"")
    assert inside[32:36] == (7).to_bytes(4, "big")
    assert inside[36:43] == b"by hand"
    assert not any(inside[43:])
