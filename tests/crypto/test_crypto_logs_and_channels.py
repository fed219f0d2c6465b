"""Envelopes of shared logs, a channel's keys and ids, capabilities sealed to pseudonyms: against the formulas of
docs/protocol/shared-logs.md and channels.md written down a second time, and against damage."""

from __future__ import annotations

from hashlib import blake2b

import nacl.bindings
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    ENVELOPE_SIZE,
    LOG_BODY_SIZE,
    SEALED_CAPABILITY_SIZE,
    SigningKey,
    VerifyKey,
    at_place,
    capability_place,
    channel_id,
    channel_keys,
    open_capability,
    open_log_envelope,
    post_id,
    seal_capability,
    seal_log_envelope,
)
from roost.crypto.group_keys import group_get, group_put
from roost.errors import CryptoError

KEY, OTHER, CHANNEL = b"k" * 32, b"o" * 32, b"c" * 32


class Fixed:
    def __init__(self, byte: int) -> None:
        self.byte = byte

    def bytes(self, count: int) -> bytes:
        return bytes([self.byte]) * count


def keyed(label: str, key: bytes, data: bytes) -> bytes:
    return blake2b(data, digest_size=32, key=key, person=label.encode().ljust(16, b"\0")).digest()


def plain(label: str, data: bytes) -> bytes:
    return blake2b(data, digest_size=32, person=label.encode().ljust(16, b"\0")).digest()


# --- envelopes of logs -----------------------------------------------------------------------------------------------


def test_an_envelope_is_what_the_document_says() -> None:
    assert (ENVELOPE_SIZE, LOG_BODY_SIZE) == (4_096, 4_032)
    body, salt = bytes(range(256)) * 15 + bytes(192), b"\7" * 16
    sealed = AESGCM(keyed("roost1 log env", KEY, salt)).encrypt(bytes(12), body, None)
    assert seal_log_envelope(KEY, body, Fixed(7)) == salt + keyed("roost1 log mark", KEY, salt) + sealed


@settings(max_examples=30)
@given(st.integers(0, ENVELOPE_SIZE - 1), st.integers(1, 255))
def test_a_changed_envelope_does_not_open(place: int, change: int) -> None:
    sealed = bytearray(seal_log_envelope(KEY, bytes(LOG_BODY_SIZE), Fixed(1)))
    sealed[place] ^= change
    if place < 48:
        assert open_log_envelope(KEY, bytes(sealed)) is None
    else:
        with pytest.raises(CryptoError):
            open_log_envelope(KEY, bytes(sealed))


def test_an_envelope_opens_under_one_key_alone() -> None:
    sealed = seal_log_envelope(KEY, b"x" * LOG_BODY_SIZE, Fixed(1))
    assert open_log_envelope(KEY, sealed) == b"x" * LOG_BODY_SIZE
    assert open_log_envelope(OTHER, sealed) is None


@pytest.mark.parametrize("size", [0, LOG_BODY_SIZE - 1, LOG_BODY_SIZE + 1])
def test_a_body_has_one_size(size: int) -> None:
    with pytest.raises(ValueError, match="fixed size"):
        seal_log_envelope(KEY, bytes(size), Fixed(1))


@pytest.mark.parametrize("size", [0, 47, ENVELOPE_SIZE - 1, ENVELOPE_SIZE + 1])
def test_an_envelope_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(CryptoError):
        open_log_envelope(KEY, bytes(size))


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33])
def test_a_key_has_one_size(key: bytes) -> None:
    with pytest.raises(CryptoError):
        seal_log_envelope(key, bytes(LOG_BODY_SIZE), Fixed(1))
    with pytest.raises(CryptoError):
        open_log_envelope(key, bytes(ENVELOPE_SIZE))


# --- channels --------------------------------------------------------------------------------------------------------


def test_keys_and_ids_are_what_the_document_says() -> None:
    secret, owner = b"s" * 16, SigningKey.from_seed(b"o" * 32).public
    keys = channel_keys(secret)
    assert keys.get == keyed("roost1 chan get", secret, b"")
    assert keys.put == keys.get[:16] + keyed("roost1 chan put", secret, b"")[16:]
    assert keys.log == keyed("roost1 chan log", secret, b"")
    assert channel_id(owner) == plain("roost1 chan id", owner.raw)
    assert post_id(CHANNEL, owner, b"n" * 16) == plain("roost1 chan post", CHANNEL + owner.raw + b"n" * 16)[:16]
    assert "redacted" in repr(keys)


