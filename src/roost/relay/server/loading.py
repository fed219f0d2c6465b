"""Loads what a request needs before the rules decide it, keeping requests for one mailbox in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from roost.relay.core.desk import Desk, Named
from roost.relay.core.mailbox import Mailbox
from roost.relay.core.operations import CardRow, MailboxRow
from roost.relay.storage import Storage
from roost.wire.mailbox import Request

Key = bytes | int | tuple[bytes]  # a capability hash, a mailbox's number, a card's locator


class _Waiter:
    """`missing` are keys under way; it runs when there are none and it is first in the line of each of its `keys`."""

    __slots__ = ("keys", "missing", "then")

    def __init__(self, keys: Sequence[Key], missing: set[Key], then: Callable[[], None]) -> None:
        self.keys = keys
        self.missing = missing
        self.then = then


class Loader:
    """Calls back at once when everything is in memory, else when it came. What asks for the same thing waits in line,
    so a client may send a request that builds on the one before without waiting for its answer."""

    def __init__(self, desk: Desk, storage: Storage) -> None:
        self._desk = desk
        self._storage = storage
        self._lines: dict[Key, deque[_Waiter]] = {}
        self._under_way: set[Key] = set()

    def at_hand(self, hash_: bytes) -> Mailbox | None:
        """The capability's mailbox, if a request that names it alone can be decided at once."""
        return None if self._lines else self._desk.shelf.mailbox(hash_)

    def for_request(self, request: Request, then: Callable[[Named], None]) -> None:
        """`then` is given what the request names."""
        named = self._desk.named(request)
        if isinstance(named, bytes):
            self._for_card(named, lambda: then(named))
            return
        shelf = self._desk.shelf
        if not self._lines and all(shelf.mailbox(hash_) is not None for hash_ in named):
            then(named)
            return
        absent = [hash_ for hash_ in dict.fromkeys(named) if shelf.mailbox(hash_) is None]
        fresh = self._wait(tuple(dict.fromkeys(named)), set(absent), lambda: then(named))
        if fresh:
            wanted = [hash_ for hash_ in absent if hash_ in fresh]
            self._storage.load(wanted, lambda rows: self._mailboxes_came(wanted, rows))

    def _for_card(self, locator: bytes, then: Callable[[], None]) -> None:
        key: Key = (locator,)
        missing: set[Key] = set() if self._desk.shelf.card(locator) is not None else {key}
        if self._wait([key], missing, then):
            self._storage.load_card(locator, lambda row: self._card_came(locator, row))

    def for_mailbox(self, number: int, then: Callable[[], None]) -> None:
        missing: set[Key] = set() if self._desk.shelf.mailbox_by_id(number) is not None else {number}
        if self._wait([number], missing, then):
            self._storage.load_mailbox(number, lambda row: self._mailboxes_came([number], [] if row is None else [row]))

    def _wait(self, keys: Sequence[Key], missing: set[Key], then: Callable[[], None]) -> set[Key]:
        """Run, or get in line; the keys that are to be loaded now."""
        if not missing and not any(key in self._lines for key in keys):
            then()
            return set()
        fresh = missing - self._under_way
        self._under_way |= fresh
        waiter = _Waiter(keys, missing, then)
        for key in keys:
            self._lines.setdefault(key, deque()).append(waiter)
        return fresh

    def _mailboxes_came(self, keys: Sequence[Key], rows: list[MailboxRow]) -> None:
        self._desk.install(rows)
        self._came(keys)

    def _card_came(self, locator: bytes, row: CardRow | None) -> None:
        self._desk.shelf.install_card(locator, row)
        self._came([(locator,)])

    def _came(self, keys: Sequence[Key]) -> None:
        self._under_way.difference_update(keys)
        waiting = [waiter for key in keys for waiter in self._lines.get(key, ())]
        for waiter in waiting:
            waiter.missing.difference_update(keys)
        for key in keys:
            self._advance(key)
        if not self._lines:
            self._desk.shelf.shrink()

    def _advance(self, key: Key) -> None:
        """Run who is first in line, as long as they lack nothing and are first in their other lines too."""
        keys = deque([key])
        while keys:
            line = self._lines.get(keys[0])
            if not line or line[0].missing or any(self._lines[other][0] is not line[0] for other in line[0].keys):
                keys.popleft()
                continue
            waiter = line[0]
            for other in waiter.keys:
                self._lines[other].popleft()
                if not self._lines[other]:
                    del self._lines[other]
                elif other not in keys:
                    keys.append(other)
            waiter.then()
