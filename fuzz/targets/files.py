"""Targets of what is read from files, from the local API, and of pictures and films that others chose."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fuzz.tools import Choices, Target, insist, only
from roost.agent.api.answers import rebuilt
from roost.agent.api.endpoint import FILE_NAME, read_endpoint
from roost.agent.api.http import _answer
from roost.agent.api.routes import Api
from roost.agent.operations import OPERATIONS
from roost.agent.pictures import media_of, without_metadata
from roost.errors import CallerError, RoostError, SurroundingsError
from roost.messaging.records import ROWS
from roost.store import protection
from roost.store.fileref import check_name
from roost.store.tables import table_of

NAMES = sorted(OPERATIONS)


def key_file(data: bytes) -> None:
    with only(SurroundingsError):
        read = protection.decode(data)
        insist(protection.decode(protection.encode(read)) == read, "profile.json changes when it is written")


def row(data: bytes) -> None:
    """The first byte names the table; the row comes back as it was, or the profile is called damaged."""
    if not data:
        return
    table = table_of(ROWS[data[0] % len(ROWS)])
    with only(SurroundingsError):
        read = table.decode(data[1:])
        insist(table.decode(table.encode(read)[-1]) == read, "a row changes when it is stored")  # type: ignore[arg-type]


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="roost-fuzz-"))


def agent_file(data: bytes) -> None:
    (_scratch() / FILE_NAME).write_bytes(data)
    endpoint = read_endpoint(_scratch())
    insist(endpoint is None or isinstance(endpoint.socket, str), "an endpoint without a socket")


def media(data: bytes) -> None:
    """Pictures: never an error; what is still the picture afterwards has lost its metadata at once.

    Of a damaged picture less may be left than before, down to nothing that is one.
    """
    found = media_of(data)
    if found is not None:
        insist(found.width >= 0 and found.height >= 0 and "/" in found.type, "a medium of no kind")
    plain = without_metadata(data)
    insist(len(plain) <= len(data) + 40, "a picture grew")
    if found is not None and found.showable and media_of(plain) == found:
        insist(without_metadata(plain) == plain, "metadata is left")


class _Asked:
    """As much of an HTTP request as the handlers look at."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


class _Echo:
    """A backend that answers nothing and remembers what it was asked."""

    asked: Any = None

    async def call(self, request: Any) -> Any:
        self.asked = request
        raise CallerError("not here")


def operation(data: bytes) -> None:
    """The first byte names the operation: its body is a request or refused with 400."""
    if not data:
        return
    wanted, backend = OPERATIONS[NAMES[data[0] % len(NAMES)]], _Echo()
    handling = Api("0", backend).handler(wanted)(_Asked(data[1:]))  # type: ignore[arg-type]
    try:
        handling.send(None)
    except StopIteration as ended:
        insist(ended.value.status == 400, "a request was answered with something else")
        insist(isinstance(rebuilt(400, ended.value.body), CallerError), "a refusal that clients do not understand")
    else:
        insist(False, "the handler waits for something")
    if backend.asked is not None:
        again = msgspec.json.decode(msgspec.json.encode(backend.asked), type=wanted.request)
        insist(again == backend.asked, "a request changes when it is written")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def agent_answer(data: bytes) -> None:
    """An answer of the agent as the command line reads it, and the refusal inside."""
    choices = Choices(data)
    status, body = 400 + choices.below(120), choices.rest()
    insist(isinstance(rebuilt(status, body), RoostError), "a refusal that is none")
    reader = asyncio.StreamReader(limit=65_536, loop=_loop())
    reader.feed_data(body)
    reader.feed_eof()
    try:
        _loop().run_until_complete(_answer(reader))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        return


def stored_name(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        check_name(text)
    except ValueError:
        return
    insist(Path(text).name == text and len(text) == 32 and text.isascii(), "a name leads out of the folder")


TARGETS = (
    Target("store-key-file", key_file, "profile.json is read or called damaged", 16_384),
    Target("store-rows", row, "a stored row is read or called damaged", structured=1),
    Target("store-names", stored_name, "no name leads out of the folder of files", 64),
    Target("agent-file", agent_file, "agent.json is read or ignored", 4_096),
    Target("agent-operations", operation, "a body is a request, or refused with 400", 8_192),
    Target("agent-answers", agent_answer, "an answer is read, or ValueError", 8_192),
    Target("agent-media", media, "never an error; metadata goes at once", 8_192),
)
