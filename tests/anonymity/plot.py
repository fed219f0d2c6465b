"""The measurements as a picture (PNG): bits that remain, by the number of corrupt nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.anonymity.measures import mean
from tests.anonymity.report import Hidden

WIDTH, HEIGHT = 1_200, 620
PANEL, TOP, BOTTOM = 480, 130, 500
COLOURS = ("#7a8ca8", "#c8553d", "#d9a441", "#3d7a5a")


def plot(rows: Sequence[Hidden], people: int, nodes: int, file: Path) -> None:
    """Two panels, sender and receiver; a colour for each timing; lines drawn through for who sees all links, broken for
    who has corrupt nodes alone."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    title = f"What an observer does not know of a message: {people:,} people, {nodes} nodes"
    _text(draw, (40, 20), title, 26)
    _text(
        draw,
        (40, 60),
        "in bits; drawn through: sees all links and has corrupt nodes; dotted: has these nodes alone",
        17,
    )
    for number, (name, kind) in enumerate((("sender", "senders"), ("receiver", "receivers"))):
        _panel(draw, 90 + number * (PANEL + 90), name, kind, rows, people)
    timings = list(dict.fromkeys(row.timing.name for row in rows))
    for number, name in enumerate(timings):
        left = 60 + number * 285
        draw.rectangle((left, HEIGHT - 42, left + 22, HEIGHT - 26), fill=COLOURS[number])
        _text(draw, (left + 30, HEIGHT - 46), name, 17)
    picture.quantize(64).save(file, optimize=True)


def _panel(draw: ImageDraw.ImageDraw, left: int, name: str, kind: str, rows: Sequence[Hidden], people: int) -> None:
    most_bits, most_corrupt = math.log2(people - 1), max(max(row.corrupt for row in rows), 1)

    def point(corrupt: float, bits: float) -> tuple[float, float]:
        return left + PANEL * corrupt / most_corrupt, BOTTOM - (BOTTOM - TOP) * bits / most_bits

    _text(draw, (left, TOP - 36), f"the {name}", 20)
    for bits in range(0, math.ceil(most_bits) + 1, 2):
        draw.line((point(0, bits), point(most_corrupt, bits)), fill="#dddddd")
        _text(draw, (left - 34, point(0, bits)[1] - 11), str(bits), 16)
    draw.line((point(0, most_bits), point(most_corrupt, most_bits)), fill="#222222")
    _text(draw, (left + PANEL - 220, TOP - 26), "nothing known at all", 16)
    for corrupt in sorted({row.corrupt for row in rows}):
        _text(draw, (point(corrupt, 0)[0] - 5, BOTTOM + 8), str(corrupt), 16)
    _text(draw, (left + PANEL / 2 - 60, BOTTOM + 32), "corrupt nodes", 16)
    for number, timing in enumerate(dict.fromkeys(row.timing for row in rows)):
        for links in (True, False):
            line = [point(r.corrupt, mean(getattr(r, kind))) for r in rows if (r.timing, r.links) == (timing, links)]
            _line(draw, line, COLOURS[number], broken=not links)


def _line(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str, *, broken: bool) -> None:
    for (x, y), (to_x, to_y) in pairwise(points):
        pieces = 24 if broken else 1
        for piece in range(0, pieces, 2):
            begin, end = piece / pieces, (piece + 1) / pieces
            ends = [(x + (to_x - x) * part, y + (to_y - y) * part) for part in (begin, end)]
            draw.line(ends, fill=colour, width=3)
    for x, y in points:
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour)


def _text(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int) -> None:
    draw.text(at, text, fill="#222222", font=ImageFont.load_default(size))
