"""The little HTTP that a client of the local API needs: one request, one answer of known length, over a Unix socket.

A general client library would cost every command a quarter of a second of imports. The other side is our own server.
"""

from __future__ import annotations

import asyncio

from roost.agent.api.endpoint import UNIX_HOST
from roost.errors import SurroundingsError

_MAX_HEAD = 65_536


class AgentGone(SurroundingsError):
    """The agent does not answer, or ended in the middle. Whether the operation was done is not known."""

    code = "agent_gone"
    hint = "Repeat the command; send --id KEY makes sure that nothing is sent twice."


async def post(path: str, operation: str, body: bytes) -> tuple[int, bytes]:
    """POST /v1/`operation` at the socket `path`. Returns status and body. Raises AgentGone."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_HEAD)
    except OSError as error:
        raise AgentGone("The agent does not answer.") from error
    try:
        writer.write(_head(operation, len(body)) + body)
        await writer.drain()
        return await _answer(reader)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise AgentGone("The agent ended before it answered.") from error
    finally:
        writer.close()


def _head(operation: str, length: int) -> bytes:
    lines = (
        f"POST /v1/{operation} HTTP/1.1",
        f"Host: {UNIX_HOST}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Raises ValueError on anything that our server does not write."""
    status_line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(status_line.partition(" ")[2].partition(" ")[0])
    fields = dict(_field(line) for line in headers if line)
    if "content-length" not in fields:
        raise ValueError("an answer without a length")
    return status, await reader.readexactly(int(fields["content-length"]))


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError("not a header")
    return name.strip().lower(), value.strip()
