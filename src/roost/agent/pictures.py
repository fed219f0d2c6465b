"""Pictures and other media by their first bytes, never by what a sender claims; and what a camera wrote beside the
picture, taken out. Place: agent; pure functions over bytes.

Only kinds that browsers show without running anything are known here. Everything else is a file to be saved.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = 65_536  # of a file are looked at
MAX_PIXELS = 40_000_000  # a picture beyond is offered as a file: decoded, it would take over 160 MB


@dataclass(frozen=True, slots=True)
class Media:
    """What may be shown in place. `width` and `height` are 0 where they are not known."""

    type: str
    width: int = 0
    height: int = 0

    @property
    def showable(self) -> bool:
        if self.type.startswith("image/"):
            return 0 < self.width * self.height <= MAX_PIXELS
        return True


def media_of(head: bytes) -> Media | None:
    """What the file that begins with `head` is, or None for anything that is not shown in place."""
    try:
        return _picture(head) or _sound_or_film(head)
    except (struct.error, IndexError):
        return None


def turned(head: bytes) -> bool:
    """Whether the camera was held upright: width and height are seen the other way round."""
    if not head.startswith(b"\xff\xd8\xff"):
        return False
    for marker, start, end in _jpeg_segments(head):
        if marker == 0xE1 and head[start + 4 : start + 10] == b"Exif\0\0":
            return _orientation(head[start + 10 : end]) >= 5
    return False


def _picture(head: bytes) -> Media | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return Media("image/png", *struct.unpack_from(">II", head, 16))
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Media("image/gif", *struct.unpack_from("<HH", head, 6))
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Media("image/webp", *_webp_size(head))
    if head.startswith(b"\xff\xd8\xff"):
        return Media("image/jpeg", *_jpeg_size(head))
    return None


def _sound_or_film(head: bytes) -> Media | None:
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"mif1"):
        return Media("audio/mp4" if head[8:12] in (b"M4A ", b"M4B ") else "video/mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return Media("audio/webm" if b"V_" not in head and b"A_OPUS" in head else "video/webm")
    if head.startswith(b"OggS"):
        return Media("audio/ogg")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Media("audio/wav")
    if head.startswith(b"fLaC"):
        return Media("audio/flac")
    if head.startswith(b"ID3") or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
        return Media("audio/mpeg")
    return None


def _webp_size(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(head: bytes) -> tuple[int, int]:
    for marker, start, _ in _jpeg_segments(head):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, start + 5)
            return width, height
    return 0, 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the picture's own data, which comes last with marker 0xDA."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xDA:
            yield marker, at, len(data)
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4:  # a length counts itself
            return
        yield marker, at, end
        at = end


# --- what the camera wrote --------------------------------------------------------------------------------------------


def without_metadata(data: bytes) -> bytes:
    """The picture without place, time, camera, comments and previews. Its orientation stays: it is how one sees it.

    What follows the picture in the same file (a phone's moving picture, a thumbnail) goes too. Anything that is not a
    JPEG, PNG, WebP or GIF comes back unchanged.
    """
    media = media_of(data[:HEAD])
    match media.type if media else "":
        case "image/jpeg":
            return _plain_jpeg(data)
        case "image/png":
            return _plain_png(data)
        case "image/webp":
            return _plain_webp(data)
        case "image/gif":
            return _plain_gif(data)
    return data


def _plain_jpeg(data: bytes) -> bytes:
    kept, turned = [data[:2]], 1
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data[start + 4 : start + 10] == b"Exif\0\0":
            turned = _orientation(data[start + 10 : end])
        colours = marker == 0xE2 and data[start + 4 : start + 15] == b"ICC_PROFILE"
        if marker == 0xDA:
            kept.append(_scans(data, start))
        elif marker == 0xE0 and data[start + 4 : start + 9] == b"JFIF\0" and end - start >= 18:
            kept.append(data[start : start + 2] + b"\0\x10" + data[start + 4 : start + 16] + b"\0\0")  # no preview
        elif colours or (marker == 0xEE and data[start + 4 : start + 9] == b"Adobe") or not _is_metadata(marker):
            kept.append(data[start:end])
    if turned != 1:
        kept.insert(1, _exif_with(turned))
    return b"".join(kept)


def _is_metadata(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


def _is_inside(marker: int) -> bool:
    """An escaped FF or a restart: part of a scan, never the beginning of a segment."""
    return marker == 0 or 0xD0 <= marker <= 0xD7


def _scans(data: bytes, start: int) -> bytes:
    """From the first scan to the end of the picture, without metadata between scans and whatever comes behind."""
    kept, at = [], start
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        behind = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if _is_inside(marker) or marker == 0xD9 or not at + 4 <= behind <= len(data):  # its end, cut off, or no segment
            break
        end = _next_marker(data, behind) if marker == 0xDA else behind
        if not _is_metadata(marker):
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, b"\xff\xd9"]) if kept else b""


def _next_marker(data: bytes, at: int) -> int:
    """Where the picture's own bytes end: at an FF that is neither escaped, nor a restart, nor followed by another."""
    while (at := data.find(b"\xff", at)) >= 0:
        if at + 1 >= len(data):
            break
        if data[at + 1] != 0xFF and not _is_inside(data[at + 1]):
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    return len(data)


def _orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        for index in range(min(count, 200)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * index)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _exif_with(orientation: int) -> bytes:
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


_PNG_METADATA = frozenset({b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME"})


def _plain_png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in _PNG_METADATA:
            kept.append(data[at:end])
        at = end if data[at + 4 : at + 8] != b"IEND" else len(data)
    return b"".join(kept)


def _plain_gif(data: bytes) -> bytes:
    """Without comments, plain texts and what applications wrote, but for how often it is shown again."""
    try:
        at = 13 + _colours(data[10])
        kept = [data[:at]]
        while data[at] != 0x3B:
            start = at
            if data[at] == 0x21:
                at = _blocks(data, at + 2)
                wanted = data[start + 1] == 0xF9 or data[start + 2 : start + 14] == b"\x0bNETSCAPE2.0"
            else:
                at = _blocks(data, at + 11 + _colours(data[at + 9]))
                wanted = True
            if wanted:
                kept.append(data[start:at])
    except IndexError:  # cut off, or no GIF after all
        return data
    return b"".join([*kept, b";"])


def _colours(flags: int) -> int:
    """The bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> int:
    """Behind the data blocks that begin at `at`."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _plain_webp(data: bytes) -> bytes:
    kept, at = [], 12
    data = data[: 8 + int.from_bytes(data[4:8], "little")]
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        chunk = data[at:end]
        if kind == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]  # says that EXIF and XMP follow
        if kind not in (b"EXIF", b"XMP "):
            kept.append(chunk)
        at = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body
