"""How a relay takes a raw stream apart: the same frames however it is cut, plain puts recognised, sizes bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.relay.server.framing import RawFraming
from roost.wire.calls import PlainPut
from roost.wire.codec import encode
from roost.wire.frames import frame
from roost.wire.mailbox import Call, Put
from roost.wire.sizes import ENVELOPE_SIZE, MAX_FRAME

calls = st.sampled_from([0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1])
plain = st.builds(
    lambda call, byte: Call(call, Put(bytes([byte]) * 32, bytes([byte]) * ENVELOPE_SIZE)),
    calls,
    calls.map(lambda n: n % 251),
)
bodies = st.lists(st.one_of(plain.map(encode), st.binary(min_size=1, max_size=60)), max_size=6)


def as_sent(found: list[PlainPut | bytes]) -> list[bytes]:
    return [each if isinstance(each, bytes) else encode(Call(each[0], Put(each[1], each[2]))) for each in found]


@given(bodies, st.lists(st.integers(0, 30_000), max_size=8))
def test_a_stream_means_the_same_in_pieces(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, sent))
    shared = bytearray(len(stream))  # what every read lands in, and the next one overwrites
    framing, found = RawFraming(), list[PlainPut | bytes]()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in pairwise(places):
        shared[: stop - start] = stream[start:stop]
        found += framing.receive(memoryview(shared)[: stop - start])
        shared[:] = bytes(len(shared))
    assert as_sent(found) == sent
    assert found == RawFraming().receive(stream)


def test_byte_by_byte() -> None:
    sent = [b"x", encode(Call(7, Put(bytes(32), bytes(ENVELOPE_SIZE)))), bytes(300)]
    framing = RawFraming()
    found = [each for byte in b"".join(map(frame, sent)) for each in framing.receive(bytes([byte]))]
    assert as_sent(found) == sent
    assert isinstance(found[1], tuple)


@pytest.mark.parametrize("size", [0, MAX_FRAME + 1, 2**32 - 1])
def test_sizes_out_of_bounds_are_refused_before_anything_is_kept(size: int) -> None:
    head = size.to_bytes(4)
    with pytest.raises(WireError):
        RawFraming().receive(head)
    framing = RawFraming()
    assert framing.receive(head[:3]) == []
    with pytest.raises(WireError):
        framing.receive(head[3:])


def test_the_largest_frame_passes() -> None:
    assert RawFraming().receive(frame(bytes(MAX_FRAME))) == [bytes(MAX_FRAME)]
