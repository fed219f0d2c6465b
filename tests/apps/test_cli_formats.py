"""Durations, times, sizes, and text made safe for a terminal."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.apps.cli.formats import (
    format_duration,
    format_size,
    grouped,
    one_line,
    parse_duration,
    relative,
    safe,
    until,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("30m", 1_800), ("1h", 3_600), ("7d", 604_800), ("2w", 1_209_600), ("1d12h", 129_600)),
        *(("45", 45), ("off", 0), ("0", 0), (" 1H ", 3_600)),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1y", "1h ago", "-1h", "1.5h", "soon", "9999999999", "999w999w", "١h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse_duration(text)


@given(st.integers(0, 10 * 366 * 86_400))
def test_durations_are_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(text) <= 10 * 366 * 86_400


@given(st.text())
def test_safe_text_steers_no_terminal(text: str) -> None:
    shown = safe(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in shown)
    assert "\u202e" not in shown
    line = one_line(text, 20)
    assert len(line) <= 20
    assert not set("\n\r\t\x1b") & set(line)


def test_safe_keeps_what_people_write() -> None:
    for text in ("Grüße", "日本語", "👩‍👩‍👧 family", "a\tb\nc", "עברית"):
        assert safe(text) == text
    assert safe("a\x1b[31mred\x07") == "a\ufffd[31mred\ufffd"


@pytest.mark.parametrize(
    ("ago", "words"),
    [(timedelta(seconds=5), "just now"), (timedelta(minutes=5), "5 min ago"), (timedelta(days=400), "2025-10-18")],
)
def test_relative_times(ago: timedelta, words: str) -> None:
    assert relative(NOW - ago, NOW).startswith(words)


def test_time_left() -> None:
    assert until(NOW + timedelta(days=3, hours=1), NOW) == "in 3 d"
    assert until(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert until(NOW, NOW) == "over"


def test_sizes_and_groups() -> None:
    assert [format_size(n) for n in (0, 1_023, 1_536, 2 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "2.0 GiB"]
    assert grouped("12345" * 12).split() == ["12345"] * 12