def test_the_capabilities_of_a_group_have_one_place_and_a_half_of_their_own() -> None:
    secret, devices = b"l" * 32, [bytes([n]) * 32 for n in range(3)]
    rights = [group_get(secret), *(group_put(secret, device) for device in devices)]
    assert {right[:16] for right in rights} == {keyed("roost1 group get", secret, b"")[:16]}
    assert len({right[16:] for right in rights}) == 4
    assert rights[1][16:] == keyed("roost1 group put", secret, devices[0])[16:]


@pytest.mark.parametrize("place", [b"", b"p" * 15, b"p" * 17])
def test_a_capability_is_made_of_a_whole_place_and_a_whole_secret(place: bytes) -> None:
    with pytest.raises(CryptoError):
        at_place(place, bytes(32))
    with pytest.raises(CryptoError):
        at_place(bytes(16), place)
    with pytest.raises(CryptoError):
        capability_place(place)
    assert capability_place(at_place(b"p" * 16, b"x" * 16 + b"s" * 16)) == b"p" * 16
    assert at_place(b"p" * 16, b"x" * 16 + b"s" * 16)[16:] == b"s" * 16


def test_a_post_has_another_id_under_another_author_channel_or_nonce() -> None:
    one, two = (SigningKey.from_seed(bytes([n]) * 32).public for n in (1, 2))
    ids = {post_id(c, a, n) for c in (CHANNEL, b"d" * 32) for a in (one, two) for n in (b"n" * 16, b"m" * 16)}
    assert len(ids) == 8


@pytest.mark.parametrize("wrong", [b"", b"s" * 15, b"s" * 17])
def test_parts_of_other_sizes_are_refused(wrong: bytes) -> None:
    with pytest.raises(CryptoError):
        channel_keys(wrong)
    with pytest.raises(CryptoError):
        post_id(CHANNEL, SigningKey.from_seed(bytes(32)).public, wrong)
    with pytest.raises(CryptoError):
        post_id(wrong, SigningKey.from_seed(bytes(32)).public, bytes(16))


def test_a_sealed_capability_is_what_the_document_says() -> None:
    mine = SigningKey.from_seed(b"m" * 32)
    sealed = seal_capability(mine.public, CHANNEL, b"p" * 32, Fixed(9))
    ephemeral = nacl.bindings.crypto_scalarmult_base(b"\x09" * 32)
    expanded = nacl.bindings.crypto_sign_seed_keypair(b"m" * 32)[1]
    shared = nacl.bindings.crypto_scalarmult(nacl.bindings.crypto_sign_ed25519_sk_to_curve25519(expanded), ephemeral)
    key = keyed("roost1 chan seal", shared, ephemeral + mine.public.raw + CHANNEL)
    assert sealed == ephemeral + AESGCM(key).encrypt(bytes(12), b"p" * 32, None)
    assert len(sealed) == SEALED_CAPABILITY_SIZE == 80
    assert open_capability(mine, CHANNEL, sealed) == b"p" * 32


@settings(max_examples=30)
@given(st.integers(0, SEALED_CAPABILITY_SIZE - 1), st.integers(1, 255))
def test_a_changed_capability_does_not_open(place: int, change: int) -> None:
    mine = SigningKey.from_seed(b"m" * 32)
    sealed = bytearray(seal_capability(mine.public, CHANNEL, b"p" * 32, Fixed(9)))
    sealed[place] ^= change
    if (place, change) == (31, 128):  # X25519 ignores the highest bit of a point; the key derivation does not
        assert bytes(sealed) != seal_capability(mine.public, CHANNEL, b"p" * 32, Fixed(9))
    with pytest.raises(CryptoError):
        open_capability(mine, CHANNEL, bytes(sealed))


def test_a_capability_opens_for_its_pseudonym_in_its_channel() -> None:
    mine, other = SigningKey.from_seed(b"m" * 32), SigningKey.from_seed(b"x" * 32)
    sealed = seal_capability(mine.public, CHANNEL, b"p" * 32, Fixed(9))
    for key, channel, data in ((other, CHANNEL, sealed), (mine, b"d" * 32, sealed), (mine, CHANNEL, sealed[:-1])):
        with pytest.raises(CryptoError):
            open_capability(key, channel, data)
    with pytest.raises(CryptoError):  # low order: an all-zero shared secret
        open_capability(mine, CHANNEL, bytes(32) + sealed[32:])


@pytest.mark.parametrize("raw", [b"\xff" * 32, bytes(32), bytes([1]) + bytes(31)])
def test_nothing_is_sealed_to_what_is_no_key(raw: bytes) -> None:
    with pytest.raises(CryptoError):
        seal_capability(VerifyKey(raw), CHANNEL, b"p" * 32, Fixed(9))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_capability_has_one_size(size: int) -> None:
    with pytest.raises(CryptoError):
        seal_capability(SigningKey.from_seed(bytes(32)).public, CHANNEL, bytes(size), Fixed(9))
