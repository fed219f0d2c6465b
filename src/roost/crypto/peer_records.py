"""What two peers say after the handshake: records of a few sizes, each under a key of its own.

A record is a sealed header, which says how long the rest is, and a sealed body. Both directions have a chain of keys;
each record takes the next one and the chain forgets it, so who steals a chain reads no record before. Whatever is
changed, repeated, left out or exchanged meets another key and is refused. Byte-exact in docs/protocol/peer-links.md.
Knows nothing of streams or messages: bytes in, bytes out.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roost.crypto.aead import TAG_SIZE
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError

UNIT: Final = 512  # a record's size is a multiple of this
LARGE_UNIT: Final = 4_096  # ... and of this where more than SMALL bytes would go out
SMALL: Final = 8_192  # so that an envelope with what goes around it does not count as large
MAX_RECORD: Final = 16_384
_HEADER: Final = struct.Struct(">BH")  # size in units with the mark of the end, length of the data
_END: Final = 0x80
HEADER_SIZE: Final = _HEADER.size + TAG_SIZE
RECORD_OVERHEAD: Final = HEADER_SIZE + TAG_SIZE
MAX_RECORD_DATA: Final = MAX_RECORD - RECORD_OVERHEAD

_HEADER_NONCE: Final = bytes(12)
_BODY_NONCE: Final = bytes(11) + b"\1"


class Records(Secret):
    """Both directions of an established link. `ended` is True once the other end's last record was opened."""

    __slots__ = ("_arrived", "_awaited", "_body", "_broken", "_receiving", "_sending", "ended")

    def __init__(self, sending: bytes, receiving: bytes) -> None:
        """`sending`, `receiving`: 32 bytes each, used for nothing else."""
        self._sending, self._receiving = sending, receiving
        self._arrived = b""
        self._awaited = HEADER_SIZE  # how many bytes of a header or body must have arrived
        self._body: tuple[AESGCM, int, bool] | None = None  # of the record whose body is awaited
        self._broken = False
        self.ended = False

    def seal(self, data: bytes) -> bytes:
        """`data` as one or more records; without data one record that says nothing (cover)."""
        unit = UNIT if len(data) + RECORD_OVERHEAD <= SMALL else LARGE_UNIT
        view, sealed = memoryview(data), list[bytes]()
        for start in range(0, len(data) or 1, MAX_RECORD_DATA):
            sealed += self._record(view[start : start + MAX_RECORD_DATA], unit, 0)
        return b"".join(sealed)

    def end(self) -> bytes:
        """The last record. Without it the other end cannot tell that it was not cut off."""
        return b"".join(self._record(memoryview(b""), UNIT, _END))

    def open(self, data: bytes) -> list[bytes]:
        """What arrived whole with `data`: one piece per record that holds any.

        Raises:
            CryptoError: something was changed, repeated, left out or added. The link is over.
        """
        if self._broken:
            raise CryptoError("the link is over")
        try:
            return self._open(self._arrived + data if self._arrived else bytes(data))
        except CryptoError:
            self._broken, self._arrived, self._receiving, self._body = True, b"", b"", None
            raise

    def _record(self, data: memoryview, unit: int, mark: int) -> tuple[bytes, bytes]:
        size = -(-(len(data) + RECORD_OVERHEAD) // unit) * unit
        self._sending, key = _advance(self._sending)
        cipher = AESGCM(key)
        header = cipher.encrypt(_HEADER_NONCE, _HEADER.pack(size // UNIT | mark, len(data)), None)
        whole = len(data) + RECORD_OVERHEAD == size
        padded = data if whole else bytes(data).ljust(size - RECORD_OVERHEAD, b"\0")
        return header, cipher.encrypt(_BODY_NONCE, padded, None)

    def _open(self, arrived: bytes) -> list[bytes]:
        opened, at, view = [], 0, memoryview(arrived)
        while not self.ended and len(arrived) - at >= self._awaited:
            part = view[at : at + self._awaited]
            at += len(part)
            if self._body is None:
                self._open_header(part)
            elif data := self._open_body(part, *self._body):
                opened.append(data)
        if self.ended and at < len(arrived):
            raise CryptoError("something came behind the last record")
        self._arrived = arrived[at:]
        return opened

    def _open_header(self, sealed: memoryview) -> None:
        self._receiving, key = _advance(self._receiving)
        cipher = AESGCM(key)
        units, length = _HEADER.unpack(_opened(cipher, _HEADER_NONCE, sealed))
        self._awaited = (units & ~_END) * UNIT - HEADER_SIZE
        if not length + TAG_SIZE <= self._awaited <= MAX_RECORD - HEADER_SIZE:
            raise CryptoError("a record's header is malformed", code="malformed")
        self._body = cipher, length, bool(units & _END)

    def _open_body(self, sealed: memoryview, cipher: AESGCM, length: int, last: bool) -> bytes:
        padded = _opened(cipher, _BODY_NONCE, sealed)
        self._awaited, self._body, self.ended = HEADER_SIZE, None, last
        if padded[length:].strip(b"\0"):
            raise CryptoError("malformed padding", code="malformed")
        return padded[:length]


def _advance(key: bytes, _person: bytes = Label.PEER_RECORD.value) -> tuple[bytes, bytes]:
    """One step of a direction's chain: (next chain key, record key)."""
    output = blake2b(digest_size=64, key=key, person=_person).digest()
    return output[:32], output[32:]


def _opened(cipher: AESGCM, nonce: bytes, sealed: memoryview) -> bytes:
    try:
        return cipher.decrypt(nonce, sealed, None)
    except InvalidTag as error:
        raise CryptoError("authentication failed") from error
