"""Parcels on their way: what a body says, what two devices that met tell each other about parcels, and files of them.

A body (roost.crypto.parcels) is one encoded `CarriedPut` or `PutBlob`. The records travel on a stream of their own over
a link between two devices: `OfferParcels`, answered by `WantParcels`, then one `HandParcel` each, then `TookParcels`.
Either side may offer. Layouts and rules: docs/protocol/parcels.md.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from roost.crypto import LARGE_PARCEL, PARCEL_HEAD_SIZE, PARCEL_ID_SIZE, SMALL_PARCEL
from roost.errors import CallerError
from roost.wire.addresses import Capability
from roost.wire.codec import OutOfBounds, Record, decode, encode
from roost.wire.mailbox import Envelope, Needs, PutBlob
from roost.wire.sizes import MAX_HOLDS

MAX_OFFERED: Final = 512  # heads in one message: some 20 KiB
MAX_HOPS: Final = 8  # couriers one after the other; settings allow fewer

ParcelId = Annotated[bytes, Meta(min_length=PARCEL_ID_SIZE, max_length=PARCEL_ID_SIZE)]
ParcelIds = Annotated[tuple[ParcelId, ...], Meta(max_length=MAX_OFFERED)]
Hops = Annotated[int, Meta(ge=0, le=MAX_HOPS)]
Day = Annotated[int, Meta(ge=0, le=2**16 - 1)]  # since 1970: whole days, so that the time of sealing does not show


class CarriedPut(Record, frozen=True, tag=0):
    """What a `Put` at the recipient's host says. `bare`: the envelope is no part of what is said, but acknowledges or
    covers; without that, who travels by parcels would acknowledge acknowledgements for ever."""

    put: Capability
    envelope: Envelope
    needs: Annotated[tuple[Needs, ...], Meta(max_length=MAX_HOLDS)] = ()
    bare: bool = False


class Parcel(Record, frozen=True):
    """A sealed request, with what couriers must know of it: until the end of which day it is carried, and how many more
    couriers may take it. Its recipient may always."""

    hops: Hops
    expires: Day
    sealed: Annotated[bytes, Meta(min_length=SMALL_PARCEL, max_length=LARGE_PARCEL)]

    def __post_init__(self) -> None:
        if len(self.sealed) not in (SMALL_PARCEL, LARGE_PARCEL):
            raise OutOfBounds("a parcel has one of two sizes")

    @property
    def id(self) -> bytes:
        return self.sealed[:PARCEL_ID_SIZE]

    @property
    def head(self) -> bytes:
        """What its recipient recognises it by: 32 bytes."""
        return self.sealed[:PARCEL_HEAD_SIZE]


class ParcelHead(Record, frozen=True):
    """What an offer says of one parcel."""

    head: Annotated[bytes, Meta(min_length=PARCEL_HEAD_SIZE, max_length=PARCEL_HEAD_SIZE)]
    large: bool
    hops: Hops
    expires: Day

    @property
    def id(self) -> bytes:
        return self.head[:PARCEL_ID_SIZE]

    @property
    def size(self) -> int:
        return LARGE_PARCEL if self.large else SMALL_PARCEL


class OfferParcels(Record, frozen=True, tag=0):
    """These could be handed over. Another offer may follow when this one is done with."""

    heads: Annotated[tuple[ParcelHead, ...], Meta(min_length=1, max_length=MAX_OFFERED)]

    def __post_init__(self) -> None:
        _check_ascending(tuple(head.id for head in self.heads))


class WantParcels(Record, frozen=True, tag=1):
    """Of an offer: those for this very device, and those that it would carry on. None of either ends the exchange."""

    own: ParcelIds
    carry: ParcelIds

    def __post_init__(self) -> None:
        _check_ascending(self.own)
        _check_ascending(self.carry)
        if not set(self.own).isdisjoint(self.carry):
            raise OutOfBounds("a parcel is wanted twice")


class HandParcel(Record, frozen=True, tag=2):
    """One that was wanted."""

    parcel: Parcel


class TookParcels(Record, frozen=True, tag=3):
    """These lie safely on this device's disk, or are not wanted after all: they need not be handed to it again."""

    ids: ParcelIds

    def __post_init__(self) -> None:
        _check_ascending(self.ids)


ParcelMessage = OfferParcels | WantParcels | HandParcel | TookParcels
ParcelBody = CarriedPut | PutBlob


def _check_ascending(ids: tuple[bytes, ...]) -> None:
    if any(after <= before for before, after in pairwise(ids)):
        raise OutOfBounds("parcels are out of order")


def decode_message(data: bytes) -> ParcelMessage:
    """Raises WireError."""
    return decode(ParcelMessage, data)  # type: ignore[arg-type]


def encode_body(request: ParcelBody) -> bytes:
    return encode(request)


