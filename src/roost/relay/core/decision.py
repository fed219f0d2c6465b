"""What the rules answer to a request: a response, the operations behind it and what to hand on at once."""

from __future__ import annotations

import msgspec

from roost.relay.core.mailbox import Card, Mailbox
from roost.relay.core.operations import Operation
from roost.wire.mailbox import Response


class Deliver(msgspec.Struct, frozen=True):
    """An envelope for a mailbox's live subscribers, before it is durable; `number` 0 is ephemeral."""

    mailbox: int
    number: int
    envelope: bytes


class EndSubscriptions(msgspec.Struct, frozen=True):
    """Subscriptions to this mailbox end: all of them, or those opened with a revoked capability."""

    mailbox: int
    capability_hashes: frozenset[bytes] | None = None


class FetchEntries(msgspec.Struct, frozen=True):
    """The response is made of these envelopes; `ready` are those that are not on disk yet."""

    mailbox: int
    numbers: tuple[int, ...]
    ready: dict[int, bytes]
    more: bool


class FetchBlob(msgspec.Struct, frozen=True):
    """The response is this blob."""

    mailbox: int
    blob: bytes


class Decision(msgspec.Struct, frozen=True):
    """`response` is given once `operations` are durable, or at once when `durable` is False."""

    response: Response
    operations: tuple[Operation, ...] = ()
    durable: bool = False
    mailbox: Mailbox | None = None
    card: Card | None = None
    entries: tuple[int, ...] = ()
    blobs: tuple[bytes, ...] = ()
    deliver: Deliver | None = None
    end: EndSubscriptions | None = None
    fetch: FetchEntries | FetchBlob | None = None
