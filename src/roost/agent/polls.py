"""Operations on polls: asking, and voting. A poll is a message like others; `MessageView.poll` shows how it stands.

Place: agent, a part of the table in operations.py.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from roost.agent.request import Request
from roost.agent.views import MessageRef, SentMessage

Option = Annotated[str, Meta(min_length=1, max_length=256)]


class AskPoll(Request[SentMessage], frozen=True, kw_only=True):
    """Ask everybody in a conversation; `several`: one may choose more than one option."""

    conversation: str
    question: Annotated[str, Meta(min_length=1, max_length=1_024)]
    options: Annotated[tuple[Option, ...], Meta(min_length=2, max_length=20)]
    several: bool = False


class Vote(Request[MessageRef], frozen=True, kw_only=True):
    """Choose options of a poll, counted from 0, in place of an earlier choice; none takes it back."""

    id: str
    options: Annotated[tuple[Annotated[int, Meta(ge=0, le=19)], ...], Meta(max_length=20)] = ()


REQUESTS: tuple[type[Request[object]], ...] = (AskPoll, Vote)  # type: ignore[assignment]
