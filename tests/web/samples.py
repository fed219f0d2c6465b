"""Files for the tests: pictures made by the browser, and what a hostile sender would send."""

from __future__ import annotations

import base64
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


def png(width: int, height: int) -> bytes:
    """A PNG of any size that is a few kilobytes on the wire: one bit a pixel, all the same."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    line = b"\0" * (1 + (width + 7) // 8)
    rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="owned"</script><rect width="9" height="9"/></svg>'
)
HTML = b"<!doctype html><script>parent.document.title='owned'</script>"
