"""Writing a conversation out, unencrypted: messages.jsonl, one message a line, and the files beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost.agent import showing
from roost.crypto import AttachmentKey
from roost.errors import CallerError, SurroundingsError
from roost.messaging import records as r
from roost.store import FileRef

if TYPE_CHECKING:
    from roost.agent.engine import Engine


async def export_conversation(engine: Engine, account: bytes, folder: Path) -> tuple[int, int]:
    """Write into `folder`, which must be new or empty; how many messages and files were written.

    Raises:
        CallerError: `folder_not_empty`. SurroundingsError: it cannot be written.
    """
    work = engine.look()
    rows = work.find(r.Message, where={"conversation": account}, order="position")
    lines = [msgspec.json.encode(showing.message(work, row)) for row in rows]
    await asyncio.to_thread(_write_messages, folder, lines)
    count = 0
    for row in rows:
        for stored in work.find(r.StoredFile, where={"message": row.id}):
            if stored.state == r.FileState.COMPLETE:
                ref = FileRef(stored.file, AttachmentKey(stored.file_key), stored.size)
                target = folder / "files" / f"{row.id.hex()}-{stored.index}"
                await asyncio.to_thread(engine.profile.files.export, ref, target)
                count += 1
    return len(rows), count


def _write_messages(folder: Path, lines: list[bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise CallerError("The folder is not empty.", code="folder_not_empty", hint="Choose a new folder.")
        (folder / "files").mkdir()
        (folder / "messages.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise SurroundingsError("The folder cannot be written.", code="cannot_write", hint="Choose another.") from error
