"""Files for the tests: pictures made by the browser, and what a hostile sender would send."""

from __future__ import annotations

import base64
import re
import struct
import zlib

from playwright.sync_api import Page

_DRAW = """async () => {
  const canvas = new OffscreenCanvas(320, 200);
  const paint = canvas.getContext("2d");
  const sky = paint.createLinearGradient(0, 0, 0, 200);
  sky.addColorStop(0, "#7db8d8"); sky.addColorStop(0.6, "#f6d9a8"); sky.addColorStop(0.61, "#3e7d8c");
  sky.addColorStop(1, "#1f4f5c");
  paint.fillStyle = sky; paint.fillRect(0, 0, 320, 200);
  paint.fillStyle = "#fff3cf"; paint.beginPath(); paint.arc(230, 90, 26, 0, 7); paint.fill();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""


def jpeg(page: Page) -> bytes:
    """A sunset."""
    return base64.b64decode(page.evaluate(_DRAW))


def jpeg_with_place(page: Page) -> bytes:
    """The same with an Exif segment, as a camera writes it."""
    plain = jpeg(page)
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + b"SECRETPLACE"
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]


def _png(head: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png(width: int, height: int) -> bytes:
    """A PNG of any size that is a few kilobytes on the wire: one bit a pixel, all the same."""
    packer = zlib.compressobj(9)
    line = b"\0" * (1 + (width + 7) // 8)
    rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    return _png(struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), rows)


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="owned"</script><rect width="9" height="9"/></svg>'
)
HTML = b"<!doctype html><script>parent.document.title='owned'</script>"


def film(modules: list[str], width: int = 640, height: int = 480) -> bytes:
    """A short film (YUV4MPEG2) of a QR code on a screen, for Chromium's fake camera. `modules`: "1" is dark."""
    cell = (min(width, height) - 80) // len(modules)
    left, top = (width - cell * len(modules)) // 2, (height - cell * len(modules)) // 2
    bright, dark, around = b"\xe8", b"\x18", b"\xd0"
    blank = around * width
    rows = [blank] * top
    for modules_row in modules:
        line = b"".join((dark if module == "1" else bright) * cell for module in modules_row)
        rows += [around * left + line + around * (width - left - len(line))] * cell
    rows += [blank] * (height - len(rows))
    frame = b"FRAME\n" + b"".join(rows) + b"\x80" * (width * height // 2)
    return f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420\n".encode() + frame * 4


def modules_shown(page: Page) -> list[str]:
    """The QR code that the window shows, read off the drawing itself, with its quiet zone."""
    code = page.locator("svg.qr")
    code.locator("path").wait_for(state="attached")
    side = int((code.get_attribute("viewBox") or "").split()[2])
    dark = re.findall(r"M(\d+) (\d+)h1", code.locator("path").get_attribute("d") or "")
    drawn = {(int(x), int(y)) for x, y in dark}
    return ["".join("1" if (x, y) in drawn else "0" for x in range(side)) for y in range(side)]


def picture_of(modules: list[str], cell: int = 6) -> bytes:
    """A PNG of a QR code, eight bits of grey."""
    side = len(modules) * cell
    lines = [b"\0" + b"".join((b"\x10" if module == "1" else b"\xf0") * cell for module in row) for row in modules]
    data = b"".join(line * cell for line in lines)
    return _png(struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), zlib.compress(data))
