"""What a simulated device does with attachments: it stores their blobs at hosts and fetches them, as roost.agent does,
and says up to where a host may forget.

What a file holds follows from its message's id, so nobody has to keep it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from roost.crypto import BLOB_PLAIN, AttachmentKey, Entropy, blob_count, padding_blob
from roost.errors import CryptoError
from roost.messaging import files, logs, mailboxes, outbox, ways
from roost.messaging import records as r
from roost.messaging.files import LocalFile
from roost.wire.addresses import Address, HostAddress
from roost.wire.content import Attachment
from roost.wire.mailbox import BlobData, GetBlob, PutBlob, Refusal, RefusalCode, Response, Trim

if TYPE_CHECKING:
    from .driver import Device

_GONE = (RefusalCode.NOT_FOUND, RefusalCode.DENIED)


def content_of(message: bytes) -> bytes:
    """One to three blobs."""
    size = 1 + int.from_bytes(message[:4], "big") % (3 * BLOB_PLAIN)
    return (hashlib.blake2b(message, digest_size=64).digest() * (size // 64 + 1))[:size]


def attachment_of(message: bytes) -> tuple[Attachment, LocalFile]:
    content = content_of(message)
    digest = hashlib.blake2b(content, digest_size=32).digest()
    return Attachment("file", len(content), "", digest), LocalFile(message.hex(), message * 2, len(content))


def sealed_blob(content: bytes, key: AttachmentKey, index: int, entropy: Entropy) -> bytes:
    """One of the blobs that content becomes at a host; those behind its end are padding."""
    last = blob_count(len(content)) - 1
    part = content[index * BLOB_PLAIN : (index + 1) * BLOB_PLAIN]
    return key.seal_blob(index, part, last=index == last) if index <= last else padding_blob(entropy)


class DeviceFiles:
    def __init__(self, device: Device) -> None:
        self._device = device
        self._parts: dict[tuple[bytes, int], list[bytes]] = {}

    def start_due(self) -> None:
        work = self._device.look()
        for row, address in ways.uploading(work):
            self._once(("up", row.number), self._upload, row, address)
        for put in logs.uploading(work):
            if put.uploads:
                self._once(("up", put.number), self._upload_to_log, put)
        for file in work.find(r.StoredFile, where={"state": int(r.FileState.REMOTE)}):
            self._once(("down", file.message, file.index), self._fetch, file)

    def _once(self, name: object, function: Callable[..., None], *args: object) -> None:
        self._device._once(name, function, *args)

    # --- up -----------------------------------------------------------------------------------------------------------

    def _upload(self, name: object, row: r.Outbox, address: Address) -> None:
        self._device.step(outbox.uploading_to, row.number, address.relay.key)
        self._store_next(name, row.number, address.relay, address.put, outbox.refused)

    def _upload_to_log(self, name: object, put: r.LogPut) -> None:
        log = self._device.look().get(r.SharedLog, put.log)
        if log is None or not log.put:
            return
        if not self._store_next(name, put.number, log.relay, log.put, logs.refused):
            self._device.step(logs.uploaded, put.number)

    def _store_next(
        self, name: object, number: int, host: HostAddress, capability: bytes, refused: Callable[..., None]
    ) -> bool:
        """Store the next blob; False if there is none."""
        device = self._device
        uploads = device.look().find(r.Upload, where={"outbox": number})
        upload = next((one for one in uploads if one.done < one.pointer.blobs), None)
        if upload is None:
            return False
        key, index = AttachmentKey(upload.pointer.key), upload.done
        blob = sealed_blob(content_of(upload.message), key, index, device.entropy)

        def done(answer: Response | None) -> None:
            if isinstance(answer, Refusal):
                device.step(refused, number, answer.code)
            elif answer is not None:
                device.step(outbox.upload_progress, number, upload.index, index + 1)

        device.call(name, host, PutBlob(capability, upload.pointer.hold, key.blob_id(index), blob), done)
        return True

    # --- down ---------------------------------------------------------------------------------------------------------

    def _fetch(self, name: object, row: r.StoredFile) -> None:
        """Fetch the next blob."""
        device = self._device
        source = self._source(row.mailbox)
        if source is None:
            device.step(files.lost, row.message, row.index)
            return
        parts = self._parts.setdefault((row.message, row.index), [])
        key, index, total = AttachmentKey(row.file_key), len(parts), blob_count(row.size)
        if index == total:
            genuine = b"".join(parts) == content_of(row.message)
            device.step(files.fetched if genuine else files.lost, row.message, row.index)
            return

        def done(answer: Response | None) -> None:
            try:
                if isinstance(answer, BlobData):
                    parts.append(key.open_blob(index, answer.data, last=index == total - 1))
            except CryptoError:
                device.step(files.lost, row.message, row.index)
            if isinstance(answer, Refusal) and answer.code in _GONE:
                device.step(files.lost, row.message, row.index)

        host, get = source
        device.call(name, host, GetBlob(get, key.blob_id(index)), done)

    def _source(self, name: bytes) -> tuple[HostAddress, bytes] | None:
        """Where the blobs of a mailbox or of a shared log are, and the capability to read them."""
        work = self._device.look()
        log = work.get(r.SharedLog, name)
        if log is not None:
            return log.relay, log.get
        mailbox = work.get(r.OwnMailbox, name)
        relay = work.get(r.OwnRelay, mailbox.relay) if mailbox is not None else None
        return (relay.link.address, mailbox.get) if relay is not None and mailbox is not None else None

    # --- forgetting ---------------------------------------------------------------------------------------------------

    def start_trims(self, relays: dict[bytes, r.OwnRelay]) -> None:
        for row in self._device.look().find(r.OwnMailbox):
            if row.cursor <= row.trimmed or row.state not in (r.MailboxState.ACTIVE, r.MailboxState.RETIRING):
                continue
            upto = files.trimmable(self._device.look(), row)
            if upto > row.trimmed:
                self._once(("trim", row.admin), self._trim, relays[row.relay], row.admin, upto)

    def _trim(self, name: object, relay: r.OwnRelay, admin: bytes, upto: int) -> None:
        done = self._device._then(mailboxes.trimmed, admin, upto)
        self._device.call(name, relay.link.address, Trim(admin, upto), done)
