"""What this device sent itself: known again when it comes back through the log without a put of ours."""

from __future__ import annotations

import hashlib

from roost.crypto.mls.framing import ContentType, MlsMessage, PrivateMessage
from roost.messaging.outbox import REMEMBER_MS
from roost.messaging.records import Seen
from roost.messaging.work import Work


def remember_own(work: Work, message: bytes) -> None:
    """Also after its put was withdrawn, it may come."""
    work.put(Seen(_mark(message), work.now + REMEMBER_MS))


def is_remembered(work: Work, message: bytes) -> bool:
    return work.get(Seen, _mark(message)) is not None


def is_commit(message: bytes) -> bool:
    body = MlsMessage.decode(message).body
    return isinstance(body, PrivateMessage) and body.content_type is ContentType.COMMIT


def _mark(message: bytes) -> bytes:
    return b"group record" + hashlib.sha256(message).digest()
