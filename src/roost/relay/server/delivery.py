"""Gives subscribers what they wait for: live from the put, or page by page from the store when they are behind.

A subscriber whose connection takes no more is left behind and served from the store when it has drained; nothing is
buffered for it beyond that (DESIGN section 6, back-pressure).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from roost.relay.core.decision import EndSubscriptions
from roost.relay.core.desk import Desk
from roost.relay.core.mailbox import Mailbox
from roost.relay.core.operations import AppendEntry
from roost.relay.core.subscriptions import Subscription, Subscriptions
from roost.relay.server.loading import Loader
from roost.relay.storage import Storage
from roost.wire.calls import delivery_head
from roost.wire.codec import encode
from roost.wire.mailbox import Refusal, RefusalCode, Reply
from roost.wire.sizes import PAGE_ENTRIES


class Subscriber(Protocol):
    """What delivery needs of a link."""

    subscriptions: dict[int, Subscription[Subscriber]]
    stalled: bool
    """Some subscription waits until the link takes more: `Deliveries.resume` is to be called then."""

    @property
    def writable(self) -> bool:
        """Whether it takes more at this moment."""
        ...

    def send(self, frame: bytes) -> None: ...

    def deliver(self, call: int, operations: Sequence[AppendEntry]) -> None:
        """Send a delivery for each of these entries."""
        ...


class Deliveries:
    """All subscriptions, and the deliveries to them."""

    def __init__(self, desk: Desk, storage: Storage, loader: Loader) -> None:
        self._desk = desk
        self._storage = storage
        self._loader = loader
        self.subscriptions: Subscriptions[Subscriber] = Subscriptions()
        self.delivered = 0

    def subscribe(self, link: Subscriber, call: int, mailbox: int, capability_hash: bytes, after: int) -> None:
        """Everything after `after` will be delivered. A subscription of the same call is replaced."""
        self.unsubscribe(link, call)
        subscription = Subscription(link, call, mailbox, capability_hash, after)
        link.subscriptions[call] = subscription
        self.subscriptions.add(subscription)
        self._serve(subscription)

    def unsubscribe(self, link: Subscriber, call: int) -> None:
        subscription = link.subscriptions.pop(call, None)
        if subscription is not None:
            self.subscriptions.end(subscription)

    def drop(self, link: Subscriber) -> None:
        """The link is gone."""
        for call in tuple(link.subscriptions):
            self.unsubscribe(link, call)

    def live(self, mailbox: int, number: int, envelope: bytes) -> None:
        """An envelope just entered a mailbox; `number` 0 is ephemeral."""
        for subscription in self.subscriptions.of(mailbox):
            if not subscription.live:
                continue
            if subscription.link.writable:
                self._give(subscription, number, envelope)
            elif number:
                subscription.live = False
                subscription.link.stalled = True

    def appended(self, mailbox: int, operations: Sequence[AppendEntry]) -> None:
        """As `live` for each of these entries."""
        for subscription in self.subscriptions.of(mailbox):
            if not subscription.live:
                continue
            if subscription.link.writable:
                subscription.link.deliver(subscription.call, operations)
                subscription.cursor = operations[-1].entry.number
                self.delivered += len(operations)
            else:
                subscription.live = False
                subscription.link.stalled = True

    def end(self, end: EndSubscriptions) -> None:
        """The mailbox or the capability is gone: a second reply to the subscription's call says so."""
        for subscription in self.subscriptions.of(end.mailbox):
            if end.capability_hashes is None or subscription.capability_hash in end.capability_hashes:
                link = subscription.link
                self.unsubscribe(link, subscription.call)
                link.send(encode(Reply(subscription.call, Refusal(RefusalCode.DENIED))))

    def resume(self, link: Subscriber) -> None:
        """The link takes more again."""
        link.stalled = False
        for subscription in tuple(link.subscriptions.values()):
            self.serve(subscription)

    def serve(self, subscription: Subscription[Subscriber]) -> None:
        """Its link takes more again."""
        if not subscription.live:
            self._serve(subscription)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _give(self, subscription: Subscription[Subscriber], number: int, envelope: bytes) -> None:
        subscription.link.send(delivery_head(subscription.call, number) + envelope)
        self.delivered += 1
        if number:
            subscription.cursor = number

    def _serve(self, subscription: Subscription[Subscriber]) -> None:
        """Give the next page to a subscription that is behind."""
        if subscription.ended or subscription.fetching or subscription.live:
            return
        if not subscription.link.writable:
            subscription.link.stalled = True
            return
        mailbox = self._desk.shelf.mailbox_by_id(subscription.mailbox)
        if mailbox is None:
            subscription.fetching = True
            self._loader.for_mailbox(subscription.mailbox, lambda: self._loaded(subscription))
            return
        numbers = mailbox.after(subscription.cursor, PAGE_ENTRIES)
        if not numbers:
            subscription.live = True
            return
        subscription.fetching = True
        mailbox.pins += 1
        ready = {number: mailbox.pending[number].envelope for number in numbers if number in mailbox.pending}
        stored = [number for number in numbers if number not in ready]
        self._storage.read_envelopes(
            mailbox.id, stored, lambda found: self._page(subscription, mailbox, numbers[-1], {**ready, **dict(found)})
        )

    def _loaded(self, subscription: Subscription[Subscriber]) -> None:
        subscription.fetching = False
        if self._desk.shelf.mailbox_by_id(subscription.mailbox) is None:
            self.end(EndSubscriptions(subscription.mailbox))
        else:
            self._serve(subscription)

    def _page(
        self, subscription: Subscription[Subscriber], mailbox: Mailbox, last: int, envelopes: dict[int, bytes]
    ) -> None:
        """What was trimmed in between is simply not there."""
        subscription.fetching = False
        mailbox.pins -= 1
        if subscription.ended:
            return
        for number in sorted(envelopes):
            self._give(subscription, number, envelopes[number])
        subscription.cursor = max(subscription.cursor, last)
        self._serve(subscription)
