"""Every structure: what is encoded comes back, has one encoding, and nothing else than WireError meets a reader."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import WireError
from roost.wire.codec import Record, decode, decode_parts, encode
from roost.wire.content import Content
from roost.wire.identity import DeviceEntry
from roost.wire.mailbox import Call, Get, Ping, Request, Response, ServerFrame, Trim
from tests.wire.strategies import ALL_KINDS, values

UNIONS: dict[str, Any] = {"Content": Content, "Request": Request, "Response": Response, "ServerFrame": ServerFrame}
READABLE: dict[str, Any] = {kind.__name__: kind for kind in ALL_KINDS} | UNIONS

every_kind = pytest.mark.parametrize("kind", READABLE.values(), ids=READABLE.keys())
some = settings(max_examples=25)


@every_kind
@some
@given(st.data())
def test_what_is_encoded_comes_back(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert decode(kind, encode(value)) == value


@every_kind
@some
@given(st.binary(max_size=200))
def test_arbitrary_bytes_only_raise_our_error(kind: Any, junk: bytes) -> None:
    with contextlib.suppress(WireError):
        assert encode(decode(kind, junk)) == junk


@every_kind
@some
@given(st.data())
def test_changed_bytes_are_refused_or_canonical(kind: Any, data: st.DataObject) -> None:
    """A flipped, inserted or lost byte either is refused or gives another value that has exactly these bytes."""
    encoded = bytearray(encode(data.draw(values(kind))))
    place = data.draw(st.integers(0, len(encoded) - 1))
    match data.draw(st.sampled_from(["flip", "insert", "lose"])):
        case "flip":
            encoded[place] ^= data.draw(st.integers(1, 255))
        case "insert":
            encoded.insert(place, data.draw(st.integers(0, 255)))
        case "lose":
            del encoded[place]
    with contextlib.suppress(WireError):
        assert encode(decode(kind, bytes(encoded))) == bytes(encoded)


@every_kind
@some
@given(st.data())
def test_cut_off_and_trailing_bytes_are_refused(kind: Any, data: st.DataObject) -> None:
    encoded = encode(data.draw(values(kind)))
    for wrong in (encoded[: data.draw(st.integers(0, len(encoded) - 1))], encoded + b"\x00"):
        with pytest.raises(WireError):
            decode(kind, wrong)


@pytest.mark.parametrize(
    ("kind", "encoded"),
    [
        (Ping, "dc000111"),  # array length in three bytes where one does
        (Ping, "91cc11"),  # integer in two bytes where one does
        (Ping, "9111c0"),  # something behind it
        (Ping, "9211c0"),  # a field too many
        (Ping, "9112"),  # another structure's tag
        (Ping, "81a0c0"),  # a map
        (Ping, "90"),  # no tag
        (Ping, ""),
        (Call, "92019111c0"),
        (Call, "9201cb3ff0000000000000"),
        (Get, "9402" + "d920" + "41" * 32 + "0001"),  # text where bytes belong
        (Get, "9402" + "c420" + "41" * 32 + "ff01"),  # a negative cursor
        (Get, "9402" + "c420" + "41" * 32 + "0000"),  # a page of nothing
        (Get, "9402" + "c41f" + "41" * 31 + "0001"),  # a capability one byte short
        (Get, "9402" + "c420" + "41" * 32 + "c301"),  # true is no number
        (Trim, "9305" + "c420" + "41" * 32 + "00"),  # a default left out has no second spelling
    ],
)
def test_other_spellings_are_refused(kind: type[Record], encoded: str) -> None:
    with pytest.raises(WireError):
        decode(kind, bytes.fromhex(encoded))


def test_huge_counts_cost_nothing() -> None:
    """A length field is checked before anything is made room for."""
    for junk in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 100_000):
        for kind in READABLE.values():
            with pytest.raises(WireError):
                decode(kind, junk)
        with pytest.raises(WireError):
            decode_parts(junk)


@given(values(Call))
def test_parts_are_the_elements_as_they_stand(call: Call) -> None:
    parts = decode_parts(encode(call))
    assert [bytes(part) for part in parts] == [encode(call.id), encode(call.request)]


def test_structures_are_values() -> None:
    entry = DeviceEntry(bytes(32), bytes(32), 1)
    assert entry == DeviceEntry(bytes(32), bytes(32), 1)
    with pytest.raises(AttributeError):
        entry.added = 2  # type: ignore[misc]


@every_kind
@some
@given(st.data())
def test_repr_shows_no_bytes_and_no_texts(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    shown = repr(value) + repr(value.__rich_repr__())
    for field in _leaves(value):
        if isinstance(field, bytes) and len(field) >= 12:
            assert repr(field)[2:-1] not in shown
            assert field.hex() not in shown
        if isinstance(field, str) and type(field) is str and len(field) > 40:
            assert field not in shown


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, msgspec.Struct):
        return [leaf for name in value.__struct_fields__ for leaf in _leaves(getattr(value, name))]
    return [value]
