"""Padding: only what `pad` writes comes back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.wire.padding import OVERHEAD, pad, unpad


@given(st.binary(max_size=200), st.integers(0, 100))
def test_what_is_padded_comes_back(data: bytes, more: int) -> None:
    size = len(data) + OVERHEAD + more
    padded = pad(data, size)
    assert len(padded) == size
    assert unpad(padded) == data


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_or_canonical(junk: bytes) -> None:
    with contextlib.suppress(WireError):
        assert pad(unpad(junk), len(junk)) == junk


@pytest.mark.parametrize("padded", ["", "000000", "00000001", "0000000000000001", "00000002ff", "ffffffffff"])
def test_what_pad_does_not_write_is_refused(padded: str) -> None:
    with pytest.raises(WireError):
        unpad(bytes.fromhex(padded))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pad(bytes(10), 10 + OVERHEAD - 1)
