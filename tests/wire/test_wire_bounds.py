"""Every field has its limits, and what must fit into one envelope, one card or one frame does fit."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as mi

from roost import crypto
from roost.errors import CallerError, WireError
from roost.wire import mailbox as m
from roost.wire import padding, sizes
from roost.wire.addresses import MailboxAddress, RelayAddress
from roost.wire.codec import Extension, OutOfBounds, Record, TextRecord, decode, encode
from roost.wire.content import (
    Acknowledgement,
    Attachment,
    BlobPointer,
    ContactRequest,
    Entry,
    Frame,
    SentCopy,
    Span,
    Style,
    Text,
    encode_content,
)
from roost.wire.identity import (
    CARD_FALLBACK,
    CARD_LINEAGE,
    MAX_LINEAGE,
    Card,
    DeviceEntry,
    DeviceList,
    SignedCard,
    SignedDeviceList,
)
from tests.wire.strategies import ALL_KINDS

LIMIT = 2**53  # integers stay exact in every language


def unbounded(info: Any, path: str) -> list[str]:
    match info:
        case mi.IntType():
            low = info.ge if info.ge is not None else info.gt
            high = info.le if info.le is not None else info.lt
            return [] if low is not None and high is not None and 0 <= low <= high <= LIMIT else [path]
        case mi.BytesType() | mi.StrType():
            return [] if info.max_length is not None else [path]
        case mi.VarTupleType():
            own = [] if info.max_length is not None else [path]
            return own + unbounded(info.item_type, path + "[]")
        case mi.UnionType():
            return list(chain.from_iterable(unbounded(kind, path) for kind in info.types))
        case mi.EnumType() | mi.BoolType() | mi.NoneType() | mi.StructType():
            return []
    return [f"{path}: {type(info).__name__} is no wire type"]


def info_of(kind: type[Record]) -> mi.StructType:
    info = mi.type_info(kind)
    assert isinstance(info, mi.StructType)
    return info


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_bounded(kind: type[Record]) -> None:
    fields = info_of(kind).fields
    assert not [hit for field in fields for hit in unbounded(field.type, f"{kind.__name__}.{field.name}")]


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.__name__)
def test_limits_of_texts_count_bytes(kind: type[Record]) -> None:
    """RelayAddress.host is ASCII by its own rule; everything else with text is a TextRecord."""
    texts = [field for field in info_of(kind).fields if _is_text(field.type)]
    assert not texts or issubclass(kind, TextRecord) or kind is RelayAddress


def _is_text(info: Any) -> bool:
    if isinstance(info, mi.VarTupleType):
        return _is_text(info.item_type)
    kinds = info.types if isinstance(info, mi.UnionType) else (info,)
    return any(isinstance(kind, mi.StrType) for kind in kinds)


def test_tags_are_distinct() -> None:
    for union in (m.Request, m.Response, m.ServerFrame):
        tags = [kind.__struct_config__.tag for kind in union.__args__]
        assert len(tags) == len(set(tags))


# --- limits that types alone do not show ------------------------------------------------------------------------------


def test_text_is_measured_in_bytes() -> None:
    assert Text("ü" * (sizes.MAX_TEXT // 2))
    with pytest.raises(OutOfBounds) as caught:
        Text("ü" * (sizes.MAX_TEXT // 2 + 1))
    assert isinstance(caught.value, CallerError)
    assert caught.value.code == "out_of_bounds"
    with pytest.raises(OutOfBounds):
        Text("\ud800")


def test_text_that_is_too_long_in_bytes_does_not_decode() -> None:
    text = encode(Text("x" * sizes.MAX_TEXT))
    wide = text.replace(b"x" * sizes.MAX_TEXT, ("ü" * (sizes.MAX_TEXT // 2) + "ü").encode())
    longer = wide.replace(sizes.MAX_TEXT.to_bytes(4, "big"), (sizes.MAX_TEXT + 2).to_bytes(4, "big"))
    with pytest.raises(WireError):
        decode(Text, longer)


@pytest.mark.parametrize(
    ("part", "parts", "payload"), [(0, 0, b"x"), (0, 1, b""), (1, 1, b"x"), (1, 0, b""), (5, 5, b"x")]
)
def test_frames_must_agree_with_themselves(part: int, parts: int, payload: bytes) -> None:
    with pytest.raises(OutOfBounds):
        Frame(1, 1, part, parts, payload)
    encoded = encode(Frame(1, 1, 0, 1, b"x"))
    wrong = bytes([*encoded[:3], part, parts, 0xC4, len(payload), *payload, *encoded[-2:]])
    with pytest.raises(WireError):
        decode(Frame, wrong)


def test_an_acknowledgement_cannot_end_before_it_begins() -> None:
    assert Acknowledgement(bytes(16), 3, 3, bytes(8))
    with pytest.raises(OutOfBounds):
        Acknowledgement(bytes(16), 4, 3, b"")


@pytest.mark.parametrize("kinds", [(2, 1), (1, 1)])
def test_extensions_have_one_order(kinds: tuple[int, int]) -> None:
    with pytest.raises(OutOfBounds):
        DeviceList(bytes(32), 1, bytes(32), ENTRIES[:1], tuple(Extension(kind, b"") for kind in kinds))


def test_devices_are_distinct() -> None:
    one, two = ENTRIES[:2]
    for twin in (one, DeviceEntry(two.signing, one.identity, 0), DeviceEntry(one.identity, two.identity, 0)):
        with pytest.raises(OutOfBounds):
            DeviceList(bytes(32), 1, bytes(32), (one, twin))


def test_unknown_extensions_are_kept() -> None:
    listed = DeviceList(bytes(32), 1, bytes(32), ENTRIES[:1], (Extension(7, b"later"), Extension(65_535, b"")))
    assert decode(DeviceList, encode(listed)) == listed


# --- what must fit ----------------------------------------------------------------------------------------------------

ENTRIES = tuple(DeviceEntry(bytes([n]) * 32, bytes([n + 100]) * 32, 2**40) for n in range(sizes.MAX_DEVICES))
HOST = f"{'h' * 63}.{'h' * 64}"[: sizes.MAX_HOST - 2] + ".h"
ADDRESS = MailboxAddress(RelayAddress(HOST[: sizes.MAX_HOST], 65_535, bytes(32), bytes(32)), bytes(32))
LIST = encode(DeviceList(bytes(32), 2**32 - 1, bytes(32), ENTRIES))
SIGNED_LIST = SignedDeviceList(LIST, bytes(64))
ACKNOWLEDGEMENTS = (Acknowledgement(bytes(16), 2**32 - 1, 2**32 - 1, bytes(8)),) * sizes.MAX_ACKNOWLEDGEMENTS
ROOM = crypto.BODY_SIZE - padding.OVERHEAD


def largest_entry(content: bytes) -> bytes:
    return encode(Entry(bytes(16), 2**50, 2**53, content))


def test_the_largest_host_is_as_long_as_allowed() -> None:
    assert len(ADDRESS.relay.host) == sizes.MAX_HOST


@given(st.binary(min_size=1, max_size=2_000), st.integers(0, sizes.MAX_ACKNOWLEDGEMENTS))
def test_frame_overhead_is_never_more_than_its_constant(payload: bytes, acknowledgements: int) -> None:
    frame = Frame(2**32 - 1, 2**32 - 1, 63, 64, payload, ACKNOWLEDGEMENTS[:acknowledgements], True)
    overhead = sizes.FRAME_OVERHEAD + acknowledgements * sizes.ACKNOWLEDGEMENT_SIZE
    assert len(encode(frame)) - len(payload) <= overhead


def test_a_whole_contact_request_fits_one_envelope() -> None:
    request = ContactRequest("n" * sizes.MAX_NAME, "g" * sizes.MAX_GREETING, SIGNED_LIST, bytes(32), ADDRESS)
    frame = Frame(2**32 - 1, 2**32 - 1, 0, 1, largest_entry(encode_content(request)))
    assert len(encode(frame)) <= ROOM


def test_a_whole_card_fits_its_stored_size() -> None:
    more = (Extension(CARD_LINEAGE, bytes(32 * MAX_LINEAGE)), Extension(CARD_FALLBACK, encode(ADDRESS)))
    card = Card(
        *(bytes(32), bytes(32), SIGNED_LIST, bytes(32), bytes(1_184), bytes(32), ADDRESS, 2**53, 2**40, "n" * 128, more)
    )
    assert len(LIST) <= sizes.MAX_DEVICE_LIST
    assert len(encode(card)) <= sizes.MAX_CARD
    largest = SignedCard(bytes(sizes.MAX_CARD), bytes(64))
    sealed_overhead = 64  # salt, tag and length of a sealed card, generously
    assert len(encode(largest)) + sealed_overhead <= sizes.CARD_SIZE


def largest_text() -> Text:
    span = Span(2**32 - 1, 2**32 - 1, Style.STRIKE)
    pointer = BlobPointer(bytes(32), bytes(16), 65_536)
    attachment = Attachment("n" * 255, 2**31, "m" * 127, bytes(32), pointer, True)
    spans = (span,) * 512
    return Text("x" * sizes.MAX_TEXT, spans, bytes(16), (attachment,) * sizes.MAX_HOLDS, 2**32 - 1, True)


def test_the_largest_text_and_its_copy_fit_the_fragments() -> None:
    text = encode_content(largest_text())
    copy = encode_content(SentCopy(bytes(32), text))
    room = ROOM - sizes.FRAME_OVERHEAD  # acknowledgements ride where there is room
    assert len(text) <= sizes.MAX_COPIED_CONTENT
    assert len(copy) <= sizes.MAX_CONTENT
    assert len(encode_content(SentCopy(bytes(32), bytes(sizes.MAX_COPIED_CONTENT)))) <= sizes.MAX_CONTENT
    assert len(largest_entry(bytes(sizes.MAX_CONTENT))) <= room * sizes.MAX_FRAGMENTS


def test_pages_blobs_and_packets_fit_a_frame() -> None:
    page = m.Entries((m.Entry(2**53, bytes(sizes.ENVELOPE_SIZE)),) * sizes.PAGE_ENTRIES, True)
    packet = bytes(sizes.MAX_FRAME - 1_024)
    forward = m.Forward(ADDRESS.relay, packet, bytes(64))
    for frame in (
        m.Reply(2**32 - 1, page),
        m.Call(2**32 - 1, forward),
        m.Call(2**32 - 1, m.Packet(packet)),
        m.Reply(2**32 - 1, m.SealedAnswer(bytes(sizes.MAX_FRAME - 512))),
    ):
        assert len(encode(frame)) <= sizes.MAX_FRAME


def test_requests_fit_their_packet_sizes() -> None:
    needs = (m.Needs(bytes(16), 65_536),) * sizes.MAX_HOLDS
    put = m.Put(bytes(32), bytes(sizes.ENVELOPE_SIZE), False, needs, bytes(64))
    blob = m.PutBlob(bytes(32), bytes(16), bytes(32), bytes(sizes.BLOB_SIZE))
    assert len(encode(put)) <= sizes.PACKET_SMALL - padding.OVERHEAD
    assert len(encode(blob)) <= sizes.PACKET_LARGE - padding.OVERHEAD
    assert len(encode(m.BlobData(bytes(sizes.BLOB_SIZE)))) <= sizes.PACKET_LARGE - padding.OVERHEAD
    put_card = m.PutCard(bytes(32), bytes(32), 2**53, bytes(sizes.CARD_SIZE), 2**40, bytes(64))
    assert len(encode(put_card)) <= sizes.PACKET_SMALL - 32 - padding.OVERHEAD
    assert len(encode(m.CardData(bytes(sizes.CARD_SIZE)))) <= sizes.PACKET_SMALL - padding.OVERHEAD
