"""Spans are carried, whatever they are; what is shown of them is inside the text and harmless. Marks become spans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.messaging.formatting import MAX_SPANS, marked, parse, tidy
from roost.wire.content import Span, Style, Text, decode_content, encode_content

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "markup.json").read_text(encoding="utf-8"))["cases"]
any_spans = st.lists(
    st.builds(Span, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255))
    | st.builds(Span, st.integers(0, 60), st.integers(0, 60), st.integers(0, 7)),
    max_size=40,
)


@pytest.mark.parametrize("case", CASES, ids=[repr(case["typed"][:24]) for case in CASES])
def test_marks_become_spans(case: dict[str, object]) -> None:
    text, spans = parse(str(case["typed"]))
    told = [{"start": span.start, "length": span.length, "style": Style(span.style).name.lower()} for span in spans]
    assert (text, told) == (case["text"], case["spans"])


@given(st.text(max_size=60), any_spans)
def test_whatever_spans_come_those_shown_are_inside_in_order_and_few(text: str, told: list[Span]) -> None:
    shown = tidy(text, told)
    assert len(shown) <= MAX_SPANS
    assert list(shown) == sorted(shown, key=lambda span: (span.start, -span.length, span.style))
    for span in shown:
        assert 0 <= span.start < span.start + span.length <= len(text)
        assert span.style in {int(style) for style in Style}
    letters = {style: {at for span in told if span.style == style for at in _letters(span, text)} for style in Style}
    assert letters == {
        style: {at for span in shown if span.style == style for at in _letters(span, text)} for style in Style
    }


def _letters(span: Span, text: str) -> range:
    return range(min(span.start, len(text)), min(span.start + span.length, len(text)))


@given(st.text(alphabet="ab *_`|~>\n", max_size=50))
def test_any_text_is_parsed_and_marks_come_back(typed: str) -> None:
    text, spans = parse(typed)
    assert tidy(text, spans) == spans
    assert isinstance(marked(text, spans), str)


@given(st.text(alphabet="ab\n ", max_size=50), any_spans)
def test_marking_loses_no_letter(text: str, told: list[Span]) -> None:
    kept = marked(text, told)
    for mark in "*`|~>_":
        kept = kept.replace(mark, "")
    assert [letter for letter in kept if letter in "ab"] == [letter for letter in text if letter in "ab"]


@pytest.mark.parametrize("case", [case for case in CASES if len(case["typed"]) < 80 and "***" not in case["typed"]])
def test_marks_that_come_back_mean_the_same(case: dict[str, object]) -> None:
    text, spans = parse(str(case["typed"]))
    if spans:
        assert parse(marked(text, spans)) == (text, spans)


def test_a_style_of_a_later_version_loses_no_message() -> None:
    content = Text("from the future", (Span(0, 4, 200), Span(5, 3, int(Style.BOLD))))
    assert decode_content(encode_content(content)) == content
    assert tidy(content.text, content.spans) == (Span(5, 3, int(Style.BOLD)),)
