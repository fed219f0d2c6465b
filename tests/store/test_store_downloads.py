"""Attachments that arrive blob by blob: each verified, interrupted anywhere, complete or not there."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from store_support import SystemEntropy, refused

from roost.crypto import BLOB_PLAIN, BLOB_SIZE, AttachmentKey, blob_count
from roost.errors import CryptoError
from roost.store import FileStore

SIZES = [0, 1, BLOB_PLAIN - 1, BLOB_PLAIN, BLOB_PLAIN + 1, 3 * BLOB_PLAIN]


def sealed(data: bytes, key: AttachmentKey) -> list[bytes]:
    """The blobs that a sender would put."""
    count = blob_count(len(data))
    return [
        key.seal_blob(index, data[index * BLOB_PLAIN : (index + 1) * BLOB_PLAIN], last=index == count - 1)
        for index in range(count)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_download_in_one_go(size: int, files: FileStore, place: Path, entropy: SystemEntropy) -> None:
    data, key = os.urandom(size), AttachmentKey.generate(entropy)
    with files.download(key, size) as download:
        for number, blob in enumerate(sealed(data, key)):
            assert download.done == number
            download.append(blob)
        assert download.finish() == hashlib.blake2b(data, digest_size=32).digest()
        with pytest.raises(ValueError, match="all blobs are there"):
            download.append(blob)
    assert b"".join(files.chunks(download.ref)) == data
    assert os.listdir(place) == [download.ref.name]
    assert (place / download.ref.name).stat().st_mode & 0o777 == 0o600


def test_a_download_goes_on_where_it_was(files: FileStore, entropy: SystemEntropy) -> None:
    data, key = os.urandom(5 * BLOB_PLAIN - 9), AttachmentKey.generate(entropy)
    blobs, ref = sealed(data, key), None
    for number, blob in enumerate(blobs):
        with files.resume(ref) if ref else files.download(key, len(data)) as download:
            ref = download.ref
            assert (download.done, download.total) == (number, 5)
            with pytest.raises(ValueError, match="missing"):
                download.finish()
            download.append(blob)
    assert ref is not None
    with files.resume(ref) as download:
        digest = download.finish()
    with files.resume(ref) as download:  # the process died before the database was told
        assert download.done == 5
        assert download.finish() == digest == hashlib.blake2b(data, digest_size=32).digest()
    assert b"".join(files.chunks(ref)) == data


def test_wrong_blobs_change_nothing(files: FileStore, entropy: SystemEntropy) -> None:
    data, key = os.urandom(3 * BLOB_PLAIN), AttachmentKey.generate(entropy)
    blobs = sealed(data, key)
    shorter = sealed(data[:BLOB_PLAIN], key)[0]
    with files.download(key, len(data)) as download:
        download.append(blobs[0])
        for wrong in (blobs[0], blobs[2], b"", blobs[1][:-1], blobs[1] + b"x", os.urandom(BLOB_SIZE), shorter):
            with pytest.raises(CryptoError):
                download.append(wrong)
            assert download.done == 1
        download.append(blobs[1])
        with pytest.raises(CryptoError):
            download.append(sealed(data[:-1], key)[2])  # sealed for a file one byte shorter
        download.append(blobs[2])
        assert download.finish() == hashlib.blake2b(data, digest_size=32).digest()


@pytest.mark.parametrize("tail", ["torn", "zeros", "flipped", "longer"])
def test_what_a_power_cut_left_is_not_counted(tail: str, files: FileStore, place: Path, entropy: SystemEntropy) -> None:
    data, key = os.urandom(4 * BLOB_PLAIN), AttachmentKey.generate(entropy)
    blobs = sealed(data, key)
    with files.download(key, len(data)) as download:
        for blob in blobs[:3]:
            download.append(blob)
    part = place / f"{download.ref.name}.part"
    left = {
        "torn": blobs[2][:-1],
        "zeros": bytes(BLOB_SIZE),
        "flipped": bytes([blobs[2][0] ^ 1]) + blobs[2][1:],
        "longer": bytes(BLOB_SIZE) * 9,
    }
    part.write_bytes(blobs[0] + blobs[1] + left[tail])
    with files.resume(download.ref) as again:
        assert again.done == 2
        again.append(blobs[2])
        again.append(blobs[3])
        assert again.finish() == hashlib.blake2b(data, digest_size=32).digest()
    assert b"".join(files.chunks(download.ref)) == data


def test_a_disk_that_fills_during_a_download(
    files: FileStore, entropy: SystemEntropy, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, key = os.urandom(2 * BLOB_PLAIN), AttachmentKey.generate(entropy)
    blobs = sealed(data, key)

    def half(descriptor: int, blob: bytes) -> None:
        os.write(descriptor, blob[:1000])
        raise OSError(errno.ENOSPC, "full")

    with files.download(key, len(data)) as download:
        download.append(blobs[0])
        with monkeypatch.context() as patch:
            patch.setattr("roost.store.download.write_all", half)
            assert refused(lambda: download.append(blobs[1])) == "disk_full"
        assert download.done == 1
    with files.resume(download.ref) as again:
        assert again.done == 1
        again.append(blobs[1])
        again.finish()
    assert b"".join(files.chunks(download.ref)) == data
