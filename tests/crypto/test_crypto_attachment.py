"""Attachments: any size comes back whole, and nothing else passes for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    BLOB_PLAIN,
    BLOB_SIZE,
    MAX_BLOBS,
    AttachmentKey,
    blob_count,
    padded_count,
    padding_blob,
)
from roost.errors import CryptoError
from roost.wire import sizes
from tests.crypto.crypto_helpers import SeededEntropy, flipped

KEY = AttachmentKey(bytes(range(32)))


def sealed(data: bytes, key: AttachmentKey = KEY) -> list[bytes]:
    count = blob_count(len(data))
    parts = (data[index * BLOB_PLAIN : (index + 1) * BLOB_PLAIN] for index in range(count))
    return [key.seal_blob(index, part, last=index == count - 1) for index, part in enumerate(parts)]


def opened(blobs: list[bytes], key: AttachmentKey = KEY) -> bytes:
    last = len(blobs) - 1
    return b"".join(key.open_blob(index, blob, last=index == last) for index, blob in enumerate(blobs))


def test_sizes_agree_with_the_wires() -> None:
    assert BLOB_SIZE == sizes.BLOB_SIZE
    assert BLOB_PLAIN == 65_516
    assert blob_count(sizes.MAX_FILE) <= padded_count(sizes.MAX_FILE) <= MAX_BLOBS


@settings(max_examples=30)
@given(st.integers(0, 3 * BLOB_PLAIN + 5), st.integers(0, 255))
def test_any_size_comes_back_in_equal_blobs(size: int, fill: int) -> None:
    data = bytes([fill]) * size
    blobs = sealed(data)
    assert {len(blob) for blob in blobs} == {BLOB_SIZE}
    assert opened(blobs) == data


@pytest.mark.parametrize("size", [0, 1, BLOB_PLAIN - 1, BLOB_PLAIN, BLOB_PLAIN + 1, 2 * BLOB_PLAIN])
def test_the_edges(size: int) -> None:
    data = b"x" * size
    assert opened(sealed(data)) == data
    assert blob_count(size) == max(1, (size + BLOB_PLAIN - 1) // BLOB_PLAIN)


def test_sealing_again_gives_the_same_bytes_and_other_plaintext_shares_nothing() -> None:
    """An upload resumes; a file that changed meanwhile does not break the cipher (RFC 8452 section 9)."""
    first, again = sealed(b"a" * 100)[0], sealed(b"a" * 100)[0]
    changed = sealed(b"a" * 99 + b"b")[0]
    assert first == again
    same = sum(a == b for a, b in zip(first, changed, strict=True))
    assert same < BLOB_SIZE // 256 * 2


def test_reordering_swapping_truncation_and_lengthening_are_told() -> None:
    blobs = sealed(b"x" * (2 * BLOB_PLAIN + 10))
    other = AttachmentKey(bytes(32))
    with pytest.raises(CryptoError):
        opened([blobs[1], blobs[0], blobs[2]])
    with pytest.raises(CryptoError):
        opened([*sealed(b"y" * BLOB_PLAIN * 2, other)[:1], *blobs[1:]])
    with pytest.raises(CryptoError) as caught:
        opened(blobs[:2])
    assert caught.value.code == "truncated"
    with pytest.raises(CryptoError) as caught:
        KEY.open_blob(2, blobs[2], last=False)
    assert caught.value.code == "truncated"
    with pytest.raises(CryptoError):
        opened(blobs, other)


@settings(max_examples=30)
@given(st.integers(0, 8 * BLOB_SIZE - 1))
def test_a_blob_changed_anywhere_is_refused(bit: int) -> None:
    blob = sealed(b"some bytes")[0]
    with pytest.raises(CryptoError):
        KEY.open_blob(0, flipped(blob, bit), last=True)


@pytest.mark.parametrize("size", [0, 15, 16, BLOB_SIZE - 1, BLOB_SIZE + 1])
def test_blobs_of_the_wrong_size_are_refused(size: int) -> None:
    with pytest.raises(CryptoError):
        KEY.open_blob(0, bytes(size), last=True)


def test_our_own_mistakes_are_value_errors() -> None:
    for index, data, last in ((0, b"short", False), (0, bytes(BLOB_PLAIN + 1), True), (-1, b"", True)):
        with pytest.raises(ValueError, match=r"full|bounds"):
            KEY.seal_blob(index, data, last=last)
    for size in (-1, MAX_BLOBS * BLOB_PLAIN + 1):
        with pytest.raises(ValueError, match="bounds"):
            blob_count(size)


@pytest.mark.parametrize("prefix", [5 | 1 << 31, BLOB_PLAIN, 4, (1 << 31) | (BLOB_PLAIN + 1), (1 << 32) - 1])
def test_malformed_insides_are_refused(prefix: int) -> None:
    """Sealed by somebody who holds the key and does not keep to the layout."""
    inside = prefix.to_bytes(4, "big") + b"12345" + b"\1" * (BLOB_PLAIN - 5)
    blob = KEY._cipher.encrypt(bytes(12), inside, b"roost1 blob key\0")
    for last in (True, False):
        if last is False and prefix == BLOB_PLAIN:
            continue  # a full blob is well-formed
        with pytest.raises(CryptoError):
            KEY.open_blob(0, blob, last=last)


def test_ids_are_distinct_and_belong_to_the_key() -> None:
    ids = {KEY.blob_id(index) for index in range(1_000)}
    assert len(ids) == 1_000
    assert {len(blob_id) for blob_id in ids} == {32}
    assert AttachmentKey(bytes(32)).blob_id(0) not in ids


@given(st.integers(1, MAX_BLOBS))
def test_padme_hides_the_count_and_costs_at_most_an_eighth(count: int) -> None:
    padded = padded_count(count * BLOB_PLAIN)
    assert count <= padded <= count * 1.12 + 1
    exponent = padded.bit_length() - 1
    kept_bits = exponent.bit_length()
    assert padded % (1 << max(0, exponent - kept_bits)) == 0  # Padmé's definition: only the top bits may be set


def test_padme_by_hand() -> None:
    """From the paper's construction: exponent E, S = bits of E, the lowest E - S bits rounded up."""
    examples = {1: 1, 2: 2, 7: 7, 8: 8, 9: 10, 15: 16, 17: 18, 100: 104, 1_000: 1_024, 40_000: 40_960}
    assert {count: padded_count(count * BLOB_PLAIN) for count in examples} == examples


def test_padding_blobs_are_random() -> None:
    entropy = SeededEntropy("padding")
    assert len(padding_blob(entropy)) == BLOB_SIZE
    assert padding_blob(entropy) != padding_blob(entropy)
