"""Attachments of messages: where their bytes are, in the profile or still at a host. The bytes themselves are the
agent's."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from roost.messaging.origin import Origin
from roost.messaging.records import FileState, Message, OwnMailbox, Stash, StoredFile, Thumbnail, Upload
from roost.messaging.work import Work
from roost.wire.content import Attachment


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that the agent has taken into the profile: its name in the files folder, its key and size."""

    file: str
    key: bytes
    size: int


def keep(work: Work, message: Message, local_files: tuple[LocalFile, ...]) -> None:
    """The files of a message of mine."""
    for index, local in enumerate(local_files):
        work.put(StoredFile(message.id, index, local.file, local.key, local.size, FileState.COMPLETE))


def expect(work: Work, origin: Origin, message: Message, attachments: tuple[Attachment, ...]) -> None:
    """The files of a message that came: to be fetched. Until then its entry is not trimmed at the host."""
    for index, attachment in enumerate(attachments):
        pointer = attachment.pointer
        work.put(
            StoredFile(
                message=message.id,
                index=index,
                file=work.entropy.bytes(16).hex(),
                file_key=pointer.key if pointer else b"",
                size=attachment.size,
                state=FileState.REMOTE if pointer else FileState.LOST,
                pointer=pointer,
                mailbox=origin.mailbox,
                entry=origin.entry,
            )
        )


def fetched(work: Work, message: bytes, index: int) -> None:
    """All bytes are here and verified; the host may forget them."""
    _settle(work, message, index, FileState.COMPLETE)


def lost(work: Work, message: bytes, index: int) -> None:
    """The host no longer has them, or they do not verify."""
    _settle(work, message, index, FileState.LOST)


def _settle(work: Work, message: bytes, index: int, state: FileState) -> None:
    row = work.get(StoredFile, message, index)
    if row is not None and row.state == FileState.REMOTE:
        work.put(msgspec.structs.replace(row, state=int(state)))
        work.tell("file", message, detail=state.name.lower())


def forget(work: Work, message: bytes) -> None:
    """Remove a message's files, unless they still travel: then `sweep` does it later."""
    if not any(upload.message == message for upload in work.find(Upload)):
        for row in work.find(StoredFile, where={"message": message}):
            _delete(work, row)


def drop(work: Work, account: bytes | None, before: int) -> int:
    """Forget the bytes of files in one conversation, or all, of messages that came before a time; the messages stay.
    What still travels is kept. How many there were."""
    travelling = {upload.message for upload in work.find(Upload)}
    dropped = 0
    for row in work.find(StoredFile, where={"state": int(FileState.COMPLETE)}):
        message = work.get(Message, row.message)
        if message is None or row.message in travelling or message.received_at > before:
            continue
        if account in (None, message.conversation):
            work.put(msgspec.structs.replace(row, state=int(FileState.LOST), file=""))
            dropped += 1
    return dropped


def sweep(work: Work) -> None:
    """Remove the files of messages that are gone."""
    travelling = {upload.message for upload in work.find(Upload)}
    for row in work.find(StoredFile):
        message = work.get(Message, row.message)
        if (message is None or message.deleted) and row.message not in travelling:
            _delete(work, row)


def _delete(work: Work, row: StoredFile) -> None:
    thumbnail = work.get(Thumbnail, row.message, row.index)
    if thumbnail is not None:
        work.delete(thumbnail)
    work.delete(row)


def trimmable(work: Work, mailbox: OwnMailbox) -> int:
    """Up to where the mailbox's host may forget: to before the first entry whose files are not here yet, or whose frame
    waits for earlier ones and so has not said which files it has. What follows stays too: it may be the same envelope
    once more, stored anew after the host died before it had committed the first."""
    files = work.find(StoredFile, where={"mailbox": mailbox.admin, "state": int(FileState.REMOTE)})
    frames = work.find(Stash, where={"mailbox": mailbox.admin}, order="entry", limit=1)
    held = [row.entry for row in files] + [row.entry for row in frames]
    return min([mailbox.cursor, *(entry - 1 for entry in held if entry)])
