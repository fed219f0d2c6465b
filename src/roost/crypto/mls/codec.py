"""TLS presentation language as MLS uses it (RFC 9420 section 2.1; RFC 8446 section 3): numbers, vectors, optionals.

A vector's length is a variable-size integer (RFC 9000 section 16, without the 8-byte form); only the shortest form is
accepted, so every structure has exactly one encoding. Structures are frozen dataclasses with `encode` and `read`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Final, Self, TypeVar

from roost.crypto.mls.errors import Malformed, MlsMisuse, TooLarge

T = TypeVar("T")

# A Welcome with the tree of 5,000 members of the hybrid suite takes about 14 MB; nothing honest is larger.
MAX_MESSAGE_SIZE: Final = 32 * 1024 * 1024
# As many nodes as the largest tree has (tree.py); an item takes at least one byte, so an attacker pays little for one.
MAX_ITEMS: Final = 1 << 17
_ONE_BYTE: Final = 1 << 6
_TWO_BYTES: Final = 1 << 14
_FOUR_BYTES: Final = 1 << 30


def u8(value: int) -> bytes:
    return value.to_bytes(1)


def u16(value: int) -> bytes:
    return value.to_bytes(2)


def u32(value: int) -> bytes:
    return value.to_bytes(4)


def u64(value: int) -> bytes:
    return value.to_bytes(8)


def varint(value: int) -> bytes:
    """The shortest of the forms of 1, 2 and 4 bytes. Raises MlsMisuse for 2^30 and above."""
    if value < _ONE_BYTE:
        return value.to_bytes(1)
    if value < _TWO_BYTES:
        return (value | 0x4000).to_bytes(2)
    if value < _FOUR_BYTES:
        return (value | 0x8000_0000).to_bytes(4)
    raise MlsMisuse("a vector has at most 2^30 - 1 bytes")


def opaque(data: bytes) -> bytes:
    """`opaque data<V>`."""
    return varint(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """`T items<V>` of encoded items."""
    return opaque(b"".join(items))


def structures(items: Iterable[Structure]) -> bytes:
    """`T items<V>` of structures."""
    return opaque(b"".join(item.encode() for item in items))


def numbers(items: Iterable[int]) -> bytes:
    """`uint16 items<V>`."""
    return opaque(b"".join(item.to_bytes(2) for item in items))


def optional(item: bytes | None) -> bytes:
    """`optional<T>` of an encoded item."""
    return b"\0" if item is None else b"\1" + item


class Reader:
    """Reads one byte string from its beginning; every read beyond the end raises Malformed."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_MESSAGE_SIZE:
            raise TooLarge("a structure is too large")
        self._data = bytes(data)
        self.position = 0
        self._end = len(data)

    @property
    def left(self) -> int:
        """How many bytes are left, up to the end of the vector that is being read."""
        return self._end - self.position

    def take(self, count: int) -> bytes:
        """`opaque data[count]`."""
        start = self.position
        if count > self._end - start:
            raise Malformed("a structure is cut off")
        self.position = start + count
        return self._data[start : start + count]

    def since(self, start: int) -> bytes:
        """The bytes that were read since `position` was `start`."""
        return self._data[start : self.position]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        return int.from_bytes(self.take(4))

    def u64(self) -> int:
        return int.from_bytes(self.take(8))

    def varint(self) -> int:
        """A vector's length. Raises Malformed unless it is written in the shortest form."""
        first = self.u8()
        size = 1 << (first >> 6)
        if size == 8:
            raise Malformed("a length has an invalid form")
        value = (first & 0x3F) << (8 * (size - 1)) | int.from_bytes(self.take(size - 1))
        if (size == 2 and value < _ONE_BYTE) or (size == 4 and value < _TWO_BYTES):
            raise Malformed("a length is not written in its shortest form")
        return value

    def opaque(self) -> bytes:
        """`opaque data<V>`."""
        return self.take(self.varint())

    def vector(self, read: Callable[[Reader], T]) -> tuple[T, ...]:
        """`T items<V>`: items until the vector's end, which the last must meet exactly."""
        length = self.varint()
        if length > self.left:
            raise Malformed("a vector is cut off")
        outer, self._end = self._end, self.position + length
        items: list[T] = []
        while self.position < self._end:
            if len(items) == MAX_ITEMS:
                raise TooLarge("a vector has too many items")
            items.append(read(self))
        self._end = outer
        return tuple(items)

    def numbers(self) -> tuple[int, ...]:
        """`uint16 items<V>`."""
        return self.vector(Reader.u16)

    def optional(self, read: Callable[[Reader], T]) -> T | None:
        """`optional<T>`."""
        present = self.u8()
        if present > 1:
            raise Malformed("an optional's presence is 0 or 1")
        return read(self) if present else None

    def finish(self) -> None:
        """Raises Malformed unless everything was read."""
        if self.position != len(self._data):
            raise Malformed("bytes follow the structure")


class Structure:
    """A structure of RFC 9420: `decode(encode(x)) == x`, and what decodes has one encoding."""

    @abstractmethod
    def encode(self) -> bytes:
        """The structure's bytes."""

    @classmethod
    @abstractmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one such structure. Raises Malformed or Unsupported."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Exactly one structure and nothing behind it. Raises Malformed, TooLarge or Unsupported."""
        reader = Reader(data)
        result = cls.read(reader)
        reader.finish()
        return result
