"""The relay's rules as one object: what must be in memory for a request, and what the answer is (DESIGN section 6).

Pure: the server's shell loads what `named` names, calls `decide`, commits the operations of the `Decision`, tells
`settled` when they are durable, and answers. What is known of a mailbox is in `relay.core.mailbox`, whether an envelope
may enter in `relay.core.puts`, cards in `relay.core.cards`. Subscriptions and links are the shell's.
"""

from __future__ import annotations

from typing import NoReturn

from roost.crypto import capability_hash
from roost.relay.core.admission import Admission, Client
from roost.relay.core.cards import delete_card, get_card, put_card
from roost.relay.core.decision import Decision, EndSubscriptions, FetchBlob, FetchEntries
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import BLOB_COST, DAY_S, ENTRY_COST, HOUR_S, ROW_COST, Limits
from roost.relay.core.mailbox import Ledger, Mailbox
from roost.relay.core.operations import (
    ChangeGrantRows,
    CreateMailbox,
    DeleteMailbox,
    Freed,
    GrantRow,
    MailboxRow,
    Operation,
    SealMailbox,
    Sweep,
    Totals,
    TouchMailboxes,
)
from roost.relay.core.puts import PutRules
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.shelf import Shelf
from roost.wire.mailbox import (
    BlobData,
    ChangeGrants,
    Create,
    Delete,
    DeleteCard,
    Done,
    Entries,
    Get,
    GetBlob,
    GetCard,
    Grant,
    Put,
    PutBlob,
    PutCard,
    RefusalCode,
    Request,
    Right,
    Seal,
    Subscribe,
    Subscribed,
    Trim,
)
from roost.wire.sizes import CARD_SIZE

Named = tuple[bytes, ...] | bytes
"""What a request is about: the hashes of its capabilities, the one that it shows first, or a card's locator."""

_SWEEP_ROWS = 2_000  # a sweep's step: about 8 MB of envelopes, tens of milliseconds


