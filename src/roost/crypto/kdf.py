"""Key derivation and hashing, always under a label: BLAKE2b (RFC 7693) and HKDF-SHA-512 (RFC 5869)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b, sha512, shake_256

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from roost.crypto.labels import Label


def hash32(label: Label, *parts: bytes) -> bytes:
    """Unkeyed BLAKE2b-256 of the concatenated `parts`. Callers pass parts of fixed length (or one alone)."""
    return blake2b(b"".join(parts), digest_size=32, person=label.value).digest()


def hash32_after(label: Label, first: bytes) -> Callable[[bytes], bytes]:
    """`hash32` of `first` and what is given, for many that have it in common: a third of the time."""
    begun = blake2b(first, digest_size=32, person=label.value)

    def hashed(rest: bytes) -> bytes:
        one = begun.copy()
        one.update(rest)
        return one.digest()

    return hashed


def derive32(label: Label, key: bytes, data: bytes) -> bytes:
    """BLAKE2b-256 of `data`, keyed with `key` (32 bytes): a pseudo-random function."""
    return blake2b(data, digest_size=32, key=key, person=label.value).digest()


def expand(label: Label, secret: bytes, *parts: bytes, length: int) -> bytes:
    """As many bytes as are wanted: SHAKE-256 (FIPS 202) of the label, `secret` and `parts`, all of fixed length."""
    return shake_256(b"".join((label.value, secret, *parts))).digest(length)


def advance(key: bytes, _person: bytes = Label.CHAIN.value) -> tuple[bytes, bytes]:
    """One step of a symmetric chain: (next chain key, message key), from one 64-byte BLAKE2b call."""
    output = blake2b(digest_size=64, key=key, person=_person).digest()
    return output[:32], output[32:]


def transcript(label: Label, *parts: bytes) -> bytes:
    """SHA-512 of the label and the concatenated `parts`, all of fixed length: 64 bytes."""
    return sha512(label.value + b"".join(parts)).digest()


def hkdf(label: Label, *, salt: bytes, secret: bytes, info: bytes = b"", length: int) -> bytes:
    """HKDF-SHA-512 with `info` behind the label."""
    return HKDF(SHA512(), length, salt, label.value + info).derive(secret)
