"""Attachments and files at rest as sequences of equal blobs, each sealed for its place (DESIGN section 6).

One random 32-byte key per attachment and receiving device. AES-256-GCM-SIV (RFC 8452) with the blob's index as nonce:
sealing the same file again gives the same bytes, so an upload resumes, and a file that changed meanwhile costs nothing
more than the news that it changed. Layout: docs/protocol/attachments.md.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from roost.crypto.aead import TAG_SIZE
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.keys import sized
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError

BLOB_SIZE: Final = 65_536
_PREFIX_SIZE: Final = 4  # "last" flag in the highest bit, length in the others
BLOB_PLAIN: Final = BLOB_SIZE - TAG_SIZE - _PREFIX_SIZE
MAX_BLOBS: Final = 65_536
_LAST: Final = 1 << 31
_LABEL: Final = Label.BLOB_KEY.value


class AttachmentKey(Secret):
    """What opens one attachment (32 random bytes). Raises CryptoError for any other length."""

    __slots__ = ("_cipher", "_ids", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = sized(raw, 32)
        self._ids = derive32(Label.BLOB_ID, self._raw, b"")
        self._cipher = AESGCMSIV(derive32(Label.BLOB_KEY, self._raw, b""))

    @classmethod
    def generate(cls, entropy: Entropy) -> AttachmentKey:
        return cls(entropy.bytes(32))

    def to_bytes(self) -> bytes:
        """The 32 secret bytes: for the message that carries the attachment, and for the store."""
        return self._raw

    def blob_id(self, index: int) -> bytes:
        """The 32-byte id under which blob `index` is stored; ids of one attachment look unrelated."""
        return derive32(Label.BLOB_ID, self._ids, _place(index))

    def seal_blob(self, index: int, plaintext: bytes, *, last: bool) -> bytes:
        """BLOB_SIZE bytes. Every blob but the last is full (BLOB_PLAIN bytes); ValueError otherwise."""
        if len(plaintext) > BLOB_PLAIN or (len(plaintext) < BLOB_PLAIN and not last):
            raise ValueError("every blob but the last is full")
        prefix = (len(plaintext) | (_LAST if last else 0)).to_bytes(_PREFIX_SIZE, "big")
        padded = b"".join((prefix, plaintext, bytes(BLOB_PLAIN - len(plaintext))))
        return self._cipher.encrypt(_nonce(index), padded, _LABEL)

    def open_blob(self, index: int, blob: bytes, *, last: bool) -> bytes:
        """The plaintext of blob `index`; `last` says whether the attachment's size makes it the last.

        Raises:
            CryptoError: damaged, from another place or attachment, or the attachment was cut or lengthened.
        """
        try:
            padded = self._cipher.decrypt(_nonce(index), sized(blob, BLOB_SIZE), _LABEL)
        except InvalidTag as error:
            raise CryptoError("a part of the attachment is damaged") from error
        prefix = int.from_bytes(padded[:_PREFIX_SIZE], "big")
        length, end = prefix & ~_LAST, _PREFIX_SIZE + (prefix & ~_LAST)
        if bool(prefix & _LAST) is not last:
            raise CryptoError("the attachment was cut off or lengthened", code="truncated")
        if length > BLOB_PLAIN or (length < BLOB_PLAIN and not last) or padded[end:].strip(b"\0"):
            raise CryptoError("a part of the attachment is malformed", code="malformed")
        return padded[_PREFIX_SIZE:end]


def blob_count(size: int) -> int:
    """How many blobs hold `size` bytes: at least one. Raises ValueError below zero or above MAX_BLOBS blobs."""
    count = max(1, -(-size // BLOB_PLAIN))
    if size < 0 or count > MAX_BLOBS:
        raise ValueError("size out of bounds")
    return count


def padded_count(size: int) -> int:
    """How many blobs are stored for `size` bytes: the count rounded up as Padmé does, at most 12 % more.

    Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PETS 2019,
    section 4.3) leaks O(log log n) bits of the size. The blobs beyond `blob_count` are random bytes.
    """
    count = blob_count(size)
    exponent = count.bit_length() - 1
    free_bits = max(0, exponent - exponent.bit_length())
    mask = (1 << free_bits) - 1
    return (count + mask) & ~mask


def padding_blob(entropy: Entropy) -> bytes:
    """BLOB_SIZE random bytes, which nobody can tell from a sealed blob."""
    return entropy.bytes(BLOB_SIZE)


def _place(index: int) -> bytes:
    if not 0 <= index < MAX_BLOBS:
        raise ValueError("blob index out of bounds")
    return index.to_bytes(4, "big")


def _nonce(index: int) -> bytes:
    return bytes(8) + _place(index)
