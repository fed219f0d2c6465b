"""Who wants what comes into a mailbox, and how far each has been served.

A subscription is *behind* while there is something in the store that it was not given, and *live* when it was given
everything: only then new envelopes are handed to it directly. A link that cannot take more makes its subscriptions
fall behind; they are served from the store when it can (relay.server.delivery).
"""

from __future__ import annotations

from typing import Generic, TypeVar

L = TypeVar("L")


class Subscription(Generic[L]):
    """One subscription of one link. `cursor` is the last number that was given to it."""

    __slots__ = ("call", "capability_hash", "cursor", "ended", "fetching", "link", "live", "mailbox")

    def __init__(self, link: L, call: int, mailbox: int, capability_hash: bytes, cursor: int) -> None:
        self.link = link
        self.call = call
        self.mailbox = mailbox
        self.capability_hash = capability_hash
        self.cursor = cursor
        self.live = False
        self.fetching = False
        self.ended = False


class Subscriptions(Generic[L]):
    """All subscriptions by mailbox."""

    __slots__ = ("_by_mailbox",)

    def __init__(self) -> None:
        self._by_mailbox: dict[int, tuple[Subscription[L], ...]] = {}

    def add(self, subscription: Subscription[L]) -> None:
        self._by_mailbox[subscription.mailbox] = (*self.of(subscription.mailbox), subscription)

    def of(self, mailbox: int) -> tuple[Subscription[L], ...]:
        return self._by_mailbox.get(mailbox, ())

    def end(self, subscription: Subscription[L]) -> None:
        """Idempotent."""
        subscription.ended = True
        subscription.live = False
        left = tuple(other for other in self.of(subscription.mailbox) if other is not subscription)
        if left:
            self._by_mailbox[subscription.mailbox] = left
        else:
            self._by_mailbox.pop(subscription.mailbox, None)

    def mailboxes(self) -> tuple[int, ...]:
        """All that somebody is subscribed to."""
        return tuple(self._by_mailbox)

    def __len__(self) -> int:
        return sum(map(len, self._by_mailbox.values()))
