"""Contents: known kinds parse strictly, kinds from the future are kept as they are."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.wire.codec import encode
from roost.wire.content import Content, Entry, Text, Typing, Unknown, decode_content, encode_content
from tests.wire.strategies import values

KNOWN = {kind.__struct_config__.tag for kind in Content.__args__}
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(values(Content))
def test_known_kinds_come_back(content: Content) -> None:
    assert decode_content(encode_content(content)) == content


@given(st.integers(0, 2**31 - 1).filter(lambda tag: tag not in KNOWN), st.lists(plain, max_size=5))
def test_kinds_from_the_future_are_kept_as_they_are(tag: int, rest: list[object]) -> None:
    raw = msgspec.msgpack.encode([tag, *rest])
    assert decode_content(raw) == Unknown(tag, raw)
    entry = Entry(bytes(16), 0, 0, raw)
    assert msgspec.msgpack.decode(encode(entry), type=Entry).content == raw


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "90",  # no tag
        "80",
        "01",
        "91ff",  # a negative tag
        "91c3",  # true is no tag
        "91a130",
        "91cb3ff0000000000000",
        "91ce80000000",  # beyond the tags' range
        "91cc64",  # an unknown tag in two bytes where one does
        "dc000164",  # ... in an array of the wrong form
        "916400",  # trailing
        "9264",  # cut off
        "9200a178",  # a known tag with too few fields
        "9205c0",  # ... with a wrong one
        "9305c2c0",  # ... with one too many
    ],
)
def test_what_is_no_content_is_refused(encoded: str) -> None:
    with pytest.raises(WireError):
        decode_content(bytes.fromhex(encoded))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_only_raise_our_error(junk: bytes) -> None:
    try:
        content = decode_content(junk)
    except WireError:
        return
    assert (content.raw if isinstance(content, Unknown) else encode_content(content)) == junk


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(WireError):
        decode_content(b"\x92\x64" + b"\x91" * 200_000 + b"\x00")


def test_a_map_from_the_future_is_not_built() -> None:
    """Keys chosen to collide in a hash table cost nothing while nobody makes the table."""
    keys = [number * (2**61 - 1) % 2**64 for number in range(1, 9_000)]
    raw = (
        b"\x92\x64\xdf"
        + len(keys).to_bytes(4, "big")
        + b"".join(b"\xcf" + k.to_bytes(8, "big") + b"\xc0" for k in keys)
    )
    assert decode_content(raw) == Unknown(100, raw)


def test_tags_stay_what_they_are() -> None:
    assert encode_content(Typing(True)).hex() == "9205c3"
    assert encode_content(Text("hi")).hex() == "9800a2686990c090" + "00c290"
