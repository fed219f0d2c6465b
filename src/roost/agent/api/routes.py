"""The table of operations as routes, and events as a WebSocket, over whichever backend there is at the moment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from roost.agent.api.guard import TOKEN_PROTOCOL, refusal
from roost.agent.api.openapi import description
from roost.agent.operations import OPERATIONS, Backend, Operation
from roost.errors import CallerError, RoostError

PROTOCOL = "roost"
_HEARTBEAT_S = 30.0
_CLOSED = CallerError("The profile is locked, or not made yet.", code="locked", hint="Unlock it first.")


class Api:
    """The handlers. `new_code` makes a link to the web app, where this is the door for the owner's programs."""

    def __init__(
        self, version: str, backend: Backend | None = None, *, new_code: Callable[[], str] | None = None, url: str = ""
    ) -> None:
        self.backend = backend
        self._version = version
        self._new_code = new_code
        self._url = url
        self._listeners: set[web.WebSocketResponse] = set()

    @property
    def watched(self) -> bool:
        """Whether somebody listens to events: a window of the app is open."""
        return bool(self._listeners)

    def handler(self, operation: Operation) -> Any:
        decoder = msgspec.json.Decoder(operation.request)

        async def handle(request: web.Request) -> web.Response:
            if self.backend is None:
                return refusal(_CLOSED)
            try:
                asked = decoder.decode(await request.read() or b"{}")
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                return refusal(CallerError(f"The request does not fit: {error}"))
            try:
                answer = await self.backend.call(asked)
            except RoostError as error:
                return refusal(error)
            except Exception as error:  # noqa: BLE001 - one failed call must not end the agent
                return refusal(_internal(error))
            return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

        return handle

    async def openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=description(self._version), content_type="application/json")

    async def app_link(self, _: web.Request) -> web.Response:
        """An address of the web app that works once."""
        if self._new_code is None:
            return refusal(CallerError("Ask for this over the socket.", code="forbidden"))
        return web.json_response({"url": f"{self._url}/#code={self._new_code()}"})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Events as text messages until either side closes. What the client sends is ignored."""
        if self.backend is None:
            return refusal(_CLOSED)
        from_now = request.query.get("from_now", "true").lower() not in {"false", "0"}
        events = self.backend.events(from_now=from_now)  # subscribed before the client learns that it is connected
        offers = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = (PROTOCOL,) if TOKEN_PROTOCOL in offers else ()
        listener = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=4_096, protocols=protocols)
        await listener.prepare(request)
        self._listeners.add(listener)
        pump = asyncio.create_task(_pump(events, listener))
        try:
            async for _ in listener:
                pass
        finally:
            self._listeners.discard(listener)
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
        return listener

    async def close(self, _: web.Application | None = None) -> None:
        for listener in tuple(self._listeners):
            await listener.close(code=WSCloseCode.GOING_AWAY, message=b"the agent stops")


def add_api(application: web.Application, api: Api) -> None:
    for operation in OPERATIONS.values():
        application.router.add_post(f"/v1/{operation.name}", api.handler(operation))
    application.router.add_post("/v1/app-link", api.app_link)
    application.router.add_get("/v1/events", api.events)
    application.router.add_get("/openapi.json", api.openapi)
    application.on_shutdown.append(api.close)


async def _pump(events: Any, listener: web.WebSocketResponse) -> None:
    """Move events to one listener; a slow one holds up only itself."""
    async with aclosing(events):
        async for event in events:
            try:
                await listener.send_str(msgspec.json.encode(event).decode())
            except (ConnectionError, RuntimeError):
                return
    await listener.close(code=WSCloseCode.GOING_AWAY, message=b"the agent stops")


def _internal(error: Exception) -> RoostError:
    if os.environ.get("ROOST_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    return RoostError(
        f"Something went wrong in the agent that should not ({type(error).__name__}).",
        code="internal",
        hint="Run the agent with ROOST_DEBUG=1 to see where, and please report it.",
    )
