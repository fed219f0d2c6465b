"""Authenticated encryption: AES-256-GCM (NIST SP 800-38D) under keys that are used once.

Every key comes from a KDF that took 16 fresh random bytes (a *salt*) or is a message key, so the nonce is always zero.
A key that might meet two plaintexts uses AES-GCM-SIV instead (RFC 8452; attachment.py, packets.py).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.labels import Label
from roost.errors import CryptoError

KEY_SIZE: Final = 32
TAG_SIZE: Final = 16
SALT_SIZE: Final = 16
_NONCE: Final = bytes(12)


def seal_once(key: bytes, plaintext: bytes, associated: bytes | None = None) -> bytes:
    """`plaintext` encrypted, with its 16-byte tag behind it. `key` must never seal anything else."""
    return AESGCM(key).encrypt(_NONCE, plaintext, associated)


def open_once(key: bytes, sealed: bytes, associated: bytes | None = None) -> bytes:
    """The plaintext. Raises CryptoError when key, bytes or associated data are not those that were sealed."""
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, associated)
    except InvalidTag as error:
        raise CryptoError("authentication failed") from error


def try_open(key: bytes, sealed: bytes, associated: bytes | None = None) -> bytes | None:
    """As `open_once`, but None where the key is one of several that are tried."""
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, associated)
    except InvalidTag:
        return None


def mask(key: bytes, data: bytes) -> bytes:
    """`data` XOR the key stream of AES-256-CTR from counter block 00…0002: AES-GCM's own, without its tag.

    Its own inverse. It hides the form of `data` and protects nothing: authenticate the result.
    """
    return AESGCM(key).encrypt(_NONCE, data, None)[:-TAG_SIZE]


def seal_salted(label: Label, key: bytes, plaintext: bytes, entropy: Entropy) -> bytes:
    """`plaintext` under a `key` that seals many things: salt, ciphertext, tag (32 bytes longer)."""
    salt = entropy.bytes(SALT_SIZE)
    return salt + seal_once(derive32(label, key, salt), plaintext)


def open_salted(label: Label, key: bytes, sealed: bytes) -> bytes:
    """The inverse of `seal_salted`. Raises CryptoError."""
    if len(sealed) < SALT_SIZE + TAG_SIZE:
        raise CryptoError("sealed bytes are cut off")
    return open_once(derive32(label, key, sealed[:SALT_SIZE]), sealed[SALT_SIZE:])
