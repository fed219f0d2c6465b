"""Notifications of the desktop, shown by the agent while no window of the app is open to show its own.

They go to the desktop's notification service (org.freedesktop.Notifications) on the session's D-Bus, where there is
one; elsewhere nothing happens. They say that something came, and from whom or what only where the person chose that: a
desktop may keep what it shows. Place: agent, under host.py and connect.py; knows the service, not messaging's rules.
"""

from __future__ import annotations

import asyncio
import html
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from roost.agent import browsing as b
from roost.agent import events as e
from roost.agent.views import ME

if TYPE_CHECKING:
    from roost.agent.service import Service

PREFERENCE = "desktop"
"""The preference's name. Its values: `off`, `hidden` (the default), `name`, `full`."""
HIDDEN, NAME, FULL = "hidden", "name", "full"
_ANSWER_S = 3.0
_SHOWN_LETTERS = 200
_MESSAGE, _REQUEST = "New message", "Somebody asks to become a contact"
_WATCHED = e.MessageEvent | e.RequestEvent


def available() -> bool:
    """Whether there is a desktop session that could show notifications."""
    return sys.platform == "linux" and bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS"))


@asynccontextmanager
async def notifications(service: Service, watched: Callable[[], bool]) -> AsyncIterator[None]:
    """Show what comes in while the context lasts, whenever `watched` says that nobody looks at a window."""
    if not available():
        yield
        return
    task = asyncio.create_task(_watch(service, watched))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(service: Service, watched: Callable[[], bool]) -> None:
    async with aclosing(service.events(from_now=True)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, _WATCHED) and not watched():
                said = await _words(service, event)
                if said is not None:
                    await show(*said)


async def _words(service: Service, event: _WATCHED) -> tuple[str, str] | None:
    """Title and text for an event; None where the person does not want to be told."""
    wanted = (await service.call(b.GetPreferences())).values.get(PREFERENCE, HIDDEN)
    if wanted not in (HIDDEN, NAME, FULL):
        return None
    if isinstance(event, e.RequestEvent):
        return "Roost", _REQUEST if wanted == HIDDEN else f"{event.name}: {_REQUEST}"
    if event.sender == ME:
        return None
    rows = await service.call(b.Conversations())
    row = next((row for row in rows if row.id == event.conversation), None)
    meant = any(mention.member == ME for mention in event.mentions)  # whoever is meant is told, muted or not
    if row is None or (row.muted_until is not None and not meant):
        return None
    name = "Roost" if wanted == HIDDEN else row.name
    said = f"{event.from_name}: {event.text}" if event.from_name else event.text
    return name, said[:_SHOWN_LETTERS] if wanted == FULL and event.text else _MESSAGE


async def show(title: str, text: str) -> bool:
    """Ask the desktop to show a notification; False where it does not answer. Never an error."""
    from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]
    from jeepney.io.asyncio import open_dbus_router  # type: ignore[import-untyped]

    address = DBusAddress("/org/freedesktop/Notifications", "org.freedesktop.Notifications", _INTERFACE)
    body = html.escape(text, quote=False)  # services read a little markup in it
    call = new_method_call(
        address, "Notify", "susssasa{sv}i", ("Roost", 0, "", title, body, [], {"category": ("s", "im.received")}, -1)
    )
    try:
        async with asyncio.timeout(_ANSWER_S), open_dbus_router() as router:
            reply = await router.send_and_get_reply(call)
    except (OSError, TimeoutError, ValueError, KeyError, EOFError):
        return False
    return bool(reply.header.message_type.name == "method_return")


_INTERFACE = "org.freedesktop.Notifications"
