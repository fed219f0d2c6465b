"""Durations, times and sizes as people write and read them, and text from others made safe for a terminal."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_SIZE = re.compile(r"([0-9]{1,12}) ?(?:([kKmMgG])i?)?[bB]?")
_LONGEST_S = 10 * 366 * 86_400
_OFF = frozenset({"off", "0"})


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `30m`, `1h`, `7d`, `2w`, `1d12h`, a bare number of seconds, or `off` (0). Raises ValueError."""
    text = text.strip().lower()
    if text in _OFF:
        return 0
    if text.isascii() and text.isdigit():
        seconds = int(text)
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError("a duration is written like 90s, 30m, 1h, 7d or 1d12h")
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST_S:
        raise ValueError("that is longer than ten years")
    return seconds


def format_duration(seconds: int) -> str:
    """The shortest way to write `seconds` that `parse_duration` reads back."""
    if seconds == 0:
        return "off"
    parts = []
    for unit, size in reversed(_UNITS.items()):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def relative(moment: datetime, now: datetime | None = None) -> str:
    """`just now`, `5 min ago`, `14:02` today, `Mon 14:02` this week, else the date; in local time."""
    now = now or datetime.now(UTC)
    age = (now - moment).total_seconds()
    local, today = moment.astimezone(), now.astimezone()
    if -5 <= age < 45:
        return "just now"
    if 0 < age < 3_600:
        return f"{max(1, round(age / 60))} min ago"
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if 0 < age < 6 * 86_400:
        return f"{local:%a %H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"


def until(moment: datetime, now: datetime | None = None) -> str:
    """How long until `moment`: `in 3 d`, or `over`."""
    left = int((moment - (now or datetime.now(UTC))).total_seconds())
    if left <= 0:
        return "over"
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if left >= unit:
            return f"in {left // unit} {name}"
    return f"in {left} s"


def format_size(size: int) -> str:
    """`512 B`, `1.4 KiB`, `2.0 GiB`."""
    if size < 1_024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1_024
        if amount < 1_024 or unit == "GiB":
            break
    return f"{amount:.1f} {unit}"


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe(text: str) -> str:
    """`text` without anything that could steer a terminal or turn lines around: what others write is only shown."""
    return "".join(
        character
        if character in "\n\t" or not (unicodedata.category(character) in {"Cc", "Cs"} or character in _BIDI)
        else "\ufffd"
        for character in text
    )


def one_line(text: str, length: int = 80) -> str:
    """`safe`, on one line, cut to `length`."""
    line = " ".join(safe(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def parse_size(text: str) -> int:
    """Bytes of `512`, `64K`, `16M`, `2G` (powers of 1,024; a following B or iB changes nothing). Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a size is written like 500000, 64K, 16M or 2G")
    power = "KMG".index(found[2].upper()) + 1 if found[2] else 0
    return int(found[1]) * int(1_024**power)


def count(number: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def grouped(number: str) -> str:
    """60 digits as 12 groups of five."""
    return " ".join(number[i : i + 5] for i in range(0, len(number), 5))
