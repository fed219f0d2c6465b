"""Small pictures: made of the known kinds, upright, without metadata; what breaks or floods a decoder makes none, costs
bounded time and memory, and can do nothing from where it is decoded.
"""

from __future__ import annotations

import asyncio
import io
import os
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from roost.agent import thumbnail_worker
from roost.agent.pictures import media_of, without_metadata
from roost.agent.thumbnail_worker import SIDE
from roost.agent.thumbnails import Thumbnails

pytestmark = pytest.mark.skipif(os.name != "posix", reason="made in a forked process")


def picture(kind: str, width: int, height: int, mode: str = "RGB", **options: object) -> bytes:
    made = Image.linear_gradient("L").resize((width, height)).convert(mode)
    out = io.BytesIO()
    made.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *extra: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def made_of(*pictures: bytes) -> list[bytes]:
    thumbnails = Thumbnails()
    try:
        return [await thumbnails.make(data) for data in pictures]
    finally:
        await thumbnails.close()


async def test_known_kinds_become_small_ones() -> None:
    kinds = [picture(kind, 1600, 900) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
    for made in await made_of(*kinds, picture("PNG", 800, 800, "LA"), picture("JPEG", 900, 1600, "CMYK")):
        media = media_of(made)
        assert media is not None
        assert media.type == "image/webp"
        assert max(media.width, media.height) == SIDE
        assert len(made) < 60_000


async def test_a_turned_picture_stands_upright_and_says_nothing_of_its_camera() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "SECRETCAMERA"
    (made,) = await made_of(picture("JPEG", 1600, 900, exif=exif))
    media = media_of(made)
    assert media is not None
    assert media.height > media.width
    assert b"SECRET" not in made


async def test_what_breaks_or_floods_makes_none_in_bounded_time() -> None:
    flat = zlib.compress(b"\0" * (1 + 4 * 6_000) * 6_000, 9)  # 36 megapixels of RGBA in 140 kB: just what is let in
    begun = time.monotonic()
    bombs = [
        png(10_000, 10_000, flat),
        png(6_000, 6_000, flat[:1000]),
        png(20, 20, zlib.compress(b"\0" * 400_000_000, 9)),
        png(20, 20, zlib.compress(b"\0" * 1_700), chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 300_000_000))),
        picture("JPEG", 900, 900)[:2_000],
        b"\xff\xd8\xff" + os.urandom(5_000),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"",
    ]
    made = await made_of(*bombs, png(6_000, 6_000, flat), picture("PNG", 40, 30))
    assert made[0] == made[1] == made[5] == made[6] == made[7] == b""
    assert made[-1] != b"", "what came before broke the worker"
    assert time.monotonic() - begun < 60


async def test_a_decoder_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_worker, "SECONDS", 0.4)
    monkeypatch.setattr(thumbnail_worker, "small", lambda *_: time.sleep(60))
    begun = time.monotonic()
    assert await asyncio.to_thread(thumbnail_worker._apart, b"") == b""
    assert time.monotonic() - begun < 10


def _opens() -> bytes:
    with open(__file__, "rb") as file:
        return b"RIFF" + file.read(100)


def _hoards() -> bytes:
    return b"RIFF" + bytes(2 * thumbnail_worker.MEMORY)[:10]


def _connects() -> bytes:
    import socket

    return b"RIFF" + bytes([socket.socket().fileno()])


@pytest.mark.parametrize("harm", [_opens, _hoards, _connects])
def test_a_decoder_taken_over_can_do_nothing(monkeypatch: pytest.MonkeyPatch, harm: Callable[[], bytes]) -> None:
    monkeypatch.setattr(thumbnail_worker, "small", lambda *_: b"RIFFine")
    assert thumbnail_worker._apart(b"") == b"RIFFine"
    monkeypatch.setattr(thumbnail_worker, "small", lambda *_: harm())
    assert thumbnail_worker._apart(b"") == b""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_pictures_without_metadata_are_the_same_pictures(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    options: dict[str, object] = {"comment": b"SECRETPLACE"} if kind in ("GIF", "JPEG") else {}
    options |= {"exif": exif} if kind != "GIF" else {}
    options |= {"progressive": True} if kind == "JPEG" else {}
    data = picture(kind, 120, 80, **options) + b"SECRETFILM ftypmp42"
    plain = without_metadata(data)
    assert b"SECRET" in data
    assert b"SECRET" not in plain if kind != "WEBP" else b"SECRETCAMERA" not in plain
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(plain)) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
