"""Serves a backend to other processes of the same person: HTTP and a WebSocket on a Unix socket and on 127.0.0.1.

It decides nothing about messages: a request is parsed into its Struct, carried out by the backend, and answered. The
shell's only rules are who may call (guard.py) and how many bytes one may send. docs/api.md describes it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from roost.agent.api.endpoint import UNIX_HOST, Endpoint, bind_socket, forget_endpoint, write_endpoint
from roost.agent.api.guard import Guard, Handler, refusal
from roost.agent.api.openapi import description
from roost.agent.operations import OPERATIONS, Backend, Operation
from roost.errors import CallerError, RoostError

_MAX_BODY = 1_048_576  # a text of 64 KiB escaped, with room; files go by path
_HEARTBEAT_S = 30.0
_CODES = {404: "no_such_operation", 405: "no_such_operation", 413: "too_long"}
_ACCEPT_TURNS = 5  # of the loop, until a connection accepted just now is known to its server, which then closes it
_GRACE_S = 3.0  # what runs when the agent stops may end within


@asynccontextmanager
async def serve(backend: Backend, folder: Path, *, version: str = "") -> AsyncIterator[Endpoint]:
    """Serve `backend` while the context lasts; agent.json in `folder` says where.

    The caller holds the profile's lock. On the way out sockets close, and agent.json and the socket are taken away.
    """
    local = bind_socket(folder)
    loopback = _loopback_socket()
    token = secrets.token_urlsafe(32)
    port = loopback.getsockname()[1]
    endpoint = Endpoint(pid=os.getpid(), socket=local.getsockname(), url=f"http://127.0.0.1:{port}", token=token)
    guards = (
        (local, Guard(frozenset({UNIX_HOST, "localhost"}))),
        (loopback, Guard(frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}), token)),
    )
    runners: list[web.AppRunner] = []
    try:
        for listening, guard in guards:
            runner = web.AppRunner(_application(backend, guard, version), access_log=None, shutdown_timeout=_GRACE_S)
            runners.append(runner)
            await runner.setup()
            await web.SockSite(runner, listening).start()
        write_endpoint(folder, endpoint)
        yield endpoint
    finally:
        forget_endpoint(folder, endpoint)
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        for runner in runners:
            await runner.cleanup()
        local.close()
        loopback.close()


def _loopback_socket() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    listening.setblocking(False)
    return listening


def _application(backend: Backend, guard: Guard, version: str) -> web.Application:
    application = web.Application(client_max_size=_MAX_BODY, middlewares=[_own_words, guard.middleware])
    api = _Api(backend, version)
    for operation in OPERATIONS.values():
        application.router.add_post(f"/v1/{operation.name}", api.handler(operation))
    application.router.add_get("/v1/events", api.events)
    application.router.add_get("/openapi.json", api.openapi)
    application.on_shutdown.append(api.close)
    return application


@web.middleware
async def _own_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal has the same form, the server's own ones (no such path, too long) too."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return refusal(
            CallerError(f"{error.reason}.", code=_CODES.get(error.status, "bad_request")), HTTPStatus(error.status)
        )


class _Api:
    """The handlers over one backend."""

    def __init__(self, backend: Backend, version: str) -> None:
        self._backend = backend
        self._version = version
        self._listeners: set[web.WebSocketResponse] = set()

    def handler(self, operation: Operation) -> Any:
        decoder = msgspec.json.Decoder(operation.request)

        async def handle(request: web.Request) -> web.Response:
            try:
                asked = decoder.decode(await request.read() or b"{}")
            except msgspec.MsgspecError as error:
                return refusal(CallerError(f"The request does not fit: {error}"))
            try:
                answer = await self._backend.call(asked)
            except RoostError as error:
                return refusal(error)
            except Exception as error:  # noqa: BLE001 - one failed call must not end the agent
                return refusal(_internal(error))
            return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

        return handle

    async def openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=description(self._version), content_type="application/json")

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """Events as text messages until either side closes. What the client sends is ignored."""
        from_now = request.query.get("from_now", "true").lower() not in {"false", "0"}
        events = self._backend.events(from_now=from_now)  # subscribed before the client learns that it is connected
        listener = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=4_096)
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

    async def close(self, _: web.Application) -> None:
        for listener in tuple(self._listeners):
            await listener.close(code=WSCloseCode.GOING_AWAY, message=b"the agent stops")


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
