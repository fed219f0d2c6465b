"""The mailboxes and cards that are in memory, and which of them may leave it again.

Everything is loaded from storage when it is first asked for and stays while it is in use (`pins`) or was used lately.
What is here is the truth, ahead of the storage by the commits under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from roost.relay.core.mailbox import RUN_BITS, Card, Ledger, Mailbox
from roost.relay.core.operations import CardRow, MailboxRow

_MAX_WEIGHT = 400_000  # rows in memory: about 100 MB at the worst
_MAX_CARDS = 2_000  # 16 MB
_LOOK = 16  # how many of the oldest are looked at when one must go


class Shelf:
    """Loaded mailboxes by id and by capability hash, loaded cards by locator."""

    def __init__(self, run: int, ledger: Ledger, *, patient: bool = False) -> None:
        self._spent = run << RUN_BITS  # mailboxes that are loaded number their entries from here on
        self._ledger = ledger
        self._patient = patient
        self._by_id: OrderedDict[int, Mailbox] = OrderedDict()
        self._by_hash: dict[bytes, Mailbox] = {}
        self._cards: OrderedDict[bytes, Card] = OrderedDict()
        self._weight = 0

    def start_over(self, run: int) -> None:
        """Forget everything."""
        self._spent = run << RUN_BITS
        self._by_id.clear()
        self._by_hash.clear()
        self._cards.clear()
        self._weight = 0

    def mailbox(self, capability_hash: bytes) -> Mailbox | None:
        found = self._by_hash.get(capability_hash)
        if found is not None:
            self._by_id.move_to_end(found.id)
        return found

    def mailbox_by_id(self, number: int) -> Mailbox | None:
        return self._by_id.get(number)

    def mailboxes(self) -> Iterator[Mailbox]:
        return iter(tuple(self._by_id.values()))

    def card(self, locator: bytes) -> Card | None:
        found = self._cards.get(locator)
        if found is not None:
            self._cards.move_to_end(locator)
        return found

    def install(self, row: MailboxRow) -> Mailbox:
        """Take a mailbox that storage holds, or that was just made. One that is here already is newer and stays."""
        present = self._by_id.get(row.mailbox)
        if present is not None:
            return present
        mailbox = Mailbox(row, self._spent, self._ledger, patient=self._patient)
        self._by_id[mailbox.id] = mailbox
        for hash_ in mailbox.grants:
            self._by_hash[hash_] = mailbox
        self._weight += mailbox.weight
        return mailbox

    def install_card(self, locator: bytes, row: CardRow | None) -> Card:
        present = self._cards.get(locator)
        if present is None:
            present = self._cards[locator] = Card(row)
        return present

    def index(self, mailbox: Mailbox, add: Iterator[bytes] | tuple[bytes, ...], revoke: tuple[bytes, ...]) -> None:
        """The mailbox's grants changed."""
        for hash_ in revoke:
            self._by_hash.pop(hash_, None)
        for hash_ in add:
            self._by_hash[hash_] = mailbox

    def remove(self, mailbox: Mailbox) -> None:
        self._spent = max(self._spent, mailbox.top)  # it may come back, with all its entries gone
        self._by_id.pop(mailbox.id, None)
        for hash_ in mailbox.grants:
            self._by_hash.pop(hash_, None)

    def remove_cards(self, expired: Callable[[CardRow], bool]) -> None:
        for locator, card in tuple(self._cards.items()):
            if card.row is not None and expired(card.row) and not card.pins:
                del self._cards[locator]

    def shrink(self, max_weight: int = _MAX_WEIGHT, max_cards: int = _MAX_CARDS) -> None:
        """Drop what was not used for longest. Never called while anything is being loaded: what a load read before a
        change must not come back as if it were new."""
        while len(self._cards) > max_cards and self._drop_card():
            pass
        if self._weight <= max_weight and len(self._by_id) * 4 <= max_weight:
            return
        self._weight = sum(mailbox.weight for mailbox in self._by_id.values())
        for mailbox in tuple(self._by_id.values()):
            if self._weight <= max_weight * 3 // 4:
                return
            if not mailbox.pins:
                self._weight -= mailbox.weight
                self.remove(mailbox)

    def _drop_card(self) -> bool:
        for _, locator in zip(range(_LOOK), self._cards, strict=False):
            if not self._cards[locator].pins:
                del self._cards[locator]
                return True
        return False
