"""Frames on a byte stream: however it is cut, the same frames come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.wire.frames import FrameReader, frame
from roost.wire.sizes import MAX_FRAME

bodies = st.lists(st.binary(min_size=1, max_size=60), max_size=8)


def stream(of: list[bytes]) -> bytes:
    return b"".join(frame(body) for body in of)


@given(bodies)
def test_byte_by_byte_equals_at_once(sent: list[bytes]) -> None:
    data = stream(sent)
    slow = FrameReader()
    assert FrameReader().feed(data) == sent
    assert [body for at in range(len(data)) for body in slow.feed(data[at : at + 1])] == sent


@given(bodies, st.lists(st.integers(0, 600), max_size=10))
def test_any_cut_gives_the_same_frames(sent: list[bytes], cuts: list[int]) -> None:
    data = stream(sent)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = FrameReader()
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert [body for piece in pieces for body in reader.feed(piece)] == sent


@given(st.binary(max_size=400), st.integers(1, 64))
def test_arbitrary_bytes_only_raise_our_error(junk: bytes, limit: int) -> None:
    try:
        found = FrameReader(limit).feed(junk)
    except WireError:
        return
    assert all(0 < len(body) <= limit for body in found)
    assert junk.startswith(stream(found))


@pytest.mark.parametrize("length", [0, MAX_FRAME + 1, 2**32 - 1])
def test_lengths_out_of_bounds_are_refused_before_a_body_arrives(length: int) -> None:
    with pytest.raises(WireError):
        FrameReader().feed(length.to_bytes(4, "big"))


@pytest.mark.parametrize("body", [b"", bytes(MAX_FRAME + 1)])
def test_bodies_out_of_bounds_are_not_framed(body: bytes) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        frame(body)


def test_the_largest_frame_passes() -> None:
    body = bytes(MAX_FRAME)
    assert FrameReader().feed(frame(body)) == [body]
