"""An attachment, or a person's picture, as bytes that can be read from anywhere in it: what the local API streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from roost.agent import naming, showing_groups
from roost.agent.actions.messages import fetched_file, safe_name
from roost.agent.pictures import HEAD, Media, media_of
from roost.agent.thumbnail_worker import MAX_INPUT
from roost.agent.thumbnails import Thumbnails
from roost.agent.views import ME
from roost.crypto import AttachmentKey, account_id, parse_account_id
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.channels import states
from roost.messaging.work import Work
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

    async def preview(self, message: str, number: int) -> OpenFile: ...

    async def picture(self, account: str) -> OpenFile: ...

    async def close(self) -> None: ...


class ProfileFiles:
    """The files of an open profile."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thumbnails = Thumbnails()

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

    async def preview(self, message: str, number: int) -> OpenFile:
        """A small picture of an attachment that is one, made now or before.

        Raises:
            CallerError: as `attachment`; `no_preview` where none can be made. SurroundingsError: as `attachment`.
        """
        engine = self._service.engine
        id = naming.message(engine.look(), message).id
        made = engine.look().get(r.Thumbnail, id, number)
        if made is None:
            made = r.Thumbnail(id, number, await self._make(message, number))
            engine.step(_keep, made)
        data = made.data
        if not data:
            raise CallerError("There is no preview of this.", code="no_preview")
        return OpenFile("preview.webp", len(data), media_of(data[:HEAD]), lambda at, length: data[at : at + length])

    async def _make(self, message: str, number: int) -> bytes:
        file = await self.attachment(message, number)
        if file.media is None or not file.media.showable or file.size > MAX_INPUT:
            return b""
        if not file.media.type.startswith("image/"):
            return b""
        return await self._thumbnails.make(await file.read(0, file.size))

    async def close(self) -> None:
        """End what makes previews."""
        await self._thumbnails.close()

    async def picture(self, account: str) -> OpenFile:
        """A contact's or member's picture, a group's, or one's own, as "me" or by one's account. Raises CallerError
        `no_picture`."""
        data = _picture(self._service.engine.look(), account)
        media = media_of(data[:HEAD]) if data else None
        if media is None:
            raise CallerError("There is no picture.", code="no_picture")
        return OpenFile("picture", len(data), media, lambda offset, length: data[offset : offset + length])


def _picture(work: Work, id: str) -> bytes:
    if id in (ME, account_id(work.me.account)):
        return work.me.about.picture
    known = work.get(r.Contact, parse_account_id(id))
    if known is not None:  # also of somebody who is met in a group only
        return known.about.picture if known.about else b""
    found = naming.conversation(work, id)
    if found.group is not None:
        state = showing_groups.state_of(found.group)
        return state.avatar if state else b""
    if found.channel is not None:
        channel = states.held(found.channel)
        return channel.avatar if channel else b""
    return b""


def _keep(work: Work, made: r.Thumbnail) -> None:
    if work.get(r.StoredFile, made.message, made.index) is not None:  # else the message went meanwhile
        work.put(made)
