"""An attachment, or a person's picture, as bytes that can be read from anywhere in it: what the local API streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from roost.agent import naming
from roost.agent.actions.messages import fetched_file, safe_name
from roost.agent.pictures import HEAD, Media, media_of
from roost.crypto import AttachmentKey
from roost.errors import CallerError
from roost.store import FileRef
from roost.wire import content as c

if TYPE_CHECKING:
    from roost.agent.service import Service


@dataclass(frozen=True, slots=True)
class OpenFile:
    """`media` None: not to be shown in place, whatever its sender calls it."""

    name: str
    size: int
    media: Media | None
    _read: Callable[[int, int], bytes]

    async def read(self, offset: int, length: int) -> bytes:
        """Plain bytes from `offset` on; fewer at the end. Raises SurroundingsError `file_damaged`."""
        return await asyncio.to_thread(self._read, offset, length)


class FileSource(Protocol):
    """Whoever has the files of a profile."""

    async def attachment(self, message: str, number: int) -> OpenFile: ...

    async def picture(self, account: str) -> OpenFile: ...


class ProfileFiles:
    """The files of an open profile."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def attachment(self, message: str, number: int) -> OpenFile:
        """Fetched first if it is not here yet.

        Raises:
            CallerError: `unknown_message`, `no_such_attachment`. SurroundingsError: `file_lost`, `timeout`.
        """
        engine = self._service.engine
        row = naming.message(engine.look(), message)
        content = c.decode_content(row.content)
        if not isinstance(content, c.Text) or not 0 <= number < len(content.attachments):
            raise CallerError("This message has no such attachment.", code="no_such_attachment")
        stored = await fetched_file(self._service, row.id, number)
        ref = FileRef(stored.file, AttachmentKey(stored.file_key), stored.size)

        def read(offset: int, length: int) -> bytes:
            return engine.profile.files.read(ref, offset, length)

        head = await asyncio.to_thread(read, 0, HEAD)
        return OpenFile(safe_name(content.attachments[number].name), stored.size, media_of(head), read)

    async def picture(self, account: str) -> OpenFile:
        """A contact's picture, or one's own as "me". Raises CallerError `no_picture`."""
        work = self._service.engine.look()
        about: c.About | None = work.me.about if account == "me" else naming.contact(work, account).about
        data = about.picture if about else b""
        media = media_of(data[:HEAD]) if data else None
        if media is None:
            raise CallerError("There is no picture.", code="no_picture")
        return OpenFile("picture", len(data), media, lambda offset, length: data[offset : offset + length])
