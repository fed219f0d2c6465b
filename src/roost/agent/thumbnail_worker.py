"""The process that decodes strangers' pictures, and nothing else: `python -m roost.agent.thumbnail_worker`.

A picture comes in on standard input behind its length and the size that is wanted, a small WebP goes out on standard
output behind its length in four bytes; nothing goes out for what cannot be decoded. Every picture is decoded in a child
of its own, forked for it, that has bounded memory and time, can open neither files nor connections, and ends with it: a
picture that breaks the decoder breaks that child, and never sees another picture, the profile or a key. Place: agent;
started by thumbnails.py.
"""

from __future__ import annotations

import io
import os
import select
import signal
import struct
import sys
import time
import warnings
from contextlib import suppress

from roost.agent.pictures import HEAD, media_of

SIDE = 560  # pixels of the longer side
QUALITY = 68
MAX_INPUT = 48 * 2**20
MAX_OUTPUT = 256 * 2**10
MEMORY = 1_280 * 2**20  # of address space: the interpreter's libraries take a third, 40 megapixels twice 160 MB
SECONDS = 10
QUESTION = struct.Struct(">IH")  # the picture's length, and how many pixels are wanted
_LENGTH = struct.Struct(">I")


def small(data: bytes, side: int = SIDE) -> bytes:
    """The picture at most `side` pixels wide and high, as a WebP without metadata.

    Raises whatever the decoder raises.
    """
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "WEBP")) as picture:
        picture.draft("RGB", (side * 2, side * 2))  # a JPEG is decoded at a fraction of its size
        picture.thumbnail((side, side), reducing_gap=2.0)
        upright = ImageOps.exif_transpose(picture)
        plain = upright.convert("RGBA" if _transparent(upright.mode, upright.info) else "RGB")
    out = io.BytesIO()
    plain.save(out, "WEBP", quality=QUALITY, method=3)
    return out.getvalue()


def _transparent(mode: str, info: dict[str | tuple[int, int], object]) -> bool:
    return mode in {"RGBA", "LA", "PA"} or "transparency" in info


def acceptable(data: bytes) -> bool:
    """Whether decoding is worth trying: a known kind, and not too large."""
    media = media_of(data[:HEAD])
    return media is not None and media.type.startswith("image/") and media.showable


def _confine() -> None:
    """From here on: so much memory, so much time, no new file, connection or process."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _child(data: bytes, side: int, answer: int) -> None:
    """Decode and answer; never returns."""
    code = 1
    try:
        _confine()
        made = small(data, side)
        while made:
            made = made[os.write(answer, made) :]
        code = 0
    finally:
        os._exit(code)


def _apart(data: bytes, side: int = SIDE) -> bytes:
    """What a child makes of it; empty when it fails or takes too long."""
    mine, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(mine)
        _child(data, side, its)
    os.close(its)
    try:
        made = _read_until(mine, time.monotonic() + SECONDS * 1.5)
    finally:
        os.close(mine)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return made if status == 0 or (made and made[:4] == b"RIFF") else b""


def _read_until(source: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= MAX_OUTPUT:
        ready, _, _ = select.select([source], [], [], max(deadline - time.monotonic(), 0))
        part = os.read(source, 65_536) if ready else b""
        if not part:
            return b"".join(parts) if ready else b""
        parts.append(part)
        size += len(part)
    return b""


def _warm_up() -> None:
    """Pillow imports as it goes, and a child can open no file: go all the ways once, with pictures of its own."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # media_of has looked, and the child's memory is bounded
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, mode in (("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("GIF", "P"), ("WEBP", "RGB")):
        out = io.BytesIO()
        Image.new(mode, (2, 1)).save(out, kind, **({} if kind == "GIF" else {"exif": exif}))
        small(out.getvalue())


def main() -> None:
    warnings.simplefilter("ignore")
    _warm_up()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(QUESTION.size)) == QUESTION.size:
        length, side = QUESTION.unpack(head)
        data = source.read(length)
        made = _apart(data, side) if acceptable(data) else b""
        target.write(_LENGTH.pack(len(made)) + made)
        target.flush()


if __name__ == "__main__":
    main()
