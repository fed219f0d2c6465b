"""Taking files into the profile that are to be sent: copied, encrypted, and looked at for what is shown beforehand.

Place: agent; for actions.messages.
"""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from roost.agent import operations as o
from roost.agent.pictures import HEAD, media_of, turned
from roost.crypto import AttachmentKey
from roost.errors import CallerError
from roost.messaging import files
from roost.messaging import records as r
from roost.store import FileRef
from roost.wire import content as c

if TYPE_CHECKING:
    from roost.agent.service import Service

MAX_FILES = 32
ANY_TYPE = "application/octet-stream"
_LONGEST_SIDE = 65_535


async def take_files(
    service: Service, paths: tuple[str, ...], voice: o.VoiceNote | None = None
) -> tuple[tuple[c.Attachment, ...], tuple[files.LocalFile, ...]]:
    """Copy the files, encrypted, into the profile: from now on they may change or vanish.

    Raises:
        CallerError: `too_many_files`, `not_a_voice_note`, and what reading them raises.
    """
    if len(paths) > MAX_FILES:
        raise CallerError(f"At most {MAX_FILES} files go with one message.", code="too_many_files")
    if voice is not None and len(paths) != 1:
        raise CallerError("A voice note is one file.", code="not_a_voice_note")
    attachments, local = [], []
    for index, text in enumerate(paths):
        attachment, file = await _take(service, Path(text), index, voice)
        attachments.append(attachment)
        local.append(file)
    return tuple(attachments), tuple(local)


async def _take(
    service: Service, path: Path, index: int, voice: o.VoiceNote | None
) -> tuple[c.Attachment, files.LocalFile]:
    engine, loop = service.engine, asyncio.get_running_loop()
    store = engine.profile.files
    name = path.name[:200] or "file"

    def progress(done: int, total: int) -> None:
        event = r.Event("transfer", bytes(16), detail=f"out/{index}/{done}/{total}/{name}")
        loop.call_soon_threadsafe(engine.tell, event)

    added = await asyncio.to_thread(store.add, path, progress)
    ref = FileRef(added.ref.name, AttachmentKey(added.ref.key.to_bytes()), added.ref.size)
    head = await asyncio.to_thread(store.read, ref, 0, HEAD)
    media = media_of(head) if voice else None
    kind = media.type if media else mimetypes.guess_type(name)[0] or ANY_TYPE
    facts = c.MediaFacts(0, 0, voice.duration_ms, bytes(voice.waveform)) if voice else facts_of(head)
    attachment = c.Attachment(name, added.ref.size, kind, added.digest, None, voice is not None, facts)
    return attachment, files.LocalFile(added.ref.name, added.ref.key.to_bytes(), added.ref.size)


def facts_of(head: bytes) -> c.MediaFacts | None:
    """What a picture's recipient lays out before it is there: its size as it is seen."""
    media = media_of(head)
    if media is None or not 0 < max(media.width, media.height) <= _LONGEST_SIDE:
        return None
    width, height = (media.height, media.width) if turned(head) else (media.width, media.height)
    return c.MediaFacts(width, height)
