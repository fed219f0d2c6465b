"""Serves a backend to other processes of the same person: HTTP and a WebSocket on a Unix socket and on 127.0.0.1.

It decides nothing about messages: a request is parsed into its Struct, carried out by the backend, and answered. The
shell's only rules are who may call (guard.py) and how many bytes one may send. On 127.0.0.1 it also serves the web
app's page, and outlives the backend: a profile that is locked or not made yet has none. docs/api.md describes it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from aiohttp import web

from roost.agent.api.endpoint import UNIX_HOST, Endpoint, bind_socket, forget_endpoint, write_endpoint
from roost.agent.api.files import FileRoutes
from roost.agent.api.guard import SESSION, Guard, Handler, refusal
from roost.agent.api.keys import Keys
from roost.agent.api.routes import Api, add_api
from roost.agent.api.uploads import UploadRoutes
from roost.agent.attachments import FileSource
from roost.agent.operations import Backend
from roost.errors import CallerError

_MAX_BODY = 1_048_576  # a text of 64 KiB escaped, with room; files have their own door
_CODES = {404: "no_such_operation", 405: "no_such_operation", 413: "too_long"}
_ACCEPT_TURNS = 5  # of the loop, until a connection accepted just now is known to its server, which then closes it
_GRACE_S = 3.0  # what runs when the agent stops may end within


class Extension(Protocol):
    """Routes that a part above the API adds on 127.0.0.1: the web app's page, making and unlocking a profile."""

    @property
    def public(self) -> frozenset[str]: ...

    def add_routes(self, application: web.Application) -> None: ...


class Loopback:
    """The server on 127.0.0.1. `open` and `close` say which backend it stands for now."""

    def __init__(self, version: str, extensions: tuple[Extension, ...] = ()) -> None:
        self.keys = Keys()
        self.api = Api(version)
        self.files = FileRoutes()
        self.uploads = UploadRoutes()
        self._extensions = extensions
        self._socket = _loopback_socket()
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def app_link(self) -> str:
        """An address of the web app that works once."""
        return f"{self.url}/#code={self.keys.new_code()}"

    def open(self, backend: Backend, files: FileSource | None, uploads: Path | None) -> None:
        """From now on requests go to `backend`; files come from `files`, and what is sent lands in `uploads`."""
        self.api.backend = backend
        self.files.source, self.uploads.folder = files, uploads

    async def close(self) -> None:
        """There is no backend any more: its listeners are told to go."""
        self.api.backend = None
        source, self.files.source, self.uploads.folder = self.files.source, None, None
        await self.api.close()
        if source is not None:
            await source.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        public = frozenset().union(*(extension.public for extension in self._extensions))
        guard = Guard(frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}"}), self.keys, public)
        application = _application(self.api, guard)
        application.router.add_post(SESSION, self._session)
        self.files.add_routes(application, self.keys)
        self.uploads.add_routes(application)
        for extension in self._extensions:
            extension.add_routes(application)
        async with _served(application, self._socket):
            yield

    async def _session(self, request: web.Request) -> web.Response:
        """Exchange a code for a token (docs/api.md)."""
        try:
            shown = (await request.json())["code"]
        except (ValueError, KeyError, TypeError):
            shown = ""
        token = self.keys.exchange(shown) if isinstance(shown, str) else None
        if token is None:
            return refusal(_SPENT, HTTPStatus.UNAUTHORIZED)
        return web.json_response({"token": token, "files": self.keys.files})


_SPENT = CallerError("This link was used already, or is too old.", code="spent_link", hint="Open Roost again: roost")


@asynccontextmanager
async def serve(
    backend: Backend,
    folder: Path,
    *,
    version: str = "",
    loopback: Loopback | None = None,
    files: FileSource | None = None,
    extensions: tuple[Extension, ...] = (),
) -> AsyncIterator[Endpoint]:
    """Serve `backend` while the context lasts; agent.json in `folder` says where.

    The caller holds the profile's lock. On the way out sockets close, and agent.json and the socket are taken away. A
    `loopback` that is given runs already, and goes on without a backend.
    """
    if loopback is None:
        loopback = Loopback(version, extensions)
        async with loopback.running(), serve(backend, folder, version=version, loopback=loopback, files=files) as found:
            yield found
        return
    local = bind_socket(folder)
    endpoint = Endpoint(pid=os.getpid(), socket=local.getsockname(), url=loopback.url, token=loopback.keys.program)
    api = Api(version, backend, new_code=loopback.keys.new_code, url=loopback.url)
    application = _application(api, Guard(frozenset({UNIX_HOST, "localhost"})))
    try:
        async with _served(application, local):
            loopback.open(backend, files, folder / "uploads" if files else None)
            write_endpoint(folder, endpoint)
            try:
                yield endpoint
            finally:
                forget_endpoint(folder, endpoint)
                await loopback.close()
    finally:
        forget_endpoint(folder, endpoint)
        local.close()


@asynccontextmanager
async def _served(application: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield
    finally:
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        await runner.cleanup()
        listening.close()


def _loopback_socket() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    listening.setblocking(False)
    return listening


def _application(api: Api, guard: Guard) -> web.Application:
    application = web.Application(client_max_size=_MAX_BODY, middlewares=[_own_words, guard.middleware])
    add_api(application, api)
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
