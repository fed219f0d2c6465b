"""A relay can refuse a request that it does not know, as long as the frame has an id."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire.calls import MalformedCall, decode_call
from roost.wire.codec import encode
from roost.wire.mailbox import Call
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
