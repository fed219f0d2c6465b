"""The short way of plain puts: into an ordinary mailbox in memory, by a known capability, refused by nothing.

Nearly all that a busy relay does takes this way, as many puts at once as one read brought. It decides nothing of its
own: whatever is not plainly accepted is left to the ordinary way (relay.server.service), untouched, and a test holds
both against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from roost.errors import SurroundingsError
from roost.relay.core.admission import REQUEST_COST
from roost.relay.core.mailbox import Mailbox
from roost.relay.core.operations import AppendEntry, Freed
from roost.relay.server.service import Peer, Service
from roost.wire.calls import PlainPut
from roost.wire.mailbox import Response
from roost.wire.sizes import ENVELOPE_SIZE


class ExpressPeer(Peer, Protocol):
    """What is needed of a link. A plain put counts as an envelope's size."""

    def stored(self, calls: Sequence[int], operations: Sequence[AppendEntry]) -> None:
        """Answer puts with `Stored`."""
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

    def put(self, link: ExpressPeer, puts: Sequence[PlainPut]) -> int:
        """How many of `puts`, which show one capability, were accepted, from the first on; they are answered once they
        are durable. To the others nothing happened."""
        shown = link.hashes.get(puts[0][1])
        if shown is None:
            return 0
        service = self._service
        mailbox = service.loader.at_hand(shown)
        if mailbox is None:
            return 0
        now = service.clock()
        requests = link.client.requests
        if not requests.has(REQUEST_COST * len(puts)) or not service.has_room(now):
            return 0
        operations = self._desk.rules(now).plain(mailbox, shown, [put[2] for put in puts])
        count = len(operations)
        if not count:
            return 0
        requests.take(REQUEST_COST * count, now)
        self.puts += count
        self._deliveries.appended(mailbox.id, operations)
        mailbox.pins += 1
        calls = [put[0] for put in puts[:count]]
        done = partial(self._written, link, calls, mailbox, operations, service.restarts)
        self._storage.submit(operations, done, ENVELOPE_SIZE * count)
        return count

    def _written(
        self,
        link: ExpressPeer,
        calls: Sequence[int],
        mailbox: Mailbox,
        operations: Sequence[AppendEntry],
        restarts: int,
        error: SurroundingsError | None,
        _: Freed,
    ) -> None:
        mailbox.pins -= 1
        if error is None:
            mailbox.written(operations)
            link.stored(calls, operations)
        else:
            refusal = self._service.failed(error, restarts)
            for call in calls:
                link.reply(call, ENVELOPE_SIZE, refusal)
