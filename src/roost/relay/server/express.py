"""The short way of a plain put: into an ordinary mailbox in memory, by a known capability, refused by nothing.

Nearly all that a busy relay does takes this way. It decides nothing of its own: whatever is not plainly accepted is
left to the ordinary way (relay.server.service), untouched, and a test holds both against each other.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from roost.errors import SurroundingsError
from roost.relay.core.admission import REQUEST_COST
from roost.relay.core.mailbox import Mailbox
from roost.relay.core.operations import AppendEntry, Freed
from roost.relay.server.service import Peer, Service
from roost.wire.mailbox import Response
from roost.wire.sizes import ENVELOPE_SIZE


class ExpressPeer(Peer, Protocol):
    """What is needed of a link. `size` is that of the request, for its limits."""

    def stored(self, call: int, size: int, number: int) -> None:
        """Answer a put with `Stored`."""
        ...

    def reply(self, call: int, size: int, response: Response) -> None: ...


class Express:
    """Puts beside a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._storage = service.storage
        self._deliveries = service.deliveries
        self._desk = service.desk
        self.puts = 0

    def put(self, link: ExpressPeer, call: int, capability: bytes, envelope: bytes, size: int) -> bool:
        """Whether the put was accepted; it is answered once it is durable. Otherwise nothing happened."""
        shown = link.hashes.get(capability)
        if shown is None:
            return False
        service = self._service
        mailbox = service.loader.at_hand(shown)
        if mailbox is None:
            return False
        now = service.clock()
        requests = link.client.requests
        if not requests.has(REQUEST_COST) or not service.has_room(now):
            return False
        operation = self._desk.rules(now).plain(mailbox, shown, envelope)
        if operation is None:
            return False
        requests.take(REQUEST_COST, now)
        self.puts += 1
        number = operation.entry.number
        self._deliveries.live(mailbox.id, number, envelope)
        mailbox.pins += 1
        done = partial(self._written, link, call, size, mailbox, operation, service.restarts)
        self._storage.submit((operation,), done, ENVELOPE_SIZE)
        return True

    def _written(
        self,
        link: ExpressPeer,
        call: int,
        size: int,
        mailbox: Mailbox,
        operation: AppendEntry,
        restarts: int,
        error: SurroundingsError | None,
        _: Freed,
    ) -> None:
        mailbox.pins -= 1
        if error is None:
            number = operation.entry.number
            mailbox.settle(number)
            link.stored(call, size, number)
        else:
            link.reply(call, size, self._service.failed(error, restarts))
