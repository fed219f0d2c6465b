"""Files on their way: uploading to the mailboxes of those who shall have them, fetching what was announced.

Each receiving device gets its own ciphertext (docs/decisions/0005), made from the copy in the profile while uploading;
a transfer that was cut off goes on at the blob it had reached. Constant memory, a few blobs in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from roost.crypto import AttachmentKey, padding_blob
from roost.errors import CryptoError, Refused, RoostError, SurroundingsError, Unreachable
from roost.messaging import files, logs, outbox, ways
from roost.messaging.records import (
    NEVER,
    Event,
    FileState,
    LogPut,
    Message,
    Outbox,
    OwnMailbox,
    OwnRelay,
    SharedLog,
    StoredFile,
    Upload,
)
from roost.messaging.work import Work
from roost.store import FileRef
from roost.wire.addresses import Address, HostAddress, MailboxAddress
from roost.wire.content import Text, decode_content
from roost.wire.mailbox import BlobData, GetBlob, PutBlob, RefusalCode, Request, Response

if TYPE_CHECKING:
    from roost.agent.engine import Engine

IN_FLIGHT = 8  # blobs of one transfer: half a megabyte
WRITTEN_EVERY = 64  # blobs: what is sent once more after a crash, at most
AT_ONCE = 3  # transfers in each direction
RETRY_MS = 10_000
_GONE = (RefusalCode.NOT_FOUND, RefusalCode.DENIED)  # all else that a host, or one on the way, says may change


class _Source(NamedTuple):
    """Where blobs are: the host, the capability to read them, and the conversation."""

    host: HostAddress
    get: bytes
    owner: bytes


class Transfers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[object, asyncio.Task[None]] = {}
        self._again_at: dict[object, int] = {}

    @property
    def idle(self) -> bool:
        return not self._running

    def next_deadline(self) -> int:
        """When a transfer that failed is tried again, in milliseconds since 1970; NEVER when none did."""
        return min(self._again_at.values(), default=NEVER)

    def start_due(self) -> None:
        work = self._engine.look()
        self._again_at = {name: at for name, at in self._again_at.items() if at > work.now}
        for row, address in ways.uploading(work, self._engine.network.standing):
            self._start(("up", row.number), partial(self._upload, row, address))
        for put in logs.uploading(work):
            if put.uploads:
                self._start(("up", put.number), partial(self._upload_to_log, put.number))
        for file in work.find(StoredFile, where={"state": int(FileState.REMOTE)}, limit=AT_ONCE * 8):
            self._start(("down", file.message, file.index), partial(self._fetch, file))

    def _start(self, name: tuple[Any, ...], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        same = sum(1 for running in self._running if isinstance(running, tuple) and running[0] == name[0])
        if name in self._running or same >= AT_ONCE or self._again_at.get(name, 0) > self._engine.now_ms:
            return
        task = self._engine.start(self._guarded(name, work))
        self._running[name] = task
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: object) -> None:
        self._running.pop(name, None)
        self._engine.wake()

    async def _guarded(self, name: object, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
            self._again_at.pop(name, None)
        except Unreachable:
            self._again_at[name] = self._engine.now_ms + RETRY_MS
        except RoostError as error:
            self._again_at[name] = self._engine.now_ms + RETRY_MS
            self._engine.trouble(error)

    def hurry(self) -> None:
        """Try again now what failed."""
        self._again_at.clear()

    async def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def sweep(self) -> None:
        """Delete stored files that no message has any more."""
        keep = {row.file for row in self._engine.look().find(StoredFile)}
        self._engine.profile.files.sweep(keep)

    # --- up -----------------------------------------------------------------------------------------------------------

    async def _upload(self, row: Outbox, address: Address) -> None:
        self._engine.step(outbox.uploading_to, row.number, address.relay.key)
        work = self._engine.look()
        try:
            for upload in outbox.uploads_of(work, row):
                await self._upload_one(upload, address, mixed=self._engine.mixed(row.account))
        except Refused as error:
            self._engine.step(outbox.refused, row.number, error.code, error.retry_after_ms)

    async def _upload_to_log(self, number: int) -> None:
        """Once for all who read the log."""
        work = self._engine.look()
        put = work.get(LogPut, number)
        log = work.get(SharedLog, put.log) if put else None
        if log is None or not log.put:
            return
        try:
            for upload in sorted(work.find(Upload, where={"outbox": number}), key=lambda upload: upload.index):
                mixed = self._engine.mixed(log.owner)
                await self._upload_one(upload, MailboxAddress(log.relay, log.put), mixed=mixed)
        except Refused as error:
            self._engine.step(logs.refused, number, error.code, error.retry_after_ms)
        else:
            self._engine.step(logs.uploaded, number)

    async def _upload_one(self, upload: Upload, address: Address, *, mixed: bool) -> None:
        stored, ref = self._stored(upload)
        key, hold = AttachmentKey(upload.pointer.key), upload.pointer.hold
        name = self._name(upload.message, upload.index)
        done, total = upload.done, upload.pointer.blobs
        puts = (
            PutBlob(address.put, hold, key.blob_id(index), self._blob(ref, key, index)) for index in range(done, total)
        )
        async with aclosing(self._calls(address.relay, puts, mixed=mixed)) as answers:
            async for _ in answers:
                done += 1
                if done % WRITTEN_EVERY == 0 or done == total:
                    self._engine.step(outbox.upload_progress, upload.outbox, upload.index, done)
                if done % IN_FLIGHT == 0 or done == total:
                    self._progress(upload.message, upload.index, name, done, total, stored.size, incoming=False)

    def _stored(self, upload: Upload) -> tuple[StoredFile, FileRef]:
        stored = self._engine.look().get(StoredFile, upload.message, upload.index)
        if stored is None:
            raise SurroundingsError("A file that was to be sent is gone.", code="file_vanished")
        return stored, FileRef(stored.file, AttachmentKey(stored.file_key), stored.size)

    def blob(self, upload: Upload, index: int) -> bytes:
        """One blob of an attachment that is to be sent. Raises SurroundingsError: its file is gone."""
        _, ref = self._stored(upload)
        return self._blob(ref, AttachmentKey(upload.pointer.key), index)

    def _blob(self, ref: FileRef, key: AttachmentKey, index: int) -> bytes:
        if index >= ref.blobs:
            return padding_blob(self._engine.entropy)
        return key.seal_blob(index, self._engine.profile.files.blob(ref, index), last=index == ref.blobs - 1)

    # --- down ---------------------------------------------------------------------------------------------------------

    async def _fetch(self, row: StoredFile) -> None:
        source = self._source(self._engine.look(), row.mailbox)
        if source is None:
            self._engine.step(files.lost, row.message, row.index)
            return
        key = AttachmentKey(row.file_key)
        name = self._name(row.message, row.index)
        with self._engine.profile.files.resume(FileRef(row.file, key, row.size)) as download:
            gets = (GetBlob(source.get, key.blob_id(index)) for index in range(download.done, download.total))
            try:
                async with aclosing(self._calls(source.host, gets, mixed=self._engine.mixed(source.owner))) as answers:
                    async for answer in answers:
                        assert isinstance(answer, BlobData)
                        download.append(answer.data)
                        if download.done % IN_FLIGHT == 0 or download.done == download.total:
                            done, total = download.done, download.total
                            self._progress(row.message, row.index, name, done, total, row.size, incoming=True)
            except (CryptoError, Refused) as error:
                if isinstance(error, Refused) and error.code not in _GONE:
                    raise
                self._engine.step(files.lost, row.message, row.index)
                return
            digest = download.finish()
        genuine = digest == self._announced(row)
        self._engine.step(files.fetched if genuine else files.lost, row.message, row.index)

    @staticmethod
    def _source(work: Work, name: bytes) -> _Source | None:
        """Where the blobs of a mailbox of mine or of a shared log are."""
        log = work.get(SharedLog, name)
        if log is not None:
            return _Source(log.relay, log.get, log.owner)
        mailbox = work.get(OwnMailbox, name)
        relay = work.get(OwnRelay, mailbox.relay) if mailbox else None
        return _Source(relay.link.address, mailbox.get, mailbox.account) if relay and mailbox else None

    async def _calls(
        self, relay: HostAddress, requests: Iterable[Request], *, mixed: bool
    ) -> AsyncGenerator[Response, None]:
        """The answers, in order, with a few requests under way at a time. Closing it ends those."""
        flying: deque[asyncio.Task[Response]] = deque()
        call = partial(self._engine.network.call, timeout_s=60, mixed=mixed)
        try:
            for request in requests:
                flying.append(asyncio.create_task(call(relay, request)))
                if len(flying) == IN_FLIGHT:
                    yield await flying.popleft()
            while flying:
                yield await flying.popleft()
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    def _announced(self, row: StoredFile) -> bytes:
        message = self._engine.look().get(Message, row.message)
        text = decode_content(message.content) if message else None
        known = isinstance(text, Text) and row.index < len(text.attachments)
        return text.attachments[row.index].digest if known and isinstance(text, Text) else b""

    def _name(self, message: bytes, index: int) -> str:
        row = self._engine.look().get(Message, message)
        text = decode_content(row.content) if row else None
        return text.attachments[index].name if isinstance(text, Text) and index < len(text.attachments) else ""

    def _progress(
        self, message: bytes, index: int, name: str, done: int, total: int, size: int, *, incoming: bool
    ) -> None:
        plain = min(size, size * done // max(total, 1))
        direction = "in" if incoming else "out"
        self._engine.tell(Event("transfer", message, detail=f"{direction}/{index}/{plain}/{size}/{name}"))
