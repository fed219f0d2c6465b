"""Media are known by their first bytes; what a camera wrote beside a picture is taken out, and nothing else."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.agent.exposure import who_sees_what
from roost.agent.pictures import MAX_PIXELS, media_of, without_metadata
from roost.agent.views import NetworkKind


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *extra: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + _chunk(b"IDAT", b"x") + _chunk(b"IEND", b"")


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def _exif(orientation: int) -> bytes:
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
    return _segment(0xE1, b"Exif\0\0" + tiff + b"HOME")


FRAME = _segment(0xC0, struct.pack(">BHHB", 8, 480, 640, 3) + b"\0" * 9)
SCAN = _segment(0xDA, b"\0" * 10) + b"picture data" + b"\xff\xd9"
JFIF = _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
JPEG = b"\xff\xd8" + JFIF + FRAME + SCAN


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (JPEG, "image/jpeg"),
        (_png(3, 4), "image/png"),
        (b"GIF89a\x03\0\x04\0", "image/gif"),
        (b"OggS" + bytes(40), "audio/ogg"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "video/mp4"),
    ],
)
def test_known_kinds(head: bytes, kind: str) -> None:
    media = media_of(head)
    assert media is not None
    assert media.type == kind


@pytest.mark.parametrize("head", [b"", b"<svg xmlns=''>", b"<!doctype html>", b"%PDF-1.7", b"MZ", b"\x89PNG\r\n\x1a\n"])
def test_everything_else_is_a_file(head: bytes) -> None:
    assert media_of(head) is None


def test_large_pictures_are_not_shown() -> None:
    for width, height, shown in ((640, 480, True), (MAX_PIXELS, 1, True), (MAX_PIXELS, 2, False), (0, 9, False)):
        media = media_of(_png(width, height))
        assert media is not None
        assert media.showable is shown


def test_a_jpeg_loses_its_place_and_keeps_how_it_is_turned() -> None:
    turned = JPEG[:2] + _exif(6) + _segment(0xFE, b"a comment") + JPEG[2:]
    plain = without_metadata(turned)
    assert b"HOME" not in plain
    assert b"a comment" not in plain
    assert b"picture data" in plain
    assert without_metadata(plain) == plain
    assert struct.pack(">HHIH", 0x0112, 3, 1, 6) in plain
    assert without_metadata(JPEG[:2] + _exif(1) + JPEG[2:]) == JPEG


def test_previews_and_what_hides_in_other_segments_go() -> None:
    small = b"\x01\x01\0\0\x01\0\x01\x02\x02" + b"preview of it"
    hidden = _segment(0xE0, b"JFIF\0" + small) + _segment(0xE0, b"Exif\0\0home") + _segment(0xEE, b"home")
    plain = without_metadata(b"\xff\xd8" + hidden + FRAME + SCAN)
    assert plain == b"\xff\xd8" + _segment(0xE0, b"JFIF\0" + small[:7] + b"\0\0") + FRAME + SCAN


@pytest.mark.parametrize("end", ["ffdaffd800ff", "ffda000264617461ff020000000000d9"])
def test_a_picture_that_is_cut_off_is_taken_as_far_as_it_goes(end: str) -> None:
    plain = without_metadata(b"\xff\xd8" + FRAME + bytes.fromhex(end))
    assert plain.startswith(b"\xff\xd8" + FRAME)
    assert without_metadata(plain) == plain


def test_a_png_loses_its_texts() -> None:
    assert without_metadata(_png(1, 1, _chunk(b"tEXt", b"place"), _chunk(b"eXIf", b"x"))) == _png(1, 1)


@given(st.binary(max_size=200), st.sampled_from([b"", JPEG[:4], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF____WEBP"]))
def test_any_bytes_are_looked_at_without_harm(data: bytes, head: bytes) -> None:
    media_of(head + data)
    assert len(without_metadata(head + data)) <= len(head + data) + 40


def test_who_sees_what_is_complete() -> None:
    """Every network, every fact that is named; nobody but the contact sees contents, and no fact is both."""
    table = who_sees_what()
    assert set(table.networks) == set(NetworkKind)
    for network in table.networks.values():
        for name, party in network.parties.items():
            assert {*party.sees, *party.hidden} <= set(table.facts)
            assert not set(party.sees) & set(party.hidden)
            assert ("content" in party.sees) is (name == "contact")
