"""Attachments in parcels: their blobs travel one in each, like the puts that need them.

An entry with attachments is otherwise sealed once its blobs are at the host. Where they are to travel by parcels it is
sealed before; the host then refuses the put until they have come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from roost.crypto import AttachmentKey
from roost.messaging import floors, outbox, sealing
from roost.messaging.records import Outbox, OutboxState, PeerDevice, Upload
from roost.messaging.work import Work
from roost.wire.addresses import Address
from roost.wire.mailbox import PutBlob

NOT_BEGUN_MS = 60_000
BEGUN_MS = 60 * 60_000  # since it was said, with some blobs at the host
MAX_BLOBS = 512  # of one entry, 32 MiB: more waits for another way


@dataclass(frozen=True, slots=True)
class BlobWanted:
    """A blob whose bytes the agent has: blob `index` of an attachment under way, sealed under the upload's key, or
    random bytes beyond the file's end."""

    upload: Upload
    index: int
    put: bytes

    def request(self, data: bytes) -> PutBlob:
        """The request that stores it, given its 65,536 bytes."""
        pointer = self.upload.pointer
        return PutBlob(self.put, pointer.hold, AttachmentKey(pointer.key).blob_id(self.index), data)


def blobs_of(work: Work, row: Outbox, address: Address) -> Iterator[BlobWanted]:
    """All blobs of a row; none of one that is too large to be carried."""
    uploads = outbox.uploads_of(work, row)
    if sum(upload.pointer.blobs for upload in uploads) <= MAX_BLOBS:
        for upload in uploads:
            yield from (BlobWanted(upload, index, address.put) for index in range(upload.pointer.blobs))


def seal_waiting(work: Work, peer: PeerDevice, address: Address | None, *, direct_first: bool) -> None:
    """Seal what waits for a device, in order, also where blobs have not left: as far as they can be carried.

    `direct_first`: not while its blobs may still be on their way to the host themselves.
    """
    if address is None or not floors.meets(work, peer.account, address):
        return
    where = {"account": peer.account, "device": peer.device, "state": int(OutboxState.QUEUED)}
    for row in work.find(Outbox, where=where, order="number", limit=sealing.DEVICE_ROWS):
        uploads = outbox.uploads_of(work, row)
        patience = BEGUN_MS if any(upload.done for upload in uploads) else NOT_BEGUN_MS
        if direct_first and uploads and work.now - row.created_at <= patience:
            return
        too_large = sum(upload.pointer.blobs for upload in uploads) > MAX_BLOBS
        session = sealing.sending_session(work, work.need(PeerDevice, peer.account, peer.device))
        if too_large or session is None or not sealing.seal_row(work, session, row):
            return
