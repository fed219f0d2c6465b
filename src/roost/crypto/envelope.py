"""The layout of an envelope and of the two kinds of header in it (docs/protocol/ratchet.md).

    salt 16 || header block 2,388 || sealed body 1,692        = 4,096 bytes, each indistinguishable from random

This module seals and opens headers and bodies under given keys. It does not know which keys are whose (session.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from roost.crypto.aead import KEY_SIZE, SALT_SIZE, TAG_SIZE, mask, open_once, seal_once, try_open
from roost.crypto.kdf import derive32
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError

ENVELOPE_SIZE: Final = 4_096

_OPENING_SIZE: Final = 32 + KEM_CIPHERTEXT_SIZE  # ephemeral key, ciphertext
_INTRODUCTION_SIZE: Final = 32 + 32 + KEM_PUBLIC_SIZE  # account, identity key, first KEM public key
_INDEX: Final = struct.Struct(">I")
HEADER_SIZE: Final = _OPENING_SIZE + _INTRODUCTION_SIZE + _INDEX.size + TAG_SIZE
BODY_SIZE: Final = ENVELOPE_SIZE - SALT_SIZE - HEADER_SIZE - TAG_SIZE

_RATCHET_KEYS: Final = 32 + KEM_PUBLIC_SIZE + KEM_CIPHERTEXT_SIZE + _INDEX.size  # ... and PN
_RATCHET_PADDING: Final = bytes(HEADER_SIZE - TAG_SIZE - _RATCHET_KEYS - _INDEX.size)
_HEADER_END: Final = SALT_SIZE + HEADER_SIZE
_OPENING_END: Final = SALT_SIZE + _OPENING_SIZE
MAX_INDEX: Final = 2**32 - 1  # no message has it, so that "the next index" always fits 4 bytes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RatchetKeys:
    """What a sender's DH step made public, to be repeated in every header of its chain; `previous` is PN."""

    agreement: bytes
    kem: bytes
    ciphertext: bytes
    previous: int

    def encode(self) -> bytes:
        return self.agreement + self.kem + self.ciphertext + _INDEX.pack(self.previous)

    @classmethod
    def decode(cls, data: bytes) -> RatchetKeys:
        kem_end = 32 + KEM_PUBLIC_SIZE
        ciphertext_end = kem_end + KEM_CIPHERTEXT_SIZE
        return cls(data[:32], data[32:kem_end], data[kem_end:ciphertext_end], *_INDEX.unpack_from(data, ciphertext_end))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RatchetHeader(Secret):
    """Seals and opens ratchet headers under one chain's header key (Double Ratchet section 4)."""

    key: bytes

    def seal(self, salt: bytes, fixed: bytes, index: int) -> bytes:
        """The header block. `fixed` is `RatchetKeys.encode()`'s."""
        return seal_once(derive32(Label.HEADER, self.key, salt), fixed + _INDEX.pack(index) + _RATCHET_PADDING)

    def open(self, envelope: bytes) -> bytes | None:
        """The plaintext header, or None: made under another key, or damaged."""
        key = derive32(Label.HEADER, self.key, envelope[:SALT_SIZE])
        return try_open(key, envelope[SALT_SIZE:_HEADER_END])

    @staticmethod
    def index(header: bytes) -> int:
        (index,) = _INDEX.unpack_from(header, _RATCHET_KEYS)
        return int(index)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class HandshakeHeader(Secret):
    """Seals and opens handshake headers under the handshake key of one session (docs/protocol/handshake.md)."""

    key: bytes

    def seal(self, salt: bytes, masked: bytes, introduction: bytes, index: int) -> bytes:
        """The header block: the masked opening, and `introduction` and chain index sealed behind it."""
        key = derive32(Label.HANDSHAKE_SEAL, self.key, salt)
        return masked + seal_once(key, introduction + _INDEX.pack(index), masked)

    def open(self, envelope: bytes) -> bytes | None:
        """Introduction and index, or None: another session's, or damaged. The mask is not needed for it."""
        key = derive32(Label.HANDSHAKE_SEAL, self.key, envelope[:SALT_SIZE])
        return try_open(key, envelope[_OPENING_END:_HEADER_END], envelope[SALT_SIZE:_OPENING_END])

    @staticmethod
    def index(header: bytes) -> int:
        (index,) = _INDEX.unpack_from(header, _INTRODUCTION_SIZE)
        return int(index)


Header = RatchetHeader | HandshakeHeader


def mask_opening(mask_key: bytes, salt: bytes, opening: bytes) -> bytes:
    """Ephemeral key and ciphertext under the card's mask, so that neither can be recognised. Its own inverse."""
    return mask(derive32(Label.HANDSHAKE_MASK, mask_key, salt), opening)


def unmask_opening(mask_key: bytes, envelope: bytes) -> tuple[bytes, bytes]:
    """(ephemeral key, ciphertext) of an envelope, if it is a handshake under this mask; else noise."""
    opening = mask_opening(mask_key, envelope[:SALT_SIZE], envelope[SALT_SIZE:_OPENING_END])
    return opening[:32], opening[32:]


def split_introduction(header: bytes) -> tuple[bytes, bytes, bytes]:
    """(account, identity key, KEM public key) from an opened handshake header."""
    return header[:32], header[32:64], header[64:_INTRODUCTION_SIZE]


def seal_body(message_key: bytes, salt: bytes, header: bytes, body: bytes) -> bytes:
    """The whole envelope. The body is bound to salt and header block."""
    associated = salt + header
    return associated + seal_once(derive32(Label.BODY, message_key, salt), body, associated)


def open_body(message_key: bytes, envelope: bytes) -> bytes:
    """The body. Raises CryptoError."""
    key = derive32(Label.BODY, message_key, envelope[:SALT_SIZE])
    return open_once(key, envelope[_HEADER_END:], envelope[:_HEADER_END])


def check_size(envelope: bytes) -> None:
    """Raises CryptoError unless `envelope` is ENVELOPE_SIZE bytes."""
    if len(envelope) != ENVELOPE_SIZE:
        raise CryptoError("an envelope has the wrong size", code="malformed")


assert len(_RATCHET_PADDING) == 60
assert KEY_SIZE == 32
