"""A relay can refuse a request that it does not know, as long as the frame has an id."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire.calls import MalformedCall, decode_call, delivery_head, plain_put, stored_reply
from roost.wire.codec import encode
from roost.wire.mailbox import Call, Delivery, Put, Reply, Stored
from roost.wire.sizes import ENVELOPE_SIZE
from tests.wire.strategies import values


@given(values(Call))
def test_calls_come_back(call: Call) -> None:
    assert decode_call(encode(call)) == call


@given(st.integers(0, 2**32 - 1))
def test_a_request_from_the_future_keeps_its_id(call: int) -> None:
    with pytest.raises(MalformedCall) as caught:
        decode_call(msgspec.msgpack.encode([call, [900, b"new"]]))
    assert caught.value.call == call


@pytest.mark.parametrize("encoded", ["", "90", "c0", "92ff91" + "11", "92c29111", "9201", "92cc0191" + "11", "93cf"])
def test_a_frame_without_an_id_has_none(encoded: str) -> None:
    with pytest.raises(MalformedCall) as caught:
        decode_call(bytes.fromhex(encoded))
    assert caught.value.call is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_only_raise_our_error(junk: bytes) -> None:
    with contextlib.suppress(MalformedCall):
        assert encode(decode_call(junk)) == junk


# --- the short ways, against the codec ------------------------------------------------------------------------------

ids = st.one_of(st.sampled_from([0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1]), st.integers(0, 2**32 - 1))
numbers = st.one_of(st.sampled_from([0, 127, 128, 65_536, 2**32, 2**53]), st.integers(0, 2**53))
ENVELOPE = bytes(range(256)) * (ENVELOPE_SIZE // 256)


@given(ids, st.binary(min_size=32, max_size=32))
def test_a_plain_put_is_recognised(call: int, put: bytes) -> None:
    assert plain_put(encode(Call(call, Put(put, ENVELOPE)))) == (call, put, ENVELOPE)


@given(
    ids, st.booleans(), st.lists(st.tuples(st.integers(-48, 48), st.integers(0, 255)), max_size=3), st.integers(-2, 2)
)
def test_what_passes_as_a_plain_put_is_one(
    call: int, ephemeral: bool, changes: list[tuple[int, int]], longer: int
) -> None:
    """Whatever is done to its bytes: `decode_call` finds the same in them."""
    data = bytearray(encode(Call(call, Put(bytes(32), ENVELOPE, ephemeral))))
    for place, value in changes:
        data[place] = value
    data += bytes(max(0, longer))
    changed = bytes(data[: len(data) + min(0, longer)])
    plain = plain_put(changed)
    if plain is not None:
        assert decode_call(changed) == Call(plain[0], Put(plain[1], plain[2]))


@given(ids, numbers)
def test_frames_made_of_parts_are_as_the_codec_writes_them(call: int, number: int) -> None:
    assert delivery_head(call, number) + ENVELOPE == encode(Delivery(call, number, ENVELOPE))
    assert stored_reply(call, number) == encode(Reply(call, Stored(number)))