class Desk:
    """Decides requests. One desk owns its storage alone: what it has in memory is ahead of what is committed.

    One with `only` has a single mailbox, of that number, and shows an entry to nobody before it is durable.
    """

    def __init__(
        self,
        run: int,
        totals: Totals,
        limits: Limits,
        admission: Admission,
        nonces: KnockNonces,
        *,
        only: int | None = None,
    ) -> None:
        self.limits = limits
        self.admission = admission
        self.ledger = Ledger(_used(totals))
        self.mailboxes = totals.mailboxes
        self.only = only
        self.shelf = Shelf(run, self.ledger, patient=only is not None)
        self._run = run
        self._deleting: set[int] = set()
        self._nonces = nonces
        self._hour = -1
        self._last_mailbox = totals.last_mailbox
        self._swept: Sweep | None = None

    # --- loading ----------------------------------------------------------------------------------------------------

    def named(self, request: Request) -> Named:
        """The mailboxes or the card that must be loaded before `decide` can answer."""
        match request:
            case Put() | PutBlob():
                return (capability_hash(request.put),)
            case Get() | Subscribe() | GetBlob():
                return (capability_hash(request.get),)
            case Trim() | Seal() | Delete():
                return (capability_hash(request.admin),)
            case ChangeGrants():
                return (capability_hash(request.admin), *(grant.capability_hash for grant in request.add))
            case Create():
                return tuple(grant.capability_hash for grant in request.grants)
            case PutCard() | GetCard() | DeleteCard():
                return request.locator
            case _:
                return ()

    def install(self, rows: list[MailboxRow]) -> None:
        """Take mailboxes that storage holds. What the last sweep deletes counts as gone, committed or not."""
        swept = self._swept
        for row in rows:
            if swept is not None and row.used_day < swept.mailboxes_before:
                continue
            if row.mailbox in self._deleting:
                continue
            mailbox = self.shelf.install(row)
            if swept is not None:
                mailbox.expire(swept.entries_before, swept.holds_before)

    # --- deciding ---------------------------------------------------------------------------------------------------

    def decide(self, request: Request, named: Named, client: Client, now: float) -> Decision:
        """Raises RefusedRequest. `named` is what `named` gave, now loaded; `now` in seconds since 1970; the client was
        paced already."""
        if isinstance(named, bytes):
            return self._card(request, named, client, now)
        today = int(now) // DAY_S
        match request:
            case Put():
                return self.rules(now).put(self._of(named), named[0], request)
            case Trim():
                return self._trim(self._of(named, Right.ADMIN), request, today)
            case Get():
                return self._get(self._of(named, Right.GET), request, today)
            case Subscribe():
                mailbox = self._of(named, Right.GET)
                return Decision(Subscribed(mailbox.end), self._touch(mailbox, today), mailbox=mailbox)
            case Create():
                self.admission.admit_creation(client, request, now)
                return self._create(request, today)
            case PutBlob():
                return self.rules(now).put_blob(self._of(named), named[0], request)
            case GetBlob():
                return self._get_blob(self._of(named, Right.GET), request, today)
            case Seal():
                mailbox = self._of(named, Right.ADMIN)
                mailbox.sealed = True
                return Decision(Done(), (SealMailbox(mailbox.id),), durable=True, mailbox=mailbox)
            case Delete():
                return self._delete(self._of(named, Right.ADMIN))
            case ChangeGrants():
                return self._change_grants(self._of(named, Right.ADMIN), request)
            case _:
                raise RefusedRequest(RefusalCode.UNSUPPORTED)

    def settled(self, decision: Decision) -> None:
        """The decision's operations are durable."""
        if decision.end is not None:
            self._deleting.discard(decision.end.mailbox)
        if decision.mailbox is not None:
            decision.mailbox.settled(decision.entries, decision.blobs)

    def start_over(self) -> None:
        """A commit failed: forget everything, since it is ahead of what is stored, in a new run. See `RUN_BITS`."""
        self._run += 1
        self._deleting.clear()
        self.shelf.start_over(self._run)

    def recount(self, totals: Totals) -> None:
        """What is stored, counted anew."""
        self.ledger.used = _used(totals)
        self.mailboxes = totals.mailboxes

    def touch_live(self, mailboxes: tuple[int, ...], now: float) -> TouchMailboxes:
        """Mailboxes with a live subscription are in use."""
        today = int(now) // DAY_S
        for number in mailboxes:
            mailbox = self.shelf.mailbox_by_id(number)
            if mailbox is not None:
                mailbox.used_day = today
        return TouchMailboxes(mailboxes, today)

    def sweep(self, now: float) -> Sweep:
        """Forget what expired; the operation does the same on disk and must be committed before any other."""
        today = int(now) // DAY_S
        limits = self.limits
        sweep = Sweep(
            entries_before=today - limits.envelope_days,
            holds_before=today - limits.hold_days,
            cards_before=today - limits.envelope_days,  # an expired card's version is remembered for as long
            mailboxes_before=today - limits.mailbox_idle_days,
            limit=_SWEEP_ROWS,
        )
        self._swept = sweep
        for mailbox in self.shelf.mailboxes():
            mailbox.expire(sweep.entries_before, sweep.holds_before)
            if mailbox.used_day < sweep.mailboxes_before:
                self.shelf.remove(mailbox)
        self.shelf.remove_cards(lambda row: row.expires_day < sweep.cards_before)
        return sweep

    def swept(self, freed: Freed) -> None:
        self.mailboxes -= freed.mailboxes
        bytes_freed = freed.entries * ENTRY_COST + freed.blobs * BLOB_COST + freed.mailboxes * ROW_COST
        bytes_freed += freed.cards * (CARD_SIZE + ROW_COST)
        self.ledger.used = max(0, self.ledger.used - bytes_freed)

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, now: float) -> PutRules:
        """The rules of this hour."""
        hour = int(now) // HOUR_S
        if hour != self._hour:
            self._hour = hour
            self._rules = PutRules(self.limits, self.ledger, self._nonces.valid(now), hour * HOUR_S // DAY_S)
        return self._rules

    def _of(self, named: tuple[bytes, ...], right: Right | None = None) -> Mailbox:
        """The mailbox of a capability. One answer for all that is wrong with it, so that nothing can be probed."""
        mailbox = self.shelf.mailbox(named[0])
        if mailbox is None or (right is not None and mailbox.grants[named[0]].right != right):
            _denied()
        return mailbox

    def _create(self, request: Create, today: int) -> Decision:
        hashes = [grant.capability_hash for grant in request.grants]
        admins = [grant.capability_hash for grant in request.grants if grant.right == Right.ADMIN]
        if len(set(hashes)) != len(hashes) or not admins:
            raise RefusedRequest(RefusalCode.BAD_REQUEST)
        present = self.shelf.mailbox(admins[0])
        if present is not None and present.grants[admins[0]].right == Right.ADMIN:
            return Decision(Done(), durable=True, mailbox=present)
        if any(self.shelf.mailbox(hash_) is not None for hash_ in hashes):
            _denied()
        if self.only is not None and self.shelf.mailbox_by_id(self.only) is not None:
            _denied()
        limits = self.limits
        if self.ledger.used + ROW_COST > limits.total_bytes - limits.reserved(limits.total_bytes):
            raise RefusedRequest(RefusalCode.FULL)
        if self.only is None:
            self._last_mailbox += 1
        number = self._last_mailbox if self.only is None else self.only
        grants = tuple(_row(grant) for grant in request.grants)
        operation = CreateMailbox(number, int(request.kind), today, grants)
        row = MailboxRow(number, int(request.kind), False, 0, today, grants, (), ())
        self.ledger.used += ROW_COST
        self.mailboxes += 1
        return Decision(Done(), (operation,), durable=True, mailbox=self.shelf.install(row))

    def _get(self, mailbox: Mailbox, request: Get, today: int) -> Decision:
        numbers = tuple(mailbox.after(request.after, request.limit))
        more = bool(numbers) and numbers[-1] < mailbox.end
        touch = self._touch(mailbox, today)
        if not numbers:
            return Decision(Entries((), False), touch, mailbox=mailbox)
        ready = {number: mailbox.pending[number].envelope for number in numbers if number in mailbox.pending}
        fetch = FetchEntries(mailbox.id, numbers, ready, more)
        return Decision(Entries((), more), touch, mailbox=mailbox, fetch=fetch)

    def _get_blob(self, mailbox: Mailbox, request: GetBlob, today: int) -> Decision:
        data = mailbox.pending_blobs.get(request.blob)
        touch = self._touch(mailbox, today)
        if data is not None:
            return Decision(BlobData(data), touch, mailbox=mailbox)
        if not mailbox.has_blob(request.blob):
            raise RefusedRequest(RefusalCode.NOT_FOUND)
        return Decision(Done(), touch, mailbox=mailbox, fetch=FetchBlob(mailbox.id, request.blob))

    def _trim(self, mailbox: Mailbox, request: Trim, today: int) -> Decision:
        operation = mailbox.trim(request.upto, request.keep)
        touch = self._touch(mailbox, today)
        operations: tuple[Operation, ...] = (*touch, operation) if operation is not None else touch
        return Decision(Done(), operations, durable=True, mailbox=mailbox)

    def _delete(self, mailbox: Mailbox) -> Decision:
        self.ledger.used -= mailbox.cost
        self.mailboxes -= 1
        self.shelf.remove(mailbox)
        self._deleting.add(mailbox.id)
        return Decision(Done(), (DeleteMailbox(mailbox.id),), durable=True, end=EndSubscriptions(mailbox.id))

    def _change_grants(self, mailbox: Mailbox, request: ChangeGrants) -> Decision:
        add = tuple(_row(grant) for grant in request.add if not _same(mailbox.grants.get(grant.capability_hash), grant))
        revoke = tuple(hash_ for hash_ in request.revoke if hash_ in mailbox.grants)
        added = {grant.hash for grant in add}
        if len(added) != len(add) or added & set(request.revoke):
            raise RefusedRequest(RefusalCode.BAD_REQUEST)
        if any(self.shelf.mailbox(hash_) is not None for hash_ in added):
            _denied()
        admins_left = (mailbox.admins() - set(revoke)) | {grant.hash for grant in add if grant.right == Right.ADMIN}
        if not admins_left:
            raise RefusedRequest(RefusalCode.BAD_REQUEST)
        if len(mailbox.grants) + len(add) - len(revoke) > self.limits.grants(mailbox.kind):
            raise RefusedRequest(RefusalCode.FULL)
        mailbox.change_grants(add, revoke)
        self.shelf.index(mailbox, tuple(added), revoke)
        end = EndSubscriptions(mailbox.id, frozenset(revoke)) if revoke else None
        return Decision(Done(), (ChangeGrantRows(mailbox.id, add, revoke),), durable=True, mailbox=mailbox, end=end)

    def _card(self, request: Request, locator: bytes, client: Client, now: float) -> Decision:
        card = self.shelf.card(locator)
        if card is None:
            card = self.shelf.install_card(locator, None)
        match request:
            case GetCard():
                return get_card(card, int(now))
            case DeleteCard():
                return delete_card(card, request, self.ledger)
            case PutCard():
                if card.row is None:  # its writer may always renew a card
                    self.admission.admit_creation(client, request, now)
                return put_card(card, request, int(now), self.limits, self.ledger)
            case _:
                raise RefusedRequest(RefusalCode.UNSUPPORTED)

    def _touch(self, mailbox: Mailbox, today: int) -> tuple[TouchMailboxes, ...]:
        """At most one a day: this mailbox is in use."""
        if mailbox.used_day >= today:
            return ()
        mailbox.used_day = today
        return (TouchMailboxes((mailbox.id,), today),)


def _row(grant: Grant) -> GrantRow:
    return GrantRow(grant.capability_hash, int(grant.right), grant.limit)


def _same(row: GrantRow | None, grant: Grant) -> bool:
    return row is not None and row == _row(grant)


def _denied() -> NoReturn:
    raise RefusedRequest(RefusalCode.DENIED)


def _used(totals: Totals) -> int:
    cards = totals.cards * (CARD_SIZE + ROW_COST)
    return totals.mailboxes * ROW_COST + totals.entries * ENTRY_COST + totals.blobs * BLOB_COST + cards
