"""A message's text with marks for its formatting, for apps that can show it in no other way. Place: agent."""

from __future__ import annotations

from roost.agent.views import MessageView, TextStyle
from roost.messaging import formatting
from roost.wire.content import Span, Style

_STYLES = {TextStyle(style.name.lower()): int(style) for style in Style}


def marked(message: MessageView) -> str:
    """As it might have been typed: `**bold**`, `> quote`..."""
    return formatting.marked(
        message.text, (Span(span.start, span.length, _STYLES[span.style]) for span in message.spans)
    )
