"""The measurements as a table and as a plot (SVG, written by hand)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tests.exposure.compromise import Exposure

_WIDTH, _ROW, _LEFT, _TOP = 720, 74, 130, 64
_COLOURS = {"late": "#7a8ca8", "future": "#c8553d"}


def table(measured: Mapping[str, Sequence[Exposure]]) -> str:
    """Markdown: means over all thefts, and the worst of each."""
    lines = [
        "| conversation | thefts | opened before | sent before | under way | written after: mean, most | healed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, found in measured.items():
        future = [one.future for one in found]
        healed = [one.healed for one in found]
        lines.append(
            f"| {kind} | {len(found)} | {sum(one.opened for one in found)} | {sum(one.sent for one in found)} "
            f"| {_mean([one.late for one in found]):.1f} | {_mean(future):.1f}, {max(future)} "
            f"| {_mean(healed):.1f}, at most {max(healed)} steps |"
        )
    return "\n".join(lines)


def plot(measured: Mapping[str, Sequence[Exposure]]) -> str:
    """One row for each conversation: every theft a dot at the number of readable messages."""
    height = _TOP + _ROW * len(measured) + 46
    most = max(max(one.future, one.late) for found in measured.values() for one in found) or 1
    scale = (_WIDTH - _LEFT - 30) / most
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        _text(16, 24, "Messages that a thief of one device's ratchet state can read", 15),
        _text(16, 46, "grey: under way at the theft    red: written afterwards, until the conversation healed", 12),
    ]
    for row, (kind, found) in enumerate(measured.items()):
        middle = _TOP + row * _ROW + _ROW / 2
        parts.append(_text(16, middle + 4, kind, 13))
        parts.append(f'<path d="M{_LEFT} {middle}H{_WIDTH - 30}" stroke="#ddd"/>')
        for which, (name, colour) in enumerate(_COLOURS.items()):
            for place, one in enumerate(found):
                across = _LEFT + getattr(one, name) * scale
                down = middle + (which * 2 - 1) * 14 + (place % 7 - 3) * 2.5
                parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}" fill-opacity=".35"/>')
    bottom = _TOP + _ROW * len(measured) + 10
    for part in range(5):
        value = round(most * part / 4)
        parts.append(_text(_LEFT + value * scale - 4, bottom + 18, str(value), 11))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, size: int) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="#222">{escape(text)}</text>'


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