def decode_body(body: bytes) -> ParcelBody:
    """Raises WireError."""
    return decode(ParcelBody, body)  # type: ignore[arg-type]


# --- files of parcels ------------------------------------------------------------------------------------------------

FILE_MAGIC: Final = b"roost parcels 1\n"  # a person who looks into the file should see what it is
MAX_FILE_SMALL: Final = 2**20  # 5 GiB
MAX_FILE_LARGE: Final = 2**17  # 8 GiB
_COUNTS: Final = struct.Struct(">II")
_OUTSIDE: Final = struct.Struct(">HH")
_CHECK_SIZE: Final = 8
FILE_HEADER_SIZE: Final = len(FILE_MAGIC) + _COUNTS.size + _CHECK_SIZE
_RECORD_OVERHEAD: Final = _OUTSIDE.size + _CHECK_SIZE


class NotAParcelFile(CallerError):
    """The file was not written by `roost carry export`, or its first bytes are damaged."""

    code = "not_a_parcel_file"
    hint = "Choose a file that `roost carry export` wrote."


def write_file(parcels: list[Parcel]) -> Iterator[bytes]:
    """The pieces of a file with these parcels. Raises ValueError when they are too many for one."""
    small = [parcel for parcel in parcels if len(parcel.sealed) == SMALL_PARCEL]
    large = [parcel for parcel in parcels if len(parcel.sealed) == LARGE_PARCEL]
    yield file_header(len(small), len(large))
    for parcel in (*small, *large):
        yield file_record(parcel)


def file_header(small: int, large: int) -> bytes:
    """What begins a file of so many small and large parcels, which follow in this order."""
    if small > MAX_FILE_SMALL or large > MAX_FILE_LARGE:
        raise ValueError("too many parcels for one file")
    counted = FILE_MAGIC + _COUNTS.pack(small, large)
    return counted + _check(counted)


def file_record(parcel: Parcel) -> bytes:
    said = _OUTSIDE.pack(parcel.hops, parcel.expires) + parcel.sealed
    return _check(said) + said


class ParcelFile:
    """Reads a file piece by piece, in memory of one parcel; a damaged place costs no more than the parcel it is in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left: list[int] | None = None  # small and large parcels that are still to come
        self.lost = 0
        """Parcels that were damaged; after `finish` also those that the file does not reach to."""

    def feed(self, data: bytes) -> list[Parcel]:
        """The whole parcels that these bytes complete. What follows the last one is ignored.

        Raises:
            NotAParcelFile: it is none. The reader cannot be used any further.
        """
        self._buffer += data
        if self._left is None and not self._read_header():
            return []
        assert self._left is not None
        found, start = [], 0
        while (size := self._next_size()) and start + size <= len(self._buffer):
            parcel = _parcel(bytes(self._buffer[start : start + size]))
            start += size
            self._left[0 if self._left[0] else 1] -= 1
            if parcel is None:
                self.lost += 1
            else:
                found.append(parcel)
        del self._buffer[: start if size else None]
        return found

    def finish(self) -> int:
        """The file ends here. How many of its parcels are lost. Raises NotAParcelFile when it is shorter than any."""
        if self._left is None:
            raise NotAParcelFile("This is not a file of parcels.")
        self.lost, self._left = self.lost + sum(self._left), [0, 0]
        return self.lost

    def _read_header(self) -> bool:
        head = bytes(self._buffer[:FILE_HEADER_SIZE])
        counted = head[:-_CHECK_SIZE]
        if not FILE_MAGIC.startswith(head[: len(FILE_MAGIC)]):
            raise NotAParcelFile("This is not a file of parcels.")
        if len(head) < FILE_HEADER_SIZE:
            return False
        small, large = _COUNTS.unpack(counted[len(FILE_MAGIC) :])
        if _check(counted) != head[-_CHECK_SIZE:] or small > MAX_FILE_SMALL or large > MAX_FILE_LARGE:
            raise NotAParcelFile("The beginning of this file of parcels is damaged.")
        self._left = [small, large]
        del self._buffer[:FILE_HEADER_SIZE]
        return True

    def _next_size(self) -> int:
        """Of the record that comes next; 0 when none does."""
        assert self._left is not None
        small, large = self._left
        return _RECORD_OVERHEAD + (SMALL_PARCEL if small else LARGE_PARCEL) if small or large else 0


def _parcel(record: bytes) -> Parcel | None:
    check, said = record[:_CHECK_SIZE], record[_CHECK_SIZE:]
    hops, expires = _OUTSIDE.unpack(said[: _OUTSIDE.size])
    if _check(said) != check or hops > MAX_HOPS:
        return None
    return Parcel(hops, expires, said[_OUTSIDE.size :])


def _check(said: bytes) -> bytes:
    """Against damage, not against anybody: what is inside is authenticated by itself."""
    return hashlib.sha256(b"roost1 parcel file" + said).digest()[:_CHECK_SIZE]
