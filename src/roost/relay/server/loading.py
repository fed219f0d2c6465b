"""Loads what a request needs before the rules decide it, keeping requests for one mailbox in their order."""

from __future__ import annotations

from collections.abc import Callable

from roost.relay.core.desk import Desk
from roost.relay.core.operations import CardRow, MailboxRow
from roost.relay.storage import Storage
from roost.wire.mailbox import Request

Key = bytes | int | tuple[bytes]  # a capability hash, a mailbox's number, a card's locator


class _Waiter:
    __slots__ = ("missing", "then")

    def __init__(self, missing: set[Key], then: Callable[[], None]) -> None:
        self.missing = missing
        self.then = then


class Loader:
    """Calls back at once when everything is in memory, else when it came, in the order of asking."""

    def __init__(self, desk: Desk, storage: Storage) -> None:
        self._desk = desk
        self._storage = storage
        self._waiting: dict[Key, list[_Waiter]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    def for_request(self, request: Request, then: Callable[[], None]) -> None:
        hashes, locator = self._desk.missing(request)
        if not hashes and locator is None:
            then()
            return
        keys: list[Key] = [*hashes] if locator is None else [(locator,)]
        fresh = self._wait(keys, then)
        if locator is not None and fresh:
            self._storage.load_card(locator, lambda row: self._card_came(locator, row))
        elif fresh:
            wanted = [key for key in fresh if isinstance(key, bytes)]
            self._storage.load(wanted, lambda rows: self._mailboxes_came(fresh, rows))

    def for_mailbox(self, number: int, then: Callable[[], None]) -> None:
        if self._desk.shelf.mailbox_by_id(number) is not None:
            then()
            return
        fresh = self._wait([number], then)
        if fresh:
            self._storage.load_mailbox(number, lambda row: self._mailboxes_came(fresh, [] if row is None else [row]))

    def _wait(self, keys: list[Key], then: Callable[[], None]) -> list[Key]:
        """The keys that nobody asked for yet."""
        waiter = _Waiter(set(keys), then)
        fresh = [key for key in keys if key not in self._waiting]
        for key in keys:
            self._waiting.setdefault(key, []).append(waiter)
        return fresh

    def _mailboxes_came(self, keys: list[Key], rows: list[MailboxRow]) -> None:
        self._desk.install(rows)
        self._release(keys)

    def _card_came(self, locator: bytes, row: CardRow | None) -> None:
        self._desk.shelf.install_card(locator, row)
        self._release([(locator,)])

    def _release(self, keys: list[Key]) -> None:
        for key in keys:
            for waiter in self._waiting.pop(key, ()):
                waiter.missing.discard(key)
                if not waiter.missing:
                    waiter.then()
        if not self._waiting:
            self._desk.shelf.shrink()
