"""A small real backend that keeps conversations in memory, for tests of what stands in front of a backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from roost.agent import operations as ask
from roost.agent import views
from roost.agent.events import Event, MessageEvent
from roost.errors import CallerError, CryptoError, Refused, Unreachable

R = TypeVar("R")


class MemoryBackend:
    """Knows one contact, Bob. Sending to him is heard by every listener; a few texts provoke errors."""

    def __init__(self) -> None:
        self.messages: list[MessageEvent] = []
        self.unheard: list[Event] = []
        self.listeners: set[asyncio.Queue[Event | None]] = set()
        self.calls: list[ask.Request[Any]] = []

    async def call(self, request: ask.Request[R], /) -> R:
        self.calls.append(request)
        match request:
            case ask.WhoAmI():
                return cast(R, views.Identity(account="a" * 52, device="d", name="Alice", relays=("127.0.0.1:7",)))
            case ask.Contacts():
                return cast(R, (self._bob(),))
            case ask.Send():
                return cast(R, self._send(request))
            case ask.Read():
                found = [item for item in self.messages if item.conversation == request.conversation]
                return cast(R, views.MessagePage(messages=tuple(found[-(request.limit or len(found) or 1) :])))
            case _:
                raise CallerError("This backend cannot do that.", code="unsupported")

    def events(self, *, from_now: bool = True) -> AsyncIterator[Event]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.listeners.add(queue)
        backlog: list[Event] = []
        if not from_now:
            backlog, self.unheard = self.unheard, []
        return self._drain(queue, backlog)

    async def _drain(self, queue: asyncio.Queue[Event | None], backlog: list[Event]) -> AsyncIterator[Event]:
        try:
            for event in backlog:
                yield event
            while (heard := await queue.get()) is not None:
                yield heard
        finally:
            self.listeners.discard(queue)

    @staticmethod
    def _bob() -> views.ContactView:
        return views.ContactView(
            contact="bob",
            name="Bob",
            state=views.ContactState.ACCEPTED,
            verified=False,
            networks=(views.NetworkKind.CENTRAL,),
        )

    def _send(self, request: ask.Send) -> views.SentMessage:
        match request.text:
            case "caller":
                raise CallerError(
                    "No such conversation.", code="unknown_conversation", hint="roost contacts lists them."
                )
            case "unreachable":
                raise Unreachable("The relay does not answer.")
            case "forged":
                raise CryptoError("Not authentic.")
            case "full":
                raise Refused("The mailbox is full.", code="full")
            case "bug":
                raise ZeroDivisionError("a secret detail")
        now = datetime.now(UTC)
        event = MessageEvent(
            id=f"m{len(self.messages)}",
            conversation=request.conversation,
            sender=views.ME,
            text=request.text,
            sent_at=now,
            received_at=now,
            state=views.MessageState.QUEUED,
        )
        self.messages.append(event)
        if not self.listeners:
            self.unheard.append(event)
        for queue in self.listeners:
            queue.put_nowait(event)
        return views.SentMessage(id=event.id, conversation=event.conversation, state=event.state)


async def until(condition: Callable[[], object], within_s: float = 5) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on the other side of a socket
            await asyncio.sleep(0.005)
