"""Formatting of a text: spans of code points, as the protocol carries them, and the marks by which people type them.

`**bold**`, `*italic*`, `_italic_`, `` `code` ``, ```` ``` ```` blocks, `~~struck~~`, `||spoiler||`, `> quote`. Marks
never travel: `parse` takes them out where a text is written, `marked` puts them back where a text has no other way to
show how it looks. web/src/ui/markup.ts does the same in the browser; tests/vectors/markup.json holds the two to each
other. Pure; docs/protocol/contents.md, section 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from roost.wire.content import Span, Style

MAX_SPANS = 512
MAX_DEPTH = 4  # of marks inside marks
MAX_MARKED_LINE = 4_000  # nobody marks up a longer one, and looking for marks takes the square of its length

_FENCE = re.compile(r"```(?:[a-z]{0,12}\n)?(.*?)```", re.DOTALL)
_INLINE = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|(?P<bold>\*\*(?=\S)[^\n]*?\S\*\*(?!\*))"
    r"|(?P<spoiler>\|\|(?=\S)[^\n]*?\S\|\|)"
    r"|(?P<strike>~~(?=\S)[^\n]*?\S~~)"
    r"|(?P<italic>(?<![\w*])\*(?=[^\s*])[^\n*]*?[^\s*]\*(?![\w*])|(?<!\w)_(?=\S)[^\n_]*?[^\s_]_(?!\w))"
    r"|(?P<link>https?://[^\s<>\"'`]+)"
)
_STYLES = {
    "bold": (Style.BOLD, 2),
    "spoiler": (Style.SPOILER, 2),
    "strike": (Style.STRIKE, 2),
    "italic": (Style.ITALIC, 1),
}
_MARKS = {Style.BOLD: "**", Style.ITALIC: "*", Style.CODE: "`", Style.SPOILER: "||", Style.STRIKE: "~~"}
_NESTING = (Style.SPOILER, Style.BOLD, Style.ITALIC, Style.STRIKE, Style.CODE)  # outermost first


def tidy(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans that mean something: known styles, inside the text, in order, none of a style touching another."""
    ranges: dict[int, list[tuple[int, int]]] = {}
    for span in spans:
        end = min(span.start + span.length, len(text))
        if span.start < end and span.style in Style.__members__.values():
            ranges.setdefault(span.style, []).append((span.start, end))
    found = [Span(start, end - start, style) for style, held in ranges.items() for start, end in _joined(sorted(held))]
    return tuple(sorted(found, key=lambda span: (span.start, -span.length, span.style)))[:MAX_SPANS]


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    first, last = ranges[0]
    for start, end in ranges[1:]:
        if start > last:
            yield first, last
            first = start
        last = max(last, end)
    yield first, last


# --- as people type it -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Parsed:
    """The text so far, and its spans."""

    pieces: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    length: int = 0

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def styled(self, start: int, style: Style) -> None:
        if self.length > start:
            self.spans.append(Span(start, self.length - start, style))


def parse(typed: str) -> tuple[str, tuple[Span, ...]]:
    """The text without its marks, and the spans that they meant."""
    parsed = _Parsed()
    at = 0
    for fence in _FENCE.finditer(typed):
        _lines(parsed, typed[at : fence.start()])
        start = parsed.length
        parsed.add(fence[1].removesuffix("\n"))
        parsed.styled(start, Style.CODE)
        at = fence.end()
    _lines(parsed, typed[at:])
    text = "".join(parsed.pieces)
    return text, tidy(text, parsed.spans)


def _lines(parsed: _Parsed, text: str) -> None:
    quote = -1
    for number, line in enumerate(text.split("\n")):
        if number:
            parsed.add("\n")
        quoted = line.startswith(">") and _at_line_start(parsed)
        if quoted and quote < 0:
            quote = parsed.length
        elif not quoted and quote >= 0:
            parsed.spans.append(Span(quote, parsed.length - 1 - quote, Style.QUOTE))
            quote = -1
        _inline(parsed, re.sub(r"^> ?", "", line) if quoted else line, 0)
    if quote >= 0:
        parsed.styled(quote, Style.QUOTE)


def _at_line_start(parsed: _Parsed) -> bool:
    return not parsed.length or parsed.pieces[-1].endswith("\n")


def _inline(parsed: _Parsed, text: str, depth: int) -> None:
    at = 0
    if len(text) > MAX_MARKED_LINE:
        parsed.add(text)
        return
    for found in _INLINE.finditer(text):
        parsed.add(text[at : found.start()])
        at = found.end()
        start, name, marked = parsed.length, str(found.lastgroup), found[0]
        if name == "code":
            parsed.add(marked[1:-1])
            parsed.styled(start, Style.CODE)
        elif name == "link" or depth >= MAX_DEPTH:
            parsed.add(marked)
        else:
            style, width = _STYLES[name]
            _inline(parsed, marked[width:-width], depth + 1)
            parsed.styled(start, style)
    parsed.add(text[at:])


def marked(text: str, spans: Iterable[Span]) -> str:
    """The text with marks for its spans: for terminals, and for changing a text that was sent."""
    spans = tidy(text, spans)
    if not spans:
        return text
    shown, at = [], 0
    for block in spans:
        end = block.start + block.length
        if block.style == Style.CODE and "\n" in text[block.start : end]:
            shown += [_marked(text, at, block.start, spans), f"```\n{text[block.start : end]}\n```"]
            at = end
    return "".join([*shown, _marked(text, at, len(text), spans)])


def _marked(text: str, at: int, end: int, spans: tuple[Span, ...]) -> str:
    lines, whole = [], text[at:end]
    for line in whole.split("\n"):
        end = at + len(line)
        quoted = any(
            span.style == Style.QUOTE and span.start <= at and span.start + span.length >= end for span in spans
        )
        lines.append(("> " if quoted else "") + _marked_line(line, at, spans))
        at = end + 1
    return "\n".join(lines)


def _marked_line(line: str, at: int, spans: tuple[Span, ...]) -> str:
    inside = [span for span in spans if span.start < at + len(line) and span.start + span.length > at]
    cuts = sorted({0, len(line), *(min(max(edge - at, 0), len(line)) for span in inside for edge in _edges(span))})
    shown, open_ = [], list[Style]()
    for start, end in zip(cuts, [*cuts[1:], len(line)], strict=True):
        wanted = [style for style in _NESTING if any(_covers(span, style, at + start, at + end) for span in inside)]
        if start == end:
            wanted = []
        same = next(
            (n for n, (a, b) in enumerate(zip(open_, wanted, strict=False)) if a != b), min(len(open_), len(wanted))
        )
        shown += [_MARKS[style] for style in reversed(open_[same:])] + [_MARKS[style] for style in wanted[same:]]
        shown.append(line[start:end])
        open_ = wanted
    return "".join(shown)


def _edges(span: Span) -> tuple[int, int]:
    return span.start, span.start + span.length


def _covers(span: Span, style: Style, start: int, end: int) -> bool:
    return span.style == style and span.start <= start and end <= span.start + span.length
