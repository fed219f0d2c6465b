"""A `Backend` that asks a running agent over its Unix socket. Each call is one HTTP request; events are a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from roost.agent.api.answers import rebuilt
from roost.agent.api.endpoint import UNIX_HOST, read_endpoint
from roost.agent.api.http import AgentGone, post
from roost.agent.events import Event
from roost.agent.operations import BY_REQUEST, Request
from roost.errors import RoostError

R = TypeVar("R")
_OK = 200


class Client:
    """Whoever holds one has seen the agent answer at `socket_path`."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path

    async def call(self, request: Request[R], /) -> R:
        """Raises the RoostError that the agent raised, or AgentGone."""
        operation = BY_REQUEST[type(request)]
        status, body = await post(self._path, operation.name, msgspec.json.encode(request))
        if status != _OK:
            raise rebuilt(status, body)
        try:
            answer: R = msgspec.json.decode(body, type=operation.response)
        except msgspec.MsgspecError as error:
            raise RoostError(
                "The agent runs another version of Roost.", code="agent_version", hint="Restart it: roost agent"
            ) from error
        return answer

    def events(self, *, from_now: bool = True) -> AsyncIterator[Event]:
        """Events of the agent; ends with AgentGone when the agent does."""
        return self._events(from_now)

    async def _events(self, from_now: bool) -> AsyncIterator[Event]:
        from websockets.asyncio.client import unix_connect
        from websockets.exceptions import ConnectionClosed, InvalidHandshake

        decoder = msgspec.json.Decoder(Event)
        uri = f"ws://{UNIX_HOST}/v1/events?from_now={'true' if from_now else 'false'}"
        try:
            async with unix_connect(self._path, uri, max_size=None, proxy=None, compression=None) as link:
                async for text in link:
                    try:
                        yield decoder.decode(text)
                    except msgspec.ValidationError:
                        continue  # a type of event that this version does not know
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise AgentGone("The agent does not answer.") from error
        raise AgentGone("The agent ended.", hint="Start it again: roost agent")


async def find_agent(folder: Path) -> Client | None:
    """A client of the agent that serves the profile in `folder`, or None where none answers (stale traces included)."""
    endpoint = read_endpoint(folder)
    if endpoint is None:
        return None
    try:
        _, writer = await asyncio.open_unix_connection(endpoint.socket)
    except OSError:
        return None
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Client(endpoint.socket)
