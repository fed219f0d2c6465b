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
import webbrowser
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from roost.agent import browsing as b
from roost.agent import events as e
from roost.agent.views import ME

if TYPE_CHECKING:
    from jeepney.io.asyncio import DBusRouter  # type: ignore[import-untyped]

    from roost.agent.service import Service

PREFERENCE = "desktop"
"""The preference's name. Its values: `off`, `hidden` (the default), `name`, `full`."""
HIDDEN, NAME, FULL = "hidden", "name", "full"
_ANSWER_S = 3.0
_SHOWN_LETTERS = 200
_KEPT_IDS = 32  # of notifications that may still be clicked
_PATH, _INTERFACE = "/org/freedesktop/Notifications", "org.freedesktop.Notifications"
_MESSAGE, _REQUEST = "New message", "Somebody asks to become a contact"
_WATCHED = e.MessageEvent | e.RequestEvent


def available() -> bool:
    """Whether there is a desktop session that could show notifications."""
    return sys.platform == "linux" and bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS"))


@asynccontextmanager
async def notifications(
    service: Service, watched: Callable[[], bool], app_link: Callable[[], str]
) -> AsyncIterator[None]:
    """Show what comes in while the context lasts, whenever `watched` says that nobody looks at a window. A click opens
    the app, at an address that `app_link` makes."""
    if not available():
        yield
        return
    desktop = Desktop(lambda: webbrowser.open(app_link()))
    task = asyncio.create_task(_watch(service, watched, desktop))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await desktop.close()


async def _watch(service: Service, watched: Callable[[], bool], desktop: Desktop) -> None:
    async with aclosing(service.events(from_now=True)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, _WATCHED) and not watched():
                said = await _words(service, event)
                if said is not None:
                    await desktop.show(*said)


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


class Desktop:
    """The desktop's notification service. The link to it is opened when something is to be shown; clicks come by it."""

    def __init__(self, clicked: Callable[[], object]) -> None:
        self._clicked = clicked
        self._stack = AsyncExitStack()
        self._router: DBusRouter | None = None
        self._ids: deque[int] = deque(maxlen=_KEPT_IDS)

    async def show(self, title: str, text: str) -> bool:
        """Ask the desktop to show a notification; False where it does not answer. Never an error."""
        from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]
        from jeepney.io.common import RouterClosed  # type: ignore[import-untyped]

        body = html.escape(text, quote=False)  # services read a little markup in it
        hints = {"category": ("s", "im.received")}
        words = ("Roost", 0, "", title, body, ["default", "Roost"], hints, -1)
        call = new_method_call(DBusAddress(_PATH, _INTERFACE, _INTERFACE), "Notify", "susssasa{sv}i", words)
        try:
            async with asyncio.timeout(_ANSWER_S):
                router = self._router or await self._open()
                reply = await router.send_and_get_reply(call)
        except (OSError, TimeoutError, ValueError, KeyError, EOFError, RouterClosed):  # the next one tries anew
            await self.close()
            return False
        shown = bool(reply.header.message_type.name == "method_return")
        if shown:
            self._ids.append(reply.body[0])
        return shown

    async def close(self) -> None:
        self._router = None
        stack, self._stack = self._stack, AsyncExitStack()
        with suppress(OSError, EOFError, ValueError):  # what the link ended with
            await stack.aclose()

    async def _open(self) -> DBusRouter:
        from jeepney import MatchRule, message_bus
        from jeepney.io.asyncio import open_dbus_router

        router = await self._stack.enter_async_context(open_dbus_router())
        rule = MatchRule(type="signal", interface=_INTERFACE, member="ActionInvoked", path=_PATH)
        queue = self._stack.enter_context(router.filter(rule, bufsize=_KEPT_IDS))
        await router.send_and_get_reply(message_bus.AddMatch(rule))
        clicks = asyncio.create_task(self._clicks(queue))
        self._stack.callback(clicks.cancel)
        self._router = router
        return router

    async def _clicks(self, queue: asyncio.Queue[Any]) -> None:
        while True:
            message = await queue.get()
            if message.body[0] in self._ids:
                await asyncio.to_thread(self._clicked)
