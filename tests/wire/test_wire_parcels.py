"""Files of parcels, whole, cut off and damaged; messages about parcels; bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import LARGE_PARCEL, SMALL_PARCEL
from roost.errors import WireError
from roost.wire import parcels as p
from roost.wire.codec import OutOfBounds, encode
from roost.wire.mailbox import Needs, Ping, Put, PutBlob
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE, MAX_FRAME, MAX_HOLDS


def parcel(number: int, *, large: bool = False) -> p.Parcel:
    sealed = bytes([number]) * 16 + bytes((LARGE_PARCEL if large else SMALL_PARCEL) - 16)
    return p.Parcel(number % 3, 20_000 + number, sealed)


HELD = [*(parcel(number) for number in range(6)), parcel(6, large=True), parcel(7, large=True)]
FILE = b"".join(p.write_file(HELD))
SMALL_RECORD, LARGE_RECORD = SMALL_PARCEL + 12, LARGE_PARCEL + 12


def read(data: bytes, size: int = 2**20) -> tuple[list[p.Parcel], int]:
    reader = p.ParcelFile()
    found = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]
    return found, reader.finish()


def test_a_file_holds_its_parcels_small_ones_first() -> None:
    assert read(b"".join(p.write_file(HELD[::-1]))) == ([*HELD[5::-1], *HELD[:5:-1]], 0)
    assert len(FILE) == p.FILE_HEADER_SIZE + 6 * SMALL_RECORD + 2 * LARGE_RECORD
    assert FILE.startswith(b"roost parcels 1\n")
    assert read(b"".join(p.write_file([]))) == ([], 0)


@given(st.integers(1, 9_000))
def test_any_pieces_give_the_same(size: int) -> None:
    assert read(FILE, size) == (HELD, 0)


@given(st.integers(p.FILE_HEADER_SIZE, len(FILE)))
def test_a_file_that_is_cut_off_gives_what_is_whole_and_says_how_much_is_not(end: int) -> None:
    found, lost = read(FILE[:end])
    assert found == HELD[: len(found)]
    assert len(found) + lost == len(HELD)
    small = min((end - p.FILE_HEADER_SIZE) // SMALL_RECORD, 6)
    assert len(found) == small + max(end - p.FILE_HEADER_SIZE - 6 * SMALL_RECORD, 0) // LARGE_RECORD


@given(st.integers(p.FILE_HEADER_SIZE, len(FILE) - 1), st.integers(1, 255))
def test_a_damaged_place_costs_the_parcel_it_is_in(at: int, change: int) -> None:
    damaged = bytearray(FILE)
    damaged[at] ^= change
    found, lost = read(bytes(damaged))
    assert lost == 1
    assert len(found) == len(HELD) - 1
    assert set(found) < set(HELD)


@given(st.integers(0, p.FILE_HEADER_SIZE - 1), st.integers(1, 255))
def test_a_file_whose_beginning_is_damaged_is_none(at: int, change: int) -> None:
    damaged = bytearray(FILE)
    damaged[at] ^= change
    with pytest.raises(p.NotAParcelFile):
        read(bytes(damaged))


@given(st.binary(max_size=100))
def test_anything_else_is_none(data: bytes) -> None:
    with pytest.raises(p.NotAParcelFile):
        read(data)
    with pytest.raises(p.NotAParcelFile):
        read(FILE[: min(len(data), p.FILE_HEADER_SIZE - 1)])


def test_what_follows_is_ignored_and_too_much_is_not_written() -> None:
    assert read(FILE + b"a note") == (HELD, 0)
    with pytest.raises(ValueError, match="too many"):
        p.file_header(p.MAX_FILE_SMALL + 1, 0)
    with pytest.raises(ValueError, match="too many"):
        p.file_header(0, p.MAX_FILE_LARGE + 1)


def test_messages_have_one_order() -> None:
    first, second = bytes(16), bytes(15) + b"\1"
    for make in (
        lambda: p.TookParcels((second, first)),
        lambda: p.TookParcels((first, first)),
        lambda: p.WantParcels((second, first), ()),
        lambda: p.WantParcels((), (second, first)),
        lambda: p.WantParcels((first,), (first, second)),
        lambda: p.OfferParcels((p.ParcelHead(bytes(32), False, 1, 2), p.ParcelHead(bytes(32), True, 1, 2))),
        lambda: p.Parcel(1, 2, bytes(SMALL_PARCEL + 1)),
    ):
        with pytest.raises(OutOfBounds):
            make()
    with pytest.raises(WireError):
        p.decode_message(encode(p.OfferParcels((p.ParcelHead(bytes(32), False, 1, 2),))).replace(b"\x91", b"\x90", 1))


def test_the_largest_messages_fit_a_frame() -> None:
    heads = tuple(p.ParcelHead(number.to_bytes(16, "big") + bytes(16), True, 8, 2**16 - 1) for number in range(512))
    ids = tuple(number.to_bytes(16, "big") for number in range(512))
    largest = (p.OfferParcels(heads), p.WantParcels(ids[:256], ids[256:]), p.HandParcel(parcel(1, large=True)))
    assert len(heads) == p.MAX_OFFERED
    assert all(len(encode(message)) < MAX_FRAME for message in largest)


def test_the_largest_bodies_fit_their_parcels() -> None:
    needs = tuple(Needs(bytes(16), 65_536) for _ in range(MAX_HOLDS))
    put = p.CarriedPut(bytes(32), bytes(ENVELOPE_SIZE), needs, True)
    blob = PutBlob(bytes(32), bytes(16), bytes(32), bytes(BLOB_SIZE))
    assert len(p.encode_body(put)) <= SMALL_PARCEL - 52
    assert SMALL_PARCEL - 52 < len(p.encode_body(blob)) <= LARGE_PARCEL - 52
    assert p.decode_body(p.encode_body(put)) == put
    assert p.decode_body(p.encode_body(blob)) == blob


def test_nothing_but_puts_is_carried() -> None:
    for request in (Ping(), Put(bytes(32), bytes(ENVELOPE_SIZE))):
        with pytest.raises(WireError):
            p.decode_body(encode(request))
